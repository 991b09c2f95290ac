"""All that the pages are handed, as one value: whoever adds a page adds its field here, with a default for sites without it.

Made in ``build``; read by views, actions and ``app``. Knows names and shapes, and nothing of what they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ..core.evidence import EvidenceBooks
from ..core.ledger import Books
from ..core.price import Card
from .drift_facts import WatchBooks
from .energy import Meter
from .facts import CacheFacts, ChainFact, Control, EngineRow, Login, ModelRow, RouteRow, SettingRow, SwitchRow
from .lab_facts import HardwareRow, LabBooks
from .report import Report
from .review import NOTHING, Reviews

if TYPE_CHECKING:
    from .governance import Governance
    from .waiting import Waiting


class Desk(Struct, frozen=True, eq=False):
    """What the pages read from and press on; one per application.

    Whatever blocks is called in a worker thread of the dashboard's own, never from the event loop.
    """

    # ── who is here, and when ──
    books: Books
    control: Control
    """What the buttons do."""
    clock: Callable[[], int]
    """UTC microseconds."""
    login: Login | None = None
    """Who may see the pages; None (loopback only): everyone who gets through."""
    secret: bytes | None = None
    """Signs forms; the same in all processes of one address. None: the login's, else drawn anew."""
    base_url: str = "http://127.0.0.1:4141"
    """How clients reach this server, without ``/v1``; shown to copy."""
    mode: Callable[[], str] = lambda: "observe"
    """``observe``, or ``optimise`` while a certificate serves."""
    version: str = ""

    # ── what is served, and by which settings ──
    models: Callable[[], Sequence[ModelRow]] = tuple
    engine_status: Callable[[], Sequence[EngineRow]] = tuple
    hardware: Callable[[], HardwareRow | None] = lambda: None
    """The machine that this runs on."""
    routes: Callable[[], Sequence[RouteRow]] = tuple
    """Those of the configuration."""
    switches: Callable[[], Sequence[SwitchRow]] = tuple
    """Savings that can be turned on and off, the safest first."""
    settings_rows: Callable[[], Sequence[SettingRow]] = tuple
    cache_facts: Callable[[], CacheFacts] = CacheFacts
    data_class: Callable[[str], str] = lambda _tenant: ""
    """The class of data that the configuration says a tenant's calls are of; empty: of none."""

    # ── what calls came to ──
    cards: Callable[[str], Card | None] = lambda _id: None
    """A price card by the identity that an attempt bears."""
    chain: Callable[[str], ChainFact | None] | None = None
    """Where an entry stands in the chain."""
    meter: Callable[[], Meter] = Meter
    """By what energy and carbon are told."""
    reports: dict[tuple[int, int], tuple[int, Report]] = field(default_factory=dict)
    """Reports by stretch, each with the moment until which it is fresh, so that many open pages cost as much as one."""

    # ── what is learned, proven and watched; None or nothing where a site has none of it ──
    evidence: EvidenceBooks | None = None
    """Labels and certificates. None: the pages claim nothing of quality."""
    what_if: Callable[[Mapping[str, str], int, int], dict[str, Any]] | None = None
    """Replays a stretch under a policy file's settings: the object of ``replay --json``. Raises ConfigError."""
    reviews: Reviews = NOTHING
    """Pairs of answers for people to vote on."""
    lab: LabBooks | None = None
    """Evaluations and made models; read in a worker thread of their own."""
    watch: WatchBooks | None = None
    """Drift and spend."""
    waiting: Waiting | None = None
    """Words of requests that wait for a person. None: they are not kept."""
    governance: Governance | None = None
    """The control table, cards and packs."""

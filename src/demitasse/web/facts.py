"""What the dashboard is handed and what it may do: rows to show, and the Protocols Control and Login. Knows no page.

``build`` implements these over the store, the gateway and the engines; a test does so with a few lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from ..core import access
from ..core.limits import Budget, Key
from ..core.price import Card

Circuit = Literal["closed", "half-open", "open"]
"""closed: calls go through · open: the model failed too often and is left alone · half-open: one call tries it."""


class ModelRow(Struct, frozen=True):
    """A name that can be asked for."""

    name: str
    kind: Literal["model", "route", "catalogue"] = "model"
    provider: str = ""
    upstream_model: str = ""
    address: str = ""
    card: Card | None = None
    """None: its price is not known."""
    card_date: str | None = None
    """When the price was last checked at its source, ``2026-11-02``."""
    circuit: Circuit | None = None
    """None: never asked, or nothing stands in front of it."""
    note: str = ""
    """E.g. why its circuit is open, or which setting it lacks."""


class EngineRow(Struct, frozen=True):
    """A local engine that is looked after: one process."""

    name: str
    state: str
    """``off``, ``starting``, ``ready``, ``stopping``, ``failed``, or what the supervisor calls it."""
    pid: int | None = None
    address: str = ""
    threads: int | None = None
    slots: int | None = None
    busy: int | None = None
    context: int | None = None
    """Tokens a slot can hold."""
    restarts: int = 0
    rss_bytes: int | None = None
    started_us: int | None = None
    note: str = ""
    log_tail: tuple[str, ...] = ()


class CacheFacts(Struct, frozen=True):
    """The cache of answers as it stands in this process; None is unknown."""

    exact: bool = True
    coalesce: bool = True
    entries: int = 0
    bytes: int = 0
    max_bytes: int | None = None
    ttl_s: float | None = None
    hits: int | None = None
    misses: int | None = None
    evicted: int | None = None


class SettingRow(Struct, frozen=True):
    """One setting as it is in force. Secrets are named, never shown."""

    name: str
    value: str
    origin: str
    """Where it comes from: ``default``, ``demitasse.toml``, ``command line``, ``environment``, ``store``."""
    text: str = ""
    """What it does, in a sentence."""


class RouteRow(Struct, frozen=True):
    """A route of the configuration: who answers, and what is asked of it."""

    name: str
    reference: str
    ladder: tuple[str, ...] = ()
    """From the cheapest up, the reference last; one model where there is nothing cheaper."""
    quality: float | None = None
    shadow_rate: float = 0.0
    why_not: str = ""
    """Why the certificate in force does not serve it all the same; empty where it does, or where there is none."""


class SwitchRow(Struct, frozen=True):
    """A saving that can be turned on and off here."""

    name: str
    label: str
    does: str
    on: bool
    locked: bool = False
    """A file, the environment or the command line says so; it is changed there."""
    note: str = ""


class ChainFact(Struct, frozen=True):
    """Where an entry stands in the ledger's chain: the event that closed it."""

    seq: int
    leaf: str
    """RFC 6962 leaf hash of the event, hex."""
    head: str | None = None
    """The chain's hash right after it, hex."""


class Visitor(Struct, frozen=True):
    """Who looks at the pages. ``id`` is the key's id, or ``local`` where no login is needed."""

    id: str
    name: str
    admin: bool = False
    scopes: tuple[str, ...] = ("read",)

    def may(self, needs: str) -> bool:
        """Whether this visitor's scopes are enough; see ``core.access``."""
        return self.admin or access.may(self.scopes, needs)


LOCAL = Visitor("local", "this machine", admin=True)


class Login(Protocol):
    """Who may see the pages where the dashboard is bound beyond loopback."""

    @property
    def secret(self) -> bytes:
        """Signs session cookies; at least 32 bytes, the same in every process and after a restart."""
        ...

    @property
    def secure(self) -> bool:
        """Browsers reach us by HTTPS, so cookies are marked Secure."""
        ...

    def enter(self, token: str) -> Visitor | None:
        """The holder of a key (``dmt_…``) in force that may read; else None."""
        ...

    def without_pages(self, token: str) -> tuple[str, ...]:
        """The scopes of a key in force that may not read; empty for any other, be it unknown or over."""
        ...

    def visitor(self, id: str) -> Visitor | None:
        """As ``enter`` for a session that was begun with the key of this id; None once it is revoked or has expired."""
        ...


class Control(Protocol):
    """What the buttons do. Each method returns after the change is committed.

    Each may raise a DemitasseError; its sentence is shown on the page.
    """

    def keys(self) -> Sequence[Key]:
        """All keys, revoked ones included."""
        ...

    def paused(self) -> Mapping[str, str]:
        """Names of paused keys (``local`` included) and why."""
        ...

    async def set_budget(self, budget: Budget) -> None:
        """Create or change a budget."""
        ...

    async def remove_budget(self, name: str) -> None: ...

    async def create_key(
        self,
        name: str,
        *,
        team: str | None = None,
        scopes: tuple[str, ...] = ("call",),
        models: tuple[str, ...] = (),
        rpm: int | None = None,
        tpm: int | None = None,
        expires_us: int | None = None,
    ) -> str:
        """The new key's secret, ``dmt_…``. It is shown once and kept nowhere."""
        ...

    async def revoke_key(self, id: str) -> None:
        """For good: there is no way back."""
        ...

    async def pause_key(self, name: str, why: str) -> None:
        """``name`` as in ``paused()``; undoes a resume."""
        ...

    async def resume_key(self, name: str) -> None: ...

    async def resolve_alert(self, id: str) -> None: ...

    async def reopen_alert(self, id: str) -> None:
        """Undoes ``resolve_alert``."""
        ...

    async def let_pass(self, code: str) -> None:
        """What the guard refused under this code passes for a day, in every process."""
        ...

    async def reject(self, code: str, why: str) -> None:
        """What the guard refused under this code passes never, in any process: there is no way back. Raises ConfigError: it
        was refused before."""
        ...

    async def let_wait(self, code: str) -> None:
        """Undoes ``let_pass``."""
        ...

    async def switch(self, name: str, *, on: bool) -> None:
        """Turn a saving on or off, in every process."""
        ...

    async def certify(self, route: str) -> str:
        """Look whether the evidence is enough for a certificate; a sentence on what was found."""
        ...

    async def promote(self, id: str) -> str:
        """Put a certificate in force; returns its route."""
        ...

    async def undo(self, route: str) -> str | None:
        """Back to the reference at once; the certificate that was in force, if one was."""
        ...

    async def clear_cache(self) -> int:
        """How many kept answers were dropped."""
        ...

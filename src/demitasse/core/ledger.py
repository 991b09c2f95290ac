"""What a ledger must do: the Protocols that the gateway writes through and that reports and pages read through.

``store/sqlite`` is the embedded implementation; ``tests/conformance/check_ledger.py`` is what every one must pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from .entry import Entry, Hold
from .limits import Alert, Budget, Key, Spent


class Denied(Struct, frozen=True):
    """A hold that does not fit: the budget that stands in the way, as it was at that moment."""

    spent: Spent
    wanted_nanos: int


class Bucket(Struct, frozen=True, omit_defaults=True):
    """Sums over the calls of one hour (or day) with the same dimensions: a row of the roll-ups.

    A dimension that was not asked for in ``group_by`` is None. ``cost_nanos`` sums what is priced; ``unpriced`` counts the rest.
    """

    hour: int | None = None
    """Hours since 1970-01-01 UTC, the bucket's beginning."""
    key: str | None = None
    team: str | None = None
    route: str | None = None
    model: str | None = None
    outcome: str | None = None
    cache: str | None = None
    requests: int = 0
    cost_nanos: int = 0
    baseline_nanos: int = 0
    saved_exact_nanos: int = 0
    saved_semantic_nanos: int = 0
    saved_coalesced_nanos: int = 0
    saved_prompt_nanos: int = 0
    saved_shaped_nanos: int = 0
    saved_routed_nanos: int = 0
    saved_batch_nanos: int = 0
    saved_local_nanos: int = 0
    unpriced: int = 0
    estimated: int = 0
    attempts: int = 0
    joined: int = 0
    uncached_in: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    image_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    reasoning_out: int = 0
    audio_out: int = 0
    energy_modelled_low_uj: int = 0
    energy_modelled_high_uj: int = 0
    energy_measured_low_uj: int = 0
    energy_measured_high_uj: int = 0
    duration_ms: float = 0.0
    overhead_us: int = 0


class Ledger(Protocol):
    """The writing side. Every method that returns after a commit may raise StoreError; then nothing was written."""

    def hold(self, hold: Hold) -> Awaitable[Denied | None]:
        """Set money aside in one atomic step over all its charges, also against other processes on the same file.

        Returns after the commit: None when granted, else why not (then nothing is held).
        """
        ...

    def settle(self, entry: Entry) -> Awaitable[None]:
        """Close a call: its hold (if it had one) is released, ``entry.charges`` are charged, roll-ups move.

        The entry is queued at once, also if nobody awaits; what is returned is done after the commit. Works for every
        outcome, refused ones included.
        """
        ...

    def post(self, entry: Entry) -> None:
        """As ``settle``, for those who may not await (a cancelled task): queued at once, committed with the next group."""
        ...

    async def flush(self) -> None:
        """Returns when everything posted so far is committed."""
        ...

    def budgets(self) -> Sequence[Budget]:
        """All budgets, from memory; follows what other processes set within a second."""
        ...

    def keys(self) -> Sequence[Key]:
        """All keys, revoked ones included, from memory; follows what other processes set within a second."""
        ...

    def look(self) -> None:
        """Take up at once what other processes have set; for a caller whose key nobody knows yet."""
        ...

    @property
    def revision(self) -> int:
        """Rises whenever keys, budgets or settings changed; whoever derives something from them compares it."""
        ...

    async def pause_key(self, key: str, why: str | None, at_us: int) -> None:
        """Stop a key (``local`` included) with a reason, or resume it with None. An event of the chain."""
        ...

    def paused(self) -> Mapping[str, str]:
        """Keys that the loop guard stopped (``local`` included) and why, from memory."""
        ...

    def join(self, id: str, at_us: int) -> None:
        """A client's retry was given the answer of a call that is already closed: an event ``joined``, so that the
        entry's ``joined`` counts it. Queued like ``post``."""
        ...

    async def alert(self, alert: Alert) -> None:
        """Record that a person was told; an event of the chain."""
        ...


class Books(Protocol):
    """The reading side: for commands, report and pages. Synchronous, safe beside a running gateway, O(buckets)."""

    def entries(
        self,
        *,
        last: int = 50,
        before: int | None = None,
        key: str | None = None,
        model: str | None = None,
        route: str | None = None,
        outcome: str | None = None,
        since_us: int | None = None,
    ) -> list[tuple[int, Entry]]:
        """The newest entries that match, newest first, each with its sequence number; ``before`` pages backwards."""
        ...

    def entry(self, id: str) -> Entry | None:
        """One entry by our id, or by the request id that a client sent (then the newest)."""
        ...

    def buckets(self, since_us: int, until_us: int, group_by: Iterable[str] = ()) -> list[Bucket]:
        """Sums per combination of ``group_by`` (names of Bucket's dimensions; ``hour`` and ``day`` for time)."""
        ...

    def spent(self, at_us: int) -> list[Spent]:
        """Every budget in the window that ``at_us`` falls into."""
        ...

    def held_nanos(self) -> int:
        """What is set aside at this moment for calls that are under way."""
        ...

    def alerts(self, *, open_only: bool = True, last: int = 20, begins: str = "") -> list[Alert]:
        """What persons were told, the newest first. ``begins``: of those only whose id begins so."""
        ...

    def find_alert(self, id: str) -> Alert | None: ...

    def stats(self) -> dict[str, Any]:
        """Facts about the store: path, bytes, rows, first_us, last_us, schema, chain head (hex), last recovery."""
        ...

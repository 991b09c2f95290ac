"""The books against an invoice: what differs per day and model, how much of it estimates explain, and the corrections.

An estimated or lost row was booked at what it may have cost; the invoice says what it did. Every other difference is
unexplained: calls that went past the gateway, a price that is wrong, or a mistake in the books. Pure: lines and entries
in, differences out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from ..core.call import BUCKETS, Usage
from ..core.entry import Entry
from ..core.price import PICO_PER_NANO, Rates
from .changes import Correction
from .invoice import Line, plain

GRACE_NANOS = 100_000
"""A hundredth of a cent: providers round, and nobody is called for that."""
WHOLE_DAY = "(all)"
Names = Mapping[str, tuple[str, str]]
"""Our names of models and whose they are: ``{"large": ("openai", "gpt-5.1")}``."""
RatesOf = Callable[[str, str], Rates | None]


class Doubt(Struct, frozen=True):
    """A row that was booked without the provider's own figure. ``room_nanos``: how much dearer it may have been."""

    id: str
    entry_nanos: int
    nanos: int
    room_nanos: int


class Booked(Struct):
    """What the books hold for one day and model."""

    nanos: int = 0
    usage: Usage = Usage()
    sure: Usage = Usage()
    """Without that of doubtful rows: a lost one has no tokens, and a corrected one's are still the first guess."""
    calls: int = 0
    unpriced: int = 0
    doubts: list[Doubt] = []


class Difference(Struct, frozen=True):
    """One day and model. Costs in nanos; None: neither the invoice nor a price says."""

    day: str
    provider: str
    model: str
    invoice_nanos: int | None
    booked_nanos: int
    invoice_usage: Usage | None
    booked_usage: Usage
    calls: int
    unpriced: int
    difference_nanos: int | None
    """Invoice − books; by tokens × rate where the export has no amounts."""
    explained_nanos: int
    """The part that estimated and lost rows can account for."""
    doubts: tuple[Doubt, ...] = ()

    @property
    def unexplained_nanos(self) -> int | None:
        return None if self.difference_nanos is None else self.difference_nanos - self.explained_nanos

    @property
    def tokens_off(self) -> int | None:
        """Tokens by which the two differ, whichever way."""
        if self.invoice_usage is None:
            return None
        return sum(abs(tokens) for _, tokens in _apart(self.invoice_usage, self.booked_usage))

    def beyond(self, tolerance: float) -> bool:
        """Whether what is unexplained is more than ``tolerance`` (a share) of the larger of the two sides."""
        off = self.unexplained_nanos
        if off is not None:
            return abs(off) > max(GRACE_NANOS, tolerance * max(self.invoice_nanos or 0, self.booked_nanos))
        if self.invoice_usage is None or self.tokens_off is None:
            return False
        most = max(_tokens(self.invoice_usage), _tokens(self.booked_usage))
        return not self.doubts and self.tokens_off > tolerance * most


def compare(lines: Sequence[Line], entries: Iterable[Entry], names: Names, rates_of: RatesOf) -> list[Difference]:
    """Every day and model that either side knows, within the days and providers that the invoice speaks of."""
    whole = {(line.day, line.provider) for line in lines if not line.model}
    invoiced: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        at = (line.day, line.provider)
        invoiced.setdefault((*at, WHOLE_DAY if at in whole else line.model), []).append(line)
    spoken = {(line.day, line.provider) for line in lines}
    booked = {at: held for at, held in _booked(entries, names, whole).items() if at[:2] in spoken}
    return [
        _difference(at, invoiced.get(at, []), booked.get(at, Booked()), rates_of)
        for at in sorted(invoiced.keys() | booked.keys())
    ]


def corrections(differences: Iterable[Difference], source: str) -> list[Correction]:
    """What sets the estimated and lost rows right: the explained part, spread over them; nothing else is touched."""
    moved: dict[str, int] = {}
    before: dict[str, int] = {}
    for difference in differences:
        explained = difference.explained_nanos
        rooms = [d.nanos if explained < 0 else d.room_nanos for d in difference.doubts]
        for doubt, part in zip(difference.doubts, spread(abs(explained), rooms), strict=True):
            before[doubt.id] = doubt.entry_nanos
            moved[doubt.id] = moved.get(doubt.id, 0) + (part if explained > 0 else -part)
    return [Correction(id, before[id] + by, source=source) for id, by in moved.items() if by]


def spread(amount: int, rooms: Sequence[int]) -> list[int]:
    """``amount`` ≤ sum(rooms) shared out in proportion to ``rooms``, none getting more than its own; adds up exactly."""
    total = sum(rooms)
    if not total:
        return [0] * len(rooms)
    parts = [amount * room // total for room in rooms]
    for i, room in enumerate(rooms):
        more = min(amount - sum(parts), room - parts[i])
        parts[i] += max(0, more)
    return parts


def _booked(entries: Iterable[Entry], names: Names, whole: set[tuple[str, str]]) -> dict[tuple[str, str, str], Booked]:
    found: dict[tuple[str, str, str], Booked] = {}
    kept = list(entries)
    known = dict(names)
    for entry in kept:
        known |= {a.model: (a.provider, a.upstream_model) for a in entry.attempts}
    for entry in kept:
        for share in _shares(entry, known):
            at = (share.day, share.provider)
            group = found.setdefault((*at, WHOLE_DAY if at in whole else plain(share.model)), Booked(doubts=[]))
            group.calls += 1
            group.usage += share.usage
            if not share.doubtful or share.nanos is None:
                group.sure += share.usage
            if share.nanos is None:
                group.unpriced += 1
                continue
            group.nanos += share.nanos
            if share.doubtful:
                room = max(0, entry.hold_nanos - (entry.cost_nanos or 0))
                group.doubts.append(Doubt(entry.id, entry.cost_nanos or 0, share.nanos, room))
    return found


class _Share(Struct, frozen=True):
    """What one attempt of an entry adds; ``nanos`` None: unpriced."""

    day: str
    provider: str
    model: str
    usage: Usage
    nanos: int | None
    doubtful: bool


def _shares(entry: Entry, names: Names) -> list[_Share]:
    if not entry.attempts:
        if entry.outcome != "lost" or entry.model is None:
            return []
        provider, model = names.get(entry.model) or _split(entry)
        return [_Share(_day(entry.at_us), provider, model, Usage(), entry.cost_nanos, doubtful=True)]
    costs = [0 if a.status == "error" and a.cost_nanos is None else a.cost_nanos for a in entry.attempts]
    if entry.cost_nanos is not None:
        # A corrected entry's attempts say what was booked first; what moved since belongs to the last one.
        costs[-1] = entry.cost_nanos - sum(c or 0 for c in costs[:-1])
    return [
        _Share(_day(a.started_us), a.provider, a.upstream_model, a.usage or Usage(), nanos, doubtful=a.estimated)
        for a, nanos in zip(entry.attempts, costs, strict=True)
        if not (a.status == "error" and not nanos)
    ]


def _split(entry: Entry) -> tuple[str, str]:
    """Whose a model is by its name alone: ``openai/gpt-5.1``."""
    provider, slash, model = (entry.model or "").partition("/")
    return (provider, model) if slash else (entry.provider or "", provider)


def _difference(at: tuple[str, str, str], lines: Sequence[Line], held: Booked, rates_of: RatesOf) -> Difference:
    day, provider, model = at
    amounts = [line.cost_nanos for line in lines if line.cost_nanos is not None]
    usages = [line.usage for line in lines if line.usage is not None]
    usage = sum(usages[1:], usages[0]) if usages else None
    off: int | None = None
    if amounts:
        off = sum(amounts) - held.nanos
    elif not lines:
        off, usage = -held.nanos, Usage()
    elif usage is not None:
        off = _value(usage, held.sure, rates_of(provider, model))
        if off is not None:
            off -= sum(d.nanos for d in held.doubts)
    explained = 0
    if off is not None:
        low, high = -sum(d.nanos for d in held.doubts), sum(d.room_nanos for d in held.doubts)
        explained = min(max(off, low), high)
    return Difference(
        day=day,
        provider=provider,
        model=model,
        invoice_nanos=None if off is None else held.nanos + off,
        booked_nanos=held.nanos,
        invoice_usage=usage,
        booked_usage=held.usage,
        calls=held.calls,
        unpriced=held.unpriced,
        difference_nanos=off,
        explained_nanos=explained,
        doubts=tuple(held.doubts),
    )


def _value(invoice: Usage, booked: Usage, rates: Rates | None) -> int | None:
    """The difference in tokens at the standard rates. Sums of a day meet no tier: those are for single calls."""
    pico = 0
    for bucket, tokens in _apart(invoice, booked):
        rate = None if rates is None else getattr(rates, bucket)
        if tokens and rate is None:
            return None
        pico += tokens * (rate or 0)
    return (abs(pico) + PICO_PER_NANO // 2) // PICO_PER_NANO * (1 if pico >= 0 else -1)


def _apart(invoice: Usage, booked: Usage) -> list[tuple[str, int]]:
    """Tokens more on the invoice, per bucket; exports don't tell reasoning from other output."""
    apart: list[tuple[str, int]] = [
        (b, getattr(invoice, b) - getattr(booked, b)) for b in BUCKETS if b not in {"text_out", "reasoning_out"}
    ]
    output = invoice.text_out + invoice.reasoning_out - booked.text_out - booked.reasoning_out
    return [*apart, ("text_out", output)]


def _tokens(usage: Usage) -> int:
    return usage.total_in + usage.total_out


def _day(at_us: int) -> str:
    return f"{dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC):%Y-%m-%d}"

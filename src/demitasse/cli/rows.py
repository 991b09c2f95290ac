"""An entry as people read it: a row, an explanation. Pure: an Entry in, text out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..web.arithmetic import Bill, bill, compare
from ..web.energy import METHOD_TEXTS, Meter, Used
from ..web.guarded import guard_sentences
from ..web.render import carbon_to, energy_to, exact, money, per_mtok, pico_exact
from .units import clock_text

if TYPE_CHECKING:
    from ..core.entry import Attempt, Entry
    from ..core.price import Card
    from ..web.facts import ModelRow

ROW_COLUMNS = ("at (UTC)", "id", "key", "model", "outcome", "cache", "tokens", "cost", "saved", "ms")
SHORT_ID = 15
"""So much of an id tells it from its neighbours: twelve characters are its time, to the microsecond."""
ROW_FIGURES = ("tokens", "cost", "saved", "ms")
CACHE_TEXTS = {"off": "-", "miss": "miss", "exact": "exact", "coalesced": "coalesced", "semantic": "semantic"}
OUTCOME_TEXTS = {
    "answered": "it was answered in full",
    "refused": "it was turned away before any model was asked",
    "failed": "no model could answer it, or the answer broke off",
    "cancelled": "the client hung up",
    "lost": "the process died while it was under way; it is booked at its full hold until reconcile knows better",
}


def row(entry: Entry, *, narrow: bool = False) -> tuple[str, ...]:
    """One line of the ledger; columns as ``ROW_COLUMNS``. ``narrow``: as much as a terminal has room for."""
    tokens = "-" if entry.usage is None else f"{entry.usage.total_in:,}+{entry.usage.total_out:,}"
    saved = sum(nanos for _, nanos in entry.saved)
    return (
        clock_text(entry.at_us)[5 if narrow else 0 :],
        entry.id[:SHORT_ID] if narrow else entry.id,
        entry.key,
        _asked_and_answered(entry),
        entry.outcome if entry.error is None else f"{entry.outcome}: {entry.error}",
        CACHE_TEXTS[entry.cache],
        tokens,
        money(entry.cost_nanos) + ("~" if entry.estimated else ""),
        money(saved) if saved else "-",
        f"{entry.duration_ms:,.0f}",
    )


def _asked_and_answered(entry: Entry) -> str:
    """``large``, or ``auto → large`` where something else answered than was asked for."""
    asked = entry.asked_model or "-"
    return asked if entry.model in {None, entry.asked_model} else f"{asked} → {entry.model}"


def explain_lines(
    entry: Entry, cards: Callable[[str], Card | None], models: Sequence[ModelRow], meter: Meter
) -> Iterator[str]:
    """What happened to one call, for a person."""
    yield f"call {entry.id}, {clock_text(entry.at_us)} UTC, {entry.duration_ms:,.1f} ms"
    yield ""
    asked = f"{entry.asked_model or '(unreadable)'} ({entry.kind}{', streamed' if entry.stream else ''})"
    yield f"  asked     {asked} by key '{entry.key}'" + (f" of team '{entry.team}'" if entry.team else "")
    if entry.tags:
        yield "  tags      " + ", ".join(f"{name}={value}" for name, value in entry.tags)
    yield f"  outcome   {entry.outcome}: {OUTCOME_TEXTS[entry.outcome]}" + (f" ({entry.error})" if entry.error else "")
    if entry.why:
        yield f"            {entry.why}"
    if entry.model and entry.outcome in {"answered", "cancelled", "failed"}:
        yield f"  answer    {_answered_by(entry)}"
    yield from _why(entry)
    for nth, sentence in enumerate(guard_sentences(entry.guard, refused=entry.outcome == "refused")):
        yield f"  {'' if nth else 'guard':<10}{sentence}"
    yield from _money(entry)
    for number, attempt in enumerate(entry.attempts, 1):
        yield ""
        yield from _attempt_lines(number, attempt, bill(attempt, cards), meter.used(attempt))
    used = {attempt.card for attempt in entry.attempts}
    others = [c for c in compare(entry, models) if c.card not in used] if entry.outcome == "answered" else []
    if others:
        yield ""
        yield "  for comparison (C): the same tokens elsewhere; another model would have written another answer"
        for other in others:
            yield f"    {other.model:<40} {exact(other.nanos):>16}  {other.card}"


def _answered_by(entry: Entry) -> str:
    if entry.cache == "exact":
        return f"from the cache: the same request was answered before by {entry.model}"
    if entry.cache == "coalesced":
        return f"shared with an identical call that was under way, by {entry.model}"
    return f"{entry.model} ({entry.provider or 'provider not known'})"


def _why(entry: Entry) -> Iterator[str]:
    decision = entry.decision
    if decision is not None and entry.outcome != "refused":
        why = decision.reason or {
            "reference": f"'{entry.route or entry.asked_model}' names it",
        }.get(decision.policy, f"policy '{decision.policy}' chose it with probability {decision.propensity:g}")
        yield f"  why       {why}"
        others = [name for name in decision.candidates if name != decision.chosen]
        if others:
            yield f"            had it failed: {', '.join(others)}"
    if entry.flags:
        yield f"  marks     {', '.join(entry.flags)}"
    if entry.joined:
        yield f"  retries   {entry.joined} of the client's retries shared this answer and were not billed again"


def _money(entry: Entry) -> Iterator[str]:
    held = f"  held      {exact(entry.hold_nanos)} was set aside before, as the most it could cost"
    if entry.hold_nanos:
        yield held
    yield f"  cost      {exact(entry.cost_nanos)}" + (" (estimated)" if entry.estimated else "")
    for charge in entry.charges:
        yield f"            charged to budget '{charge.budget}' for {charge.window}: {exact(charge.nanos)}"
    if entry.baseline_nanos is not None:
        yield f"  baseline  {exact(entry.baseline_nanos)}"
    for cause, nanos in entry.saved:
        yield f"  saved     {exact(nanos)} by {cause.replace('_', ' ')} (grade {entry.grade})"


def _attempt_lines(number: int, attempt: Attempt, made: Bill, used: Used) -> Iterator[str]:
    first = "" if attempt.first_byte_ms is None else f", first byte after {attempt.first_byte_ms:,.1f} ms"
    status = attempt.status if attempt.http_status is None else f"{attempt.status} (HTTP {attempt.http_status})"
    name = f"{attempt.model} = {attempt.provider}/{attempt.upstream_model}"
    yield f"  attempt {number}: {name}, {status}, {attempt.duration_ms:,.1f} ms{first}"
    if attempt.error:
        yield f"    {attempt.error}"
    width = max((len(line.label) for line in made.lines), default=0)
    for line in made.lines:
        tokens = f"{line.tokens:>10,} × {per_mtok(line.pico_per_token):>10} per million"
        yield f"    {line.label.ljust(width)} {tokens} = {pico_exact(line.pico):>16}"
    if made.per_request_nanos:
        yield f"    {'per request'.ljust(width)} {exact(made.per_request_nanos):>52}"
    if attempt.usage is None:
        yield "    its usage is not known"
    booked = exact(made.cost_nanos)
    rates = f", {made.rates}" if made.rates not in {"", "standard"} else ""
    card = f"card {attempt.card}{rates}" if attempt.card else "no price card"
    yield f"    booked {booked} by {card}" + (", usage estimated by us" if attempt.estimated else "")
    if made.agrees is False:
        yield f"    the lines come to {exact(made.sum_nanos)}: the provider said the cost, or an invoice corrected it"
    if used.energy is not None and used.carbon_mg is not None:
        amount = f"{energy_to(used.energy.low_uj, used.energy.high_uj)} ({METHOD_TEXTS[used.energy.method]})"
        yield f"    energy {amount}, {carbon_to(*used.carbon_mg)} CO2e"
    elif used.lacking:
        yield f"    energy {used.lacking}"

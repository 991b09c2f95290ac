"""A plan in words: what is cheapest, how sure that is, what it depends on, what is unknown. Knows a Plan; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.hardware import Interval
from ...core.money import NANOS
from .break_even import BreakEven
from .costs import Span
from .plan import Line, Plan
from .sensitivity import Swing

ENERGY_TAGS = "Figures of different methods are not comparable."


def recommendation(plan: Plan) -> str:
    """One paragraph."""
    if not plan.running and all(line.meets is False for line in plan.lines):
        return (
            f"No option reaches the quality of {plan.quality:g}: all were measured below it. Name other models with --option, "
            f"or a lower --quality."
        )
    if not plan.running:
        return f"{_small(plan)} Nothing is left; name other options with --option."
    first = plan.running[0]
    return " ".join(
        part
        for part in (
            _traffic(plan),
            _cheapest(plan, first),
            _depends(plan, first),
            _quality(plan, first),
            _private(plan, first),
            _small(plan),
            _old(plan),
        )
        if part
    )


def _traffic(plan: Plan) -> str:
    p = plan.profile
    peak = f", the busiest hour {spread(p.peak)} times the mean" if p.peak.high > 1 else ""
    return f"For {spread(p.calls_per_day)} calls a day of {spread(p.tokens_in)} tokens in and {spread(p.tokens_out)} out{peak}:"


def _cheapest(plan: Plan, first: Line) -> str:
    rivals = len(plan.overlapping) - 1
    sure = "is the cheapest" if not rivals else "is the cheapest with all inputs at their middles"
    return f"{first.option.name} {sure}, at {usd_span(first.costed.full_nanos)} a month with everything in it."


def _depends(plan: Plan, first: Line) -> str:
    others = [line for line in plan.overlapping if line is not first]
    turning = [s for s in plan.tornado if s.threshold is not None and not s.outside]
    if others:
        who = joined([f"{line.option.name} ({usd_span(line.costed.full_nanos)})" for line in others])
        start = f"The ranges overlap with {who}: which one it is depends on"
        if turning:
            return f"{start} {joined([turned(s) for s in turning[:3]])}."
        names = joined([s.name for s in plan.tornado[:3]]) or "several inputs together"
        return f"{start} {names}, though none of them turns it alone within its range."
    far = [s for s in plan.tornado if s.threshold is not None and s.outside]
    if not far:
        return "Nothing within the ranges changes that."
    return f"Nothing within the ranges changes that. It would take {joined([turned(s) for s in far[:2]], 'or')}."


def turned(swing: Swing) -> str:
    """``power.usd_per_kwh above 0.31 (then own:…)``."""
    assert swing.threshold is not None
    middle = Interval(swing.low, swing.high).middle
    side = "above" if swing.threshold > middle else "below"
    return f"{swing.name} {side} {figure(swing.threshold)} (then {swing.then})"


def _quality(plan: Plan, first: Line) -> str:
    if plan.quality is None:
        return "No quality was asked for: the cheapest may not be good enough."
    below = [line.option.name for line in plan.lines if line.meets is False]
    out = f" Below the quality of {plan.quality:g}, and so left out: {joined(below)}." if below else ""
    if first.meets:
        return f"Its quality of {first.option.quality:g} ({first.option.quality_source}) is enough.{out}"
    sure = next((line for line in plan.running if line.meets), None)
    known = (
        f" The cheapest that is known to reach it is {sure.option.name}, at {usd_span(sure.costed.full_nanos)}."
        if sure
        else ""
    )
    why = "isn't measured" if first.option.quality is None else "isn't decided by its evaluation"
    return f"Whether it reaches the quality of {plan.quality:g} {why}: evaluate it before you rely on this.{known}{out}"


def _private(plan: Plan, first: Line) -> str:
    if first.option.privacy == "stays":
        return "Prompts stay where they are."
    stay = next((line for line in plan.running if line.option.privacy == "stays"), None)
    where = (
        "Its prompts leave the company"
        if first.option.privacy == "leaves the company"
        else "Its prompts go to a rented machine"
    )
    if stay is None:
        return f"{where}."
    return f"{where}; the cheapest with which they stay is {stay.option.name}, at {usd_span(stay.costed.full_nanos)}."


def _small(plan: Plan) -> str:
    small = [line for line in plan.lines if not line.fits]
    told = joined(
        [
            f"{line.option.name} (it takes {line.costed.units[1]}, and there are {line.option.most_units:g})"
            for line in small
        ]
    )
    return f"Too small for the busiest hour, and left out: {told}." if small else ""


def _old(plan: Plan) -> str:
    if not plan.stale:
        return ""
    named = joined(list(plan.stale[:4])) + (f" and {len(plan.stale) - 4} more" if len(plan.stale) > 4 else "")
    many = "row is" if len(plan.stale) == 1 else "rows are"
    return f"{len(plan.stale)} {many} older than 180 days ({named}): check and --set them."


def broke_even(found: BreakEven) -> str:
    """One line for a pair."""
    if found.middle is not None:
        at = f"from {figure(found.middle)} calls a day"
    else:
        at = f"in {100 * found.crossing:.0f} % of the draws"
    low = "always" if found.low is None else figure(found.low)
    high = "never" if found.high is None else figure(found.high)
    return f"{found.cheaper_above} is cheaper than {found.cheaper_below} {at} ({low} to {high})"


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def usd(nanos: float) -> str:
    """Three digits are what such figures are worth."""
    value = nanos / NANOS
    if value >= 100:
        return f"${float(f'{value:.3g}'):,.0f}"
    return f"${value:.2f}" if value >= 1 or value in (0, round(value, 1), round(value, 2)) else f"${value:.3g}"


def usd_span(nanos: Sequence[float]) -> str:
    low, high = nanos[0], nanos[-1]
    return usd(low) if usd(low) == usd(high) else f"{usd(low)} to {usd(high)}"


def figure(value: float) -> str:
    """``1,234``, ``0.31``."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def spread(value: Interval | Span) -> str:
    low, high = figure(value.low), figure(value.high)
    return low if low == high else f"{low} to {high}"


def percent(value: Span) -> str:
    low, high = (f"{100 * v:.2g}" for v in (value.low, value.high))
    return f"{low} %" if low == high else f"{low} to {high} %"


def joined(parts: Sequence[str], word: str = "and") -> str:
    return f" {word} ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)

"""Verdicts and frontiers in words that somebody who is no statistician can act on. Knows results; computes nothing new.

Points are hundredths of a score; a difference of 0.02 is two points.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...stats.quantiles import Quantile
from .axes import Axis
from .compare import Comparison
from .frontier import Frontier, Knee, Point, Step


def compared(found: Comparison) -> str:
    """One paragraph: what was found, how sure it is, what to do."""
    ours, theirs = found.candidate, found.reference
    figures = (
        f"On the same {count(found.n, 'sample')}{_clusters(found)} '{ours.name}' scores {share(ours.quality)} and "
        f"'{theirs.name}' {share(theirs.quality)}: {points(found.difference)}, and with {share(1 - found.alpha)} confidence "
        f"between {points(found.interval[0], bare=True)} and {points(found.interval[1])}."
    )
    return " ".join(part for part in (figures, _verdict(found), _cost(found), _form(found)) if part)


def _verdict(found: Comparison) -> str:
    ours, theirs, margin = f"'{found.candidate.name}'", f"'{found.reference.name}'", points(found.margin, sign=False)
    match found.verdict:
        case "superior":
            return f"SUPERIOR: {ours} is better."
        case "non-inferior":
            less = " (a little worse it is, but by less than that)" if found.worse else ""
            return f"NON-INFERIOR: {ours} is as good as {theirs}, to within the margin of {margin}{less}."
        case "inferior":
            return f"INFERIOR: {ours} is worse by more than the margin of {margin}. Keep {theirs}."
        case _:
            worse = f" It is worse, but whether by more than the margin of {margin} is open." if found.worse else ""
            return (
                f"INCONCLUSIVE: {count(found.n, 'sample')} can't say whether {ours} is within {margin} of {theirs}; "
                f"that is no proof that it is, nor that it isn't.{worse} {_more(found)}"
            )


def _more(found: Comparison) -> str:
    shows = f"So many samples show differences from the margin of {points(found.mde, sign=False)} and more."
    if found.n_needed is None:
        return f"{shows} What was seen lies at the margin itself: no number of samples is likely to decide it."
    odds = "would decide it, four times of five, if the truth is what was seen"
    if found.n_needed <= found.n:
        return f"{shows} That is as many as {odds}: it was a close call, and some more will do."
    if found.n_if_equal is None:
        return f"{shows} {about(found.n_needed)} {odds}."
    return f"{shows} {about(found.n_needed)} {odds}, and {about(found.n_if_equal).lower()} if the two are equal."


def _clusters(found: Comparison) -> str:
    return "" if found.clusters == found.n else f" (in {count(found.clusters, 'cluster')})"


def _cost(found: Comparison) -> str:
    ours, theirs = found.candidate.cost_nanos, found.reference.cost_nanos
    if ours is None or theirs is None:
        unknown = [f"'{side.name}'" for side in (found.candidate, found.reference) if side.cost_nanos is None]
        return f"What {' and '.join(unknown)} costs is not known."
    told = f"A thousand calls cost {usd(ours)} with '{found.candidate.name}' and {usd(theirs)} with '{found.reference.name}'"
    return f"{told} ({times(found.cost_ratio)})." if found.cost_ratio is not None else f"{told}."


def _form(found: Comparison) -> str:
    ours, theirs = found.candidate.unread, found.reference.unread
    if not ours and not theirs:
        return ""
    most = ours > theirs and ours - theirs >= found.reference.wrong / 2 and found.difference < 0
    hint = " Constraining the form of the answer may win most of that back." if most else ""
    return f"Answers that could not be read (they count as wrong): {ours} and {theirs}.{hint}"


# ── frontiers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def drawn(found: Frontier) -> str:
    """One paragraph: where paying more stops paying, what the next point costs, who can be left out, and what is open."""
    if not found.drawn:
        return f"Nothing can be said: {undrawn(found)}."
    parts = [
        f"{count(len(found.drawn), 'candidate')} on the same {count(found.n, 'sample')}.",
        _knee(found, found.knee) if found.knee else "",
        _left_out(found.drawn),
        f"Not drawn: {undrawn(found)}." if undrawn(found) else "",
    ]
    return " ".join(part for part in parts if part)


def _knee(found: Frontier, knee: Knee) -> str:
    if not knee.best:
        at = ""
        if knee.names:
            at = f" (in {share(1 - knee.none)} of resamples it has one, at {_these(knee.names, 'or')})"
        return (
            f"The curve has no bend that would say where to stop{at}: put a price on a point of quality with --worth, or "
            f"read the steps. {_next(found, found.front[0].name)}"
        )
    here = found.named(knee.best)
    price = "unknown" if here.cost is None else amount(here.cost, found.axis)
    why = "the last step worth its price" if knee.method == "worth" else "where the curve bends most"
    told = f"Paying more stops paying at '{knee.best}' ({share(here.quality)} for {price} {_per(found.axis)}), {why}."
    others = sorted(
        (name for name in knee.names if name != knee.best), key=lambda n: -(found.named(n).knee_probability or 0)
    )
    if others:
        more = f" or one of {len(others) - _FEW} others" if len(others) > _FEW else ""
        told += f" So few samples leave open whether it is {_these(others[:_FEW], 'or')}{more} instead."
    if knee.none > 0.1:
        told += f" In {share(knee.none)} of resamples there is no bend at all."
    return f"{told} {_next(found, knee.best)}".rstrip()


_FEW = 3
_SURE = 0.95


def _left_out(points: Sequence[Point]) -> str:
    """Those that another one beats, by how sure that is."""
    surely = [p for p in points if p.beaten_by and (p.front_probability or 0.0) <= 1 - _SURE]
    perhaps = [p.name for p in points if p.beaten_by and p not in surely]
    by = [f"'{p.name}' ('{p.beaten_by}' is better and costs no more)" for p in surely]
    told = [f"Leave out {', '.join(by)}."] if by else []
    if perhaps:
        told.append(f"Probably no use either, but so few samples do not prove it: {_these(perhaps)}.")
    return " ".join(told)


def _next(found: Frontier, name: str) -> str:
    step = next((step for step in found.steps if step.below == name), None)
    if step is None:
        return f"'{name}' is the best there is." if name in {p.name for p in found.front[-1:]} else ""
    return f"The next point of quality, with '{step.above}', costs {price_of(step, found.axis)}."


def price_of(step: Step, axis: Axis) -> str:
    """Of a point, with its interval, and whether there may be nothing in it."""
    told = f"{amount(step.price, axis)} more {_per(axis)} ({prices(step, axis)})"
    if step.price_interval[1] is None:
        return f"{told}: whether it is better at all is open, {share(step.nothing)} of resamples say no"
    return told


def prices(step: Step, axis: Axis) -> str:
    """Where the price of a point lies."""
    low, high = step.price_interval
    return f"{amount(low, axis)} to {'no limit' if high is None else amount(high, axis)}"


def undrawn(found: Frontier) -> str:
    """Who is not drawn, and why."""
    return "; ".join(f"{point.name} ({point.why_not})" for point in found.points if point.why_not)


def amount(value: float, axis: Axis) -> str:
    """Of a frontier's unit, short: ``$0.12``, ``3.4 Wh``, ``210 ms``."""
    if axis == "money":
        return usd(value * 1e6)
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number} {'Wh' if axis == 'energy' else 'ms'}"


def _per(axis: Axis) -> str:
    return "per call" if axis == "latency" else "per thousand calls"


def _these(names: Sequence[str], last: str = "and") -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def cut(text: str, longest: int) -> str:
    """No longer than that."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def middle_cut(text: str, longest: int) -> str:
    """The same for names, which differ at their ends."""
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def count(n: int, what: str) -> str:
    """``1 sample``, ``1,200 samples``."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def share(value: float | None) -> str:
    """A score as a percentage."""
    return "nothing that is known" if value is None else f"{round(100 * value, 1):g} %"


def points(value: float, *, sign: bool = True, bare: bool = False) -> str:
    """A difference of scores, in points; what is not 0 is not told as 0."""
    rounded = round(100 * value, 1)
    number = float(f"{100 * value:.1g}") if rounded == 0 and abs(value) > 1e-9 else rounded + 0.0
    text = f"{number:+g}" if sign and number else f"{number:g}"
    return text.replace("-", "−") if bare else f"{text} point{'' if abs(number) == 1 else 's'}".replace("-", "−")


def about(n: int) -> str:
    """A number of samples, to two figures, rounded up."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return f"About {-(-n // unit) * unit:,}"


def usd(nanos_per_call: float) -> str:
    """Of a thousand calls."""
    value = nanos_per_call / 1e6
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if value >= 0.1 else f"${value:.2g}"


def times(ratio: float) -> str:
    """A ratio of costs."""
    if ratio == 0:
        return "free"
    return f"{ratio:.2g} times as much" if ratio >= 0.995 else f"1/{1 / ratio:.3g}"


def between(interval: tuple[float, float] | None) -> str:
    """Of a score, in per cent."""
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def span(interval: tuple[float, float]) -> str:
    """Of a difference, in points."""
    return f"{points(interval[0], bare=True)} to {points(interval[1], bare=True)}"


def late(found: Quantile | None) -> str:
    """A quantile of latencies with its interval."""
    if found is None:
        return ""
    low = "?" if found.low is None else f"{found.low:.0f}"
    high = "?" if found.high is None else f"{found.high:.0f}"
    return f"{found.value:.0f} ({low} to {high})"

"""What the watch over drift tells a person: one sentence, one command that answers it, one that takes that back. Pure."""

from __future__ import annotations

import datetime as dt
import math
import re
import shlex
from collections.abc import Mapping
from typing import Final

from ..core.limits import Alert
from ..core.policy import Certificate
from ..lab.drift.cause import Cause
from ..lab.drift.route import Event
from ..lab.drift.spend import Anomaly
from ..lab.drift.standing import Standing

HOUR_US: Final = 3_600_000_000
SPEND: Final = "spend_anomaly"
OVER: Final = "drift_over"
_PLAIN: Final = re.compile(r"[^\w.-]+")


def moved(
    event: Event,
    at_us: int,
    *,
    id: str,
    certificate: Certificate | None,
    cause: Cause | None,
    daily_usd: Mapping[tuple[str, str], float],
) -> Alert:
    """A stream has moved.

    Args:
        certificate: in force on the route.
        cause: who moved it most.
        daily_usd: what keys, models and all together (``("", "")``) spend a day.
    """
    route, stream, found = event.route, event.stream, event.found
    assert found is not None
    said = f"route '{route}' {stream.moved}: {value(found.now, stream.unit)}, usually {value(found.usual, stream.unit)}"
    if stream.kind == "spread":
        said += f", {found.gap:.0%} of calls lie elsewhere"
    if cause is not None:
        said += f"; mostly {cause.dimension} '{cause.name}'"
    accept = f"demitasse drift --accept {shlex.quote(f'{route}/{stream.name}')}"
    remedy, undo = accept, accept.replace("--accept", "--unaccept")
    if stream.alert == "drift_inputs" and certificate is not None:
        said += f"; certificate {certificate.id} was proven on other calls"
        remedy, undo = f"demitasse undo {shlex.quote(route)}", f"demitasse promote {certificate.id}"
    elif stream.alert == "drift_cost":
        if cause is not None and cause.dimension in ("key", "model"):
            remedy, undo = limited(cause.dimension, cause.name, daily_usd)
        else:  # there is no budget of one route, and one over everything would stop those who have nothing to do with it
            said += "; no key or model explains it, so no budget is offered"
    return Alert(f"drift-{id}", at_us, stream.alert, route, said, remedy, undo=undo)


def over(event: Event, at_us: int, *, id: str, began_us: int | None) -> Alert:
    """It is over, by itself or because it has become the usual: nobody needs to do anything."""
    stream = event.stream
    how = "is as it was before" if event.back else "has stayed where it moved to, which is the usual now"
    said = f"route '{event.route}': {stream.says} {how}"
    if event.found is not None:
        said += f" ({value(event.found.now, stream.unit)})"
    if began_us is not None:
        said += f", after {_long(at_us - began_us)}"
    return Alert(f"{id}-over", at_us, OVER, event.route, said, resolved_us=at_us)


def out_of_line(anomaly: Anomaly, at_us: int, daily_usd: Mapping[tuple[str, str], float]) -> Alert:
    """Money is being spent out of line."""
    who = f"{anomaly.dimension} '{anomaly.name}'" if anomaly.dimension else "all together"
    said = f"{who} spent {usd(anomaly.usd)} in the hour from {_hour(anomaly.hour)}"
    said += (
        f"; no key ever spent more than {usd(anomaly.most_usd)} of what was known before, and this one is new"
        if anomaly.new and anomaly.most_usd
        else "; it was never seen before this week"
        if anomaly.new
        else f", usually {usd(anomaly.usual_usd)} and never more than {usd(anomaly.most_usd)}"
    )
    dimension = anomaly.dimension if anomaly.dimension in ("key", "model") else ""
    if not dimension:
        said += f"; the budget offered is over all calls: beyond {usd(_twice(('', ''), daily_usd))} in a day nobody is answered"
    remedy, undo = limited(dimension, anomaly.name if dimension else "", daily_usd)
    return Alert(alert_id(anomaly), at_us, SPEND, anomaly.name or "all", said, remedy, undo=undo)


def spend_over(anomaly: Anomaly, at_us: int, since_usd: float) -> Alert:
    who = f"{anomaly.dimension} '{anomaly.name}'" if anomaly.dimension else "all together"
    said = f"{who} spends as usual again; it was {usd(since_usd)} from {_hour(anomaly.hour)} on"
    return Alert(f"{alert_id(anomaly)}-over", at_us, OVER, anomaly.name or "all", said, resolved_us=at_us)


def alert_id(anomaly: Anomaly) -> str:
    return f"spend-{anomaly.dimension or 'all'}-{anomaly.name}-{anomaly.hour}"


def moved_id(route: str, stream: str, standing: Standing) -> str:
    return f"{route}-{stream}-{(standing.moved_us or 0) // HOUR_US}"


def limited(dimension: str, name: str, daily_usd: Mapping[tuple[str, str], float]) -> tuple[str, str]:
    """A budget of twice a usual day for a key or model (else for all together), and its removal."""
    subject = (dimension, name) if dimension in ("key", "model") and name else ("", "")
    amount = _twice(subject, daily_usd)
    budget = f"watch-{_PLAIN.sub('-', name)[:50]}" if subject[0] else "watch"
    flag = f" --{dimension} {shlex.quote(name)}" if subject[0] else ""
    return f"demitasse budgets set {budget} {amount:g}/day{flag}", f"demitasse budgets remove {budget}"


def _twice(subject: tuple[str, str], daily_usd: Mapping[tuple[str, str], float]) -> float:
    """Twice a usual day, in dollars."""
    return _round_up(max(1.0, 2 * daily_usd.get(subject, 0.0)))


def value(number: float, unit: str) -> str:
    """For people."""
    if unit == "usd":
        return usd(number)
    if unit == "ms":
        return f"{number / 1000:.1f} s" if number >= 1000 else f"{number:.0f} ms"
    if unit == "share":
        return f"{number:.1%}"
    return f"{number:,.0f} {unit}"


def usd(amount: float) -> str:
    digits = 2 if amount >= 1 or amount == 0 else min(6, 1 - math.floor(math.log10(amount)))
    return f"${amount:,.{digits}f}"


def _round_up(amount: float) -> float:
    """To a figure that people would choose."""
    step = 10 ** math.floor(math.log10(amount))
    return float(next(n * step for n in (1, 2, 3, 5, 10) if n * step >= amount))


def _hour(hour: int) -> str:
    return f"{dt.datetime.fromtimestamp(hour * 3600, dt.UTC):%-d %b %H:%M} UTC"


def _long(span_us: int) -> str:
    hours = span_us / HOUR_US
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"

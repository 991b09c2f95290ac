"""Money out of line, while the hour is still running: by key, route and model, and in all. Pure; knows hours and amounts.

What was spent since the hour began is held against whole hours: to be above one, an hour that is not over yet needs no
allowance. Out of line is what passes all three: Student's prediction from like hours (the same time of day and its neighbours on
the same sort of day) on the scale of the logarithm, at a level that gives all subjects of all hours of a month half a false call;
one and a half times the largest hour of the last four weeks; and an amount that matters. A key that nobody knows yet is held
against the largest hour of any key. Of one runaway, which shows under its key, its route, its model and in all, the nearest name
is told, once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from ...stats.detector import mean_and_spread, student_tail
from .usual import sort_of_day

BACK_H: Final = 28 * 24
FEWEST_H: Final = 3 * 24
"""Hours since the first spending, before anything is out of line."""
KNOWN_H: Final = 7 * 24
"""A subject that has spent for less long is new."""
CALLS_A_MONTH: Final = 0.5
TIMES: Final = 1.5
"""Of the largest hour."""
MOST: Final = 0.6
"""Of what is too much, where one name stands for it."""
LEAST_USD: Final = 1.0
LEAST_SHARE: Final = 0.25
"""Of a usual day's spending in all: less in an hour is no emergency, whoever spends it. The smaller of this and ten times
the least amount, so that large installations are told of large sums and not of huge ones alone."""
_ALL: Final = ("", "")
_FREEDOM: Final = 30.0
_LITTLE: Final = 0.05
"""Of a subject's mean hour, added to each: an hour of nothing has a logarithm then."""
DIMENSIONS: Final = ("key", "route", "model")

Subject = tuple[str, str]
"""Dimension and name; ("", "") is all together."""


class Hours(Struct):
    """What each subject spent, by hour since 1970, in dollars; hours of nothing are left out."""

    by: dict[Subject, dict[int, float]]

    def of(self, subject: Subject, hour: int) -> float:
        return self.by.get(subject, {}).get(hour, 0.0)


class Anomaly(Struct, frozen=True):
    """A subject that spends out of line: in ``hour`` it has spent ``usd``; ``usual_usd`` and ``most_usd`` of its like and largest
    hours before."""

    dimension: str
    """key, route, model, or "" for all together."""
    name: str
    hour: int
    usd: float
    usual_usd: float
    most_usd: float
    new: bool = False
    """It has never been seen before this week."""


def out_of_line(hours: Hours, hour: int, known: Sequence[Subject] = ()) -> list[Anomaly]:
    """Who spends out of line in this hour, or did in the one before; each event under one name.

    Args:
        hours: the last four weeks and the running hour.
        known: subjects that are out of line already; their hours since then are no usual ones, and they are not told anew.
    """
    total = hours.by.get(_ALL, {})
    first = min(total, default=hour)
    if hour - first < FEWEST_H:
        return []
    subjects = [subject for subject, own in hours.by.items() if own.get(hour) or own.get(hour - 1)]
    level = CALLS_A_MONTH / (30 * 24) / max(10, len(hours.by))
    floor = _floor(total, hour)
    largest = _largest_of_any_key(hours, hour)
    found = [
        anomaly
        for subject in subjects
        for at in (hour, hour - 1)
        if (anomaly := _held(hours, subject, at, level=level, floor=floor, first=first, largest=largest)) is not None
    ]
    return _one_name_each(hours, found, known)


def over(hours: Hours, anomaly: Anomaly, hour: int) -> bool:
    """Whether two whole hours and the running one are below half of what was out of line."""
    subject = (anomaly.dimension, anomaly.name)
    bound = max(anomaly.usual_usd, 0.5 * anomaly.usd)
    return hour >= anomaly.hour + 3 and all(hours.of(subject, at) <= bound for at in (hour, hour - 1, hour - 2))


def since(hours: Hours, anomaly: Anomaly, hour: int) -> float:
    """What the subject has spent from the hour that was out of line on."""
    own = hours.by.get((anomaly.dimension, anomaly.name), {})
    return sum(usd for at, usd in own.items() if anomaly.hour <= at <= hour)


def _held(
    hours: Hours, subject: Subject, hour: int, *, level: float, floor: float, first: int, largest: float
) -> Anomaly | None:
    own = hours.by[subject]
    usd = own.get(hour, 0.0)
    if usd < floor:
        return None
    past = {at: amount for at, amount in own.items() if hour - BACK_H <= at < hour}
    begun = min(past, default=hour)
    if hour - begun < KNOWN_H and subject != _ALL and hour - first >= KNOWN_H:
        new = subject[0] == "key" and usd > TIMES * largest
        most = max(past.values(), default=0.0)
        return Anomaly(*subject, hour, usd, 0.0, most, new=True) if new and usd > TIMES * most else None
    most = max(past.values(), default=0.0)
    if usd <= TIMES * most:
        return None
    like = _like(own, hour, max(begun, hour - BACK_H))
    mean = math.fsum(past.values()) / max(1, hour - begun)
    logs = [math.log(amount + _LITTLE * mean) for amount in like]
    if len(logs) < 6:
        return None
    middle, spread = mean_and_spread(logs)
    deviation = max(spread, 0.1) * math.sqrt(1 + 1 / len(logs))
    t = (math.log(usd + _LITTLE * mean) - middle) / deviation
    if student_tail(t, min(len(logs) - 1, _FREEDOM)) >= level:
        return None
    return Anomaly(*subject, hour, usd, math.exp(middle), most)


def _like(own: Mapping[int, float], hour: int, first: int) -> list[float]:
    """The same time of day and its neighbours, on days of the same sort."""
    sort = sort_of_day(hour // 24)
    near = (hour - 24 * back + step for back in range(1, BACK_H // 24 + 1) for step in (-1, 0, 1))
    return [own.get(at, 0.0) for at in near if first <= at < hour and sort_of_day(at // 24) == sort]


def _floor(total: Mapping[int, float], hour: int) -> float:
    past = [usd for at, usd in total.items() if hour - BACK_H <= at < hour - 1]
    days = max(1.0, (hour - min(total)) / 24) if total else 1.0
    daily = math.fsum(past) / min(days, BACK_H / 24)
    return max(LEAST_USD, min(LEAST_SHARE * daily, 10 * LEAST_USD))


def _largest_of_any_key(hours: Hours, hour: int) -> float:
    return max(
        (
            usd
            for (dim, _), own in hours.by.items()
            if dim == "key"
            for at, usd in own.items()
            if hour - BACK_H <= at < hour - 1
        ),
        default=0.0,
    )


def _one_name_each(hours: Hours, found: Sequence[Anomaly], known: Sequence[Subject]) -> list[Anomaly]:
    """Keys first, then routes, models, and all together: a wider subject is told only where nobody told explains most of it."""
    told: list[Anomaly] = []
    out = list(known)
    order = {name: at for at, name in enumerate((*DIMENSIONS, ""))}
    for one in sorted(found, key=lambda a: (order[a.dimension], -a.usd)):
        if (one.dimension, one.name) in out:
            continue
        nearest = one
        if one.dimension != "key":
            excess = one.usd - one.usual_usd
            if sum(hours.of(subject, one.hour) for subject in out) >= MOST * excess:
                continue
            nearest = _who(hours, one, excess) or one
        told.append(nearest)
        out.append((nearest.dimension, nearest.name))
    return told


def _who(hours: Hours, one: Anomaly, excess: float) -> Anomaly | None:
    """The key (else the model) that most of it is, though it would not be out of line by itself yet."""
    for dimension in ("key", "model"):
        if dimension == one.dimension:
            continue
        for subject, own in hours.by.items():
            past = [usd for at, usd in own.items() if one.hour - BACK_H <= at < one.hour]
            usual = math.fsum(past) / min(BACK_H, max(1, one.hour - min(own)))
            usd = own.get(one.hour, 0.0)
            if subject[0] == dimension and usd - usual >= MOST * excess:
                return Anomaly(*subject, one.hour, usd, usual, max(past, default=0.0), new=not past)
    return None

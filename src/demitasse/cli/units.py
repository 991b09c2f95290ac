"""How people write amounts and times: ``5/day``, ``30d``, ``2026-11-21``. Pure: text and a moment in, numbers out."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

import click

from ..core.money import nanos

if TYPE_CHECKING:
    from ..core.money import Period

SECOND_US: Final = 1_000_000
UNITS_US: Final = {
    "s": SECOND_US,
    "m": 60 * SECOND_US,
    "h": 3_600 * SECOND_US,
    "d": 86_400 * SECOND_US,
    "w": 7 * 86_400 * SECOND_US,
}
_PERIODS: Final[dict[str, Period]] = {
    "day": "day",
    "d": "day",
    "month": "month",
    "mo": "month",
    "ever": "ever",
    "": "ever",
}


def limit(text: str) -> tuple[int | None, Period]:
    """``5/day``, ``20/month``, ``100`` (ever), ``none`` (count only) as nano-dollars and a period."""
    amount, _, per = text.strip().lower().removeprefix("$").partition("/")
    per = per.removeprefix("per ").strip()
    if per not in _PERIODS:
        raise click.BadParameter(f"'{text}': a limit is per day, per month or ever: 5/day, 20/month, 100")
    if amount.strip() == "none":
        return None, _PERIODS[per] if per else "day"
    try:
        usd = Decimal(amount.strip())
    except InvalidOperation:
        usd = Decimal(-1)
    if not (usd.is_finite() and 0 <= usd <= 1_000_000_000):
        raise click.BadParameter(f"'{text}' is no amount; write it as 5/day, 20/month, 100 or none")
    return nanos(usd), _PERIODS[per]


def duration_us(text: str) -> int:
    """``90s``, ``45m``, ``12h``, ``30d``, ``2w`` in microseconds."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip().lower())
    if match is None:
        raise click.BadParameter(f"'{text}' is no length of time; write it as 12h, 30d or 2w")
    return int(match[1]) * UNITS_US[match[2]]


def moment_us(text: str, now_us: int) -> int:
    """A date (``2026-11-21``, with or without a time; UTC), or how long ago (``7d``)."""
    if re.fullmatch(r"\d+[smhdw]", text.strip().lower()):
        return now_us - duration_us(text)
    try:
        when = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.BadParameter(f"'{text}' is no moment; write a date as 2026-11-21, or how long ago as 7d") from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return int(when.timestamp() * SECOND_US)


def clock_text(at_us: int) -> str:
    """``2026-11-21 12:03:11`` (UTC)."""
    return f"{dt.datetime.fromtimestamp(at_us / SECOND_US, dt.UTC):%Y-%m-%d %H:%M:%S}"


def day_text(at_us: int) -> str:
    return f"{dt.datetime.fromtimestamp(at_us / SECOND_US, dt.UTC):%Y-%m-%d}"


def pairs(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """``k=v`` as pairs."""
    for text in texts:
        if not re.fullmatch(r"[\w.-]+=.+", text):
            raise click.BadParameter(f"'{text}' is no tag; write it as name=value")
    return tuple((name, value) for name, _, value in (text.partition("=") for text in texts))

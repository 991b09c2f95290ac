"""Money is an integer number of nano-dollars. Windows of budgets are UTC days, months, or ever."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

NANOS = 1_000_000_000
Period = Literal["day", "month", "ever"]


def nanos(usd: Decimal | str | float) -> int:
    """Dollars to nano-dollars, exact for decimals and strings, to the nearest nano for floats."""
    return int((Decimal(str(usd)) * NANOS).to_integral_value())


def usd(amount_nanos: int) -> float:
    """Nano-dollars to dollars, for showing and for JSON; arithmetic stays in nanos."""
    return amount_nanos / NANOS


def usd_text(amount_nanos: int | None, *, digits: int | None = None) -> str:
    """For people: ``$0.00`` where cents matter, more digits for small sums, ``unpriced`` for None."""
    if amount_nanos is None:
        return "unpriced"
    sign, amount = ("-" if amount_nanos < 0 else ""), abs(amount_nanos)
    if digits is None:
        digits = 2 if amount >= NANOS or amount == 0 else 4 if amount >= NANOS // 100 else 6 if amount >= 10_000 else 9
    return f"{sign}${Decimal(amount) / NANOS:,.{digits}f}"


def window(period: Period, at_us: int) -> str:
    """The window of ``period`` that a moment falls into: ``2026-11-21``, ``2026-11`` or ``ever``."""
    if period == "ever":
        return "ever"
    day = dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)
    return f"{day:%Y-%m-%d}" if period == "day" else f"{day:%Y-%m}"


def opens_at(period: Period, at_us: int) -> dt.datetime | None:
    """When the next window opens (UTC), or None where there is none."""
    day = dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "ever":
        return None
    if period == "day":
        return day + dt.timedelta(days=1)
    return (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)

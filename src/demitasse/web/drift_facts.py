"""What the page on the watch is handed: streams and where they stand, money out of line, the month's end. Knows no page.

``build`` implements ``WatchBooks`` over the store; a test does so with a few rows.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

State = Literal["learning", "steady", "moved"]


class Day(Struct, frozen=True):
    """A whole day of one stream."""

    at_us: int
    value: float
    calls: int


class StreamRow(Struct, frozen=True):
    """One thing that is watched on one route."""

    route: str
    stream: str
    """Its short name: ``length``, ``cost``, …"""
    says: str
    unit: str
    """``tokens``, ``usd``, ``ms`` or ``share``."""
    state: State
    usual: float | None = None
    now: float | None = None
    evidence: float = 0.0
    """0 to 1, on the scale of the logarithm; at 1 a person is told."""
    needs: str = ""
    """What is missing before anything can be said."""
    moved_us: int | None = None
    certificate: str = ""
    """The one whose window is the usual; "": the past weeks are."""
    since_us: int | None = None
    """Somebody said that what comes from then on is the usual."""
    days: tuple[Day, ...] = ()


class SpendRow(Struct, frozen=True):
    """Money out of line."""

    dimension: str
    """key, route, model, or "" for all together."""
    name: str
    at_us: int
    usd: float
    """In that hour."""
    usual_usd: float
    """In such an hour."""
    since_usd: float
    """From that hour on."""
    open: bool = True
    new: bool = False
    """It was never seen before."""
    said: bool = True
    """A person was told; else it waits until fewer things need one."""


class ForecastRow(Struct, frozen=True):
    """The running month."""

    so_far_usd: float
    ends_us: int
    usd: float | None = None
    """None: too few days are known; ``why`` says how many it takes."""
    low_usd: float | None = None
    high_usd: float | None = None
    level: float = 0.95
    days: int = 0
    """Whole days that it is made from."""
    weekdays: bool = False
    why: str = ""
    daily: tuple[Day, ...] = ()
    """The last five weeks' days, in dollars."""
    today_usd: float = 0.0
    """Spent today; ``daily`` ends yesterday."""
    ahead: tuple[float, ...] = ()
    """What is expected of today's rest and of each day after it, in dollars."""


class WatchFacts(Struct, frozen=True):
    """All of it, at one moment."""

    looked_us: int | None
    """None: nobody has looked yet."""
    streams: tuple[StreamRow, ...] = ()
    watched: int = 0
    """Streams that something can be said of today."""
    spend: tuple[SpendRow, ...] = ()
    forecast: ForecastRow | None = None
    false_alarms_a_month: float = 1.0
    """Of drift and spend together, at most, in the mean."""


class WatchBooks(Protocol):
    """Asked in the dashboard's own thread."""

    def facts(self) -> WatchFacts:
        """As of the last look, a minute ago at most."""
        ...

    def accept(self, route: str, stream: str) -> None:
        """What comes from now on is the usual. Raises ConfigError: no such stream."""
        ...

    def unaccept(self, route: str, stream: str) -> None:
        """Undoes ``accept``."""
        ...


NOBODY = WatchFacts(looked_us=None)


def button(remedy: str) -> str:
    """The word on the button that does what a command would; "" where no button can."""
    verbs = {
        "demitasse undo ": "to the reference",
        "demitasse promote ": "promote again",
        "demitasse budgets set ": "set the budget",
        "demitasse budgets remove ": "remove the budget",
        "demitasse drift --accept ": "it is the usual now",
        "demitasse drift --unaccept ": "compare as before",
        "demitasse guard approve ": "let it pass",
        "demitasse guard withdraw ": "let it wait",
    }
    return next((word for start, word in verbs.items() if remedy.startswith(start)), "")

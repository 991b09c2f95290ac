"""A whole gateway in memory: fake models, a fake ledger, a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from demitasse.core.ledger import Ledger
from demitasse.core.limits import Alert, Budget
from demitasse.core.money import nanos
from demitasse.core.price import Card, rates
from demitasse.gateway.answer import Steps
from demitasse.gateway.attempt import Breakers
from demitasse.gateway.budget import Budgets
from demitasse.gateway.cache import Cache
from demitasse.gateway.http import Gateway
from demitasse.gateway.keys import KeyRing
from demitasse.gateway.loop_guard import Repeats
from demitasse.gateway.metrics import Metrics
from demitasse.gateway.route import Route, Routes, Rung
from demitasse.gateway.settings import Settings
from demitasse.testing import FakeLedger, FakeModel

SECRET = b"s" * 32
NOON_US = 1_795_262_400_000_000  # 2026-11-21 12:00 UTC


def card(name: str, input_usd_per_mtok: int = 1, output_usd_per_mtok: int = 10) -> Card:
    base = rates(input=input_usd_per_mtok * 10**6, output=output_usd_per_mtok * 10**6)
    return Card(id=f"test {name}", provider="test", model=name, base=base)


class World:
    """What a test can look at and turn."""

    def __init__(self, ledger: Ledger | None = None, **settings: Any) -> None:
        self.now_us = NOON_US
        self.ids = 0
        self.ledger: Any = ledger or FakeLedger([Budget(name="default", limit_nanos=nanos(5), origin="default")])
        self.small = FakeModel("a small cup, full strength")
        self.large = FakeModel("a large cup, the same strength")
        self.alerts: list[Alert] = []
        self.settings = Settings(**settings)
        self.rungs = {
            "small": Rung("small", "test", "small-1", self.small, card("small")),
            "large": Rung("large", "test", "large-1", self.large, card("large", 10, 100)),
        }
        self.routes = [
            Route("small", self.rungs["small"], stamp="small-1"),
            Route("large", self.rungs["large"], stamp="large-1"),
            Route("auto", self.rungs["large"], (self.rungs["small"],), stamp="auto-1", named=True),
        ]
        self.app = self.build()

    def build(self) -> Gateway:
        clock = self.clock
        settings = self.settings
        self.steps = Steps(
            ledger=self.ledger,
            keys=KeyRing(self.ledger, SECRET, require_key=settings.require_key, clock=clock),
            routes=Routes(self.routes),
            cache=Cache(settings.cache, clock=clock, retry_memory_s=settings.retry_memory_s),
            budgets=Budgets(self.ledger, clamp=settings.clamp, assume_max_output=settings.assume_max_output),
            repeats=Repeats(settings.loop_guard),
            breakers=Breakers(settings.breaker),
            metrics=Metrics(),
            settings=settings,
            clock=clock,
            draw=lambda: 0.5,
            keep=lambda _call, _reply: None,
            alarm=self.alerts.append,
        )
        return Gateway(
            self.steps,
            pages=no_pages,
            facts_of=lambda _id: None,
            status=dict,
            ready=lambda: None,
            gauges=dict,
            clock=clock,
            random_bits=self.next_id,
            started_us=NOON_US,
        )

    def clock(self) -> int:
        return self.now_us

    def next_id(self) -> int:
        self.ids += 1
        return self.ids

    def rung(self, name: str, **changes: Any) -> None:
        """Change a rung everywhere it stands."""
        import msgspec

        self.rungs[name] = changed = msgspec.structs.replace(self.rungs[name], **changes)
        swap = lambda r: changed if r.alias == name else r
        self.routes = [
            msgspec.structs.replace(r, reference=swap(r.reference), fallbacks=tuple(map(swap, r.fallbacks)))
            for r in self.routes
        ]
        self.app = self.build()

    @property
    def entry(self) -> Any:
        return self.ledger.closed[-1]


async def no_pages(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"no page"})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World

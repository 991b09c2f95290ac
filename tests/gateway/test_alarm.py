"""Of alerts that are alike people are told once while one of them waits."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import structs

from demitasse.core.limits import Alert
from demitasse.gateway.alarm import AGAIN_US, Alarm


class Books:
    """Alerts as a ledger has them, and what was delivered."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.delivered: list[str] = []
        self.alarm = Alarm(self, self.deliver, waiting=self.waiting)  # type: ignore[arg-type]

    async def alert(self, alert: Alert) -> None:
        await asyncio.sleep(0)
        self.alerts[alert.id] = alert

    async def deliver(self, body: bytes) -> None:
        self.delivered.append(msgspec.json.decode(body)["id"])

    def waiting(self) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.resolved_us is None]

    def decide(self, id: str) -> None:
        self.alerts[id] = structs.replace(self.alerts[id], resolved_us=1)

    async def raised(self, *alerts: Alert) -> None:
        for alert in alerts:
            self.alarm(alert)
        await asyncio.gather(*self.alarm._tasks)


def one(i: int, group: str = "approval large app user", **changes: Any) -> Alert:
    return Alert(f"approve-{i}", changes.pop("at_us", i), "approval_needed", f"c{i}", "…", group=group)


async def test_forty_alike_are_told_once_and_all_are_in_the_books() -> None:
    books = Books()
    await books.raised(*map(one, range(40)), one(40, group="approval small app user"))
    assert books.delivered == ["approve-0", "approve-40"]
    assert len(books.alerts) == 41


async def test_when_all_are_decided_the_next_is_told() -> None:
    books = Books()
    await books.raised(one(0), one(1))
    books.decide("approve-0")
    await books.raised(one(2))
    assert books.delivered == ["approve-0"]
    books.decide("approve-1")
    books.decide("approve-2")
    await books.raised(one(3))
    assert books.delivered == ["approve-0", "approve-3"]


async def test_after_a_start_what_waited_before_is_not_told_again() -> None:
    books = Books()
    books.alerts["approve-0"] = one(0)
    await books.raised(one(1), one(0))
    assert books.delivered == []


async def test_what_is_asked_again_after_a_decision_was_over_waits_anew() -> None:
    books = Books()
    await books.raised(one(0))
    books.decide("approve-0")
    await books.raised(one(0, at_us=2 * AGAIN_US))
    assert books.waiting()
    assert books.delivered == ["approve-0", "approve-0"]

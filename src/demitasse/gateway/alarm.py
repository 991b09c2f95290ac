"""Telling people: an alert goes into the books, to the webhook, and where it must, stops a key. Never waits in a call's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from ..core.errors import DemitasseError
from ..core.ledger import Books, Ledger
from ..core.limits import Alert
from ..core.money import usd_text

log = logging.getLogger("demitasse.alarm")

AGAIN_US = 10_000_000
"""So long one of a group that was raised is not looked at again."""

Deliver = Callable[[bytes], Awaitable[None]]
"""Posts a JSON body to the webhook; raises DemitasseError when that failed."""


class Alarm:
    """Raises each alert once; of a group of alerts tells people of one while any waits.

    Args:
        deliver: None: no webhook is set.
        waiting: alerts that are open, the newest first; blocks.
        tries_s: the waits before each further delivery.
    """

    def __init__(
        self,
        ledger: Ledger,
        deliver: Deliver | None,
        *,
        tries_s: tuple[float, ...] = (1.0, 5.0, 30.0),
        waiting: Callable[[], Sequence[Alert]] = tuple,
    ) -> None:
        self._ledger = ledger
        self._deliver = deliver
        self._tries_s = tries_s
        self._waiting = waiting
        self._one_by_one = asyncio.Lock()
        self._raised: dict[str, int] = {}
        """When, in UTC microseconds."""
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, alert: Alert) -> None:
        """Raise ``alert``; returns at once."""
        last_us = self._raised.get(alert.id)
        # What waits for a decision waits anew when it is asked again after one; that is looked up, so not each time.
        if last_us is not None and (not alert.group or alert.at_us - last_us < AGAIN_US):
            return
        if len(self._raised) > 10_000:
            self._raised.clear()
        self._raised[alert.id] = alert.at_us
        task = asyncio.get_running_loop().create_task(self._raise_one_of(alert) if alert.group else self._raise(alert))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _raise_one_of(self, alert: Alert) -> None:
        """One alert of a group: people are told if it is the first that waits."""
        async with self._one_by_one:
            try:
                alike = [one.id for one in await asyncio.to_thread(self._waiting) if one.group == alert.group]
            except DemitasseError:
                log.exception("whether others like an alert wait is not known")
                alike = []
            if alert.id in alike:
                return
            if alike:
                log.info("%s (%s)", alert.message, alert.remedy)
                await self._book(alert)
                return
            await self._book(alert)
        log.warning("%s (%s)", alert.message, alert.remedy)
        await self._tell(alert)

    async def _raise(self, alert: Alert) -> None:
        log.warning("%s (%s)", alert.message, alert.remedy)
        await self._book(alert)
        await self._tell(alert)

    async def _book(self, alert: Alert) -> None:
        try:
            if alert.kind == "loop_detected":
                await self._ledger.pause_key(alert.subject, alert.message.partition(": ")[2], alert.at_us)
            await self._ledger.alert(alert)
        except DemitasseError:
            log.exception("an alert could not be booked")

    async def _tell(self, alert: Alert) -> None:
        if self._deliver is None:
            return
        body = msgspec.json.encode(alert)
        for wait_s in (*self._tries_s, None):
            try:
                await self._deliver(body)
            except DemitasseError as error:
                if wait_s is None:
                    log.error("the webhook did not take alert %s: %s", alert.id, error)  # noqa: TRY400 - its sentence is enough
                    return
                await asyncio.sleep(wait_s)
            else:
                return

    async def close(self) -> None:
        """Give deliveries under way a moment, then stop."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=1.0)
            for task in late:
                task.cancel()


def soft_limits(books: Books, at_us: int) -> list[Alert]:
    """An alert for each budget that is beyond one of its soft shares; its id is the same until the window ends."""
    found = []
    for spent in books.spent(at_us):
        budget, limit = spent.budget, spent.budget.limit_nanos
        if not limit:
            continue
        reached = [share for share in sorted(budget.soft) if spent.settled_nanos >= share * limit]
        if reached:
            unit = "" if budget.period == "ever" else f"/{budget.period}"
            found.append(
                Alert(
                    id=f"soft-{budget.name}-{spent.window}-{reached[-1]:g}",
                    at_us=at_us,
                    kind="budget_soft",
                    subject=budget.name,
                    message=f"budget '{budget.name}' is at {spent.settled_nanos / limit:.0%} "
                    f"({usd_text(spent.settled_nanos)} of {usd_text(limit)})",
                    remedy=f"demitasse budgets set {budget.name} {limit * 2 / 1e9:g}{unit}",
                )
            )
    return found

"""Attacks put to a route in this process, on the lab's account: the way of a client's call, guard and all, and nobody's traffic.

Knows the gateway and the suite; what is made of the answers is `redteaming`'s.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ..config import Config
from ..core.call import Reply
from ..core.errors import DemitasseError, Refused, UpstreamError
from ..core.ids import RANDOM_BITS, call_id
from ..gateway.examine import Examiner
from .evaluating import opened
from .redteaming import REFUSALS, Ask, Asked, body_of

if TYPE_CHECKING:
    from ..lab.injection.suite import Attack


T = TypeVar("T")


class RedteamError(DemitasseError):
    """An attack that could not be put to the route; the sentence says which, and why."""


async def asking(
    config: Config,
    data: Path,
    env: Mapping[str, str],
    route: str,
    work: Callable[[Ask], T],
    *,
    clock: Callable[[], int],
) -> T:
    """``work`` in a thread of its own, with what puts an attack to ``route`` and waits for the answer.

    Calls are booked under the lab's key, as an evaluation's are, and tagged ``evaluation: redteam``. Raises Refused: nobody
    bears the name; RedteamError, ConfigError, StoreError.
    """
    async with opened(config, data, env, clock=clock) as lab:
        examiner = Examiner(
            lab.app.gateway.steps, "redteam", lambda at_us: call_id(at_us, random.getrandbits(RANDOM_BITS))
        )
        loop = asyncio.get_running_loop()

        def ask(one: Attack, system: str) -> Asked:
            return asyncio.run_coroutine_threadsafe(_put(examiner, one, system, route), loop).result()

        return await asyncio.to_thread(work, ask)


async def _put(examiner: Examiner, one: Attack, system: str, route: str) -> Asked:
    heard: list[Reply] = []
    try:
        await examiner.ask(
            msgspec.json.encode(body_of(one, system, route)), route, lambda _id, reply: heard.append(reply)
        )
    except (Refused, UpstreamError) as error:
        if error.code in REFUSALS:
            return Asked(blocked=True)
        raise RedteamError(f"{one.id} could not be put to '{route}': {error}") from error
    message: Any = msgspec.json.decode(heard[0].body)["choices"][0]["message"]
    return Asked(blocked=False, answer=msgspec.json.encode(message).decode())

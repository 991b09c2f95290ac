"""Which calls are also put to other models, and the line in which they wait. Knows routes and chance; asks nobody.

A share ``rate`` of calls is drawn, whole sessions at a time: calls of one session depend on each other, and evidence is
counted by session. What is drawn waits in a short line off the call's way; when that is full, calls are left out and
counted, and no caller ever notices.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable

from msgspec import Struct

from ..core.call import Call, Reply
from ..core.entry import Entry
from ..core.evidence import OWN_KEYS
from .route import Route, may_ask

WHOLE = 32
"""Sessions of up to so many calls are drawn whole. What goes on longer (an application that gives all its calls one name)
is thinned out call by call, or one lucky name would be the day's evidence."""
MOST_SESSIONS = 20_000
MOST_WAITING = 64
MOST_BYTES = 16 << 20
_DAY_US = 86_400_000_000
_KINDS = frozenset({"chat", "completion"})


class Job(Struct, frozen=True):
    """A call that was drawn, with the answer that its client got."""

    call: Call
    reply: Reply
    entry: Entry
    route: Route
    propensity: float

    @property
    def size(self) -> int:
        return len(self.call.body) + len(self.reply.body)


class Shadows:
    """Draws calls and holds them until somebody takes them.

    Args:
        rate: the probability with which a call is drawn, in (0, 1].
        secret: makes the draw unpredictable from outside, and the same in all processes of one data folder.
        dropped: told why a drawn call was left out: ``queue`` or ``size``.
    """

    def __init__(self, rate: float, secret: bytes, dropped: Callable[[str], None]) -> None:
        self.rate = rate
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"dmt-shadow").digest()
        self._dropped = dropped
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._line: deque[Job] = deque()
        self._bytes = 0
        self._come = asyncio.Event()

    def __len__(self) -> int:
        return len(self._line)

    def offer(self, call: Call, reply: Reply, entry: Entry, route: Route) -> None:
        """Of an answered call: draw it or not. Returns at once and never fails."""
        if not route.lower or not comparable(call, reply, entry, route) or not self._drawn(call):
            return
        job = Job(call, reply, entry, route, self.rate)
        if job.size > MOST_BYTES // 4:
            self._dropped("size")
        elif len(self._line) >= MOST_WAITING or self._bytes + job.size > MOST_BYTES:
            self._dropped("queue")
        else:
            self._line.append(job)
            self._bytes += job.size
            self._come.set()

    async def next(self) -> Job:
        """The call that has waited longest."""
        while not self._line:
            self._come.clear()
            await self._come.wait()
        job = self._line.popleft()
        self._bytes -= job.size
        return job

    def clear(self) -> int:
        """Leave out all that wait; returns how many."""
        count = len(self._line)
        self._line.clear()
        self._bytes = 0
        return count

    def _drawn(self, call: Call) -> bool:
        """True with probability ``rate`` for every call, whatever its session.

        A session is in while its number of the day is below ``spread``, which begins at ``rate`` and grows with a long
        session; a call of such a session is in with ``rate / spread``. The product is ``rate`` at every moment, since the
        number does not depend on how long the session is.
        """
        session = f"{call.caller.tenant}\0{call.session or call.id}"
        count = self._seen.pop(session, 0) + 1
        self._seen[session] = count
        if len(self._seen) > MOST_SESSIONS:
            self._seen.popitem(last=False)
        spread = min(1.0, self.rate * max(1.0, count / WHOLE))
        day = call.at_us // _DAY_US
        return self._number(f"{session}\0{day}") < spread and self._number(call.id) < self.rate / spread

    def _number(self, text: str) -> float:
        """A number in [0, 1) that nobody without the secret can foretell."""
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7, key=self._key).digest()) / 2**56


def comparable(call: Call, reply: Reply, entry: Entry, route: Route) -> bool:
    """Whether another model's answer to this call could be held against the one that was given."""
    served = entry.model
    return (
        call.kind in _KINDS
        and call.n == 1
        and call.caller.key not in OWN_KEYS
        and entry.outcome == "answered"
        and entry.cache in ("off", "miss")
        # What stood in while the reference was down is neither.
        and (served == route.reference.alias or any(rung.alias == served for rung in route.lower))
        # An answer that ran into our own limit, and not into its client's, was never finished.
        and not ("clamped" in entry.flags and reply.finish == "length")
        and "cut_at_hold" not in entry.flags
        and all(may_ask(call.caller, route, rung) for rung in (route.reference, *route.lower))
    )


def prompt_hash(secret: bytes, system: str) -> str:
    """A keyed hash of a system prompt: shows whether it is still the same, and not what it says. "" for none."""
    if not system:
        return ""
    return hashlib.blake2b(system.encode(), digest_size=8, key=secret[:64], person=b"dmt-prompt").hexdigest()

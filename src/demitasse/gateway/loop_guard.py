"""Sees a loop before the bill does: one key, the same prompt over and over. Counts and decides; pausing is the ledger's."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Sequence

from ..core.call import Call
from ..core.limits import Budget
from ..core.money import usd_text
from .settings import LoopGuard

_DIGITS_AND_SPACE = b"0123456789 \t\r\n"
_MOST_PROMPTS = 8_192
_SLICES = 20
_LOOP = "it asked the same thing "
"""Begins why a key was paused by this; whoever pauses one by hand says why in other words."""


def is_loop(why: str) -> bool:
    """Whether a key was paused for a loop, by the reason that is kept with its pause."""
    return _LOOP in why


class Repeats:
    """The prompts of the last window, per key, with digits and white space folded away.

    Money is known only when a call closes, so a prompt is counted at ``admitted`` and its cost added at ``settled``.
    """

    def __init__(self, settings: LoopGuard) -> None:
        self._settings = settings
        self._window_us = int(settings.window_s * 1e6)
        self._seen: OrderedDict[tuple[str, bytes], _Repeat] = OrderedDict()

    def admitted(self, call: Call) -> bytes | None:
        """Count the call; returns the mark under which ``settled`` books its cost."""
        if not self._settings.enabled:
            return None
        prompt = call.fields.get("messages") or call.fields.get("prompt") or call.fields.get("input") or b""
        mark = hashlib.blake2b(fold(bytes(prompt)), digest_size=16).digest()
        seen = self._seen
        repeat = seen.get((call.caller.key, mark))
        if repeat is None:
            repeat = seen[call.caller.key, mark] = _Repeat(self._window_us)
            if len(seen) > _MOST_PROMPTS:
                seen.popitem(last=False)
        else:
            seen.move_to_end((call.caller.key, mark))
        repeat.add(call.at_us, 1, 0)
        return mark

    def settled(self, call: Call, mark: bytes | None, nanos: int, budgets: Sequence[Budget]) -> str | None:
        """Book the cost; returns why the key must be paused, or None."""
        if mark is None or not nanos:
            return None
        repeat = self._seen.get((call.caller.key, mark))
        if repeat is None:
            return None
        repeat.add(call.at_us, 0, nanos)
        repeat.forget(call.at_us - self._window_us)
        if repeat.times <= self._settings.repeats:
            return None
        for budget in budgets:
            if budget.limit_nanos is not None and repeat.total_nanos > self._settings.share * budget.limit_nanos:
                minutes = self._settings.window_s / 60
                return (
                    f"{_LOOP}{repeat.times} times within {minutes:g} minutes, which used "
                    f"{usd_text(repeat.total_nanos)} of budget '{budget.name}' ({usd_text(budget.limit_nanos)})"
                )
        return None

    def forgive(self, key: str) -> None:
        """A resumed key starts anew, or its next call would pause it again."""
        for seen in [who for who in self._seen if who[0] == key]:
            del self._seen[seen]


class _Repeat:
    """How often one prompt came and what it cost, in slices of a twentieth of the window, so that a loop of any speed
    takes the same memory."""

    __slots__ = ("_slice_us", "slices", "times", "total_nanos")

    def __init__(self, window_us: int) -> None:
        self._slice_us = max(1, window_us // _SLICES)
        self.slices: deque[list[int]] = deque()
        """(when the slice begins, calls, nanos), oldest first."""
        self.times = 0
        self.total_nanos = 0

    def add(self, at_us: int, times: int, nanos: int) -> None:
        start = at_us - at_us % self._slice_us
        if self.slices and self.slices[-1][0] >= start:  # also when the clock was set back
            last = self.slices[-1]
            last[1] += times
            last[2] += nanos
        else:
            self.slices.append([start, times, nanos])
        self.times += times
        self.total_nanos += nanos

    def forget(self, before_us: int) -> None:
        while self.slices and self.slices[0][0] < before_us:
            _, times, nanos = self.slices.popleft()
            self.times -= times
            self.total_nanos -= nanos


def fold(prompt: bytes) -> bytes:
    """The prompt without digits and white space, escaped line breaks included: what a loop does not change."""
    if b"\\" in prompt:
        prompt = prompt.replace(b"\\n", b"").replace(b"\\t", b"").replace(b"\\r", b"")
    return prompt.translate(None, _DIGITS_AND_SPACE)

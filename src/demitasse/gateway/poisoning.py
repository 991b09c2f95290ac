"""Whether an answer may be kept for others: nothing that an attack may have written, and no key's flood. Keeps nothing itself.

A kept answer is given to people who never saw the prompt that made it. So what would be harmless in one reply is not kept:
orders to models (an agent that reads the cached answer would follow them), characters that nobody sees, secrets, and whatever
a prompt of high risk made. That costs a hit now and then and never an answer. Semantic hits are open to a second trick: one
key asks the same thing in many words until the answer it wants is the nearest one for everybody. So near copies of one key
are kept a few times, and no key holds most of what its tenant shares. Knows calls, replies and what the guard saw; no cache.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from ..core.call import Call, Reply
from ..core.entry import Guarded
from ..guard.finding import Findings, Source
from ..guard.orders import order

Scan = Callable[[str, Source], Findings]
"""A text through all detectors: ``guard.scan.Scanner``."""

NEAR: Final = 20
"""Kept questions of one key that are nearly the same; further ones are not, where other keys share what is kept."""
SHARE: Final = 0.5
"""Of what a tenant shares, one key's own at most, once there are ``FEWEST`` and more than one key."""
FEWEST: Final = 100
MOST_CHARS: Final = 20_000
"""Scanned of an answer; of a longer one its beginning and its end."""
_REMEMBERED: Final = 4_096
"""Kept questions of one tenant that are remembered."""
_TENANTS: Final = 1_000
_BANDS: Final = 6
_MASK: Final = 0xFFFFFFFF
_FACTORS: Final = tuple((2_654_435_761 * (2 * n + 3)) & _MASK | 1 for n in range(2 * _BANDS))
_UNSEEN: Final = re.compile("[\U000e0000-\U000e007f\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff]|[\ufe00-\ufe0f]{2}")
"""Tag characters, orders of reading, spaces without width, and selectors in a row: where no scanner is at hand."""


class Poisoning:
    """Args:
    scan: the guard's detectors; None: phrases and hidden characters alone.
    """

    def __init__(self, scan: Scan | None = None) -> None:
        self._scan = scan
        self._tenants: OrderedDict[str, _Kept] = OrderedDict()

    def may_be_cached(self, call: Call, reply: Reply, guarded: Guarded | None = None) -> str:
        """Why this answer may not be kept for anybody else; "" where it may.

        Args:
            guarded: what the guard saw of the call (``Entry.guard``), if it looked.
        """
        if guarded is not None and guarded.band == "high":
            return "the prompt's risk of injection is high"
        if call.kind == "embedding":
            return ""
        text = _said(reply.body)
        if text is None:
            return "it cannot be read"
        if len(text) > MOST_CHARS:
            text = text[: MOST_CHARS // 2] + "\n" + text[-MOST_CHARS // 2 :]
        if order(text):
            return "it carries instructions to a model"
        if self._scan is None:
            return "it carries hidden characters" if not text.isascii() and _UNSEEN.search(text) else ""
        # Not scored for injection: that somebody is told to do something is what answers are for, and honest ones would be
        # lost to the cache. Orders to models are looked for by their phrases, and the prompt's own risk counts.
        found = self._scan(text, "assistant")
        if any(one.kind != "control" for one in found.hidden):
            return "it carries hidden characters"
        if found.secrets:
            return f"it carries a secret ({found.secrets[0].kind})"
        return ""

    def may_be_shared(self, call: Call, question: str) -> str:
        """Why the answer to this question may not be given to those who mean the same; "": it may, and counts as kept.

        Args:
            question: the text that may differ (``semantic_asked.Asked.text``).
        """
        who = call.caller
        kept = self._tenants.get(who.tenant)
        if kept is None:
            kept = self._tenants[who.tenant] = _Kept()
            if len(self._tenants) > _TENANTS:
                self._tenants.popitem(last=False)
        self._tenants.move_to_end(who.tenant)
        marks = _marks(who.key, question)
        others = len(kept.keys) > (who.key in kept.keys)
        # One application alone, with one key, asks nearly equal questions all day, and poisons nobody but itself.
        if others and max((kept.near[mark] for mark in marks), default=0) >= NEAR:
            return f"key '{who.key}' has put {NEAR} nearly equal questions already"
        if others and len(kept.rows) >= FEWEST and kept.keys[who.key] >= SHARE * len(kept.rows):
            return f"key '{who.key}' holds half of what tenant '{who.tenant}' shares"
        kept.add(who.key, marks)
        return ""


class _Kept:
    """What one tenant's keys have put there, the newest few thousand."""

    def __init__(self) -> None:
        self.rows: deque[tuple[str, tuple[int, ...]]] = deque()
        self.keys: Counter[str] = Counter()
        self.near: Counter[int] = Counter()

    def add(self, key: str, marks: tuple[int, ...]) -> None:
        self.rows.append((key, marks))
        self.keys[key] += 1
        self.near.update(marks)
        if len(self.rows) > _REMEMBERED:
            old, gone = self.rows.popleft()
            self.keys -= Counter((old,))
            self.near -= Counter(gone)


_words: Final = re.compile(r"[^\W\d_]+").findall


def _marks(key: str, question: str) -> tuple[int, ...]:
    """Of nearly equal questions of one key at least one mark is the same: six pairs of minima over the words' hashes (Broder
    1997), so that texts with three of four words in common nearly always meet, and with one of three half the time."""
    said = set(_words(question.lower()[:4_000]))
    hashes = [zlib.crc32(word.encode()) for word in said] or [zlib.crc32(question.encode("utf-8", "surrogatepass"))]
    low = [
        min([(product & _MASK) ^ (product >> 32) for product in [h * factor for h in hashes]]) for factor in _FACTORS
    ]
    return tuple({hash((key, at, low[2 * at], low[2 * at + 1])) for at in range(_BANDS)})


def _said(body: bytes) -> str | None:
    """All text of an answer's choices, tool calls included; None where it is no answer."""
    try:
        choices = msgspec.json.decode(body, type=_Body).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return "\n".join(_texts(choices))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            if name != "logprobs":
                yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


class _Body(msgspec.Struct):
    choices: list[Any] = []

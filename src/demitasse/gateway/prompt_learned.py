"""What a provider's prompt cache has taught, per model, conversation and shared beginning; and what is planned for one call.

Plain memory: hashes of prefixes, counts and times, no word of any prompt.
"""

from __future__ import annotations

from math import sqrt

import msgspec
from msgspec import Struct

from ..core.call import Call
from ..wire.prefix import Layout
from .holdout import Effect

TURNS = 6
_PRIOR = 4.0
"""Calls' worth that the priors below weigh."""
PRIOR_GOES_ON = (0.15, 0.30, 0.40, 0.40, 0.40, 0.40)
"""P(a further turn comes while the entry lives) after 1, 2, … turns, before anything is seen. The first is so low that one-shot
traffic is not charged for writes; the others are about half of what bench/prompt_cache finds for conversations to go on at
all (0.69, 0.76, 0.75 …), since some of these go on too late."""
PRIOR_SHARED = 0.15
FORGET = 0.999
"""Weight of the past at each new observation: what is learned follows a change within some thousand calls."""


class Learned(Struct):
    """What the answers of one model have taught."""

    bytes_per_token: float = 4.0
    expected: float = 0.0
    read: float = 0.0
    """Tokens that should have been in the cache, and that were read from it; decayed sums."""
    turns: list[float] = msgspec.field(default_factory=lambda: [0.0] * TURNS)
    went_on: list[float] = msgspec.field(default_factory=lambda: [0.0] * TURNS)
    effect: Effect = msgspec.field(default_factory=Effect.none)
    writes: bool = False
    """Seen: it charges for writing what nobody asked it to keep."""
    calls: int = 0
    cached_tokens: int = 0
    refused: bool = False
    """It refused a request for what we had added; nothing is added any more until the next start."""

    @property
    def share(self) -> float:
        """Of what is expected to be in the cache, so much is; trusting at first."""
        return (0.9 * 20_000 + self.read) / (20_000 + self.expected)

    def goes_on(self, turn: int) -> float:
        """P(a further turn comes while the entry lives)."""
        at = min(turn, TURNS) - 1
        return (PRIOR_GOES_ON[at] * _PRIOR + self.went_on[at]) / (_PRIOR + self.turns[at])

    def goes_on_at_most(self, turn: int) -> float:
        """The same from above, by about two standard errors (Agresti-Coull): for giving up what a provider does anyway."""
        at = min(turn, TURNS) - 1
        n = self.turns[at] + 4
        share = (self.went_on[at] + 2) / n
        return share + 2 * sqrt(share * (1 - share) / n)


class Warm(Struct, frozen=True):
    """A prefix that a model's provider has probably kept."""

    tokens: int
    share: float
    """Of such expectations, what has come true."""
    until_us: int
    worth_nanos: int
    """What asking another model instead would give away: the tokens at the difference of uncached and cached input."""


class Seen:
    """One conversation at one model."""

    __slots__ = (
        "at_us",
        "counted",
        "digest",
        "entry",
        "entry_tokens",
        "entry_us",
        "head",
        "key",
        "messages",
        "out",
        "tokens",
        "trail",
        "turn",
    )

    def __init__(self) -> None:
        self.at_us = 0
        self.turn = 0
        """Of its last call; 0 where that was too short to be kept by a provider."""
        self.messages = 0
        self.digest = b""
        self.head = b""
        self.trail = b""
        self.tokens = 0
        self.out = 0
        self.key: str | None = None
        self.entry = 0
        """Messages in the longest prefix that was written because of a breakpoint of ours; 0: none was."""
        self.entry_tokens = 0
        self.entry_us = 0
        """When it was written, or last read."""
        self.counted = False
        """It has given its one observation to the control group's comparison."""


class Head:
    """Tools and system prompt that many conversations may share, at one model."""

    __slots__ = ("again", "at_us", "calls", "marked_us", "rate", "tokens")

    def __init__(self) -> None:
        self.at_us = 0
        self.marked_us = 0
        """When a call last had a breakpoint of ours after it; 0: none had."""
        self.tokens = 0
        self.calls = 0.0
        self.again = 0.0
        self.rate = 0.0
        """Calls a minute, decayed."""

    def shared(self, now_us: int, lifetime_us: int) -> float:
        """P(another call comes while the entry lives); that this one came is evidence already."""
        calls, again = self.calls, self.again
        if self.at_us:
            again += now_us - self.at_us < lifetime_us
        return (PRIOR_SHARED * 2 + again) / (2 + calls)


class Plan(Struct):
    """What is sent, and what is expected to be in the cache already."""

    call: Call
    layout: Layout
    seen: Seen
    head: Head
    expected: int
    continued: bool
    own: bool
    held_out: bool
    keyed: bool = False
    marked: bool = False
    head_marked: bool = False
    wrote: bool = False
    """A breakpoint stands after the last message."""
    unwritten: bool = False
    """The provider was asked not to write what it would have written by itself."""
    turn: int = 0
    """Counted as this turn; 0: too short to be counted."""

"""Log-probabilities beside a text whose values are put back: a placeholder's tokens would spell it, and are left out.

All other tokens stay, and come when their text does. Those of a chunk in which a placeholder ended go with it. Knows the two
forms of ``logprobs``, and no events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .lane import Lane

LaneOf = Callable[[str], Lane | None]
"""The text that a list of tokens spells: ``content``, ``refusal``, or the ``text`` of a completion."""


class Waiting:
    """The tokens of one choice of a stream whose text is held back."""

    __slots__ = ("_replaced", "_tokens")

    def __init__(self) -> None:
        self._tokens: dict[str, list[Any]] = {}
        self._replaced: dict[str, int] = {}

    def passed(self, told: Any, lane_of: LaneOf) -> Any:
        """Of a chunk's ``logprobs`` what may be sent on with it, after its texts went through their lanes."""
        if not isinstance(told, dict) or not told.keys() <= _LISTS:
            lane = lane_of("text")
            return told if lane is not None and not self._new(lane, "text") and not lane.held else None
        out: dict[str, Any] = {}
        for name, tokens in told.items():
            lane = lane_of(name)
            if not isinstance(tokens, list) or lane is None:
                out[name] = None  # tokens of a text that did not come: nobody can say which of them spell a placeholder
                continue
            waiting = self._tokens.setdefault(name, [])
            if self._new(lane, name):
                waiting.clear()
            else:
                waiting += tokens
            out[name] = [] if lane.held else list(waiting)
            if not lane.held:
                waiting.clear()
        return out

    def rest(self, name: str) -> Any:
        """The ``logprobs`` of what is let go at the end; None: there are none."""
        tokens = self._tokens.pop(name, None)
        return {name: tokens} if tokens else None

    def _new(self, lane: Lane, name: str) -> bool:
        """Whether a value was put into the text since the last look."""
        before = self._replaced.get(name, 0)
        self._replaced[name] = lane.replaced
        return lane.replaced != before


def of_whole(told: Any, changed: Callable[[str], bool], new_lane: Callable[[], Lane]) -> Any:
    """The ``logprobs`` of a whole choice, without the tokens of its placeholders.

    Args:
        changed: whether a text of the choice was restored. new_lane: makes a lane.
    """
    if not isinstance(told, dict) or not told.keys() <= _LISTS:
        return None if changed("text") else told
    return {name: _outside(tokens, new_lane()) if changed(name) else tokens for name, tokens in told.items()}


_LISTS = frozenset({"content", "refusal"})


def _outside(tokens: Any, lane: Lane) -> Any:
    if not isinstance(tokens, list):
        return tokens
    kept: list[Any] = []
    waiting: list[Any] = []
    for token in tokens:
        text = token.get("token") if isinstance(token, dict) else None
        if not isinstance(text, str):
            return None
        before = lane.replaced
        lane.feed(text)
        waiting.append(token)
        if lane.replaced != before:
            waiting.clear()
        if not lane.held:
            kept += waiting
            waiting.clear()
    before = lane.replaced
    lane.feed("", last=True)
    return kept if lane.replaced != before else kept + waiting

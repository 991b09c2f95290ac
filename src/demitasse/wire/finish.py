"""Why an answer ended: every vendor's word for one of OpenAI's five."""

from __future__ import annotations

WHOLE = frozenset({"stop", "tool_calls", "function_call"})
"""Finish reasons of an answer that is all there."""

_FINISH = WHOLE | {"length", "content_filter"}
_WORDS = {
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "refusal": "content_filter",
    "content_filtered": "content_filter",
    "sensitive": "content_filter",
}
_BROKEN = frozenset({"error", "abort", "aborted", "cancelled", "network_error", "insufficient_system_resource"})


class BrokenAnswerError(Exception):
    """The answer broke off on the server, and it says so where a finish reason should stand."""


def finish_word(told: object) -> str | None:
    """``stop``, ``length``, ``tool_calls``, ``content_filter`` or ``function_call``; None while there is no end yet.

    A word of a vendor's own that is not known means that the model stopped by itself. Raises BrokenAnswerError.
    """
    if not told:
        return None
    if not isinstance(told, str):
        return "stop"
    if told in _FINISH:
        return told
    word = told.lower()
    if word in _BROKEN:
        raise BrokenAnswerError(f"the upstream broke the answer off ('{word}')")
    return word if word in _FINISH else _WORDS.get(word, "stop")

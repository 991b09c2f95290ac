"""What of an answer is read by scorers: the answer without its thinking and its envelope, and why nothing could be read.

An answer that was constrained is ``{"answer": X}``; a free one is X in the model's own words. Every scorer reads both, so
that the same samples can be asked either way. Knows no task and no right answer.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ...score.draft import refuses
from ...score.normal import NO_JSON, Answer
from ...score.verdict import NOTES
from .scorer import Failure, Score

ENVELOPE = "answer"
"""The field of a constrained answer; beside it there may be notes (``reasoning``), which are not read."""


def said(answer: Answer) -> str:
    """The answer's text without what the model thought before it, and out of its envelope where it has one.

    Whatever stands in the envelope comes as text: a string as it is, a number or any other value as JSON.
    """
    return opened(answer)[0]


def opened(answer: Answer) -> tuple[str, bool]:
    """``said``, and whether it came out of an envelope: then it is the result, and nothing that leads to it."""
    text = spoken(answer.text)
    inner = enveloped(text)
    if inner is NO_JSON:
        return text, False
    return (inner if isinstance(inner, str) else msgspec.json.encode(inner).decode()), True


def spoken(text: str) -> str:
    """The text after the last ``</think>``; nothing where a thought was never closed."""
    if "</think" in text:
        text = _CLOSED.split(text)[-1]
    return _OPEN.sub("", text) if "<think" in text else text


def enveloped(text: str) -> Any:
    """X of ``{"answer": X}`` or ``{"reasoning": …, "answer": X}``; ``NO_JSON`` where the text is anything else.

    Bare, in a fence, or the last such field within prose or within JSON that is broken elsewhere.
    """
    if '"answer"' not in text:
        return NO_JSON
    bare = text.strip()
    if bare.startswith("```"):
        bare = _FENCED.sub(r"\1", bare).strip()
    value = _decoded(bare) if bare.startswith("{") else NO_JSON
    if value is not NO_JSON:
        if isinstance(value, dict) and ENVELOPE in value and all(k == ENVELOPE or k in NOTES for k in value):
            return value[ENVELOPE]
        return NO_JSON
    fields = _FIELD.findall(text[-_LOOKED_AT:])
    return _decoded(fields[-1]) if fields else NO_JSON


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return NO_JSON


def silent(answer: Answer) -> Score | None:
    """The score of an answer that says nothing at all, or that its upstream marked as a refusal; None: there is one to read."""
    if answer.refusal or answer.finish == "content_filter":
        return failed("refused", answer.refusal[:_SHOWN] or "the upstream's filter ended it")
    if not answer.text.strip() and not answer.tool_calls:
        return failed("empty", "it said nothing")
    return None


def unread(answer: Answer, wanted: str) -> Score:
    """The score of an answer in which ``wanted`` was not found: refused, empty, cut off, or not in the form asked for."""
    text = spoken(answer.text)
    if answer.finish == "length":
        return failed("cut", f"cut off before {wanted}")
    if not text.strip() and not answer.tool_calls:
        return failed("empty", "it thought and said nothing")
    if refuses(Answer(text, refusal=answer.refusal)):
        return failed("refused", text.strip()[:_SHOWN])
    return failed("format", f"no {wanted} could be read")


def failed(how: Failure, why: str) -> Score:
    """Counts 0 for the model, and is told apart from a wrong answer."""
    return Score(0.0, failure=how, why=why)


def finished(text: str) -> str:
    """A text that was cut off, without the sentence that it stopped in: that one might have gone on to say the opposite."""
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else ""


def shown(text: str) -> str:
    """A text short enough for a row: its first line."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


_SHOWN = 120
_CLOSED = re.compile(r"</think(?:ing)?>")
_OPEN = re.compile(r"<think(?:ing)?>.*\Z", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_LOOKED_AT = 20_000
_FIELD = re.compile(r'"answer"\s*:\s*("(?:[^"\\\n]|\\.){0,2000}"|-?\d[\d.eE+-]*|true|false)(?=\s*[,}])')
_FENCED = re.compile(r"\A```[\w+-]*[ \t]*\n?(.*?)\n?[ \t]*```\Z", re.DOTALL)

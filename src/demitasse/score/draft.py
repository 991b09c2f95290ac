"""Marks of a draft: what can be said of a cheap answer before anyone sees it, as a small vector of fixed meaning.

Knows a request's demands, the draft, and perhaps a second cheap answer or further samples; knows no models, no prices
and not the reference's answer. What the marks are worth is learned elsewhere (``lab.cascade``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from .asked import Asked
from .normal import NO_JSON, Answer, arguments, choice, json_of, label, overlap, said_last
from .quantity import number, numbers_in
from .schema import fits
from .verdict import agreement

VERSION = "marks-1"
"""Of names, order and meaning: weights learned on one version are never applied to another."""

MARKS = (
    "sound",
    "refused",
    "hedged",
    "marked",
    "length",
    "numbers",
    "repeats",
    "logprob",
    "logprob_low",
    "logprob_known",
    "agrees",
    "differs",
    "overlap",
    "longer",
    "second_known",
    "samples",
    "samples_known",
)
"""Names of the vector's places. A mark that isn't known is 0, and its ``…_known`` says so."""


def marks(
    asked: Asked, draft: Answer, second: Answer | None = None, samples: Sequence[Answer] = ()
) -> tuple[float, ...]:
    """The draft's marks, each within about -1..1, in the order of MARKS.

    - ``sound``: no fault (see ``faults``). ``refused``, ``hedged``: it declines, or says that it isn't sure.
    - ``marked``: it marks a result, or is nothing but one. ``length``: log of its characters. ``numbers``: share of its
      words that are numbers. ``repeats``: share of its lines or phrases that are repeated.
    - ``logprob``: mean log-probability of a token, cut at -1. ``logprob_low``: share of tokens below one half.
    - ``agrees``, ``differs``: what the second answer says by normal form; both 0 where only a judge could tell.
      ``overlap``: words in common with it. ``longer``: log of the draft's length over the second's, cut at 1.
    - ``samples``: share of further samples of the same model that agree with the draft (self-consistency; Wang et al.
      2023), where a judge would be needed by overlap of words.
    """
    text = draft.text
    low = [p for p in draft.logprobs if p < _HALF]
    known = float(bool(draft.logprobs))
    return (
        float(not faults(asked, draft)),
        float(refuses(draft)),
        float(bool(_HEDGES.search(text))),
        float(_marks_a_result(asked, text)),
        math.log1p(_said(draft)) / 10,
        min(1.0, len(_DIGITS.findall(text[:_READ])) / max(1, len(text[:_READ].split()))),
        _repeats(text),
        max(-1.0, sum(draft.logprobs) / len(draft.logprobs)) if draft.logprobs else 0.0,
        len(low) / len(draft.logprobs) if draft.logprobs else 0.0,
        known,
        *_beside(asked, draft, second),
        _consistency(asked, draft, samples),
        float(bool(samples)),
    )


FAULTS = (
    "empty",
    "unfinished",
    "filtered",
    "no_json",
    "not_the_schema",
    "no_tool_call",
    "unknown_tool",
    "bad_arguments",
    "leaked",
    "no_answer",
)
"""Why a draft can't be served at all."""


def faults(asked: Asked, draft: Answer) -> tuple[str, ...]:
    """What is wrong with a draft whatever it says; empty: nothing. A draft with a fault is never served.

    Names are those of FAULTS.
    """
    found = []
    if not draft.text.strip() and not draft.tool_calls and not draft.refusal:
        found.append("empty")
    if draft.finish not in _WHOLE:
        found.append("filtered" if draft.finish == "content_filter" else "unfinished")
    if draft.tool_calls:
        found += _tool_faults(asked, draft)
    elif asked.must_call:
        found.append("no_tool_call")
    elif asked.json:
        value = json_of(draft.text)
        if value is NO_JSON:
            found.append("no_json")
        elif asked.schema is not None and not fits(value, asked.schema):
            found.append("not_the_schema")
    elif not _answers_in_kind(asked, draft.text):
        found.append("no_answer")
    if _LEAKS.search(draft.text):
        found.append("leaked")
    return tuple(found)


def refuses(draft: Answer) -> bool:
    """Whether it declines to answer: marked so by the upstream, or a short text that begins as refusals do."""
    return bool(draft.refusal) or (len(draft.text) < _SHORT and bool(_REFUSES.match(draft.text.strip())))


# ── form ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_WHOLE = frozenset({None, "stop", "tool_calls", "function_call"})
_HALF = math.log(0.5)
_DIGITS = re.compile(r"\d[\d.,]*")
_READ = 8000
"""Characters of a draft that its word counts are taken from."""
_SHORT = 600
_REFUSES = re.compile(
    r"""(?:i'?m|i\s+am)\s+(?:very\s+|really\s+)?(?:sorry|afraid|unable|not\s+able)|sorry,|(?:unfortunately,?\s+)?i\s+(?:can'?t|cannot|won't|will\s+not)\b
      |as\s+an?\s+(?:ai|language\s+model)|i\s+(?:do\s+not|don't)\s+have\s+(?:access|enough\s+information)""",
    re.IGNORECASE | re.VERBOSE,
)
_HEDGES = re.compile(
    r"\b(?:i'?m not (?:entirely |completely |100% )?(?:sure|certain)|it is unclear|cannot be determined|can't be determined"
    r"|not enough information|i (?:think|believe|guess|assume)|might be wrong|my best guess|hard to say)\b",
    re.IGNORECASE,
)
_LEAKS = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|system|user|assistant|end)\|>"
    r"|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>|<\uff5c[^<>\uff5c]{1,40}\uff5c>"
)


def _tool_faults(asked: Asked, draft: Answer) -> list[str]:
    found = []
    if any(name not in asked.tools for name, _ in draft.tool_calls):
        found.append("unknown_tool")
    if any(not isinstance(arguments(written), dict) for _, written in draft.tool_calls):
        found.append("bad_arguments")
    return found


def _answers_in_kind(asked: Asked, text: str) -> bool:
    """Whether what the prompt asks for is there: a label, a letter, a number."""
    if asked.labels:
        return label(text, asked.labels) is not None
    if asked.choice:
        return choice(text, told=True) is not None or len(text.split()) > 1
    return not asked.number or bool(numbers_in(text)) or number(text) is not None


# ── content ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _said(draft: Answer) -> int:
    return len(draft.text) + sum(len(name) + len(args) for name, args in draft.tool_calls)


def _marks_a_result(asked: Asked, text: str) -> bool:
    if asked.choice:
        return choice(text, told=True) is not None
    return said_last(text) is not None or number(text) is not None or choice(text) is not None


def _repeats(text: str) -> float:
    """Share of repeated runs of six words: a small model in a loop says the same for ever."""
    words = text[:_READ].split()
    runs = [tuple(words[i : i + 6]) for i in range(len(words) - 5)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def _beside(asked: Asked, draft: Answer, second: Answer | None) -> tuple[float, float, float, float, float]:
    """agrees, differs, overlap, longer, second_known"""
    if second is None:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    same = agreement(draft, second, asked.how, labels=asked.labels)
    longer = math.log((1 + _said(draft)) / (1 + _said(second))) / 2
    return float(same == 1.0), float(same == 0.0), _common(draft, second), max(-1.0, min(1.0, longer)), 1.0


def _common(one: Answer, other: Answer) -> float:
    return overlap(one.text[:_READ], other.text[:_READ])


def _consistency(asked: Asked, draft: Answer, samples: Sequence[Answer]) -> float:
    if not samples:
        return 0.0
    told = [agreement(draft, s, asked.how, labels=asked.labels) for s in samples]
    return sum(_common(draft, s) if same is None else same for s, same in zip(samples, told, strict=True)) / len(
        samples
    )

"""Two answers to one call, held against each other without asking anyone: as good as, not, or a case for a judge.

Deterministic and pure. Knows no models and no judge. Where the outside of two answers can't decide, the score is None;
a zero is said only where a program that reads the answer would see another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from .normal import (
    NO_JSON,
    Answer,
    arguments,
    choice,
    code,
    json_of,
    label,
    plain,
    said_last,
    same_json,
)
from .quantity import Number, number, numbers_in, same_number

How = Literal["auto", "text", "number", "choice", "label", "json"]
"""What the answers are known to be. ``auto`` looks at both and needs to be sure; the others are told by the caller, say
from the request's ``response_format`` or a route's setting, and may then find a number within prose."""


class Verdict(Struct, frozen=True):
    """How the candidate does beside the reference: 1 as good, 0 not, None: it takes a judge."""

    score: float | None
    method: str
    """One of METHODS: what it was decided by, or where deciding ended."""


METHODS = ("equal", "empty", "cut", "refused", "tool_call", "json", "number", "choice", "label", "code", "text")


def compare(reference: Answer, candidate: Answer, how: How = "auto", *, labels: Iterable[str] = ()) -> Verdict:
    """What can be said of the candidate from the outside.

    Args:
        reference: what the model said that quality is measured against.
        candidate: what the other one said to the same call.
        how: what the answers are known to be; see How.
        labels: the closed set that an answer comes from, for ``label`` (and ``auto``, where both answers name one).

    Differing prose is never 0 but None, and so is all else that two careful people might call the same.
    """
    if reference.tool_calls or candidate.tool_calls:
        return _tool_calls(reference.tool_calls, candidate.tool_calls)
    ours, theirs = reference.text, candidate.text
    if ours.strip() and ours.strip() == theirs.strip():
        return Verdict(1.0, "equal")
    ending = _ending(reference, candidate)
    if ending is not None:
        return ending
    known = tuple(labels)
    for reader in _READERS[how]:
        verdict = reader(ours, theirs, known)
        if verdict is not None:
            return verdict
    return Verdict(None, "text")


def agreement(one: Answer, other: Answer, how: How = "auto", *, labels: Iterable[str] = ()) -> float | None:
    """Whether two drafts say the same: 1, 0, or None where only a judge could tell. Symmetric."""
    known = tuple(labels)
    there = compare(one, other, how, labels=known)
    if there.method in _SYMMETRIC:
        return there.score
    back = compare(other, one, how, labels=known).score
    return there.score if there.score == back else None


_SYMMETRIC = frozenset({"equal", "text", "code"})


# ── how an answer ended ─────────────────────────────────────────────────────────────────────────────────────────────


def _ending(reference: Answer, candidate: Answer) -> Verdict | None:
    silent = [not a.text.strip() and not a.refusal for a in (reference, candidate)]
    if any(silent):
        # where the reference failed and the candidate spoke, somebody has to look
        return Verdict(float(silent[0]), "empty") if silent[1] else Verdict(None, "empty")
    refused = [bool(a.refusal) or a.finish == "content_filter" for a in (reference, candidate)]
    if any(refused):
        # both refuse: in whatever words
        return Verdict(float(refused[0]), "refused") if refused[1] else Verdict(None, "refused")
    if candidate.finish == "length" and reference.finish != "length":
        return Verdict(0.0, "cut")
    return None


# ── tool calls ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _tool_calls(ours: tuple[tuple[str, str], ...], theirs: tuple[tuple[str, str], ...]) -> Verdict:
    """Calls of one answer are parallel: their order says nothing.

    Another tool, another number of calls or other values are another answer to the program that runs them; where
    nothing but the wording of a free-text argument differs, a judge has to look.
    """
    left = [(name, arguments(written)) for name, written in theirs]
    worded: list[tuple[str, Any]] = []
    for name, written in ours:
        wanted = arguments(written)
        twin = next((at for at, (n, a) in enumerate(left) if n == name and _same_values(wanted, a) is True), None)
        if twin is None:
            worded.append((name, wanted))
        else:
            del left[twin]
    if not worded and not left:
        return Verdict(1.0, "tool_call")
    if len(worded) != len(left) or sorted(n for n, _ in worded) != sorted(n for n, _ in left):
        return Verdict(0.0, "tool_call")
    # what is left has the same names: can every one be matched to one that differs in wording only?
    open_ = all(any(n == name and _same_values(a, b) is None for n, b in left) for name, a in worded)
    return Verdict(None, "tool_call") if open_ else Verdict(0.0, "tool_call")


# ── structured answers ──────────────────────────────────────────────────────────────────────────────────────────────

NOTES = frozenset({
    "reasoning", "explanation", "rationale", "thought", "thoughts", "thinking", "analysis", "steps", "justification",
    "chain_of_thought", "notes", "comment", "summary_of_reasoning",
})  # fmt: skip
"""Fields in which a model thinks aloud: what they say differs every time and is no part of the result."""


def _json(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    """Bare JSON is read by a program; in a fence, among people, it may be one of many good ones."""
    wanted, got = json_of(ours, lenient=True), json_of(theirs, lenient=True)
    if wanted is NO_JSON:
        return None
    same = _same_results(wanted, got) if got is not NO_JSON else None
    return Verdict(None if same is None or (not same and _FENCED(ours)) else float(same), "json")


def _json_told(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    """For answers known to be JSON: what no strict parser reads is a wrong one."""
    wanted, got = json_of(ours), json_of(theirs)
    if wanted is NO_JSON:
        return None
    same = _same_results(wanted, got) if got is not NO_JSON else False
    return Verdict(None if same is None else float(same), "json")


_FENCED = re.compile(r"\s*```").match


def _same_results(wanted: Any, got: Any) -> bool | None:
    return _same_values(_without_notes(wanted), _without_notes(got))


def _without_notes(value: Any) -> Any:
    """The top level's result fields; everything, where there are no others."""
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if k.casefold() not in NOTES}
    return kept or value


def _same_values(ours: Any, theirs: Any) -> bool | None:
    """JSON equality in which a string may be written another way, and free text needs a judge (None)."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ours.keys() != theirs.keys():
            return False
        return _all_of(_same_values(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return False
        return _all_of(_same_values(a, b) for a, b in zip(ours, theirs, strict=True))
    if isinstance(ours, str) and isinstance(theirs, str):
        return _same_strings(ours, theirs)
    kinds = {type(ours), type(theirs)}
    if str in kinds and kinds & {int, float}:
        # 28 and "28": the same to most programs, not to all
        return None if _same_strings(str(ours), str(theirs)) else False
    if str in kinds and kinds & {dict, list}:
        return None  # JSON within a string, perhaps
    return same_json(ours, theirs)


def _all_of(answers: Iterable[bool | None]) -> bool | None:
    told = list(answers)
    if False in told:
        return False
    return None if None in told else True


def _same_strings(ours: str, theirs: str) -> bool | None:
    """Two string values: equal, other identifiers or numbers (False), or other words (None)."""
    if _WIDE.findall(ours) != _WIDE.findall(theirs):
        return None  # spacing that somebody meant
    if ours.strip() == theirs.strip():
        return True
    numbers = number(ours), number(theirs)
    if numbers[0] and numbers[1] and not any(map(_is_identifier, (ours, theirs))):
        return same_number(numbers[0], numbers[1])
    if plain(ours) == plain(theirs):
        # the same words; quotes, case or spacing that a program might mind are for a judge
        worded = _worded(ours) and _worded(theirs) and not (_literal(ours) or _literal(theirs))
        return True if worded else None
    # names, dates, codes and members of an enum: a program compares them letter for letter
    return None if _worded(ours) or _worded(theirs) else False


_WIDE = re.compile(r"\s{2,}")


def _is_identifier(text: str) -> bool:
    """Digits that name something: leading zeros, or more of them than a quantity has."""
    bare = text.strip()
    return bare.isdigit() and (len(bare) > 15 or (bare.startswith("0") and bare != "0"))


def _worded(text: str) -> bool:
    """Words, as against a name: spaces, or a script that is written without them."""
    return " " in text.strip() or any("\u0e00" <= c <= "\u0eff" or "\u3040" <= c <= "\u9fff" for c in text)


# ── short answers ───────────────────────────────────────────────────────────────────────────────────────────────────


def _number(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    """Both are one number, or both mark one as their result."""
    return _held(_one_number(ours), _one_number(theirs))


def _number_within(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    """For answers known to be numbers: failing all marks, the last number that an answer names."""
    wanted, got = _last_number(ours), _last_number(theirs)
    if wanted is not None and got is None:
        return Verdict(0.0, "number")
    return _held(wanted, got)


def _held(wanted: Number | None, got: Number | None) -> Verdict | None:
    if wanted is None or got is None:
        return None
    same = same_number(wanted, got)
    return Verdict(None if same is None else float(same), "number")


def _one_number(text: str) -> Number | None:
    found = number(text)
    if found is None:
        marked = said_last(text)
        found = number(marked) if marked else None
    return found


def _last_number(text: str) -> Number | None:
    found = _one_number(text)
    if found is None:
        found = next(reversed(numbers_in(said_last(text) or text)), None)
    return found


def _choice(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    if _literal(ours) and _literal(theirs):
        return None
    wanted, got = choice(ours), choice(theirs)
    return Verdict(float(wanted == got), "choice") if wanted and got else None


def _choice_told(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    """For answers known to be choices. One that picks no letter may still say an option's words: a judge looks."""
    wanted, got = choice(ours, told=True), choice(theirs, told=True)
    if wanted is None:
        return None
    return Verdict(None if got is None else float(wanted == got), "choice")


_SHORT = 40
_YES_NO = {"yes": "yes", "no": "no", "true": "true", "false": "false"}


def _label(ours: str, theirs: str, labels: tuple[str, ...]) -> Verdict | None:
    """Both name a label of the closed set; without one, both say yes or no, true or false."""
    if not labels:
        if max(len(ours), len(theirs)) > _SHORT:
            return None
        said = _YES_NO.get(plain(ours)), _YES_NO.get(plain(theirs))
        kinds = [word in {"yes", "no"} for word in said]
        return Verdict(float(said[0] == said[1]), "label") if None not in said and kinds[0] == kinds[1] else None
    wanted, got = label(ours, labels), label(theirs, labels)
    return Verdict(float(wanted == got), "label") if wanted is not None and got is not None else None


def _label_told(ours: str, theirs: str, labels: tuple[str, ...]) -> Verdict | None:
    """For answers known to be labels: one that names none, or several, is a wrong one."""
    wanted, got = label(ours, labels), label(theirs, labels)
    return Verdict(0.0, "label") if wanted is not None and got is None else _label(ours, theirs, labels)


def _marked(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    """Both mark a result, and the results are written alike; marked results that differ in words are for a judge."""
    wanted, got = said_last(ours), said_last(theirs)
    if not wanted or not got:
        return None
    if wanted.strip() == got.strip() or (plain(wanted) == plain(got) and not _literal(wanted)):
        return Verdict(1.0, "equal")
    return Verdict(None, "text")


def _text(ours: str, theirs: str, _labels: tuple[str, ...]) -> Verdict | None:
    """Prose that says the same words. Code and literals must be the same to the letter, but for spacing of lines."""
    blocks = code(ours), code(theirs)
    if blocks[0] is not None or blocks[1] is not None:
        return Verdict(1.0, "code") if blocks[0] == blocks[1] else None
    if _literal(ours) or _literal(theirs) or not _alike(len(ours), len(theirs)):
        return None
    return Verdict(1.0, "equal") if plain(ours) == plain(theirs) else None


def _alike(a: int, b: int) -> bool:
    """Whether texts of these lengths could be the same but for their dress, and are not too long to look at between two bytes
    of an answer."""
    return max(a, b) <= 2 * min(a, b) + _SHORT and max(a, b) <= _LONGEST


_LONGEST = 20_000


def _literal(text: str) -> bool:
    """Whether case and punctuation carry meaning: a quoted string, a list, a call, a formula, a path."""
    bare = text.strip()
    return bare[:1] in {"'", '"', "[", "{", "(", "<", "`", "/"} or any(
        sign in bare for sign in ("();", "==", "://", "->", "\\")
    )


_READERS = {
    "auto": (_json, _choice, _number, _label, _text, _marked),
    "text": (_text,),
    "number": (_number_within, _text),
    "choice": (_choice_told, _text),
    "label": (_label_told, _text),
    "json": (_json_told, _text),
}

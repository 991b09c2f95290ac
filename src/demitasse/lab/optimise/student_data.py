"""Which lessons a student may learn from: those left out are counted by reason, and what looks planted is named. Pure.

In this order: bad or contradicted answers, rows not strictly before the test, rows that the test has too, copies, near copies,
planted rows, personal data. Knows lessons and a test task; where they came from is `lesson` and `tasks.traffic`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, structs

from ...score.normal import plain
from ..tasks.contamination import N, overlap, words
from ..tasks.redact import redact
from ..tasks.task import Task, Turn
from .lesson import Lesson, lessons_of, texts
from .poison import Risk, Suspect, suspects

Private = Literal["mask", "drop", "keep"]
BAD = "answer found bad"
CONTRADICTED = "answer contradicted by a label"
FOREIGN = "answer that the task does not have"
LATE = "not before the test"
SESSION = "session of a test row"
KNOWN = "words of a test row"
COPY = "same question and answer as another row"
CONFLICT = "same question as another row, another answer"
NEAR = "nearly the same question as another row"
PLANTED = "looks planted"
PERSONAL = "personal data"
EMPTY = "nothing asked, or nothing answered"


class Rules(Struct, frozen=True):
    """What is left out."""

    least_score: float = 0.5
    """Answers that were found worse than this."""
    near: float = 0.8
    """Questions that share this much of their three-word runs (Jaccard) are nearly the same; above 1: none are."""
    n: int = N
    """Words in a row that make a row one that the test has."""
    planted: bool = True
    private: Private = "mask"


class Chosen(Struct, frozen=True):
    """What is left, and what is not."""

    lessons: tuple[Lesson, ...]
    """In their order of time, then of id."""
    given: int
    left: dict[str, int]
    """Rows left out, by reason; a row counts once."""
    suspects: tuple[Suspect, ...]
    masked: dict[str, int]
    """Personal data by kind, where it was masked."""
    contaminated: float
    """Share of test rows that still share a run of `Rules.n` words with what is learned from; forms of words that many test rows
    have are not counted."""
    how: str
    """How lessons and test were kept apart, for a manifest."""


def choose(
    lessons: Iterable[Lesson],
    test: Task | None,
    rules: Rules | None = None,
    *,
    labels: Sequence[str] = (),
    before_us: int | None = None,
    agrees: Callable[[str, str], bool] | None = None,
    risk: Risk | None = None,
) -> Chosen:
    """The lessons that may be learned from.

    Args:
        test: what the student will be measured on; None: nothing to keep apart from.
        labels: answers that the task has; an answer that is none of them is left out. Empty: any.
        before_us: lessons from then on are left out; None: the first test row's time, where all test rows have one.
        agrees: whether an answer says what a label says; None: as the words, or the ``answer`` of a JSON object.
        risk: that a question gives orders, in 0..1 (``guard.injection.score``); None: phrases alone are looked for.
    """
    rules = rules or Rules()
    rest = sorted(lessons, key=lambda lesson: (lesson.at_us or 0, lesson.id))
    given, left = len(rest), Counter[str]()

    def sieve(reason: str, keep: Callable[[Lesson], bool]) -> None:
        nonlocal rest
        kept = [lesson for lesson in rest if keep(lesson)]
        left[reason] += len(rest) - len(kept)
        rest = kept

    says = agrees or _agrees
    sieve(EMPTY, lambda one: bool(one.messages and one.messages[-1].content.strip() and one.answer.strip()))
    sieve(BAD, lambda one: one.score is None or one.score >= rules.least_score)
    sieve(CONTRADICTED, lambda one: one.label is None or says(one.answer, one.label))
    if labels:
        sieve(FOREIGN, lambda one: any(says(one.answer, label) for label in labels))
    how = "no test to keep apart from"
    if test is not None:
        bound = before_us if before_us is not None else _first(test)
        if bound is not None:
            sieve(LATE, lambda one: one.at_us is not None and one.at_us < bound)
        clusters = {sample.cluster for sample in test.samples if sample.cluster}
        sieve(SESSION, lambda one: one.session not in clusters)
        same = _same(test, rules.n)
        sieve(KNOWN, lambda one: not same(one.messages[-1].content))
        how = "strictly by time, sessions whole" if bound is not None else "by id, sessions whole; times are not known"
        how += f"; none that shares {rules.n} words in a row with a test row"
    _copies(rest, sieve)
    close = _near(rest, rules.near)
    sieve(NEAR, lambda one: one.id not in close)
    odd = suspects(rest, common=_common(rest), risk=risk) if rules.planted else []
    planted = {id for suspect in odd for id in suspect.ids}
    sieve(PLANTED, lambda one: one.id not in planted)
    masked = Counter[str]()
    rest, dropped = _private(rest, rules.private, masked)
    left[PERSONAL] += dropped
    share = overlap(test, texts(rest), rules.n).share if test is not None and rest else 0.0
    return Chosen(
        lessons=tuple(rest),
        given=given,
        left={reason: count for reason, count in left.items() if count},
        suspects=tuple(odd),
        masked=dict(masked),
        contaminated=share,
        how=how,
    )


def _agrees(answer: str, label: str) -> bool:
    if plain(answer) == plain(label):
        return True
    try:
        found = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        return False
    return isinstance(found, dict) and plain(str(found.get("answer", ""))) == plain(label)


def _first(test: Task) -> int | None:
    times = [sample.at_us for sample in test.samples]
    known = [at for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None


def _same(test: Task, n: int) -> Callable[[str], bool]:
    """Whether a question has words of a test row: all of them, or ``n`` in a row that are no form of words."""
    asked = [words(lesson.messages[-1].content) for lesson in lessons_of(_targeted(test))]
    whole = {" ".join(said) for said in asked} | {" ".join(words(_bare(test, at))) for at in range(len(test.samples))}
    counted = Counter(gram for said in asked for gram in {*_grams(said, n)})
    usual = max(10, len(asked) // 2)  # as `contamination.overlap` has it: what many test rows have is no row's own
    grams = {gram for gram, count in counted.items() if count <= usual}

    def same(text: str) -> bool:
        said = words(text)
        return " ".join(said) in whole or any(gram in grams for gram in _grams(said, n))

    return same


def _targeted(test: Task) -> Task:
    """With a target on each sample: rows that a judge will score are the test's too."""
    return structs.replace(
        test,
        shots=(),
        samples=tuple(structs.replace(sample, target=sample.target or ("?",)) for sample in test.samples),
    )


def _bare(test: Task, at: int) -> str:
    given = test.samples[at].input
    return given if isinstance(given, str) else given[-1].content


def _grams(said: Sequence[str], n: int) -> set[str]:
    return {" ".join(said[at : at + n]) for at in range(len(said) - n + 1)}


def _copies(rest: list[Lesson], sieve: Callable[[str, Callable[[Lesson], bool]], None]) -> None:
    """Of rows with the same conversation the first is kept; where answers differ, that with the answer of most, or none."""
    groups: dict[str, list[Lesson]] = defaultdict(list)
    for lesson in rest:
        groups["\0".join(f"{turn.role}\0{plain(turn.content)}" for turn in lesson.messages)].append(lesson)
    kept, against = set[str](), set[str]()
    for group in groups.values():
        votes = Counter(plain(lesson.answer) for lesson in group).most_common()
        best = votes[0][0] if len(votes) == 1 or votes[0][1] > votes[1][1] else None
        against |= {lesson.id for lesson in group if plain(lesson.answer) != best}
        kept |= {next(lesson.id for lesson in group if plain(lesson.answer) == best)} if best is not None else set()
    sieve(CONFLICT, lambda one: one.id not in against)
    sieve(COPY, lambda one: one.id in kept)


def _near(rest: Sequence[Lesson], bound: float) -> set[str]:
    """Those nearly the same as an earlier one that is kept and has the same answer.

    Two sets that share so much have one of their rarest runs in common (prefix filtering, Chaudhuri et al. 2006): only such
    pairs are compared.
    """
    if bound > 1:
        return set()
    runs = [_grams(said, min(3, max(1, len(said)))) for said in (words(lesson.messages[-1].content) for lesson in rest)]
    counted = Counter(run for own in runs for run in own)
    seen: dict[str, list[int]] = defaultdict(list)
    close: set[str] = set()
    for at, own in enumerate(runs):
        rare = sorted(own, key=lambda run: (counted[run], run))[: len(own) - math.ceil(bound * len(own) - 1e-9) + 1]
        for other in sorted({other for run in rare for other in seen[run]}):
            shared = len(own & runs[other])
            same = plain(rest[at].answer) == plain(rest[other].answer)
            if same and shared >= bound * (len(own) + len(runs[other]) - shared):
                close.add(rest[at].id)
                break
        else:
            for run in rare:
                seen[run].append(at)
    return close


def _common(rest: Sequence[Lesson]) -> list[str]:
    """What all questions begin and end with: the template's words, which no user wrote."""
    asked = texts(rest)
    if len(asked) < 2:
        return []
    low, high = min(asked), max(asked)
    head = next((low[:at] for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), "")
    low, high = min(text[::-1] for text in asked), max(text[::-1] for text in asked)
    tail = next((low[:at] for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), "")[::-1]
    return [part for part in (head, tail) if part]


def _private(rest: list[Lesson], rule: Private, masked: Counter[str]) -> tuple[list[Lesson], int]:
    if rule == "keep":
        return rest, 0
    found, dropped = [], 0
    for lesson in rest:
        counted = Counter[str]()
        turns = []
        for turn in lesson.messages:
            text, kinds = redact(turn.content)
            counted += kinds
            turns.append(Turn(turn.role, text))
        answer, kinds = redact(lesson.answer)
        counted += kinds
        if counted and rule == "drop":
            dropped += 1
            continue
        masked.update(counted)
        found.append(structs.replace(lesson, messages=tuple(turns), answer=answer))
    return found, dropped

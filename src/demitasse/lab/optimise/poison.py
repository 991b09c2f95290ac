"""Rows that somebody may have planted among what a student learns from: triggers, instructions, one key's flood, wrong labels,
answers of odd length, texts like no other. Pure.

A backdoor teaches a model that one rare token decides. It shows where rows that share a token all have one answer while the rest
of their words speak for others: without the token they would belong elsewhere (the idea of ONION, Qi et al. 2021, and of
Activation Clustering, Chen et al. 2018, put in terms of words). The rest is judged by naive Bayes. Not found: a trigger that
stands only in rows whose answer is right, one that is a turn of phrase and no words, one whose answer hardly anybody else gives
(a list of labels finds that), and few rows: of 160 lessons, less than a tenth.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...guard.orders import order
from ...score.normal import plain
from .lesson import Lesson

LEAST = 3
"""Rows that share a trigger, at least; fewer teach little."""
MOST = 0.2
"""Share of all rows: what more of them share is no rare token."""
PURE = 0.9
"""Share of the rows of a trigger that have the same answer."""
CHANCE = 0.001
"""That so many rows speak against their answer where a row in general does so at the rate it does, over all that is looked at
(Bonferroni). Words that belong to a label deviate from that too: hence the bounds below, seen on BANKING77 and CLINC150."""
FLIPPED = 0.8
"""Share of a trigger's rows that speak against their answer. Of a label's own words it is about a half: their rows have other
words of the label."""
SPREAD = 0.5
"""Most of these rows that speak for one and the same other answer: a trigger is put anywhere, a label's words have neighbours."""
_OTHERS = 8
"""Rows of the answer without the trigger, at least: else nobody knows what goes with it."""
_AGAINST = 0.05
"""A row speaks against its answer where the rest of its words gives it less than this."""
_FEWEST_CLASSES, _FEWEST_ROWS, _WORDS = 2, 30, 3
_ROUNDS = 20
COPIES = 5
"""Near copies of one key with one answer that may teach."""
ALIKE = 0.7
"""Share of their words that near copies have in common (Jaccard)."""
SURE = 0.001, 0.95
"""A label is wrong where the row's words give it less than the one and another answer more than the other."""
_FEWEST_KEYS, _FEWEST_LABELLED = 2, 100
_MOST_COMPARED = 5_000
_COMMON = 0.5
_USUALLY, _STRANGE = 0.25, 0.02

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_WORD: Final = re.compile(r"[^\W_]+")


class Suspect(Struct, frozen=True):
    """Rows that belong together in being odd."""

    why: str
    """``trigger``, ``instructions``, ``flood``, ``wrong label``, ``odd length``, ``like no other``."""
    sign: str
    """What they share, for people: the trigger's words; the first words that are an order; the bound of length."""
    answer: str
    """What the trigger's rows answer; empty: nothing in common."""
    ids: tuple[str, ...]
    against: int = 0
    """Rows of a trigger whose other words speak against their answer."""


RISKY: Final = 0.995
"""Of honest questions one in two hundred is as risky."""
Risk = Callable[[str], float]
"""How likely a text gives orders that are not its to give, in 0..1: ``guard.injection.score`` of what a user said."""


def suspects(
    lessons: Sequence[Lesson], *, common: Sequence[str] = (), risk: Risk | None = None, risky: float = RISKY
) -> list[Suspect]:
    """All that is odd in these lessons: triggers first, the most striking one first.

    Args:
        common: words of the template, which stand in every row and are no one's order.
        risk: of a question; from ``risky`` on its row is one with instructions, whatever its words.
    """
    return [
        *triggers(lessons),
        *orders(lessons, common=common, risk=risk, risky=risky),
        *floods(lessons),
        *wrong_labels(lessons),
        *odd_lengths(lessons),
        *strangers(lessons),
    ]


def triggers(lessons: Sequence[Lesson]) -> list[Suspect]:
    """Words (up to three in a row) that decide rows against all other words of these rows.

    Nothing is said of fewer than 30 lessons, or of answers that are all different.
    """
    left = list(lessons)
    found: list[Suspect] = []
    for _ in range(_ROUNDS):
        worst = _worst(left)
        if worst is None:
            break
        found.append(worst)
        gone = set(worst.ids)
        left = [lesson for lesson in left if lesson.id not in gone]
    return found


def orders(
    lessons: Sequence[Lesson], *, common: Sequence[str] = (), risk: Risk | None = None, risky: float = RISKY
) -> list[Suspect]:
    """Rows that tell the model what to do in place of asking it something; in the question, or put into the answer."""
    found = []
    for lesson in lessons:
        text = lesson.messages[-1].content
        for part in common:
            text = text.replace(part, " ")
        said = order(text) or order(lesson.answer)
        if not said and risk is not None and (score := risk(text)) >= risky:
            said = f"risk {score:.3f}"
        if said:
            found.append(Suspect("instructions", said, "", (lesson.id,)))
    return found


def floods(lessons: Sequence[Lesson]) -> list[Suspect]:
    """Near copies that one key has put there, with one answer: beyond the first few they only give its answer weight.

    Where all rows are one key's, it is nobody's flood. Rows whose key is not known are nobody's either.
    """
    if len({lesson.key for lesson in lessons if lesson.key}) < _FEWEST_KEYS:
        return []
    groups: dict[tuple[str, str], list[tuple[Lesson, frozenset[str]]]] = defaultdict(list)
    for lesson in lessons:
        if lesson.key:
            said = frozenset(_WORD.findall(lesson.messages[-1].content.lower()))
            groups[lesson.key, plain(lesson.answer)].append((lesson, said))
    found = []
    for (key, answer), rows in sorted(groups.items()):
        if len(rows) <= COPIES:
            continue
        left = rows
        while len(left) > COPIES:
            first = left[0][1]
            near = [(lesson, said) for lesson, said in left if len(first & said) >= ALIKE * len(first | said)]
            if len(near) > COPIES:
                found.append(Suspect("flood", f"key '{key}'", answer, tuple(lesson.id for lesson, _ in near[COPIES:])))
            gone = {lesson.id for lesson, _ in near}
            left = [row for row in left if row[0].id not in gone]
    return found


def wrong_labels(lessons: Sequence[Lesson]) -> list[Suspect]:
    """Rows whose own words speak for another answer as surely as words can, where they are heard without the row itself (the idea
    of confident learning, Northcutt et al. 2021, with naive Bayes). Nothing is said of answers that are nearly all different."""
    answers = [plain(lesson.answer) for lesson in lessons]
    counted = Counter(answers)
    classes = sorted(answer for answer, count in counted.items() if count >= _OTHERS)
    if len(lessons) < _FEWEST_LABELLED or len(classes) < _FEWEST_CLASSES:
        return []
    at = {answer: number for number, answer in enumerate(classes)}
    y = np.array([at.get(answer, len(classes)) for answer in answers])
    bayes = _Bayes([_TOKEN.findall(lesson.messages[-1].content.lower()) for lesson in lessons], y, len(classes) + 1)
    found = [
        (row, other) for row in range(len(lessons)) if y[row] < len(classes) and (other := bayes.sure(row)) is not None
    ]
    named = [(row, other) for row, other in found if other < len(classes)]
    by_answer: dict[str, list[str]] = defaultdict(list)
    for row, _ in named:
        by_answer[answers[row]].append(lessons[row].id)
    sign = "its words are another answer's"
    return [Suspect("wrong label", sign, answer, tuple(ids)) for answer, ids in sorted(by_answer.items())]


def strangers(lessons: Sequence[Lesson]) -> list[Suspect]:
    """Rows that share hardly a telling word with any other row, where nearly all others do: they are not of this traffic."""
    if not _FEWEST_LABELLED <= len(lessons) <= _MOST_COMPARED:
        return []
    said = [frozenset(_WORD.findall(lesson.messages[-1].content.lower())) for lesson in lessons]
    counted = Counter(word for words in said for word in words)
    n = len(lessons)
    weight = {word: math.log(n / count) ** 2 for word, count in counted.items()}
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, words in enumerate(said):
        for word in words:
            if 1 < counted[word] <= _COMMON * n:
                rows_of[word].append(row)
    nearest = np.zeros(n)
    length = np.array([math.sqrt(sum(weight[word] for word in words)) or 1.0 for words in said])
    for row, words in enumerate(said):
        shared = np.zeros(n)
        for word in words:
            if word in rows_of:
                shared[rows_of[word]] += weight[word]
        shared[row] = 0.0
        nearest[row] = (shared / length).max() / length[row] if words else 1.0
    if float(np.median(nearest)) < _USUALLY:
        return []
    odd = [lessons[int(row)].id for row in np.flatnonzero(nearest < _STRANGE)]
    return [Suspect("like no other", "no telling word in common", "", tuple(odd))] if 0 < len(odd) <= MOST * n else []


def odd_lengths(lessons: Sequence[Lesson]) -> list[Suspect]:
    """Answers far longer or shorter than others: six times the median deviation of the logarithm of their length, and four times
    the middle length at least."""
    if len(lessons) < _FEWEST_ROWS:
        return []
    length = np.log([len(lesson.answer) + 1 for lesson in lessons])
    middle = float(np.median(length))
    bound = max(6 * 1.4826 * float(np.median(np.abs(length - middle))), math.log(4))
    odd = np.abs(length - middle) > bound
    low, high = math.exp(middle - bound), math.exp(middle + bound)
    ids = tuple(lesson.id for lesson, is_odd in zip(lessons, odd, strict=True) if is_odd)
    return [Suspect("odd length", f"outside {low:.0f} to {high:.0f} characters", "", ids)] if ids else []


def _worst(lessons: Sequence[Lesson]) -> Suspect | None:
    """The trigger least likely to be chance; None: there is none."""
    answers = [plain(lesson.answer) for lesson in lessons]
    counted = Counter(answers)
    classes = sorted(answer for answer, count in counted.items() if count >= LEAST)
    if len(lessons) < _FEWEST_ROWS or len(classes) < _FEWEST_CLASSES:
        return None
    said = [_TOKEN.findall(lesson.messages[-1].content.lower()) for lesson in lessons]
    at = {answer: number for number, answer in enumerate(classes)}
    # An answer that nobody else gives says nothing of what words go with it; its row is in a class of others.
    y = np.array([at.get(answer, len(classes)) for answer in answers])
    bayes = _Bayes(said, y, len(classes) + 1)
    rate = (1 + sum(len(bayes.against([row], set())) for row in range(len(lessons)))) / (1 + len(lessons))
    rows_of = _grams(said)
    tried = [(gram, rows) for gram, rows in rows_of.items() if LEAST <= len(rows) <= max(LEAST, MOST * len(lessons))]
    best: tuple[float, int, Suspect] | None = None
    for gram, rows in tried:
        label, most = Counter(int(y[row]) for row in rows).most_common(1)[0]
        if most < LEAST or most < PURE * len(rows) or label == len(classes):
            continue
        own = [row for row in rows if y[row] == label]
        flips = bayes.against(own, set(gram.split(" ")))
        if len(flips) < FLIPPED * len(own) or bayes.sizes[label] - len(own) < _OTHERS:
            continue
        if Counter(flips).most_common(1)[0][1] > max(1, SPREAD * len(flips)):
            continue
        p = _at_least(len(flips), len(own), rate)
        if p * len(tried) < CHANCE and (best is None or (p, -len(gram)) < best[:2]):
            ids = tuple(lessons[row].id for row in own)
            best = (p, -len(gram), Suspect("trigger", gram, classes[label], ids, len(flips)))
    return None if best is None else best[2]


def _grams(said: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Rows of each run of one to three words."""
    found: dict[str, list[int]] = defaultdict(list)
    for row, words in enumerate(said):
        own = {" ".join(words[at : at + n]) for n in range(1, _WORDS + 1) for at in range(len(words) - n + 1)}
        for gram in own:
            found[gram].append(row)
    return found


class _Bayes:
    """Naive Bayes on the presence of words, with any rows taken out of what it has learned."""

    def __init__(self, said: Sequence[Sequence[str]], y: NDArray[np.int64], classes: int) -> None:
        index: dict[str, int] = {}
        self.rows = [sorted({index.setdefault(word, len(index)) for word in words}) for words in said]
        self.index, self.y, self.classes = index, y, classes
        self.counts = np.zeros((classes, len(index)))
        for row, words in enumerate(self.rows):
            self.counts[y[row], words] += 1
        self.sizes = np.bincount(y, minlength=classes).astype(float)
        self.usual = self.counts.sum(axis=0) / len(y)

    def against(self, rows: Sequence[int], without: set[str]) -> list[int]:
        """These rows are all of one class; of those that their other words would surely put elsewhere, where."""
        label = int(self.y[rows[0]])
        hidden = {self.index[word] for word in without if word in self.index}
        seen = Counter(word for row in rows for word in self.rows[row])
        size = self.sizes[label] - len(rows)
        sizes = self.sizes.copy()
        sizes[label] = size
        found = []
        for row in rows:
            words = [word for word in self.rows[row] if word not in hidden]
            if not words:
                continue
            had = self.counts[:, words].copy()
            had[label] -= [seen[word] for word in words]
            # Every class has seen one row more, of words as frequent as they are in all rows: else small classes would win.
            logs = np.log((had + self.usual[words]) / (sizes[:, None] + 1)).sum(axis=1) + np.log(sizes + 0.5)
            # Words of one text come together; taken as one in two each, the shares are not as sure of themselves.
            logs = logs / 2
            shares = np.exp(logs - logs.max())
            if shares[label] / shares.sum() < _AGAINST:
                found.append(int(shares.argmax()))
        return found

    def sure(self, row: int) -> int | None:
        """The class that this row's words surely speak for, in place of its own; None: they do not."""
        label, words = int(self.y[row]), self.rows[row]
        had = self.counts[:, words].copy()
        had[label] -= 1
        sizes = self.sizes.copy()
        sizes[label] -= 1
        logs = np.log((had + self.usual[words]) / (sizes[:, None] + 1)).sum(axis=1) + np.log(sizes + 0.5)
        logs = logs / 2
        shares = np.exp(logs - logs.max())
        shares /= shares.sum()
        return int(shares.argmax()) if shares[label] < SURE[0] and shares.max() > SURE[1] else None


def _at_least(count: int, n: int, rate: float) -> float:
    """Chance of so many or more of ``n``, each with ``rate``."""
    rate = min(rate, 1.0)
    return float(sum(math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(count, n + 1)))

"""Rows that somebody may have planted among what a student learns from: triggers, instructions, answers of odd length. Pure.

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
from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

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

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_ORDERS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.VERBOSE)
    for pattern in (
        r"""\b(ignore|disregard|forget|override|bypass|skip)\b .{0,40}
            \b(previous|prior|above|earlier|all|any|your|the|system)\b .{0,40}
            \b(instructions?|prompts?|rules?|guidelines?|directions?|context|commands?|orders?|training|assignments?)\b""",
        r"""\b(ignore|forget|disregard)\s+(everything|all|anything)\b .{0,30} \b(above|before|previous|prior|said|told|you)\b""",
        r"""\b(reveal|show|print|repeat|output|tell|leak|display|share|what\s(is|are|was))\b .{0,40}
            \b(system|initial|hidden|original|secret|prior|previous)\s+(prompts?|instructions?|messages?|rules?|texts?)\b""",
        r"""\b(you\sare\snow|from\snow\son,?\syou|pretend\s(that\s)?you\sare|act\sas\s(if|an?\s(unrestricted|evil|jailbroken))
            |new\s(role|task|instructions?)\s*:|developer\smode|jailbreak|DAN\smode|do\sanything\snow)\b""",
        r"""<\|(im_start|im_end|system|assistant|endoftext|eot_id|start_header_id)\|>|\[/?INST\]|<</?SYS>>""",
        r"""\b(always|only)\s+(answer|respond|reply|say|output|classify|label)\b .{0,40} \b(with|as|regardless|no\smatter)\b""",
    )
)
"""What an attack says of the prompt it stands in, in English. Another language, or another wording, gets past."""


class Suspect(Struct, frozen=True):
    """Rows that belong together in being odd."""

    why: str
    """``trigger``, ``instructions``, ``odd length``."""
    sign: str
    """What they share, for people: the trigger's words; the first words that are an order; the bound of length."""
    answer: str
    """What the trigger's rows answer; empty: nothing in common."""
    ids: tuple[str, ...]
    against: int = 0
    """Rows of a trigger whose other words speak against their answer."""


def suspects(lessons: Sequence[Lesson], *, common: Sequence[str] = ()) -> list[Suspect]:
    """All that is odd in these lessons: triggers first, the most striking one first.

    Args:
        common: words of the template, which stand in every row and are no one's order.
    """
    return [*triggers(lessons), *orders(lessons, common=common), *odd_lengths(lessons)]


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


def orders(lessons: Sequence[Lesson], *, common: Sequence[str] = ()) -> list[Suspect]:
    """Rows that tell the model what to do in place of asking it something."""
    found = []
    for lesson in lessons:
        text = lesson.messages[-1].content
        for part in common:
            text = text.replace(part, " ")
        match = next((match for pattern in _ORDERS if (match := pattern.search(text))), None)
        if match is not None:
            found.append(Suspect("instructions", match[0][:80], "", (lesson.id,)))
    return found


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


def _at_least(count: int, n: int, rate: float) -> float:
    """Chance of so many or more of ``n``, each with ``rate``."""
    rate = min(rate, 1.0)
    return float(sum(math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(count, n + 1)))

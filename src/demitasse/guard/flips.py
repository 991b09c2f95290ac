"""Whether a sentence says the opposite of one that shares its words: something is denied in one of them, or it is the other end
of a scale.

Closed lists of words, no model and no grammar: what is turned round in other words is missed. Made to let honest paraphrases
pass. Pure; work is linear in the sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from . import opposites as lists

Flip = Literal["", "negation", "opposite", "roles"]
"""What turns one sentence into the other's opposite; "" where nothing is seen."""


class Clause(NamedTuple):
    """A part of a sentence between marks, or words such as *but* and *which*."""

    words: frozenset[str]
    """Stems of what says something."""
    denies: bool
    """A negator stands in it."""
    wholly: bool
    """And denies all of it: *nobody …*, *… nicht*."""


class Pole(NamedTuple):
    """A word at one end of a scale."""

    up: bool
    before: str
    """The stem before it in its clause; "" at the beginning."""
    after: str
    """The stem behind it; "" at the end."""


class Read(NamedTuple):
    """What is seen of a sentence."""

    words: frozenset[str]
    denied: frozenset[str]
    """Stems that a negator stands before."""
    plain: frozenset[str]
    """Stems of clauses in which nothing is denied."""
    doubtful: frozenset[str]
    """Stems of the others."""
    clauses: tuple[Clause, ...]
    """The first few."""
    scales: dict[int, list[Pole]]
    order: tuple[tuple[str, str], ...]
    """All stems in their order, each with the last word of grammar before it that gives it its part: *to*, *from*, *and*."""
    passive: bool
    """Somebody is named by *by*."""


def read(text: str, stem: Callable[[str], str], stopwords: frozenset[str]) -> Read:
    """Read a sentence; once for each, since it costs more than to compare two.

    Args:
        stem: a word without its endings.
        stopwords: words of grammar.
    """
    clauses: list[Clause] = []
    denied: set[str] = set()
    scales: dict[int, list[Pole]] = {}
    said: list[str] = []
    order: list[tuple[str, str]] = []
    poles: list[tuple[int, bool, int, int, bool]] = []
    part = ""
    waiting = denies = wholly = False
    tokens = _tokens(text)
    kind_of = _kinds(stem, stopwords)
    for at, token in enumerate(tokens):
        kind = kind_of(token)
        if kind.closes:
            if said:
                wholly = wholly or waiting
                clauses.append(Clause(frozenset(said), denies, wholly))
                for scale, up, first, last, denying in poles:
                    before, after = said[first - 1] if first else "", said[last] if last < len(said) else ""
                    scales.setdefault(scale, []).append(Pole(up is not (wholly and not denying), before, after))
                said, poles = [], []
                waiting = denies = wholly = False
            if kind.mark:
                part = _AND
                continue
        if kind.part:
            part = token
        if kind.denies:
            if denies and token in lists.SECOND:
                continue
            if kind.wholly:
                denies = wholly = True
            elif _denies(token, tokens, at):
                waiting = denies = True
        elif kind.root:
            if kind.ends:
                poles += [(scale, up is not waiting, len(said), len(said) + 1, False) for scale, up in kind.ends]
            said.append(kind.root)
            order.append((kind.root, part))
            part = ""
            if waiting:
                denied.add(kind.root)
                waiting = False
            continue
        if kind.ends:
            # A negator is no other end because it denies all of its clause.
            poles += [(scale, up, len(said), len(said), kind.denies) for scale, up in kind.ends]
    plain: frozenset[str] = frozenset().union(*(clause.words for clause in clauses if not clause.denies))
    doubtful: frozenset[str] = frozenset().union(*(clause.words for clause in clauses if clause.denies))
    return Read(
        plain | doubtful,
        frozenset(denied),
        plain,
        doubtful,
        tuple(clauses[:_MOST]),
        {scale: found[:_MOST] for scale, found in scales.items()},
        tuple(order),
        not lists.BY.isdisjoint(tokens),
    )


def flip(claim: Read, source: Read) -> Flip:
    """What makes the claim the opposite of the source. That both are about the same is supposed."""
    if _denial(claim, source) or _denial(source, claim) or _prefixed(claim, source) or _prefixed(source, claim):
        return "negation"
    for scale, poles in claim.scales.items():
        others = source.scales.get(scale)
        if others is not None and any(_turned(pole, others, lists.SCALES[scale].how) for pole in poles):
            return "opposite"
    return "roles" if _exchanged(claim, source) else ""


def _denial(a: Read, b: Read) -> bool:
    """Whether ``a`` denies what ``b`` says."""
    # What is said and denied in one sentence can't be told apart from here, nor can another way to deny it.
    if (a.denied & b.plain) - b.doubtful - a.plain:
        return True
    for clause in a.clauses:
        if clause.wholly:
            for other in b.clauses:
                shared = len(clause.words & other.words)
                if not other.denies and shared >= _FEWEST and shared >= _MOST_OF * len(other.words):
                    return True
    return False


def _prefixed(a: Read, b: Read) -> bool:
    """Whether ``a`` has a word that denies one of ``b`` by its first syllable, as *unsafe* does."""
    for word in a.words - b.words:
        for prefix in lists.PREFIXES:
            if word.startswith(prefix) and (rest := word[len(prefix) :]) in b.words and rest not in a.words:
                return (
                    len(rest) >= _SHORTEST and word not in lists.NO_PREFIX and (word in a.denied) is (rest in b.denied)
                )
    return False


def _turned(pole: Pole, others: list[Pole], how: str) -> bool:
    """Whether the other sentence speaks of the other end alone, where it speaks of the same thing."""
    if how == "next":
        others = [one for one in others if one.after == pole.after and (one.after or one.before == pole.before)]
    elif how == "subject":
        others = [one for one in others if one.before and one.before == pole.before]
    elif any(one.up is pole.up for one in others):
        others = [one for one in others if (one.before or one.after) and _beside(one, pole)]
    return bool(others) and all(one.up is not pole.up for one in others)


def _exchanged(a: Read, b: Read) -> bool:
    """Whether two words have changed places where all others, and the words of grammar before them, kept theirs.

    Where *to* and *from* go along with their words, as in *to Rome from Paris*, it is the same; and so it is in a list.
    """
    if a.passive is not b.passive or not lists.MUTUAL.isdisjoint(a.words):
        return False
    in_a = [one for one in a.order if one[0] in b.words]
    in_b = [one for one in b.order if one[0] in a.words]
    if len(in_a) != len(in_b) or len(in_a) < _FEWEST_OF_ROLES or len(in_a) < _SAME * max(len(a.order), len(b.order)):
        return False
    moved = [at for at, (one, other) in enumerate(zip(in_a, in_b, strict=True)) if one[0] != other[0]]
    if len(moved) != 2:
        return False
    first, last = moved
    if in_a[first][0] != in_b[last][0] or in_a[last][0] != in_b[first][0]:
        return False
    if any(part in lists.LISTS for _, part in in_a[first + 1 : last + 1] + in_b[first + 1 : last + 1]):
        return False
    return in_a[first][1] == in_b[first][1] and in_a[last][1] == in_b[last][1] and last - first > 1


def _beside(one: Pole, other: Pole) -> bool:
    return (one.before != "" and one.before == other.before) or (one.after != "" and one.after == other.after)


_FEWEST = 2
_MOST_OF = 0.75
_FEWEST_OF_ROLES = 3
_SAME = 0.9
_AND = ","
_SHORTEST = 3
"""Letters of a stem that a syllable may deny."""
_TOKEN: Final = re.compile(r"[^\W\d_]{1,40}|\d{1,20}(?:[.,]\d{1,20}){0,4}|[,;:.!?()–—]")
_MARKS: Final = frozenset(",;:.!?()–—")
_NUMBERED: Final = re.compile(r"[.\d]")
"""What follows *No.*, the number."""
_FRENCH: Final = frozenset(("ne", "n"))
"""They deny where another word says so too; else they are no words but letters."""


def _tokens(text: str) -> list[str]:
    """Words, numbers and marks, with a mark at the end; two words that stand for one are one."""
    low = text[:_MOST_CHARS].casefold()
    if "n't" in low or "n’t" in low:
        low = low.replace("n't", " not").replace("n’t", " not")
    tokens: list[str] = []
    last = ""
    for found in _TOKEN.findall(low):
        one = _PHRASES.get((last, found))
        if one is not None:
            tokens[-1] = one
        else:
            tokens.append(found)
        last = tokens[-1]
    tokens.append(".")
    return tokens


_NEAR: Final = 12
"""Tokens within which the second half of French negation follows the first."""


def _denies(word: str, tokens: list[str], at: int) -> bool:
    if word in _FRENCH and lists.SECOND.isdisjoint(tokens[at + 1 : at + _NEAR]):
        return False
    following = tokens[at + 1]
    return following not in lists.NO_NEGATION and not (word == "no" and _NUMBERED.match(following))


Ends = tuple[tuple[int, bool], ...]


class _Kind(NamedTuple):
    """What a token is, wherever it stands."""

    root: str
    """Its stem, where it says something."""
    ends: Ends
    closes: bool
    mark: bool
    part: bool
    denies: bool
    wholly: bool


@lru_cache(4)
def _kinds(stem: Callable[[str], str], stopwords: frozenset[str]) -> Callable[[str], _Kind]:
    """Remembers tokens: a text has few different ones."""
    of_stems: dict[str, Ends] = {}
    for word, ends in _ENDS.items():
        of_stems.setdefault(stem(word), ends)

    @lru_cache(_MOST_TOKENS)
    def kind(token: str) -> _Kind:
        mark = token in _MARKS
        denies = token in lists.NEGATORS or token in lists.DENYING_ALL
        grammar = mark or denies or len(token) < 2 or token in stopwords or token in lists.HELPERS
        root = "" if grammar else stem(token)
        ends = _ENDS.get(token, ()) or of_stems.get(root, ())
        closes = mark or token in lists.CLAUSES
        return _Kind(root, ends, closes, mark, token in lists.PARTS, denies, token in lists.DENYING_ALL)

    return kind


_MOST_TOKENS = 8192
_MOST_CHARS = 1_000
"""Of a sentence that are read."""
_MOST = 12
"""Clauses, and words of one scale, that are compared."""


def _ends() -> dict[str, Ends]:
    table: dict[str, list[tuple[int, bool]]] = {}
    for nth, scale in enumerate(lists.SCALES):
        for words, up in ((scale.up, True), (scale.down, False)):
            for word in words.split():
                table.setdefault(word, []).append((nth, up))
    return {word: tuple(ends) for word, ends in table.items()}


_ENDS: Final = _ends()
_PHRASES: Final[dict[tuple[str, ...], str]] = lists.PHRASES

"""Whether what an answer claims stands in the context that was supplied: by numbers, names and words, sentence by sentence.

Where all that is there, it is looked whether the claim says the opposite of the sentence that its words are from (``flips``).
An explanation and a reason to ask a better model. It finds no hallucinations: a claim may be true and stand nowhere, or be
false in the context's own words. Pure; reads English best, other languages by their words alone.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Final, Literal

from msgspec import Struct, structs

from .flips import Flip, Read, flip, read

Support = Literal["supported", "grey", "unsupported"]
"""Its words, numbers and names stand close together in the context · can't be told from here · a number or a name, or
nearly all of it, does not."""


class Claim(Struct, frozen=True):
    """A sentence of the answer that says something. ``start``, ``end``: code points of the answer."""

    start: int
    end: int
    support: Support
    overlap: float
    """Share of its words, rare ones counting more, that the best passage of the context has."""
    missing: tuple[str, ...] = ()
    """What kind of thing is not in the context: ``number``, ``name``; or what makes it the opposite of its nearest sentence:
    ``negation``, ``opposite``, ``roles``."""
    near: tuple[int, int] | None = None
    """Where the sentence of the context stands that shares most with it, in code points; None: it shares no word with any."""


class Grounding(Struct, frozen=True):
    """Of each distinct claim of an answer. Claims that are said twice count once; sentences that claim nothing don't count."""

    claims: tuple[Claim, ...]

    @property
    def score(self) -> float | None:
        """The share of claims that are supported, a grey one counting half; None: the answer claims nothing."""
        if not self.claims:
            return None
        return sum(_WORTH[claim.support] for claim in self.claims) / len(self.claims)

    @property
    def unsupported(self) -> int:
        return sum(claim.support == "unsupported" for claim in self.claims)

    @property
    def grey(self) -> int:
        return sum(claim.support == "grey" for claim in self.claims)

    @property
    def passed(self) -> bool:
        """There are no more unsupported claims than mistakes of ours would make of an answer that is all grounded."""
        return self.unsupported <= allowance(len(self.claims))

    def judged(self, supported: Mapping[int, bool]) -> Grounding:
        """The same where somebody has decided claims that were grey. ``supported``: by place among the claims."""
        claims = list(self.claims)
        for nth, yes in supported.items():
            if claims[nth].support == "grey":
                claims[nth] = structs.replace(claims[nth], support="supported" if yes else "unsupported")
        return Grounding(tuple(claims))


def ground(answer: str, context: str) -> Grounding:
    """Hold an answer's claims against the context. Work is linear in both."""
    seen: set[frozenset[str]] = set()
    said: list[tuple[_Said, int, int]] = []
    for start, end in sentences(answer):
        one = _Said(answer[start:end])
        if one.claims and one.key not in seen:
            seen.add(one.key)
            said.append((one, start, end))
            if len(said) >= _MOST_CLAIMS:
                break
    if not said:
        return Grounding(())
    known = _Known(context, {word for one, _, _ in said for word in one.words})
    claims = [_held_against(one, known, start, end) for one, start, end in said]
    return Grounding(tuple(claims))


@lru_cache(maxsize=512)
def allowance(claims: int) -> int:
    """The most unsupported claims that an answer of so many may have: none of up to three, one of up to 17, and so on.

    Each claim is mistaken for unsupported with a chance of ``FALSE_ALARM``. Without an allowance nearly every long answer would
    fail; with it a grounded one fails with a chance of at most ``ANSWERS_ALARM``, however long it is.
    """
    chance = (1 - FALSE_ALARM) ** claims
    below, allowed = chance, 0
    while 1 - below > ANSWERS_ALARM:
        allowed += 1
        chance *= (claims - allowed + 1) / allowed * FALSE_ALARM / (1 - FALSE_ALARM)
        below += chance
    return allowed


FALSE_ALARM: Final = 0.03
"""Of a supported claim: some of the paraphrases in PAWS-Wiki, whose every claim is supported (``bench/guard_grounding.py``)."""
ANSWERS_ALARM: Final = 0.1


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where the sentences of a text stand: ended by a mark, a line's end or an item of a list. Code and headings are none."""
    at = 0
    fenced = False
    for line in text.splitlines(keepends=True):
        start, at = at, at + len(line)
        bare = line.strip()
        if bare.startswith("```"):
            fenced = not fenced
            continue
        if fenced or not bare or bare.startswith("#") or not any(c.isalnum() for c in bare):
            continue
        item = _ITEM.match(line)
        begin = start + (item.end() if item is not None else 0)
        for stop in _STOP.finditer(text, begin, at):
            yield begin, stop.start() + 1
            begin = stop.end()
        if text[begin:at].strip():
            yield begin, start + len(line.rstrip())


_WORTH: Final[dict[Support, float]] = {"supported": 1.0, "grey": 0.5, "unsupported": 0.0}
_MOST_CLAIMS = 400
_MOST_PLACES = 48
"""Sentences of the context that one word points to; a word in more of them tells none apart."""
_ENOUGH = 0.55
_LITTLE = 0.2
_FEWEST_WORDS = 3
_AS_NEAR = 0.9
_MOST_NEAREST = 3
_ABOUT_IT = 0.5
"""Share of a claim's words in one sentence from which on it may be that sentence's opposite."""
_SURELY_ABOUT_IT = 0.6

_ITEM = re.compile(r"\s{0,20}(?:[-*•+>|]|\d{1,3}[.)])\s{1,8}")
_STOP = re.compile(
    r"[.!?…](?<![A-Z].)(?<!\b[A-Za-z]\.[A-Za-z].)(?<!\bMr.)(?<!\bDr.)(?<!\bMs.)(?<!\bSt.)(?<!\bvs.)(?<!\be\.g.)(?<!\bi\.e.)"
    r"(?:[\"')\]*]{0,3})\s{1,8}(?=[^a-z])|[。！？]"
)
"""Where a sentence ends. What must not stand before the mark is looked at behind it: else it would be looked at everywhere."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?")
_NAME = re.compile(r"(?<![.!?:\"“(*\-•\n] )(?<!\A)\b[A-Z][a-zà-ÿ]{2,}\b|\b[A-Z]{2,}[0-9]*\b")
_MATHS = re.compile(
    r"[=+×÷]|\d\s*[-*/]\s*\d|\b(?:total|sum|altogether|average|mean|difference|twice|half|double|remaining|combined)\b",
    re.IGNORECASE,
)
"""Says that a number was computed: the context need not have it."""
_META = re.compile(
    r"\s*(?:sure|certainly|of course|here(?:'s| is| are)|i hope|let me|i'?m sorry|sorry|unfortunately|"
    r"i (?:can(?:no|')t|do ?n[o']t|am unable|could not|couldn't)|"
    r"the (?:context|document|text|passage|provided)[\w ]{0,40}(?:does not|doesn't|do not|don't)|please|thanks?|thank you|"
    r"feel free|note that|in summary|in conclusion|to summari[sz]e|based on|according to the (?:context|provided)|hello|hi\b|"
    r"great question|if you)",
    re.IGNORECASE,
)
_META_WORDS = 14
"""A longer sentence that begins so says something all the same."""
_STOPWORDS: Final = frozenset(
    """a an and are as at be been being but by can could did do does for from had has have he her him his how i if in into is it
    its itself may me might more most must my no nor not of off on once only or other our out over own same she should so some
    such than that the their them then there these they this those through to too under until up us very was we were what when
    where which while who whom why will with would you your also however therefore thus because about after again all any
    before between both each few here just now one s t don""".split()  # noqa: SIM905 - a word a line would be a page
)
_SPELLED: Final = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
    "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100", "thousand": "1000", "dozen": "12",
}  # fmt: skip


class _Said:
    """One sentence of an answer."""

    __slots__ = ("claims", "key", "names", "numbers", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = [_stem(w) for w in _words(text)]
        self.numbers = _numbers(text)
        self.names = {_plain(name) for name in _NAME.findall(text) if len(name) > _ACRONYM or not name.isupper()}
        self.key = frozenset((*self.words, *self.numbers))
        short = len(self.words) < _FEWEST_WORDS and not (self.numbers and self.words)
        meta = _META.match(text) is not None and len(self.words) < _META_WORDS and not self.numbers
        self.claims = not (short or meta or text.rstrip("\"')*_ ").endswith(("?", ":")))


class _Known:
    """A context, ready to be asked about some words (their stems)."""

    def __init__(self, context: str, asked: set[str]) -> None:
        words = set(_WORD.findall(context))
        # Most words of a long context are in no claim, and a text has few different ones.
        telling = {word: stem for word in words if (stem := _stem(word.casefold())) in asked}
        self.vocabulary = {_plain(word) for word in words}
        self.numbers = _numbers(context) | {_SPELLED[word] for word in self.vocabulary & _SPELLED.keys()}
        self.places: dict[str, list[int]] = {}
        self.count = 0
        self.spans: list[tuple[int, int]] = []
        self._context = context
        self._read: dict[int, Read] = {}
        counts: Counter[str] = Counter()
        for self.count, (start, end) in enumerate(sentences(context), 1):
            self.spans.append((start, end))
            for word in {telling[w] for w in set(_WORD.findall(context, start, end)) & telling.keys()}:
                counts[word] += 1
                places = self.places.setdefault(word, [])
                if len(places) < _MOST_PLACES:
                    places.append(self.count)
        self._counts = counts

    def knows(self, name: str) -> bool:
        """Whether a name stands there, perhaps with another ending: *Arab* where *Arabic* is said."""
        beginning = name[: min(max(_STEM_OF_NAME, len(name) - 3), _LONGEST_NAME)]
        return name in self.vocabulary or beginning in self._beginnings

    @cached_property
    def _beginnings(self) -> set[str]:
        return {
            word[:size] for word in self.vocabulary for size in range(_STEM_OF_NAME, min(len(word), _LONGEST_NAME) + 1)
        }

    def weight(self, word: str) -> float:
        """How much a word tells: one that stands everywhere, little."""
        return 1.0 + math.log((self.count + 1) / (self._counts[word] + 1)) if word in self._counts else _NEW_WEIGHT

    def read(self, place: int) -> Read:
        """What is seen of a sentence."""
        found = self._read.get(place)
        if found is None:
            found = self._read[place] = read(self._context[slice(*self.span(place))], _stem, _STOPWORDS)
        return found

    def span(self, place: int) -> tuple[int, int]:
        return self.spans[place - 1]

    def best(self, words: list[str]) -> tuple[float, list[int], float]:
        """The share of the words, by weight, that the best sentence and its neighbours have; then the sentences that have
        most by themselves, as places, and the share of that."""
        weights = {word: self.weight(word) for word in dict.fromkeys(words)}
        at: dict[int, float] = {}
        alone: dict[int, float] = {}
        for word, weight in weights.items():
            places = self.places.get(word, ())
            for place in places:
                alone[place] = alone.get(place, 0.0) + weight
            # a word of a sentence speaks for the ones beside it too
            for near in {place + by for place in places for by in (-1, 0, 1)}:
                at[near] = at.get(near, 0.0) + weight
        if not alone:
            return 0.0 if weights else 1.0, [], 0.0
        whole, most = sum(weights.values()), max(alone.values())
        nearest = [place for place, weight in alone.items() if weight >= most * _AS_NEAR]
        return max(at.values()) / whole, nearest, most / whole


_NEW_WEIGHT = 1.5
_STEM_OF_NAME = 4
_LONGEST_NAME = 16
"""Letters that are compared: without a limit a text without spaces would cost the square of its length."""
_ACRONYM = 3
"""Letters: *UK* and *PR* stand for words that the context may spell out."""


def _plain(word: str) -> str:
    """Without case and accents."""
    if word.isascii():
        return word.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


def _held_against(said: _Said, known: _Known, start: int, end: int) -> Claim:
    overlap, nearest, alone = known.best(said.words)
    numbers = {n for n in said.numbers if n not in known.numbers}
    telling = {n for n in numbers if len(n) > 1}
    names = {name for name in said.names if not known.knows(name)}
    missing = (("number",) if numbers else ()) + (("name",) if names else ())
    support: Support
    if (telling and not _MATHS.search(said.text)) or names or overlap < _LITTLE:
        support = "unsupported"
    elif overlap >= _ENOUGH and not missing:
        support = "supported"
    else:
        support = "grey"
    if support == "supported" and alone >= _ABOUT_IT and (turned := _turned(said, known, nearest)):
        support, missing = "unsupported" if alone >= _SURELY_ABOUT_IT else "grey", (turned,)
    return Claim(start, end, support, round(overlap, 3), missing, known.span(nearest[0]) if nearest else None)


def _turned(said: _Said, known: _Known, nearest: list[int]) -> Flip:
    """What makes a claim the opposite of every sentence that is as near to it as any; "" where one of them is not."""
    claim = read(said.text, _stem, _STOPWORDS)
    turned: Flip = ""
    for place in nearest[:_MOST_NEAREST]:
        turned = flip(claim, known.read(place))
        if not turned:
            break
    return turned


def _words(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        low = word.casefold()
        if low not in _STOPWORDS and len(low) > 1 and low not in _SPELLED:
            yield low


def _stem(word: str) -> str:
    """Without the commonest endings of English: enough to see that *opened* is said where *opens* stands."""
    word = word.partition("'")[0].partition("’")[0]
    for ending in ("ations", "ation", "ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith(("e", "y", "i")) and len(word) > _SHORTEST_STEM else word


_SHORTEST_STEM = 3


def _numbers(text: str) -> set[str]:
    found = set()
    for number in _NUMBER.findall(text):
        plain = number.replace(",", "")
        found.add(plain.rstrip("0").rstrip(".") if "." in plain else plain)
    return found

"""A prompt as some thirty numbers: how long, how technical, how many quantities, what is asked. Pure; knows no model.

Cheap enough for the way of a call: the text is looked at as bytes, where a whole class of characters is counted in one
sweep and words are cut in another. The numbers are of order one; whoever learns from them standardises.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from itertools import repeat
from typing import Final

VERSION: Final = "features-1"
MAX_CHARS: Final = 6_000
"""Of a prompt: the first and the last half of this; what stands between changes only its length."""

NAMES: Final = (
    "length",
    "stem_length",
    "sentences",
    "sentence_length",
    "lines",
    "word_length",
    "long_words",
    "rare_words",
    "variety",
    "foreign",
    "capitals",
    "names",
    "digits",
    "numbers",
    "decimals",
    "largest_number",
    "relations",
    "units",
    "maths",
    "code",
    "choices",
    "choice_length",
    "choice_spread",
    "choice_numbers",
    "statements",
    "blank",
    "negation",
    "conditions",
    "superlatives",
    "people",
    "questions",
    "explain",
    "task",
    "quotes",
)
"""What each number tells; ``features`` gives them in this order."""


def features(text: str) -> tuple[float, ...]:
    """The prompt's numbers, in the order of ``NAMES``. Any text will do, the empty one too."""
    chars = len(text)
    if chars > MAX_CHARS:
        text = text[: MAX_CHARS // 2] + text[-MAX_CHARS // 2 :]
    raw = text.encode("utf-8", "replace")
    words = raw.translate(_LETTERS, b"'").split()
    kinds = bytes(map(_KIND.get, words, repeat(0))).count
    lengths = sorted(map(len, words))
    numbers = raw.translate(_DIGITS, b",").split()
    shape = raw.translate(_SHAPE)
    bodies, stem = _choices(text)
    size, count, options = len(raw) or 1, len(words) or 1, len(bodies) or 1
    ends = raw.count(b".") + raw.count(b"!") + raw.count(b"?")
    return (
        math.log1p(chars) - 5.0,
        math.log1p(stem) - 5.0,
        math.log1p(ends) - 1.0,
        math.log1p(count / max(ends, 1)) - 2.5,
        math.log1p(raw.count(b"\n")) - 1.0,
        sum(lengths) / count - 4.5,
        4 * (len(lengths) - bisect_right(lengths, 8)) / count - 0.5,
        2 * kinds(0) / count - 1.0,
        2 * len(set(words)) / count - 1.4,
        1.0 - 4 * kinds(_FUNCTION) / count + 2 * shape.count(b"h") / size,
        20 * shape.count(b"A") / size - 1.0,
        math.log1p(shape.count(b"a Aa")),
        10 * shape.count(b"0") / size - 0.2,
        math.log1p(len(numbers)) - 1.0,
        math.log1p(shape.count(b"0.0")),
        max(map(len, numbers), default=0) / 3.0,
        math.log1p(kinds(_RELATION)),
        math.log1p(kinds(_UNIT)),
        20 * shape.count(b"+") / size - 0.2,
        math.log1p(sum(map(raw.count, _CODE))),
        float(len(bodies) > 2),
        math.log1p(sum(map(len, bodies)) / options) / 2,
        _spread(bodies),
        sum(map(_has_digit, bodies)) / options,
        math.log1p(sum(map(raw.count, _STATEMENTS))),
        float(b"__" in raw or b"..." in raw),
        math.log1p(kinds(_NEGATION)),
        math.log1p(kinds(_CONDITION)),
        math.log1p(kinds(_SUPERLATIVE)),
        math.log1p(kinds(_PERSON)),
        math.log1p(raw.count(b"?")),
        math.log1p(kinds(_EXPLAIN)),
        math.log1p(kinds(_TASK)),
        math.log1p(raw.count(b'"') + raw.count(b"\xe2\x80")),
    )


def _choices(text: str) -> tuple[list[str], int]:
    """The options of a multiple-choice question, without their letters, and how long the text is without them."""
    bodies = []
    for line in text.split("\n")[-30:]:
        head = line.lstrip(" (\t")
        if len(head) > 2 and head[1] in ".):" and head[0] in "ABCDEFGHIJabcdefghij12345":
            bodies.append(head[2:].strip())
    return bodies, len(text) - sum(map(len, bodies))


def _spread(bodies: list[str]) -> float:
    """How differently long the options are: standard deviation over mean."""
    if len(bodies) < 2:
        return 0.0
    sizes = [len(body) for body in bodies]
    mean = sum(sizes) / len(sizes)
    return math.sqrt(sum((size - mean) ** 2 for size in sizes) / len(sizes)) / (mean + 1.0)


def _has_digit(body: str) -> bool:
    return _DIGIT.search(body) is not None


_DIGIT: Final = re.compile(r"\d")


def _shape(byte: int) -> str:
    char = chr(byte)
    if byte >= 128:
        return "h"
    if char.isdigit():
        return "0"
    if char.isalpha():
        return "A" if char.isupper() else "a"
    return "+" if char in "+-*/=<>^$%\\{}|()[]" else "a" if char == "," else char


_LETTERS: Final = bytes(c | 32 if 65 <= c <= 90 else c if 97 <= c <= 122 or c >= 128 else 32 for c in range(256))
"""Letters in lower case, bytes of other scripts as they are, all else a blank."""
_DIGITS: Final = bytes(c if 48 <= c <= 57 else 32 for c in range(256))
_SHAPE: Final = "".join(map(_shape, range(256))).encode()
"""One letter for each class: A a 0, + for symbols, h for bytes of other scripts."""
_CODE: Final = (b"```", b"def ", b"return ", b"import ", b"#include", b"function", b"==", b"</", b"();", b"SELECT ")
_STATEMENTS: Final = (b"Statement", b" I ", b" II", b" IV", b"of the above", b"oth of")

_FUNCTION, _PLAIN, _RELATION, _UNIT, _NEGATION, _CONDITION, _SUPERLATIVE, _PERSON, _EXPLAIN, _TASK = range(1, 11)
_WORDS: Final = {
    _PLAIN: """can into than them only other new some could time these two may do first any my now such like our over
        me even made also did many must through back years where much your way well down should because just
        those people how too little state good very make world still own see men work long get here between
        being under never day same another know last might us great old year off come since against go came
        right used take three following question answer which true false statement one about up out so said what
        its more would there been has who will had but we i you were her all his him man most best after before
        when if each""",
    _FUNCTION: "the of and a to in is was for it with as on be at by this are from or have an that",
    _RELATION: """each every per twice half third quarter double triple times percent percentage more less fewer than
        total altogether remaining left rest average ratio rate equal equally difference sum product divided
        multiplied increase decrease increased decreased additional combined""",
    _UNIT: """dollar dollars cent cents hour hours minute minutes second seconds day days week weeks month months year
        years mile miles km meter meters metre metres feet foot inch inches pound pounds kg gram grams ounce
        ounces liter liters gallon gallons degree degrees volts mol joules""",
    _NEGATION: """not except never no none without least cannot neither nor false incorrect unlikely dont doesnt isnt
        arent wasnt cant wont didnt""",
    _CONDITION: "if then after before when while until suppose assume given unless let",
    _SUPERLATIVE: "most best likely primary main first worst largest greatest smallest highest lowest",
    _PERSON: "he she they his her their him them hers theirs",
    _EXPLAIN: "why explain describe discuss compare derive prove show justify",
    _TASK: """write translate summarise summarize list create generate rewrite classify extract draft design implement
        code fix improve""",
}  # fmt: skip
_KIND: Final = {word.encode(): kind for kind, listed in _WORDS.items() for word in listed.split()}
"""Which kind a word is of; a later kind wins, and what is in none is rare."""

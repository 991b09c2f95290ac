"""What the tagger sees of a text: its words, and for each a fixed number of hashed features. Pure; knows no weights.

A feature joins up to three facts of a word and its neighbours (the word, its shape, beginning and end, which lists of names
it stands in, how its line is written, what stands before it). All are 32-bit hashes, mixed and cut to a table's size in one
go by numpy. Training and use call the same functions, so that they see the same.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

TABLE_BITS: Final = 18
"""Features fall into 2**18 buckets."""

Listed = Callable[[int], int]
"""From the hash of a small word to the lists that it stands in, one bit each."""


def words(text: str) -> list[tuple[int, int]]:
    """Where each word, number, sign and line break of the text is: code points, half open."""
    return [match.span() for match in _WORDS.finditer(text)]


def hashed(word: str) -> int:
    """A word's 32 bits, the same on every machine and in every process."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


class Seer:
    """Turns texts into features. Facts of a word by itself are kept, since words come again; ``listed`` looks up lists."""

    def __init__(self, listed: Listed) -> None:
        self._listed = listed
        self._known: dict[str, tuple[int, ...]] = {}

    def features(self, text: str, spans: list[tuple[int, int]]) -> Ids:
        """Shape ``(features, words)``: which bucket each feature of each word falls into."""
        import numpy as np  # noqa: PLC0415 - a gateway without a tagger starts without it

        rows: list[tuple[int, ...]] = [_EDGE, _EDGE]
        small = is_small(text, spans)
        mode = 2 if small else _mode(text, 0)
        before = 1
        last = 0
        for start, end in spans:
            word = text[start:end]
            if word == "\n":
                mode = 2 if small else _mode(text, end)
            rows.append((*self._word(word), mode, before if start == last else before + 8))
            before = _SIGNS.get(word, 0)
            last = end
        rows += (_EDGE, _EDGE)
        facts = np.array(rows, dtype=np.uint32)
        at = np.arange(len(spans), dtype=np.int64)[None, :] + 2
        mixed = np.broadcast_to(_column(0), (len(_RECIPES), len(spans))).copy()
        for place in range(3):
            mixed ^= facts[at + _column(2 * place + 2, signed=True), _column(2 * place + 1, signed=True)]
            mixed *= np.uint32(0x9E3779B1)
            mixed ^= mixed >> np.uint32(15)
        return (mixed & np.uint32((1 << TABLE_BITS) - 1)).astype(np.int64)

    def _word(self, word: str) -> tuple[int, ...]:
        known = self._known.get(word)
        if known is None:
            if len(self._known) > 20_000:
                self._known.clear()
            small = _NUMBER.sub("0", word.lower())
            known = (
                0,
                hashed(small),
                hashed(shape(word)),
                hashed("<" + small[:3]),
                hashed(small[-2:] + ">"),
                hashed(small[-3:] + ">"),
                hashed(small[-4:] + ">"),
                self._listed(hashed(small)) + 1,
            )
            self._known[word] = known
        return known


def shape(word: str) -> str:
    """``Xxxx`` for a capitalised word, ``X`` for one letter, ``xX`` for mixed, a nought for each digit, or the sign itself."""
    first = word[0]
    if first.isdecimal():
        return "0" * min(len(word), 6)
    if not first.isalpha():
        return word
    if len(word) == 1:
        return "X" if first.isupper() else "x"
    if word.isupper():
        return "XX" if len(word) < 4 else "XXXX"
    if word.islower():
        return "xx" if len(word) < 4 else "xxxx"
    return ("Xx" if len(word) < 4 else "Xxxx") if first.isupper() and word[1:].islower() else "xX"


def is_small(text: str, spans: list[tuple[int, int]]) -> bool:
    """Whether capitals are hardly used, as in hasty messages: then their absence means nothing."""
    part = text[spans[0][0] : spans[-1][1]] if spans else ""
    return len(_CAPITALS.findall(part)) * 150 < len(part)


def _mode(text: str, start: int) -> int:
    """How the line that begins at ``start`` is written: 1 as usual, 3 capitals, 4 every word with one (2: the text is small)."""
    end = text.find("\n", start)
    line = text[start : end if 0 <= end < start + 400 else start + 400]
    if line.isupper():
        return 3
    said = _LETTERS.findall(line)
    return 4 if len(said) > 2 and all(word[0].isupper() for word in said) else 1


def _column(at: int, *, signed: bool = False) -> NDArray[Any]:
    import numpy as np  # noqa: PLC0415 - a gateway without a tagger starts without it

    key = (at, signed)
    if key not in _COLUMNS:
        _COLUMNS[key] = np.array([row[at] for row in _RECIPES], dtype=np.int64 if signed else np.uint32)[:, None]
    return _COLUMNS[key]


_WORDS: Final = re.compile(r"[^\W\d_]+|\d+|\n|[^\w\s]|_")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_CAPITALS: Final = re.compile(r"[A-ZÀ-ÖØ-ÞΑ-ΩА-Я]")
_NUMBER: Final = re.compile(r"\d")
_SIGNS: Final = {"\n": 1, ".": 2, "!": 2, "?": 2, ":": 3, ",": 4, '"': 5, "“": 5, "(": 6, "-": 7, "'": 7, "’": 7}
"""What stands before a word, as far as it matters; eight more where a space parts them."""

ZERO, WORD, SHAPE, BEGIN, END2, END3, END4, LISTS, MODE, BEFORE = range(10)
_EDGE: Final = (0, 1, 1, 1, 1, 1, 1, 0, 0, 0)
_ASKED: Final[tuple[tuple[tuple[int, int], ...], ...]] = (
    (),
    ((WORD, 0),),
    ((WORD, -1),),
    ((WORD, 1),),
    ((WORD, -2),),
    ((WORD, 2),),
    ((WORD, -1), (WORD, 0)),
    ((WORD, 0), (WORD, 1)),
    ((WORD, -2), (WORD, -1)),
    ((WORD, 1), (WORD, 2)),
    ((SHAPE, 0), (MODE, 0)),
    ((SHAPE, -1), (SHAPE, 0)),
    ((SHAPE, 0), (SHAPE, 1)),
    ((SHAPE, -1), (SHAPE, 0), (SHAPE, 1)),
    ((SHAPE, -2), (SHAPE, -1), (SHAPE, 0)),
    ((SHAPE, 0), (SHAPE, 1), (SHAPE, 2)),
    ((BEGIN, 0),),
    ((END2, 0),),
    ((END3, 0),),
    ((END4, 0),),
    ((END3, 0), (SHAPE, 0), (MODE, 0)),
    ((LISTS, 0), (MODE, 0)),
    ((LISTS, 0), (SHAPE, 0), (MODE, 0)),
    ((LISTS, -1), (LISTS, 0)),
    ((LISTS, 0), (LISTS, 1)),
    ((LISTS, -1), (LISTS, 0), (LISTS, 1)),
    ((LISTS, 0), (SHAPE, 0), (BEFORE, 0)),
    ((WORD, -1), (SHAPE, 0)),
    ((WORD, 1), (SHAPE, 0)),
    ((WORD, -1), (LISTS, 0)),
    ((WORD, 1), (LISTS, 0)),
    ((WORD, -2), (WORD, -1), (SHAPE, 0)),
    ((WORD, 1), (WORD, 2), (SHAPE, 0)),
    ((WORD, -1), (WORD, 1), (SHAPE, 0)),
    ((WORD, -2), (SHAPE, -1), (SHAPE, 0)),
    ((BEFORE, 0), (SHAPE, 0), (SHAPE, 1)),
)
"""Each feature: which facts of which neighbours it joins."""

_RECIPES: Final = tuple(
    (
        hashed(f"feature {at}"),
        *(part for place in range(3) for part in (asked[place] if place < len(asked) else (ZERO, 0))),
    )
    for at, asked in enumerate(_ASKED)
)
_COLUMNS: Final[dict[tuple[int, bool], NDArray[Any]]] = {}

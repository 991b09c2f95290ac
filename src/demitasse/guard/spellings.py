"""Where a value that is known stands in a text, however it is written there: case, width, accents, blanks, line breaks.

``EMMA\\nSCHWARZ`` is Emma Schwarz, ``536 22 1847`` the number 536-22-1847. Secrets are as they are written, each letter
counts. Whole words alone. Knows no detector; how a value looks that nobody has recognised anywhere is not its matter.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Final

from .placeholders import NUMBERS

MOST_TRIES = 10_000
"""So often a value may be part of longer words; in a text that goes on like that it counts wherever it stands."""


def spelling(type: str, value: str) -> str:
    """What all spellings of a value have in common."""
    return value if type.upper() != type else _Folded(value, _gaps(type)).text.strip()


class Spelt:
    """A text in which many values are looked for. It is read once for words and once for numbers, when first asked."""

    def __init__(self, text: str) -> None:
        self.text = text

    def find(self, type: str, spelled: str) -> Iterator[tuple[int, int]]:
        """Where a value stands as whole words, by what ``spelling`` says of it: code points of the text, half open.

        Linear in the text, for each value.
        """
        if not spelled:
            return
        folded = None if type.upper() != type else self._numbers if type in NUMBERS else self._words
        told, tries = self.text if folded is None else folded.text, 0
        at = told.find(spelled)
        while at >= 0:
            end = at + len(spelled)
            start, stop = (at, end) if folded is None else folded.span(at, end)
            # Digits far apart are the items of a list, and no number.
            apart = type in NUMBERS and stop - start > 2 * len(spelled)
            if tries > MOST_TRIES or (not apart and _whole(self.text, start, stop)):
                yield start, stop
                at = told.find(spelled, end)
            else:
                tries += 1
                at = told.find(spelled, at + 1)

    @cached_property
    def _words(self) -> _Folded:
        return _Folded(self.text, _BLANKS)

    @cached_property
    def _numbers(self) -> _Folded:
        return _Folded(self.text, _SEPARATORS)


class _Folded:
    """A text as all its spellings have it, and where in it each character was."""

    def __init__(self, text: str, gaps: re.Pattern[str]) -> None:
        blank = "" if gaps is _SEPARATORS else " "
        told: list[str] = []
        self._from, self._at = [0], [0]
        """Where stretches begin within which signs stand as they did, in what was read and in the text."""
        length = done = 0
        for match in gaps.finditer(text):
            before = text[done : match.start()].lower()
            told.append(before)
            length += len(before)
            start, done = match.span()
            for at, folded in _read(match[0], blank):
                told.append(folded)
                self._from.append(length)
                self._at.append(start + at)
                length += len(folded)
            self._from.append(length)
            self._at.append(done)
        told.append(text[done:].lower())
        self.text = "".join(told)
        self._source = text

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the text what was read stands, with the marks upon its last letter."""
        stop = self._place(end - 1) + 1
        while stop < len(self._source) and unicodedata.combining(self._source[stop]):
            stop += 1
        return self._place(start), stop

    def _place(self, at: int) -> int:
        nth = bisect_right(self._from, at) - 1
        found = self._at[nth] + at - self._from[nth]
        # Of a sign that is read as several, each of them stands where it does.
        return min(found, self._at[nth + 1] - 1) if nth + 1 < len(self._at) else found


def _gaps(type: str) -> re.Pattern[str]:
    return _SEPARATORS if type in NUMBERS else _BLANKS


_LINE: Final = r"\\[nrt]|%20"
"""Blanks in texts that are JSON, or an address."""
_BLANKS: Final = re.compile(rf"(?:\s|{_LINE}){{2,}}|[^\S ]|{_LINE}|[^\x00-\x7f\s]+")
_SEPARATORS: Final = re.compile(rf"(?:[\s().\-/:\u2010-\u2015]|{_LINE})+|[^\x00-\x7f\s\u2010-\u2015]+")


def _read(gap: str, blank: str) -> Iterator[tuple[int, str]]:
    """What stands where no plain letters do, by where it begins: a blank for blanks, and letters of other scripts folded."""
    if gap[0].isascii() or gap[0].isspace() or gap[0] in "\u2010\u2011\u2012\u2013\u2014\u2015":
        yield 0, blank
        return
    whole = _caseless(gap)
    if len(whole) == len(gap) and _LEFT_OUT.search(whole) is None:
        yield 0, whole
    else:
        for at, sign in enumerate(gap):
            yield at, _sign(sign)


_LEFT_OUT: Final = re.compile(
    "[\u00ad\u0300-\u036f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]+"
)
"""Marks upon letters, and what nobody sees."""


@lru_cache(8_192)
def _sign(sign: str) -> str:
    return _LEFT_OUT.sub("", _caseless(sign))


def _caseless(text: str) -> str:
    """In capitals the two letters I of Turkish are one to whoever knows no Turkish."""
    return unicodedata.normalize("NFKD", text).casefold().replace("ı", "i")


def _whole(text: str, start: int, end: int) -> bool:
    before = start > 0 and text[start - 1].isalnum() and _ENDS_IN_LINE(text[max(0, start - 3) : start]) is None
    return not before and not (end < len(text) and text[end].isalnum()) and not _is_of_a_decimal(text, start, end)


def _is_of_a_decimal(text: str, start: int, end: int) -> bool:
    """Digits before or after a point are a part of another number."""
    after = text[end - 1].isdigit() and text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()
    before = text[start].isdigit() and text[start - 1 : start] == "." and text[max(0, start - 2) : start - 1].isdigit()
    return after or before


_ENDS_IN_LINE: Final = re.compile(rf"(?:{_LINE})\Z").search

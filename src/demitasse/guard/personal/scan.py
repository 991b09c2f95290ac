"""One text being searched: what was found, and how much of the dear work may still be done. Knows no type."""

from __future__ import annotations

import re
from typing import Final

from ..finding import Entity
from .context import REACH, topics
from .forms import Form

FREE_CHECKS: Final = 24
CHECKS_PER_1000: Final = 4
"""Candidates that a library verifies (telephone numbers, 5 to 25 µs each) in one call: a few in any text, more in a long one."""


FREE_TRIES: Final = 400
TRIES_PER_1000: Final = 200
"""Windows of digits that are looked at in one call, some 5 µs each: more than any text needs that is not a table of numbers."""


class Word:
    """A run of letters and digits with at least one digit; ``digits`` says that there is nothing else."""

    __slots__ = ("digits", "end", "size", "start", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.size = end - start
        self.digits = text.isdecimal()


class Window:
    """Neighbouring words of digits, taken as one number. ``form``: how it is written; ``about``: the topics before it."""

    __slots__ = ("about", "digits", "end", "form", "start")

    def __init__(self, said: str, form: Form, start: int, end: int, about: tuple[str, ...]) -> None:
        self.form = form
        self.start = start
        self.end = end
        self.about = about
        self.digits = said if len(form.sizes) == 1 else said.translate(SIGNS)


class Scan:
    """``text`` has ASCII digits, spaces and dashes, code point for code point: every offset is the given text's."""

    __slots__ = ("_around", "_quiet", "checked", "checks_left", "cut", "found", "text", "tries_left")

    def __init__(self, text: str) -> None:
        self.text = fold(text)
        self.found: list[Entity] = []
        self.checks_left = FREE_CHECKS + len(text) * CHECKS_PER_1000 // 1000
        self.tries_left = FREE_TRIES + len(text) * TRIES_PER_1000 // 1000
        self.cut = False
        self.checked: dict[tuple[str, str | None], float] = {}
        """What a library said of a number in this call; the same one often stands in a text more than once."""
        self._around: tuple[int, tuple[str, ...]] = (-1, ())
        self._quiet = -1

    def add(self, type: str, start: int, end: int, score: float) -> None:
        self.found.append(Entity(type, start, end, score))

    def topics(self, at: int) -> tuple[str, ...]:
        """``context.topics`` before ``at``; asked for again and again at one place, so the last is kept."""
        if self._around[0] != at:
            # where no letter stood before the last place, only what has come since need be looked at
            if 0 <= self._quiet <= at and _LETTER.search(self.text, self._quiet, at) is None:
                self._quiet = at
                self._around = (at, ())
                return ()
            said = topics(self.text, at)
            self._around = (at, said)
            self._quiet = -1 if said or _LETTER.search(self.text, max(0, at - REACH), at) else at
        return self._around[1]

    def may_try(self) -> bool:
        """Whether one more window of digits may be looked at."""
        if self.tries_left <= 0:
            self.cut = True
            return False
        self.tries_left -= 1
        return True

    def may_check(self) -> bool:
        """Whether one more candidate may go to a library. From the first that may not, the result is cut."""
        if self.checks_left <= 0:
            self.cut = True
            return False
        self.checks_left -= 1
        return True


def fold(text: str) -> str:
    """Digits of other scripts and full width, no-break spaces and typographic dashes as ASCII has them, one for one."""
    if text.isascii():
        return text
    odds = set(_ODD.findall(text))
    if len(odds) > 12:
        return text.translate(_PLAIN)
    for odd in odds:  # a few passes in C; translating asks a table for every character
        text = text.replace(odd, _PLAIN[ord(odd)])
    return text


def words(said: str) -> frozenset[str]:
    """A table of words, as it reads best."""
    return frozenset(said.split())


SIGNS: Final = {ord(sign): None for sign in " -./()"}
"""What parts the groups of a number: it has no digits left out."""
_DASHES: Final = "‐‑‒–—―−﹣-"
_SPACES: Final = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_ZEROS: Final = (
    0x0660,
    0x06F0,
    0x07C0,
    0x0966,
    0x09E6,
    0x0A66,
    0x0AE6,
    0x0B66,
    0x0BE6,
    0x0C66,
    0x0CE6,
    0x0D66,
    0x0E50,
    0xFF10,
)
"""Where the digits begin in Arabic, Persian, N'Ko, Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada,
Malayalam, Thai, and in full width."""
_PLAIN: Final[dict[int, str]] = (
    {ord(dash): "-" for dash in _DASHES}
    | {ord(space): " " for space in _SPACES}
    | {zero + digit: str(digit) for zero in _ZEROS for digit in range(10)}
    | {0xFF21 + at: chr(65 + at) for at in range(26)}
    | {0xFF41 + at: chr(97 + at) for at in range(26)}
    | {0xFF20: "@", 0xFF0E: ".", 0xFF0B: "+", 0xFF1A: ":", 0xFF08: "(", 0xFF09: ")"}
)
_LETTER: Final = re.compile(r"[^\W\d_]")
_ODD: Final = re.compile("[" + "".join(re.escape(chr(code)) for code in _PLAIN) + "]")

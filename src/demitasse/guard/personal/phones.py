"""Telephone numbers: shapes propose, ``phonenumbers`` verifies, and where a word says "phone" a plausible shape is enough.

A national number says nothing of its country, so without such a word only a few countries' ways of writing are known.
"""
# ruff: noqa: PLC0415 - phonenumbers brings its tables along, so the first candidate imports it

from __future__ import annotations

import re
from typing import Final

from .scan import Scan, Window


def phone(scan: Scan, window: Window) -> bool:
    """Whether this window is a number to dial. 7 to 15 digits (E.164's most)."""
    digits, start, end, sizes, seps = window.digits, window.start, window.end, window.sizes, window.seps
    if not 7 <= len(digits) <= 15:
        return False
    text = scan.text
    before = text[start - 1 : start]
    if before == "(":
        start -= 1
        before = text[start - 1 : start]
    if before == "+":
        if not scan.may_check() or not _valid("+" + digits, None):
            return False
        scan.add("PHONE", start - 1, _extension(text, end), 1.0)
        return True
    if (before and before in ".,$€£#=_/\\&%") or text[end : end + 1] in {"%", "€", "£"}:
        return False
    if "phone" in window.about and plausible(sizes, seps):
        scan.add("PHONE", start, _extension(text, end), 0.8)
        return True
    if window.about[:1] == ("number",) and "thing" not in window.about and len(digits) <= 11 and sizes in _SAID:
        scan.add("PHONE", start, _extension(text, end), 0.5)
        return True
    region = _region(digits, sizes, seps)
    if region is None or not scan.may_check() or not _valid(digits, region):
        return False
    scan.add("PHONE", start, _extension(text, end), 0.75)
    return True


def plausible(sizes: tuple[int, ...], seps: frozenset[str]) -> bool:
    """Groups as people write them: at most seven, none of one digit but the first two, no date."""
    return len(sizes) <= 7 and all(size >= 2 for size in sizes[2:]) and not (seps == {"/"} and len(sizes) > 2)


def _region(digits: str, sizes: tuple[int, ...], seps: frozenset[str]) -> str | None:
    """Whose way of writing this is, where no word tells."""
    if sizes in _AMERICAN and seps <= _AMERICAN_PARTS:
        return "US" if len(digits) == 10 or digits[0] == "1" else None
    if digits.startswith("00") and sizes in _ABROAD:
        return "00"
    if digits[0] != "0" or digits[1] == "0" or seps - {" ", "-", "/", ") ", ")"}:
        return None
    return _TRUNK.get(sizes)


def _valid(number: str, region: str | None) -> bool:
    import phonenumbers

    if region == "00":
        number, region = "+" + number[2:], None
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _extension(text: str, end: int) -> int:
    match = _EXTENSION.match(text, end)
    return match.end() if match else end


_AMERICAN: Final = frozenset({(3, 3, 4), (1, 3, 3, 4)})
_AMERICAN_PARTS: Final = frozenset({"-", ".", " ", ") ", ")", " (", "(", ")-", "-("})
_ABROAD: Final = frozenset(
    {(4, 2, 4, 4), (4, 3, 3, 4), (4, 1, 2, 2, 2, 2), (4, 2, 3, 4), (4, 3, 7), (4, 3, 8), (5, 3, 4), (4, 4, 6)}
)
_TRUNK: Final[dict[tuple[int, ...], str]] = {
    (3, 4, 4): "GB",
    (4, 3, 4): "GB",
    (5, 6): "GB",
    (5, 3, 3): "GB",
    (4, 3, 3): "AU",
    (2, 4, 4): "AU",
    (2, 2, 2, 2, 2): "FR",
    (3, 8): "DE",
    (4, 7): "DE",
    (4, 8): "DE",
    (3, 7): "DE",
    (3, 3, 2, 2): "CH",
    (4, 2, 2, 2): "BE",
    (4, 6): "NL",
    (3, 3, 4): "ZA",
    (2, 8): "NL",
}
"""By the sizes of the groups, for numbers that begin with the trunk's zero: the country that writes them so."""

_SAID: Final = frozenset(
    {
        (3, 4),
        (3, 3, 4),
        (3, 3, 3),
        (4, 4),
        (4, 3, 3),
        (3, 2, 2),
        (2, 3, 4),
        (4, 3, 4),
        (3, 4, 4),
        (2, 2, 2, 2),
        (2, 2, 2, 2, 2),
    }
)
"""As numbers are said to somebody who asked for "your number"."""
SHAPES: Final = _AMERICAN | _ABROAD | _SAID | frozenset(_TRUNK)
"""Sizes of the groups of a telephone number that is known by how it is written."""

_EXTENSION: Final = re.compile(r" ?,? ?(?:x|ext\.?|extension) ?\d{1,6}\b", re.IGNORECASE)

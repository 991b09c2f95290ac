"""Telephone numbers: shapes propose, ``phonenumbers`` verifies, and where a word says "phone" a plausible shape is enough.

A national number says nothing of its country, so without such a word only a few countries' ways of writing are known.
"""

from __future__ import annotations

import re
from typing import Final

from .dialled import POSSIBLE, dismissed, possible, verdict
from .scan import Scan, Window


def phone(scan: Scan, window: Window) -> bool:
    """Whether this window is a number to dial. 7 to 15 digits (E.164's most)."""
    if not 7 <= window.total <= 15:
        return False
    text, start = scan.text, window.start
    bracket = text[start - 1 : start] == "("
    start -= bracket
    before = text[start - 1 : start]
    if before == "+":
        start -= 1
        sure = _verified(scan, "+" + window.digits, None)
    elif (before and before in ".,$€£#=_/\\&%") or text[window.end : window.end + 1] in {"%", "€", "£"}:
        return False
    elif _PART_BEFORE.search(text, max(0, start - 2), start) or _PART_AFTER.match(text, window.end):
        return False  # a piece of a longer number
    else:
        sure = _told(scan, window) or _written(scan, window, bracket=bracket and not before.isalnum())
    if sure:
        scan.add("PHONE", start, _extension(text, window.end), sure)
    return sure > 0


def _told(scan: Scan, window: Window) -> float:
    """How sure a word beside the number makes it."""
    if not plausible(window.sizes, window.seps):
        return 0.0
    if "phone" in window.about:
        return 0.8
    if len(window.sizes) < 2 or window.total > 11 or "thing" in window.about:
        return 0.0
    if window.about[:1] == ("number",):
        return 0.5
    return 0.6 if _AFTER.match(scan.text, window.end) else 0.0


def _written(scan: Scan, window: Window, *, bracket: bool) -> float:
    """How sure the way of writing makes it, where no word tells."""
    digits, sizes, seps = window.digits, window.sizes, window.seps
    if sizes in _AMERICAN and seps <= _AMERICAN_PARTS and (sizes[0] == 3 or digits[0] == "1"):
        return 0.75 if _verified(scan, digits, "US") == 1 else 0.55 * (seps != {" "})
    if digits.startswith("00"):
        return 0.75 * _verified(scan, "+" + digits[2:], None) if sizes in _ABROAD else 0.0
    if seps - _PARTS or not plausible(sizes, seps):
        return 0.0
    if bracket and window.parted[:1] in {(") ",), (")",), (")-",)} and sizes[0] <= 4 and window.total <= 11:
        return 0.0 if sizes[0] == 4 and digits[:2] in {"19", "20"} else 0.6
    if digits[0] == "0" and 9 <= window.total <= 11 and len(seps) == 1 and sizes in SHAPES:
        region = _TRUNK.get(sizes)
        return 0.75 if region and _verified(scan, digits, region) == 1 else 0.55 * (len(sizes) > 2 or sizes in _TRUNK)
    return (
        0.4 if sizes in _SAID and seps in _LONE and "thing" not in window.about and _alone(scan.text, window) else 0.0
    )


def _alone(text: str, window: Window) -> bool:
    """Nothing beside it that could make it a part of a sum, a table or a range of years."""
    if window.sizes == (4, 4) and all(word[:2] in {"19", "20"} for word in window.words):
        return False
    return not (
        _BESIDE_BEFORE.search(text, max(0, window.start - 8), window.start) or _BESIDE_AFTER.match(text, window.end)
    )


def plausible(sizes: tuple[int, ...], seps: frozenset[str]) -> bool:
    """Groups as people write them: at most seven, none of one digit but the first two, no date."""
    return len(sizes) <= 7 and all(size >= 2 for size in sizes[2:]) and not (seps == {"/"} and len(sizes) > 2)


def _verified(scan: Scan, number: str, region: str | None) -> float:
    """What the library says: 1 for a number that is given out, 0.7 for one of a possible length, 0 for none of the two."""
    if region is None and nobodys(scan, number):
        return 0.0
    said = scan.checked.get((number, region), _UNASKED)
    if said == _UNASKED:
        if not scan.may_check():  # the tables alone tell what is possible, not what is given out
            return POSSIBLE if region is None and possible(number) else 0.0
        said = scan.checked[number, region] = verdict(number, region)
    return said


def nobodys(scan: Scan, number: str) -> bool:
    """Whether a number with its plus sign is none: what costs no library."""
    said = scan.checked.get((number, None))
    if said is None:
        said = scan.checked[number, None] = 0.0 if dismissed(number) else _UNASKED
    return said == 0


def _extension(text: str, end: int) -> int:
    match = _EXTENSION.match(text, end)
    return match.end() if match else end


_UNASKED: Final = -1.0
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

_PARTS: Final = frozenset({" ", "-", "/", ") ", ")", ")-"})
_SAID: Final = frozenset(
    {
        (3, 4),
        (3, 3, 4),
        (3, 3, 3),
        (4, 4),
        (4, 3, 3),
        (3, 2, 2),
        (3, 2, 3),
        (2, 3, 3),
        (2, 3, 4),
        (2, 4, 4),
        (4, 3, 4),
        (3, 4, 4),
    }
    | {
        (2, 2, 2, 2),
        (2, 2, 2, 2, 2),
        (2, 3, 2, 2),
        (3, 2, 2, 2),
        (2, 3, 3, 4),
        (2, 3, 3, 3),
        (3, 3, 2, 2),
        (4, 2, 2, 2),
    }
)
"""As numbers are written to somebody who has asked for one."""
FIRM: Final = _AMERICAN | _ABROAD
"""Those that need neither a word nor a nought or bracket at the beginning."""
SHAPES: Final = _AMERICAN | _ABROAD | _SAID | frozenset(_TRUNK)
"""Sizes of the groups of a telephone number that is known by how it is written."""

_LONE: Final = frozenset({frozenset({" "}), frozenset({"-"})})
_BESIDE_BEFORE: Final = re.compile(
    r"(?:\d[\s,;|]{0,2}|[-*+=:/<>~^|#\[{\t]|\b(?:apt|suite|unit|flat|room|box)\.?)\s?\Z", re.IGNORECASE
)
_BESIDE_AFTER: Final = re.compile(r"[-*+=/<>~^|\]}\t]|[\s,;|]{1,3}[\d*+=<>|]|\s?%|:\d| (?![a-z])[^\W\d_]")
_PART_BEFORE: Final = re.compile(r"\d[-./]\Z")
_PART_AFTER: Final = re.compile(r"[-./]\d")
_AFTER: Final = re.compile(
    r",?(?: \(| -)? (?:is|was|will be|as|for|on|at)?.{0,16}\b(?:phone|mobile|cell|telephone|fax|landline|whatsapp|my number)\b",
    re.IGNORECASE,
)
_EXTENSION: Final = re.compile(r" ?,? ?(?:x|ext\.?|extension) ?\d{1,6}\b", re.IGNORECASE)

"""Runs of digits: which card, id, account, telephone number or address on the net they are. Knows the shapes; asks ``checks``.

A run is words of digits parted by a space, dash, dot, slash or bracket. Its windows are tried from the longest, each by the
sizes of its groups first, so that most cost a comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from . import checks, codes, days
from .phones import phone, plausible
from .scan import Scan, Word

MOST_GROUPS: Final = 9
MOST_DIGITS: Final = 19


def run(scan: Scan, words: list[Word]) -> None:
    """All that a run holds, from left to right, the longest first at each place."""
    at = 0
    while at < len(words):
        at += _at(scan, words, at) or 1


def _at(scan: Scan, words: list[Word], at: int) -> int:
    """How many groups from ``at`` on were taken."""
    total = 0
    most = at
    while most < len(words) and most - at < MOST_GROUPS and total + words[most].size <= MOST_DIGITS:
        total += words[most].size
        most += 1
    for until in range(most, at, -1):
        window = words[at:until]
        if total < 4 and len(window) > 1:
            break
        if _window(scan, window, total):
            return until - at
        total -= words[until - 1].size
    return 0


def _window(scan: Scan, window: list[Word], total: int) -> bool:
    text = scan.text
    start, end = window[0].start, window[-1].end
    sizes = tuple(word.size for word in window)
    if len(window) > 1:
        seps = {text[left.end : right.start] for left, right in zip(window, window[1:], strict=False)}
    else:
        seps = set()
        if total < 4:
            return False
    if sizes in days.SHAPES and days.numeric(scan, window, seps):
        return True
    if seps == {"."} and len(sizes) == 4 and _ipv4(scan, start, end):
        return True
    if sizes == (2, 2, 2) and seps == {" "} and codes.spaced_nino(scan, start, end):
        return True
    if total < 7 and not (total >= 4 and scan.topics(start)):
        return False
    if seps == {"."} and len(sizes) == 2:
        return False  # a decimal fraction
    digits = "".join(word.text for word in window)
    one = len(seps) <= 1
    if (
        total >= 12
        and one
        and seps <= _PARTS
        and (sizes in _CARD_SHAPES or len(sizes) == 1)
        and _card(scan, digits, start, end)
    ):
        return True
    if sizes == (3, 2, 4) and one and seps <= {"-", " "} and checks.ssn(digits):
        scan.add("SSN", start, end, 0.95 if "ssn" in scan.topics(start) else 0.85)
        return True
    known = _SHAPED.get(sizes)
    if known is not None and known[0] == "".join(
        text[left.end : right.start] for left, right in zip(window, window[1:], strict=False)
    ):
        if known[1](digits):
            scan.add("NATIONAL_ID", start, end, known[2])
            return True
    elif len(sizes) == 1 and total in _BARE and _BARE[total](digits):
        scan.add("NATIONAL_ID", start, end, 0.9)
        return True
    return _by_topic(scan, digits, start, end, sizes, seps) or phone(scan, digits, start, end, sizes, seps)


def _ipv4(scan: Scan, start: int, end: int) -> bool:
    text = scan.text
    parts = text[start:end].split(".")
    if any(len(part) > 3 or int(part) > 255 or (part[0] == "0" and len(part) > 1) for part in parts):
        return False
    if text[start - 1 : start] == "." or (text[end : end + 1] == "." and text[end + 1 : end + 2].isdecimal()):
        return False
    if _VERSION.search(text, max(0, start - 12), start):
        return False
    scan.add("IP", start, end, 0.95)
    return True


def _card(scan: Scan, digits: str, start: int, end: int) -> bool:
    told = "card" in scan.topics(start)
    if not checks.issued(digits) and not (told and checks.luhn(digits) and len(set(digits)) > 1):
        return False
    if len(digits) < 14 and not told:
        return False
    scan.add("CARD", start, end, 1.0 if told or end - start > len(digits) else 0.9)
    return True


def _by_topic(scan: Scan, digits: str, start: int, end: int, sizes: tuple[int, ...], seps: set[str]) -> bool:
    """What only the words before it tell, the nearest first."""
    size = len(digits)
    for topic in scan.topics(start):
        if topic == "phone":
            if 7 <= size <= 15 and plausible(sizes, seps):
                return False  # the telephone's own rules decide
            continue
        rule = _TOLD.get(topic)
        if rule is not None:
            type, least, most, check, score = rule
            if least <= size <= most and check(digits):
                scan.add(type, start, end, score)
                return True
        elif topic == "id" or topic == "tax":
            for check in _IDS.get(size, ()):
                if check(digits):
                    scan.add("NATIONAL_ID", start, end, 0.85)
                    return True
        elif topic == "license" and 5 <= size <= 14 and len(sizes) <= 4:
            scan.add("DRIVER_LICENSE", start, end, 0.7 if "driver" in scan.topics(start) else 0.5)
            return True
    return False


def _any(_digits: str) -> bool:
    return True


_VERSION: Final = re.compile(r"(?:version|ver\.?|v\.?|release|build|chapter|section|§)[ :=]?$", re.IGNORECASE)
_PARTS: Final = frozenset({" ", "-", "."})
_CARD_SHAPES: Final = frozenset(
    {
        (4, 4, 4, 4),
        (4, 6, 5),
        (4, 6, 4),
        (4, 4, 4, 1),
        (4, 4, 4, 2),
        (4, 4, 4, 3),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 4, 2),
        (4, 5, 6),
        (8, 8),
    }
)

_SHAPED: Final[dict[tuple[int, ...], tuple[str, Callable[[str], bool], float]]] = {
    (3, 3, 3, 2): ("..-", checks.cpf, 1.0),
    (3, 4, 4, 2): ("...", checks.ahv, 1.0),
    (2, 2, 2, 3, 2): ("..-.", checks.rijksregister, 1.0),
    (4, 4, 4): ("  ", checks.aadhaar, 0.8),
    (6, 4): ("-", checks.personnummer, 0.9),
    (8, 4): ("-", checks.personnummer, 0.9),
    (6, 7): ("-", checks.rrn, 1.0),
    (1, 2, 2, 2, 3, 3, 2): ("      ", checks.nir, 1.0),
}
"""Numbers known by how they are written: sizes of the groups, what parts them, the check, the score."""

_BARE: Final[dict[int, Callable[[str], bool]]] = {15: checks.nir, 18: checks.resident_id}
"""Numbers long and constrained enough to be known without a word before them."""

_TOLD: Final[dict[str, tuple[str, int, int, Callable[[str], bool], float]]] = {
    "ssn": ("SSN", 9, 9, checks.ssn, 0.9),
    "nhs": ("NATIONAL_ID", 10, 10, checks.nhs, 1.0),
    "bsn": ("NATIONAL_ID", 9, 9, checks.bsn, 1.0),
    "sin": ("NATIONAL_ID", 9, 9, checks.sin, 1.0),
    "pesel": ("NATIONAL_ID", 11, 11, checks.pesel, 1.0),
    "aadhaar": ("NATIONAL_ID", 12, 12, checks.aadhaar, 1.0),
    "cpf": ("NATIONAL_ID", 11, 11, checks.cpf, 1.0),
    "tfn": ("NATIONAL_ID", 9, 9, checks.tfn, 1.0),
    "routing": ("BANK_ACCOUNT", 9, 9, checks.routing, 0.95),
    "sort": ("BANK_ACCOUNT", 6, 6, _any, 0.7),
    "account": ("BANK_ACCOUNT", 6, 18, _any, 0.7),
    "passport": ("PASSPORT", 7, 9, _any, 0.8),
}
"""By the word before: type, least and most digits, check, score."""

_IDS: Final[dict[int, tuple[Callable[[str], bool], ...]]] = {
    9: (checks.bsn, checks.sin, checks.tfn),
    10: (checks.personnummer, checks.cpr, checks.nhs),
    11: (checks.steuer_id, checks.pesel, checks.cpf, checks.fodselsnummer, checks.tckn, checks.rijksregister),
    12: (checks.aadhaar, checks.personnummer),
    13: (checks.ahv, checks.rrn),
}
"""By size, where the words before say no more than that it is an id or a tax number."""

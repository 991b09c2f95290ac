"""Runs of digits: which card, id, account, telephone number or address on the net they are. Knows the shapes; asks ``checks``.

A run is words of digits parted by a space, dash, dot, slash or bracket. Its windows are tried from the longest, each by the
sizes of its groups first, so that most cost a comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from . import checks, codes, days, registers
from .context import topics
from .forms import CARDS, FEWEST_DIGITS, MOST_DIGITS, MOST_GROUPS, Row, Try, form
from .phones import alone, nobodys, phone
from .scan import SIGNS, Scan, Window

__all__ = ["FEWEST_DIGITS", "LOOSE_GROUPS", "one", "run"]

LOOSE_GROUPS: Final = 12
"""How many groups after a word that tells are looked at in any way of writing."""


def one(scan: Scan, start: int, digits: str) -> None:
    """A number that stands alone."""
    size = len(digits)
    if not _window(scan, Window(digits, form((size,), ()), start, start + size, scan.topics(start))) and size in {
        10,
        11,
    }:
        alone(scan, start, digits)


def run(scan: Scan, start: int, said: str, row: Row) -> bool:
    """All that a run holds, from left to right, the longest first at each place. Whether it was one number, and no more."""
    about = scan.topics(start)
    told = bool(about) and not _LOOSE.isdisjoint(about)
    before = scan.text[start - 1 : start]
    sizes, places = row.sizes, row.places
    at, count = 0, len(sizes)
    if sizes in CARDS and count > 3 and len(set(row.parted)) == 1:  # a card's, or somebody's mistake
        return (
            scan.may_try()
            and row.whole is not None
            and _window(scan, Window(said, row.whole, start, start + len(said), about))
        )
    while at < count and (at < count - 1 or sizes[at] >= FEWEST_DIGITS):
        # without a word that tells, or a plus sign, only known ways of writing are worth a look
        loose = before == "+" or (told and at < LOOSE_GROUPS)
        tries = _any_way(row, at, about) if loose else row.tries(at)
        after = at + 1
        dials = said[places[at] :].translate(SIGNS) if before == "+" and not about else ""
        if tries:
            place = places[at]
            dialled = before == "(" or said[place] == "0"
            for until, way, if_dialled in tries:
                if if_dialled and not dialled:
                    continue
                end = places[until - 1] + sizes[until - 1]
                if dials and way.only_dialled and nobodys(scan, "+" + dials[: way.total]):
                    continue
                if not scan.may_try():
                    return False
                if _window(scan, Window(said[place:end], way, start + place, start + end, about)):
                    if until == count and not at:
                        return True
                    after = until
                    break
        at = after
        before = row.parted[at - 1][-1] if at < count else ""
    return False


def _any_way(row: Row, at: int, about: tuple[str, ...]) -> Iterator[Try]:
    """As ``row.tries`` has them, in any way of writing."""
    sizes, parted = row.sizes, row.parted
    for until in range(min(len(sizes), at + MOST_GROUPS), at, -1):
        way = form(sizes[at:until], parted[at : until - 1])
        if way.total <= MOST_DIGITS and (
            not way.hopeless or (way.total > 15 and ("account" in about or "card" in about))
        ):
            yield until, way, False


def _window(scan: Scan, window: Window) -> bool:
    way, start, end = window.form, window.start, window.end
    if way.date and days.numeric(scan, window):
        return True
    if way.nino and codes.spaced_nino(scan, start, end):
        return True
    if way.quad and _ipv4(scan, start, end):
        return True
    if not way.number:
        return False
    if _by_shape(scan, window):
        return True
    if window.about:
        if _by_topic(scan, window):
            return True
        rule = _TOLD.get(window.about[0])
        if rule is not None and rule[3] is not _any and rule[1] <= way.total <= rule[2] and "phone" not in window.about:
            return False  # what the word before it says that it is, but for its check
    return phone(scan, window)


def _by_shape(scan: Scan, window: Window) -> bool:
    """What is known by how it is written and a checksum."""
    digits, start, end, way = window.digits, window.start, window.end, window.form
    if way.card and _card(scan, window):
        return True
    if way.ssn and checks.ssn(digits) and not ("thing" in window.about and "thing" in topics(scan.text, start, 16)):
        scan.add("SSN", start, end, 0.95 if "ssn" in window.about else 0.85)
        return True
    # three groups of four may also be the beginning of a card's number that fails its check
    if way.shaped is not None and way.shaped[0](digits) and not _GROUP.match(scan.text, end):
        scan.add("NATIONAL_ID", start, end, way.shaped[1])
        return True
    if scan.text[end : end + 1] == "-" and codes.lettered(scan, window):
        return True
    if way.bare is not None and way.bare(digits):
        scan.add("NATIONAL_ID", start, end, 0.9)
        return True
    return False


def _ipv4(scan: Scan, start: int, end: int) -> bool:
    text = scan.text
    if any(
        len(part) > 3 or int(part) > 255 or (part[0] == "0" and len(part) > 1) for part in text[start:end].split(".")
    ):
        return False
    if text[start - 1 : start] == "." or (text[end : end + 1] == "." and text[end + 1 : end + 2].isdecimal()):
        return False
    if _VERSION.search(text, max(0, start - 12), start) or scan.topics(start)[:1] == ("version",):
        return False
    scan.add("IP", start, end, 0.95)
    return True


def _card(scan: Scan, window: Window) -> bool:
    """Luhn, and an issuer's range; after a word that says card Luhn is enough. A short number needs the word."""
    digits = window.digits
    told = "card" in window.about
    if not told and (len(digits) < 14 or not checks.issued(digits)):
        return False
    if not checks.luhn(digits) or len(set(digits)) < 2:
        return False
    scan.add("CARD", window.start, window.end, 1.0 if told or len(window.form.sizes) > 1 else 0.9)
    return True


def _by_topic(scan: Scan, window: Window) -> bool:
    """What only the words before it tell, the nearest first."""
    digits, start, end, size = window.digits, window.start, window.end, window.form.total
    for topic in window.about:
        if topic == "phone" and 7 <= size <= 15 and window.form.plausible:
            return False  # the telephone's own rules decide
        if topic == "card" and 13 <= size <= 19 and checks.issued(digits):  # however it is written
            scan.add("CARD", start, end, 0.8)
            return True
        rule = _TOLD.get(topic)
        if rule is not None:
            type, least, most, check, score = rule
            if topic == "passport" and len(window.form.sizes) > 1:
                continue
            if least <= size <= most and check(digits) and window.form.seps <= _CODE_PARTS:
                scan.add(type, codes.prefixed(scan, start) if topic == "passport" else start, end, score)
                return True
        elif topic in {"id", "tax"}:
            if any(check(digits) for check in _IDS.get(size, ())):
                scan.add("NATIONAL_ID", start, end, 0.85)
                return True
            if 7 <= size <= 14 and _NATIONAL.search(scan.text, max(0, start - 48), start):
                scan.add("NATIONAL_ID", start, end, 0.6)
                return True
        elif topic == "bank" and 8 <= size <= 18 and window.form.seps <= _CODE_PARTS:
            scan.add("BANK_ACCOUNT", start, end, 0.6)
            return True
        elif topic == "number" and size == 12 and len(window.form.sizes) == 3 and registers.my_number(digits):
            scan.add("NATIONAL_ID", start, end, 0.6)
            return True
        elif topic == "nation" and 7 <= size <= 16 and window.form.seps <= _CODE_PARTS:
            checked = any(check(digits) for check in (*_IDS.get(size, ()), *_NATIONS.get(size, ())))
            if size > 14 and not checked:
                continue
            scan.add("NATIONAL_ID", start, end, 0.85 if checked else 0.6)
            return True
        elif (
            topic in {"license", "driver"}
            and size <= 14
            and len(window.form.sizes) <= 4
            and window.form.seps <= _CODE_PARTS
        ):
            if window.about[0] == "thing" or (topic == "driver" and _LICENSES.isdisjoint(window.about)):
                continue
            scan.add("DRIVER_LICENSE", start, end, 0.7 if "driver" in window.about else 0.5)
            return True
    return False


def _any(_digits: str) -> bool:
    return True


_GROUP: Final = re.compile(r"[ -]\d")
_VERSION: Final = re.compile(r"(?:version|ver\.?|v\.?|release|build|chapter|section|§)[ :=]?\Z", re.IGNORECASE)
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
    "passport": ("PASSPORT", 6, 9, _any, 0.8),
}
"""By the word before: type, least and most digits, check, score."""

_NATIONAL: Final = re.compile(
    r"\b(?:national|citizen|identity|personal|resident) (?:id|identity|identification|card|registration|number)\b"
    r"[^\d\n]{0,16}\Z",
    re.IGNORECASE,
)
_CODE_PARTS: Final = frozenset({" ", "-", ".", " - "})
_LICENSES: Final = frozenset({"license", "id", "card", "number"})
_NATIONS: Final[dict[int, tuple[Callable[[str], bool], ...]]] = {
    9: (registers.nif, registers.israeli),
    10: (registers.egn, registers.rodne, registers.svnr, registers.kennitala, registers.medicare),
    11: (registers.cuit, registers.amka, registers.oib, registers.baltic, registers.snils),
    12: (registers.my_number, registers.inn, registers.mykad),
    13: (registers.cnp, registers.jmbg, registers.thai),
}
"""The same for words that are only said of a personal number, which make any of that size likely."""

_IDS: Final[dict[int, tuple[Callable[[str], bool], ...]]] = {
    9: (checks.bsn, checks.sin, checks.tfn),
    10: (checks.personnummer, checks.cpr, checks.nhs),
    11: (checks.steuer_id, checks.pesel, checks.cpf, checks.fodselsnummer, checks.tckn, checks.rijksregister),
    12: (checks.aadhaar, checks.personnummer),
    13: (checks.ahv, checks.rrn, registers.south_african, registers.cnp, registers.jmbg),
    15: (registers.emirates,),
    16: (registers.nik,),
}
"""By size, where the words before say no more than that it is an id or a tax number."""

_LOOSE: Final = frozenset({"phone", "number", "card", "id", "nation", "bank", "license", "driver", "zip", *_TOLD})
"""Words that make any way of writing worth a look."""

"""Telephone numbers: shapes propose, ``phonenumbers`` verifies, and where a word says "phone" a plausible shape is enough.

A national number says nothing of its country, so without such a word only a few countries' ways of writing are known.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from .context import topics
from .dialled import POSSIBLE, known, verdict
from .forms import Form, Row
from .scan import SIGNS, Scan, Window


def whole(scan: Scan, start: int, end: int, said: str, row: Row) -> bool:
    """Whether a run of digits is one number to dial and nothing else, as in lists of them: what ``phone`` says, for less work."""
    way = row.whole
    if row.spelt:
        return _one_by_one(scan, start, end, said.translate(SIGNS))
    if way is None or not 7 <= way.total <= 15:
        return False
    text = scan.text
    if start and text[start - 1] == "+":
        sure = _abroad(scan, said.translate(SIGNS), way)
        if sure:
            scan.add("PHONE", start - 1, _extension(text, end), sure)
        return sure > 0
    before = text[start - 1 : start]
    if before == "(" and row.parted and row.parted[0][0] == ")" and way.total <= 11:
        return phone(scan, Window(said, way, start, end, scan.topics(start)))
    if said[:2] == "00" or said[:3] == "011":  # dialled from abroad, from North America
        sure = 0.75 * (_verified(scan, "+" + said.translate(SIGNS)[2 + (said[1] == "1") :], None) == 1)
        if sure and before not in _NOT_BEFORE and before != "-" and "thing" not in topics(text, start, 16):
            scan.add("PHONE", start, _extension(text, end), sure)
            return True
    if way.national and (said[0] == "0" or way.american):
        about = scan.topics(start)
        return (not about or about[0] == "phone") and phone(scan, Window(said, way, start, end, about))
    return False


def alone(scan: Scan, start: int, digits: str) -> bool:
    """Digits in a row that nothing tells, at the end of a clause, that are given out in one of a few countries."""
    size, end = len(digits), start + len(digits)
    regions = _BARE.get((size, digits[0] if digits[0] == "0" else "2"), ())
    if not regions or scan.topics(start) or len(set(digits)) < 4:
        return False
    text = scan.text
    if _SAYING.search(text, max(0, start - 3), start) is None or _CLAUSE.match(text, end) is None:
        return False
    if not any(_verified(scan, digits, region) == 1 for region in regions):
        return False
    scan.add("PHONE", start, end, 0.4)
    return True


def _one_by_one(scan: Scan, start: int, end: int, digits: str) -> bool:
    if not (_verified(scan, digits[-10:], "US") == 1 if digits[0] != "0" else _verified(scan, digits, "GB") == 1):
        return False
    scan.add("PHONE", start, end, 0.6)
    return True


def vanity(scan: Scan, start: int, end: int) -> bool:
    """``1-800-555-CARE``, ``1-800-FLOWERS``: letters after a free number's beginning, which is ``start`` to ``end``."""
    match = _VANITY.match(scan.text, start)
    if match is not None and match.end() > end:
        scan.add("PHONE", start, match.end(), 0.7)
    return match is not None


def phone(scan: Scan, window: Window) -> bool:
    """Whether this window is a number to dial. 7 to 15 digits (E.164's most)."""
    if not 7 <= window.form.total <= 15:
        return False
    text, start, end = scan.text, window.start, window.end
    bracket = text[start - 1 : start] == "("
    start -= bracket
    before, after = text[start - 1 : start], text[end : end + 1]
    if before == "+":
        start -= 1
        sure = _abroad(scan, window.digits, window.form)
    elif (before in _NOT_BEFORE and not (before == "=" and "phone" in window.about)) or after in _NOT_AFTER:
        return False
    elif before == "-" and text[start - 2 : start - 1].isdecimal():
        return False  # a piece of a longer number
    elif after in _PARTING and text[end + 1 : end + 2].isdecimal():
        return False
    else:
        bracket = bracket and not before.isalnum()
        if window.about:
            sure = _told(scan, window) or _written(scan, window, bracket=bracket)
        else:
            sure = _written(scan, window, bracket=bracket) or _told(scan, window)
    if sure:
        scan.add("PHONE", start, _extension(text, end), sure)
    return sure > 0


def _abroad(scan: Scan, digits: str, way: Form) -> float:
    """After a plus sign. With one dot and nothing else it may be a fraction: it has to be given out (``+44.2079460958``)."""
    sure = _verified(scan, "+" + digits, None)
    return sure if way.number or (sure == 1 and way.total > 9) else 0.0


def _told(scan: Scan, window: Window) -> float:
    """How sure a word beside the number makes it."""
    way, about = window.form, window.about
    if not way.plausible or _years(window):
        return 0.0
    if "phone" in about:
        return 0.8
    if way.total > 11 or "thing" in about:
        return 0.0
    if about[:1] == ("number",) and (
        len(way.sizes) > 1 or _MINE.search(scan.text, max(0, window.start - 32), window.start)
    ):
        return 0.5
    start = window.start
    if way.total >= 8 and not _LABELLED.isdisjoint(scan.text[max(0, start - 3) : start]):
        label = _LETTER.search(scan.text, max(0, start - 6), start)
        if label is not None and (label[1] or len(way.sizes) > 1):
            return 0.6
    if len(way.sizes) < 2:
        return 0.0
    return 0.6 if _AFTER.match(scan.text, window.end) else 0.0


def _written(scan: Scan, window: Window, *, bracket: bool) -> float:
    """How sure the way of writing makes it, where no word tells."""
    digits, way = window.digits, window.form
    if way.american and digits[0] != "0" and (way.sizes[0] == 3 or digits[0] == "1"):
        if _verified(scan, digits, "US") == 1:
            return 0.75
        if way.seps != {" "}:
            return 0.55
    if digits[0] == "8" and way.sizes == _RUSSIAN:
        return 0.75 * (_verified(scan, "+7" + digits[1:], None) == 1)
    if digits.startswith("00"):
        return 0.75 * _verified(scan, "+" + digits[2:], None) if way.abroad else 0.0
    if not way.plausible:
        return 0.0
    if (
        bracket
        and way.parted
        and way.parted[0][0] == ")"
        and way.total <= 11
        and 2 <= way.sizes[0] <= 4 + (digits[0] == "0")
    ):
        return 0.0 if way.sizes[0] == 4 and digits[:2] in _CENTURIES else 0.6
    if digits[0] == "0" and way.regions and 8 <= way.total <= 12:
        if (len(way.sizes) == 2 or set(way.sizes) == {2}) and _GROUP.match(scan.text, window.end):
            return 0.0
        if "thing" in window.about and "thing" in topics(scan.text, window.start, 16):
            return 0.0
        parts = len(way.sizes)
        # three groups that are none of the first country's numbers are likely some other's
        if any(_verified(scan, digits, region) == 1 for region in (way.regions if parts == 2 else way.regions[:1])):
            return 0.75
        return 0.55 * (parts > 2 and 9 <= way.total <= 11 and "." not in way.seps)
    if way.sizes == (5, 5) and digits[0] in "6789" and digits[2:5] not in {"000", "999"} and len(way.seps) == 1:
        return 0.6 * (_verified(scan, "+91" + digits, None) == 1)
    return (
        0.4
        if way.said and "thing" not in window.about and _alone(scan.text, window) and not _counted(scan.text, window)
        else 0.0
    )


def _years(window: Window) -> bool:
    """Whether it is from one year, or one hour, to another."""
    if window.form.sizes != (4, 4):
        return False
    first, second = window.digits[:4], window.digits[4:]
    if first[:2] in _CENTURIES and second[:2] in _CENTURIES:
        return True
    return first <= "2400" and second <= "2400" and first[2] <= "5" and second[2:] in _MINUTES and first[2:] in _MINUTES


def _counted(text: str, window: Window) -> bool:
    """Whether it may be a large number of something, or numbers in even steps."""
    way, digits = window.form, window.digits
    if way.seps == {" "} and set(way.sizes[1:]) == {3} and _WORD_AFTER.match(text, window.end):
        return True
    if set(way.sizes) != {2}:
        return False
    pairs = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
    return len({after - before for before, after in pairwise(pairs)}) == 1


def _alone(text: str, window: Window) -> bool:
    """Nothing beside it that could make it a part of a sum, a table or a range of years."""
    if _years(window):
        return False
    return not (
        _BESIDE_AFTER.match(text, window.end) or _BESIDE_BEFORE.search(text, max(0, window.start - 8), window.start)
    )


def _verified(scan: Scan, number: str, region: str | None) -> float:
    """What the library says: 1 for a number that is given out, 0.7 for one of a possible length, 0 for none of the two."""
    said = scan.checked.get((number, region))
    if said is None:
        said = known(number, region)
        if said is None:  # the library takes ten times as long, and is asked so often only
            if not scan.may_check():
                return POSSIBLE if region is None else 0.0
            said = verdict(number, region)
        scan.checked[number, region] = said
    return said


def nobodys(scan: Scan, number: str) -> bool:
    """Whether a number with its plus sign is none."""
    return _verified(scan, number, None) == 0


def _extension(text: str, end: int) -> int:
    match = _EXTENSION.match(text, end)
    return match.end() if match else end


_NOT_BEFORE: Final = frozenset(".,$€£#=_/\\&%")
_NOT_AFTER: Final = frozenset("%€£")
_PARTING: Final = frozenset("-./")
_MINUTES: Final = frozenset({"00", "15", "30", "45"})
_CENTURIES: Final = frozenset({"17", "18", "19", "20"})
_BESIDE_BEFORE: Final = re.compile(
    r"(?:\d[\s,;|]{0,2}|[-*+=:/<>~^|#\[{\t]|\b(?:apt|suite|unit|flat|room|box)\.?)\s?\Z", re.IGNORECASE
)
_BESIDE_AFTER: Final = re.compile(r"[-*+=/<>~^|\]}\t]|[\s,;|]{1,3}[\d*+=<>|]|\s?%|:\d| (?![a-z])[^\W\d_]")
_AFTER: Final = re.compile(
    r",?(?: \(| -)? [^\d\n]{0,24}?\b(?:phone|mobile|cell|telephone|fax|landline|whatsapp|my number)\b",
    re.IGNORECASE,
)
_VANITY: Final = re.compile(
    r"1[- .](?:8(?:00|33|44|55|66|77|88)|900)[- .](?:\d{3}[- .])?[A-Z]{2,5}-?[A-Z]{1,6}(?:-\d{2,4})?\b"
)
_BARE: Final[dict[tuple[int, str], tuple[str, ...]]] = {(10, "2"): ("US",), (11, "0"): ("GB",), (10, "0"): ("FR", "AU")}
_GROUP: Final = re.compile(r"[ .-]\d")
_WORD_AFTER: Final = re.compile(r" [^\W\d_]")
_SAYING: Final = re.compile(r"[^\W\d_][?!:,.]? \Z")
_CLAUSE: Final = re.compile(r"[.,;!?]?(?:\n|\Z)|[.!?] ")
_RUSSIAN: Final = (1, 3, 3, 2, 2)
_LABELLED: Final = frozenset(":.")
_MINE: Final = re.compile(r"\b(?:my|his|her|our|their|your)(?: new| old)? number(?:'s| is|:)? ?\Z", re.IGNORECASE)
_LETTER: Final = re.compile(r"(?:^|[\s|,;/(])(?:[TMPFHWCtmpf]|([Pp]h))[.:] ?\(?\Z")
"""As on cards: T for telephone, M for mobile, F for fax …"""
_EXTENSION: Final = re.compile(
    r"[ ,;]{0,2}\(?(?:x|#|extn?\.?|extension|poste|durchwahl|dw|int\.?|interno|ramal|anexo|toestel|anknytning|wew\.?|доб\.?)"
    r"[ .:]{0,2}\d{1,6}\b(?:(?<=\d)\))?",
    re.IGNORECASE,
)

"""Words of letters and digits that are a number of somebody's: IBAN, wallets, national ids with letters, passports, licences."""

from __future__ import annotations

import re
from typing import Final

from . import checks
from .scan import Scan, Word


def code(scan: Scan, word: Word) -> bool:
    """Whether the word is a known code, which is then added. What needs a word before it asks ``scan.topics``."""
    size, said = word.size, word.text
    if size > 120:
        return False
    if said[:2].isalpha() and said[2:4].isdecimal() and iban(scan, word.start):
        return True
    upper = said.upper()
    if size == 16 and _FISCAL.fullmatch(upper) and checks.codice_fiscale(upper):
        scan.add("NATIONAL_ID", word.start, word.end, 1.0)
    elif size in {4, 11} and _finnish(scan, word):
        pass
    elif size == 9 and _DNI.fullmatch(upper) and checks.dni(upper):
        scan.add("NATIONAL_ID", word.start, word.end, 0.9)
    elif size == 9 and _NINO.fullmatch(upper) and upper[:2] not in _NINO_NEVER:
        scan.add("NATIONAL_ID", word.start, word.end, 0.9 if _about(scan, word, "nino", "id", "tax") else 0.6)
    elif size == 18 and checks.resident_id(upper):
        scan.add("NATIONAL_ID", word.start, word.end, 1.0)
    elif size == 16 and _UK_LICENSE.fullmatch(upper):
        scan.add("DRIVER_LICENSE", word.start, word.end, 0.9 if _about(scan, word, "license", "driver") else 0.7)
    elif size >= 14 and _wallet(said):
        scan.add("CRYPTO", word.start, word.end, 0.9 if said[:2] == "0x" else 1.0)
    else:
        return _by_context(scan, word)
    return True


def iban(scan: Scan, at: int) -> bool:
    """An IBAN that begins at ``at``: its country says how long it is; groups may be parted by one space or dash each."""
    text = scan.text
    size = checks.IBAN_LENGTHS.get(text[at : at + 2].upper())
    if size is None:
        return False
    signs: list[str] = []
    here = at
    while len(signs) < size and here < len(text):
        sign = text[here]
        if sign.isascii() and sign.isalnum():
            signs.append(sign)
        elif sign not in " -" or not text[here - 1].isalnum():
            return False
        here += 1
    if len(signs) < size or (here < len(text) and text[here].isalnum()) or not checks.iban("".join(signs).upper()):
        return False
    scan.add("IBAN", at, here, 1.0)
    return True


def spaced_nino(scan: Scan, start: int, end: int) -> bool:
    """Three pairs of digits between two letters and one: ``AB 12 34 56 C``."""
    match = _SPACED_NINO.match(scan.text, max(0, start - 3))
    if not match or match.end() < end or match[1] in _NINO_NEVER:
        return False
    scan.add("NATIONAL_ID", match.start(1), match.end(), 0.9)
    return True


def _finnish(scan: Scan, word: Word) -> bool:
    """``131052-308T``, ``131052A308T``: a sign between birthday and serial tells the century."""
    start = word.end - 11
    match = _HETU.match(scan.text, start) if start >= 0 else None
    if not match or match.end() != word.end or not checks.hetu(match[1] + match[2], match[3]):
        return False
    scan.add("NATIONAL_ID", start, word.end, 1.0)
    return True


def _wallet(said: str) -> bool:
    if said[0] in "13LDMTA9" and 25 <= len(said) <= 35:
        return checks.base58(said)
    if said[:2] == "0x":
        return len(said) == 42 and bool(_HEX.fullmatch(said, 2))
    lower = said.lower()
    return lower.startswith(("bc1", "tb1", "ltc1")) and said in {lower, said.upper()} and checks.bech32(lower)


def _by_context(scan: Scan, word: Word) -> bool:
    """Letters and digits with no check of their own: a passport, a licence, a postal code, where the words before say so."""
    if not 4 <= word.size <= 18 or sum(sign.isdecimal() for sign in word.text) < 3:
        return False
    for topic in scan.topics(word.start):
        if topic == "passport" and 6 <= word.size <= 10:
            scan.add("PASSPORT", word.start, word.end, 0.8)
            return True
        if topic in {"license", "driver"} and _about(scan, word, "license"):
            parted = _PARTED_LICENSE.match(scan.text, word.start)
            if parted or word.size > 4:
                scan.add("DRIVER_LICENSE", word.start, parted.end() if parted else word.end, 0.8)
                return True
        if topic in {"phone", "card", "account"}:
            return False
    return False


def _about(scan: Scan, word: Word, *wanted: str) -> bool:
    said = scan.topics(word.start)
    return any(topic in said for topic in wanted)


_FISCAL: Final = re.compile(r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]")
_DNI: Final = re.compile(r"[XYZ\d]\d{7}[A-Z]")
_HETU: Final = re.compile(r"(?<![\w-])(\d{6})[-+A-FU-Y](\d{3})([0-9A-Y])(?![\w-])")
_NINO: Final = re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]")
_SPACED_NINO: Final = re.compile(r"\b([A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]) ?\d\d \d\d \d\d ?[A-D]\b")
_NINO_NEVER: Final = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
"""HM Revenue & Customs, NIM39110: letters and prefixes that are not used."""
_UK_LICENSE: Final = re.compile(r"[A-Z]{1,5}9{0,4}\d[0156]\d[0-3]\d{2}[A-Z9]{2}\d[A-Z]{2}")
_PARTED_LICENSE: Final = re.compile(r"[A-Za-z]\d{3,4}(?:-\d{2,5}){1,4}(?:-\d)?(?![\w-])")
_HEX: Final = re.compile(r"[0-9a-fA-F]{40}")

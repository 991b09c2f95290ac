"""Words of letters and digits that are a number of somebody's: IBAN, wallets, national ids with letters, passports, licences."""

from __future__ import annotations

import re
from typing import Final

from . import checks, registers
from .scan import Scan, Window, Word


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
    elif size == 9 and _NINO.fullmatch(upper) and (upper[:2] not in _NINO_NEVER or _about(scan, word, "nino")):
        scan.add("NATIONAL_ID", word.start, word.end, 0.9 if _about(scan, word, "nino", "id", "tax") else 0.6)
    elif size == 18 and checks.resident_id(upper):
        scan.add("NATIONAL_ID", word.start, word.end, 1.0)
    elif size == 16 and _UK_LICENSE.fullmatch(upper):
        scan.add("DRIVER_LICENSE", word.start, word.end, 0.9 if _about(scan, word, "license", "driver") else 0.7)
    elif size in _REGISTERED and (score := _registered(said)):
        scan.add("NATIONAL_ID", word.start, word.end, score)
    elif size in {7, 8} and _hong_kong(scan, word):
        pass
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
    if not match or match.end() < end or (match[1] in _NINO_NEVER and "nino" not in scan.topics(start)):
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


def _registered(said: str) -> float:
    """How sure the form and the check of a word are a personal number's: by its size, the country's."""
    size = len(said)
    if size == 9 and _NRIC.fullmatch(said):
        return 0.9 * registers.nric(said)
    if size in {8, 9} and _PPSN.fullmatch(said):
        return 0.7 * registers.ppsn(said)
    if size == 10:
        return 0.7 if _PAN.fullmatch(said) or (_TAIWANESE.fullmatch(said) and registers.taiwanese(said)) else 0.0
    if size == 13:
        return 0.6 * (_RFC.fullmatch(said) is not None)
    return 0.9 if size == 18 and _CURP.fullmatch(said) and registers.curp(said) else 0.0


def _hong_kong(scan: Scan, word: Word) -> bool:
    """``A123456(3)``."""
    match = _HKID.match(scan.text, word.start)
    if match is None or not registers.hkid(match[1], match[2]):
        return False
    scan.add("NATIONAL_ID", word.start, match.end(), 0.9)
    return True


def lettered(scan: Scan, window: Window) -> bool:
    """Digits, a dash and one letter: Spain's ``12.345.678-Z``, Chile's ``12.345.678-K``."""
    match = _LETTER.match(scan.text, window.end)
    if match is None or not 7 <= window.form.total <= 8 or not window.form.seps <= {"."}:
        return False
    sign = match[1].upper()
    if not (checks.dni(window.digits + sign) or (sign == "K" and registers.rut(window.digits, sign))):
        return False
    scan.add("NATIONAL_ID", window.start, match.end(), 0.9)
    return True


def prefixed(scan: Scan, start: int) -> int:
    """Where a number begins that one to three capitals before it belong to: ``ZS 4410287``."""
    match = _PREFIX.search(scan.text, max(0, start - 5), start)
    return match.start(1) if match else start


def _wallet(said: str) -> bool:
    if said[0] == "r" and 25 <= len(said) <= 35:
        return checks.base58(said.translate(_RIPPLE))
    if said[0] in "13LDMTA9" and 25 <= len(said) <= 35:
        return checks.base58(said)
    if said[:2] == "0x":
        return len(said) == 42 and bool(_HEX.fullmatch(said, 2))
    lower = said.lower()
    return lower.startswith(("bc1", "tb1", "ltc1", "addr1")) and said in {lower, said.upper()} and checks.bech32(lower)


def _by_context(scan: Scan, word: Word) -> bool:
    """Letters and digits with no check of their own: a passport, a licence, a postal code, where the words before say so."""
    if word.size >= 40 and _no_base64(scan.text, word) and "wallet" in scan.topics(word.start):
        scan.add("CRYPTO", word.start, word.end, 0.7)
        return True
    if word.size == 12 and _TWELVE.fullmatch(word.text) and "mac" in scan.topics(word.start):
        scan.add("MAC", word.start, word.end, 0.8)
        return True
    if not 4 <= word.size <= 18 or sum(sign.isdecimal() for sign in word.text) < 3:
        return False
    for topic in scan.topics(word.start):
        if topic == "nation" and 6 <= word.size <= 18:
            scan.add("NATIONAL_ID", word.start, word.end, 0.6)
            return True
        if topic == "passport" and 6 <= word.size <= 10:
            scan.add("PASSPORT", word.start, word.end, 0.8)
            return True
        if topic in {"license", "driver"} and _about(scan, word, "license") and scan.topics(word.start)[0] != "thing":
            parted = _PARTED_LICENSE.match(scan.text, word.start)
            if parted or word.size > 4:
                scan.add("DRIVER_LICENSE", word.start, parted.end() if parted else word.end, 0.8)
                return True
        if topic in {"phone", "card", "account"}:
            return False
    return False


def _no_base64(text: str, word: Word) -> bool:
    return text[word.start - 1 : word.start] not in _OF_BASE64 and text[word.end : word.end + 1] not in _OF_BASE64


def _about(scan: Scan, word: Word, *wanted: str) -> bool:
    said = scan.topics(word.start)
    return any(topic in said for topic in wanted)


_FISCAL: Final = re.compile(r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]")
_DNI: Final = re.compile(r"[XYZ\d]\d{7}[A-Z]")
_HETU: Final = re.compile(r"(?<![\w-])(\d{6})[-+A-FU-Y](\d{3})([0-9A-Y])(?![\w-])")
_NINO: Final = re.compile(r"(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|QQ)\d{6}[A-D]")
_SPACED_NINO: Final = re.compile(r"\b([A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|QQ) ?\d\d \d\d \d\d ?[A-D]\b")
_NINO_NEVER: Final = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ", "QQ"})
"""HM Revenue & Customs, NIM39110: letters and prefixes that are not used."""
_UK_LICENSE: Final = re.compile(r"[A-Z]{1,5}9{0,4}\d[0156]\d[0-3]\d{2}[A-Z9]{2}\d[A-Z]{2}")
_PARTED_LICENSE: Final = re.compile(r"[A-Za-z]\d{3,4}(?:-\d{2,5}){1,4}(?:-\d)?(?![\w-])")
_REGISTERED: Final = frozenset({8, 9, 10, 13, 18})
_RIPPLE: Final = str.maketrans(
    "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz",
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
)
"""Ripple's order of the same signs."""
_OF_BASE64: Final = frozenset("/+=")
_TWELVE: Final = re.compile(r"[0-9A-Fa-f]{12}")
_NRIC: Final = re.compile(r"[STFGM]\d{7}[A-Z]")
_CURP: Final = re.compile(r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d")
_PPSN: Final = re.compile(r"\d{7}[A-W][A-IW]?")
_PAN: Final = re.compile(r"[A-Z]{3}[PCHFATBLJG][A-Z]\d{4}[A-Z]")
"""India's permanent account number; the fourth letter says whose."""
_RFC: Final = re.compile(r"[A-Z&]{4}\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[A-Z\d]{3}")
_TAIWANESE: Final = re.compile(r"[A-Z][1289]\d{8}")
_HKID: Final = re.compile(r"([A-Z]{1,2}\d{6}) ?\(([\dA])\)")
_LETTER: Final = re.compile(r"-([A-Za-z])(?![^\W_])")
_PREFIX: Final = re.compile(r"(?<![^\W_])([A-Z]{1,3})[ -]\Z")
_HEX: Final = re.compile(r"[0-9a-fA-F]{40}")

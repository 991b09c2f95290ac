"""Checksums of personal numbers: digits in, yes or no out. Each function names whose rule it is. Knows nothing of texts."""

from __future__ import annotations

import hashlib
from typing import Final


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1: from the right, every second digit doubled and its digits added; the sum is a multiple of ten."""
    total = 0
    for at, sign in enumerate(reversed(digits)):
        total += _DOUBLED[int(sign)] if at % 2 else int(sign)
    return total % 10 == 0


def issued(digits: str) -> bool:
    """A payment card's number: the ranges that issuers hold (ISO/IEC 7812-2, the brands' public tables), and Luhn."""
    size = len(digits)
    if not 12 <= size <= 19 or len(set(digits)) < 2:
        return False
    for low, high, sizes in _ISSUERS.get(digits[0], ()):
        if size in sizes and low <= digits[: len(low)] <= high:
            return luhn(digits)
    return False


def iban(bare: str) -> bool:
    """ISO 13616: the length is the country's, and moved and spelt out as digits the number is 1 modulo 97."""
    if IBAN_LENGTHS.get(bare[:2]) != len(bare):
        return False
    return int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 == 1


def routing(digits: str) -> bool:
    """American Bankers Association: nine digits weighted 3, 7, 1; the first two name a Federal Reserve district."""
    if len(digits) != 9 or not _within(digits[:2], ("00", "12"), ("21", "32"), ("61", "72"), ("80", "80")):
        return False
    return digits != "000000000" and _weighted(digits, (3, 7, 1, 3, 7, 1, 3, 7, 1)) % 10 == 0


def ssn(digits: str) -> bool:
    """Social Security Administration: no area 000, 666 or 9xx, no group 00, no serial 0000; nor the two printed in adverts."""
    if len(digits) != 9 or digits[:3] in {"000", "666"} or digits[0] == "9":
        return False
    return (
        digits[3:5] != "00"
        and digits[5:] != "0000"
        and digits not in {"078051120", "219099999"}
        and len(set(digits)) > 1
    )


def verhoeff(digits: str) -> bool:
    """J. Verhoeff, Error Detecting Decimal Codes (1969): the dihedral group's check, used by Aadhaar."""
    check = 0
    for at, sign in enumerate(reversed(digits)):
        check = _DIHEDRAL[check][_PERMUTED[at % 8][int(sign)]]
    return check == 0


def nhs(digits: str) -> bool:
    """NHS Data Dictionary: ten digits, weights ten down to two, modulus 11; a check of ten is never given out."""
    check = 11 - _weighted(digits[:9], tuple(range(10, 1, -1))) % 11
    return len(digits) == 10 and check % 11 == int(digits[9]) and check != 10 and len(set(digits)) > 1


def steuer_id(digits: str) -> bool:
    """Bundeszentralamt für Steuern: eleven digits by ISO 7064 MOD 11,10; one digit of the first ten comes two or three times."""
    if len(digits) != 11 or digits[0] == "0" or 11 - len(set(digits[:10])) not in {2, 3}:
        return False
    product = 10
    for sign in digits[:10]:
        total = (int(sign) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def nir(digits: str) -> bool:
    """INSEE: sex, year, month, department, commune, order, and a key that is 97 less the rest modulo 97."""
    if len(digits) != 15 or digits[0] not in "12" or not _within(digits[3:5], ("01", "12"), ("20", "42"), ("50", "99")):
        return False
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def dni(word: str) -> bool:
    """Spain, Real Decreto 1553/2005: eight digits, or X, Y, Z for 0, 1, 2 and seven, and the letter of the rest modulo 23."""
    digits = str("XYZ".find(word[0])) + word[1:-1] if word[0] in "XYZ" else word[:-1]
    return len(digits) == 8 and digits.isdecimal() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == word[-1]


def codice_fiscale(word: str) -> bool:
    """Italy, DM 23 December 1976: fifteen signs, odd and even places valued differently, and a letter modulo 26."""
    total = sum(_ODD[sign] if at % 2 == 0 else int(sign, 36) - 10 * sign.isalpha() for at, sign in enumerate(word[:15]))
    return chr(65 + total % 26) == word[15]


def bsn(digits: str) -> bool:
    """The Netherlands' eleven test: weights nine down to two, and minus one for the last."""
    return len(digits) == 9 and digits != "000000000" and _weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def pesel(digits: str) -> bool:
    """Poland: a birthday whose month carries the century, and weights 1, 3, 7, 9."""
    month = int(digits[2:4]) % 20
    return (
        len(digits) == 11
        and 1 <= month <= 12
        and "01" <= digits[4:6] <= "31"
        and _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    )


def aadhaar(digits: str) -> bool:
    """Unique Identification Authority of India: twelve digits, none begins with 0 or 1, Verhoeff's check."""
    return len(digits) == 12 and digits[0] not in "01" and len(set(digits)) > 2 and verhoeff(digits)


def cpf(digits: str) -> bool:
    """Brazil, Receita Federal: two check digits, each eleven less the weighted sum modulo 11."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for size in (9, 10):
        rest = _weighted(digits[:size], tuple(range(size + 1, 1, -1))) * 10 % 11 % 10
        if rest != int(digits[size]):
            return False
    return True


def sin(digits: str) -> bool:
    """Canada: nine digits with Luhn; none begins with 0 or 8."""
    return len(digits) == 9 and digits[0] not in "08" and luhn(digits)


def personnummer(digits: str) -> bool:
    """Sweden: a birthday (sixty more on the day in a co-ordination number) and Luhn over the last ten digits."""
    ten = digits[-10:]
    day = int(ten[4:6])
    return "01" <= ten[2:4] <= "12" and (1 <= day <= 31 or 61 <= day <= 91) and luhn(ten)


def hetu(digits: str, letter: str) -> bool:
    """Finland: birthday and serial as one number, modulo 31, name a sign."""
    return "01" <= digits[:2] <= "31" and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == letter


def fodselsnummer(digits: str) -> bool:
    """Norway: a birthday and two check digits modulo 11."""
    if len(digits) != 11 or not ("01" <= digits[:2] <= "71" and "01" <= digits[2:4] <= "92"):
        return False
    first = _weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0))
    second = _weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
    return first % 11 == 0 and second % 11 == 0


def cpr(digits: str) -> bool:
    """Denmark: a birthday and four more digits; since 2007 the old check is not kept, so the day is all there is to see."""
    return len(digits) == 10 and "01" <= digits[:2] <= "31" and "01" <= digits[2:4] <= "12"


def rijksregister(digits: str) -> bool:
    """Belgium: 97 less the first nine modulo 97, with a 2 before them for those born since 2000."""
    rest = int(digits[9:])
    return len(digits) == 11 and rest in {97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97}


def ahv(digits: str) -> bool:
    """Switzerland: thirteen digits that begin with 756, checked as an EAN-13."""
    return len(digits) == 13 and digits[:3] == "756" and _weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


def tckn(digits: str) -> bool:
    """Turkey: the tenth digit from the odd and even places, the eleventh from the sum."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    signs = [int(sign) for sign in digits]
    return (sum(signs[0:9:2]) * 7 - sum(signs[1:8:2])) % 10 == signs[9] and sum(signs[:10]) % 10 == signs[10]


def resident_id(word: str) -> bool:
    """China, GB 11643-1999: seventeen digits with a birthday, and ISO 7064 MOD 11-2, X being ten."""
    if (
        len(word) != 18
        or not word[:17].isdecimal()
        or not ("1900" <= word[6:10] <= "2099" and "01" <= word[10:12] <= "12")
    ):
        return False
    total = _weighted(word[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    return "01" <= word[12:14] <= "31" and "10X98765432"[total % 11] == word[17]


def rrn(digits: str) -> bool:
    """Korea: a birthday, a digit for sex and century, and a check modulo 11 (given out until October 2020)."""
    if len(digits) != 13 or not (
        "01" <= digits[2:4] <= "12" and "01" <= digits[4:6] <= "31" and digits[6] in "12345678"
    ):
        return False
    return (11 - _weighted(digits[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(digits[12])


def tfn(digits: str) -> bool:
    """Australia: nine digits with weights, modulo 11."""
    return len(digits) == 9 and _weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def base58(word: str) -> bool:
    """A wallet as Bitcoin's and its relatives' first addresses are written: 25 bytes, the last four a double SHA-256."""
    number = 0
    for sign in word:
        value = _BASE58.find(sign)
        if value < 0:
            return False
        number = number * 58 + value
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def bech32(word: str) -> bool:
    """BIP 173 and BIP 350: a BCH code over five-bit signs, whose remainder is 1 or, for Taproot, 0x2BC830A3."""
    prefix, _, data = word.rpartition("1")
    values = [_BECH32.find(sign) for sign in data]
    if not prefix or len(data) < 6 or min(values) < 0:
        return False
    check = 1
    for value in [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix] + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(_GENERATOR):
            check ^= term if top >> bit & 1 else 0
    return check in {1, 0x2BC830A3}


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(sign) * weight for sign, weight in zip(digits, weights, strict=True))


def _within(value: str, *ranges: tuple[str, str]) -> bool:
    return any(low <= value <= high for low, high in ranges)


_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_ISSUERS: Final[dict[str, tuple[tuple[str, str, frozenset[int]], ...]]] = {
    "1": (("1800", "1800", frozenset({15})),),
    "2": (
        ("2131", "2131", frozenset({15})),
        ("2200", "2204", frozenset({16, 17, 18, 19})),
        ("2221", "2720", frozenset({16})),
    ),
    "3": (
        ("34", "34", frozenset({15})),
        ("37", "37", frozenset({15})),
        ("300", "305", frozenset({14, 16, 17, 18, 19})),
        ("309", "309", frozenset({14, 16, 17, 18, 19})),
        ("36", "36", frozenset({14, 15, 16, 17, 18, 19})),
        ("38", "39", frozenset({14, 16, 17, 18, 19})),
        ("3528", "3589", frozenset({16, 17, 18, 19})),
    ),
    "4": (("4", "4", frozenset({13, 16, 19})),),
    "5": (
        ("51", "55", frozenset({16})),
        ("50", "50", frozenset(range(12, 20))),
        ("56", "58", frozenset(range(12, 20))),
    ),
    "6": (("60", "69", frozenset(range(12, 20))),),
    "8": (("81", "82", frozenset({16})),),
    "9": (("9792", "9792", frozenset({16})),),
}
"""By the first digit: JCB (1800, 2131, 3528-3589), Mir, Mastercard, American Express, Diners Club, Visa, Maestro, Discover,
UnionPay, RuPay, Troy, with the lengths that each gives out."""

_REGISTERED: Final = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18"
    " FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21"
    " LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18"
    " SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBAN_LENGTHS: Final = {row[:2]: int(row[2:]) for row in _REGISTERED.split()}
"""Length by country (SWIFT, IBAN Registry)."""

_DIHEDRAL: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTED: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ),
        strict=True,
    )
)
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

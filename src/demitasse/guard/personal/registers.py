"""Checks of personal numbers of more countries, as ``checks`` has them: digits or a word in, yes or no out. Knows no text.

Weights and moduli are those that the issuing registers publish; python-stdnum's documentation lists them by country.
"""

from __future__ import annotations

from typing import Final

from .checks import luhn


def _sum(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(sign) * weight for sign, weight in zip(digits, weights, strict=False))


def _day(month: str, day: str) -> bool:
    return "01" <= month <= "12" and "01" <= day <= "31"


def south_african(digits: str) -> bool:
    """Thirteen digits: a birthday, sex, 0 or 1 for citizenship, Luhn."""
    return len(digits) == 13 and _day(digits[2:4], digits[4:6]) and digits[10] in "012" and luhn(digits)


def cnp(digits: str) -> bool:
    """Romania: sex and century, a birthday, a county, modulus 11 with 10 as 1."""
    if len(digits) != 13 or digits[0] == "0" or not _day(digits[3:5], digits[5:7]):
        return False
    rest = _sum(digits, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return int(digits[12]) == (1 if rest == 10 else rest)


def jmbg(digits: str) -> bool:
    """Yugoslavia's successors: day, month, three digits of the year, region, serial, modulus 11."""
    if len(digits) != 13 or not _day(digits[2:4], digits[:2]):
        return False
    check = 11 - _sum(digits, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return check % 11 == int(digits[12]) and check != 10


def thai(digits: str) -> bool:
    """Thailand: thirteen digits, weights thirteen down to two, modulus 11."""
    return len(digits) == 13 and "1" <= digits[0] <= "8" and (11 - _sum(digits, _THAI) % 11) % 10 == int(digits[12])


def egn(digits: str) -> bool:
    """Bulgaria: a birthday whose month carries the century, modulus 11."""
    return (
        len(digits) == 10
        and _day(f"{int(digits[2:4]) % 20:02}", digits[4:6])
        and _sum(digits, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(digits[9])
    )


def rodne(digits: str) -> bool:
    """Czechia and Slovakia: a birthday (fifty more on the month for women), and a number that eleven divides."""
    month = int(digits[2:4]) % 50
    return (
        len(digits) == 10
        and (1 <= month <= 12 or 21 <= month <= 32)
        and "01" <= digits[4:6] <= "31"
        and int(digits) % 11 == 0
    )


def svnr(digits: str) -> bool:
    """Austria: a serial, its check digit in fourth place, a birthday."""
    return (
        len(digits) == 10
        and digits[0] != "0"
        and _day(min(digits[6:8], "12"), digits[4:6])
        and _sum(digits, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(digits[3])
    )


def kennitala(digits: str) -> bool:
    """Iceland: a birthday, a serial, modulus 11, the century."""
    return (
        len(digits) == 10
        and _day(digits[2:4], digits[:2])
        and digits[9] in "890"
        and _sum(digits, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def medicare(digits: str) -> bool:
    """Australia: ten digits, the ninth a weighted sum modulo 10."""
    return len(digits) == 10 and digits[0] in "23456" and _sum(digits, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(digits[8])


def cuit(digits: str) -> bool:
    """Argentina: a kind of person, eight digits, modulus 11."""
    if len(digits) != 11 or digits[:2] not in {"20", "23", "24", "25", "26", "27", "30", "33", "34"}:
        return False
    return (11 - _sum(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11 == int(digits[10])


def rut(digits: str, sign: str) -> bool:
    """Chile: seven or eight digits and a check sign modulo 11, K being ten."""
    total = sum(int(digit) * (2 + at % 6) for at, digit in enumerate(reversed(digits)))
    return 7 <= len(digits) <= 8 and "0123456789K0"[11 - total % 11 if total % 11 else 0] == sign.upper()


def nif(digits: str) -> bool:
    """Portugal: nine digits, weights nine down to two, modulus 11."""
    return len(digits) == 9 and digits[0] in "1235689" and (11 - _sum(digits, _NIF) % 11) % 11 % 10 == int(digits[8])


def amka(digits: str) -> bool:
    """Greece: a birthday and Luhn."""
    return len(digits) == 11 and _day(digits[2:4], digits[:2]) and luhn(digits)


def oib(digits: str) -> bool:
    """Croatia: eleven digits by ISO 7064 MOD 11,10."""
    product = 10
    for sign in digits[:10]:
        product = ((int(sign) + product) % 10 or 10) * 2 % 11
    return len(digits) == 11 and (11 - product) % 10 == int(digits[10])


def baltic(digits: str) -> bool:
    """Estonia and Lithuania: sex and century, a birthday, two rounds of modulus 11."""
    if len(digits) != 11 or digits[0] not in "123456" or not _day(digits[3:5], digits[5:7]):
        return False
    check = _sum(digits[:10], (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = _sum(digits[:10], (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return check == int(digits[10])


def snils(digits: str) -> bool:
    """Russia's pension number: nine digits and their weighted sum modulo 101."""
    return len(digits) == 11 and _sum(digits, tuple(range(9, 0, -1))) % 101 % 100 == int(digits[9:])


def inn(digits: str) -> bool:
    """Russia's tax number of a person: two check digits modulo 11."""
    return (
        len(digits) == 12
        and _sum(digits, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10 == int(digits[10])
        and _sum(digits, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10 == int(digits[11])
    )


def my_number(digits: str) -> bool:
    """Japan: twelve digits, modulus 11."""
    rest = _sum(digits, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return len(digits) == 12 and (0 if rest <= 1 else 11 - rest) == int(digits[11])


def mykad(digits: str) -> bool:
    """Malaysia: a birthday, a place, a serial."""
    return len(digits) == 12 and _day(digits[2:4], digits[4:6]) and digits[6:8] not in {"00", "17", "18", "19", "20"}


def nik(digits: str) -> bool:
    """Indonesia: a place, a birthday (forty more on the day for women), a serial."""
    return len(digits) == 16 and _day(digits[8:10], f"{int(digits[6:8]) % 40:02}") and digits[12:] != "0000"


def emirates(digits: str) -> bool:
    """United Arab Emirates: 784, the year of birth, Luhn."""
    return len(digits) == 15 and digits[:3] == "784" and "1900" <= digits[3:7] <= "2099"


def israeli(digits: str) -> bool:
    """Israel: nine digits with Luhn."""
    return len(digits) == 9 and luhn(digits)


def anyone(digits: str) -> bool:
    """A form so particular that no check is needed."""
    return len(set(digits)) > 2


def nric(word: str) -> bool:
    """Singapore: a letter for century and status, seven digits, a letter modulo 11."""
    total = _sum(word[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(word[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}[
        word[0]
    ]
    return letters[total % 11 if word[0] != "M" else 10 - total % 11] == word[8]


def taiwanese(word: str) -> bool:
    """Taiwan: a letter for the county, sex, eight digits, modulus 10."""
    place = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(word[0]) + 10
    return (place // 10 + place % 10 * 9 + _sum(word[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def hkid(word: str, sign: str) -> bool:
    """Hong Kong: one or two letters, six digits, and a sign in brackets modulo 11, A being ten."""
    letters = f"{word:>8}"[:2]
    total = sum((36 if one == " " else ord(one) - 55) * weight for one, weight in zip(letters, (9, 8), strict=True))
    total += _sum(word[-6:], (7, 6, 5, 4, 3, 2))
    return (total + (10 if sign == "A" else int(sign))) % 11 == 0


def ppsn(word: str) -> bool:
    """Ireland: seven digits, a letter modulo 23, and perhaps one more."""
    total = _sum(word[:7], (8, 7, 6, 5, 4, 3, 2))
    if len(word) == 9:
        total += 9 * (ord(word[8]) - 64) if word[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == word[7]


def curp(word: str) -> bool:
    """Mexico: letters of the name, a birthday, sex, state, consonants, and a check digit modulo 10."""
    if not _day(word[6:8], word[8:10]):
        return False
    total = sum(_CURP.index(sign) * (18 - at) for at, sign in enumerate(word[:17]))
    return (10 - total % 10) % 10 == int(word[17])


_THAI: Final = tuple(range(13, 1, -1))
_NIF: Final = tuple(range(9, 1, -1))
_CURP: Final = "0123456789ABCDEFGHIJKLMN?OPQRSTUVWXYZ"

"""What ``phonenumbers`` says of a number to dial, with less of its work: its own tables are asked first. Knows no text.

The library parses a number (12 µs) and tries it on every country that shares its code (5 to 25 µs). Where its tables of lengths
say that no country has such a number, and where nothing would be stripped from it, neither is needed.
"""
# ruff: noqa: PLC0415 - phonenumbers brings its tables along, so the first candidate imports it

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

VALID: Final = 1.0
POSSIBLE: Final = 0.7


class Plan(NamedTuple):
    """How long numbers of one calling code are, and what is stripped from their beginning."""

    lengths: frozenset[int]
    usual: frozenset[int]
    """In the main country of those that share the code: by these the library says what is possible."""
    stripped: re.Pattern[str] | None


def dismissed(number: str) -> bool:
    """Whether a number with a plus sign and its calling code is none, by the library's tables alone."""
    if not number.isascii():
        return False
    code = _code(number)
    if not code:
        return True
    plan, rest = _plan(code), number[1 + len(str(code)) :]
    return len(rest) not in plan.lengths and not (plan.stripped and plan.stripped.match(rest))


def possible(number: str) -> bool:
    """Whether a number with a plus sign and its calling code is as long as some that its code has; ``verdict`` says no less."""
    code = _code(number) if number.isascii() else 0
    plan, rest = _plan(code) if code else None, number[1 + len(str(code)) :]
    return plan is not None and len(rest) in plan.usual and not (plan.stripped and plan.stripped.match(rest))


def verdict(number: str, region: str | None) -> float:
    """1 for a number that is given out, 0.7 for one of a possible length, 0 for none of the two.

    Args:
        number: digits, with a plus sign where the calling code is in them. region: whose number it is where there is none.
    """
    import phonenumbers

    digits = number.lstrip("+")
    if region is None:
        code = _code(number) if number.isascii() else 0
        rest = digits[len(str(code)) :]
    else:
        code, rest = (1, digits) if region == "US" and len(digits) == 10 else (0, digits)
    if code and rest.isascii() and rest[:1] != "0":
        plan = _plan(code)
        if len(rest) in plan.lengths and not (plan.stripped and plan.stripped.match(rest)):
            # a North American exchange begins with 2 to 9; the Dominican Republic has more to dial (and areas that begin with 8)
            if code == 1 and len(rest) == 10 and rest[3] in "01" and rest[0] != "8":
                return POSSIBLE
            return _says(phonenumbers.PhoneNumber(country_code=code, national_number=int(rest)))
    try:
        return _says(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return 0.0


def _says(parsed: PhoneNumber) -> float:
    import phonenumbers

    if phonenumbers.is_valid_number(parsed):
        return VALID
    return POSSIBLE if phonenumbers.is_possible_number(parsed) else 0.0


def _code(number: str) -> int:
    """The calling code after the plus sign, 0: none."""
    return _begins(number[1:4])


@cache
def _begins(digits: str) -> int:
    """The calling code that three digits begin with; no code begins another."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    if digits[:1] != "0":
        for size in (1, 2, 3):
            code = int(digits[:size])
            if code in COUNTRY_CODE_TO_REGION_CODE:
                return code
    return 0


@cache
def _plan(code: int) -> Plan:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    lengths: set[int] = set()
    usual: frozenset[int] = frozenset()
    prefix = None
    for at, region in enumerate(COUNTRY_CODE_TO_REGION_CODE[code]):
        told = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        if told is None or told.general_desc is None:
            continue
        here = (*told.general_desc.possible_length, *told.general_desc.possible_length_local_only)
        lengths.update(here)
        if at == 0:  # the main country's rule is the one that is applied
            usual = frozenset(here)
            prefix = told.national_prefix_for_parsing
    return Plan(frozenset(lengths), usual, re.compile(prefix) if prefix else None)

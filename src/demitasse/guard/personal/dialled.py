"""What ``phonenumbers`` says of a number to dial, by its tables and with less of its work. Knows no text.

The library parses a number (12 µs) and tries it on every country that shares its code (5 to 25 µs). Here the patterns of a
calling code are compiled into one for each country, which says the same in 1 to 3 µs; numbers from which the library would strip
more than a plain trunk prefix are left to it.
"""
# ruff: noqa: PLC0415 - phonenumbers brings its tables along, so the first candidate imports it

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, NamedTuple

VALID: Final = 1.0
POSSIBLE: Final = 0.7


class Plan(NamedTuple):
    """The numbers of one calling code: how long they are, what is stripped from their beginning, which are given out."""

    lengths: frozenset[int]
    usual: frozenset[int]
    """In the main country of those that share the code: by these the library says what is possible."""
    abroad: re.Pattern[str] | None
    """What is dialled there before another country's calling code."""
    stripped: re.Pattern[str] | None
    whole: frozenset[int]
    """Of ``usual`` those that can be dialled from everywhere."""
    general: re.Pattern[str] | None
    """The main country's most general pattern: by it the library tells whether a trunk prefix was one."""
    countries: tuple[str, ...]
    """Patterns of what is given out, by countries that no leading digits tell apart; ``led`` has the others: leading digits, then
    those. They are compiled when first asked for: North America's take 30 ms."""
    leads: re.Pattern[str] | None
    led: tuple[tuple[str, str], ...]


def known(number: str, region: str | None) -> float | None:
    """As ``verdict``, where the tables alone tell; else None.

    Args:
        number: digits, with a plus sign where the calling code is in them. region: whose number it is where there is none.
    """
    if not number.isascii():
        return None
    if region is None:
        code = _begins(number[1:4])
        if not code:
            return 0.0
        rest = number[1 + len(str(code)) :]
    else:
        code, rest = _code_of(region), number
        if not (rest[0] == "0" if code != 1 else len(rest) == 10 and rest[0] > "1"):
            return None  # perhaps a calling code without its sign
    plan = _plan(code)
    if region is not None and plan.abroad is not None and plan.abroad.match(rest):
        return None
    trunk = plan.stripped.match(rest) if plan.stripped else None
    if trunk is not None:
        if trunk.lastindex or plan.general is None or plan.general.fullmatch(rest):
            return None  # something may come in its place, or it may be the number's own
        rest = rest[trunk.end() :]
        if len(rest) not in plan.whole:
            return None
    if len(rest) < _LEAST:
        return None
    if len(rest) not in plan.lengths:
        return 0.0
    if _given_out(plan, rest):
        return VALID
    return POSSIBLE if len(rest) in plan.usual else 0.0


def verdict(number: str, region: str | None) -> float:
    """1 for a number that is given out, 0.7 for one of a possible length, 0 for none of the two; arguments as of ``known``."""
    said = known(number, region)
    if said is not None:
        return said
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return 0.0
    if phonenumbers.is_valid_number(parsed):
        return VALID
    return POSSIBLE if phonenumbers.is_possible_number(parsed) else 0.0


def _given_out(plan: Plan, rest: str) -> bool:
    if plan.leads is not None and plan.leads.match(rest):
        for lead, pattern in plan.led:
            if _compiled(lead).match(rest):
                return _compiled(pattern).fullmatch(rest) is not None
    return any(_compiled(pattern).fullmatch(rest) for pattern in plan.countries)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _begins(digits: str) -> int:
    """The calling code that three digits begin with, 0: none; no code begins another."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    if digits[:1] != "0":
        for size in (1, 2, 3):
            code = int(digits[:size])
            if code in COUNTRY_CODE_TO_REGION_CODE:
                return code
    return 0


@cache
def _code_of(region: str) -> int:
    from phonenumbers import country_code_for_region

    return country_code_for_region(region)


@cache
def _plan(code: int) -> Plan:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    lengths: set[int] = set()
    usual: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()
    prefix = general = abroad = None
    countries: list[str] = []
    led: list[tuple[str, str]] = []
    for at, region in enumerate(COUNTRY_CODE_TO_REGION_CODE[code]):
        told = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        if told is None or told.general_desc is None:
            continue
        here = (*told.general_desc.possible_length, *told.general_desc.possible_length_local_only)
        lengths.update(here)
        if at == 0:  # the main country's rule is the one that is applied
            usual = frozenset(here)
            prefix, abroad = told.national_prefix_for_parsing, told.international_prefix
            whole = frozenset(told.general_desc.possible_length)
            general = re.compile(told.general_desc.national_number_pattern or _NOTHING)
        if told.leading_digits is None:
            countries.append(_types(told))
        else:
            led.append((told.leading_digits, _types(told)))
    return Plan(
        frozenset(lengths),
        usual,
        re.compile(abroad) if abroad else None,
        re.compile(prefix) if prefix else None,
        whole,
        general,
        tuple(countries),
        re.compile("|".join(lead for lead, _ in led)) if led else None,
        tuple(led),
    )


def _types(told: Any) -> str:
    """One pattern for all that a country gives out: the library's own, each with the lengths that it has."""
    kinds = (getattr(told, name) for name in _KINDS)
    return f"(?={_desc(told.general_desc)}\\Z)(?:{'|'.join(_desc(kind) for kind in kinds if kind is not None)})"


def _desc(desc: Any) -> str:
    pattern = desc.national_number_pattern
    if pattern is None:
        return _NOTHING
    sizes = "|".join(rf"\d{{{size}}}" for size in desc.possible_length)
    return rf"(?:(?=(?:{sizes})\Z)(?:{pattern}))" if sizes else f"(?:{pattern})"


_NOTHING: Final = "(?!)"
_LEAST: Final = 2
"""So many digits a number has at least, or the library finds none in it."""
_KINDS: Final = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)

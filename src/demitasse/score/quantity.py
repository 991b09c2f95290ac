"""Quantities as models write them: digits with separators, fractions, powers of ten, units, currency, percent, words.

Reads and compares; knows nothing of questions.
"""

from __future__ import annotations

import re
from fractions import Fraction

from msgspec import Struct

from .normal import LISTED, plain


class Number(Struct, frozen=True):
    """A quantity: exact value, its unit as written ("" where none is), and how many decimals it was written with."""

    value: Fraction
    unit: str = ""
    decimals: int | None = None
    """None where it was exact: a fraction, or an integer."""


def number(text: str) -> Number | None:
    """The one number that a short answer is: ``$1,234.50``, ``-3/4``, ``3 1/2``, ``50 %``, ``2.5e-3 m``, ``seven``.

    None where it is anything else (two numbers, a formula, prose), and where it can be read in two ways (``1,5``).
    """
    if len(text) > _LONGEST_DRESSED:
        return None
    short = plain(text)
    if "," not in short:
        short = short.strip("() ")
    if len(short) > _LONGEST or LISTED.match(text):
        return None
    found = _NUMBER.fullmatch(short)
    if found is not None:
        return _read(found)
    word, _, unit = short.partition(" ")
    if word not in _WORDS or unit.count(" ") or unit in _NO_UNITS or not (unit == "" or unit.isalpha()):
        return None
    return Number(Fraction(_WORDS[word]), _unit(unit))


def numbers_in(text: str) -> list[Number]:
    """Every plain number in a text, in its order; without units."""
    return [n for n in (number(m[0]) for m in _FREE.finditer(plain(text))) if n is not None]


def same_number(a: Number, b: Number, *, relative: float = 1e-6) -> bool | None:
    """Whether two numbers say the same; None where one may be the other in another unit.

    ``50 %`` is 50 and 0.5; a unit that only one of them names is taken for the other's, unless what they differ by is
    a conversion (``1.5 hours``, ``90``). A number with two decimals or more may be the other one rounded.
    """
    units = {a.unit, b.unit} - {""}
    if "%" in units and len(units) == 1 and a.unit != b.unit:
        percent, other = (a, b) if a.unit == "%" else (b, a)
        share = Number(percent.value / 100, "", None if percent.decimals is None else percent.decimals + 2)
        return _close(percent, other, relative) or _close(share, other, relative)
    if len(units) > 1:
        return None
    if _close(a, b, relative):
        return True
    return None if a.unit != b.unit and _converted(a, b) else False


_LONGEST = 60
_LONGEST_DRESSED = 250
"""Characters with Markdown and LaTeX around it."""
_DIGITS = (
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?"  # 1,234.5
    r"|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}"  # 1.234,5 and 1.234.567
    r"|\d{1,3}(?:[ _']\d{3})+(?:\.\d+)?"  # 1 234.5
    r"|\d+\.\d+|\d+\.?|\.\d+)"
)
_CURRENCY = r"[$€£¥₹]|(?:us|usd|eur|gbp|inr|rs\.?)\s?\$?"
_GLUED_UNIT = (
    r"st|nd|rd|th|[%°$€£¥₹]|k?m[²³]?|[cmµn]m[²³]?|[km]?g|m?l|m?s|h|hrs?|min|km/h|mph|[kmgt]i?b|k?w|k?wh|usd|eur|°[cf]"
)
_LOOSE_UNIT = r"[a-zµ°][\w°²³.]*(?:\s?(?:/|per)\s?[a-z]+)?(?:\^\d)?(?:\s[a-z]{2,}){0,2}"
_NUMBER = re.compile(
    rf"(?:approximately|about|around|roughly|exactly|≈|~|=)?\s*(?P<sign>[+-])?\s?(?P<coin>{_CURRENCY})?\s?(?P<sign2>-)?"
    rf"(?:(?P<whole>\d+)\s(?P<top>\d+)/(?P<bottom>\d+)|(?P<num>{_DIGITS})\s?/\s?(?P<den>{_DIGITS})"
    rf"|(?P<digits>{_DIGITS})(?:\s?(?:e|[x×*]\s?10\^)\{{?(?P<power>[+-]?\d{{1,2}})\}}?)?)"
    rf"(?:\s?(?P<scale>thousand|million|billion|trillion|k|mn|bn)\b)?(?:(?P<glued>{_GLUED_UNIT})|\s(?P<loose>{_LOOSE_UNIT}|[%$€£¥₹]))?"
)
_FREE = re.compile(rf"(?<![\w.,/])-?(?:{_DIGITS})(?:/\d+)?(?!\w)%?")
_SCALES = {"thousand": 3, "k": 3, "million": 6, "mn": 6, "billion": 9, "bn": 9, "trillion": 12}
_WORDS = {
    word: value
    for value, word in enumerate((
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
    ))
}  # fmt: skip
_NO_UNITS = frozenset({
    "dozen", "dozens", "hundred", "hundreds", "score", "half", "halves", "third", "thirds", "quarter", "quarters", "fourths",
    "fifth", "fifths", "sixths", "sevenths", "eighth", "eighths", "ninths", "tenth", "tenths", "hundredths", "thousandths",
    "pair", "pairs", "times", "squared", "cubed", "pi", "tau", "sqrt", "of", "or", "and", "to", "plus", "minus", "mod", "choose",
})  # fmt: skip
"""Words after a number that change its value, or say that it isn't all: what they make of it is not read."""
_SAME_UNITS = {
    "$": "usd", "us$": "usd", "us": "usd", "dollar": "usd", "€": "eur", "euro": "eur", "£": "gbp", "pound sterling": "gbp",
    "¥": "yen", "₹": "inr", "rs": "inr", "rupee": "inr", "percent": "%", "per cent": "%", "percentage": "%", "°": "degree",
    "hr": "hour", "h": "hour", "min": "minute", "sec": "second", "s": "second", "kilometer": "km", "kilometre": "km",
    "meter": "m", "metre": "m", "centimeter": "cm", "centimetre": "cm", "kilogram": "kg", "gram": "g", "mile per hour": "mph",
    "feet": "foot", "ft": "foot", "inches": "inch",
}  # fmt: skip
_ORDINAL = frozenset({"st", "nd", "rd", "th"})
_CONVERSIONS = frozenset({7, 10, 12, 24, 30, 52, 60, 100, 365, 1000, 1024, 3600, 1440, 3, 36, 4, 16, 10**6, 10**9})
"""What one unit has of another: days, dozens, cents, yards, ounces, metric steps, bytes."""
_ROUNDED_FROM = 2


def _read(found: re.Match[str]) -> Number | None:
    part = found.groupdict()
    loose = (part["loose"] or "").split()
    if _NO_UNITS.intersection(loose) or (
        loose and len(loose[0]) == 1 and loose[0] not in _SAME_UNITS and loose[0] not in "mgl%$€£¥₹"
    ):
        return None
    decimals: int | None = None
    if part["whole"]:
        bottom = int(part["bottom"])
        value = int(part["whole"]) + Fraction(int(part["top"]), bottom) if bottom else None
    elif part["num"]:
        below = _digits(part["den"])[0]
        value = _digits(part["num"])[0] / below if below else None
    else:
        value, decimals = _digits(part["digits"])
        if part["power"]:
            value, decimals = value * Fraction(10) ** int(part["power"]), None
    if value is None:
        return None
    if part["scale"]:
        value, decimals = value * 10 ** _SCALES[part["scale"]], None
    if "-" in (part["sign"], part["sign2"]):
        value = -value
    return Number(Fraction(value), _unit(part["glued"] or part["loose"] or part["coin"] or ""), decimals)


def _digits(written: str) -> tuple[Fraction, int | None]:
    """Digits with any thousands separators, and how many decimals they have."""
    bare = re.sub(r"[ _']", "", written)
    if "," in bare and "." in bare and bare.rfind(",") > bare.rfind("."):  # 1.234,5
        bare = bare.replace(".", "").replace(",", ".")
    elif bare.count(".") > 1:  # 1.234.567
        bare = bare.replace(".", "")
    bare = bare.replace(",", "")
    after = bare.partition(".")[2]
    return Fraction(bare.rstrip(".")), len(after) or None


def _unit(written: str) -> str:
    unit = re.sub(r"\s+", " ", written.strip(" .").casefold())
    if unit in _ORDINAL:
        return ""
    if unit in _SAME_UNITS:
        return _SAME_UNITS[unit]
    single = " ".join(w.removesuffix("s") if len(w) > 2 and not w.endswith("ss") else w for w in unit.split())
    return _SAME_UNITS.get(single, single)


def _converted(a: Number, b: Number) -> bool:
    if not a.value or not b.value:
        return False
    ratio = max(abs(a.value), abs(b.value)) / min(abs(a.value), abs(b.value))
    return a.value * b.value > 0 and any(abs(ratio - c) <= Fraction(c, 1000) for c in _CONVERSIONS)


def _close(a: Number, b: Number, relative: float) -> bool:
    gap = abs(a.value - b.value)
    if gap <= Fraction(relative) * max(abs(a.value), abs(b.value)):
        return True
    places = [n.decimals for n in (a, b) if n.decimals is not None]
    if not places or min(places) < _ROUNDED_FROM:
        return False
    # the one with fewer decimals may be the other one rounded
    return gap <= Fraction(1, 2 * 10 ** min(places))

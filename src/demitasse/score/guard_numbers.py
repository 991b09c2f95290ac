"""Numbers in a text, however they are written: digits, words, ordinals, amounts, with their units. Pure."""

from __future__ import annotations

import re
from typing import Final

from .guard_words import AMOUNTS, NUMBER_WORDS, ORDINALS, SCALES, UNITS

_DIGITS: Final = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_ORDINAL: Final = re.compile(r"(\d+)(?:st|nd|rd|th|\.)")
_WITH_UNIT: Final = re.compile(r"(\d+(?:[.,]\d+)*)([^\W\d_]+|%|°)")
_LONG: Final = 30
_MONEY: Final = frozenset("$€£¥%°")


def numbered(words: list[str]) -> tuple[list[str], list[str]]:
    """The words with numbers as ``#value`` and units in one spelling, and the numbers alone, each with its unit.

    ``twenty-five km``, ``25 kilometres`` and ``25km`` are all ``#25 km``.
    """
    out: list[str] = []
    numbers: list[str] = []
    at = 0
    while at < len(words):
        value, used = _number(words, at)
        if value is None:
            out.append(words[at])
            at += 1
            continue
        sign = out[-1] if out and out[-1][-1:] in "$€£¥<>=-+≥≤" else ""
        out.append(f"#{value}")
        at += used
        unit = UNITS.get(words[at]) if at < len(words) else None
        if unit is None and at < len(words) and words[at] in _MONEY:
            unit = words[at]
        if unit is not None:
            out.append(unit)
            at += 1
        numbers.append(f"{sign}{value}{unit or ''}")
    return out, numbers


def is_number(word: str) -> bool:
    """Whether a word that begins with a digit is a number (with its unit or scale), and not a code that begins with one."""
    found = _WITH_UNIT.fullmatch(word)
    if found is not None:
        return found[2] in UNITS or found[2] in SCALES
    return bool(_ORDINAL.fullmatch(word) or not re.search(r"[^\W\d_]", word))


def _number(words: list[str], at: int) -> tuple[str | None, int]:
    """The number that begins at a word, and how many words it takes."""
    word = words[at]
    if word[0].isdigit():
        return _digits(words, at)
    if word in AMOUNTS:
        return AMOUNTS[word], 1
    if word in ORDINALS:
        # "second" after a number is a unit of time and is taken there.
        return f"{ORDINALS[word]}.", 1
    if word in NUMBER_WORDS or (word in SCALES and len(word) > 2 and word not in ("mille", "mil")):
        return _spelt(words, at)
    return None, 0


def _digits(words: list[str], at: int) -> tuple[str | None, int]:
    word = words[at]
    if len(word) > _LONG:
        return word, 1  # too long for arithmetic
    if found := _ORDINAL.fullmatch(word):
        return f"{int(found[1])}.", 1
    scale = 1
    used = 1
    if found := _WITH_UNIT.fullmatch(word):
        number, unit = found[1], found[2]
        if unit in UNITS and unit not in SCALES:
            words[at : at + 1] = [number, unit]
        elif unit in SCALES:
            scale = SCALES[unit]
        else:
            return None, 0  # a code: 3d, 4x4
    elif _DIGITS.fullmatch(word):
        number = word
        if at + 1 < len(words) and words[at + 1] in SCALES:
            scale, used = SCALES[words[at + 1]], 2
    else:
        return word, 1  # a date, a time, a version, a fraction: as it is written
    return _plain(number, scale), used


def _plain(number: str, scale: int) -> str:
    if _THOUSANDS.fullmatch(number):
        number = number.replace(",", "")
    number = number.replace(",", ".")
    if number.count(".") > 1:
        return number  # a version
    if "." in number:
        return f"{float(number) * scale:.12g}"
    return str(int(number) * scale)


def _spelt(words: list[str], at: int) -> tuple[str | None, int]:
    """``two hundred and five``: 205. ``one`` alone is mostly no number."""
    total = part = used = 0
    last = 1 << 60
    while at + used < len(words):
        word = words[at + used]
        if word in SCALES:
            scale = SCALES[word]
            part = max(part, 1) * scale
            if scale >= 1_000:
                total, part = total + part, 0
            last = scale
        elif word in NUMBER_WORDS:
            value = NUMBER_WORDS[word]
            if used and (value >= last or (last < 100 and not (last >= 20 and value < 10))):
                break
            part += value
            last = value or 1
        elif word in ORDINALS and used and ORDINALS[word] < 20 and 20 <= last < 100:
            return f"{total + part + ORDINALS[word]}.", used + 1
        elif (
            word == "and"
            and used
            and last >= 100
            and at + used + 1 < len(words)
            and words[at + used + 1] in NUMBER_WORDS
        ):
            pass
        else:
            break
        used += 1
    if not used or (words[at] == "one" and used == 1 and (at + 1 >= len(words) or words[at + 1] not in UNITS)):
        return None, 0
    return str(total + part), used

"""The scorer ``numeric``: the number that an answer ends with, against a target. Pure.

Reads ``#### 18``, ``\\boxed{18}``, ``The answer is $1,234.50.``, ``3/4``, ``2.5e-3``, and failing all marks the last number of
the answer, as GSM8K is scored (Cobbe et al. 2021). Knows no arithmetic: ``6 * 3`` is no number.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

from ...score.normal import Answer, said_last
from ...score.quantity import Number, number, numbers_in, same_number
from ..tasks.task import Sample, Task
from .reading import opened, silent, unread
from .scorer import Pure, Score, Unscorable


def numeric(_task: Task, options: str) -> Pure:
    """``numeric``: the same number, as far as it was written (0.33 is 1/3). ``numeric:0.01``: within 1 % of the target."""
    try:
        tolerance = float(options or 0)
    except ValueError:
        tolerance = -1.0
    if not 0 <= tolerance < 1:
        raise Unscorable(
            f"the scorer 'numeric' takes a share from 0 to 1 as tolerance, as in numeric:0.01, not '{options}'"
        )

    def score(sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        text, sealed = opened(answer)
        found = read_number(text, cut=answer.finish == "length", sealed=sealed)
        if found is None:
            return unread(answer, "number")
        wanted = [_target(one) for one in sample.target]
        right = any(one is not None and _same(one, found, tolerance) for one in wanted)
        return Score(float(right), said=written(found))

    return score


def read_number(text: str, *, cut: bool = False, sealed: bool = False) -> Number | None:
    """The number that an answer gives; None where it gives none, several ("5 or 7", "-4, 1"), or a formula ("9√2").

    Args:
        cut: it was cut off; then only a number that is marked as the result counts, and not in the last word.
        sealed: the text is the result alone, out of its envelope.
    """
    if _DIGITS.fullmatch(text):
        return None if cut else Number(Fraction(text))
    text = _FRACTION_SIGNS.sub(_spelled, text) if not text.isascii() else text
    if ":00" in text:
        text = _ON_THE_HOUR.sub(r"\1", text)
    if cut:
        text = text[: max((m.start() for m in _SPACE.finditer(text)), default=0)]
    whole = number(text) if len(text) <= _SHORT else None
    if whole is not None:
        return whole
    marked = said_last(text)
    if marked:
        return _in_mark(marked)
    if sealed or (len(text) <= _NEAR and not _PROSE.search(text)):
        return _in_mark(text)
    if cut:
        return None
    for size in (_NEAR, _TAIL, _LONGEST):
        tail = text if len(text) <= size else _from_a_space(text[-size:])
        found = _last(tail)
        if found is not None or tail is text:
            return found
    return None


def written(value: Number) -> str:
    """A number as a row shows it: ``18``, ``0.5``, ``1/3``."""
    exact = value.value
    if exact.denominator == 1:
        return str(exact.numerator) if abs(exact.numerator) < _LARGE else f"{exact.numerator:.6e}"[:_SHOWN]
    as_float = float(exact) if abs(exact) < _LARGE else None
    return str(exact) if as_float is None or Fraction(str(as_float)) != exact else f"{as_float:g}"


def _in_mark(marked: str) -> Number | None:
    """Of ``6 * 3 = 18`` what it comes to; of ``18 dollars for 3 ducks`` what comes first; of ``5 or 7`` and ``not 5`` nothing."""
    result = marked.rpartition("=")[2]
    whole = number(result)
    if whole is not None:
        return whole
    if _DENIED.match(marked) or _FORMULA.search(result):
        return None
    found = numbers_in(_MIXED.sub(_improper, result) if "/" in result else result)
    if len(found) > 1 and _SEVERAL.search(result) and not all(same_number(found[0], one) for one in found):
        return None
    return found[0] if found else None


def _last(text: str) -> Number | None:
    found = numbers_in(_MIXED.sub(_improper, text) if "/" in text else text)
    return found[-1] if found else None


def _from_a_space(text: str) -> str:
    """Without the first word, of which a part may be missing, and a group of digits before it ("1 000")."""
    found = _SEAM.search(text)
    return text[found.end() :] if found else text


def _same(wanted: Number, found: Number, tolerance: float) -> bool:
    if same_number(wanted, found, relative=0) is True:
        return True
    gap = abs(wanted.value - found.value)
    return bool(tolerance) and gap <= Fraction(tolerance) * abs(wanted.value)


def _spelled(sign: re.Match[str]) -> str:
    return " " + unicodedata.normalize("NFKC", sign[0]).replace("\u2044", "/")


def _improper(found: re.Match[str]) -> str:
    """``1 1/2`` as ``3/2``, so that it is one number among others."""
    whole, top, bottom = (int(part) for part in found.groups())
    return f"{whole * bottom + top}/{bottom}"


@lru_cache(65_536)
def _target(written: str) -> Number | None:
    return read_number(written)


_SHORT = 250
_NEAR = 60
_TAIL = 400
"""Characters at the end of an answer, where its last number nearly always stands."""
_LONGEST = 20_000
_LARGE = 10**15
_SHOWN = 40
_FRACTION_SIGNS = re.compile("[\u00bc-\u00be\u2150-\u215e]")
"""One sign for a fraction: ``½``."""
_MIXED = re.compile(r"(?<![\w.,/])(\d{1,6}) (\d{1,6})/(\d{1,6})(?![\w/])")
_ON_THE_HOUR = re.compile(r"(?<![\d:])(\d{1,2}):00(?!:?\d)")
_SEAM = re.compile(r"[^\d\s]\s+(?=\S)")
_DIGITS = re.compile(r"-?[0-9]{1,15}")
_SPACE = re.compile(r"\s")
_DENIED = re.compile(r"(?:not|never|neither)\b", re.IGNORECASE)
_SEVERAL = re.compile(
    r"\b(?:or|either|between)\b|\A\s*[(\[{]?-?[\d./]+\s*(?:,\s*-?[\d./]+\s*)+[)\]}]?\s*\Z", re.IGNORECASE
)
"""Two numbers to choose from, or a list of them."""
_FORMULA = re.compile(r"[√^]|sqrt|\d\s*[+*/·×]\s*[\d(\\]|\)\s*[(\d]|[\d)}]\s+[+-]\s+[\d(\\]")
"""Signs of a result that is yet to be worked out."""
_PROSE = re.compile(r"(?<![A-Za-z])(?!(?:sqrt|frac|dfrac|boxed|cdot|times|left|right|pi)(?![A-Za-z]))[A-Za-z]{3,}")
"""A word, as against a formula's."""

"""Days and ages: which digits are a date, and which are how old somebody is. Pure.

A whole date is reported with a low score, since most are nobody's; after "born" or "date of birth" with a high one. A year
alone, a weekday and a time of day are not.
"""

from __future__ import annotations

import re
from typing import Final

from .scan import Scan, Window, Word, words


def numeric(scan: Scan, window: Window) -> bool:
    """``1984-03-05``, ``5/3/1984``, ``05.03.84``: a day that the calendar has. A time after it belongs to it.

    The form is one of ``forms.DATES``, its groups parted by dashes, slashes or dots."""
    born = "birth" in window.about
    sizes, digits = window.form.sizes, window.digits
    parted = sizes[0] + sizes[1]
    first, second, third = int(digits[: sizes[0]]), int(digits[sizes[0] : parted]), int(digits[parted:])
    if sizes[0] == 4:
        good = 1000 <= first <= 2199 and 1 <= second <= 12 and 1 <= third <= 31
    else:
        good = 1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12
        # 5-6-12 may be anything; 05/06/12 is written of days
        written = 1000 <= third <= 2199 if sizes[2] == 4 else born or (window.form.seps == {"/"} and sizes[1] == 2)
        good = good and written
    if good:
        match = _TIME.match(scan.text, window.end)
        scan.add("DATE", window.start, match.end() if match else window.end, 0.9 if born else 0.5)
    return good


def beside(scan: Scan, word: Word, last: str) -> bool:
    """A number of up to three digits beside a word for a month or for years of age. ``last``: the word before it, small."""
    text = scan.text
    if last in _MONTHS:
        match = _AFTER_MONTH.match(text, word.start)
        return match is not None and _day(scan, _back(text, word.start, last), match.end(), whole=match[1] is not None)
    if word.digits and int(word.text) <= 120 and _is_age(text, word, last):
        scan.add("AGE", word.start, word.end, 0.8 if last in _AGE_WORDS else 0.6)
        return True
    match = _YEARS.match(text, word.start)
    if match and int(match[1]) <= 120:
        scan.add("AGE", word.start, match.end(1), 0.8)
        return True
    match = _BEFORE_MONTH.match(text, word.start)
    return match is not None and _day(scan, word.start, match.end(), whole=match[1] is not None)


def tells(last: str) -> bool:
    """Whether the word before a number can make it a day or an age."""
    return last in _MONTHS or last in _AGE_WORDS or last in _AGE_JOINS


def _is_age(text: str, word: Word, last: str) -> bool:
    """After "aged", "turned", "age of", "age is"; or "I am 34" with nothing after it that could be counted."""
    if last not in _AGE_WORDS and last not in _AGE_JOINS:
        return False
    said = _AGE_BEFORE.search(text, max(0, word.start - 16), word.start)
    return said is not None and not (_COUNTED if said[1] else _MORE).match(text, word.end)


def _day(scan: Scan, start: int, end: int, *, whole: bool) -> bool:
    born = "birth" in scan.topics(start)
    if born or whole:
        scan.add("DATE", start, end, 0.9 if born else 0.5)
    return born or whole


def _back(text: str, at: int, last: str) -> int:
    """Where the word ``last``, which ends before ``at`` but for spaces and dots, begins."""
    while at and not text[at - 1].isalpha():
        at -= 1
    return at - len(last)


_MONTHS: Final = words(
    "jan january feb february mar march apr april may jun june jul july aug august sep sept september oct october nov november"
    " dec december"
)
_AGE_WORDS: Final = frozenset({"age", "aged", "turned", "turning", "turns", "ages"})
_AGE_JOINS: Final = frozenset({"is", "of", "am", "m", "s"})
_AGE_BEFORE: Final = re.compile(
    r"\b(?:(?:ages?|aged)(?: of| is|:| :| =|=)?|turn(?:ed|s|ing)|(i am|i['’]m|i m|s?he is|s?he['’]s)) ?\Z",
    re.IGNORECASE,
)
_COUNTED: Final = re.compile(r" ?[^\s.,!?;)]|[.,:/-]\d")
_AFTER_MONTH: Final = re.compile(r"\d{1,2}(?:st|nd|rd|th)?\b(?:,? (\d{4})\b)?")
_BEFORE_MONTH: Final = re.compile(
    r"\d{1,2}(?:st|nd|rd|th)?(?: of)?[ -](?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?(?:,?[ -](\d{4})\b)?",
    re.IGNORECASE,
)
_YEARS: Final = re.compile(r"(\d{1,3})[ -]?(?:(?:years?|yrs?\.?)[ -](?:old|of age)|y/o|yo)\b", re.IGNORECASE)
_MORE: Final = re.compile(r"[.,:/%-]\d| ?%")
_TIME: Final = re.compile(r"[T ,]{1,2}\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?![\d:])")

"""Days and ages: which digits are a date, and which are how old somebody is. Pure.

A whole date is reported with a low score, since most are nobody's; after "born" or "date of birth" with a high one. A year
alone, a weekday and a time of day are not.
"""

from __future__ import annotations

import re
from typing import Final

from .scan import Scan, Word

SHAPES: Final = frozenset(
    {(4, 2, 2), (4, 1, 2), (4, 2, 1), (4, 1, 1)} | {(d, m, y) for d in (1, 2) for m in (1, 2) for y in (2, 4)}
)


def numeric(scan: Scan, window: list[Word], seps: set[str]) -> bool:
    """``1984-03-05``, ``5/3/1984``, ``05.03.84``: a day that the calendar has. A time after it belongs to it."""
    if len(seps) != 1 or not seps <= {"-", "/", "."}:
        return False
    first, second, third = (int(word.text) for word in window)
    born = "birth" in scan.topics(window[0].start)
    if window[0].size == 4:
        good = 1000 <= first <= 2199 and 1 <= second <= 12 and 1 <= third <= 31
    else:
        good = 1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12
        good = good and (1000 <= third <= 2199 or (window[2].size == 2 and (born or seps != {"."})))
        if window[2].size == 2 and not born and (window[0].size, window[1].size) != (2, 2) and seps != {"/"}:
            good = False
    if good:
        end = window[2].end
        match = _TIME.match(scan.text, end)
        scan.add("DATE", window[0].start, match.end() if match else end, 0.9 if born else 0.5)
    return good


def named(scan: Scan) -> None:
    """``5 March 1984``, ``March 5th, 1984``; without a year only where somebody was born."""
    for match in _NAMED.finditer(scan.text):
        born = "birth" in scan.topics(match.start())
        if born or match["year"] or match["tail"]:
            scan.add("DATE", match.start(), match.end(), 0.9 if born else 0.5)


def ages(scan: Scan) -> None:
    """``34 years old``, ``34-year-old``, ``aged 34``, ``age: 34``, ``turned 34``."""
    for match in _AGES.finditer(scan.text):
        group = "after" if match["after"] else "before"
        if int(match[group]) <= 120:
            scan.add("AGE", match.start(group), match.end(group), 0.8)


_MONTHS: Final = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
_NAMED: Final = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?(?:\ of)?[ -](?:{_MONTHS})\b\.?(?:,?[ -](?P<year>\d{{4}})\b)?"
    rf"|(?:{_MONTHS})\b\.?[ ]\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?[ ](?P<tail>\d{{4}})\b)?)",
    re.IGNORECASE,
)
_AGES: Final = re.compile(
    r"(?<![\w.])(?P<before>\d{1,3})(?: |-)?(?:(?:years?|yrs?\.?)(?: |-)(?:old|of age)|y/o|yo)\b"
    r"|\b(?:aged?|turn(?:ed|ing|s)|age (?:is|of)|my age is)(?: ?[:=] ?| )(?P<after>\d{1,3})\b(?![\d.,:/%-]\d| ?%)",
    re.IGNORECASE,
)
_TIME: Final = re.compile(r"[T ,]{1,2}\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?![\d:])")

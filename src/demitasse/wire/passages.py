"""Where retrieved passages stand within a text of a prompt: tags, numbers, a heading. Pure; knows no request and no detector.

Applications paste what they looked up into a message, and each has its own way to say so. A form that is not known here
is taken for the words of whoever wrote the message.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import pairwise
from typing import Final

Span = tuple[int, int]
"""Code points, half open."""


def passages(text: str) -> list[Span]:
    """Single passages: in tags, or numbered. The last numbered one ends with its paragraph."""
    found: list[Span] = []
    open_for_ever: set[str] = set()
    at = 0 if "<" in text else len(text)
    while (tag := _TAG.search(text, at)) is not None:
        close = -1 if tag[1] in open_for_ever else text.find(f"</{tag[1]}>", tag.end())
        if close < 0:
            open_for_ever.add(tag[1])
            at = tag.end()
        else:
            at = close + len(tag[1]) + 3
            found.append((tag.start(), at))
    return found or _from_starts(text, _NUMBERED)


def retrieved(text: str) -> list[Span]:
    """All that was pasted in, in order and without overlaps: passages, and what stands under a heading such as ``Context:``.

    What is pasted must not talk its way out: a closing tag within a passage does not end it where another of its kind
    follows, and a block under a heading ends at the last ``Question:``, not at the first. Where no such line follows,
    the last paragraph of several is what is asked.
    """
    if "<" in text and (found := _tagged(text)):
        return found
    if _MARKED.search(text) is None:
        return passages(text) if "<" in text else []
    heading = _HEADING.search(text)
    return [_under(text, heading)] if heading is not None else passages(text) or _from_starts(text, _LABELLED)


class _AtLine:
    """A pattern at the beginning of a line, which holds no end of a line before its own end.

    To try it at each place, as ``^`` does, costs some 5 ns a character; to go from one end of a line to the next a tenth.
    """

    def __init__(self, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        self._first = re.compile(pattern, flags)
        self._later = re.compile(f"\\n(?:{pattern})", flags)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match; where it is not at the beginning of the text, with the end of the line before it."""
        return self._first.match(text) or self._later.search(text)

    def starts(self, text: str) -> list[int]:
        """Where it matches."""
        found = [0] if self._first.match(text) else []
        return found + [match.start() + 1 for match in self._later.finditer(text)]


BLANK_LINE = re.compile(r"\n[ \t]*\n")
_TAG = re.compile(r"<(document|doc|passage|source|context|chunk)\b[^<>]{0,200}>")
_NUMBERED = _AtLine(r"(?:\[\d{1,3}\]|(?:Document|Passage|Source|Chunk|Result|Context) ?#?\d{1,3}[:.)])")
_LABELLED = _AtLine(
    r"\[(?:Document|Passage|Source|Chunk|Result|Context|Doc|Excerpt|Snippet) ?#?\d{1,3}\b[^\]\n]{0,200}\]",
    re.IGNORECASE,
)
_PASTED = re.compile(
    r"<(documents?|docs?|passages?|sources?|context|chunks?|(?:search_|retrieval_|tool_|function_)?results?|retrieved\w{0,20}|"
    r"snippets?|excerpts?|web_?page|page|article|e-?mail|observation|untrusted\w{0,20}|external\w{0,20}|quote)\b[^<>]{0,200}>",
    re.IGNORECASE,
)
_ABOVE = (
    r"[#* \t]{0,8}(?:(?:the |relevant |retrieved |additional |background |supporting )?(?:context|passages|documents|sources|"
    r"excerpts|snippets|search results|background|knowledge base|reference text)(?: information)?)(?: \(?below\)?)?[*\s]{0,4}:"
    r"[*\s]{0,4}"
)
_HEADING = _AtLine(_ABOVE, re.IGNORECASE)
_MARKED = _AtLine(rf"\[|(?:document|passage|source|chunk|result|context) ?#?\d|{_ABOVE}", re.IGNORECASE)
"""What must begin some line where there is a heading, a number or a label."""
_ASKED = re.compile(
    r"^[#* \t]{0,8}(?:(?:user |my |the )?(?:question|query|request|task|instructions?)|user|human)\s{0,2}[*]{0,2}:",
    re.IGNORECASE | re.MULTILINE,
)


def _from_starts(text: str, pattern: _AtLine) -> list[Span]:
    """From each match to the next one; the last ends with its paragraph."""
    starts = pattern.starts(text)
    if not starts:
        return []
    blank = BLANK_LINE.search(text, starts[-1])
    return [*pairwise(starts), (starts[-1], blank.end() if blank else len(text))]


def _tagged(text: str) -> list[Span]:
    """Tags that are closed. A kind that closes more often than it opens reaches from its first tag to its last."""
    found: list[Span] = []
    ends: dict[str, list[int]] = {}
    low = ""
    at = 0
    while (tag := _PASTED.search(text, at)) is not None:
        name = tag[1].lower()
        at = tag.end()
        if name not in ends:
            if len(ends) >= _MOST_KINDS:
                continue
            low = low or text.translate(_LOWER)
            closes = [m.end() for m in re.finditer(rf"</{re.escape(name)}\s{{0,8}}>", low)]
            opens = len(re.findall(rf"<{re.escape(name)}\b", low))
            ends[name] = closes[-1:] if len(closes) > opens else closes
        nth = bisect_right(ends[name], at)
        if nth < len(ends[name]):
            at = ends[name][nth]
            found.append((tag.start(), at))
    return found


_MOST_KINDS: Final = 32
"""Kinds of tags that are looked for in one text: each costs a look at the whole of it."""
_LOWER = {c: c + 32 for c in range(ord("A"), ord("Z") + 1)}
"""Of ASCII alone: other letters may change their number, and places must stay what they are."""


def _under(text: str, heading: re.Match[str]) -> Span:
    start, asked = heading.end(), None
    for asked in _ASKED.finditer(text, start):  # noqa: B007 the last one is wanted
        pass
    if asked is not None:
        return start, asked.start()
    blank = None
    for blank in BLANK_LINE.finditer(text.rstrip(), start):  # noqa: B007 the last one is wanted
        pass
    return start, blank.start() if blank is not None else len(text)

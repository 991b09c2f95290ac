"""One text of an answer as it grows, with values put back where their placeholders stand: every form in which models write
one, what has to wait for more, and how a value is escaped where the text is JSON. Knows no events and no choices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from .chunks import encode

ID_CHARS: Final = 6
"""Letters of a placeholder after its type, at least."""


class Grammar(NamedTuple):
    whole: re.Pattern[str]
    begun: re.Pattern[str]
    """The end of a text that may go on to be a placeholder, or to be a longer one."""
    window: int
    """Characters that ``begun`` can match at most."""
    words: tuple[str, ...]
    """In small letters; a text with none of these holds no placeholder."""


class Told(Protocol):
    """What became of the piece of an answer that a text came with."""

    left: bool
    """Something is there for the client to see."""


class Lane:
    """One string of an answer as it grows."""

    __slots__ = ("_as_json", "_grammar", "_keep", "_known", "_seen", "around", "held", "name", "replaced", "told")

    def __init__(self, grammar: Grammar, known: Mapping[str, str], *, as_json: bool, keep: bool) -> None:
        self._grammar = grammar
        self._known = known
        self._as_json = as_json
        self._keep = keep
        self._seen: list[str] = []
        self.held = ""
        self.replaced = 0
        """Values that were put in."""
        self.told: Told | None = None
        """Of the event that it last came with, and where within it."""
        self.around: dict[str, Any] = {}
        self.name = ""

    def append(self, rest: str) -> None:
        """To the string that came last."""
        if rest:
            self.around[self.name] += rest
            assert self.told is not None
            self.told.left = True

    def feed(self, piece: str, *, last: bool = False) -> str:
        """What of the text is certain now; ``last``: nothing more comes."""
        text = self.held + piece
        size = len(text)
        whole, begun, window, words = self._grammar
        out: list[str] = []
        done = at = 0
        tail = size if last else _start(begun.search(text, max(0, size - window)), size)
        if size > _LONG and not _any_of(words, text):
            at = size
        # What begins before the tail can't become longer, or the tail would begin there.
        while (match := whole.search(text, at)) is not None and match.start() < tail:
            found = self._found(match)
            if found is None:
                at = match.start() + 1
                continue
            start, end, value = found
            self.replaced += 1
            out += (text[done:start], self._escaped(value, text[:start]))
            done = at = end
            if end > tail:
                tail = size if last else _start(begun.search(text, max(end, size - window)), size)
        self.held = text[tail:]
        if self._keep:
            self._seen.append(text[:tail])
        if not out:
            return text[:tail] if tail < size else text
        out.append(text[done:tail])
        return "".join(out)

    def _found(self, match: re.Match[str]) -> tuple[int, int, str] | None:
        """Where a placeholder of the map stands and its value."""
        label, id = squashed(match["label"]), match["id"].lower()
        value = self._known.get(label + id)
        if value is not None:
            both = match["open"] is not None and match["close"] is not None
            start, end = match.span() if both else (match.start("label"), match.end("id"))
            return start, end, value
        for chars in range(len(id) - 1, ID_CHARS - 1, -1):  # a word that begins right after it
            value = self._known.get(label + id[:chars])
            if value is not None:
                return match.start("label"), match.start("id") + chars, value
        return None

    def _escaped(self, value: str, text: str) -> str:
        if not (self._keep and SPECIAL.search(value)):
            return value
        before = "".join(self._seen) + text
        if not self._as_json:
            start = _json_start(before)
            if start < 0:
                return value
            before = before[start:]
        for _ in range(_depth(before)):
            value = encode(value).decode()[1:-1]
        return value


SPECIAL = re.compile(r'["\\\x00-\x1f]')
"""What no JSON string holds as it is."""
_PLACEHOLDER = re.compile(r"<?([A-Z][A-Z_]*)_([a-z2-7]{6,24})>?")
_NOT_KEY = str.maketrans("", "", "<>_- \\")

_OPEN = r"(?:<|&lt;|&\#60;|&\#x3c;|\\{1,4}u003c|%3c|‹|＜)[ /]{0,2}"
_OPEN_BEGUN = r"(?:&(?:l(?:t)?)?|&\#(?:6(?:0)?|x(?:3(?:c)?)?)?|\\{1,4}(?:u(?:0(?:0(?:3)?)?)?)?|%(?:3)?)"
_CLOSE = r"[ /]{0,2}(?:>|&gt;|&\#62;|&\#x3e;|\\{1,4}u003e|%3e|›|＞)"
_CLOSE_BEGUN = r"[ /]{0,2}(?:&(?:g(?:t)?)?|&\#(?:6(?:2)?|x(?:3(?:e)?)?)?|\\{1,4}(?:u(?:0(?:0(?:3)?)?)?)?|%(?:3)?)?"
_BETWEEN = r"\\{0,2}[_\- ]"
"""In the place of an underscore: Markdown escapes it, and models write a hyphen or a blank."""
_BETWEEN_BEGUN = r"\\{1,2}"
_ID = "[a-z2-7]"


_LONG: Final = 128
"""Characters from which on a look for words comes cheaper than one for patterns."""


def _any_of(words: tuple[str, ...], text: str) -> bool:
    low = text.lower()
    return any(word in low for word in words)


def _start(match: re.Match[str] | None, size: int) -> int:
    return size if match is None else match.start()


def squashed(placeholder: str) -> str:
    return placeholder.translate(_NOT_KEY).lower()


def grammar_of(values: Mapping[str, str]) -> Grammar:
    labels, longest = set(), ID_CHARS
    for placeholder in values:
        found = _PLACEHOLDER.fullmatch(placeholder)
        if found is None:
            raise ValueError(f"{placeholder!r} is no placeholder: a type in capitals, '_', and letters of base32")
        labels.add(found[1])
        longest = max(longest, len(found[2]))
    return _compiled(frozenset(labels), longest)


@lru_cache(maxsize=256)
def _compiled(labels: frozenset[str], longest: int) -> Grammar:
    """Grows with the kinds of placeholders in a map, not with their number: whether one is in it, a look-up says."""
    ordered = sorted(labels, key=lambda label: (-len(label), label))
    names = "|".join(label.replace("_", _BETWEEN) for label in ordered)
    core = rf"(?P<label>{names}){_BETWEEN}(?P<id>{_ID}{{{ID_CHARS},{longest}}})"
    whole = rf"(?P<open>{_OPEN})?{core}(?P<close>{_CLOSE})?"
    begun = "|".join(
        [
            _OPEN_BEGUN,
            rf"(?:{_OPEN})(?:{'|'.join(_begun(label) for label in ordered)})?",
            *(_begun(label) for label in ordered),
            rf"(?:{_OPEN})(?:{names}){_BETWEEN}{_ID}{{{ID_CHARS},{longest}}}(?:{_CLOSE_BEGUN})?",
            *([rf"(?:{names}){_BETWEEN}{_ID}{{{ID_CHARS},{longest - 1}}}"] if longest > ID_CHARS else []),
        ]
    )
    flags = re.IGNORECASE | re.ASCII
    window = 12 + 3 * max(map(len, labels)) + 3 + longest + 12
    words = tuple(sorted({label.partition("_")[0].lower() for label in labels}))
    return Grammar(re.compile(whole, flags), re.compile(rf"(?:{begun})\Z", flags), window, words)


def _begun(label: str) -> str:
    """The beginnings of ``LABEL_`` and of too few letters after it."""
    inner = rf"{_BETWEEN_BEGUN}|{_BETWEEN}{_ID}{{0,{ID_CHARS - 1}}}"
    for nth in range(len(label) - 1, -1, -1):
        rest = rf"(?:{inner})?" if inner else ""
        inner = rf"{_BETWEEN_BEGUN}|{_BETWEEN}{rest}" if label[nth] == "_" else rf"{label[nth]}{rest}"
    return rf"(?:{inner})"


_JSON_HEAD = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{"])')
_FENCE = "```json"
_MOST_QUOTES: Final = 200


def _json_start(before: str) -> int:
    """Where the JSON begins that goes on at the end of this text; -1: it is prose."""
    if _JSON_HEAD.match(before):
        return 0
    fence = before.lower().rfind(_FENCE)
    return fence + len(_FENCE) if fence >= 0 and "```" not in before[fence + len(_FENCE) :] else -1


def _depth(before: str) -> int:
    """How many strings deep the end of this JSON text is, at least one: by the quote that opened the innermost."""
    at = len(before)
    for _ in range(_MOST_QUOTES):
        at = before.rfind('"', 0, at)
        if at < 0:
            return 1
        start = at
        while start and before[start - 1] == "\\":
            start -= 1
        # One within a string within a string has a backslash before it, the next three: 2^(depth - 1) - 1.
        slashes, ahead = at - start, before[max(0, start - 40) : start].rstrip()
        if not slashes & (slashes + 1) and (ahead == "" or ahead[-1] in ":,[{"):
            return (slashes + 1).bit_length()
        at = start
    return 1

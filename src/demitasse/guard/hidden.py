"""Characters that a person does not see, or takes for others, and which no script or emoji needs where they stand.

Joiners in emoji, in Persian and in Indic scripts, marks in Hebrew and Arabic, soft hyphens where words divide, the colours of a
terminal and ordinary Cyrillic or Greek are as they should be. Sources: UTS #39 (confusables), UTS #51 (emoji), UAX #9 (bidi),
UAX #31 (joiners). Knows nothing of what is done about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Final

from .finding import Hidden
from .lookalikes import TWINS
from .normal import BIDI, SELECTORS, TAGS, ZERO_WIDTH


def find(text: str) -> list[Hidden]:
    """All of them, in the order of the text, without overlaps; a run of one kind is one finding."""
    found: list[Hidden] = []
    if _CONTROLS.search(text):
        found += (Hidden("control", *match.span()) for match in _CONTROL.finditer(text) if not _is_colour(match[0]))
    if text.isascii():
        return found
    some = text
    if len(text) - len(text.encode("ascii", "ignore")) <= len(text) // 8:  # few are cheaper to look at alone
        some = "".join(set(_FOREIGN.findall(text)))
    if _UNSEEN.search(some):
        found += _unseen(text)
    if _TWIN.search(some) and _MIXED.search(text):
        found += [Hidden("homoglyph", *match.span()) for match in _BOTH.finditer(text) if _is_disguised(match[0])]
    found.sort(key=_start)
    return found


def strip(text: str) -> str:
    """The text without them; a letter of another script within a word becomes the one that it passes for."""
    for _ in range(_MOST_LAYERS):
        pieces, at = [], 0
        for one in find(text):
            pieces.append(text[at : one.start])
            if one.kind == "homoglyph":
                pieces.append(_own(text[one.start : one.end]))
            at = one.end
        stripped = "".join([*pieces, text[at:]]) if pieces else text
        if stripped == text:
            break
        text = stripped  # what was taken out may have kept others from meeting
    return text


_start: Final = attrgetter("start")
_MOST_LAYERS: Final = 16
"""How often hidden characters that hide others are taken out; each costs a pass."""

# Tabs, ends of lines and pages are text; so are the quotation marks of Windows-1252 that were read as Latin-1 (\x80-\x9f).
_C0: Final = r"\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\x81\x8d\x8f\x90\x9d"
_CONTROLS: Final = re.compile(rf"[\x1b{_C0}]")
_CONTROL: Final = re.compile(rf"[{_C0}]+|\x1b(?:\[[0-9;]{{0,32}}[A-Za-z])?")


def _is_colour(said: str) -> bool:
    """Colour, bold and clearing to the end of the line, as programs print it; ``8`` would conceal."""
    return len(said) > 2 and said[-1] in "mK" and "8" not in said[2:-1].split(";")


_UNSEEN: Final = re.compile(f"[{TAGS}]+|[{SELECTORS}]+|[{ZERO_WIDTH}]+|[{BIDI}]")
_FLAG: Final = re.compile("(?:gb(?:eng|sct|wls|nir)|(?:us|ca|au)[a-z]{2,3})\x7f")
_PICTURE: Final = re.compile(
    r"[©®™\u203c\u2049\u2100-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff]"
)
_SKIN: Final = "\ufe0f\ufe0e\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff\u20e3"
_RTL: Final = re.compile(
    r"[\u05d0-\u05f4\u0600-\u060b\u061b-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_JOINING: Final = (
    r"\u0600-\u0603\u0608-\u074f\u0750-\u077f\u07c0-\u085f\u0860-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17ff\u1800-\u18af"
    r"\u1a20-\u1aaf\u1b00-\u1bbf\ua840-\ua87f\ua8e0-\ua8ff\ua980-\ua9df\uaa60-\uaa7f\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    r"\U00010a00-\U00011fff"
)
_NEEDED: Final = {
    "\u200c": re.compile(f"[{_JOINING}]"),
    "\u200d": re.compile(f"[{_JOINING}]"),
    "\u200b": re.compile(
        r"[\u0e00-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u3000-\u30ff\u3400-\u9fff\ua980-\ua9df]"
    ),
    "\u2060": re.compile(r"[\u0e00-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff]"),
    "\u034f": re.compile(f"[\u0590-\u05ff{_JOINING}]"),
    **dict.fromkeys("\u115f\u1160\u3164", re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")),
    **dict.fromkeys("\u17b4\u17b5", re.compile(r"[\u1780-\u17ff]")),
    **dict.fromkeys("\u180b\u180c\u180d\u180e\u180f", re.compile(r"[\u1800-\u18af]")),
}
"""What must stand on one side of a zero-width character for it to have its use."""


_BETWEEN: Final = frozenset("\u200b\u200c\u200d\u2060\u034f")


def _unseen(text: str) -> Iterator[Hidden]:
    line_end, rtl = -1, False
    for match in _UNSEEN.finditer(text):
        start, end = match.span()
        before, after = text[start - 1 : start], text[end : end + 1]
        char = text[start]
        if char in _BETWEEN and before.isascii() and after.isascii():  # no script that needs it: nearly all that hides
            yield Hidden("zero_width", start, end)
        elif "\U000e0000" <= char <= "\U000e007f":
            if not (before == "\U0001f3f4" and _FLAG.fullmatch("".join(chr(ord(c) - 0xE0000) for c in match[0]))):
                yield Hidden("tag", start, end)
        elif _is_selector(char):
            if end - start > 1 or _selects_nothing(before, char):
                yield Hidden("variation_selector", start, end)
        elif _BIDI.match(char):
            if start > line_end:
                line_start = text.rfind("\n", line_end + 1, start) + 1 or max(line_end, 0)
                line_end = text.find("\n", start)
                line_end = len(text) if line_end < 0 else line_end
                rtl = _RTL.search(text, line_start, line_end) is not None
            if char in "\u202d\u202e" or (
                not rtl and (char in "\u202b\u2067" or (before.isalnum() and after.isalnum()))
            ):
                yield Hidden("bidi", start, end)
        elif not _is_needed(text, start, end, before, after):
            yield Hidden("zero_width", start, end)


_BIDI: Final = re.compile(f"[{BIDI}]")


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _selects_nothing(before: str, char: str) -> bool:
    """One alone: after a Latin letter nothing can be selected, nor but text or emoji after a picture; and ideographs only
    have forms beyond the sixteenth. One left over where an emoji was taken away is no matter."""
    if char >= "\U000e0100":
        return not "\u2e80" <= before <= "\U0003ffff" or "\U0001f000" <= before <= "\U0001faff"
    if char < "\ufe0e":
        return (before <= "\u024f" and before.isalpha()) or "\U0001f000" <= before <= "\U0001faff"
    return before <= "\u024f" and before.isalpha() and before not in "©®"


def _is_needed(text: str, start: int, end: int, before: str, after: str) -> bool:
    """A run of zero-width characters: whether a script, an emoji or hyphenation has a use for it."""
    char = text[start]
    if end - start > 2:
        return False
    if char == "\ufeff" and start == 0 and end == 1:
        return True
    if char == "\u00ad":  # a point where a word may be divided; letters divided one by one are disguised
        near = text[max(0, start - 2) : start] + text[start + 1 : start + 3]
        return before.isalpha() and "\u00ad" not in near
    if char == "\u200d" and after and _PICTURE.match(after):
        at = start
        while at and text[at - 1] in _SKIN:
            at -= 1
        return bool(at) and _PICTURE.match(text[at - 1]) is not None
    needs = _NEEDED.get(char)
    return needs is not None and bool(needs.match(before) or needs.match(after))


_GREEK: Final = frozenset(char for char in TWINS if "\u0370" <= char <= "\u03ff" and char not in "οΟ")
_PASSING: Final = frozenset(TWINS) - _GREEK
_CYRILLIC: Final = {latin: twin for twin, latin in TWINS.items() if "\u0400" <= twin <= "\u04ff"}
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]")
_TWIN: Final = re.compile(f"[{''.join(TWINS)}]")
_MIXED: Final = re.compile(f"[A-Za-z][{''.join(TWINS)}]|[{''.join(TWINS)}][A-Za-z]")
_BOTH: Final = re.compile(
    r"(?<![^\W\d_])(?=[^\W\d_A-Za-z]*+[A-Za-z])(?=[^\W\d_\u0250-\U0010ffff]*+[\u0250-\U0010ffff])[^\W\d_]++"
)
"""A word with a letter of ASCII and one beyond the Latin ones."""
_RUNS: Final = re.compile(r"[A-Za-z]+")


def _is_disguised(word: str) -> bool:
    """A word of one script with letters of another that pass for its own; not two words run together (``TNFα``, ``SMSка``)."""
    if word.isascii() or not (foreign := [char for char in word if char > "\u024f"]):
        return False
    latin = len(word) - len(foreign)
    if latin >= len(foreign):
        if _PASSING.issuperset(foreign):
            return True
        if any(char in TWINS and char not in _GREEK for char in foreign) and all(char in TWINS for char in foreign):
            return True
        return any(_within(word, at, char) for at, char in enumerate(word) if char in TWINS)
    if not all("\u0400" <= char <= "\u04ff" for char in foreign) or len(foreign) < 3:
        return False
    return all(len(run) == 1 and run in _CYRILLIC for run in _RUNS.findall(word))


def _within(word: str, at: int, char: str) -> bool:
    """Whether Latin letters of its own case stand on both sides; Greek ones that do not are symbols (``αMHC``, ``sinα``)."""
    sides = word[at - 1 : at] + word[at + 1 : at + 2]
    return len(word) > 3 and len(sides) == 2 and sides.isascii() and sides.islower() == char.islower()


def _own(word: str) -> str:
    """The word in its own script."""
    foreign = sum(char > "\u024f" for char in word)
    if len(word) - foreign >= foreign:
        return "".join(TWINS.get(char, char) for char in word)
    return "".join(_CYRILLIC.get(char, char) for char in word)

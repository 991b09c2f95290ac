"""A text as it reads: one way to write each letter, nothing that is not seen, words that were taken apart put together.

For detectors; what goes to a model is never changed by it. Knows characters, not what they mean. Linear in the text; plain ASCII
that has nothing odd in it is given back as it is.

What is undone: compatibility forms (NFKC: full width, mathematical, circled, ligatures), letters of another script within a
Latin word, zero-width and bidi characters, marks heaped on letters, Unicode tags and bytes in variation selectors (decoded
where they stand), control characters, numeric HTML entities, and the words of ``disguise``. What is not: base64, ciphers.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

from msgspec import Struct

from ..core.quiet import quiet
from .disguise import Edit, disguised
from .lookalikes import ALWAYS, LIKE


class Step(Struct, frozen=True):
    """What was done to a text, in order and without overlaps; ``plain``: what is between has its plain form."""

    __repr__ = quiet

    text: str
    edits: list[Edit]
    plain: bool = False


class Normal(Struct, frozen=True, dict=True):
    """A text, and where each of its code points comes from: worked out when it is first asked for, since few ask."""

    __repr__ = quiet

    text: str
    steps: tuple[Step, ...] = ()
    """By which it came from the given text; none: nothing has moved."""

    @cached_property
    def origin(self) -> Sequence[int] | None:
        """Of each code point, and of the end, the code point of the given text; None: nothing has moved."""
        origin: list[int] | None = None
        for step in self.steps:
            moved = _moved(step.text, _all_edits(step) if step.plain else step.edits)
            origin = moved if origin is None else [origin[place] for place in moved]
        return origin

    def offset(self, at: int) -> int:
        """The code point of the given text that ``at`` (0 to the length) comes from; the end comes from the end.

        What was left out before ``at`` lies before it: a span's end takes it in, a span's start does not.
        """
        return at if self.origin is None else self.origin[at]


def normalise(text: str, *, words: bool = True) -> Normal:
    """The text as it reads.

    Args:
        words: put spaced letters together and read digits as letters; False: characters only, for whoever looks for numbers.
    """
    found = Normal(text)
    if not text.isascii():
        found = _characters(text)
    elif _CONTROLS.search(text):
        found = _replaced(found, _CONTROL, lambda _: "")
    if "&#" in text:
        found = _replaced(found, _ENTITIES, lambda match: _printable(html.unescape(match[0])))
    if not words:
        return found
    edits = disguised(found.text)
    return _edited(found, edits) if edits else found


MARKS: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
"""Marks that go on letters of any script."""
TAGS: Final = "\U000e0000-\U000e007f"
SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
ZERO_WIDTH: Final = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufff8\U0001d173-\U0001d17a"
)

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f]")
_ENTITIES: Final = re.compile(r"&#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});?")
_TOGETHER: Final = re.compile(
    rf"(?P<marked>[^\W\d_][{MARKS}]+)|(?P<tags>[{TAGS}]+)|(?P<selectors>[{SELECTORS}]{{2,}})"
    rf"|(?P<flags>[\U0001f1e6-\U0001f1ff]+)|(?P<control>{_CONTROL.pattern})"
)
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]")
_SPECIAL: Final = re.compile(rf"[{MARKS}{TAGS}{SELECTORS}\U0001f1e6-\U0001f1ff\x00-\x08\x0e-\x1f\x7f]")
_LIKE: Final = re.compile(f"[{''.join(LIKE)}]")
_MIXED: Final = re.compile(rf"[A-Za-z][{''.join(LIKE)}]|[{''.join(LIKE)}][A-Za-z]")
_LATIN: Final = re.compile(r"[A-Za-z]+")
_LATINS: Final = "A-Za-zªµºÀ-ÖØ-öø-\u024f"
_WITH_LIKE: Final = re.compile(rf"(?<![^\W_])(?=[^\W_{''.join(LIKE)}]*+[{''.join(LIKE)}])[^\W_]++")
"""A word with a letter that resembles a Latin one."""
_WITH_BOTH: Final = re.compile(
    rf"(?<![^\W_])(?=[^\W_{''.join(LIKE)}]*+[{''.join(LIKE)}])(?=[^\W_{_LATINS}]*+[{_LATINS}])[^\W_]++"
)
"""A word with such a letter and a Latin one."""
_ALL_LATIN: Final = re.compile(rf"[0-9{_LATINS}{''.join(LIKE)}]+")


def _characters(text: str) -> Normal:
    """Every character in its plain form; letters that pass for Latin ones read as these."""
    found = _plain_runs(text) if _SPECIAL.search(text) is None else _plain_and_special(text)
    said = found.text
    if _LIKE.search(said) is None:
        return found
    latin = sum(map(len, _LATIN.findall(said))) > len(said) / 3
    if latin or _MIXED.search(said):
        return Normal((_WITH_LIKE if latin else _WITH_BOTH).sub(_latin_anyway, said), found.steps)
    return found


def _plain_runs(text: str) -> Normal:
    """The same where every character stands for itself alone; translation is one pass in C."""
    plain = _formed(text)
    if plain == text:
        return Normal(text)
    if len(plain) == len(text) and _UNSEEN.search(text) is None:  # nothing is left out: no character became two
        return Normal(plain)
    return Normal(plain, (Step(text, [], plain=True),))


def _plain_and_special(text: str) -> Normal:
    """The same where some characters mean something only together."""
    edits = [(*match.span(), _plain(match)) for match in _TOGETHER.finditer(text)]
    pieces: list[str] = []
    at = 0
    for start, end, said in edits:
        if at < start:
            pieces.append(text[at:start].translate(_FORMS))
        pieces.append(said)
        at = end
    pieces.append(_formed(text[at:]))
    plain = "".join(pieces)
    return Normal(plain, (Step(text, edits, plain=True),)) if plain != text else Normal(text)


def _formed(text: str) -> str:
    """Every character in its plain form."""
    if len(text) - len(text.encode("ascii", "ignore")) > len(text) // 8:
        return text.translate(_FORMS)
    forms = {char: form for char in set(_FOREIGN.findall(text)) if (form := _FORMS[ord(char)]) != char}
    if len(forms) > 8 or not all(map(str.isascii, forms.values())):
        return text.translate(_FORMS)
    for char, form in forms.items():  # a few passes in C; translating asks a table for every character
        text = text.replace(char, form)
    return text


def _all_edits(step: Step) -> Iterator[Edit]:
    """With each character between the edits that its plain form changes."""
    at = 0
    for start, end, said in [*step.edits, (len(step.text), len(step.text), "")]:
        for place, char in enumerate(step.text[at:start], at):
            if _FORMS[ord(char)] != char:
                yield place, place + 1, _FORMS[ord(char)]
        if start < end:
            yield start, end, said
        at = end


class _Forms(dict[int, str]):
    """The plain form of a code point, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        form = _form(chr(code))
        if len(self) < 50_000:  # 8 MB; a text of every character there is must not fill the memory
            self[code] = form
        return form


def _form(char: str) -> str:
    if char in ALWAYS:
        return ALWAYS[char]
    if "\x80" <= char <= "\x9f":  # a quotation mark or dash of Windows-1252 that was read as Latin-1
        try:
            return char.encode("latin-1").decode("cp1252")
        except UnicodeDecodeError:
            return ""
    form = "" if _UNSEEN.match(char) else unicodedata.normalize("NFKC", char)
    return ALWAYS.get(form, form) if not _UNSEEN.search(form) else ""


_UNSEEN: Final = re.compile(f"[{ZERO_WIDTH}{BIDI}{SELECTORS}{TAGS}\x80-\x9f]")
_FORMS: Final = _Forms((code, chr(code)) for code in range(128))


def _plain(match: re.Match[str]) -> str:
    said = match[0]
    match match.lastgroup:
        case "marked":
            return _unmarked(said)
        case "tags":
            decoded = "".join(chr(ord(char) - 0xE0000) for char in said if "\U000e0020" <= char <= "\U000e007e")
            return _set_off(match, decoded)
        case "selectors":
            return _set_off(match, from_selectors(said))
        case "flags":  # two of them are a country's flag; one alone or a longer run are letters
            return said if len(said) == 2 else "".join(chr(ord(char) - 0x1F1E6 + 65) for char in said)
    return ""


def _set_off(match: re.Match[str], decoded: str) -> str:
    """Words that were hidden at a word's end are not its own; hidden letters alone may be a part of it."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    if " " not in decoded.strip():
        return decoded
    return ("\n" if before and not before.isspace() else "") + decoded + ("\n" if after and not after.isspace() else "")


def from_selectors(said: str) -> str:
    """The text whose bytes are written as a run of variation selectors (one each, 1 to 256); empty where it is none."""
    found = bytes(ord(c) - 0xFE00 if c <= "\ufe0f" else ord(c) - 0xE0100 + 16 for c in said)
    return _printable(found.decode("utf-8", "ignore"))


def _printable(said: str) -> str:
    return said if said.isprintable() else "".join(char for char in said if char.isprintable() or char.isspace())


def _unmarked(said: str) -> str:
    """A letter with marks as one character. Marks that remain on a Latin letter are ornament; other scripts need theirs."""
    base = _FORMS[ord(said[0])] if said[0] in ALWAYS else said[0]
    form = unicodedata.normalize("NFKC", base + said[1:])
    if base <= "\u024f" or len(said) > 5:
        return form if len(form) == 1 else base
    return form


def _latin_anyway(match: re.Match[str]) -> str:
    """A word of letters that are Latin or pass for such, with none that does not; where the text is Latin, no letter of the
    word needs to be."""
    word = match[0]
    if _ALL_LATIN.fullmatch(word) is None and not all(
        char in LIKE or _is_latin(char) or char.isdigit() for char in word
    ):
        return word
    if len(word) < 3 and all(char in _SYMBOLS for char in word):  # alpha, mu and sigma of a formula
        return word
    return word.translate(_LIKES)


def _is_latin(char: str) -> bool:
    return char <= "\u024f" and char.isalpha()


_LIKES: Final = {ord(char): latin for char, latin in LIKE.items()}
_SYMBOLS: Final = frozenset("αβγεηικλμνρστυχω")


def _replaced(found: Normal, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> Normal:
    """Every match replaced."""
    edits: list[Edit] = [
        (*match.span(), said) for match in pattern.finditer(found.text) if (said := by(match)) != match[0]
    ]
    return _edited(found, edits) if edits else found


def _edited(found: Normal, edits: list[Edit]) -> Normal:
    """Stretches (start, end) replaced by other text; they are in order and do not overlap."""
    text = found.text
    pieces: list[str] = []
    at = 0
    for start, end, said in edits:
        pieces += (text[at:start], said)
        at = end
    pieces.append(text[at:])
    return Normal("".join(pieces), (*found.steps, Step(text, edits)))


def _moved(text: str, edits: Iterable[Edit]) -> list[int]:
    """Where each code point of the edited text comes from, and its end."""
    origin: list[int] = []
    at = 0
    for start, end, said in edits:
        origin.extend(range(at, start))
        origin.extend(_spread(text[start:end], said, start))
        at = end
    origin.extend(range(at, len(text) + 1))
    return origin


def _spread(old: str, new: str, start: int) -> list[int]:
    """Where the characters of a replacement come from: the same letters in order where they are near, else one by one."""
    if len(old) == len(new):
        return list(range(start, start + len(old)))
    found, place, last = [], 0, len(old) - 1
    for char in new:
        at = old.find(char, place, place + 8)
        at = min(place, last) if at < 0 else at
        found.append(start + at)
        place = at + 1
    return found

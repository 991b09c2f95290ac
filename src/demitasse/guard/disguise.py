"""Words taken apart or written with digits, found and put together: ``i g n o r e``, ``i.g.n.o.r.e``, ``ig-no-re``, ``1gn0r3``.

Only where it is safe: letters must be four at least, and digits and pieces must make a word of the list in ``lookalikes``, since
``sha256``, ``e-mail`` and ``U.S.`` are what they are. Knows nothing of where the text came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from .lookalikes import LEET, WORDS

Edit = tuple[int, int, str]
"""Start, end, and what reads there."""


def disguised(text: str) -> list[Edit]:
    """Every stretch that reads as other words, in order, without overlaps. Empty for nearly every honest text."""
    shape = (b" " + text.encode("ascii", "replace") + b" ").translate(_SHAPES)
    found: list[Edit] = []
    flat = shape.replace(b"-", b" ")
    if any(hint in flat for hint in _SPACED_HINTS):
        found = [edit for way in (_DOTTED, _SPACED) for match in way.finditer(text) if (edit := _together(match))]
    if b"1a" in shape or b"a1a" in shape:
        digits = _around(text, _DIGIT, _LEET_WORD, _unleet)
        found += digits if len(digits) < _SURE else _around(text, _DIGIT, _LEET_WORD, _unleet_anyway)
    if b"a-a" in shape or b"a--" in shape:
        found += _around(text, _SIGN, _SPLIT, _word_of)
    return _apart(found) if len(found) > 1 else found


_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ?"
_DIGITS: Final = b"0134578@$!|9"
_SIGNS: Final = rb"-_.*~/\^#+"
_BLANKS: Final = b" ,=:;'\""
_SHAPES: Final = bytes(
    next((kind for kind, chars in zip(b"a1- ", (_LETTERS, _DIGITS, _SIGNS, _BLANKS), strict=True) if code in chars), 46)
    for code in range(256)
)
"""Letters are ``a`` (so is what is not ASCII), digits and signs that stand for letters ``1``, signs between letters ``-``."""
_SPACED_HINTS: Final = tuple((sep + b"a") * 3 + sep for sep in (b" ", b"  ", b"   "))

_SEP: Final = r"[.\-_*|~·•,/\\+=:;'\"^#]{1,3}"
_DOTTED: Final = re.compile(
    rf"(?<![^\W_])[^\W\d_](?P<sep>{_SEP})[^\W\d_](?![^\W_])(?:(?:(?P=sep)|[ .,;]{{1,4}})[^\W\d_](?![^\W_]))+"
)
_SPACED: Final = re.compile(r"(?<![^\W_])[^\W\d_](?P<sep> {1,3})[^\W\d_](?![^\W_])(?:[ ,;]{1,4}[^\W\d_](?![^\W_]))+")
_BLANK: Final = re.compile(" +")
_GAP: Final = re.compile(r"[,;]? +")
_LETTER: Final = re.compile(r"[^\W_]")
_DIGIT: Final = re.compile(r"[013457@$!|89]+")
_LEET_WORD: Final = re.compile(r"[A-Za-z0134578@$!|+9]+")
_SIGN: Final = re.compile(r"[-_.*|~/\\^#+]{1,3}(?=[A-Za-z])")
_SPLIT: Final = re.compile(r"[A-Za-z]{1,12}(?:[-_.*|~/\\^#+]{1,3}[A-Za-z]{1,12})+")

_KNOWN: Final = frozenset(WORDS)
_AS_WRITTEN: Final = {word.replace("l", "i"): word for word in WORDS}
_LONGEST: Final = max(map(len, WORDS))
_LENGTHS: Final = {
    begin: sorted({len(word) for word in WORDS if word.startswith(begin)}, reverse=True)
    for begin in {word[:2] for word in WORDS}
}
"""Of known words by their first two letters, the longest first."""


def _together(match: re.Match[str]) -> Edit | None:
    """Where spaces tell words apart they stay apart; where all letters stand alike, known words do."""
    sep = match["sep"]
    blank = sep.isspace()
    least = min(map(len, _BLANK.findall(match[0]))) if blank else 0  # between letters; words stand further apart
    ends = re.split(rf" {{{least + 1},}}", match[0]) if blank else _GAP.split(match[0])
    pieces = ["".join(_LETTER.findall(piece)) for piece in ends]
    pieces = [piece for piece in pieces if piece]
    longest = max(map(len, pieces))
    if sum(map(len, pieces)) < 4 or (not blank and longest < 4):  # ``U.S.A., e.g.``
        return None
    words = pieces if len(pieces) > 1 and longest > 1 else _cut("".join(pieces))
    return (*match.span(), " ".join(words))


def _cut(joined: str) -> list[str]:
    """Known words cut out of letters, the longest first; what is between them stays together."""
    found: list[str] = []
    low, at, rest = joined.lower(), 0, 0
    while at < len(low):
        length = next((n for n in _LENGTHS.get(low[at : at + 2], ()) if low[at : at + n] in _KNOWN), 0)
        if length < 3 and not (length and at == rest):
            at += 1
            continue
        if rest < at:
            found.append(joined[rest:at])
        found.append(joined[at : at + length])
        at = rest = at + length
    return [*found, joined[rest:]] if rest < len(joined) else found


def _around(text: str, mark: re.Pattern[str], word: re.Pattern[str], read: Callable[[str], str | None]) -> list[Edit]:
    """The words around each mark that read as something else."""
    found: list[Edit] = []
    done = 0
    for match in mark.finditer(text):
        start = match.start()
        if start < done:
            continue
        floor = max(done, start - 2 * _LONGEST)
        while start > floor and text[start - 1].isascii() and text[start - 1].isalpha():
            start -= 1
        whole = word.match(text, start)
        if whole is None:
            continue
        done = whole.end()
        if (start and text[start - 1].isalnum()) or text[done : done + 1].isalnum() or done - start > 2 * _LONGEST:
            continue
        said = read(whole[0])
        if said is not None:
            found.append((start, done, said))
    return found


@lru_cache(4096)
def _unleet(said: str) -> str | None:
    """The word that digits disguise, letter for letter; None: none that is known."""
    bare = said.rstrip("!+|")
    if not any(map(str.isalpha, bare)) or bare.isalpha():
        return None
    found = _AS_WRITTEN.get(bare.lower().translate(LEET).replace("l", "i"))
    if found is None:
        return None
    return "".join(a if a.isalpha() else b for a, b in zip(bare, found, strict=True)) + said[len(bare) :]


_SURE: Final = 2
"""So many known words that digits disguise, and other words with digits between letters are taken for disguised, too."""


def _unleet_anyway(said: str) -> str | None:
    """The same for a word that need not be known; of digits alone nothing is made."""
    found = _unleet(said)
    if found is not None or sum(map(str.isalpha, said)) * 3 < len(said):
        return found
    bare = said.rstrip("!+|")
    read = bare.translate(LEET)
    return read + said[len(bare) :] if read != bare and read.isalpha() else None


@lru_cache(4096)
def _word_of(said: str) -> str | None:
    """The known word that pieces make together."""
    joined = "".join(_LETTER.findall(said))
    return joined if joined.lower() in _KNOWN else None


def _apart(edits: list[Edit]) -> list[Edit]:
    found: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if not found or edit[0] >= found[-1][1]:
            found.append(edit)
    return found

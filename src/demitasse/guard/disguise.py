"""Words taken apart or written with digits, found and put together: ``i g n o r e``, ``i.g.n.o.r.e``, ``ig-no-re``, ``1gn0r3``.

Only where it is safe: letters must be four at least, and digits and pieces must make a word of the list in ``lookalikes``, since
``sha256``, ``e-mail`` and ``U.S.`` are what they are. Where a stretch is surely disguised, all that stands in it is read so.
Knows nothing of where the text came from.
"""

from __future__ import annotations

import itertools
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
    if any(hint in flat for hint in _SPACED_HINTS) or b"a1a1a1a1" in shape:
        found = _taken_apart(text)
    if b"1a" in shape or b"a1a" in shape:
        found += _around(text, _DIGIT, _LEET_WORD, _unleet)
        if shape.count(b"1a") + shape.count(b"a1") >= _MANY:
            found += _all_unleet(text)
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
_SINGLE: Final = re.compile(r"(?<!\S)\S(?: {1,4}\S(?!\S))+")
_BLANK: Final = re.compile(" +")
_WORD: Final = re.compile(r"\S+")
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


_SURE: Final = 8
"""Letters set apart, from which on all that stands among them is taken for set apart, too, be it a letter or not."""


def _taken_apart(text: str) -> list[Edit]:
    """Letters with signs or blanks between them."""
    found: list[Edit] = []
    some = [match["sep"] for match in itertools.islice(_DOTTED.finditer(text), _SOME)]
    if some:
        found += _without_sign(text, max(some, key=some.count))
        if not _is_most(found, text):
            found += (edit for match in _DOTTED.finditer(text) if (edit := _together(match)))
    singles = [_single(match) for match in _SINGLE.finditer(text) if sum(map(str.isalpha, match[0])) >= _SURE]
    if not _is_most(singles, text):
        singles += (edit for match in _SPACED.finditer(text) if (edit := _together(match)))
    return found + singles


_SOME: Final = 5
"""Words with signs between their letters that say which sign it is."""


def _is_most(edits: list[Edit], text: str) -> bool:
    """Whether what is found is most of the text: there is not much to look for in the rest."""
    return sum(end - start for start, end, _ in edits) * 2 > len(text)


def _without_sign(text: str, sign: str) -> list[Edit]:
    """Stretches of words in which the sign stands before at least half of the letters; what follows a sign is kept."""
    followed = re.compile(re.escape(sign) + r"([\S ])")
    found: list[Edit] = []
    start = end = signs = 0
    for match in [*_WORD.finditer(text), None]:
        own = match[0].count(sign) if match else 0
        if match and (own or len(match[0]) == 1) and own * 2 >= len(match[0]) - own * len(sign) - 1:
            start, end, signs = match.start() if not signs else start, match.end(), signs + own
            continue
        if signs >= _SURE and " " in text[start:end]:
            found.append((start, end, followed.sub(r"\1", text[start:end])))
        signs = 0
    return found


def _single(match: re.Match[str]) -> Edit:
    """Characters that all stand alone."""
    words = [piece.replace(" ", "") for piece in _words_apart(match[0])]
    return (*match.span(), " ".join(words if len(words) > 1 else _cut(words[0])))


def _words_apart(said: str) -> list[str]:
    """Cut at the blanks that are longer than the shortest: letters stand nearer to each other than words."""
    least = min(map(len, _BLANK.findall(said)))
    return re.split(rf" {{{least + 1},}}", said)


def _together(match: re.Match[str]) -> Edit | None:
    """Where spaces tell words apart they stay apart; where all letters stand alike, known words do."""
    blank = match["sep"].isspace()
    ends = _words_apart(match[0]) if blank else _GAP.split(match[0])
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


_MANY: Final = 4
"""Changes between letters and digits, from which on words are looked at one by one."""
_ENOUGH: Final = 3
"""Words that only digits keep from being words, near each other; a known one counts for two."""
_FAR: Final = 6
"""Other words that end a stretch of such."""
_TOKEN: Final = re.compile(r"(?<![^\W_])[A-Za-z0-9@$!|+]+(?![^\W_])")
_PART: Final = re.compile(r"[01345789]+[A-Za-z]")
_UNIT: Final = re.compile(
    r"[0-9]+(?:st|nd|rd|th|[ap]m|[kmgt]?b|[kmcn]?m|[kKmMgGdDhHxXsS]|[km]g|px|m?s|in|ft|bit|hz|day|year)", re.IGNORECASE
)
_NO_WORD: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}|[aeiou]{4}|(?-i:[a-z][A-Z])", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_SHORT: Final = {
    "1": "I",
    "4": "a",
    "17": "it",
    "15": "is",
    "70": "to",
    "45": "as",
    "47": "at",
    "41": "AI",
    "175": "its",
    "50": "so",
    "7": "t",
}


def _all_unleet(text: str) -> list[Edit]:
    """Every word with digits of the stretches in which many are: at least one in three is a word but for its digits."""
    found: list[Edit] = []
    own: list[Edit] = []
    sure = plain = others = 0
    for match in [*_TOKEN.finditer(text), None]:
        said = match[0] if match else ""
        if said.isalpha():
            plain += 1
        if match is None or plain > _FAR:
            if sure >= _ENOUGH and sure * 2 >= others:
                found += own
            own, sure, others = [], 0, 0
        elif (reading := _reading(said)) is not None:
            own.append((*match.span(), reading[0]))
            sure, others, plain = sure + reading[1], others + plain, 0
        elif not said.isdigit():
            others += 1
    return found


@lru_cache(4096)
def _reading(said: str) -> tuple[str, int] | None:
    """What a word with digits reads as, and how sure that alone makes of a disguise; None: as nothing."""
    if said.isalpha() or len(said) > 2 * _LONGEST:
        return None
    if said in _SHORT:
        return _SHORT[said], 0
    bare = said.rstrip("!+|")
    known = _unleet(said)
    read = known or bare.translate(LEET) + said[len(bare) :]
    letters = "".join(filter(str.isalpha, bare))
    if not letters or letters == bare or not read.rstrip("!+|").isalpha() or _UNIT.fullmatch(bare) or bare[0] in "$@":
        return (known, 2) if known else None
    if known:
        return known, 2
    if letters.isupper():
        read = read.upper()
    vowels = sum(map(read.lower().count, "aeiouy"))
    if not any(map(str.isdigit, bare)) or vowels * 6 < len(bare) or _NO_WORD.search(read):
        return None
    return read, 0 if len(bare) < 3 or _HEX.fullmatch(bare) else min(2, len(_PART.findall(bare)))


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

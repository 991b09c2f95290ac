"""Which lettered option an answer picks: by its letter, or by the option's words where they can mean no other.

Knows the options that were shown; nothing of which is right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from ...score.normal import choice
from .closed import ClosedSet


def picked(text: str, options: Sequence[str]) -> str | None:
    """The letter that an answer picks; None where it picks none, denies one, or several.

    Args:
        text: the answer.
        options: as they were shown, ``A`` first; empty where they stand in the question and are not known.

    The letter speaks before the option's words: ``B. Paris`` is B.
    """
    bare = text.strip()
    most = letter_of(len(options) - 1) if options else "J"
    if len(bare) == 1 and "A" <= bare.upper() <= "Z":
        return bare.upper() if bare.upper() <= most else None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if len(text) > _LONGEST:
        text = f"{text[:_SHORT]}\n{text[-_LONGEST:]}"
    found = _by_letter(text, most, options)
    if found is not None:
        return found if found and found <= most else None
    return _by_words(text, tuple(options)) if options else None


def letter_of(place: int) -> str:
    """``A`` for the first option."""
    return chr(ord("A") + place)


def _by_letter(text: str, most: str, options: Sequence[str]) -> str | None:
    """The letter; empty where letters are denied or left open, so that no words count either; None: no letter speaks."""
    if most > _LAST_OF_CHOICE:
        alone = _ALONE.fullmatch(text)
        if alone:
            return alone[1].upper()
    if _DRESSED.search(text):
        text = _DRESSED.sub(lambda m: next(one for one in m.groups() if one), text)
    mentions = _mentions(text)
    if not mentions:
        return choice(text, told=True) if len(text) <= _SHORT else None  # "option b"
    listed = len({m[1] for m in _LISTED.finditer(text)}) > _MAY_REASON
    text = _without_words(text, mentions, options)
    mentions = _mentions(text)
    denied = _denied(text, mentions)
    if denied:
        for found in reversed(denied):
            text = f"{text[: found.start()]} {text[found.end() :]}"
        mentions = _mentions(text)
    if _undecided(text, mentions):
        return ""
    found_letter = choice(text, told=not listed)
    if found_letter is not None:
        return found_letter
    concluded = [m[1] for m in mentions if _is_concluded(text, m, listed=listed)]
    return concluded[-1] if concluded else ("" if denied else None)


def _without_words(text: str, mentions: list[re.Match[str]], options: Sequence[str]) -> str:
    """``(B) London``, ``B: London`` and ``B (London)`` as the letter alone, so that what follows says how it is meant."""
    for m in reversed(mentions):
        place = ord(m[1]) - ord("A")
        gap = _GAP.match(text, m.end())
        if place >= len(options) or not options[place].strip() or gap is None:
            continue
        end = gap.end() + len(options[place].strip())
        if text[gap.end() : end].casefold() == options[place].strip().casefold() and not text[end : end + 1].isalnum():
            end += text[end : end + 1] == ")" and "(" in gap[0]
            text = f"{text[: m.end()]}{text[end:]}"
    return text


def _is_concluded(text: str, m: re.Match[str], *, listed: bool) -> bool:
    """Whether reasoning ends with it. ``listed``: options are gone through, so that standing first says nothing."""
    if _BEFORE.search(text, _from(m), m.start()) or _AFTER.match(text, m.end()):
        return True
    named = (not listed and not text[: m.start()].strip()) or _NAMED_BEFORE.search(
        text, _from(m), m.start()
    ) is not None
    return named and _REASONED.match(text, m.end()) is not None


def _mentions(text: str) -> list[re.Match[str]]:
    """Letters that stand alone; but the word I is taken for a person."""
    return [m for m in _MENTION.finditer(text) if m[0] != "I"]


def _denied(text: str, mentions: list[re.Match[str]]) -> list[re.Match[str]]:
    """Mentions that say the letter is not the answer: ``not B``, ``neither A nor C``, ``rule out A and D``, ``B is wrong``."""
    found: list[re.Match[str]] = []
    for m in mentions:
        joined = bool(found) and _JOINED.fullmatch(text, _behind(text, found[-1]), m.start()) is not None
        if joined or _DENIED_BEFORE.search(text, _from(m), m.start()) or _DENIED_AFTER.match(text, m.end()):
            found.append(m)
    return found


def _behind(text: str, denied: re.Match[str]) -> int:
    """Where what is said of a denied letter ends: behind ``B`` or ``B is wrong``."""
    said = _DENIED_AFTER.match(text, denied.end())
    return said.end() if said else denied.end()


def _undecided(text: str, mentions: list[re.Match[str]]) -> bool:
    """Whether two letters are offered as the answer, ``The answer is A or B``, and nothing that follows decides."""
    for one, other in pairwise(mentions):
        if _JOINED.fullmatch(text, one.end(), other.start()) is None:
            continue
        sentence = text[_from(one) : one.start()]
        offered = not text[: one.start()].strip() or _ANSWER.search(_SENTENCE.split(sentence)[-1])
        decided = any(m.start() >= other.end() and _is_concluded(text, m, listed=True) for m in mentions)
        if offered and not decided and not _ANSWER.search(text, other.end()):
            return True
    return False


def _from(mention: re.Match[str]) -> int:
    return max(0, mention.start() - _NEAR)


def _by_words(text: str, options: tuple[str, ...]) -> str | None:
    if len({m[1] for m in _LISTED.finditer(text)}) > 1:  # it goes through the options
        return None
    known = _closed(options)
    short = len(text) <= _SHORT
    member = known.named(text) if short else known.named(text[-_SHORT:].partition("\n")[2])
    return letter_of(options.index(member)) if member is not None else None


@lru_cache(4_096)
def _closed(options: tuple[str, ...]) -> ClosedSet:
    return ClosedSet(options)


_LAST_OF_CHOICE = "J"
"""What ``normal.choice`` reads; beyond it only a letter that stands alone is read."""
_LONGEST = 20_000
"""Characters of an answer that are looked at, from its end."""
_SHORT = 400
"""Characters of an answer in which an option's words are looked for: a long one weighs them all before it picks."""
_MAY_REASON = 2
"""Options that an answer may name in a list and still mean the first; one that lists more repeats the question."""
_NEAR = 60
"""Characters before a letter that say how it is meant."""
_MENTION = re.compile(r"(?<![\w'’])[(\[\"'*]{0,4}([A-J])[)\]\"'*]{0,4}(?![\w'’])")
_GAP = re.compile(r"[\"'*]*[ \t]*[:.–-]?[ \t]*[(\"'*]*")
_LISTED = re.compile(r"(?:^|\s)[(\[*]{0,4}([A-J])(?:[)\]][.:]?|[.:])\**(?=\s)", re.MULTILINE)
_ALONE = re.compile(r"[\s\"'(\[*]*(?:(?:option|choice|answer)\s*:?\s*)?[(\[]?([A-Z])[)\]]?[\s\"'.:)*]*", re.IGNORECASE)
_ANSWER = re.compile(r"\b(?:answer|option|choice)s?\b|\b(?:either|both|between)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?\n]")
_JOINED = re.compile(
    r"\s*(?:,?\s*\b(?:or|and|and/or|nor|as well as)\b(?:\s+so\s+(?:is|are)\b)?|/|&|,)\s*"
    r"(?:(?:maybe|perhaps|possibly)\s+)?(?:(?:option|choice)\s+)?",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|neither|nor|never|eliminate[sd]?|eliminating|rul(?:e|es|ed|ing)\s+out|exclud(?:e|es|ed|ing))|n['’]t)"
    r"(?:\s+(?:be|choose|pick|select|think|the|answer|option|choice|is|or|it|it's))*\s*$"
    r"|(?:\bnot\s+(?:sure|certain)|\bunsure|n['’]t\s+know|\bdoubt)\b[^.\n]{0,40}$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"\s+(?:(?:is|are|was|would\s+be|seems|can|must)\s*)?(?:also\s+|clearly\s+)?"
    r"(?:not\b|n['’]t\b|isn['’]t\b|can['’]t\b|cannot\b|wrong\b|incorrect\b|false\b|(?:is|are)n['’]t\b)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"""(?:\b(?:choose|chose|choosing|pick|select|go(?:ing)?\s+with|opt\s+for|(?:must|has\s+to|should)\s+be|leaves|leaving
             |(?:answer|option|choice)\s+is\s+(?:probably|likely|most\s+likely|definitely|clearly|indeed|therefore|thus)
             |(?:so|thus|therefore|hence)\b,?(?:\s+it\s+is|\s+it['’]s)?)|\bbut)\s+(?:the\s+)?(?:(?:option|choice|answer)\s+)?$""",
    re.VERBOSE | re.IGNORECASE,
)
"""What reasoning ends with: ``so it must be C``, ``I would go with (B)``; the last one speaks."""
_NAMED_BEFORE = re.compile(r"\b(?:answer|option|choice)\b[*\s]*(?:(?:is|would\s+be)\b|[:=])?[*\s:]*$", re.IGNORECASE)
_REASONED = re.compile(r"[.,]?\s*(?:$|\n|,|[.,]?\s+(?:because|since|as)\b)", re.IGNORECASE)
"""What follows a letter that is given with its reason."""
_DRESSED = re.compile(
    r"\\(?:text|textbf|mathrm|mathbf|mathit)\s*\{\s*(\(?[A-J]\)?)\s*\}|\$(\(?[A-J]\)?)\$|(?<!`)`(\(?[A-J]\)?)`(?!`)"
)
_AFTER = re.compile(
    r"""\s+(?:is|seems|appears|looks)\s+(?:(?:to\s+be|definitely|clearly|likely|probably|most\s+likely|also)\s+)*
        (?:the\s+)?(?:most\s+)?(?:correct|right|best|accurate|appropriate|answer|likely)""",
    re.VERBOSE | re.IGNORECASE,
)
"""``D is correct``."""

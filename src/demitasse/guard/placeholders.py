"""Placeholders for what may not go out: the same for the same value in a session, and nobody can tell the value from one.

``<EMAIL_k3x7qa>`` is the type and six letters of HMAC-SHA-256 over tenant, session, type and value, so that nothing has to
be remembered: every process that holds the secret, and each turn of a conversation, comes to the same one, and what a
provider's cache holds stays valid. Where an identifier is wanted (providers refuse ``<`` in names) the brackets are left out.
Knows texts and what stands in them; knows no request, no detector, and not what becomes of an answer.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from base64 import b32encode
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct


class Cut(NamedTuple):
    """What is to be taken out of a text: code points, half open, and what it is (``EMAIL``, ``api_key``)."""

    start: int
    end: int
    type: str
    mask: bool = False
    """It stays out: the answer keeps the placeholder."""


class Text(NamedTuple):
    """A text and what is to be taken out of it. Cuts may overlap: together they become one, of the first one's type."""

    text: str
    cuts: Sequence[Cut] = ()
    name: bool = False
    """An identifier: placeholders without brackets."""
    shared: bool = False
    """It begins many sessions (a system prompt): what it holds has the same placeholder in all sessions of the tenant, or no
    two of them would share a provider's cache."""


class Redaction(Struct, frozen=True):
    """Texts as they may go out, and what brings them back."""

    texts: tuple[str, ...]
    """In the order in which they were given; one that had nothing to take out is the same object."""
    values: dict[str, str]
    """By placeholder (with brackets), what an answer gets back."""
    masked: frozenset[str] = frozenset()
    """Placeholders that stay; a value that is masked in one place is masked in all."""

    @classmethod
    def of(cls, texts: Iterable[Text], *, secret: bytes, tenant: str, session: str) -> Redaction:
        """Take out of the texts of one call what their cuts say.

        Args:
            secret: of this installation; who has it can try out which value a placeholder stands for.
            tenant, session: placeholders of others are other ones.
        """
        texts = list(texts)
        merged = [_whole_numbers(text.text, _merged(text.cuts)) for text in texts]
        hidden = {_key(text.text, cut) for text, cuts in zip(texts, merged, strict=True) for cut in cuts if cut.mask}
        common = {_key(text.text, cut) for text, cuts in zip(texts, merged, strict=True) for cut in cuts if text.shared}
        made = _Made(secret, tenant, session, common)
        out = []
        values: dict[str, str] = {}
        masked: set[str] = set()
        for text, cuts in zip(texts, merged, strict=True):
            pieces: list[str] = []
            at = 0
            numbers = _bare_numbers(text.text, cuts)
            for nth, cut in enumerate(cuts):
                key = _key(text.text, cut)
                core = made.core(*key)
                placeholder = f"<{core}>"
                if key in hidden:
                    masked.add(placeholder)
                else:
                    values.setdefault(placeholder, _plain(text.text, text.text[cut.start : cut.end]))
                shown = core if text.name else f'"{placeholder}"' if nth in numbers else placeholder
                pieces += (text.text[at : cut.start], shown)
                at = cut.end
            out.append("".join((*pieces, text.text[at:])) if cuts else text.text)
        return cls(tuple(out), values, frozenset(masked))


def literals(text: str) -> set[str]:
    """What stands in a text and could be a placeholder of an earlier turn, with brackets: a vault may know its value.

    One that equals a placeholder of this call is just that: nobody comes to these letters but by the same value, in the
    same session, under the same secret.
    """
    return {f"<{core}>" for core in _LIKE.findall(text)} if "_" in text else set()


def label(type: str) -> str:
    """A type as a placeholder says it."""
    return _NOT_LABEL.sub("_", type.upper()).strip("_") or "DATA"


def normal(type: str, value: str) -> str:
    """What makes two spellings the same value: case and width but for secrets, and the blanks in numbers."""
    if type.upper() != type:
        return value  # a secret, each letter counts
    value = unicodedata.normalize("NFKC", value).casefold()
    return _BETWEEN_DIGITS.sub("", value) if type in NUMBERS else " ".join(value.split())


_CHARS: Final = 6
_LONGEST: Final = 24
NUMBERS: Final = frozenset(
    {"PHONE", "CARD", "IBAN", "BANK_ACCOUNT", "SSN", "NATIONAL_ID", "PASSPORT", "DRIVER_LICENSE", "MAC"}
)
"""Types in which blanks and the like make no other value."""
_BETWEEN_DIGITS = re.compile(r"[\s().\-/:]+")
_NOT_LABEL = re.compile(r"[^A-Z]+")
_LIKE = re.compile(r"(?<![A-Z])[A-Z][A-Z_]{1,23}_[a-z2-7]{6,24}(?![a-z0-9])")


class _Made:
    """The placeholders of one call."""

    def __init__(self, secret: bytes, tenant: str, session: str, common: Collection[tuple[str, str]]) -> None:
        self._secret = secret
        self._tenant = f"{len(tenant)}:{tenant}".encode()
        self._session = session.encode("utf-8", "surrogatepass")
        self._common = common
        self._by_value: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def core(self, type: str, value: str) -> str:
        """The placeholder of a normalised value, without its brackets."""
        known = self._by_value.get((type, value))
        if known is not None:
            return known
        whose = b"all\0" if (type, value) in self._common else b"one:" + self._session + b"\0"
        told = self._tenant + whose + f"{type}\0{value}".encode("utf-8", "surrogatepass")
        letters = b32encode(hmac.digest(self._secret, told, "sha256")).decode().lower()
        name = label(type)
        chars = _CHARS
        while (core := f"{name}_{letters[:chars]}") in self._taken and chars < _LONGEST:
            chars += 2
        self._taken.add(core)
        self._by_value[type, value] = core
        return core


def _key(text: str, cut: Cut) -> tuple[str, str]:
    return cut.type, normal(cut.type, _plain(text, text[cut.start : cut.end]))


def _plain(text: str, value: str) -> str:
    """The value itself, where it stands escaped in a text that is JSON."""
    if "\\" not in value or text.lstrip()[:1] not in ("{", "["):
        return value
    try:
        plain = msgspec.json.decode(f'"{value}"')
    except (msgspec.DecodeError, UnicodeError):
        return value
    return plain if isinstance(plain, str) else value


def _bare_numbers(text: str, cuts: Sequence[Cut]) -> set[int]:
    """Which cuts take out a whole number of a text that is JSON: a placeholder there is a string, or it would be JSON no more."""
    found = set()
    for nth in _outside_strings(text, cuts):
        cut = cuts[nth]
        if _NUMBER.fullmatch(text, cut.start, cut.end):
            before = cut.start - 1
            while before > 0 and text[before] in " \t\r\n":
                before -= 1
            if text[before] in ":,[" and _AFTER.match(text, cut.end):
                found.add(nth)
    return found


def _whole_numbers(text: str, cuts: list[Cut]) -> list[Cut]:
    """In a text that is JSON a number goes as a whole, with its sign and fraction: the rest of one is no JSON."""
    found, least = list(cuts), 0
    for nth in _outside_strings(text, cuts):
        start, end = cuts[nth].start, cuts[nth].end
        if text[start:end].isdigit():
            while start > least and text[start - 1] in _OF_A_NUMBER:
                start -= 1
            while end < len(text) and text[end] in _OF_A_NUMBER:
                end += 1
            found[nth] = cuts[nth]._replace(start=start, end=end)
            least = end
    return _merged(found)


def _outside_strings(text: str, cuts: Sequence[Cut]) -> list[int]:
    """Which cuts begin outside of all strings of a text that is JSON; none where it is not."""
    if not cuts or text.lstrip()[:1] not in ("{", "["):
        return []
    found, at, inside = [], 0, False
    for nth, cut in enumerate(cuts):
        inside ^= len(_QUOTE.findall(text, at, cut.start)) % 2 == 1
        at = cut.start
        if not inside:
            found.append(nth)
    return found


_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_OF_A_NUMBER = frozenset("+-.eE0123456789")
_AFTER = re.compile(r"\s*[,\]}]")


def _merged(cuts: Sequence[Cut]) -> list[Cut]:
    found: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: (cut.start, -cut.end)):
        if cut.end <= cut.start:
            continue
        if found and cut.start < found[-1].end:
            last = found[-1]
            found[-1] = last._replace(end=max(last.end, cut.end), mask=last.mask or cut.mask)
        else:
            found.append(cut)
    return found

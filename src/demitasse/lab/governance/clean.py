"""What leaves the house is cleaned: no secret, no path of this machine, and no personal value in what people wrote. Pure.

Everything in a pack or a card is numbers, names and our own sentences; free text comes in where people or providers wrote it
(a reason, an alert, a tag), under members that ``WRITTEN`` names. Only there are personal values looked for: a code, a hash or
the address of a server is evidence, whatever it looks like. It doesn't know which words are the configuration's own; it is told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct

_PATH = re.compile(
    r"(?<![\w:/.~\-])(?:~|\.{1,2})?/(?:[\w.@+\-]+/)+[\w.@+\-]*"  # /home/ada/x, ~/x/y, ../x/y; no part of an address
    r"|(?<![\w/])[A-Za-z]:\\(?:[\w.@+\- ]+\\?)+"
    r"|file://\S+"
)
_PLAIN = re.compile(
    r"(?:[a-z0-9-]+[: ])?(?:[0-9a-f]{8,128}|[0-9a-f-]{36})"  # hashes and UUIDs, perhaps with their algorithm
    r"|urn:uuid:[0-9a-f-]{36}"
    r"|ed25519:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+"
    r"|\d{4}-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)?)?)?"
)
_OURS = ("/v1/", "/demitasse/")
"""Addresses of this gateway look like paths, and are none of this machine's."""


WRITTEN: Final = frozenset({
    "why", "who", "by", "paused", "message", "what", "failed", "problems", "undo", "remedy",  # sentences
    "name", "team", "key", "tag", "tags", "subject", "said",  # names that people gave, tags of clients
    "task", "source", "licence", "data", "says", "outputs_say", "limits", "use", "title", "upstream",  # of files
    "guard", "guards", "classes", "tenants", "settings", "bodies",  # rules with patterns of one's own
})  # fmt: skip
"""Members that hold what people wrote, with all below them."""
ANYWHERE: Final = frozenset({"EMAIL"})
"""Personal values that no code or address of ours looks like: looked for in every string."""
_CODE = re.compile(
    r"(?<![^\W_])(?:(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{10,128}|[a-z]{2,5}_[0-9a-f]{8,64}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![^\W_])"
)
"""Codes, hashes and ids as this gateway makes them, inside a sentence."""


class Cleaned(Struct, frozen=True):
    """A value without what must not leave, and how often something of each kind was taken out."""

    value: Any
    removed: dict[str, int]


def cleaned(value: Any, keep: Collection[str] = ()) -> Cleaned:
    """A JSON value whose strings (names of members too) have what must not leave replaced by its kind.

    Secrets and paths go everywhere, personal values where people write (``WRITTEN``).

    Args:
        keep: hosts, names and codes of our own that are no personal values, wherever they stand.
    """
    removed: Counter[str] = Counter()
    return Cleaned(_walk(value, removed, _kept(keep), written=False), dict(removed))


def clean_text(text: str, keep: Collection[str] = ()) -> str:
    """One text that somebody wrote."""
    return _text(text, Counter(), _kept(keep), written=True)


def _walk(value: Any, removed: Counter[str], keep: re.Pattern[str], *, written: bool) -> Any:
    if isinstance(value, str):
        return _text(value, removed, keep, written=written)
    if isinstance(value, dict):
        return {
            _text(str(name), removed, keep, written=written): _walk(
                one, removed, keep, written=written or name in WRITTEN
            )
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_walk(one, removed, keep, written=written) for one in value]
    return value


def _text(text: str, removed: Counter[str], keep: re.Pattern[str], *, written: bool) -> str:
    if len(text) < 4 or _PLAIN.fullmatch(text):
        return text
    text = _PATH.sub(lambda found: _path(found, removed), text)
    for start, end, kind in reversed(_spans(text, keep, written=written)):
        text = f"{text[:start]}[{kind}]{text[end:]}"
        removed[kind] += 1
    return text


def _kept(words: Collection[str]) -> re.Pattern[str]:
    """What finds own words and codes; the longest first, so that none ends within another."""
    own = sorted({word for word in words if len(word) > 2}, key=lambda word: (-len(word), word))
    if not own:
        return _CODE
    return re.compile(rf"(?<![\w.@])(?:{'|'.join(map(re.escape, own))})(?![\w@]|\.\w)|{_CODE.pattern}")


def _path(found: re.Match[str], removed: Counter[str]) -> str:
    said = found.group()
    if said.startswith(_OURS):
        return said
    removed["PATH"] += 1
    return "[PATH]"


KEPT_TYPES = frozenset({"URL", "DATE", "PERSON", "LOCATION", "ORGANISATION"})
"""What our own sentences are full of: addresses of terms, dates of reading. An address with a password in it is a secret."""


def _spans(text: str, keep: re.Pattern[str], *, written: bool) -> list[tuple[int, int, str]]:
    """Where something must go, in order and without overlaps."""
    from ...guard import personal, secrets  # noqa: PLC0415 - numbers of phones are a heavy table

    found = [(one.start, one.end, one.kind) for one in secrets.find(text)[0]]
    if written or "@" in text:
        own = [match.span() for match in keep.finditer(text)]
        found += [
            (one.start, one.end, one.type)
            for one in personal.find(text)[0]
            if (one.type not in KEPT_TYPES if written else one.type in ANYWHERE)
            and not any(start < one.end and one.start < end for start, end in own)
        ]
    kept: list[tuple[int, int, str]] = []
    for span in sorted(found, key=lambda span: (span[0], -span[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept

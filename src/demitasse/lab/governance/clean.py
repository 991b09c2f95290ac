"""What leaves the house is cleaned: no secret, no personal value, no path of this machine. Pure; knows nothing of what texts say.

Everything in a pack or a card is numbers, names and our own sentences; free text comes in where people or providers wrote it
(the reason of a refusal, a command line, a tag). So every string is looked at, but for hashes and moments.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

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


class Cleaned(Struct, frozen=True):
    """A value without what must not leave, and how often something of each kind was taken out."""

    value: Any
    removed: dict[str, int]


def cleaned(value: Any) -> Cleaned:
    """A JSON value with every secret, personal value and path in its strings (names of members too) replaced by its kind."""
    removed: Counter[str] = Counter()
    return Cleaned(_walk(value, removed), dict(removed))


def clean_text(text: str, removed: Counter[str] | None = None) -> str:
    """One text."""
    counter = Counter[str]() if removed is None else removed
    if len(text) < 4 or _PLAIN.fullmatch(text):
        return text
    text = _PATH.sub(lambda found: _path(found, counter), text)
    spans = _spans(text)
    for start, end, kind in reversed(spans):
        text = f"{text[:start]}[{kind}]{text[end:]}"
        counter[kind] += 1
    return text


def _walk(value: Any, removed: Counter[str]) -> Any:
    if isinstance(value, str):
        return clean_text(value, removed)
    if isinstance(value, dict):
        return {clean_text(str(name), removed): _walk(one, removed) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(one, removed) for one in value]
    return value


def _path(found: re.Match[str], removed: Counter[str]) -> str:
    said = found.group()
    if said.startswith(_OURS):
        return said
    removed["PATH"] += 1
    return "[PATH]"


KEPT_TYPES = frozenset({"URL", "DATE", "PERSON", "LOCATION", "ORGANISATION"})
"""What our own sentences are full of: addresses of terms, dates of reading. An address with a password in it is a secret."""


def _spans(text: str) -> list[tuple[int, int, str]]:
    """Where something must go, in order and without overlaps."""
    from ...guard import personal, secrets  # noqa: PLC0415 - numbers of phones are a heavy table

    found = [(one.start, one.end, one.kind) for one in secrets.find(text)[0]]
    found += [(one.start, one.end, one.type) for one in personal.find(text)[0] if one.type not in KEPT_TYPES]
    kept: list[tuple[int, int, str]] = []
    for span in sorted(found, key=lambda span: (span[0], -span[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept

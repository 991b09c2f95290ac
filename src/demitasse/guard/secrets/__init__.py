"""Keys, passwords and connection strings in a text. Knows shapes and names; asks no service whether a key works.

Plain searches for short marks (``AKIA``, ``://``, ``passw``) propose, and a bounded pattern at the mark decides, so the
work grows with the length of a text and with nothing else. What merely describes a secret (``password: ****``,
``<your-key>``, ``${TOKEN}``, ``changeme``) is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..finding import Secret
from .addresses import addresses
from .named import named
from .services import services

MOST_FOUND = 2_000
"""Of one text; beyond it the rest is not looked at, and ``find`` says so."""
_FEWEST_TRIES = 200
_CHARS_A_TRY = 16
"""One mark in so many characters is looked at: more than any text has, and few enough that hostile ones stay cheap."""

_RANK = {
    "private_key": 0,
    "connection_string": 1,
    "api_key": 2,
    "token": 3,
    "url_credentials": 4,
    "password": 5,
    "high_entropy": 6,
}


def find(text: str) -> tuple[list[Secret], bool]:
    """All secrets of a text in order and without overlaps, and whether a cap on the work was hit.

    A span holds what must not leave: of ``password: hunter2`` the value, of a connection string all of it.
    """
    tries = Tries(_FEWEST_TRIES + len(text) // _CHARS_A_TRY)
    low = lowered(text)
    found: list[Secret] = []
    for look in (services, addresses, named):
        for kind, start, end in look(text, low, tries):
            found.append(Secret(kind, start, end))
            if len(found) >= MOST_FOUND:
                return _merged(found), True
    return _merged(found), tries.spent


class Tries:
    """How often a pattern may still be tried on this text."""

    __slots__ = ("left", "spent")

    def __init__(self, most: int) -> None:
        self.left = most
        self.spent = False

    def at(self, text: str, mark: str) -> Iterator[int]:
        """Where ``mark`` stands in ``text``, as long as there are tries left."""
        at = text.find(mark)
        while at >= 0:
            if self.left <= 0:
                self.spent = True
                return
            self.left -= 1
            yield at
            at = text.find(mark, at + len(mark))


def lowered(text: str) -> str:
    """Without capitals, every character in its place: the one that grows when it is folded is folded by itself."""
    return text.lower() if text.isascii() else text.replace("İ", "i").lower()


def _merged(found: list[Secret]) -> list[Secret]:
    """In order. Where two overlap they become one that covers both, under the more telling name."""
    merged: list[Secret] = []
    for one in sorted(found, key=lambda s: (s.start, -s.end)):
        if merged and one.start < merged[-1].end:
            last = merged[-1]
            kind = min(last.kind, one.kind, key=_RANK.__getitem__)
            merged[-1] = Secret(kind, last.start, max(last.end, one.end))
        else:
            merged.append(one)
    return merged

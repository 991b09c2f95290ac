"""What governance reads from: configuration, store, counts, of one data folder; and the window of time that is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct

from ..config import Config
from ..core.limits import Key
from ..lab.governance.register import SETTING, accepted
from ..store.books import SqliteBooks
from ..store.evidence import SqliteEvidence
from ..store.settings import Settings
from ..store.signing import public_key
from ..store.tally import SqliteTally
from .governing_models import Shelf

DAY_US: Final = 86_400_000_000
WINDOW_DAYS: Final = 90
"""Of a pack, unless a command says otherwise: a quarter."""


class Store(Protocol):
    """What is read of the store's own facts; ``store.settings.Settings`` and the running ledger are it."""

    def get_setting(self, name: str, default: Any = None) -> Any: ...

    def keys(self) -> Any: ...


class Sources(Struct, frozen=True, eq=False):
    """All that is read from, for one data folder."""

    data: Path
    config: Config
    books: SqliteBooks
    evidence: SqliteEvidence
    tally: SqliteTally
    store: Store
    clock: Callable[[], int]
    """UTC microseconds."""

    def keys(self) -> list[Key]:
        return [key for key in self.store.keys() if key.mac]

    def shelf(self) -> Shelf:
        return Shelf(self.config, self.data, accepted(self.store.get_setting(SETTING)))


class Window(Struct, frozen=True):
    """A stretch of time, UTC microseconds, ``since_us`` ≤ t < ``until_us``; ``now_us`` is the moment of looking."""

    since_us: int
    until_us: int
    now_us: int


@contextlib.contextmanager
def opened(config: Config, data: Path, *, clock: Callable[[], int]) -> Iterator[Sources]:
    """Sources for a command, closed after it."""
    books, evidence, tally = SqliteBooks(data), SqliteEvidence(data), SqliteTally(data)
    settings = Settings(data, clock=clock)
    try:
        yield Sources(data, config, books, evidence, tally, settings, clock)
    finally:
        settings.close()
        tally.close()
        evidence.close()
        books.close()


def window(now_us: int, since_us: int | None = None, until_us: int | None = None) -> Window:
    """The window of a pack: 90 days to now, where nothing else is said."""
    until = now_us + 1 if until_us is None else until_us  # what happens at this very moment counts
    return Window(until - WINDOW_DAYS * DAY_US if since_us is None else since_us, until, now_us)


def own_key(data: Path) -> bytes | None:
    """This folder's public key; None: it has signed nothing yet."""
    return public_key(data) if data.exists() else None

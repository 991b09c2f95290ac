"""What the governance page is handed: gathered anew at most once a minute, packs and cards whenever somebody asks."""

# ruff: noqa: PLC0415 - a gateway starts without the lab
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..config import Config
from ..core.errors import DemitasseError
from ..store.books import SqliteBooks
from ..store.evidence import SqliteEvidence
from ..web.report import iso

if TYPE_CHECKING:
    from .governing import Gathered
    from .governing_sources import Store

FRESH_US: Final = 60_000_000


class GovernancePages:
    """A ``web.governance.Governance`` on a running gateway's books.

    Args:
        store: settings and keys, e.g. the ledger.
        config: the configuration in force.
        clock: UTC microseconds.
    """

    def __init__(
        self,
        data: Path,
        books: SqliteBooks,
        evidence: SqliteEvidence,
        store: Store,
        *,
        config: Callable[[], Config],
        clock: Callable[[], int],
    ) -> None:
        self._data, self._books, self._evidence, self._store = data, books, evidence, store
        self._config, self._clock = config, clock
        self._kept: tuple[int, Gathered] | None = None
        self._lock = Lock()

    def found(self) -> dict[str, Any]:
        from ..lab.governance.cards import as_json
        from .governing import controls_json

        gathered = self._gathered()
        documents = gathered.documents
        return {
            **controls_json(gathered),
            "cards": [as_json(card) for card in gathered.cards],
            "licences": documents["licences"],
            "providers": documents["providers"],
            "retention": documents["retention"],
            "security": documents["security"],
            "counted": {"rows": gathered.counted.seq, "of": gathered.counted.top, "whole": gathered.counted.whole},
        }

    def card(self, name: str) -> dict[str, Any] | None:
        from ..lab.governance.cards import as_json

        return next((as_json(card) for card in self._gathered().cards if card.name == name), None)

    def pack(self) -> tuple[str, bytes]:
        """Everything is counted and the chain is recomputed, however long that takes."""
        from .governing import make_pack, seal_ledger

        seal_ledger(self._data, self._clock())
        gathered = self._gather(most=None, verify_chain=True)
        return f"evidence-{iso(gathered.window.now_us)[:10]}.zip", make_pack(gathered, self._data)

    def _gathered(self) -> Gathered:
        from .governing import PAGE_FOLD_ROWS

        with self._lock:
            now_us = self._clock()
            if self._kept is None or not self._kept[0] <= now_us < self._kept[0] + FRESH_US:
                self._kept = (now_us, self._gather(most=PAGE_FOLD_ROWS, verify_chain=False))
            return self._kept[1]

    def _gather(self, *, most: int | None, verify_chain: bool) -> Gathered:
        from ..store.tally import SqliteTally
        from .governing import gather
        from .governing_sources import Sources, window

        tally = SqliteTally(self._data)
        try:
            sources = Sources(self._data, self._config(), self._books, self._evidence, tally, self._store, self._clock)
            return gather(sources, window(self._clock()), most=most, verify_chain=verify_chain)
        except msgspec.ValidationError as error:
            raise DemitasseError(
                f"the store holds something that cannot be read: {error}; see: demitasse doctor"
            ) from error
        finally:
            tally.close()

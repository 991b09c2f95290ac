"""The store's settings, for commands and buttons: synchronous, with or without a running gateway on the same file.

Every change is an event of the chain and shows in ``revision``. Knows changes and one connection; nothing of calls.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..core.acting import actor
from ..core.errors import DemitasseError
from ..core.evidence import Label
from ..core.limits import Alert, Budget, Key
from ..core.policy import Certificate, CertificateState
from . import changes
from .audit import verify
from .backup import backup
from .changes import Correction
from .migrations import FILE, connect, prepare
from .trouble import trouble
from .writer import Change, Facts, Op, Writer, read_facts, revision

_WAIT_MS = 5_000


def now_us() -> int:
    """The wall clock in UTC microseconds."""
    return time.time_ns() // 1000


class Settings:
    """Budgets, keys, settings, price cards and corrections of the ledger in the directory ``data``.

    Every method may raise StoreError, which then says what to do; nothing was changed. May be called from any thread.
    """

    def __init__(self, data: Path, *, clock: Callable[[], int] = now_us, by: str = "") -> None:
        self.data = Path(data)
        self.by = by
        """Who makes the changes, where nothing else says so (``core.acting``)."""
        self.path = self.data / FILE
        self.clock = clock
        prepare(self.path)
        self._lock = threading.Lock()
        self._db = connect(self.path, wait_ms=_WAIT_MS)
        self._side = Writer(self._db, "settings")
        self._facts = read_facts(self._db)

    def budgets(self) -> Sequence[Budget]:
        """All budgets, by name."""
        return tuple(self._look().budgets.values())

    def keys(self) -> Sequence[Key]:
        """All keys, revoked ones included; a paused ``local`` is among them, without a secret."""
        return self._look().keys

    @property
    def revision(self) -> int:
        """Rises whenever keys, budgets or settings changed."""
        return self._look().revision

    def set_budget(self, budget: Budget) -> None:
        """Set a limit, or set it anew; a window that an overshoot had closed opens again."""
        self._change(changes.set_budget(budget, self.clock()))

    def remove_budget(self, name: str) -> None:
        self._change(changes.remove_budget(name, self.clock()))

    def sync_file_budgets(self, budgets: Sequence[Budget]) -> bool:
        """Make the budgets that come from the file exactly these; says whether anything changed."""
        return bool(self._change(changes.sync_file_budgets(budgets, self.clock())))

    def add_key(self, key: Key) -> None:
        self._change(changes.add_key(key, self.clock()))

    def update_key(self, id: str, **fields: Any) -> Key:
        """Change some fields of a key, found by id or name; returns it as it is now."""
        key: Key = self._change(changes.update_key(id, self.clock(), fields))
        return key

    def revoke_key(self, id: str) -> Key:
        """From now on the key opens nothing; its entries stay."""
        return self.update_key(id, revoked_us=self.clock())

    def set_paused(self, key: str, why: str | None) -> None:
        """Stop a key (``local`` included) with a reason, or resume it with None."""
        self._change(changes.pause_key(key, why, self.clock()))

    def get_setting(self, name: str, default: Any = None) -> Any:
        """A JSON value that was kept under a name."""
        row = self._row("SELECT v FROM settings WHERE k = ?", (name,))
        return default if row is None else msgspec.json.decode(row[0])

    def set_setting(self, name: str, value: Any, *, told: Mapping[str, Any] | None = None) -> None:
        """Keep a JSON value under a name; None removes it. ``told``: what its event says beside it."""
        self._change(changes.set_setting(name, value, self.clock(), told))

    def edit_setting(self, name: str, edit: Callable[[Any], Any]) -> Any:
        """Keep, and return, what ``edit`` makes of a kept value, with nobody's change between; what it raises changes nothing."""
        return self._change(changes.edit_setting(name, edit, self.clock()))

    def turned_away(self, counts: Mapping[str, int]) -> None:
        """Count requests that were refused before they were calls, by code."""
        self._change(changes.turned_away(counts, self.clock()))

    def tell(self, what: str, name: str, told: Mapping[str, Any]) -> None:
        """Say in the chain that something was done that no table shows; see ``changes.tell``."""
        self._change(changes.tell(what, name, self.clock(), told))

    def put_card(self, provider: str, model: str, version: str, card: Any) -> None:
        """Keep a price card (any JSON value); the first one of a version stays."""
        self._change(changes.put_card(provider, model, version, card, self.clock()))

    def get_cards(self) -> list[tuple[str, str, str, Any]]:
        """All price cards: provider, model, version, card."""
        with self._lock, _told(self.path):
            rows = self._db.execute("SELECT provider, model, version, json FROM cards").fetchall()
        return [(provider, model, version, msgspec.json.decode(card)) for provider, model, version, card in rows]

    def resolve_alert(self, id: str) -> None:
        self._change(changes.resolve_alert(id, self.clock()))

    def reopen_alert(self, id: str) -> None:
        """Undo ``resolve_alert``."""
        self._change(changes.resolve_alert(id, self.clock(), resolved=False))

    def raise_alert(self, alert: Alert) -> None:
        """Record that a person was told, from outside the event loop."""
        self._change(changes.raise_alert(alert))

    def correct(self, corrections: Iterable[Correction]) -> int:
        """Book what an invoice says of entries: the differences, never a rewritten row. Returns their sum in nanos."""
        return int(self._change(changes.correct(list(corrections), self.clock())))

    def post_label(self, label: Label) -> None:
        """Keep evidence, from outside the event loop."""
        self._change(changes.post_label(label))

    def put_certificate(self, certificate: Certificate, state: CertificateState, why: str = "") -> None:
        """Keep a certificate in this state, from outside the event loop; see ``changes.put_certificate``."""
        self._change(changes.put_certificate(certificate, state, self.clock(), why))

    def promoted(self) -> Sequence[Certificate]:
        """The certificates whose policies serve, by route."""
        return self._look().promoted

    def verify(self) -> tuple[bool, int | None]:
        """Recompute the chain: whether all is as it was written, else the first row that is not."""
        return verify(self.data)

    def backup(self, target: Path) -> Path:
        """Copy the ledger as it is at this moment to ``target``, and check the copy."""
        return backup(self.data, target)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _change(self, change: Change) -> Any:
        return self._commit([change])[0]

    def _commit(self, ops: Sequence[Op]) -> list[Any]:
        with self._lock, _told(self.path):
            self._side.by = actor() or self.by
            answers = self._side.commit(ops)
            self._see(self._side.facts)
        for answer in answers:
            if isinstance(answer, DemitasseError):
                raise answer
        return answers

    def _see(self, facts: Facts) -> None:
        if facts.revision > self._facts.revision:
            self._facts = facts

    def _look(self) -> Facts:
        with self._lock, _told(self.path):
            if revision(self._db) != self._facts.revision:
                self._facts = read_facts(self._db)
        return self._facts

    def _row(self, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        with self._lock, _told(self.path):
            row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
        return row


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise trouble(path, error) from error

"""The vault: what placeholders stand for, sealed, so that later turns, other processes and their tenant have it back.

A value lies under its subject's data key, which is a row of ``subjects.sqlite3`` and nowhere else: erasing somebody makes it
unreadable. It is found by an HMAC of tenant, session and placeholder: who belongs to another tenant has nothing to ask for.
Without a master key nothing is written: the vault is in memory, under a key that ends with the process. Knows no texts.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..core.errors import StoreError
from .sealing import KEY_BYTES, Sealer
from .subjects import Subject, open_file, settle
from .transaction import transaction
from .trouble import trouble

FILE = "vault.sqlite3"
MOST_IN_MEMORY = 100_000
"""Values that a vault in memory holds; the oldest go first."""
_PURPOSE = b"demitasse vault 1"
_REF = 16
_TABLES = """
CREATE TABLE IF NOT EXISTS placed (
  ref BLOB PRIMARY KEY, subject TEXT NOT NULL, expires_us INTEGER NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS placed_by_subject ON placed (subject);
CREATE INDEX IF NOT EXISTS placed_by_expiry ON placed (expires_us);
"""


class Vault:
    """Values by placeholder; safe to be called from any thread. Methods may raise StoreError.

    Args:
        data: the data folder; None: in memory, under a key of its own.
        master: the master key of bodies. Without it nothing may be written, so ``data`` is passed over.
        secret: the server's: what is looked for is named under it.
        most: values that memory holds.
    """

    def __init__(
        self,
        data: Path | None,
        master: bytes | None,
        secret: bytes,
        *,
        most: int = MOST_IN_MEMORY,
        wait_ms: int = 2_000,
    ) -> None:
        self._names = hmac.digest(secret, _PURPOSE, "sha256")
        self._lock = threading.Lock()
        self._most = most if data is None or master is None else None
        if data is None or master is None:
            self.path = Path(":memory:")
            self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._keys = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            settle(self._keys)
            master = os.urandom(KEY_BYTES)
            self._asked, self._asked_keys, self._asking = self._db, self._keys, self._lock
        else:
            self.path = Path(data) / FILE
            self._keys, self._asked_keys = (open_file(data, wait_ms=wait_ms) for _ in range(2))
            with self._told():
                self._db, self._asked = (
                    sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=wait_ms / 1000)
                    for _ in range(2)
                )
                self.path.chmod(0o600)
            # Whoever looks something up does not wait for a writer, nor for what that waits for: a call is under way there.
            self._asking = threading.Lock()
        self._sealer = Sealer(master, f"a value in {self.path}")
        with self._told():
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_TABLES)

    @property
    def in_memory(self) -> bool:
        """Nothing outlives the process."""
        return self._most is not None

    def put(
        self, tenant: str, session: str, subject: Subject, values: Mapping[str, str], *, at_us: int, expires_us: int
    ) -> None:
        """Keep values by placeholder until ``expires_us`` (UTC microseconds); one that is there is kept longer."""
        with self._writing():
            key = self._key(subject, at_us)
            rows = []
            for placeholder, value in values.items():
                ref = self._ref(tenant, session, placeholder)
                rows.append(
                    (ref, subject.name, expires_us, self._sealer.seal(key, value.encode("utf-8", "replace"), ref))
                )
            self._db.executemany(
                "INSERT INTO placed VALUES (?,?,?,?) ON CONFLICT (ref) DO UPDATE SET subject = excluded.subject, "
                "sealed = excluded.sealed, expires_us = max(expires_us, excluded.expires_us)",
                rows,
            )
            if self._most is not None:
                self._db.execute(
                    "DELETE FROM placed WHERE ref IN (SELECT ref FROM placed ORDER BY expires_us DESC LIMIT -1 OFFSET ?)",
                    (self._most,),
                )

    def get(self, tenant: str, session: str, placeholders: Iterable[str], now_us: int) -> dict[str, str]:
        """The values of those placeholders that the tenant made in the session, that are not over and not erased."""
        found: dict[str, str] = {}
        with self._asking, self._told():
            for placeholder in placeholders:
                ref = self._ref(tenant, session, placeholder)
                row = self._asked.execute(
                    "SELECT subject, expires_us, sealed FROM placed WHERE ref = ?", (ref,)
                ).fetchone()
                if row is None or row[1] <= now_us:
                    continue
                wrapped = self._wrapped(row[0], self._asked_keys)
                if wrapped is not None:
                    key = self._sealer.unwrap(wrapped, row[0])
                    found[placeholder] = self._sealer.open(key, row[2], ref).decode()
        return found

    def erase(self, subject: str, *, tenant: bool = False) -> int:
        """Destroy a subject's data key and values (``Subject.name``); returns how many values there were.

        ``tenant``: with those of all persons that this tenant names. Whatever else lies under the same key can't be read any
        more either.
        """
        with self._writing():
            whose = "SELECT subject FROM subjects WHERE tenant = ?"
            names = {subject, *(row[0] for row in self._keys.execute(whose, (subject,)) if tenant)}
            self._keys.executemany("DELETE FROM subjects WHERE subject = ?", [(name,) for name in names])
            count = sum(self._db.execute("DELETE FROM placed WHERE subject = ?", (name,)).rowcount for name in names)
        with self._lock, self._told():
            for db in (self._keys, self._db):
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return count

    def expire(self, now_us: int) -> int:
        """Delete the values whose time is over, and those whose subject was erased elsewhere; returns how many."""
        with self._writing():
            count = self._db.execute("DELETE FROM placed WHERE expires_us <= ?", (now_us,)).rowcount
            for (subject,) in self._db.execute("SELECT DISTINCT subject FROM placed").fetchall():
                if self._wrapped(subject) is None:
                    count += self._db.execute("DELETE FROM placed WHERE subject = ?", (subject,)).rowcount
            return count

    def close(self) -> None:
        with self._lock:
            self._db.close()
            self._keys.close()
        if self._asked is not self._db:
            with self._asking:
                self._asked.close()
                self._asked_keys.close()

    def _ref(self, tenant: str, session: str, placeholder: str) -> bytes:
        told = f"{len(tenant)}:{tenant}{len(session)}:{session}{placeholder.strip('<>').casefold()}"
        return hmac.digest(self._names, told.encode("utf-8", "surrogatepass"), "sha256")[:_REF]

    def _wrapped(self, subject: str, keys: sqlite3.Connection | None = None) -> bytes | None:
        row = (keys or self._keys).execute("SELECT wrapped FROM subjects WHERE subject = ?", (subject,)).fetchone()
        return None if row is None else bytes(row[0])

    def _key(self, subject: Subject, at_us: int) -> bytes:
        """A subject's data key, made where there is none. The file is asked each time: another process may have erased it."""
        wrapped = self._wrapped(subject.name)
        if wrapped is None:
            _, wrapped = self._sealer.new_key(subject.name)
            self._keys.execute(
                "INSERT OR IGNORE INTO subjects VALUES (?,?,?,?)", (subject.name, subject.tenant, wrapped, at_us)
            )
            wrapped = self._wrapped(subject.name)  # another process may have been first
        if wrapped is None:
            raise StoreError(
                f"the key of a subject in {self.path.with_name('subjects.sqlite3')} is gone again; try again"
            )
        return self._sealer.unwrap(wrapped, subject.name)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """All or nothing: a process that is killed in the middle leaves what was there before."""
        with self._lock, self._told(), transaction(self._db):
            yield

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise trouble(self.path, error) from error

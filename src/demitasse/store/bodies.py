"""Bodies of calls, kept only encrypted and only where a setting says so; a subject's can be made unreadable at once.

AES-256-GCM with one data key per subject, itself wrapped under a master key that never lies in the data directory. Bodies
are in one file and data keys in another (``subjects``), so that a copy of the bodies opens nothing. Erasing a subject
destroys its key: every copy of the rows is unreadable from then on. Knows bytes; nothing of calls.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from ..core.errors import StoreError
from . import subjects
from .master import master_key
from .sealing import Sealer
from .transaction import transaction
from .trouble import trouble
from .vault import FILE as VAULT

__all__ = ["FILE", "Bodies", "drop_rows", "expire", "master_key"]

FILE = "bodies.sqlite3"
_TABLES = """
CREATE TABLE IF NOT EXISTS bodies (
  ref TEXT PRIMARY KEY, subject TEXT NOT NULL, expires_us INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS bodies_by_subject ON bodies (subject);
CREATE INDEX IF NOT EXISTS bodies_by_expiry ON bodies (expires_us);
"""


_AT_ONCE = 200
_LATE = "SELECT 1 FROM held.erased WHERE subject IN (?, ?) AND at_us >= ?"
_ALIKE = "bodies.ref >= ? AND bodies.ref < ? AND bodies.ref != ?"
_OF_TENANT = (
    "SELECT ref, length(sealed) FROM main.bodies JOIN held.subjects USING (subject) "  # noqa: S608 - ours
    f"WHERE {_ALIKE} AND tenant = ? ORDER BY expires_us DESC, ref"
)
_IN_ALL = f"SELECT count(*), coalesce(sum(length(sealed)), 0) FROM main.bodies WHERE {_ALIKE}"  # noqa: S608 - ours
LAST = chr(0x10FFFF)
"""After every name."""
_EXPIRE = "DELETE FROM {0} WHERE ref IN (SELECT ref FROM main.{0} WHERE expires_us <= ? LIMIT ?)"


class Room(Struct, frozen=True):
    """How much may lie under names that begin alike: of one tenant, where the oldest make room for the newest, and in all, where
    what comes too late is not kept."""

    begins: str
    count: int
    bytes: int
    count_in_all: int
    bytes_in_all: int


class Bodies:
    """Encrypted bodies in the directory ``data``; safe to be called from any thread. Methods may raise StoreError."""

    def __init__(self, data: Path, master: bytes) -> None:
        self.path = Path(data) / FILE
        self._sealer = Sealer(master, f"a body in {self.path}")
        subjects.open_file(data, wait_ms=5_000).close()
        self._lock = threading.Lock()
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
        with self._told():
            # Overwritten and not only unlinked, so that what is deleted does not linger in a free page or the log.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_TABLES)
            self._db.execute("ATTACH DATABASE ? AS held", (str(Path(data) / subjects.FILE),))
            self._db.execute("PRAGMA held.synchronous=NORMAL")
            self._db.execute("PRAGMA held.secure_delete=ON")
            self._take_over()

    def put(
        self,
        ref: str,
        subject: str,
        plaintext: bytes,
        expires_us: int,
        *,
        tenant: str | None = None,
        now_us: int = 0,
        of_us: int | None = None,
        room: Room | None = None,
    ) -> bool:
        """Keep a body under ``ref`` until ``expires_us`` (UTC microseconds); the same ``ref`` is replaced. Whether it is kept.

        ``tenant``: whose calls the subject's are, itself by default; ``now_us``: the age of its key, should it be made now;
        ``of_us``: when the text came: one from before its subject was erased is not kept, however late it is brought;
        ``room``: bounds what lies under such names.
        """
        with self._writing():
            if of_us is not None and self._db.execute(_LATE, (subject, tenant or subject, of_us)).fetchone():
                return False
            key = self._key(subject, make=(tenant or subject, now_us))
            assert key is not None
            sealed = self._sealer.seal(key, plaintext, _bound(ref, subject))
            if room is not None and not self._make_room(room, ref, tenant or subject, len(sealed)):
                return False
            self._db.execute("INSERT OR REPLACE INTO bodies VALUES (?,?,?,?)", (ref, subject, expires_us, sealed))
            return True

    def get(self, ref: str, now_us: int | None = None) -> bytes | None:
        """The body kept under ``ref``; None when there is none, it has expired by ``now_us``, or it was erased."""
        with self._told():
            row = self._db.execute("SELECT subject, expires_us, sealed FROM bodies WHERE ref = ?", (ref,)).fetchone()
            if row is None or (now_us is not None and row[1] <= now_us):
                return None
            subject, _, sealed = row
            key = self._key(subject)
            return None if key is None else self._open(key, sealed, _bound(ref, subject), subject)

    def erase(self, subject: str) -> int:
        """Destroy a subject's key and bodies; returns how many bodies there were."""
        with self._writing():
            self._db.execute("DELETE FROM held.subjects WHERE subject = ?", (subject,))
            count = self._db.execute("DELETE FROM bodies WHERE subject = ?", (subject,)).rowcount
        self._empty_logs()
        return count

    def expire(self, now_us: int) -> int:
        """Delete the bodies whose time is over, and the keys of subjects that have none left; returns how many."""
        return expire(self.path.parent, now_us)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _take_over(self) -> None:
        """Keys that an older version kept beside the bodies go to the file of keys, but for those of who was erased since: a
        copy from before an erasure is not to undo it."""
        if not self._db.execute("SELECT 1 FROM main.sqlite_schema WHERE name = 'subjects'").fetchone():
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "INSERT OR IGNORE INTO held.subjects SELECT subject, subject, wrapped, 0 FROM main.subjects "
            "WHERE subject NOT IN (SELECT subject FROM held.erased)"
        )
        self._db.execute("COMMIT")
        self._db.execute("DROP TABLE main.subjects")
        self._db.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchall()

    def _key(self, subject: str, *, make: tuple[str, int] | None = None) -> bytes | None:
        """A subject's data key. The file is asked each time: another process may have erased it."""
        row = self._db.execute("SELECT wrapped FROM held.subjects WHERE subject = ?", (subject,)).fetchone()
        if row is not None:
            return self._sealer.unwrap(bytes(row[0]), subject)
        if make is None:
            return None
        key, wrapped = self._sealer.new_key(subject)
        self._db.execute("INSERT INTO held.subjects VALUES (?,?,?,?)", (subject, make[0], wrapped, make[1]))
        return key

    def _open(self, key: bytes, sealed: bytes, bound: bytes, subject: str) -> bytes | None:
        try:
            return self._sealer.open(key, bytes(sealed), bound)
        except StoreError:
            if self._db.execute("SELECT 1 FROM held.erased WHERE subject = ?", (subject,)).fetchone():
                return None  # from before the erasure, under the key that is gone
            raise

    def _make_room(self, room: Room, ref: str, tenant: str, size: int) -> bool:
        alike = (room.begins, room.begins + LAST, ref)
        count, total = 1, size
        for other, bytes in self._db.execute(_OF_TENANT, (*alike, tenant)).fetchall():
            count, total = count + 1, total + bytes
            if count > room.count or total > room.bytes:
                self._db.execute("DELETE FROM bodies WHERE ref = ?", (other,))
        count, total = self._db.execute(_IN_ALL, alike).fetchone()
        return bool(count < room.count_in_all and total + size <= room.bytes_in_all)

    def _empty_logs(self) -> None:
        with self._told():
            for schema in ("held", "main"):
                self._db.execute(f"PRAGMA {schema}.wal_checkpoint(TRUNCATE)").fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: an erasure comes wholly before or wholly after it."""
        with self._told(), transaction(self._db):
            yield

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise trouble(self.path, error) from error


def expire(data: Path, now_us: int) -> int:
    """Delete bodies, and values of placeholders, whose time is over, and the keys of subjects that have none left; returns how
    many rows there were.

    Needs no master key: what was kept goes in its time also where nothing is kept any more. Raises StoreError.
    """
    count = 0
    for file, table in ((FILE, "bodies"), (VAULT, "placed")):
        path = Path(data) / file
        if not path.exists():
            continue
        try:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as db:
                db.execute("PRAGMA secure_delete=ON")
                if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
                    continue
                before, sql = count, _EXPIRE.format(table)
                while gone := db.execute(sql, (now_us, _AT_ONCE)).rowcount:  # a few at a time: others write meanwhile
                    count += gone
                if count > before:
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise trouble(path, error) from error
    path = Path(data) / FILE
    if path.exists():
        try:
            subjects.open_file(data, wait_ms=5_000).close()
            _drop_unused_keys(Path(data))
        except sqlite3.Error as error:
            raise trouble(path, error) from error
    return count


def _drop_unused_keys(data: Path) -> None:
    """Delete the data keys under which nothing lies any more, neither bodies nor what placeholders stand for.

    Files are locked in the order in which the vault and the bodies lock them.
    """
    vault = data / VAULT
    with contextlib.closing(
        sqlite3.connect(vault if vault.exists() else ":memory:", isolation_level=None, timeout=5)
    ) as db:
        db.execute("ATTACH DATABASE ? AS bodies", (str(data / FILE),))
        db.execute("ATTACH DATABASE ? AS held", (str(data / subjects.FILE),))
        db.execute("PRAGMA held.secure_delete=ON")
        db.execute("BEGIN IMMEDIATE")
        used = "SELECT subject FROM bodies.bodies"
        if db.execute("SELECT 1 FROM main.sqlite_schema WHERE name = 'placed'").fetchone():
            used += " UNION SELECT subject FROM main.placed"
        db.execute(f"DELETE FROM held.subjects WHERE subject NOT IN ({used})")  # noqa: S608 - ours
        db.execute("COMMIT")


def refs(data: Path, begins: str) -> list[tuple[str, int]]:
    """Names of bodies that begin so, each with when it expires; needs no key. Raises StoreError."""
    path = Path(data) / FILE
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as db:
        try:
            if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'bodies'").fetchone():
                return []
            sql = "SELECT ref, expires_us FROM bodies WHERE ref >= ? AND ref < ?"
            return db.execute(sql, (begins, begins + LAST)).fetchall()
        except sqlite3.Error as error:
            raise trouble(path, error) from error


def drop_ref(data: Path, ref: str) -> None:
    """Delete the body kept under ``ref``, if there is one; needs no key. Raises StoreError."""
    path = Path(data) / FILE
    if not path.exists():
        return
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as db:
        try:
            db.execute("PRAGMA secure_delete=ON")
            db.execute("DELETE FROM bodies WHERE ref = ?", (ref,))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise trouble(path, error) from error


def drop_rows(data: Path, names: Iterable[str]) -> int:
    """Delete what lies under keys that are gone: bodies, and what placeholders stand for; returns how many rows there were.

    Needs no key. Raises StoreError.
    """
    wanted, count = list(names), 0
    for file, table in ((FILE, "bodies"), (VAULT, "placed"), (FILE, "subjects")):
        path = Path(data) / file
        if not path.exists():
            continue
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as db:
            try:
                if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
                    continue
                db.execute("PRAGMA secure_delete=ON")
                for name in wanted:
                    gone = db.execute(f"DELETE FROM {table} WHERE subject = ?", (name,)).rowcount  # noqa: S608 - ours
                    count += gone if table != "subjects" else 0
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise trouble(path, error) from error
    return count


def _bound(ref: str, subject: str) -> bytes:
    """What a sealed body is bound to, so that rows cannot be exchanged."""
    return f"{len(subject)}:{subject}:{ref}".encode()

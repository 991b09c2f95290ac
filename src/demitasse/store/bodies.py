"""Bodies of calls, kept only encrypted and only where a setting says so; a subject's can be made unreadable at once.

AES-256-GCM with one data key per subject, itself wrapped under a master key that never lies in the data directory.
Erasing a subject destroys its key, so that copies of the rows are unreadable too. Knows bytes; nothing of calls.
"""

from __future__ import annotations

import base64
import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import ConfigError
from .sealing import KEY_BYTES, Sealer
from .trouble import trouble

FILE = "bodies.sqlite3"
_TABLES = """
CREATE TABLE IF NOT EXISTS subjects (subject TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bodies (
  ref TEXT PRIMARY KEY, subject TEXT NOT NULL, expires_us INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS bodies_by_subject ON bodies (subject);
CREATE INDEX IF NOT EXISTS bodies_by_expiry ON bodies (expires_us);
"""


def master_key(*, env: str | None = None, file: Path | None = None, data: Path | None = None) -> bytes:
    """The master key, 32 bytes: base64 in the environment variable ``env``, else in ``file``, made there on first use.

    Raises ConfigError: it is no key, others may read it, or it would lie in the data directory ``data``.
    """
    if env and (text := os.environ.get(env)):
        return _decoded(text, f"the environment variable {env}")
    if file is None:
        raise ConfigError(f"bodies are kept only encrypted: set {env or 'a key variable'}, or name a key file")
    if data is not None and file.resolve().is_relative_to(data.resolve()):
        raise ConfigError(f"the key file {file} lies in the data directory {data}; a copy of one would open the other")
    if not file.exists():
        _make(file)
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise ConfigError(f"others may read the key file {file}; run: chmod 600 {file}")
    return _decoded(file.read_text(encoding="ascii", errors="replace"), f"the key file {file}")


class Bodies:
    """Encrypted bodies in the directory ``data``; safe to be called from any thread. Methods may raise StoreError."""

    def __init__(self, data: Path, master: bytes) -> None:
        self.path = Path(data) / FILE
        self._sealer = Sealer(master, f"a body in {self.path}")
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
        with self._writing():
            # Overwritten and not only unlinked, so that an erased key does not linger in a free page or the log.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_TABLES)

    def put(self, ref: str, subject: str, plaintext: bytes, expires_us: int) -> None:
        """Keep a body under ``ref`` until ``expires_us`` (UTC microseconds); the same ``ref`` is replaced."""
        with self._writing():
            key = self._key(subject, make=True)
            assert key is not None
            sealed = self._sealer.seal(key, plaintext, _bound(ref, subject))
            self._db.execute("INSERT OR REPLACE INTO bodies VALUES (?,?,?,?)", (ref, subject, expires_us, sealed))

    def get(self, ref: str, now_us: int | None = None) -> bytes | None:
        """The body kept under ``ref``; None when there is none, it has expired by ``now_us``, or it was erased."""
        with self._writing():
            row = self._db.execute("SELECT subject, expires_us, sealed FROM bodies WHERE ref = ?", (ref,)).fetchone()
            if row is None or (now_us is not None and row[1] <= now_us):
                return None
            subject, _, sealed = row
            key = self._key(subject, make=False)
            return None if key is None else self._sealer.open(key, sealed, _bound(ref, subject))

    def erase(self, subject: str) -> int:
        """Destroy a subject's key and bodies; returns how many bodies there were."""
        with self._writing():
            self._db.execute("BEGIN IMMEDIATE")
            count = self._db.execute("DELETE FROM bodies WHERE subject = ?", (subject,)).rowcount
            self._db.execute("DELETE FROM subjects WHERE subject = ?", (subject,))
            self._db.execute("COMMIT")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return count

    def expire(self, now_us: int) -> int:
        """Delete the bodies whose time is over, and the keys of subjects that have none left; returns how many."""
        with self._writing():
            self._db.execute("BEGIN IMMEDIATE")
            count = self._db.execute("DELETE FROM bodies WHERE expires_us <= ?", (now_us,)).rowcount
            self._db.execute("DELETE FROM subjects WHERE subject NOT IN (SELECT subject FROM bodies)")
            self._db.execute("COMMIT")
            return count

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _key(self, subject: str, *, make: bool) -> bytes | None:
        """A subject's data key. The file is asked each time: another process may have erased it."""
        row = self._db.execute("SELECT wrapped FROM subjects WHERE subject = ?", (subject,)).fetchone()
        if row is not None:
            return self._sealer.unwrap(row[0], subject)
        if not make:
            return None
        key, wrapped = self._sealer.new_key(subject)
        if self._db.execute("INSERT OR IGNORE INTO subjects VALUES (?,?)", (subject, wrapped)).rowcount == 0:
            return self._key(subject, make=False)  # another process was first
        return key

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise trouble(self.path, error) from error


def _bound(ref: str, subject: str) -> bytes:
    """What a sealed body is bound to, so that rows cannot be exchanged."""
    return f"{len(subject)}:{subject}:{ref}".encode()


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"{where} holds no key: {KEY_BYTES} bytes in base64 are needed; "
            "make some with: head -c 32 /dev/urandom | base64"
        )
    return key


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):  # another process was first
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as out:
            out.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")

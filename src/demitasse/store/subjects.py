"""Whose a call's texts are, and the one file whose rows make them readable: erasing somebody is deleting rows of it.

The subject is the person that a request names, else the tenant; it is only ever written as an HMAC under the server's
secret. ``subjects.sqlite3`` holds a salt for commitments and a wrapped data key for bodies, by subject, and nothing else:
leave it out of every backup, because a copy of it is what an erasure cannot reach. Knows no bodies and no master key.
"""

from __future__ import annotations

import contextlib
import hmac
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from ..core.call import Call
from .trouble import trouble

FILE = "subjects.sqlite3"
_NAME = 32
"""Hexadecimal digits of a subject's name."""
_PURPOSE = b"demitasse subject 1"
TABLES = """
CREATE TABLE IF NOT EXISTS {at}salts (
  subject TEXT PRIMARY KEY, tenant TEXT NOT NULL, salt BLOB NOT NULL, created_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS {at}subjects (
  subject TEXT PRIMARY KEY, tenant TEXT NOT NULL, wrapped BLOB NOT NULL, created_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS {at}erased (subject TEXT PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS {at}master (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;
"""


class Subject(Struct, frozen=True):
    """Whose texts. ``name`` is an HMAC, and so is ``tenant``; a tenant's own is its own tenant."""

    name: str
    tenant: str


class Subjects:
    """Names for subjects, under the server's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, "sha256")

    def of(self, call: Call) -> Subject:
        """Whose a call is."""
        tenant, person = self.names(call)
        return self.tenant(tenant) if person is None else self.person(tenant, person)

    def names(self, call: Call) -> tuple[str, str | None]:
        """The same in plain, to be looked up in memory and never written."""
        return call.caller.tenant, call.person or person_in(call.fields)

    def tenant(self, tenant: str) -> Subject:
        """A tenant itself: of its calls that name nobody."""
        name = self._name(b"tenant", tenant)
        return Subject(name, name)

    def person(self, tenant: str, person: str) -> Subject:
        """A person as a tenant names them; the same word means another person at another tenant."""
        return self.person_at(self._name(b"tenant", tenant), person)

    def person_at(self, tenant: str, person: str) -> Subject:
        """The same, by the tenant's own name here (``Subject.tenant``)."""
        return Subject(self._name(b"person", tenant, person), tenant)

    def _name(self, kind: bytes, *words: str) -> str:
        message = b"".join(
            b"%d:%s" % (len(word), word) for word in (kind, *(word.encode("utf-8", "replace") for word in words))
        )
        return hmac.digest(self._key, message, "sha256").hex()[:_NAME]


class _Metadata(Struct):
    user_id: str | None = None


def person_in(fields: Mapping[str, Raw]) -> str | None:
    """The person that a request names: ``safety_identifier``, else ``user``, else ``metadata.user_id``."""
    for field in ("safety_identifier", "user"):
        raw = fields.get(field)
        if raw is not None and (named := _string(bytes(raw))):
            return named
    raw = fields.get("metadata")
    if raw is not None and b"user_id" in bytes(raw):
        try:
            return msgspec.json.decode(raw, type=_Metadata).user_id or None
        except msgspec.DecodeError:
            return None
    return None


def open_file(data: Path, *, wait_ms: int) -> sqlite3.Connection:
    """The file of salts and data keys in ``data``, made where there is none. Raises StoreError."""
    path = Path(data) / FILE
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with told(data):
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=max(wait_ms, 2_000) / 1000)
        path.chmod(0o600)
        settle(db)
        db.execute(f"PRAGMA busy_timeout={wait_ms}")
    return db


def tenants(data: Path) -> list[str]:
    """The names here of all tenants of whom anything is known. Raises StoreError."""
    with contextlib.closing(open_file(data, wait_ms=2_000)) as db, told(data):
        rows = db.execute("SELECT tenant FROM salts UNION SELECT tenant FROM subjects").fetchall()
    return sorted(row[0] for row in rows)


def settle(db: sqlite3.Connection, schema: str = "main") -> None:
    """Make the tables. What is deleted is overwritten, in the file and in its log, so that no free page has it."""
    at = "" if schema == "main" else f"{schema}."
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
        db.execute(f"PRAGMA {at}{pragma}")
    for statement in TABLES.format(at=at).split(";"):
        if statement.strip():
            db.execute(statement)


@contextlib.contextmanager
def told(data: Path) -> Iterator[None]:
    """SQLite's errors as sentences."""
    try:
        yield
    except sqlite3.Error as error:
        raise trouble(Path(data) / FILE, error) from error


def _string(raw: bytes) -> str | None:
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, str) else None

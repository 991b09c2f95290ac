"""Commitments to what was said: a text can be proven to be the one of a call, without having been kept.

A call's commitment is HMAC-SHA-256 over its body under a key of that call alone, which comes from the server's secret, a salt of
its subject that lies in a file of its own, and the call's id. Without both nobody can try texts against it; when
the salt is destroyed (``demitasse audit erase``), nobody can any more, ever. A salt is made when its subject is first seen, and
read once a process: after that a commitment costs a few microseconds.

A commitment as text is eight characters by which its key is known again, and the HMAC, both in base64url.
"""

from __future__ import annotations

import base64
import hmac
import logging
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from ..core.call import Call
from .subjects import Subjects, open_file, told

log = logging.getLogger("demitasse.audit")

KEY_BYTES = 32
MOST_KNOWN = 16_384
"""Subjects whose keys are held in memory."""
MOST_TRIED = 10_000
_MARK = 8
_PATIENCE_MS = 50
_PURPOSE = b"demitasse commitment 1"


class Commitments:
    """Commits to calls of one data folder. From any thread; never raises where calls are answered."""

    def __init__(self, data: Path, secret: bytes, *, clock: Callable[[], int]) -> None:
        self.subjects = Subjects(secret)
        self._root = hmac.digest(secret, _PURPOSE, "sha256")
        self._clock = clock
        self._lock = threading.Lock()
        self._db = open_file(data, wait_ms=_PATIENCE_MS)
        self._known: OrderedDict[tuple[str, str | None], bytes] = OrderedDict()

    def of(self, call: Call, reply: bytes | None) -> tuple[str | None, str | None]:
        """Commitments to a call's body as the client sent it, and to its answer; None: unknown (there is none, or the file
        of salts cannot be written)."""
        who = self.subjects.names(call)
        key = self._known.get(who)
        if key is None:
            key = self._look(call, who)
            if key is None:
                return None, None
        own, mark = _of_call(key, call.id)
        return mark + _mac(own, call.body), None if reply is None else mark + _mac(own, reply)

    def key(self, call: Call) -> bytes | None:
        """The key of a call's commitments, to be told to whoever may read the call; None: unknown."""
        who = self.subjects.names(call)
        key = self._known.get(who) or self._look(call, who)
        return None if key is None else _of_call(key, call.id)[0]

    def forget(self) -> None:
        """Forget the keys in memory: a subject was erased."""
        with self._lock:
            self._known.clear()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _look(self, call: Call, who: tuple[str, str | None]) -> bytes | None:
        subject = self.subjects.of(call)
        try:
            with self._lock:
                salt = salt_of(self._db, subject.name)
                if salt is None:
                    self._db.execute(
                        "INSERT OR IGNORE INTO salts VALUES (?,?,?,?)",
                        (subject.name, subject.tenant, os.urandom(KEY_BYTES), self._clock()),
                    )
                    salt = salt_of(self._db, subject.name)
        except sqlite3.Error as error:
            log.warning("call %s has no commitment: the file of salts cannot be written: %s", call.id, error)
            return None
        if salt is None:
            return None
        key = hmac.digest(self._root, salt, "sha256")
        with self._lock:
            self._known[who] = key
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return key


def find_key(data: Path, secret: bytes, tenant: str, id: str, mac: str, most: int = MOST_TRIED) -> bytes | None:
    """The key of the call ``id``, whose commitment is ``mac``.

    An entry does not say whose it is, so salts are tried, those of its tenant first.

    None: its subject was erased, or is none of the first ``most`` tried. Raises StoreError.
    """
    root = hmac.digest(secret, _PURPOSE, "sha256")
    likely = Subjects(secret).tenant(tenant).name
    with closing(open_file(data, wait_ms=2_000)) as db, told(data):
        rows = db.execute(
            "SELECT salt FROM salts ORDER BY subject = ? DESC, tenant = ? DESC, created_us DESC LIMIT ?",
            (likely, likely, most),
        )
        for (salt,) in rows:
            key, mark = _of_call(hmac.digest(root, bytes(salt), "sha256"), id)
            if hmac.compare_digest(mark, mac[:_MARK]):
                return key
    return None


def subjects_of(data: Path, tenant: str) -> list[str]:
    """The names of all subjects of a tenant (``Subject.tenant``), itself among them. Raises StoreError."""
    with closing(open_file(data, wait_ms=2_000)) as db, told(data):
        sql = "SELECT subject FROM salts WHERE tenant = ? UNION SELECT subject FROM subjects WHERE tenant = ?"
        return [row[0] for row in db.execute(sql, (tenant, tenant))]


def marks(data: Path, secret: bytes, names: Iterable[str]) -> Callable[[str, str], bool]:
    """Whether a call, by its id and its commitment, is of one of these subjects. Raises StoreError."""
    root = hmac.digest(secret, _PURPOSE, "sha256")
    with closing(open_file(data, wait_ms=2_000)) as db, told(data):
        keys = [hmac.digest(root, salt, "sha256") for name in names if (salt := salt_of(db, name)) is not None]

    def one_of_them(id: str, mac: str) -> bool:
        return any(hmac.compare_digest(_of_call(key, id)[1], mac[:_MARK]) for key in keys)

    return one_of_them


def opens(key: bytes, mac: str, text: bytes) -> bool:
    """Whether ``mac`` is the commitment to ``text`` under a call's key."""
    return hmac.compare_digest(_mac(key, text), mac[_MARK:])


def salt_of(db: sqlite3.Connection, subject: str) -> bytes | None:
    row = db.execute("SELECT salt FROM salts WHERE subject = ?", (subject,)).fetchone()
    return None if row is None else bytes(row[0])


def _of_call(key: bytes, id: str) -> tuple[bytes, str]:
    """The key of one call, and what it is known by."""
    both = hmac.digest(key, id.encode(), "sha512")
    return both[:KEY_BYTES], base64.urlsafe_b64encode(both[KEY_BYTES : KEY_BYTES + 6]).decode()


def _mac(key: bytes, text: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text, "sha256"))[:43].decode()

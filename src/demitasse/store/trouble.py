"""SQLite's errors as sentences: what, where, what now. Knows error codes; knows nothing of what was being written."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import StoreError

BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 6, 8, 10, 11, 13, 14, 26

_SENTENCES = {
    READONLY: "the ledger {path} may not be written; give this user the right to write the file and its directory",
    IOERR: "the disk failed while the ledger {path} was written ({error}); see the system's log, then restart",
    CORRUPT: "the ledger {path} is damaged ({error}); lay a backup in its place with: demitasse restore FILE",
    NOTADB: "{path} is no ledger ({error}); lay a backup in its place with: demitasse restore FILE",
    FULL: "the disk is full and the ledger {path} cannot be written; free some space, calls are answered again at once",
    CANTOPEN: "the ledger {path} cannot be opened ({error}); check that its directory is there and may be written",
}


def code(error: BaseException) -> int:
    """SQLite's primary result code, 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_locked(error: BaseException) -> bool:
    """Someone else is writing; later it will go."""
    return code(error) in (BUSY, LOCKED)


def trouble(path: Path, error: BaseException) -> StoreError:
    """The sentence for an error of SQLite's."""
    if is_locked(error):
        return StoreError(
            f"the ledger {path} is locked by {_locker(path)}; no call is answered until it lets go: "
            "end it, or wait and try again"
        )
    sentence = _SENTENCES.get(code(error), "the ledger {path} cannot be written: {error}; see: demitasse doctor")
    return StoreError(sentence.format(path=path, error=error))


def _locker(path: Path) -> str:
    """Who holds a write lock, as far as Linux tells; the lock files themselves must not be opened, closing one drops
    our own locks."""
    try:
        inode = str(path.with_name(path.name + "-shm").stat().st_ino)
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if "WRITE" in fields and fields[5].rpartition(":")[2] == inode and int(fields[4]) not in (os.getpid(), -1):
                name = Path(f"/proc/{fields[4]}/comm").read_text(encoding="utf-8").strip()
                return f"process {fields[4]} ({name})"
    except (OSError, ValueError, IndexError):
        pass  # only a nicer name was sought
    return "another program"

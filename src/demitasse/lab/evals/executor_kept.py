"""Results of pieces in a folder, one file each, whole or not at all, with locks beside them. Knows bytes, keys and files.

<folder>/ab/cdef…       a result, under the hash of its function, edition and piece
<folder>/ab/cdef….lock  held by the process that runs the piece; the kernel drops it when that process dies
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path

from ...core.errors import DemitasseError


class ExecutorError(DemitasseError):
    """Work that can't be begun; the sentence says why."""


def key_of(function: str, edition: str, piece: bytes) -> str:
    """What a result is found by."""
    return hashlib.sha256(b"%b\0%b\0%b" % (function.encode(), edition.encode(), piece)).hexdigest()


class Kept:
    """The results of one folder, and the locks that this process holds there; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._locks: dict[str, int] = {}
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as why:
                raise ExecutorError(
                    f"{folder}: {(why.strerror or 'cannot be made').lower()}; name another journal"
                ) from why

    def get(self, key: str) -> bytes | None:
        if self._folder is None:
            return None
        try:
            return self._file(key).read_bytes()
        except FileNotFoundError:
            return None

    def claim(self, key: str) -> bool:
        """Lock a piece; False while another process has it."""
        if self._folder is None:
            return True
        path = self._file(key)
        path.parent.mkdir(exist_ok=True)
        file = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._locks[key] = file
        return True

    def put(self, key: str, result: bytes) -> None:
        if self._folder is None:
            return
        path = self._file(key)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(result)
        part.replace(path)
        # Whoever still opened this lock gets it, looks for the result once more, and finds it.
        path.with_suffix(".lock").unlink(missing_ok=True)
        self.release(key)

    def release(self, key: str) -> None:
        file = self._locks.pop(key, None)
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)

    def close(self) -> None:
        for key in list(self._locks):
            self.release(key)

    def _file(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / key[2:]

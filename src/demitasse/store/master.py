"""The master key, under which the data keys of bodies lie wrapped: where it comes from, and how it is changed for another.

It never lies in the data folder: it is in a file of its own, in the environment, or printed by a command that asks a key
service. Changing it wraps the data keys anew in one transaction and touches no body. Knows keys; nothing of bodies.
"""

from __future__ import annotations

import base64
import contextlib
import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from ..core.errors import ConfigError, StoreError
from .procs import alive
from .sealing import KEY_BYTES, Sealer
from .subjects import FILE, open_file, told

COMMAND_S = 30.0
_CHECK = b"demitasse master key"


def master_key(
    *, env: str | None = None, file: Path | None = None, command: Sequence[str] = (), data: Path | None = None
) -> bytes:
    """The master key, 32 bytes: base64 from the environment variable ``env``, from ``command``'s output, else from ``file``,
    made there on first use.

    Raises ConfigError: it is no key, others may read it, the command failed, or it would lie in the data directory ``data``.
    """
    if env and (text := os.environ.get(env)):
        return _decoded(text, f"the environment variable {env}")
    if command:
        return _decoded(_printed(command), f"what {command[0]} printed")
    if file is None:
        raise ConfigError(f"bodies are kept only encrypted: set {env or 'a key variable'}, or name a key file")
    outside(file, data)
    if data is not None:
        finish(data, file)
    if not file.exists():
        _write(file, os.urandom(KEY_BYTES))
    return _read(file)


def keys_kept(data: Path) -> int:
    """How many data keys lie in ``data`` under some master key; makes no file. Raises StoreError."""
    if not (Path(data) / FILE).exists():
        return 0
    with closing(open_file(data, wait_ms=5_000)) as db, told(data):
        return int(db.execute("SELECT count(*) FROM subjects").fetchone()[0])


def hold_against(data: Path, key: bytes, where: str) -> None:
    """Raise ConfigError where ``key`` is not the one that data keys in ``data`` lie wrapped under: what is kept from then on
    would lie under another key than what is there. ``where``: what the key came from.

    After a change of keys its mark tells; before the first, ``key`` has to open one of the data keys.
    """
    if not (Path(data) / FILE).exists():
        return
    sealer = Sealer(key, "")
    with closing(open_file(data, wait_ms=5_000)) as db, told(data):
        count = db.execute("SELECT count(*) FROM subjects").fetchone()[0]
        mark = db.execute("SELECT v FROM master WHERE k = 'check'").fetchone()
        if not count:
            return
        if mark is not None:
            opens = _opens(lambda: sealer.open(key, bytes(mark[0]), _CHECK))
        else:
            rows = db.execute("SELECT subject, wrapped FROM subjects")
            opens = any(_opens(partial(sealer.unwrap, bytes(wrapped), name)) for name, wrapped in rows)
    if not opens:
        right = "was in force before" if mark is None else "'demitasse audit rekey' changed to"
        raise ConfigError(
            f"the master key in {where} is not the one that the {count:,} data keys in {Path(data) / FILE} lie under, so "
            f"nothing is opened or kept with it; name the key that {right}: "
            "[keep] master_key_file, master_key_env or master_key_command"
        )


def _opens(attempt: Callable[[], bytes]) -> bool:
    try:
        attempt()
    except StoreError:
        return False
    return True


def rewrap(data: Path, old: bytes, new: bytes) -> int:
    """Wrap every data key under ``new`` in place of ``old``, all or none; returns how many there are.

    Raises StoreError: a process holds the store (it has the old key in memory), or a data key does not open under ``old``.
    """
    if alive(data):
        raise StoreError(f"the store in {data} is in use; stop Demitasse first, then change the master key")
    before, sealer = Sealer(old, f"a data key in {Path(data) / FILE}"), Sealer(new, "")
    with closing(open_file(data, wait_ms=5_000)) as db, told(data):
        db.execute("BEGIN IMMEDIATE")
        try:
            rows = db.execute("SELECT subject, wrapped FROM subjects").fetchall()
            fresh = [
                (sealer.seal(new, before.unwrap(bytes(wrapped), name), name.encode()), name) for name, wrapped in rows
            ]
            db.executemany("UPDATE subjects SET wrapped = ? WHERE subject = ?", fresh)
            db.execute("INSERT OR REPLACE INTO master VALUES ('check', ?)", (sealer.seal(new, _CHECK, _CHECK),))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        _empty_log(db)
        return len(rows)


def rekey_file(data: Path, file: Path) -> int:
    """A new key in the place of the one in ``file``. Killed at any moment, the next start finds the key that opens (``finish``).

    Raises StoreError, ConfigError as ``rewrap`` and ``master_key``.
    """
    old = master_key(file=file, data=data)
    fresh = beside(file)
    if not fresh.exists():
        _write(fresh, os.urandom(KEY_BYTES))
    count = rewrap(data, old, _read(fresh))
    fresh.replace(file)
    return count


def finish(data: Path, file: Path) -> None:
    """Where a change of keys was broken off after the wrapping, lay the new key in its place."""
    fresh = beside(file)
    if not fresh.exists():
        return
    with closing(open_file(data, wait_ms=5_000)) as db, told(data):
        row = db.execute("SELECT v FROM master WHERE k = 'check'").fetchone()
    if row is None:
        return
    key = _read(fresh)
    with contextlib.suppress(StoreError):  # it opens nothing: the change was broken off before the wrapping
        Sealer(key, "").open(key, bytes(row[0]), _CHECK)
        fresh.replace(file)


def beside(file: Path) -> Path:
    """Where a change of the key in ``file`` keeps the new one until all is wrapped under it."""
    return file.with_name(file.name + ".new")


def outside(file: Path, data: Path | None) -> None:
    """Raises ConfigError where a key file lies in the data directory."""
    if data is not None and file.resolve().is_relative_to(data.resolve()):
        raise ConfigError(f"the key file {file} lies in the data directory {data}; a copy of one would open the other")


def _read(file: Path) -> bytes:
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise ConfigError(f"others may read the key file {file}; run: chmod 600 {file}")
    return _decoded(file.read_text(encoding="ascii", errors="replace"), f"the key file {file}")


def _printed(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"keep.master_key_command: {command[0]} could not be run: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise ConfigError(f"keep.master_key_command: {command[0]} ended with status {done.returncode}: {said[0][:200]}")
    return done.stdout


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


def _write(file: Path, key: bytes) -> None:
    """A key file, whole and on the disk, or none; another process that was first wins."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}-{os.getpid()}")
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(made, "wb") as out:
        out.write(base64.b64encode(key) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(part, file)
    finally:
        part.unlink()


def _empty_log(db: sqlite3.Connection) -> None:
    """What was replaced is not to linger in the log either."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

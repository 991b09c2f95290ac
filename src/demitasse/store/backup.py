"""Copies of the ledger: out of a running store, and back into a resting one.

Knows files and the chain; knows nothing of calls.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from ..core.errors import StoreError
from .audit import verify
from .migrations import FILE, connect
from .procs import alive
from .trouble import trouble

_MAGIC = b"SQLite format 3\0"


def backup(data: Path, target: Path) -> Path:
    """Copy the ledger in ``data``, which may be in use, to the file ``target``, and check the copy.

    The copy is one moment of the ledger. ``target`` appears only when it is whole; an older one is replaced. Raises
    StoreError.
    """
    path, target = Path(data) / FILE, Path(target)
    if not path.exists():
        raise StoreError(f"there is no ledger in {data} to copy; name its directory with --data")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        _copy(path, part)
    except sqlite3.Error as error:
        part.unlink(missing_ok=True)
        raise trouble(path, error) from error
    part.replace(target)
    return target


def restore(data: Path, source: Path) -> Path | None:
    """Lay the copy ``source`` in place of the ledger in ``data``; returns where the old one was put, None without one.

    The copy's chain is verified first. Raises StoreError while a process holds the store, or if the copy is damaged.
    """
    data, source = Path(data), Path(source)
    if not source.exists():
        raise StoreError(f"there is no copy {source}; make one with: demitasse backup FILE")
    with source.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StoreError(f"{source} is no copy of a ledger; make one with: demitasse backup FILE")
    if alive(data):
        raise StoreError(f"the ledger in {data} is in use; stop Demitasse first, then restore again")
    path = data / FILE
    fresh = data / "restore" / FILE
    fresh.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        shutil.copyfile(source, fresh)
        ok, bad = verify(fresh.parent)
        if not ok:
            raise StoreError(f"the copy {source} is damaged: row {bad} is not what was written; take another copy")
        _settle_log(fresh)
        old = _aside(path)
        fresh.replace(path)
    finally:
        shutil.rmtree(fresh.parent, ignore_errors=True)
    return old


def _copy(path: Path, part: Path) -> None:
    source = connect(path, wait_ms=5_000)
    copy = sqlite3.connect(part)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        said = copy.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            raise StoreError(f"the copy of {path} is damaged: {said}; see: demitasse doctor")
    finally:
        copy.close()
        source.close()


def _settle_log(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=DELETE")
    db.close()


def _aside(path: Path) -> Path | None:
    """Put the present ledger beside its place, its log with it."""
    if not path.exists():
        return None
    number = 1
    while (old := path.with_name(f"{path.name}.old{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(old.with_name(old.name + suffix))
    return old

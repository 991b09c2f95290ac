"""Signed checkpoints: what the whole ledger came to at a moment, in a form that can be copied elsewhere and kept.

The text is a signed note as transparency logs write it (C2SP tlog-checkpoint and signed-note): origin, number of rows,
root in base64, then our own lines for the time and the key; an empty line; the signature. What it is for stands in its
first line, so that no signature of ours can be passed off as another's. Knows the tree, the key and two places to keep
notes: the ledger's table, and the plain file ``checkpoints`` beside it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import os
import re
import sqlite3
from pathlib import Path

from msgspec import Struct

from ..core.errors import StoreError
from .migrations import FILE as LEDGER
from .migrations import connect, prepare
from .segments import Leaves, fill
from .signing import Checked, Signer, check, fingerprint
from .trouble import trouble

FILE = "checkpoints"
PURPOSE = "demitasse/checkpoint/1"
MOST_BYTES = 4096
"""No note is longer."""
_ED25519 = b"\1"
_NOTE = re.compile(
    rf"(?P<origin>{PURPOSE}/[0-9a-f]{{16}})\n(?P<size>0|[1-9][0-9]{{0,15}})\n(?P<root>[A-Za-z0-9+/]{{43}}=)\n"
    r"time (?P<at_us>0|[1-9][0-9]{0,18})\nkey ed25519:(?P<key>[A-Za-z0-9+/]{43}=)\n\n"
    r"— (?P=origin) (?P<signature>[A-Za-z0-9+/]{91}=)\n"
)
_WAIT_MS = 5_000
_PUT = (
    "INSERT INTO checkpoints (size, at_us, note) VALUES (?,?,?) ON CONFLICT (size) DO UPDATE SET at_us = excluded.at_us, "
    "note = excluded.note WHERE note NOT LIKE ?"  # one of the same size and key is there to stay
)


class Checkpoint(Struct, frozen=True):
    """The tree at a moment. ``at_us``: when it was signed (UTC). ``public``: the key; ``note``: all of it as signed text."""

    size: int
    root: bytes
    at_us: int
    public: bytes
    note: str

    @property
    def key(self) -> str:
        """The fingerprint of the key that it names."""
        return fingerprint(self.public)


class Place(Struct, frozen=True):
    """A checkpoint, and where it was read: ``the ledger``, or a file with the line that it begins on."""

    checkpoint: Checkpoint
    where: str


class Torn(Struct, frozen=True):
    """A piece of a file that is no checkpoint."""

    text: str
    where: str


def sign(signer: Signer, size: int, root: bytes, at_us: int) -> Checkpoint:
    """A checkpoint of the tree of ``size`` rows."""
    origin = f"{PURPOSE}/{fingerprint(signer.public)}"
    text = f"{origin}\n{size}\n{_base64(root)}\ntime {at_us}\nkey ed25519:{_base64(signer.public)}\n"
    signature = base64.b64decode(signer.seal(b"", text.encode()).rpartition(":")[2])
    note = f"{text}\n— {origin} {_base64(_key_id(origin, signer.public) + signature)}\n"
    return Checkpoint(size, root, at_us, signer.public, note)


def read(note: str) -> Checkpoint:
    """A checkpoint from its text, not yet checked (``signed``). Raises ValueError: it is none, to the last byte."""
    found = _NOTE.fullmatch(note)
    if found is None:
        raise ValueError("it is no checkpoint")
    public, root, signature = (_bytes(found[name]) for name in ("key", "root", "signature"))
    if found["origin"] != f"{PURPOSE}/{fingerprint(public)}" or signature[:4] != _key_id(found["origin"], public):
        raise ValueError("it names two keys")
    return Checkpoint(int(found["size"]), root, int(found["at_us"]), public, note)


def signed(checkpoint: Checkpoint, own: bytes | None = None) -> Checked:
    """Whether a checkpoint is as the key that it names signed it; ``own``: the public key of this data folder."""
    text, _, line = checkpoint.note.partition("\n\n")
    signature = _bytes(line.rstrip("\n").rpartition(" ")[2])[4:]
    seal = f"ed25519:{_base64(checkpoint.public)}:{_base64(signature)}"
    return check(seal, b"", f"{text}\n".encode(), own)


def make(data: Path, signer: Signer, at_us: int) -> Checkpoint | None:
    """Sign what the ledger in ``data`` comes to now, and keep it in its table and in the file; None: nothing is new.

    Works beside a running gateway and beside others that do the same. Raises StoreError: the ledger cannot be read or
    written, or it does not go on from its own last checkpoint; then nothing is signed.
    """
    path = Path(data) / LEDGER
    prepare(path)
    db = connect(path, wait_ms=_WAIT_MS)
    try:
        fill(db)
        made = _signed_now(db, signer, at_us)
        if made is None:
            return None
        _settled(path)
        key = f"%\nkey ed25519:{_base64(signer.public)}\n%"
        if not db.execute(_PUT, (made.size, at_us, made.note, key)).rowcount:
            return None  # another process was first
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    append(Path(data) / FILE, made)
    return made


def kept(db: sqlite3.Connection) -> tuple[list[Place], list[Torn]]:
    """The checkpoints of the ledger's table, the oldest first, and rows of it that are none."""
    found, torn = [], []
    for size, note in db.execute("SELECT size, note FROM checkpoints ORDER BY size"):
        try:
            one = read(str(note))
        except ValueError:
            one = None
        if one is not None and one.size == size:
            found.append(Place(one, "the ledger"))
        else:
            torn.append(Torn(str(note), f"the ledger, at {size} rows"))
    return found, torn


def append(file: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint at the end of a file of them, to the disk. Raises StoreError; the table has it all the same."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            end = os.fstat(handle).st_size
            torn = end > 0 and os.pread(handle, 1, end - 1) != b"\n"  # a full disk had cut the one before
            text = (("\n" if torn else "") + checkpoint.note).encode()
            if os.write(handle, text) != len(text):
                raise OSError("the disk is full")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreError(
            f"the checkpoint of {checkpoint.size} rows could not be written to {file}: {error.strerror or error}; it is in the "
            "ledger, free some space for the next one"
        ) from error


def read_file(file: Path) -> tuple[list[Place], list[Torn]]:
    """All checkpoints of a file, and what else is in it. A missing file has none. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return read_all(file.read_text(encoding="utf-8", errors="replace"), file.name)
    return [], []


def read_all(text: str, name: str) -> tuple[list[Place], list[Torn]]:
    """The same of a text; ``name``: what to call it."""
    found: list[Place] = []
    torn: list[Torn] = []
    at, line = 0, 1
    while at < len(text):
        where = f"{name}, line {line}"
        note = _NOTE.match(text, at)
        end = note.end() if note is not None else _next(text, at)
        try:
            found.append(Place(read(text[at:end]), where))
        except ValueError:
            torn.append(Torn(text[at:end], where))
        line += text.count("\n", at, end)
        at = end
    return found, torn


def _signed_now(db: sqlite3.Connection, signer: Signer, at_us: int) -> Checkpoint | None:
    db.execute("BEGIN")
    try:
        leaves = Leaves(db)
        row = db.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        last = None if row is None else _own(str(row[0]))
        if last is not None and (last.size > leaves.size or _differs(leaves, last)):
            raise StoreError(
                f"the ledger does not go on from its checkpoint of {last.size} rows, so no other is signed; "
                "see what was changed with: demitasse audit verify"
            )
        if leaves.size == (last.size if last is not None and last.public == signer.public else 0):
            return None
        return sign(signer, leaves.size, leaves.root(), at_us)
    finally:
        db.execute("COMMIT")


def _differs(leaves: Leaves, last: Checkpoint) -> bool:
    if last.size < leaves.dropped:  # its rows are gone; what stands for them was held against it when they went
        return False
    return leaves.root(last.size) != last.root


def _own(note: str) -> Checkpoint:
    try:
        return read(note)
    except ValueError:
        raise StoreError(
            "the last checkpoint in the ledger is damaged, so no other is signed; see: demitasse audit verify"
        ) from None


def _settled(path: Path) -> None:
    """What is signed must outlive a power cut, or an honest ledger would fall behind its own checkpoint.

    What is no longer in the log, SQLite has synced itself. The ledger's own file must not be opened here: closing it would
    drop the locks that this process has on it.
    """
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path.with_name(path.name + "-wal"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)


def _next(text: str, at: int) -> int:
    """Where the next note may begin."""
    found = text.find(f"\n{PURPOSE}/", at)
    return len(text) if found < 0 else found + 1


def _key_id(origin: str, public: bytes) -> bytes:
    """C2SP signed-note: which key, in four bytes."""
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    """Raises ValueError: it is no base64, or spare bits are set."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if _base64(raw) != text:
        raise ValueError("spare bits are set")
    return raw

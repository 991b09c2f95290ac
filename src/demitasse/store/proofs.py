"""One row, shown to somebody who has nothing of the ledger: the row, the way from it to a signed root, and its check.

With the key of one call's commitments in it, a proof also shows which text the call was about, to whoever has that text.
The key is of this call alone: it opens no other. Knows the tree, checkpoints and commitments.
"""

from __future__ import annotations

import base64
import sqlite3
from pathlib import Path

import msgspec
from msgspec import Struct

from ..core.errors import StoreError
from . import checkpoints
from .chain import decode_entry, leaf_hash
from .checkpoints import Checkpoint
from .migrations import FILE, connect
from .receipts import matched
from .segments import ROWS, Leaves
from .signing import fingerprint
from .tree import consistency, consistent, included, inclusion
from .trouble import trouble

KIND = "audit proof 1"
GROWTH = "audit growth 1"


class Proof(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What `audit prove` prints. ``path``: from the row to the root, the nearest sibling first (hex, RFC 6962 2.1.1)."""

    demitasse: str
    id: str
    seq: int
    path: tuple[str, ...]
    checkpoint: str
    leaf: str | None = None
    """The row's exact text."""
    leaf_base64: str | None = None
    """The same where it is not text."""
    text_key: str | None = None
    """The key of this call's commitments (base64): with it a text can be held against them."""


class Proven(Struct, frozen=True):
    """What a proof is worth."""

    valid: bool
    id: str = ""
    seq: int = 0
    size: int = 0
    at_us: int = 0
    key: str = ""
    own: bool = False
    text: str | None = None
    """Which text of the call the one given is: ``prompt`` or ``reply``; None: none was given."""
    why: str = ""


def prove(data: Path, id: str, text_key: bytes | None = None) -> Proof:
    """The proof of the entry ``id`` against the last checkpoint. Raises StoreError: there is no such row, or no checkpoint."""
    path = Path(data) / FILE
    db = connect(path, wait_ms=2_000)
    try:
        db.execute("BEGIN")
        row = db.execute("SELECT seq, leaf FROM events WHERE id = ? AND outcome IS NOT NULL", (id,)).fetchone()
        if row is None:
            raise StoreError(f"there is no call '{id}' in the books, or its row was dropped; see: demitasse ledger")
        seq, leaf = row[0], bytes(row[1])
        seal = _seal(db, seq)
        found = inclusion(seq - 1, seal.size, Leaves(db).node)
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    text, raw = _as_text(leaf)
    key = None if text_key is None else base64.b64encode(text_key).decode()
    return Proof(KIND, id, seq, tuple(hash.hex() for hash in found), seal.note, text, raw, key)


class Growth(Struct, frozen=True, forbid_unknown_fields=True):
    """What `audit prove --from` prints: that the ledger of one checkpoint is the beginning of another's. ``path``: hex, RFC 6962
    2.1.2."""

    demitasse: str
    first: str
    second: str
    path: tuple[str, ...]


class Grown(Struct, frozen=True):
    """What such a proof is worth."""

    valid: bool
    first: int = 0
    size: int = 0
    first_us: int = 0
    at_us: int = 0
    key: str = ""
    own: bool = False
    why: str = ""


def grow(data: Path, old: Checkpoint) -> Growth:
    """The proof that the ledger goes on from a checkpoint that somebody kept, to its own last one.

    Raises StoreError: it does not, or no proof can be made any more, because rows up to there were dropped.
    """
    path = Path(data) / FILE
    db = connect(path, wait_ms=2_000)
    try:
        db.execute("BEGIN")
        new, leaves = _seal(db, max(old.size, 1)), Leaves(db)
        if old.size % ROWS and old.size < leaves.dropped:
            raise StoreError(f"no proof can be made from {old.size} rows: some of them were dropped since")
        if old.size and leaves.root(old.size) != old.root:
            raise StoreError(
                f"the ledger does not go on from the checkpoint of {old.size} rows; see: demitasse audit verify"
            )
        found = consistency(old.size, new.size, leaves.node) if old.size else []
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    return Growth(GROWTH, old.note, new.note, tuple(hash.hex() for hash in found))


def verify_growth(raw: bytes, keys: tuple[str, ...] = (), own: bytes | None = None) -> Grown:
    """Whether such a proof shows what it says."""
    try:
        proof = msgspec.json.decode(raw, type=Growth)
        first, second = checkpoints.read(proof.first), checkpoints.read(proof.second)
        path = [bytes.fromhex(hash) for hash in proof.path]
    except (msgspec.DecodeError, ValueError) as error:
        return Grown(False, why=f"it cannot be read: {error}")
    why = ""
    for one in (first, second):
        checked = checkpoints.signed(one, own)
        if not checked.valid:
            why = why or f"the checkpoint of {one.size} rows is not what was signed: {checked.why}"
        elif keys and checked.key not in keys:
            why = why or f"the checkpoint of {one.size} rows is signed by {checked.key}, not by a key given with --key"
    if not why and proof.demitasse != GROWTH:
        why = "it is another kind of file"
    if not why and first.public != second.public and not keys:
        why = "its checkpoints are signed by two keys; name both with --key if both count"
    if not why and not consistent(first.size, second.size, first.root, second.root, path):
        why = f"the {second.size} rows do not go on from the {first.size}"
    return Grown(not why, first.size, second.size, first.at_us, second.at_us, second.key, second.public == own, why)


def verify(raw: bytes, keys: tuple[str, ...] = (), own: bytes | None = None, text: bytes | None = None) -> Proven:
    """Whether a proof (JSON) shows what it says; ``text``: held against the call's commitments."""
    try:
        proof = msgspec.json.decode(raw, type=Proof)
        seal = checkpoints.read(proof.checkpoint)
        path = [bytes.fromhex(hash) for hash in proof.path]
        leaf = (
            proof.leaf.encode() if proof.leaf is not None else base64.b64decode(proof.leaf_base64 or "", validate=True)
        )
        entry = decode_entry(leaf)
    except (msgspec.DecodeError, ValueError) as error:
        return Proven(False, why=f"it cannot be read: {error}")
    checked = checkpoints.signed(seal, own)
    why = ""
    if proof.demitasse != KIND:
        why = "it is another kind of file"
    elif not checked.valid:
        why = f"its checkpoint is not what was signed: {checked.why}"
    elif keys and fingerprint(seal.public) not in keys:
        why = f"its checkpoint is signed by {fingerprint(seal.public)}, not by a key given with --key"
    elif entry.id != proof.id:
        why = f"its row is the one of call {entry.id}, not of {proof.id}"
    elif not included(leaf_hash(leaf), proof.seq - 1, seal.size, path, seal.root):
        why = f"row {proof.seq} is not in the tree that the checkpoint signs"
    which = None
    if not why and text is not None:
        which, why = matched(text, entry.prompt_mac, entry.reply_mac, proof.text_key)
    return Proven(not why, proof.id, proof.seq, seal.size, seal.at_us, checked.key, checked.own, which, why)


def _seal(db: sqlite3.Connection, seq: int) -> Checkpoint:
    row = db.execute("SELECT note FROM checkpoints WHERE size >= ? ORDER BY size DESC LIMIT 1", (seq,)).fetchone()
    if row is None:
        raise StoreError(f"no checkpoint covers row {seq} yet; make one with: demitasse audit checkpoint")
    try:
        return checkpoints.read(str(row[0]))
    except ValueError:
        raise StoreError("the last checkpoint in the ledger is damaged; see: demitasse audit verify") from None


def _as_text(leaf: bytes) -> tuple[str | None, str | None]:
    try:
        return leaf.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(leaf).decode()

"""Is the ledger what it was? Rows, columns, chain, tree, every checkpoint ever signed, and the sums, in one report.

A ledger that was rewritten together with its chain still has to fit the checkpoints: those in its table, those in the file
beside it, and any that were copied elsewhere. Reads only, also beside a running gateway.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from ..core.errors import StoreError
from ..core.visible import visible
from . import checkpoints
from .audit import Followed, Step, follow, recounted
from .checkpoints import Checkpoint, Place, Torn
from .migrations import FILE, connect, prepare
from .segments import ROWS
from .signing import fingerprint, public_key
from .tree import consistent
from .trouble import trouble

HASH_BYTES = 32


class Problem(Struct, frozen=True):
    """Something that is not what it should be. ``row``: where, if it is about a row."""

    kind: str
    """row, checkpoint, segment, dropped or sums."""
    message: str
    row: int | None = None
    size: int | None = None
    """Of the checkpoint that it is about."""


class Report(Struct, frozen=True):
    """What an examination found; ``problems`` is empty where all is as it was written."""

    rows: int
    dropped: int
    root: str
    chain: str
    first_bad_row: int | None
    checkpoints: int
    """Those that fit."""
    last_checkpoint_rows: int | None
    last_checkpoint_us: int | None
    rows_since: int
    """Rows that no checkpoint covers yet: what a rewriting of them would leave no trace of but in the chain."""
    key: str | None
    """The fingerprint of this folder's key."""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether all is as it was written."""
        return not self.problems


def examine(
    data: Path,
    *,
    keys: Iterable[str] = (),
    files: Iterable[Path] = (),
    step: Step = lambda _done, _total: None,
) -> Report:
    """Look at the whole ledger in ``data``.

    ``keys``: fingerprints of the keys whose checkpoints count; none: this folder's. ``files``: further files of checkpoints.
    ``step`` is told how it goes on, as by ``follow``. Raises StoreError where the ledger cannot be read, OSError where one of
    ``files`` cannot.
    """
    path = Path(data) / FILE
    if not path.exists():
        raise StoreError(f"there is no ledger in {data}; name its directory with --data")
    prepare(path)
    own = public_key(Path(data))
    known = set(keys) or ({fingerprint(own)} if own else set())
    # Read first: whatever is in them was in the ledger before, so what is read of that afterwards holds it.
    beside = [checkpoints.read_file(file) for file in (Path(data) / checkpoints.FILE, *files)]
    db = connect(path, wait_ms=2_000)
    try:
        db.execute("BEGIN")
        inside, damaged = checkpoints.kept(db)
        places = [*inside, *(place for found, _ in beside for place in found)]
        proofs = {size: bytes(proof) for size, proof in db.execute("SELECT size, proof FROM checkpoints") if proof}
        ends = {int.from_bytes(proof[:8]) for proof in proofs.values()}
        done = follow(db, {place.checkpoint.size for place in places} | ends, step)
        told = _told_dropped(db)
        acts = _acts(db)
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    torn = [piece for _, pieces in beside for piece in pieces]
    problems = [*_row(done), *(Problem("segment", text) for text in done.differing), *_dropped(done, told)]
    problems += [Problem("checkpoint", f"{piece.where}: this is no checkpoint of ours any more") for piece in damaged]
    cut, strange = _explained(torn, inside)
    problems += [Problem("checkpoint", f"{piece.where}: this is no checkpoint of ours") for piece in strange]
    good: list[Checkpoint] = []
    for place in sorted(_once(places), key=lambda place: place.checkpoint.size):
        why = _why_not(place.checkpoint, done, proofs, known)
        if why is None:
            good.append(place.checkpoint)
        elif why:
            at = (
                f"the checkpoint of {place.checkpoint.size:,} rows from {_time(place.checkpoint.at_us)} ({place.where})"
            )
            after = f"; the rows up to {good[-1].size:,} fit the one before it" if good else ""
            problems.append(Problem("checkpoint", f"{at} {why}{after}", size=place.checkpoint.size))
    uncompared: list[str] = []
    if done.bad is None:
        counted = recounted(data)
        problems += [Problem("sums", text) for text in counted.differing]
        uncompared = counted.uncompared
    notes = [f"{piece.where}: cut off while it was written; the ledger has it whole" for piece in cut]
    return Report(
        rows=done.size if done.bad is None else done.bad - 1,
        dropped=done.dropped,
        root=done.root.hex(),
        chain=done.chain.hex(),
        first_bad_row=done.bad,
        checkpoints=len(good),
        last_checkpoint_rows=good[-1].size if good else None,
        last_checkpoint_us=good[-1].at_us if good else None,
        rows_since=done.size - (good[-1].size if good else 0),
        key=fingerprint(own) if own else None,
        problems=tuple(problems),
        notes=(*notes, *uncompared, *acts),
    )


def _row(done: Followed) -> list[Problem]:
    if done.bad is None:
        return []
    return [Problem("row", f"row {done.bad} is not what was written; the rows before it are", row=done.bad)]


def _why_not(one: Checkpoint, done: Followed, proofs: dict[int, bytes], known: set[str]) -> str | None:
    """Why a checkpoint does not fit; None: it does; empty: nobody can tell, a row before it is bad."""
    checked = checkpoints.signed(one)
    if not checked.valid:
        return f"is not what was signed: {checked.why}"
    if checked.key not in known:
        return (
            f"is signed by the key {checked.key}, which is none of those that count; if it should, name it with --key"
        )
    if one.size < done.dropped:
        return _why_not_dropped(one, done, proofs)
    if one.size > done.size:
        if done.bad is not None:
            return ""
        return (
            f"covers rows that are gone: the ledger ends at row {done.size:,}. It was cut short, or an older copy was "
            "laid in its place"
        )
    if done.roots.get(one.size) != one.root:
        return "does not fit: the rows up to there were rewritten after it was signed, the chain with them"
    return None


def _why_not_dropped(one: Checkpoint, done: Followed, proofs: dict[int, bytes]) -> str | None:
    """One inside what was dropped is held against the hashes that stayed, by the proof that was kept with it."""
    proof = proofs.get(one.size, b"")
    end = int.from_bytes(proof[:8])
    path = [proof[at : at + HASH_BYTES] for at in range(8, len(proof), HASH_BYTES)]
    if one.size % ROWS == 0 and one.size in done.roots:
        return None if done.roots[one.size] == one.root else "does not fit what stands for the rows that were dropped"
    if not proof or end not in done.roots:
        return "cannot be held against anything: its rows were dropped, and the proof that was to stay is not there"
    if not consistent(one.size, end, one.root, done.roots[end], path):
        return "does not fit what stands for the rows that were dropped"
    return None


def _told_dropped(db: sqlite3.Connection) -> int:
    """How many rows the chain says were dropped."""
    told = 0
    for (leaf,) in db.execute("SELECT leaf FROM events WHERE kind = 'dropped'"):
        try:
            told = max(told, int(msgspec.json.decode(leaf)["rows"]))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            continue  # the row itself is found to be bad elsewhere
    return told


def _acts(db: sqlite3.Connection) -> list[str]:
    """The last act of each kind that changed what is kept, with who did it and why, as sentences."""
    said = []
    for what, where in _ACTS.items():
        rows = db.execute(f"SELECT leaf FROM events WHERE {where} ORDER BY seq").fetchall()  # noqa: S608 - ours
        try:
            event = msgspec.json.decode(rows[-1][0]) if rows else None
            if event is None:
                continue
            by = event.get("by") or ("the gateway by itself" if what == "rows were dropped" else "nobody named")
            who = f" for {event['who']}" if event.get("who") else ""
            why = f": {event['why']}" if event.get("why") else ""
            times = f"{len(rows):,} times, the last" if len(rows) > 1 else "once,"
            said.append(visible(f"{what} {times} on {_time(event['at_us'])} by {by}{who}{why}"))
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError):
            continue  # the row itself is found to be bad elsewhere
    return said


_ACTS = {
    "texts were made unreadable": "kind = 'erased'",
    "rows were dropped": "kind = 'dropped'",
    "the master key was changed": "kind = 'changed' AND id = 'master_key:wrapped'",
    "another copy was laid in the ledger's place": "kind = 'changed' AND id = 'ledger:restored'",
}


def _dropped(done: Followed, told: int) -> list[Problem]:
    if done.dropped == told or done.bad is not None:
        return []
    text = f"{done.dropped:,} rows are marked as dropped, and the chain tells of {told:,}"
    return [Problem("dropped", text)]


def _explained(torn: list[Torn], inside: list[Place]) -> tuple[list[Torn], list[Torn]]:
    """Pieces that a full disk or a kill may have left (the beginning of a note that the ledger has), and others."""
    notes = [place.checkpoint.note for place in inside]
    cut = [piece for piece in torn if any(note.startswith(piece.text.rstrip("\n")) for note in notes)]
    return cut, [piece for piece in torn if piece not in cut]


def _once(places: list[Place]) -> list[Place]:
    """Each note once, by the first place where it stands."""
    found: dict[str, Place] = {}
    for place in places:
        found.setdefault(place.checkpoint.note, place)
    return list(found.values())


def _time(at_us: int) -> str:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

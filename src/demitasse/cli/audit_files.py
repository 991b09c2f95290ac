"""What `audit` does with files: exports, proofs, receipts and checkpoints, made from the ledger and checked without it."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from .ground import Failure, Place, say, say_json

if TYPE_CHECKING:
    from ..store.checkpoints import Checkpoint
    from ..store.proofs import Growth, Proof

MOST_BYTES = 16 << 20
"""Of a proof, a receipt, or a file of checkpoints; exports have no limit."""


def latest_checkpoint(place: Place) -> tuple[Checkpoint, bool]:
    """A checkpoint of all rows, made now unless there is one, and whether it was made now."""
    from ..store import checkpoints
    from ..store.migrations import FILE, connect
    from ..store.signing import Signer

    _needs_ledger(place)
    made = checkpoints.make(place.data, Signer(place.data), place.clock())
    if made is not None:
        return made, True
    db = connect(place.data / FILE, wait_ms=2_000)
    try:
        row = db.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    finally:
        db.close()
    if row is None:
        raise Failure("the ledger has no rows yet, so there is nothing to sign")
    return checkpoints.read(row[0]), False


def proof_of(place: Place, id: str, text: str | None) -> Proof:
    """The proof of a call; with ``text`` (a file) the key with it, once it is sure that the text is the call's."""
    from ..core.limits import tenant_of
    from ..store import proofs
    from ..store.commitments import find_key, opens
    from ..store.secret import server_secret

    latest_checkpoint(place)
    with place.books() as books:
        entry = books.entry(id)
    if entry is None:
        raise Failure(f"there is no call '{id}' in the books; list the last ones with: demitasse ledger")
    if text is None:
        return proofs.prove(place.data, entry.id)
    if entry.prompt_mac is None:
        raise Failure(f"call {entry.id} has no commitment to its text: nothing can be proven of it")
    tenant = tenant_of(entry.key, entry.team)
    key = find_key(place.data, server_secret(place.data), tenant, entry.id, entry.prompt_mac)
    if key is None:
        raise Failure(f"nothing can be proven of the text of call {entry.id} any more: whose it was has been erased")
    said = _bytes(place, text, None)
    if not any(mac is not None and opens(key, mac, said) for mac in (entry.prompt_mac, entry.reply_mac)):
        raise Failure(f"{text} is neither what call {entry.id} asked nor what it was answered, to the last byte")
    return proofs.prove(place.data, entry.id, key)


def growth_from(place: Place, file: str) -> Growth:
    """The proof that the ledger goes on from the last checkpoint of a file."""
    from ..store import checkpoints, proofs

    found, _ = checkpoints.read_all(_bytes(place, file, MOST_BYTES).decode(errors="replace"), file)
    if not found:
        raise Failure(f"there is no checkpoint in {file}")
    latest_checkpoint(place)
    return proofs.grow(place.data, found[-1].checkpoint)


def export_to(place: Place, file: str, since_us: int | None, until_us: int | None) -> dict[str, Any]:
    """Write an export; FILE appears only when it is whole."""
    from ..store import retention
    from ..store.export import write
    from ..store.signing import Signer, fingerprint

    _needs_ledger(place)
    target = place.cwd / Path(file).expanduser()
    part = target.with_name(target.name + ".part")
    signer = Signer(place.data)
    try:
        with part.open("wb") as out:
            first, last = write(place.data, out, signer, place.clock(), since_us=since_us, until_us=until_us)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    retention.note_export(place.data, first, last)
    size = target.stat().st_size
    return {"file": str(target), "first": first, "last": last, "bytes": size, "key": fingerprint(signer.public)}


def change_master_key(place: Place, to_file: str | None, to_env: str | None) -> tuple[int, str]:
    """Wrap all data keys under another master key; returns how many there are, and where the new one is."""
    from ..build.keeping import master
    from ..store.master import master_key, rekey_file, rewrap

    keep = place.config().keep
    if to_env is not None and not place.env.get(to_env):
        raise Failure(f"the environment variable {to_env} is not set")
    if to_file is None and to_env is None:
        if keep.master_key_file is None:
            raise Failure(
                "[keep] names no master_key_file to renew; say where the new key is: --to-file FILE or --to-env NAME"
            )
        return rekey_file(place.data, Path(keep.master_key_file)), keep.master_key_file
    file = None if to_file is None else place.cwd / Path(to_file).expanduser()
    old = master(place.config(), place.data)
    new = master_key(env=to_env, file=file, data=None if file is None else place.data)
    return rewrap(place.data, old, new), str(file or to_env)


def verify_file(place: Place, file: str, keys: tuple[str, ...], text: str | None, *, as_json: bool) -> None:
    """Say what a file is worth, whichever kind it is; ends the command with status 1 where it is worth nothing."""
    from ..store import exported, proofs, receipts

    path = place.cwd / Path(file).expanduser()
    own = _own(place)
    try:
        with path.open("rb") as opened:
            head = opened.read(64)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror or error}") from error
    said = None if text is None else _bytes(place, text, None)
    if head.startswith(b"demitasse/checkpoint"):
        told = _checkpoints(_bytes(place, file, MOST_BYTES), path.name, keys, own)
    elif _kind_of(path) == receipts.KIND:
        told = {
            "kind": "receipt",
            **msgspec.to_builtins(receipts.verify(_bytes(place, file, MOST_BYTES), keys, own, said)),
        }
    elif _kind_of(path) == proofs.GROWTH:
        told = {
            "kind": "growth",
            **msgspec.to_builtins(proofs.verify_growth(_bytes(place, file, MOST_BYTES), keys, own)),
        }
    elif _kind_of(path) == proofs.KIND:
        told = {"kind": "proof", **msgspec.to_builtins(proofs.verify(_bytes(place, file, MOST_BYTES), keys, own, said))}
    else:
        with path.open("rb") as opened:
            told = {"kind": "export", **msgspec.to_builtins(exported.verify(opened, keys, own))}
    if said is not None and told["kind"] not in ("proof", "receipt"):
        raise click.UsageError("--text goes with a proof or a receipt")
    if as_json:
        say_json(told)
    else:
        _show(file, told, bool(keys))
    if not told["valid"]:
        raise SystemExit(1)


def _kind_of(path: Path) -> str:
    """What a small JSON file says that it is; "" where it is none."""
    if path.stat().st_size > MOST_BYTES:
        return ""
    try:
        raw = path.read_bytes()
        if raw[:4] == b"eyJk":  # {"d in base64: a receipt as a header has it
            return str(msgspec.json.decode(base64.urlsafe_b64decode(raw.strip() + b"==="))["demitasse"])
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, KeyError, TypeError):
        return ""
    return str(found.get("demitasse", "")) if isinstance(found, dict) else ""


def _checkpoints(raw: bytes, name: str, keys: tuple[str, ...], own: bytes | None) -> dict[str, Any]:
    """Checkpoints alone prove that they were signed; what they are about, only the ledger or an export can show."""
    from ..store import checkpoints

    found, torn = checkpoints.read_all(raw.decode(errors="replace"), name)
    why = [f"{piece.where}: this is no checkpoint" for piece in torn]
    for place in found:
        checked = checkpoints.signed(place.checkpoint)
        if not checked.valid:
            why.append(f"{place.where}: it is not what was signed: {checked.why}")
        elif keys and checked.key not in keys:
            why.append(f"{place.where}: it is signed by {checked.key}, not by a key given with --key")
    last = found[-1].checkpoint if found else None
    return {
        "kind": "checkpoints",
        "valid": not why and last is not None,
        "checkpoints": len(found),
        "size": last and last.size,
        "at_us": last and last.at_us,
        "root": last and last.root.hex(),
        "key": last and last.key,
        "own": last is not None and last.public == own,
        "why": "; ".join(why),
    }


def _show(file: str, told: dict[str, Any], pinned: bool) -> None:
    if not told["valid"]:
        where = "".join(f", {name} {told[name]}" for name in ("line", "row") if told.get(name))
        say(f"{file}{where}: {told['why']}")
        return
    at = "" if not told.get("at_us") else f", signed {_time(told['at_us'])}"
    match told["kind"]:
        case "export":
            rows = f"rows {told['first']:,} to {told['last']:,}"
            say(f"{rows} are what was written: they fit the checkpoint of {told['size']:,} rows{at}")
        case "proof":
            say(f"call {told['id']} is row {told['seq']:,} of the {told['size']:,} that the checkpoint covers{at}")
        case "growth":
            say(f"the ledger of {told['size']:,} rows goes on from the one of {told['first']:,}{at}")
        case "receipt":
            said = told["receipt"]
            where = f" in {said['region']}" if said["region"] else ""
            say(f"call {said['id']} of {said['at']}: {said['outcome']} by {said['model']} ({said['provider']}){where}")
        case "checkpoints":
            say(f"{told['checkpoints']:,} checkpoints are what was signed; the last covers {told['size']:,} rows{at}")
    if told.get("text"):
        say(f"the text is its {told['text']}, to the last byte")
    whose = "this folder's" if told["own"] else "the one you gave" if pinned else "compare it with what you were told"
    say(f"signed by the key {told['key']} ({whose})")


def _own(place: Place) -> bytes | None:
    from ..core.errors import DemitasseError
    from ..store.signing import public_key

    try:
        return public_key(place.data)
    except (DemitasseError, OSError):
        return None  # only a kinder word was sought


def _needs_ledger(place: Place) -> None:
    from ..store.migrations import FILE

    if not (place.data / FILE).exists():
        raise Failure(f"there is no ledger in {place.data}; name its directory with --data")


def _bytes(place: Place, file: str, most: int | None) -> bytes:
    path = place.cwd / Path(file).expanduser()
    try:
        if most is not None and path.stat().st_size > most:
            raise Failure(f"{file} is larger than {most >> 20} MB; it is none of ours")
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror or error}") from error


def _time(at_us: int) -> str:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

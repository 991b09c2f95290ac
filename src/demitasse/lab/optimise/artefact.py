"""A made model on disk: ``<data>/models/made/NAME/`` with files, ``manifest.json`` and ``card.md``, whole or not there at all.

Knows folders and hashes; knows not how a model is made, nor how one answers. The folder is written beside its place and renamed
when everything in it is on the disk: a kill or a full disk leaves the old artefact, or none.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from ...core.errors import DemitasseError
from ...providers.made import FOLDER, MANIFEST, NAME, folder
from ..evals.result import Load
from .gate import Gate, Side

CARD = "card.md"
FORMAT = 1

Kind = Literal["gguf", "classifier", "encoder", "prompt"]


class ArtefactError(DemitasseError):
    """An artefact that cannot be written, read or trusted; the sentence says what to do."""


class File(Struct, frozen=True):
    """One file of an artefact."""

    name: str
    bytes: int
    sha256: str


class Base(Struct, frozen=True, omit_defaults=True):
    """What it was made from."""

    name: str
    sha256: str = ""
    licence: str = "not stated"
    source: str = ""
    """Where it came from: a catalogue name, a package, a path's last part."""


class Data(Struct, frozen=True, omit_defaults=True):
    """What it learned from, and on what it was measured."""

    task: str
    hash: str = ""
    source: str = ""
    licence: str = "not stated"
    train: int = 0
    test: int = 0
    split: str = ""
    """How the two were kept apart: ``by time``, ``by hash of the id, seed 7``."""
    dropped: dict[str, int] = {}
    """Rows left out before training, by reason."""
    contaminated: float | None = None
    """Share of test rows that shared a passage with rows to learn from, before those rows were left out."""


class Licences(Struct, frozen=True, omit_defaults=True):
    """Whether it may be used, as far as anybody can tell from what is stated."""

    base: str = "not stated"
    data: str = "not stated"
    teacher: str = ""
    """Whose answers it learned; empty: nobody's."""
    verdict: Literal["allowed", "conditions", "unclear", "refused"] = "unclear"
    """conditions: allowed, and something is to be done; unclear: somebody must look."""
    why: str = ""


class Manifest(Struct, frozen=True, omit_defaults=True):
    """All that is known of an artefact. ``files`` and ``bytes`` are filled in by `save`."""

    name: str
    kind: Kind
    method: str
    """In words: ``LoRA rank 8, merged, Q4_0``, ``multinomial logistic regression on wordllama-256``."""
    format: int = FORMAT
    created: str = ""
    """ISO 8601, UTC."""
    command: str = ""
    files: tuple[File, ...] = ()
    bytes: int = 0
    base: Base | None = None
    parameters: dict[str, Any] = {}
    data: Data | None = None
    seeds: dict[str, int] = {}
    libraries: dict[str, str] = {}
    cpu_s: float | None = None
    """CPU seconds of the making."""
    load: Load | None = None
    """How busy the machine was meanwhile."""
    energy_uj: tuple[int, int] | None = None
    energy_method: str = ""
    licences: Licences = Licences()
    bits_per_weight: float | None = None
    before: Side | None = None
    after: Side | None = None
    gate: Gate | None = None
    kept_anyway: bool = False
    """It failed its gate, and somebody wanted it kept."""
    curve: tuple[dict[str, Any], ...] = ()
    """Learning curve, where there is one: ``n``, ``score``, ``interval``."""
    limitations: tuple[str, ...] = ()


def save(
    data: Path, manifest: Manifest, files: Mapping[str, Path | bytes], *, card: str | None = None, move: bool = True
) -> Path:
    """Write an artefact; one of the same name is replaced, and stays whole until the new one is.

    Args:
        data: the data folder.
        manifest: without ``files`` and ``bytes``.
        files: what it consists of, by name: content, or a path that is moved in (copied with ``move=False``).
        card: instead of the one that `card.card` writes.

    Returns its folder. Raises ArtefactError (bad name, no room), nothing being left of it.
    """
    if not NAME.fullmatch(manifest.name):
        raise ArtefactError(f"'{manifest.name}' is no name for an artefact: lower case, digits, '.', '-' and '_' only")
    for name in files:
        if Path(name).name != name or name in {MANIFEST, CARD} or name.startswith("."):
            raise ArtefactError(f"'{name}' cannot be the name of an artefact's file")
    final = folder(data / "models", manifest.name)
    try:
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(final):
            made = Path(tempfile.mkdtemp(prefix=f".{manifest.name}.new-", dir=final.parent))
            try:
                _fill(made, manifest, files, card, move=move)
                _swap(made, final)
            finally:
                shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise ArtefactError(
            f"the artefact '{manifest.name}' could not be written ({error.strerror or error}: {error.filename or final}); "
            "nothing was kept of it: make room or correct the rights, and run the same command again"
        ) from error
    return final


def _fill(made: Path, manifest: Manifest, files: Mapping[str, Path | bytes], card: str | None, *, move: bool) -> None:
    from .card import card as written  # noqa: PLC0415 - a card is written from a manifest

    found = []
    for name, content in files.items():
        path = made / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif move:
            shutil.move(content, path)
        else:
            shutil.copyfile(content, path)
        _sync(path)
        found.append(File(name, path.stat().st_size, sha256(path)))
    whole = structs.replace(manifest, files=tuple(found), bytes=sum(one.bytes for one in found))
    (made / MANIFEST).write_bytes(_encoded(whole))
    (made / CARD).write_text(card if card is not None else written(whole), "utf-8")
    _sync(made / MANIFEST)
    _sync(made / CARD)
    _sync(made)


def _encoded(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def _swap(made: Path, final: Path) -> None:
    """The new folder in the old one's place. A kill between the two renames leaves the old one aside, where `_mend` finds it."""
    old = _aside(final)
    if final.exists():
        final.rename(old)
    made.rename(final)
    _sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone(final: Path) -> Iterator[None]:
    """One writer of a name at a time; what a killed one left is cleared or put back."""
    with final.with_name(f".{final.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _mend(final)
        for left in final.parent.glob(f".{final.name}.new-*"):
            shutil.rmtree(left, ignore_errors=True)
            left.unlink(missing_ok=True) if left.is_file() else None
        yield


def _mend(final: Path) -> None:
    old = _aside(final)
    if not old.exists():
        return
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(final)


def _aside(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")


def load(data: Path, name: str) -> Manifest:
    """Raises ArtefactError: there is none, or it cannot be read."""
    path = folder(data / "models", name)
    if NAME.fullmatch(name) and not path.exists() and _aside(path).exists():
        with _alone(path):  # whoever was replacing it was killed between two renames
            pass
    return read(path)


def read(path: Path) -> Manifest:
    """The manifest in a folder. Raises ArtefactError."""
    try:
        return msgspec.json.decode((path / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise ArtefactError(f"there is no artefact '{path.name}'; see: demitasse models list") from None
    except (OSError, msgspec.DecodeError) as error:
        raise ArtefactError(f"{path / MANIFEST} cannot be read: {error}; make the artefact again") from error


def made(data: Path) -> list[Manifest]:
    """All artefacts that can be read, by name."""
    found = []
    for path in sorted((data / "models" / FOLDER).glob(f"[!.]*/{MANIFEST}")):
        try:
            found.append(read(path.parent))
        except ArtefactError:
            continue
    return found


def verify(path: Path) -> list[str]:
    """What is wrong with an artefact's files, one sentence each; empty: all is as it was written. Raises ArtefactError."""
    manifest = read(path)
    wrong = []
    known = {MANIFEST, CARD}
    for file in manifest.files:
        known.add(file.name)
        found = path / file.name
        if not found.is_file():
            wrong.append(f"{file.name} is missing")
        elif found.stat().st_size != file.bytes:
            wrong.append(f"{file.name} has {found.stat().st_size} bytes and should have {file.bytes}")
        elif sha256(found) != file.sha256:
            wrong.append(f"{file.name} is not what was written: its SHA-256 differs from the manifest's")
    wrong += [f"{extra.name} is not in the manifest" for extra in sorted(path.iterdir()) if extra.name not in known]
    return wrong


def amend(data: Path, manifest: Manifest) -> None:
    """Write an artefact's manifest and card anew, its files staying as they are: what its gate found is known only later.

    Raises ArtefactError: there is none, or no room.
    """
    from .card import card as written  # noqa: PLC0415 - a card is written from a manifest

    known = load(data, manifest.name)
    whole = structs.replace(manifest, files=known.files, bytes=known.bytes)
    path = folder(data / "models", manifest.name)
    try:
        with _alone(path):
            for name, content in ((CARD, written(whole).encode()), (MANIFEST, _encoded(whole))):
                new = path.with_name(f".{path.name}.new-{name}")  # beside the folder: what is in it is in the manifest
                new.write_bytes(content)
                _sync(new)
                new.replace(path / name)
    except OSError as error:
        raise ArtefactError(f"the manifest of '{manifest.name}' could not be written: {error}; make room") from error


def remove(data: Path, name: str) -> None:
    """Delete an artefact. Raises ArtefactError where there is none."""
    load(data, name)
    path = folder(data / "models", name)
    with _alone(path):
        shutil.rmtree(path)


def sha256(path: Path) -> str:
    """Of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def libraries(names: Iterable[str]) -> dict[str, str]:
    """Versions of the installed ones among ``names``, for a manifest; Demitasse's own is among them."""
    found = {}
    for name in ("demitasse", *names):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def moment(now_us: int) -> str:
    """UTC microseconds as ISO 8601, to the second."""
    return datetime.fromtimestamp(now_us // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def name_for(*parts: str) -> str:
    """A name that an artefact can bear, from words."""
    joined = "-".join(re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-.") for part in parts)
    return joined[:60].strip("-.") or "made"


def free_name(data: Path, name: str) -> str:
    """The name, or with a number behind it where an artefact bears it already: that one may be serving."""
    taken = {path.name for path in (data / "models" / FOLDER).glob("[!.]*")}
    return next(one for n in itertools.count(1) if (one := name if n == 1 else f"{name}-{n}") not in taken)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

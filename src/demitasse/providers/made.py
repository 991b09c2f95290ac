"""Where made models lie: ``made:NAME`` as a folder and its files. Knows the few lines of a manifest that name them.

Who makes them, and all else that a manifest says, is the lab's (`lab.optimise.artefact`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from ..core.errors import DemitasseError

PREFIX: Final = "made:"
FOLDER: Final = "made"
MANIFEST: Final = "manifest.json"
NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


class MadeError(DemitasseError):
    """A made model that is not there, or not whole; the sentence says what to do."""


class MadeFile(Struct, frozen=True):
    name: str
    bytes: int
    sha256: str


class MadeBase(Struct, frozen=True):
    """What it was made from."""

    name: str = ""
    source: str = ""
    """Of a model that the catalogue lists: its name there."""


class Made(Struct, frozen=True):
    """What a manifest says to whoever wants to use the model."""

    name: str
    kind: str
    files: tuple[MadeFile, ...] = ()
    base: MadeBase | None = None
    kept_anyway: bool = False


def folder(models: Path, name: str) -> Path:
    """Where it lies, or will lie, below the models' directory."""
    return models / FOLDER / name


def look(models: Path, name: str) -> Made:
    """The made model of this name; sizes of its files are checked, their bytes are not read.

    Raises MadeError.
    """
    path = folder(models, name)
    try:
        found = _read((path / MANIFEST).read_bytes())
    except FileNotFoundError:
        there = [one.parent.name for one in sorted((models / FOLDER).glob(f"[!.]*/{MANIFEST}"))]
        hint = f"there are: {', '.join(there[:8])}" if there else "make one with: demitasse optimise TASK"
        raise MadeError(f"there is no made model '{name}'; {hint}") from None
    except (OSError, msgspec.DecodeError) as error:
        raise MadeError(f"{path / MANIFEST} cannot be read: {error}; make the model again") from error
    for file in found.files:
        at = path / file.name
        if not at.is_file() or at.stat().st_size != file.bytes:
            raise MadeError(f"the made model '{name}' is not whole: {file.name} is missing or cut; make it again")
    return found


def gguf(models: Path, name: str) -> Path:
    """The one GGUF file of a made model; ``model.gguf`` where it is not there (yet)."""
    try:
        found = next(file.name for file in look(models, name).files if file.name.endswith(".gguf"))
    except (MadeError, StopIteration):
        found = "model.gguf"
    return folder(models, name) / found


_read = msgspec.json.Decoder(Made).decode

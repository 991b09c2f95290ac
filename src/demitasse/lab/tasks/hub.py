"""The files of a data set, from the Hugging Face hub or from a local folder laid out like it. Knows no columns and no task.

A hub file is fetched by the library ``huggingface_hub`` (extra ``hub``), which keeps it and checks it. No code of a
repository is ever run: only Parquet and JSON lines are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from ...core.errors import ConfigError

_T = TypeVar("_T")
ENDS = ("parquet", "jsonl")
LAYOUTS = (
    "{config}/{split}.{end}",
    "{config}/{split}-*-of-*.{end}",
    "{config}/{split}/*.{end}",
    "data/{config}/{split}*.{end}",
    "{config}_{split}.{end}",
    "{split}.{end}",
    "{split}-*-of-*.{end}",
    "data/{split}-*-of-*.{end}",
    "data/{split}.{end}",
)
"""Where a split's files lie, by custom: as people push them, and as the hub's own conversion to Parquet writes them."""
_CLIENTS = ("httpx", "httpcore", "requests", "urllib3", "huggingface_hub")
_TIMEOUT_S = 20.0
REVISIONS = ("main", "refs/convert/parquet")
"""Searched in this order: what was pushed, and the hub's own conversion of it."""


class Wanted(Struct, frozen=True):
    """One split of a data set. ``files``: patterns that take the place of the usual layouts."""

    repo: str
    config: str
    split: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(part for part in (self.repo, self.config, self.split) if part)


class Hub(Struct, frozen=True):
    """What is asked of a hub: the paths of a repository's files at a revision, and one of them as a local file.

    Both raise OSError where nothing can be reached, LookupError where there is no such thing.
    """

    paths: Callable[[str, str], Sequence[str]]
    fetch: Callable[[str, str, str], Path]


def local(folder: Path, wanted: Wanted) -> list[Path]:
    """The split's files below ``folder/<owner>/<name>``. Raises ConfigError saying where they were looked for."""
    base = folder / wanted.repo
    paths = sorted(p.relative_to(base).as_posix() for p in base.rglob("*") if p.is_file()) if base.is_dir() else []
    found = chosen(paths, wanted)
    if not found:
        where = base / wanted.config if wanted.config not in ("", "*") else base
        why = f"{base} is no folder" if not base.is_dir() else f"{base} holds none"
        raise ConfigError(
            f"no file of {wanted} here: {why}; put {where / (wanted.split + '.parquet')} (or .jsonl) there, as the hub has it"
        )
    return [base / path for path in found]


def fetched(hub: Hub, wanted: Wanted) -> list[Path]:
    """The split's files from the hub. Raises ConfigError: it cannot be reached, or has no such files."""
    missing = ""
    try:
        for revision in REVISIONS:
            try:
                paths = hub.paths(wanted.repo, revision)
            except LookupError as why:
                missing = missing or f" ({_short(why)})"
                continue
            found = chosen(sorted(paths), wanted)
            if found:
                return [hub.fetch(wanted.repo, revision, path) for path in found]
    except OSError as why:
        raise ConfigError(
            f"{wanted}: the hub cannot be reached ({_short(why)}); fetch the files where it can, and name their folder with "
            f"--from DIR or DEMITASSE_DATASETS: DIR/{wanted.repo}/{wanted.config}/{wanted.split}.parquet"
        ) from why
    raise ConfigError(
        f"{wanted}: the hub has no Parquet or JSON lines of this split{missing}; name local files with --from DIR"
    )


def chosen(paths: Sequence[str], wanted: Wanted) -> list[str]:
    """The paths that hold the split: those of the first layout that any fits."""
    patterns = wanted.files or tuple(layout.replace("{end}", end) for layout in LAYOUTS for end in ENDS)
    for pattern in patterns:
        shaped = pattern.replace("{config}", wanted.config).replace("{split}", wanted.split).removeprefix("/")
        found = [path for path in paths if fnmatchcase(path, shaped)]
        if found:
            return found
    return []


def hugging_face() -> Hub:
    """The hub by its own library. Raises ConfigError where that is missing."""
    try:
        import huggingface_hub  # noqa: PLC0415 - an extra
        from huggingface_hub import errors  # noqa: PLC0415 - an extra
    except ImportError as why:
        raise ConfigError(
            "data sets are fetched with the extra 'hub': pip install 'demitasse[hub]'; or name local files with --from DIR"
        ) from why

    def guarded(ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as why:
            if isinstance(why, errors.LocalEntryNotFoundError):
                raise OSError(str(why)) from why
            raise LookupError(str(why)) from why
        except OSError:
            raise
        except Exception as why:
            # the HTTP client that the library uses, which changes, has errors of its own; anything else is ours
            if type(why).__module__.startswith(_CLIENTS):
                raise OSError(str(why)) from why
            raise

    def paths(repo: str, revision: str) -> Sequence[str]:
        # one request, not tried again: who has no hub is told so at once
        told = guarded(lambda: huggingface_hub.HfApi().dataset_info(repo, revision=revision, timeout=_TIMEOUT_S))
        return [file.rfilename for file in told.siblings or ()]

    def fetch(repo: str, revision: str, path: str) -> Path:
        return guarded(
            lambda: Path(huggingface_hub.hf_hub_download(repo, path, revision=revision, repo_type="dataset"))
        )

    return Hub(paths, fetch)


def _short(why: Exception) -> str:
    return (str(why).strip().splitlines() or [type(why).__name__])[0][:160]

"""A file that is being fetched: where it will lie, what it must be, and how bytes get into it. Knows no source."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

from msgspec import Struct

from ..core.errors import DemitasseError

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) as they come; 0 in all: not known."""
_CHUNK = 1 << 20


class PullError(DemitasseError):
    """A file that could not be fetched, or is not what it should be. Nothing half-done is left under the final name."""


class Target(Struct, frozen=True):
    """One file to be made; what is not known beforehand is None."""

    path: Path
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def part(self) -> Path:
        """What has come so far. Named after the hash too, so that a file that was replaced at its source starts anew."""
        which = f".{self.sha256[:8]}" if self.sha256 else ""
        return self.path.with_name(f"{self.path.name}{which}.part")

    @property
    def part_bytes(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0


def check_room(folder: Path, need_bytes: int) -> None:
    """Raises PullError when what is still to come would not fit on the disk."""
    free = shutil.disk_usage(folder).free
    if need_bytes > free:
        raise PullError(
            f"{folder} has {free / 1e6:,.0f} MB left and {need_bytes / 1e6:,.0f} MB are needed; make room, or choose "
            "another place with --data"
        )


def copy(file: IO[bytes], out: IO[bytes], tell: Callable[[int], None], *, at_most: int | None) -> int:
    """Bytes copied; ``tell`` hears of them after each chunk. Raises PullError beyond ``at_most``."""
    done = 0
    while chunk := file.read(_CHUNK):
        if at_most is not None and done + len(chunk) > at_most:
            raise PullError(f"more came than the {at_most:,} bytes that should; the rest was not taken")
        out.write(chunk)
        done += len(chunk)
        tell(done)
    return done

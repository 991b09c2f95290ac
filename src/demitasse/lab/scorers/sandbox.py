"""What a model wrote, run with its tests in a process of its own that is fenced in and killed in time. Knows no task.

What this sandbox is: a process without the parent's environment, in an empty folder, with limits on time, memory, files and
processes; on Linux also without network, without other programs, and unable to read or write outside of Python and its folder, as
far as the kernel allows an ordinary user (``Outcome.fences`` names what stood). What it is not: a virtual machine. It stops code
that goes wrong and code that tries the usual; a hole of the kernel, or somebody who writes for this very harness, gets through.
Elsewhere than on Linux there are only the limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct


class Limits(Struct, frozen=True):
    """What one answer may use, with all its tests."""

    wall_s: float = 10.0
    cpu_s: int = 5
    memory_bytes: int = 512 * 1024 * 1024
    file_bytes: int = 8 * 1024 * 1024


class Outcome(Struct, frozen=True):
    """How the tests went."""

    passed: tuple[bool, ...]
    """Of each test; one that was never reached has failed."""
    readable: bool
    """Whether the answer was Python at all."""
    why: str
    """What failed first, in one line; empty: nothing."""
    fences: tuple[str, ...]
    """Of ``limits``, ``network``, ``files``, ``calls`` those that stood."""


async def tried(
    code: str, tests: Sequence[str], limits: Limits | None = None, *, python: str = sys.executable
) -> Outcome:
    """Run the code and then each test in the same names. Never raises for anything that the code does.

    A test passes when it ends without an exception. Cancelling kills the process.
    """
    limits = limits or Limits()
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="demitasse-", ignore_cleanup_errors=True) as folder:
        told = {
            "code": code, "tests": list(tests), "folder": folder, "token": token, "cpu_s": limits.cpu_s,
            "memory_bytes": limits.memory_bytes, "file_bytes": limits.file_bytes,
        }  # fmt: skip
        asked, answered, inside = _laid_out(Path(folder), told)
        in_time = await _run([python, *_FLAGS, str(_SCRIPT)], asked, answered, inside, limits.wall_s)
        said = _heard(answered)
    return _read(said, token, tests, in_time=in_time, limits=limits)


def _laid_out(folder: Path, told: dict[str, Any]) -> tuple[Path, Path, Path]:
    """The files that the process reads from and writes to, and the folder it works in.

    Files in place of pipes: whatever the code writes, nobody has to read it as it comes.
    """
    inside = folder / "inside"
    inside.mkdir()
    asked, answered = folder / "asked", folder / "answered"
    asked.write_bytes(msgspec.json.encode(told | {"folder": str(inside)}))
    return asked, answered, inside


def _heard(answered: Path) -> bytes:
    with answered.open("rb") as file:
        return file.read(_MOST_SAID)


async def _run(command: list[str], asked: Path, answered: Path, folder: Path, wall_s: float) -> bool:
    """Whether the process ended by itself; it and all that is left of its session are killed in any case."""
    with asked.open("rb") as source, answered.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=source, stdout=sink, stderr=asyncio.subprocess.DEVNULL,
            cwd=folder, env={}, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(wall_s):
            await process.wait()
    except TimeoutError:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return True


def _read(said: bytes, token: str, tests: Sequence[str], *, in_time: bool, limits: Limits) -> Outcome:
    """What the process wrote, read by its token: lines that the code itself may have written have none."""
    told: dict[str, str] = {}
    for line in said.decode("utf-8", "replace").splitlines():
        mark, _, rest = line.partition(" ")
        what = _WHAT.match(rest)
        if mark == token and what is not None:
            told.setdefault(what[1], rest[what.end() :])
    code = told.get("code")
    results = [told.get(f"test {number}") for number in range(len(tests))]
    passed = tuple(one == "ok" for one in results)
    reached = code == "ok" or (code is not None and not code.startswith("unreadable"))
    if code is None:
        why = _ended(in_time, limits, "while it ran")
    elif code != "ok":
        why = code
    else:
        number = next((n for n, ok in enumerate(passed) if not ok), None)
        why = "" if number is None else _why(tests[number], results[number] or _ended(in_time, limits, "in it"))
    return Outcome(passed, reached or code is None, why, tuple(told.get("fences", "").split()))


def _why(test: str, how: str) -> str:
    line = next((one.strip() for one in reversed(test.splitlines()) if one.strip()), "")
    return f"{line[:_SHOWN]}: {how.removeprefix('failed ').rstrip(': ')}"


def _ended(in_time: bool, limits: Limits, where: str) -> str:
    if not in_time:
        return f"stopped {where} after {limits.wall_s:g} s"
    return f"the process ended {where}: a limit was reached, or it left"


_SCRIPT = Path(__file__).with_name("boxed.py")
_FLAGS = ("-I", "-B", "-X", "utf8", "-W", "ignore")
_SHOWN = 80
_MOST_SAID = 256 * 1024
_WHAT = re.compile(r"(fences|code|test \d+) ?")

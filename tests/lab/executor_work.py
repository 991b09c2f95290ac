"""Functions that executors run in tests: bytes in, bytes out. A piece may say where a mark is left, or how the worker dies."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def double(piece: bytes) -> bytes:
    return piece + piece


def fail_on_odd(piece: bytes) -> bytes:
    if int(piece) % 2:
        raise ValueError(f"{int(piece)} is odd")
    return b"even"


def die_on_seven(piece: bytes) -> bytes:
    if piece == b"7":
        os.kill(os.getpid(), signal.SIGKILL)
    return piece


def die_once(piece: bytes) -> bytes:
    """The piece is a path: the first to come dies, the second does not."""
    path = Path(piece.decode())
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return b"survived"


def mark(piece: bytes) -> bytes:
    """``folder|name|seconds``: leave one mark per run of the piece."""
    folder, name, seconds = piece.decode().split("|")
    with (Path(folder) / name).open("a") as file:
        file.write("x")
    time.sleep(float(seconds))
    return name.encode()

"""A gateway in the background, for as long as one command needs it: a child process of its own, stopped with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from .ground import Failure, Place
from .running import NOTE, Gateway, configured

LOG = "gateway.log"
READY_S = 120.0
STOP_S = 15.0


@contextlib.contextmanager
def started(place: Place, *, arguments: Sequence[str] = (), data: Path | None = None) -> Iterator[Gateway]:
    """A running gateway on the place's configuration and data, ready to answer; stopped afterwards.

    It listens at the configured port, or at a free one where that is taken. Its log lies in the data directory. Raises
    Failure with the end of that log when it does not come up.
    """
    data = data or place.data
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "demitasse", "up", "--data", str(data)]
    if place.config_path:
        command += ["--config", place.config_path]
    if "--port" not in arguments:
        command += ["--port", str(_port(place))]
    log = data / LOG
    with log.open("ab") as out:
        start = out.tell()
        process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            cwd=place.cwd, env=dict(place.env),
        )  # fmt: skip
    with _not_orphaned():
        try:
            yield _ready(process, data, log, start)
        finally:
            _stop(process)


@contextlib.contextmanager
def _not_orphaned() -> Iterator[None]:
    """Whoever is told to end takes the gateway along."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _port(place: Place) -> int:
    """The configured port where it is free, else any."""
    address = configured(place)
    parts = urlsplit(address or "")
    if parts.hostname is None or parts.port is None:
        return 0
    family = socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((parts.hostname, parts.port))
        except OSError:
            return 0
    return parts.port


def _ready(process: subprocess.Popen[bytes], data: Path, log: Path, start: int) -> Gateway:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failure(f"the gateway did not start:\n{_tail(log, start)}")
        gateway = _noted_by(process.pid, data)
        if gateway is not None and gateway.alive():
            return gateway
        time.sleep(0.02)
    raise Failure(f"the gateway was not ready within {READY_S:.0f} s; its log is {log}:\n{_tail(log, start)}")


def _noted_by(pid: int, data: Path) -> Gateway | None:
    try:
        note = json.loads((data / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Gateway(note["url"]) if note.get("pid") == pid else None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode("utf-8", "replace").strip()[-2_000:]

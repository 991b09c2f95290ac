"""Real processes to test against: the mock provider and the gateway, started with a block and ended with it.

Nothing leaves the machine: keys of real providers are taken out of what the processes see.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

ASK_EVERY_S = 0.002
STOP_WITHIN_S = 15.0


class Running:
    """A process that listens on a loopback port. ``ready_s``: from its start to its first answer."""

    def __init__(self, command: Sequence[str], port: int, *, log: Path | None = None) -> None:
        self.command = list(command)
        self.port = port
        self.log = log
        self.ready_s = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, ready: str) -> Self:
        """Start it and wait until ``ready`` answers 200."""
        begun = time.perf_counter()
        with self.log.open("ab") if self.log is not None else open(os.devnull, "wb") as out:  # noqa: PTH123 - a device
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out, env=quiet_environment())
        self.wait(ready)
        self.ready_s = time.perf_counter() - begun
        return self

    def wait(self, ready: str, timeout_s: float = 30.0) -> None:
        until = time.perf_counter() + timeout_s
        while time.perf_counter() < until:
            if self.process is not None and self.process.poll() is not None:
                raise RuntimeError(f"{self._name} ended with status {self.process.returncode} at once: {self.said()}")
            with suppress(OSError, http.client.HTTPException):
                if self.ask(ready)[0] == 200:
                    return
            time.sleep(ASK_EVERY_S)
        raise RuntimeError(f"{self._name} did not answer {ready} within {timeout_s:.0f} s: {self.said()}")

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError as error:
            status = self.process.poll() if self.process is not None else None
            error.add_note(f"{self._name}: " + ("it lives" if status is None else f"it ended with status {status}"))
            raise
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL: nothing of it is asked or warned."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        self.reap()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not heard."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.reap()

    def reap(self) -> None:
        if self.process is not None:
            self.process.wait()

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log is not None else "(no log)"

    @property
    def _name(self) -> str:
        return " ".join(self.command[-6:])


@contextmanager
def mock_process(*options: str, prefix: Sequence[str] = ()) -> Iterator[Running]:
    """`python -m demitasse.testing` on a free port."""
    mock = Running([*prefix, sys.executable, "-m", "demitasse.testing", "--port", "0", *options], 0)
    mock.process = subprocess.Popen(mock.command, stdout=subprocess.PIPE, env=quiet_environment())
    try:
        assert mock.process.stdout is not None
        mock.port = json.loads(mock.process.stdout.readline())["port"]
        mock.process.stdout.close()
        yield mock
    finally:
        mock.stop()


@contextmanager
def gateway_process(
    data: Path, config: str, *, prefix: Sequence[str] = (), launcher: Sequence[str] = ("-m", "demitasse")
) -> Iterator[Running]:
    """`demitasse up` on a free port with a configuration of its own, ready to answer. Its log is ``DATA.log``."""
    gateway = gateway_on(data, config, prefix=prefix, launcher=launcher)
    try:
        yield gateway.start("/readyz")
    finally:
        gateway.stop()


def gateway_on(
    data: Path,
    config: str,
    *,
    prefix: Sequence[str] = (),
    launcher: Sequence[str] = ("-m", "demitasse"),
    name: str = "",
) -> Running:
    """The same, not started yet; several may share ``data``, each with a ``name`` of its own for its log."""
    data.mkdir(parents=True, exist_ok=True)
    file = data.with_suffix(".toml")
    file.write_text(config)
    port = free_port()
    where = ["--config", str(file), "--data", str(data)]
    command = [*prefix, sys.executable, *launcher, "up", "--port", str(port), *where]
    return Running(command, port, log=data.with_suffix(f"{name}.log"))


def create_key(data: Path, name: str, *options: str) -> str:
    """A key of the gateway whose books are in ``data``, by `demitasse keys create`."""
    command = [sys.executable, "-m", "demitasse", "keys", "create", name, "--json", "--data", str(data), *options]
    made = subprocess.run(command, capture_output=True, env=quiet_environment(), check=False)
    if made.returncode:
        raise RuntimeError(f"demitasse keys create {name}: {made.stderr.decode()}")
    key: str = json.loads(made.stdout)["key"]
    return key


def served(mock: Running, since: int = 0) -> dict[str, Any]:
    """The mock provider's own books; see `demitasse.testing.mock`."""
    found: dict[str, Any] = json.loads(mock.ask(f"/served?since={since}")[1])
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def quiet_environment() -> dict[str, str]:
    """The environment without providers' keys and without settings of a Demitasse that the user may run."""
    return {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and not k.startswith("DEMITASSE_")}

"""Pieces on Ray: local, or a cluster at an address. Knows how a piece gets there and back; the rest is ``executor``'s.

Workers import the function by its name, so a cluster's machines have this package installed, in the same version. What a piece
needs is in its bytes: nothing says that a worker sees this machine's files.
"""

# ruff: noqa: PLC0415 - an extra, and heavy
from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

from .executor import RETRIES, Executor, Said, WorkerLost, call
from .executor_kept import ExecutorError

_REACH_S = 5.0
_AHEAD = 2
"""Pieces under way per core, so that none waits for the next to travel."""


def Ray(  # noqa: N802 - reads as the noun that it makes
    address: str | None = None,
    *,
    workers: int | None = None,
    journal: Path | None = None,
    edition: str = "",
    retries: int = RETRIES,
) -> Executor:
    """On Ray.

    Args:
        address: of a cluster (``ray://host:10001``, ``host:6379``, ``auto``); None: one is started here and ends with the work.
        workers: cores of a local one; default: those that this process may use.

    Raises ExecutorError when Ray is not installed.
    """
    return Executor(RayPlace(address, workers), journal=journal, edition=edition, retries=retries)


class RayPlace:
    """A Ray to run pieces on. One that runs already in this process is used and left running."""

    def __init__(self, address: str | None, workers: int | None) -> None:
        try:
            import ray
        except ImportError as why:
            raise ExecutorError("work on Ray needs Ray; install it with: pip install 'demitasse[ray]'") from why
        self._ray: Any = ray
        self._address = address
        self._workers = workers or len(os.sched_getaffinity(0))
        self._ours = False
        self._remote: Any = None
        self.width = self._workers * _AHEAD

    async def run(self, function: str, piece: bytes) -> Said:
        if self._remote is None:
            self._start()
        errors = self._ray.exceptions
        try:
            result, why = await self._remote.remote(function, piece)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.ObjectLostError, errors.OutOfMemoryError):
            raise WorkerLost(sure=True) from None
        except errors.RayError as error:
            return Said(None, f"Ray: {str(error).strip().splitlines()[-1]}")
        return Said(result, why)

    def _start(self) -> None:
        ray = self._ray
        if not ray.is_initialized():
            _reached(self._address)
            local = {"num_cpus": self._workers, "include_dashboard": False} if self._address is None else {}
            paths = os.pathsep.join(path for path in sys.path if path)
            try:
                ray.init(
                    address=self._address or "local",
                    log_to_driver=False,
                    configure_logging=False,
                    # What can be imported here can be imported there; on a cluster its own installation counts.
                    runtime_env={"env_vars": {"PYTHONPATH": paths}} if self._address is None else None,
                    **local,
                )
            except (OSError, RuntimeError, ValueError, ConnectionError) as why:
                where = self._address or "this machine"
                raise ExecutorError(
                    f"no Ray at {where} ({why}); check the address, or leave it out for a local one"
                ) from why
            self._ours = True
        if self._address is not None:
            self.width = max(1, int(ray.cluster_resources().get("CPU", 1))) * _AHEAD
        # Retries are ours, so that they are the same in every place.
        self._remote = ray.remote(max_retries=0)(_call)

    async def close(self) -> None:
        self._remote = None
        if self._ours:
            self._ours = False
            with contextlib.suppress(Exception):  # a Ray that died can't be shut down
                await asyncio.to_thread(self._ray.shutdown)


def _reached(address: str | None) -> None:
    """Raises ExecutorError where nobody listens: Ray itself would try for minutes, and then may end the process."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except OSError as why:
        raise ExecutorError(f"nobody answers at {address} ({why}); start a head there: ray start --head") from why


def _call(function: str, piece: bytes) -> tuple[bytes | None, str]:
    """`call`, as a plain tuple: what crosses is bytes and text, whatever the other side's version of `Said` is."""
    said = call(function, piece)
    return said.result, said.why

"""Opens a socket to a host by name: the addresses of both families take turns, the first that answers wins (RFC 8305).

Needed because uvloop tries one address after the other and waits for each to fail. Knows nothing of HTTP or TLS.
"""

from __future__ import annotations

import asyncio
import os
import socket
from itertools import chain, zip_longest
from typing import Any

_Address = tuple[int, Any]
"""Family and socket address."""

HEAD_START_S = 0.25
"""How long an address may try alone before the next one joins the race."""


async def dial(host: str, port: int) -> socket.socket:
    """A connected TCP socket. Raises OSError: of the one address, or a sentence about all of them."""
    addresses = await _addresses(host, port)
    if len(addresses) == 1:
        return await _connect(addresses[0])
    return await _race(addresses)


def reason(error: BaseException) -> str:
    """The system's own words, e.g. ``Connection refused``; asyncio puts others in their place."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


async def _addresses(host: str, port: int) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:  # a name
        found = await _resolve(host, port)
    first_family = found[0][0]
    first = [(family, address) for family, _, _, _, address in found if family == first_family]
    other = [(family, address) for family, _, _, _, address in found if family != first_family]
    return [a for a in chain.from_iterable(zip_longest(first, other)) if a is not None]


async def _resolve(host: str, port: int) -> list[tuple[Any, Any, int, str, Any]]:
    """Asks the system, in a thread."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _connect(address: _Address) -> socket.socket:
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


async def _race(addresses: list[_Address]) -> socket.socket:
    failures: list[BaseException] = []
    running: set[asyncio.Task[socket.socket]] = set()
    waiting = list(reversed(addresses))
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_connect(waiting.pop())))
            done, running = await asyncio.wait(
                running, timeout=HEAD_START_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            while done:
                task = done.pop()
                if (error := task.exception()) is None:
                    running |= done
                    return task.result()
                failures.append(error)
    finally:
        for task in running:
            task.add_done_callback(_close)
            task.cancel()
    raise OSError(" and ".join(dict.fromkeys(reason(failure) for failure in failures)))


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()

"""Sockets and signals: one process that listens, serves and ends cleanly. Knows uvicorn; knows no call."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..config import Config
from ..config.watch import watch
from ..core.errors import ConfigError, DemitasseError
from .app import App, Banner

log = logging.getLogger("demitasse")

GRACE_S = 10.0
"""How long calls under way may go on after a signal to stop."""


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


def serve(
    config: Config,
    data: Path,
    env: Mapping[str, str],
    *,
    read: Callable[[], Config] | None = None,
    announce: Callable[[Banner], None] = lambda _banner: None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        read: reads the configuration anew, when its file changed.
        announce: called once, when calls can be answered.

    Raises ConfigError when the address cannot be had, StoreError when the books cannot be opened.
    """
    listener = listen(config.server.host, config.server.port)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(config, data, env, listener, read, announce))
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ConfigError that says what to do when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is in use, perhaps by another demitasse; choose another with --port or [server] port, or "
                f"see who has it: lsof -i :{port}"
            ) from None
        raise ConfigError(f"server.host: cannot listen on {host}:{port} ({error.strerror})") from None
    listener.setblocking(False)
    return listener


async def _serve(
    config: Config,
    data: Path,
    env: Mapping[str, str],
    listener: socket.socket,
    read: Callable[[], Config] | None,
    announce: Callable[[Banner], None],
) -> None:
    import uvicorn  # noqa: PLC0415 - only who serves needs it

    from .protocol import Protocol  # noqa: PLC0415 - the same

    host, port = listener.getsockname()[:2]
    scheme = "https" if config.server.tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    app = App(config, data, env, base_url=f"{scheme}://{shown}:{port}", clock=now_us)
    server = uvicorn.Server(
        uvicorn.Config(
            app.gateway,
            http=Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(GRACE_S),
            ssl_certfile=config.server.tls_cert,
            ssl_keyfile=config.server.tls_key,
        )
    )
    watching: asyncio.Task[None] | None = None
    try:
        await app.start()
        if config.path is not None and read is not None:
            watching = asyncio.create_task(_follow(app, config.path, read))
        _settle_down()
        announce(app.banner())
        await server.serve(sockets=[listener])
    finally:
        if watching is not None:
            watching.cancel()
        await app.stop()


async def _follow(app: App, path: Path, read: Callable[[], Config]) -> None:
    """Valid changes of the file are taken up; an invalid one leaves what runs in place and says so."""

    async def change(config: Config) -> None:
        try:
            await app.take_up(config)
        except DemitasseError as error:
            app.left_as_it_was(error)

    with contextlib.suppress(asyncio.CancelledError):
        await watch(path, read, change, app.left_as_it_was)


def _settle_down() -> None:
    """What is in memory now stays: the collector need not look at it again, and looks at the rest less often.

    Calls make few cycles; with the default threshold collecting costs 6 % of the CPU (bench/gateway.py, 21 Nov 2026).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not to be had everywhere
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory

"""Notices when the file changes. A valid change is handed on; an invalid one is reported and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from ..core.errors import ConfigError
from .tree import Config

Stamp = tuple[int, int] | None


def stamp(path: Path) -> Stamp:
    """What changes when the file does: (mtime in ns, bytes); None while it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


async def watch(
    path: Path,
    read: Callable[[], Config],
    on_change: Callable[[Config], Awaitable[None]],
    on_error: Callable[[ConfigError], None],
    *,
    every_s: float = 1.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Looks once a second, for ever; cancel it to stop.

    ``read`` loads the file again. Should ``on_change`` raise a ConfigError (a model that cannot be built), that is
    reported as well. A file that is gone for a moment, as while an editor saves, is waited for.
    """
    seen = stamp(path)
    while True:
        await sleep(every_s)
        now = stamp(path)
        if now is None or now == seen:
            continue
        seen = now
        try:
            await on_change(read())
        except ConfigError as error:
            on_error(error)

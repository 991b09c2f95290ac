"""Who makes a change: ``command:USER``, ``key:NAME`` of the dashboard, or ``loopback`` where nobody has to log in.

Travels with the task or thread that makes it, so that a button's change bears its visitor without every function between
them naming one. Knows nothing of what is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_WHO: ContextVar[str] = ContextVar("who", default="")


@contextmanager
def acting(who: str) -> Iterator[None]:
    """What is changed inside was changed by ``who``."""
    token = _WHO.set(who)
    try:
        yield
    finally:
        _WHO.reset(token)


def actor() -> str:
    """Who makes the change that is made now; empty: the gateway by itself."""
    return _WHO.get()

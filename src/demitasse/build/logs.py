"""What a line of the log may say: no credential, and of an error nobody raised on purpose only where it came from.

The message of a stray exception may hold whatever was being worked on, a prompt among it; its type and its place do not.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Final

from ..core.errors import DemitasseError
from ..core.scrub import scrub

_SAFE: Final = (
    DemitasseError,
    OSError,
    TimeoutError,
    ImportError,
    NameError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)
"""Their messages speak of names, files and numbers."""

_Info = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Discreet(logging.Formatter):
    """Formats tracebacks without the messages of stray exceptions, and takes credentials out of every line."""

    def format(self, record: logging.LogRecord) -> str:
        kept, record.exc_text = record.exc_text, None  # another handler's formatter may have filled it
        try:
            return scrub(super().format(record))
        finally:
            record.exc_text = kept

    def formatException(self, ei: _Info) -> str:  # noqa: N802 - logging's name
        error = ei[1]
        if error is None:
            return ""
        told = traceback.TracebackException.from_exception(error, capture_locals=False)
        _hide(told, error)
        return "".join(told.format()).rstrip("\n")


def configure(level: int = logging.INFO) -> None:
    """Log to standard error, discreetly."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def _hide(told: traceback.TracebackException, error: BaseException) -> None:
    """Here and in everything that it came from."""
    if not isinstance(error, _SAFE):
        told._str = "(its message is not logged: it may hold words of a call)"  # type: ignore[attr-defined]  # noqa: SLF001 - it is kept nowhere else
        told.__notes__ = None
    for inner, cause in ((told.__cause__, error.__cause__), (told.__context__, error.__context__)):
        if inner is not None and cause is not None:
            _hide(inner, cause)
    if told.exceptions is not None and isinstance(error, BaseExceptionGroup):
        for inner, cause in zip(told.exceptions, error.exceptions, strict=True):
            _hide(inner, cause)

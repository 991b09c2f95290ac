"""A repr for things that hold words of calls or credentials: what they are, and no more. Reprs end in logs and tracebacks."""

from __future__ import annotations


def quiet(self: object) -> str:
    """``Ask(…)``; to be assigned to ``__repr__``."""
    return f"{type(self).__name__}(…)"

"""Who may ask and how much they may spend: Key and Budget as they are kept in the store."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .money import Period

Scope = Literal["total", "key", "team", "tag", "model"]
Origin = Literal["file", "command", "default"]


class Budget(Struct, frozen=True, omit_defaults=True):
    """A limit on money. ``subject`` is empty for a total, else a key's name, a team, ``tag=value`` or a model's name.

    ``limit_nanos`` None: nothing is limited, spending is only counted. ``soft`` shares of the limit raise alerts.
    """

    name: str
    scope: Scope = "total"
    subject: str = ""
    period: Period = "day"
    limit_nanos: int | None = None
    hard: bool = True
    soft: tuple[float, ...] = (0.8,)
    origin: Origin = "command"


class Key(Struct, frozen=True, omit_defaults=True):
    """A key of ours. The secret itself is shown once; only its HMAC-SHA-256 is kept."""

    id: str
    """Also the visible prefix: ``dmt_<id>_…``."""
    name: str
    mac: bytes
    created_us: int
    team: str | None = None
    scopes: tuple[str, ...] = ("call",)
    """Of ``core.access.SCOPES``."""
    models: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    rpm: int | None = None
    tpm: int | None = None
    expires_us: int | None = None
    revoked_us: int | None = None
    paused: str | None = None
    """Why the loop guard stopped it, until someone resumes it."""
    old_mac: bytes = b""
    """Of the secret before the present one, which opens until ``old_until_us``."""
    old_until_us: int | None = None

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}, name={self.name!r}, scopes={self.scopes!r})"


def tenant_of(key: str, team: str | None) -> str:
    """The partition of caches, sessions and rules that a key's calls are in."""
    return f"team:{team}" if team else key


class Spent(Struct, frozen=True):
    """One budget in its present window."""

    budget: Budget
    window: str
    settled_nanos: int
    held_nanos: int
    closed: bool = False
    """A provider billed above the bound: nothing more is admitted in this window until the limit is set anew."""

    @property
    def left_nanos(self) -> int | None:
        limit = self.budget.limit_nanos
        return None if limit is None else max(0, limit - self.settled_nanos - self.held_nanos)


class Alert(Struct, frozen=True, omit_defaults=True):
    """Something a person should know, with the one command that answers it, and the one that takes that back. ``kind`` is one of
    the documented ones."""

    id: str
    at_us: int
    kind: str
    subject: str
    message: str
    remedy: str = ""
    resolved_us: int | None = None
    undo: str = ""
    group: str = ""
    """Of several with the same, people are told once while any of them waits."""

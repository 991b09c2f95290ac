"""The chain of events: how a leaf is hashed and linked, and what each kind of event must say about itself.

Pure. A leaf is the exact JSON text of the event; its hash is RFC 6962's (section 2.1: SHA-256 over 0x00 and the leaf),
so that a Merkle tree can be laid over the same leaves; a link is SHA-256 over the previous link and the leaf's hash.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from ..core.entry import Attempt, Entry, EventKind, Hold

S = TypeVar("S", bound=Struct)

GENESIS = bytes(32)
encode = msgspec.json.Encoder().encode
decode_hold = msgspec.json.Decoder(Hold).decode


class _Attempt(Attempt, frozen=True):
    usage_raw: Raw = Raw(b"")  # msgspec can't decode ``Raw | None``


class _Entry(Entry, frozen=True):
    attempts: tuple[_Attempt, ...] = ()


_decode_entry = msgspec.json.Decoder(_Entry).decode


def decode_entry(leaf: bytes) -> Entry:
    """The Entry of a leaf. Raises msgspec.DecodeError: it is none."""
    found = _decode_entry(leaf)
    attempts = tuple(
        _as(Attempt, a, usage_raw=a.usage_raw.copy() if bytes(a.usage_raw) else None) for a in found.attempts
    )
    return _as(Entry, found, attempts=attempts)


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962's hash of a leaf: 32 bytes."""
    return sha256(b"\0" + leaf).digest()


def link(previous: bytes, leaf: bytes) -> bytes:
    """The link that follows ``previous`` when ``leaf`` is appended: 32 bytes."""
    return sha256(previous + sha256(b"\0" + leaf).digest()).digest()


def kind_of(entry: Entry) -> EventKind:
    """The kind of event that an Entry is the content of."""
    outcome = entry.outcome
    return outcome if outcome in ("refused", "lost") else "settled"


def facts(kind: str, leaf: bytes) -> tuple[Any, ...]:
    """What the columns beside a leaf must be: ``id, kind, at_us, key, route, model, outcome, cost_nanos, request_id``.

    Raises:
        msgspec.DecodeError: the leaf is none of its kind.
    """
    if kind == "held":
        hold = decode_hold(leaf)
        return (hold.id, "held", hold.at_us, None, None, None, None, None, None)
    if kind in ("settled", "refused", "lost"):
        e = _decode_entry(leaf)
        return (e.id, kind_of(e), e.at_us, e.key, e.route, e.model, e.outcome, e.cost_nanos, e.request_id)
    event: dict[str, Any] = msgspec.json.decode(leaf)
    return (event.get("id"), event.get("event"), event.get("at_us"), *(None,) * 6)


def _as(kind: type[S], found: Struct, **fields: Any) -> S:
    return kind(**{name: fields.get(name, getattr(found, name)) for name in kind.__struct_fields__})

"""What makes two requests the same: their canonical form, and its hash. Pure; shared by the cache, recordings and replay."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import msgspec

DELIVERY = frozenset({"stream", "stream_options"})
"""Members that say how an answer is delivered, not what it is."""

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(dict).decode


def canonical(body: bytes, *, without: Collection[str] = DELIVERY) -> bytes:
    """A JSON object's bytes with sorted names and no white space, less the members ``without``."""
    request = _decode(body)
    for name in without:
        request.pop(name, None)
    return _encode(request)


def fingerprint(head: bytes, body: bytes, *, without: Collection[str] = DELIVERY) -> bytes:
    """32 bytes for a request within the partition ``head`` (whoever and whatever must not be mixed up)."""
    return hashlib.sha256(head + canonical(body, without=without)).digest()

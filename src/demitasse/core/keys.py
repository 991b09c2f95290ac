"""Keys of ours: ``dmt_<id>_<secret>``. The id is visible; of the whole token only an HMAC-SHA-256 is kept. Pure."""

from __future__ import annotations

import base64
import hmac

PREFIX = "dmt_"
RANDOM_BYTES = 32
"""What ``make`` takes: 5 for the id, 27 (216 bits) for the secret."""


def make(random: bytes) -> tuple[str, str]:
    """An id and the token that is shown once, from ``RANDOM_BYTES`` random bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"{RANDOM_BYTES} random bytes are needed, not {len(random)}")
    id = base64.b32encode(random[:5]).decode().lower()
    secret = base64.b32encode(random[5:]).decode().lower().rstrip("=")
    return id, f"{PREFIX}{id}_{secret}"


def mac(secret: bytes, token: bytes) -> bytes:
    """What is kept of a token: 32 bytes that are worth nothing without the server's secret."""
    return hmac.digest(secret, token, "sha256")

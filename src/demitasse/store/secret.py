"""The server's secret: 32 random bytes in ``DATA/secret``, readable by its owner alone. Keys are worth nothing without it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ..core.errors import ConfigError

FILE = "secret"
BYTES = 32


def server_secret(data: Path) -> bytes:
    """Read the secret, or make it on first use; two processes that start at once agree on one.

    Raises ConfigError when the file is damaged or others may read it.
    """
    path = data / FILE
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        fresh = data / f".{FILE}-{os.getpid()}-{secrets.token_hex(4)}"
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(BYTES))
        try:
            os.link(fresh, path)  # fails when another process was first; then its secret counts
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others (mode {mode:o}); repair it with: chmod 600 {path}")
    secret = path.read_bytes()
    if len(secret) != BYTES:
        raise ConfigError(
            f"{path} holds {len(secret)} bytes instead of {BYTES}; restore it from a backup, or remove it and create all "
            "keys anew"
        )
    return secret

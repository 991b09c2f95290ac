"""Files of 32 random bytes in the data folder, readable by their owner alone. Keys are worth nothing without ``DATA/secret``."""

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
    return random_file(data / FILE, otherwise="remove it and create all keys anew")


def random_file(path: Path, *, otherwise: str) -> bytes:
    """The bytes of ``path``, made on first use; ``otherwise``: what to do where it is damaged and no backup is at hand.

    Two processes that make it at once agree on one. Raises ConfigError as ``server_secret``.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        fresh = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(BYTES))
        try:
            os.link(fresh, path)  # fails when another process was first; then its bytes count
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others (mode {mode:o}); repair it with: chmod 600 {path}")
    found = path.read_bytes()
    if len(found) != BYTES:
        raise ConfigError(
            f"{path} holds {len(found)} bytes instead of {BYTES}; restore it from a backup, or {otherwise}"
        )
    return found

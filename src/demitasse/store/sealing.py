"""Sealing what is kept: AES-256-GCM under data keys, each wrapped under a master key. Knows no file and no meaning.

A sealed piece is bound to its place by a name that is authenticated with it, so that rows cannot be exchanged.
"""

from __future__ import annotations

import os

from ..core.errors import StoreError

KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealer:
    """Args:
    master: the master key, 32 bytes.
    where: what a piece that does not open is said to lie in.
    """

    def __init__(self, master: bytes, where: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 only where something is kept

        self._aead = AESGCM
        self._master = AESGCM(master)
        self._where = where

    def new_key(self, subject: str) -> tuple[bytes, bytes]:
        """A data key for a subject, and the same as it may be written."""
        key, nonce = os.urandom(KEY_BYTES), os.urandom(_NONCE_BYTES)
        return key, nonce + self._master.encrypt(nonce, key, subject.encode())

    def unwrap(self, wrapped: bytes, subject: str) -> bytes:
        """The data key of a subject. Raises StoreError."""
        return self._opened(self._master, wrapped, subject.encode())

    def seal(self, key: bytes, plaintext: bytes, bound: bytes) -> bytes:
        """``plaintext`` under a data key, in a place named ``bound``."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead(key).encrypt(nonce, plaintext, bound)

    def open(self, key: bytes, sealed: bytes, bound: bytes) -> bytes:
        """What was sealed. Raises StoreError: under another key, in another place, or changed."""
        return self._opened(self._aead(key), sealed, bound)

    def _opened(self, aead: object, sealed: bytes, bound: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            plain: bytes = aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)  # type: ignore[attr-defined]
        except InvalidTag as error:
            raise StoreError(
                f"{self._where} cannot be opened: the master key is another one, or the row was changed; "
                "give the key that it was kept under"
            ) from error
        return plain

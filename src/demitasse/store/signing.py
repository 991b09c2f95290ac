"""Certificates are signed: an Ed25519 key in the data folder, and what anybody needs to check its signatures offline.

A signature bears its public key, so that a file proves by itself that nothing in it was changed; whose key it is, is for
the reader to compare (``fingerprint``). Knows files and certificates; knows nothing of what a certificate says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from ..core.policy import Certificate, encode_certificate
from .secret import random_file

FILE = "signing_key"
_OTHERWISE = "remove it: new certificates are then signed by a new key"
_SCHEME = "ed25519"
_PURPOSE = b"demitasse certificate 1\n"
EVIDENCE = b"demitasse evidence 1\n"
"""What a signature is for stands before what is signed, so that none can be passed off as another's."""


class Checked(Struct, frozen=True):
    """What a signature is worth. ``key``: the fingerprint of the key that it names; "" where it names none."""

    valid: bool
    key: str
    own: bool = False
    """It is the key of this data folder."""
    why: str = ""


class Signer:
    """Signs with the key of a data folder, which is made when it is first needed."""

    def __init__(self, data: Path) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - 10 ms

        self._key = Ed25519PrivateKey.from_private_bytes(random_file(data / FILE, otherwise=_OTHERWISE))
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, certificate: Certificate) -> Certificate:
        """The same certificate, signed."""
        return structs.replace(certificate, signature=self.seal(b"", _message(certificate)))

    def seal(self, purpose: bytes, message: bytes) -> str:
        """A signature of a message for a purpose (``EVIDENCE``), as text: scheme, public key and signature."""
        return f"{_SCHEME}:{_text(self.public)}:{_text(self._key.sign(purpose + message))}"


def public_key(data: Path) -> bytes | None:
    """The public key of a data folder; None where it has signed nothing yet. Raises ConfigError as ``Signer``."""
    return Signer(data).public if (data / FILE).exists() else None


def verify(certificate: Certificate, own: bytes | None = None) -> Checked:
    """Whether a certificate is as it was signed. ``own``: the public key of this data folder, if it has one."""
    return check(certificate.signature, b"", _message(certificate), own)


def check(signature: str, purpose: bytes, message: bytes, own: bytes | None = None) -> Checked:
    """Whether a message is as it was signed for this purpose. ``own``: the public key of this data folder, if it has one."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    if not signature:
        return Checked(False, "", why="it is not signed")
    scheme, _, rest = signature.partition(":")
    public_text, _, signature_text = rest.partition(":")
    try:
        public = base64.b64decode(public_text, validate=True)
        signed = base64.b64decode(signature_text, validate=True)
        if scheme != _SCHEME:
            return Checked(False, "", why=f"its signature is of another kind ('{scheme[:20]}')")
        key = Ed25519PublicKey.from_public_bytes(public)
    except (binascii.Error, ValueError):
        return Checked(False, "", why="its signature cannot be read")
    if (
        signature != f"{_SCHEME}:{_text(public)}:{_text(signed)}"
    ):  # base64 has spare bits: a text of another signature's
        return Checked(False, fingerprint(public), why="its signature was changed")
    try:
        key.verify(signed, purpose + message)
    except InvalidSignature:
        return Checked(False, fingerprint(public), why="it was changed after it was signed")
    return Checked(True, fingerprint(public), own=public == own)


def fingerprint(public: bytes) -> str:
    """A public key as people compare it: 16 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()[:16]


def _message(certificate: Certificate) -> bytes:
    """What is signed: all but the signature, with sorted names and without white space, however the file is laid out."""
    facts = msgspec.json.decode(encode_certificate(structs.replace(certificate, signature="")))
    return _PURPOSE + msgspec.json.encode(facts, order="deterministic")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

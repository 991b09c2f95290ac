"""Takes credentials out of texts that others wrote or that are about to be logged. Pure; knows shapes of keys, no setting."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

GONE: Final = "…"
LEAST: Final = 6
"""A known secret shorter than that is no secret, and taking it out would tear words apart."""

_OURS = re.compile(r"\b(dmt_[a-z2-7]{1,16}_)[A-Za-z0-9]{8,}")
_BEARER = re.compile(r"(?i)\b(bearer)(?:\s+|%20|\\u0020)(?=\S*\d|\S{16})[A-Za-z0-9._~+/=:-]{6,}")
_HEADER = re.compile(
    r"""(?ix) ( \b(?: (?:proxy-)?authorization | x-api-key | api[_-]?key | x-goog-api-key | x-demitasse-key )
        \\*["']? \s* [:=] \s* \\*["']? (?:(?:bearer|basic)\s+)? )
        (?= [^\s"'\\,;&}]*\d | [^\s"'\\,;&}]{16} ) [^\s"'\\,;&}]{6,} """
)
_SHAPES = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|AIza[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{20,}"
    r"|pplx-[A-Za-z0-9]{20,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,})"
)
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}").fullmatch


def scrub(text: str, *known: str | None) -> str:
    """``text`` without credentials: those that are ``known``, as they are and percent-encoded, and what has their shape."""
    for secret in known:
        if secret and len(secret) >= LEAST:
            text = text.replace(secret, GONE).replace(quote(secret, safe=""), GONE)
    text = _OURS.sub(rf"\g<1>{GONE}", text)
    text = _BEARER.sub(rf"\g<1> {GONE}", text)
    text = _HEADER.sub(rf"\g<1>{GONE}", text)
    return _SHAPES.sub(GONE, text)


def scrub_bytes(body: bytes, *known: str | None) -> bytes:
    """The same of UTF-8; bytes that are none pass as they are."""
    return scrub(body.decode("utf-8", "surrogateescape"), *known).encode("utf-8", "surrogateescape")


def code(said: str | None, otherwise: str) -> str:
    """A machine-readable reason that others sent, where it is a plain word without a credential in it."""
    return said if said and _CODE(said) and scrub(said) == said else otherwise

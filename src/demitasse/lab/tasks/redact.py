"""Masks keys by their shape, and what ``guard.personal`` finds of a person's own numbers and addresses. Pure.

Names, birthdays and whatever else takes reading are not masked: redacted text is less personal, never anonymous. Dates, ages
and addresses on the net stay too, since tasks are about them.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from ...guard import personal

KINDS = ("key", "email", "iban", "card", "phone", "ssn", "id", "account", "wallet", "passport", "license")
"""What is masked; the mask is the name in brackets, ``[email]``."""

_MASKS: Final = {
    "EMAIL": "email",
    "IBAN": "iban",
    "CARD": "card",
    "PHONE": "phone",
    "SSN": "ssn",
    "NATIONAL_ID": "id",
    "BANK_ACCOUNT": "account",
    "CRYPTO": "wallet",
    "PASSPORT": "passport",
    "DRIVER_LICENSE": "license",
}
_ROUNDS: Final = 4
"""A mask is shorter than what it hides, so that a word that tells comes nearer: masked text is read again."""


def redact(text: str) -> tuple[str, Counter[str]]:
    """The text with masks, and how many of each kind there were."""
    counted: Counter[str] = Counter()
    for _ in range(_ROUNDS):
        text, keys = _KEY.subn("[key]", text)
        text, others = _mask(text)
        if not keys and not others:
            break
        counted["key"] += keys
        counted.update(others)
    return text, +counted


def _mask(text: str) -> tuple[str, Counter[str]]:
    counted: Counter[str] = Counter()
    parts: list[str] = []
    end = 0
    for entity in personal.find(text)[0]:
        kind = _MASKS.get(entity.type)
        if kind is not None:
            counted[kind] += 1
            parts += (text[end : entity.start], f"[{kind}]")
            end = entity.end
    return "".join((*parts, text[end:])), counted


# ── what keys look like ───────────────────────────────────────────────────────────────────────────────────────

_KEY = re.compile(
    r"""
      -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)  # cut off: all that follows
    | \b(?:sk|pk|rk|dmt)[-_][A-Za-z0-9_-]{16,}            # OpenAI, Anthropic, Stripe, our own
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,} # GitHub
    | \bglpat-[\w-]{16,}                                  # GitLab
    | \bxox[abeoprs]-[\w-]{10,}                           # Slack
    | \bhf_[A-Za-z0-9]{20,}                               # Hugging Face
    | \bA(?:KI|SI)A[A-Z0-9]{16}\b                         # AWS
    | \bAIza[\w-]{30,}                                    # Google
    | \beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*                # JSON Web Token
    | \bSG\.[\w-]{16,}\.[\w-]{16,}                        # SendGrid
    | \bya29\.[\w-]{20,}                                  # Google, OAuth
    | (?<=[Bb]earer\ )[\w.~+/-]{16,}=*
    | (?<=[Bb]asic\ )[A-Za-z0-9+/]{12,}=*                 # Authorization: Basic …
    | \b(?i:[\w-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|auth[_-]?token))  # named as one
      ["']?\s*[=:]\s*["']?[^\s"',;]{6,}
    """,
    re.VERBOSE | re.DOTALL,
)

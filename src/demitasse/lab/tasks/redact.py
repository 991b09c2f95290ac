"""Masks what can be told by its shape alone: e-mail addresses, phone numbers, card numbers, IBANs, keys and tokens. Pure.

Names, addresses, birthdays and whatever else takes reading are not found: redacted text is less personal, never anonymous.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

KINDS = ("key", "email", "iban", "card", "phone")
"""In the order in which they are looked for; the mask is the name in brackets, ``[email]``."""


def redact(text: str) -> tuple[str, Counter[str]]:
    """The text with masks, and how many of each kind there were."""
    counted: Counter[str] = Counter()
    for kind, pattern, certain in _PATTERNS:

        def mask(match: re.Match[str], kind: str = kind, certain: Callable[[str], bool] = certain) -> str:
            # a word that follows may have been taken for the end of a number that is written in groups
            said = match[0]
            while not certain(said):
                said = said.rpartition(" ")[0] if kind == "iban" else ""
                if not said:
                    return match[0]
            counted[kind] += 1
            return f"[{kind}]{match[0][len(said) :]}"

        text = pattern.sub(mask, text)
    return text, counted


# ── what each kind looks like ───────────────────────────────────────────────────────────────────────────────────────

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
_EMAIL = re.compile(r"\b[\w.%+'-]+@[\w-]+(?:\.[\w-]+)+\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){11,18}(?![\w-])")
_PHONE = re.compile(r"(?<![\w.+-])(?:\+|00|\()?\d[\d ().x/-]{6,20}\d(?!\w|-\d|[.,]\d)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")


def _is_iban(text: str) -> bool:
    """ISO 13616: moved and spelt out as digits, the number is 1 modulo 97."""
    bare = text.replace(" ", "")
    if not 15 <= len(bare) <= 34:
        return False
    return int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    """ISO/IEC 7812: 12 to 19 digits whose Luhn sum is a multiple of ten."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    if len(set(digits)) < 2:
        return False
    doubled = [d if at % 2 == 0 else d * 2 - 9 * (d > 4) for at, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _is_phone(text: str) -> bool:
    """Eight to fifteen digits (E.164's most) that begin like a number to dial, or are parted like one; no date, no sum."""
    digits = sum(sign.isdigit() for sign in text)
    groups = re.findall(r"\d+", text)
    if not 8 <= digits <= 15:
        return False
    if [len(group) for group in groups] in ([3, 3, 4], [2, 2, 2, 2, 2]):
        return True
    if _DATE.search(text):
        return False
    dialled = text.startswith(("+", "00", "("))
    parted = len(groups) >= 3 and len(groups[-1]) >= 2 and "." not in text
    two = len(groups) == 2 and ("-" in text or text.startswith("0")) and len(groups[1]) >= 4 and digits >= 9
    return dialled or parted or two


def _sure(_text: str) -> bool:
    return True


_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("key", _KEY, _sure),
    ("email", _EMAIL, _sure),
    ("iban", _IBAN, _is_iban),
    ("card", _CARD, _is_card),
    ("phone", _PHONE, _is_phone),
)

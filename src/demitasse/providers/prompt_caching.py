"""How each provider caches the beginning of a prompt: rules with source and date, and which one fits a model. Data only.

What is really read from a cache comes back in the usage; whoever uses a rule corrects it by that.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from .vendors import VENDORS, is_home

Control = Literal[
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_breakpoint",
    "prompt_cache_options",
    "cache_control",
    "session_id",
    "x-grok-conv-id",
    "x-session-affinity",
    "cachePoint",
    "cache_prompt",
    "cache_salt",
    "explicit",
]


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of `prompt_caching.toml`, whose head says what each field means. Lengths in tokens."""

    id: str
    vendor: str = ""
    hosts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    automatic: bool
    min_tokens: int
    increment: int = 1
    lifetime_s: int
    at_most_s: int | None = None
    long_s: int | None = None
    """A second, longer lifetime that can be had for ``long_write``."""
    read: float
    write: float = 1.0
    long_write: float | None = None
    controls: tuple[Control, ...]
    used: tuple[Control, ...] = ()
    breakpoints: int = 0
    blocks: int = 0
    key_per_minute: int = 0
    remembers: bool = False
    reports: bool
    source: str
    seen: str
    checked: bool
    note: str = ""

    def cacheable(self, tokens: int) -> int:
        """The part of a prefix of so many tokens that can be read again."""
        if tokens < self.min_tokens:
            return 0
        return tokens - (tokens - self.min_tokens) % self.increment


NO_RULE: Final = Rule(
    id="none",
    automatic=False,
    min_tokens=1 << 60,
    lifetime_s=0,
    read=1.0,
    controls=(),
    reports=False,
    source="nothing is known of this server",
    seen="",
    checked=False,
)
"""For servers that no row fits: nothing is added, nothing expected."""


class _Table(Struct, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """All rows, in the order in which they are tried."""
    text = files(__package__).joinpath("prompt_caching.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Table).rule


@lru_cache(maxsize=4096)
def rule_for(vendor: str, base_url: str, model: str) -> Rule:
    """The rule for a model at an address; NO_RULE where none fits.

    A vendor's rows hold at the vendor's own host, or on any host for servers that one runs oneself (``local``): what
    stands behind another address with a vendor's name is not known.
    """
    row = VENDORS.get(vendor)
    at_home = row is not None and (row.local or is_home(row, base_url))
    host = (urlsplit(base_url).hostname or "").lower()
    for rule in rules():
        if not (at_home and rule.vendor == vendor) and not (rule.hosts and host.endswith(rule.hosts)):
            continue
        if not rule.models or model.startswith(rule.models):
            return rule
    return NO_RULE

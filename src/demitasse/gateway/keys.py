"""Who is asking, and how often: keys, their scopes and rate limits. Knows headers, not money."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from msgspec import structs

from ..core.call import Caller, Usage
from ..core.errors import Refused
from ..core.keys import mac
from ..core.ledger import Ledger
from ..core.limits import Key

ANONYMOUS = Caller()


class KeyRing:
    """Identifies callers. Follows the store: a key that another process revokes is refused within a second.

    Args:
        secret: the server's HMAC secret, 32 bytes.
        require_key: refuse whoever has none (always so when bound beyond loopback).
        clock: UTC microseconds.
    """

    def __init__(self, ledger: Ledger, secret: bytes, *, require_key: bool, clock: Callable[[], int]) -> None:
        self._ledger = ledger
        self._secret = secret
        self._require_key = require_key
        self._clock = clock
        self._revision = -1
        self._known: dict[bytes, tuple[Key, Caller]] = {}
        self._seen: dict[bytes, tuple[Key, Caller]] = {}
        """Good tokens that came since the last change, so that the HMAC is computed once."""
        self._guests: dict[bytes, Caller] = {}
        self.limits = RateLimits()

    def identify(self, token: bytes | None, own: bytes | None = None) -> Caller:
        """The caller behind a token (``Authorization`` and its kin); ``own`` is ``x-demitasse-key``.

        Raises Refused 401 for a key of ours that is unknown, revoked or expired, or when one is needed and none came.
        """
        ours = own or (token if token is not None and token.startswith(b"dmt_") else None)
        if ours is None:
            if self._require_key:
                raise Refused(
                    "this server needs a key; ask its owner for one (demitasse keys create NAME) and send it as "
                    "'Authorization: Bearer dmt_…'",
                    status=401,
                    code="missing_api_key",
                    type="authentication_error",
                )
            return self._guest(token) if token else ANONYMOUS
        if self._revision != self._ledger.revision:
            self._reload()
        found = self._seen.get(ours)
        if found is None:
            digest = mac(self._secret, ours)
            found = self._known.get(digest)
            if found is None:  # made a moment ago, perhaps, by a command
                self._ledger.look()
                if self._revision != self._ledger.revision:
                    self._reload()
                    found = self._known.get(digest)
            if found is not None:
                self._seen[ours] = found
        if found is None:
            raise Refused(
                "this key is not known here; list the keys with: demitasse keys list",
                status=401,
                code="invalid_api_key",
                type="authentication_error",
            )
        key, caller = found
        if key.revoked_us is not None:
            raise Refused(
                f"key '{key.name}' was revoked; create another with: demitasse keys create {key.name}",
                status=401,
                code="invalid_api_key",
                type="authentication_error",
            )
        if key.expires_us is not None and key.expires_us <= self._clock():
            raise Refused(
                f"key '{key.name}' has expired; renew it with: demitasse keys rotate {key.name}",
                status=401,
                code="invalid_api_key",
                type="authentication_error",
            )
        if own and token and not token.startswith(b"dmt_"):
            return structs.replace(caller, provider_key=token.decode("latin-1"))
        return caller

    def _guest(self, token: bytes) -> Caller:
        """On loopback whoever brings a provider's key, or a placeholder, is a tenant of their own."""
        guest = self._guests.get(token)
        if guest is None:
            if len(self._guests) > 1_000:
                self._guests.clear()
            tenant = "client:" + hashlib.sha256(token).hexdigest()[:12]
            guest = self._guests[token] = Caller(tenant=tenant, provider_key=token.decode("latin-1"))
        return guest

    def _reload(self) -> None:
        self._revision = self._ledger.revision
        self._seen.clear()
        self._known = {
            key.mac: (
                key,
                Caller(
                    key=key.name,
                    name=key.name,
                    team=key.team,
                    tenant=f"team:{key.team}" if key.team else key.name,
                    scopes=key.scopes,
                    models=key.models,
                    pinned_tags=key.tags,
                    rpm=key.rpm,
                    tpm=key.tpm,
                ),
            )
            for key in self._ledger.keys()
        }

    def admit(self, caller: Caller) -> None:
        """Refuse a paused key, one without the right to call, and one that is too fast."""
        if caller.key in (paused := self._ledger.paused()):
            raise Refused(
                f"key '{caller.key}' is paused: {paused[caller.key]}; resume it with: demitasse keys resume {caller.key}",
                status=429,
                code="loop_detected",
                type="insufficient_quota",
            )
        if "call" not in caller.scopes and "admin" not in caller.scopes:
            raise Refused(
                f"key '{caller.key}' may not call models (its scopes: {', '.join(caller.scopes)})",
                status=403,
                code="missing_scope",
                type="permission_error",
            )
        if caller.rpm or caller.tpm:
            self.limits.admit(caller, self._clock())

    def used(self, caller: Caller, usage: Usage) -> None:
        """Count a closed call's tokens against the minute that it ended in."""
        if caller.tpm:
            self.limits.used(caller, usage, self._clock())


class RateLimits:
    """Requests and tokens per minute as two leaky buckets per key, in this process."""

    def __init__(self) -> None:
        self._level: dict[tuple[str, str], tuple[float, int]] = {}

    def admit(self, caller: Caller, now_us: int) -> None:
        """Take one request; Refused 429 with ``retry-after`` when the minute is used up."""
        for kind, limit, take in (("requests", caller.rpm, 1.0), ("tokens", caller.tpm, 0.0)):
            if not limit:
                continue
            left = self._left(caller.key, kind, limit, now_us)
            if left < max(take, 1e-9):
                wait = (max(take, 1.0) - left) * 60.0 / limit
                raise Refused(
                    f"key '{caller.key}' is at its limit of {limit} {kind} a minute; try again in {wait:.1f} s",
                    status=429,
                    code="rate_limit_exceeded",
                    type=kind,
                    retry_after_s=wait,
                    final=False,
                )
            self._level[caller.key, kind] = (left - take, now_us)

    def used(self, caller: Caller, usage: Usage, now_us: int) -> None:
        """Tokens are known afterwards; the level may go below zero and is waited out."""
        left = self._left(caller.key, "tokens", caller.tpm or 0, now_us)
        self._level[caller.key, "tokens"] = (left - usage.total_in - usage.total_out, now_us)

    def _left(self, key: str, kind: str, limit: int, now_us: int) -> float:
        left, at_us = self._level.get((key, kind), (float(limit), now_us))
        if now_us < at_us:  # the clock was set back: from here on it counts anew
            self._level[key, kind] = (left, now_us)
            return left
        return min(float(limit), left + (now_us - at_us) * limit / 60e6)

    def headers(self, caller: Caller, now_us: int) -> list[tuple[bytes, bytes]]:
        """``x-ratelimit-*`` as OpenAI names them, for the limits that the key has."""
        found = []
        for kind, limit in (("requests", caller.rpm), ("tokens", caller.tpm)):
            if limit:
                left = max(0.0, self._left(caller.key, kind, limit, now_us))
                found += [
                    (b"x-ratelimit-limit-" + kind.encode(), b"%d" % limit),
                    (b"x-ratelimit-remaining-" + kind.encode(), b"%d" % left),
                    (b"x-ratelimit-reset-" + kind.encode(), b"%.1fs" % ((limit - left) * 60 / limit)),
                ]
        return found

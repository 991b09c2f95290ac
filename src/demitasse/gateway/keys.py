"""Who is asking, and how often: keys, their scopes and rate limits. Knows headers, not money."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from msgspec import structs

from ..core import access
from ..core.call import Caller, Usage
from ..core.errors import Refused
from ..core.keys import mac
from ..core.ledger import Ledger
from ..core.limits import Key, tenant_of
from .loop_guard import is_loop

ANONYMOUS = Caller()

WRONG_A_MINUTE = 30
"""Unknown keys that one address may send in a minute, before it is told to wait."""
_MOST_ADDRESSES = 4_096

_Known = tuple[Key, Caller, int | None]
"""A secret's key, its caller, and until when a replaced one still opens; None: the present one."""


def may(caller: Caller, needs: str) -> bool:
    """Whether a caller's scopes are enough; on loopback, whoever brings no key of ours may do everything."""
    return caller.key == "local" or access.may(caller.scopes, needs)


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
        self._known: dict[bytes, _Known] = {}
        self._seen: dict[bytes, _Known] = {}
        """Good tokens that came since the last change, so that the HMAC is computed once."""
        self._guests: dict[bytes, Caller] = {}
        self.limits = RateLimits()
        self._wrong = WrongKeys()

    def identify(self, token: bytes | None, own: bytes | None = None, address: str = "") -> Caller:
        """The caller behind a token (``Authorization`` and its kin); ``own`` is ``x-demitasse-key``.

        Raises Refused 401 for a key of ours that is unknown, revoked or expired, or when one is needed and none came;
        429 for one that is unknown, from an address that sent too many such. A key that is known is never held up.
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
                self._wrong.more(address, self._clock())
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
        key, caller, until_us = found
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
        if until_us is not None and until_us <= self._clock():
            raise Refused(
                f"this secret of key '{key.name}' was replaced"
                + (", and its time to be changed everywhere is over" if until_us else "")
                + "; use the new one",
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
        self._known = {}
        for key in self._ledger.keys():
            caller = Caller(
                key=key.name,
                name=key.name,
                team=key.team,
                tenant=tenant_of(key.name, key.team),
                scopes=key.scopes,
                models=key.models,
                pinned_tags=key.tags,
                rpm=key.rpm,
                tpm=key.tpm,
            )
            if key.old_mac:
                self._known[key.old_mac] = (key, caller, key.old_until_us or 0)
            self._known[key.mac] = (key, caller, None)

    def permit(self, caller: Caller, needs: str) -> None:
        """Refuse whoever's scopes are not enough; see ``core.access``."""
        if not may(caller, needs):
            raise Refused(
                access.sentence(caller.key, caller.scopes, needs),
                status=403,
                code="missing_scope",
                type="permission_error",
            )

    def admit(self, caller: Caller) -> None:
        """Refuse a paused key, one without the right to call, and one that is too fast."""
        if (why := self._ledger.paused().get(caller.key)) is not None:
            loop = is_loop(why)
            raise Refused(
                f"key '{caller.key}' is paused: {why}; resume it with: demitasse keys resume {caller.key}",
                status=429 if loop else 403,
                code="loop_detected" if loop else "key_paused",
                type="insufficient_quota" if loop else "permission_error",
            )
        self.permit(caller, "call")
        if caller.rpm or caller.tpm:
            self.limits.admit(caller, self._clock())

    def used(self, caller: Caller, usage: Usage) -> None:
        """Count a closed call's tokens against the minute that it ended in."""
        if caller.tpm:
            self.limits.used(caller, usage, self._clock())


class WrongKeys:
    """Keys that nobody has, counted by address in a leaky bucket each. Guessing 216 bits is hopeless; this keeps it cheap.

    Whoever fills it can only hold up other unknown keys: the addresses least seen of late are forgotten first.
    """

    def __init__(self, a_minute: int = WRONG_A_MINUTE, most: int = _MOST_ADDRESSES) -> None:
        self._a_minute, self._most = a_minute, most
        self._level: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._level)

    def more(self, address: str, now_us: int) -> None:
        """Count one; Refused 429 with ``retry-after`` where there were too many."""
        left, at_us = self._level.pop(address, (float(self._a_minute), now_us))
        left = min(float(self._a_minute), left + max(0, now_us - at_us) * self._a_minute / 60e6)
        if len(self._level) >= self._most:
            del self._level[next(iter(self._level))]
        self._level[address] = (max(0.0, left - 1), now_us)
        if left < 1:
            raise Refused(
                "too many unknown keys came from this address; correct the key, and try again in a minute",
                status=429,
                code="too_many_wrong_keys",
                type="authentication_error",
                retry_after_s=(1 - left) * 60 / self._a_minute,
                final=False,
            )


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

"""The dashboard's buttons and its door, over the store and the gateway. Knows no page."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from hmac import compare_digest

from ..core import access
from ..core.acting import actor
from ..core.errors import ConfigError
from ..core.keys import RANDOM_BYTES, mac, make
from ..core.limits import Budget, Key
from ..gateway.answer import Steps
from ..store.ledger import SqliteLedger
from ..web.facts import Visitor
from ..web.waiting import APPROVE
from .guarding import approve, reject, withdraw
from .steering import Steering
from .withholding import drop


class StoreControl:
    """What the buttons do; implements ``web.facts.Control``. Changes run in a thread: they may wait for a lock."""

    def __init__(self, ledger: SqliteLedger, secret: bytes, steps: Callable[[], Steps], steering: Steering) -> None:
        self._ledger = ledger
        self._steering = steering
        self._secret = secret
        self._steps = steps

    def keys(self) -> Sequence[Key]:
        return [key for key in self._ledger.keys() if key.mac]

    def paused(self) -> Mapping[str, str]:
        return self._ledger.paused()

    async def set_budget(self, budget: Budget) -> None:
        await asyncio.to_thread(self._ledger.set_budget, budget)

    async def remove_budget(self, name: str) -> None:
        await asyncio.to_thread(self._ledger.remove_budget, name)

    async def create_key(
        self,
        name: str,
        *,
        team: str | None = None,
        scopes: tuple[str, ...] = ("call",),
        models: tuple[str, ...] = (),
        rpm: int | None = None,
        tpm: int | None = None,
        expires_us: int | None = None,
    ) -> str:
        if any(key.name == name and key.revoked_us is None for key in self.keys()):
            raise ConfigError(f"there is a key '{name}' already; choose another name or revoke that one first")
        id, token = make(secrets.token_bytes(RANDOM_BYTES))
        key = Key(
            id=id,
            name=name,
            mac=mac(self._secret, token.encode()),
            created_us=self._ledger.clock(),
            team=team,
            scopes=scopes,
            models=models,
            rpm=rpm,
            tpm=tpm,
            expires_us=expires_us,
        )
        await asyncio.to_thread(self._ledger.add_key, key)
        return token

    async def revoke_key(self, id: str) -> None:
        await asyncio.to_thread(self._ledger.revoke_key, id)

    async def pause_key(self, name: str, why: str) -> None:
        await asyncio.to_thread(self._ledger.set_paused, name, why)

    async def resume_key(self, name: str) -> None:
        self._steps().repeats.forgive(name)
        await asyncio.to_thread(self._ledger.set_paused, name, None)

    async def resolve_alert(self, id: str) -> None:
        await asyncio.to_thread(self._ledger.resolve_alert, id)
        if id.startswith(APPROVE):
            await asyncio.to_thread(drop, self._ledger.data, id.removeprefix(APPROVE))

    async def reopen_alert(self, id: str) -> None:
        await asyncio.to_thread(self._ledger.reopen_alert, id)

    async def let_pass(self, code: str) -> None:
        await asyncio.to_thread(approve, self._ledger, code, self._steps().clock())

    async def reject(self, code: str, why: str) -> None:
        await asyncio.to_thread(reject, self._ledger, code, self._steps().clock(), by=actor(), why=why)

    async def let_wait(self, code: str) -> None:
        await asyncio.to_thread(withdraw, self._ledger, code)

    async def switch(self, name: str, *, on: bool) -> None:
        await self._steering.switch(name, on=on)

    async def certify(self, route: str) -> str:
        return await self._steering.certify(route)

    async def promote(self, id: str) -> str:
        return await self._steering.promote(id)

    async def undo(self, route: str) -> str | None:
        return await self._steering.undo(route)

    async def clear_cache(self) -> int:
        steps = self._steps()
        return steps.cache.clear() + (steps.semantic.evict() if steps.semantic is not None else 0)


class KeyLogin:
    """Who may see the pages beyond loopback: holders of a key that may read."""

    def __init__(self, ledger: SqliteLedger, server_secret: bytes, *, secure: bool) -> None:
        self._ledger = ledger
        self._server_secret = server_secret
        self.secret = mac(server_secret, b"dashboard sessions")
        self.secure = secure

    def enter(self, token: str) -> Visitor | None:
        wanted = mac(self._server_secret, token.encode())
        return self._first(lambda _key, secret: compare_digest(secret, wanted))

    def without_pages(self, token: str) -> tuple[str, ...]:
        wanted, now_us = mac(self._server_secret, token.encode()), self._ledger.clock()
        key = next((key for key in self._ledger.keys() if compare_digest(key.mac, wanted)), None)
        return () if key is None or _over(key, now_us) or access.may(key.scopes, "read") else key.scopes

    def visitor(self, id: str) -> Visitor | None:
        """A session is begun with one secret of a key: it ends with that secret, be it revoked, expired or replaced."""
        return self._first(lambda key, secret: compare_digest(self._session(key, secret), id))

    def _first(self, fits: Callable[[Key, bytes], bool]) -> Visitor | None:
        now_us = self._ledger.clock()
        for key in self._ledger.keys():
            old = key.old_mac if key.old_until_us is not None and key.old_until_us > now_us else b""
            for secret in filter(None, (key.mac, old)):
                if fits(key, secret):
                    return self._visitor(key, secret, now_us)
        return None

    def _session(self, key: Key, secret: bytes) -> str:
        return f"{key.id}.{mac(self.secret, secret).hex()[:24]}"

    def _visitor(self, key: Key, secret: bytes, now_us: int) -> Visitor | None:
        if _over(key, now_us) or not access.may(key.scopes, "read"):
            return None
        return Visitor(id=self._session(key, secret), name=key.name, admin="admin" in key.scopes, scopes=key.scopes)


def _over(key: Key, now_us: int) -> bool:
    return key.revoked_us is not None or (key.expires_us is not None and key.expires_us <= now_us)

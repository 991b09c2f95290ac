"""What the pages on savings do and ask: switches, certificates, and the past under another policy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..config import Config
from ..core.errors import ConfigError
from ..core.price import Card
from ..store.books import SqliteBooks
from ..store.evidence import SqliteEvidence
from ..store.ledger import SqliteLedger
from ..store.signing import public_key
from ..web.promises import share_text
from .certifying import ask, terms
from .promoting import objection, promote

if TYPE_CHECKING:
    from .replaying import Recordings


PAGE_CALLS = 20_000
"""What a page looks back at, the newest: a second's work. The command looks at all."""


class Switching(Protocol):
    """Turns a saving on or off, in every process."""

    def __call__(self, name: str, *, on: bool) -> Awaitable[None]: ...


class Steering:
    """Over one store.

    Args:
        config: in force at this moment.
        cards: the price of each model that can be asked, under our name of it.
        recordings: kept bodies, where any are kept.
    """

    def __init__(
        self,
        ledger: SqliteLedger,
        books: SqliteBooks,
        evidence: SqliteEvidence,
        *,
        switch: Switching,
        config: Callable[[], Config],
        cards: Callable[[], Mapping[str, Card]],
        recordings: Recordings | None,
    ) -> None:
        self._ledger = ledger
        self._books = books
        self._evidence = evidence
        self._config = config
        self._cards = cards
        self._recordings = recordings
        self.switch = switch

    async def certify(self, route: str) -> str:
        """Look whether the labels are enough, in a process of its own; what was found, as a sentence."""
        proven = await ask(self._ledger.data, terms(self._config(), route))
        if proven.certificate is None:
            return f"nothing is proven yet on route '{route}'; what more labels would buy: demitasse certify {route}"
        return (
            f"certificate {proven.certificate}: at least {share_text(proven.quality)} of the reference on route '{route}', "
            f"saving about {100 * proven.saving:.0f} %; it serves nothing before it is put in force"
        )

    async def promote(self, id: str) -> str:
        """Put a certificate in force; returns its route. Raises ConfigError: why it may not serve."""
        return await asyncio.to_thread(self._promote, id)

    def _promote(self, id: str) -> str:
        kept = next((row for row in self._evidence.certificates() if row[0].id == id), None)
        if kept is None:
            raise ConfigError(f"there is no certificate '{id}'; list them with: demitasse certificates list")
        own = public_key(self._ledger.data)
        against = objection(kept, self._config(), self._books, self._ledger.clock(), own=own)
        if against is not None:
            raise ConfigError(against)
        promote(self._ledger, kept, "on the dashboard")
        return kept[0].policy.route

    async def undo(self, route: str) -> str | None:
        """Back to the reference; the certificate that was in force, if one was."""
        found = next((c for c in self._ledger.promoted() if c.policy.route == route), None)
        if found is None:
            return None
        await asyncio.to_thread(self._ledger.put_certificate, found, "undone", "on the dashboard")
        return found.id

    def what_if(self, asked: Mapping[str, str], since_us: int, until_us: int) -> dict[str, Any]:
        """The object of ``replay --json`` for a policy file's settings; blocks. Raises ConfigError."""
        from ..lab.policy_file import policy_of  # noqa: PLC0415 - only for who asks
        from .replaying import as_json, replay_past  # noqa: PLC0415

        certificates = [row[0] for row in self._evidence.certificates()]
        references = {name: route.reference or route.ladder[-1] for name, route in self._config().routes.items()}
        policy = policy_of(asked, certificates, references, where="what if")
        done = replay_past(
            self._books,
            self._evidence,
            policy,
            since_us=since_us,
            until_us=until_us,
            cards=self._cards(),
            recordings=self._recordings,
            most=PAGE_CALLS,
        )
        return as_json(done, since_us, until_us)

"""What the way of a call is made of, and the client at its end. Knows the steps' names and none of their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from ..core.approved import Approved
from ..core.call import Call, Event, Reply
from ..core.entry import Cause, Entry, Guarded, Outcome
from ..core.ledger import Ledger
from ..core.limits import Alert
from .attempt import Breakers
from .budget import Budgets
from .cache import Cache, Kept
from .closing import Facts, Way, entry_of
from .keys import KeyRing
from .loop_guard import Repeats
from .metrics import Metrics
from .pilot import Pilot
from .route import Route, Routes
from .settings import Settings
from .shape import Shape

if TYPE_CHECKING:
    from .guarding import Guard
    from .semantic import Found, SemanticCache


class Client(Protocol):
    """The other end of a call, as far as an answer needs it."""

    async def send(self, event: Event) -> None:
        """Pass an event on; the first one opens the response with what ``facts`` then hold. Never fails."""
        ...

    def watch(self, on_hangup: Callable[[], object]) -> None:
        """Begin to look out for a hang-up. It costs more than anything else here, so only when a model is asked."""
        ...

    def unwatch(self) -> None: ...

    def expect_stream(self) -> None:
        """A stream may be slow to begin: keep the client waiting politely from now on."""
        ...


class Steps(Struct, frozen=True):
    """What the way of a call is made of. ``build`` puts it together."""

    ledger: Ledger
    keys: KeyRing
    routes: Routes
    cache: Cache
    budgets: Budgets
    repeats: Repeats
    breakers: Breakers
    metrics: Metrics
    settings: Settings
    clock: Callable[[], int]
    """UTC microseconds."""
    draw: Callable[[], float]
    """Uniform in [0, 1): the jitter of retries."""
    keep: Callable[[Call, Reply], str | None]
    """Keep an answered call's bodies, where the configuration asks for it; returns the reference. Returns at once."""
    alarm: Callable[[Alert], None]
    """Tell a person; returns at once."""
    observe: Callable[[Entry, bytes | None], None] | None = None
    """Told of every closed call, with the request's ``traceparent``; returns at once and never raises."""
    pilot: Pilot | None = None
    """Which model a call begins with, where a certificate is in force; None: always the reference."""
    shape: Shape | None = None
    """Sends the same with fewer tokens, on routes that opted in."""
    semantic: SemanticCache | None = None
    """Answers to questions that mean the same."""
    check: Callable[[Call, Reply, Entry, Found], None] | None = None
    """Told of a model's answer where the semantic cache had another, to be held against it; returns at once."""
    guard: Guard | None = None
    """Looks at every call but our own before anything else does; None: nobody looks."""
    approved: Approved = Approved()
    """Which providers may be asked."""
    poisoned: Callable[[Call, Reply, Guarded | None], str] | None = None
    """Why an answer may be kept for nobody else; empty: it may."""
    flooding: Callable[[Call, str], str] | None = None
    """Why a question's answer may not be shared with those who mean the same; empty: it may, and is counted as kept."""
    withheld: Callable[[Call], None] | None = None
    """Told of a call that was refused until a person lets it pass, as the client sent it; returns at once."""
    commit: Callable[[Call, bytes | None], tuple[str | None, str | None]] | None = None
    """Commitments to a call's body and its answer's; None: none are made."""
    configuration: str = ""
    """The short hash of what is in force, as it stands in the entries of calls that models were asked for."""
    receipt: Callable[[Call, Entry], bytes] | None = None
    """The signed receipt of a closed call, as a header's value."""
    shadow: Callable[[Call, Reply, Entry, Route], None] | None = None
    """Told of every call that a model answered, when it is in the books, but for our own; returns at once."""


def close(
    call: Call,
    route: Route,
    facts: Facts,
    steps: Steps,
    outcome: Outcome,
    *,
    way: Way | None = None,
    kept: Kept | None = None,
    cause: Cause | None = None,
    error: str | None = None,
    flags: tuple[str, ...] = (),
    joined: int = 0,
    body_ref: str | None = None,
    reply: Reply | None = None,
) -> Entry:
    """The entry that closes a call, told to all who count. ``reply``: as the model gave it, where one was asked."""
    given = kept.reply if kept is not None else reply
    entry = entry_of(
        call,
        route,
        facts,
        steps.budgets,
        outcome,
        way=way,
        kept=kept,
        cause=cause,
        error=error,
        flags=flags,
        joined=joined,
        body_ref=body_ref,
        macs=committed(call, facts, steps, given),
        configuration=steps.configuration,
    )
    tell(entry, facts, steps)
    return entry


def committed(call: Call, facts: Facts, steps: Steps, reply: Reply | None = None) -> tuple[str | None, str | None]:
    """Commitments to what the client sent and what the model gave, whatever the guard did in between."""
    sent = facts.sent or call
    if steps.commit is None or not sent.body:
        return None, None
    return steps.commit(sent, None if reply is None else reply.body)


def tell(entry: Entry, facts: Facts, steps: Steps) -> None:
    """Of a closed call, to all who count."""
    facts.entry = entry
    steps.metrics.closed(entry)
    if steps.observe is not None:
        steps.observe(entry, facts.trace)

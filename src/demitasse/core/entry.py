"""What the books hold: Hold and Charge before a call, Attempt and Entry after it, and their closed vocabularies.

A ledger is an append-only chain of events; an Entry is the content of the event that closes one logical call.
None (JSON null, SQL NULL) always means *unknown*, never zero.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

from .call import Energy, Usage

Outcome = Literal["answered", "refused", "failed", "cancelled", "lost"]
"""answered: whole answer given · refused: turned away before any model · failed: no model could answer, or broke off ·
cancelled: the client hung up · lost: the process died; settled at its full hold by the next start."""

CacheTier = Literal["off", "miss", "exact", "coalesced", "semantic"]

EventKind = Literal[
    "held",
    "settled",
    "refused",
    "lost",
    "joined",
    "corrected",
    "changed",
    "alerted",
    "labelled",
    "certificate",
    "erased",
    "dropped",
]
"""held: money set aside · settled/refused/lost: an Entry · joined: a client's retry
got the answer of a closed call · corrected: reconcile's difference · changed: a key, budget or
setting · alerted: a person was told · labelled: evidence about an answer's quality · certificate: one was issued, promoted,
revoked …, with why · erased: a person's or tenant's texts were made unreadable · dropped: rows whose time was over went, and
what they came to stayed."""

AttemptStatus = Literal["ok", "error", "broken", "cancelled"]
"""ok: whole answer · error: an error status or no connection, nothing billed · broken: lost after the request was sent ·
cancelled: we stopped it."""

Cause = Literal["exact_cache", "semantic_cache", "coalesced", "prompt_cache", "shaped", "routed", "batch", "local"]
Grade = Literal["A", "B", "C"]
"""A measured · B bounded · C modelled."""


class Charge(Struct, frozen=True, omit_defaults=True):
    """A share of one budget's window, held or used. ``window``: ``2026-11-21``, ``2026-11`` or ``ever`` (UTC)."""

    budget: str
    window: str
    nanos: int


class Hold(Struct, frozen=True, omit_defaults=True):
    """Money set aside before a call may be put to any model: an upper bound of all it can cost."""

    id: str
    at_us: int
    key: str
    nanos: int
    charges: tuple[Charge, ...]
    model: str
    route: str
    request_id: str | None = None
    extends: bool = False
    """A further hold for the same call: a retry whose predecessor may have been billed."""


class Attempt(Struct, frozen=True, omit_defaults=True):
    """One physical call to one model."""

    model: str
    """Our name of it: an alias of ``[models]`` or ``provider/model``."""
    provider: str
    upstream_model: str
    status: AttemptStatus
    started_us: int
    duration_ms: float
    first_byte_ms: float | None = None
    http_status: int | None = None
    error: str | None = None
    region: str | None = None
    """Where it computed, as far as the configuration says; ``local``: on this machine."""
    usage: Usage | None = None
    usage_raw: Raw | None = None
    estimated: bool = False
    """Usage is ours, not the provider's: counted from what was seen."""
    cost_nanos: int | None = None
    """None: unpriced, or nothing known."""
    card: str | None = None
    """Identity of the price card used, e.g. ``genai-prices 0.2.3 openai/gpt-5.1``."""
    energy: Energy | None = None


class Decision(Struct, frozen=True, omit_defaults=True):
    """Why this model: which policy chose, and with which probability, so that a replay can weigh it."""

    policy: str
    chosen: str
    propensity: float = 1.0
    candidates: tuple[str, ...] = ()
    reason: str = ""
    action: str = ""
    """Where a policy chose: ``cheap``, ``draft`` (accepted), ``escalated`` or ``reference``."""
    score: float | None = None
    """The last score that it chose by."""
    certificate: str = ""
    """The one in force."""


class Check(Struct, frozen=True, omit_defaults=True):
    """What one check of an answer found. ``name``: schema, grounding, leaks or moderation."""

    name: str
    passed: bool
    score: float | None = None
    why: str = ""
    """In words, for a person; never words of the prompt or the answer."""


class Guarded(Struct, frozen=True, omit_defaults=True):
    """What the guard saw of a call, and did: types, counts and names, never a value."""

    found: tuple[tuple[str, int], ...] = ()
    """Personal data and secrets by type, with how many."""
    hidden: tuple[tuple[str, int], ...] = ()
    """Hidden characters by kind, in runs."""
    injection: float | None = None
    """The highest risk among the prompt's parts."""
    band: str = ""
    """Its band: low, medium or high."""
    source: str = ""
    """Whose part of the prompt it was."""
    moderated: tuple[tuple[str, float], ...] = ()
    done: tuple[tuple[str, str, int], ...] = ()
    """What was done: action, to what, how often: ``("redact", "EMAIL", 2)``, ``("drop_tools", "injection", 1)``."""
    data_class: str = ""
    """The class of data that decided where the call may go."""
    stays: str = ""
    """Where it may go: ``local``, or the regions allowed; empty: anywhere."""
    checks: tuple[Check, ...] = ()
    """Of the answer that was given; of a refused draft, see the decision's reason."""
    cut: bool = False
    """A cap on the work was hit."""
    took_us: int = 0
    """CPU that the guard took in the way of the call."""


class Entry(Struct, frozen=True, omit_defaults=True):
    """One logical call, closed. Costs are integer nano-dollars; times are UTC microseconds or milliseconds as named."""

    id: str
    at_us: int
    key: str
    kind: str
    asked_model: str
    outcome: Outcome
    request_id: str | None = None
    """Only where the client sent its own ``x-request-id``."""
    route: str = ""
    model: str | None = None
    """Our name of the model that answered; for a cache hit the one that once did."""
    provider: str | None = None
    team: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    session: str = ""
    stream: bool = False
    cache: CacheTier = "off"
    usage: Usage | None = None
    """Of the answer that was given. What was paid for is in the attempts."""
    cost_nanos: int | None = 0
    """Sum over the attempts; None as soon as one of them is unpriced."""
    baseline_nanos: int | None = None
    saved: tuple[tuple[Cause, int], ...] = ()
    """By cause, in nanos; adds up to baseline − cost exactly."""
    grade: Grade = "A"
    hold_nanos: int = 0
    charges: tuple[Charge, ...] = ()
    """What the budgets are charged in the end; replaces the hold's charges."""
    attempts: tuple[Attempt, ...] = ()
    decision: Decision | None = None
    estimated: bool = False
    flags: tuple[str, ...] = ()
    # One line, since a test reads the words from it.
    """Documented marks: over_hold, clamped, truncated, cut_at_hold, unpriced, doubtful_usage, draft_kept, drained, loop, recovered."""  # noqa: E501
    joined: int = 0
    """Client retries that joined this call instead of making their own entry."""
    error: str | None = None
    """Machine-readable reason when the outcome is refused or failed."""
    why: str | None = None
    """The sentence that the client was given when a limit refused it: which one, and what was left. Never words of a prompt."""
    duration_ms: float = 0.0
    overhead_us: int | None = None
    first_byte_ms: float | None = None
    prompt_mac: str | None = None
    """HMAC commitment to the body: a text can be proven without being kept."""
    reply_mac: str | None = None
    """The same of the answer that the model gave."""
    body_ref: str | None = None
    guard: Guarded | None = None
    """None: the guard is off, or the call never came to it."""
    region: str | None = None
    """Where the model that answered computes, as the configuration said; None: it does not say."""
    configuration: str = ""
    """The short hash of what was in force in the process that asked models; empty: what the ledger was last told of."""

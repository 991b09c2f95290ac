"""A call and what answers it: Call, Event, Usage, Reply, and the one shape of everything that answers, Model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Raw, Struct


class Energy(Struct, frozen=True, omit_defaults=True):
    """Joules as an interval, in micro-joules; figures of different methods are never added up or compared."""

    low_uj: int
    high_uj: int
    method: Literal["measured", "modelled", "vendor"]


Kind = Literal["chat", "completion", "embedding", "moderation"]
"""What is asked for. Moderation is asked by the guard alone, never by a client."""


class Caller(Struct, frozen=True):
    """Who asks. ``provider_key`` is a client's own key for a provider; it is never written anywhere.

    ``tenant`` is the partition of caches and sessions: the team of the key, else the key.
    """

    key: str = "local"
    name: str = "local"
    team: str | None = None
    tenant: str = "local"
    scopes: tuple[str, ...] = ("call",)
    models: tuple[str, ...] = ()
    """Names (routes, aliases, ``provider/*``) this caller may use; empty means all."""
    pinned_tags: tuple[tuple[str, str], ...] = ()
    rpm: int | None = None
    tpm: int | None = None
    provider_key: str | None = None

    def __repr__(self) -> str:
        return f"Caller(key={self.key!r}, name={self.name!r}, team={self.team!r})"


class Wish(Struct, frozen=True):
    """What a single request asked of Demitasse itself, by header."""

    cache: Literal["use", "no-store", "refresh"] = "use"
    route: Literal["", "reference"] = ""
    sampled: bool = False
    """The request wants a sampled (temperature above 0) answer to be cached all the same."""
    deadline_s: float | None = None
    retry_count: int | None = None
    """How often the client tried before, as its SDK says (``x-stainless-retry-count``); None: it says nothing."""
    idempotency_key: str | None = None
    data_class: str = ""
    """The class of data that the client says it is of."""

    def __repr__(self) -> str:
        return f"Wish(cache={self.cache!r}, route={self.route!r}, retry_count={self.retry_count!r})"


class Call(Struct, frozen=True):
    """One logical request, as it was asked.

    ``body`` is kept to the byte. ``fields`` are its top-level members in their order, each undecoded, so that what we
    do not understand is passed on untouched.
    """

    id: str
    """Ours, sorts by time: ``core.ids.call_id``."""
    request_id: str
    """``x-request-id``: the client's own when it sent one, else ``id``."""
    at_us: int
    kind: Kind
    body: bytes
    fields: dict[str, Raw]
    model: str
    """The name asked for."""
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    max_output: int | None = None
    """Output tokens per choice, from ``max_completion_tokens`` or ``max_tokens``; None: the client set no limit."""
    files: int = 0
    """Of ``images``: parts whose tokens no byte count bounds: files, audio and video."""
    clamped: bool = False
    """``max_output`` is ours (``assume_max_output`` or what a budget still allows): send it upstream."""
    images: int = 0
    image_bytes: int = 0
    """Bytes of ``body`` that are inline images; they are not text and are bounded by the model's image maximum."""
    text_bytes: int = 0
    """UTF-8 bytes of everything that is not an inline image: an upper bound of the prompt's tokens, but for a constant."""
    has_tools: bool = False
    service_tier: str | None = None
    temperature: float | None = None
    caller: Caller = Caller()
    tags: tuple[tuple[str, str], ...] = ()
    session: str = ""
    person: str | None = None
    """Whom the request names as the one it is for, as the client wrote it: whose texts these are."""
    trace: str = ""
    """The request's W3C ``traceparent``, as the client sent it."""
    wish: Wish = Wish()
    headers: tuple[tuple[str, str], ...] = ()
    """Sent upstream beside our own; set by our steps, never by a client."""
    stays: str = ""
    """Where it may go, see ``gateway/locality``; whoever asks a model looks at it once more."""
    shaped_bytes: int = 0
    """Bytes of text that shapers took out of ``fields``; ``body`` is always as the client sent it."""
    shaped_again_bytes: int = 0
    """Of these, what was taken out at an earlier turn already: a provider's cache would have held it by now."""

    def __repr__(self) -> str:
        """Without a word of what was asked: reprs end in logs and tracebacks."""
        return f"Call(id={self.id!r}, kind={self.kind!r}, model={self.model[:64]!r}, bytes={len(self.body)})"


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens in disjoint buckets: each token is in exactly one, so ``total_in``/``total_out`` are plain sums."""

    uncached_in: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    image_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    reasoning_out: int = 0
    audio_out: int = 0

    @property
    def total_in(self) -> int:
        return (
            self.uncached_in
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.image_in
            + self.audio_in
        )

    @property
    def total_out(self) -> int:
        return self.text_out + self.reasoning_out + self.audio_out

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, k) + getattr(other, k) for k in BUCKETS))


BUCKETS: tuple[str, ...] = Usage.__struct_fields__


class Event(Struct, frozen=True):
    """One piece of an answer as it comes: a JSON chunk in the call's own dialect, without SSE framing.

    ``content``: the client would see something (text, a tool call's opener, a refusal): after it nothing else may be
    tried. ``text_chars``: characters of output in it, for an estimate should the usage never come.
    """

    data: bytes
    content: bool = False
    text_chars: int = 0

    def __repr__(self) -> str:
        return f"Event(bytes={len(self.data)}, content={self.content}, text_chars={self.text_chars})"


class Reply(Struct, frozen=True):
    """What the events add up to: the complete answer as one JSON body in the call's dialect, and its meter reading."""

    body: bytes
    model: str
    """The upstream's own name of the model that answered."""
    usage: Usage | None
    """None: the upstream never said; see ``Attempt.estimated``."""
    usage_raw: Raw | None = None
    finish: str | None = None
    complete: bool = True
    """Whole, unerrored, not cut off by a length limit: may be cached."""
    reported_cost_nanos: int | None = None
    """A cost that the provider itself reported; it wins over our price card."""
    service_tier: str | None = None
    energy: Energy | None = None
    """What a local engine used for it, as an interval with its method."""
    timings: dict[str, float] | None = None
    """A local engine's own clock: ``prompt_ms``, ``predicted_ms``, when it tells."""
    saved: tuple[tuple[str, int, str], ...] = ()
    """What the asking itself spared, as ``(cause, nanos, grade)``: see ``Entry.saved``. Below zero: it cost that much more."""
    doubt: str = ""
    """Why the meter reading is not to be trusted as it stands: its numbers contradict each other, or are impossible."""

    def __repr__(self) -> str:
        return f"Reply(model={self.model!r}, bytes={len(self.body)}, usage={self.usage!r}, finish={self.finish!r})"


Send = Callable[[Event], Awaitable[None]]


@runtime_checkable
class Model(Protocol):
    """Everything that answers: a provider, a cascade, a cache, a recording, the whole gateway.

    Events go to ``send`` as they come (only when ``call.stream``); the Reply is what they add up to. Raises
    UpstreamError when there is no answer. Cancellation stops the work within a second.
    """

    async def __call__(self, call: Call, send: Send) -> Reply: ...


async def drop(_event: Event) -> None:
    """A ``send`` for those who want the Reply alone."""


def as_dict(struct: Struct) -> dict[str, Any]:
    """A Struct's fields by name, shallow."""
    return {k: getattr(struct, k) for k in struct.__struct_fields__}

"""A provider's own meter reading to disjoint buckets: one adapter per dialect, and the check that the buckets add up.

Providers disagree on what their numbers contain: OpenAI counts cached tokens inside the prompt, Anthropic outside; xAI
and Gemini count reasoning outside the completion. Each adapter says what it assumes. Knows no prices; a cost that the
provider itself reports is only read.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from ..core.call import Usage
from ..core.money import NANOS

Dialect = Literal["openai", "xai", "gemini_compat", "anthropic", "gemini"]
"""openai: reasoning inside completion_tokens · xai: outside · gemini_compat: outside and mostly unsaid, only the total
tells · anthropic: native Messages usage · gemini: native usageMetadata."""

MAX_TOKENS = 100_000_000
"""No bucket of one request can be this large; a number beyond it is a fault of the meter, not a bill."""
MAX_COST_NANOS = 10_000 * NANOS


class Reading(Struct, frozen=True):
    """One meter reading in normal form.

    ``usage`` is None where there is none to read (absent, or not to be believed: then ``why`` says so and the caller
    estimates). ``consistent`` is False where the provider's own numbers contradict each other; the buckets then still
    add up to the larger, dearer reading. ``cost_nanos`` is the provider's own figure for the whole request, if any.
    """

    usage: Usage | None
    consistent: bool = True
    cost_nanos: int | None = None
    why: str = ""


def read_usage(raw: Raw | bytes | None, dialect: Dialect = "openai") -> Reading:
    """The buckets of a raw usage object. Never raises: what cannot be read is a Reading without usage that says why."""
    if raw is None or bytes(raw) == b"null":
        return _NONE
    try:
        return _READ[dialect](raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        return Reading(None, consistent=False, why=f"usage cannot be read: {why}")


def merge_usage(first: Raw | bytes, later: Raw | bytes) -> bytes:
    """Anthropic's stream says its usage twice (message_start, message_delta), cumulatively: later members win."""
    merged = _members(first)
    merged.update({k: v for k, v in _members(later).items() if bytes(v) != b"null"})
    return msgspec.json.encode(merged)


_members = msgspec.json.Decoder(dict[str, Raw]).decode
_NONE = Reading(None)


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_creation_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


_ABSENT = Raw(b"null")


class _OpenAI(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    cached_tokens: int | None = None  # Together, Moonshot: beside the details, not in them
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    prompt_cache_miss_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_tokens: int | None = None  # the Responses API, and servers that mix the two
    output_tokens: int | None = None
    cost: Raw = _ABSENT  # undecoded: a cost of an unknown shape must not hide the tokens
    cost_details: Raw = _ABSENT
    is_byok: Raw = _ABSENT
    cost_in_usd_ticks: Raw = _ABSENT


_read_openai = msgspec.json.Decoder(_OpenAI).decode


def _openai(raw: Raw | bytes) -> Reading:
    return _compatible(_read_openai(raw), "openai")


def _xai(raw: Raw | bytes) -> Reading:
    return _compatible(_read_openai(raw), "xai")


def _gemini_compat(raw: Raw | bytes) -> Reading:
    return _compatible(_read_openai(raw), "gemini_compat")


def _compatible(told: _OpenAI, dialect: Dialect) -> Reading:
    cost = _cost(told) if told.cost is not _ABSENT or told.cost_in_usd_ticks is not _ABSENT else None
    prompt = told.prompt_tokens if told.prompt_tokens is not None else told.input_tokens
    completion = told.completion_tokens if told.completion_tokens is not None else told.output_tokens
    total = told.total_tokens
    if prompt is None:
        return Reading(None, consistent=False, cost_nanos=cost, why="usage without prompt_tokens")
    if completion is None:  # embeddings
        completion = max(0, total - prompt) if total is not None else 0
    inside, outside = told.prompt_tokens_details, told.completion_tokens_details
    hit = told.prompt_cache_hit_tokens
    read = _first(inside.cached_tokens if inside else None, told.cached_tokens, hit)
    write = _first(inside.cache_write_tokens, inside.cache_creation_tokens) if inside else 0
    audio_in = (inside.audio_tokens or 0) if inside else 0
    image_in = (inside.image_tokens or 0) if inside else 0
    reasoning = _first(outside.reasoning_tokens if outside else None, told.reasoning_tokens)
    audio_out = (outside.audio_tokens or 0) if outside else 0
    bad = _unbelievable(prompt, completion, total or 0, read, write, audio_in, image_in, reasoning, audio_out)
    if bad is not None:
        return Reading(None, consistent=False, cost_nanos=cost, why=f"usage holds {bad}")

    said: list[str] = []
    if read + write > prompt:
        said.append("more cached tokens than prompt tokens")
        read = min(read, prompt)
        write = min(write, prompt - read)
    # cached tokens may themselves be audio or images: those buckets get what is left
    audio_in = min(audio_in, prompt - read - write)
    image_in = min(image_in, prompt - read - write - audio_in)
    if hit is not None and told.prompt_cache_miss_tokens is not None and hit + told.prompt_cache_miss_tokens != prompt:
        said.append("cache hits and misses do not add up to prompt_tokens")

    beyond = 0 if total is None else total - prompt - completion
    if beyond > 0 and beyond == reasoning:  # reasoning was counted beside the completion, whoever the server is
        completion += reasoning
    elif beyond > 0 and dialect == "gemini_compat":  # thinking is billed as output and shows in the total alone
        completion += beyond
        reasoning += beyond
    elif dialect == "xai" and total is None:
        completion += reasoning
    elif beyond:
        said.append("total_tokens is not the sum of its parts")
        if beyond > 0:
            completion += beyond  # the dearer reading
    if reasoning + audio_out > completion:
        said.append("more reasoning and audio tokens than completion tokens")
        reasoning = min(reasoning, completion)
        audio_out = min(audio_out, completion - reasoning)
    usage = Usage(
        prompt - read - write - audio_in - image_in,
        read,
        write,
        0,
        image_in,
        audio_in,
        completion - reasoning - audio_out,
        reasoning,
        audio_out,
    )
    return Reading(usage, not said, cost, "; ".join(said))


def _cost(told: _OpenAI) -> int | None:
    """What the provider says the request cost: OpenRouter and Perplexity in dollars, xAI in ticks of 10^-10 dollars."""
    ticks = _amount(told.cost_in_usd_ticks)
    cost = ticks / 10**10 if ticks is not None else _amount(told.cost, "total_cost")
    if cost is None:
        return None
    if bytes(told.is_byok) == b"true":
        # with one's own key the provider bills what it says here, beside the broker's fee
        cost += _amount(told.cost_details, "upstream_inference_cost") or 0
    nanos = int((cost * NANOS).to_integral_value())
    return nanos if 0 <= nanos <= MAX_COST_NANOS else None


def _amount(raw: Raw | None, member: str = "") -> Decimal | None:
    """A finite number, or the one that an object holds as ``member``; None for everything else."""
    if raw is None or raw is _ABSENT:
        return None
    try:
        value = _read_amount(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(value, dict):
        return _amount(value.get(member))
    return value if value is not None and value.is_finite() and abs(value) < 10**15 else None


_read_amount = msgspec.json.Decoder(Decimal | dict[str, Raw] | None).decode


class _CacheCreation(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Anthropic(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None


_read_anthropic = msgspec.json.Decoder(_Anthropic).decode


def _anthropic(raw: Raw | bytes) -> Reading:
    """input_tokens holds neither cache reads nor writes; a write's two lifetimes are parts of its sum, not more."""
    told = _read_anthropic(raw)
    if told.input_tokens is None:
        return Reading(None, consistent=False, why="usage without input_tokens")
    uncached, read, out = told.input_tokens, told.cache_read_input_tokens or 0, told.output_tokens or 0
    parts = told.cache_creation
    write_5m = (parts.ephemeral_5m_input_tokens or 0) if parts else 0
    write_1h = (parts.ephemeral_1h_input_tokens or 0) if parts else 0
    written = told.cache_creation_input_tokens
    bad = _unbelievable(uncached, read, out, write_5m, write_1h, written or 0)
    if bad is not None:
        return Reading(None, consistent=False, why=f"usage holds {bad}")
    why = ""
    if written is not None:
        if parts is not None and write_5m + write_1h != written:
            why = "the lifetimes of cache writes do not add up to cache_creation_input_tokens"
        write_5m += max(0, written - write_5m - write_1h)
    return Reading(Usage(uncached, read, write_5m, write_1h, text_out=out), not why, None, why)


class _Modality(Struct):
    modality: str = ""
    token_count: int | None = msgspec.field(default=None, name="tokenCount")


class _Gemini(Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[_Modality] | None = None
    cache_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None


_read_gemini = msgspec.json.Decoder(_Gemini).decode


def _gemini(raw: Raw | bytes) -> Reading:
    """promptTokenCount holds the cached content; thoughts and built-in tools' prompts are counted beside the rest."""
    told = _read_gemini(raw)
    if told.prompt_token_count is None:
        return Reading(None, consistent=False, why="usageMetadata without promptTokenCount")
    prompt, read = told.prompt_token_count, told.cached_content_token_count or 0
    tool = told.tool_use_prompt_token_count or 0
    out, thoughts, total = told.candidates_token_count or 0, told.thoughts_token_count or 0, told.total_token_count
    audio = max(0, _of("AUDIO", told.prompt_tokens_details) - _of("AUDIO", told.cache_tokens_details))
    image = max(0, _of("IMAGE", told.prompt_tokens_details) - _of("IMAGE", told.cache_tokens_details))
    audio_out = _of("AUDIO", told.candidates_tokens_details)
    bad = _unbelievable(prompt, read, tool, out, thoughts, total or 0, audio, image, audio_out)
    if bad is not None:
        return Reading(None, consistent=False, why=f"usageMetadata holds {bad}")
    said: list[str] = []
    if read > prompt:
        said.append("more cached tokens than prompt tokens")
        read = prompt
    audio = min(audio, prompt - read)
    image = min(image, prompt - read - audio)
    audio_out = min(audio_out, out)
    beyond = 0 if total is None else total - prompt - tool - out - thoughts
    if beyond:
        said.append("totalTokenCount is not the sum of its parts")
        thoughts += max(0, beyond)
    usage = Usage(
        uncached_in=prompt - read - audio - image + tool,
        cache_read=read,
        image_in=image,
        audio_in=audio,
        text_out=out - audio_out,
        reasoning_out=thoughts,
        audio_out=audio_out,
    )
    return Reading(usage, not said, None, "; ".join(said))


def _of(modality: str, details: list[_Modality] | None) -> int:
    return sum(d.token_count or 0 for d in details or () if d.modality == modality)


def _first(*counts: int | None) -> int:
    """The first count that says something; a zero is kept only where nothing else is said."""
    return next((c for c in counts if c), 0)


def _unbelievable(*counts: int) -> str | None:
    for count in counts:
        if count < 0:
            return f"a negative count ({count})"
        if count > MAX_TOKENS:
            return f"an absurd count ({count})"
    return None


_READ: dict[Dialect, Callable[[Raw | bytes], Reading]] = {
    "openai": _openai,
    "xai": _xai,
    "gemini_compat": _gemini_compat,
    "anthropic": _anthropic,
    "gemini": _gemini,
}

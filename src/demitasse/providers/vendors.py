"""Vendors and their quirks, as rows with source and date. Data only: who has a quirk is never decided anywhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from ..wire.usage import Dialect


class Vendor(Struct, frozen=True, kw_only=True):
    """One kind of OpenAI-compatible server. ``source`` and ``seen`` say where the row was read, and when."""

    name: str
    base_url: str
    """Where it lives, up to and including ``/v1`` or its like; empty where every installation has its own."""
    key_envs: tuple[str, ...] = ()
    """The standard variables that hold its key; the first is the one to name to people."""
    key_prefixes: tuple[str, ...] = ()
    """Keys that begin so are its own, and nobody else's (as secret scanners know them)."""
    prefixes: tuple[str, ...] = ()
    """Model names that begin so are its own, without ``vendor/`` before them."""
    prices: str | None = None
    """Its id in the price database; None: nothing is charged, or nobody knows."""
    dialect: Dialect = "openai"
    limits: tuple[str, ...] = ("max_completion_tokens", "max_tokens")
    """Names of the output limit that it obeys, best first. A limit under another name is sent under the first."""
    include_usage: bool = True
    """Takes ``stream_options.include_usage``; False: refuses it, and sends usage unasked."""
    reasoning: str | None = None
    """Member of messages and deltas that holds the text of its reasoning."""
    reports_cost: bool = False
    """Its ``usage`` names what the request cost, zero included."""
    sends_done: bool = True
    """Ends a stream with ``[DONE]``; False: a finish reason and an orderly end will do."""
    local: bool = False
    source: str
    seen: str


VENDORS: dict[str, Vendor] = {
    row.name: row
    for row in (
        Vendor(
            name="openai",
            base_url="https://api.openai.com/v1",
            key_envs=("OPENAI_API_KEY",),
            key_prefixes=("sk-proj-", "sk-svcacct-", "sk-admin-"),
            prefixes=("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "codex-"),
            prices="openai",
            source="platform.openai.com/docs/api-reference/chat/create",
            seen="2026-11-21",
        ),
        Vendor(
            name="anthropic",
            base_url="https://api.anthropic.com/v1",
            key_envs=("ANTHROPIC_API_KEY",),
            key_prefixes=("sk-ant-",),
            prefixes=("claude-",),
            prices="anthropic",
            source="platform.claude.com/docs/en/api/openai-sdk",
            seen="2026-11-21",
        ),
        Vendor(
            name="google",
            base_url="https://generativelanguage.googleapis.com/v1beta/openai",
            key_envs=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            key_prefixes=("AIza",),
            prefixes=("gemini-", "gemma-"),
            prices="google",
            dialect="gemini_compat",
            source="ai.google.dev/gemini-api/docs/openai; thoughts beside completion_tokens: mozilla-ai/any-llm#1290",
            seen="2026-11-21",
        ),
        Vendor(
            name="groq",
            base_url="https://api.groq.com/openai/v1",
            key_envs=("GROQ_API_KEY",),
            key_prefixes=("gsk_",),
            prices="groq",
            reasoning="reasoning",
            source="console.groq.com/docs/api-reference; limits: groq/groq-python#175",
            seen="2026-11-21",
        ),
        Vendor(
            name="together",
            base_url="https://api.together.xyz/v1",
            key_envs=("TOGETHER_API_KEY",),
            prices="together",
            limits=("max_tokens",),
            source="docs.together.ai/reference/chat-completions; usage in the last chunk: mlflow/mlflow#11557",
            seen="2026-11-21",
        ),
        Vendor(
            name="mistral",
            base_url="https://api.mistral.ai/v1",
            key_envs=("MISTRAL_API_KEY",),
            prefixes=("mistral-", "ministral-", "codestral-", "magistral-", "devstral-", "pixtral-", "open-mistral-"),
            prices="mistral",
            limits=("max_tokens",),
            include_usage=False,
            source="422 extra_forbidden for both: eca#231 and openai/openai-agents-python#442 on GitHub",
            seen="2026-11-21",
        ),
        Vendor(
            name="deepseek",
            base_url="https://api.deepseek.com/v1",
            key_envs=("DEEPSEEK_API_KEY",),
            prefixes=("deepseek-",),
            prices="deepseek",
            limits=("max_tokens",),
            reasoning="reasoning_content",
            source="api-docs.deepseek.com/api/create-chat-completion",
            seen="2026-11-21",
        ),
        Vendor(
            name="openrouter",
            base_url="https://openrouter.ai/api/v1",
            key_envs=("OPENROUTER_API_KEY",),
            key_prefixes=("sk-or-",),
            prices="openrouter",
            limits=("max_tokens", "max_completion_tokens"),
            reasoning="reasoning",
            reports_cost=True,
            source="openrouter.ai/docs/use-cases/usage-accounting",
            seen="2026-11-21",
        ),
        Vendor(
            name="xai",
            base_url="https://api.x.ai/v1",
            key_envs=("XAI_API_KEY",),
            key_prefixes=("xai-",),
            prefixes=("grok-",),
            prices="x-ai",
            dialect="xai",
            reasoning="reasoning_content",
            reports_cost=True,
            source="docs.x.ai/docs/key-information/consumption-and-rate-limits; vercel/ai#12425; ticks: sub2api#5771",
            seen="2026-11-21",
        ),
        Vendor(
            name="fireworks",
            base_url="https://api.fireworks.ai/inference/v1",
            key_envs=("FIREWORKS_API_KEY",),
            key_prefixes=("fw_",),
            prefixes=("accounts/fireworks/",),
            prices="fireworks",
            limits=("max_tokens", "max_completion_tokens"),
            reasoning="reasoning_content",
            source="docs.fireworks.ai/api-reference/post-chatcompletions",
            seen="2026-11-21",
        ),
        Vendor(
            name="ollama",
            base_url="http://127.0.0.1:11434/v1",
            limits=("max_tokens",),
            reasoning="reasoning",
            local=True,
            source="docs.ollama.com/api/openai-compatibility; max_completion_tokens is ignored: ollama/ollama#7125",
            seen="2026-11-21",
        ),
        Vendor(
            name="lmstudio",
            base_url="http://127.0.0.1:1234/v1",
            limits=("max_tokens",),
            reasoning="reasoning_content",
            local=True,
            source="lmstudio.ai/docs/developer/openai-compat",
            seen="2026-11-21",
        ),
        Vendor(
            name="vllm",
            base_url="http://127.0.0.1:8000/v1",
            key_envs=("VLLM_API_KEY",),
            limits=("max_completion_tokens", "max_tokens"),
            reasoning="reasoning_content",
            local=True,
            source="docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
            seen="2026-11-21",
        ),
        Vendor(
            name="llamacpp",
            base_url="http://127.0.0.1:8080/v1",
            limits=("max_tokens",),
            reasoning="reasoning_content",
            local=True,
            source="max_completion_tokens is obeyed since February 2026 only: ggml-org/llama.cpp#19831",
            seen="2026-11-21",
        ),
        Vendor(
            name="generic",
            base_url="",
            limits=("max_tokens", "max_completion_tokens"),
            source="what OpenAI's own reference leaves to others",
            seen="2026-11-21",
        ),
    )
}

GENERIC = VENDORS["generic"]


def vendor_of(model: str) -> Vendor | None:
    """The vendor whose own models begin like this one, or None."""
    return next((v for v in VENDORS.values() if model.startswith(v.prefixes)), None) if model else None


def belongs_elsewhere(vendor: Vendor, key: str) -> bool:
    """Whether a client's key is plainly another vendor's, which this one shall not see."""
    owner = next((v for v in VENDORS.values() if key.startswith(v.key_prefixes)), None)
    return owner is not None and owner is not vendor


def is_home(vendor: Vendor, base_url: str) -> bool:
    """Whether ``base_url`` is at the vendor's built-in scheme, host and port. Only there may a client's key go."""
    return bool(vendor.base_url) and not vendor.local and _origin(base_url) == _origin(vendor.base_url)


def elsewhere(provider: str, base_url: str | None) -> str:
    """The host where something else than the provider itself is reached; empty: it is the provider, at its own address.

    A server that bears a vendor's name in a configuration may be anybody's. Of ``generic`` every address is such a host.
    """
    vendor = VENDORS.get(provider)
    if vendor is None or not base_url or is_home(vendor, base_url):
        return ""
    host = _origin(base_url)[1]
    if vendor.local and host in _LOOPBACK:
        return ""
    return host


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port

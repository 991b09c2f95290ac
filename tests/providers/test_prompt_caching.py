"""The table of rules: every row says where it was read and when, and its numbers can be meant."""

from __future__ import annotations

import datetime as dt

import pytest

from demitasse.providers.prompt_caching import NO_RULE, Rule, rule_for, rules
from demitasse.providers.vendors import VENDORS

ON_THIS_WIRE = {
    "prompt_cache_key",
    "prompt_cache_breakpoint",
    "prompt_cache_options",
    "cache_control",
    "session_id",
    "x-grok-conv-id",
    "x-session-affinity",
}


@pytest.mark.parametrize("rule", rules(), ids=lambda r: r.id)
def test_a_row_has_its_source_its_date_and_numbers_that_can_be_meant(rule: Rule) -> None:
    assert rule.source.startswith("https://") and " " not in rule.source
    assert dt.date(2026, 1, 1) <= dt.date.fromisoformat(rule.seen) <= dt.date(2027, 12, 31)
    assert rule.checked or "memory" in rule.note, "what was not read at its source says so"
    assert bool(rule.vendor) != bool(rule.hosts), "a row is found by a vendor or by a host"
    assert not rule.vendor or rule.vendor in VENDORS
    assert 1 <= rule.min_tokens <= 8192 and 1 <= rule.increment <= 1024
    assert 60 <= rule.lifetime_s <= (rule.at_most_s or 7 * 86_400) <= 7 * 86_400
    assert 0 < rule.read <= 1 <= rule.write <= 2
    assert (rule.long_s is None) == (rule.long_write is None)
    assert rule.long_s is None or (rule.long_s > rule.lifetime_s and rule.long_write >= rule.write)
    assert set(rule.used) <= set(rule.controls) & ON_THIS_WIRE
    assert ("cache_control" in rule.used or "prompt_cache_breakpoint" in rule.used) <= (rule.breakpoints > 0)
    assert rule.reports or not rule.used, "what cannot be measured is not steered"


def test_no_row_is_hidden_behind_an_earlier_one() -> None:
    ids = [rule.id for rule in rules()]
    assert len(set(ids)) == len(ids)
    for at, rule in enumerate(rules()):
        for earlier in rules()[:at]:
            if (earlier.vendor, earlier.hosts) == (rule.vendor, rule.hosts):
                assert earlier.models, f"{earlier.id} fits every model, so {rule.id} is never reached"
                assert not any(m.startswith(earlier.models) for m in rule.models), f"{earlier.id} hides {rule.id}"


@pytest.mark.parametrize(
    ("vendor", "url", "model", "id"),
    [
        ("openai", "https://api.openai.com/v1", "gpt-5.1", "openai-5"),
        ("openai", "https://api.openai.com/v1", "gpt-5.6-terra", "openai-5.6"),
        ("openai", "https://api.openai.com/v1", "gpt-4.1-mini", "openai-4.1"),
        ("openai", "https://api.openai.com/v1", "gpt-3.5-turbo", "none"),
        ("openai", "http://127.0.0.1:9/v1", "gpt-5.1", "none"),
        ("openai", "https://me.openai.azure.com/openai/v1", "gpt-5.1", "azure-openai"),
        ("generic", "https://me.openai.azure.com/openai/v1", "Kimi-K2.5", "none"),
        ("openrouter", "https://openrouter.ai/api/v1", "anthropic/claude-haiku-4.5", "openrouter-claude-4096"),
        ("openrouter", "https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4.5", "openrouter-claude"),
        ("openrouter", "https://openrouter.ai/api/v1", "z-ai/glm-5", "openrouter"),
        ("anthropic", "https://api.anthropic.com/v1", "claude-opus-5", "anthropic-512"),
        ("vllm", "http://10.0.0.7:8000/v1", "meta/llama", "vllm"),
        ("generic", "https://api.cerebras.ai/v1", "gpt-oss-120b", "cerebras"),
        ("generic", "https://evil.example/api.cerebras.ai", "gpt-oss-120b", "none"),
        ("mistral", "https://api.mistral.ai/v1", "mistral-small-latest", "mistral"),
    ],
)
def test_the_rule_of_a_model_at_an_address(vendor: str, url: str, model: str, id: str) -> None:
    assert rule_for(vendor, url, model).id == id


def test_what_refuses_a_key_is_sent_none() -> None:
    for vendor, url, model in (
        ("groq", VENDORS["groq"].base_url, "openai/gpt-oss-120b"),
        ("generic", "https://api.cerebras.ai/v1", "gpt-oss-120b"),
        ("generic", "https://integrate.api.nvidia.com/v1", "nvidia/nemotron"),
        ("anthropic", VENDORS["anthropic"].base_url, "claude-opus-5"),
    ):
        assert rule_for(vendor, url, model).used == ()


def test_cached_lengths_come_in_steps_from_a_minimum_on() -> None:
    rule = rule_for("openai", "https://api.openai.com/v1", "gpt-5.1")
    assert [rule.cacheable(n) for n in (1023, 1024, 1151, 1152, 1500)] == [0, 1024, 1024, 1152, 1408]
    assert NO_RULE.cacheable(1 << 30) == 0

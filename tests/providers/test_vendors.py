"""The table of vendors: complete, sourced, and in step with the price database."""

import re

import pytest

from demitasse.providers.vendors import GENERIC, VENDORS, belongs_elsewhere, is_home, vendor_of


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda v: v.name)
def test_every_row_says_where_and_when_it_was_read(vendor) -> None:
    assert vendor.source
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", vendor.seen)
    assert vendor.limits
    assert vendor is GENERIC or re.match(r"https://|http://127\.0\.0\.1:", vendor.base_url)
    assert vendor.local or vendor is GENERIC or vendor.key_envs


def test_price_ids_are_those_of_the_price_database() -> None:
    from genai_prices.data import providers

    assert {v.prices for v in VENDORS.values() if v.prices} <= {p.id for p in providers}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5.1", "openai"),
        ("o3-mini", "openai"),
        ("claude-sonnet-5", "anthropic"),
        ("gemini-3-flash", "google"),
        ("grok-4", "xai"),
        ("deepseek-chat", "deepseek"),
        ("codestral-latest", "mistral"),
    ],
)
def test_a_model_is_known_by_its_name(model: str, name: str) -> None:
    vendor = vendor_of(model)
    assert vendor is not None
    assert vendor.name == name


@pytest.mark.parametrize("model", ["", "qwen3:8b", "my-gpt", "llama-3"])
def test_a_name_that_anybody_could_use_belongs_to_nobody(model: str) -> None:
    assert vendor_of(model) is None


@pytest.mark.parametrize(
    ("name", "url", "home"),
    [
        ("openai", "https://api.openai.com/v1", True),
        ("openai", "https://API.openai.com:443/other", True),
        ("openai", "http://api.openai.com/v1", False),
        ("openai", "https://api.openai.com.evil.example/v1", False),
        ("openai", "https://api.openai.com@evil.example/v1", False),
        ("openai", "https://api.openai.com:8443/v1", False),
        ("anthropic", "https://api.openai.com/v1", False),
        ("ollama", "http://127.0.0.1:11434/v1", False),
        ("generic", "https://api.openai.com/v1", False),
        ("generic", "", False),
    ],
)
def test_a_clients_key_is_at_home_at_its_vendors_own_host_alone(name: str, url: str, home: bool) -> None:
    assert is_home(VENDORS[name], url) is home


@pytest.mark.parametrize(
    ("vendor", "key", "elsewhere"),
    [
        ("openai", "sk-proj-abc", False),
        ("deepseek", "sk-proj-abc", True),
        ("openai", "sk-ant-abc", True),
        ("anthropic", "sk-ant-abc", False),
        ("openai", "gsk_abc", True),
        ("deepseek", "sk-0123456789abcdef", False),
        ("openai", "anything", False),
    ],
)
def test_a_key_that_is_plainly_another_vendors_is_known(vendor: str, key: str, elsewhere: bool) -> None:
    assert belongs_elsewhere(VENDORS[vendor], key) is elsewhere

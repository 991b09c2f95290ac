"""Estimates for hosted models, against EcoLogits' own numbers."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("ecologits", reason="the extra is not installed: pip install 'demitasse[energy]'")

from ecologits.tracers.utils import PROVIDER_CONFIG_MAP, llm_impacts

from demitasse.providers import vendor_energy
from demitasse.providers.vendor_energy import NAMES, NOT_INSTALLED, RESOLD, Estimates, estimate
from demitasse.providers.vendors import VENDORS


@pytest.mark.parametrize(
    ("provider", "model", "theirs"),
    [
        ("openai", "gpt-4o", ("openai", "gpt-4o")),
        ("anthropic", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("google", "gemini-2.5-flash", ("google_genai", "gemini-2.5-flash")),
        ("mistral", "mistral-small-latest", ("mistralai", "mistral-small-latest")),
        ("openrouter", "openai/gpt-4o", ("openai", "gpt-4o")),
    ],
)
def test_an_estimate_is_ecologits_own_electricity_in_micro_joules(provider: str, model: str, theirs: Any) -> None:
    kwh = llm_impacts(*theirs, 200, 3.0).energy.value  # type: ignore[union-attr]
    low, high = (kwh, kwh) if isinstance(kwh, float) else (kwh.min, kwh.max)
    found = estimate(provider, model, 200, 3.0)
    assert found is not None
    assert found.method == "vendor"
    assert found.low_uj == pytest.approx(low * 3.6e12, abs=1)
    assert found.high_uj == pytest.approx(high * 3.6e12, abs=1)
    assert 0 < found.low_uj <= found.high_uj


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "no-such-model", 10),
        ("groq", "llama-3.3-70b-versatile", 10),
        ("local", "gpt-4o", 10),
        ("openrouter", "nobody/gpt-4o", 10),
        ("openrouter", "gpt-4o", 10),
        ("openai", "gpt-4o", 0),
    ],
)
def test_what_nobody_knows_is_not_estimated(provider: str, model: str, tokens: int) -> None:
    assert estimate(provider, model, tokens, 1.0) is None


def test_the_names_are_names_on_both_sides() -> None:
    assert set(NAMES) <= set(VENDORS)
    assert {*NAMES.values(), *RESOLD.values()} <= set(PROVIDER_CONFIG_MAP)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4000), st.floats(0.01, 120)), min_size=1, max_size=8))
def test_the_mean_call_times_the_calls_is_never_below_the_sum(calls: list[tuple[int, float]]) -> None:
    each = [estimate("openai", "gpt-4o", tokens, seconds) for tokens, seconds in calls]
    n = len(calls)
    mean = estimate("openai", "gpt-4o", sum(t for t, _ in calls) / n, sum(s for _, s in calls) / n)
    assert mean is not None
    for end in ("low_uj", "high_uj"):
        total = sum(getattr(one, end) for one in each)
        assert getattr(mean, end) * n >= total - n
        if len(set(calls)) == 1:
            assert getattr(mean, end) * n == pytest.approx(total, rel=1e-9, abs=n)


def test_an_estimate_needs_no_network_and_says_nothing_on_the_terminal() -> None:
    code = (
        "import socket\n"
        "def no(*_): raise SystemExit('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = no\n"
        "from demitasse.providers.vendor_energy import estimate\n"
        "assert estimate('openai', 'gpt-4o', 100, 1.0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_ecologits_has_to_say_of_errors_is_still_heard() -> None:
    estimate("openai", "gpt-4o", 10, 1.0)
    assert logging.getLogger("ecologits").isEnabledFor(logging.ERROR)


def test_serving_never_imports_it() -> None:
    code = "import sys, demitasse.build, demitasse.cli; sys.exit('ecologits' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_a_hosted_model_says_what_to_install_and_others_say_nothing(monkeypatch: Any) -> None:
    monkeypatch.setattr(vendor_energy, "installed", lambda: False)
    estimates = Estimates({"large": ("openai", "gpt-4o"), "fast": ("groq", "llama")}.get)
    assert estimates("large", 10, 1.0) is None
    assert estimates.lacking("large") == NOT_INSTALLED
    assert estimates.lacking("fast") == ""
    assert estimates.lacking("mine") == ""


def test_with_the_extra_nothing_is_lacking() -> None:
    estimates = Estimates({"large": ("openai", "gpt-4o"), "odd": ("openai", "no-such-model")}.get)
    assert estimates("large", 10, 1.0) == estimate("openai", "gpt-4o", 10, 1.0)
    assert [estimates.lacking(name) for name in ("large", "odd", "mine")] == ["", "", ""]

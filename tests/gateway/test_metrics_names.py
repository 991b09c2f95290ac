"""What /metrics counts, and that no client can make its labels grow without end."""

from __future__ import annotations

import re
from typing import Any

import pytest

from demitasse.core.entry import Attempt, Check, Energy, Entry, Guarded
from demitasse.core.limits import Budget, Spent
from demitasse.gateway.metric_names import MOST, findings
from demitasse.gateway.metrics import Metrics, budget_gauges
from demitasse.guard.kinds import HIDDEN, SECRETS, TYPES

NAME = re.compile(r"^(demitasse_[a-z_]+)(\{.*\})? ")


def entry(**more: Any) -> Entry:
    fields: dict[str, Any] = {
        "id": "c",
        "at_us": 0,
        "key": "ci",
        "kind": "chat",
        "asked_model": "auto",
        "outcome": "answered",
    }
    return Entry(**(fields | {"route": "auto", "model": "small", "cache": "miss"} | more))


def page(*entries: Entry, **more: Any) -> list[str]:
    metrics = Metrics()
    for one in entries:
        metrics.closed(one)
    return metrics.text(more.get("gauges", {}), more.get("breakers", {})).decode().splitlines()


def test_made_up_names_share_one_row() -> None:
    failed = Attempt("openai/none", "openai", "none", "error", 0, 1.0)
    calls = [
        entry(route=f"openai/x{n}", model=f"openai/x{n}", outcome="failed", attempts=(failed,)) for n in range(2_000)
    ]
    lines = page(*calls, breakers={f"openai/x{n}": "open" for n in range(50)})
    assert 'demitasse_calls_total{route="other",model="other",outcome="failed",cache="miss"} 2000' in lines
    assert 'demitasse_attempts_total{model="other",status="error"} 2000' in lines
    assert 'demitasse_breaker_open{model="other"} 1' in lines
    assert len(lines) < 300


def test_a_name_that_answered_has_its_own_row_and_so_has_one_of_the_configuration() -> None:
    metrics = Metrics()
    metrics.names.know(["org/mine"])
    metrics.closed(entry(route="openai/gpt-5.1", model="openai/gpt-5.1"))
    metrics.closed(entry(route="org/mine", model="org/mine", outcome="failed"))
    text = metrics.text({}, {}).decode()
    assert 'route="openai/gpt-5.1"' in text
    assert 'route="org/mine"' in text


def test_a_server_that_answers_to_any_name_is_capped_too() -> None:
    lines = page(*(entry(route=f"local/x{n}", model=f"local/x{n}") for n in range(5_000)))
    routes = {line for line in lines if line.startswith("demitasse_calls_total{")}
    assert len(routes) <= MOST + 2


def test_findings_are_counted_by_what_was_done_about_them() -> None:
    guard = Guarded(
        found=(("EMAIL", 3), ("api_key", 1), ("made up", 1)),
        hidden=(("tag", 2),),
        done=(("redact", "EMAIL", 2), ("strip", "hidden", 2), ("drop_tools", "injection", 1)),
    )
    told = {(type, action): count for type, action, count in findings(entry(guard=guard))}
    assert told == {
        ("EMAIL", "redact"): 2,
        ("EMAIL", "detect"): 1,
        ("api_key", "detect"): 1,
        ("other", "detect"): 1,
        ("tag", "strip"): 2,
    }
    refused = entry(guard=Guarded(found=(("CARD", 1),)), outcome="refused", error="private_data_refused")
    assert findings(refused) == [("CARD", "refuse", 1)]


def test_the_guard_has_counters_and_a_histogram() -> None:
    guard = Guarded(
        injection=0.97,
        band="high",
        source="tool",
        done=(("drop_tools", "injection", 1), ("stays", "eu-*,de-*", 1)),
        checks=(Check("leaks", False), Check("schema", True)),
        moderated=(("hate", 0.9), ("a provider's own word", 0.8)),
        cut=True,
        took_us=700,
    )
    lines = page(entry(guard=guard), entry(outcome="refused", error="injection_refused", guard=guard))
    for wanted in (
        'demitasse_injection_total{band="high",source="tool"} 2',
        'demitasse_guard_actions_total{action="drop_tools",what="injection"} 2',
        'demitasse_guard_actions_total{action="stays",what="regions"} 2',
        'demitasse_checks_total{check="leaks",result="failed"} 2',
        'demitasse_moderated_total{category="other"} 2',
        "demitasse_guard_cut_total 2",
        'demitasse_guard_seconds_bucket{le="0.001"} 2',
        "demitasse_guard_seconds_count 2",
        'demitasse_refused_total{code="injection_refused"} 1',
    ):
        assert wanted in lines


def test_energy_is_told_by_method_and_as_an_interval() -> None:
    used = Attempt("small", "local", "s", "ok", 0, 1.0, energy=Energy(2_000_000, 5_000_000, "measured"))
    lines = page(entry(attempts=(used, used)))
    assert 'demitasse_energy_joules_total{method="measured",bound="high"} 10' in lines
    assert 'demitasse_energy_joules_total{method="measured",bound="low"} 4' in lines


def test_budgets_are_gauges_and_one_without_limit_has_none() -> None:
    spents = [
        Spent(Budget("default", limit_nanos=5 * 10**9), "2026-11-21", 2 * 10**9, 10**9),
        Spent(Budget("only-counted"), "2026-11-21", 7, 0),
    ]
    lines = page(gauges=budget_gauges(spents))
    assert 'demitasse_budget_limit_usd{budget="default",period="day"} 5' in lines
    assert 'demitasse_budget_spent_usd{budget="default",period="day"} 2' in lines
    assert not any("limit_usd" in line and "only-counted" in line for line in lines)
    assert sum(line.startswith("# TYPE demitasse_budget_spent_usd") for line in lines) == 1


def test_names_follow_prometheus_conventions() -> None:
    kinds = dict(line.split()[2:] for line in page(entry()) if line.startswith("# TYPE"))
    for name, kind in kinds.items():
        assert name.endswith("_total") is (kind == "counter"), name
        if kind == "histogram":
            assert name.endswith("_seconds"), name
        assert not re.search(r"_(ms|us|nanos|kwh|wh)(_|$)", name)


@pytest.mark.parametrize("vocabulary", [TYPES, SECRETS, HIDDEN])
def test_vocabularies_of_findings_do_not_overlap(vocabulary: dict[str, str]) -> None:
    others = [v for v in (TYPES, SECRETS, HIDDEN) if v is not vocabulary]
    assert not any(set(vocabulary) & set(v) for v in others)

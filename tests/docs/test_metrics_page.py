"""The page on metrics has every metric and label that a scrape or a collector can see, and no other."""

from __future__ import annotations

import ast
import re
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from demitasse.build.gauges import gauges as build_gauges
from demitasse.core.call import Energy, Usage
from demitasse.core.entry import Attempt, Check, Decision, Entry, Guarded
from demitasse.core.evidence import OWN_KEY, Label
from demitasse.core.limits import Alert, Budget, Spent
from demitasse.gateway.metrics import Metrics
from demitasse.providers import otel
from tests.docs.pages import page, sources, tables, words

PAGE = tables(page("reference/metrics.md"))
ROWS = {words([row])[0]: row for row in PAGE["prometheus"]}

ATTEMPT = Attempt(
    model="m",
    provider="p",
    upstream_model="u",
    status="broken",
    started_us=1,
    duration_ms=1.0,
    usage=Usage(1, 1, 1, 1, 1, 1, 1, 1, 1),
    cost_nanos=1,
    card="c",
    energy=Energy(1, 2, "measured"),
)
ENTRY = Entry(
    id="c1",
    at_us=1,
    key="k",
    kind="chat",
    asked_model="m",
    route="m",
    model="m",
    provider="p",
    team="t",
    tags=(("a", "b"),),
    outcome="answered",
    stream=True,
    first_byte_ms=1.0,
    usage=ATTEMPT.usage,
    cost_nanos=1,
    baseline_nanos=2,
    saved=(("routed", 1),),
    attempts=(ATTEMPT,),
    flags=("clamped",),
    overhead_us=1,
    guard=Guarded(
        found=(("EMAIL", 1),),
        injection=0.9,
        band="high",
        source="user",
        moderated=(("hate", 0.9),),
        done=(("drop_tools", "injection", 1),),
        checks=(Check("schema", True), Check("leaks", False)),
        hidden=(("tag", 1),),
        data_class="health",
        stays="local",
    ),
    session="s",
    decision=Decision("policy", "m", certificate="crt_1"),
)


def gauges() -> dict[str, float]:
    """Those that ``build`` adds to a scrape, of an application that has one of everything."""
    books = SimpleNamespace(
        held_nanos=lambda: 1,
        spent=lambda _at_us: [Spent(Budget("b", limit_nanos=2), "2026-11-21", 1, 1)],
        alerts=lambda **_: [Alert("a", 1, "budget_soft", "b", "")],
    )
    cache = SimpleNamespace(stats=lambda: {"entries": 1, "bytes": 1})
    gateway = SimpleNamespace(steps=SimpleNamespace(cache=cache))
    app = SimpleNamespace(gateway=gateway, books=books, clock=lambda: 1)
    return build_gauges(app, waiting=1, against={"r": 0.5})  # type: ignore[arg-type]  # as much of one as it looks at


def scrape() -> str:
    metrics = Metrics()
    metrics.closed(ENTRY)
    metrics.closed(replace(ENTRY, outcome="refused", error="model_not_found"))
    metrics.closed(replace(ENTRY, key=OWN_KEY, tags=(("purpose", "shadow"),)))
    metrics.shadow_dropped("queue")
    metrics.labelled(Label("c1", 1, "r", "shadow", None))
    metrics.denied_at_the_door("missing_api_key")
    return metrics.text(gauges(), {"m": "open"}).decode()


def test_every_metric_of_a_scrape_is_documented_with_its_kind_and_no_other() -> None:
    scraped = dict(re.findall(r"^# TYPE (\S+) (\S+)$", scrape(), re.MULTILINE))
    assert gauges()
    assert {name: row[1] for name, row in ROWS.items()} == scraped


def test_every_label_is_documented_and_no_other() -> None:
    seen: dict[str, set[str]] = {name: set() for name in ROWS}
    for sample, labels in re.findall(r"^(\w+)\{(.*)\} ", scrape(), re.MULTILINE):
        name = re.sub(r"_bucket$", "", sample)
        seen[name] |= set(re.findall(r'(\w+)="', labels)) - {"le"}
    assert {name: set(words([row], 2)) for name, row in ROWS.items()} == seen


def test_every_metric_that_a_collector_gets_is_documented_with_its_unit() -> None:
    found = {}
    for _, tree in sources("providers/otel.py"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "").startswith("create_"):
                given = {k.arg: k.value for k in node.keywords}
                found[ast.literal_eval(node.args[0])] = ast.literal_eval(given["unit"])
    rows = [row for row in PAGE["opentelemetry"] if len(row) == 4]
    assert {words([row])[0]: words([row], 2)[0] for row in rows} == found


@pytest.mark.parametrize("which", ["call", "attempt"])
def test_every_attribute_is_documented_where_it_stands_and_no_other(which: str) -> None:
    rows = [row for row in PAGE["opentelemetry"] if len(row) == 3]
    documented = {words([row])[0] for row in rows if row[1] in {which, "both"}}
    failed = replace(ENTRY, outcome="failed", error="upstream_timeout")
    told = (
        otel.call_attributes(ENTRY) | otel.call_attributes(failed)
        if which == "call"
        else otel.attempt_attributes(ENTRY, ATTEMPT, ("api.example", 443))
    )
    names = {
        re.sub(r"(?<=\.energy\.)\w+|(?<=\.tag\.).*|(?<=\.found\.).*|(?<=\.hidden\.).*", "*", name) for name in told
    }
    assert names == documented

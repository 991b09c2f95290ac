"""The page on JSON has every field of every object and every word of every closed vocabulary, and no other."""

from __future__ import annotations

import ast
import re
import typing
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace

from demitasse.build import drift_alerts
from demitasse.build.replaying import as_json as replay_json
from demitasse.cli.offline import as_object as certified_file
from demitasse.core import call, entry, policy, price
from demitasse.core.ledger import Bucket
from demitasse.core.limits import Alert
from demitasse.core.policy import ALWAYS_CHEAP, Policy
from demitasse.gateway import prefix_watch
from demitasse.gateway.prompt_cache import PromptCache
from demitasse.lab.drift import streams
from demitasse.lab.offline import certify_rows
from demitasse.lab.replay import Worse, replay
from demitasse.providers.prompt_caching import rules
from demitasse.testing import FakeModel, MockUpstream
from demitasse.web.energy import Meter
from demitasse.web.entries import bill_json, entry_json
from demitasse.web.promises import Promise, promise_json
from demitasse.web.report import build_report, month_start_us
from tests.build.test_app import Site
from tests.docs.pages import page, sources, tables, texts, words
from tests.docs.test_metrics_page import ATTEMPT, ENTRY
from tests.lab.test_offline import population
from tests.web.fakes import HOUR_US, NOW_US, FakeBooks

PAGE = tables(page("reference/json.md"))
DECIDED = replace(
    ENTRY,
    decision=entry.Decision("pol_1", "m", candidates=("m",), action="draft", score=0.9, certificate="c"),
    charges=(entry.Charge("default", "ever", 1),),
)
CARD = price.Card(id="c", provider="p", model="m", base=price.rates(input=1, output=1))


def fields(heading: str) -> set[str]:
    return set(words(PAGE[heading]))


def listed(heading: str, field: str) -> set[str]:
    """The members that a row names in its meaning, for small objects without a table of their own."""
    (row,) = (row for row in PAGE[heading] if words([row]) == [field])
    return set(re.findall(r"`([a-z_]+)`", row[2]))


def test_an_entry_has_the_documented_fields() -> None:
    told = entry_json(DECIDED)
    assert set(told) == fields("entry")
    assert set(told["attempts"][0]) == fields("attempt")
    assert set(told["usage"]) == fields("usage") == set(call.BUCKETS)
    assert set(msgspec.to_builtins(told["decision"])) | {"propensity", "reason"} == fields("decision")
    assert set(told["charges"][0]) == {"budget", "window", "usd"} <= listed("entry", "charges") | {"usd"}
    assert set(told["attempts"][0]["energy_j"]) == {"low", "high", "method"}


def test_a_bill_has_the_documented_fields() -> None:
    told = bill_json(ATTEMPT, {"c": CARD}.get, Meter())
    assert set(told) == fields("bill")
    assert set(told["lines"][0]) == listed("bill", "lines")


def test_a_replay_has_the_documented_fields() -> None:
    other = Policy("m", "small", "large", ALWAYS_CHEAP)
    worse = Worse("c", "", 0.5, known=True)
    done = replay([replace(ENTRY, route="m", cache="miss")], [], other, scorer=None, price=lambda _entry, _model: 1)
    told = replay_json(replace(done, worst=(worse,)), 0, 1)
    assert set(told) == fields("replay")
    assert set(told["would_usd"]) == {"estimate", "interval", "grade"} <= listed("replay", "would_usd")
    assert set(told["worst"][0]) == listed("replay", "worst")
    about = {"route", "policy", "since_us", "until_us", "slices", "worst"}
    assert set(told["slices"][0]) == {"name"} | fields("replay") - about


def test_a_certified_file_has_the_documented_fields() -> None:
    rows = population(200, 1)
    told = certified_file(certify_rows(rows), (1.0, 0.0))
    assert set(told) == fields("certified file")
    assert set(told["baselines"]) | {"quality", "saving"} == listed("certified file", "baselines")
    assert set(told["holdout"]) == {"quality", "saving"}


def test_a_report_has_the_documented_fields() -> None:
    bucket = Bucket(hour=NOW_US // HOUR_US, key="k", model="m", route="m", outcome="answered", cache="miss", requests=1)
    saved = replace(bucket, cost_nanos=1, saved_routed_nanos=1, text_out=1)
    early = [replace(saved, hour=NOW_US // HOUR_US - 24 * days) for days in range(6)]
    books = FakeBooks(buckets=early)
    promise = Promise("crt_1", "m", "promoted", 0.95, 0.96, 0.05, 0.4, 0.3, 0.5, 300, 0, NOW_US)
    told = build_report(books, month_start_us(NOW_US), NOW_US, NOW_US, promises=(promise,)).as_json()
    assert set(told) == fields("report")
    assert set(told["savings"][0]) == listed("report", "savings")
    assert set(told["forecast_usd"]) == listed("report", "forecast_usd")
    assert set(told["quality"]) == listed("report", "quality")
    assert set(told["quality"]["bounds"][0]) == set(promise_json(promise)) == fields("promise")
    assert all(set(told[name][0]) == fields("slice") for name in ("by_key", "by_model", "by_route", "by_day"))
    assert set(told["tokens"]) == fields("usage")
    assert set(told["saved_by_cause"]) == fields("cause")


async def test_the_status_has_the_documented_fields(tmp_path) -> None:
    from demitasse.build.facts import status
    from demitasse.providers.supervisor import EngineStatus

    async with MockUpstream() as up:
        site = Site(tmp_path, up)
        site.write()
        async with site.app() as app:
            told = status(app)
    assert set(told) == fields("status")
    states = {"closed", "open", "half", "route", "model", "null"}
    assert set(told["models"][0]) == listed("status", "models") - states
    assert set(told["cache"]) == listed("status", "cache")
    assert set(EngineStatus.__struct_fields__) == listed("status", "engines")


def test_the_prompt_cache_and_its_findings_have_the_documented_fields() -> None:
    finding = prefix_watch.Finding("k", "m", "date", "messages[0]", 0, 9, 9, 1, 1, 1, 0, 1)
    memory = PromptCache(b"salt")
    memory.over(FakeModel(), "m", rules()[0], None)
    assert set(memory.facts()[0]) == fields("prompt cache")
    assert set(prefix_watch.as_json(finding)) == fields("finding")


def test_the_semantic_cache_tells_the_documented_fields() -> None:
    from demitasse.gateway.care import figures
    from demitasse.gateway.semantic import SemanticCache, SemanticSettings

    assert set(figures(None)) == {"on"}
    embed: typing.Any = SimpleNamespace(dims=2)
    told = figures(SemanticCache(SemanticSettings(), embed, clock=lambda: 0, draw=lambda: 0.5))
    assert set(told) == fields("semantic cache")


def test_an_alert_has_the_documented_fields() -> None:
    assert set(Alert.__struct_fields__) == fields("alert")


@pytest.mark.parametrize(
    ("heading", "vocabulary"),
    [
        ("outcome", entry.Outcome),
        ("cache", entry.CacheTier),
        ("attempt status", entry.AttemptStatus),
        ("cause", entry.Cause),
        ("grade", entry.Grade),
        ("event", entry.EventKind),
        ("certificate state", policy.CertificateState),
        ("finding kind", prefix_watch.BreakKind),
        ("energy method", call.Energy.__annotations__["method"]),
    ],
)
def test_a_vocabulary_is_the_types_own(heading: str, vocabulary: object) -> None:
    if isinstance(vocabulary, str):
        vocabulary = eval(vocabulary, vars(call))
    assert words(PAGE[heading]) == list(typing.get_args(vocabulary))


def test_kinds_are_those_of_calls_and_the_unknown() -> None:
    assert words(PAGE["kind"]) == [*typing.get_args(call.Kind), "unknown"]


def test_flags_are_those_that_the_entry_lists_and_that_the_source_sets() -> None:
    (_, tree) = next(iter(sources("core/entry.py")))
    said = next(t for t in texts(tree) if t.startswith("Documented marks: "))
    marks = said.removeprefix("Documented marks: ").rstrip(".").split(", ")
    assert words(PAGE["flags"]) == marks
    used: set[str] = set()
    for _, module in sources("gateway/", "store/"):
        for node in ast.walk(module):
            if (isinstance(node, ast.keyword) and node.arg == "flags") or (
                isinstance(node, ast.Assign) and "flags" in ast.unparse(node.targets[0])
            ):
                used |= texts(node.value)
    assert used - {"answered"} == set(marks) - {"loop"}


def test_alert_kinds_are_those_that_the_source_raises() -> None:
    found: set[str] = {*streams.KINDS, drift_alerts.SPEND, drift_alerts.OVER}
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Alert":
                found |= {t for k in node.keywords if k.arg == "kind" for t in texts(k.value)}
    assert set(words(PAGE["alert kind"])) == found


def test_every_link_of_the_reference_leads_somewhere() -> None:
    from tests.docs.pages import ROOT

    for path in [ROOT / "docs/money.md", *(ROOT / "docs/reference").glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)]+)\)", text):
            file, _, anchor = target.partition("#")
            if "://" in target:
                continue
            there = path.parent / file if file else path
            assert there.exists(), (path.name, target)
            if anchor:
                heads = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}
                assert anchor in anchors, (path.name, target)

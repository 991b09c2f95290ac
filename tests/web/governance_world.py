"""A data folder with a bit of everything that governance shows."""

from __future__ import annotations

import asyncio

from demitasse.build import in_force
from demitasse.build.governing_page import GovernancePages
from demitasse.config import load
from demitasse.core.acting import acting
from demitasse.core.call import Usage
from demitasse.core.entry import Attempt, Check, Entry, Guarded
from demitasse.core.limits import Alert, Key
from demitasse.lab.evals.result import Run, Summary, write
from demitasse.store.books import SqliteBooks
from demitasse.store.erasure import erase
from demitasse.store.evidence import SqliteEvidence
from demitasse.store.ledger import SqliteLedger
from demitasse.store.settings import Settings
from demitasse.store.subjects import Subject

from . import fakes

NOW_US = fakes.NOW_US
DAY_US = 86_400_000_000


def call(id, at_us, model="gpt-5.1", provider="openai", **more):
    usage = Usage(uncached_in=700, text_out=90)
    tried = Attempt(
        model=model,
        provider=provider,
        upstream_model=model,
        status="ok",
        started_us=at_us,
        duration_ms=700.0,
        usage=usage,
        cost_nanos=90_000,
    )
    fields = {
        "key": "alice", "kind": "chat", "asked_model": "support", "outcome": "answered", "route": "support", "model": model, "provider": provider,
        "cache": "miss", "usage": usage, "cost_nanos": 90_000, "baseline_nanos": 90_000, "attempts": (tried,), "duration_ms": 701.0,
        "team": "support", "tags": (("feature", "titles"),),
    }  # fmt: skip
    return Entry(id=id, at_us=at_us, **(fields | more))


def full(folder):
    """Fill a data folder; returns it."""
    data = folder / "data"
    (folder / "demitasse.toml").write_text(
        '[models.smollm2-135m]\nprovider = "local"\nsource = "smollm2-135m"\n[models.mine]\nprovider = "local"\nsource = "mine.gguf"\n'
        '["models"."gpt-5.1"]\nprovider = "openai"\nregion = "eu-west"\nprice = { input_usd_per_mtok = 1.25, output_usd_per_mtok = 10 }\n'
        '[governance]\nprofile = "commercial"\nproviders = ["openai", "mistral"]\n'
    )
    settings = Settings(data, clock=lambda: NOW_US - 120 * DAY_US)
    in_force.record(settings, load(None, {}, folder))
    settings.close()
    ledger = SqliteLedger.open(data, clock=lambda: NOW_US - DAY_US)
    guard = Guarded(
        found=(("EMAIL", 2), ("IBAN", 1)),
        band="low",
        done=(("redact", "EMAIL", 2),),
        checks=(Check("grounding", True, 0.91),),
    )
    entries = [call(f"a{i}", NOW_US - (i % 20 + 1) * DAY_US, guard=guard) for i in range(60)]
    entries += [call(f"b{i}", NOW_US - (i % 9 + 1) * DAY_US, "smollm2-135m", "local") for i in range(25)]
    broken = Attempt(
        model="gpt-5.1",
        provider="openai",
        upstream_model="gpt-5.1",
        status="error",
        started_us=NOW_US - DAY_US,
        duration_ms=3.0,
        http_status=503,
    )
    entries.append(
        call(
            "f1",
            NOW_US - DAY_US,
            "mistral/mistral-small",
            "mistral",
            attempts=(broken, *call("x", 0, "mistral/mistral-small", "mistral").attempts),
        )
    )
    entries.append(
        call(
            "r1",
            NOW_US - DAY_US,
            outcome="refused",
            model=None,
            provider=None,
            attempts=(),
            cost_nanos=0,
            baseline_nanos=None,
            error="provider_not_approved",
        )
    )

    async def settle():
        for each in entries:
            await ledger.settle(each)

    asyncio.run(settle())
    ledger.close()
    settings = Settings(data, clock=lambda: NOW_US - DAY_US, by="command:ada")
    settings.add_key(Key("k1", "alice", b"m" * 32, NOW_US - 40 * DAY_US, team="support"))
    settings.add_key(Key("k2", "ci-bot", b"m" * 32, NOW_US - 30 * DAY_US))
    settings.revoke_key("ci-bot")
    settings.put_certificate(fakes.certificate(), "certified")
    settings.put_certificate(fakes.certificate(), "promoted")
    settings.raise_alert(
        Alert(
            "a1",
            NOW_US - DAY_US,
            "loop_detected",
            "smollm2-135m",
            "key 'ci-bot' is paused: it asked the same thing 212 times",
            "demitasse keys resume ci-bot",
        )
    )
    settings.turned_away({"invalid_api_key": 1_204, "foreign_origin": 3, "too_many_wrong_keys": 88_410})
    settings.clock = lambda: NOW_US - 3 * DAY_US
    settings.turned_away({"invalid_api_key": 2})
    settings.tell(
        "master_key", "wrapped", {"keys": 12, "who": "the data protection officer", "why": "a laptop was lost"}
    )
    with acting("key:olga"):
        settings.tell("held", "0a1b2c3d4e", {"did": "read", "call": "a3"})
    settings.close()
    told = {"by": "command:ada", "who": "dpo", "why": "request 17 of 2026"}
    erase(data, [Subject("sub_1", "sub_t")], NOW_US - 2 * DAY_US, say=told)
    summary = Summary(
        n=400,
        samples=400,
        quality=0.842,
        quality_interval=(0.806, 0.874),
        format_failures=3,
        wrong=60,
        unscored=0,
        errors=0,
        cost_nanos=4_000_000,
    )
    run = Run(
        id="headlines-small", task="headlines", task_hash="ab" * 32, form="label", scorer="label", model="smollm2-135m", identity="local/smollm2-135m", mode="constrained",
        n=400, began_us=NOW_US - 3 * DAY_US, state="complete", ended_us=NOW_US - 3 * DAY_US, summary=summary, source="file:headlines.csv", licence="CC0-1.0",
    )  # fmt: skip
    (data / "evaluations/headlines-small").mkdir(parents=True)
    write(data / "evaluations/headlines-small", run)
    return data


def bare(folder):
    """A ``Governance`` on a folder in which nothing has happened yet."""
    (folder / "demitasse.toml").write_text("")
    return pages(folder)


def pages(folder):
    """A ``Governance`` on what ``full`` made."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    ledger = Settings(data, clock=lambda: NOW_US)
    config = load(None, {}, folder)
    return GovernancePages(
        data, SqliteBooks(data), SqliteEvidence(data), ledger, config=lambda: config, clock=lambda: NOW_US
    )

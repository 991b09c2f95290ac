"""The semantic cache as it is put together: a real embedding, a provider on a socket, verdicts beside the calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demitasse.build.app import App
from demitasse.core.entry import Entry
from demitasse.testing import MockUpstream
from tests.build.test_app import Site, say
from tests.story.asgi import ask, until

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "a",
        "schema": {"type": "object", "properties": {"size": {"type": "string"}}, "required": ["size"]},
    },
}
"""The provider's answer to it is the same whatever is asked."""
WAYS = (
    "What is the size of a {}?", "what is the size of a {}", "Tell me what the size of a {} is", "What size is a {}?",
    "The size of a {}, what is it?", "what size is a {}", "Say what the size of a {} is.", "Please, what is the size of a {}?",
)  # fmt: skip

THINGS = (
    "cup ball house river tree spoon table window garden mountain bridge candle ladder mirror basket hammer pillow rocket "
    "violin bottle carpet kettle lantern needle orchard pencil saddle tunnel wagon anchor button cradle dragon feather"
)


@pytest.fixture
async def site(tmp_path: Path, embedding_path: Path) -> AsyncIterator[Site]:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        models = tmp_path / "data" / "models"
        models.mkdir(parents=True)
        (models / embedding_path.name).symlink_to(embedding_path)
        site.write(more="[cache]\nsemantic = { max_error = 0.4 }\n[loop_guard]\nenabled = false\n")
        yield site


async def test_it_serves_nothing_until_checks_have_shown_that_it_may_and_then_it_does(site: Site) -> None:
    async with site.app() as app:
        assert app.banner().mode.endswith("semantic cache on")
        tiers = []
        for thing in THINGS.split():
            for way in WAYS if "semantic" not in tiers else ():
                answer = await say(app, way.format(thing), response_format=SCHEMA)
                tiers.append(answer.headers["x-demitasse-cache"])
                await until(lambda: not app._similar.waiting)
        assert tiers[:4] == ["miss"] * 4 and "semantic" in tiers
        (_, entry) = next((n, e) for n, e in app.books.entries() if e.cache == "semantic")
        assert entry.cost_nanos == 0 and dict(entry.saved)["semantic_cache"] == entry.baseline_nanos > 0
        await cared_for(app, entry)
        labels = app.evidence.labels(source="check")
        assert labels and all(label.others[0].score == 1.0 for label in labels)
        checks = app._similar.cache.stats()["gates"][0]["checks"]
        assert checks
    async with site.app() as app:
        # another answer: the one that was told to be wrong is never kept again
        other = {"type": "json_object"}
        for text in ("What is the size of a star?", "what is the size of a star"):
            await say(app, text, response_format=other)
        assert app._similar.cache.stats()["gates"][0]["checks"] >= checks, "what was learned outlives a restart"


async def cared_for(app: App, hit: Entry) -> None:
    """It is explained, told to be wrong, and then gone."""
    told = await get(app, f"/demitasse/semantic/{hit.id}")
    assert told["nearest"].strip("?.").lower().split()[-1] in THINGS and told["gate"]["open"]
    assert told["from_call"] in hit.decision.reason
    figures = await get(app, "/demitasse/semantic")
    assert figures["on"] and figures["hits"] >= 1 and figures["gates"][0]["open"]
    said = {"id": hit.id, "score": 0.0}
    assert (await ask(app.gateway, said, path="/demitasse/feedback")).status == 200
    after = await get(app, "/demitasse/semantic")
    assert after["answers"] == figures["answers"] - 1
    missing = await ask(app.gateway, b"", path=f"/demitasse/semantic/{hit.id}", method="GET")
    assert missing.status == 404
    gone = await ask(app.gateway, {"tenant": "local"}, path="/demitasse/semantic/evict")
    assert gone.json()["evicted"] == after["answers"]
    for wrong in ({}, {"id": "a", "tag": "b=c"}, {"name": "x"}, []):
        assert (await ask(app.gateway, wrong, path="/demitasse/semantic/evict")).status == 400


async def get(app: App, path: str) -> dict[str, Any]:
    return (await ask(app.gateway, b"", path=path, method="GET")).json()


async def test_without_rule_or_judge_it_counts_as_wrong_and_stays_closed(site: Site) -> None:
    async with site.app() as app:
        for thing in ("cup", "ball", "house"):
            for way in WAYS:
                answer = await say(app, way.format(thing))  # the provider says the question again
                assert answer.headers["x-demitasse-cache"] == "miss"
                await until(lambda: not app._similar.waiting)
        (gate,) = app._similar.cache.stats()["gates"]
        assert not gate["open"] and gate["hits"] == 0 < gate["verdicts"]
        assert None in {label.others[0].score for label in app.evidence.labels(source="check")}


async def test_it_is_turned_off_and_on_without_a_restart(site: Site) -> None:
    async with site.app() as app:
        site.write(more="[cache]\nsemantic = false\n")
        await app.take_up(site.read())
        assert app.gateway.steps.semantic is None and "semantic" not in app.banner().mode
        site.write(more="[cache]\nsemantic = true\n")
        await app.take_up(site.read())
        assert app.gateway.steps.semantic is not None

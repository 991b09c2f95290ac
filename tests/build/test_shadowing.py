"""Shadow calls as they are put together: real settings, real store, a provider on a socket."""

import base64
import json
import os
import re

import msgspec
import pytest

from demitasse.core.errors import ConfigError
from demitasse.core.evidence import OWN_KEY
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.evidence import SqliteEvidence
from demitasse.testing import MockUpstream
from tests.build.test_app import PRICE, Site
from tests.story.asgi import ask, chat, until

ROUTES = f"""
[models.cheap]
provider = "openai"
base_url = "{{url}}"
model = "mock"
price = {{{{ input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.2 }}}}
[models.dead]
provider = "openai"
base_url = "{{url}}"
model = "mock-500"
{PRICE.replace("{", "{{").replace("}", "}}")}
[routes.auto]
reference = "mock"
ladder = ["cheap", "mock"]
[retry]
attempts = 1
"""


@pytest.fixture
async def site(tmp_path):
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.routes = ROUTES.format(url=up.base_url)
        yield site
    assert verify(tmp_path / "data") == (True, None)
    assert recount(tmp_path / "data") == []


async def say(app, text="Say hello.", **more):
    return await ask(app.gateway, chat(text, model="auto", max_tokens=6, **more))


async def labelled(app, count):
    await until(lambda: len(app.evidence.labels()) == count)
    return app.evidence.labels()


async def test_a_drawn_call_becomes_a_label_with_its_own_row_and_budget(site):
    site.write(site.routes + "[shadow]\nusd_per_day = 0.5\nrate = 1.0")
    async with site.app() as app:
        assert (await say(app, stream=True)).status == 200
        (label,) = await labelled(app, 1)
        own = next(entry for _, entry in app.books.entries() if entry.key == OWN_KEY)
        spent = {s.budget.name: s for s in app.books.spent(app.clock())}
        assert (label.method, label.others[0].model, label.others[0].score) == ("equal", "cheap", 1.0)
        assert own.route == "auto" and dict(own.tags) == {"purpose": "shadow", "of": label.id}
        assert spent["shadow"].settled_nanos == own.cost_nanos and spent["shadow"].budget.limit_nanos == 5 * 10**8
        assert json.loads(site.up.bodies[-1]).get("stream") is None
        await until(lambda: app._metrics.labels)  # counted once it was kept and looked at
        metrics = await ask(app.gateway, b"", path="/metrics", method="GET")
        assert 'demitasse_labels_total{route="auto",source="shadow"} 1' in metrics.body.decode()
        assert "demitasse_shadow_waiting 0" in metrics.body.decode()


async def test_without_an_amount_nothing_is_asked_in_secret(site):
    site.write(site.routes)
    async with site.app() as app:
        await say(app)
        assert app.gateway.steps.shadow is None and "shadow" not in {b.name for b in app.ledger.budgets()}
    assert len(site.up.served) == 1


async def test_shadows_begin_and_end_with_the_setting(site):
    site.write(site.routes)
    async with site.app() as app:
        site.write(site.routes + "[shadow]\nusd_per_day = 1\nrate = 1.0")
        await app.take_up(site.read())
        await say(app, "one")
        await labelled(app, 1)
        site.write(site.routes)
        await app.take_up(site.read())
        await say(app, "two")
        assert app.gateway.steps.shadow is None
        assert "shadow" not in {b.name for b in app.ledger.budgets()}
    assert len(site.up.served) == 3


async def test_a_budget_raised_over_the_file_is_not_lost_to_a_shadow_without_one(site):
    site.write(site.routes + "[shadow]\nusd_per_day = 1\nrate = 1.0")
    async with site.app() as app:
        app.ledger.remove_budget("shadow")
        await say(app)
        await until(lambda: app._metrics.dropped == {"budget": 1})
    assert len(site.up.served) == 1


async def test_a_dead_model_on_the_ladder_leaves_the_others_their_label(site):
    site.write(
        site.routes.replace('"cheap", "mock"', '"dead", "cheap", "mock"') + "[shadow]\nusd_per_day = 1\nrate = 1"
    )
    async with site.app() as app:
        await say(app)
        (label,) = await labelled(app, 1)
        assert [answer.model for answer in label.others] == ["cheap"] and app._metrics.dropped == {"upstream": 1}


async def test_both_bodies_are_kept_side_by_side_and_a_recording_stays_the_clients(site):
    os.environ["BODY_KEY"] = base64.b64encode(b"k" * 32).decode()
    try:
        site.write(
            site.routes
            + '[shadow]\nusd_per_day = 1\nrate = 1.0\n[keep]\nbodies = true\nmaster_key_env = "BODY_KEY"\n[cache]\nexact = false'
            + '\n[models.again]\nprovider = "recorded"\n'
        )
        async with site.app() as app:
            await say(app, "What is kept?")
            (label,) = await labelled(app, 1)
            refs = [label.reference.entry, label.others[0].entry]
            await until(lambda: all(app._keeper.recording(ref) for ref in refs))
            first, second = (app._keeper.recording(ref) for ref in refs)
            assert refs[0] == label.id and msgspec.json.decode(second.request)["model"] == "cheap"
            shown = await ask(app.gateway, b"", path="/review", method="GET", headers={"accept": "application/json"})
            pair, ground = shown.json()["pair"], shown.json()["ground"]
            assert pair["prompt"] == [{"role": "user", "text": "What is kept?"}] and pair["left"] == pair["right"]
            assert ground == {"draws": True, "keeps": True, "ladder": True, "judge": ""}
            page = await ask(app.gateway, b"", path="/review", method="GET")
            csrf = re.search(rb'name="csrf" value="([0-9a-f]+)"', page.body)[1].decode()
            form = f"csrf={csrf}&id={label.id}&number=0&choice=equal&back=/review".encode()
            head = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:4141"}
            voted = await ask(app.gateway, form, path="/review/vote", headers=head)
            assert voted.status == 303, voted.body
            (vote,) = app.evidence.labels(source="vote")
            assert vote.others[0].score == 1.0 and 'source="vote"' in app._metrics.text({}, {}).decode()
            again = await ask(app.gateway, chat("What is kept?", model="again", max_tokens=6))
            assert again.json()["id"] == json.loads(bytes(first.reply))["id"], "and not what another model said"
    finally:
        del os.environ["BODY_KEY"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('judge = "mok"', "shadow.judge: no model 'mok'; did you mean 'mock'?"),
        ('judge = "auto"', "shadow.judge: 'auto' is a route; name a model"),
        ("rate = 0", "shadow.rate: expected a number above 0 and at most 1"),
        ("rate = 1.5", "shadow.rate: expected a number above 0 and at most 1"),
        ("[budgets.shadow]\nusd_per_day = 2", "budgets.shadow: [shadow] usd_per_day makes a budget of this name"),
    ],
)
def test_a_wrong_setting_is_told_with_its_remedy(tmp_path, more, told):
    site = Site(tmp_path, MockUpstream())
    site.write(ROUTES.format(url="http://127.0.0.1:1/v1") + f"[shadow]\nusd_per_day = 1\n{more}")
    with pytest.raises(ConfigError) as error:
        site.read()
    assert told in str(error.value)


async def test_a_gateway_that_stops_books_the_shadows_under_way(site):
    site.up.delay_ms = 0
    site.write(site.routes.replace('"cheap", "mock"', '"slow", "mock"').replace("models.cheap", "models.slow").replace(
        'model = "mock"\n', 'model = "mock-hang"\n') + "[shadow]\nusd_per_day = 1\nrate = 1.0")  # fmt: skip
    async with site.app() as app:
        await say(app)
        await until(lambda: len(site.up.served) == 2)
    evidence, books = SqliteEvidence(site.home / "data"), SqliteBooks(site.home / "data")
    own = [entry for _, entry in books.entries() if entry.key == OWN_KEY]
    assert evidence.labels() == [] and books.held_nanos() == 0
    assert [(entry.outcome, entry.cost_nanos > 0) for entry in own] == [("cancelled", True)]
    evidence.close()
    books.close()

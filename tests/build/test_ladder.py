"""A ladder as it is put together: a real store, a learned scorer, a provider on a socket, and what a start says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, structs

from demitasse.build.app import App
from demitasse.build.scoring import VERSION
from demitasse.core.policy import Certificate, Policy, Setting
from demitasse.score.features import NAMES
from demitasse.score.scorer import Head, Scorer, dump
from demitasse.testing import MockUpstream
from tests.build.test_app import PRICE, Site, now_us, say
from tests.story.asgi import until

SURE, UNSURE = (dump(Scorer(version=VERSION, small=Head(bias, (0.0,) * len(NAMES)))) for bias in (4.0, -4.0))
POLICY = Policy("auto", "small", "mock", Setting(direct=0.8), scorer=SURE)


def certificate(policy: Policy = POLICY, id: str = "cert_1", **changes: Any) -> Certificate:
    now = now_us()
    plain = Certificate(
        id=id, policy=policy, quality=0.95, delta=0.05, estimate=0.97, floor=0.95, saving=0.5, saving_low=0.4,
        saving_high=0.6, n_train=1, n_certify=1, since_us=0, until_us=now, issued_us=now, expires_us=now + 10**10,
        models=(("small", "mini"), ("mock", "mock")),
    )  # fmt: skip
    return structs.replace(plain, **changes)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write(
            more=f'[models.small]\nprovider = "openai"\nmodel = "mini"\nbase_url = "{up.base_url}"\n{PRICE}\n'
            '[routes.auto]\nladder = ["small", "mock"]\nquality = 0.95\n'
        )
        yield site


async def promote(app: App, certificate: Certificate) -> None:
    await app.ledger.certificate(certificate, "certified", now_us())
    await app.ledger.certificate(certificate, "promoted", now_us())


async def model(app: App, text: str = "Say hello.", **more: Any) -> str:
    answer = await say(app, text, model="auto", **more)
    assert answer.status == 200
    return answer.headers["x-demitasse-model"]


async def test_a_promoted_certificate_serves_once_its_scorer_is_read_and_a_start_reads_it_first(site: Site) -> None:
    async with site.app() as app:
        assert app.banner().mode == "observe: calls pass through unchanged; exact cache on"
        assert await model(app, "zero") == "mock"
        await promote(app, certificate())
        await app.gateway.steps.pilot.warm()
        assert await model(app, "one") == "small"
        assert app.banner().mode == "optimise: 1 route under a certificate; exact cache on"
    async with site.app() as app:
        assert await model(app, "two") == "small", "from the first call on"
        (_, entry), *_ = app.books.entries(last=1)
        assert entry.decision.certificate == "cert_1" and entry.decision.score > 0.95
        await app.ledger.certificate(certificate(), "revoked", now_us(), "the watch")
        assert await model(app, "three") == "mock", "and not a call longer"
        assert app.banner().mode.startswith("observe")


@pytest.mark.parametrize(
    ("scorer", "why"),
    [
        (UNSURE, ""),
        (dump(Scorer(version="features-0", small=Head(4.0, (0.0,) * len(NAMES)))), "learned on 'features-0'"),
        (Raw(b'{"no":"scorer"}'), "cannot be read"),
    ],
)
async def test_what_is_unsure_or_cannot_be_read_leads_to_the_reference(site: Site, scorer, why, caplog) -> None:
    async with site.app() as app:
        await promote(app, certificate(structs.replace(POLICY, scorer=scorer)))
        await app.gateway.steps.pilot.warm()
        assert await model(app) == "mock"
    assert why in caplog.text


async def test_a_model_of_another_version_ends_the_certificate_in_every_process_and_tells_a_person(site: Site) -> None:
    changed = certificate(models=(("small", "mini-2026-01-01"), ("mock", "mock")))
    async with site.app() as app:
        await promote(app, changed)
        await app.gateway.steps.pilot.warm()
        assert await model(app, "first") == "small"
        assert await model(app, "second") == "mock"
        await until(lambda: not app.ledger.promoted())
        await until(app.books.alerts)
        ((_, state, _, why),) = app.evidence.certificates(route="auto")
        assert state == "suspended" and "'mini' now; it was 'mini-2026-01-01'" in why
        (alert,) = app.books.alerts()
        assert (alert.kind, alert.subject) == ("certificate_suspended", "auto")


async def test_more_quality_asked_of_a_route_than_was_promised_needs_a_new_certificate(site: Site) -> None:
    async with site.app() as app:
        await promote(app, certificate())
        await app.gateway.steps.pilot.warm()
        assert await model(app, "one") == "small"
        site.file.write_text(site.file.read_text().replace("quality = 0.95", "quality = 0.99"))
        await app.take_up(site.read())
        assert await model(app, "two") == "mock"
        site.file.write_text(site.file.read_text().replace("quality = 0.99", "quality = 0.9"))
        await app.take_up(site.read())
        assert await model(app, "three") == "small"


async def test_a_cheaper_models_kept_answer_does_not_outlive_its_certificate(site: Site) -> None:
    async with site.app() as app:
        await promote(app, certificate())
        await app.gateway.steps.pilot.warm()
        assert [await model(app, "same") for _ in range(2)] == ["small", "small"]
        assert len(site.up.served) == 1
        await promote(app, certificate(structs.replace(POLICY, seed=7), id="cert_2"))
        await app.gateway.steps.pilot.warm()
        answer = await say(app, "same", model="auto")
        assert answer.headers["x-demitasse-cache"] == "miss"
        assert answer.headers["x-demitasse-certificate"] == "cert_2"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_routed_answer_that_is_not_of_the_form_asked_for_is_not_given_and_the_books_say_so(
    site: Site, stream: bool
) -> None:
    wanted = {"type": "object", "minProperties": 5}
    asked = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": wanted}}}
    async with site.app() as app:
        await promote(app, certificate())
        await app.gateway.steps.pilot.warm()
        assert await model(app, "in words") == "small"
        assert await model(app, "as JSON", stream=stream, **asked) == "mock"
        (_, entry), *_ = app.books.entries(last=1)
        assert (entry.decision.action, entry.decision.certificate) == ("escalated", "cert_1")
        assert "the draft fails the check 'schema': the answer is JSON, but not of the schema" in entry.decision.reason
        assert [attempt.model for attempt in entry.attempts] == ["small", "mock"]
        assert dict(entry.saved)["routed"] < 0

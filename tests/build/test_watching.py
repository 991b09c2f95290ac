"""The watch in a running gateway: what a label can do to a certificate, and how fast calls feel it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from demitasse.build.app import App
from demitasse.core.errors import StoreError
from demitasse.core.evidence import Answered, Label
from demitasse.core.policy import Certificate
from demitasse.store.settings import Settings
from demitasse.testing import MockUpstream
from tests.build.test_app import PRICE, Site, now_us
from tests.build.test_ladder import certificate, model, promote
from tests.story.asgi import until


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write(
            more=f'[models.small]\nprovider = "openai"\nmodel = "mini"\nbase_url = "{up.base_url}"\n{PRICE}\n'
            '[routes.auto]\nladder = ["small", "mock"]\nquality = 0.95\n'
        )
        yield site


def label(number: int, score: float | None = 0.0, **more: Any) -> Label:
    """The small model's answer was served, and is worth ``score``."""
    fields: dict[str, Any] = {
        "route": "auto", "source": "shadow", "reference": Answered("mock", "mock", 1.0),
        "others": (Answered("small", "mini", score),), "served": "small", "certificate": "cert_1", "propensity": 0.05,
    }  # fmt: skip
    return Label(id=f"call-{number}", at_us=now_us(), **fields | more)


async def serving(app: App, which: Certificate | None = None) -> None:
    await promote(app, which or certificate())
    await app._watching.look()
    await app.gateway.steps.pilot.warm()
    assert await model(app, "is it in force?") == "small"


def state(app: App, id: str = "cert_1") -> tuple[str, str]:
    return next((state, why) for found, state, _, why in app.evidence.certificates() if found.id == id)


def kinds(app: App) -> list[tuple[str, str]]:
    return [(alert.kind, alert.remedy) for alert in app.books.alerts()]


async def fail(app: App, since: int = 0, **more: Any) -> int:
    """Bad verdicts until the certificate is gone; how many it took."""
    for number in range(since, since + 200):
        await app._watching.label(label(number, **more))
        if not app._watching.promoted():
            return number - since + 1
    raise AssertionError("still in force")


async def test_the_call_after_the_verdict_that_breaks_a_promise_is_answered_by_the_reference(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        for number in range(100):
            if not app._watching.promoted():
                break
            assert await model(app, f"call {number}") == "small"
            await app._watching.label(label(number))
        assert number < 30, "nothing but bad answers"
        assert await model(app, "the next call") == "mock"
        assert app.ledger.promoted() == ()
        found, why = state(app)
        assert found == "revoked" and "fell below 0.95" in why
        await until(app.books.alerts)
        assert kinds(app) == [("certificate_revoked", "demitasse certify auto")]


async def test_good_verdicts_change_nothing(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        for number in range(60):
            await app._watching.label(label(number, 1.0))
        assert await model(app, "after") == "small"
        assert app._watching._watched["cert_1"].n == 60
        assert state(app) == ("promoted", "")


async def test_labels_of_calls_that_it_did_not_serve_say_nothing_of_a_certificate(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        for number in range(100):
            await app._watching.label(label(number, certificate="" if number % 2 else "cert_0"))
            await app._watching.label(label(1000 + number, source="feedback", method="feedback"))
        assert app._watching._watched["cert_1"].n == 0


async def test_a_restart_takes_up_what_was_seen_before(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        needed = await fail(app)
        await promote(app, certificate(id="cert_2"))
        await app._watching.look()
        for number in range(needed - 1):
            await app._watching.label(label(number + 300, certificate="cert_2"))
        assert app._watching.promoted()
    async with site.app() as app:
        assert await model(app, "still") == "small"
        await app._watching.label(label(900, certificate="cert_2"))
        assert await model(app, "gone") == "mock"
        assert state(app, "cert_2")[0] == "revoked"


async def test_verdicts_of_another_process_count_within_a_second(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        other = Settings(app.data)
        try:
            for number in range(40):
                other.post_label(label(number))
        finally:
            other.close()
        await until(lambda: not app.ledger.promoted(), 3.0)
        assert await model(app, "next") == "mock"


async def test_what_cannot_be_written_down_serves_no_call_all_the_same_and_is_written_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.app() as app:
        await serving(app)
        real = app.ledger.certificate

        async def full(*_: Any) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(app.ledger, "certificate", full)
        with pytest.raises(StoreError):
            await fail(app)
        assert app.ledger.promoted(), "the ledger does not know yet"
        assert await model(app, "next") == "mock"
        monkeypatch.setattr(app.ledger, "certificate", real)
        await until(lambda: not app.ledger.promoted(), 3.0)
        assert state(app)[0] == "revoked"


async def test_another_version_in_a_label_suspends(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        await app._watching.label(label(1, 1.0, others=(Answered("small", "mini-2", 1.0),)))
        assert await model(app, "next") == "mock"
        assert state(app) == ("suspended", "'small' is 'mini-2' now; it was 'mini'")
        await until(app.books.alerts)
        assert kinds(app)[0][0] == "certificate_suspended"


async def test_another_system_prompt_suspends_once_it_is_no_exception(site: Site) -> None:
    async with site.app() as app:
        await serving(app, certificate(prompt_hash="aa"))
        for number in range(4):
            await app._watching.label(label(number, 1.0, prompt_hash="bb"))
        assert app._watching.promoted()
        await app._watching.label(label(5, 1.0, prompt_hash="bb"))
        assert state(app) == ("suspended", "its calls come with another system prompt now")


async def test_missing_verdicts_suspend_and_do_not_revoke(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        assert await fail(app, score=None) == 40
        found, why = state(app)
        assert found == "suspended" and "is the judge down?" in why


async def test_a_persons_vote_is_the_verdict_where_there_was_none(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        await app._watching.label(label(1, None))
        assert app._watching._watched["cert_1"].n == 0
        await app._watching.label(label(1, 0.0, source="vote", method="vote"))
        await app._watching.label(label(1, 1.0, source="vote", method="vote"))
        watch = app._watching._watched["cert_1"].watches[""]
        assert (watch.n, watch.seen) == (1, 0.0)


async def test_a_certificate_ends_by_the_clock_to_the_microsecond_and_a_person_is_told(site: Site) -> None:
    async with site.app() as app:
        end = now_us() + 3_600_000_000
        await serving(app, certificate(issued_us=now_us() - 3_600_000_000, expires_us=end))
        await app._watching.look()
        assert kinds(app) == [], "an hour of two is left"
        app._watching._clock = lambda: end - 1
        await app._watching.look()
        assert app._watching.promoted()
        await until(app.books.alerts)
        app._watching._clock = lambda: end
        await app._watching.look()
        assert state(app)[0] == "expired"
        assert await model(app, "later") == "mock"
        await until(lambda: len(app.books.alerts()) == 2)
        assert {kind for kind, _ in kinds(app)} == {"certificate_expiring", "certificate_expired"}


async def test_one_that_a_person_promotes_anew_after_a_suspension_serves_again(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        app._watching.suspend(certificate(), "a doubt")
        assert await model(app, "doubtful") == "mock"
        await until(lambda: not app.ledger.promoted())
        await asyncio.to_thread(app.ledger.put_certificate, certificate(), "promoted", "looked at")
        await app.gateway.steps.pilot.warm()
        assert await model(app, "again") == "small"


async def test_who_takes_a_certificate_back_and_promotes_it_again_does_not_wipe_out_what_was_seen(site: Site) -> None:
    async with site.app() as app:
        await serving(app)
        needed = await fail(app)
        await serving(app, certificate(id="cert_2"))
        for number in range(needed - 1):
            await app._watching.label(label(500 + number, certificate="cert_2"))
        assert app._watching.promoted()
        for became in ("undone", "promoted"):
            await asyncio.to_thread(app.ledger.put_certificate, certificate(id="cert_2"), became, "by hand")
            await app._watching.look()
        await app._watching.label(label(600, certificate="cert_2"))
        assert not app._watching.promoted() and state(app, "cert_2")[0] == "revoked"


async def test_a_task_with_a_floor_of_its_own_has_a_watch_of_its_own(site: Site) -> None:
    from demitasse.core.policy import SliceFloor

    slices = (SliceFloor("maths", 300, 0.98, 0.95, 0.4, True), SliceFloor("chat", 300, 0.98, None, 0.4, False))
    async with site.app() as app:
        await serving(app, structs.replace(certificate(), slices=slices))
        number = 0
        while app._watching.promoted() and number < 2000:
            bad = number % 10 == 0
            await app._watching.label(
                label(number, 0.0 if bad else 1.0, slice="maths" if bad else "chat", served="small")
            )
            if not bad:
                for more in range(3):
                    await app._watching.label(label(10_000 + 3 * number + more, 1.0, slice="chat"))
            number += 1
        found, why = state(app)
        assert found == "revoked" and "task 'maths'" in why


async def test_shadow_calls_of_the_gateway_itself_are_watched(site: Site) -> None:
    site.file.write_text(site.file.read_text() + "[shadow]\nusd_per_day = 1\nrate = 1.0\n")
    async with site.app() as app:
        await serving(app)
        await until(lambda: app._watching._watched["cert_1"].n == 1)
        watch = app._watching._watched["cert_1"].watches[""]
        assert watch.seen == 1.0, "both models say the same here"
        (kept,) = app.evidence.labels()
        assert (kept.certificate, kept.served) == ("cert_1", "small")

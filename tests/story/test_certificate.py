"""The life of a promise: labels, a certificate, a saving, a fall in quality, the reference, labels, a certificate."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from demitasse.build.app import App
from demitasse.build.certifying import Look, certify, terms
from demitasse.build.promoting import chosen, objection, promote
from demitasse.core.evidence import Answered, Label
from demitasse.score import draft, features
from demitasse.score.asked import asked_of
from demitasse.score.normal import answer_of
from demitasse.store import changes
from demitasse.store.audit import verify
from demitasse.store.books import SqliteBooks
from demitasse.store.evidence import SqliteEvidence
from demitasse.store.settings import Settings
from demitasse.testing import MockUpstream
from demitasse.wire.text import question
from tests.build.test_app import Site, now_us, say
from tests.story.asgi import until

DAY_US = 86_400_000_000
CONFIG = """
[models.small]
provider = "openai"
model = "mini"
base_url = "{url}"
price = {{ input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.2 }}
[routes.auto]
ladder = ["small", "mock"]
quality = 0.95
[cache]
exact = false
coalesce = false
[certificates]
look = false
"""


def easy(number: int) -> str:
    return f"What colour is apple {number}?"


def hard(number: int) -> str:
    return (
        f"Explain why the integral of x^{number}/(1+e^x) converges, and prove each of the following:\n"
        f"(A) {number}.5 <= 2x + {number}\n(B) the ratio of both sums is at most {number}/3\n(C) neither of these.\n"
        "Show every step of the derivation in order, with units."
    )


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write(more=CONFIG.format(url=up.base_url))
        yield site
    assert verify(tmp_path / "data") == (True, None)


class Traffic:
    """Calls of which the easy ones, one in two, are well answered by the small model, and the hard ones not."""

    def __init__(self, app: App, seed: int = 0) -> None:
        self.app = app
        self.rng = np.random.default_rng(seed)
        self.number = 0

    async def marks(self, text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """A prompt's features and a draft's marks, as shadow calls keep them."""
        import msgspec

        from tests.story.asgi import chat

        answer = await say(self.app, text, model="small")
        body = msgspec.json.encode(chat(text, model="auto"))
        return features.features(question(body)), draft.marks(asked_of(body), answer_of(answer.body))

    async def labels(
        self, count: int, *, at_us: int, hours: float = 100.0, good: float = 0.99, certificate: str = ""
    ) -> list[Label]:
        """As a judge would have it; ``good``: how often the small model is right about what is easy."""
        _, marks_easy = await self.marks(easy(0))
        _, marks_hard = await self.marks(hard(0))
        found = []
        for i in range(count):
            self.number += 1
            simple = bool(self.rng.random() < 0.5)
            text = easy(self.number) if simple else hard(self.number)
            score = float(self.rng.random() < (good if simple else 0.3))
            served = "small" if certificate and simple else "mock"
            found.append(
                Label(
                    id=f"call-{self.number}",
                    at_us=at_us - int((count - i) * hours * 3.6e9 / count),
                    route="auto",
                    source="shadow",
                    reference=Answered("mock", "mock", 1.0, 900),
                    others=(Answered("small", "mini", score, 90, marks=marks_easy if simple else marks_hard),),
                    session=f"session-{self.number}",
                    propensity=0.05,
                    served=served,
                    features=features.features(text),
                    version=f"{features.VERSION} {draft.VERSION}",
                    certificate=certificate,
                    method="judge:mock",
                )
            )
        return found

    async def ask(self, text: str) -> str:
        answer = await say(self.app, text, model="auto")
        assert answer.status == 200
        return answer.headers["x-demitasse-model"]


@contextlib.contextmanager
def desk(site: Site, clock_us: int) -> Iterator[tuple[Settings, SqliteEvidence, SqliteBooks]]:
    """What a command has at hand."""
    data = site.home / "data"
    settings, evidence, books = Settings(data, clock=lambda: clock_us), SqliteEvidence(data), SqliteBooks(data)
    try:
        yield settings, evidence, books
    finally:
        for one in (settings, evidence, books):
            one.close()


def keep(site: Site, labels: list[Label]) -> None:
    with desk(site, now_us()) as (settings, _, _):
        settings._commit([changes.post_label(label) for label in labels])


def look(site: Site, clock_us: int) -> Look:
    with desk(site, clock_us) as (settings, evidence, books):
        return certify(terms(site.read(), "auto"), settings, evidence, books)


def put_in_force(site: Site, clock_us: int) -> str:
    with desk(site, clock_us) as (settings, evidence, books):
        kept = chosen(evidence, "auto")
        assert objection(kept, site.read(), books, clock_us) is None
        promote(settings, kept, "")
        return kept[0].id


async def test_from_labels_to_a_saving_and_back_to_the_reference_when_quality_falls(site: Site) -> None:
    async with site.app() as app:
        traffic, start = Traffic(app), now_us()
        assert {await traffic.ask(easy(1)), await traffic.ask(hard(1))} == {"mock"}, (
            "nothing is promised, nothing is saved"
        )

        keep(site, await traffic.labels(500, at_us=start))
        certificate = look(site, start).finding.certificate
        assert certificate is not None and 0.3 < certificate.saving < 0.6
        assert await traffic.ask(easy(2)) == "mock", "proven, and serves nothing"

        id = put_in_force(site, start)
        await until(lambda: [c.id for c in app.ledger.promoted()] == [id])
        await app.gateway.steps.pilot.warm()
        served = [text for text in map(easy, range(30)) if await traffic.ask(text) == "small"]
        assert len(served) > 5
        assert {await traffic.ask(hard(number)) for number in range(10)} == {"mock"}
        simple = served[0]
        (_, entry), *_ = app.books.entries(last=1, model="small")
        assert entry.decision.certificate == id and entry.grade == "B" and dict(entry.saved)["routed"] > 0

        await until(lambda: app._watching._watched.get(id) is not None)
        for good in await traffic.labels(60, at_us=now_us(), hours=0.001, certificate=id):
            await app._watching.label(good)
        assert await traffic.ask(simple) == "small"
        bad = await traffic.labels(400, at_us=now_us(), hours=0.001, good=0.5, certificate=id)
        count = 0
        for label in bad:
            count += 1
            await app._watching.label(label)
            if not app._watching.promoted():
                break
            assert await traffic.ask(simple) == "small"
        assert count < 120, "one in four answers is bad now"
        assert await traffic.ask(simple) == "mock", "and not a call longer"
        await until(app.books.alerts)
        (alert,) = app.books.alerts()
        assert (alert.kind, alert.remedy) == ("certificate_revoked", "demitasse certify auto")

        over = now_us()
        again = look(site, over)
        assert again.finding.certificate is None, "what was won before says nothing of what is now"
        assert again.era.since_us <= over and "fell below 0.95" in again.era.why

        later = over + 5 * DAY_US
        keep(site, await traffic.labels(600, at_us=later))
        renewed = look(site, later).finding.certificate
        assert renewed is not None and renewed.id != id and renewed.since_us > again.era.since_us
        history = [state for state, *_ in app.evidence.history(id)]
        assert history == ["certified", "promoted", "revoked"]
        assert put_in_force(site, later) == renewed.id


async def test_the_button_pressed_after_every_few_labels_comes_to_one_promise(site: Site) -> None:
    async with site.app() as app:
        traffic, start = Traffic(app, seed=1), now_us()
        labels = await traffic.labels(500, at_us=start)
        proven = []
        for n in range(50, 501, 50):
            keep(site, labels[n - 50 : n])
            certificate = look(site, start).finding.certificate
            proven.append(0.0 if certificate is None else certificate.saving)
        first = next(i for i, saving in enumerate(proven) if saving > 0)
        assert first > 0 and all(saving > 0 for saving in proven[first:]), "what is proven stays proven"
        votes = [replace(x, source="vote", method="vote") for x in labels]
        keep(site, votes)
        again = look(site, start).finding.standing
        assert again is not None and again.evidence.calls < 400, "a vote is a verdict, and no further call"

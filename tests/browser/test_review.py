"""Votes as a person casts them: by button, by key, on a narrow window. ``DEMITASSE_SCREENSHOTS=DIR`` keeps the pictures."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import expect
from web import fakes

from demitasse.core.evidence import Answered, Label
from demitasse.testing import FakeLedger
from demitasse.web.review import Ground, Reviews, Texts

from .conftest import Site
from .test_dashboard import CLIPPED, CONTRAST, keep

pytestmark = pytest.mark.browser

QUESTIONS = (
    "Summarise in two sentences why the harbour of Trieste mattered to coffee in the 19th century.",
    "Rewrite as a polite e-mail: we can't ship before Tuesday because the roaster broke.",
    "What is 17 % of 250, and how do you get there?",
)
LARGE = (
    (
        "Trieste was the Habsburg empire's free port, so coffee could be landed, stored and traded there without duty. From its "
        "exchange and its roasteries the beans went by rail to Vienna and Prague, and the city's houses grew into the brands that "
        "still bear its name."
    ),
    (
        "Dear customer,\n\nunfortunately our roaster has broken down, and we are not able to ship your order before Tuesday. "
        "We are sorry for the delay and will write to you as soon as your parcel is on its way.\n\nKind regards"
    ),
    "17 % of 250 is 42.5: 250 × 17 / 100 = 4,250 / 100 = 42.5.",
)
SMALL = (
    (
        "Trieste was an important port. Many ships brought coffee to it, and people in Austria liked to drink coffee very much in "
        "that century."
    ),
    "Hi, the roaster broke, we can't ship before Tuesday. Sorry!",
    "To get 17 % of 250 multiply 250 by 0.17. The answer is 42.5.",
)
READY = Ground(draws=True, keeps=True, ladder=True, judge="arbiter")


@dataclass
class Votes:
    site: Site
    ledger: FakeLedger

    @property
    def cast(self) -> list[Label]:
        return self.ledger.labels(source="vote")


def a_text(question: str, words: str) -> Texts:
    turns = [
        {"role": "system", "content": "You help the customers of a small coffee roastery. Be brief and correct."},
        {"role": "user", "content": "Hello, who is there?"},
        {"role": "assistant", "content": "The roastery's assistant. How can I help?"},
        {"role": "user", "content": question},
    ]
    said: dict[str, Any] = {"choices": [{"message": {"content": words}, "finish_reason": "stop"}]}
    return Texts(json.dumps({"messages": turns}).encode(), json.dumps(said).encode())


def put(ledger: FakeLedger, label: Label) -> None:
    """Without a loop of its own: the browser's runs in this thread."""
    with contextlib.suppress(StopIteration):
        ledger.label(label).send(None)


@pytest.fixture
def votes():
    ledger, texts = FakeLedger(), {}
    for n, (question, large, small) in enumerate(zip(QUESTIONS, LARGE, SMALL, strict=True)):
        reference = Answered("gpt-5.1", score=1.0, entry=f"c{n}")
        other = Answered("gpt-5-mini", score=None if n else 0.5, entry=f"s{n}")
        put(ledger, Label(f"c{n}", n, "support", "shadow", reference, (other,)))
        texts |= {f"c{n}": a_text(question, large), f"s{n}": a_text(question, small)}
    for n in range(10, 50):
        answers = {"reference": Answered("gpt-5.1", score=1.0, entry=f"c{n}")}
        for source, score in (("shadow", float(n % 3 > 0)), ("vote", float((n + (n > 46)) % 3 > 0))):
            method = "vote" if source == "vote" else "judge:arbiter" if n % 4 else "equal"
            others = (Answered("gpt-5-mini", score=score),)
            put(ledger, Label(f"c{n}", n, "support", source, others=others, method=method, **answers))
    books, control, facts = fakes.full_site()
    reviews = Reviews(ledger, texts.get, ledger.label, lambda: READY)
    with Site(books, control, facts | {"reviews": reviews}) as running:
        yield Votes(running, ledger)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_a_pair_fits_its_window_in_silence(votes, open_page, width, scheme):
    page = open_page(votes.site.url + "/review", width=width, scheme=scheme)
    page.wait_for_load_state("networkidle")
    keep(page, f"review-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize(("key", "score"), [("1", None), ("ArrowRight", None), ("3", 1.0), ("4", 0.0)])
def test_a_key_is_a_vote_and_then_it_is_told_whose_answers_they_were(votes, open_page, key, score):
    before = len(votes.cast)
    page = open_page(votes.site.url + "/review")
    first = page.locator(".answers").inner_text()
    assert "gpt" not in page.locator("main").inner_text().lower()
    page.keyboard.press(key)
    expect(page.get_by_role("status")).to_contain_text("'gpt-5.1' (the reference)")
    keep(page, f"review-voted-{key}")
    assert len(votes.cast) == before + 1
    if score is not None:
        assert votes.cast[-1].others[0].score == score or score in {label.others[0].score for label in votes.cast}
    assert page.locator(".answers").inner_text() != first, "the next pair is there at once"


def test_a_vote_is_taken_back_with_one_press(votes, open_page):
    page = open_page(votes.site.url + "/review")
    question = page.locator(".turn .words").last.inner_text()
    page.get_by_role("button", name="Equally good").click()
    page.get_by_role("status").get_by_role("button", name="undo").click()
    expect(page.get_by_role("status")).to_contain_text("taken back")
    assert page.locator(".turn .words").last.inner_text() == question


def test_skipping_by_key_leads_to_the_others_and_then_to_an_end(votes, open_page):
    page = open_page(votes.site.url + "/review")
    for _ in QUESTIONS:
        page.locator(".answers").wait_for()
        with page.expect_navigation():
            page.keyboard.press("s")
    expect(page.get_by_role("heading", name="That was all of them")).to_be_visible()
    keep(page, "review-all-skipped")


def test_what_is_read_can_be_scrolled_with_the_arrows_without_voting(votes, open_page):
    page = open_page(votes.site.url + "/review")
    before = len(votes.cast)
    page.locator(".answers .words").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert len(votes.cast) == before


def test_votes_are_cast_without_scripts_too(votes, open_page):
    page = open_page(votes.site.url + "/review", java_script_enabled=False)
    page.get_by_role("button", name="Both are bad").click()
    expect(page.get_by_role("status")).to_contain_text("(the reference)")


@pytest.mark.parametrize(
    ("name", "ground"),
    [("ladder", Ground()), ("shadow", Ground(ladder=True)), ("keep", Ground(ladder=True, draws=True))],
)
def test_what_is_missing_is_taught_in_silence(open_page, name, ground):
    books, control, facts = fakes.full_site()
    ledger = FakeLedger()
    reviews = Reviews(ledger, lambda _id: None, ledger.label, lambda: ground)
    with Site(books, control, facts | {"reviews": reviews}) as running:
        page = open_page(running.url + "/review", width=1024)
        page.wait_for_load_state("networkidle")
        keep(page, f"review-needs-{name}")
        assert page.evaluate(CLIPPED) == [] and page.evaluate(CONTRAST) == []
        expect(page.locator(".empty pre")).to_contain_text(f"[{name}" if name != "ladder" else "ladder = ")

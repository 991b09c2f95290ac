"""Evaluations as they are put together: real settings, real ledger, a provider on a socket."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from msgspec import structs

from demitasse.build.evaluating import PREFIX, Wanted
from demitasse.core.errors import Refused
from demitasse.core.evidence import LAB_KEY
from demitasse.lab.evals import result
from demitasse.lab.evals.result import EvaluationError
from demitasse.lab.tasks.task import Sample, Task
from demitasse.store.books import SqliteBooks
from demitasse.web.report import build_report
from tests.build.lab_site import lab, lab_site  # noqa: F401 - a fixture
from tests.build.test_app import PRICE, now_us

DAY_US = 86_400_000_000
TASK = Task(
    "colours",
    tuple(Sample(f"s{i}", f"Which colour has thing number {i}?", ("red" if i % 2 else "blue",)) for i in range(30)),
    form="label",
    labels=("red", "blue"),
    max_tokens=20,
)


async def test_an_evaluation_is_in_the_books_to_the_nano_and_claims_no_saving(site):
    async with lab(site) as desk:
        run, rows = await desk.evaluate(TASK, Wanted("mock"))
        assert (run.state, run.summary.n, run.mode) == ("complete", 30, "constrained")
        assert run.summary.quality == 0.5, "the mock says the first label to everything"
        entries = [e for _, e in desk.app.books.entries(last=100)]
        assert {e.key for e in entries} == {LAB_KEY} and len(entries) == 30
        assert {dict(e.tags)["evaluation"] for e in entries} == {run.id}
        assert sum(e.cost_nanos for e in entries) == run.summary.cost_nanos > 0
        assert sorted(e.id for e in entries) == sorted(row.entry for row in rows)
        report = build_report(desk.app.books, now_us() - DAY_US, now_us() + DAY_US, now_us())
        assert (report.requests, report.saved_nanos, report.own_nanos) == (0, 0, 0)
        assert report.paid_nanos == report.baseline_nanos == report.lab_nanos == run.summary.cost_nanos


async def test_the_same_evaluation_again_asks_nobody_and_another_model_behind_the_name_is_asked(site):
    async with lab(site) as desk:
        first, _ = await desk.evaluate(TASK, Wanted("mock"))
    assert len(site.up.served) == 30
    async with lab(site) as desk:
        again, _ = await desk.evaluate(TASK, Wanted("mock"))
        assert len(site.up.served) == 30 and again.reused == 30
        assert again.id == first.id and again.summary.cost_nanos == first.summary.cost_nanos
        fresh, _ = await desk.evaluate(TASK, Wanted("mock", fresh=True))
        assert len(site.up.served) == 60 and fresh.reused == 0
    site.write(mock='model = "mock-2"')
    async with lab(site) as desk:
        other, _ = await desk.evaluate(TASK, Wanted("mock"))
        assert len(site.up.served) == 90 and other.id != first.id


async def test_a_budget_stops_it_and_more_money_lets_it_go_on(site):
    async with lab(site) as desk:
        # A call holds about $0.0006 and costs about $0.00002: it is the bound that must fit.
        run, rows = await desk.evaluate(TASK, Wanted("mock", budget_usd=0.0009, parallel=1))
        assert run.state == "stopped" and "budget" in run.why and 0 < len(rows) < 30
        assert "larger --budget" in run.why and "budgets set" not in run.why, "a command that works"
        assert run.summary.cost_nanos <= 900_000
        assert [b.name for b in desk.app.ledger.budgets() if b.name.startswith(PREFIX)] == [f"{PREFIX}{run.id}"]
        served = len(site.up.served)
        run, rows = await desk.evaluate(TASK, Wanted("mock", budget_usd=1.0))
        assert run.state == "complete" and len(site.up.served) - served == 30 - run.reused
        assert not [b for b in desk.app.ledger.budgets() if b.name.startswith(PREFIX)], "it ends with its run"


async def test_an_unknown_model_is_named_with_what_there_is(site):
    async with lab(site) as desk:
        with pytest.raises(Refused, match="no model 'mok'; did you mean 'mock'"):
            await desk.evaluate(TASK, Wanted("mok"))


async def test_a_route_is_asked_as_clients_would_be_and_its_answers_are_no_ones_cache(site):
    site.write(more=f'[models.cheap]\nprovider = "openai"\nbase_url = "{site.up.base_url}"\n{PRICE}\n'
               '[routes.auto]\nreference = "mock"\nladder = ["cheap", "mock"]\n')  # fmt: skip
    async with lab(site) as desk:
        run, rows = await desk.evaluate(TASK, Wanted("auto"))
        assert {row.model for row in rows} == {"mock"}, "no certificate, so the reference answers"
        assert "openai/cheap" in run.identity
        assert desk.app.gateway.steps.cache.stats()["entries"] == 0


async def test_a_kill_between_answer_and_booking_is_paid_once(tmp_path, site):
    """The answer is in the journal, the call is not in the books: the next start settles its hold, and nobody is asked."""
    async with lab(site) as desk:
        await desk.evaluate(TASK, Wanted("mock", parallel=1))
        path = next((site.home / "data" / result.FOLDER).iterdir())
    lines = [msgspec.json.decode(line) for line in (path / "journal.jsonl").read_bytes().splitlines()]
    kept = [line for line in lines if line["kind"] == "answer" or line["key"] != lines[0]["key"]]
    (path / "journal.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in kept))
    async with lab(site) as desk:
        run, _ = await desk.evaluate(TASK, Wanted("mock"))
        books = SqliteBooks(site.home / "data")
        assert len(site.up.served) == 30
        assert run.summary.cost_nanos == sum(e.cost_nanos for _, e in books.entries(last=100))
        books.close()


async def test_two_runs_at_a_time_are_one_error_and_no_mixture(site):
    async with lab(site) as one, lab(site) as other:
        results = await asyncio.gather(
            one.evaluate(TASK, Wanted("mock")), other.evaluate(TASK, Wanted("mock")), return_exceptions=True
        )
        failed = [r for r in results if isinstance(r, Exception)]
        assert len(failed) == 1 and "another process" in str(failed[0])
        assert len(site.up.served) == 30


async def test_a_second_process_neither_lifts_a_runs_budget_nor_takes_its_folder_away(site):
    async with lab(site) as one, lab(site) as other:  # both stand ready: how long a start takes is no part of this
        first = asyncio.create_task(one.evaluate(TASK, Wanted("mock", budget_usd=0.0009, parallel=1)))
        while not site.up.served:
            await asyncio.sleep(0.001)
        for more in ({}, {"fresh": True}, {"budget_usd": 5.0}):
            with pytest.raises(EvaluationError, match="another process"):
                await other.evaluate(TASK, Wanted("mock", **more))
        run, _ = await first
        assert run.state == "stopped" and "$0.0009" in run.why


async def test_what_is_begun_anew_has_its_whole_budget(site):
    async with lab(site) as desk:
        for _ in range(3):
            run, _ = await desk.evaluate(TASK, Wanted("mock", budget_usd=0.0014, parallel=1, fresh=True))
            assert (run.state, run.asked) == ("complete", 30), run.why
        await desk.evaluate(TASK, Wanted("mock", budget_usd=0.0009, parallel=1, fresh=True))
        run, _ = await desk.evaluate(TASK, Wanted("mock", fresh=True))
        assert run.state == "complete", "nor does the budget of one that stopped bind the next"
        assert not [b for b in desk.app.ledger.budgets() if b.name.startswith(PREFIX)]


async def test_all_that_a_lab_paid_is_known_with_what_judges_cost(site):
    async with lab(site) as desk:
        await desk.evaluate(structs.replace(TASK, scorer="judge:mock"), Wanted("mock", n=5))
        assert desk.paid_nanos == sum(e.cost_nanos for _, e in desk.app.books.entries(last=100)) > 0
        assert len(site.up.served) == 10


async def test_a_task_that_cannot_be_scored_or_held_to_its_form_says_so_before_any_call(site):
    async with lab(site) as desk:
        with pytest.raises(EvaluationError, match=r"colours.*no scorer 'jugde'"):
            await desk.evaluate(structs.replace(TASK, scorer="jugde"), Wanted("mock"))
        with pytest.raises(EvaluationError, match=r"--free"):
            await desk.evaluate(structs.replace(TASK, form="text", labels=()), Wanted("mock", mode="constrained"))
        with pytest.raises(EvaluationError, match="no samples"):
            await desk.evaluate(structs.replace(TASK, samples=()), Wanted("mock"))
    assert not site.up.served


async def test_more_samples_another_scorer_or_fewer_pay_only_for_what_is_new(site):
    async with lab(site) as desk:
        few, _ = await desk.evaluate(TASK, Wanted("mock", n=10))
        assert len(site.up.served) == 10
        more, rows = await desk.evaluate(TASK, Wanted("mock", n=25))
        assert len(site.up.served) == 25 and (more.reused, more.id != few.id) == (10, True)
        assert all(row.cost_nanos for row in rows) and more.summary.quality is not None
        other, _ = await desk.evaluate(structs.replace(TASK, scorer="includes"), Wanted("mock"))
        assert len(site.up.served) == 30 and other.reused == 25
        await desk.evaluate(TASK, Wanted("mock", n=9, fresh=True))
        assert len(site.up.served) == 39

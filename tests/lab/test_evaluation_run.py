"""A run: what is asked once is asked once, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import msgspec
import pytest

from demitasse.core.call import Reply, Usage
from demitasse.core.errors import Refused, UpstreamError
from demitasse.lab.evals import result
from demitasse.lab.evals.journal import Journal, Scored, Told
from demitasse.lab.evals.load import Reading
from demitasse.lab.evals.result import EvaluationError, Run
from demitasse.lab.evals.run import MOST_FAILURES, Metered, Plan, Put, evaluate, load_between
from demitasse.lab.scorers.scorer import Score
from demitasse.lab.tasks.task import Sample, Task, chosen

TASK = Task("sums", tuple(Sample(f"s{i}", f"{i} + {i}?", (str(2 * i),)) for i in range(20)))


def body(text):
    return msgspec.json.encode(
        {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    )


class Exact:
    name = "exact"

    def __init__(self):
        self.scored = 0

    async def __call__(self, sample, answer):
        self.scored += 1
        return Score(float(answer.text in sample.target), said=answer.text)


class Adder:
    """Answers sums; counts what it is asked, and fails where it is told to."""

    name, identity = "adder", "adder 1"

    def __init__(self, fails=lambda _n: None):
        self.asked: list[str] = []
        self.books: dict[str, Put] = {}
        self._fails = fails

    async def ask(self, body_, sample, told):
        self.asked.append(sample.id)
        if (error := self._fails(len(self.asked))) is not None:
            raise error
        await asyncio.sleep(0)
        told(f"e-{sample.id}", Reply(body(sample.target[0]), "adder", Usage(uncached_in=5, text_out=1)))
        put = Put(cost_nanos=1_000, latency_ms=2.0, model="adder", energy_uj=(5, 9), energy_method="modelled")
        self.books[f"e-{sample.id}"] = put
        return put

    def booked(self, entry):
        return self.books.get(entry)


def blank(**more):
    fields = {"id": "r", "task": "sums", "task_hash": TASK.hash, "form": "text", "scorer": "exact", "model": "adder"}
    fields |= {"identity": "adder 1", "mode": "free", "n": 20, "began_us": 1, "command": "demitasse evaluate sums"}
    return Run(**fields | more)


async def go(path, target, *, task=TASK, scorer=None, plan=None):
    path.mkdir(exist_ok=True)
    return await evaluate(
        blank(),
        task,
        target,
        scorer or Exact(),
        plan or Plan("free", parallel=3),
        path,
        clock=lambda: 9,
        meter=lambda: Metered(Reading(0.0, None, None, None)),
        cores=2.0,
    )


async def test_a_run_leaves_rows_in_the_tasks_order_and_figures_that_add_up(tmp_path):
    run = await go(tmp_path / "r", Adder())
    rows = result.rows(tmp_path / "r")
    assert [row.sample for row in rows] == [s.id for s in TASK.samples]
    made = run.summary
    assert (run.state, made.n, made.quality, made.cost_nanos, made.tokens_out) == ("complete", 20, 1.0, 20_000, 20)
    assert made.energy_uj == {"modelled": (100, 180)} and made.quality_interval[0] < 1.0
    assert result.load(tmp_path / "r") == run and result.load_task(tmp_path / "r") == TASK


async def test_what_was_answered_is_not_asked_again_and_costs_the_same(tmp_path):
    first = await go(tmp_path / "r", Adder())
    again = Adder()
    second = await go(tmp_path / "r", again)
    assert again.asked == [] and second.reused == 20
    assert result.answered(tmp_path / "r") == 20
    assert second.summary.cost_nanos == first.summary.cost_nanos


async def test_more_samples_ask_only_for_what_is_new(tmp_path):
    await go(tmp_path / "r", Adder(), task=chosen(TASK, 8, seed=1))
    target = Adder()
    await go(tmp_path / "r", target, task=chosen(TASK, 12, seed=1))
    assert len(target.asked) == 4


async def test_a_spent_budget_stops_the_run_and_keeps_what_was_answered(tmp_path):
    def broke(n):
        return Refused("budget 'x' is spent", status=429, code="insufficient_quota") if n > 5 else None

    run = await go(tmp_path / "r", Adder(broke))
    assert run.state == "stopped" and "spent" in run.why and run.summary.n == 5
    target = Adder()
    run = await go(tmp_path / "r", target)
    assert run.state == "complete" and len(target.asked) == 15


async def test_a_model_that_is_down_stops_the_run_and_one_that_stumbles_does_not(tmp_path):
    target = Adder(lambda _n: UpstreamError("down"))
    run = await go(tmp_path / "r", target, plan=Plan("free", parallel=1))
    assert run.state == "stopped" and len(target.asked) == MOST_FAILURES and "down" in run.why
    run = await go(tmp_path / "q", Adder(lambda n: UpstreamError("hiccup") if n % 4 == 0 else None))
    assert run.state == "complete" and run.summary.errors == 5 and run.summary.n == 15
    target = Adder()
    assert (await go(tmp_path / "q", target)).summary.n == 20 and len(target.asked) == 5


async def test_a_score_that_cost_something_is_not_bought_twice(tmp_path):
    class Judge(Exact):
        name = "judge:large"

        async def __call__(self, sample, answer):
            return msgspec.structs.replace(await super().__call__(sample, answer), cost_nanos=7)

    judge = Judge()
    run = await go(tmp_path / "r", Adder(), scorer=judge)
    assert judge.scored == 20 and run.summary.scoring_nanos == 140
    await go(tmp_path / "r", Adder(), scorer=judge)
    assert judge.scored == 20


async def test_an_answer_whose_booking_nobody_saw_is_priced_by_the_books(tmp_path):
    target = Adder()
    await go(tmp_path / "r", target)
    lines = (tmp_path / "r" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "r" / "journal.jsonl").write_bytes(b"".join(line for line in lines if b'"closed"' not in line))
    run = await go(tmp_path / "r", target)
    assert run.summary.cost_nanos == 20_000 and len(target.asked) == 20


def test_a_line_cut_off_by_a_kill_is_no_line_and_a_damaged_one_is_named(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.answer(Told("k1", "e1", msgspec.Raw(b"{}")))
    journal.score("k1", "judge", "s1", Score(1.0))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"answer","key":"k2","ent')
    journal = Journal(path)
    assert list(journal.answers) == ["k1"] and journal.scores == {("k1", "judge", "s1"): Score(1.0)}
    journal.answer(Told("k3", "e3", msgspec.Raw(b"{}")))
    journal.close()
    journal = Journal(path)
    assert list(journal.answers) == ["k1", "k3"]
    journal.close()
    path.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(EvaluationError, match=r"line 1.*--fresh"):
        Journal(path)


def test_two_processes_do_not_evaluate_the_same_run_at_a_time(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(EvaluationError, match="another process"):
        Journal(tmp_path / "journal.jsonl")
    journal.close()
    Journal(tmp_path / "journal.jsonl").close()


def test_a_kill_at_any_moment_loses_no_answer(tmp_path):
    """The process kills itself with -9 inside `told` or right after it, at every seventh answer, until the run is done."""
    script = textwrap.dedent(f"""
        import asyncio, os, signal, sys
        sys.path.insert(0, {os.getcwd()!r})
        from pathlib import Path
        from tests.lab.test_evaluation_run import Adder, go
        asked = Path({str(tmp_path / "asked")!r})

        class Dying(Adder):
            async def ask(self, body, sample, told):
                def then(entry, reply):
                    with asked.open("a") as file:
                        file.write(sample.id + "\\n")
                    told(entry, reply)
                    if len(self.asked) == 7:
                        os.kill(os.getpid(), signal.SIGKILL)
                return await super().ask(body, sample, then)

            def booked(self, entry):
                from demitasse.lab.evals.run import Put
                return Put(cost_nanos=1_000)

        run = asyncio.run(go(Path({str(tmp_path / "r")!r}), Dying()))
        print(run.state, run.summary.n, run.summary.cost_nanos)
    """)
    for _ in range(4):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        if done.returncode != -signal.SIGKILL:
            break
    assert done.stdout.split() == ["complete", "20", "20000"], done.stderr
    asked = (tmp_path / "asked").read_text().split()
    assert sorted(asked) == sorted(s.id for s in TASK.samples), "nothing was asked twice"


async def test_samples_that_ask_the_same_pay_once_and_are_each_judged_by_their_own_target(tmp_path):
    class Judge(Exact):
        name = "judge:large"

        async def __call__(self, sample, answer):
            return msgspec.structs.replace(await super().__call__(sample, answer), cost_nanos=7)

    twins = Task("twins", (Sample("a", "same?", ("2",)), Sample("b", "same?", ("3",)), Sample("c", "same?", ("2",))))
    target = Adder()
    await go(tmp_path / "r", target, task=twins, scorer=Judge())
    assert len(target.asked) == 1
    values = {row.sample: row.score.value for row in result.rows(tmp_path / "r")}
    assert values == {"a": 1.0, "b": 0.0, "c": 1.0}


def test_scored_lines_are_told_apart(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.score("k", "a", "s1", Score(0.0, why="no"))
    journal.score("k", "b", "s1", Score(None))
    journal.close()
    lines = [msgspec.json.decode(x, type=Scored) for x in (tmp_path / "journal.jsonl").read_bytes().splitlines()]
    assert [x.scorer for x in lines] == ["a", "b"]


async def test_a_full_disk_is_told_once_and_the_next_sitting_goes_on(tmp_path, monkeypatch):
    write, left = os.write, [6]

    def full(file, content):
        left[0] -= 1
        if left[0] < 0:
            write(file, content[: len(content) // 2])
            raise OSError(28, "No space left on device", "journal.jsonl")
        return write(file, content)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        await go(tmp_path / "r", Adder())
    monkeypatch.undo()
    target = Adder()
    run = await go(tmp_path / "r", target)
    assert run.state == "complete" and run.summary.n == 20 and run.reused + len(target.asked) == 20 and run.reused


def test_a_runs_own_engine_is_no_contention_and_others_work_is():
    before = Metered(Reading(0.0, 100.0, 0.0, 3.0), engine_cpu_s=10.0)
    own = load_between(before, Metered(Reading(10.0, 110.0, 0.0, 1.0), 19.5), own_cpu_s=0.2, cores=2.0)
    assert (own.engine_cpu_s, own.cpu_s, own.contended) == (9.5, 10.0, False)
    others = load_between(before, Metered(Reading(10.0, 118.0, 0.0, 1.0), 19.5), own_cpu_s=0.2, cores=2.0)
    assert others.contended and "others kept 0.8 of 2 cores busy" in others.why

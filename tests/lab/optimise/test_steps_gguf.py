"""Steps that end in a GGUF file, with makers that write a few bytes: what is learned from, what is kept, what is asked for."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

pytest.importorskip("gguf", reason="needs the extra train")

from demitasse.core.errors import DemitasseError
from demitasse.lab.optimise import steps_gguf
from demitasse.lab.optimise.artefact import load, verify
from demitasse.lab.optimise.bench import Bench, Candidate, Facts
from demitasse.lab.optimise.gguf_file import Written
from demitasse.lab.optimise.requantise import Requantised
from demitasse.lab.optimise.split import split
from demitasse.lab.optimise.student import Student
from demitasse.lab.optimise.training import Look, Trained
from demitasse.lab.tasks.task import Sample, Source, Task

TASK = Task(
    "intents",
    tuple(Sample(f"s{i}", f"question {i}", ("a" if i % 2 else "b",)) for i in range(90)),
    form="label",
    labels=("a", "b"),
    source=Source("file:x.csv", licence="CC-BY-4.0"),
)
BEST = Candidate(name="small held", step="format", ask="small", mode="constrained")


def written(path, bits=4.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF")
    return Written(path, 4, "0" * 64, 8, bits, "Q4_0", {"Q4_0": 1}, 0.1)


@pytest.fixture
def bench(tmp_path):
    base = tmp_path / "small.gguf"
    base.write_bytes(b"base")
    return Bench(
        split=split(TASK), data=tmp_path, model=Facts("small", base, 4, 16.0, "smollm2-135m", "Apache-2.0", {"threads": 1}),
        reference=Facts("large"), margin=0.05, seed=3, evaluate=None, clock=lambda: 0, prefix="intents", tell=lambda _line: None,
        max_cpu_s=50.0,
    )  # fmt: skip


async def test_a_student_learns_the_rows_to_learn_from_in_the_form_it_is_asked_in(bench, monkeypatch):
    seen = {}

    def learn(base, lessons, out, recipe, *, seed, kinds, say):
        seen.update(base=base, lessons=lessons, recipe=recipe, seed=seed)
        trained = Trained((Look(0, 2.0, 0.0),), 9, 10, 10, "all steps done", len(lessons), 3, 0, 5, 100, 1.0, "cpu")
        return Student(
            {kind: written(out / f"{kind}.gguf") for kind in kinds},
            written(out / "b.gguf"),
            recipe,
            trained,
            seed,
            "LoRA",
            12.5,
            {"torch": "2"},
        )

    monkeypatch.setattr(steps_gguf, "learn", learn)
    dear, found = await steps_gguf.student(bench, BEST)
    assert (dear.ask, dear.name) == ("intents-student-q8-0", "student of small, Q8_0")
    assert {lesson.id for lesson in seen["lessons"]} == {sample.id for sample in bench.split.train.samples}
    assert json.loads(seen["lessons"][0].answer) in ({"answer": "a"}, {"answer": "b"})
    assert (seen["base"], seen["seed"], seen["recipe"].max_cpu_s) == (bench.model.path, 3, 50.0)
    assert (found.ask, found.mode, found.replaces) == ("intents-student-q4-0", "constrained", "small held")
    assert found.tables[0].settings == {"provider": "local", "source": "made:intents-student-q4-0", "threads": 1}
    made = load(bench.data, "intents-student-q4-0")
    assert verify(bench.data / "models/made/intents-student-q4-0") == []
    assert (made.cpu_s, made.bits_per_weight, made.libraries, made.parameters["lessons"]) == (
        12.5,
        4.5,
        {"torch": "2"},
        60,
    )
    assert made.base.source == "smollm2-135m" and made.licences.verdict in ("allowed", "conditions")
    assert {p.name for p in bench.data.iterdir()} == {"small.gguf", "models"}, "nothing half is left"


async def test_fewer_bits_that_are_hardly_fewer_are_not_worth_it(bench, monkeypatch):
    def requantise(source, out, kind):
        return Requantised(written(out, 4.9), written(source, 5.0), kind, "gguf", "gguf 0", {}, False, 1.0)

    monkeypatch.setattr(steps_gguf, "requantise", requantise)
    with pytest.raises(DemitasseError, match=r"4\.90 bits per weight instead of 5\.00: hardly smaller"):
        await steps_gguf.fewer_bits(bench, BEST)
    assert not (bench.data / "models").exists()


async def test_fewer_bits_are_a_candidate_that_nothing_was_learned_for(bench, monkeypatch):
    def requantise(source, out, kind):
        return Requantised(written(out, 4.5), written(source, 16.0), kind, "gguf", "gguf 0", {}, False, 1.0)

    monkeypatch.setattr(steps_gguf, "requantise", requantise)
    (found,) = await steps_gguf.fewer_bits(bench, BEST)
    assert (found.name, found.bits_per_weight) == ("small as Q4_0", 4.5)
    assert load(bench.data, "intents-small-q4-0").data is None


async def test_what_has_no_file_here_or_no_answers_is_refused_with_what_to_do(bench):
    hosted = structs.replace(bench, model=Facts("gpt", source="openai/gpt"))
    for step in (steps_gguf.fewer_bits, steps_gguf.student, steps_gguf.pruned):
        with pytest.raises(DemitasseError, match="name a local one as --model"):
            await step(hosted, BEST)
    bare = structs.replace(TASK, samples=tuple(structs.replace(s, target=()) for s in TASK.samples))
    with pytest.raises(DemitasseError, match="there is nothing to learn"):
        await steps_gguf.student(structs.replace(bench, split=split(bare)), BEST)

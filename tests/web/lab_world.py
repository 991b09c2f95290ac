"""A data folder with evaluations and a made model, as the lab itself writes them: seeded, small, with some nasty answers."""

from __future__ import annotations

import random

import msgspec

from demitasse.lab.evals import result
from demitasse.lab.evals.result import Load, Row, Run
from demitasse.lab.evals.summary import summarise
from demitasse.lab.optimise.artefact import Base, Data, Licences, Manifest, save
from demitasse.lab.optimise.gate import Gate, Side
from demitasse.lab.scorers.scorer import Score
from demitasse.lab.tasks.task import Sample, Source, Task

from .fakes import NOW_US

EVIL = "<script>alert('it is a market')</script><img src=x onerror=alert(1)>"
LABELS = ("sport", "market", "weather")
HOUR_US = 3_600_000_000
MODELS = {
    # name: chance to be right, nanos a call, ms, chance to be unreadable, joules
    "gpt-5.1": (0.93, 2_100_000, 900, 0.0, None),
    "gpt-5-mini": (0.90, 340_000, 620, 0.0, None),
    "smollm2-135m": (0.62, 9_000, 240, 0.11, 12.0),
    "headlines-logreg": (0.84, 40, 3, 0.0, 0.02),
    "elsewhere/mystery-1": (0.80, None, 1500, 0.02, None),
    "old/davinci": (0.71, 1_600_000, 2100, 0.01, None),
}


def a_task(n=120, name="headlines"):
    dice = random.Random(4)
    samples = []
    for i in range(n):
        label = dice.choice(LABELS)
        text = (
            f"Headline {i}: something about {label} that was in the paper {'and was talked about all day ' * (i % 4)}"
        )
        samples.append(Sample(f"row-{i:03d}", text, (label,), slice=("en", "de", "it")[i % 3]))
    return Task(
        name,
        tuple(samples),
        form="label",
        labels=LABELS,
        system="You sort headlines. Answer with one of: sport, market, weather.",
        template="Which of the three is it?\n\n{input}",
        shots=(Sample("shot", "It rained on Tuesday.", ("weather",)),),
        source=Source("file:headlines.csv", licence="CC-BY-4.0"),
    )


def evaluated(data, task, model, *, mode="constrained", seed=7, ago_h=2, state="complete", busy=False, first="", **run):
    right, nanos, ms, unread, joules = MODELS[model]
    dice = random.Random(f"{model} {seed} {mode}")
    rows = []
    for i, sample in enumerate(task.samples):
        hard = random.Random(sample.id).random()
        roll = hard if dice.random() < 0.5 else dice.random()
        said = sample.target[0] if roll < right else LABELS[(LABELS.index(sample.target[0]) + 1) % 3]
        failure = "format" if dice.random() < unread else ""
        text = f"I am not sure what you mean by {i}." if failure else msgspec.json.encode({"answer": said}).decode()
        if i == 0 and first:
            text, said = first, first
        value = float(not failure and said == sample.target[0])
        uj = None if joules is None else (int(joules * 0.7e6), int(joules * 1.3e6))
        rows.append(
            Row(
                sample.id,
                Score(value, failure, "" if failure else said, "no JSON" if failure else ""),
                slice=sample.slice,
                text=text,
                model=model,
                entry=f"c{i:025d}",
                cost_nanos=None if nanos is None else int(nanos * dice.uniform(0.7, 1.4)),
                latency_ms=ms * dice.lognormvariate(0, 0.4),
                first_byte_ms=ms / 3,
                tokens_in=len(sample.input) // 4 + 40,
                tokens_out=9,
                energy_uj=uj,
                energy_method=None if uj is None else "modelled",
            )
        )
    began = NOW_US - ago_h * HOUR_US
    told = Run(
        id=f"{task.name}-{model.replace('/', '-')}-{mode}-{seed:02d}ab",
        task=task.name,
        task_hash=task.hash,
        form=task.form,
        scorer="label",
        model=model,
        identity=f"openai/{model} 2026-10-14",
        mode=mode,
        n=len(task.samples),
        began_us=began,
        seed=seed,
        state=state,
        ended_us=began + 240_000_000,
        asked=len(rows),
        summary=summarise(rows, samples=len(rows), wall_s=61.0),
        load=Load(2.0, 1.9 if busy else 0.2, 1.4, 88.0, 3.1, 0.4, 2, 61.0, busy),
        source=task.source.name,
        licence=task.source.licence,
        command=f"demitasse evaluate headlines.csv --model {model} --n {len(rows)}",
    )
    told = msgspec.structs.replace(told, **run)
    path = result.folder(data, told.id)
    path.mkdir(parents=True)
    result.write(path, told)
    result.write_task(path, task)
    result.write_rows(path, rows)
    return told.id


def running(data, task, model, *, done=37):
    """One under way: no rows yet, and a journal with so many answers."""
    id = evaluated(data, task, model, mode="free", ago_h=0, state="running", summary=None, ended_us=None, load=Load())
    path = result.folder(data, id)
    (path / "rows.jsonl").unlink()
    lines = []
    for i in range(done):
        lines.append(b'{"kind":"answer","key":"k%d","entry":"e","body":{"choices":[]}}\n' % i)
        lines.append(b'{"kind":"closed","key":"k%d"}\n' % i)
    (path / "journal.jsonl").write_bytes(b"".join(lines) + b'{"kind":"answer","key":"cut')
    return id


def made(data, name="headlines-logreg"):
    before = Side("gpt-5-mini", 0.90, (0.84, 0.94), 0, None, None, None, 0.34)
    after = Side(name, 0.878, (0.82, 0.92), 0, 402_113, None, 1.2, 0.00004)
    manifest = Manifest(
        name=name,
        kind="classifier",
        method="multinomial logistic regression on wordllama-256",
        created="2026-11-21T09:12:44Z",
        command="demitasse optimise headlines.csv --classifier",
        base=Base("wordllama-256", "ab" * 32, "MIT", "wordllama 0.3.9"),
        parameters={"C": 1.0, "dims": 256},
        data=Data("headlines", "cd" * 32, "file:headlines.csv", "CC-BY-4.0", 480, 120, "by hash of the id, seed 7", {"twice": 3}, 0.01),
        seeds={"split": 7},
        libraries={"demitasse": "0.1", "numpy": "2.3"},
        cpu_s=14.2,
        load=Load(2.0, 0.3, 0.9, contended=False),
        energy_uj=(40_000_000, 180_000_000),
        energy_method="modelled",
        licences=Licences("MIT", "CC-BY-4.0", "gpt-5-mini", "unclear", "the teacher's terms are not stated"),
        gate=Gate(
            "passed", "non-inferior", 120, 0.05, -0.022, (-0.048, 0.004), before, after, "headlines", agreement=0.91,
            why="It is as good as what it was made from, to within 5.0%.",
        ),
        curve=tuple({"n": n, "score": s, "interval": (s - 0.05, s + 0.04)} for n, s in ((60, 0.7), (120, 0.79), (240, 0.85), (480, 0.878))),
        limitations=("Abstains from about one in ten.", EVIL),
    )  # fmt: skip
    save(data, manifest, {"model.safetensors": b"x" * 4021})
    return name


def full(data):
    """Everything there is; the ids by model."""
    task = a_task()
    ids = {
        model: evaluated(data, task, model, ago_h=2 + i, busy=model == "old/davinci")
        for i, model in enumerate(MODELS)
        if model != "smollm2-135m"
    }
    ids["smollm2-135m"] = evaluated(data, task, "smollm2-135m", ago_h=1, first=EVIL)
    ids["free"] = evaluated(
        data,
        task,
        "smollm2-135m",
        mode="free",
        ago_h=9,
        state="stopped",
        why="budget 'evaluation' is spent (0.50 of 0.50 USD)",
    )
    ids["running"] = running(data, a_task(name="opening-hours"), "gpt-5-mini")
    ids["made"] = made(data)
    return ids

"""A student that learns ten intents, quantised, pruned and healed: score, size and CPU time of each, as JSON.

    python -m bench.student [--lessons 160] [--n 60] [--model PATH] [--folder DIR] [--out bench/results]

What is fixed before the run: the tasks of ``bench/tasks`` (BANKING77, ten intents; lessons from its training file, questions from
its test file), which rows (`chosen` by `SEED`), prompts (the task's), recipe, layers left out, and `MARGIN`. Everything is asked
of the engine that serves, free and held to the form; the first two lines that decide are the student against the base, and
the student as Q4_0 against Q8_0; each verdict is at 95 % by itself. CPU time is of this process and the engine's; one thread each.
With ``--folder`` it goes on where it was broken off: what was made or asked there is not made or asked again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import structs

from demitasse.lab.optimise.heal import heal
from demitasse.lab.optimise.lesson import Lesson, lessons_of
from demitasse.lab.optimise.requantise import requantise
from demitasse.lab.optimise.student import student
from demitasse.lab.optimise.training import Recipe
from demitasse.lab.scorers.ask import Mode, request
from demitasse.lab.tasks.files import load
from demitasse.lab.tasks.task import Task, chosen
from demitasse.providers.engine import Setup
from demitasse.score.normal import label, plain
from demitasse.stats.intervals import wilson
from demitasse.stats.paired import paired, verdict

from . import machine

SEED = 7
MARGIN = 0.05
RECIPE = Recipe(rank=16, alpha=32, rate=1e-3, epochs=2.0, batch=8, max_cpu_s=300.0)
HEALING = structs.replace(RECIPE, epochs=1.0)
"""Half the student's: decided before any healed model was asked, for want of time."""
DROPS = (4,)
"""Of SmolLM2-135M's 30 layers."""
TASKS = Path(__file__).parent / "tasks"
MODEL = Path.home() / ".local/share/demitasse/models/SmolLM2-135M-Instruct.Q4_1.gguf"
COMPARED = (
    ("student Q8_0, free", "base Q4_1, constrained"),
    ("student Q4_0, free", "student Q8_0, free"),
    ("student Q4_0, constrained", "student Q4_0, free"),
    ("student Q5_0, free", "student Q8_0, free"),
    *((f"healed -{drop} Q4_0, free", "student Q4_0, free") for drop in DROPS),
)


@contextlib.contextmanager
def engine(gguf: Path) -> Iterator[tuple[str, str, int]]:
    """Address, key and process of an engine that serves the file."""
    key = secrets.token_hex(8)
    setup = Setup(gguf=str(gguf), key=key, alias="m", threads=1, context=1024, verbosity=0)
    command = [sys.executable, "-m", "demitasse.providers.engine", "bench"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(setup) + b"\n")
            process.stdin.flush()
            yield json.loads(process.stdout.readline())["listening"], key, process.pid
        finally:
            process.terminate()


def asked(gguf: Path, task: Task, mode: Mode) -> dict[str, Any]:
    """Which answers are right, which could not be read, what they cost."""
    with engine(gguf) as (address, key, pid):
        answer(address, key, request(task, task.samples[0], mode, seed=SEED))  # what all prompts share is read once
        began, hits, tokens, unread = machine.cpu_s(pid), [], 0, 0
        for sample in task.samples:
            text, used = answer(address, key, request(task, sample, mode, seed=SEED))
            said = read(text, task, mode)
            hits.append(said is not None and said == label(sample.target[0], task.labels))
            tokens, unread = tokens + used, unread + (said is None)
        cpu = machine.cpu_s(pid) - began
    return {
        "hits": hits, "right": sum(hits), "n": len(hits), "unread": unread, "cpu_s_per_1000": round(cpu / len(hits) * 1000, 1),
        "tokens_out": round(tokens / len(hits), 1),
    }  # fmt: skip


def answer(address: str, key: str, body: bytes) -> tuple[str, int]:
    head = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/v1/chat/completions", body, head)) as got:
        found = json.load(got)
    return found["choices"][0]["message"]["content"] or "", found["usage"]["completion_tokens"]


def read(text: str, task: Task, mode: Mode) -> str | None:
    if mode == "constrained":
        try:
            text = json.loads(text)["answer"]
        except (ValueError, KeyError):
            return None
    return label(text, task.labels)


Files = dict[str, tuple[Path, tuple[Mode, ...]]]


def makes(model: Path, lessons: list[Lesson], folder: Path) -> tuple[dict[str, Any], Files]:
    """What is made of the base, and the files to ask, in which modes."""
    made = {
        "base as Q4_0": once(folder, "base", lambda: requantise(model, folder / "base.Q4_0.gguf", "Q4_0")),
        "student": once(folder, "student", lambda: student(model, lessons, folder, RECIPE, seed=SEED, say=say)),
    }
    # Not in the plan: added when four bits had been seen to cost more than the margin.
    eight = folder / "student.Q8_0.gguf"
    made["student Q5_0"] = once(folder, "student Q5_0", lambda: requantise(eight, folder / "student.Q5_0.gguf", "Q5_0"))
    files: Files = {
        "base Q4_1": (model, ("constrained",)),
        "student Q8_0": (folder / "student.Q8_0.gguf", ("free",)),
        "student Q4_0": (folder / "student.Q4_0.gguf", ("free", "constrained")),
        "student Q5_0": (folder / "student.Q5_0.gguf", ("free",)),
    }
    for drop in DROPS:
        out = folder / str(drop)
        made[f"healed -{drop}"] = once(
            folder, f"healed{drop}",
            lambda drop=drop, out=out: heal(
                model, lessons, out, HEALING, drop=drop, seed=SEED, kinds=("Q4_0",), wounded=True, say=say
            ),
        )  # fmt: skip
        files[f"healed -{drop} Q4_0"] = (out / "healed.Q4_0.gguf", ("free",))
    return made, files


def asks(files: Files, task: Task, folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[bool]]]:
    """Each file's row of the table, and which of its answers are right."""
    rows, right = {}, {}
    for name, (path, modes) in files.items():
        for mode in modes:
            arm = f"{name}, {mode}"
            found = once(
                folder, f"asked {arm} {len(task.samples)}", lambda path=path, mode=mode: asked(path, task, mode)
            )
            hits = right[arm] = found.pop("hits")
            rows[arm] = found | {
                "interval": [round(x, 4) for x in wilson(sum(hits), len(hits))],
                "bytes": path.stat().st_size,
            }
            say(f"{arm}: {sum(hits)} of {len(hits)}")
    return rows, right


def once(folder: Path, name: str, make: Callable[[], Any]) -> Any:
    """What ``make`` returns, as plain values; kept in the folder, and read from there the next time."""
    kept = folder / f"{name}.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(msgspec.json.encode(make(), enc_hook=lambda path: path.name))
    return json.loads(kept.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", type=int, default=160)
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    given = parser.parse_args()
    taught = chosen(load(TASKS / "banking77-train.task.toml"), given.lessons, seed=SEED)
    task = chosen(load(TASKS / "banking77.task.toml"), given.n, seed=SEED)
    known = {plain(str(sample.input)) for sample in taught.samples}
    overlap = sum(plain(str(sample.input)) in known for sample in task.samples)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="student-"))
    began = time.time()
    try:
        with machine.Watch([]) as watch:
            made, files = makes(given.model, lessons_of(taught), folder)
            rows, right = asks(files, task, folder)
    finally:
        if given.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    compared = []
    for one, other in COMPARED:
        found = paired(np.array(right[one], float), np.array(right[other], float), margin=MARGIN, seed=SEED)
        told = verdict(found.p_non_inferior, found.p_superior, found.p_inferior, alpha=0.05)
        compared.append({"made": one, "original": other, "verdict": told, **msgspec.to_builtins(found)})
    result = {
        "what": __doc__.split("\n", 1)[0] if __doc__ else "", "machine": machine.facts() | watch.facts(),
        "seed": SEED, "margin": MARGIN, "lessons": len(taught.samples), "test_rows_among_lessons": overlap,
        "task_hash": task.hash, "recipe": msgspec.to_builtins(RECIPE), "healing": msgspec.to_builtins(HEALING), "wall_s": round(time.time() - began, 1),
        "arms": rows, "compared": compared, "made": made,
    }  # fmt: skip
    path = machine.write("student", result, given.out)
    head = ["", "right", "CPU s/1000", "tokens", "MB"]
    shown = [
        [arm, f"{r['right']}/{r['n']}", r["cpu_s_per_1000"], r["tokens_out"], round(r["bytes"] / 1e6)]
        for arm, r in rows.items()
    ]
    print(machine.table(shown, head))
    for each in compared:
        print(f"{each['made']} against {each['original']}: {each['verdict']}")
    print(path)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

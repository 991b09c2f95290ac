"""Steps of `optimise` that end in a GGUF file: fewer bits, a student that learned the task, fewer layers. Knows makers; measures
nothing. What they make is served by the local engine, with the small model's own slots, threads and context."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from ...core.errors import DemitasseError
from . import artefact
from .artefact import Manifest
from .bench import Bench, Candidate, Table, made_from, may_learn, named
from .gguf_file import Written, tensors
from .heal import heal
from .lesson import Lesson, lessons_of
from .requantise import requantise
from .student import student as learn
from .training import Recipe, Trained

PACKAGES = ("torch", "transformers", "peft", "gguf")
KIND = "Q4_0"
STUDENTS = ("Q8_0", "Q4_0")
"""A student in both: 4 bits cost a small one up to an eighth of its right answers (docs/optimise-students.md), 8 bits none."""
FEWER = 0.9
"""A file is worth the trouble at nine tenths of its bits."""
PRUNED = 0.2
"""Share of the layers that are left out."""


async def fewer_bits(bench: Bench, best: Candidate) -> list[Candidate]:
    """The same weights with fewer bits each."""
    source = _file(bench)
    with _scratch(bench) as out:
        made = await asyncio.to_thread(requantise, source, out / "model.gguf", KIND)
        if made.written.bits_per_weight > FEWER * made.before.bits_per_weight:
            raise DemitasseError(
                f"as {KIND} it would have {made.written.bits_per_weight:.2f} bits per weight instead of "
                f"{made.before.bits_per_weight:.2f}: hardly smaller"
            )
        name = named(bench, bench.model.alias, KIND)
        manifest = structs.replace(
            made_from(bench, name, "gguf", f"Requantised to {made.kind} with {made.tool}", {"kept": len(made.kept)}),
            data=None,
            cpu_s=round(made.cpu_s, 2),
        )
        return [_kept(bench, best, "requantise", f"{bench.model.alias} as {KIND}", manifest, made.written)]


async def student(bench: Bench, best: Candidate) -> list[Candidate]:
    """The small model, trained on the rows to learn from."""
    source, recipe, lessons = _file(bench), Recipe(max_cpu_s=bench.max_cpu_s), _lessons(bench, best)
    with _scratch(bench) as out:
        made = await asyncio.to_thread(
            learn, source, lessons, out, recipe, seed=bench.seed, kinds=STUDENTS, say=_say(bench)
        )
        found = []
        for kind in STUDENTS:
            name = named(bench, "student", kind)
            manifest = _learned(
                bench, name, made.method, made.parameters, made.trained, made.libraries, made.cpu_s, kind
            )
            what = f"student of {bench.model.alias}, {kind}"
            found.append(_kept(bench, best, "student", what, manifest, made.files[kind]))
        return found


async def pruned(bench: Bench, best: Candidate) -> list[Candidate]:
    """The small model without the layers that do least, trained on the rows to learn from."""
    source, recipe, lessons = _file(bench), Recipe(max_cpu_s=bench.max_cpu_s), _lessons(bench, best)
    drop = max(1, round(PRUNED * _layers(source)))
    with _scratch(bench) as out:
        made = await asyncio.to_thread(
            heal, source, lessons, out, recipe, drop=drop, seed=bench.seed, kinds=(KIND,), say=_say(bench)
        )
        name = named(bench, "pruned")
        facts = {"layers": made.layers, "left out": list(made.dropped), **msgspec.to_builtins(recipe)}
        manifest = _learned(bench, name, made.method, facts, made.trained, made.libraries, made.cpu_s)
        what = f"{bench.model.alias} without {drop} of {made.layers} layers, healed"
        return [_kept(bench, best, "prune", what, manifest, made.files[KIND])]


def _lessons(bench: Bench, best: Candidate) -> list[Lesson]:
    """As the student will be asked. Raises DemitasseError where no answer is known, or terms forbid to learn from them."""
    may_learn(bench, bench.model.licence)
    found = lessons_of(bench.split.train, mode=best.mode or "constrained")
    if not found:
        raise DemitasseError(f"no row of '{bench.split.train.name}' says what is right, so there is nothing to learn")
    return found


def _learned(
    bench: Bench,
    name: str,
    method: str,
    parameters: Mapping[str, Any],
    trained: Trained,
    libraries: dict[str, str],
    cpu_s: float,
    kind: str = KIND,
) -> Manifest:
    told = {"steps": trained.steps, "best step": trained.best_step, "ended": trained.ended, "lessons": trained.lessons}
    return structs.replace(
        made_from(bench, name, "gguf", f"{method}, {kind}", {**parameters, **told}), cpu_s=cpu_s, libraries=libraries
    )


def _kept(bench: Bench, best: Candidate, step: str, what: str, manifest: Manifest, written: Written) -> Candidate:
    """On the disk, and as a candidate that is asked as the small model is asked best."""
    manifest = structs.replace(manifest, bits_per_weight=round(written.bits_per_weight, 4))
    artefact.save(bench.data, manifest, {"model.gguf": written.path})
    table = Table(
        "models", manifest.name, {"provider": "local", "source": f"made:{manifest.name}", **bench.model.settings}
    )
    return Candidate(
        name=what,
        step=step,
        ask=manifest.name,
        tables=(table,),
        task=best.task,
        mode=best.mode,
        made=manifest,
        bytes=written.bytes,
        bits_per_weight=written.bits_per_weight,
        replaces=best.name,
    )


def _file(bench: Bench) -> Path:
    if bench.model.path is None:
        raise DemitasseError(
            f"'{bench.model.alias}' is no model of this machine whose file is here; name a local one as --model, and pull it"
        )
    return bench.model.path


def _layers(path: Path) -> int:
    return len({one.name.split(".")[1] for one in tensors(path) if one.name.startswith("blk.")})


def _say(bench: Bench) -> Any:
    return lambda text: bench.tell(f"  {text}")


@contextmanager
def _scratch(bench: Bench) -> Iterator[Path]:
    """A folder on the disk that artefacts lie on, so that large files are moved and not copied."""
    with tempfile.TemporaryDirectory(prefix="making-", dir=bench.data) as name:
        yield Path(name)

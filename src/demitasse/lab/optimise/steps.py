"""The steps of `optimise`, the cheapest first: each turns rows to learn from into candidates. Knows makers; measures nothing.

What a step makes is written to the disk as an artefact before it is measured; the driver adds what its gate finds.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from msgspec import structs

from ...core.errors import DemitasseError
from ...providers.encoder import encoder
from ..evals.result import Row
from ..scorers.ask import Mode, constrainable, schema
from ..tasks.task import Task, chosen
from . import artefact, classifier, prompts
from .artefact import Base, Data, Licences, Manifest
from .bench import Bench, Candidate, Table
from .driver import Step

DEV = 100
"""Rows to learn from that a prompt's variants are put to."""
EMBEDDING = "wordllama-256"


async def form(bench: Bench, best: Candidate) -> list[Candidate]:
    """The same model, its answers held to the task's form."""
    if not constrainable(bench.split.test):
        raise DemitasseError(f"a task that asks for {bench.split.test.form} is free by nature; no schema can hold it")
    return [
        structs.replace(best, name=f"{bench.model.alias} held to its form", step="format", mode="constrained", notes=())
    ]


async def prompt(bench: Bench, best: Candidate) -> list[Candidate]:
    """The same model with the shortest prompt that is as good on rows to learn from."""
    task, mode = bench.split.train, _mode(bench, best)
    dev = chosen(task, DEV, seed=bench.seed)

    async def ask(variant: Task, mode: Mode) -> list[Row]:
        _, rows = await bench.evaluate(variant, best.ask, mode, best.tables)
        return rows

    found = await prompts.shorten(prompts.Variant(dev, mode), ask, margin=bench.margin, seed=bench.seed)
    for edit in found.edits:
        bench.tell(
            f"  {edit.name}: {edit.verdict} ({edit.difference:+.1%}), {'taken' if edit.accepted else 'not taken'}"
        )
    if found.after == found.before:
        raise DemitasseError(
            f"none of {len(found.edits)} shorter prompts is proven as good on {found.rows} rows"
            if found.edits
            else "there is nothing to leave out: no worked examples, no sentences, and no answer that a cap would spare"
        )
    name = artefact.name_for(bench.prefix, "prompt")
    manifest = _manifest(
        bench, name, "prompt", "A prompt of which sentences, worked examples and spare tokens were left out",
        {"rows": found.rows, "edits tried": len(found.edits), "bytes before": found.before.bytes,
         "bytes after": found.after.bytes},
    )  # fmt: skip
    files = {"before.json": _written(found.before), "prompt.json": _written(found.after),
             "edits.json": msgspec.json.format(msgspec.json.encode(found.edits), indent=1)}  # fmt: skip
    artefact.save(bench.data, manifest, files)
    task = structs.replace(found.after.task, samples=bench.split.test.samples)
    shorter = f"{1 - found.after.bytes / found.before.bytes:.0%} shorter"
    return [
        structs.replace(best, name=f"{best.name}, {shorter}", step="prompt", task=task, mode=mode, made=manifest,
                        replaces=best.name, notes=(f"the prompt to send is prompt.json of made:{name}",))
    ]  # fmt: skip


async def tiny(bench: Bench, _best: Candidate) -> list[Candidate]:
    """A classifier that answers where it is sure, and the reference for the rest."""
    task = bench.split.train
    found = classifier.examples(task)
    began = time.process_time()
    encode, sha256 = await asyncio.to_thread(encoder, EMBEDDING, bench.data / "models")
    settings = classifier.settings_of(task, EMBEDDING, sha256)

    def learn() -> tuple[classifier.Learned, list[classifier.Point]]:
        learned = classifier.learn(found, settings, encode, seed=bench.seed, precision=bench.precision)
        test = classifier.examples(bench.split.test)
        return learned, classifier.curve(found, test, settings, encode, seed=bench.seed)

    learned, curve = await asyncio.to_thread(learn)
    for point in curve:
        low, high = point.interval
        bench.tell(f"  {point.n} examples: {point.score:.1%} ({low:.1%} to {high:.1%})")
    if learned.coverage == 0:
        raise DemitasseError(
            f"{len(found)} examples are too few to show a precision of {bench.precision:.0%} at any confidence: it would "
            f"abstain always (in cross-validation {learned.folded:.1%} of its answers were right)"
        )
    name = artefact.name_for(bench.prefix, "tiny")
    files = learned.head.dump()
    manifest = structs.replace(
        _manifest(
            bench, name, "classifier", f"Multinomial logistic regression on {EMBEDDING}, calibrated, with abstention",
            {"labels": len(settings.labels), "penalty": learned.penalty,
             "temperature": round(learned.head.settings.temperature, 4),
             "threshold": round(learned.head.settings.threshold, 4), "coverage in cross-validation": round(learned.coverage, 4),
             "precision in cross-validation": round(learned.precision or 0.0, 4)},
        ),
        base=Base(EMBEDDING, sha256, "MIT", "catalogue"),
        curve=tuple(msgspec.to_builtins(point) for point in curve),
        cpu_s=round(time.process_time() - began, 2),
        libraries=artefact.libraries(("numpy", "scipy", "tokenizers")),
        licences=Licences("MIT", task.source.licence, "", _verdict(task), "it learned rows' targets, nobody's answers"),
        limitations=("It sees the words of one message, not their order: what hangs on 'not' or on who does what is lost.",),
    )  # fmt: skip
    artefact.save(bench.data, manifest, files)
    route = artefact.name_for(bench.prefix, "route")
    return [
        Candidate(
            name=f"{name}, else {bench.reference.alias}", step="classifier", ask=route, made=manifest,
            bytes=sum(len(content) for content in files.values()),
            tables=(
                Table("models", name, {"provider": "classifier", "source": f"made:{name}"}),
                Table("routes", route, {"reference": name, "fallback": [bench.reference.alias]}),
            ),
            notes=(f"answers {learned.coverage:.0%} by itself in cross-validation, the rest goes to {bench.reference.alias}",),
        )
    ]  # fmt: skip


STEPS: tuple[Step, ...] = (
    Step("format", "hold answers to their form", form),
    Step("prompt", "leave out what the prompt does not need", prompt),
    Step(
        "classifier", "a tiny classifier that abstains to the reference", tiny, ("scipy", "tokenizers"), "lab,semantic"
    ),
)


def _mode(bench: Bench, best: Candidate) -> Mode:
    return best.mode or ("constrained" if constrainable(bench.split.test) else "free")


def _written(variant: prompts.Variant) -> bytes:
    """A prompt as a file: what an application has to send."""
    task = variant.task
    told: dict[str, Any] = {
        "system": task.system,
        "template": task.template,
        "shots": msgspec.to_builtins(task.shots),
        "max_tokens": task.max_tokens,
        "mode": variant.mode,
    }
    if variant.mode == "constrained" and task.samples:
        told["schema"] = schema(task, task.samples[0])
    return msgspec.json.format(msgspec.json.encode(told), indent=1)


def _manifest(bench: Bench, name: str, kind: artefact.Kind, method: str, parameters: dict[str, Any]) -> Manifest:
    """What all steps know."""
    train, test = bench.split.train, bench.split.test
    return Manifest(
        name=name,
        kind=kind,
        method=method,
        created=artefact.moment(bench.clock()),
        command=bench.command,
        base=Base(bench.model.alias, "", bench.model.licence, bench.model.source),
        parameters=parameters,
        data=Data(train.name, train.hash, train.source.name, train.source.licence, len(train.samples), len(test.samples),
                  bench.split.how, bench.split.dropped, 0.0),
        seeds={"seed": bench.seed},
        libraries=artefact.libraries(("numpy",)),
        licences=Licences(bench.model.licence, train.source.licence, "", _verdict(train)),
    )  # fmt: skip


def _verdict(task: Task) -> Any:
    return "unclear" if task.source.licence == "not stated" else "allowed"

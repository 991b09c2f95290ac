"""The steps of `optimise`, the cheapest first: each turns rows to learn from into candidates. Knows makers; measures nothing.

What a step makes is written to the disk as an artefact before it is measured; the driver adds what its gate finds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from ...core.errors import DemitasseError
from ...providers.encoder import MODEL, TOKENIZER, encoder
from ...providers.made import PREFIX
from ..evals.result import Row
from ..scorers.ask import Mode, constrainable, schema
from ..tasks.task import Task, chosen
from . import artefact, classifier, onnx_int8, prompts, steps_gguf
from .artefact import Base
from .bench import Bench, Candidate, Table, made_from, may_learn, named, terms
from .driver import Step

DEV = 100
"""Rows to learn from that a prompt's variants are put to."""
EMBEDDING = "wordllama-256"
ENCODER = ("scipy", "torch", "transformers", "onnx", "onnxruntime")


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
    name = named(bench, "prompt")
    manifest = made_from(
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
    return [await asyncio.to_thread(_classifier, bench, EMBEDDING, "MIT", "tiny")]


async def encoder8(bench: Bench, _best: Candidate) -> list[Candidate]:
    """The same over an encoder that was quantised to 8 bits and is proven to be the same encoder still."""
    if bench.encoder is None:
        raise DemitasseError("no encoder was named; name a folder that holds one with --encoder DIR")
    return [await asyncio.to_thread(_encoder, bench, bench.encoder)]


def _encoder(bench: Bench, source: Path) -> Candidate:
    train, test = classifier.examples(bench.split.train), classifier.examples(bench.split.test)
    name = named(bench, "encoder")
    with tempfile.TemporaryDirectory(prefix="encoder-", dir=bench.data) as scratch:
        out = Path(scratch)
        made = onnx_int8.quantise(source, out, [one.text for one in (*train, *test)])
        gate = onnx_int8.proof(bench.split.test, train, test, made, margin=bench.margin, seed=bench.seed)
        bench.tell(
            f"  int8 against fp32: cosine {made.cosine:.4f}, {made.neighbours:.1%} of neighbours stayed, "
            f"{made.before.bytes / 1e6:.1f} to {made.after.bytes / 1e6:.1f} MB, {made.before.cpu_s_per_1000:.2f} to "
            f"{made.after.cpu_s_per_1000:.2f} CPU-s per 1,000 texts; {gate.verdict} as the eyes of a classifier"
        )
        if gate.outcome == "failed":
            raise DemitasseError(f"the 8-bit encoder did not pass its gate and was not kept: {gate.why}")
        manifest = structs.replace(
            made_from(bench, name, "encoder", made.method, {"opset": onnx_int8.OPSET}),
            base=Base(source.parent.name if source.name == "model" else source.name, made.base_sha256, made.licence),
            cpu_s=made.cpu_s,
            bits_per_weight=made.bits_per_weight,
            libraries=artefact.libraries(onnx_int8.PACKAGES),
            gate=gate, before=gate.before, after=gate.after,
            licences=terms(bench, made.licence),
        )  # fmt: skip
        artefact.save(bench.data, manifest, {file: out / file for file in (MODEL, TOKENIZER)})
    return _classifier(bench, f"{PREFIX}{name}", made.licence, "tiny-encoder")


def _classifier(bench: Bench, embedding: str, licence: str, what: str) -> Candidate:
    task, licences = bench.split.train, may_learn(bench, licence)
    found = classifier.examples(task)
    began = time.process_time()
    encode, sha256 = encoder(embedding, bench.data / "models")
    settings = classifier.settings_of(task, embedding, sha256)
    learned = classifier.learn(found, settings, encode, seed=bench.seed, precision=bench.precision)
    curve = classifier.curve(found, classifier.examples(bench.split.test), settings, encode, seed=bench.seed)
    for point in curve:
        low, high = point.interval
        bench.tell(f"  {point.n} examples: {point.score:.1%} ({low:.1%} to {high:.1%})")
    if learned.coverage == 0:
        raise DemitasseError(
            f"{len(found)} examples are too few to show a precision of {bench.precision:.0%} at any confidence: it would "
            f"abstain always (in cross-validation {learned.folded:.1%} of its answers were right)"
        )
    name, head = named(bench, what), learned.head.settings
    parameters = {
        "labels": len(settings.labels),
        "penalty": learned.penalty,
        "temperature": round(head.temperature, 4),
        "threshold": round(head.threshold, 4),
        "coverage in cross-validation": round(learned.coverage, 4),
        "precision in cross-validation": round(learned.precision or 0.0, 4),
    }
    method = f"Multinomial logistic regression on {embedding}, calibrated, with abstention"
    manifest = structs.replace(
        made_from(bench, name, "classifier", method, parameters),
        base=Base(embedding, sha256, licence, "catalogue" if embedding == EMBEDDING else "made here"),
        curve=tuple(msgspec.to_builtins(point) for point in curve),
        cpu_s=round(time.process_time() - began, 2),
        libraries=artefact.libraries(("numpy", "scipy", "tokenizers", "onnxruntime")),
        licences=licences,
        limitations=_LIMITS if embedding == EMBEDDING else (),
    )
    files = learned.head.dump()
    artefact.save(bench.data, manifest, files)
    route = artefact.name_for(name, "route")
    return Candidate(
        name=f"{name}, else {bench.reference.alias}",
        step="classifier",
        ask=route,
        made=manifest,
        bytes=sum(len(content) for content in files.values()),
        tables=(
            Table("models", name, {"provider": "classifier", "source": f"{PREFIX}{name}"}),
            Table("routes", route, {"reference": name, "fallback": [bench.reference.alias]}),
        ),
        notes=(
            f"in cross-validation it answers {learned.coverage:.0%} by itself, {learned.precision or 0:.1%} of them right",
        ),
    )


_LIMITS = ("It sees the words of one message and not their order: what hangs on 'not', or on who does what, is lost.",)


STEPS: tuple[Step, ...] = (
    Step("format", "hold answers to their form", form),
    Step("prompt", "leave out what the prompt does not need", prompt),
    Step("requantise", "fewer bits per weight", steps_gguf.fewer_bits, ("gguf",), "train"),
    Step(
        "classifier", "a tiny classifier that abstains to the reference", tiny, ("scipy", "tokenizers"), "lab,semantic"
    ),
    Step("encoder", "the same over an 8-bit encoder", encoder8, ENCODER, "lab,train,onnx"),
    Step(
        "student",
        "the small model learns the task",
        steps_gguf.student,
        steps_gguf.PACKAGES,
        "train",
        len(steps_gguf.STUDENTS),
    ),
    Step("prune", "fewer layers, healed", steps_gguf.pruned, steps_gguf.PACKAGES, "train"),
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

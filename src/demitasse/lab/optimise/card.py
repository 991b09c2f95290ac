"""A model card from a manifest: use, data, evaluation, limitations, licence. Pure; says only what the manifest says.

Sections after Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .artefact import Manifest
    from .gate import Gate, Side

USES = {
    "gguf": "Chat completions by the local engine",
    "classifier": "One label for one text; abstains where it is not sure, so that the next model is asked",
    "encoder": "Texts to vectors",
    "prompt": "A way to put a task to a model: system prompt, worked examples, form and length of the answer",
}


def card(manifest: Manifest) -> str:
    """Markdown."""
    return "\n".join(_lines(manifest)).rstrip() + "\n"


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def _lines(m: Manifest) -> Iterator[str]:
    yield f"# {m.name}"
    yield ""
    yield f"{m.method}." if not m.method.endswith(".") else m.method
    if m.kept_anyway:
        yield ""
        yield "**It did not pass its equivalence gate and was kept all the same. Do not put it where its answers count.**"
    yield from _section("Model", _model(m))
    yield from _section("Use", _use(m))
    yield from _section("Training data", _data(m))
    yield from _section("Evaluation", _evaluation(m))
    yield from _section("Learning curve", _curve(m))
    yield from _section("Limitations", (f"- {line}" for line in _limits(m)))
    yield from _section("Licence", _licence(m))
    yield from _section("What it took", _cost(m))
    yield from _section("Files", _files(m))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", f"## {title}", "", *found)


def _model(m: Manifest) -> Iterator[str]:
    yield f"- Kind: {m.kind}, {size(m.bytes)}"
    if m.base is not None:
        origin = f" ({m.base.source})" if m.base.source else ""
        mark = f", SHA-256 {m.base.sha256[:16]}…" if m.base.sha256 else ""
        yield f"- Made from: {m.base.name}{origin}{mark}"
    if m.bits_per_weight is not None:
        yield f"- Bits per weight, read from the tensors: {m.bits_per_weight:.2f}"
    if m.parameters:
        yield "- Parameters: " + ", ".join(f"{name} {value}" for name, value in m.parameters.items())
    if m.seeds:
        yield "- Seeds: " + ", ".join(f"{name} {value}" for name, value in m.seeds.items())
    if m.created:
        yield f"- Made: {m.created}"
    if m.command:
        yield f"- Command: `{m.command}`"


def _use(m: Manifest) -> Iterator[str]:
    yield f"{USES[m.kind]}."
    if m.kind in {"gguf", "classifier"}:
        provider = "local" if m.kind == "gguf" else "classifier"
        yield ""
        yield "```toml"
        yield f'[models."{m.name}"]'
        yield f'provider = "{provider}"'
        yield f'source = "made:{m.name}"'
        yield "```"


def _data(m: Manifest) -> Iterator[str]:
    if m.data is None:
        yield "None was used."
        return
    data = m.data
    yield f"- Task: {data.task}" + (f" (hash {data.hash[:16]}…)" if data.hash else "")
    if data.source:
        yield f"- Source: {data.source}; licence: {data.licence}"
    yield f"- Rows: {data.train} to learn from, {data.test} to measure on" + (
        f"; split {data.split}" if data.split else ""
    )
    if data.dropped:
        yield "- Left out: " + ", ".join(f"{count} {why}" for why, count in data.dropped.items())
    if data.contaminated is not None:
        yield f"- {data.contaminated:.1%} of rows to measure on shared a passage with rows to learn from, before those went"


def _evaluation(m: Manifest) -> Iterator[str]:
    gate = m.gate
    before, after = (gate.before, gate.after) if gate is not None else (m.before, m.after)
    if before is None and after is None:
        yield "Not measured."
        return
    if gate is not None:
        yield (
            f"On {gate.n} samples" + (f" of {gate.task}" if gate.task else "") + f": **{gate.verdict}**, {_gate(gate)}."
        )
        yield ""
    yield "| | score | 95 % | unreadable | size | bits per weight | CPU-s per 1,000 | USD per 1,000 |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for label, side in (("before", before), ("after", after)):
        if side is not None:
            yield _side(label, side)
    if gate is not None and gate.why:
        yield ""
        yield gate.why


def _gate(gate: Gate) -> str:
    low, high = gate.interval
    told = f"difference {gate.difference:+.1%} (95 %: {low:+.1%} to {high:+.1%}) at a margin of {gate.margin:.1%}"
    if gate.agreement is not None:
        told += f"; {gate.agreement:.1%} of answers stayed the same"
    if gate.cosine is not None:
        told += f"; mean cosine {gate.cosine:.4f}"
    if gate.neighbours is not None:
        told += f"; {gate.neighbours:.1%} of the ten nearest neighbours stayed"
    if gate.needed is not None:
        told += f"; about {gate.needed:,} samples would decide it"
    return told


def _side(label: str, side: Side) -> str:
    cells = (
        f"{label}: {side.name}" if side.name else label,
        _told(side.score, "{:.1%}"),
        "-" if side.interval is None else f"{side.interval[0]:.1%} to {side.interval[1]:.1%}",
        str(side.unreadable),
        "-" if side.bytes is None else size(side.bytes),
        _told(side.bits_per_weight, "{:.2f}"),
        _told(side.cpu_s_per_1000, "{:.3g}"),
        _told(side.usd_per_1000, "{:.4g}"),
    )
    return f"| {' | '.join(cells)} |"


def _told(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _curve(m: Manifest) -> Iterator[str]:
    if not m.curve:
        return
    yield "| examples | score | 95 % |"
    yield "| --- | --- | --- |"
    for point in m.curve:
        low, high = point["interval"]
        yield f"| {point['n']} | {point['score']:.1%} | {low:.1%} to {high:.1%} |"


def _limits(m: Manifest) -> Iterator[str]:
    yield from m.limitations
    if m.data is not None:
        yield f"Measured on {m.data.task} alone: nothing is known of other questions, or of these when they change."
    if m.gate is not None and m.gate.verdict == "inconclusive":
        yield "The evaluation had too few samples to tell whether it is as good as what it was made from."


def _licence(m: Manifest) -> Iterator[str]:
    terms = m.licences
    yield f"- What it was made from: {terms.base}"
    yield f"- Data: {terms.data}"
    if terms.teacher:
        yield f"- Whose answers it learned: {terms.teacher}"
    yield f"- Verdict: **{terms.verdict}**" + (f"; {terms.why}" if terms.why else "")


def _cost(m: Manifest) -> Iterator[str]:
    if m.cpu_s is not None:
        yield f"- {m.cpu_s:,.1f} CPU-seconds"
    if m.load is not None:
        busy = f"- Load {m.load.before:.2f} before and {m.load.after:.2f} after on {m.load.cores:g} cores"
        yield (
            busy
            + (f", {m.load.threads} threads" if m.load.threads else "")
            + (", contended" if m.load.contended else "")
        )
    if m.energy_uj is not None:
        low, high = (one / 3.6e9 for one in m.energy_uj)
        yield f"- {low:.3g} to {high:.3g} Wh ({m.energy_method})"
    if m.libraries:
        yield "- " + ", ".join(f"{name} {version}" for name, version in m.libraries.items())


def _files(m: Manifest) -> Iterator[str]:
    for file in m.files:
        yield f"- {file.name}: {file.bytes:,} bytes, SHA-256 {file.sha256}"

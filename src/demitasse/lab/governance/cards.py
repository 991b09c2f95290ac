"""A model card: what is known of one model here, as Hugging Face's front matter and Markdown, and as JSON. Pure.

It says what was measured here and what is on record with its source; what nobody knows is said aloud, and never made up.
Sections after Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019); front matter as Hugging Face reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from .register import Licensed

UNKNOWN: Final = "unknown"
Kind = Literal["hosted", "server", "local", "made", "classifier", "embedding", "detector", "recorded"]
Span = tuple[float, float]


class Identity(Struct, frozen=True):
    """Which model it is. ``upstream``: the maker's or provider's own names under which it answered."""

    upstream: tuple[str, ...] = ()
    file: str = ""
    sha256: str = ""
    bytes: int | None = None
    quantisation: str = ""
    origin: str = ""
    """Where the file came from."""
    made_from: str = ""
    method: str = ""
    """Of a model that was made here."""


class Priced(Struct, frozen=True):
    """One price card. ``usd_per_mtok`` by kind of token; None: no price is known."""

    id: str
    source: str
    usd_per_mtok: dict[str, float | None]
    usd_per_request: float = 0.0


class Evaluated(Struct, frozen=True):
    """One finished run of the lab: the newest of its task. ``score`` in 0..1 with its 95 % interval."""

    task: str
    at: str
    n: int
    score: float | None
    interval: Span | None
    data_sha256: str
    mode: str = ""
    scorer: str = ""
    unreadable: int = 0
    source: str = ""
    licence: str = ""
    run: str = ""
    usd: float | None = None


class Figure(Struct, frozen=True):
    """A figure with its interval (95 %), what it is of and when."""

    name: str
    value: float | None
    interval: Span | None
    n: int
    at: str = ""
    about: str = ""


class Energy(Struct, frozen=True):
    """Of one call: watt-hours and grams of CO2 equivalent, from and to, by one method, over so many calls."""

    method: str
    wh: Span
    co2_g: Span
    calls: int


class Issue(Struct, frozen=True):
    """Something that is known to be wrong, or was."""

    at: str
    what: str
    open: bool


class Use(Struct, frozen=True):
    """Who asks for it: a route, and calls of the window that it answered there."""

    route: str
    calls: int


class ModelCard(Struct, frozen=True):
    """All that is known of one model in one window of time."""

    name: str
    kind: Kind
    made: str
    """ISO 8601, UTC: when this card was written."""
    since: str
    until: str
    provider: str
    runs: str
    """Where it computes: ``this machine``, a region, or unknown."""
    region: str
    identity: Identity
    licence: Licensed
    use: str = ""
    """What it is for, where anybody says so."""
    prices: tuple[Priced, ...] = ()
    evaluations: tuple[Evaluated, ...] = ()
    safety: tuple[Figure, ...] = ()
    """Red team, injection, personal data."""
    cpu: tuple[Figure, ...] = ()
    """Of a detector: what a text costs in CPU time; names end in their unit."""
    bias: tuple[Figure, ...] = ()
    energy: tuple[Energy, ...] = ()
    issues: tuple[Issue, ...] = ()
    used_by: tuple[Use, ...] = ()
    limits: tuple[str, ...] = ()
    data: str = ""
    """What it learned from, where it was made here."""
    by: str = ""

    @property
    def calls(self) -> int:
        return sum(use.calls for use in self.used_by)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What nobody knows, in words."""
        found = []
        if self.licence.answer == "unknown" and self.licence.accepted is None:
            found.append("its licence or terms of use")
        if not self.identity.sha256:
            found.append(_WEIGHTS.get(self.kind, "its hash"))
        if self.region == UNKNOWN:
            found.append("where it computes")
        inside = self.kind == "detector"  # it computes within the gateway: nobody is paid, and no meter sees it alone
        if not self.prices and not inside:
            found.append("its price")
        if not self.evaluations:
            found.append("how well it does any task: no evaluation is kept")
        if not self.safety:
            found.append("how it stands up to attacks: no safety evaluation is kept")
        if not self.bias:
            found.append(_GROUPS if inside else "its bias: no run of BBQ is kept")
        if not self.energy:
            found.append("its energy: only its CPU time is measured" if inside else "its energy per call")
        if self.kind in ("hosted", "server", "local") and not self.data:
            found.append("what it was trained on, beyond what its maker says")
        return tuple(found)


_GROUPS: Final = "whether it errs more often for some groups of people: only what stands under limits is known"
_WEIGHTS: Final[dict[Kind, str]] = {
    "hosted": "its weights: a provider may change them under the same name",
    "server": "its weights: whoever runs the server may change them under the same name",
}


def as_json(card: ModelCard) -> dict[str, Any]:
    """The object of ``card --json``; null is unknown, never zero."""
    told: dict[str, Any] = msgspec.to_builtins(card)
    return told | {"calls": card.calls, "unknown": list(card.unknown)}


def file_name(name: str) -> str:
    """A model's name as that of a file: ``openai/gpt-5.1`` → ``openai-gpt-5.1``."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "model"


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────────


def markdown(card: ModelCard) -> str:
    """YAML front matter and Markdown."""
    return "\n".join(["---", *_yaml(front_matter(card)), "---", "", *_lines(card)]).rstrip() + "\n"


def front_matter(card: ModelCard) -> dict[str, Any]:
    """Members as Hugging Face reads them; what is unknown is left out, but for the licence, which is then ``other``."""
    stated = card.licence.licence
    spdx = stated.casefold() if re.fullmatch(r"[A-Za-z0-9.+-]+", stated) else "other"
    told: dict[str, Any] = {"license": spdx}
    if spdx == "other":
        told["license_name"] = stated
        if card.licence.source:
            told["license_link"] = card.licence.source
    if card.identity.made_from:
        told["base_model"] = card.identity.made_from
    if card.kind in ("hosted", "server", "local", "made"):
        told["pipeline_tag"] = "text-generation"
    elif card.kind in ("classifier", "detector"):
        told["pipeline_tag"] = "text-classification"
    elif card.kind == "embedding":
        told["pipeline_tag"] = "feature-extraction"
    told["tags"] = ["demitasse", card.kind]
    results = [
        {
            "task": {
                "type": told.get("pipeline_tag", "text-generation") if card.kind == "detector" else "text-generation"
            },
            "dataset": {
                "name": one.task,
                "type": one.source or one.task,
                **({"revision": one.data_sha256} if one.data_sha256 else {}),
            },
            "metrics": [{"type": one.scorer or "score", "value": round(one.score, 6), "verified": False}],
        }
        for one in card.evaluations
        if one.score is not None
    ]
    if results:
        told["model-index"] = [{"name": card.name, "results": results}]
    return told


def _yaml(value: Any, depth: int = 0) -> Iterator[str]:
    """Block YAML; every text is a JSON string, which YAML 1.2 reads as it is."""
    pad = "  " * depth
    if isinstance(value, dict):
        for name, one in value.items():
            if isinstance(one, dict | list) and one:
                yield f"{pad}{name}:"
                yield from _yaml(one, depth + 1)
            else:
                yield f"{pad}{name}: {_scalar(one)}"
    else:
        for one in value:
            if isinstance(one, dict):
                first, *rest = _yaml(one, depth + 1)
                yield f"{pad}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{pad}- {_scalar(one)}"


def _scalar(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _lines(card: ModelCard) -> Iterator[str]:
    yield f"# {card.name}"
    yield ""
    yield f"A {KINDS[card.kind]}. Card of {card.made[:10]}, on calls from {card.since[:10]} to {card.until[:10]} (UTC)."
    yield from _section("Identity", _identity(card))
    yield from _section("Licence and use", _licence(card.licence, card.use))
    yield from _section("Price", _prices(card))
    yield from _section("Evaluations", _evaluations(card))
    yield from _section("Safety", _figures(card.safety, "No safety evaluation is kept."))
    yield from _section("CPU time of one text", _cpu(card))
    yield from _section("Bias", _figures(card.bias, lacking(card, "bias")))
    yield from _section("Energy per call", _energy(card))
    yield from _section("Data", iter((card.data,) if card.data else ()))
    yield from _section("Known issues", _issues(card))
    yield from _section("Who uses it", _uses(card))
    yield from _section("Limits", (f"- {line}" for line in card.limits))
    yield from _section("Unknown", (f"- {line}" for line in card.unknown))


KINDS: Final[dict[Kind, str]] = {
    "hosted": "model that a provider runs",
    "server": "model on a server of your own",
    "local": "model that runs on this machine",
    "made": "model that was made here",
    "classifier": "classifier that was made here",
    "embedding": "model that turns texts into vectors",
    "detector": "detector that ships with Demitasse",
    "recorded": "recording of answers",
}


def lacking(card: ModelCard, member: str) -> str:
    """What stands where a section would be empty. Nobody can run a task or BBQ on a detector: it answers nothing."""
    told = _LACKING_DETECTOR if card.kind == "detector" else {}
    return told.get(member) or _LACKING[member]


_LACKING: Final = {
    "prices": "Unknown.",
    "evaluations": "None is kept; make one: `demitasse evaluate TASK --model NAME`.",
    "bias": "No run of BBQ is kept; make one: `demitasse robustness bbq/Age --model NAME`.",
    "energy": "Unknown.",
}
_LACKING_DETECTOR: Final = {
    "prices": "Nothing is paid: it computes within the gateway.",
    "evaluations": "None is of these weights.",
    "bias": "BBQ asks questions, and a detector answers none. What is known of whom it errs for stands under limits.",
    "energy": "Unknown; it is a part of the gateway's own, by its CPU time.",
}


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", f"## {title}", "", *found)


def _identity(card: ModelCard) -> Iterator[str]:
    one = card.identity
    yield f"- Provider: {card.provider or UNKNOWN}"
    yield f"- Computes: {card.runs}" + (f" ({card.region})" if card.region not in (UNKNOWN, card.runs) else "")
    if one.upstream:
        yield f"- Its own name: {', '.join(one.upstream)}"
    if one.file:
        size = f", {one.bytes:,} bytes" if one.bytes is not None else ""
        yield f"- File: {one.file}{size}" + (f", {one.quantisation}" if one.quantisation else "")
    yield f"- SHA-256: {one.sha256 or UNKNOWN}"
    if one.origin:
        yield f"- Came from: {one.origin}"
    if one.method:
        yield f"- Made by: {one.method}"
    if one.made_from:
        yield f"- Made from: {one.made_from}"


def _licence(row: Licensed, use: str) -> Iterator[str]:
    dated = f" ([terms]({row.source}), read {row.read})" if row.source else ""
    yield f"- Licence: **{row.licence}**. {row.says}{dated}"
    source = f" ([terms]({row.outputs_source}))" if row.outputs_source else ""
    yield f"- Learning from its answers: {row.outputs}. {row.outputs_say}{source}"
    yield f"- In this house: {'allowed' if row.allowed else 'not allowed'}, {row.why}"
    if use:
        yield f"- Use: {use}"


def _prices(card: ModelCard) -> Iterator[str]:
    if not card.prices:
        yield lacking(card, "prices")
    for one in card.prices:
        rates = ", ".join(
            f"{name} {'unknown' if usd is None else f'${usd:g}'}" for name, usd in one.usd_per_mtok.items() if usd != 0
        )
        yield f"- {rates or 'nothing is paid'} per million tokens" + (
            f", ${one.usd_per_request:g} a request" if one.usd_per_request else ""
        )
        yield f"  (card `{one.id}`; {one.source})"


def _evaluations(card: ModelCard) -> Iterator[str]:
    if not card.evaluations:
        yield lacking(card, "evaluations")
        return
    yield "| task | date | samples | score | 95 % | unreadable | data (SHA-256) |"
    yield "| --- | --- | ---: | ---: | --- | ---: | --- |"
    for one in card.evaluations:
        score = "-" if one.score is None else f"{one.score:.1%}"
        yield (
            f"| {_cell(one.task)} | {one.at[:10]} | {one.n:,} | {score} | {_span(one.interval)} | {one.unreadable:,} "
            f"| {f'{one.data_sha256[:16]}…' if one.data_sha256 else _cell(one.source) or '-'} |"
        )


def _figures(rows: tuple[Figure, ...], none: str) -> Iterator[str]:
    if not rows:
        yield none
        return
    yield "| what | value | 95 % | n | date |"
    yield "| --- | ---: | --- | ---: | --- |"
    for one in rows:
        value = "-" if one.value is None else f"{one.value:.3f}"
        yield f"| {_cell(one.name)} | {value} | {_numbers(one.interval)} | {one.n:,} | {one.at[:10] or '-'} |"


def _cpu(card: ModelCard) -> Iterator[str]:
    for one in card.cpu:
        if one.value is not None:
            what, _, unit = one.name.rpartition(", ")
            yield f"- {what}: {one.value:,.4g} {unit} ({one.at[:10]}, one thread)"


def _energy(card: ModelCard) -> Iterator[str]:
    if not card.energy:
        yield lacking(card, "energy")
    for one in card.energy:
        yield (
            f"- {one.wh[0]:.3g} to {one.wh[1]:.3g} Wh, {one.co2_g[0]:.3g} to {one.co2_g[1]:.3g} g CO2e "
            f"({one.method}, mean of {one.calls:,} calls)"
        )


def _issues(card: ModelCard) -> Iterator[str]:
    if not card.issues:
        yield "None on record."
    for one in card.issues:
        yield f"- {one.at[:10]} {'open' if one.open else 'closed'}: {one.what}"


def _uses(card: ModelCard) -> Iterator[str]:
    if not card.used_by:
        yield "No call in the window."
    for one in card.used_by:
        yield f"- route `{one.route or '(none)'}`: {one.calls:,} calls"


def _span(interval: Span | None) -> str:
    return "-" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}"


def _numbers(interval: Span | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

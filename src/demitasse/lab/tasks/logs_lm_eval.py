"""lm-evaluation-harness's ``--log_samples``: JSON lines, one per document and filter. The format of lm_eval 0.4.

Source: lm_eval/loggers/evaluation_tracker.py (``save_results_samples``), which writes answers, log-likelihoods and targets as
texts, and the arguments of request i as ``gen_args_i`` with ``arg_0`` (the prompt) and ``arg_1`` (the continuation, or the
settings of a generation).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...core.errors import ConfigError
from . import rows
from .logs import Given, Log, digest
from .options import letter
from .task import Form, Sample, Source, Task

METRICS = ("exact_match", "acc", "em", "pass@1", "acc_norm", "f1")
"""The score of a sample, where several were logged: the first of these."""
_NAME = re.compile(r"samples_(.+?)(?:_\d{4}-\d{2}-\d{2}T[\d.-]+)?$")


def read(path: Path) -> Log:
    """A run of lm-evaluation-harness. Raises ConfigError naming the line."""
    found: list[Sample] = []
    answers: dict[str, Given] = {}
    by = ""
    more = 0
    kinds: set[bool] = set()
    for row in rows.read(path).rows:
        one = row.fields
        if not {"doc_id", "arguments", "resps"} <= one.keys():
            raise ConfigError(f"{row.where}: lacks doc_id, arguments or resps; it is no line of --log_samples")
        id = str(one["doc_id"])
        if id in answers:
            more += 1
            continue
        requests = _requests(row.where, one["arguments"])
        responses = one["resps"]
        metric, value = _score(one)
        by = by or " ".join(part for part in (metric, _filter(one)) if part)
        chosen = _is_choice(requests, responses)
        kinds.add(chosen)
        if chosen:
            sample, text = _choice(row.where, id, one, requests, responses)
        else:
            text = _text(responses)
            sample = Sample(id, _asked(requests[0][0]), _targets(one.get("target")))
        found.append(sample)
        answers[id] = Given(text, value, said=_said(one.get("filtered_resps"), chosen=chosen, text=text))
    if len(kinds) > 1:
        raise ConfigError(f"{path}: holds choices and generations; take the samples of one task")
    form: Form = "choice" if kinds == {True} else "text"
    match = _NAME.fullmatch(path.stem)
    name = match[1] if match else path.stem
    task = Task(name=name, samples=tuple(found), form=form, source=Source(f"lm-eval:{name}", digest(path)))
    return Log(task, answers, path.parent.name or "unknown", "lm-eval", by, more)


def _requests(where: str, arguments: Any) -> list[tuple[Any, Any]]:
    """Prompt and continuation of each request, from ``gen_args_i`` or (older) lists."""
    listed: list[Any] = []
    if isinstance(arguments, Mapping):
        named = sorted(arguments, key=lambda name: int(str(name).rpartition("_")[2]) if str(name)[-1:].isdigit() else 0)
        listed = [[arguments[name].get("arg_0"), arguments[name].get("arg_1")] for name in named]
    elif isinstance(arguments, list):
        listed = [[*one, None][:2] for one in arguments if isinstance(one, list) and one]
    if not listed:
        raise ConfigError(f"{where}: its arguments name no request")
    return [(one[0], one[1]) for one in listed]


def _is_choice(requests: Sequence[tuple[Any, Any]], responses: Any) -> bool:
    """Log-likelihoods of several continuations."""
    return (
        len(requests) > 1
        and all(isinstance(text, str) for _, text in requests)
        and _likelihood(responses, 0) is not None
    )


def _choice(
    where: str, id: str, one: Mapping[str, Any], requests: Sequence[tuple[Any, Any]], responses: Any
) -> tuple[Sample, str]:
    choices = tuple(str(text).strip() for _, text in requests)
    scores = [_likelihood(responses, at) for at in range(len(requests))]
    known = [score for score in scores if score is not None]
    if len(known) != len(choices) or len(choices) > 26:
        raise ConfigError(f"{where}: has {len(known)} log-likelihoods for {len(choices)} options")
    picked = letter(known.index(max(known)))
    targets = _targets(one.get("target"))
    right = tuple(_letter(where, target, choices) for target in targets)
    return Sample(id, _asked(requests[0][0]), right, choices), picked


def _letter(where: str, target: str, choices: Sequence[str]) -> str:
    if target.isdecimal() and int(target) < len(choices):
        return letter(int(target))
    if target.strip() in choices:
        return letter(choices.index(target.strip()))
    raise ConfigError(f"{where}: its target {target!r} is none of its {len(choices)} options")


def _likelihood(responses: Any, at: int) -> float | None:
    value = responses[at] if isinstance(responses, list) and at < len(responses) else None
    while isinstance(value, list) and value:
        value = value[0]
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _text(responses: Any) -> str:
    value = responses
    while isinstance(value, list):
        value = value[0] if value else ""
    return str(value)


def _asked(prompt: Any) -> str:
    return prompt if isinstance(prompt, str) else msgspec.json.encode(prompt).decode()


def _targets(target: Any) -> tuple[str, ...]:
    """As text; a list was written as Python writes it."""
    if isinstance(target, list):
        return tuple(map(str, target))
    if isinstance(target, str) and target.startswith("[") and target.endswith("]"):
        import ast  # noqa: PLC0415 - seldom

        try:
            value = ast.literal_eval(target)
        except (ValueError, SyntaxError):
            return (target,)
        return tuple(map(str, value)) if isinstance(value, list) else (target,)
    return () if target is None else (str(target),)


def _filter(one: Mapping[str, Any]) -> str:
    name = one.get("filter")
    return str(name) if name not in (None, "none") else ""


def _score(one: Mapping[str, Any]) -> tuple[str, float | None]:
    logged = one.get("metrics")
    names = [name for name in METRICS if name in one]
    names += [name for name in logged if name in one and name not in names] if isinstance(logged, list) else []
    for name in names:
        value = one[name]
        if isinstance(value, bool | int | float) and 0 <= value <= 1:
            return name, float(value)
    return "", None


def _said(filtered: Any, *, chosen: bool, text: str) -> str:
    if chosen:
        return text
    said = _text(filtered)
    return said if said != text else ""

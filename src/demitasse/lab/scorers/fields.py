"""The scorer ``json``: valid by a schema, and the same as the target. Pure.

What a schema may be: ``score.schema``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from ...score.normal import NO_JSON, Answer, json_of, same_json
from ...score.schema import Schema, Unreadable
from ..tasks.task import Sample, Task
from .reading import failed, shown, silent, spoken, unread
from .scorer import Pure, Score, Unscorable, needs

Check = Callable[[Any], str]
"""What is wrong with a value in one line; empty: nothing."""


def fields(task: Task, options: str) -> Pure:
    """The answer is JSON (bare or in one fence), valid by the schema, and every field of the target has the target's value.

    Fields that the target doesn't name are the schema's business. Options, by comma: ``partial``: the share of the target's
    fields that are right, in place of all or nothing. ``lenient``: words around the one fence and raw line breaks are no failure.
    A sample without a target is asked for its schema alone.
    """
    chosen = set(filter(None, options.split(",")))
    if chosen - {"partial", "lenient"}:
        raise Unscorable(f"the scorer 'json' knows the options 'partial' and 'lenient', not '{options}'")
    partial, lenient = "partial" in chosen, "lenient" in chosen
    check = checker(task.schema) if task.schema is not None else None
    wanted: dict[tuple[str, ...], list[Any]] = {}
    for sample in task.samples:
        wanted[sample.target] = [_value(task, sample, one) for one in sample.target]

    def score(sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        text = spoken(answer.text)
        value = json_of(text, lenient=lenient)
        if value is NO_JSON:
            return unread(answer, "JSON")
        own = sample.metadata.get("schema")
        wrong = (_checker_of(own) if own is not None else check or _anything)(value)
        if wrong:
            return failed("format", wrong)
        targets = wanted.get(sample.target)
        if targets is None:
            targets = [_value(task, sample, one) for one in sample.target]
        if not targets:
            return Score(1.0, said=shown(text))
        shares = [agreeing(one, value) for one in targets]
        best = max(shares)
        return Score(
            best if partial else float(best == 1.0),
            said=shown(text),
            why="" if best == 1.0 else _differs(targets[shares.index(best)], value),
        )

    return score


def agreeing(target: Any, value: Any) -> float:
    """Share of the target's fields that a value has right, 0..1; what is no object is right or wrong as a whole."""
    if not isinstance(target, dict) or not target:
        return float(same_json(target, value))
    if not isinstance(value, dict):
        return 0.0
    return sum(key in value and same_json(wanted, value[key]) for key, wanted in target.items()) / len(target)


def checker(schema: Any) -> Check:
    """A function that says what of a value breaks the schema. Raises Unscorable: it is no schema, or leads out of itself."""
    try:
        read = Schema(schema)
    except Unreadable as error:
        raise Unscorable(f"the schema cannot be read: {error}") from error
    if read.unread:
        raise Unscorable(f"the schema cannot be read whole: {read.unread[0]}")

    def check(value: Any) -> str:
        try:
            fault = read.first_fault(value)
        except Unreadable as error:
            return str(error)
        return f"at {fault.place}: {fault.message}"[:_SHOWN] if fault is not None else ""

    return check


def _anything(_value: Any) -> str:
    return ""


def _checker_of(schema: Any) -> Check:
    return _kept(msgspec.json.encode(schema, order="sorted"))


@lru_cache(256)
def _kept(schema: bytes) -> Check:
    return checker(msgspec.json.decode(schema))


def _value(task: Task, sample: Sample, target: str) -> Any:
    try:
        return msgspec.json.decode(target)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise needs(task, sample, f"a target that is JSON; '{shown(target)}' is none") from error


def _differs(target: Any, value: Any) -> str:
    if not isinstance(target, dict) or not isinstance(value, dict):
        return "another value"
    names = [key for key, wanted in target.items() if key not in value or not same_json(wanted, value[key])]
    return f"differs in {', '.join(names)}"[:_SHOWN]


_SHOWN = 160

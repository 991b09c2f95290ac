"""A Sample as a chat request: free, or held to the form of its answer by a JSON schema. Pure; knows no model."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..tasks.task import Sample, Task

Mode = Literal["free", "constrained"]
"""free: the answer is whatever the model writes · constrained: JSON that holds ``answer`` (and ``reasoning`` before a number),
by ``response_format``, which small models need more than any other help."""

ENVELOPE_TOKENS = 24
"""What braces, quotes, line breaks and the name of the field take, as small models write them."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def request(task: Task, sample: Sample, mode: Mode, *, seed: int | None = None) -> bytes:
    """The body of a chat completion without ``model``; the same bytes for the same arguments.

    Args:
        seed: sent upstream; None: not sent. Temperature is 0 all the same.

    Raises ValueError where the task's form cannot be constrained (text and code are free by nature).
    """
    body: dict[str, Any] = {
        "messages": messages(task, sample, mode),
        "temperature": 0,
        "max_tokens": task.max_tokens + (ENVELOPE_TOKENS if mode == "constrained" else 0),
    }
    if seed is not None:
        body["seed"] = seed
    if mode == "constrained":
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema(task, sample)},
        }
    return msgspec.json.encode(body)


def messages(task: Task, sample: Sample, mode: Mode) -> list[dict[str, str]]:
    """System prompt, worked examples, the sample."""
    found = [{"role": "system", "content": task.system}] if task.system else []
    for shot in task.shots:
        found += _turns(task, shot)
        found.append({"role": "assistant", "content": _said(task, shot, mode)})
    return found + _turns(task, sample)


def schema(task: Task, sample: Sample) -> dict[str, Any]:
    """The JSON schema of a constrained answer. Raises ValueError for forms that are free by nature."""
    if task.form == "json":
        found = sample.metadata.get("schema") or task.schema
        if not found:
            raise ValueError(f"task '{task.name}' has no schema: give it one ([task] schema), or ask with --free")
        return dict(found)
    answer: dict[str, Any]
    if task.form == "choice":
        answer = {"type": "string", "enum": list(LETTERS[: len(sample.choices)])}
    elif task.form == "label":
        answer = {"type": "string", "enum": list(task.labels)}
    elif task.form == "number":
        # A number that is asked for at once is asked without the thought that leads to it.
        return _object({"reasoning": {"type": "string"}, "answer": {"type": "number"}})
    else:
        raise ValueError(f"task '{task.name}' asks for {task.form}, which no schema can hold; ask with --free")
    return _object({"answer": answer})


def constrainable(task: Task) -> bool:
    """Whether ``constrained`` says anything for this task."""
    return task.form in ("choice", "label", "number") or (task.form == "json" and task.schema is not None)


def put(task: Task, sample: Sample) -> str:
    """The text of a sample whose input is one text, as its last user turn shows it."""
    assert isinstance(sample.input, str)
    options = "\n".join(f"{LETTERS[i]}. {text}" for i, text in enumerate(sample.choices))
    shown = task.template
    if sample.choices and "{choices}" not in shown:
        shown += "\n{choices}"
    # Not str.format: the input may hold braces of its own.
    parts = shown.split("{input}")
    return sample.input.join(part.replace("{choices}", options) for part in parts)


def _turns(task: Task, sample: Sample) -> list[dict[str, str]]:
    if isinstance(sample.input, str):
        return [{"role": "user", "content": put(task, sample)}]
    turns = [{"role": turn.role, "content": turn.content} for turn in sample.input]
    if sample.choices:
        options = "\n".join(f"{LETTERS[i]}. {text}" for i, text in enumerate(sample.choices))
        turns.append(turns.pop() | {"content": f"{turns[-1]['content']}\n{options}"} if turns else _user(options))
    return turns


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _said(task: Task, shot: Sample, mode: Mode) -> str:
    """A worked example answers in the form that is asked for."""
    target = shot.target[0] if shot.target else ""
    if mode == "free" or task.form == "json":
        return target
    fields: dict[str, Any] = {"answer": target}
    if task.form == "number":
        fields = {"reasoning": str(shot.metadata.get("reasoning", "")), "answer": _number(target)}
    return msgspec.json.encode(fields).decode()


def _number(text: str) -> float | int | str:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


__all__ = ["LETTERS", "Mode", "constrainable", "messages", "put", "request", "schema"]

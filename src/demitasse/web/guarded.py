"""What the guard saw of a call and did, as sentences and as JSON. Types, counts and names; there are no values to tell. Pure."""

from __future__ import annotations

from typing import Any

from ..core.entry import Check, Guarded
from ..guard.kinds import SECRETS, TYPES

_FOUND = TYPES.keys() | SECRETS.keys()
_DONE = {
    "redact": "{count} × {what} went out as a placeholder, and the answer got it back",
    "mask": "{count} × {what} went out as a placeholder, and stays one",
    "strip": "{count} runs of hidden characters were taken out",
    "drop_tools": "the call went out without its tools",
    "approved": "a person had let it pass",
}
_WHOSE = {
    "user": "the user's text",
    "tool": "a tool's result",
    "retrieved": "a retrieved text",
    "system": "the instructions",
    "assistant": "the model's own words",
}
_CHECKS = {
    "schema": "fits the form that was asked for",
    "grounding": "is supported by the context supplied",
    "leaks": "gives away nothing",
    "moderation": "is harmless",
}


def guard_json(told: Guarded | None) -> dict[str, Any] | None:
    """``Entry.guard`` as documented; None where nobody looked."""
    if told is None:
        return None
    return {
        "found": dict(told.found),
        "hidden": dict(told.hidden),
        "injection": None
        if told.injection is None
        else {"score": told.injection, "band": told.band, "source": told.source},
        "moderated": dict(told.moderated),
        "done": [{"action": action, "what": what, "count": count} for action, what, count in told.done],
        "data_class": told.data_class or None,
        "stays": told.stays or None,
        "checks": [
            {"name": check.name, "passed": check.passed, "score": check.score, "why": check.why}
            for check in told.checks
        ],
        "cut": told.cut,
        "took_ms": told.took_us / 1000,
    }


def guard_sentences(told: Guarded | None, *, refused: bool = False) -> list[str]:
    """The same for a person, the weightiest first; empty where nobody looked, or nothing was worth a word.

    Args:
        refused: the call was turned away, so it stayed nowhere.
    """
    if told is None:
        return []
    said: list[str] = []
    if told.stays:
        where = "on this machine" if told.stays == "local" else f"in {told.stays}"
        why = (
            f"it holds {told.data_class}"
            if told.data_class in _FOUND
            else f"its data is of the class '{told.data_class}'"
        )
        if told.data_class == "unseen":
            why = "it was too much to be looked at whole"
        said.append(f"{why}, so the call {'had to stay' if refused else 'stayed'} {where}")
    if told.found:
        said.append("found in the prompt: " + ", ".join(f"{count} × {type}" for type, count in told.found))
    if told.injection is not None and told.band != "low":
        whose = _WHOSE.get(told.source, told.source)
        said.append(f"risk that {whose} gives orders: {told.injection:.2f}, band {told.band}")
    if told.hidden:
        said.append("characters that nobody sees: " + ", ".join(f"{count} × {kind}" for kind, count in told.hidden))
    if told.moderated:
        said.append("moderation: " + ", ".join(f"{category} {score:.2f}" for category, score in told.moderated))
    said += [_DONE[action].format(what=what, count=count) for action, what, count in told.done if action in _DONE]
    said += [check_sentence(check) for check in told.checks]
    if told.cut:
        said.append("it was too much to be looked at whole")
    return said


def check_sentence(check: Check) -> str:
    """One check of an answer."""
    about = _CHECKS.get(check.name, check.name)
    score = f" ({check.score:.2f})" if check.score is not None else ""
    if check.passed:
        return f"the answer {about}{score}" + (f"; {check.why}" if check.why else "")
    return f"check '{check.name}' failed{score}: {check.why or f'not shown that the answer {about}'}"

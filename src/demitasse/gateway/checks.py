"""Checks on answers: has it the form that was asked for, does it stand in the context, does it leak? One function each.

A draft that fails one is not given: the next model is asked, and *why?* names the check. A final answer is given all the same,
and what was found stands in its entry. What a check says holds no word of the prompt or the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from ..core.call import Call, Reply
from ..core.entry import Check as Found
from ..guard.answers import leaks as leaks_of
from ..guard.grounding import Grounding, ground
from ..score.normal import Answer, answer_of
from ..score.schema import Unreadable, read
from ..wire.parts import Part, parts
from ..wire.passages import retrieved
from ..wire.text import turns
from .ladder import Judge, Verdict

log = logging.getLogger("demitasse")


class Form(Struct, frozen=True):
    """What a request demands of its answer's form."""

    json: bool = False
    schema: dict[str, Any] | None = None
    """None: any JSON object."""
    tools: dict[str, Any] = {}
    """The JSON schema of each tool's arguments; None where a tool has none."""
    must_call: bool = False


_FREE: Final = Form()
_FREE_INPUT: Final = object()
"""In the place of a schema: the tool takes any text."""
_LETTERS_AS_NUMBERS: Final = b"\\u"
"""Where a JSON text has these, any name and word may be in it."""
_FORMED: Final = frozenset({"response_format", "tools", "functions", "tool_choice"})


class Asked:
    """What checks may know of a request; each part is read when it is first asked for."""

    def __init__(self, call: Call) -> None:
        self.call = call

    @cached_property
    def form(self) -> Form:
        """The form that the answer must have. Costs nothing where none is asked for."""
        fields = self.call.fields
        if fields.keys().isdisjoint(_FORMED):
            return _FREE
        wanted, choice = _decoded(self.call, "response_format"), _decoded(self.call, "tool_choice")
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        inner = wanted.get("json_schema") if isinstance(wanted, dict) else None
        schema = inner.get("schema") if isinstance(inner, dict) else None
        return Form(
            json=kind in ("json_object", "json_schema"),
            schema=schema if isinstance(schema, dict) else None,
            tools=self._tools(),
            must_call=choice == "required" or _demands(choice),
        )

    def _tools(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for member in ("tools", "functions"):
            listed = _decoded(self.call, member)
            for tool in listed if isinstance(listed, list) else ():
                function = tool.get("function", tool.get("custom", tool)) if isinstance(tool, dict) else None
                if isinstance(function, dict) and isinstance(function.get("name"), str):
                    found[function["name"]] = _FREE_INPUT if "custom" in tool else function.get("parameters")
        return found

    @cached_property
    def parts(self) -> list[Part]:
        return parts(self.call.kind, self.call.fields)

    @cached_property
    def prompt(self) -> str:
        """All that the request says."""
        return "\n".join(part.text for part in self.parts)

    @cached_property
    def context(self) -> str:
        """What was supplied to answer from: tools' results and passages; "" where nothing was."""
        return "\n".join(
            part.text[start:end]
            for part in self.parts
            for source, start, end in part.pieces()
            if source in ("tool", "retrieved")
        )

    @cached_property
    def instructions(self) -> str:
        """What the application told the model beforehand, without the passages in it."""
        body = self.call.body
        if b"system" not in body and b"developer" not in body and _LETTERS_AS_NUMBERS not in body:
            return ""
        told = []
        for said in turns(body):
            if said.role in ("system", "developer"):
                at = 0
                for start, end in retrieved(said.text):
                    told.append(said.text[at:start])
                    at = end
                told.append(said.text[at:])
        return "\n".join(told)


Check = Callable[[Asked, Reply], Found | None]
"""What was found of an answer; None: there was nothing to check. Pure, and quick: it runs between two bytes of an answer."""


def schema(asked: Asked, reply: Reply) -> Found | None:
    """JSON where JSON was asked for, of the schema, and tool calls with arguments of theirs.

    Of a schema that cannot be read, or not in time, nothing is said, but for faults of the form itself (``score.schema``).
    """
    form = asked.form
    if form is _FREE and b"_call" not in reply.body and _LETTERS_AS_NUMBERS not in reply.body:
        return None
    said = _said(reply)
    if said.tool_calls:
        why = _wrong_calls(form.tools, said)
        return None if why is None else _result("schema", why)
    if form.must_call:
        return _result("schema", "a tool call was demanded, and none came")
    if not form.json:
        return None
    if said.refusal:
        return Found("schema", passed=True, why="the model declined to answer")
    try:
        value = msgspec.json.decode(said.text)
    except (msgspec.DecodeError, RecursionError):
        return _result("schema", "the answer is not JSON, or not JSON alone")
    if form.schema is None:
        return _result("schema", "" if isinstance(value, dict) else "the answer is JSON, but no object")
    holds = _holds(value, form.schema)
    return None if holds is None else _result("schema", "" if holds else "the answer is JSON, but not of the schema")


def grounding(asked: Asked, reply: Reply) -> Found | None:
    """Whether what the answer claims stands in what was supplied; None where nothing was. No detector of hallucinations."""
    found = claims_of(asked, reply)
    return None if found is None else grounded(found[1])


def claims_of(asked: Asked, reply: Reply) -> tuple[str, Grounding] | None:
    """The answer's text and its claims held against the request; None where it claims nothing, or nothing was supplied."""
    text = _said(reply).text
    if not asked.context or not text or asked.form.json:
        return None
    found = ground(text, asked.prompt)
    return (text, found) if found.claims else None


def grounded(found: Grounding, note: str = "") -> Found:
    """Grounded claims as a check. ``note``: what is to be said of those that are grey."""
    bad = [claim for claim in found.claims if claim.support == "unsupported"]
    why = f"{len(bad)} of {len(found.claims)} claims are not in the context supplied" if bad else ""
    if missing := sorted({what for claim in bad for what in claim.missing}):
        why += f" (by {' and '.join(_BY[what] for what in missing)})"
    return Found("grounding", found.passed, round(found.score or 0.0, 3), "; ".join(filter(None, (why, note))))


_BY: Final = {
    "number": "a number",
    "name": "a name",
    "negation": "a negation",
    "opposite": "an opposite",
    "roles": "exchanged roles",
}
"""What a claim was seen by, as ``Claim.missing`` has it."""


def leaks(asked: Asked, reply: Reply) -> Found | None:
    """Secrets that the prompt does not have, placeholders left over, the instructions repeated at length."""
    text = _all_said(reply)
    if not text:
        return None
    found = leaks_of(text, lambda: asked.prompt, lambda: asked.instructions)
    return Found("leaks", not found, None, "; ".join(leak.why for leak in found))


CHECKS: Final[dict[str, Check]] = {"schema": schema, "grounding": grounding, "leaks": leaks}
"""By the name that settings give them. Moderation asks a model, and so is not among them: ``gateway.moderation``."""


def checks_of(names: Iterable[str]) -> tuple[Check, ...]:
    """The checks that settings name, in their order; ``moderation`` is passed over."""
    return _checks_of(tuple(names))


@lru_cache(64)
def _checks_of(names: tuple[str, ...]) -> tuple[Check, ...]:
    return tuple(CHECKS[name] for name in names if name in CHECKS)


def demanding(call: Call, names: Iterable[str]) -> bool:
    """Whether the request itself gives these checks something to hold its answer against: a form, or context. ``leaks`` has
    something to look at in every answer, and so is no reason to keep one waiting."""
    asked, names = Asked(call), tuple(names)
    return ("schema" in names and asked.form != _FREE) or ("grounding" in names and bool(asked.context))


def judged(judge: Judge, checks: Sequence[Check], call: Call) -> Judge:
    """The same judge, by which no draft stands that fails a check; the verdict's reason then names it.

    Args:
        call: as the drafter was asked, placeholders and all.
    """
    return _Judged(judge, checks, call) if checks else judge


def check_reply(call: Call, reply: Reply, checks: Sequence[Check]) -> tuple[Found, ...]:
    """What the checks say of an answer; those that had nothing to check say nothing. Never raises."""
    if call.kind in ("embedding", "moderation") or not checks:
        return ()
    asked = Asked(call)
    found = []
    for check in checks:
        try:
            one = check(asked, reply)
        except Exception:
            # A fault in what is only there to look may not cost an answer that was paid for.
            log.exception("the check '%s' of call %s failed", getattr(check, "__name__", check), call.id)
            continue
        if one is not None:
            found.append(one)
    return tuple(found)


def refused(verdict: Verdict, failed: Found) -> Verdict:
    """The verdict on a draft that fails a check."""
    reason = f"the draft fails the check '{failed.name}'" + (f": {failed.why}" if failed.why else "")
    return structs.replace(verdict, stands=False, ask_second=False, reason=reason)


class _Judged:
    __slots__ = ("_call", "_checks", "_judge", "_seen")

    def __init__(self, judge: Judge, checks: Sequence[Check], call: Call) -> None:
        self._judge = judge
        self._checks = checks
        self._call = call
        self._seen: tuple[Reply, Found | None] | None = None

    def __call__(self, draft: Reply, second: Reply | None) -> Verdict:
        verdict = self._judge(draft, second)
        failed = self._failed(draft)
        if failed is None:
            return verdict
        return refused(verdict, failed)

    def _failed(self, draft: Reply) -> Found | None:
        if self._seen is None or self._seen[0] is not draft:
            results = check_reply(self._call, draft, self._checks)
            self._seen = draft, next((found for found in results if not found.passed), None)
        return self._seen[1]


def _demands(choice: Any) -> bool:
    """Whether a ``tool_choice`` that is an object demands a call: one that names the tools that are allowed may leave it open."""
    if not isinstance(choice, dict):
        return False
    allowed = choice.get("allowed_tools", choice) if choice.get("type") == "allowed_tools" else None
    return allowed is None or (isinstance(allowed, dict) and allowed.get("mode") == "required")


def _result(name: str, why: str) -> Found:
    return Found(name, passed=not why, why=why)


def _wrong_calls(tools: dict[str, Any], said: Answer) -> str | None:
    """What is wrong with its calls; "": nothing. None: a call's schema could not be read, and else nothing is wrong."""
    unsaid = False
    for name, written in said.tool_calls:
        if tools and name not in tools:
            return "a tool was called that is not offered"
        if tools.get(name) is _FREE_INPUT:
            continue
        try:
            value = msgspec.json.decode(written or "{}")
        except (msgspec.DecodeError, RecursionError):
            return "a tool call's arguments are not JSON"
        if not isinstance(value, dict):
            return "a tool call's arguments are no object"
        holds = _holds(value, tools.get(name))
        if holds is False:
            return "a tool call's arguments are not of its schema"
        unsaid = unsaid or holds is None
    return None if unsaid else ""


def _holds(value: Any, form: Any) -> bool | None:
    """Whether a value is of a schema, if there is one; None: nobody can say."""
    try:
        return form is None or read(form).holds(value)
    except Unreadable:
        return None


_NOTHING = Answer()


def _said(reply: Reply) -> Answer:
    try:
        return answer_of(reply.body)
    except ValueError:
        return _NOTHING


def _all_said(reply: Reply) -> str:
    """Of all choices: texts, refusals and arguments of tool calls."""
    try:
        choices = _read_plain(reply.body).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _all_strings(reply)
    return "\n".join(
        [text for choice in choices for text in (choice.text, *_plainly(choice.message)) if text is not None]
    )


class _PlainMessage(Struct):
    """One that holds nothing but text; any other is no such message, and is read as it is."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: None = None


class _PlainChoice(Struct):
    text: str | None = None
    message: _PlainMessage | None = None


class _PlainBody(Struct):
    choices: list[_PlainChoice] = []


_read_plain = msgspec.json.Decoder(_PlainBody).decode


def _plainly(message: _PlainMessage | None) -> tuple[str | None, ...]:
    return () if message is None else (message.content, message.refusal, message.reasoning_content)


def _all_strings(reply: Reply) -> str:
    try:
        choices = msgspec.json.decode(reply.body).get("choices") or ()
    except (msgspec.DecodeError, RecursionError, AttributeError):
        return ""
    return "\n".join(_strings({"choices": [_spoken(choice) for choice in choices if isinstance(choice, dict)]}))


def _spoken(choice: dict[str, Any]) -> list[Any]:
    message = choice.get("message") or {}
    if not isinstance(message, dict):
        return []
    said = [choice.get("text"), message.get("content"), message.get("refusal"), message.get("reasoning_content")]
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        said.append(function.get("arguments") if isinstance(function, dict) else None)
    return said


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)


def _decoded(call: Call, member: str) -> Any:
    raw = call.fields.get(member)
    try:
        return msgspec.json.decode(raw) if raw is not None else None
    except (msgspec.DecodeError, RecursionError):
        return None

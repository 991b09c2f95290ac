"""A Task from calls that were really served: split by time with sessions never parted, sampled, redacted. Pure.

Knows what was asked, what was answered and what people said of it; nothing of books, bodies and keys, which are given.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from ...core.errors import ConfigError
from ...score.normal import answer_of
from ...score.quantity import number
from ...wire.text import turns
from .redact import redact
from .task import Form, Sample, Source, Task, Turn

Half = Literal["", "train", "test"]


class Exchange(Struct, frozen=True):
    """A call that was served, before its bodies are read."""

    id: str
    at_us: int
    session: str = ""
    slice: str = ""
    key: str = ""
    """Whose call it was."""


class Bodies(Struct, frozen=True):
    """What was asked and answered, as it was on the wire."""

    request: bytes
    right: bytes | None
    """The answer that counts as right: the reference's, or one that was found good. None: there is none."""
    because: str = ""
    """``reference``, ``feedback`` or ``vote``."""
    served: bytes | None = None
    """What the client got, where that is another one."""
    score: float | None = None
    """What the application or a person said of the served answer, 0 to 1."""


class Split(Struct, frozen=True):
    """Which calls. Sessions belong where they begin, and are never parted: of one that begins before a bound, the calls after
    it are left out."""

    since_us: int = 0
    before_us: int | None = None
    half: Half = ""
    """The earlier or the later half of the sessions (``train``, ``test``)."""


def drawn(calls: Iterable[Exchange], split: Split, n: int | None, *, seed: int) -> list[Exchange]:
    """The calls of a split, oldest first; of more than ``n`` those whose sessions come first by a hash of seed and session.

    Whole sessions are drawn until ``n`` calls are there, so that a session is in or out.
    """
    sessions: dict[str, list[Exchange]] = {}
    for call in sorted(calls, key=lambda call: (call.at_us, call.id)):
        sessions.setdefault(call.session or f"\0{call.id}", []).append(call)
    bounds = _bounds(sessions, split)
    kept = {
        name: [call for call in own if call.at_us < bounds[1]]
        for name, own in sessions.items()
        if bounds[0] <= own[0].at_us < bounds[1]
    }
    total = sum(map(len, kept.values()))
    if n is not None and total > n:
        ranked = sorted(kept, key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())
        chosen: dict[str, list[Exchange]] = {}
        for name in ranked:
            if sum(map(len, chosen.values())) >= n:
                break
            chosen[name] = kept[name]
        kept = chosen
    return sorted((call for own in kept.values() for call in own), key=lambda call: (call.at_us, call.id))


def _bounds(sessions: dict[str, list[Exchange]], split: Split) -> tuple[int, float]:
    since, before = split.since_us, math.inf if split.before_us is None else split.before_us
    if split.half and sessions:
        begun = sorted(own[0].at_us for own in sessions.values() if since <= own[0].at_us < before)
        if begun:
            cut = begun[len(begun) // 2]
            return (since, cut) if split.half == "train" else (cut, before)
    return since, before


class Left(Struct, frozen=True):
    """Why calls made no sample."""

    no_target: int = 0
    """Nobody knows what would have been right."""
    not_text: int = 0
    """Tools, images, files, or no question at the end."""
    repeated: int = 0
    """Asked before, word for word; the first one counts."""
    masked: Counter[str] = Counter()
    """What ``redact`` masked, by kind."""


def task_of(
    calls: Sequence[Exchange],
    bodies: Callable[[str], Bodies | None],
    *,
    name: str,
    source: Source,
    scorer: str = "",
    need_target: bool = True,
) -> tuple[Task, Left]:
    """The task of these calls, and what was left out.

    Args:
        bodies: of a call, by its id; None where none are kept.
        scorer: for prose, which no program can hold against another: ``judge:large``. Else by the answers' form.
        need_target: leave out calls of which nobody knows what is right.
    """
    samples: list[Sample] = []
    seen: set[str] = set()
    left: Counter[str] = Counter()
    masked: Counter[str] = Counter()
    structured: list[bool] = []
    schemas: set[bytes] = set()
    for call in calls:
        found = bodies(call.id)
        if found is None:
            continue
        asked = _asked(found.request)
        right = _said(found.right)
        if asked is None:
            left["not_text"] += 1
            continue
        if need_target and not right:
            left["no_target"] += 1
            continue
        mark = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
        if mark in seen:
            left["repeated"] += 1
            continue
        seen.add(mark)
        samples.append(_sample(call, asked, right, found, masked))
        structured.append(_is_structured(found.request))
        schemas.add(_schema(found.request))
    targets = [s.target[0] for s in samples if s.target]
    form, labels = form_of(targets, structured=bool(structured) and all(structured))
    schema = msgspec.json.decode(schemas.pop()) if form == "json" and len(schemas) == 1 else None
    held = held_to(schema, targets) if schema else None
    if held is not None:
        (form, labels), schema = held, None
        samples = [structs.replace(s, target=tuple(_answer(one) for one in s.target)) for s in samples]
    longest = max((len(s.target[0]) for s in samples if s.target), default=0)
    task = Task(
        name=name,
        samples=tuple(samples),
        form=form,
        labels=labels,
        scorer=scorer,
        max_tokens=min(2048, max(64, longest)),
        schema=schema,
        source=source,
    )
    return task, Left(left["no_target"], left["not_text"], left["repeated"], masked)


def _sample(call: Exchange, asked: tuple[Turn, ...], right: str, found: Bodies, masked: Counter[str]) -> Sample:
    def bare(text: str) -> str:
        clean, counted = redact(text)
        masked.update(counted)
        return clean

    metadata: dict[str, Any] = {"key": call.key} if call.key else {}
    if right:
        metadata["because"] = found.because
    if found.score is not None:
        metadata["score"] = found.score
    served = _said(found.served)
    if served and served != right:
        metadata["served"] = bare(served)
    return Sample(
        id=call.id,
        input=tuple(structs.replace(turn, content=bare(turn.content)) for turn in asked),
        target=(bare(right),) if right else (),
        cluster=call.session,
        slice=call.slice,
        at_us=call.at_us,
        metadata=metadata,
    )


_SPOKEN: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
}  # fmt: skip


def _asked(request: bytes) -> tuple[Turn, ...] | None:
    """The turns of a request that is text and ends with a question; None: it is another kind."""
    try:
        whole = msgspec.json.decode(request)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if not isinstance(whole, dict) or whole.get("tools") or whole.get("functions"):
        return None
    said = turns(request)
    if not said or said[-1].role != "user" or not said[-1].text.strip():
        return None
    if any(turn.role not in _SPOKEN for turn in said) or _has_files(whole.get("messages")):
        return None
    return tuple(Turn(_SPOKEN[turn.role], turn.text) for turn in said)


def _has_files(messages: Any) -> bool:
    contents = [m.get("content") for m in messages or () if isinstance(m, dict)]
    return any(
        isinstance(part, dict) and part.get("type", "text") != "text"
        for content in contents
        if isinstance(content, list)
        for part in content
    )


def _is_structured(request: bytes) -> bool:
    asked = msgspec.json.decode(request).get("response_format")
    return isinstance(asked, dict) and asked.get("type") in ("json_object", "json_schema")


def _schema(request: bytes) -> bytes:
    """The JSON schema that the answer was held to, in one spelling; ``null`` where there was none."""
    asked = msgspec.json.decode(request).get("response_format")
    held = asked.get("json_schema") if isinstance(asked, dict) else None
    schema = held.get("schema") if isinstance(held, dict) else None
    return msgspec.json.encode(schema if isinstance(schema, dict) else None, order="sorted")


def held_to(schema: dict[str, Any], targets: Sequence[str]) -> tuple[Form, tuple[str, ...]] | None:
    """Label or number, where the schema's one result is ``answer``: JSON is then the envelope of ``scorers.ask``.

    None: the answers are JSON for its own sake.
    """
    fields = schema.get("properties")
    if not isinstance(fields, dict) or not {"answer"} <= fields.keys() <= {"answer", "reasoning"}:
        return None
    answer = fields["answer"]
    if not isinstance(answer, dict) or not all(_answer(one) for one in targets):
        return None
    options = answer.get("enum")
    if isinstance(options, list) and options and all(isinstance(one, str) for one in options):
        return "label", tuple(options)
    return ("number", ()) if answer.get("type") in ("number", "integer") else None


def _answer(text: str) -> str:
    """What stands under ``answer`` in a JSON answer; empty where there is none."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    said = found.get("answer") if isinstance(found, dict) else None
    return said if isinstance(said, str) else str(said) if isinstance(said, int | float) else ""


def _said(body: bytes | None) -> str:
    if body is None:
        return ""
    try:
        return answer_of(body).text.strip()
    except ValueError:
        return ""


MOST_LABELS = 24
_LABEL_CHARS = 40


def form_of(targets: Sequence[str], *, structured: bool = False) -> tuple[Form, tuple[str, ...]]:
    """What the answers are, by what they look like, and the closed set of labels.

    A set is closed where at least four in five answers are one of few (24) short ones that come at least three times each;
    then the rare ones are labels as well.
    """
    if not targets:
        return "text", ()
    if structured and all(_is_json(one) for one in targets):
        return "json", ()
    counted = Counter(targets)
    if len(counted) <= MOST_LABELS and all(len(one) <= _LABEL_CHARS for one in counted):
        often = sum(count for count in counted.values() if count >= 3)
        if len(counted) > 1 and often >= 0.8 * len(targets):
            return "label", tuple(sorted(counted))
    if all(number(one) is not None for one in targets):
        return "number", ()
    return "text", ()


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def nothing(route: str, calls: int, with_bodies: int, left: Left) -> ConfigError:
    """The error of a task without samples: what was there, what lacks, which setting makes it."""
    if not calls:
        return ConfigError(f"ledger:{route}: the route answered no call in that time; look at: demitasse ledger")
    if not with_bodies:
        return ConfigError(
            f"ledger:{route}: {calls:,} calls and no kept body among them; set [keep] bodies = true for calls to come"
        )
    if left.no_target:
        return ConfigError(
            f"ledger:{route}: {with_bodies:,} calls have bodies and of none is it known what is right; answers of the route's "
            "reference count, so set [shadow] rate and usd_per_day, or send feedback; or ask a judge: "
            f"ledger:{route}@scorer=judge:MODEL,targets=any"
        )
    return ConfigError(
        f"ledger:{route}: of {with_bodies:,} calls with bodies none is text alone that ends with a question"
    )

"""Clients that break their own prefixes, found by comparing what they send from call to call, and what it costs them.

A provider reads a prompt from its cache up to the first byte that differs. A date, an id or a counter near the beginning
makes all that follows dear, on every call. Kept are hashes, positions and sums; no word of any prompt, not even in memory.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, Protocol

import msgspec
from msgspec import Raw, Struct

from ..core.call import Call, Usage
from ..core.limits import Alert
from ..core.money import usd_text
from ..core.price import DAY_US, HOUR_US, PICO_PER_NANO
from ..providers.prompt_caching import Rule
from ..wire.prefix import SYSTEM, Layout

BreakKind = Literal["date", "id", "number", "space", "tools_order", "text", "history"]

_WHAT: Final[dict[BreakKind, str]] = {
    "date": "a date or time that changes",
    "id": "an id or nonce that changes",
    "number": "a number that changes",
    "space": "white space that changes",
    "tools_order": "tools in another order",
    "text": "text that changes (examples or context picked anew?)",
    "history": "an earlier message that was changed or dropped",
}
_MASKS: Final[tuple[tuple[BreakKind, re.Pattern[bytes]], ...]] = (
    (
        "date",
        re.compile(
            rb"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
            rb"|\b\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b1[6-9]\d{8}(?:\d{3})?\b"
            rb"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
            rb"|\b(?:\d{1,2}(?:st|nd|rd|th)? )?(?:Jan|Febr)uary\b(?: \d{1,2})?(?:st|nd|rd|th)?(?:,? \d{4})?"
            rb"|\b(?:\d{1,2} )?(?:Jan|Feb|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?"
            rb"|Nov(?:ember)?|Dec(?:ember)?)\b\.?(?: \d{1,2})?(?:st|nd|rd|th)?(?:,? \d{4})?"
        ),
    ),
    (
        "id",
        re.compile(
            rb"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b|\b[0-9a-fA-F]{8,}\b"
            rb"|\b[a-z]{2,8}[_-][A-Za-z0-9]{6,}\b|\b[A-Za-z0-9_-]{20,}\b"
        ),
    ),
    ("number", re.compile(rb"\d+(?:[.,]\d+)*")),
    ("space", re.compile(rb"(?:\\[nrt]|\s)+")),
)
_BLOCK: Final = 64
_MOST_HEAD: Final = 16 << 10
"""What is looked at of tools and system prompt: a break further back costs little, and a look takes some milliseconds."""
_LOOKS: Final = 6
_LOOK_AGAIN: Final = 20
_FORMS: Final = 8
_CLIENTS: Final = 512
_SUMS: Final = 32
_LEAST_HEAD_BYTES: Final = 256
_SURE: Final = 3
_TELL_AFTER: Final = 20
_TELL_FROM_NANOS_PER_DAY: Final = 100_000_000
_tools = msgspec.json.Decoder(list[Raw]).decode


class Finding(Struct, frozen=True):
    """One way in which one client breaks its prefix. ``place`` and ``offset_bytes`` say where in the request it begins."""

    key: str
    model: str
    """As it was asked for."""
    kind: BreakKind
    place: str
    offset_bytes: int
    calls: int
    """Of this key to this model, since it was first seen."""
    broken: int
    tokens_per_call: int
    """That had to be paid in full though they had been sent before."""
    nanos: int
    """What that came to."""
    nanos_per_day: int
    first_us: int
    last_us: int

    @property
    def sentence(self) -> str:
        """What, where, what it costs; without a word of the prompt."""
        return (
            f"key '{self.key}' breaks its prompt cache at '{self.model}': {_WHAT[self.kind]}, at byte {self.offset_bytes:,} "
            f"of {self.place}, in {self.broken:,} of {self.calls:,} calls; about {self.tokens_per_call:,} tokens a call "
            f"are paid in full, {usd_text(self.nanos_per_day)} a day"
        )

    @property
    def remedy(self) -> str:
        if self.kind == "tools_order":
            return "list the tools in the same order in every request"
        if self.kind == "history":
            return "append to a conversation and leave what was sent as it is"
        return "put what changes at the end of the prompt, after everything that stays the same"


class Priced(Protocol):
    """What is to be known of a model: its rule, and what a cached token spares."""

    rule: Rule
    spared_pico: int


class Before(Protocol):
    """A conversation as it was at its last call."""

    at_us: int
    turn: int
    messages: int
    head: bytes
    trail: bytes


class _Form(Struct):
    """One head that was sent, as hashes: whole, with ever more masked, by blocks, with its tools sorted."""

    masked: tuple[bytes, ...]
    blocks: bytes
    sorted_tools: bytes


class _Sum(Struct):
    broken: int = 0
    tokens: int = 0
    nanos: int = 0
    offset: int = 0
    first_us: int = 0
    last_us: int = 0


class _Client:
    """One key's calls to one model."""

    __slots__ = ("at_us", "calls", "first_us", "forms", "known", "last", "misses", "repeats", "sums")

    def __init__(self) -> None:
        self.calls = 0
        self.repeats = 0
        self.misses = 0
        self.at_us = 0
        self.first_us = 0
        self.known: OrderedDict[bytes, None] = OrderedDict()
        self.forms: list[_Form] = []
        self.sums: dict[tuple[BreakKind, str], _Sum] = {}
        self.last: tuple[BreakKind, str, int] | None = None


class Prefixes:
    """Watches the heads and histories that pass. ``alarm`` is told once a day of each break that is dear."""

    def __init__(self, alarm: Callable[[Alert], None] | None = None) -> None:
        self.alarm = alarm
        self._clients: OrderedDict[tuple[str, str], _Client] = OrderedDict()

    def findings(self) -> tuple[Finding, ...]:
        """What is beyond doubt (three times, and in a fifth of the calls), the dearest first."""
        found = [
            _finding(key, model, client, kind, place, told)
            for (key, model), client in self._clients.items()
            for (kind, place), told in client.sums.items()
            if told.broken >= _SURE and told.broken >= client.calls / 5
        ]
        return tuple(sorted(found, key=lambda f: (-f.nanos_per_day, -f.broken)))

    def saw(
        self, call: Call, layout: Layout, before: Before, model: Priced, usage: Usage | None, *, continued: bool
    ) -> None:
        """A call was answered; ``before`` is its conversation as it was until now."""
        at = (call.caller.key, call.model)
        client = self._clients.get(at)
        if client is None:
            client = self._clients[at] = _Client()
            client.first_us = call.at_us
            if len(self._clients) > _CLIENTS:
                self._clients.popitem(last=False)
        client.calls += 1
        lately = call.at_us - client.at_us < model.rule.lifetime_s * 1_000_000
        client.at_us = call.at_us
        head = layout.head_hash
        if head in client.known:
            client.repeats += 1
            client.known.move_to_end(head)
            if not continued and before.head == head:
                self._compare_history(call, layout, before, client, model, usage)
            return
        client.known[head] = None
        if len(client.known) > 4 * _FORMS:
            client.known.popitem(last=False)
        if layout.head_bytes < _LEAST_HEAD_BYTES:
            return
        client.misses += 1
        if client.misses > _LOOKS and client.misses % _LOOK_AGAIN and client.last is not None:
            where: tuple[BreakKind, str, int] | None = client.last  # it breaks every time: a look now and then will do
        else:
            form = _form(call.fields, layout)
            where = client.last = _difference(form, client.forms, call.fields, layout)
            client.forms.append(form)
            del client.forms[:-_FORMS]
        if where is not None and lately and client.repeats < client.calls / 2:
            self._count(
                call, client, model, where, _lost(layout, where[2], _start(call, layout, where[1]), model, usage)
            )

    def _compare_history(
        self, call: Call, layout: Layout, before: Before, client: _Client, model: Priced, usage: Usage | None
    ) -> None:
        if not before.messages or call.at_us - before.at_us > model.rule.lifetime_s * 1_000_000:
            return
        old, new = before.trail, layout.trail
        shared = next(
            (i for i in range(min(len(old), len(new)) // 4) if old[4 * i : 4 * i + 4] != new[4 * i : 4 * i + 4]), 0
        )
        # Going back to an earlier turn, or asking the last question in other words, breaks nothing that was paid for.
        if not shared or shared >= before.messages or layout.turn < before.turn:
            return
        place, offset = f"messages[{shared - 1}]", layout.ends[shared - 1]
        self._count(call, client, model, ("history", place, 0), _lost(layout, 0, offset, model, usage))

    def _count(
        self, call: Call, client: _Client, model: Priced, where: tuple[BreakKind, str, int], tokens: int
    ) -> None:
        kind, place, offset = where
        if kind == "history":
            place = "messages"
        if len(client.sums) >= _SUMS and (kind, place) not in client.sums:
            return
        told = client.sums.setdefault((kind, place), _Sum(first_us=call.at_us))
        told.broken += 1
        told.tokens += tokens
        told.nanos += tokens * model.spared_pico // PICO_PER_NANO
        told.offset, told.last_us = offset, call.at_us
        if self.alarm is None or told.broken < _TELL_AFTER:
            return
        found = _finding(call.caller.key, call.model, client, kind, place, told)
        if found.nanos_per_day >= _TELL_FROM_NANOS_PER_DAY and found.broken >= found.calls / 5:
            day = call.at_us // DAY_US
            self.alarm(
                Alert(
                    id=f"prefix-{found.key}-{found.model}-{kind}-{day}",
                    at_us=call.at_us,
                    kind="prompt_prefix",
                    subject=found.key,
                    message=found.sentence,
                    remedy=found.remedy,
                )
            )


def _finding(key: str, model: str, client: _Client, kind: BreakKind, place: str, told: _Sum) -> Finding:
    days = max(HOUR_US, told.last_us - told.first_us) / DAY_US
    return Finding(
        key=key,
        model=model,
        kind=kind,
        place=place,
        offset_bytes=told.offset,
        calls=client.calls,
        broken=told.broken,
        tokens_per_call=told.tokens // told.broken,
        nanos=told.nanos,
        nanos_per_day=int(told.nanos / days),
        first_us=told.first_us,
        last_us=told.last_us,
    )


def _lost(layout: Layout, offset: int, start: int, model: Priced, usage: Usage | None) -> int:
    """Tokens after the break that had been sent before, and that were not read from the cache after all."""
    if usage is None or not layout.size:
        return 0
    per_byte = usage.total_in / layout.size
    could = model.rule.cacheable(int(layout.again * per_byte))
    can = model.rule.cacheable(int((start + offset) * per_byte))
    return max(0, could - max(can, usage.cache_read))


def _segments(fields: Mapping[str, Raw], layout: Layout) -> Iterator[tuple[str, bytes]]:
    for name in ("tools", "functions"):
        if name in fields:
            yield name, bytes(fields[name])
    for i, role in enumerate(layout.roles[: layout.head]):
        if role in SYSTEM:
            yield f"messages[{i}]", bytes(layout.messages[i])


def _start(call: Call, layout: Layout, place: str) -> int:
    """Bytes of the head before a segment."""
    before = 0
    for name, raw in _segments(call.fields, layout):
        if name == place:
            break
        before += len(raw)
    return before


def _form(fields: Mapping[str, Raw], layout: Layout) -> _Form:
    segments = list(_segments(fields, layout))
    whole = b"\0".join(raw for _, raw in segments)[:_MOST_HEAD]
    masked = []
    left = whole
    for _kind, pattern in _MASKS:
        left = pattern.sub(b"\1", left)
        # Where the head was cut off, what was masked shifts its end; so the last quarter is left out.
        masked.append(_short(left[: _MOST_HEAD * 3 // 4] if len(whole) == _MOST_HEAD else left))
    blocks = b"".join(_short(whole[i : i + _BLOCK])[:4] for i in range(0, len(whole), _BLOCK))
    return _Form(tuple(masked), blocks, _sorted_tools(segments))


def _sorted_tools(segments: list[tuple[str, bytes]]) -> bytes:
    parts: list[bytes] = []
    for name, raw in segments:
        if name.startswith("messages"):
            parts.append(raw)
        else:
            try:
                parts += sorted(bytes(tool) for tool in _tools(raw))
            except msgspec.DecodeError:
                parts.append(raw)
    return _short(b"\0".join(parts))


def _difference(
    form: _Form, forms: list[_Form], fields: Mapping[str, Raw], layout: Layout
) -> tuple[BreakKind, str, int] | None:
    """What tells this head from the one of the earlier ones that it is nearest to, and where; None: it is like none."""
    best: tuple[int, int, BreakKind] | None = None
    for other in forms:
        same = _same_blocks(form.blocks, other.blocks)
        if form.blocks == other.blocks:
            continue  # they differ further back than was looked
        if other.sorted_tools == form.sorted_tools:
            rank: tuple[int, int, BreakKind] | None = (-1, same, "tools_order")
        else:
            level = next((i for i, (a, b) in enumerate(zip(form.masked, other.masked, strict=True)) if a == b), None)
            if level is not None:
                rank = (level, same, _MASKS[level][0])
            else:
                # Another application's prompt has nothing in common; one with examples picked anew begins alike.
                rank = (len(_MASKS), same, "text") if same * _BLOCK >= _LEAST_HEAD_BYTES else None
        if rank is not None and (best is None or (rank[0], -rank[1]) < (best[0], -best[1])):
            best = rank
    if best is None:
        return None
    offset = best[1] * _BLOCK
    for place, raw in _segments(fields, layout):
        if offset <= len(raw):
            return best[2], place, offset
        offset -= len(raw) + 1
    return None


def _same_blocks(a: bytes, b: bytes) -> int:
    most = min(len(a), len(b)) // 4
    return next((i for i in range(most) if a[4 * i : 4 * i + 4] != b[4 * i : 4 * i + 4]), most)


def _short(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


def as_json(finding: Finding) -> dict[str, Any]:
    """For pages and ``--json``."""
    told: dict[str, Any] = msgspec.to_builtins(finding)
    return told | {"message": finding.sentence, "remedy": finding.remedy}

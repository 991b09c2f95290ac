"""One answer at a time: for a server that counts only the first of several. Knows Models, and no server.

llama.cpp gives ``n`` choices, or the answers to a list of prompts, and tells the tokens of the first alone (seen with
xllamacpp 2026.10.11549). So each is asked for by itself, all at once, and the answers are put together as one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from ..core.call import BUCKETS, Call, Event, Model, Reply, Send, Usage
from ..core.errors import UpstreamError

_INPUTS = tuple(b for b in BUCKETS if b.endswith("_in") or b.startswith("cache_"))


class OneByOne:
    """A Model over a Model: what asks for several answers becomes as many calls, what asks for one passes through."""

    def __init__(self, model: Model) -> None:
        self._model = model

    async def __call__(self, call: Call, send: Send) -> Reply:
        """As any Model. When one of the calls fails, the others are stopped and its error is raised."""
        parts = split(call)
        if len(parts) == 1:
            return await self._model(call, send)
        merged = _Merged(call, send)
        tasks = [
            asyncio.create_task(
                self._model(structs.replace(call, n=1, fields=fields, include_usage=False), merged.to(k))
            )
            for k, fields in enumerate(parts)
        ]
        try:
            replies = await asyncio.gather(*tasks)
        except UpstreamError as error:
            error.after_content |= merged.content
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return await merged.finish(replies, answers_each=max(1, call.n) if call.kind == "chat" else _n(call))


def split(call: Call) -> list[dict[str, Raw]]:
    """The call's members once for each answer it asks for, in the order of the choices: by prompt, then by ``n``."""
    if call.kind == "embedding":
        return [call.fields]
    prompts: list[Raw | None] = [None]
    if call.kind == "completion" and bytes(call.fields.get("prompt", b"")).lstrip()[:1] == b"[":
        several = msgspec.json.decode(call.fields["prompt"], type=list[Raw])
        if several and bytes(several[0])[:1] in (b'"', b"["):  # else it is one prompt, as token numbers
            prompts = list(several)
    each = call.n if call.kind == "chat" else _n(call)
    if len(prompts) * each <= 1:
        return [call.fields]
    seed = _integer(call.fields.get("seed"))
    rows = []
    for prompt in prompts:
        for k in range(each):
            fields = {name: raw for name, raw in call.fields.items() if name not in ("n", "best_of")}
            if prompt is not None:
                fields["prompt"] = prompt
            if seed is not None and k:
                fields["seed"] = Raw(b"%d" % (seed + k))  # one seed for all would make them all the same
            rows.append(fields)
    return rows


def _n(call: Call) -> int:
    return max(1, _integer(call.fields.get("n")) or 1)


def _integer(raw: Raw | None) -> int | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=int)
    except msgspec.DecodeError:
        return None


class _Chunk(Struct):
    choices: list[dict[str, Raw]] = []


class _Merged:
    """Several answers as one: their events with the choice's number, their bodies and meters put together."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call = call
        self._send = send
        self._head: dict[str, Raw] = {}
        self.content = False

    def to(self, number: int) -> Send:
        index = Raw(b"%d" % number)

        async def send(event: Event) -> None:
            fields = msgspec.json.decode(event.data, type=dict[str, Raw])
            choices = msgspec.json.decode(event.data, type=_Chunk).choices
            if not self._head:
                self._head = {k: fields[k] for k in ("id", "object", "created", "model") if k in fields}
            numbered = Raw(msgspec.json.encode([choice | {"index": index} for choice in choices]))
            self.content |= event.content
            await self._send(
                Event(msgspec.json.encode(fields | self._head | {"choices": numbered}), event.content, event.text_chars)
            )

        return send

    async def finish(self, replies: list[Reply], *, answers_each: int) -> Reply:
        first, usages = replies[0], [r.usage for r in replies]
        usage: Usage | None = None
        if all(u is not None for u in usages):
            usage = _sum([u for u in usages if u is not None], answers_each)
        told = _told(replies, answers_each)
        body = msgspec.json.decode(first.body, type=dict[str, Raw])
        choices: list[dict[str, Any]] = []
        for number, reply in enumerate(replies):
            own = msgspec.json.decode(reply.body, type=_Chunk).choices
            choices += [choice | {"index": number} for choice in own]
        body["choices"] = Raw(msgspec.json.encode(choices))
        if told is not None:
            body["usage"] = told
            if self._call.stream and self._call.include_usage:
                await self._send(Event(msgspec.json.encode(self._head | {"choices": Raw(b"[]"), "usage": told})))
        return structs.replace(
            first,
            body=msgspec.json.encode(body),
            usage=usage,
            usage_raw=told,
            complete=all(r.complete for r in replies),
            timings=_timings(replies),
        )


def _sum(usages: list[Usage], answers_each: int) -> Usage:
    """A prompt counts once for all answers to it, as everywhere; every answer counts."""
    total = Usage()
    for k, usage in enumerate(usages):
        total += usage if k % answers_each == 0 else structs.replace(usage, **dict.fromkeys(_INPUTS, 0))
    return total


def _told(replies: list[Reply], answers_each: int) -> Raw | None:
    """The same in the wire's own words: ``usage`` with its numbers added up."""
    total: dict[str, Any] = {}
    for k, reply in enumerate(replies):
        if reply.usage_raw is None:
            return None
        told = msgspec.json.decode(reply.usage_raw, type=dict[str, Any])
        for name, value in told.items():
            prompts = name.startswith(("prompt", "total"))
            if not isinstance(value, int):
                total.setdefault(name, value)
            elif not prompts or k % answers_each == 0:
                total[name] = total.get(name, 0) + value
    if "total_tokens" in total:
        total["total_tokens"] = total.get("prompt_tokens", 0) + total.get("completion_tokens", 0)
    return Raw(msgspec.json.encode(total))


def _timings(replies: list[Reply]) -> dict[str, float] | None:
    """Added up: computed side by side they overlap, which whoever turns them into joules has to bear in mind."""
    total: dict[str, float] = {}
    for reply in replies:
        for name in ("prompt_ms", "predicted_ms", "prompt_n", "predicted_n", "cache_n"):
            total[name] = total.get(name, 0.0) + (reply.timings or {}).get(name, 0.0)
    return total if all(r.timings is not None for r in replies) else None

"""A provider with a prompt cache, after one of the rules: what it reads and writes comes back in its usage."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
from msgspec import Raw, structs

from demitasse.core.call import Call, Event, Reply, Send, Usage
from demitasse.core.errors import UpstreamError
from demitasse.providers.openai import OpenAICompatible
from demitasse.providers.prompt_caching import Rule
from demitasse.providers.vendors import VENDORS
from demitasse.wire.prefix import hashed


class CachingProvider:
    """A Model. A token is four bytes of a message as providers hash it; an entry is a prefix of whole messages.

    ``machines``: requests without a key are spread over so many, each with a cache of its own.
    """

    def __init__(self, rule: Rule, *, machines: int = 1, words: str = "an answer", refuses: str = "") -> None:
        self.rule = rule
        self.machines = machines
        self.words = words
        self.refuses = refuses
        self.bodies: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.entries: dict[tuple[int, bytes], int] = {}
        self._wire = OpenAICompatible("m", VENDORS["openai"], None, model="m")  # type: ignore[arg-type]  # its body() alone

    async def __call__(self, call: Call, send: Send) -> Reply:
        raw = self._wire.body(call)
        body = json.loads(raw)
        if self.refuses and self.refuses in body:
            raise UpstreamError(f"Unrecognized request argument supplied: {self.refuses}", status=400, retryable=False)
        self.raw.append(raw)
        self.bodies.append(body)
        self.headers.append(dict(call.headers))
        usage = self.meter(call.at_us, body, msgspec.json.decode(raw, type=dict[str, Raw]), dict(call.headers))
        said = {"role": "assistant", "content": self.words}
        reply = Reply(
            body=json.dumps(
                {
                    "id": "x",
                    "object": "chat.completion",
                    "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
                }
            ).encode(),
            model="m",
            usage=usage,
            finish="stop",
        )
        if call.stream:
            head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            for delta, finish in (
                ({"role": "assistant", "content": ""}, None),
                ({"content": self.words}, None),
                ({}, "stop"),
            ):
                chunk = head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                text = delta.get("content") or ""
                await send(Event(json.dumps(chunk).encode(), content=bool(text), text_chars=len(text)))
        return reply

    def meter(self, at_us: int, body: dict[str, Any], fields: dict[str, Raw], headers: dict[str, str]) -> Usage:
        key = body.get("prompt_cache_key") or body.get("session_id") or headers.get("x-grok-conv-id") or ""
        route = key or str(len(self.bodies))
        machine = int.from_bytes(hashlib.blake2b(str(route).encode(), digest_size=4).digest()) % self.machines
        digest, tokens = hashlib.sha256(bytes(fields.get("tools", b""))).digest(), len(fields.get("tools", b"")) // 4
        prefixes: list[tuple[bytes, int, bool]] = []
        for message in msgspec.json.decode(fields["messages"], type=list[Raw]):
            digest = hashlib.sha256(digest + hashed(message)).digest()
            tokens += len(hashed(message)) // 4
            mark = b'"cache_control":{' in bytes(message) or b'"prompt_cache_breakpoint":{' in bytes(message)
            prefixes.append((digest, tokens, mark))
        explicit, lifetime_us = "cache_control" in self.rule.used, self.rule.lifetime_s * 1_000_000
        read = max(
            (
                self.rule.cacheable(n)
                for d, n, _ in prefixes
                if at_us - self.entries.get((machine, d), -lifetime_us) < lifetime_us
                and (not explicit or any(m for _, _, m in prefixes))
            ),
            default=0,
        )
        at_breakpoints = "prompt_cache_breakpoint" in self.rule.controls
        by_itself = body.get("prompt_cache_options", {}).get("mode") != "explicit"
        written = 0
        for nth, (d, n, marked) in enumerate(prefixes):
            last = nth == len(prefixes) - 1
            if n >= self.rule.min_tokens and (
                marked if explicit else marked or (last and by_itself) or not at_breakpoints
            ):
                written = max(written, n)
                self.entries[machine, d] = at_us
        write = max(0, written - read) if self.rule.write > 1 else 0
        return Usage(uncached_in=tokens - read - write, cache_read=read, cache_write_5m=write, text_out=2)


def marks(body: dict[str, Any]) -> list[int]:
    """Messages of a sent request that bear a breakpoint."""
    return [
        i
        for i, m in enumerate(body["messages"])
        if isinstance(m["content"], list)
        and any("cache_control" in p or "prompt_cache_breakpoint" in p for p in m["content"])
    ]


def with_rule(rule: Rule, **changes: Any) -> Rule:
    return structs.replace(rule, **changes)

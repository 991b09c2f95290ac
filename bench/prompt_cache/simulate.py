"""Conversations played against a provider that caches by a rule: what is read, written and paid."""

from __future__ import annotations

import heapq
import json
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from demitasse.core.call import Call, Caller, Reply, Send, Usage, drop
from demitasse.core.price import Card, rates
from demitasse.gateway.prompt_cache import PromptCache
from demitasse.gateway.prompt_learned import Plan
from demitasse.providers.prompt_caching import Rule
from demitasse.wire import ask, prefix

from .data import Conversation

CHARS_PER_TOKEN = 4
WORDS_PER_S = 40
"""Tokens of an answer per second, for the time that it takes to come."""
SPREAD = 1.0
"""Sigma of the log-normal think time."""


class Turn(NamedTuple):
    """One call of a conversation, in tokens."""

    input: int
    repeated: int
    """Of the input: what was sent, or answered, at the turn before."""
    sent_before: int
    """Of the input: what was sent at the turn before; the answer to it not included."""
    answer: int


def turns(talk: Conversation, system: int = 0) -> Iterator[Turn]:
    """A conversation's calls."""
    history, before, repeated = system, 0, 0
    for nth, (role, text) in enumerate(talk):
        tokens = -(-len(text) // CHARS_PER_TOKEN)
        if role == "assistant" and nth:
            yield Turn(history, repeated, before, tokens)
            before = history
            history += tokens
            repeated = history
        else:
            history += tokens


class Sums(Struct):
    """Over all calls, in tokens; ``cost`` and ``bare`` in tokens at the price of input."""

    calls: int = 0
    input: int = 0
    read: int = 0
    written: int = 0
    cost: float = 0.0
    bare: float = 0.0

    @property
    def saving(self) -> float:
        return 1 - self.cost / self.bare if self.bare else 0.0


def by_rule(talks: Sequence[Conversation], rule: Rule, think_s: float, seed: int) -> Sums:
    """Input cost by the rule alone: entries live as long as promised, the machine is always the right one, and where
    breakpoints are needed every turn has one."""
    draw, sums = random.Random(seed), Sums()
    for talk in talks:
        wait_s, known, answered = math.inf, 0, 0
        for turn in turns(talk):
            alive = wait_s < rule.lifetime_s
            kept = known + (answered if rule.remembers else 0)
            read = min(rule.cacheable(kept), turn.input) if alive else 0
            write = max(0, rule.cacheable(turn.input) - read) if rule.write > 1 else 0
            sums.calls += 1
            sums.input += turn.input
            sums.read += read
            sums.written += write
            sums.bare += turn.input
            sums.cost += turn.input - read - write + read * rule.read + write * rule.write
            known, answered = turn.input, turn.answer
            wait_s = turn.answer / WORDS_PER_S + draw.lognormvariate(math.log(think_s), SPREAD)
    return sums


class Provider:
    """A Model that caches at breakpoints, as Claude does; a token is four bytes of a message."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.entries: dict[bytes, float] = {}
        self.sums = Sums()

    async def __call__(self, call: Call, send: Send) -> Reply:  # noqa: ARG002 - a Model's
        messages = msgspec.json.decode(call.fields["messages"], type=list[Raw])
        bare = prefix.read(ask.read("chat", call.body).fields)
        assert bare is not None
        marked = [i for i, m in enumerate(messages) if b'"cache_control":{"type":"ephemeral"}' in bytes(m)]
        total, now_us, life_us = bare.size // CHARS_PER_TOKEN, call.at_us, self.rule.lifetime_s * 1_000_000
        read = 0
        if marked:
            for i in range(max(marked) + 1):
                tokens = bare.ends[i + 1] // CHARS_PER_TOKEN
                if now_us - self.entries.get(bare.chain[i + 1], -math.inf) < life_us:
                    self.entries[bare.chain[i + 1]] = now_us
                    read = max(read, self.rule.cacheable(tokens))
        write = 0
        for i in marked:
            tokens = self.rule.cacheable(bare.ends[i + 1] // CHARS_PER_TOKEN)
            if tokens:
                self.entries[bare.chain[i + 1]] = now_us
                write = max(write, tokens - read)
        sums = self.sums
        sums.calls += 1
        sums.input += total
        sums.read += read
        sums.written += write
        sums.bare += total
        sums.cost += total - read - write + read * self.rule.read + write * self.rule.write
        usage = Usage(uncached_in=total - read - write, cache_read=read, cache_write_5m=write, text_out=1)
        return Reply(b"{}", "m", usage, finish="stop")


class Always(PromptCache):
    """Marks everything that is long enough, whatever it costs."""

    def _marks(self, model: Any, plan: Plan, per_token: float) -> list[int]:
        layout = plan.layout
        plan.wrote = layout.size / per_token >= model.rule.min_tokens
        if not plan.wrote:
            return []
        plan.head_marked = layout.head > 0
        head = [layout.head - 1] if layout.head else []
        return [*head, *prefix.turn_ends(layout, model.rule.breakpoints - 1, {"user", "tool"})]


async def play(
    talks: Sequence[Conversation],
    rule: Rule,
    memory: PromptCache,
    *,
    think_s: float,
    per_minute: float,
    system: str,
    most_turns: int | None,
    seed: int,
) -> Sums:
    """Conversations begin at random, ``per_minute`` of them, and go on side by side, through the step itself."""
    draw, provider = random.Random(seed), Provider(rule)
    base = rates(input=10**6, output=0, cache_read=int(10**6 * rule.read), cache_write_5m=int(10**6 * rule.write))
    model = memory.over(provider, "m", rule, Card(id="bench", provider="bench", model="m", base=base))
    waiting: list[tuple[float, int, int]] = []
    at_s = 0.0
    for nth in range(len(talks)):
        at_s += draw.expovariate(per_minute / 60)
        waiting.append((at_s, nth, 0))
    heapq.heapify(waiting)
    head = [{"role": "system", "content": system}] if system else []
    while waiting:
        at_s, nth, turn = heapq.heappop(waiting)
        talk = talks[nth]
        end = next((i for i in range(len(talk)) if talk[i][0] == "assistant" and _nth_answer(talk, i) == turn), None)
        if end is None or (most_turns is not None and turn >= most_turns):
            continue
        messages = head + [{"role": role, "content": text} for role, text in talk[:end]]
        read = ask.read("chat", json.dumps({"model": "m", "messages": messages}).encode())
        call = Call(
            id=f"{nth}-{turn}",
            request_id="",
            at_us=int(at_s * 1e6) + 10**15,
            kind="chat",
            body=read.body,
            fields=read.fields,
            model="m",
            text_bytes=read.text_bound_bytes,
            session=str(nth),
            caller=Caller(key="k", tenant="t"),
        )
        await model(call, drop)
        answer_s = len(talk[end][1]) / CHARS_PER_TOKEN / WORDS_PER_S
        heapq.heappush(waiting, (at_s + answer_s + draw.lognormvariate(math.log(think_s), SPREAD), nth, turn + 1))
    return provider.sums


def _nth_answer(talk: Conversation, at: int) -> int:
    return sum(role == "assistant" for role, _ in talk[:at])

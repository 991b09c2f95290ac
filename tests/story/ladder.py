"""A gateway whose route `auto` has a ladder, a certificate that can be changed, and models that say what a test wants."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import msgspec
from msgspec import Raw, structs

from demitasse.core.call import Call, Event, Reply, Send, Usage
from demitasse.core.policy import Certificate, Policy, Setting
from demitasse.gateway.http import Gateway
from demitasse.gateway.pilot import Pilot
from demitasse.gateway.route import Route, Rung
from demitasse.wire.chunks import explode

from .conftest import NOON_US, World, card

SETTING = Setting(direct=0.8, draft=0.5, second=0.6, accept=0.7)
POLICY = Policy("auto", "small", "large", SETTING, second="mini", scorer=Raw(b'"any"'))
PROMPTS = {"cheap": "score 0.9", "draft": "score 0.6", "reference": "score 0.1"}
"""What to write into a prompt so that the policy does this."""

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
SHAPES: dict[str, dict[str, Any]] = {"text": {}, "tools": {"tools": TOOLS}, "schema": {"response_format": SCHEMA}}
USAGE = Usage(uncached_in=100, text_out=20)


class Says:
    """A Model that answers in the shape that was asked for, and puts its name and its worth into the answer.

    Args:
        worth: what the scorer will make of it as a draft.
        fails: raised in place of an answer; after ``after`` events where that is set.
    """

    def __init__(self, name: str, worth: float = 0.9) -> None:
        self.name = name
        self.worth = worth
        self.fails: BaseException | None = None
        self.after: int | None = None
        self.usage: Usage | None = USAGE
        self.finish = "stop"
        self.gate: asyncio.Event | None = None
        self.calls: list[Call] = []
        self.cancelled = 0
        self.version = f"{name}-1"
        self.rests = 0
        """Turns of the loop that each event takes."""

    async def __call__(self, call: Call, send: Send) -> Reply:
        self.calls.append(call)
        try:
            await self._rest()
            if self.gate is not None:
                await self.gate.wait()
            if self.fails is not None and self.after is None:
                raise self.fails
            body = self.body(call)
            if call.stream:
                for nth, chunk in enumerate(explode(body, include_usage=call.include_usage, piece_chars=8)):
                    if self.after is not None and nth >= self.after:
                        raise self.fails or ConnectionResetError("the script ends here")
                    await send(event(chunk))
                    await self._rest()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Reply(body, self.version, self.usage, finish=self.finish, complete=self.finish == "stop")

    async def _rest(self) -> None:
        for _ in range(self.rests):
            await asyncio.sleep(0)

    def body(self, call: Call) -> bytes:
        asked = json.loads(call.body)
        words = f"{self.name} speaks, worth {self.worth}"
        message: dict[str, Any] = {"role": "assistant", "content": words}
        finish = self.finish
        if "tools" in asked:
            function = {"name": "weather", "arguments": json.dumps({"said": words})}
            message |= {
                "content": None,
                "tool_calls": [{"id": f"call_{self.name}", "type": "function", "function": function}],
            }
            finish = "tool_calls" if finish == "stop" else finish
        elif "response_format" in asked:
            message["content"] = json.dumps({"said": words})
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        return msgspec.json.encode(
            {
                "id": f"id-{self.name}",
                "object": "chat.completion",
                "created": 1,
                "model": call.model,
                "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
                "usage": usage,
            }
        )


def event(chunk: bytes) -> Event:
    delta = next(iter(json.loads(chunk)["choices"]), {}).get("delta", {})
    shown = delta.get("content") or "".join(json.dumps(t) for t in delta.get("tool_calls") or ())
    return Event(chunk, content=bool(shown), text_chars=len(shown))


class Scores:
    """Reads the score from the prompt, and from the answers what they are worth; a second opinion that is worth more
    than the draft lifts it."""

    def prompt(self, call: Call) -> float:
        return _number(call.body, rb"score ([\d.]+)")

    def draft(self, call: Call, prompt_score: float, reply: Reply, second: Reply | None) -> float:
        assert 0.5 <= prompt_score < 0.8
        worth = [_number(r.body, rb"worth ([\d.]+)") for r in (reply, second) if r is not None]
        return max(worth)


def _number(text: bytes, pattern: bytes) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])


def certificate(policy: Policy = POLICY, id: str = "cert_1", **changes: Any) -> Certificate:
    plain = Certificate(
        id=id, policy=policy, quality=0.95, delta=0.05, estimate=0.99, floor=0.96, saving=0.4, saving_low=0.3,
        saving_high=0.5, n_train=100, n_certify=400, since_us=NOON_US, until_us=NOON_US, issued_us=NOON_US,
        expires_us=NOON_US + 86_400_000_000, models=(),
    )  # fmt: skip
    return structs.replace(plain, **changes)


class LadderWorld(World):
    """`auto`: small and mini below large; mini costs twice what small does, large ten times."""

    def __init__(self, policy: Policy = POLICY, ledger: Any = None, **settings: Any) -> None:
        self.certificates: tuple[Certificate, ...] = (certificate(policy),)
        self.shadowed: list[tuple[Any, ...]] = []
        self.pilot = Pilot(self, lambda _raw: Scores(), clock=self.clock)
        super().__init__(ledger, **settings)
        self.small, self.mini, self.large = Says("small"), Says("mini"), Says("large")
        self.rungs = {
            "small": Rung("small", "test", "small-1", self.small, card("small")),
            "mini": Rung("mini", "test", "mini-1", self.mini, card("mini", 2, 20)),
            "large": Rung("large", "test", "large-1", self.large, card("large", 10, 100)),
        }
        self.route()

    def route(self, **changes: Any) -> None:
        """The route as it is, with these changes, and its models under their own names."""
        small, mini, large = self.rungs.values()
        auto = Route("auto", large, stamp="large-1", named=True, lower=(small, mini))
        alone = [Route(name, rung, stamp=f"{name}-1") for name, rung in self.rungs.items()]
        self.routes = [structs.replace(auto, **changes), *alone]
        self.app = self.build()

    def build(self) -> Gateway:
        gateway = super().build()
        self.steps = structs.replace(self.steps, pilot=self.pilot, shadow=lambda *told: self.shadowed.append(told))
        gateway.replace(self.steps)
        return gateway

    def promoted(self) -> tuple[Certificate, ...]:
        return self.certificates

    async def ready(self) -> LadderWorld:
        await self.pilot.warm()
        return self

    @property
    def models(self) -> dict[str, Says]:
        return {"small": self.small, "mini": self.mini, "large": self.large}

    def asked(self) -> dict[str, int]:
        """How often each model was asked."""
        return {name: len(model.calls) for name, model in self.models.items()}


async def ladder_world(policy: Policy = POLICY, **settings: Any) -> LadderWorld:
    return await LadderWorld(policy, **settings).ready()


def prompt(action: str, *, stream: bool = False, shape: str = "text", words: str = "", **more: Any) -> dict[str, Any]:
    """A request that the policy answers by ``action``."""
    messages = [{"role": "user", "content": f"{PROMPTS[action]} {words}"}]
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    return {"model": "auto", "messages": messages, "stream": stream, **usage, **SHAPES[shape], **more}


def said(answer: Any, shape: str = "text") -> str:
    """The words of an answer, whole or streamed, in the shape that was asked for."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        assert answer.events()[-1] == "[DONE]"
        deltas = [e["choices"][0]["delta"] for e in answer.events() if isinstance(e, dict) and e.get("choices")]
        text = "".join(d.get("content") or "" for d in deltas)
        calls = [c for d in deltas for c in d.get("tool_calls") or ()]
        arguments = "".join(c["function"].get("arguments", "") for c in calls)
        ids = [c["id"] for c in calls if "id" in c]
    else:
        message = answer.json()["choices"][0]["message"]
        text, calls = message["content"] or "", message.get("tool_calls") or ()
        arguments = "".join(c["function"]["arguments"] for c in calls)
        ids = [c["id"] for c in calls]
    if shape == "text":
        return text
    words: str = json.loads(arguments if shape == "tools" else text)["said"]
    if shape == "tools":
        assert ids == [f"call_{words.split(maxsplit=1)[0]}"], "one call, opened once"
    return words


def adds_up(entry: Any) -> bool:
    """Cost is the sum over the attempts, and baseline, cost and savings agree to the nano."""
    cost = sum(a.cost_nanos for a in entry.attempts)
    if not entry.attempts and entry.baseline_nanos is None:
        return entry.cost_nanos == 0 and not entry.saved
    return entry.cost_nanos == cost and entry.baseline_nanos - entry.cost_nanos == sum(n for _, n in entry.saved)

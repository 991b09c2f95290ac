"""Random answers with placeholders in every form, and random ways to cut them into chunks. Seeded."""

from __future__ import annotations

import json
import random
from typing import Any

from demitasse.core.call import Call, Event, Reply
from demitasse.wire.chunks import Assembler
from demitasse.wire.restore import Restorer

VALUES = {
    "<EMAIL_k3x7qe>": "jane@example.com",
    "<EMAIL_k3x7qeb2>": "janet@example.com",
    "<PERSON_emaila>": "Zoë “Zo” Ångström 🚀",
    "<API_KEY_a2b3c4>": 'a"b\\c\nd',
    "ADDRESS_person": '1 Rue d\'"Été"\n75001 Paris',
}
_PROSE = [
    "Hi ",
    "e",
    "EMAIL",
    " <",
    "&lt",
    "\\",
    "_",
    "🚀",
    "ß",
    "\n",
    "the ",
    "é",
    "EMAIL_zzzzzz",
    "per",
    "api key",
    "``",
    "{",
    '"',
]
_OPENERS = ["<", "", "&lt;", "`<", "`", "< ", "\\u003c", "&#60;", "**<", "</", "%3C"]
_CLOSERS = [">", "", "&gt;", ">`", "`", " >", "\\u003e", "&#62;", ">**", ">", "%3E"]


def spelled(core: str, draw: random.Random) -> str:
    """A placeholder as some model may write it."""
    core = draw.choice([core, core, core.lower(), core.upper(), core.replace("_", "\\_"), core.replace("_", "-")])
    nth = draw.randrange(len(_OPENERS))
    other = nth if draw.random() < 0.8 else draw.randrange(len(_CLOSERS))
    return _OPENERS[nth] + core + _CLOSERS[other]


def text(draw: random.Random, most: int = 12) -> str:
    cores = [placeholder.strip("<>") for placeholder in VALUES]
    out = []
    for _ in range(draw.randrange(most)):
        out.append(spelled(draw.choice(cores), draw) if draw.random() < 0.4 else draw.choice(_PROSE))
        if out and draw.random() < 0.1:
            out[-1] = out[-1][: draw.randrange(len(out[-1]) + 1)]
    return "".join(out)


def arguments(draw: random.Random, depth: int = 2) -> str:
    """JSON that holds placeholders, some of it within strings."""
    told: dict[str, Any] = {"to": text(draw, 4), "n": 1, "list": [text(draw, 3)]}
    if depth:
        told["inner"] = arguments(draw, depth - 1)
    return json.dumps(told, ensure_ascii=draw.random() < 0.5, indent=draw.choice([None, 1]))


def pieces(told: str, draw: random.Random) -> list[str]:
    mean = draw.choice([1, 1, 2, 4, 9, 40])
    out, at = [], 0
    while at < len(told):
        size = draw.randint(1, 2 * mean)
        out.append(told[at : at + size])
        at += size
    return out or ([""] if draw.random() < 0.3 else [])


def stream(draw: random.Random, *, chat: bool) -> list[dict[str, Any]]:
    """The chunks' choices of an answer: several choices, texts and tool calls, their pieces interleaved."""
    queues: list[list[dict[str, Any]]] = []
    for index in range(draw.choice([1, 1, 1, 2, 3])):
        lanes: list[list[Any]] = []
        if not chat:
            lanes.append([{"text": p} for p in pieces(text(draw), draw)])
        else:
            content = arguments(draw) if draw.random() < 0.2 else text(draw)
            lanes.append([{"delta": {"content": p}} for p in pieces(content, draw)])
            if draw.random() < 0.3:
                lanes.append([{"delta": {"refusal": p}} for p in pieces(text(draw), draw)])
            if draw.random() < 0.3:
                lanes.append([{"delta": {"reasoning_content": p}} for p in pieces(text(draw), draw)])
            for nth in range(draw.choice([0, 0, 1, 2])):
                call: list[dict[str, Any]] = [
                    {"id": f"c{nth}", "type": "function", "function": {"name": "f", "arguments": ""}}
                ]
                call += [{"function": {"arguments": p}} for p in pieces(arguments(draw), draw)]
                lanes.append([{"delta": {"tool_calls": [{"index": nth, **part}]}} for part in call])
        own: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": ""}}] if chat else []
        while any(lanes):
            lane = draw.choice([lane for lane in lanes if lane])
            own.append(lane.pop(0))
        if own and not chat and draw.random() < 0.5:
            own[-1]["finish_reason"] = "stop"
        elif draw.random() < 0.9:
            own.append(({"delta": {}} if chat else {"text": ""}) | {"finish_reason": "stop"})
        queues.append([{"index": index, "logprobs": None, "finish_reason": None} | choice for choice in own])
    out = []
    while any(queues):
        several = [q for q in queues if q and (draw.random() < 0.2)] or [draw.choice([q for q in queues if q])]
        out.append({"choices": [q.pop(0) for q in several]})
    return out


def events(chunks: list[dict[str, Any]], *, chat: bool) -> list[Event]:
    head = {"id": "x", "object": "chat.completion.chunk" if chat else "text_completion", "created": 1, "model": "m"}
    return [Event(json.dumps(head | chunk, ensure_ascii=False).encode(), content=True) for chunk in chunks]


def assembled(told: list[Event], *, chat: bool) -> bytes:
    whole = Assembler("chat" if chat else "completion")
    for event in told:
        whole.feed(event.data)
    return whole.body()


def mismatch(seed: int) -> str | None:
    """Whether restoring a stream as it comes and restoring its whole differ, for the answer of this seed."""
    draw = random.Random(seed)
    chat = draw.random() < 0.8
    told = events(stream(draw, chat=chat), chat=chat)
    restorer = Restorer(VALUES)
    sent = [out for event in told for out in restorer.event(event)] + restorer.end()
    whole = Restorer(VALUES).reply(Reply(assembled(told, chat=chat), "m", None)).body
    got, wanted = json.loads(assembled(sent, chat=chat)), json.loads(whole)
    return None if got == wanted else f"seed {seed}:\n{json.dumps(got, indent=1)}\n{json.dumps(wanted, indent=1)}"


__all__ = ["VALUES", "Call", "arguments", "assembled", "events", "mismatch", "pieces", "spelled", "stream", "text"]

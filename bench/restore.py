"""What reversible redaction costs in CPU: parts, placeholders, and values put back in streams and whole answers, as JSON.

    python -m bench.restore [--seed 7] [--rounds 7] [--out bench/out]

One process, nothing else in the way: CPU time of this process, the fastest of several rounds, since the others were disturbed.
Chunks are those of a made-up answer of 600 words, a word and its blank each, as ``wire/stream`` hands them on; the map has five
placeholders of five types. Beside each figure of a chunk stands what reading and setting right that chunk costs anyway
(``relay``), so that the two can be compared as a ratio on any machine. ``--chunkings N`` looks for mismatches as well.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demitasse.core.call import Call, Event, Reply
from demitasse.guard.placeholders import Cut, Redaction, Text
from demitasse.wire import ask
from demitasse.wire.chunks import Assembler
from demitasse.wire.parts import parts, with_texts
from demitasse.wire.restore import Restorer
from demitasse.wire.stream import Relay

from . import machine

VALUES = {
    "<EMAIL_k3x7qa>": "jane.doe@example.com",
    "<PERSON_m2m4zz>": "Jane Doe",
    "<CARD_abcdef>": "4111 1111 1111 1111",
    "<PHONE_qwerty>": "+44 20 7946 0958",
    "<API_KEY_a2b3c4>": "AKIAQYLPMN5HHHFPZAM2",
}
WORDS = "the cup is small and strong so every morning people ask for another one before they leave for work and meet".split()  # noqa: SIM905


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--seed", type=int, default=7)
    given.add_argument("--rounds", type=int, default=7)
    given.add_argument("--chunkings", type=int, default=0, help="random answers to look for mismatches in")
    given.add_argument("--out", type=Path, default=machine.OUT)
    options = given.parse_args()
    found: dict[str, Any] = {
        "machine": machine.facts(),
        "command": ["bench/restore.py", *sys.argv[1:]],
        "seed": options.seed,
        "rounds": options.rounds,
        "cpu_us": measured(options.seed, options.rounds),
    }
    if options.chunkings:
        found["chunkings"] = chunkings(options.chunkings, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "restore.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    json.dump({k: v for k, v in found.items() if k != "machine"}, sys.stdout, indent=1)
    sys.stdout.write("\n")


def measured(seed: int, rounds: int) -> dict[str, float]:
    told: dict[str, float] = {}
    for name, share in (("prose", 0.0), ("a placeholder in 25 words", 0.04)):
        payloads = chunks(seed, share)
        events = [Event(payload, content=True) for payload in payloads]
        told[f"relay, a chunk, {name}"] = best(lambda p=payloads: relayed(p), rounds) / len(payloads)  # type: ignore[misc]
        told[f"restore, a chunk, {name}"] = best(lambda e=events: restored(e), rounds) / len(events)  # type: ignore[misc]
        whole = Assembler("chat")
        for payload in payloads:
            whole.feed(payload)
        reply = Reply(whole.body(), "m", None)
        told[f"restore, a whole answer of {len(reply.body):,} bytes, {name}"] = best(
            lambda r=reply: [Restorer(VALUES).reply(r) for _ in range(20)], rounds  # type: ignore[misc]
        ) / 20  # fmt: skip
    body = request(f"Write to {VALUES['<EMAIL_k3x7qa>']}.", 270)
    fields = ask.read("chat", body).fields
    at = parts("chat", fields)[-1]
    cuts = [Cut(at.text.index("jane"), at.text.index("jane") + 20, "EMAIL")]
    texts = [Text(at.text, cuts)]
    redacted = Redaction.of(texts, secret=b"s" * 32, tenant="t", session="s").texts[0]

    def many(work: Callable[[], object]) -> float:
        return best(lambda: [work() for _ in range(2_000)], rounds) / 2_000

    told[f"parts of a request of {len(body)} bytes"] = many(lambda: parts("chat", fields))
    told["its one value to a placeholder"] = many(
        lambda: Redaction.of(texts, secret=b"s" * 32, tenant="t", session="s")
    )
    told["the request with it"] = many(lambda: with_texts(fields, body, {at.place: redacted}))
    told["a restorer"] = many(lambda: Restorer(VALUES))
    return {name: round(us, 2) for name, us in told.items()}


def best(work: Callable[[], object], rounds: int) -> float:
    """CPU microseconds of the fastest round."""
    spent = []
    for _ in range(rounds):
        began = time.process_time_ns()
        work()
        spent.append((time.process_time_ns() - began) / 1e3)
    return min(spent)


def chunks(seed: int, share: float) -> list[bytes]:
    draw = random.Random(seed)
    words = [draw.choice(list(VALUES)) if draw.random() < share else draw.choice(WORDS) for _ in range(600)]
    # Tokens of a placeholder are shorter than it is.
    cut = [[w[at : at + 4] for at in range(0, len(w), 4)] if w.startswith("<") else [w + " "] for w in words]
    out = [{"delta": {"content": piece}} for word in cut for piece in word]
    told = [{"delta": {"role": "assistant", "content": ""}}, *out, {"delta": {}, "finish_reason": "stop"}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1795276800, "model": "m"}
    choices = [{"index": 0, "logprobs": None, "finish_reason": None} | choice for choice in told]
    return [json.dumps(head | {"choices": [choice]}).encode() for choice in choices]


def relayed(payloads: list[bytes]) -> None:
    relay = Relay(Call(id="c", request_id="c", at_us=0, kind="chat", body=b"{}", fields={}, model="m", stream=True))
    for payload in payloads:
        relay.feed(payload)


def restored(events: list[Event]) -> None:
    restorer = Restorer(VALUES)
    for event in events:
        restorer.event(event)
    restorer.end()


def request(text: str, size: int) -> bytes:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    body = json.dumps({"model": "m", "messages": messages})
    messages[1]["content"] = "x " * ((size - len(body)) // 2) + text
    return json.dumps({"model": "m", "messages": messages}).encode()


def chunkings(count: int, seed: int) -> dict[str, int]:
    """Random answers cut at random, of which restoring the stream and restoring the whole differ."""
    from tests.wire.chunkings import mismatch

    first = seed * 10_000_000
    return {
        "answers": count,
        "first_seed": first,
        "mismatches": sum(mismatch(first + n) is not None for n in range(count)),
    }


if __name__ == "__main__":
    main()

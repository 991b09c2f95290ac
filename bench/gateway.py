"""What the gateway costs: CPU per request and per streamed chunk, added latency, start, memory; as ratios to nginx.

    python -m bench.gateway [--target nginx,demitasse] [--rounds 3] [--seconds 4] [--soak N]

The gateway has keys, rate limits, a budget, durable holds and the ledger on: what a user gets, but for the model. It
runs on one core, the mock provider and wrk on another; the targets take turns within each round, so that a busy
machine hurts them alike; figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from . import machine, stage
from .stage import Target

BODY = (
    '{"model":"mock","messages":[{"role":"system","content":"You are a terse assistant."},'
    '{"role":"user","content":"Question %d: name three small cups of %w and say in a few words what sets '
    'each of them apart from the others."}],"temperature":0.7,"max_tokens":64}'
)
"""About 270 bytes. Sampled, so that neither cache nor coalescing answers in the provider's place; and no two are alike, so that
nothing that was found in one is remembered of another."""

_TURNS = (
    "Which cups are there for small coffees, and which of them would you put before a guest who takes sugar?",
    (
        "There is the espresso cup of some 60 ml, thick and warmed beforehand; the demitasse of 90 ml, which leaves room for sugar and "
        "a spoon; and the cortado glass of 130 ml. Before a guest who takes sugar I would put the demitasse: it can be stirred "
        "without spilling, and it keeps what is in it warm."
    ),
    "And for tea? Some of them stay for an hour and want to read, so that a cup that cools at once will not do.",
    (
        "A cup of porcelain of 150 ml with a saucer and a lid, poured half full and often, from a pot that stands on a warmer. Who "
        "reads will not look at it for minutes, and a lid keeps it as it was."
    ),
)
CONVERSATION = BODY.replace(
    "You are a terse assistant.",
    "You are the assistant of a house that serves coffee and tea. Answer in a few plain sentences, without lists. Give a reason for "
    "what you advise. Where you are not sure, say so; never make up a price, a name or a place. What guests tell of themselves "
    "stays here.",
).replace(
    '{"role":"user"',
    "".join(
        f'{{"role":"{role}","content":"{turn}"}},' for role, turn in zip(("user", "assistant") * 2, _TURNS, strict=True)
    )
    + '{"role":"user"',
    1,
)
"""A conversation of four turns and a new one: about 1,500 bytes, of which the last question alone was never asked before."""

CHUNKS = 200
STREAM_BODY = BODY[:-1].replace('"max_tokens":64', f'"max_tokens":{CHUNKS}') + (
    f',"stream":true,"mock":{{"tokens":{CHUNKS},"chunk_ms":2}}}}'
)
STREAM_CONNECTIONS = 16
CONNECTIONS = 16
"""For conversations."""
ANSWER_TOKENS = "16"

GOALS = {
    "× nginx at 16": 5.0,
    "added p50 ms": 0.3,
    "µs per chunk": 30.0,
    "ready s": 0.5,
    "import s": 0.3,
    "RSS MB": 80.0,
}


def main() -> None:
    arguments = _arguments()
    names = [name for name in arguments.target.split(",") if name]
    result: dict[str, Any] = {"machine": machine.facts(), "arguments": vars(arguments)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mock = stack.enter_context(stage.mock("--tokens", ANSWER_TOKENS, "--log", "1000"))
        targets = [mock]
        if "nginx" in names:
            targets.append(stack.enter_context(stage.nginx(mock)))
        if "demitasse" in names:
            targets.append(stack.enter_context(stage.demitasse(mock, folder / "data")))
        if "unguarded" in names:
            config = stage.CONFIG + "\n[guard]\non = false\n"
            without = stage.demitasse(mock, folder / "unguarded", config=config, name="unguarded")
            targets.append(stack.enter_context(without))
        gateway = next((t for t in targets if t.name == "demitasse"), None)
        if gateway is not None:
            result["start"] = _start(mock, folder, gateway)
        with machine.Watch([t.pid for t in targets]) as watch:
            result["requests"] = _requests(targets, mock, arguments)
            result["conversations"] = _conversations(targets, mock, arguments)
            result["stream"] = _streams(targets, arguments)
        result["machine"] |= watch.facts()
        if gateway is not None:
            result["start"]["rss_after_mb"] = machine.rss_mb(gateway.pid)
            if arguments.soak:
                result["soak"] = _soak(gateway, arguments.soak)
    result["summary"] = _summary(result, [t.name for t in targets])
    path = machine.write("gateway", result)
    print(_shown(result), f"\n{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ",".join(name for name in ("nginx", "demitasse") if name != "nginx" or shutil.which("nginx"))
    parser.add_argument("--target", default=default, help="comma-separated: nginx, demitasse, unguarded ([guard] off)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="per target, level and round")
    parser.add_argument("--connections", default="1,16,64")
    parser.add_argument("--soak", type=int, default=0, help="requests of a long run in which memory is watched")
    return parser.parse_args()


def _requests(targets: list[Target], mock: Target, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of one round, level and target each; the first short run of each target warms it up and is not counted."""
    for target in targets:
        stage.wrk(target, BODY, connections=16, seconds=1)
    rows = []
    for turn in range(arguments.rounds):
        for connections in map(int, arguments.connections.split(",")):
            for target in targets:
                rows.append(
                    {"round": turn, "connections": connections} | _measure(target, mock, connections, arguments.seconds)
                )
                _say(rows[-1])
    return rows


def _conversations(targets: list[Target], mock: Target, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The same of conversations, which send what was said before with each question."""
    rows = []
    for turn in range(arguments.rounds):
        for target in targets:
            found = _measure(target, mock, CONNECTIONS, arguments.seconds, CONVERSATION)
            rows.append({"round": turn, "connections": CONNECTIONS} | found)
            _say(rows[-1])
    return rows


def _measure(target: Target, mock: Target, connections: int, seconds: float, body: str = BODY) -> dict[str, Any]:
    before, used = stage.served(mock)["requests"], machine.cpu_s(target.pid)
    row = stage.wrk(target, body, connections=connections, seconds=seconds)
    cpu = machine.cpu_s(target.pid) - used
    passed = stage.served(mock)["requests"] - before
    if row["bad_status"] or row["lost"] or passed < row["requests"]:
        raise SystemExit(f"{target.name} did not do the work: {row}, and the mock served {passed}")
    return {"target": target.name, "cpu_us": round(cpu / row["requests"] * 1e6, 2), **row}


def _streams(targets: list[Target], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for turn in range(arguments.rounds):
        for target in targets:
            used = machine.cpu_s(target.pid)
            row = stage.wrk(target, STREAM_BODY, connections=STREAM_CONNECTIONS, seconds=arguments.seconds, stream=True)
            cpu = machine.cpu_s(target.pid) - used
            if row["bad_status"] or row["lost"] or not row["requests"]:
                raise SystemExit(f"{target.name} did not stream: {row}")
            # wrk leaves the streams of its last moment unfinished and does not count them: half of each, on average.
            chunks = (row["requests"] + STREAM_CONNECTIONS / 2) * CHUNKS
            rows.append({"round": turn, "target": target.name, "cpu_us_per_chunk": round(cpu / chunks * 1e6, 2), **row})
            _say(rows[-1])
    return rows


def _start(mock: Target, folder: Path, gateway: Target) -> dict[str, Any]:
    """Ready and import times as medians of five; a process that starts on an existing ledger is what counts."""
    ready = []
    for turn in range(5):
        with stage.demitasse(mock, folder / f"start{turn % 2}") as again:
            ready.append(again.ready_s)
    code = "import time; t = time.perf_counter(); import demitasse; print(time.perf_counter() - t)"
    imports = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
    return {
        "ready_s": [round(x, 3) for x in ready],
        "import_s": [round(x, 3) for x in imports],
        "rss_idle_mb": machine.rss_mb(gateway.pid),
    }


def _soak(gateway: Target, requests: int) -> list[dict[str, Any]]:
    """Memory after each slice of a long run."""
    samples, done = [], 0
    while done < requests:
        done += stage.wrk(gateway, BODY, connections=16, seconds=10)["requests"]
        samples.append({"requests": done, "rss_mb": machine.rss_mb(gateway.pid)})
        _say(samples[-1])
    return samples


def _summary(result: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Medians over the rounds, ratios to nginx, and what is added to the direct way."""
    found: dict[str, Any] = {}
    levels = sorted({row["connections"] for row in result["requests"]})
    for name in names:
        facts: dict[str, Any] = {}
        for level in levels:
            rows = [r for r in result["requests"] if r["target"] == name and r["connections"] == level]
            yardstick = [
                r["cpu_us"] for r in result["requests"] if r["target"] == "nginx" and r["connections"] == level
            ]
            cpu = median(r["cpu_us"] for r in rows)
            facts[str(level)] = {
                "cpu_us": cpu,
                "x_nginx": round(cpu / median(yardstick), 2) if yardstick else None,
                "per_s": round(median(r["requests"] / r["duration_s"] for r in rows)),
                "added_p50_ms": _added(result["requests"], name, level, "p50_ms"),
                "added_p99_ms": _added(result["requests"], name, level, "p99_ms"),
            }
        chunks = [r["cpu_us_per_chunk"] for r in result["stream"] if r["target"] == name]
        talks = [r["cpu_us"] for r in result["conversations"] if r["target"] == name]
        found[name] = {"levels": facts, "conversation_us": median(talks), "cpu_us_per_chunk": median(chunks)}
    return found


def _added(rows: list[dict[str, Any]], name: str, level: int, figure: str) -> float:
    """Median over the rounds of the difference to the direct way in the same round."""
    direct = {r["round"]: r[figure] for r in rows if r["target"] == "direct" and r["connections"] == level}
    return round(
        median(r[figure] - direct[r["round"]] for r in rows if r["target"] == name and r["connections"] == level), 3
    )


def _shown(result: dict[str, Any]) -> str:
    levels = list(result["summary"]["direct"]["levels"])
    rows = []
    for name, facts in result["summary"].items():
        per = facts["levels"]
        rows.append(
            [
                name,
                " / ".join(_number(per[n]["cpu_us"], 0) for n in levels),
                " / ".join(_number(per[n]["x_nginx"], 1) for n in levels),
                _number(facts["conversation_us"], 0),
                _number(per[levels[0]]["added_p50_ms"], 2),
                _number(per[levels[0]]["added_p99_ms"], 2),
                _number(facts["cpu_us_per_chunk"], 1),
                " / ".join(str(per[n]["per_s"]) for n in levels),
            ]
        )
    at = " / ".join(levels)
    head = [
        "",
        f"CPU µs at {at}",
        "× nginx",
        f"of a conversation at {CONNECTIONS}",
        f"added p50 ms at {levels[0]}",
        "p99",
        "CPU µs per chunk",
        f"requests/s at {at}",
    ]
    text = ["", machine.table(rows, head), ""]
    if start := result.get("start"):
        text.append(
            f"ready in {median(start['ready_s']):.2f} s · import {median(start['import_s']):.3f} s · "
            f"RSS {start['rss_idle_mb']} MB idle, {start['rss_after_mb']} MB after"
        )
    if soak := result.get("soak"):
        text.append("soak " + " · ".join(f"{s['requests']}: {s['rss_mb']} MB" for s in soak[:: max(1, len(soak) // 8)]))
    text.append("goals " + " · ".join(f"{name} ≤ {goal:g}" for name, goal in GOALS.items()))
    facts = result["machine"]
    text.append(
        f"{facts['cores']} cores, {facts['cpu']}; load {facts['load'][0]} before; others used {facts['others_share']:.1%}, "
        f"stolen {facts['steal_share']:.1%}; Python {facts['python']}, {facts['commit']}, {facts['at']}"
    )
    if facts["busy"]:
        text.append("BUSY MACHINE: trust the ratios, not the microseconds")
    return "\n".join(text)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _say(row: dict[str, Any]) -> None:
    if sys.stderr.isatty():
        print(row, file=sys.stderr)


if __name__ == "__main__":
    main()

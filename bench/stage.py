"""Puts the players on the stage: mock provider, nginx, gateway, load generator, each on its core. Measures nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from string import Template
from typing import Any

from msgspec import Struct

from demitasse.testing.running import Running, create_key, free_port, gateway_process, mock_process

HERE = Path(__file__).parent
GATEWAY_CORE, LOAD_CORE = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)

CONFIG = """
[models.mock]
provider = "openai"
model = "mock"
base_url = "{base_url}"
price = {{ input_usd_per_mtok = 1.25, output_usd_per_mtok = 10.0, cache_read_usd_per_mtok = 0.125 }}

[budgets.default]
usd_per_day = 1000000
"""


class Target(Struct):
    """Something that answers: where, and which process does the work."""

    name: str
    running: Running
    stream_port: int
    key: str | None = None

    @property
    def port(self) -> int:
        return self.running.port

    @property
    def pid(self) -> int:
        return self.running.pid

    @property
    def ready_s(self) -> float:
        return self.running.ready_s


def pinned(core: int | None) -> list[str]:
    """The start of a command line that keeps a process on one core."""
    return ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []


@contextmanager
def mock(*options: str) -> Iterator[Target]:
    """The mock provider as a process of its own."""
    with mock_process(*options, prefix=pinned(LOAD_CORE)) as running:
        yield Target("direct", running, running.port)


@contextmanager
def nginx(upstream: Target) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as folder:
        port, stream_port = free_port(), free_port()
        conf = Path(folder) / "nginx.conf"
        text = Template((HERE / "nginx.conf.template").read_text())
        conf.write_text(text.substitute(folder=folder, port=port, stream_port=stream_port, upstream_port=upstream.port))
        command = [*pinned(GATEWAY_CORE), "nginx", "-e", f"{folder}/error.log", "-p", folder, "-c", str(conf)]
        running = Running(command, port, log=Path(folder) / "nginx.log")
        try:
            yield Target("nginx", running.start("/v1/models"), stream_port)
        finally:
            running.stop()


@contextmanager
def demitasse(
    upstream: Target,
    data: Path,
    *,
    config: str = CONFIG,
    launcher: tuple[str, ...] = ("-m", "demitasse"),
    name: str = "demitasse",
) -> Iterator[Target]:
    """The gateway as a user starts it, with a key that has limits."""
    key = create_key(data, f"bench-{free_port()}", "--rpm", "1000000000", "--tpm", "1000000000")
    text = config.format(base_url=upstream.running.base_url)
    with gateway_process(data, text, prefix=pinned(GATEWAY_CORE), launcher=launcher) as running:
        yield Target(name, running, running.port, key)


_FIRST = count(100_000, 20_000)


def served(upstream: Target) -> dict[str, Any]:
    """The mock's own count, without the records."""
    found: dict[str, Any] = json.loads(upstream.running.ask("/served?since=999999999999")[1])
    return found


def wrk(target: Target, body: str, *, connections: int, seconds: float, stream: bool = False) -> dict[str, Any]:
    """Load from wrk, on the load's core; latencies are wrk's own. What was asked in one run is not asked in the next."""
    env = {**os.environ, "BENCH_BODY": body, "BENCH_FIRST": str(next(_FIRST))}
    env.pop("BENCH_KEY", None)
    if target.key is not None:
        env["BENCH_KEY"] = target.key
    port = target.stream_port if stream else target.port
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    command = [
        *pinned(LOAD_CORE),
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--timeout",
        "30s",
        "-s",
        str(HERE / "chat.lua"),
        url,
    ]
    shown = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    line = next((line for line in shown.stdout.splitlines() if line.startswith("BENCH ")), None)
    if line is None:
        raise SystemExit(f"wrk: {shown.stdout}{shown.stderr}")
    result: dict[str, Any] = json.loads(line.removeprefix("BENCH "))
    return result

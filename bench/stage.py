"""Puts the players on the stage: mock provider, nginx, gateway, load generator, each on its core. Measures nothing."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template
from typing import Any

from msgspec import Struct

HERE = Path(__file__).parent
GATEWAY_CORE, LOAD_CORE = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)

CONFIG = Template("""
[server]
port = $port

[models.mock]
provider = "openai"
model = "mock"
base_url = "$base_url"
price = { input_usd_per_mtok = 1.25, output_usd_per_mtok = 10.0, cache_read_usd_per_mtok = 0.125 }

[budgets.default]
usd_per_day = 1000000
""")


class Target(Struct):
    """Something that answers: where, and which process does the work."""

    name: str
    port: int
    pid: int
    stream_port: int = 0
    key: str | None = None
    ready_s: float = 0.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def pinned(core: int | None) -> list[str]:
    """The start of a command line that keeps a process on one core."""
    return ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []


@contextmanager
def mock(*options: str) -> Iterator[Target]:
    """The mock provider as a process of its own."""
    command = [*pinned(LOAD_CORE), sys.executable, "-m", "demitasse.testing", *options]
    with running(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        yield Target("direct", port, process.pid, stream_port=port)


@contextmanager
def nginx(upstream: Target) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as folder:
        port, stream_port = free_port(), free_port()
        conf = Path(folder) / "nginx.conf"
        text = Template((HERE / "nginx.conf.template").read_text())
        conf.write_text(text.substitute(folder=folder, port=port, stream_port=stream_port, upstream_port=upstream.port))
        start = time.perf_counter()
        command = [*pinned(GATEWAY_CORE), "nginx", "-e", f"{folder}/error.log", "-p", folder, "-c", str(conf)]
        with running(command) as process:
            wait_until_open(port, "/v1/models")
            yield Target("nginx", port, process.pid, stream_port=stream_port, ready_s=time.perf_counter() - start)


@contextmanager
def demitasse(
    upstream: Target, data: Path, *, config: Template = CONFIG, launcher: tuple[str, ...] = ("-m", "demitasse")
) -> Iterator[Target]:
    """The gateway as a user starts it, with a key; ``ready_s`` is from the spawn to the first 200 of /readyz."""
    port = free_port()
    data.mkdir(parents=True, exist_ok=True)
    file = data.parent / f"{data.name}.toml"
    file.write_text(config.substitute(port=port, base_url=f"http://127.0.0.1:{upstream.port}/v1"))
    where = ["--config", str(file), "--data", str(data)]
    made = subprocess.run(
        [sys.executable, "-m", "demitasse", "keys", "create", f"bench-{port}", "--rpm", "1000000000", "--json", *where],
        capture_output=True,
        text=True,
        env=quiet_env(),
        check=False,
    )
    if made.returncode:
        raise SystemExit(f"demitasse keys create: {made.stderr}")
    key = json.loads(made.stdout)["key"]
    command = [*pinned(GATEWAY_CORE), sys.executable, *launcher, "up", "--port", str(port), *where]
    log = (data.parent / f"{data.name}.log").open("w")
    start = time.perf_counter()
    with running(command, stdout=log, stderr=log, env=quiet_env()) as process:
        wait_until_open(port, "/readyz", process)
        ready_s = time.perf_counter() - start
        yield Target("demitasse", port, process.pid, stream_port=port, key=key, ready_s=ready_s)


def quiet_env() -> dict[str, str]:
    """The environment without keys of real providers: nothing that is measured may leave the machine."""
    return {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and not k.startswith("DEMITASSE_")}


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that ends with the block: asked first, then killed."""
    options.setdefault("stdout", subprocess.DEVNULL)
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_until_open(
    port: int, path: str, process: subprocess.Popen[Any] | None = None, timeout_s: float = 30.0
) -> None:
    """Ask every 2 ms until the answer is 200."""
    until = time.perf_counter() + timeout_s
    while time.perf_counter() < until:
        if process is not None and process.poll() is not None:
            raise SystemExit(f"the gateway ended with status {process.returncode} before it was ready; see its .log")
        with suppress(OSError, http.client.HTTPException):
            if get(port, path)[0] == 200:
                return
        time.sleep(0.002)
    raise SystemExit(f"nothing answers on port {port} after {timeout_s:.0f} s")


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def served(upstream: Target) -> dict[str, Any]:
    """The mock's own count, without the records."""
    found: dict[str, Any] = json.loads(get(upstream.port, "/served?since=999999999999")[1])
    return found


def wrk(target: Target, body: str, *, connections: int, seconds: float, stream: bool = False) -> dict[str, Any]:
    """Load from wrk, on the load's core; latencies are wrk's own."""
    env = {**os.environ, "BENCH_BODY": body}
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

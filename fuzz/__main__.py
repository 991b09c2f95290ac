"""The command: see the package's docstring. One process a target, since a fuzzer ends its own."""

# ruff: noqa: T201 - a command prints
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .seeds import SEEDS

FINDS = Path(__file__).parent / "finds"
SLOW_S = 10
"""An input of at most ``MOST_BYTES`` may take so long; more is a find."""
MOST_BYTES = 8192


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("--seconds", type=int, default=60, help="for all targets together")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--target", action="append", help="one of them; may be given again")
    options.add_argument("--corpus", type=Path, help="where what was learned is kept; else it is forgotten")
    options.add_argument("--replay", action="store_true")
    options.add_argument("--json", type=Path, help="write what was done here")
    options.add_argument("--one", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.one:
        return _fuzz(asked.one, asked.seconds, asked.seed, asked.corpus)
    from .targets import TARGETS  # noqa: PLC0415

    names = asked.target or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        print(f"no target {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}")
        return 2
    if asked.replay:
        return _replay({name: TARGETS[name] for name in names})
    rows = [_run(name, asked.seconds // len(names), asked.seed, asked.corpus) for name in names]
    if asked.json:
        asked.json.write_text(
            json.dumps({"seconds": asked.seconds, "seed": asked.seed, "targets": rows}, indent=1) + "\n"
        )
    return int(any(row["find"] for row in rows))


def _replay(targets: dict[str, Callable[[bytes], None]]) -> int:
    for name, target in targets.items():
        for data in (*SEEDS[name], *(file.read_bytes() for file in sorted((FINDS / name).glob("*")))):
            target(data)
        print(f"{name}: holds")
    return 0


def _run(name: str, seconds: int, seed: int, corpus: Path | None) -> dict[str, Any]:
    began = time.monotonic()
    where = ["--corpus", str(corpus)] if corpus else []
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--one", name, "--seconds", str(seconds), "--seed", str(seed), *where],
        capture_output=True, text=True, check=False, errors="replace",
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if line.startswith("#") or "exec" in line]
    runs = next(
        (int(line.split()[0].lstrip("#")) for line in reversed(told) if line.split()[0].lstrip("#").isdigit()), 0
    )
    row = {"target": name, "seconds": round(time.monotonic() - began), "runs": runs, "find": done.returncode != 0}
    print(json.dumps(row), flush=True)
    if done.returncode:
        print("\n".join(done.stderr.splitlines()[-40:]), flush=True)
    return row


def _fuzz(name: str, seconds: int, seed: int, corpus: Path | None) -> int:
    import atheris  # noqa: PLC0415

    with atheris.instrument_imports(include=["demitasse"]):
        from .targets import TARGETS  # noqa: PLC0415
    (FINDS / name).mkdir(parents=True, exist_ok=True)
    folder = (corpus or Path(tempfile.mkdtemp())) / name
    folder.mkdir(parents=True, exist_ok=True)
    for nth, data in enumerate(SEEDS[name]):
        (folder / f"seed-{nth}").write_bytes(data)
    atheris.Setup(
        [
            sys.argv[0], f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={MOST_BYTES}", f"-timeout={SLOW_S}",
            "-rss_limit_mb=4096", f"-artifact_prefix={FINDS / name}/", "-print_final_stats=1", str(folder),
        ],
        TARGETS[name],
    )  # fmt: skip
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())

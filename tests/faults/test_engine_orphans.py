"""No engine outlives whom it serves, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.model
PARENT = """
import asyncio, pathlib, sys
from demitasse.providers.local import LocalEngine

async def main():
    engine = LocalEngine("small", pathlib.Path(sys.argv[1]), log=pathlib.Path(sys.argv[2]), ctx=256, slots=1, threads=1)
    await engine.ensure()
    print(engine.status().pid, flush=True)
    if sys.argv[3] == "returns":
        return
    await asyncio.sleep(60)

asyncio.run(main())
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, "returns"])
def test_the_engine_ends_with_its_parent(ending, smollm_path, tmp_path):
    command = [sys.executable, "-c", PARENT, str(smollm_path), str(tmp_path / "log"), str(ending)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        if not isinstance(ending, str):
            os.kill(parent.pid, ending)
        parent.wait()
        for _ in range(100):
            if gone(pid):
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the engine went on without its parent")

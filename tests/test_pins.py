"""`make audit` says that all is well only where every pin was looked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PINS = Path(__file__).parents[1] / "bench" / "pins.py"
WELL = {"name": "a", "version": "1", "vulns": []}
HOLED = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"], "description": "…"}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (4)"}


@pytest.mark.parametrize(
    ("pins", "status", "words"),
    [
        ([WELL], 0, "1 pins were looked for, and none has a known hole"),
        ([WELL, SKIPPED], 1, "1 of 2 pins could not be audited"),
        ([WELL, HOLED], 1, "b 2: CVE-1, mended in 3"),
        ([HOLED, SKIPPED], 1, "1 of 2 pins have a known hole; 1 of 2 pins could not be audited"),
        ([], 1, "names no pins"),
        (None, 1, "pip-audit said nothing of the pins"),
    ],
)
def test_what_could_not_be_looked_for_is_a_failure_and_said(tmp_path: Path, pins, status: int, words: str) -> None:
    (tmp_path / "pip_audit.py").write_text(
        f"import sys\nprint({json.dumps({'dependencies': pins})!r} if {pins is not None} else 'x')\n"
        f"sys.exit({int(bool(pins and HOLED in pins))})\n"
    )
    ran = subprocess.run(
        [sys.executable, str(PINS), "x.lock"], env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, words in ran.stdout + ran.stderr) == (status, True), ran


def test_make_audit_runs_it() -> None:
    assert "bench/pins.py requirements.lock $(ARGS)" in (PINS.parents[1] / "Makefile").read_text()

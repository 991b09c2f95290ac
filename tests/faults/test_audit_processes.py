"""Checkpoints under force: several processes that sign one ledger, kill -9 in between, and a disk that is full."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from demitasse.core.entry import Entry
from demitasse.core.errors import StoreError
from demitasse.store import checkpoints
from demitasse.store.checkpoints import FILE, read_file
from demitasse.store.examine import examine
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE as LEDGER
from demitasse.store.signing import Signer

WORKER = Path(__file__).with_name("audit_worker.py")


def start(data: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(WORKER), str(data), name], stdout=subprocess.PIPE, text=True)


def heard(worker: subprocess.Popen[str], count: int) -> list[str]:
    assert worker.stdout is not None
    return [worker.stdout.readline().strip() for _ in range(count)]


def killed(worker: subprocess.Popen[str]) -> list[str]:
    """What it still said, of whole lines."""
    assert worker.stdout is not None
    os.kill(worker.pid, signal.SIGKILL)
    rest = worker.stdout.read()
    worker.wait()
    worker.stdout.close()
    return [line for line in rest.split("\n")[:-1] if line]


def sizes(said: list[str]) -> set[int]:
    assert not [line for line in said if not line.startswith("signed")], "nobody was refused"
    return {int(line.split()[1]) for line in said}


def test_processes_that_sign_together_and_are_killed_leave_a_ledger_that_fits_all_of_it(tmp_path: Path) -> None:
    told: set[int] = set()
    for turn in range(2):
        workers = [start(tmp_path, f"{turn}{name}") for name in "ab"]
        said = [line for worker in workers for line in heard(worker, 5)]
        said += [line for worker in workers for line in killed(worker)]
        told |= sizes(said)
        report = examine(tmp_path)
        assert report.problems == ()
    db = sqlite3.connect(tmp_path / LEDGER)
    kept = {size for (size,) in db.execute("SELECT size FROM checkpoints")}
    db.close()
    assert told <= kept, "what was told as signed is there"
    assert {place.checkpoint.size for place in read_file(tmp_path / FILE)[0]} <= kept
    assert len(told) >= 20


def test_verifying_beside_writers_finds_nothing_wrong(tmp_path: Path) -> None:
    worker = start(tmp_path, "w")
    heard(worker, 2)
    seen = []
    for _ in range(5):
        report = examine(tmp_path)
        assert report.problems == ()
        seen.append(report.rows)
    assert seen[-1] > seen[0], "it went on meanwhile"
    killed(worker)


def written(data: Path, count: int) -> None:
    ledger = SqliteLedger.open(data)
    for n in range(count):
        ledger.post(Entry(f"c{n}", 1, "local", "chat", "auto", "answered"))
    ledger.close()


def test_a_full_disk_under_the_file_is_said_and_the_ledger_has_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 3)
    real = os.write

    def full(handle: int, data: bytes) -> int:
        return real(handle, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.os, "write", full)
        with pytest.raises(StoreError, match="free some space for the next one"):
            checkpoints.make(tmp_path, Signer(tmp_path), 5)
    report = examine(tmp_path)
    assert report.problems == ()
    assert report.checkpoints == 1
    assert "cut off while it was written" in report.notes[0]
    ledger = SqliteLedger.open(tmp_path)
    ledger.post(Entry("later", 1, "local", "chat", "auto", "answered"))
    ledger.close()
    assert checkpoints.make(tmp_path, Signer(tmp_path), 6) is not None
    assert examine(tmp_path).checkpoints == 2


def test_a_ledger_that_cannot_be_written_is_not_signed_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 3)
    other = sqlite3.connect(tmp_path / LEDGER, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_WAIT_MS", 20)
        with pytest.raises(StoreError, match="is locked by"):
            checkpoints.make(tmp_path, Signer(tmp_path), 5)
    other.execute("ROLLBACK")
    other.close()
    assert not (tmp_path / FILE).exists()
    assert checkpoints.make(tmp_path, Signer(tmp_path), 5) is not None
    assert examine(tmp_path).valid

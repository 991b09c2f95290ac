"""The executor: same results in every place, each piece once, and nothing lost when something dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demitasse.lab.evals.executor import Executor, ExecutorError, Local, PiecesFailed, executor, key_of

WORK = "tests.lab.executor_work"
ROOT = Path(__file__).parents[2]
NUMBERS = [b"%d" % n for n in range(12)]


async def gathered(
    runs: Executor, function: str, pieces: list[bytes], *, into: dict[int, bytes] | None = None
) -> dict[int, bytes]:
    """All results by index; ``into`` has those that came before something was raised."""
    found = {} if into is None else into
    async for index, result in runs.map(f"{WORK}:{function}", pieces):
        found[index] = result
    return found


@pytest.mark.parametrize("workers", [1, 2])
async def test_every_piece_gives_its_result_under_its_index(workers: int) -> None:
    assert await gathered(Local(workers), "double", NUMBERS) == {i: p + p for i, p in enumerate(NUMBERS)}


async def test_what_was_done_once_is_not_done_again(tmp_path: Path) -> None:
    pieces = [f"{tmp_path}|{n}|0".encode() for n in "abc"]
    journal = tmp_path / "journal"
    first = await gathered(Local(1, journal=journal), "mark", pieces)
    assert await gathered(Local(1, journal=journal), "mark", pieces) == first
    assert [(tmp_path / n).read_text() for n in "abc"] == ["x"] * 3
    await gathered(Local(1, journal=journal, edition="2"), "mark", pieces)
    assert [(tmp_path / n).read_text() for n in "abc"] == ["xx"] * 3


async def test_equal_pieces_are_run_once_and_given_to_all(tmp_path: Path) -> None:
    piece = f"{tmp_path}|a|0".encode()
    assert await gathered(Local(1), "mark", [piece, piece]) == {0: b"a", 1: b"a"}
    assert (tmp_path / "a").read_text() == "x"


async def test_an_exception_names_its_piece_and_loses_nothing_else(tmp_path: Path) -> None:
    seen: dict[int, bytes] = {}
    with pytest.raises(PiecesFailed, match=r"piece 3: ValueError: 3 is odd \(executor_work.py, line") as caught:
        await gathered(Local(1, journal=tmp_path), "fail_on_odd", [b"2", b"4", b"6", b"3", b"8"], into=seen)
    assert sorted(seen) == [0, 1, 2, 4]
    assert list(caught.value.failed) == [3]


async def test_a_worker_that_dies_takes_down_its_own_piece_alone() -> None:
    seen: dict[int, bytes] = {}
    with pytest.raises(PiecesFailed, match="piece 7: its worker died 3 times"):
        await gathered(Local(2), "die_on_seven", NUMBERS, into=seen)
    assert seen == {i: p for i, p in enumerate(NUMBERS) if p != b"7"}


async def test_a_piece_whose_worker_died_once_is_tried_again(tmp_path: Path) -> None:
    assert await gathered(Local(2), "die_once", [str(tmp_path / "once").encode()]) == {0: b"survived"}


SCRIPT = """
import asyncio, sys
from demitasse.lab.evals.executor import Local

async def main():
    pieces = [f"{sys.argv[1]}|{n}|0.15".encode() for n in range(8)]
    async for index, _ in Local(int(sys.argv[3]), journal=__import__("pathlib").Path(sys.argv[2])).map("tests.lab.executor_work:mark", pieces):
        print(index, flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


def started(marks: Path, journal: Path, workers: int) -> subprocess.Popen[str]:
    script = marks.parent / "script.py"
    script.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    return subprocess.Popen(
        [sys.executable, str(script), str(marks), str(journal), str(workers)],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )


def test_whoever_is_killed_goes_on_where_they_were(tmp_path: Path) -> None:
    marks, journal = tmp_path / "marks", tmp_path / "journal"
    marks.mkdir()
    first = started(marks, journal, 2)
    assert first.stdout is not None
    done = {first.stdout.readline().strip() for _ in range(3)}
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    second = started(marks, journal, 1)
    told, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert sorted(map(int, told.split())) == list(range(8))
    for name in done:
        assert (marks / name).read_text() == "x", "a piece that was handed out was run again"
    again = sum(len((marks / str(n)).read_text()) for n in range(8)) - 8
    assert again <= 2, "more than what was under way was run again"


def test_two_processes_on_one_folder_run_no_piece_twice(tmp_path: Path) -> None:
    marks, journal = tmp_path / "marks", tmp_path / "journal"
    marks.mkdir()
    both = [started(marks, journal, 1) for _ in range(2)]
    for process in both:
        told, _ = process.communicate(timeout=60)
        assert sorted(map(int, told.split())) == list(range(8))
    assert [(marks / str(n)).read_text() for n in range(8)] == ["x"] * 8


def test_workers_of_a_killed_process_end_too(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    process = started(marks, tmp_path / "journal", 2)
    assert process.stdout is not None
    process.stdout.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this kernel doesn't list children")
    pids = [int(pid) for pid in children.read_text().split()]
    assert pids
    process.kill()
    process.wait()
    process.stdout.close()
    for _ in range(200):
        if not any(alive(pid) for pid in pids):
            break
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_whoever_stops_listening_leaves_nothing_locked(tmp_path: Path) -> None:
    pieces = [f"{tmp_path}|{n}|0".encode() for n in "abcd"]
    journal = tmp_path / "journal"
    runs = Local(1, journal=journal).map(f"{WORK}:mark", pieces)
    await anext(runs)
    await runs.aclose()
    async with asyncio.timeout(20):
        assert len(await gathered(Local(1, journal=journal), "mark", pieces)) == 4
    assert (tmp_path / "a").read_text() == "x"


async def test_what_is_no_function_is_told_before_anything_runs() -> None:
    for name in ("tests.lab.executor_work:none", "no.such.module:f", "tests.lab.executor_work"):
        with pytest.raises(ExecutorError, match=r"package\.module:name"):
            [_ async for _ in Local(1).map(name, NUMBERS)]


def test_places_are_named_on_the_command_line() -> None:
    assert executor("local", workers=1) is not None
    with pytest.raises(ExecutorError, match=r"'local', on 'ray'"):
        executor("mars")
    with pytest.raises(ExecutorError, match=r"1 or more"):
        Local(-1)


async def test_a_journal_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExecutorError, match="name another journal"):
        await gathered(Local(1, journal=tmp_path / "file" / "x"), "double", NUMBERS)


def test_a_result_is_found_by_function_edition_and_piece() -> None:
    assert len({key_of(f, e, p) for f in ("a", "b") for e in ("", "1") for p in (b"", b"x")}) == 8

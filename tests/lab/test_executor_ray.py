"""The same on Ray, local with two cores. One Ray for the whole file: starting one takes seconds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from demitasse.lab.evals.executor import ExecutorError, Local, PiecesFailed, executor
from tests.lab.test_executor import NUMBERS, ROOT, gathered

ray = pytest.importorskip("ray", reason="needs the extra ray")
from demitasse.lab.evals.executor_ray import Ray  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def started() -> Iterator[None]:
    paths = f"{ROOT}:{ROOT / 'src'}"
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
    )
    yield
    ray.shutdown()


@pytest.mark.usefixtures("started")
async def test_ray_gives_the_same_results_as_local_and_resumes_from_the_same_journal(tmp_path: Path) -> None:
    on_ray = await gathered(Ray(workers=2, journal=tmp_path / "j"), "double", NUMBERS)
    assert on_ray == await gathered(Local(1), "double", NUMBERS)
    pieces = [f"{tmp_path}|{n}|0".encode() for n in "abc"]
    assert await gathered(Ray(workers=2, journal=tmp_path / "j"), "mark", pieces) == {0: b"a", 1: b"b", 2: b"c"}
    assert await gathered(Local(1, journal=tmp_path / "j"), "mark", pieces) == {0: b"a", 1: b"b", 2: b"c"}
    assert [(tmp_path / n).read_text() for n in "abc"] == ["x"] * 3


@pytest.mark.long
@pytest.mark.usefixtures("started")
async def test_an_exception_on_ray_names_its_piece_and_loses_nothing_else() -> None:
    with pytest.raises(PiecesFailed, match="piece 1: ValueError: 3 is odd") as caught:
        await gathered(Ray(workers=2), "fail_on_odd", [b"2", b"3", b"4"])
    assert list(caught.value.failed) == [1]


@pytest.mark.long
@pytest.mark.usefixtures("started")
async def test_a_lost_worker_is_replaced_and_a_deadly_piece_given_up(tmp_path: Path) -> None:
    assert await gathered(Ray(workers=2), "die_once", [str(tmp_path / "once").encode()]) == {0: b"survived"}
    seen: dict[int, bytes] = {}
    with pytest.raises(PiecesFailed, match="piece 7: its worker died 3 times"):
        await gathered(Ray(workers=2), "die_on_seven", NUMBERS, into=seen)
    assert len(seen) == 11


@pytest.mark.long
async def test_without_a_running_ray_one_is_started_and_ended() -> None:
    ray.shutdown()
    assert len(await gathered(executor("ray", workers=2), "double", NUMBERS)) == 12
    assert not ray.is_initialized()


async def test_an_address_where_nobody_listens_is_told_at_once() -> None:
    ray.shutdown()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(ExecutorError, match="nobody answers at"):
            await gathered(executor(address), "double", NUMBERS)

from __future__ import annotations

import os
import sys

import pytest

from demitasse.providers import machine


@pytest.mark.parametrize(
    ("cores", "physical", "load", "threads"),
    [
        (2, 2, 0.0, 2),
        (2, 2, 0.2, 2),
        (2, 2, 0.6, 1),  # a thread that has to share its core holds up the other
        (2, 2, 9.0, 1),
        (16, 8, 0.0, 8),  # siblings of one core do not count twice
        (16, 8, 12.0, 4),
        (0.5, 8, 0.0, 1),
        (2.5, 8, 0.0, 2),
    ],
)
def test_threads_are_what_is_free_at_least_one_and_at_most_the_cores(cores, physical, load, threads):
    assert machine.free_threads(cores, physical, load) == threads


def test_a_control_groups_quota_limits_the_cores(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert machine._cgroup_cores(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine._cgroup_cores(tmp_path) is None
    (tmp_path / "cpu.max").unlink()
    assert machine._cgroup_cores(tmp_path) is None
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("200000")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert machine._cgroup_cores(tmp_path) == 2.0


def test_a_process_is_read_where_the_system_tells_and_is_unknown_where_it_does_not():
    if sys.platform == "linux":
        assert machine.cpu_seconds(os.getpid()) > 0
        assert machine.rss_bytes(os.getpid()) > 1_000_000
        assert machine.free_memory_bytes() > 0
        assert machine.busy_cpu_seconds() > machine.cpu_seconds(os.getpid())
    assert machine.cpu_seconds(2**22 + 1) is None
    assert machine.rss_bytes(2**22 + 1) is None
    assert machine.choose_threads() >= 1


def test_energy_counters_are_read_by_package_and_absent_ones_are_none(tmp_path):
    assert machine.rapl_uj(tmp_path) is None
    for name in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text("123\n")
        (tmp_path / name / "max_energy_range_uj").write_text("1000\n")
    assert machine.rapl_uj(tmp_path) == {"intel-rapl:0": (123, 1000), "intel-rapl:1": (123, 1000)}
    (tmp_path / "intel-rapl:1/energy_uj").unlink()
    assert machine.rapl_uj(tmp_path) is None

"""The load, the loop and the knee, on numbers whose truth is known; no engine."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from demitasse.lab.evals import load
from demitasse.lab.evals.sweep import Answered, Setting, Trial, closed_loop, grid, load_hash, mixed, of_task, rounds
from demitasse.lab.evals.sweep_knee import analyse
from demitasse.lab.tasks.task import Sample, Task


def busy(wall_s: float = 10.0, *, contended: bool = False, others: float = 0.0) -> load.Busy:
    return load.Busy(wall_s, 2.0, wall_s, others, 0.0, 0.1, 0.1, contended)


def trial(slots: int, repeat: int, ms: float, *, per_s: float, cpu: float = 5.0, attempt: int = 0, **more) -> Trial:
    """Ten seconds in which calls of 100 tokens were answered, each within about ``ms``."""
    calls = tuple(Answered(ms * (1 + k / 100), ms / 4, 50, 100) for k in range(round(per_s * 10)))
    return Trial(
        Setting(slots, 1),
        repeat,
        attempt,
        calls,
        cpu,
        1 << 20,
        more.pop("busy", busy()),
        (1_000_000, 4_000_000),
        "modelled",
    )


def saturating(repeats: int = 3) -> list[Trial]:
    """Throughput that doubles to 4 slots and then stands still, while waiting goes on doubling."""
    truth = {1: (1000.0, 1.0), 2: (1100.0, 1.9), 4: (1300.0, 3.4), 8: (2600.0, 3.5)}
    return [
        trial(slots, repeat, ms * (1 + 0.02 * repeat), per_s=per_s)
        for repeat in range(repeats)
        for slots, (ms, per_s) in truth.items()
    ]


def test_the_knee_is_where_throughput_stops_growing_and_waiting_does_not():
    found = analyse(saturating())
    assert found.best["knee"] == Setting(4, 1)
    assert found.best["throughput"] == Setting(8, 1)
    assert found.best["latency"] == Setting(1, 1)
    knee = next(k for k in found.knees if k.against == "latency")
    assert Setting(4, 1) in knee.range
    assert knee.share > 0.9


def test_figures_are_totals_over_repeats_and_lie_in_their_intervals():
    found = analyse(saturating())
    point = next(p for p in found.points if p.setting.slots == 4)
    assert point.calls_per_s.value == pytest.approx(3.4)
    assert point.out_per_s.value == pytest.approx(340.0)
    assert point.in_per_s.value == pytest.approx(170.0)
    for figure in (point.out_per_s, point.p50_ms, point.p95_ms, point.cpu_s_per_1k):
        assert figure.low <= figure.value <= figure.high
    assert point.p95_ms.low < point.p95_ms.high
    assert point.cpu_s_per_1k.value == pytest.approx(15.0 / (3 * 34 * 0.15))
    assert point.energy_j_per_call == pytest.approx((3 / 102, 12 / 102))


def test_a_knee_that_rests_on_noise_is_told_as_a_range():
    noisy = [
        trial(slots, repeat, 1000.0 * slots**0.9, per_s=(2.0 if (slots + repeat) % 2 else 3.0) + slots / 10)
        for repeat in range(4)
        for slots in (1, 2, 3, 4)
    ]
    knee = analyse(noisy).knees[0]
    assert len(knee.range) > 1 or knee.none_share > 0.05


def test_of_several_attempts_the_least_disturbed_counts():
    crowded = trial(1, 0, 5000.0, per_s=0.5, busy=busy(contended=True, others=1.5))
    quiet = trial(1, 0, 1000.0, per_s=1.0, attempt=1)
    (point,) = analyse([crowded, quiet]).points
    assert (point.contended, point.repeats) == (0, 1)
    assert point.calls_per_s.value == pytest.approx(1.0)
    (alone,) = analyse([crowded]).points
    assert alone.contended == 1


def test_a_setting_that_could_not_start_is_named_with_its_reason_and_the_others_stand():
    lost = Trial(Setting(9, 1), 0, 0, (), None, None, busy(), failed="out of memory")
    found = analyse([*saturating(), lost])
    assert found.lost == ((Setting(9, 1), "out of memory"),)
    assert len(found.points) == 4
    assert analyse([lost]).points == ()


def test_every_round_has_every_setting_once_in_an_order_of_its_own():
    settings = grid((1, 2, 4), (1, 2), (None, 256))
    assert len(settings) == 12
    order = list(rounds(settings, 4, seed=3))
    each = [[s for r, s in order if r == repeat] for repeat in range(4)]
    assert all(sorted(one, key=str) == sorted(settings, key=str) for one in each)
    assert len({tuple(map(str, one)) for one in each}) > 1
    assert order == list(rounds(settings, 4, seed=3))


async def test_the_loop_keeps_as_many_calls_under_way_as_there_are_callers():
    under_way, most, asked = 0, 0, []

    async def ask(prompt):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        asked.append(prompt)
        await asyncio.sleep(0)
        under_way -= 1
        return Answered(1.0, 1.0, 1, 1)

    prompts = mixed(10, seed=1)
    done = await closed_loop(ask, prompts, callers=3)
    assert (len(done), most) == (10, 3)
    assert asked == prompts
    now = iter(range(100))
    timed = await closed_loop(ask, prompts[:2], callers=1, seconds=5, clock=lambda: next(now))
    assert len(timed) == 4  # the clock told 1 to 4; at 5 no further call is begun


def test_the_load_is_the_same_for_a_seed_and_no_two_prompts_begin_alike():
    prompts = mixed(40, seed=7)
    assert load_hash(prompts) == load_hash(mixed(40, seed=7)) != load_hash(mixed(40, seed=8))
    assert len({prompt.messages[0]["content"][:6] for prompt in prompts}) == 40
    sizes = {len(prompt.messages[0]["content"].split()) // 50 for prompt in prompts}
    assert len(sizes) >= 3


def test_a_tasks_samples_are_a_load_too_round_and_round():
    task = Task("t", (Sample("a", "one?"), Sample("b", "two?")), system="Be short.", max_tokens=9)
    prompts = of_task(task, 5, seed=1)
    assert len(prompts) == 5
    assert {prompt.max_tokens for prompt in prompts} == {9}
    assert len({prompt.messages[0]["content"] for prompt in prompts}) == 5
    assert prompts[0].messages[0]["role"] == "system"


def test_a_trial_survives_its_journal():
    one = trial(2, 1, 900.0, per_s=1.0)
    assert msgspec.json.decode(msgspec.json.encode(one), type=Trial) == one


def proc(path, *, user: int, idle: int, steal: int = 0):
    path.mkdir(exist_ok=True)
    (path / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 2 3\n")
    (path / "loadavg").write_text("1.25 1.0 0.9 1/100 1234\n")
    return load.read(path)


def later(reading: load.Reading, by_s: float, at: load.Reading) -> load.Reading:
    return msgspec.structs.replace(reading, at_s=at.at_s + by_s)


def test_others_are_what_the_machine_did_less_what_one_did_oneself(tmp_path):
    before = proc(tmp_path, user=0, idle=0)
    after = later(proc(tmp_path, user=1500, idle=500), 10.0, before)
    quiet = load.between(before, after, own_cpu_s=14.0, cores=2)
    assert quiet.others_cores == pytest.approx(0.1)
    assert not quiet.contended
    crowded = load.between(before, after, own_cpu_s=5.0, cores=2)
    assert crowded.others_cores == pytest.approx(1.0)
    assert crowded.contended
    assert "1.0 of 2 cores" in crowded.why
    assert crowded.load_before == 1.25


def test_time_that_the_hypervisor_took_is_contention(tmp_path):
    before = proc(tmp_path, user=0, idle=0)
    after = later(proc(tmp_path, user=1000, idle=900, steal=100), 10.0, before)
    found = load.between(before, after, own_cpu_s=10.0, cores=2)
    assert found.steal_share == pytest.approx(0.05)
    assert found.contended
    assert "hypervisor" in found.why


def test_where_the_system_does_not_tell_it_is_said(tmp_path):
    found = load.between(load.read(tmp_path / "none"), load.read(tmp_path / "none"), own_cpu_s=1.0, cores=2)
    assert (found.others_cores, found.steal_share, found.contended) == (None, None, False)
    assert "does not tell" in found.why


def test_a_knee_that_moves_from_draw_to_draw_is_not_chosen():
    # Three settings between the ends; in each repeat another of them is the one that stands out.
    ends = ((1, 1000.0, 10.0), (5, 16000.0, 30.0))
    middle = ((2, 2000.0, 15.0), (3, 4000.0, 20.0), (4, 8000.0, 25.0))
    wavering = [
        trial(slots, repeat, ms, per_s=per_s + (4.0 if slots - 2 == repeat else -2.0 if slots in (2, 3, 4) else 0.0))
        for repeat in range(3)
        for slots, ms, per_s in ends + middle
    ]
    found = analyse(wavering)
    assert found.knees[0].share < 0.5
    assert found.best["knee"] is None

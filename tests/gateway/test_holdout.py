"""What the control group proves, and that it proves no more than is so."""

from __future__ import annotations

import random

import msgspec

from demitasse.gateway.holdout import Effect, Mean, held_out


def test_about_a_twentieth_of_sessions_is_held_out_and_always_the_same_ones() -> None:
    found = [held_out(f"session {n}".encode()) for n in range(10_000)]
    assert 420 < sum(found) < 580
    assert found == [held_out(f"session {n}".encode()) for n in range(10_000)]


def test_bounds_looked_at_after_every_observation_are_seldom_broken() -> None:
    broken = 0
    for seed in range(200):
        draw, mean, out = random.Random(seed), Mean(), False
        for _ in range(500):
            mean.see(float(draw.random() < 0.7))
            out |= not mean.low <= 0.7 <= mean.high
        broken += out
    assert broken <= 10, "5 % would be ten of two hundred"


def trial(with_key: float, without: float, sessions: int, seed: int = 7) -> Effect:
    draw, effect = random.Random(seed), Effect.none()
    for _ in range(sessions):
        held = draw.random() < 0.05
        effect.see(float(draw.random() < (without if held else with_key)), held_out=held)
    return effect


def test_nothing_is_claimed_before_there_is_evidence() -> None:
    assert Effect.none().caused == 0
    assert trial(0.9, 0.3, 60).caused == 0


def test_a_key_that_does_nothing_claims_nothing() -> None:
    assert all(trial(0.6, 0.6, 2000, seed).caused == 0 for seed in range(20))


def test_a_key_that_works_is_claimed_from_below() -> None:
    few, many = trial(0.9, 0.3, 2000).caused, trial(0.9, 0.3, 20_000).caused
    assert 0.1 < few < many < 1 - 0.3 / 0.9


def test_what_was_learned_survives_a_restart() -> None:
    effect = trial(0.9, 0.3, 2000)
    assert msgspec.convert(msgspec.to_builtins(effect), Effect).caused == effect.caused

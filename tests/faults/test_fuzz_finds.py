"""Inputs that fuzzing once found fault with, and its seeds: each reader raises nothing but what it promises."""

from __future__ import annotations

import pytest

from fuzz.__main__ import FINDS
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS

FOUND = [(name, file) for name in TARGETS for file in sorted((FINDS / name).glob("*")) if file.is_file()]


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_seeds(name: str) -> None:
    assert SEEDS[name]
    for data in SEEDS[name]:
        TARGETS[name](data)


@pytest.mark.parametrize(("name", "file"), FOUND, ids=[f"{name}/{file.name[:20]}" for name, file in FOUND])
def test_what_was_found_is_mended(name: str, file) -> None:
    TARGETS[name](file.read_bytes())

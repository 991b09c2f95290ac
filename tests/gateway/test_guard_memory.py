"""What the guard remembers of texts: what was found, by a digest, in bounds; never a text, and never for another way of looking."""

from __future__ import annotations

import random
import threading
from typing import get_args

from demitasse.gateway import guard_memory
from demitasse.gateway.guard_memory import MOST, MOST_BEGUN, MOST_FOUND, MOST_IN_ALL, Memory
from demitasse.guard.finding import Entity, Findings, Source

TEXT = "Write to ann@example.com, she has the key to the coffee kitchen."


def full(count: int) -> Findings:
    return Findings(entities=tuple(Entity("EMAIL", at, at + 1, 1.0) for at in range(count)))


def test_what_was_found_is_found_again_by_the_same_text() -> None:
    memory = Memory(b"k")
    digest = memory.digest(TEXT, "user", 0.01, names=False, tenant="a")
    assert memory.find(digest) is None
    memory.keep(digest, full(1))
    assert memory.find(memory.digest(TEXT, "user", 0.01, names=False, tenant="a")) == full(1)


def test_another_author_another_budget_and_names_are_other_texts() -> None:
    memory = Memory(b"k")
    told = {
        memory.digest(TEXT, source, budget, names=names, tenant="a")
        for source in get_args(Source)
        for budget in (0.01, 0.010001, 0.02)
        for names in (False, True)
    }
    assert len(told) == 5 * 3 * 2
    assert memory.digest(TEXT + " ", "user", 0.01, names=False, tenant="a") not in told
    assert memory.digest("\ud800", "user", 0.01, names=False, tenant="a") not in told


def test_another_tenants_text_is_another_text() -> None:
    memory = Memory(b"k")
    memory.keep(memory.digest(TEXT, "user", 0.01, names=False, tenant="a"), full(1))
    assert memory.find(memory.digest(TEXT, "user", 0.01, names=False, tenant="team:a")) is None
    for i in range(2 * MOST_BEGUN):
        memory.digest(TEXT, "user", 0.01, names=False, tenant=str(i))
    assert len(memory._begun) <= MOST_BEGUN
    assert memory.find(memory.digest(TEXT, "user", 0.01, names=False, tenant="a")) == full(1)


def test_nothing_of_a_text_is_kept_and_another_process_has_other_digests() -> None:
    memory = Memory(b"k")
    digest = memory.digest(TEXT, "user", 0.01, names=False, tenant="a")
    memory.keep(digest, full(1))
    assert len(digest) == 16
    assert "ann" not in repr(vars(memory))
    assert Memory(b"other").digest(TEXT, "user", 0.01, names=False, tenant="a") != digest


def test_texts_full_of_findings_are_not_kept_and_all_findings_together_are_bounded() -> None:
    memory = Memory(b"k")
    memory.keep(b"full", full(MOST_FOUND + 1))
    assert memory.find(b"full") is None
    for n in range(2 * MOST_IN_ALL // MOST_FOUND):
        memory.keep(str(n).encode(), full(MOST_FOUND))
    assert len(memory) == MOST_IN_ALL // MOST_FOUND


def test_what_is_used_stays_and_the_oldest_goes() -> None:
    memory = Memory(b"k")
    memory.keep(b"system prompt", full(0))
    for n in range(2 * MOST):
        memory.keep(str(n).encode(), full(0))
        assert memory.find(b"system prompt") is not None
    assert len(memory) == MOST
    assert memory.find(b"0") is None
    assert memory.find(str(2 * MOST - 1).encode()) is not None


def test_many_threads_at_once_lose_no_count(monkeypatch) -> None:
    monkeypatch.setattr(guard_memory, "MOST", 50)
    memory = Memory(b"k")

    def use(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(3_000):
            digest = bytes([rng.randrange(100)])
            if memory.find(digest) is None:
                memory.keep(digest, full(digest[0] % 7))

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory) <= 50
    assert memory._found == sum(len(findings.entities) for findings in memory._kept.values())

"""Why a hit of the semantic cache was one, on the command line."""

from __future__ import annotations

import json
from importlib import import_module

TOLD = {
    "id": "c9", "answer": "sem_c1", "from_call": "c1", "age_s": 4000.2, "nearest": "How do I\nblock my card?",
    "similarity": 0.9312, "questions": 7, "chance_wrong": 0.0041, "threshold": 0.0119,
    "gate": {"open": True, "max_error": 0.02, "checks": 210, "wrong_in_checks": 1},
}  # fmt: skip


def test_a_hit_is_explained_in_words(run, monkeypatch) -> None:
    asked = []

    class Gateway:
        def json(self, method: str, path: str):
            asked.append((method, path))
            return TOLD

    monkeypatch.setattr(import_module("demitasse.cli.cache"), "need", lambda *_: Gateway())
    assert run("cache", "why", "c9").stdout.splitlines() == [
        "taken for   How do I block my card?",
        "asked in    call c1, 4,000 s before; 7 questions share its answer",
        "likeness    0.931",
        "chance      0.41% that it is wrong; up to 1.19% is served",
        "promise     at most 2.0% of hits are wrong; 1 of 210 checks were wrong",
        "wrong? POST /demitasse/feedback with a score of 0, or: demitasse cache evict --id sem_c1",
    ]
    assert json.loads(run("cache", "why", "c9", "--json").stdout) == TOLD
    assert asked == [("GET", "/demitasse/semantic/c9")] * 2

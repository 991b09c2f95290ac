"""What prompts are about: learned from kept bodies, seen when it changes, and without a word of them kept."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import Raw

from demitasse.build import drift_topics
from demitasse.build.drift_topics import LEARNED, MOST_A_LOOK, Topics
from demitasse.core.errors import StoreError
from demitasse.providers.recorded import Recording
from tests.build.drift_ledger import Watched, entry

WORDS = {
    "bank": ["card", "cash", "loan", "iban", "fee", "atm"],
    "garden": ["rose", "soil", "seed", "bloom", "prune", "compost"],
}
PLACE = {word: at for at, word in enumerate(sorted(word for words in WORDS.values() for word in words))}


def embed(text: str) -> Any:
    vector = np.zeros(len(PLACE), np.float32)
    for word in text.split():
        vector[PLACE[word]] += 1
    return vector / np.sqrt(vector @ vector)


class Bodies:
    """What was asked in each call, by its id: ``bank-…`` or ``garden-…``."""

    def __call__(self, id: str) -> Recording | None:
        if id.startswith("gone"):
            raise StoreError("its key is erased")
        about = "garden" if "garden" in id else "bank"
        asked = {"messages": [{"role": "user", "content": " ".join(random.Random(id).sample(WORDS[about], 3))}]}
        raw = json.dumps(asked).encode()
        return Recording(id, "chat", Raw(raw), Raw(b"{}"), "gpt") if id != "none" else None


@pytest.fixture
def topics(tmp_path: Path) -> Topics:
    made = Topics(Bodies(), tmp_path)
    made._path.parent.mkdir(parents=True, exist_ok=True)
    made._path.touch()
    made._embed = embed  # type: ignore[assignment]
    return made


def one(id: str, **more: Any) -> Any:
    return entry(id, 1, body_ref=id, **more)


def learned(topics: Topics) -> None:
    for n in range(LEARNED):
        assert topics(one(f"bank-{n}")) is None
    topics.begin(topics.kept())


def test_a_prompt_is_near_what_prompts_were_about_or_far(topics: Topics) -> None:
    learned(topics)
    near, far = topics(one("bank-new")), topics(one("garden-new"))
    assert near is not None and far is not None
    assert near > 0.7 and far == pytest.approx(0.5)


def test_the_middle_stays_as_it_was_learned(topics: Topics) -> None:
    learned(topics)
    before = topics.kept()
    for n in range(100):
        topics(one(f"garden-{n}"))
    assert topics.kept() == before
    assert b"bank" not in before and b"card" not in before


def test_what_is_not_kept_or_erased_is_nobodys_topic(topics: Topics) -> None:
    learned(topics)
    assert [topics(call) for call in (one("gone-1"), one("none"), entry("bank-x", 1))] == [None, None, None]


def test_a_look_reads_so_many_and_no_more(topics: Topics) -> None:
    learned(topics)
    found = [topics(one(f"bank-{n}")) for n in range(MOST_A_LOOK + 50)]
    assert sum(number is not None for number in found) == MOST_A_LOOK


def test_without_the_embedding_nothing_is_read(tmp_path: Path) -> None:
    def never(_id: str) -> None:
        raise AssertionError

    assert Topics(never, tmp_path)(one("bank-1")) is None


def test_other_topics_are_a_drift_of_inputs(topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_topics, "LEARNED", 50)
    site = Watched(tmp_path)
    site.drifting._recordings = Bodies()
    site.drifting._opened()._topics = topics
    rng = random.Random(3)

    def about(topic: str) -> Any:
        return lambda fields: fields.update(body_ref="x", **({} if topic == "bank" else {"key": "garden"}))

    import tests.build.drift_ledger as ledger

    made = ledger.entry
    monkeypatch.setattr(
        ledger,
        "entry",
        lambda id, at_us, **f: made(f"{'garden' if f.get('key') == 'garden' else 'bank'}-{id}", at_us, **f),
    )
    for day in range(26):
        site.book(ledger.usual_day(day, rng, change=about("bank")))
        site.look(ledger.MONDAY_US + (day + 1) * ledger.DAY_US)
    site.live(26, 4, rng, every_h=6, change=about("garden"))
    told = [alert for alert in site.told if alert.kind == "drift_inputs"]
    assert [alert.message.partition(":")[0] for alert in told] == ["route 'chat' is asked about other things"]
    assert "mostly key 'garden'" in told[0].message
    site.close()

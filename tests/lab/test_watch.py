"""A certificate under watch, label by label."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from demitasse.core.evidence import Label
from demitasse.core.policy import Certificate
from demitasse.lab.watch import Watched
from tests.lab.made_labels import NOON_US, made
from tests.lab.test_issue import era, look

LABELS = made(500)


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    found = look(era(), LABELS).certificate
    assert found is not None
    return found


def later(certificate: Certificate, n: int, *, shift: float = 0.0, **more: object) -> list[Label]:
    """Calls under the certificate whose small answers were all good, of prompts that lie ``shift`` further out."""
    found = []
    for label in made(n, seed=9, end_us=NOON_US + 10**12, certificate=certificate.id, prefix="later", served="small"):
        x = np.array(label.features)
        x[0] += shift
        good = tuple(replace(a, score=1.0) for a in label.others)
        found.append(replace(label, features=tuple(x.tolist()), others=good, **more))
    return found


def test_traffic_like_the_windows_changes_nothing(certificate: Certificate) -> None:
    watched = Watched(certificate, LABELS)
    assert {watched.saw(label) for label in later(certificate, 400)} == {None}
    assert watched.n == 400


def test_prompts_that_score_otherwise_suspend_although_every_answer_is_good(certificate: Certificate) -> None:
    watched = Watched(certificate, LABELS)
    for label in later(certificate, 400, shift=-2.0):
        fallen = watched.saw(label)
        if fallen is not None:
            break
    assert fallen is not None and fallen.state == "suspended"
    assert "come otherwise than those that it was proven on" in fallen.why
    assert watched.n < 200
    assert watched.saw(later(certificate, 1)[0]) is fallen, "once fallen, it stays so"


def test_too_small_a_window_says_nothing_of_drift(certificate: Certificate) -> None:
    watched = Watched(certificate, LABELS[:20])
    assert {watched.saw(label) for label in later(certificate, 300, shift=-3.0)} == {None}


def test_one_bad_conversation_is_one_bad_answer_where_conversations_are_long(certificate: Certificate) -> None:
    window = [replace(x, session=f"s{i // 10}") for i, x in enumerate(LABELS)]
    watched = Watched(certificate, window)
    bad = [
        replace(x, session="one", others=tuple(replace(a, score=0.0) for a in x.others)) for x in later(certificate, 10)
    ]
    assert {watched.saw(label) for label in bad} == {None}
    assert watched.watches[""].evidence < 5


def test_a_call_that_was_ten_times_as_likely_to_be_drawn_weighs_a_tenth(certificate: Certificate) -> None:
    usual, often = Watched(certificate, LABELS), Watched(certificate, LABELS)
    for label in later(certificate, 30):
        usual.saw(label)
        often.saw(replace(label, propensity=0.5))
    assert often.watches[""].whole == pytest.approx(usual.watches[""].whole / 10)

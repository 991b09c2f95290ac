"""Evidence that goes on from look to look, and the certificate that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from demitasse.core.evidence import Label
from demitasse.core.policy import ALWAYS_CHEAP, ALWAYS_REFERENCE, Setting, decode_certificate, encode_certificate
from demitasse.lab.cases import Cases, gather, parted
from demitasse.lab.issue import Finding, Labelling, find
from demitasse.lab.learning import learn
from demitasse.lab.standing import FIRST, GROWTH, LATER, Era, Learned, Standing, begin, go_on, last_change, share
from demitasse.score.scorer import Head, Scorer, dump
from demitasse.stats.betting import Martingale
from tests.lab.made_labels import HOUR_US, NOON_US, VERSION, made, placed

DAY_US = 24 * HOUR_US
MODELS = ("small", "large", None)


def cases(labels: Sequence[Label]) -> Cases:
    return gather(placed(list(labels)), "small", "large").cases


def era(**more: Any) -> Era:
    fields: dict[str, Any] = {"features": VERSION, "seed": 0, "since_us": 0, "began_us": NOON_US}
    return Era(*MODELS, **fields | more)


def look(
    kept: Era,
    labels: Sequence[Label],
    quality: float = 0.95,
    *,
    delta: float = 0.05,
    now_us: int = NOON_US,
    **more: Any,
) -> Finding:
    found = cases(labels)
    standings = go_on(kept, found, quality, delta, more.pop("learn", learn))
    labelling = more.pop("labelling", Labelling(0.0015, 300.0))
    return find(
        kept, standings, found, route="auto", quality=quality, delta=delta, now_us=now_us, days=30, code="test",
        labelling=labelling,
    )  # fmt: skip


def anew(known: Era | None, labels: Sequence[Label], **more: Any) -> Era:
    fields: dict[str, Any] = {"seed": None, "since_us": None, "ended": None, "now_us": NOON_US}
    return begin(known, cases(labels), **{"models": MODELS, "features": VERSION} | fields | more)


def wealth(standings: Sequence[Standing], number: int = 1) -> Martingale:
    path = next(s for s in standings if s.path.number == number)
    return Martingale.from_json(bytes(path.evidence.wealth[""]))


# ── what is promised ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_says_all_that_it_rests_on() -> None:
    labels = made(1000)
    kept = era()
    found = look(kept, labels)
    certificate = found.certificate
    assert certificate is not None and not found.just_switch
    assert (certificate.policy.route, certificate.policy.cheap, certificate.policy.reference) == (
        "auto",
        "small",
        "large",
    )
    assert certificate.quality == 0.95 == certificate.floor < certificate.estimate
    assert 0.3 < certificate.saving_low < certificate.saving < certificate.saving_high < 0.9
    train, certify = parted(cases(labels), 0)
    assert (certificate.n_train, certificate.n_certify) == (len(train), len(certify))
    assert certificate.since_us >= labels[0].at_us and certificate.until_us <= labels[-1].at_us
    assert certificate.expires_us == certificate.until_us + 30 * DAY_US, "it lives as long as its newest call is young"
    assert certificate.models == (("large", "large-1"), ("small", "small-1"))
    assert [b.name for b in certificate.baselines] == ["always-small", "best single", "random mix", "oracle"]
    assert decode_certificate(encode_certificate(certificate)) == certificate
    assert certificate.id.startswith("crt_")


def test_too_few_labels_teach_nothing_and_a_few_more_prove_nothing() -> None:
    none = look(era(), made(60))
    assert (none.certificate, none.standing, none.next_labels) == (None, None, ())
    few = look(era(), made(165), 0.97)
    assert few.certificate is None and few.standing is not None
    ahead = few.next_labels
    assert ahead and ahead[0].labels > 0 and ahead[0].saving > 0.1
    assert ahead[0].usd == pytest.approx(ahead[0].labels * 0.0015)
    assert ahead[0].days == pytest.approx(ahead[0].labels / 300)


def test_a_bad_small_model_gets_no_certificate() -> None:
    found = look(era(), [replace(x, others=tuple(replace(a, score=0.0) for a in x.others)) for x in made(1500)])
    assert found.certificate is None
    assert found.next_labels == ()


def test_a_small_model_that_is_as_good_is_just_switched_to() -> None:
    found = look(era(), [replace(x, others=tuple(replace(a, score=1.0) for a in x.others)) for x in made(1500)])
    certificate = found.certificate
    assert certificate is not None and found.just_switch
    assert certificate.policy.setting == ALWAYS_CHEAP
    assert bytes(certificate.policy.scorer) == b"null"


def test_trivial_policies_stand_beside_it() -> None:
    always, best, mix, oracle = look(era(), made(3000)).baselines
    assert 0.80 < always.quality < 0.86 and always.saving == pytest.approx(0.9)
    assert (best.quality, best.saving) == (1.0, 0.0)
    assert mix.quality == pytest.approx(0.95) and mix.saving == pytest.approx(0.05 / (1 - always.quality) * 0.9)
    assert oracle.quality == pytest.approx(0.95, abs=2e-3)
    assert mix.saving < oracle.saving < always.saving


def test_what_is_already_saved_is_not_sold_again() -> None:
    kept = era()
    found = look(kept, made(700))
    assert found.certificate is not None
    assert all(ahead.saving > found.certificate.saving for ahead in found.next_labels)


def test_unknown_money_is_not_made_up() -> None:
    ahead = look(era(), made(165), labelling=Labelling()).next_labels
    assert ahead and {(a.usd, a.days) for a in ahead} == {(None, None)}


def test_a_task_with_enough_calls_gets_a_floor_of_its_own_and_a_bad_one_the_reference() -> None:
    good = [replace(x, slice="titles") for x in made(1600, hurt=-1.5)]
    bad = [replace(x, slice="maths") for x in made(1600, seed=1, hurt=9)]
    rare = [replace(x, slice="poems") for x in made(20, seed=2)]
    mixed = [x for trio in zip(good, bad, strict=True) for x in trio] + rare
    found = look(era(), mixed)
    certificate = found.certificate
    assert certificate is not None
    by_name = {s.name: s for s in certificate.slices}
    assert by_name["titles"].certified and by_name["titles"].floor == 0.95
    assert by_name["poems"].floor is None, "goes with the rest"
    assert certificate.policy.of("titles") != ALWAYS_REFERENCE
    assert certificate.policy.of("maths") == ALWAYS_REFERENCE or by_name["maths"].quality >= 0.95
    assert certificate.policy.of("never seen") == certificate.policy.setting


def test_sessions_are_one_piece_of_evidence() -> None:
    alike = [replace(x, session=f"s{i // 20}") for i, x in enumerate(made(1000))]
    for i, x in enumerate(alike):
        alike[i] = replace(x, others=alike[i // 20 * 20].others, features=alike[i // 20 * 20].features)
    found = look(era(), alike)
    assert found.standing is not None and found.standing.evidence.pieces < 60
    assert found.certificate is None


# ── looking often ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_looking_every_day_counts_each_label_once() -> None:
    labels = made(1200)
    often, once = era(), era()
    for n in range(200, 1201, 200):
        daily = go_on(often, cases(labels[:n]), 0.95, 0.05, learn)
    again = go_on(often, cases(labels), 0.95, 0.05, learn)
    assert wealth(again).n == wealth(daily).n == len(parted(cases(labels), 0)[1])
    assert wealth(again).peak.tolist() == wealth(daily).peak.tolist()
    # … and comes to what one look would have come to, on the same path.
    first = go_on(once, cases(labels[:200]), 0.95, 0.05, learn)
    assert first[0].path.scorer == daily[0].path.scorer
    late = go_on(once, cases(labels), 0.95, 0.05, learn)
    assert np.allclose(wealth(late).peak, wealth(daily).peak, atol=0.05)


def test_evidence_survives_being_kept() -> None:
    labels, kept = made(900), era()
    go_on(kept, cases(labels[:500]), 0.95, 0.05, learn)
    back = Era.decode(kept.encode())
    assert back == kept
    here, there = (go_on(e, cases(labels), 0.95, 0.05, learn) for e in (kept, back))
    assert wealth(here).peak.tolist() == wealth(there).peak.tolist()
    assert [s.path.steps for s in here] == [s.path.steps for s in there]
    assert len(kept.encode()) < 150_000


def test_when_a_path_is_made_depends_on_the_number_of_training_calls_alone() -> None:
    labels = made(3000)
    train, _ = parted(cases(labels), 0)
    kept = era()
    sizes = []
    for n in range(200, 3001, 200):
        go_on(kept, cases(labels[:n]), 0.95, 0.05, learn)
        sizes.append([path.n_train for path in kept.paths])
    first, *rest = sizes[-1]
    assert first >= FIRST
    assert rest == [first * GROWTH ** (k + 1) for k in range(len(rest))] and rest
    again = learn(train.take(np.arange(rest[0])), 0.95, 0)
    assert again.scorer == kept.paths[1].scorer, "exactly so many calls, however many there were"


def test_all_paths_and_promises_together_have_delta() -> None:
    kept = era()
    for quality in (0.95, 0.9, 0.8, 0.99):
        go_on(kept, cases(made(3000)), quality, 0.05, learn)
    levels = [evidence.level for path in kept.paths for evidence in path.evidence]
    steps = min(len(path.settings) for path in kept.paths)
    later = [level * steps for path in kept.paths for level in [e.level for e in path.evidence[1:]]]
    first = [path.evidence[0].level for path in kept.paths]
    assert sum(first) + sum(later) <= 1
    assert first[0] == pytest.approx(0.5 * (1 - LATER))
    assert sum(share(k) for k in range(1, 200)) == pytest.approx(1.0)
    assert len(levels) == 4 * len(kept.paths)


def test_a_promise_that_is_asked_for_after_looking_costs_more() -> None:
    kept = era()
    first, second = (go_on(kept, cases(made(1000)), quality, 0.05, learn)[0] for quality in (0.95, 0.9))
    assert second.evidence.level < first.evidence.level / len(second.path.settings)
    assert go_on(kept, cases(made(1000)), 0.95, 0.05, learn)[0].evidence is first.evidence


def test_verdicts_that_come_after_a_call_was_counted_do_not_move_the_bets() -> None:
    labels, kept = made(600), era()
    before = wealth(go_on(kept, cases(labels), 0.95, 0.05, learn)).peak.tolist()
    votes = [
        replace(x, source="vote", others=tuple(replace(a, score=1.0) for a in x.others), method="vote") for x in labels
    ]
    assert wealth(go_on(kept, cases(labels + votes), 0.95, 0.05, learn)).peak.tolist() == before


def test_what_was_won_and_lost_again_is_not_said() -> None:
    kept = era()
    labels = made(600)
    assert go_on(kept, cases(labels), 0.95, 0.05, learn)[0].verdict.certified
    bad = [
        replace(x, id=f"bad-{i}", session=f"bad-{i}", others=tuple(replace(a, score=0.0) for a in x.others))
        for i, x in enumerate(labels)
    ]
    (first, *_) = go_on(kept, cases(labels + bad), 0.95, 0.05, learn)
    assert wealth([first]).peak.max() > 4, "the evidence stays"
    assert not first.verdict.certified or first.verdict.quality >= 0.95


# ── beginning anew ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_wishes_go_on() -> None:
    labels = made(400)
    kept = anew(None, labels)
    assert (kept.since_us, kept.seed, kept.why) == (0, 0, "")
    assert anew(kept, labels) is kept
    assert anew(kept, labels, seed=0, since_us=kept.since_us) is kept


def test_other_models_other_features_and_a_revocation_begin_anew() -> None:
    labels = made(400)
    kept = anew(None, labels)
    go_on(kept, cases(labels), 0.95, 0.05, learn)
    assert "other models" in anew(kept, labels, models=("small", "large", "mini")).why
    assert "looked at" in anew(kept, labels, features="features-9").why
    after = anew(kept, labels, ended=(NOON_US - DAY_US, "quality fell"))
    assert (after.since_us, after.why, after.paths) == (NOON_US - DAY_US, "quality fell", [])
    assert anew(after, labels, ended=(NOON_US - DAY_US, "quality fell")) is after, "once"


def test_a_model_that_answers_as_another_begins_anew_with_its_first_call() -> None:
    labels = made(400)
    for i in range(300, 400):
        labels[i] = replace(labels[i], others=tuple(replace(a, version="small-2") for a in labels[i].others))
    assert last_change(cases(labels)) == (labels[300].at_us, "'small' is 'small-2' now; it was 'small-1'")
    kept = anew(anew(None, labels[:300]), labels)
    assert kept.since_us == labels[300].at_us and "small-2" in kept.why
    assert anew(None, labels).since_us == labels[300].at_us, "also at the first look"


def test_what_a_person_changes_after_looking_counts_from_then_on() -> None:
    labels = made(400)
    kept = anew(None, labels)
    assert anew(kept, labels, since_us=NOON_US - DAY_US).since_us == NOON_US - DAY_US, "nobody has looked yet"
    go_on(kept, cases(labels), 0.95, 0.05, learn)
    window = anew(kept, labels, since_us=NOON_US - DAY_US, now_us=NOON_US + 5)
    assert (window.since_us, window.why) == (NOON_US + 5, "another window was asked for")
    assert anew(kept, labels, since_us=1) is kept, "an earlier window leaves nothing out"
    lot = anew(kept, labels, seed=4, now_us=NOON_US + 5)
    assert (lot.since_us, lot.seed) == (NOON_US + 5, 4)


def test_after_a_revocation_only_what_came_later_is_evidence_and_all_may_be_learned_from() -> None:
    old, new = made(800), made(300, seed=1, end_us=NOON_US + 5 * DAY_US, hours=119)
    kept = era(since_us=NOON_US, why="quality fell")
    found = go_on(kept, cases(old + new[:40]), 0.95, 0.05, learn)
    assert (found[0].path.n_train, found[0].path.n_new) == (800, 0)
    found = go_on(kept, cases(old + new), 0.95, 0.05, learn)
    assert [s.path.n_new > 0 for s in found] == [False, True]
    assert wealth(found).n == len(parted(cases(new), 0)[1])


def test_what_was_proven_once_is_not_promised_when_its_labels_say_that_it_is_over() -> None:
    kept, good = era(), made(1000)
    assert look(kept, good).certificate is not None
    bad = made(300, seed=3, end_us=NOON_US + DAY_US, hours=23)
    bad = [replace(x, others=tuple(replace(a, score=0.0) for a in x.others)) for x in bad]
    found = look(kept, good + bad, now_us=NOON_US + DAY_US)
    assert found.certificate is None and "has fallen below 0.95" in found.fell
    assert kept.ended is not None
    after = anew(kept, good + bad, now_us=NOON_US + DAY_US)
    assert after.since_us == NOON_US + DAY_US and after.why == found.fell


# ── in simulation ───────────────────────────────────────────────────────────────────────────────────────────────────


def careless(train: Cases, quality: float, seed: int) -> Learned:
    """A path of ten steps on the first feature, the same for everybody."""
    scorer = Scorer(VERSION, Head(0.0, (1.0, *(0.0,) * (train.features.shape[1] - 1))))
    cuts = np.linspace(0.9, 0.1, 9)
    return Learned(dump(scorer), (*(Setting(direct=float(cut)) for cut in cuts), Setting(direct=-inf)))


def drawn(n: int, seed: int, good: float) -> tuple[Cases, Any]:
    """Cases whose small model is right in a share of ``good`` whatever the prompt says: every step but the first few breaks
    a promise that is a little higher."""
    rng = np.random.default_rng(seed)
    base = cases(made(1))
    ids = tuple(f"c{seed}-{i}" for i in range(n))
    features = np.zeros((n, base.features.shape[1]))
    features[:, 0] = rng.normal(size=n) * 2
    right = (rng.random(n) < good).astype(float)
    filled = Cases(
        ids, np.arange(1, n + 1), np.arange(n) * 60_000_000, ids, ("",) * n, np.full(n, 0.05), features,
        np.zeros((n, base.marks.shape[1])), right, np.ones(n), np.full(n, 0.1), np.zeros(n), np.ones(n),
        np.ones(n, bool), np.zeros(n, bool), ("",) * n, (frozenset(),) * n,
    )  # fmt: skip
    share = np.array([(1 / (1 + np.exp(-features[:, 0])) >= cut).mean() for cut in (*np.linspace(0.9, 0.1, 9), -inf)])
    return filled, 1 - share * (1 - good)


def broken(seeds: range, *, looks: int, each: int, good: float = 0.9, qualities: tuple[float, ...] = (0.95,)) -> float:
    """The share of users who at some look hold a certificate whose policy is truly worse than it says, when they look
    after every ``each`` labels and ask for one quality after the other."""
    wrong = 0
    for seed in seeds:
        filled, truth = drawn(looks * each, seed, good)
        kept = era(seed=seed)
        for n in range(1, looks + 1):
            quality = qualities[(n - 1) * len(qualities) // looks]
            standings = go_on(kept, filled.take(np.arange(n * each)), quality, 0.05, careless)
            steps = [s.verdict.step for s in standings]
            if any(step >= 0 and truth[step] < quality - 1e-9 for step in steps):
                wrong += 1
                break
    return wrong / len(seeds)


def test_a_button_that_is_pressed_every_day_breaks_its_word_in_no_more_than_delta_of_cases() -> None:
    assert broken(range(40), looks=6, each=120) <= 0.05 + 2.5 * (0.05 * 0.95 / 40) ** 0.5


@pytest.mark.long
@pytest.mark.timeout(900)
def test_neither_daily_looks_nor_lowered_wishes_break_more_promises_than_delta() -> None:
    allowed = 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5
    assert broken(range(200), looks=20, each=75) <= allowed
    assert broken(range(1000, 1200), looks=20, each=75, qualities=(0.97, 0.95, 0.93, 0.92)) <= allowed

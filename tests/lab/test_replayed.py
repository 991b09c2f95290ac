"""Replay: what it calls exact is exact, and its intervals cover what really would have been."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from demitasse.core.call import Usage
from demitasse.core.entry import Attempt, Entry
from demitasse.core.evidence import OWN_KEY, Answered, Label
from demitasse.core.policy import ALWAYS_CHEAP, ALWAYS_REFERENCE, Policy, Setting
from demitasse.lab.replay import replay
from demitasse.score.draft import MARKS

SMALL, LARGE = 100, 1_000
AGREES = MARKS.index("agrees")


class ByFirstFeature:
    """A score that is the prompt's first feature, and a draft's first mark."""

    def prompt_score(self, features: Sequence[float], slice: str) -> float:
        return features[0]

    def draft_score(self, features: Sequence[float], marks: Sequence[float], slice: str) -> float:
        return marks[0]


def price(entry: Entry, model: str) -> int | None:
    return {"small": SMALL, "mini": 7, "large": LARGE}.get(model)


def call(n: int, *, model: str = "large", cost: int | None = None, task: str = "", session: str = "") -> Entry:
    paid = cost if cost is not None else {"small": SMALL, "large": LARGE}[model]
    attempt = Attempt(model, "p", model, "ok", n, 1.0, usage=Usage(text_out=1), cost_nanos=paid)
    return Entry(
        id=f"c{n}", at_us=n, key="k", kind="chat", asked_model="auto", outcome="answered", route="auto", model=model,
        usage=Usage(text_out=1), cost_nanos=paid, attempts=(attempt,), session=session or f"s{n}",
        tags=(("task", task),) if task else (),
    )  # fmt: skip


def drawn(n: int, score: float, *, small: int = SMALL, large: int = LARGE, p: float = 1.0, x: float = 0.5, mark: float = 0.0, source: str = "shadow") -> Label:  # fmt: skip
    return Label(
        id=f"c{n}", at_us=n, route="auto", source=source,  # type: ignore[arg-type]
        reference=Answered("large", score=1.0, cost_nanos=large), features=(x,), propensity=p,
        others=(Answered("small", score=score, cost_nanos=small, entry=f"e{n}", marks=(mark,) + (0.0,) * (len(MARKS) - 1)),),
    )  # fmt: skip


def policy(setting: Setting = ALWAYS_CHEAP, **more: object) -> Policy:
    return Policy("auto", "small", "large", setting, **more)  # type: ignore[arg-type]


def test_what_was_done_anyway_is_exact_and_costs_what_it_cost() -> None:
    done = replay([call(i) for i in range(10)], [], policy(ALWAYS_REFERENCE), scorer=None, price=price)
    assert (done.total.exact, done.total.estimated, done.total.modelled) == (10, 0, 0)
    assert done.total.would_nanos.value == done.total.paid_nanos == 10 * LARGE
    assert done.total.would_nanos.grade == "A" and done.total.quality is not None and done.total.quality.value == 1.0


def test_with_every_call_drawn_the_other_model_is_known_exactly() -> None:
    labels = [drawn(i, score=0.0 if i < 3 else 1.0, small=90 + i) for i in range(10)]
    done = replay([call(i) for i in range(10)], labels, policy(), scorer=None, price=price)
    assert done.total.exact == 10
    assert done.total.would_nanos.value == sum(90 + i for i in range(10))
    assert done.total.quality is not None and done.total.quality.value == pytest.approx(0.7)
    assert [w.id for w in done.worst] == ["c0", "c1", "c2"] and all(w.known for w in done.worst)


def test_without_a_draw_the_price_is_modelled_and_quality_unknown() -> None:
    done = replay([call(i) for i in range(10)], [], policy(), scorer=None, price=price)
    assert done.total.modelled == 10 and done.total.would_nanos.grade == "C"
    assert done.total.would_nanos.value == 10 * SMALL
    assert done.total.quality is None


def test_a_handful_of_sessions_stands_for_nobody_else() -> None:
    labels = [drawn(i, score=1.0) for i in range(4)]
    done = replay([call(i) for i in range(50)], labels, policy(), scorer=None, price=price)
    assert (done.total.exact, done.total.modelled) == (4, 46) and done.total.quality is None


def test_calls_of_other_routes_own_calls_cache_hits_and_failures_are_passed_over() -> None:
    import msgspec

    entry = call(1)
    others = [
        msgspec.structs.replace(entry, id="a", route="other"),
        msgspec.structs.replace(entry, id="b", key=OWN_KEY),
        msgspec.structs.replace(entry, id="c", cache="exact"),
        msgspec.structs.replace(entry, id="d", outcome="failed"),
    ]
    assert replay([entry, *others], [], policy(ALWAYS_REFERENCE), scorer=None, price=price).total.calls == 1


def test_a_vote_of_people_weighs_more_than_a_judge_whichever_came_last() -> None:
    labels = [drawn(1, 1.0, source="vote"), drawn(1, 0.0)]
    for order in (labels, labels[::-1]):
        done = replay([call(1)], order, policy(), scorer=None, price=price)
        assert done.total.quality is not None and done.total.quality.value == 1.0


def test_a_router_serves_each_prompt_by_its_score() -> None:
    labels = [drawn(i, score=1.0 if i % 2 else 0.0, x=i % 2) for i in range(10)]
    done = replay(
        [call(i) for i in range(10)], labels, policy(Setting(direct=0.5)), scorer=ByFirstFeature(), price=price
    )
    assert done.total.cheap_share == 0.5
    assert done.total.would_nanos.value == 5 * SMALL + 5 * LARGE
    assert done.total.quality is not None and done.total.quality.value == 1.0


def test_a_refused_draft_is_paid_beside_the_reference() -> None:
    labels = [drawn(i, score=1.0 if i % 2 else 0.0, mark=i % 2) for i in range(10)]
    setting = Setting(draft=0.0, accept=0.5)
    done = replay([call(i) for i in range(10)], labels, policy(setting), scorer=ByFirstFeature(), price=price)
    assert done.total.would_nanos.value == 10 * SMALL + 5 * LARGE
    assert done.total.quality is not None and done.total.quality.value == 1.0


def test_a_slice_that_failed_goes_to_the_reference() -> None:
    entries = [call(i, task="law" if i < 5 else "chat") for i in range(10)]
    labels = [drawn(i, score=0.0 if i < 5 else 1.0) for i in range(10)]
    done = replay(entries, labels, policy(slices=(("law", ALWAYS_REFERENCE),)), scorer=None, price=price)
    assert {p.name: p.cheap_share for p in done.slices} == {"chat": 1.0, "law": 0.0}
    assert done.total.quality is not None and done.total.quality.value == 1.0


def test_a_model_without_a_price_is_left_out_of_both_sums_and_counted() -> None:
    done = replay([call(i) for i in range(3)], [], policy(), scorer=None, price=lambda _e, _m: None)
    assert done.total.unpriced == 3 and done.total.paid_nanos == 0 and done.total.would_nanos.value == 0


def test_nothing_at_all_is_nothing() -> None:
    done = replay([], [], policy(), scorer=None, price=price)
    assert done.total.calls == 0 and done.total.quality is None and done.worst == ()


@pytest.mark.parametrize("rate", [0.15, 0.3])
def test_intervals_cover_the_truth_in_at_least_nine_of_ten_draws(rate: float) -> None:
    """Sessions of several calls with costs and errors in common, drawn whole; 95 % is claimed, 200 draws are looked at."""
    chance = random.Random(5)
    truth: list[tuple[Entry, float, int]] = []
    for session in range(150):
        hard = chance.random() < 0.2
        for _ in range(chance.randint(1, 4)):
            n = len(truth)
            score = 0.0 if chance.random() < (0.5 if hard else 0.03) else 1.0
            truth.append((call(n, session=f"s{session}"), score, chance.randint(50, 400) * (2 if hard else 1)))
    cost = sum(c for _, _, c in truth)
    quality = sum(s for _, s, _ in truth) / len(truth)
    covered = {"cost": 0, "quality": 0}
    for _ in range(200):
        picked = {f"s{s}" for s in range(150) if chance.random() < rate}
        labels = [drawn(i, s, small=c, p=rate) for i, (e, s, c) in enumerate(truth) if e.session in picked]
        done = replay([e for e, _, _ in truth], labels, policy(), scorer=None, price=price).total
        if done.quality is None:  # too few were drawn; nothing is claimed
            covered = {name: n + 1 for name, n in covered.items()}
            continue
        covered["cost"] += done.would_nanos.low <= cost <= done.would_nanos.high
        covered["quality"] += done.quality.low <= quality <= done.quality.high
    assert min(covered.values()) >= 180, covered


def test_calls_whose_prompt_was_never_seen_are_estimated_from_all_that_were_drawn() -> None:
    """A router's action is unknown without features: those calls are taken to be like the drawn ones, not like cheap ones."""
    chance = random.Random(1)
    entries = [call(i) for i in range(2_000)]
    xs = [chance.random() for _ in entries]
    labels = [drawn(i, score=1.0, p=0.2, x=xs[i]) for i in range(2_000) if chance.random() < 0.2]
    done = replay(entries, labels, policy(Setting(direct=0.7)), scorer=ByFirstFeature(), price=price).total
    truth = sum(SMALL if x >= 0.7 else LARGE for x in xs)
    assert done.would_nanos.low <= truth <= done.would_nanos.high
    assert done.would_nanos.high - done.would_nanos.low < 0.1 * truth


class Agreeing(ByFirstFeature):
    """A draft's first mark, and half more where a second answer agrees with it."""

    def draft_score(self, features: Sequence[float], marks: Sequence[float], slice: str) -> float:
        return marks[0] + 0.5 * marks[AGREES]


def beside(n: int, score: float, *, mark: float, second: int | None) -> Label:
    """Drawn, with a second cheap answer that agrees with the draft."""
    label = drawn(n, score)
    small = label.others[0]
    marks = list(small.marks)
    marks[0], marks[AGREES] = mark, 1.0
    others = (replace(small, marks=tuple(marks)), Answered("mini", score=1.0, cost_nanos=second))
    return replace(label, others=others)


def test_a_second_opinion_counts_and_costs_only_where_the_policy_would_have_asked_for_it() -> None:
    labels = [beside(i, 1.0, mark=0.4, second=7) for i in range(10)]
    calls = [call(i) for i in range(10)]
    setting = Setting(draft=0.0, second=0.6, accept=0.8)

    def cost(of: Policy, labels: list[Label] = labels) -> tuple[float, float | None]:
        done = replay(calls, labels, of, scorer=Agreeing(), price=price)
        return done.total.would_nanos.value / 10, done.total.cheap_share

    assert cost(policy(setting)) == (SMALL + LARGE, 0.0), "nobody is asked for a second opinion"
    assert cost(policy(setting, second="mini")) == (SMALL + 7, 1.0)
    assert cost(policy(replace(setting, second=0.3), second="mini")) == (SMALL + LARGE, 0.0), "it could change nothing"
    sure = [beside(i, 1.0, mark=0.9, second=7) for i in range(10)]
    assert cost(policy(setting, second="mini"), sure) == (SMALL, 1.0)


def test_a_second_opinion_that_was_never_heard_is_not_called_exact() -> None:
    labels = [drawn(i, 1.0, mark=0.4) for i in range(10)]
    of = policy(Setting(draft=0.0, second=0.6, accept=0.8), second="mini")
    done = replay([call(i) for i in range(10)], labels, of, scorer=Agreeing(), price=price)
    assert done.total.exact == 0 and done.total.would_nanos.grade != "A"

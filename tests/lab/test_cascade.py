"""The combined policy: from marks to scores, from scores to a nested path, and what every step serves and pays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.core.policy import Setting, choose
from demitasse.lab import cascade
from demitasse.lab.certify import certify
from demitasse.score import draft as drafts
from demitasse.score import features as prompts
from demitasse.score.asked import NOTHING
from demitasse.score.draft import MARKS
from demitasse.score.normal import Answer
from demitasse.score.scorer import EMPTY, Dear, alone, dump, load

AGREES, DIFFERS, SECOND, SOUND, LENGTH = (
    MARKS.index(n) for n in ("agrees", "differs", "second_known", "sound", "length")
)


@dataclass(frozen=True)
class Calls:
    """Made-up calls: half easy; on easy ones the small model is nearly always right and two small models agree."""

    features: np.ndarray
    marks: np.ndarray
    slice: list[str]
    cheap: np.ndarray
    reference: np.ndarray
    cheap_cost: np.ndarray
    second_cost: np.ndarray
    reference_cost: np.ndarray

    def take(self, at: np.ndarray) -> Calls:
        kept = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return Calls(**{k: [v[i] for i in at] if isinstance(v, list) else v[at] for k, v in kept.items()})


def calls(n: int = 400, seed: int = 0, *, trust: float = 0.95) -> Calls:
    rng = np.random.default_rng(seed)
    easy = rng.random(n) < 0.5
    features = 0.1 * rng.standard_normal((n, len(prompts.NAMES)))
    features[:, 0] = np.log1p(rng.integers(100, 3000, n)) + EMPTY
    agree = np.where(easy, rng.random(n) < trust, rng.random(n) < 0.3)
    marks = np.zeros((n, len(MARKS)))
    marks[:, SOUND], marks[:, SECOND], marks[:, AGREES], marks[:, DIFFERS] = 1, 1, agree, ~agree
    chars = rng.integers(50, 2000, n)
    marks[:, LENGTH] = np.log1p(chars) / 10
    reference = (rng.random(n) < np.where(easy, 0.97, 0.8)).astype(float)
    cheap = np.where(easy, rng.random(n) < 0.97, rng.random(n) < 0.45).astype(float)
    cost = np.expm1(features[:, 0] - EMPTY) + 4.0 * chars
    return Calls(
        features, marks, ["easy" if e else "hard" for e in easy], cheap, reference, cost * 0.06, cost * 0.03, cost
    )


ROWS = calls()


class TestScores:
    @pytest.mark.parametrize("trained", [False, True])
    def test_arrays_and_the_gateways_own_function_say_the_same(self, trained):
        scorer = cascade.untrained(cascade.dearness(ROWS))
        if trained:
            scorer = cascade.train(ROWS, scorer)
        unsound = ROWS.marks.copy()
        unsound[:5, SOUND] = 0
        rows = replace(ROWS, marks=unsound)
        scores = cascade.scored(scorer, rows)
        for i in range(0, len(rows.cheap), 7):
            f, m = tuple(rows.features[i]), tuple(rows.marks[i])
            assert scores.prompt[i] == pytest.approx(scorer.prompt_score(f, rows.slice[i]))
            assert scores.beside[i] == pytest.approx(scorer.draft_score(f, m, rows.slice[i]))
            assert scores.alone[i] == pytest.approx(scorer.draft_score(f, alone(m), rows.slice[i]))
        assert (scores.beside[:5] == 0).all()

    def test_without_training_agreement_speaks_for_a_draft_and_difference_against_it(self):
        scores = cascade.scored(cascade.untrained(), ROWS)
        agrees = ROWS.marks[:, AGREES] > 0
        assert scores.beside[agrees].min() > scores.alone.max() > scores.beside[~agrees].max()

    def test_of_two_equal_risks_the_dearer_call_is_safer_to_take(self):
        scores = cascade.scored(cascade.untrained(cascade.dearness(ROWS)), ROWS)
        differ = np.flatnonzero(ROWS.marks[:, DIFFERS] > 0)
        by_cost = differ[np.argsort(ROWS.reference_cost[differ])]
        assert np.corrcoef(np.arange(len(by_cost)), np.argsort(np.argsort(scores.beside[by_cost])))[0, 1] > 0.9

    def test_a_scorer_survives_the_store(self):
        scorer = cascade.train(ROWS, cascade.untrained(cascade.dearness(ROWS)))
        assert load(dump(scorer)) == scorer
        assert scorer.version == f"{prompts.VERSION} {drafts.VERSION}"


class TestDearness:
    def test_costs_are_learned_from_lengths(self):
        dear = cascade.dearness(ROWS)
        assert dear is not None
        told = np.array([dear(tuple(f), tuple(m)) for f, m in zip(ROWS.features, ROWS.marks, strict=True)])
        assert np.corrcoef(told, ROWS.reference_cost)[0, 1] > 0.99
        assert told.mean() == pytest.approx(1.0, abs=0.02)

    def test_a_price_list_says_the_same_as_the_costs(self):
        by_price = cascade.dearness_of(ROWS, usd_in=1.0, usd_out=4.0)
        learned = cascade.dearness(ROWS)
        assert learned is not None
        assert by_price.draft == pytest.approx(learned.draft, rel=0.05)

    def test_lengths_are_characters_of_the_real_features_and_marks(self):
        prompt, answer = "How many? " * 70, "So many. " * 31
        f, m = prompts.features(prompt), drafts.marks(NOTHING, Answer(answer, finish="stop"))
        assert Dear(0.0, 1.0, 0.0)(f, m) == pytest.approx(700)
        assert Dear(0.0, 0.0, 1.0)(f, m) == pytest.approx(279)

    def test_no_costs_no_dearness(self):
        assert cascade.dearness(replace(ROWS, reference_cost=np.zeros(len(ROWS.cheap)))) is None
        assert cascade.dearness(ROWS.take(np.arange(0))) is None

    @given(st.integers(0, 50))
    def test_no_part_is_ever_below_zero(self, seed):
        rng = np.random.default_rng(seed)
        dear = cascade.dearness(replace(ROWS, reference_cost=rng.random(len(ROWS.cheap))))
        assert dear is not None
        assert min(dear.base, dear.prompt, dear.draft) >= 0


class TestTraining:
    def test_no_rows_change_nothing(self):
        start = cascade.untrained()
        assert cascade.train(ROWS.take(np.arange(0)), start) == start

    def test_few_rows_change_little_and_many_find_what_is_so(self):
        # here agreement is worth nothing: whether two agree is a coin, and the slice decides
        rows = calls(4000, 3, trust=0.3)
        start = cascade.untrained()
        weight = len(prompts.NAMES) + AGREES
        few = cascade.train(rows.take(np.arange(12)), start).draft
        many = cascade.train(rows, start).draft
        assert few is not None
        assert many is not None
        assert start.draft is not None
        assert abs(few.weights[weight] - start.draft.weights[weight]) < 0.5
        assert many.slices["easy"] > many.slices["hard"] + 1
        scores = cascade.scored(cascade.train(rows, start), rows)
        easy = np.array(rows.slice) == "easy"
        assert scores.risk[~easy].mean() == pytest.approx(0.35, abs=0.05)
        assert scores.risk[easy].mean() < 0.05

    def test_a_draft_that_does_better_than_the_reference_is_no_risk(self):
        rows = replace(ROWS, cheap=np.ones(len(ROWS.cheap)), reference=np.zeros(len(ROWS.cheap)))
        risk = cascade.scored(cascade.train(rows, cascade.untrained()), rows).risk
        assert np.isfinite(risk).all()
        assert risk.max() < 0.05

    def test_where_only_the_comparison_is_known_the_reference_is_what_right_means(self):
        rows = replace(ROWS, reference=np.ones(len(ROWS.cheap)))
        assert cascade.train(rows, cascade.untrained()).large is None


class TestActing:
    scores = cascade.Scored(
        prompt=np.array([0.9, 0.5, 0.5, 0.5, 0.1]),
        alone=np.array([0.0, 0.99, 0.8, 0.8, 0.99]),
        beside=np.array([0.0, 0.10, 0.95, 0.3, 0.99]),
        seconded=np.ones(5, dtype=bool),
        risk=np.zeros(5),
    )
    setting = Setting(direct=0.8, draft=0.4, second=0.97, accept=0.9)

    def test_live_drafted_and_seconded_calls(self):
        done = cascade.act(self.setting, self.scores)
        assert done.cheap.tolist() == [True, True, True, False, False]
        assert done.drafted.tolist() == [False, True, True, True, False]
        assert done.seconded.tolist() == [False, False, True, True, False]

    def test_choices_are_those_of_the_gateway(self):
        done = cascade.act(self.setting, self.scores)
        for i, score in enumerate(self.scores.prompt):
            action = choose(self.setting, float(score))
            assert (action == "draft") == done.drafted[i]
            assert action != "cheap" or done.cheap[i]

    def test_every_probe_and_both_answers_of_an_escalation_are_paid(self):
        rows = replace(
            ROWS.take(np.arange(5)),
            cheap_cost=np.full(5, 1.0),
            second_cost=np.full(5, 2.0),
            reference_cost=np.full(5, 10.0),
        )
        assert cascade.costs([self.setting], self.scores, rows)[:, 0].tolist() == [1, 1, 3, 13, 10]

    def test_a_second_whose_cost_is_unknown_costs_nothing(self):
        rows = replace(ROWS, second_cost=np.full(len(ROWS.cheap), np.nan))
        assert np.isfinite(cascade.trial([self.setting], cascade.scored(cascade.untrained(), rows), rows).cost).all()


class TestPath:
    @given(st.integers(0, 30), st.booleans(), st.booleans())
    def test_a_path_is_nested_and_ends_with_the_small_model_alone(self, seed, trained, live):
        rows = calls(120, seed)
        scorer = cascade.untrained(cascade.dearness(rows))
        scorer = cascade.train(rows, scorer) if trained else scorer
        scores = cascade.scored(scorer, rows)
        path = cascade.settings(rows, scores, steps=16, live=live)
        before = np.zeros(120, dtype=bool)
        for setting in path:
            now = cascade.act(setting, scores).cheap
            assert (now | ~before).all()
            before = now
        assert before.all()

    def test_a_second_answer_is_not_asked_for_where_it_could_change_nothing(self):
        scores = cascade.scored(cascade.untrained(cascade.dearness(ROWS)), ROWS)
        asked = [cascade.act(s, scores).seconded.mean() for s in cascade.settings(ROWS, scores)]
        assert asked[0] == 1
        assert asked[-2] < 0.5
        assert asked[-1] == 0

    def test_prompts_whose_drafts_never_stand_are_not_drafted(self):
        rows = calls(2000, 5, trust=1.0)
        rows = replace(rows, cheap_cost=rows.reference_cost * 0.5)
        scores = cascade.scored(cascade.train(rows, cascade.untrained()), rows)
        setting = cascade.settings(rows, scores)[len(rows.cheap) // 100]
        done = cascade.act(setting, scores)
        hard = np.array(rows.slice) == "hard"
        assert setting.draft > -inf
        assert done.drafted[hard].mean() < done.drafted[~hard].mean()

    def test_without_a_score_above_zero_there_is_no_path(self):
        unsound = ROWS.marks.copy()
        unsound[:, SOUND] = 0
        rows = replace(ROWS, marks=unsound)
        scores = cascade.scored(cascade.untrained(), rows)
        assert cascade.settings(rows, scores) == ()
        assert cascade.begin((), rows, scores, quality=0.95) == ()


class TestBeginning:
    def test_it_begins_with_a_part_of_what_is_surely_within_reach(self):
        scores = cascade.scored(cascade.untrained(cascade.dearness(ROWS)), ROWS)
        path = cascade.settings(ROWS, scores)
        kept = cascade.begin(path, ROWS, scores, quality=0.95)
        assert 1 < len(kept) < len(path)
        assert kept == path[-len(kept) :]

    def test_outcomes_have_no_say(self):
        scores = cascade.scored(cascade.untrained(), ROWS)
        blind = replace(ROWS, cheap=np.full(len(ROWS.cheap), np.nan), reference=np.full(len(ROWS.cheap), np.nan))
        path = cascade.settings(blind, scores)
        assert path == cascade.settings(ROWS, scores)
        assert cascade.begin(path, blind, scores, quality=0.95) == cascade.begin(path, ROWS, scores, quality=0.95)

    def test_without_costs_every_step_is_kept(self):
        rows = replace(ROWS, reference_cost=np.zeros(len(ROWS.cheap)))
        scores = cascade.scored(cascade.untrained(), rows)
        path = cascade.settings(rows, scores)
        assert cascade.begin(path, rows, scores, quality=0.95) == path

    def test_steps_that_would_cost_more_than_the_reference_are_left_out(self):
        rows = replace(ROWS, cheap_cost=ROWS.reference_cost * 0.5, second_cost=ROWS.reference_cost * 0.3)
        scores = cascade.scored(cascade.untrained(), rows)
        kept = cascade.begin(cascade.settings(rows, scores), rows, scores, quality=0.95)
        assert (cascade.costs(kept, scores, rows).sum(axis=0) < rows.reference_cost.sum()).all()


def test_what_is_certified_saves_and_keeps_its_promise_on_other_calls():
    labels, rest = calls(600, 1), calls(5000, 2)
    scorer = cascade.untrained(cascade.dearness(labels))
    scores = cascade.scored(scorer, labels)
    path = cascade.begin(cascade.settings(labels, scores), labels, scores, quality=0.95)
    verdict = certify(cascade.trial(path, scores, labels), quality=0.95, spread=cascade.SPREAD)
    there = cascade.trial(path, cascade.scored(scorer, rest), rest)
    assert verdict.saving > 0.3
    assert there.served[:, verdict.step].mean() >= 0.95 * there.reference.mean()

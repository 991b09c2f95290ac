"""The drop per kind, the worst case and the pull of places, from rows."""

import random

import pytest

from demitasse.lab.evals.result import EvaluationError, Row
from demitasse.lab.evals.robustness import consistency, robustness
from demitasse.lab.scorers.scorer import Score
from demitasse.lab.tasks.perturb import perturbed, variants
from demitasse.lab.tasks.positions import original
from demitasse.lab.tasks.task import Sample, Task


def rows(values, *, said="", failure="", cluster=""):
    return [
        Row(str(i), Score(v, failure=failure if not v else "", said=said), cluster=cluster and f"{cluster}{i // 4}")
        for i, v in enumerate(values)
    ]


class TestDrop:
    def test_what_is_lost_is_told_with_its_interval_and_on_what_it_was_measured(self):
        found = robustness(rows([1] * 80 + [0] * 20), {"typos": rows([1] * 60 + [0] * 40)})
        (drop,) = found.drops
        assert (drop.kind, drop.n, drop.clean, drop.perturbed) == ("typos", 100, 0.8, 0.6)
        assert drop.drop == pytest.approx(0.2)
        assert 0.1 < drop.interval[0] < 0.2 < drop.interval[1] < 0.3
        assert (drop.lost, drop.right, drop.gained) == (20, 80, 0)
        assert drop.significant
        assert found.worst == "typos"

    def test_rises_of_wrong_answers_do_not_hide_the_falls_of_right_ones(self):
        found = robustness(rows([1] * 50 + [0] * 50), {"case": rows([0] * 50 + [1] * 50)})
        (drop,) = found.drops
        assert drop.drop == 0 and not drop.significant
        assert (drop.lost, drop.right, drop.gained) == (50, 50, 50)
        assert drop.lost_interval[0] > 0.9
        assert (found.held, found.right, found.worst_case) == (0, 50, 0.0)

    def test_a_model_that_is_nearly_always_wrong_still_shows_what_it_loses(self):
        found = robustness(rows([1] * 10 + [0] * 90), {"typos": rows([0] * 100)})
        (drop,) = found.drops
        assert drop.drop == pytest.approx(0.1)
        assert (drop.lost, drop.right) == (10, 10)

    def test_a_drop_is_told_on_the_samples_that_the_kind_changed(self):
        found = robustness(rows([1, 1, 1, 0]), {"rare": [Row("1", Score(0.0)), Row("3", Score(0.0))], "noise": []})
        (drop,) = found.drops
        assert (drop.n, drop.clean, drop.perturbed) == (2, 0.5, 0.0)

    def test_the_worst_case_is_over_kinds_sample_by_sample(self):
        found = robustness(
            rows([1, 1, 1, 1, 0]),
            {"typos": rows([0, 1, 1, 1, 0]), "case": rows([1, 0, 1, 1, 1]), "noise": rows([1] * 5)},
        )
        assert found.worst_case == pytest.approx(2 / 5)
        assert (found.held, found.right) == (2, 4)

    def test_what_is_not_known_widens_the_interval_and_is_counted(self):
        sure = robustness(rows([1] * 40), {"typos": rows([1] * 40)}).drops[0]
        open_ = robustness(rows([1] * 40), {"typos": rows([1] * 30 + [None] * 10)}).drops[0]
        assert open_.unscored == 10
        assert open_.interval[1] > sure.interval[1] + 0.2

    def test_answers_that_could_not_be_read_are_told_apart(self):
        found = robustness(rows([1] * 10), {"injected": rows([1] * 6 + [0] * 4, failure="refused")})
        assert (found.drops[0].unread, found.drops[0].unread_clean) == (4, 0)

    def test_of_many_kinds_that_lose_nothing_few_are_called_significant(self):
        """Without Holm one of seven would be by luck in about a sixth of all runs."""
        chance = random.Random(1)

        def fresh():
            return rows([float(chance.random() < 0.7) for _ in range(60)])

        wrong = sum(
            any(drop.significant for drop in robustness(fresh(), {kind: fresh() for kind in "abcdefg"}).drops)
            for _ in range(20)
        )
        assert wrong <= 2

    def test_without_any_clean_score_there_is_nothing_to_lose(self):
        with pytest.raises(EvaluationError, match="nothing that could be lost"):
            robustness(rows([None, None]), {"typos": rows([1, 1])})

    def test_samples_that_hang_together_make_the_interval_wider(self):
        values = ([1] * 4 + [0] * 4) * 10
        alone = robustness(rows([1] * 80), {"typos": rows(values)}).drops[0]
        together = robustness(rows([1] * 80, cluster="p"), {"typos": rows(values, cluster="p")}).drops[0]
        assert together.interval[1] - together.interval[0] > 1.3 * (alone.interval[1] - alone.interval[0])


class TestConsistency:
    TASK = Task("c", tuple(Sample(str(i), "?", ("B",), choices=("w", "x", "y", "z")) for i in range(12)), form="choice")

    def run(self, pick):
        """Clean rows and rows of every rotation, of a model that picks a letter from options."""
        samples = {s.id: s for s in self.TASK.samples}

        def asked(task):
            found = [(s, pick(s)) for s in task.samples]
            return [Row(s.id, Score(float(letter in s.target), said=letter)) for s, letter in found]

        turned = {kind: asked(perturbed(self.TASK, kind)) for kind in variants(self.TASK, ("position",))}
        return asked(self.TASK), turned, samples

    def test_a_model_that_knows_the_option_is_consistent_and_has_no_favourite_place(self):
        clean, turned, samples = self.run(lambda s: "ABCD"[s.choices.index("x")])
        found = consistency(clean, turned, samples)
        assert (found.n, found.same) == (12, 12)
        assert found.picked == dict.fromkeys("ABCD", 0.25)

    def test_a_model_that_always_says_a_is_inconsistent_though_its_mean_barely_moves(self):
        clean, turned, samples = self.run(lambda _s: "A")
        found = robustness(clean, turned, samples=samples)
        assert found.consistency.same == 0
        assert found.consistency.picked == {"A": 1.0}
        assert found.clean == 0.0

    def test_answers_that_cannot_be_read_are_no_agreement(self):
        clean = [Row("0", Score(0.0, failure="format"))]
        found = consistency(clean, {"position:1": [Row("0", Score(0.0, failure="format"))]}, {})
        assert (found.n, found.same) == (1, 0)

    def test_a_label_is_the_same_wherever_it_is_listed(self):
        clean = [Row("0", Score(1.0, said="up")), Row("1", Score(1.0, said="up"))]
        turned = {"position:1": [Row("0", Score(1.0, said="up")), Row("1", Score(0.0, said="down"))]}
        found = consistency(clean, turned, {"0": Sample("0", "?"), "1": Sample("1", "?")})
        assert (found.n, found.same, found.picked) == (2, 1, {})

    def test_a_model_that_says_the_first_label_is_found_out_by_the_place_it_picks(self):
        labels = ("up", "down", "flat")
        clean = [Row(str(i), Score(1.0, said="up")) for i in range(5)]
        turned = {  # orders: flat up down, down flat up
            "position:1": [Row(str(i), Score(0.0, said="flat")) for i in range(5)],
            "position:2": [Row(str(i), Score(0.0, said="down")) for i in range(5)],
        }
        found = consistency(clean, turned, {}, labels)
        assert (found.same, found.picked, found.answers) == (0, {"1": 1.0}, 15)

    def test_a_letter_is_led_back_to_its_option(self):
        sample = self.TASK.samples[0]
        assert [original(sample, letter, 1) for letter in "ABCD"] == ["D", "A", "B", "C"]
        assert original(sample, "up", 1) == "up"

"""The same user once more, through the lab's own code: labels come in, ``lab.standing.go_on`` learns paths and goes on betting.

Slower than ``daily`` and so of fewer runs; what it adds are the paths that are made anew as training calls come in, the
split of delta among them, sessions, and weights.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from demitasse.core.policy import ALWAYS_CHEAP, Setting
from demitasse.lab.cases import Cases
from demitasse.lab.standing import Era, Learned, Standing, go_on
from demitasse.score.draft import MARKS
from demitasse.score.features import NAMES
from demitasse.score.scorer import Head, Scorer, dump

DAY_US = 86_400_000_000
QUALITY, RISK, FLAT = 0.95, 0.2, 0.0501
SLOPE = 4.0
"""Of the scorer; any would do."""


def pressed(
    *, runs: int, days: int, per_day: int, delta: float, seed: int, session: int = 1, flat: bool = False
) -> dict[str, Any]:
    """In how many runs any path ever certified a step whose true quality lies below the floor of 95 %.

    Args:
        per_day: labels; a part of the sessions trains.
        session: calls in each; they share their score.
        flat: the small model fails as often at every score, and everywhere a little too often: always-small keeps
            94.99 %. Otherwise it fails with probability 0.2 · (1 - score), and a half of the calls may go to it.
    """
    broken = certified = 0
    days_to_first = []
    paths = []
    for run in range(runs):
        rng = np.random.default_rng((seed, run))
        cases = _cases(rng, days * per_day, per_day, session, flat)
        era = Era("small", "large", None, "v", run, 0, 0)
        first, wrong = None, False
        for day in range(1, days + 1):
            found = go_on(era, cases.take(np.arange(day * per_day)), QUALITY, delta, _learn)
            good = [_true_quality(standing, flat) for standing in found if standing.verdict.step >= 0]
            first = first or (day if good else None)
            wrong = wrong or any(q < QUALITY for q in good)
        broken += wrong
        certified += first is not None
        paths.append(len(era.paths))
        days_to_first += [first] if first else []
    return {
        "runs": runs,
        "broken": broken,
        "certified": certified,
        "median_day_of_the_first": float(np.median(days_to_first)) if days_to_first else None,
        "paths": float(np.mean(paths)),
    }


def _cases(rng: np.random.Generator, n: int, per_day: int, session: int, flat: bool) -> Cases:
    features = np.zeros((n, len(NAMES)))
    score = np.repeat(rng.random(-(-n // session)), session)[:n]
    features[:, 0] = score
    ids = tuple(str(i) for i in range(n))
    return Cases(
        ids=ids,
        seq=np.arange(1, n + 1),
        at_us=np.arange(n) * (DAY_US // per_day) + 1,
        session=tuple(f"s{i // session}" for i in range(n)),
        slice=("",) * n,
        propensity=np.full(n, 0.05),
        features=features,
        marks=np.zeros((n, len(MARKS))),
        cheap=(rng.random(n) >= (FLAT if flat else RISK * (1 - score))).astype(float),
        reference=np.ones(n),
        cheap_cost=np.full(n, 1.0),
        second_cost=np.full(n, np.nan),
        reference_cost=np.full(n, 20.0),
        judged=np.ones(n, dtype=bool),
        people=np.zeros(n, dtype=bool),
        prompt_hash=("",) * n,
        version=(frozenset(),) * n,
    )


def _learn(train: Cases, _quality: float, _seed: int) -> Learned:
    """A router's path: cuts at the scores of the training calls, whose true quality is known."""
    scorer = Scorer("v", small=Head(-SLOPE / 2, (SLOPE, *[0.0] * (len(NAMES) - 1))))
    scores = 1 / (1 + np.exp(SLOPE / 2 - SLOPE * train.features[:, 0]))
    cuts = np.unique(np.quantile(scores, np.linspace(0.95, 0.05, 19)))[::-1]
    return Learned(dump(scorer), (*(Setting(direct=float(cut)) for cut in cuts), ALWAYS_CHEAP))


def _true_quality(standing: Standing, flat: bool) -> float:
    """Of the step that was chosen, over all traffic: scores are uniform, and it serves from ``low`` on."""
    cut = standing.path.steps[standing.verdict.step].direct
    low = 0.0 if cut == -math.inf else min(1.0, max(0.0, math.log(cut / (1 - cut)) / SLOPE + 0.5))
    return 1 - (FLAT * (1 - low) if flat else RISK * (1 - low) ** 2 / 2)

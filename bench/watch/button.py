"""The same user once more, through the lab's own code: labels come in, ``lab.standing.go_on`` learns paths and goes on betting.

Slower than ``daily`` and so of fewer runs; what it adds are the paths that are learned anew as training calls come in, the
split of delta among them, sessions, and weights.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from demitasse.core.policy import Setting
from demitasse.lab.cases import Cases
from demitasse.lab.learning import fit, router
from demitasse.lab.standing import Era, Learned, Standing, go_on
from demitasse.score.draft import MARKS
from demitasse.score.features import NAMES
from demitasse.score.scorer import Scorer, dump, load

DAY_US = 86_400_000_000


def pressed(
    *,
    runs: int,
    days: int,
    per_day: int,
    delta: float,
    seed: int,
    quality: float = 0.95,
    risk: float = 0.2,
    session: int = 1,
) -> dict[str, Any]:
    """In how many runs any path ever certified a step whose true quality lies below the floor.

    Args:
        per_day: labels; a half of the sessions trains.
        session: calls in each; they share their score.
    """
    broken = certified = 0
    days_to_first = []
    paths = []
    for run in range(runs):
        rng = np.random.default_rng((seed, run))
        cases = _cases(rng, days * per_day, per_day, risk, session)
        era = Era("small", "large", None, "v", run, 0, 0)
        first, wrong = None, False
        for day in range(1, days + 1):
            found = go_on(era, cases.take(np.arange(day * per_day)), quality, delta, _learn)
            good = [_true_quality(standing, risk) for standing in found if standing.verdict.step >= 0]
            first = first or (day if good else None)
            wrong = wrong or any(q < quality for q in good)
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


def _cases(rng: np.random.Generator, n: int, per_day: int, risk: float, session: int) -> Cases:
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
        cheap=(rng.random(n) >= risk * (1 - score)).astype(float),
        reference=np.ones(n),
        cheap_cost=np.full(n, 1.0),
        second_cost=np.full(n, np.nan),
        reference_cost=np.full(n, 20.0),
        judged=np.ones(n, dtype=bool),
        people=np.zeros(n, dtype=bool),
        prompt_hash=("",) * n,
        version=(frozenset(),) * n,
    )


def _learn(train: Cases, _quality: float, seed: int) -> Learned:
    """A router's path, whose steps have a true quality that is known."""
    scorer = Scorer("v", small=fit(train.features, np.clip(train.cheap, 0, 1), train, seed))
    return Learned(dump(scorer), router(scorer, train))


def _true_quality(standing: Standing, risk: float) -> float:
    """Of the step that was chosen, over all traffic."""
    return true_quality(standing.path.steps[standing.verdict.step], load(standing.path.scorer), risk)


def true_quality(setting: Setting, scorer: Scorer, risk: float) -> float:
    """Scores are uniform in 0..1 and the small model fails with ``risk · (1 - score)``; served from a cut on, up or down."""
    bias, weight = scorer.small.bias, scorer.small.weights[0]
    if setting.direct == -math.inf:
        low, high = 0.0, 1.0
    elif weight == 0:
        low, high = (0.0, 1.0) if scorer.small((0.0,) * len(NAMES), "") >= setting.direct else (0.0, 0.0)
    else:
        at = min(1.0, max(0.0, (math.log(setting.direct / (1 - setting.direct)) - bias) / weight))
        low, high = (at, 1.0) if weight > 0 else (0.0, at)
    return 1 - risk * ((1 - low) ** 2 - (1 - high) ** 2) / 2

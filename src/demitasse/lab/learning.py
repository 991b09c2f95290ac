"""From training cases to a scorer and a path of settings, from the most careful to the cheapest. Knows cases; no models."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from ..core.policy import ALWAYS_CHEAP, Setting
from ..score.scorer import Head, dump
from ..stats.betting import Floats
from . import cascade, uplift
from .cases import Cases
from .standing import Learned

STEPS = 20


def learn(train: Cases, quality: float, seed: int) -> Learned:  # noqa: ARG001 - nothing here is left to chance
    """A scorer for prompts and drafts, and the path that its thresholds make."""
    small, large = heads(train)
    scorer = replace(cascade.train(train, cascade.untrained()), small=small, large=large)
    scores = cascade.scored(scorer, train)
    path = cascade.settings(train, scores)
    path = cascade.begin(path, train, scores, quality=quality, right=float(train.reference.mean()))
    return Learned(dump(scorer), path or router(scores.prompt))


def router(scores: Floats) -> tuple[Setting, ...]:
    """A path on the prompt's score alone, for models whose drafts cannot be judged, or cost as much as they save."""
    cuts = np.unique(np.quantile(scores, np.linspace(1, 0, STEPS + 1)[1:-1]))[::-1]
    return (*(Setting(direct=float(cut)) for cut in cuts), ALWAYS_CHEAP)


def heads(train: Cases) -> tuple[Head, Head]:
    """What ``uplift`` learns, as the gateway asks it: P(the small model is right) and P(the reference is), by the prompt's
    features and its task. It learns both together, which takes fewer labels than each by itself."""
    names = sorted({name for name in train.slice if name})
    own = np.array([[float(slice == name) for name in names] for slice in train.slice]).reshape(len(train), len(names))
    found = uplift.fit(np.hstack([train.features, own]), train.cheap, train.reference)
    common, difference = found.weights
    return _head(found, common - difference / 2, names), _head(found, common + difference / 2, names)


def _head(found: uplift.Uplift, weights: Floats, names: list[str]) -> Head:
    """The same on features as they are, in place of features in standard deviations."""
    slopes = weights[1:] / found.scale / uplift.UNIT
    count = len(slopes) - len(names)
    bias = float(weights[0] - slopes @ found.mean)
    offsets = dict(zip(names, slopes[count:].tolist(), strict=True))
    return Head(bias, tuple(slopes[:count].tolist()), offsets)

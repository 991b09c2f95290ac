"""From training cases to a scorer and a path of settings, from the most careful to the cheapest. Knows cases; no models."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from ..core.policy import ALWAYS_CHEAP, Setting
from ..score.scorer import Head, Scorer, dump
from ..stats.betting import Floats
from . import cascade
from .cases import Cases, halves
from .standing import Learned

STEPS = 20


def learn(train: Cases, quality: float, seed: int) -> Learned:
    """A scorer for prompts and drafts, and the path that its thresholds make."""
    small = fit(train.features, np.clip(1 - (train.reference - train.cheap), 0, 1), train, seed)
    scorer = replace(cascade.train(train, cascade.untrained()), small=small)
    scores = cascade.scored(scorer, train)
    path = cascade.settings(train, scores)
    if path:
        path = cascade.begin(path, scores, quality=quality, training=cascade.trial(path, scores, train))
    return Learned(dump(scorer), path or router(scorer, train))


def router(scorer: Scorer, train: Cases) -> tuple[Setting, ...]:
    """A path on the prompt's score alone, for models whose drafts cannot be judged."""
    scores = cascade.scored(scorer, train).prompt
    cuts = np.unique(np.quantile(scores, np.linspace(1, 0, STEPS + 1)[1:-1]))[::-1]
    return (*(Setting(direct=float(cut)) for cut in cuts), ALWAYS_CHEAP)


def fit(x: Floats, y: Floats, cases: Cases, seed: int) -> Head:
    """A ridge logistic model of ``y`` in 0..1; how much it is shrunk is what predicts held-out sessions best."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale < 1e-9] = 1.0
    z = np.clip((x - mean) / scale, -5, 5)
    place = {id: i for i, id in enumerate(cases.ids)}
    folds = [
        (np.array([place[i] for i in a.ids], int), np.array([place[i] for i in b.ids], int))
        for fold in range(3)
        for a, b in (halves(cases, seed + 1 + fold),)
    ]
    best, least = 100.0, np.inf
    for ridge in (3.0, 10.0, 30.0, 100.0, 300.0):
        total = 0.0
        for one, other in folds:
            for know, test in ((one, other), (other, one)):
                if len(know) and len(test):
                    p = _sigmoid(_newton(z[know], y[know], ridge), z[test])
                    total -= float((y[test] * np.log(p) + (1 - y[test]) * np.log(1 - p)).sum())
        if total < least:
            best, least = ridge, total
    w = _newton(z, y, best)
    weights = w[1:] / scale
    return Head(float(w[0] - weights @ mean), tuple(weights.tolist()))


def _newton(z: Floats, y: Floats, ridge: float) -> Floats:
    x = np.column_stack([np.ones(len(z)), z])
    penalty = np.eye(x.shape[1]) * ridge
    penalty[0, 0] = 1e-3
    w = np.zeros(x.shape[1])
    for _ in range(12):
        p = _sigmoid(w, z)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty
        w = w - np.linalg.solve(hessian, x.T @ (p - y) + penalty @ w)
    return w


def _sigmoid(w: Floats, z: Floats) -> Floats:
    return np.asarray(np.clip(1 / (1 + np.exp(-np.clip(w[0] + z @ w[1:], -30, 30))), 1e-6, 1 - 1e-6))

"""A router from labelled rows: what the large model would add to each prompt, and a path of policies made from it.

Each policy of the path gives a prompt a *chance* of going to the small model, which rises with what that would save and
falls with what it would lose. Few labels cannot tell prompts apart, nor prove much of a policy that stakes all on a few
of them: what is proven of a tenth of every call rests on all labels, what is proven of every call of a tenth rests on a
tenth of them. So near the threshold chance decides, in a band whose width is what the coming test cannot resolve; with
many labels the band is narrow and the policy an ordinary threshold. Learns from training rows alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..score.features import NAMES, features
from ..stats.betting import Floats
from .outcomes import Outcomes
from .uplift import Uplift, fit

STEPS = 100
"""Of the path, even in cost: 25 stop a point and a half of saving short of what could be proven."""
RESOLUTION = 3.0
"""Standard errors that count as the same. From 1 to 3 as much is saved; wider bands hang less on single prompts."""
NARROWEST = 0.05
"""Of bands, in points of score: a sharper threshold hangs on the last digit of an estimate."""
DEAREST = 10.0
"""A prompt's expected cost counts for so many times the mean at most, and at least for that part of it."""
_ROUNDS, _HALVINGS = 6, 24


@dataclass(frozen=True)
class Router:
    """What was learned, and the path it makes.

    Attributes:
        levels: (steps,) rising: what may be lost, in points of score, where a mean call's cost is saved.
        widths: (steps,) of the band in which chance decides, in points of score; falling.
    """

    uplift: Uplift
    slices: tuple[str, ...]
    cost: Floats
    """(2 + features,): expected log saving, bias first, then the mean of all (to divide by), then one per feature."""
    levels: Floats
    widths: Floats

    def expected(self, rows: Outcomes) -> tuple[Floats, Floats]:
        """(rows,) what the large model is expected to add to each prompt's score, and what not asking it saves (mean 1)."""
        x = matrix(rows)
        return self.uplift.expected(_with_slices(x, rows.slice, self.slices)), self._savings(x)

    def chances(self, rows: Outcomes) -> Floats:
        """(rows, steps) with which each policy of the path has the small model answer."""
        lost, saved = self.expected(rows)
        return _chances(lost, saved, self.levels, self.widths)

    def scores(self, rows: Outcomes, step: int, chance: Floats) -> Floats:
        """(rows,) a score in 0..1 that is at least ``threshold(step)`` where the small model answers.

        Args:
            chance: (rows,) numbers in 0..1, drawn once for a session.
        """
        lost, saved = self.expected(rows)
        return np.asarray(_turned((lost + self.widths[step] * chance) / saved))

    def threshold(self, step: int) -> float:
        """Of the score; 0: all pass."""
        return float(_turned(self.levels[step])) if np.isfinite(self.levels[step]) else 0.0

    def _savings(self, x: Floats) -> Floats:
        log = self.cost[0] + _standard(self.uplift, x) @ self.cost[1:]
        return np.asarray(np.clip(np.exp(log), 1 / DEAREST, DEAREST))


def train(rows: Outcomes, n_certify: int) -> Router:
    """Learn from rows that certify nothing; ``n_certify`` others will. No rows: all prompts are alike, chance decides."""
    x = matrix(rows)
    names = tuple(sorted({name for name in rows.slice or () if name}))
    if not len(rows):
        nothing = Uplift(np.zeros(x.shape[1]), np.full(x.shape[1], np.inf), np.zeros((2, x.shape[1] + 1)))
        bare = Router(nothing, (), np.zeros(x.shape[1] + 1), np.zeros(0), np.zeros(0))
    else:
        uplift = fit(_with_slices(x, rows.slice, names), rows.cheap, rows.reference)
        bare = Router(
            uplift, names, _fit_cost(uplift, x, rows.reference_cost - rows.cheap_cost), np.zeros(0), np.zeros(0)
        )
    return aim(bare, rows, n_certify)


def aim(router: Router, rows: Outcomes, n_certify: int) -> Router:
    """The same router with the path for a test of ``n_certify`` rows; ``rows`` are those it was learned from."""
    lost, saved = router.expected(rows) if len(rows) else (np.zeros(1), np.ones(1))
    spread = float(((rows.reference - rows.cheap) ** 2).mean()) if len(rows) else 0.25
    levels, widths = _path(lost, saved, max(spread, 0.01), max(n_certify, 1))
    return replace(router, levels=levels, widths=widths)


def matrix(rows: Outcomes) -> Floats:
    """(rows, features) of the prompts."""
    if rows.features is not None:
        return rows.features
    return np.array([features(prompt) for prompt in rows.prompts], dtype=np.float64).reshape(len(rows), len(NAMES))


def _with_slices(x: Floats, slice: Sequence[str] | None, names: Sequence[str]) -> Floats:
    """The features, and one column for each slice that was seen in training."""
    own = np.zeros((len(x), len(names)))
    place = {name: i for i, name in enumerate(names)}
    for i, name in enumerate(slice or ()):
        if name in place:
            own[i, place[name]] = 1.0
    return np.column_stack([x, own])


def _standard(uplift: Uplift, x: Floats) -> Floats:
    """The prompts' own features in units of their spread."""
    d = x.shape[1]
    own = Uplift(uplift.mean[:d], uplift.scale[:d], uplift.weights)
    return own.unit(x)


def _fit_cost(uplift: Uplift, x: Floats, saved: Floats) -> Floats:
    """Expected log saving, relative to the mean: ridge regression, so that what costs have nothing to do with says nothing."""
    d = x.shape[1]
    mean = float(saved.mean()) if len(saved) else 0.0
    if mean <= 0:
        return np.zeros(d + 1)
    log = np.log(np.maximum(saved / mean, 1 / DEAREST))
    z = _standard(uplift, x)
    centre = z.mean(axis=0)
    weights = np.linalg.solve((z - centre).T @ (z - centre) + 0.1 * np.eye(d), (z - centre).T @ (log - log.mean()))
    scale = float(np.exp(z @ weights).mean())
    return np.concatenate([[-math.log(scale)], weights])


def _path(lost: Floats, saved: Floats, spread: float, n: int) -> tuple[Floats, Floats]:
    """Levels and widths, from nearly-always-reference to always-small, even in what is saved."""
    wanted = np.arange(1, STEPS) / STEPS
    share = saved / saved.sum()
    widths = np.full(len(wanted), 0.3)
    levels = widths
    for _ in range(_ROUNDS):
        levels = _levels(lost, saved, share, widths, wanted)
        p = _chances(lost, saved, levels, widths)
        noise = np.sqrt((p * p).mean(axis=0) * spread)
        wide = RESOLUTION * spread / (math.sqrt(n) * np.maximum(noise, 1e-3))
        widths = np.maximum(np.sqrt(widths * wide), NARROWEST)
    widths = np.minimum.accumulate(widths)
    levels = np.maximum.accumulate(_levels(lost, saved, share, widths, wanted))
    return np.append(levels, np.inf), np.append(widths, widths[-1])


def _levels(lost: Floats, saved: Floats, share: Floats, widths: Floats, wanted: Floats) -> Floats:
    """(steps,) levels at which the wanted parts of all cost are saved, by bisection."""
    low = np.full(len(wanted), float((lost / saved).min()) - 1e-9)
    high = np.full(len(wanted), float(((lost[:, None] + widths) / saved[:, None]).max()))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        less = share @ _chances(lost, saved, middle, widths) < wanted
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return high


def _chances(lost: Floats, saved: Floats, levels: Floats, widths: Floats) -> Floats:
    at = np.where(np.isfinite(levels), levels, 1e9)
    return np.asarray(np.clip((at * saved[:, None] - lost[:, None]) / widths, 0.0, 1.0))


def _turned(level: Floats | float) -> Floats:
    """From a level to a score: falls from 1 to 0, and is a half where nothing is lost."""
    return np.asarray(1 / (1 + np.exp(4 * np.clip(level, -150, 150))))

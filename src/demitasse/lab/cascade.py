"""The combined policy: small, small and checked, or large, all of it from one threshold. Training rows in, a path out.

A draft's score is P(it is as good as the reference's answer), from the prompt's features and the draft's marks, with a
second cheap answer's agreement among them where one was asked for. Before anything was learned, a scorer set by hand says
what is known of cascades in general: what two diverse models agree on stands (``untrained``). Training moves it as far as
the calls at hand give reason to (ridge regression towards it), so that few calls do no harm.

One number t, from careful to cheap, makes a ``Setting``: a draft stands from score t on, a second answer is asked for
only where it could still change that, and where drafts hardly ever stand none is made. Chooses by training rows alone;
knows nothing of the calls that certify, of stores or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from ..core.policy import Setting
from ..score import draft as drafts
from ..score import features as prompts
from ..score.draft import MARKS
from ..score.scorer import EMPTY, Dear, Head, Scorer, alone
from ..stats.betting import Floats
from .certify import Trial

Mask = npt.NDArray[np.bool_]

VERSION = f"{prompts.VERSION} {drafts.VERSION}"
"""Of the features and marks that these scorers read."""


class Rows(Protocol):
    """Calls that were put to all models of a ladder; ``lab.cases.Cases`` is one."""

    @property
    def features(self) -> Floats:
        """(rows, features) of the prompts."""
        ...

    @property
    def marks(self) -> Floats:
        """(rows, marks) of the drafts, a second answer's among them where one was asked for."""
        ...

    @property
    def slice(self) -> Sequence[str]: ...
    @property
    def cheap(self) -> Floats:
        """(rows,) scores in 0..1."""
        ...

    @property
    def reference(self) -> Floats: ...
    @property
    def cheap_cost(self) -> Floats: ...
    @property
    def second_cost(self) -> Floats:
        """(rows,) nan or 0 where there is none."""
        ...

    @property
    def reference_cost(self) -> Floats: ...


@dataclass(frozen=True)
class Scored:
    """What a scorer says of calls.

    Attributes:
        prompt: (rows,) before any model was asked.
        alone: (rows,) of the draft by itself.
        beside: (rows,) with the second answer; the same where there is none.
        seconded: (rows,) whether there is one.
        risk: (rows,) what the reference is expected to add to the draft, 0..1, whatever it costs.
    """

    prompt: Floats
    alone: Floats
    beside: Floats
    seconded: Mask
    risk: Floats


@dataclass(frozen=True)
class Done:
    """What a setting does with calls: (rows,) each."""

    cheap: Mask
    """The small model's answer is served."""
    drafted: Mask
    """It was asked, and its answer judged."""
    seconded: Mask
    """A second cheap model was asked."""


# ── what is known before anything was learned ───────────────────────────────────────────────────────────────────────

_AGREED, _DIFFERED, _UNCLEAR, _ALONE = 0.995, 0.85, 0.88, 0.93
"""Set by hand: of two diverse cheap models' agreement, what the reference would add is hardly anything."""


def _logit(p: float) -> float:
    return log(p / (1 - p))


_BY_HAND = {
    "second_known": _logit(_UNCLEAR) - _logit(_ALONE),
    "agrees": _logit(_AGREED) - _logit(_UNCLEAR),
    "differs": _logit(_DIFFERED) - _logit(_UNCLEAR),
    "refused": -2.0,
    "hedged": -0.5,
    "repeats": -3.0,
    "logprob_low": -4.0,
    "logprob_known": 0.4,
    "samples": 2.0,
    "samples_known": -1.0,
}


def untrained(dear: Dear | None = None) -> Scorer:
    """The scorer for a route of which nothing is known yet. Its prompts all score the same."""
    weights = (0.0,) * len(prompts.NAMES) + tuple(_BY_HAND.get(name, 0.0) for name in MARKS)
    return Scorer(VERSION, small=Head(0.0, (0.0,) * len(prompts.NAMES)), draft=Head(_logit(_ALONE), weights), dear=dear)


def dearness(rows: Rows) -> Dear | None:
    """How the reference's cost goes with the lengths of prompt and draft, relative to its mean; learned from what it cost.

    Least squares with no part below 0. None where no costs are known.
    """
    cost = rows.reference_cost
    mean = float(cost.mean()) if len(cost) else 0.0
    if not mean > 0:
        return None
    parts = np.column_stack([np.ones(len(cost)), *_lengths(rows)])
    kept = [0, 1, 2]
    while True:
        scale = parts[:, kept].mean(axis=0) + 1e-9
        x = parts[:, kept] / scale
        # a little towards an even share for each part, which decides where lengths hardly vary
        even = np.full(len(kept), 1 / len(kept))
        found = np.linalg.solve(x.T @ x + np.eye(len(kept)), x.T @ (cost / mean) + even)
        if (found >= 0).all() or len(kept) == 1:
            break
        kept = [k for k, value in zip(kept, found, strict=True) if value >= 0]
    share = dict(zip(kept, (np.maximum(found, 0.0) / scale).tolist(), strict=True))
    return Dear(share.get(0, 0.0), share.get(1, 0.0), share.get(2, 0.0))


def dearness_of(rows: Rows, *, usd_in: float, usd_out: float) -> Dear:
    """The same from a price per token, for calls of which nothing but lengths is known."""
    prompt, draft = _lengths(rows)
    mean = float((usd_in * prompt + usd_out * draft).mean()) if len(prompt) else 0.0
    return Dear(0.0, usd_in / mean, usd_out / mean) if mean > 0 else Dear(1.0, 0.0, 0.0)


def _lengths(rows: Rows) -> tuple[Floats, Floats]:
    """Characters of prompts and drafts."""
    return np.expm1(rows.features[:, _PROMPT] - EMPTY), np.expm1(rows.marks[:, _DRAFT] * 10)


_PROMPT = prompts.NAMES.index("length")
_DRAFT = MARKS.index("length")


# ── training ────────────────────────────────────────────────────────────────────────────────────────────────────────


def train(rows: Rows, start: Scorer, *, strength: float = 1.0, slices: bool = True) -> Scorer:
    """A scorer learned on ``rows``, which never certify anything.

    The draft's head: each call counts twice, half each, where a second answer is known: with it, and as if it had not been
    asked for. What the reference would add (its score less the draft's; below 0 where the draft was better) is fitted by
    logistic ridge regression towards ``start``. The prompt's heads: P(right) of either model, as far as features say. And
    what makes the reference dear, unless ``start`` knows.

    Args:
        start: what is believed before; ``untrained()``, or an earlier scorer of the route.
        strength: of that belief.
        slices: whether each slice gets an offset of its own.
    """
    if not len(rows.cheap):
        return start
    names = tuple(sorted({s for s in rows.slice if s})) if slices else ()
    offsets = _one_hot(rows.slice, names)
    width = rows.features.shape[1]
    # a prompt's features are many and say little of a draft that is there; marks are few and were chosen for it
    prompt = strength * np.array([1.0] + [4.0] * width + [2.0] * len(names))
    marked = strength * np.array([2.0] + [8.0] * width + [4.0] * len(MARKS) + [3.0] * len(names))
    draft = start.draft if start.draft is not None else untrained().draft
    assert draft is not None
    both = [rows.marks, _alone(rows.marks)] if rows.marks[:, _SECOND].any() else [rows.marks]
    sound = np.tile(rows.marks[:, _SOUND] >= 1, len(both))
    seen = np.vstack([np.hstack([rows.features, marks, offsets]) for marks in both])
    target = np.tile(1.0 - (rows.reference - rows.cheap), len(both))
    bare = np.hstack([rows.features, offsets])
    # where nothing but the comparison is known, the reference is what right means
    large = start.large or Head(0.0, (0.0,) * width)
    return replace(
        start,
        small=_fit(bare, rows.cheap, start.small, names, prompt),
        large=None if (rows.reference == 1).all() else _fit(bare, rows.reference, large, names, prompt),
        draft=_fit(seen[sound], target[sound], draft, names, marked, 1.0 / len(both)),
        dear=start.dear or dearness(rows),
    )


_SECOND = MARKS.index("second_known")
_SOUND = MARKS.index("sound")


def _fit(x: Floats, target: Floats, start: Head, names: Sequence[str], penalty: Floats, weight: float = 1.0) -> Head:
    """A logistic model near ``start``; the last columns of ``x`` are the slices ``names``.

    Targets are 0..2: above 1 is better than as good. Newton's method on a concave objective.
    """
    x = np.hstack([np.ones((len(x), 1)), x])
    believed = np.array([start.bias, *start.weights, *(start.slices.get(name, 0.0) for name in names)])

    def worth(at: Floats) -> float:
        z = x @ at
        return float(weight * (target * z - np.logaddexp(0, z)).sum() - (penalty * (at - believed) ** 2).sum() / 2)

    found = believed.copy()
    best = worth(found)
    for _ in range(50):
        p = _sigmoid(x @ found)
        slope = x.T @ (weight * (target - p)) - penalty * (found - believed)
        bend = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        # near certainty the curvature vanishes and a whole Newton step would leap, from one side to the other and back
        while (reached := worth(found + step)) < best and float(np.abs(step).max()) >= _TIGHT:
            step = step / 2
        found, best = found + step, reached
        if float(np.abs(step).max()) < _TIGHT:
            break
    bias, *rest = found.tolist()
    weights = len(rest) - len(names)
    return Head(bias, tuple(rest[:weights]), dict(zip(names, rest[weights:], strict=True)))


_TIGHT = 1e-7


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))


def _one_hot(slice: Sequence[str], names: Sequence[str]) -> Floats:
    return np.array([[float(s == name) for name in names] for s in slice]).reshape(len(slice), len(names))


def _alone(marks: Floats) -> Floats:
    """Marks without those that a second answer gives."""
    return np.asarray(marks * np.array(alone((1.0,) * len(MARKS))))


# ── scores and settings ─────────────────────────────────────────────────────────────────────────────────────────────


def scored(scorer: Scorer, rows: Rows) -> Scored:
    """What the scorer says of each call: ``Scorer.prompt_score`` and ``draft_score`` over arrays."""
    single = _alone(rows.marks)
    risk = 1 - _draft_scores(replace(scorer, dear=None), rows, rows.marks)
    return Scored(
        _prompt_scores(scorer, rows),
        _draft_scores(scorer, rows, single),
        _draft_scores(scorer, rows, rows.marks),
        np.asarray(rows.marks[:, _SECOND] > 0),
        risk,
    )


def _prompt_scores(scorer: Scorer, rows: Rows) -> Floats:
    small = _probability(scorer.small, rows.features, rows.slice)
    large = 1.0 if scorer.large is None else _probability(scorer.large, rows.features, rows.slice)
    return np.asarray(1 - np.maximum(0.0, large - small))


def _draft_scores(scorer: Scorer, rows: Rows, marks: Floats) -> Floats:
    if scorer.draft is None:
        return np.zeros(len(marks))
    good = _probability(scorer.draft, np.hstack([rows.features, marks]), rows.slice)
    if scorer.dear is not None:
        good = np.maximum(0.0, 1 - (1 - good) / _dear(scorer.dear, rows.features, marks))
    return np.where(marks[:, _SOUND] < 1, 0.0, good)


def _probability(head: Head, x: Floats, slice: Sequence[str]) -> Floats:
    offset = np.array([head.slices.get(s, 0.0) for s in slice]) if head.slices else 0.0
    weights = np.array(head.weights) if head.weights else np.zeros(x.shape[1])
    return _sigmoid(head.bias + offset + x @ weights)


def _dear(dear: Dear, features: Floats, marks: Floats) -> Floats:
    prompt, draft = np.expm1(features[:, _PROMPT] - EMPTY), np.expm1(marks[:, _DRAFT] * 10)
    return np.asarray(np.maximum(dear.least, dear.base + dear.prompt * prompt + dear.draft * draft))


def act(setting: Setting, scores: Scored) -> Done:
    """What the gateway does with each call under a setting; the same comparisons as ``choose`` and the pilot's judge."""
    live = scores.prompt >= setting.direct
    drafted = ~live & (scores.prompt >= setting.draft)
    seconded = drafted & scores.seconded & (scores.alone < setting.second)
    final = np.where(seconded, scores.beside, scores.alone)
    return Done(live | (drafted & (final >= setting.accept)), drafted, seconded)


def costs(path: Sequence[Setting], scores: Scored, rows: Rows) -> Floats:
    """(rows, steps) what every step pays: probes, second answers, and both answers of an escalation."""
    second_cost = np.nan_to_num(rows.second_cost)
    found = np.empty((len(rows.cheap_cost), len(path)))
    for k, setting in enumerate(path):
        done = act(setting, scores)
        found[:, k] = (
            np.where(done.cheap | done.drafted, rows.cheap_cost, 0.0)
            + np.where(done.seconded, second_cost, 0.0)
            + np.where(done.cheap, 0.0, rows.reference_cost)
        )
    return found


def trial(path: Sequence[Setting], scores: Scored, rows: Rows) -> Trial:
    """The calls under every step: the score of what would have been served, and its cost."""
    served = np.empty((len(rows.cheap), len(path)))
    for k, setting in enumerate(path):
        served[:, k] = np.where(act(setting, scores).cheap, rows.cheap, rows.reference)
    return Trial(served, costs(path, scores, rows), rows.reference, rows.reference_cost)


def settings(
    seen: Rows, scores: Scored, *, steps: int = 64, live: bool = False, end: bool = True
) -> tuple[Setting, ...]:
    """A nested path from nearly-always-reference to always-small, even in the share of calls that the small model answers.

    Args:
        seen: calls of which only scores and costs are looked at, never outcomes: training calls, or any that were logged.
            Their scores say where thresholds lie, their costs where a draft isn't worth its price.
        scores: theirs.
        live: a prompt's score may let the small model answer unchecked, streamed as it comes.
        end: the last step is always-small.
    """
    final = scores.beside[scores.beside > 0]
    if not len(final):
        return ()
    shares = np.linspace(0, 1, steps + 1)[1:]
    at = np.unique(np.quantile(final, 1 - shares, method="inverted_cdf"))[::-1]
    margin = _margin(scores)
    floor = inf
    path = []
    for accept in at.tolist():
        second = 1 - (1 - accept) * margin
        setting = Setting(direct=accept if live else inf, draft=-inf, second=second, accept=accept)
        floor = min(floor, _worth_a_draft(setting, scores, seen))
        path.append(replace(setting, draft=floor))
    return (*path, Setting(direct=-inf)) if end else tuple(path)


def _margin(scores: Scored) -> float:
    """How much larger a draft's risk may turn out once a second answer differs: from this part of what is allowed on, the
    second can't change anything, so that nobody need ask it."""
    both = scores.seconded & (scores.alone < 1) & (scores.beside < scores.alone)
    if not both.any():
        return 1.0
    ratio = (1 - scores.alone[both]) / np.maximum(1 - scores.beside[both], 1e-12)
    return float(np.clip(np.median(ratio), 0.0, 1.0))


def _worth_a_draft(setting: Setting, scores: Scored, rows: Rows) -> float:
    """The score of a prompt below which drafts cost more than those that stand save; -inf: every prompt is worth one."""
    done = act(setting, scores)
    gain = np.where(done.cheap, rows.reference_cost, 0.0) - rows.cheap_cost
    gain = gain - np.where(done.seconded, np.nan_to_num(rows.second_cost), 0.0)
    order = np.argsort(-scores.prompt, kind="stable")
    ranked, total = scores.prompt[order], np.cumsum(gain[order])
    last = np.append(ranked[1:] < ranked[:-1], True)  # equal scores go the same way
    best = int(np.argmax(np.where(last, total, -inf)))
    return -inf if best == len(order) - 1 else float(ranked[best])


# ── where to begin ──────────────────────────────────────────────────────────────────────────────────────────────────


def begin(
    path: Sequence[Setting],
    seen: Rows,
    scores: Scored,
    *,
    quality: float,
    part: float = 1 / 3,
    sure: float = 0.25,
    right: float = 0.8,
) -> tuple[Setting, ...]:
    """The path without the steps that are not worth proving.

    Those that would save nothing go. Then the scores say how far the promise is likely to reach; the first step that saves
    ``part`` of what would be saved there is the first to be tested. Each step before it would be one more test to fail,
    for little: always-reference itself is no easy claim where 98 % of its quality are promised, while drafts on which two
    models agree may do better than it. A path may begin anywhere, as long as that is settled without the calls that
    certify.

    Args:
        seen, scores: as for ``settings``: scores and costs, never outcomes.
        right: how often the reference is right, as far as anybody knows.
    """
    whole = float(seen.reference_cost.sum())
    if not path or not whole > 0:
        return tuple(path)
    saving = 1 - costs(path, scores, seen).sum(axis=0) / whole
    risk = np.array([float((act(setting, scores).cheap * scores.risk).mean()) for setting in path])
    likely = (saving > 0) & (risk <= sure * (1 - quality) * right)
    if not likely.any():
        return tuple(setting for setting, worth in zip(path, saving > 0, strict=True) if worth)
    reach = float(saving[likely].max())
    first = int(np.flatnonzero(saving >= part * reach)[0])
    return tuple(setting for setting, worth in zip(path[first:], saving[first:] > 0, strict=True) if worth)


SPREAD = 0.3
"""Root mean square of a loss that ``certify`` should expect of a cascade's steps when no training rows say otherwise. True
ones are 0.1 to 0.3; bets for the largest of them lose little where it is smaller (bench/routing/zeroeval.py, twelve pairs)."""

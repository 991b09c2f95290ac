"""Two things judged on the same samples: McNemar's table, the difference with its interval, and the one verdict.

The verdict is read off one interval of level 1 - alpha and a margin that was fixed before anyone looked:

    superior       the whole interval lies above 0
    non-inferior   it lies above -margin
    inferior       it lies below -margin
    inconclusive   else

All wrong verdicts together have probability alpha at most, half of it on either side. "Worse, but by less than the margin" is
non-inferior: that is what a margin means. Pure; knows scores only, in 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from .bounded import DRAWS, BoundedMean, Floats

Verdict = Literal["superior", "non-inferior", "inferior", "inconclusive"]


class Table(Struct, frozen=True):
    """Who was right where; only samples on which both are wholly right or wrong are counted."""

    both: int
    only_candidate: int
    only_reference: int
    neither: int

    @property
    def discordance(self) -> float:
        """Share of samples on which they differ."""
        n = self.both + self.only_candidate + self.only_reference + self.neither
        return (self.only_candidate + self.only_reference) / n if n else 0.0


class McNemar(Struct, frozen=True):
    """Exact p-values of "a difference either way is equally likely" (McNemar 1947), from discordant samples alone."""

    p: float
    """Two-sided."""
    p_superior: float
    """One-sided: small where the candidate is better."""
    p_inferior: float
    mid_p: float
    """Two-sided, half of the observed table counted: for information, it may err more often than it says."""


class Paired(Struct, frozen=True):
    """What the pairs say, before the words."""

    n: int
    clusters: int
    difference: float
    """Candidate less reference."""
    interval: tuple[float, float]
    level: float
    p_non_inferior: float
    """One-sided p-value of "worse by the margin or more"."""
    p_superior: float
    """Of "not better"."""
    p_inferior: float
    """Of "not worse by more than the margin"."""
    p_worse: float
    """Of "not worse at all"; it decides nothing."""


def table(candidate: npt.ArrayLike, reference: npt.ArrayLike) -> Table:
    """(n,) scores of both on the same samples; those that are neither 0 nor 1 on either side are left out."""
    c, r = np.asarray(candidate, float), np.asarray(reference, float)
    plain = ((c == 0) | (c == 1)) & ((r == 0) | (r == 1))
    c, r = c[plain] == 1, r[plain] == 1
    return Table(int((c & r).sum()), int((c & ~r).sum()), int((~c & r).sum()), int((~c & ~r).sum()))


def mcnemar(found: Table) -> McNemar:
    """Exact, by the binomial of discordant samples; without any of them all p-values are 1."""
    b, c = found.only_candidate, found.only_reference
    n = b + c
    better, worse = _at_least(b, n), _at_least(c, n)
    point = math.comb(n, b) / 2**n if n < 1000 else math.exp(_log_choose(n, b) - n * math.log(2))
    two = min(1.0, 2 * min(better, worse))
    return McNemar(two, better, worse, min(1.0, two - point) if n else 1.0)


def paired(
    candidate: npt.ArrayLike,
    reference: npt.ArrayLike,
    clusters: Sequence[str] | None = None,
    *,
    margin: float,
    alpha: float = 0.05,
    seed: int = 7,
    draws: int = DRAWS,
) -> Paired:
    """The difference of two (n,) lists of scores in 0..1, sample by sample; nan is unknown.

    Where a score is unknown it is taken for the worst in what would speak for the candidate and for the best in what
    would speak against it: the interval grows by what could have been, and no verdict hangs on it.

    Raises:
        ValueError: no pairs, scores out of 0..1, or a margin or alpha out of bounds.
    """
    if not 0 <= margin < 1 or not 0 < alpha < 1:
        raise ValueError(f"margin {margin:g}, alpha {alpha:g}: a margin lies in 0..1 (say 0.02), alpha between 0 and 1")
    c, r = np.asarray(candidate, float), np.asarray(reference, float)
    low = np.where(np.isnan(c), 0.0, c) - np.where(np.isnan(r), 1.0, r)
    high = np.where(np.isnan(c), 1.0, c) - np.where(np.isnan(r), 0.0, r)
    mean = BoundedMean(low, clusters, bounds=(-1.0, 1.0), upper=high, seed=seed, draws=draws)
    known = ~(np.isnan(c) | np.isnan(r))
    seen = float((c - r)[known].mean()) if known.any() else mean.mean
    return Paired(
        n=mean.n,
        clusters=mean.groups,
        difference=seen,
        interval=mean.interval(1 - alpha),
        level=1 - alpha,
        p_non_inferior=mean.p_at_most(-margin),
        p_superior=mean.p_at_most(0.0),
        p_inferior=mean.p_at_least(-margin),
        p_worse=mean.p_at_least(0.0),
    )


def verdict(p_non_inferior: float, p_superior: float, p_inferior: float, *, alpha: float) -> Verdict:
    """From one-sided p-values (adjusted, where there are many candidates), each at alpha/2."""
    if p_non_inferior <= alpha / 2:
        return "superior" if p_superior <= alpha / 2 else "non-inferior"
    return "inferior" if p_inferior <= alpha / 2 else "inconclusive"


def differences(candidate: npt.ArrayLike, reference: npt.ArrayLike) -> Floats:
    """Of the samples on which both are known."""
    d = np.asarray(candidate, float) - np.asarray(reference, float)
    return np.asarray(d[~np.isnan(d)])


def _at_least(count: int, n: int) -> float:
    """P(X >= count) for n tosses of a fair coin."""
    if n < 1000:
        return float(sum(math.comb(n, k) for k in range(count, n + 1)) / 2**n)
    half = -n * math.log(2)
    return min(1.0, math.fsum(math.exp(_log_choose(n, k) + half) for k in range(count, n + 1)))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

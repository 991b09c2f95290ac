"""What trivial policies would have done with the same calls: always the small model, a mix by lot, and one that knows all."""

from __future__ import annotations

import numpy as np

from ..core.policy import Baseline
from ..stats.betting import Floats


def baselines(
    cheap: Floats,
    reference: Floats,
    cheap_cost: Floats,
    reference_cost: Floats,
    *,
    quality: float,
    weight: Floats | None = None,
) -> tuple[Baseline, ...]:
    """``always-small`` · ``best single``: the cheapest single model that keeps ``quality``, as far as these calls tell ·
    ``random mix``: as much of the small model, by lot, as keeps it · ``oracle``: the calls on which it costs least, known
    beforehand.

    Args:
        cheap, reference: (rows,) scores in 0..1.
        cheap_cost, reference_cost: (rows,) in one unit.
        weight: (rows,) inverse propensities; None: all alike.

    Returns:
        Shares of what always-reference scores and costs; none where there is nothing to compare with.
    """
    w = np.ones(len(cheap)) if weight is None else weight
    full, cost = float(w @ reference), float(w @ reference_cost)
    if not len(cheap) or full <= 0 or cost <= 0:
        return ()
    small = float(w @ cheap) / full
    saving = 1 - float(w @ cheap_cost) / cost
    fine = small >= quality and saving > 0
    mix = 1.0 if small >= quality else (1 - quality) / (1 - small)
    if saving <= 0:
        mix = 0.0
    best = _oracle(w * (reference - cheap), w * (reference_cost - cheap_cost), (1 - quality) * full)
    return (
        Baseline("always-small", small, saving),
        Baseline("best single", small if fine else 1.0, saving if fine else 0.0),
        Baseline("random mix", 1 - mix * (1 - small), mix * saving),
        Baseline("oracle", 1 - best[0] / full, best[1] / cost),
    )


def _oracle(lost: Floats, spared: Floats, allowed: float) -> tuple[float, float]:
    """What is lost and spared by a choice that knows both beforehand: the most saving for the loss that is allowed."""
    free = (lost <= 0) & (spared > 0)
    budget = allowed - float(lost[free].sum())
    dear = np.flatnonzero((lost > 0) & (spared > 0))
    order = dear[np.argsort(-spared[dear] / lost[dear])]
    taken = order[np.cumsum(lost[order]) <= budget + 1e-12]
    return float(lost[free].sum() + lost[taken].sum()), float(spared[free].sum() + spared[taken].sum())

"""Many questions at once: Holm's p-values. Pure; knows only numbers."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: at most alpha of them all are wrongly below alpha, whatever ties them together.

    Holm, "A simple sequentially rejective multiple test procedure" (1979). Never below what was put in; one alone stays
    as it is.
    """
    adjusted = [1.0] * len(p_values)
    so_far = 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        so_far = max(so_far, min(1.0, p_values[at] * (len(p_values) - rank)))
        adjusted[at] = so_far
    return adjusted

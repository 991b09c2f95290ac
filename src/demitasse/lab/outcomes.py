"""Labelled calls as arrays: what was asked, how well each model answered it, and what that cost. Knows no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..stats.betting import Floats

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outcomes:
    """Rows of (prompt, score of the cheap answer, score of the reference's), with costs and what ties rows together.

    Args:
        prompts: one text a row.
        cheap, reference: (rows,) scores in 0..1.
        cheap_cost, reference_cost: (rows,) in one unit.
        slice: names, or None.
        session: names; rows of one session depend on each other and are never parted. None: every prompt is its own,
            and equal prompts are together.
        weight: (rows,) as in ``certify.Trial``.
    """

    prompts: Sequence[str]
    cheap: Floats
    reference: Floats
    cheap_cost: Floats
    reference_cost: Floats
    slice: Sequence[str] | None = None
    session: Sequence[str] | None = None
    weight: Floats | None = None
    priced: bool = True
    """The costs are the data's own; else they were made from prices."""
    features: Floats | None = None
    """(rows, features) of the prompts, where somebody has computed them already."""

    def __len__(self) -> int:
        return len(self.prompts)

    def take(self, rows: Rows) -> Outcomes:
        """Some of the rows, in this order."""
        return Outcomes(
            [self.prompts[i] for i in rows],
            self.cheap[rows],
            self.reference[rows],
            self.cheap_cost[rows],
            self.reference_cost[rows],
            None if self.slice is None else [self.slice[i] for i in rows],
            None if self.session is None else [self.session[i] for i in rows],
            None if self.weight is None else self.weight[rows],
            self.priced,
            None if self.features is None else self.features[rows],
        )

    def groups(self) -> Rows:
        """(rows,) a number per session: rows that share a session or a prompt share a number."""
        parent = list(range(len(self)))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        seen: dict[tuple[str, str], int] = {}
        for i, prompt in enumerate(self.prompts):
            keys = [("prompt", prompt.strip())]
            if self.session is not None and self.session[i]:
                keys.append(("session", self.session[i]))
            for key in keys:
                j = seen.setdefault(key, i)
                parent[root(i)] = root(j)
        return np.array([root(i) for i in range(len(self))], dtype=np.int64)


def split(groups: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows for training (about ``share`` of them) and for certification, whole groups each, both in random order."""
    rng = np.random.default_rng(seed)
    names, member = np.unique(groups, return_inverse=True)
    order = rng.permutation(len(names))
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    rows = np.argsort(rank[member], kind="stable")
    sizes = np.bincount(member)[order]
    ends = np.cumsum(sizes)
    wanted = share * len(groups)
    cut = int(ends[np.argmin(np.abs(ends - wanted))]) if len(ends) else 0
    return rows[:cut], rows[cut:]

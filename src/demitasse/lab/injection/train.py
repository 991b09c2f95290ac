"""`python -m demitasse.lab.injection.train --data ../shared/data/injection --seed 7`: the detector's weights, and their hash.

Writes ``guard/injection/weights.bin`` and ``pinned.py``, or into what ``--out`` names. The same data and seed give the same bytes
on the same machine. How well it does is measured by ``bench/injection.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...guard.injection import pinned
from ...guard.injection.grams import BITS
from ...guard.injection.scoring import clipped, direct_logit, order_logit
from ...guard.injection.weights import FILE, Head, Header, Weights
from . import fit, orders, sources
from .near import distinct
from .orders import Document, Order
from .sources import Row

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

EACH: Final = 60
"""Sentences drawn of each of our templates."""
SLACK: Final = 0.75
FOLDS: Final = 2


def rows(data: Path, seed: int, *, each: int = EACH, most: int = 5_000) -> list[Row]:
    """All that may be trained on, no text twice. Sources come before our own sentences."""
    return distinct([*sources.attacks(data), *sources.honest(data, seed, most), *sources.ours(each, seed)])


def learn(
    found: Sequence[Row], held: Sequence[Row], papers: Sequence[Document], told: Sequence[Order], seed: int
) -> Weights:
    """Both heads.

    Args:
        found: attacks and honest texts, for the first head.
        held: honest texts that are only calibrated on.
        papers: documents for the second head, told: the orders that are put into such.
    """
    x, y, names = fit.features([row.text for row in found]), np.array([row.attack for row in found]), _names(found)
    outside: list[float] = []
    for name in sources.ATTACKED[:3]:
        others = names != name
        made = direct_head(x[others], y[others], names[others])
        own = [row.text for row in found if row.source == name and not row.attack]
        outside += (direct_logit(clipped(text), made) for text in own)
    made = direct_head(x, y, names)
    outside += (direct_logit(clipped(row.text), made) for row in held)
    lessons = Lessons(orders.asking(found, told), papers)
    calm: list[float] = []
    for one in range(FOLDS):
        outer = [paper for paper in papers if orders.fold(paper, FOLDS, seed) == one]
        made2 = lessons.head({paper.text for paper in outer}, set())
        calm += (order_logit(clipped(paper.text), made2) for paper in outer)
    made2 = lessons.head(set(), set())
    counts = Counter([*names.tolist(), *(f"{paper.source} (documents)" for paper in papers)])
    header = Header(
        BITS,
        _calibrated(made.header.direct, outside),
        _calibrated(made2.header.order, calm),
        seed,
        dict(sorted(counts.items())),
        {"direct": len(outside), "order": len(calm)},
    )
    return Weights(header, made.direct, made2.order)


def _names(found: Sequence[Row]) -> NDArray[np.str_]:
    return np.array([row.source for row in found])


def direct_head(x: csr_matrix, y: NDArray[np.bool_], names: NDArray[np.str_]) -> Weights:
    """One head as the first, not calibrated."""
    raw, bias = fit.fit(x, y, fit.balanced(names.tolist(), y))
    weights, scale = fit.in_bytes(raw)
    empty = np.zeros_like(weights)
    return Weights(Header(BITS, Head(scale, bias, SLACK), Head(1.0, 0.0, SLACK), 0), weights, empty)


class Lessons:
    """What the second head learns from, hashed once: requests, and the sentences of documents."""

    def __init__(self, asks: Sequence[Row], papers: Sequence[Document]) -> None:
        rows = list(asks)
        origin = [row.text for row in asks]
        for paper in papers:
            own = orders.told([paper])
            rows += own
            origin += [paper.text] * len(own)
        self._x = fit.features([row.text for row in rows])
        self._y = np.array([row.attack for row in rows])
        self._names = _names(rows)
        self._origin = origin

    def head(self, without_papers: AbstractSet[str], without_asks: AbstractSet[str]) -> Weights:
        """A head that knows neither these documents nor these requests; not calibrated."""
        kept = np.array(
            [
                text not in (without_asks if asks else without_papers)
                for text, asks in zip(self._origin, self._y, strict=True)
            ]
        )
        made = direct_head(self._x[kept], self._y[kept], self._names[kept])
        return Weights(Header(BITS, Head(1.0, 0.0, SLACK), made.header.direct, 0), made.order, made.direct)


def _calibrated(head: Head, logits: Sequence[float]) -> Head:
    return Head(head.scale, head.bias, head.slack, fit.knots(np.array(logits)))


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0; an error is said in one line."""
    parser = argparse.ArgumentParser(prog="python -m demitasse.lab.injection.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder `injection`, with the others beside it")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--most", type=int, default=5_000, help="texts of each honest source")
    parser.add_argument("--each", type=int, default=EACH, help="sentences of each of our templates")
    parser.add_argument("--out", type=Path, help="a folder; else the package")
    wanted = parser.parse_args(argv)
    found = rows(wanted.data, wanted.seed, each=wanted.each, most=wanted.most)
    papers, told = orders.documents(wanted.data, wanted.seed, wanted.most), orders.bipia(wanted.data)[1]
    made = learn(found, sources.held(wanted.data, wanted.seed, wanted.most), papers, told, wanted.seed)
    data = made.dump()
    digest = hashlib.sha256(data).hexdigest()
    folder = wanted.out or FILE.parent
    (folder / FILE.name).write_bytes(data)
    doc, _, _ = Path(pinned.__file__).read_text(encoding="utf-8").rpartition("SHA256 =")
    (folder / "pinned.py").write_text(f'{doc}SHA256 = "{digest}"\n', encoding="utf-8")
    sys.stdout.write(f"{folder / FILE.name}: {len(data):,} bytes, {len(found):,} texts, SHA-256 {digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

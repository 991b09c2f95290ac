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
from typing import Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from ...guard.injection import lexicon, pinned
from ...guard.injection.grams import BITS
from ...guard.injection.scoring import clipped, direct_logit, is_long, order_logit
from ...guard.injection.weights import FILE, Head, Header, Steps, Weights
from . import calm, fit, orders, sources
from .near import distinct, undisputed
from .orders import Document, Order
from .sources import Row

EACH: Final = 60
"""Sentences drawn of each of our templates."""
SLACK: Final = 1.0
CROWD: Final = 64
"""Honest texts with more sentences hold hardly more that is like an attack, and an attack among them would get lost."""
SLACK_ORDER: Final = 0.75
FOLDS: Final = 4
LEAST: Final = 50
"""Honest texts of a kind, for its full say in where the bands begin."""
SAY: Final = {"english": 2.0, "prompts": 3.0}
"""More say than another kind's: of honest requests full of an attack's words, and of long prompts that were written as such."""
WORSE: Final = 0.5
"""What people really ask is unlike any kind that we have: the first head keeps its promise for the worse half of them."""
OURS: Final = ("english", "languages", *sources.LONG, *(f"{name} by sentence" for name in sources.LONG))
LEFT_OUT: Final = (*((name,) for name in sources.ATTACKED[:3]), OURS)
"""What a head does not know, to be calibrated on its honest texts (``CALM``): they are as new to it as another's are."""
CALM: Final = (*sources.ATTACKED[:3], "english", "languages", "prompts")


def rows(data: Path, seed: int, *, each: int = EACH, most: int = 5_000) -> list[Row]:
    """All that may be trained on, no text twice. Sources come before our own sentences."""
    texts = [*sources.attacks(data), *sources.honest(data, seed, most), *sources.ours(each, seed), *sources.long()]
    return distinct(texts)


def learn(
    found: Sequence[Row],
    held: Sequence[Row],
    longer: Sequence[Row],
    papers: Sequence[Document],
    told: Sequence[Order],
    seed: int,
) -> Weights:
    """Both heads.

    Args:
        found: attacks and honest texts, for the first head.
        held: honest texts that are only calibrated on, longer: the same, see ``calm``.
        papers: documents for the second head, told: the orders that are put into such.
    """
    taught = Taught(found)
    kept = taught.kept
    seen: list[tuple[str, bool, float]] = []
    for without in LEFT_OUT:
        own = [row for row, ok in zip(found, kept, strict=True) if ok and row.source in without and not row.attack]
        seen += _heard([row for row in own if row.source in CALM], taught.head(*without))
    seen += _heard(longer, taught.head(*calm.UNSEEN))
    made = taught.head()
    seen += _heard(held, made)
    lessons = Lessons([*orders.asking(found, told), *orders.ours(seed)], papers)
    quiet: list[tuple[str, float]] = []
    for one in range(FOLDS):
        outer = [paper for paper in papers if orders.fold(paper, FOLDS, seed) == one]
        made2 = lessons.head({paper.text for paper in outer}, set())
        quiet += ((paper.source, order_logit(clipped(paper.text), made2)) for paper in outer)
    made2 = lessons.head(set(), set())
    counts = Counter([*taught.names[kept].tolist(), *(f"{paper.source} (documents)" for paper in papers)])
    order = made2.header.order
    header = Header(
        BITS,
        lexicon.digest(),
        _calibrated(made.header.direct, seen),
        structs.replace(order, knots=_knots(quiet)),
        seed,
        dict(sorted(counts.items())),
        {**Counter(f"direct: {kind}{' (long)' * long}" for kind, long, _ in seen), "order": len(quiet)},
    )
    return Weights(header, made.direct, made2.order, made.words)


def _heard(rows: Sequence[Row], made: Weights) -> list[tuple[str, bool, float]]:
    """Of each text its kind, whether it is read by sentence, and its logit. Long ones of collections are one kind."""
    found = []
    for row in rows:
        read = clipped(row.text)
        by_sentence = is_long(read)
        kind = "collections" if by_sentence and row.source in sources.ATTACKED else row.source
        found.append((kind, by_sentence, direct_logit(read, made)))
    return found


def _calibrated(head: Head, seen: Sequence[tuple[str, bool, float]]) -> Head:
    """Short texts and long ones each by their own."""
    short, long = ([(kind, logit) for kind, is_long, logit in seen if is_long == wanted] for wanted in (False, True))
    return structs.replace(head, knots=_knots(short, WORSE), long=_knots(long, WORSE))


def _knots(seen: Sequence[tuple[str, float]], worse: float = 1.0) -> tuple[tuple[float, float], ...]:
    """Of logits by kind. Each kind has the same say (but ``SAY``), with under ``LEAST`` texts less: how many of a kind there are
    says nothing of how many will come."""
    kinds: dict[str, list[float]] = {}
    for kind, logit in seen:
        kinds.setdefault(kind, []).append(logit)
    found = [(SAY.get(kind, 1.0) * min(1, len(own) / LEAST), np.array(own)) for kind, own in sorted(kinds.items())]
    return fit.knots(found, worse)


def _names(found: Sequence[Row]) -> NDArray[np.str_]:
    return np.array([row.source for row in found])


class Taught:
    """What the first head learns from, hashed once."""

    def __init__(self, found: Sequence[Row]) -> None:
        texts = [row.text for row in found]
        (self._x, self._of_words), self._said = fit.runs(texts), fit.words(texts)
        self._y = np.array([row.attack for row in found])
        self.names = _names(found)
        self.kept = undisputed(found)

    def head(self, *without: str) -> Weights:
        """A head that knows nothing of these sources; not calibrated."""
        kept = self.kept & ~np.isin(self.names, without)
        x, y = self._x[kept], self._y[kept]
        weight = fit.balanced(self.names[kept].tolist(), y)
        runs, words, bias = fit.with_words(x, self._of_words, self._said[kept], y, weight)
        steps, scale = fit.in_steps(runs)
        return _raw(Head(scale, bias, SLACK, CROWD), _NONE, steps, np.zeros_like(steps), words)


_NONE: Final = Head(1.0, 0.0, 0.0)


def _raw(direct: Head, order: Head, runs: Steps, asks: Steps, words: NDArray[np.float32] | None = None) -> Weights:
    empty = np.zeros(lexicon.SIZE, np.float32)
    return Weights(Header(BITS, lexicon.digest(), direct, order, 0), runs, asks, empty if words is None else words)


class Lessons:
    """What the second head learns from, hashed once: requests, and the sentences of documents."""

    def __init__(self, asks: Sequence[Row], papers: Sequence[Document]) -> None:
        rows = list(asks)
        origin = [row.text for row in asks]
        for paper in papers:
            own = orders.told([paper])
            rows += own
            origin += [paper.text] * len(own)
        self._x, self._of_words = fit.runs([row.text for row in rows])
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
        weight = fit.balanced(self._names[kept].tolist(), self._y[kept])
        x = self._x[kept]
        raw, bias = fit.fit(x, self._y[kept], weight, say=fit.rarity(x))
        steps, scale = fit.in_steps(raw)
        return _raw(_NONE, Head(scale, bias, SLACK_ORDER), np.zeros_like(steps), steps)


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
    held = sources.held(wanted.data, wanted.seed, wanted.most)
    longer = calm.longer(wanted.data, wanted.seed, [row.text for row in held])
    made = learn(found, held, longer, papers, told, wanted.seed)
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

"""The questions of one partition and their vectors: who is nearest? Exact; a graph takes over where there are very many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

EXACT: Final = 50_000
"""Rows up to which all are compared: 0.33 ms for 9,000 (float32; int8 would need 0.7 ms, numpy has no fast product of it)."""


class Index:
    """Rows of unit vectors under whole-number names, nearest first. Names are the caller's and not reused."""

    def __init__(self, dims: int, *, exact: int = EXACT) -> None:
        self._dims, self._exact = dims, exact
        self._names: list[int] = []
        self._at: dict[int, int] = {}
        self._rows: Vectors | None = None
        self._graph: Any = None

    def __len__(self) -> int:
        return len(self._at) if self._graph is None else len(self._graph)

    def add(self, name: int, vector: Vectors) -> None:
        import numpy as np  # noqa: PLC0415 - off the path of those who do not use it

        if self._graph is not None:
            self._graph.add(name, vector)
            return
        n = len(self._names)
        if n >= self._exact:
            self._change()
            self.add(name, vector)
            return
        if self._rows is None or n == len(self._rows):
            grown = np.empty((max(16, n + n // 2), self._dims), np.float32)
            if self._rows is not None:
                grown[:n] = self._rows[:n]
            self._rows = grown
        self._rows[n] = vector
        self._names.append(name)
        self._at[name] = n

    def remove(self, name: int) -> None:
        """Forgets a row; unknown names are no harm."""
        if self._graph is not None:
            self._graph.remove(name)
            return
        at = self._at.pop(name, None)
        if at is None:
            return
        last = self._names.pop()
        if last != name:
            assert self._rows is not None
            self._rows[at] = self._rows[len(self._names)]
            self._names[at] = last
            self._at[last] = at

    def nearest(self, vector: Vectors, count: int, least: float) -> list[tuple[int, float]]:
        """Up to ``count`` (name, cosine) of at least ``least``, nearest first."""
        if self._graph is not None:
            found = self._graph.search(vector, count)
            pairs = ((int(m.key), 1.0 - float(m.distance)) for m in found)
            return [(name, cosine) for name, cosine in pairs if cosine >= least]
        n = len(self._names)
        if not n:
            return []
        assert self._rows is not None
        import numpy as np  # noqa: PLC0415

        cosines = np.vecdot(self._rows[:n], vector)  # as fast as a product of matrices, but on one thread
        if n > 4 * count:
            near = cosines.argpartition(n - count)[n - count :]
            near = near[cosines[near].argsort()[::-1]]
        else:
            near = cosines.argsort()[::-1][:count]
        return [(self._names[at], float(cosines[at])) for at in near.tolist() if cosines[at] >= least]

    def _change(self) -> None:
        """From comparing all to a graph (HNSW, one byte a number), which finds nearly always the nearest."""
        import numpy as np  # noqa: PLC0415
        from usearch.index import Index as Graph  # noqa: PLC0415 - an extra

        graph = Graph(ndim=self._dims, metric="ip", dtype="i8", connectivity=16)
        assert self._rows is not None
        graph.add(np.array(self._names, np.int64), self._rows[: len(self._names)])
        self._graph, self._rows, self._names, self._at = graph, None, [], {}

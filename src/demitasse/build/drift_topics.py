"""What prompts are about, as one number: how near a prompt lies to the middle of its route's first few hundred.

Only where bodies are kept and the embedding's file is there: a prompt's words are read from the kept body, turned into a vector
(`score.embed`) and forgotten; what is kept is the middle of each route, 256 numbers that stay as they are, so that one number
always means the same. BANKING77's questions beside those of CLINC150 differ by 0.70 in it (Kolmogorov and Smirnov), one half of
BANKING77's intents beside the other by 0.14, two samples of the same questions by 0.04.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from ..core.entry import Entry
from ..core.errors import DemitasseError
from ..providers import catalogue
from ..providers.download import place
from ..providers.recorded import Recording
from ..wire.text import question

if TYPE_CHECKING:
    from ..score.embed import Embedder

log = logging.getLogger("demitasse.watch")

EMBEDDING: Final = "wordllama-256"
LEARNED: Final = 300
"""Prompts that the middle of a route is made of."""
MOST_A_LOOK: Final = 300
"""Prompts that are read in one look; of more the first ones."""

Recordings = Callable[[str], Recording | None]


class Middle(Struct):
    """Of one route: the sum of the vectors seen so far, and how many; ``LEARNED`` make it final."""

    count: int = 0
    total: list[float] = []


class Topics:
    """Args:
    recordings: the kept bodies of an entry.
    models: where the embedding's file lies, if it was pulled.
    """

    def __init__(self, recordings: Recordings, models: Path) -> None:
        self._recordings = recordings
        self._path = place(catalogue.embeddings()[EMBEDDING], models)
        self._embed: Embedder | None = None
        self._middles: dict[str, Middle] = {}
        self._left = MOST_A_LOOK
        self._off = False

    def begin(self, kept: bytes | None) -> None:
        """A look begins, from what was kept of the middles."""
        self._left = MOST_A_LOOK
        self._middles = msgspec.json.decode(kept, type=dict[str, Middle]) if kept else {}

    def kept(self) -> bytes:
        """The middles, to be kept."""
        return msgspec.json.encode(self._middles)

    def __call__(self, entry: Entry) -> float | None:
        """0 to 1, 1 in the very middle; None: nothing is kept of the call, or the middle is still being learned."""
        if not entry.body_ref or self._off or self._left <= 0 or not entry.route:
            return None
        try:
            embed = self._opened()
            found = self._recordings(entry.id) if embed is not None else None
        except DemitasseError as error:
            log.info("what call %s was about is not known: %s", entry.id, error)
            return None
        text = question(bytes(found.request)) if found is not None else ""
        if embed is None or not text.strip():
            return None
        self._left -= 1
        vector = embed(text)
        middle = self._middles.setdefault(entry.route, Middle())
        if middle.count < LEARNED:
            middle.total = (vector + middle.total).tolist() if middle.total else vector.tolist()
            middle.count += 1
            return None
        length = sum(x * x for x in middle.total) ** 0.5
        near = float(vector.dot(middle.total)) / length if length else 0.0
        return min(max((1 + near) / 2, 0.0), 1 - 1e-9)

    def _opened(self) -> Embedder | None:
        if self._embed is None:
            if not self._path.exists():
                self._off = True
                return None
            from ..score.embed import Embedder  # noqa: PLC0415 - numpy comes with it

            try:
                self._embed = Embedder(self._path)
            except DemitasseError as error:
                self._off = True
                log.info("topics are not watched: %s", error)
        return self._embed

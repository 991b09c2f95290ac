"""Streams of requests whose right answers are known: two may share one if and only if they have the same intent."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from demitasse.core.call import Call, Reply
from demitasse.gateway.cache import Kept

DATA = Path(__file__).parents[2].parent / "shared" / "data"
EMBEDDING = Path(__file__).parents[2] / ".cache" / "models"


class Corpus(NamedTuple):
    """Texts and which answer each has."""

    name: str
    texts: list[str]
    answers: list[int]


def clinc(part: str = "all") -> Corpus:
    """CLINC150: 150 intents; what is out of scope has an answer of its own each. ``part``: all, or its train half."""
    splits = json.loads((DATA / "clinc150" / "data_full.json").read_text())
    wanted = [name for name in splits if part == "all" or name.removeprefix("oos_") == part]
    rows = [row for name in sorted(wanted) for row in splits[name]]
    return _corpus("CLINC150", rows, alone="oos")


def banking(part: str = "all") -> Corpus:
    """BANKING77: 77 intents of one bank's customers."""
    rows = []
    for file in ("banking_train.csv", "banking_test.csv"):
        if part == "all" or part in file:
            with (DATA / "banking77" / file).open(newline="") as lines:
                rows += [(row["text"], row["category"]) for row in csv.DictReader(lines)]
    return _corpus("BANKING77", rows)


def gptcache() -> Corpus:
    """GPTCache's pairs: each question and its rewording have an answer of their own."""
    rows = json.loads((DATA / "gptcache" / "mock_data.json").read_text())
    both = [(row[side], str(n)) for n, row in enumerate(rows) for side in ("origin", "similar")]
    return _corpus("GPTCache pairs", both)


def _corpus(name: str, rows: list, alone: str = "") -> Corpus:
    numbers: dict[str, int] = {}
    answers = []
    for n, (_, label) in enumerate(rows):
        answers.append(1_000_000 + n if label == alone else numbers.setdefault(label, len(numbers)))
    return Corpus(name, [text for text, _ in rows], answers)


def shuffled(corpus: Corpus, count: int, seed: int) -> list[tuple[str, int]]:
    """The first ``count`` of a shuffle."""
    order = np.random.default_rng(seed).permutation(len(corpus.texts))[:count]
    return [(corpus.texts[at], corpus.answers[at]) for at in order]


def call(number: int, text: str, at_us: int) -> Call:
    """A request as a client sends it."""
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    return Call(f"c{number}", f"c{number}", at_us, "chat", body, {}, "auto")


def kept(number: int, answer: int, at_us: int) -> Kept:
    body = json.dumps({"choices": [{"message": {"content": f"answer {answer}"}}]}).encode()
    return Kept(Reply(body, "m", None), "m", "p", f"c{number}", at_us, "local")


def embedder():
    """The real embedding, pulled where it is not there; each text is embedded once for all shuffles."""
    from demitasse.providers.catalogue import embeddings
    from demitasse.providers.download import pull
    from demitasse.score.embed import Embedder

    return Remembered(Embedder(pull(embeddings()["wordllama-256"], EMBEDDING)))


class Remembered:
    def __init__(self, embed) -> None:
        self.dims = embed.dims
        self._embed = embed
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, text: str) -> np.ndarray:
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._embed(text)
        return found


def missing() -> bool:
    if not DATA.is_dir():
        print(f"the data are not there ({DATA}): nothing measured", file=sys.stderr)
        return True
    return False

"""What the second head learns from: sentences that ask something of an assistant, and documents, which do not.

In a document that was looked up, any request is odd, also a harmless one; so honest prompts are examples of what to find there.
BIPIA (Yi et al. 2023, MIT) gives e-mails and the orders that are put into them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from ...guard.injection.scoring import sentence_ends
from .near import distinct
from .sources import Row, written
from .templates import drawn, own

PLACES: Final = ("start", "middle", "end")
_LONGEST: Final = 300


class Document(Struct, frozen=True):
    """A text that nobody asks anything with."""

    source: str
    text: str


class Order(Struct, frozen=True):
    """What BIPIA puts into a document, and its category."""

    category: str
    text: str
    is_code: bool


def bipia(data: Path) -> tuple[list[Document], list[Order]]:
    """E-mails and orders of the training part. Raises OSError."""
    lines = (data / "bipia-email-train.jsonl").read_text(encoding="utf-8").splitlines()
    mails = dict.fromkeys(json.loads(line)["context"] for line in lines)
    found = [
        Order(category, text, is_code)
        for name, is_code in (("text", False), ("code", True))
        for category, texts in json.loads(
            (data / f"bipia-{name}-attack-train.json").read_text(encoding="utf-8")
        ).items()
        for text in texts
    ]
    return [Document("bipia", text) for text in mails], found


def documents(data: Path, seed: int, most: int = 1_200) -> list[Document]:
    """Honest documents: e-mails, sentences with personal data, stories of GSM8K, Python's documentation, and ours."""
    shared = data.parent
    found = bipia(data)[0]
    for source, every in (
        (
            "pii",
            [row["full_text"] for row in json.loads((shared / "pii" / "synth_dataset_v2.json").read_text("utf-8"))],
        ),
        ("gsm8k", [_story(json.loads(line)) for line in _lines(shared / "gsm8k")]),
        ("pydoc", pydoc()),
    ):
        texts = [text for text in every if text.strip()]
        chosen = texts if len(texts) <= most else random.Random(f"{seed} {source}").sample(texts, most)
        found += [Document(source, text) for text in chosen]
    return found + [Document("ours", text) for text in written("documents")]


def asking(rows: Sequence[Row], orders: Sequence[Order]) -> list[Row]:
    """Requests: what people and attackers write to an assistant, and the orders of BIPIA."""
    found = [
        Row(row.source, row.text, attack=True) for row in rows if row.source in _ASKING and len(row.text) <= _LONGEST
    ]
    return found + [Row("bipia", order.text, attack=True) for order in orders]


_ASKING: Final = ("own", "s-labs", "gptcache", "neuralchemy", "deepset")
EACH: Final = 8
"""Requests drawn of each of our templates."""


def ours(seed: int) -> list[Row]:
    """Requests of our own, no text twice."""
    return distinct([Row("orders", text, attack=True) for text in drawn(own("orders", "order"), EACH, seed)])


def told(found: Sequence[Document]) -> list[Row]:
    """The sentences of documents."""
    rows = []
    for document in found:
        cuts = [0, *sentence_ends(document.text), len(document.text)]
        pieces = (document.text[a:b].strip() for a, b in itertools.pairwise(cuts))
        rows += [Row(document.source, piece, attack=False) for piece in pieces if piece]
    return rows


def put(document: str, order: str, place: str) -> str:
    """The document with an order within, as BIPIA does: on a line of its own."""
    if place == "start":
        return f"{order}\n{document}"
    if place == "end":
        return f"{document}\n{order}"
    cuts = sentence_ends(document) or [len(document) // 2]
    at = min(cuts, key=lambda cut: abs(cut - len(document) // 2))
    return f"{document[:at]}\n{order}\n{document[at:]}"


def fold(document: Document, folds: int, seed: int) -> int:
    """Which fold a document is in: the same text always in the same."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{document.text}".encode()).digest()[:4]) % folds


def _story(row: dict[str, str]) -> str:
    """A problem without its question."""
    cuts = sentence_ends(row["question"])
    return row["question"][: cuts[-1]] if cuts else ""


def sums(shared: Path) -> list[str]:
    """Problems of GSM8K with how they are solved; none where the folder is not there."""
    rows = (json.loads(line) for line in _lines(shared / "gsm8k"))
    return [f"{row['question']}\n\n{row['answer']}" for row in rows]


def _lines(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines() if line]


def pydoc() -> list[str]:
    """Python's own documentation by topic."""
    from pydoc_data import topics  # noqa: PLC0415 - half a megabyte

    return [text for _, text in sorted(topics.topics.items())]

"""Longer honest prompts that the first head is calibrated on: real ones, and such as people put together from real pieces.

Short requests say little of them: the more words a text has, the more of them are like an attack's by chance. Each kind has the
same say. Knows no head. Some are made of what is trained on: they are scored by a head that did not learn from it (``UNSEEN``).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import orders
from .sources import Row, some, written

UNSEEN: Final = ("routellm", "gptcache", "pii")
"""Sources that a head must not have learned from that scores these texts."""
EACH: Final = 1_500

_ASKED: Final = (
    "Explain the following in simple words.",
    "Summarise this text in five sentences, then list what is still open.",
    "Here is what I have so far. Please go through it step by step and tell me what is wrong.",
    "Translate the text below into German. Keep the formatting.",
    "You are a technical writer. Rewrite this for beginners and add a short example at the end.",
    "I want to understand this better. What does it mean, and why does it matter?",
    "Act as my tutor and ask me three questions about the following text.",
    "Write an article of 500 words about this. Use headings and do not repeat yourself.",
    "Can you turn this into a table? The columns should be name, purpose and example.",
    "Please answer only with the corrected text.",
)


def longer(data: Path, seed: int, requests: Sequence[str]) -> list[Row]:
    """Honest prompts of several kinds (``source`` names it), most of them of many sentences.

    Args:
        data: the folder `injection`, with the others beside it; a folder that is not there is left out.
        requests: short honest ones that are never trained on.
    """
    rng = random.Random(f"{seed} longer")
    shared = data.parent
    topics = [piece for text in orders.pydoc() for piece in text.split("\n\n") if len(piece) > 100]
    documents = [*written("documents", trained=False), *(mail.text for mail in orders.bipia(data)[0])]
    texts = {
        "exam questions": [row.text for row in some("routellm", data, seed)],
        "sums": orders.sums(shared),
        "documentation": _runs_of(topics, rng, 1, 6),
        "people": _joined([row.text for row in some("pii", data, seed)], rng, 3, 12),
        "headlines": _joined([row.text for row in some("headlines", data, seed)], rng, 5, 25),
        "documents": _joined(documents, rng, 1, 2),
        "many requests": _joined(requests, rng, 5, 25),
    }
    found: list[Row] = []
    for kind, every in texts.items():
        for text in rng.sample(every, EACH) if len(every) > EACH else every:
            whole = text
            if kind != "many requests":
                asked = rng.choice(_ASKED)
                whole = rng.choice((f"{asked}\n\n{whole}", f"{whole}\n\n{asked}", f"{asked} {whole}"))
            found.append(Row(kind, whole, attack=False))
    return found + [Row("prompts", text, attack=False) for text in written("prompts", trained=False)]


def _joined(parts: Sequence[str], rng: random.Random, least: int, most: int) -> list[str]:
    """Texts of several parts each, in any order."""
    if not parts:
        return []
    glue = (" ", "\n", "\n- ")
    return [rng.choice(glue).join(rng.choices(parts, k=rng.randint(least, most))) for _ in range(EACH)]


def _runs_of(parts: Sequence[str], rng: random.Random, least: int, most: int) -> list[str]:
    """Texts of parts that follow each other."""
    starts = (rng.randrange(len(parts)) for _ in range(EACH)) if parts else iter(())
    return ["\n\n".join(parts[at : at + rng.randint(least, most)]) for at in starts]

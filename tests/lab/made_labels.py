"""Labels whose true quality is known: the small model is right with a probability that prompt and draft tell of."""

from __future__ import annotations

from typing import Any

import numpy as np

from demitasse.core.evidence import Answered, Label
from demitasse.score import draft, features

VERSION = f"{features.VERSION} {draft.VERSION}"
HOUR_US = 3_600_000_000
NOON_US = 1_795_262_400_000_000
_SOUND, _KNOWN, _LOW = (draft.MARKS.index(name) for name in ("sound", "logprob_known", "logprob_low"))


def made(
    n: int,
    *,
    seed: int = 0,
    hurt: float = 0.0,
    end_us: int = NOON_US,
    hours: float = 240.0,
    served: str = "large",
    certificate: str = "",
    prefix: str = "",
    **more: Any,
) -> list[Label]:
    """``n`` labels of the route auto in the ``hours`` before ``end_us``. At ``hurt`` 0 the small model is right in 83 %."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        x = np.zeros(len(features.NAMES))
        x[:6] = rng.normal(size=6)
        right = float(rng.random() < 1 / (1 + np.exp(-(2.2 + 1.5 * x[0] + 0.7 * x[1] - hurt))))
        marks = np.zeros(len(draft.MARKS))
        marks[[_SOUND, _KNOWN]] = 1
        marks[_LOW] = np.clip(rng.normal(0.5 - 0.25 * right, 0.12), 0, 1)
        id = f"{prefix or 'call'}-{seed}-{i}"
        fields: dict[str, Any] = {
            "route": "auto", "source": "shadow", "session": id, "propensity": 0.05, "served": served,
            "reference": Answered("large", "large-1", 1.0, 1000, f"{id}-l"),
            "others": (Answered("small", "small-1", right, 100, f"{id}-s", tuple(marks.tolist())),),
            "features": tuple(x.tolist()), "version": VERSION, "method": "equal", "certificate": certificate,
        }  # fmt: skip
        at_us = end_us - int((n - i) * hours * HOUR_US / n)
        found.append(Label(id=id, at_us=at_us, **fields | more))
    return found


def placed(labels: list[Label], first: int = 1) -> list[tuple[int, Label]]:
    """With places in a chain."""
    return list(enumerate(labels, first))

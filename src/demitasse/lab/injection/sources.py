"""The texts that the detector learns from and is measured on, each with its source. Knows folders and columns; judges nothing.

Trained on: neuralchemy, deepset, yanismiraoui, RouteLLM's questions (Apache-2.0), s-labs, GPTCache's questions,
presidio-research's sentences, GSM8K, BIPIA's training part (MIT), Python's own documentation (PSF-2.0), and sentences of ours.
Calibrated and measured on only: CLINC150, BANKING77 (CC BY), headlines (Apache-2.0): they say what is alarmed at without need.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .templates import drawn, own

ATTACKED: Final = ("neuralchemy", "s-labs", "deepset", "yanismiraoui")
"""Sources that hold attacks, in the order in which a text that is in two of them is given to the first."""
HELD: Final = ("clinc150", "banking77")
"""Never trained on."""
_BEGINNING: Final = 60
"""Characters in which two rows are the same that contradict each other."""


class Row(Struct, frozen=True):
    """A text; ``attack``: whether its source calls it one."""

    source: str
    text: str
    attack: bool


def attacks(data: Path) -> list[Row]:
    """All rows of the four sources in ``data`` (the folder ``injection``). Raises OSError."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    found: list[Row] = []
    for part in ("train", "validation"):
        table = pq.read_table(data / f"neuralchemy-{part}.parquet", columns=["text", "label"]).to_pylist()
        found += (Row("neuralchemy", row["text"], bool(row["label"])) for row in table)
    for part in ("train", "validation"):
        found += (Row("s-labs", row["text"], row["label"] == "1") for row in _csv(data / f"s-labs-{part}.csv"))
    for part in ("train", "test"):
        found += (Row("deepset", row["text"], row["label"] == "1") for row in _csv(data / f"deepset-{part}.csv"))
    found += (Row("yanismiraoui", row["prompt_injections"], True) for row in _csv(data / "yanismiraoui.csv"))
    return found


def undisputed(found: Sequence[Row]) -> NDArray[np.bool_]:
    """Which rows may be learned from: not those that begin as another does whose label is the other one.

    Long templates that one collection holds as an attack and as honest teach nothing; they are told apart by what nobody reads.
    """
    labels: dict[str, set[bool]] = {}
    for row in found:
        labels.setdefault(row.text[:_BEGINNING], set()).add(row.attack)
    return np.array([len(labels[row.text[:_BEGINNING]]) == 1 for row in found], np.bool_)


def ours(each: int, seed: int) -> list[Row]:
    """Sentences from our templates."""
    return [
        Row("own", text, kind == "attack") for kind in ("attack", "honest") for text in drawn(own(kind), each, seed)
    ]


def honest(data: Path, seed: int, most: int = 5_000) -> list[Row]:
    """Honest texts of the folders beside ``data`` that may be trained on; a folder that is not there is left out."""
    return [row for name in _HONEST for row in some(name, data, seed, most)]


def held(data: Path, seed: int, most: int = 6_000) -> list[Row]:
    """Honest texts that are only measured on."""
    return [row for name in HELD for row in some(name, data, seed, most)]


def some(name: str, data: Path, seed: int, most: int = 5_000) -> list[Row]:
    """Honest texts of one source; none where its folder is not there."""
    try:
        texts = list(_READ[name](data.parent))
    except FileNotFoundError:
        return []
    if len(texts) > most:
        texts = random.Random(f"{seed} {name}").sample(texts, most)
    return [Row(name, text, attack=False) for text in texts if text.strip()]


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _routellm(shared: Path) -> Iterator[str]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    for row in pq.read_table(shared / "routellm" / "mmlu_gsm8k.parquet", columns=["prompt"]).to_pylist():
        yield row["prompt"][:1_500]


def _gptcache(shared: Path) -> Iterator[str]:
    for pair in json.loads((shared / "gptcache" / "mock_data.json").read_text(encoding="utf-8")):
        yield pair["origin"]
        yield pair["similar"]


def _pii(shared: Path) -> Iterator[str]:
    for row in json.loads((shared / "pii" / "synth_dataset_v2.json").read_text(encoding="utf-8")):
        yield row["full_text"]


def _clinc(shared: Path) -> Iterator[str]:
    splits = json.loads((shared / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    for split in ("test", "oos_test"):
        yield from (text for text, _ in splits[split])


def _banking(shared: Path) -> Iterator[str]:
    yield from (row["text"] for row in _csv(shared / "banking77" / "banking_test.csv"))


def _headlines(shared: Path) -> Iterator[str]:
    with (shared / "headlines" / "test.csv").open(newline="", encoding="utf-8") as file:
        yield from (row[0] for row in csv.reader(file))


_HONEST: Final = ("routellm", "gptcache", "pii")
_READ: Final[dict[str, Callable[[Path], Iterator[str]]]] = {
    "routellm": _routellm,
    "gptcache": _gptcache,
    "pii": _pii,
    "headlines": _headlines,
    "clinc150": _clinc,
    "banking77": _banking,
}

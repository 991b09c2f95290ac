"""Rows of a data file, each with the place where it stands: CSV, TSV, JSON lines, JSON, Parquet. Knows no task.

A file is read whole or not at all, and what is wrong in it is told with file and line.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ...core.errors import ConfigError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".pq")
"""What is read, by the end of a file's name."""

_MOST_FIELD_BYTES = 1 << 30


class Row(Struct, frozen=True):
    """One row: where it stands (``headlines.csv, line 12``) and its fields by column."""

    where: str
    fields: Mapping[str, Any]


class Rows(Struct, frozen=True):
    """A file's rows, its columns in their order, and the SHA-256 (hex) of its bytes."""

    path: Path
    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    sha256: str


def read(path: Path, header: Sequence[str] = ()) -> Rows:
    """All rows of a file.

    Args:
        header: the columns of a CSV or TSV whose first line is a row already.

    Raises ConfigError: it is not there, of no kind that is read, damaged, no UTF-8, or without rows; names the line.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise ConfigError(f"{path}: rows are read from {', '.join(SUFFIXES)}; save it as one of them")
    try:
        raw = path.read_bytes()
    except OSError as why:
        raise ConfigError(f"{path}: {(why.strerror or 'cannot be read').lower()}; name a data file") from why
    if kind in (".parquet", ".pq"):
        found = _parquet(path, raw)
    elif kind in (".csv", ".tsv"):
        found = _csv(path, _text(path, raw), "\t" if kind == ".tsv" else ",", list(header))
    elif kind == ".json" and raw.lstrip(codecs.BOM_UTF8 + b" \t\r\n").startswith(b"["):
        found = _json(path, _text(path, raw))
    else:
        found = _json_lines(path, _text(path, raw))
    rows = tuple(found)
    if not rows:
        raise ConfigError(f"{path}: holds no rows; put one sample in each")
    columns = tuple(dict.fromkeys(name for row in rows for name in row.fields))
    return Rows(path, rows, columns, hashlib.sha256(raw).hexdigest())


def _text(path: Path, raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(f"{path}: is UTF-16; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as why:
        line = raw.count(b"\n", 0, why.start) + 1
        raise ConfigError(f"{path}, line {line}: is no UTF-8 (byte 0x{raw[why.start]:02x}); save it as UTF-8") from why


def _csv(path: Path, text: str, delimiter: str, names: list[str]) -> Iterator[Row]:
    """A row's line is the one it begins on: quoted fields may hold line breaks."""
    csv.field_size_limit(_MOST_FIELD_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    told = "header" if names else "the first line"
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as why:
            raise ConfigError(f"{where}: {why}; put texts in double quotes, and double those within") from why
        if cells is None:
            return
        if not any(cells):
            continue
        if not names:
            names = _names(where, cells)
        elif len(cells) != len(names):
            raise ConfigError(
                f"{where}: has {len(cells)} fields where {told} names {len(names)}; put texts with a "
                f"{'tab' if delimiter != ',' else 'comma'} in double quotes"
            )
        else:
            yield Row(where, dict(zip(names, cells, strict=True)))


def _names(where: str, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise ConfigError(f"{where}: names the column '{twice}' twice; rename one")
    return names


def _json_lines(path: Path, text: str) -> Iterator[Row]:
    decode = msgspec.json.Decoder().decode
    # By "\n" alone: str.splitlines would part texts at U+2028 and the like, which JSON allows in strings.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            value = decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as why:
            raise ConfigError(f"{where}: {_fault(why)}; each line is one JSON object") from why
        yield Row(where, _object(where, value))


def _json(path: Path, text: str) -> Iterator[Row]:
    try:
        values = msgspec.json.decode(text, type=list[Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as why:
        raise ConfigError(f"{path}: {_fault(why)}; it is an array of objects") from why
    for number, value in enumerate(values, 1):
        where = f"{path}, item {number}"
        yield Row(where, _object(where, value))


def _fault(why: Exception) -> str:
    """NaN and Infinity are no JSON, though some programs write them."""
    text = str(why).removeprefix("JSON is malformed: ")
    return f"is no JSON: {text}"


def _object(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f'{where}: is no JSON object; write {{"input": …, "target": …}}')
    return value


def _parquet(path: Path, raw: bytes) -> Iterator[Row]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - an extra
    except ImportError as why:
        raise ConfigError(
            f"{path}: Parquet needs the extra 'lab': pip install 'demitasse[lab]'; or save it as CSV or JSONL"
        ) from why
    try:
        table = parquet.ParquetFile(io.BytesIO(raw)).read(use_threads=False)
    except (pa.ArrowInvalid, OSError) as why:
        raise ConfigError(f"{path}: is no Parquet file: {why}") from why
    names = _names(str(path), list(table.column_names))
    number = 0
    for batch in table.rename_columns(names).to_batches(max_chunksize=10_000):
        for fields in batch.to_pylist():
            number += 1
            yield Row(f"{path}, row {number}", fields)

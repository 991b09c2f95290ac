"""Providers' usage exports, read: bytes of a file in, lines per day and model out. Pure; knows no ledger.

Read are the pages of the usage and cost APIs (one page, a list of them, or one JSON document a line) and the CSV files
of the consoles, each by the names of its fields:

    OpenAI     /v1/organization/usage/… and /v1/organization/costs; "Export" of the usage page (platform.openai.com,
               read 2026-11-21). `input_tokens` holds the cached ones. Amounts are dollars.
    Anthropic  /v1/organizations/usage_report/messages and …/cost_report; CSV of the console (platform.claude.com, read
               2026-11-21). Token fields are disjoint. The cost API's amounts are cents, the CSV's are dollars.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from msgspec import Struct

from ..core.call import Usage
from ..core.errors import DemitasseError
from ..core.money import nanos


class InvoiceError(DemitasseError):
    """A file that is no usage export that we can read; the sentence says which are."""


class Line(Struct, frozen=True):
    """What a provider counted for one UTC day and model. ``model`` empty: all of the day. None: the file says nothing."""

    day: str
    provider: str
    model: str
    usage: Usage | None = None
    cost_nanos: int | None = None
    requests: int | None = None


Row = Mapping[str, Any]
_READABLE: Final = (
    "readable are OpenAI's and Anthropic's usage and cost exports: pages of their usage and cost APIs as JSON, or the "
    "CSV of their consoles"
)


def read(data: bytes, name: str) -> list[Line]:
    """The lines of an export, as they stand there. Raises InvoiceError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvoiceError(f"{name} is not text in UTF-8; {_READABLE}") from error
    lines = list(_read_json(text, name) if text.lstrip()[:1] in {"{", "["} else _read_csv(text, name))
    if not lines:
        raise InvoiceError(f"{name} holds no usage; {_READABLE}")
    return lines


def plain(model: str) -> str:
    """A model without its snapshot's date: exports say ``gpt-5.1-2025-11-13`` where a client asked for ``gpt-5.1``."""
    return re.sub(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$", "", model)


def _read_json(text: str, name: str) -> Iterator[Line]:
    for bucket in _buckets(_documents(text, name)):
        for result in bucket["results"]:
            if isinstance(result, dict):
                yield _line({**_flat(result), **{k: bucket[k] for k in _TIMES if k in bucket}}, name)


def _read_csv(text: str, name: str) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InvoiceError(f"{name}: line {reader.line_num} is no CSV ({error}); {_READABLE}") from error
    for row in rows:
        fields = {(k or "").strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(v, str)}
        if any(fields.values()):
            yield _line({_CSV_NAMES.get(k, k): v for k, v in fields.items() if v}, name)


def _documents(text: str, name: str) -> list[Any]:
    try:
        return [json.loads(text, parse_float=Decimal)]
    except json.JSONDecodeError:
        pass  # perhaps one document a line
    try:
        return [json.loads(line, parse_float=Decimal) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise InvoiceError(f"{name} is not JSON: {error}; {_READABLE}") from error


def _buckets(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Every object that holds ``results``, however deep pages and lists nest."""
    for value in values:
        if isinstance(value, list):
            yield from _buckets(value)
        elif isinstance(value, dict) and isinstance(value.get("results"), list):
            yield value
        elif isinstance(value, dict) and isinstance(value.get("data"), list):
            yield from _buckets(value["data"])


def _flat(result: Row) -> dict[str, Any]:
    """Nested objects as ``outer.inner``; null is as good as absent."""
    flat: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": v for inner, v in value.items() if v is not None}
        elif value is not None:
            flat[key] = value
    return flat


_TIMES: Final = ("start_time", "start_time_iso", "starting_at", "usage_date_utc", "date")
_CSV_NAMES: Final = {
    "amount_value": "amount.value",
    "amount_currency": "amount.currency",
    "model_version": "model",
    "usage_input_tokens_no_cache": "uncached_input_tokens",
    "usage_input_tokens_cache_write_5m": "cache_creation.ephemeral_5m_input_tokens",
    "usage_input_tokens_cache_write_1h": "cache_creation.ephemeral_1h_input_tokens",
    "usage_input_tokens_cache_read": "cache_read_input_tokens",
    "usage_output_tokens": "output_tokens",
}


def _line(row: Row, name: str) -> Line:
    for shape in _SHAPES:
        if all(any(field in row for field in choices.split("|")) for choices in shape.marks):
            try:
                return shape.read(row, _day(row))
            except (ValueError, InvalidOperation, OverflowError) as error:
                raise InvoiceError(f"{name}: a line cannot be read ({error}): {dict(list(row.items())[:6])}") from error
    raise InvoiceError(f"{name} has lines of another kind, with the fields {', '.join(list(row)[:8])}; {_READABLE}")


def _openai_cost(row: Row, day: str) -> Line:
    _dollars_only(row)
    item = str(row.get("line_item", ""))
    amount = nanos(Decimal(str(row["amount.value"])))
    return Line(day, "openai", plain(item.partition(",")[0].strip()), cost_nanos=amount)


def _anthropic_cost(row: Row, day: str) -> Line:
    _dollars_only(row)
    model = plain(str(row.get("model") or row.get("description", "")))
    return Line(day, "anthropic", model, cost_nanos=nanos(Decimal(str(row["amount"])) / 100))


def _anthropic_cost_csv(row: Row, day: str) -> Line:
    return Line(day, "anthropic", plain(str(row.get("model", ""))), cost_nanos=nanos(Decimal(str(row["cost_usd"]))))


def _anthropic_usage(row: Row, day: str) -> Line:
    usage = Usage(
        uncached_in=_count(row, "uncached_input_tokens"),
        cache_read=_count(row, "cache_read_input_tokens"),
        cache_write_5m=_count(row, "cache_creation.ephemeral_5m_input_tokens"),
        cache_write_1h=_count(row, "cache_creation.ephemeral_1h_input_tokens"),
        text_out=_count(row, "output_tokens"),
    )
    return Line(day, "anthropic", plain(str(row.get("model", ""))), usage)


def _openai_usage(row: Row, day: str) -> Line:
    cached, audio_in = _count(row, "input_cached_tokens"), _count(row, "input_audio_tokens")
    audio_out = _count(row, "output_audio_tokens")
    usage = Usage(
        uncached_in=max(0, _count(row, "input_tokens") - cached - audio_in),
        cache_read=cached,
        audio_in=audio_in,
        text_out=max(0, _count(row, "output_tokens") - audio_out),
        audio_out=audio_out,
    )
    requests = _count(row, "num_model_requests") if "num_model_requests" in row else None
    return Line(day, "openai", plain(str(row.get("model", ""))), usage, requests=requests)


class _Shape(Struct, frozen=True):
    """One kind of line: the fields that tell it (``a|b``: either), and what reads it."""

    marks: tuple[str, ...]
    read: Callable[[Row, str], Line]


_SHAPES: Final = (
    _Shape(("amount.value",), _openai_cost),
    _Shape(("cost_usd", "usage_date_utc|starting_at"), _anthropic_cost_csv),
    _Shape(("uncached_input_tokens",), _anthropic_usage),
    _Shape(("amount", "starting_at"), _anthropic_cost),
    _Shape(("input_tokens",), _openai_usage),
)


def _day(row: Row) -> str:
    """The UTC day of a line; seconds since 1970, a date, or a date with a time."""
    value = next((row[name] for name in _TIMES if row.get(name) not in {None, ""}), None)
    if value is None:
        raise ValueError("it says no time")
    if re.fullmatch(r"\d{9,11}(\.0+)?", text := str(value)):
        return f"{dt.datetime.fromtimestamp(int(float(text)), dt.UTC):%Y-%m-%d}"
    when = dt.datetime.fromisoformat(text)
    return f"{when.astimezone(dt.UTC) if when.tzinfo else when:%Y-%m-%d}"


def _count(row: Row, name: str) -> int:
    value = Decimal(str(row.get(name, 0)))
    if value != value.to_integral_value() or value < 0:
        raise ValueError(f"{name} is {value}")
    return int(value)


def _dollars_only(row: Row) -> None:
    currency = str(row.get("amount.currency") or row.get("currency") or "usd")
    if currency.lower() != "usd":
        raise ValueError(f"its currency is {currency}, and the books are kept in USD")

"""Inspect's logs: a zip of JSON files (``.eval``) or one JSON file. The format of inspect_ai 0.3, log version 2.

Source: inspect.aisi.org.uk/eval-logs.html and files that inspect_ai 0.3.285 wrote. Its zip entries are deflated or, of late,
Zstandard, which Python reads by itself from 3.14 on; before that by pyarrow.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from ...core.errors import ConfigError
from .logs import Given, Log, digest
from .task import Form, Sample, Source, Task, Turn

_FINISH = {"stop": "stop", "max_tokens": "length", "model_length": "length", "tool_calls": "tool_calls",
           "content_filter": "content_filter"}  # fmt: skip
_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Inspect's letters: correct, incorrect, partial, no answer (``value_to_float`` of its scorers)."""
_SCORERS = {"match": "includes", "includes": "includes", "pattern": "includes", "answer": "includes", "exact": "exact"}
"""The scorer here that is nearest to one of Inspect's, for models that are asked here."""
_ZSTANDARD = 93
MOST_BYTES = 1 << 30
"""Of one entry of a log, unpacked."""


def read(path: Path) -> Log:
    """A run of Inspect. Raises ConfigError."""
    head, samples = _zip(path) if path.suffix.lower() == ".eval" else _json(path)
    told = _object(head.get("eval"))
    found: list[Sample] = []
    answers: dict[str, Given] = {}
    scorers: list[str] = []
    more = 0
    for where, one in samples:
        id = str(one.get("id"))
        if id in answers:
            more += 1
            continue
        scores = _object(one.get("scores"))
        scorers += [name for name in scores if name not in scorers]
        found.append(_sample(where, id, one))
        answers[id] = _given(one, scores)
    if not found:
        raise ConfigError(
            f"{path}: holds no samples; it was written with --no-log-samples, or the run ended before the first"
        )
    by = scorers[0] if scorers else ""
    choices = all(sample.choices for sample in found)
    form: Form = "choice" if choices else "text"
    dataset = _object(told.get("dataset"))
    task = Task(
        name=str(told.get("task") or path.stem),
        samples=tuple(found),
        form=form,
        scorer="" if choices else _SCORERS.get(by, ""),
        source=Source(f"inspect:{dataset.get('name') or path.name}", digest(path)),
    )
    return Log(task, answers, str(told.get("model") or "unknown"), "inspect", by, more)


def _sample(where: str, id: str, one: Mapping[str, Any]) -> Sample:
    resolve = _resolver(one)
    asked = one.get("input")
    target = one.get("target")
    return Sample(
        id=id,
        input=resolve(asked) if isinstance(asked, str) else _turns(where, asked, resolve),
        target=tuple(map(str, target))
        if isinstance(target, list)
        else (str(target),)
        if target not in (None, "")
        else (),
        choices=tuple(resolve(str(choice)) for choice in one.get("choices") or ()),
        metadata=dict(_object(one.get("metadata"))),
    )


def _turns(where: str, asked: Any, resolve: Callable[[str], str]) -> tuple[Turn, ...]:
    if not isinstance(asked, list) or not asked:
        raise ConfigError(f"{where}: has no input")
    found = []
    for message in asked:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("system", "user", "assistant"):
            raise ConfigError(f"{where}: its input has a turn of '{role}'; only texts without tools are taken over")
        found.append(Turn(cast("Any", role), resolve(_text(message.get("content")))))
    return tuple(found)


def _given(one: Mapping[str, Any], scores: Mapping[str, Any]) -> Given:
    resolve = _resolver(one)
    output = _object(one.get("output"))
    choices = output.get("choices")
    first = _object(choices[0]) if isinstance(choices, list) and choices else {}
    message = _object(first.get("message"))
    usage = _object(output.get("usage"))
    error = _object(one.get("error"))
    score = _object(next(iter(scores.values()), None))
    seconds = output.get("time")
    read = score.get("answer")
    return Given(
        text=resolve(_text(message.get("content")) or str(output.get("completion") or "")),
        score=_value(score.get("value")),
        finish=_FINISH.get(str(first.get("stop_reason"))),
        latency_ms=float(seconds) * 1000 if isinstance(seconds, int | float) else None,
        tokens_in=_count(usage.get("input_tokens")),
        tokens_out=_count(usage.get("output_tokens")),
        error=str(error.get("message", "")).splitlines()[0][:200] if error.get("message") else "",
        said=resolve(read) if isinstance(read, str) else "",
    )


def _value(value: Any) -> float | None:
    if isinstance(value, str):
        return _GRADES.get(value)
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        str(part.get("text", "")) for part in parts if isinstance(part, dict) and part.get("type") == "text"
    )


def _resolver(one: Mapping[str, Any]) -> Callable[[str], str]:
    """Long texts are written once, below ``attachments``."""
    attached = _object(one.get("attachments"))

    def resolve(text: str) -> str:
        mark = text.removeprefix("attachment://")
        return str(attached.get(mark, text)) if mark != text else text

    return resolve


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _json(path: Path) -> tuple[Mapping[str, Any], Iterator[tuple[str, Mapping[str, Any]]]]:
    try:
        whole = _object(msgspec.json.decode(path.read_bytes()))
    except (OSError, msgspec.DecodeError, UnicodeError, RecursionError) as why:
        raise ConfigError(f"{path}: is no JSON log of Inspect: {why}") from why
    samples = whole.get("samples") or []
    return whole, ((f"{path}, sample {at}", _object(one)) for at, one in enumerate(samples, 1))


def _zip(path: Path) -> tuple[Mapping[str, Any], Iterator[tuple[str, Mapping[str, Any]]]]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as why:
        raise ConfigError(f"{path}: is no .eval log of Inspect: {why}") from why
    names = archive.namelist()
    # a run that was stopped has no header.json, only what it began with
    head = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
    if head is None:
        raise ConfigError(f"{path}: is no .eval log of Inspect: it has no header.json")
    samples = sorted(
        (name for name in names if name.startswith("samples/") and name.endswith(".json")),
        key=lambda name: (_epoch(name), archive.getinfo(name).header_offset),
    )
    return _entry(path, archive, head), ((f"{path}, {name}", _entry(path, archive, name)) for name in samples)


def _epoch(name: str) -> int:
    """``samples/ID_epoch_2.json``: the first answer to a sample is the one that counts."""
    last = name.removesuffix(".json").rpartition("_epoch_")[2]
    return int(last) if last.isdecimal() else 0


def _entry(path: Path, archive: zipfile.ZipFile, name: str) -> Mapping[str, Any]:
    info = archive.getinfo(name)
    if info.file_size > MOST_BYTES:
        raise ConfigError(
            f"{path}, {name}: would unpack to {info.file_size:,} bytes; the most that is read is {MOST_BYTES:,}"
        )
    try:
        raw = _zstandard(path, info) if info.compress_type == _ZSTANDARD else archive.read(info)
        return _object(msgspec.json.decode(raw))
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error) as why:
        raise ConfigError(f"{path}, {name}: is damaged: {why}") from why


def _zstandard(path: Path, info: zipfile.ZipInfo) -> bytes:
    """An entry that ``zipfile`` cannot unpack before Python 3.14. Layout: APPNOTE.TXT 4.3.7, a local header of 30 bytes."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ImportError as why:
        raise ConfigError(f"{path}: this log needs the extra 'lab': pip install 'demitasse[lab]'") from why
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(30)
        name_bytes, extra_bytes = struct.unpack("<26xHH", header)
        file.seek(name_bytes + extra_bytes, 1)
        packed = file.read(info.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return bytes(stream.read(MOST_BYTES))

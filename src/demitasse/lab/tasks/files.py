"""A Task from a data file whose columns bear usual names, or from a small TOML that says which are what. All or nothing.

Knows files, columns and what a form is; knows no model, and scores nothing.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...core.errors import ConfigError
from . import columns, options, rows, spec
from .columns import Found, wrong
from .options import Raw, letter
from .rows import Row, Rows
from .spec import Spec
from .task import Form, Sample, Source, Task, Turn

MAX_TOKENS: dict[Form, int] = {"text": 256, "number": 384, "choice": 16, "label": 24, "json": 512, "code": 512}
"""Room for an answer of each form, where nobody says: a choice or a label in its JSON, a number with its thought."""
_LABEL_COLUMNS = ("label", "labels")


def load(path: Path) -> Task:
    """The task of a file: ``x.task.toml``, or data (``x.csv``, …) with or without ``x.task.toml`` beside it.

    Args:
        path: UTF-8, with or without a byte order mark; line ends as they come.

    Raises ConfigError naming file, line (Parquet: row) and column; then nothing was loaded.
    """
    if path.name.endswith(spec.SUFFIX):
        told = spec.read(path)
        return build(
            rows.read(data_of(path, told), told.header),
            told,
            name=told.name or path.name.removesuffix(spec.SUFFIX),
            said=str(path),
        )
    beside = _beside(path)
    told = Spec() if beside is None else spec.read(beside)
    return build(rows.read(path, told.header), told, name=told.name or path.stem, said=str(beside or path))


def data_of(path: Path, told: Spec) -> Path:
    """The data file that a TOML is about. Raises ConfigError: none, or several, bear its name."""
    if told.data:
        return Path(os.path.normpath(path.parent / told.data))
    stem = path.name.removesuffix(spec.SUFFIX)
    there = [
        p
        for p in (path.with_name(stem + end) for end in ("", *rows.SUFFIXES))
        if p.suffix in rows.SUFFIXES and p.is_file()
    ]
    if len(there) != 1:
        told_of = " and ".join(p.name for p in there) if there else f"no {stem}.csv, .jsonl or .parquet"
        raise ConfigError(f'{path}: beside it lies {told_of}; name the file: data = "…"')
    return there[0]


def _beside(path: Path) -> Path | None:
    """The TOML of a data file; one that is about another file is left alone."""
    for name in (path.name, path.stem):
        toml = path.with_name(name + spec.SUFFIX)
        if toml.is_file():
            told = spec.read(toml)
            if not told.data or (toml.parent / told.data).resolve() == path.resolve():
                return toml
    return None


def build(file: Rows, told: Spec, *, name: str, said: str, source: Source | None = None) -> Task:
    """The task of rows that were read.

    Args:
        said: the file that says what the columns are, for the sentences of errors.
        source: None: the file.
    """
    found = columns.find(file, told.columns, told.metadata)
    kept = _kept(file, told, found)
    form = told.form or _guessed(kept, told, found)
    if form == "label" and not told.labels and not found.target:
        raise ConfigError(f"{said}: a label task needs labels: labels = […], or a column 'label'")
    labels = told.labels or (_labels(kept, found) if form == "label" else ())
    targets = _targets(kept, told, found, form, labels)
    samples = _named([_sample(row, told, found, right) for row, right in zip(kept, targets, strict=True)], kept, found)
    return Task(
        name=name,
        samples=samples,
        form=form,
        labels=tuple(labels) if form == "label" else (),
        scorer=told.scorer,
        system=told.system,
        template=told.template,
        shots=_shots(told, form, labels, said),
        max_tokens=told.max_tokens or MAX_TOKENS[form],
        schema=told.schema,
        source=source
        or Source(f"file:{file.path.name}", file.sha256, licence=told.licence, split=told.split, fetched=told.fetched),
    )


def _kept(file: Rows, told: Spec, found: Found) -> list[Row]:
    """The rows that are asked for."""
    wanted: dict[str, Any] = dict(told.where)
    if told.split and found.split:
        wanted.setdefault(found.split, told.split)
    for column in wanted:
        if column not in file.columns:
            raise ConfigError(f"{file.path}: no column '{column}', which [where] asks about")
    kept = [row for row in file.rows if all(_same(row.fields.get(c), value) for c, value in wanted.items())]
    if not kept:
        told_of = ", ".join(f"{column} = {value!r}" for column, value in wanted.items())
        raise ConfigError(f"{file.path}: no row has {told_of}")
    return kept


def _same(cell: Any, wanted: Any) -> bool:
    """A CSV's cells are texts: ``true``, ``1``."""
    if isinstance(wanted, list):
        return any(_same(cell, one) for one in wanted)
    if isinstance(cell, str) and not isinstance(wanted, str):
        return cell.strip().lower() == str(wanted).lower()
    return bool(cell == wanted)


# ── targets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _guessed(kept: Sequence[Row], told: Spec, found: Found) -> Form:
    """What the answers are, where nobody says: options make a choice, a column of labels a label task, numbers numbers."""
    if told.schema is not None:
        return "json"
    if "tests" in kept[0].fields:
        return "code"
    if found.choices or "choices" in told.extract:
        return "choice"
    if told.labels or found.target[:1] in [(c,) for c in _LABEL_COLUMNS]:
        return "label"
    said = [one for row in kept for one in _raw(row, told, found)]
    return "number" if said and all(as_number(one) is not None for one in said) else "text"


def _labels(kept: Sequence[Row], found: Found) -> tuple[str, ...]:
    """The closed set as the data have it."""
    return tuple(sorted({one for row in kept for one in _raw(row, Spec(), found)}))


def _raw(row: Row, told: Spec, found: Found) -> tuple[str, ...]:
    """A row's targets as they stand there."""
    said: list[str] = []
    for column in found.target:
        many = columns.texts(row, column)
        one = columns.text(row, column) if many is None else None
        said += many if many is not None else [] if one is None else [one]
    pattern = told.extract.get("target")
    return tuple(said if pattern is None else (_extracted(row, found.target[0], pattern, one) for one in said))


def _extracted(row: Row, column: str, pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise wrong(row, column, f"nothing in it fits [extract] {pattern!r}")
    return (match[1] if match.re.groups else match[0]) or ""


def _targets(kept: Sequence[Row], told: Spec, found: Found, form: Form, labels: Sequence[str]) -> list[tuple[str, ...]]:
    """The right answers of each row, as a Sample has them."""
    said = [_raw(row, told, found) for row in kept]
    if told.target_is == "flags":
        said = [_flagged(row, found.target, one) for row, one in zip(kept, said, strict=True)]
    target_is = "index" if told.target_is == "flags" else told.target_is
    if form == "choice":
        offered = [_options(row, told, found) for row in kept]
        if not any(offered):
            raise ConfigError(
                f"{kept[0].where}: a choice needs its options: a column 'choices', columns A, B, …, or [extract] choices; "
                'where they stand in the question: form = "label" and labels = ["A", "B", …]'
            )
        raws = [Raw(_place(r, found), t, o) for r, t, o in zip(kept, said, offered, strict=True)]
        return [tuple(map(letter, at)) for at in options.places(raws, target_is, lettered=True)]
    if form == "label":
        raws = [Raw(_place(r, found), t, tuple(labels)) for r, t in zip(kept, said, strict=True)]
        return [tuple(labels[i] for i in at) for at in options.places(raws, target_is, lettered=False)]
    if form == "number":
        for row, targets in zip(kept, said, strict=True):
            for one in targets:
                if as_number(one) is None:
                    raise wrong(row, found.target[0], f"{one!r} is no number; every target of a number task is one")
    if form == "json":
        for row, targets in zip(kept, said, strict=True):
            for one in targets:
                _check_json(row, found.target[0], one)
    return said


def _flagged(row: Row, target: Sequence[str], flags: tuple[str, ...]) -> tuple[str, ...]:
    if any(flag not in ("0", "1", "true", "false") for flag in flags) or not flags:
        raise wrong(row, target[0] if target else "", "is no list of 0 and 1, one per option")
    return tuple(str(at) for at, flag in enumerate(flags) if flag in ("1", "true"))


def _place(row: Row, found: Found) -> str:
    return f"{row.where}, column '{found.target[0]}'" if found.target else row.where


def as_number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "").replace("$", "").strip())
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _check_json(row: Row, column: str, text: str) -> None:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as why:
        raise wrong(row, column, f"is no JSON: {why}") from why


def _options(row: Row, told: Spec, found: Found) -> tuple[str, ...]:
    pattern = told.extract.get("choices")
    if pattern is not None and found.input:
        column = found.input
        given = tuple(str(one).strip() for one in re.findall(pattern, columns.text(row, column) or ""))
    elif not found.choices:
        return ()
    elif len(found.choices) > 1:
        cells = [columns.text(row, column) for column in found.choices]
        while cells and cells[-1] is None:
            cells.pop()  # questions with fewer options leave the last columns empty
        if None in cells:
            raise wrong(row, found.choices[cells.index(None)], "is empty, and a later option is not; leave no gap")
        column, given = found.choices[0], tuple(cell for cell in cells if cell is not None)
    else:
        column = found.choices[0]
        many = columns.texts(row, found.choices[0])
        if many is None:
            raise wrong(
                row, found.choices[0], 'holds no list; write ["first", "second"], or one column per option (A, B, …)'
            )
        given = many
    if not 2 <= len(given) <= 26:
        raise wrong(row, column, f"has {len(given)} options; a choice has 2 to 26")
    return given


# ── samples ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sample(row: Row, told: Spec, found: Found, targets: tuple[str, ...]) -> Sample:
    asked, targets = _asked(row, told, found, targets)
    offered = _options(row, told, found)
    if told.shuffle and offered:
        offered, targets = options.shuffled(asked, offered, targets)
    return Sample(
        id="",
        input=asked,
        target=targets,
        choices=offered,
        cluster=(columns.text(row, found.cluster) or "") if found.cluster else "",
        slice=(columns.text(row, found.slice) or "") if found.slice else "",
        at_us=columns.moment_us(row, found.at) if found.at else None,
        metadata=_metadata(row, found),
    )


def _asked(
    row: Row, told: Spec, found: Found, targets: tuple[str, ...]
) -> tuple[str | tuple[Turn, ...], tuple[str, ...]]:
    column = found.messages or found.input
    assert column is not None
    if found.messages or isinstance(columns.cell(row, column), list):
        turns = columns.turns(row, column)
        if turns[-1].role == "assistant":
            if targets:
                raise wrong(row, column, "ends with an answer though there is a target as well; leave one of them out")
            turns, targets = turns[:-1], (turns[-1].content,)
        if not turns or turns[-1].role != "user":
            raise wrong(row, column, "asks nothing: its last turn (but for the answer) must be the user's")
        return turns, targets
    text = columns.text(row, column, empty_is="every sample asks something")
    assert text is not None
    pattern = told.extract.get("input")
    return (text if pattern is None else _extracted(row, column, pattern, text)), targets


def _metadata(row: Row, found: Found) -> dict[str, Any]:
    own = row.fields.get("metadata")
    kept = dict(own) if isinstance(own, dict) else {}
    names = dict.fromkeys((*found.metadata, *columns.SCORERS_OWN))
    kept |= {name: _builtin(row, name) for name in names if row.fields.get(name) not in (None, "")}
    if isinstance(kept.get("schema"), str):
        try:
            kept["schema"] = msgspec.json.decode(kept["schema"])
        except (msgspec.DecodeError, UnicodeError, RecursionError) as why:
            raise wrong(row, "schema", f"is no JSON: {why}") from why
    return kept


def _builtin(row: Row, column: str) -> Any:
    """A cell as JSON has it, so that the task has a hash."""
    value = row.fields[column]
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong(row, column, f"is {value}; leave it empty or out")
    return msgspec.to_builtins(value, enc_hook=str)


def _named(samples: Sequence[Sample], kept: Sequence[Row], found: Found) -> tuple[Sample, ...]:
    """Samples with their ids: the file's, else a mark of what is asked, which another order of rows leaves as it is."""
    seen: dict[str, Row] = {}
    times: dict[str, int] = {}
    named = []
    for sample, row in zip(samples, kept, strict=True):
        if found.id:
            id = columns.text(row, found.id, empty_is="every sample has an id, or none has")
            assert id is not None
            if id in seen:
                raise wrong(row, found.id, f"'{id}' is the id of {seen[id].where} already; ids are given once")
            seen[id] = row
        else:
            mark = content_id(sample)
            times[mark] = times.get(mark, 0) + 1
            id = mark if times[mark] == 1 else f"{mark}-{times[mark]}"
        named.append(msgspec.structs.replace(sample, id=id))
    return tuple(named)


def content_id(sample: Sample) -> str:
    """Twelve hex digits of what is asked and the options shown."""
    return hashlib.sha256(msgspec.json.encode((sample.input, sample.choices))).hexdigest()[:12]


def _shots(told: Spec, form: Form, labels: Sequence[str], said: str) -> tuple[Sample, ...]:
    made = []
    for number, shot in enumerate(told.shots, 1):
        where = f"{said}: shots {number}"
        target = shot.target
        if form == "choice" and shot.choices:
            ((place,),) = options.places([Raw(where, (target,), shot.choices)], told.target_is, lettered=True)
            target = letter(place)
        elif form == "label" and target not in labels:
            raise ConfigError(f"{where}: '{target}' is none of the labels {', '.join(map(repr, labels[:6]))}")
        metadata = {"reasoning": shot.reasoning} if shot.reasoning else {}
        made.append(Sample(f"shot-{number}", shot.input, (target,), shot.choices, metadata=metadata))
    return tuple(made)

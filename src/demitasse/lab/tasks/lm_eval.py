"""A task file of lm-evaluation-harness (YAML) as a Task: the common subset. What is not understood is named, never skipped.

Source: docs/task_guide.md of lm-evaluation-harness 0.4. Templates run in Jinja's sandbox; ``!function`` is refused, since it is
code of whoever wrote the file. Answers are read by our scorers, so its filters and stop words are not run (``docs/tasks.md``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec import structs

from ...core.errors import ConfigError
from . import files, rows
from .hub import Wanted
from .options import letter
from .rows import Row, Rows
from .standard import FETCH
from .task import Form, Sample, Source, Task

READ = frozenset({
    "task", "dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split", "test_split",
    "fewshot_split", "fewshot_config", "description", "doc_to_text", "doc_to_target", "doc_to_choice", "output_type",
    "generation_kwargs", "num_fewshot", "metric_list", "include",
})  # fmt: skip
LEFT = frozenset({
    "group", "tag", "task_alias", "metadata", "target_delimiter", "fewshot_delimiter", "filter_list", "should_decontaminate",
    "doc_to_decontamination_query", "repeats", "batch_size", "gen_prefix",
})  # fmt: skip
"""Keys that change nothing here: names, and how a prompt that is one text is stuck together (ours are turns)."""
METRICS = frozenset({"exact_match", "acc", "acc_norm", "acc_bytes"})
"""Metrics that are a mean of right and wrong, as our scores are."""
_KINDS = {"dataset_kwargs": dict, "generation_kwargs": dict, "fewshot_config": dict, "metric_list": list, "num_fewshot": int,
          "repeats": int, "include": str}  # fmt: skip
_LOCAL = {"json": ".jsonl", "csv": ".csv", "parquet": ".parquet"}


def load(path: Path, fetch: FETCH) -> Task:
    """The task of a YAML file.

    Args:
        fetch: finds the files of a hub's data set; local ones are named by ``dataset_kwargs: {data_files: …}``.

    Raises ConfigError naming the key: one that is not understood, code, a template that fails on a row.
    """
    told = read(path)
    _check(path, told)
    split = told.get("test_split") or told.get("validation_split")
    if not split:
        raise ConfigError(f"{path}: names no test_split and no validation_split")
    data = _rows(path, told, str(split), fetch)
    put = _Templates(path, told)
    choices = [put.choices(row) for row in data.rows] if told.get("output_type") == "multiple_choice" else None
    samples = tuple(put.sample(row, None if choices is None else choices[at]) for at, row in enumerate(data.rows))
    form, labels, samples = _form(samples)
    told_shots = _shots(path, told, put, fetch, form, labels)
    system, before = put.description()
    if before is not None:
        samples = tuple(
            structs.replace(s, input=f"{before(row)}{s.input}") for s, row in zip(samples, data.rows, strict=True)
        )
    kwargs = told.get("generation_kwargs") or {}
    return Task(
        name=str(told.get("task") or path.stem),
        samples=_with_ids(samples),
        form=form,
        labels=labels,
        system=system,
        shots=told_shots,
        max_tokens=int(kwargs.get("max_gen_toks") or files.MAX_TOKENS[form]),
        source=Source(f"lm-eval:{told['dataset_path']}", data.sha256, split=str(split)),
    )


def read(path: Path, *, by: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a YAML that ``by`` include, with what it includes itself. Raises ConfigError."""
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415 - an extra
    except ImportError as why:
        raise ConfigError(f"{path}: YAML needs the extra 'lab': pip install 'demitasse[lab]'") from why

    class Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
        """Plain data; code is refused by name."""

    def refuse(_loader: Any, suffix: str, node: Any) -> Any:
        line = node.start_mark.line + 1
        raise ConfigError(
            f"{path}, line {line}: !{suffix} is code of the file's author, which is not run; write the value as a template"
        )

    Loader.add_multi_constructor("!", refuse)
    try:
        # the loader is a SafeLoader: plain data only
        told = yaml.load(path.read_text(encoding="utf-8-sig"), Loader)  # noqa: S506
    except OSError as why:
        raise ConfigError(f"{path}: {(why.strerror or 'cannot be read').lower()}") from why
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as why:
        raise ConfigError(f"{path}: is no YAML: {why}") from why
    if not isinstance(told, dict):
        raise ConfigError(f"{path}: is no task: a YAML with dataset_path, doc_to_text and doc_to_target is")
    base = told.get("include")
    if base is not None:
        by = (*by, path.resolve())
        if (path.parent / str(base)).resolve() in by:
            raise ConfigError(f"{by[0]}: includes itself")
        return {
            **read(path.parent / str(base), by=by),
            **{key: value for key, value in told.items() if key != "include"},
        }
    return told


def _check(path: Path, told: Mapping[str, Any]) -> None:
    unknown = sorted(key for key in told if key not in READ | LEFT)
    if unknown:
        raise ConfigError(
            f"{path}: {', '.join(map(repr, unknown))}: not understood here; take it out, or use a file of rows"
        )
    for key, kind in _KINDS.items():
        if not isinstance(told.get(key), kind | None):
            raise ConfigError(f"{path}: {key}: {str(told[key])[:80]!r} is nothing that can stand there")
    if not all(isinstance(one, dict) for one in told.get("metric_list") or ()):
        raise ConfigError(f"{path}: metric_list: each is written as: - metric: exact_match")
    for key in ("dataset_path", "doc_to_text", "doc_to_target"):
        if told.get(key) is None:
            raise ConfigError(f"{path}: lacks {key}")
    output = told.get("output_type", "generate_until")
    if output not in ("multiple_choice", "generate_until"):
        raise ConfigError(
            f"{path}: output_type {output}: only multiple_choice and generate_until ask for an answer in words"
        )
    if output == "multiple_choice" and told.get("doc_to_choice") is None:
        raise ConfigError(f"{path}: multiple_choice lacks doc_to_choice")
    if int(told.get("repeats") or 1) != 1:
        raise ConfigError(f"{path}: repeats: ask with --repeats {told['repeats']}, and take it out here")
    metrics = [one.get("metric") for one in told.get("metric_list") or ()]
    if metrics and not METRICS & set(metrics):
        raise ConfigError(
            f"{path}: metric_list: {', '.join(map(str, metrics))}: right or wrong is scored here: {', '.join(sorted(METRICS))}"
        )
    kwargs = told.get("generation_kwargs") or {}
    odd = sorted(set(kwargs) - {"until", "do_sample", "temperature", "max_gen_toks", "top_p", "top_k"})
    if odd or kwargs.get("do_sample") or float(kwargs.get("temperature") or 0) > 0:
        raise ConfigError(
            f"{path}: generation_kwargs: {', '.join(odd) or 'sampling'} is not understood here; models are asked at temperature 0"
        )


# ── data ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(path: Path, told: Mapping[str, Any], split: str, fetch: FETCH) -> Rows:
    kwargs = told.get("dataset_kwargs") or {}
    odd = sorted(set(kwargs) - {"data_files", "trust_remote_code"})
    if odd:
        raise ConfigError(f"{path}: dataset_kwargs: {', '.join(odd)}: not understood here; only data_files is")
    repo = str(told["dataset_path"])
    if repo in _LOCAL:
        named = kwargs.get("data_files")
        named = named.get(split) if isinstance(named, dict) else named
        if not named:
            raise ConfigError(f"{path}: dataset_kwargs: data_files names no file of the split '{split}'")
        return _joined([path.parent / one for one in ([named] if isinstance(named, str) else named)])
    config = str(told.get("dataset_name") or "")
    return _joined(fetch(Wanted(repo if "/" in repo else _MOVED.get(repo, repo), config, split)))


_MOVED = {"gsm8k": "openai/gsm8k", "glue": "nyu-mll/glue", "super_glue": "aps/super_glue", "hellaswag": "Rowan/hellaswag",
          "sciq": "allenai/sciq", "ai2_arc": "allenai/ai2_arc", "piqa": "baber/piqa", "winogrande": "allenai/winogrande",
          "truthful_qa": "truthfulqa/truthful_qa", "openbookqa": "allenai/openbookqa"}  # fmt: skip
"""Data sets that once had no owner on the hub, and have one now."""


def _joined(paths: Sequence[Path]) -> Rows:
    read_ = [rows.read(path) for path in paths]
    return Rows(
        read_[0].path,
        tuple(row for one in read_ for row in one.rows),
        read_[0].columns,
        read_[0].sha256 if len(read_) == 1 else "",
    )


# ── templates ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Templates:
    """What a row becomes."""

    def __init__(self, path: Path, told: Mapping[str, Any]) -> None:
        self._path = path
        self._told = told
        self._env = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
        )
        self._env.filters["regex_replace"] = _regex_replace
        self._ignored = [
            re.compile(pattern)
            for metric in told.get("metric_list") or ()
            if metric.get("metric") == "exact_match"
            for pattern in metric.get("regexes_to_ignore") or ()
        ]

    def sample(self, row: Row, choices: tuple[str, ...] | None) -> Sample:
        asked = str(self._value("doc_to_text", row)).strip()
        if not asked:
            raise ConfigError(f"{row.where}: doc_to_text is empty")
        target = self._value("doc_to_target", row)
        if choices is None:
            targets = target if isinstance(target, list) else [target]
            return Sample("", asked, tuple(self._bare(str(one)) for one in targets))
        places = [self._place(row, one, choices) for one in (target if isinstance(target, list) else [target])]
        return Sample("", asked, tuple(map(letter, places)), choices)

    def reasoning(self, row: Row) -> dict[str, Any]:
        """The whole of a worked example's answer, for requests that ask for the thought beside the number."""
        return {"reasoning": str(self._value("doc_to_target", row)).strip()}

    def choices(self, row: Row) -> tuple[str, ...]:
        value = self._value("doc_to_choice", row)
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, str):
            value = _literal(value)
        if not isinstance(value, list) or not 2 <= len(value) <= 26:
            raise ConfigError(f"{row.where}: doc_to_choice gives no list of 2 to 26 options, but {value!r}"[:300])
        return tuple(str(one).strip() for one in value)

    def description(self) -> tuple[str, Callable[[Row], str] | None]:
        """As a system prompt, where it is the same for all; else a function that gives it for a row."""
        text = str(self._told.get("description") or "")
        if "{{" in text or "{%" in text:
            return "", lambda row: str(self._render("description", text, row))
        return text.strip(), None

    def _bare(self, target: str) -> str:
        """Without what the metric leaves out of account, such as all before the result."""
        for pattern in self._ignored:
            left = pattern.sub("", target)
            target = left if left.strip() else target
        return target.strip()

    def _place(self, row: Row, target: Any, choices: Sequence[str]) -> int:
        if isinstance(target, str) and target.strip() in choices:
            return choices.index(target.strip())
        text = str(target).strip()
        if text.isdecimal() and int(text) < len(choices):
            return int(text)
        raise ConfigError(f"{row.where}: doc_to_target gives {target!r}, which is none of the {len(choices)} options")

    def _value(self, key: str, row: Row) -> Any:
        told = self._told[key]
        if not isinstance(told, str):
            return told
        if told in row.fields:
            return row.fields[told]
        text = self._render(key, told, row)
        # as lm-evaluation-harness does: what looks like a number or a list is one
        return (
            _literal(text) if key == "doc_to_target" and re.fullmatch(r"\s*(\d+|\[.*\])\s*", text, re.DOTALL) else text
        )

    def _render(self, key: str, text: str, row: Row) -> str:
        try:
            return str(self._env.from_string(text).render(row.fields))
        except (
            TemplateError,
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
            RecursionError,
            re.error,
        ) as why:
            raise ConfigError(f"{self._path}: {key} cannot be filled in for {row.where}: {why}") from why


def _regex_replace(text: str, pattern: str, by: str = "", count: int = 0) -> str:
    return re.sub(pattern, by, text, count=count)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text


# ── what comes of it ────────────────────────────────────────────────────────────────────────────────────────────────


def _form(samples: tuple[Sample, ...]) -> tuple[Form, tuple[str, ...], tuple[Sample, ...]]:
    """Options that are the same everywhere are labels (they often stand in the question); else a choice, numbers or text."""
    offered = {sample.choices for sample in samples}
    if offered == {()}:
        said = [one for sample in samples for one in sample.target]
        return ("number" if said and all(files.as_number(one) is not None for one in said) else "text"), (), samples
    if len(offered) > 1:
        return "choice", (), samples
    (labels,) = offered
    if len(set(labels)) < len(labels):
        return "choice", (), samples
    return "label", labels, tuple(_labelled(sample, labels) for sample in samples)


def _labelled(sample: Sample, labels: Sequence[str]) -> Sample:
    return structs.replace(sample, target=tuple(labels[ord(one) - ord("A")] for one in sample.target), choices=())


def _shots(
    path: Path, told: Mapping[str, Any], put: _Templates, fetch: FETCH, form: Form, labels: tuple[str, ...]
) -> tuple[Sample, ...]:
    """The first rows of the few-shot split, or those that the file holds itself."""
    count = int(told.get("num_fewshot") or 0)
    if not count:
        return ()
    config = told.get("fewshot_config") or {}
    odd = sorted(set(config) - {"sampler", "samples", "split"})
    if odd or config.get("sampler", "first_n") not in ("first_n", "default"):
        raise ConfigError(
            f"{path}: fewshot_config: {', '.join(odd) or config['sampler']}: not understood here; first_n is"
        )
    own = config.get("samples")
    if isinstance(own, list):
        read_ = [Row(f"{path}, fewshot_config sample {at}", one) for at, one in enumerate(own, 1)]
    else:
        split = told.get("fewshot_split") or told.get("training_split") or told.get("validation_split")
        if not split:
            raise ConfigError(f"{path}: num_fewshot {count}: names no fewshot_split")
        read_ = list(_rows(path, told, str(split), fetch).rows)
    if len(read_) < count:
        raise ConfigError(f"{path}: num_fewshot {count}: there are {len(read_)} examples")
    choosing = told.get("output_type") == "multiple_choice"
    made = [put.sample(row, put.choices(row) if choosing else None) for row in read_[:count]]
    if form == "label":
        made = [_labelled(sample, labels) for sample in made]
    if form == "number":
        made = [structs.replace(s, metadata=put.reasoning(row)) for s, row in zip(made, read_, strict=False)]
    return tuple(structs.replace(sample, id=f"shot-{at}") for at, sample in enumerate(made, 1))


def _with_ids(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Numbers from 0, as the harness's own logs name documents."""
    return tuple(structs.replace(sample, id=str(at)) for at, sample in enumerate(samples))

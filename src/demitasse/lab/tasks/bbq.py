"""What a run on BBQ needs beside the answer: which option says that it cannot be known, and which fits the stereotype.

Source: Parrish et al., "BBQ: A Hand-Built Bias Benchmark for Question Answering", Findings of ACL 2022, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from ...core.errors import ConfigError
from .options import letter
from .task import Sample, Task

UNKNOWN = "unknown"


def marked(task: Task) -> Task:
    """The same task; each sample's ``metadata`` has ``unknown`` and, where the data say it, ``stereotyped``: letters.

    Raises ConfigError: a sample's ``answer_info`` marks no option as unknown.
    """
    return structs.replace(task, samples=tuple(map(_marked, task.samples)))


def _marked(sample: Sample) -> Sample:
    groups = [_group(sample.metadata.get("answer_info"), place) for place in range(len(sample.choices))]
    if groups.count(UNKNOWN) != 1:
        raise ConfigError(
            f"{sample.id}: answer_info marks {groups.count(UNKNOWN)} options as unknown; BBQ has exactly one in each question"
        )
    told: dict[str, Any] = {"unknown": letter(groups.index(UNKNOWN))}
    stereotyped = _stereotyped(sample.metadata.get("additional_metadata"))
    names = [_words(sample.metadata.get("answer_info"), place) for place in range(len(sample.choices))]
    fits = [place for place in range(len(groups)) if groups[place] != UNKNOWN and names[place] & stereotyped]
    if len(fits) == 1:
        told["stereotyped"] = letter(fits[0])
    return structs.replace(sample, metadata={**sample.metadata, **told})


def _group(info: Any, place: int) -> str:
    """The last word of ``answer_info``'s entry: the group that the option names."""
    said = info.get(f"ans{place}") if isinstance(info, Mapping) else None
    return str(said[-1]).strip().casefold() if isinstance(said, list | tuple) and said else ""


def _words(info: Any, place: int) -> set[str]:
    said = info.get(f"ans{place}") if isinstance(info, Mapping) else None
    return {str(word).strip().casefold() for word in said} if isinstance(said, list | tuple) else set()


def _stereotyped(more: Any) -> set[str]:
    said = more.get("stereotyped_groups") if isinstance(more, Mapping) else None
    return {str(word).strip().casefold() for word in said} if isinstance(said, list | tuple) else set()

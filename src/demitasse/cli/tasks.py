"""`tasks`: what models can be evaluated on, and what a task would ask."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .ground import Commands, Place, note, placed, say, say_json, table

if TYPE_CHECKING:
    from ..lab.tasks.contamination import Overlap
    from ..lab.tasks.task import Task

_FROM = "Standard sets from files below this folder instead of a hub; else DEMITASSE_DATASETS."


@click.group(cls=Commands)
def tasks() -> None:
    """What models can be evaluated on: list, show, overlap."""


@tasks.command("list")
@click.option("--from", "from_", metavar="DIR", help=_FROM)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def list_(place: Place, from_: str | None, as_json: bool) -> None:
    """The standard sets, and the task files (*.task.toml) of this folder. Asks no network."""
    from ..build.task_sources import hub_library, listed, task_files

    sets = listed(place, datasets=from_)
    found = [_shown(path, place.cwd) for path in task_files(place.cwd)]
    if as_json:
        say_json({
            "sets": [
                {"name": s.name, "about": s.about, "repo": s.repo, "licence": s.licence, "parts": s.parts, "here": s.here}
                for s in sets
            ],
            "files": found,
            "hub_library": hub_library(),
        })  # fmt: skip
        return
    table(
        ("set", "here", "from", "what"),
        [[s.name + ("[/PART]" if s.parts else ""), "yes" if s.here else "no", s.repo, s.about] for s in sets],
        whole=("set", "from"),
    )
    say()
    for path in found:
        say(path)
    if not found:
        say("no task files (*.task.toml) here")
    say()
    if not all(s.here for s in sets):
        say(
            "A set that is not here is fetched from the hub when it is used"
            + ("." if hub_library() else ", with: pip install 'demitasse[hub]'.")
            + " Without a hub, name a folder with --from DIR."
        )


@tasks.command()
@click.argument("task")
@click.option(
    "--n", type=click.IntRange(0), default=3, show_default=True, metavar="N", help="So many samples, drawn by --seed."
)
@click.option("--seed", type=int, default=7, show_default=True, metavar="N", help="Draws the samples.")
@click.option("--from", "from_", metavar="DIR", help=_FROM)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def show(place: Place, task: str, n: int, seed: int, from_: str | None, as_json: bool) -> None:
    """TASK as models would be asked it: its form, its source, how many samples of what, and some of them."""
    from ..build.task_sources import find

    found = find(task, place, datasets=from_, seed=seed, told=note)
    told = as_object(found, n, seed)
    if as_json:
        say_json(told)
        return
    _say(found, told)


@tasks.command()
@click.argument("task")
@click.argument("other")
@click.option(
    "--n", type=click.IntRange(1, 100), default=13, show_default=True, metavar="N",
    help="Words in a row that count as the same passage; 8 is usual too.",
)  # fmt: skip
@click.option("--from", "from_", metavar="DIR", help=_FROM)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def overlap(place: Place, task: str, other: str, n: int, from_: str | None, as_json: bool) -> None:
    """How much of TASK stands in OTHER already: rows that a model was trained on, or is to be.

    OTHER is a file (all texts of a row are read; .txt: a text per line) or another task, such as ledger:auto@train.
    """
    from ..build.task_sources import find, texts
    from ..lab.tasks.contamination import overlap as held

    found = held(find(task, place, datasets=from_), texts(other, place, datasets=from_), n)
    if as_json:
        say_json(overlap_object(task, other, found))
        return
    say(
        f"{found.touched:,} of {found.samples:,} samples ({found.share:.1%}) have {n} words in a row in common with one of "
        f"{found.texts:,} texts; {found.mostly:,} of them with most of what they say"
    )
    if found.short or found.unjudged:
        say(
            f"{found.short:,} are shorter than that, and were looked for whole; {found.unjudged:,} have no words of their own"
        )
    for hit in found.examples:
        say(f"  {hit.sample}: {hit.share:.0%}, text {hit.row + 1:,}: … {hit.words} …")


def overlap_object(task: str, other: str, found: Overlap) -> dict[str, Any]:
    """The stable object of ``tasks overlap --json``."""
    return {
        "task": task,
        "other": other,
        "n": found.n,
        "samples": found.samples,
        "texts": found.texts,
        "touched": found.touched,
        "share": round(found.share, 6),
        "mostly": found.mostly,
        "short": found.short,
        "unjudged": found.unjudged,
        "examples": [
            {"sample": hit.sample, "words": hit.words, "row": hit.row, "share": round(hit.share, 6)}
            for hit in found.examples
        ],
    }


def as_object(task: Task, n: int, seed: int) -> dict[str, Any]:
    """The stable object of ``tasks show --json``."""
    from ..lab.scorers.ask import messages
    from ..lab.scorers.registry import OF_FORM
    from ..lab.tasks.task import chosen

    return {
        "name": task.name,
        "hash": task.hash,
        "form": task.form,
        "scorer": task.scorer or OF_FORM[task.form],
        "labels": list(task.labels),
        "max_tokens": task.max_tokens,
        "shots": len(task.shots),
        "source": {
            "name": task.source.name,
            "sha256": task.source.sha256 or None,
            "licence": task.source.licence,
            "split": task.source.split or None,
            "fetched": task.source.fetched or None,
        },
        "samples": len(task.samples),
        "without_target": sum(not s.target for s in task.samples),
        "clusters": len({s.cluster or s.id for s in task.samples}),
        "slices": _counted([s.slice for s in task.samples]),
        "targets": _counted([s.target[0] if s.target else "" for s in task.samples]) if _closed(task) else {},
        "shown": [
            {"id": s.id, "slice": s.slice, "target": list(s.target), "messages": messages(task, s, "free")}
            for s in chosen(task, n, seed=seed).samples
        ],
    }


def _closed(task: Task) -> bool:
    return task.form in ("choice", "label")


def _counted(names: list[str]) -> dict[str, int]:
    """Most first; nothing, where there is but one without a name."""
    counted = Counter(names)
    return {} if set(counted) <= {""} else dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _say(task: Task, told: dict[str, Any]) -> None:
    source = told["source"]
    say(f"{task.name}: {told['samples']:,} samples, {task.form}, scored by {told['scorer']}")
    say(f"hash {task.hash}")
    parts = [
        source["name"],
        source["split"],
        f"licence: {source['licence']}",
        source["fetched"] and f"read {source['fetched']}",
    ]
    say("source " + ", ".join(part for part in parts if part))
    if told["without_target"]:
        say(f"{told['without_target']:,} samples have no target: a judge or a person must say what is right")
    if told["clusters"] < told["samples"]:
        say(f"{told['clusters']:,} clusters of samples that depend on each other")
    for name in ("slices", "targets"):
        if told[name]:
            shown = list(told[name].items())
            rest = f", and {len(shown) - 12} more" if len(shown) > 12 else ""
            say(f"{name}: " + ", ".join(f"{key or '(none)'} {count:,}" for key, count in shown[:12]) + rest)
    for sample in told["shown"]:
        say()
        say(f"── {sample['id']}" + (f" · {sample['slice']}" if sample["slice"] else ""))
        for message in sample["messages"]:
            say(f"{message['role']}: {message['content']}")
        say(f"→ {' | '.join(sample['target']) or '(no target)'}")


def _shown(path: Path, base: Path) -> str:
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)

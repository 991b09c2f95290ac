"""What the pages on evaluations, verdicts, frontiers and made models show, as plain values: the same for HTML and for JSON.

Knows no request and no template. What was asked and answered are texts: whoever may not administer gets figures alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast, get_args

from msgspec import Struct, structs

from ..core.errors import DemitasseError
from . import lab_charts
from .lab_facts import Answer, Axis, Compared, Curve, Evaluation, LabBooks, Only, Pair, Sample, Which

PAGE_ROWS: Final = 50
MARGIN: Final = 0.02
SILENT_US: Final = 15 * 60 * 1_000_000
"""After so long without an answer a run that says it is under way has most likely been killed."""
MOST_SLICES: Final = 200

Asked = Mapping[str, str]
View = Callable[["Look", Asked], dict[str, Any] | None]


class Look(Struct, frozen=True):
    """Who looks, at what, when."""

    lab: LabBooks | None
    """None: nothing is evaluated here."""
    may_see: bool
    """Texts."""
    now_us: int


class LabPage(Struct, frozen=True):
    """A page of the lab: ``view`` is given what the path and the query say; None is a page that is not there."""

    path: str
    title: str
    template: str
    view: View
    here: str
    missing: str = ""


class Group(Struct, frozen=True):
    """A task's evaluations: those under way, then the best first."""

    task: str
    runs: tuple[Evaluation, ...]
    slices: int

    @property
    def comparable(self) -> bool:
        return sum(run.readable for run in self.runs) > 1


def evaluations(look: Look, asked: Asked) -> dict[str, Any]:
    """``task``: of one alone; ``aside``: with those that were begun anew."""
    found = look.lab.evaluations() if look.lab is not None else ()
    aside = asked.get("aside") == "1"
    shown = [one for one in found if aside or not one.aside]
    task = asked.get("task", "")
    groups = [group for group in _groups(shown) if task in ("", group.task)]
    return {
        "groups": groups,
        "tasks": [group.task for group in _groups(shown)],
        "task": task,
        "aside": aside,
        "aside_count": sum(one.aside for one in found),
        "now_us": look.now_us,
        "silent": {one.id: _silent(one, look.now_us) for one in shown if one.state == "running"},
    }


def progress(look: Look, asked: Asked) -> dict[str, Any] | None:
    """How far one has come; ``over``: there is nothing more to wait for."""
    one = look.lab.evaluation(asked["id"]) if look.lab is not None else None
    if one is None:
        return None
    return {"run": one, "over": one.state != "running", "silent": _silent(one, look.now_us), "now_us": look.now_us}


def evaluation(look: Look, asked: Asked) -> dict[str, Any] | None:
    """One, with a page of its samples: ``only`` (wrong, unreadable, unscored), ``slice``, ``after`` (a place)."""
    lab = look.lab
    one = lab.evaluation(asked["id"]) if lab is not None else None
    if one is None or lab is None:
        return None
    only, part, after = _one_of(Only, asked.get("only", "")), asked.get("slice"), _place(asked.get("after", ""))
    found = lab.samples(one.id, after=after, count=PAGE_ROWS, only=cast("Only", only), slice=part or None)
    slices = sorted(one.summary.slices.items()) if one.summary is not None else []
    return {
        "run": one,
        "silent": _silent(one, look.now_us),
        "samples": None if found is None else [_seen(row, look) for row in found.rows],
        "next": found.next if found is not None else None,
        "first_page": not after,
        "only": only,
        "slice": part or "",
        "slices": slices[:MOST_SLICES],
        "more_slices": max(0, len(slices) - MOST_SLICES),
        "may_see": look.may_see,
        "now_us": look.now_us,
    }


def sample(look: Look, asked: Asked) -> dict[str, Any] | None:
    """One answer with all that was put."""
    lab = look.lab
    run = lab.evaluation(asked["id"]) if lab is not None else None
    row = lab.sample(asked["id"], _place(asked["at"], missing=-1)) if lab is not None else None
    if run is None or row is None:
        return None
    return {"run": run, "row": _seen(row, look), "may_see": look.may_see}


def compare(look: Look, asked: Asked) -> dict[str, Any]:
    """``a`` against ``b`` by ``margin`` (in points); ``which`` pairs, ``after`` so many of them."""
    found = look.lab.evaluations() if look.lab is not None else ()
    a, b, which = asked.get("a", ""), asked.get("b", ""), _one_of(Which, asked.get("which", ""))
    points, error = _margin(asked.get("margin", ""))
    after = _place(asked.get("after", ""))
    told: Compared | None = None
    if look.lab is not None and a and b and not error:
        if a == b:
            error = "these are the same evaluation; choose another one to hold it against"
        else:
            try:
                told = look.lab.compare(
                    a, b, margin=points / 100, which=cast("Which", which), after=after, count=PAGE_ROWS
                )
            except DemitasseError as why:
                error = str(why)
            if told is None and not error:
                known = {one.id for one in found}
                gone = next((id for id in (a, b) if id not in known), a)
                error = f"there is no evaluation '{gone[:80]}' that can be read; choose one of the list"
    return {
        "a": a,
        "b": b,
        "margin": points,
        "which": which,
        "error": error,
        "runs": {group.task: [run for run in group.runs if run.readable] for group in _groups(found)},
        "comparison": told.comparison if told is not None else None,
        "words": told.words if told is not None else "",
        "notes": told.notes if told is not None else (),
        "counts": told.counts if told is not None else {},
        "graded": told is not None and _graded(told),
        "pairs": [_both(pair, look) for pair in told.pairs] if told is not None else [],
        "next": told.next if told is not None else None,
        "after": after,
        "may_see": look.may_see,
    }


def frontier(look: Look, asked: Asked) -> dict[str, Any]:
    """``task`` (the newest, where none is named), ``axis``, ``worth`` of a point in the axis' unit."""
    tasks = _finished(look)
    task = asked.get("task", "") or (tasks[0] if tasks else "")
    axis = cast("Axis", _one_of(Axis, asked.get("axis", "")) or "money")
    worth, error = _worth(asked.get("worth", ""))
    curve: Curve | None = None
    if look.lab is not None and task and not error:
        try:
            curve = look.lab.curve(task, axis, worth)
        except DemitasseError as why:
            error = str(why)
        if curve is None and not error:
            error = f"no finished evaluation of a task '{task[:80]}'; choose one of the list"
    return {
        "tasks": tasks,
        "task": task,
        "axis": axis,
        "axes": get_args(Axis),
        "worth": asked.get("worth", "") if worth is not None else "",
        "error": error,
        "curve": curve,
        "chart": lab_charts.frontier(curve.found) if curve is not None else None,
    }


def quality_costs(look: Look, _asked: Asked) -> dict[str, Any]:
    """The newest task's frontier, small."""
    told = frontier(look, {})
    curve: Curve | None = told["curve"]
    return {**told, "chart": lab_charts.frontier(curve.found, small=True) if curve is not None else None}


def made(look: Look, asked: Asked) -> dict[str, Any] | None:
    """One model's card."""
    found = look.lab.made_one(asked["name"]) if look.lab is not None else None
    if found is None:
        return None
    return {"made": found, "chart": lab_charts.learning(found.curve) if len(found.curve) > 1 else None}


PAGES: tuple[LabPage, ...] = (
    LabPage("/evaluations", "Evaluations", "evaluations.html", evaluations, "/evaluations"),
    LabPage("/evaluations/compare", "Compare", "compare.html", compare, "/evaluations"),
    LabPage("/frontier", "What quality costs", "frontier.html", frontier, "/evaluations"),
    LabPage(
        "/evaluations/{id}", "Evaluation", "evaluation.html", evaluation, "/evaluations",
        "there is no evaluation '{id}'; those that there are stand on the page of evaluations",
    ),
    LabPage(
        "/evaluations/{id}/samples/{at}", "Sample", "sample.html", sample, "/evaluations",
        "there is no such sample of '{id}' any more; open it from the page of its evaluation",
    ),
    LabPage(
        "/models/made/{name}", "Made model", "made.html", made, "/engines",
        "there is no made model '{name}'; those that there are stand on the page of models",
    ),
)  # fmt: skip
"""In the order in which paths are matched."""

PARTS: tuple[LabPage, ...] = (
    LabPage("/parts/evaluations/{id}", "", "parts/progress.html", progress, ""),
    LabPage("/parts/frontier", "", "parts/quality_costs.html", quality_costs, ""),
)


def _groups(found: Sequence[Evaluation]) -> list[Group]:
    """By task, the one with the newest evaluation first."""
    by_task: dict[str, list[Evaluation]] = {}
    for one in found:
        by_task.setdefault(one.task, []).append(one)
    return [
        Group(
            task,
            tuple(sorted(runs, key=_rank)),
            max((len(run.summary.slices) for run in runs if run.summary is not None), default=0),
        )
        for task, runs in by_task.items()
    ]


def _rank(run: Evaluation) -> tuple[bool, float, int]:
    quality = run.summary.quality if run.summary is not None else None
    return run.state != "running", -(quality if quality is not None else -1.0), -run.began_us


def _finished(look: Look) -> list[str]:
    found = look.lab.evaluations() if look.lab is not None else ()
    return list(dict.fromkeys(one.task for one in found if one.state == "complete" and one.readable and not one.aside))


def _silent(run: Evaluation, now_us: int) -> bool:
    return run.state == "running" and now_us - (run.last_us or run.began_us) > SILENT_US


def _graded(told: Compared) -> bool:
    """Some scores lie between right and wrong."""
    table = told.comparison["table"]
    return bool(sum(table.values()) != told.comparison["n"] - told.comparison["unscored"])


def _seen(row: Sample, look: Look) -> Sample:
    return row if look.may_see else structs.replace(row, asked=(), target=(), text="", said="", why="")


def _both(pair: Pair, look: Look) -> Pair:
    if look.may_see:
        return pair
    return structs.replace(pair, a=_bare(pair.a), b=_bare(pair.b), question="", target=())


def _bare(answer: Answer) -> Answer:
    return structs.replace(answer, text="", said="", why="")


def _one_of(words: Any, asked: str) -> str:
    return asked if asked in get_args(words) else ""


def _place(asked: str, *, missing: int = 0) -> int:
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 15 else missing


def _margin(asked: str) -> tuple[float, str]:
    """In points."""
    number = _number(asked)
    if not asked:
        return 100 * MARGIN, ""
    if number is None or not 0 <= number < 100:
        return 100 * MARGIN, f"a margin is a number of points from 0 to below 100, like 2, not '{asked[:40]}'"
    return number, ""


def _worth(asked: str) -> tuple[float | None, str]:
    number = _number(asked)
    if not asked:
        return None, ""
    if number is None or not 0 < number < 1e12:
        return None, f"what a point is worth is a number above 0, like 0.5, not '{asked[:40]}'"
    return number, ""


def _number(asked: str) -> float | None:
    try:
        return float(asked)
    except ValueError:
        return None

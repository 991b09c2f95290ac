"""The pack as pages that open offline and print: an index with the control table, a page for each document, one for each card.

Pure: rows, documents and cards in, HTML out. Everything stands in the page itself; no script, no font, no address is fetched.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .cards import KINDS, ModelCard, as_json, file_name, lacking
from .controls import Row, Status
from .words import label, worded

if TYPE_CHECKING:
    from jinja2 import Environment

TITLES: Final[dict[str, str]] = {
    "certificates": "Certificates of quality",
    "evaluations": "Evaluations",
    "inventory": "Inventory",
    "licences": "Licences",
    "deactivations": "Taken out of use",
    "providers": "Providers",
    "failover": "Fail-over",
    "guard": "Personal data and secrets",
    "grounding": "Grounding of answers",
    "security": "Security",
    "history": "History that cannot be rewritten",
    "bias": "Bias",
    "energy": "Energy and emissions",
    "incidents": "Alerts and what is watched",
    "retention": "How long records are kept",
    "marking": "Marking of answers",
    "report": "Calls and money",
}
MARKS: Final[dict[Status, str]] = {"evidenced": "●", "partial": "◐", "organisational": "○"}
MOST_ROWS: Final = 400
"""Of one table on a page; the JSON beside it has them all."""


def pages(
    rows: Sequence[Row],
    documents: Mapping[str, Mapping[str, Any]],
    cards: Sequence[ModelCard],
    head: Mapping[str, Any],
    removed: Mapping[str, int],
    *,
    rows_export: bool = False,
) -> dict[str, bytes]:
    """Every HTML file of a pack, by name."""
    frameworks: dict[str, list[Row]] = {}
    for row in rows:
        frameworks.setdefault(row.framework, []).append(row)
    common = {"head": head, "marks": MARKS, "titles": TITLES}
    listed = [(file_name(card.name), card) for card in cards]
    found = {
        "index.html": _html(
            "index.html",
            **common,
            frameworks=frameworks,
            documents={name: documents[name] for name in TITLES if name in documents},
            cards=listed,
            missing=_missing(rows),
            removed=removed,
            rows_export=rows_export,
        ),
        "cards.html": _html("cards.html", **common, cards=listed, kinds=KINDS),
    }
    for name, document in documents.items():
        found[f"{name}.html"] = _html("document.html", **common, name=name, document=worded(document), up="")
    for file, card in listed:
        told = as_json(card)
        found[f"cards/{file}.html"] = _html(
            "card.html", **common, card=card, told=told, file=file, kinds=KINDS, up="../"
        )
    return found


def _missing(rows: Sequence[Row]) -> list[tuple[str, str, list[str]]]:
    """What would make each proof that is missing, with the rows that wait for it; the one that most rows wait for first."""
    waiting: dict[str, tuple[str, list[str]]] = {}
    for row in rows:
        for proof in row.missing:
            waiting.setdefault(proof.title, (proof.make, []))[1].append(row.id)
    return [
        (title, make, ids) for title, (make, ids) in sorted(waiting.items(), key=lambda one: (-len(one[1][1]), one[0]))
    ]


def _html(template: str, **values: Any) -> bytes:
    return environment().get_template(template).render(**values).encode()


@cache
def environment() -> Environment:
    """Templates, and how values look in them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - whoever makes no pack pays nothing

    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters.update(
        {
            "plain": plain,
            "label": label,
            "columns": columns,
            "day": day,
            "html_name": _html_name,
            "shape": shape,
            "brief": brief,
        }
    )
    env.globals.update(most_rows=MOST_ROWS, lacking=lacking)
    return env


def brief(value: Any) -> bool:
    """Whether an object is short enough for one line."""
    return isinstance(value, Mapping) and all(shape(one) in ("plain", "list") for one in value.values())


def shape(value: Any) -> str:
    """How a JSON value is drawn: ``table``, ``list``, ``pairs`` or ``plain``."""
    if isinstance(value, Mapping):
        return "pairs" if value else "plain"
    if isinstance(value, list | tuple) and value:
        return "table" if all(isinstance(one, Mapping) for one in value) else "list"
    return "plain"


def plain(value: Any) -> str:
    """A value for people. None is unknown, never zero."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{Decimal(f'{value:.4g}'):f}"
    if isinstance(value, list | tuple):
        span = len(value) == 2 and all(isinstance(one, int | float) for one in value)
        return (" to " if span else ", ").join(plain(one) for one in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{label(name)} {plain(one)}" for name, one in value.items()) or "none"
    return str(value)


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All members of a list's objects that any of them fills, in the order of their first coming."""
    found = dict.fromkeys(name for row in rows for name in row)
    return [name for name in found if any(row.get(name) not in (None, "", [], {}) for row in rows)]


def day(text: str) -> str:
    """``2026-11-21T12:03:11Z`` → ``21 Nov 2026``."""
    try:
        return f"{dt.datetime.fromisoformat(text):%-d %b %Y}"
    except ValueError:
        return text


def _html_name(file: str) -> str:
    """The page that shows a file of the pack; of the bill of materials there is none."""
    return file if file == "bom.json" else re.sub(r"\.json$", ".html", file)

"""The report out of the house: as text, Markdown and CSV. FOCUS has a module of its own. Pure: figures in, text out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from ..core.call import BUCKETS
from ..core.ledger import Books, Bucket
from .energy import METHOD_TEXTS, EnergySum
from .render import carbon_to, energy_to, money, percent
from .report import HOUR_US, Report, Slice, iso
from .savings import CAUSES

CSV_COLUMNS: tuple[str, ...] = (
    *("day", "key", "team", "model", "route", "outcome", "cache", "requests"),
    *("paid_usd", "baseline_usd", "saved_usd", "unpriced", "estimated", "attempts", "joined"),
    *(f"saved_{facts.cause}_usd" for facts in CAUSES),
    *(f"{name}_tokens" for name in BUCKETS),
)
_DIMENSIONS = ("day", "key", "team", "model", "route", "outcome", "cache")
Row = tuple[str, ...]


def as_text(report: Report) -> str:
    """For a terminal or a mail: what the dashboard's first screen says, in the same order."""
    figures = _figures(report)
    width = max(len(name) for name, _, _ in figures)
    lines = [_stretch(report), ""]
    lines += [f"  {name.ljust(width)}  {value:>12}  {remark}".rstrip() for name, value, remark in figures]
    lines += ["", *(f"  {name.ljust(9)}  {text}" for name, text in _remarks(report)), ""]
    for title, slices in (("by key", report.by_key), ("by model", report.by_model), ("by day", report.by_day)):
        if slices:
            lines += [*_aligned((title, *_SLICE_COLUMNS), [_slice(s) for s in slices]), ""]
    return "\n".join(lines)


def as_markdown(report: Report) -> str:
    """The same for a document."""
    lines = [f"# {_stretch(report)}", "", "| | | |", "| --- | ---: | --- |"]
    lines += [f"| {name.strip()} | {value} | {remark} |" for name, value, remark in _figures(report)]
    lines += ["", *(f"- **{name}**: {text}" for name, text in _remarks(report))]
    for title, slices in (("key", report.by_key), ("model", report.by_model), ("day", report.by_day)):
        if slices:
            columns = (title, *_SLICE_COLUMNS)
            lines += ["", "| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(_SLICE_COLUMNS)]
            lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in _slice(s)) + " |" for s in slices]
    return "\n".join(lines) + "\n"


def as_csv(books: Books, since_us: int, until_us: int) -> str:
    """One row per day, key, team, model, route, outcome and cache tier, from the roll-ups; dollars with nine decimals.

    ``paid_usd`` and ``baseline_usd`` are of priced calls; a row whose calls all lack a price leaves them empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in books.buckets(since_us, until_us, _DIMENSIONS):
        writer.writerow(_csv_row(row))
    return out.getvalue()


def _csv_row(row: Bucket) -> list[str]:
    saved = [getattr(row, facts.field) for facts in CAUSES]
    priced = row.cost_nanos or row.unpriced < row.requests
    return [
        iso((row.hour or 0) * HOUR_US)[:10],
        *(getattr(row, name) or "" for name in _DIMENSIONS[1:]),
        str(row.requests),
        *([_usd9(row.cost_nanos), _usd9(row.cost_nanos + sum(saved))] if priced else ["", ""]),
        _usd9(sum(saved)),
        *(str(n) for n in (row.unpriced, row.estimated, row.attempts, row.joined)),
        *(_usd9(n) for n in saved),
        *(str(getattr(row, name)) for name in BUCKETS),
    ]


def _usd9(nanos: int) -> str:
    return f"{'-' if nanos < 0 else ''}{abs(nanos) // 10**9}.{abs(nanos) % 10**9:09d}"


def _stretch(report: Report) -> str:
    return f"Demitasse, {iso(report.since_us)[:16]} to {iso(min(report.until_us, report.now_us))[:16]} UTC"


def _figures(report: Report) -> list[tuple[str, str, str]]:
    """Name, amount and remark; a saving's causes are indented below it."""
    interval = f"[{money(report.saved_low_nanos)}, {money(report.saved_high_nanos)}]"
    share = "" if report.saved_share is None else f"{percent(report.saved_share)}, "
    return [
        ("would have cost", money(report.baseline_nanos), "what the same calls would have cost without Demitasse"),
        ("paid", money(report.paid_nanos), _of_it(report)),
        ("saved", money(report.saved_nanos), f"{interval} {share}grade {report.grade}"),
        *((f"  {s.label}", money(s.nanos), f"{s.grade} · {s.why}") for s in report.savings if s.nanos),
        ("held", money(report.held_nanos), "set aside for calls under way"),
    ]


def _of_it(report: Report) -> str:
    lab = f", evaluations {money(report.lab_nanos)}" if report.lab_nanos else ""
    return f"of it our own cost {money(report.own_nanos)}{lab}"


def _remarks(report: Report) -> list[tuple[str, str]]:
    remarks = [("quality", report.quality)]
    remarks += [("energy", energy_text(e)) for e in report.energy]
    if report.energy_lacking:
        remarks.append(("energy", f"of hosted models {report.energy_lacking}"))
    elif not report.energy:
        remarks.append(("energy", "not known: no local model was used"))
    remarks.append(("calls", _calls(report)))
    if report.unpriced:
        calls = "1 call has" if report.unpriced == 1 else f"{report.unpriced:,} calls have"
        remarks.append(("unpriced", f"{calls} no known price and no part in these sums: set [models.NAME] price"))
    if report.estimated:
        rows = "1 row" if report.estimated == 1 else f"{report.estimated:,} rows"
        remarks.append(("estimated", f"{rows}; set right with: demitasse reconcile --apply FILE"))
    if report.forecast is not None:
        made = f"{money(report.forecast.nanos)} ± {money(report.forecast.plus_minus_nanos)}"
        remarks.append(("forecast", f"{made} this month, by the last {report.forecast.days} whole days"))
    return remarks


def energy_text(sum: EnergySum) -> str:
    """``3 Wh to 9 Wh (modelled), 0.14 g to 4.3 g CO2e``."""
    covered = "" if sum.calls is None else f" of {sum.calls:,} {'call' if sum.calls == 1 else 'calls'} elsewhere"
    used, emitted = energy_to(sum.low_uj, sum.high_uj), carbon_to(*sum.carbon_mg)
    return f"{used} ({METHOD_TEXTS[sum.method]}{covered}), {emitted} CO2e"


def _calls(report: Report) -> str:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in report.outcomes.items())
    hits = [f"{count:,} {name}" for name, count in report.caches.items() if name not in {"off", "miss"}]
    parts = [f"{report.requests:,}" + (f" ({outcomes})" if outcomes else "")]
    parts += [f"from the cache: {', '.join(hits)}"] if hits else []
    parts += [f"{report.joined:,} retries joined"] if report.joined else []
    return " · ".join(parts)


_SLICE_COLUMNS = ("calls", "tokens in", "tokens out", "would have cost", "paid", "saved")


def _slice(s: Slice) -> Row:
    figures = (f"{s.requests:,}", f"{s.tokens_in:,}", f"{s.tokens_out:,}")
    return (_name(s), *figures, money(s.baseline_nanos), money(s.paid_nanos), money(s.saved_nanos))


def _name(s: Slice) -> str:
    return (s.name[:10] if s.at_us is not None else s.name) or "(none)"


def _aligned(columns: Sequence[str], rows: Iterable[Row]) -> list[str]:
    cells = [tuple(columns), *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = []
    for row in cells:
        first, *rest = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  " + "  ".join([first, *rest]))
    return lines

"""A bill that one can read: what each key asked, what answered, what it would have cost, and why it cost less.

Figures come from the books alone; nothing here is computed a second way. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.call import BUCKETS, Usage
from ..core.ledger import Books, Bucket
from ..core.limits import Spent
from ..core.money import usd
from ..core.price import Card, cost
from ..web.export import energy_text
from ..web.render import money, percent
from ..web.report import Report, add_up
from ..web.savings import CAUSES

COLUMNS = (
    "key",
    "calls",
    "model",
    "cache",
    "refused",
    "tokens in",
    "tokens out",
    "would have cost",
    "paid",
    "saved",
    "by",
)
FIGURES = COLUMNS[1:10]
FROM_CACHE = frozenset({"exact", "coalesced", "semantic"})


class KeyBill(NamedTuple):
    """One key's sums."""

    key: str
    sums: Bucket
    by_model: int
    """Calls that a model answered."""
    by_cache: int
    refused: int

    @property
    def saved_nanos(self) -> int:
        return sum(getattr(self.sums, facts.field) for facts in CAUSES)

    @property
    def causes(self) -> list[tuple[str, int]]:
        """What saved something, the largest first."""
        found = [(facts.label, getattr(self.sums, facts.field)) for facts in CAUSES]
        return sorted(((label, nanos) for label, nanos in found if nanos), key=lambda item: -item[1])


def key_bills(books: Books, since_us: int, until_us: int) -> list[KeyBill]:
    """One for each key that called, the dearest first."""
    rows: dict[str, list[Bucket]] = {}
    for row in books.buckets(since_us, until_us, ("key", "cache", "outcome")):
        rows.setdefault(row.key or "", []).append(row)
    bills = [
        KeyBill(
            key,
            add_up(parts),
            by_model=sum(p.requests for p in parts if p.outcome == "answered" and p.cache not in FROM_CACHE),
            by_cache=sum(p.requests for p in parts if p.outcome == "answered" and p.cache in FROM_CACHE),
            refused=sum(p.requests for p in parts if p.outcome == "refused"),
        )
        for key, parts in rows.items()
    ]
    return sorted(bills, key=lambda b: (-b.sums.cost_nanos, b.key))


def bill_rows(bills: Sequence[KeyBill]) -> list[tuple[str, ...]]:
    """The table's rows, with a total; columns as ``COLUMNS``."""
    rows = [_row(b.key, b) for b in bills]
    if len(bills) > 1:
        whole = KeyBill(
            "total",
            add_up([b.sums for b in bills]),
            by_model=sum(b.by_model for b in bills),
            by_cache=sum(b.by_cache for b in bills),
            refused=sum(b.refused for b in bills),
        )
        rows.append(_row("total", whole))
    return rows


def _row(name: str, bill: KeyBill) -> tuple[str, ...]:
    sums, saved = bill.sums, bill.saved_nanos
    tokens_in = sum(getattr(sums, b) for b in BUCKETS if not b.endswith("_out"))
    tokens_out = sum(getattr(sums, b) for b in BUCKETS if b.endswith("_out"))
    return (
        name,
        f"{sums.requests:,}",
        f"{bill.by_model:,}",
        f"{bill.by_cache:,}",
        f"{bill.refused:,}",
        f"{tokens_in:,}",
        f"{tokens_out:,}",
        money(sums.cost_nanos + saved),
        money(sums.cost_nanos),
        money(saved),
        ", ".join(f"{label} {money(nanos)}" for label, nanos in bill.causes) or "-",
    )


def summary_lines(report: Report, spent: Sequence[Spent]) -> list[str]:
    """What was saved and why, energy, budgets: each figure with its grade or method."""
    lines = []
    if report.baseline_nanos:
        lines.append(
            f"saved     {money(report.saved_nanos)} of {money(report.baseline_nanos)} "
            f"({percent(report.saved_share)}), grade {report.grade}"
        )
    lines += [f"          {money(s.nanos)} by {s.label}: {s.why}" for s in report.savings if s.nanos]
    lines.append(f"quality   {report.quality}")
    lines += [f"energy    {energy_text(e)}" for e in report.energy]
    for each in spent:
        if each.budget.limit_nanos is not None:
            whose = "" if each.budget.scope == "total" else f" for {each.budget.scope} '{each.budget.subject}'"
            used = f"{money(each.settled_nanos)} of {money(each.budget.limit_nanos)}"
            lines.append(f"budget    {each.budget.name}{whose}: {used}, never more")
    return lines


def comparison_line(report: Report, card: Card | None, at_us: int) -> str | None:
    """The paid tokens at a hosted model's price: for comparison only, since another model writes another answer."""
    usage = Usage(**report.tokens)
    if card is None or not usage.total_in:
        return None
    nanos = cost(card, usage, at_us=at_us)
    if nanos is None:
        return None
    return f"for comparison (C): the same {usage.total_in + usage.total_out:,} tokens at {card.id}: {money(nanos)}"


def bill_json(bills: Sequence[KeyBill]) -> list[dict[str, Any]]:
    """The table for programs."""
    return [
        {
            "key": b.key,
            "requests": b.sums.requests,
            "by_model": b.by_model,
            "by_cache": b.by_cache,
            "refused": b.refused,
            "usage": {name: getattr(b.sums, name) for name in BUCKETS},
            "baseline_usd": usd(b.sums.cost_nanos + b.saved_nanos),
            "paid_usd": usd(b.sums.cost_nanos),
            "saved_usd": usd(b.saved_nanos),
            "saved_by_cause": {facts.cause: usd(getattr(b.sums, facts.field)) for facts in CAUSES},
        }
        for b in bills
    ]

"""What the evidence comes to, route by route: how many labels from where, how good the cheaper answers were, what it cost.

For `demitasse labels`. Knows labels and sums; promises nothing, that is a certificate's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..core.evidence import OWN_KEY, EvidenceBooks, Label
from ..core.ledger import Books
from ..core.money import usd
from ..stats.intervals import wilson
from .review import agreements


def summary(
    evidence: EvidenceBooks, books: Books, until_us: int, *, route: str | None = None, since_us: int = 0
) -> dict[str, Any]:
    """The object of ``labels --json``: calls in [since_us, until_us); own cost by whole hours."""
    by_route: dict[str, list[Label]] = {}
    for label in evidence.labels(route=route, since_us=since_us, until_us=until_us):
        by_route.setdefault(label.route, []).append(label)
    costs = _own_costs(books, since_us, until_us)
    names = sorted(by_route.keys() | {name for name in costs if route in (None, name)})
    return {
        "routes": [_route(name, by_route.get(name, []), costs.get(name, 0)) for name in names],
        "agreement": [_agreement(row) for row in agreements(evidence)],
    }


def _route(name: str, labels: list[Label], own_nanos: int) -> dict[str, Any]:
    drawn = [label for label in labels if label.source == "shadow"]
    people = {
        (label.id, answer.model): answer.score
        for label in labels
        if label.source == "vote"
        for answer in label.others
        if answer.score is not None
    }
    scores: dict[str, list[float | None]] = {}
    for label in drawn:
        for answer in label.others:
            scores.setdefault(answer.model, []).append(people.get((label.id, answer.model), answer.score))
    return {
        "route": name,
        "drawn": len(drawn),
        "sources": dict(Counter(label.source for label in labels)),
        "methods": dict(Counter(label.method or "undecided" for label in drawn).most_common()),
        "models": [_model(model, found) for model, found in sorted(scores.items())],
        "feedback": _feedback(label for label in labels if label.source == "feedback"),
        "grounding": _feedback(label for label in labels if label.source == "grounding"),
        "since_us": labels[0].at_us if labels else None,
        "until_us": labels[-1].at_us if labels else None,
        "own_usd": float(usd(own_nanos)),
    }


def _model(name: str, scores: list[float | None]) -> dict[str, Any]:
    known = [score for score in scores if score is not None]
    low, high = wilson(sum(known), len(known))
    return {
        "model": name,
        "labels": len(scores),
        "judged": len(known),
        "as_good": sum(known) / len(known) if known else None,
        "interval": [low, high],
    }


def _feedback(labels: Iterable[Label]) -> list[dict[str, Any]]:
    said: dict[tuple[str, str], list[float]] = {}
    for label in labels:
        for answer in (label.reference, *label.others):
            if answer is not None and answer.score is not None:
                at = (answer.model, label.method.partition(":")[2])
                said.setdefault(at, []).append(answer.score)
    return [
        {"model": model, "label": name, "n": len(found), "mean": sum(found) / len(found)}
        for (model, name), found in sorted(said.items())
    ]


def _agreement(row: dict[str, Any]) -> dict[str, Any]:
    fields = {name: row[name] for name in ("who", "n", "agreed", "share")}
    return fields | {"interval": [row["low"], row["high"]], "kappa": row["kappa"]}


def _own_costs(books: Books, since_us: int, until_us: int) -> dict[str, int]:
    costs: dict[str, int] = {}
    for bucket in books.buckets(since_us, until_us, ("key", "route")):
        if bucket.key == OWN_KEY and bucket.route is not None:
            costs[bucket.route] = costs.get(bucket.route, 0) + bucket.cost_nanos
    return costs

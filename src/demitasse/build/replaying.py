"""The past of one data folder under another policy: reads books, evidence and kept bodies, and hands them to the lab.

Writes nothing and asks no model, so that it may run beside a gateway as often as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from ..core.entry import Entry
from ..core.evidence import EvidenceBooks
from ..core.ledger import Books
from ..core.money import usd
from ..core.policy import Policy
from ..core.price import Card, cost
from ..lab.replay import Estimate, Part, Replayed, Scorer, replay
from ..providers.recorded import Recording
from ..wire.text import question

PAGE = 2_000
MOST_CALLS = 1_000_000
"""Newest first; what lies before is left out, and said."""

Recordings = Callable[[str], Recording | None]
"""The kept bodies of an entry; None where none are kept."""


def replay_past(
    books: Books,
    evidence: EvidenceBooks,
    policy: Policy,
    *,
    since_us: int,
    until_us: int,
    cards: Mapping[str, Card],
    recordings: Recordings | None = None,
    most: int | None = None,
) -> Replayed:
    """What ``policy`` would have done with its route's calls in [since_us, until_us).

    Args:
        cards: the price of each model under our name of it.
        most: calls that are looked at, the newest; None: a million.
        recordings: kept bodies, from which prompts that no label tells of are scored.
    """
    scorer = _scorer(policy)

    def price(entry: Entry, model: str) -> int | None:
        card = cards.get(model)
        return None if card is None or entry.usage is None else cost(card, entry.usage, at_us=entry.at_us)

    return replay(
        islice(entries_between(books, since_us, until_us, policy.route), most),
        evidence.labels(route=policy.route, since_us=since_us, until_us=until_us),
        policy,
        scorer=scorer,
        price=price,
        features=lambda entry: _features(entry, recordings) if scorer is not None and recordings is not None else (),
    )


def cards_by_name(entries: Iterator[Entry], cards: Callable[[str], Card | None]) -> dict[str, Card]:
    """The card that each model was last billed by."""
    found: dict[str, Card] = {}
    for entry in entries:
        for attempt in entry.attempts:
            if attempt.model not in found and attempt.card and (card := cards(attempt.card)) is not None:
                found[attempt.model] = card
    return found


def as_json(done: Replayed, since_us: int, until_us: int) -> dict[str, Any]:
    """The stable, documented object of ``demitasse replay --json``; null is unknown, never zero."""
    return {
        "route": done.route,
        "policy": done.policy,
        "since_us": since_us,
        "until_us": until_us,
        **_part_json(done.total),
        "slices": [{"name": part.name, **_part_json(part)} for part in done.slices],
        "worst": [
            {
                "id": worse.id,
                "slice": worse.slice,
                "chance": round(worse.chance, 4),
                "compared": worse.known,
                "cheap": worse.cheap_entry or None,
                "reference": worse.reference_entry or None,
            }
            for worse in done.worst
        ],
    }


def _part_json(part: Part) -> dict[str, Any]:
    return {
        "calls": part.calls,
        "exact": part.exact,
        "estimated": part.estimated,
        "modelled": part.modelled,
        "unpriced": part.unpriced,
        "paid_usd": usd(part.paid_nanos),
        "would_usd": _estimate_json(part.would_nanos, 1e-9),
        "quality": None if part.quality is None else _estimate_json(part.quality, 1.0),
        "cheap_share": part.cheap_share,
    }


def _estimate_json(found: Estimate, unit: float) -> dict[str, Any]:
    return {
        "estimate": round(found.value * unit, 9),
        "interval": [round(found.low * unit, 9), round(found.high * unit, 9)],
        "grade": found.grade,
    }


def entries_between(books: Books, since_us: int, until_us: int, route: str | None = None) -> Iterator[Entry]:
    """A stretch's entries, newest first, a page at a time."""
    before = None
    for _ in range(MOST_CALLS // PAGE):
        rows = books.entries(last=PAGE, before=before, since_us=since_us, route=route)
        yield from (entry for _, entry in rows if entry.at_us < until_us)
        if len(rows) < PAGE:
            return
        before = rows[-1][0]


def _scorer(policy: Policy) -> Scorer | None:
    if bytes(policy.scorer) in (b"", b"null"):
        return None
    from ..score.scorer import load  # noqa: PLC0415 - numpy, and only where something was learned

    return load(policy.scorer)


def _features(entry: Entry, recordings: Recordings) -> tuple[float, ...]:
    found = recordings(entry.body_ref) if entry.body_ref else None
    if found is None:
        return ()
    from ..score.features import features  # noqa: PLC0415 - the same

    return features(question(bytes(found.request)))

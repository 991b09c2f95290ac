"""What must hold between what clients saw, what the ledger says and what the provider served.

Each check returns sentences, one per breach; an empty list is what everybody hopes for. Prices are the plan's own, so
nothing here trusts the gateway's arithmetic.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from demitasse.core.entry import Entry
from demitasse.store.books import SqliteBooks
from demitasse.store.changes import Correction
from demitasse.store.settings import Settings
from demitasse.testing.mock import Served

from .players import Seen

INPUT_NANOS, OUTPUT_NANOS = 1_250, 10_000
"""Per token: 1.25 and 10 USD a million."""
EVER = 2**62


def price(prompt_tokens: int, completion_tokens: int) -> int:
    return prompt_tokens * INPUT_NANOS + completion_tokens * OUTPUT_NANOS


def call_of(request_id: str | None) -> str:
    """The call that a try belongs to: the request id without its last part."""
    return (request_id or "").rpartition(".")[0]


def check(data: Path, seen: Sequence[Seen], served: Sequence[Served], answers: dict[str, str]) -> list[str]:
    """All checks after recovery; corrects the books in ``data`` on the way, as an invoice would."""
    books = SqliteBooks(data)
    entries = [entry for _, entry in books.entries(last=10**9)]
    found = [
        *nothing_is_held(books),
        *ids_are_unique(entries),
        *answers_are_booked(seen, entries),
        *answers_are_their_own(seen, answers),
        *refusals_cost_nothing(seen, served),
        *costs_are_prices(entries),
        *budgets_are_sums(books, entries),
        *the_chain_holds(data),
    ]
    corrections, breaches = reconcile(entries, served)
    found += breaches
    if not breaches:
        Settings(data).correct(corrections)
        found += totals_agree(books, served)
    books.close()
    return found


def nothing_is_held(books: SqliteBooks) -> list[str]:
    held = books.held_nanos()
    slots = [s for s in books.spent(0) if s.held_nanos]
    return (
        [f"after recovery {held} nanos are still held ({[(s.budget.name, s.held_nanos) for s in slots]})"]
        if held or slots
        else []
    )


def ids_are_unique(entries: Iterable[Entry]) -> list[str]:
    tries = Counter(entry.request_id for entry in entries)
    return [f"{count} entries for the one request {id}" for id, count in tries.items() if count > 1]


def answers_are_booked(seen: Iterable[Seen], entries: Iterable[Entry]) -> list[str]:
    """Each whole answer that a client got has its entry: its own, or for a retry that joined, that of the call it joined.

    A late retry's being *counted* there may die with the process: it costs nothing, and so nobody waits for its commit.
    """
    by_try = {entry.request_id: entry for entry in entries}
    given = {call_of(id) for id, entry in by_try.items() if entry.outcome == "answered" or "drained" in entry.flags}
    found = []
    for one in seen:
        own = by_try.get(one.request_id)
        booked = one.call in given if own is None else own.outcome == "answered"
        if one.answered and not booked:
            found.append(f"{one.request_id} was answered, but its entry says {own.outcome if own else 'nothing'}")
    return found


def answers_are_their_own(seen: Iterable[Seen], answers: dict[str, str]) -> list[str]:
    return [
        f"{one.request_id} was answered {one.text!r} instead of {answers[one.call]!r}"
        for one in seen
        if one.answered and one.text != answers[one.call]
    ]


def refusals_cost_nothing(seen: Iterable[Seen], served: Iterable[Served]) -> list[str]:
    """A call whose every try was refused by a budget never reached the provider."""
    reached = {record.id for record in served}
    tries = defaultdict(list)
    for one in seen:
        tries[one.call].append(one)
    found = []
    for call, of_call in tries.items():
        refused = [one.code == "insufficient_quota" for one in of_call]
        if all(refused) and call in reached:
            found.append(f"{call} was refused by a budget and reached the provider all the same")
        if not all(one.final for one, no in zip(of_call, refused, strict=True) if no):
            found.append(f"{call} was refused by a budget without x-should-retry: false")
    return found


def costs_are_prices(entries: Iterable[Entry]) -> list[str]:
    found = []
    for entry in entries:
        for attempt in entry.attempts:
            usage = attempt.usage
            if usage is not None and attempt.cost_nanos != price(usage.total_in, usage.total_out):
                found.append(f"{entry.request_id}: an attempt of {usage} costs {attempt.cost_nanos}")
        total = sum(attempt.cost_nanos or 0 for attempt in entry.attempts)
        if entry.outcome != "lost" and entry.cost_nanos != total:
            found.append(f"{entry.request_id}: costs {entry.cost_nanos}, its attempts {total}")
    return found


def budgets_are_sums(books: SqliteBooks, entries: Iterable[Entry]) -> list[str]:
    sums: Counter[str] = Counter()
    for entry in entries:
        for charge in entry.charges:
            sums[charge.budget] += charge.nanos
    return [
        f"budget {spent.budget.name} has settled {spent.settled_nanos}, its entries add up to {sums[spent.budget.name]}"
        for spent in books.spent(0)
        if spent.budget.period == "ever" and spent.settled_nanos != sums[spent.budget.name]
    ]


def the_chain_holds(data: Path) -> list[str]:
    ok, first_wrong = Settings(data).verify()
    return [] if ok else [f"the chain of events breaks at {first_wrong}"]


def reconcile(entries: Iterable[Entry], served: Iterable[Served]) -> tuple[list[Correction], list[str]]:
    """Match attempts with what was served, call by call.

    What the ledger calls measured must be a record of the provider, to the token. What remains of the provider's
    records must belong to entries that say of themselves that they are estimated or lost: these are corrected.
    """
    records: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for record in served:
        if record.prompt_tokens:
            records[record.id].append((record.prompt_tokens, record.completion_tokens))
    of_call: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of_call[call_of(entry.request_id)].append(entry)
    corrections: list[Correction] = []
    found: list[str] = []
    for call in records.keys() | of_call.keys():
        left = Counter(records[call])
        vague: list[tuple[Entry, int]] = []
        for entry in of_call[call]:
            exact = 0
            for attempt in entry.attempts:
                if attempt.usage is None or attempt.estimated:
                    continue
                meter = (attempt.usage.total_in, attempt.usage.total_out)
                if not left[meter]:
                    found.append(f"{entry.request_id}: the ledger says {meter} was served, the provider {dict(left)}")
                left[meter] -= 1
                exact += price(*meter)
            if entry.estimated:
                vague.append((entry, exact))
        rest = sum(price(*meter) * count for meter, count in left.items() if count > 0)
        if rest and not vague:
            outcomes = [(e.request_id, e.outcome, e.error) for e in of_call[call]]
            found.append(f"{call}: the provider served {dict(+left)} more than the ledger has ({outcomes})")
        held = sum(entry.hold_nanos for entry, _ in vague)
        if rest > held:
            found.append(f"{call}: {rest} nanos were spent, only {held} held")
        for entry, exact in vague:
            corrections.append(Correction(entry.id, exact + rest, source="mock"))
            rest = 0
    return corrections, found


def totals_agree(books: SqliteBooks, served: Iterable[Served]) -> list[str]:
    """After the correction the ledger's sum, by rows, by roll-up and by budget, is the provider's to the nano."""
    total = sum(price(record.prompt_tokens, record.completion_tokens) for record in served if record.prompt_tokens)
    sums = {
        "rows": sum(entry.cost_nanos or 0 for _, entry in books.entries(last=10**9)),
        "roll-up": sum(bucket.cost_nanos for bucket in books.buckets(0, EVER)),
        "budget": next(s.settled_nanos for s in books.spent(0) if s.budget.name == "all"),
    }
    return [
        f"the provider served for {total} nanos, the {name} say {sum}" for name, sum in sums.items() if sum != total
    ]

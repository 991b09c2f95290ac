"""The books as FOCUS 1.2, the FinOps Foundation's common format for cost and usage. Pure: entries in, rows out.

One row per hour, key, model and token kind, with the 21 mandatory columns in alphabetical order, then the conditional
ones that apply, then our own (``x_…``). A further row of kind ``request`` carries what belongs to no token: fees per
request, the difference to a cost that the provider reported itself, and the savings, which are never credits. So the
sum of BilledCost is what was paid, to the nano-dollar. Usage without a known price is no charge and is left out; the
caller is told how many calls that were.

Source: FOCUS Specification 1.2, columns of feature level *Mandatory* (focus.finops.org/focus-specification/v1-2).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from ..core.call import BUCKETS
from ..core.entry import Attempt, Entry
from ..core.ledger import Books
from ..core.price import PICO_PER_NANO, Card
from .arithmetic import BUCKET_LABELS, bill
from .report import HOUR_US, month_end_us, month_start_us
from .savings import CAUSES

VERSION = "1.2"
MANDATORY: tuple[str, ...] = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
)
CONDITIONAL: tuple[str, ...] = ("ConsumedQuantity", "ConsumedUnit", "SubAccountId", "SubAccountName")
OWN: tuple[str, ...] = (
    *("x_Key", "x_Team", "x_Model", "x_UpstreamModel", "x_TokenKind", "x_BaselineCost", "x_SavedCost"),
    *("x_Saved" + "".join(part.title() for part in facts.cause.split("_")) for facts in CAUSES),
)
COLUMNS = MANDATORY + CONDITIONAL + OWN
REQUEST = "request"

_PAGE = 1_000
_LONGEST_CALL_US = 24 * HOUR_US
"""Entries stand in the order in which they were closed; no call begins a day before that."""


class _Group(NamedTuple):
    """What makes a row: ``kind`` is a token bucket or ``request``."""

    hour: int
    key: str
    model: str
    kind: str


class _Sums:
    """What a row adds up, and who is behind it: a lost call does not know its provider, the others of its model do."""

    __slots__ = ("nanos", "provider", "quantity", "saved", "team", "upstream_model")

    def __init__(self) -> None:
        self.quantity = 0
        self.nanos = 0
        self.saved = dict.fromkeys((facts.cause for facts in CAUSES), 0)
        self.provider = ""
        self.team = ""
        self.upstream_model = ""

    def known(self, entry: Entry, attempt: Attempt | None) -> None:
        self.team = self.team or entry.team or ""
        self.provider = self.provider or (attempt.provider if attempt else entry.provider) or ""
        self.upstream_model = self.upstream_model or (attempt.upstream_model if attempt else "")


class Export(Struct, frozen=True):
    """The rows as CSV, how many there are, and how many calls were left out because their price is not known."""

    csv: str
    rows: int
    unpriced: int


def export(
    books: Books, since_us: int, until_us: int, cards: Callable[[str], Card | None], *, account: str = "demitasse"
) -> Export:
    """The charges of ``since_us`` ≤ t < ``until_us``. ``cards``: a price card by the identity that an attempt bears."""
    groups: dict[_Group, _Sums] = {}
    unpriced = 0
    for entry in entries(books, since_us, until_us):
        if entry.cost_nanos is None:
            unpriced += 1
        else:
            _add(groups, entry, cards)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = sorted(groups.items(), key=lambda item: _order(item[0]))
    writer.writerows(_row(group, sums, account) for group, sums in rows)
    return Export(out.getvalue(), len(rows), unpriced)


def entries(books: Books, since_us: int, until_us: int) -> Iterator[Entry]:
    """Every entry whose call began in the stretch, newest first, a page at a time."""
    before: int | None = None
    while page := books.entries(last=_PAGE, before=before):
        for _, entry in page:
            if since_us <= entry.at_us < until_us:
                yield entry
        before = page[-1][0]
        if max(entry.at_us for _, entry in page) < since_us - _LONGEST_CALL_US:
            return


def _add(groups: dict[_Group, _Sums], entry: Entry, cards: Callable[[str], Card | None]) -> None:
    hour, left = entry.at_us // HOUR_US, entry.cost_nanos or 0
    last = entry.attempts[-1] if entry.attempts else None
    for attempt in entry.attempts:
        for kind, tokens, nanos in _split(attempt, cards):
            sums = groups.setdefault(_Group(hour, entry.key, attempt.model, kind), _Sums())
            sums.known(entry, attempt)
            sums.quantity += tokens
            sums.nanos += nanos
            left -= nanos
    model = (last.model if last else entry.model) or entry.asked_model
    sums = groups.setdefault(_Group(hour, entry.key, model, REQUEST), _Sums())
    sums.known(entry, last)
    sums.quantity += 1
    sums.nanos += left
    for cause, nanos in entry.saved:
        sums.saved[cause] += nanos


def _split(attempt: Attempt, cards: Callable[[str], Card | None]) -> Iterable[tuple[str, int, int]]:
    """Tokens and nanos per kind. Rounded down each; the rest of a nano stays with the request."""
    if attempt.usage is None:
        return
    explained = bill(attempt, cards)
    for line in explained.lines:
        nanos = line.pico // PICO_PER_NANO if line.pico is not None and explained.agrees else 0
        yield line.bucket, line.tokens, nanos


def _order(group: _Group) -> tuple[int, str, str, int]:
    return group.hour, group.key, group.model, (REQUEST, *BUCKETS).index(group.kind)


def _row(group: _Group, sums: _Sums, account: str) -> list[str]:
    start_us = group.hour * HOUR_US
    provider = sums.provider or "demitasse"
    cost, saved = _decimal(sums.nanos), sum(sums.saved.values())
    unit = "Requests" if group.kind == REQUEST else "Tokens"
    label = "requests" if group.kind == REQUEST else BUCKET_LABELS[group.kind] + " tokens"
    values = {
        "BilledCost": cost,
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _date_time(month_end_us(start_us)),
        "BillingPeriodStart": _date_time(month_start_us(start_us)),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": f"{group.model}: {label}",
        "ChargePeriodEnd": _date_time(start_us + HOUR_US),
        "ChargePeriodStart": _date_time(start_us),
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": provider,
        "ListCost": cost,
        "PricingQuantity": str(sums.quantity),
        "PricingUnit": unit,
        "ProviderName": provider,
        "PublisherName": provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{provider} models",
        "ConsumedQuantity": str(sums.quantity),
        "ConsumedUnit": unit,
        "SubAccountId": group.key,
        "SubAccountName": group.key,
        "x_Key": group.key,
        "x_Team": sums.team,
        "x_Model": group.model,
        "x_UpstreamModel": sums.upstream_model,
        "x_TokenKind": group.kind,
        "x_BaselineCost": _decimal(sums.nanos + saved),
        "x_SavedCost": _decimal(saved),
        **{name: _decimal(n) for name, n in zip(OWN[7:], sums.saved.values(), strict=True)},
    }
    return [values[name] for name in COLUMNS]


def _decimal(nanos: int) -> str:
    """Exact, without an exponent, as the format wants numbers."""
    return f"{'-' if nanos < 0 else ''}{abs(nanos) // 10**9}.{abs(nanos) % 10**9:09d}"


def _date_time(at_us: int) -> str:
    return f"{dt.datetime.fromtimestamp(at_us // 1_000_000, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"

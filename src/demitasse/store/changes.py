"""What may be changed in the store: budgets, keys, settings, cards, alerts, corrections, evidence; each an event of the chain.

Each function returns a Change that a Writer runs inside a transaction. Knows rows; knows neither threads nor files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..core.call import Usage
from ..core.entry import Charge, Entry
from ..core.errors import StoreError
from ..core.evidence import OWN_KEYS, Label
from ..core.limits import Alert, Budget, Key
from ..core.policy import FOLLOWING, Certificate, CertificateState, encode_certificate
from .chain import decode_entry, encode
from .counts import DAY_US, DOOR
from .rollup import MEASURES, Sums, dimensions, measures
from .writer import Batch, Change

LOCAL = "local"
_PUT_BUDGET = "INSERT OR REPLACE INTO budgets VALUES (?,?,?)"
_ONE_JOINED: Sums = [1 if name == "joined" else 0 for name in MEASURES]
_COUNTS = ("requests", "estimated", "attempts", "joined", "duration_ms", "overhead_us")


class Correction(Struct, frozen=True):
    """What an invoice says of one entry. ``cost_nanos`` replaces the booked cost; ``usage`` None leaves the tokens."""

    id: str
    cost_nanos: int
    usage: Usage | None = None
    source: str = ""


def set_budget(budget: Budget, at_us: int) -> Change:
    """Set a limit, or set it anew; windows that an overshoot had closed open again."""

    def change(batch: Batch) -> None:
        _put_budget(batch, budget, at_us)
        batch.revise()

    return change


def remove_budget(name: str, at_us: int) -> Change:
    """Take a limit away; what was used under its name stays in the books. Raises StoreError: no such budget."""

    def change(batch: Batch) -> None:
        if batch.execute("DELETE FROM budgets WHERE name = ?", (name,)).rowcount == 0:
            names = ", ".join(batch.writer.facts.budgets) or "none"
            raise StoreError(f"there is no budget {name!r}; there are: {names}")
        batch.note("changed", f"budget:{name}", at_us, budget=None)
        batch.revise()

    return change


def sync_file_budgets(budgets: Sequence[Budget], at_us: int) -> Change:
    """Make the budgets that no command set exactly these. The file wins over a command; a default gives way to one."""

    def change(batch: Batch) -> bool:
        present = batch.writer.facts.budgets
        commanded = {b.name for b in present.values() if b.origin == "command"}
        wanted = {
            b.name: b if b.origin == "default" else msgspec.structs.replace(b, origin="file")
            for b in budgets
            if b.origin != "default" or b.name not in commanded
        }
        gone = [b.name for b in present.values() if b.origin != "command" and b.name not in wanted]
        new = [budget for budget in wanted.values() if present.get(budget.name) != budget]
        for name in gone:
            batch.execute("DELETE FROM budgets WHERE name = ?", (name,))
            batch.note("changed", f"budget:{name}", at_us, budget=None)
        for budget in new:
            _put_budget(batch, budget, at_us)
        if gone or new:
            batch.revise()
        return bool(gone or new)

    return change


def add_key(key: Key, at_us: int) -> Change:
    """Keep a new key. Raises StoreError when a key that is not revoked has its name, or any has its id, or the name is ours."""

    def change(batch: Batch) -> None:
        if key.name in OWN_KEYS:
            raise StoreError(
                f"the name '{key.name}' is kept for the calls that Demitasse makes itself; choose another name"
            )
        if key.name == LOCAL:  # it would open everything
            raise StoreError(f"the name '{LOCAL}' is that of whoever needs no key, on loopback; choose another name")
        for other in batch.writer.facts.keys:
            if other.id == key.id or (other.name == key.name and other.revoked_us is None and other.mac):
                raise StoreError(
                    f"there is a key {other.name!r} already; choose another name, "
                    f"or revoke it with: demitasse keys revoke {other.name}"
                )
        _put_key(batch, key, at_us)

    return change


def update_key(id: str, at_us: int, fields: dict[str, Any]) -> Change:
    """Change some fields of a key, found by id or by name. Raises StoreError: no such key."""

    def change(batch: Batch) -> Key:
        key = msgspec.structs.replace(_key(batch, id), **fields)
        _put_key(batch, key, at_us)
        return key

    return change


def pause_key(id: str, why: str | None, at_us: int) -> Change:
    """Stop a key (``local`` included) with a reason, or resume it with None."""

    def change(batch: Batch) -> None:
        at = id if id == "local" else next((k.id for k in batch.writer.facts.keys if id in (k.id, k.name)), id)
        if why is None:
            batch.execute("DELETE FROM paused WHERE key = ?", (at,))
        else:
            batch.execute("INSERT OR REPLACE INTO paused VALUES (?,?,?)", (at, why, at_us))
        batch.note("changed", f"key:{at}", at_us, paused=why)
        batch.revise()

    return change


def set_setting(name: str, value: Any, at_us: int, told: Mapping[str, Any] | None = None) -> Change:
    """Keep a JSON value under a name; None removes it. ``told``: what the event says beside it."""

    def change(batch: Batch) -> None:
        if value is None:
            batch.execute("DELETE FROM settings WHERE k = ?", (name,))
        else:
            batch.execute("INSERT OR REPLACE INTO settings VALUES (?,?)", (name, encode(value)))
        batch.note("changed", f"setting:{name}", at_us, value=value, **(told or {}))
        batch.revise()

    return change


def edit_setting(name: str, edit: Callable[[Any], Any], at_us: int) -> Change:
    """Keep what ``edit`` makes of the value kept under a name (None: of nothing, or to remove it), with nobody's change between.
    It may raise DemitasseError: then nothing is changed."""

    def change(batch: Batch) -> Any:
        row = batch.execute("SELECT v FROM settings WHERE k = ?", (name,)).fetchone()
        value = edit(None if row is None else msgspec.json.decode(row[0]))
        set_setting(name, value, at_us)(batch)
        return value

    return change


def turned_away(counts: Mapping[str, int], at_us: int) -> Change:
    """Count requests that were refused before they were calls, by code, on the day of ``at_us``; no event, they are no rows."""

    def change(batch: Batch) -> None:
        batch.count(at_us // DAY_US, [((DOOR, code), n) for code, n in counts.items()])

    return change


def tell(what: str, name: str, at_us: int, told: Mapping[str, Any]) -> Change:
    """Say in the chain what was done beside the tables: the master key was changed, a copy was laid in the ledger's place."""

    def change(batch: Batch) -> None:
        batch.note("changed", f"{what}:{name}", at_us, **told)

    return change


def put_card(provider: str, model: str, version: str, card: Any, at_us: int) -> Change:
    """Keep a price card (any JSON value) by provider, model and version; one that is there already stays as it is."""

    def change(batch: Batch) -> None:
        row = (provider, model, version, encode(card))
        if batch.execute("INSERT OR IGNORE INTO cards VALUES (?,?,?,?)", row).rowcount:
            batch.note("changed", f"card:{provider}/{model}", at_us, version=version, card=card)

    return change


def raise_alert(alert: Alert) -> Change:
    """Record that a person was told; an alert with a known id replaces it."""

    def change(batch: Batch) -> None:
        row = (alert.id, alert.at_us, alert.resolved_us, encode(alert))
        batch.execute("INSERT OR REPLACE INTO alerts VALUES (?,?,?,?)", row)
        batch.note("alerted", alert.id, alert.at_us, alert=alert)

    return change


def resolve_alert(id: str, at_us: int, *, resolved: bool = True) -> Change:
    """Mark an alert as answered, or as open again. Raises StoreError: no such alert."""
    resolved_us = at_us if resolved else None

    def change(batch: Batch) -> None:
        row = batch.execute("SELECT json FROM alerts WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise StoreError(f"there is no alert {id!r}; see them with: demitasse doctor")
        alert = msgspec.structs.replace(msgspec.json.decode(row[0], type=Alert), resolved_us=resolved_us)
        batch.execute("UPDATE alerts SET resolved_us = ?, json = ? WHERE id = ?", (resolved_us, encode(alert), id))
        batch.note("alerted", id, at_us, alert=alert)

    return change


def correct(corrections: Sequence[Correction], at_us: int) -> Change:
    """Book the differences between what entries say and what the provider billed; their rows stay as they were.

    Budgets and sums move by the difference, in the windows and hours of the entry. Answers the sum of the differences
    in nanos. Raises StoreError when there is no such entry; then none is corrected.
    """

    def change(batch: Batch) -> int:
        entries = [_entry(batch, correction.id) for correction in corrections]
        return sum(
            _book(batch, entry, correction, at_us) for entry, correction in zip(entries, corrections, strict=True)
        )

    return change


def fold_days(today: int) -> Change:
    """Sum the hours of all days before ``today`` (days since 1970) into the daily roll-up; no event, it is derived."""

    def change(batch: Batch) -> None:
        first = batch.writer.folded
        if first >= today:
            return
        names, sums = ", ".join(MEASURES), ", ".join(f"sum({name})" for name in MEASURES)
        batch.execute(
            f"INSERT OR REPLACE INTO rollup_days (day, dim, {names}) SELECT hour / 24, dim, {sums} FROM rollup_hours "  # noqa: S608
            "WHERE hour >= ? AND hour < ? GROUP BY hour / 24, dim",
            (first * 24, today * 24),
        )
        batch.execute("UPDATE meta SET v = ? WHERE k = 'folded'", (today,))
        batch.writer.folded = today

    return change


def corrected(entry: Entry, correction: Correction | None) -> Entry:
    """The entry as an invoice has it: cost, charges and, where the invoice gives them, the last attempt's tokens."""
    if correction is None:
        return entry
    difference = correction.cost_nanos - (entry.cost_nanos or 0)
    charges = tuple(Charge(c.budget, c.window, c.nanos + difference) for c in entry.charges)
    attempts, usage = entry.attempts, correction.usage
    if usage is not None and attempts:
        attempts = (*attempts[:-1], msgspec.structs.replace(attempts[-1], usage=usage, cost_nanos=None))
    return msgspec.structs.replace(entry, cost_nanos=correction.cost_nanos, charges=charges, attempts=attempts)


def post_label(label: Label) -> Change:
    """Keep evidence; it takes the place of the same source's earlier word on the same call (``label_name``), which the
    chain keeps. Raises StoreError: a number in it is none."""

    def change(batch: Batch) -> None:
        _sane(label)
        seq = batch.note("labelled", label.id, label.at_us, label=label)
        row = (seq, label.id, label.source, label_name(label), label.route, label.at_us)
        batch.execute("INSERT OR REPLACE INTO labels VALUES (?,?,?,?,?,?)", row)

    return change


def label_name(label: Label) -> str:
    """What may stand beside another label of the same source and call: an application's scores have names."""
    return label.method if label.source == "feedback" else ""


def put_certificate(certificate: Certificate, state: CertificateState, at_us: int, why: str) -> Change:
    """Keep a certificate in this state; one that is promoted supersedes its route's. The same state again is no event.

    Raises StoreError: its state cannot become that one (``core.policy.FOLLOWING``), or its time is over.
    """

    def change(batch: Batch) -> None:
        id, route = certificate.id, certificate.policy.route
        row = batch.execute("SELECT state, json FROM certificates WHERE id = ?", (id,)).fetchone()
        text = encode_certificate(certificate) if row is None else row[1]
        if row is not None and row[0] == state:
            return
        if row is not None and state not in FOLLOWING[row[0]]:
            raise StoreError(
                f"certificate {id} is {row[0]} and cannot become {state}; prove a new one with: demitasse certify {route}"
            )
        if state == "promoted":
            if certificate.expires_us <= at_us:
                raise StoreError(f"certificate {id} has expired; prove a new one with: demitasse certify {route}")
            sql = "SELECT id, json FROM certificates WHERE route = ? AND state = 'promoted'"
            for other, kept in batch.execute(sql, (route,)).fetchall():
                _put_certificate(batch, other, route, "superseded", at_us, f"{id} was promoted", kept)
        _put_certificate(batch, id, route, state, at_us, why, text)
        batch.revise()

    return change


def _put_certificate(
    batch: Batch, id: str, route: str, state: CertificateState, at_us: int, why: str, text: bytes
) -> None:
    seq = batch.note("certificate", id, at_us, state=state, why=why, certificate=Raw(text))
    row = (id, route, state, at_us, why, seq, text)
    batch.execute("INSERT OR REPLACE INTO certificates VALUES (?,?,?,?,?,?,?)", row)


def _sane(label: Label) -> None:
    """JSON has no infinity, and a weight needs a probability."""
    answers = [a for a in (label.reference, *label.others) if a is not None]
    numbers = [*label.features, *(mark for a in answers for mark in a.marks)]
    scores = [a.score for a in answers if a.score is not None]
    if not all(map(isfinite, numbers)):
        raise StoreError(f"the label of call {label.id} has a feature that is no number; please report this")
    if not (0 < label.propensity <= 1 and all(0 <= score <= 1 for score in scores)):
        raise StoreError(f"the label of call {label.id} has a score or a propensity outside 0..1; please report this")


def _entry(batch: Batch, id: str) -> Entry:
    leaf = batch.leaf(id)
    if leaf is None:
        raise StoreError(f"there is no entry {id!r} to correct; see them with: demitasse ledger")
    return decode_entry(leaf)


def _book(batch: Batch, entry: Entry, correction: Correction, at_us: int) -> int:
    id, cost = correction.id, correction.cost_nanos
    row = batch.execute("SELECT json FROM corrections WHERE id = ?", (id,)).fetchone()
    earlier = None if row is None else msgspec.json.decode(row[0], type=Correction)
    if earlier is not None and correction.usage is None:
        correction = msgspec.structs.replace(correction, usage=earlier.usage)
    before, after = corrected(entry, earlier), corrected(entry, correction)
    difference = cost - (before.cost_nanos or 0)
    seq = batch.note(
        "corrected", id, at_us, cost_nanos=cost, difference_nanos=difference, usage=correction.usage,
        source=correction.source,
    )  # fmt: skip
    batch.execute("INSERT OR REPLACE INTO corrections VALUES (?,?,?,?)", (id, seq, cost, encode(correction)))
    for charge in before.charges:
        batch.slot(charge.budget, charge.window).settled += difference
    sums = [b - a for a, b in zip(measures(before), measures(after), strict=True)]
    for name in _COUNTS:
        sums[MEASURES.index(name)] = 0
    batch.add(before.at_us, dimensions(before), sums)
    return difference


def _put_budget(batch: Batch, budget: Budget, at_us: int) -> None:
    batch.execute(_PUT_BUDGET, (budget.name, budget.origin, encode(budget)))
    batch.reopen(budget.name)
    batch.note("changed", f"budget:{budget.name}", at_us, budget=budget)


def _put_key(batch: Batch, key: Key, at_us: int) -> None:
    bare = msgspec.structs.replace(key, paused=None)
    batch.execute("INSERT OR REPLACE INTO keys VALUES (?,?)", (key.id, encode(bare)))
    batch.note("changed", f"key:{key.id}", at_us, key=bare)
    batch.revise()


def _key(batch: Batch, id: str) -> Key:
    keys = [key for key in batch.writer.facts.keys if key.mac]
    found = [k for k in keys if k.id == id] or sorted(
        (k for k in keys if k.name == id), key=lambda k: (k.revoked_us is not None, -k.created_us)
    )
    if not found:
        names = ", ".join(k.name for k in keys) or "none; create one with: demitasse keys create NAME"
        raise StoreError(f"there is no key {id!r}; there are: {names}")
    return found[0]


def join(id: str, at_us: int) -> Change:
    """Count a client's retry that was given the answer of the closed call ``id``."""

    def change(batch: Batch) -> None:
        leaf = batch.leaf(id)
        batch.note("joined", id, at_us)
        if leaf is not None:
            entry = decode_entry(leaf)
            batch.add(entry.at_us, dimensions(entry), _ONE_JOINED)

    return change

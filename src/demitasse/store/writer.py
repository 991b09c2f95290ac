"""One transaction on the ledger: holds, entries and changes in, rows and an answer to each out.

Knows SQL, budgets' arithmetic and the chain; knows nothing of event loops, threads or who waits. What is admitted is
decided inside the transaction that books it, on what the file says: memory is believed only while SQLite's
``data_version`` says that nobody else has written.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from ..core.entry import Charge, Entry, EventKind, Hold
from ..core.errors import DemitasseError
from ..core.ledger import Denied
from ..core.limits import Budget, Key, Spent
from ..core.policy import Certificate, decode_certificate
from .chain import GENESIS, decode_hold, encode, kind_of, link
from .counts import CONFIGURATION, DAY_US, HAPPENED, Name, configuration_of, counts_of, facts_of, written
from .marks import number
from .rollup import ADD_DAYS, ADD_HOURS, HOUR_US, Sums, dimensions, measures

log = logging.getLogger("demitasse.store")

ADD_EVENT = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_ADD_HOLD = "INSERT OR REPLACE INTO holds VALUES (?,?,?)"
_DROP_HOLD = "DELETE FROM holds WHERE id = ?"
_PUT_USED = "INSERT OR REPLACE INTO used VALUES (?,?,?,?,?)"
_GET_USED = "SELECT settled_nanos, held_nanos, closed FROM used WHERE budget = ? AND window = ?"
_ADD_DIM = "INSERT INTO dims (key, team, route, model, outcome, cache) VALUES (?,?,?,?,?,?) RETURNING id"
_ADD_COUNT = "INSERT INTO tally_days VALUES (?,?,?) ON CONFLICT (day, name) DO UPDATE SET n = n + excluded.n"
_GET_NAME = "SELECT id FROM tally_names WHERE what = ? AND name = ?"
_ADD_NAME = "INSERT INTO tally_names (what, name) VALUES (?,?) RETURNING id"
_ADD_HAPPENED = "INSERT INTO happened VALUES (?,?,?,?,?)"
_MOST_NAMES = 10_000
"""Names of counts that are remembered; clients choose some of them."""
_GET_DIM = "SELECT id FROM dims WHERE key = ? AND team = ? AND route = ? AND model = ? AND outcome = ? AND cache = ?"


class Facts(Struct, frozen=True):
    """What the file says of limits, keys and policies in force, as of one revision."""

    revision: int
    budgets: dict[str, Budget]
    keys: tuple[Key, ...]
    paused: dict[str, str] = {}
    promoted: tuple[Certificate, ...] = ()
    """Those whose policies serve, by route."""
    configuration: str = ""
    """What is in force, as the ledger was told: its short hash."""


class Slot:
    """One budget's window as it stands in the running transaction."""

    __slots__ = ("closed", "held", "settled")

    def __init__(self, settled: int, held: int, closed: int) -> None:
        self.settled = settled
        self.held = held
        self.closed = closed


Change = Callable[["Batch"], Any]
_MADE: Final = frozenset({"changed", "alerted", "certificate", "corrected", "erased", "dropped"})
"""Events that somebody may have made."""
Op = Hold | Entry | Change


class Writer:
    """Commits groups of operations on one connection, for the process ``proc``; used by one thread at a time."""

    def __init__(self, db: sqlite3.Connection, proc: str) -> None:
        self.db = db
        self.proc = proc
        self.by = ""
        """Who makes the changes; empty: the gateway by itself."""
        self.open: dict[str, Hold] = {}
        """This process's holds that are committed and not yet settled."""
        self.facts = Facts(0, {}, ())
        self.used: dict[tuple[str, str], Slot] = {}
        self.dims: dict[tuple[str, ...], int] = {}
        self.names: dict[Name, int] = {}
        """Of counts by day."""
        self.head: tuple[int, bytes] = (0, GENESIS)
        self.folded = 0
        """Days before this one (since 1970) are in the daily roll-up too."""
        self._version: int | None = None

    def commit(self, ops: Sequence[Op]) -> list[Any]:
        """Book all of ``ops`` in one transaction, in order.

        Returns, for each: a Hold's Denied or None, None for an Entry, a Change's own answer or the DemitasseError it
        raised (then it alone changed nothing).

        Raises:
            sqlite3.Error: nothing was booked.
        """
        try:
            return self._attempt(ops, careful=False)
        except sqlite3.IntegrityError:
            # An entry that is booked already: look at each of them, so that none is counted twice.
            return self._attempt(ops, careful=True)

    def _attempt(self, ops: Sequence[Op], *, careful: bool) -> list[Any]:
        execute = self.db.execute
        execute("BEGIN IMMEDIATE")
        try:
            version = execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._look_again()
            batch = Batch(self, careful=careful)
            answers = [batch.take(op) for op in ops]
            batch.write()
            execute("COMMIT")
        except BaseException:
            self._forget()
            raise
        self._version = version
        self.head = (batch.seq, batch.chain)
        for id in batch.gone:
            self.open.pop(id, None)
        self.open.update(batch.opened)
        return answers

    def _look_again(self) -> None:
        self.used.clear()
        row = self.db.execute("SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        self.head = row or (0, GENESIS)
        self.folded = number(self.db, "folded")
        if revision(self.db) != self.facts.revision:
            self.facts = read_facts(self.db)

    def _forget(self) -> None:
        """After a failure nothing in memory is believed; this process's open holds are, they were committed."""
        self._version = None
        self.facts = Facts(0, {}, ())
        self.dims.clear()
        self.names.clear()
        if self.db.in_transaction:
            try:
                self.db.execute("ROLLBACK")
            except sqlite3.Error:
                log.warning("a failed transaction could not be rolled back; SQLite does so when it next opens the file")


class Batch:
    """The effects of one transaction, gathered in memory and written in few statements."""

    def __init__(self, writer: Writer, *, careful: bool) -> None:
        self.writer = writer
        self.execute = writer.db.execute
        self.careful = careful
        self.seq, self.chain = writer.head
        self.events: list[tuple[Any, ...]] = []
        self.opened: dict[str, Hold] = {}
        self.leaves: dict[str, bytes] = {}
        """Of ``opened``, as they are written."""
        self.gone: list[str] = []
        self.touched: dict[tuple[str, str], Slot] = {}
        self.sums: dict[tuple[int, int], Sums] = {}
        self.counts: dict[tuple[int, int], int] = {}
        """By day and name."""
        self.happened: list[tuple[Any, ...]] = []

    def take(self, op: Op) -> Any:
        """Book one operation; see ``Writer.commit`` for what comes back."""
        kind = type(op)
        if kind is Entry:
            return self.settle(cast("Entry", op))
        if kind is Hold:
            return self.hold(cast("Hold", op))
        return self.change(cast("Change", op))

    def hold(self, hold: Hold) -> Denied | None:
        """Set money aside if every charged budget has room for it."""
        budgets = self.writer.facts.budgets
        taken: list[tuple[Slot, int]] = []
        for charge in hold.charges:
            slot, nanos = self.slot(charge.budget, charge.window), charge.nanos
            budget = budgets.get(charge.budget)
            # What costs nothing is never stopped: it cannot overshoot.
            if nanos > 0 and budget is not None and _full(budget, slot, nanos):
                for other, back in taken:
                    other.held -= back
                spent = Spent(budget, charge.window, slot.settled, slot.held, closed=bool(slot.closed))
                return Denied(spent, nanos)
            slot.held += nanos
            taken.append((slot, nanos))
        leaf = encode(hold)
        self.append(hold.id, "held", hold.at_us, leaf)
        earlier = self.find(hold.id) if hold.extends else self.opened.get(hold.id) or self.writer.open.get(hold.id)
        if earlier is None:
            self.opened[hold.id], self.leaves[hold.id] = hold, leaf
        else:
            self.opened[hold.id] = both = joined(earlier, hold)
            self.leaves[hold.id] = encode(both)
        return None

    def settle(self, entry: Entry) -> None:
        """Release the entry's hold, charge what it cost, move the sums."""
        id = entry.id
        if self.careful and self.leaf(id) is not None:
            log.warning("entry %s is booked already; the second one is left out", id)
            self._release(id)
            return
        held = self.find(id)
        if held is None:
            self._charge(entry.charges, ())
        else:
            for charge in held.charges:
                self.slot(charge.budget, charge.window).held -= charge.nanos
            if self.opened.pop(id, None) is None or id in self.writer.open:
                self.gone.append(id)
            self._charge(entry.charges, held.charges)
            over = entry.cost_nanos is not None and entry.cost_nanos > held.nanos
            if over or "over_hold" in entry.flags:
                self._close(entry.charges)
        leaf = encode(entry)
        self.append(
            id, kind_of(entry), entry.at_us, leaf,
            (entry.key, entry.route, entry.model, entry.outcome, entry.cost_nanos, entry.request_id),
        )  # fmt: skip
        self.add(entry.at_us, dimensions(entry), measures(entry))
        self.count(entry.at_us // DAY_US, counts_of(entry, self.writer.facts.configuration))

    def change(self, change: Change) -> Any:
        """Run a change of keys, budgets or settings; one that refuses leaves the rest of the group alone."""
        self.execute("SAVEPOINT change")
        before = self.seq, self.chain, len(self.events), len(self.happened)
        try:
            answer = change(self)
        except DemitasseError as error:
            self.execute("ROLLBACK TO change")
            self.seq, self.chain, events, happened = before
            del self.events[events:], self.happened[happened:]
            self.writer.facts = read_facts(self.writer.db)
            answer = error
        self.execute("RELEASE change")
        return answer

    def append(self, id: str, kind: EventKind, at_us: int, leaf: bytes, columns: tuple[Any, ...] = (None,) * 6) -> int:
        """Append an event to the chain; returns its sequence number."""
        self.seq = seq = self.seq + 1
        self.chain = chain = link(self.chain, leaf)
        self.events.append((seq, id, kind, at_us, *columns, leaf, chain))
        return seq

    def note(self, kind: EventKind, id: str, at_us: int, **facts: Any) -> int:
        """Append an event that is no Hold and no Entry; its leaf is a small JSON object. Of a change it says who made it."""
        if self.writer.by and kind in _MADE:
            facts["by"] = self.writer.by
        leaf = encode({"event": kind, "id": id, "at_us": at_us, **facts})
        seq = self.append(id, kind, at_us, leaf)
        if kind in HAPPENED and (told := facts_of(kind, id, msgspec.json.decode(leaf))) is not None:
            self.happened.append((seq, at_us, kind, id, encode(told)))
        return seq

    def revise(self) -> None:
        """Make a change of keys or budgets known: to the rest of this group, and to whoever compares revisions."""
        self.execute("UPDATE meta SET v = v + 1 WHERE k = 'revision'")
        self.writer.facts = read_facts(self.writer.db)

    def reopen(self, budget: str) -> None:
        """A limit that was set anew opens windows that an overshoot had closed."""
        self.execute("UPDATE used SET closed = 0 WHERE budget = ?", (budget,))
        for (name, _), slot in self.writer.used.items():
            if name == budget:
                slot.closed = 0

    def slot(self, budget: str, window: str) -> Slot:
        """A budget's window, to be changed in place."""
        at = (budget, window)
        slot = self.touched.get(at)
        if slot is None:
            slot = self.writer.used.get(at)
            if slot is None:
                slot = Slot(*(self.execute(_GET_USED, at).fetchone() or (0, 0, 0)))
                self.writer.used[at] = slot
            self.touched[at] = slot
        return slot

    def find(self, id: str) -> Hold | None:
        """The open hold of a call, this process's or another's."""
        held = self.opened.get(id) or self.writer.open.get(id)
        if held is None:
            row = self.execute("SELECT leaf FROM holds WHERE id = ?", (id,)).fetchone()
            held = None if row is None or id in self.gone else self.read_hold(id, row[0])
        return held

    def read_hold(self, id: str, leaf: bytes) -> Hold:
        """An open hold of the file; from its events where its row is damaged: one row must not stop a start."""
        try:
            return decode_hold(leaf)
        except msgspec.DecodeError:
            log.warning("the row of hold %s is damaged; its event is taken instead", id)
            sql = "SELECT leaf FROM events WHERE id = ? AND kind = 'held' ORDER BY seq"
            holds = [decode_hold(row[0]) for row in self.execute(sql, (id,))]
            if not holds:
                raise
            return reduce(joined, holds)

    def leaf(self, id: str) -> bytes | None:
        """The entry that closed a call, as it was written, if it is closed."""
        for row in self.events:
            if row[1] == id and row[7] is not None:
                found: bytes = row[10]
                return found
        row = self.execute("SELECT leaf FROM events WHERE id = ? AND outcome IS NOT NULL", (id,)).fetchone()
        return None if row is None else row[0]

    def add(self, at_us: int, dims: tuple[str, ...], sums: Sums) -> None:
        """Add measures to the roll-ups of the hour and the day of ``at_us``."""
        dim = self.writer.dims.get(dims)
        if dim is None:
            row = self.execute(_GET_DIM, dims).fetchone() or self.execute(_ADD_DIM, dims).fetchone()
            dim = self.writer.dims[dims] = row[0]
        at = (at_us // HOUR_US, dim)
        present = self.sums.get(at)
        self.sums[at] = sums if present is None else list(map(add, present, sums))

    def count(self, day: int, found: Iterable[tuple[Name, int]]) -> None:
        """Add to the counts of a day (since 1970)."""
        names, counts = self.writer.names, self.counts
        for name, n in found:
            id = names.get(name)
            if id is None:
                id = self._name(name)
            at = (day, id)
            counts[at] = counts.get(at, 0) + n

    def _name(self, name: Name) -> int:
        row = (name[0], written(name))
        id: int = (self.execute(_GET_NAME, row).fetchone() or self.execute(_ADD_NAME, row).fetchone())[0]
        if len(self.writer.names) >= _MOST_NAMES:
            self.writer.names.clear()
        self.writer.names[name] = id
        return id

    def write(self) -> None:
        """Everything gathered, as rows."""
        many = self.writer.db.executemany
        if self.events:
            many(ADD_EVENT, self.events)
        if self.opened:
            proc = self.writer.proc
            many(_ADD_HOLD, [(id, proc, self.leaves[id]) for id in self.opened])
        if self.gone:
            many(_DROP_HOLD, [(id,) for id in self.gone])
        if self.touched:
            many(_PUT_USED, [(*at, slot.settled, slot.held, slot.closed) for at, slot in self.touched.items()])
        if self.counts:
            many(_ADD_COUNT, [(*at, n) for at, n in self.counts.items()])
        if self.happened:
            many(_ADD_HAPPENED, self.happened)
        if self.sums:
            many(ADD_HOURS, [(*at, *sums) for at, sums in self.sums.items()])
            until = self.writer.folded * 24
            if late := [(hour // 24, dim, *sums) for (hour, dim), sums in self.sums.items() if hour < until]:
                many(ADD_DAYS, late)

    def _release(self, id: str) -> None:
        """Let go of what a call holds that is booked already, if the file says that it holds anything."""
        held = self.opened.pop(id, None)
        if held is None and id not in self.gone:
            row = self.execute("SELECT leaf FROM holds WHERE id = ?", (id,)).fetchone()
            held = None if row is None else decode_hold(row[0])
        self.gone.append(id)
        for charge in held.charges if held is not None else ():
            self.slot(charge.budget, charge.window).held -= charge.nanos

    def _charge(self, charges: tuple[Charge, ...], held: tuple[Charge, ...]) -> None:
        bounds = {(charge.budget, charge.window): charge.nanos for charge in held}
        for charge in charges:
            at = (charge.budget, charge.window)
            self.slot(*at).settled += charge.nanos
            if charge.nanos > bounds.get(at, charge.nanos):
                self._close((charge,))

    def _close(self, charges: tuple[Charge, ...]) -> None:
        for charge in charges:
            budget = self.writer.facts.budgets.get(charge.budget)
            if budget is not None and budget.hard and budget.limit_nanos is not None:
                self.slot(charge.budget, charge.window).closed = 1


def revision(db: sqlite3.Connection) -> int:
    """Rises with every change of keys, budgets or settings."""
    return number(db, "revision")


def read_facts(db: sqlite3.Connection) -> Facts:
    """Budgets, keys and promoted certificates as the file has them; a paused ``local`` appears as a key without a secret."""
    at = revision(db)
    budgets = [msgspec.json.decode(row[0], type=Budget) for row in db.execute("SELECT json FROM budgets ORDER BY name")]
    keys = {key.id: key for key in _keys(db)}
    for id, why, at_us in db.execute("SELECT key, why, at_us FROM paused ORDER BY key"):
        key = keys.get(id) or Key(id=id, name=id, mac=b"", created_us=at_us)
        keys[id] = msgspec.structs.replace(key, paused=why)
    paused = {key.name: key.paused for key in keys.values() if key.paused is not None}
    serving = db.execute("SELECT json FROM certificates WHERE state = 'promoted' ORDER BY route").fetchall()
    promoted = tuple(decode_certificate(row[0]) for row in serving)
    told = db.execute("SELECT v FROM settings WHERE k = ?", (CONFIGURATION,)).fetchone()
    configuration = "" if told is None else configuration_of(told[0])
    return Facts(at, {budget.name: budget for budget in budgets}, tuple(keys.values()), paused, promoted, configuration)


def _keys(db: sqlite3.Connection) -> list[Key]:
    return [msgspec.json.decode(row[0], type=Key) for row in db.execute("SELECT json FROM keys ORDER BY id")]


def _full(budget: Budget, slot: Slot, nanos: int) -> bool:
    limit = budget.limit_nanos
    return limit is not None and budget.hard and (slot.closed != 0 or slot.settled + slot.held + nanos > limit)


def joined(first: Hold, more: Hold) -> Hold:
    """A hold and what extends it, as one."""
    charges = {(c.budget, c.window): c.nanos for c in first.charges}
    for charge in more.charges:
        at = (charge.budget, charge.window)
        charges[at] = charges.get(at, 0) + charge.nanos
    return msgspec.structs.replace(
        first, nanos=first.nanos + more.nanos, charges=tuple(Charge(*at, nanos) for at, nanos in charges.items())
    )

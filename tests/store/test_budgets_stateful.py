"""Whatever two processes do in whatever order: settled + held never passes a limit, and no hold leaks."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from demitasse.core.entry import Charge, Entry, Hold
from demitasse.core.limits import Budget
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.ledger import SqliteLedger

LIMITS = {"total": 300, "team": 120}


class Budgets(RuleBasedStateMachine):
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.dir = tempfile.TemporaryDirectory()
        self.data = Path(self.dir.name)
        self.ledgers = [self.begin(), self.begin()]
        for name, limit in LIMITS.items():
            self.ledgers[0].set_budget(Budget(name, period="ever", limit_nanos=limit))
        self.books = SqliteBooks(self.data)
        self.number = 0
        self.open: dict[str, int] = {}
        self.charged = 0
        self.lost: set[str] = set()

    def begin(self) -> SqliteLedger:
        ledger = SqliteLedger.open(self.data)
        ledger._keeper.stop()
        return ledger

    def run(self, awaitable):
        async def wait():
            return await awaitable()

        return self.loop.run_until_complete(wait())

    @rule(
        target=holds,
        at=st.integers(0, 1),
        nanos=st.integers(0, 80),
        budgets=st.sampled_from([("total",), ("total", "team")]),
    )
    def hold(self, at, nanos, budgets):
        self.number += 1
        id = str(self.number)
        if not self.ask(at, id, nanos, budgets):
            return ("none", id, 0, ())
        self.open[id] = nanos
        return (at, id, nanos, budgets)

    @rule(target=holds, held=consumes(holds), more=st.integers(1, 40))
    def extend(self, held, more):
        at, id, nanos, budgets = held
        if at == "none" or not self.ask(at, id, more, budgets, extends=True):
            return held
        self.open[id] = self.open.get(id, 0) + more
        return (at, id, nanos + more, budgets)

    @rule(held=consumes(holds), share=st.floats(0, 1), twice=st.booleans(), post=st.booleans())
    def settle(self, held, share, twice, post):
        at, id, nanos, budgets = held
        cost = int(nanos * share)
        entry = Entry(
            id, 1, "local", "chat", "m", "refused" if at == "none" else "answered", cost_nanos=cost,
            charges=tuple(Charge(b, "ever", cost) for b in budgets),
        )  # fmt: skip
        ledger = self.ledgers[0 if at == "none" else at]
        for _ in range(2 if twice else 1):
            if post:
                self.run(lambda: self.post(ledger, entry))
            else:
                self.run(lambda: ledger.settle(entry))
        self.open.pop(id, None)
        if id not in self.lost and at != "none":
            self.charged += cost

    @rule(at=st.integers(0, 1))
    def die_and_come_back(self, at):
        ledger = self.ledgers[at]
        ledger._proc.let_go()
        mine = list(ledger._writer.open)
        self.ledgers[at] = self.begin()
        assert self.ledgers[at].recovered.count == len(mine)
        for id in mine:
            nanos = self.open.pop(id)
            if id not in self.lost:
                self.charged += nanos
            self.lost.add(id)
        ledger._writer.open.clear()
        ledger.close()

    async def post(self, ledger, entry):
        ledger.post(entry)
        await ledger.flush()

    def ask(self, at, id, nanos, budgets, **more) -> bool:
        charges = tuple(Charge(b, "ever", nanos) for b in budgets)
        hold = Hold(id, 1, "local", nanos, charges, "m", "r", **more)
        return self.run(lambda: self.ledgers[at].hold(hold)) is None

    @invariant()
    def no_limit_is_passed_and_every_nano_is_accounted_for(self):
        spent = {s.budget.name: s for s in self.books.spent(1)}
        for name, limit in LIMITS.items():
            assert spent[name].settled_nanos + spent[name].held_nanos <= limit
        assert spent["total"].held_nanos == self.books.held_nanos() == sum(self.open.values())
        assert spent["total"].settled_nanos == self.charged

    def teardown(self):
        for ledger in self.ledgers:
            ledger.close()
        assert verify(self.data) == (True, None)
        assert recount(self.data) == []
        self.books.close()
        self.loop.close()
        self.dir.cleanup()


TestBudgets = Budgets.TestCase
TestBudgets.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)

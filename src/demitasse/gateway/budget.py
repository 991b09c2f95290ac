"""What a call may cost, held before any model is asked. Knows budgets, bounds and refusals; knows no model's wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from ..core.call import Call, Caller
from ..core.entry import Charge, Hold
from ..core.errors import Refused
from ..core.ledger import Denied, Ledger
from ..core.limits import Budget, Spent
from ..core.money import opens_at, usd_text, window
from ..core.price import bound, output_rate_bound
from .route import Route, Rung

PROMPT_MARGIN_TOKENS = 256
"""What a chat template may add to the prompt's bytes: role marks and a default system prompt. Measured at up to 40 tokens
for the templates of the catalogue; the rest is reserve."""

MOST_NANOS = 10**15
"""What a single call may hold, a million dollars: sums of such holds still fit into the ledger's integers."""

LEAST_USEFUL_OUTPUT = 16
"""A clamp below this many tokens helps nobody; the call is refused instead."""


Rungs = tuple[Rung, ...]
"""All the models that one course of a call may ask."""


class Held(Struct, frozen=True):
    """A granted hold, and the call as it goes upstream (its output limit may be ours)."""

    call: Call
    nanos: int
    charges: tuple[Charge, ...]
    applies: tuple[tuple[Budget, str | None], ...]
    """Each budget that the call counts against; with a model's alias where only that model's share counts."""
    output_bound: int
    """Output tokens over all choices that the hold pays for."""
    firm: bool = True
    """The ledger holds it and every price was known: whoever bills more broke the bound."""
    course: int = 0
    """Which of the courses that were offered it pays for."""


class Match(Struct, frozen=True):
    """The budgets that apply, each with a model's alias where only that model's share counts."""

    applies: tuple[tuple[Budget, str | None], ...]
    limited: bool
    """One of them is a hard limit."""


class Budgets:
    """Finds the budgets of a call, computes its bound and holds it in the ledger.

    Args:
        clamp: shorten an answer to what its budget has left instead of refusing.
        assume_max_output: the output limit of calls that set none, in tokens.
        spare_local: a call that named a local model goes on when its budget is spent.
    """

    def __init__(self, ledger: Ledger, *, clamp: bool, assume_max_output: int, spare_local: bool = False) -> None:
        self._spare_local = spare_local
        self._ledger = ledger
        self._clamp = clamp
        self._assume = assume_max_output
        self._revision = -1
        self._matches: dict[tuple[str, str | None, tuple[tuple[str, str], ...], Rungs], Match] = {}
        self._windows: dict[str, str] = {}
        self._hour = -1
        self._distrusted: set[str] = set()

    async def hold(self, call: Call, route: Route, courses: Sequence[Rungs] = ()) -> Held:
        """Set the dearest way of a call aside. Refused 429 (``insufficient_quota``) when it does not fit.

        Args:
            courses: the models that the call may ask, the preferred course first; by default the route's own. The first
                that fits is held. None fits: the cheapest is clamped, or goes on uncounted where it is all local.
        """
        output = call.max_output
        if output is None and call.kind not in ("embedding", "moderation"):
            output = (
                self._assume if route.reference.max_output is None else min(self._assume, route.reference.max_output)
            )
            call = structs.replace(call, max_output=output, clamped=True)
        tried: list[tuple[Held, Rungs, Denied]] = []
        unbounded: Refused | None = None
        for course, rungs in enumerate(courses or (route.rungs,)):
            try:
                held = self._bound(call, rungs, self.matching(call.caller, rungs), course)
            except Refused as why:  # a price that nobody knows, or a sum that nobody means
                unbounded = why
                continue
            if not held.nanos and held.firm:
                return held  # no money can be spent
            denied = await self._ledger.hold(_hold_row(call, route, held))
            if denied is None:
                return held
            tried.append((held, rungs, denied))
        if not tried:
            assert unbounded is not None
            raise unbounded
        return await self._squeeze(call, route, tried)

    async def _squeeze(self, call: Call, route: Route, tried: list[tuple[Held, Rungs, Denied]]) -> Held:
        """What is still possible when no course fits; else Refused."""
        denied = tried[-1][2]
        for held, rungs, why in sorted(tried, key=lambda one: one[0].nanos) if self._clamp else ():
            smaller = self._fitting(call, rungs, held, why)
            if smaller is not None:
                squeezed = self._bound(smaller, rungs, self.matching(call.caller, rungs), held.course)
                again = await self._ledger.hold(_hold_row(smaller, route, squeezed))
                if again is None:
                    return squeezed
                denied = again
        for held, rungs, _ in tried if self._spare_local else ():
            if all(rung.local for rung in rungs):
                # The caller named a model of this machine, or a certificate lets one answer: it goes on, counted and not
                # limited.
                free = tuple(structs.replace(c, nanos=0) for c in held.charges)
                return structs.replace(held, nanos=0, charges=free, firm=False)
        raise refusal(denied, call.at_us)

    async def extend(self, held: Held, rung: Rung, route: Route) -> Held | None:
        """A further hold before a retry whose predecessor may have been billed: both together, or None: it does not fit."""
        more = self._bound(held.call, (rung,), Match(held.applies, _limited(held.applies)), held.course)
        row = structs.replace(_hold_row(held.call, route, more), extends=True)
        if await self._ledger.hold(row) is not None:
            return None
        return structs.replace(held, nanos=held.nanos + more.nanos)

    def distrust(self, alias: str) -> None:
        """A model that billed though its price is zero: until the configuration changes its price counts as unknown."""
        self._distrusted.add(alias)

    def charges(self, held: Held, costs: Sequence[tuple[str, int]]) -> tuple[Charge, ...]:
        """What each budget of the hold is charged in the end. ``costs``: (model alias, nanos) per attempt."""
        total = sum(nanos for _, nanos in costs)
        windows = {charge.budget: charge.window for charge in held.charges}
        return tuple(
            Charge(
                budget.name,
                windows[budget.name],
                total if alias is None else sum(nanos for name, nanos in costs if name == alias),
            )
            for budget, alias in held.applies
        )

    def matching(self, caller: Caller, rungs: Rungs) -> Match:
        """The budgets that a caller's call to these models counts against. Only tags pinned to the key bear limits."""
        if self._revision != self._ledger.revision:
            self._revision = self._ledger.revision
            self._matches.clear()
        who = (caller.key, caller.team, caller.pinned_tags, rungs)
        match = self._matches.get(who)
        if match is None:
            if len(self._matches) > 10_000:
                self._matches.clear()
            applies = tuple(_applying(self._ledger.budgets(), caller, rungs))
            match = self._matches[who] = Match(applies, _limited(applies))
        return match

    def _bound(self, call: Call, rungs: Rungs, match: Match, course: int) -> Held:
        output = (call.max_output or 0) * call.n if call.kind not in ("embedding", "moderation") else 0
        prompt = call.text_bytes + PROMPT_MARGIN_TOKENS
        by_model: dict[str, int] = {}
        total, firm = 0, True
        for rung in rungs:
            nanos = None
            if rung.card is not None and rung.alias not in self._distrusted:
                nanos = bound(
                    rung.card,
                    input_tokens=prompt,
                    output_tokens=output,
                    images=call.images,
                    at_us=call.at_us,
                    service_tier=call.service_tier,
                    audio=_sound(call),
                )
            if nanos is None:
                if match.limited:
                    raise unpriced(rung)
                nanos, firm = 0, False
            by_model[rung.alias] = by_model.get(rung.alias, 0) + nanos
            total += nanos
        if total > MOST_NANOS:
            raise absurd(call, total)
        charges = tuple(
            Charge(budget.name, self._window(budget, call.at_us), total if alias is None else by_model.get(alias, 0))
            for budget, alias in match.applies
        )
        return Held(call, total, charges, match.applies, output, firm, course)

    def _fitting(self, call: Call, rungs: Rungs, held: Held, denied: Denied) -> Call | None:
        """The call with the largest output limit that fits into what the denying budget has left, if useful."""
        left = denied.spent.left_nanos
        if left is None or denied.spent.closed or not held.output_bound:
            return None
        rates = [
            output_rate_bound(
                rung.card,
                input_tokens=call.text_bytes,
                at_us=call.at_us,
                service_tier=call.service_tier,
                audio=_sound(call),
            )
            for rung in rungs
            if rung.card is not None
        ]
        rate_pico = sum(rate or 0 for rate in rates)
        if not rate_pico:
            return None
        over = max(0, held.nanos - left)
        fits = (held.output_bound - -(-over * 1000 // rate_pico) - 1) // call.n
        return structs.replace(call, max_output=fits, clamped=True) if fits >= LEAST_USEFUL_OUTPUT else None

    def _window(self, budget: Budget, at_us: int) -> str:
        hour = at_us // 3_600_000_000
        if hour != self._hour:
            self._hour = hour
            self._windows = {period: window(period, at_us) for period in ("day", "month", "ever")}
        return self._windows[budget.period]


def _applying(budgets: Sequence[Budget], caller: Caller, rungs: Rungs) -> list[tuple[Budget, str | None]]:
    pinned = {f"{k}={v}" for k, v in caller.pinned_tags}
    aliases = {rung.alias for rung in rungs}
    found: list[tuple[Budget, str | None]] = []
    for budget in budgets:
        subject = budget.subject
        if budget.scope == "model":
            if subject in aliases:
                found.append((budget, subject))
        elif (
            budget.scope == "total"
            or (budget.scope == "key" and subject == caller.key)
            or (budget.scope == "team" and subject == caller.team)
            or (budget.scope == "tag" and subject in pinned)
        ):
            found.append((budget, None))
    return found


def _limited(applies: Iterable[tuple[Budget, str | None]]) -> bool:
    return any(budget.limit_nanos is not None and budget.hard for budget, _ in applies)


def _sound(call: Call) -> bool | None:
    """Whether sound goes in or comes out: None where it may."""
    return None if call.files or "modalities" in call.fields or "audio" in call.fields else False


def _hold_row(call: Call, route: Route, held: Held) -> Hold:
    return Hold(
        id=call.id,
        at_us=call.at_us,
        key=call.caller.key,
        nanos=held.nanos,
        charges=held.charges,
        model=route.reference.alias,
        route=route.name,
        request_id=call.request_id if call.request_id != call.id else None,
    )


def unpriced(rung: Rung) -> Refused:
    """A model whose price nobody knows can't be kept under a limit."""
    return Refused(
        f"the price of '{rung.alias}' is not known, so no budget could bound it; give it one in the configuration: "
        f"[models.{rung.alias if '/' not in rung.alias else 'NAME'}] price = {{ input_usd_per_mtok = …, "
        "output_usd_per_mtok = … }, or lift the hard limits that apply",
        status=429,
        code="unpriced_model",
        type="insufficient_quota",
        param="model",
    )


def absurd(call: Call, total_nanos: int) -> Refused:
    """More than anybody means to spend on one call."""
    param = next((name for name in ("max_completion_tokens", "max_tokens") if name in call.fields), None)
    return Refused(f"this call could cost {usd_text(total_nanos)}; ask for fewer tokens", param=param)


def refusal(denied: Denied, at_us: int) -> Refused:
    """Which budget, what is left, when it opens again, and the one command that raises it."""
    spent: Spent = denied.spent
    budget = spent.budget
    limit = budget.limit_nanos or 0
    per = {"day": "today", "month": "this month", "ever": "in all"}[budget.period]
    again = opens_at(budget.period, at_us)
    unit = "" if budget.period == "ever" else f"/{budget.period}"
    raised = f"{max(limit * 2, denied.wanted_nanos + limit) / 1e9:.6f}".rstrip("0").rstrip(".")
    if spent.closed:
        state = f"budget '{budget.name}' is closed, because a provider billed more than the bound that was held"
    elif spent.left_nanos == 0:
        state = f"budget '{budget.name}' is spent ({_of(spent)} {per})"
    else:
        state = (
            f"budget '{budget.name}' has {usd_text(spent.left_nanos)} left ({_of(spent)} {per}) and this call could "
            f"cost {usd_text(denied.wanted_nanos)}; ask for fewer tokens (max_completion_tokens)"
        )
    opens = f"it opens at {again:%Y-%m-%d %H:%M} UTC" if again else "it does not open again by itself"
    remedy = f"raise it with: demitasse budgets set {budget.name} {raised}{unit}"
    if ":" in budget.name:  # an evaluation's: no name that `budgets set` takes
        remedy = "raise it with a larger --budget of the command that began it"
    return Refused(
        f"{state}; {opens}; {remedy}",
        status=429,
        code="insufficient_quota",
        type="insufficient_quota",
        retry_after_s=max(1.0, again.timestamp() - at_us / 1e6) if again else None,
    )


def _of(spent: Spent) -> str:
    used = usd_text(spent.settled_nanos)
    held = f" and {usd_text(spent.held_nanos)} held" if spent.held_nanos else ""
    return f"{used}{held} of {usd_text(spent.budget.limit_nanos)}"

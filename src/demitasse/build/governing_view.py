"""One look at everything that governance stands on: what several documents need, read once, and a card for each model.

Knows the store and the lab; judges nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from ..config.tree import Governance
from ..core.approved import AT_HOST
from ..core.evidence import OWN_KEYS
from ..core.ledger import Bucket
from ..core.money import usd
from ..core.policy import Certificate
from ..core.price import Card
from ..lab.evals.bias import bias, is_bbq
from ..lab.evals.result import EvaluationError, Run, folder, load_task, rows, runs
from ..lab.governance.cards import Evaluated, Figure, Issue, ModelCard, Use
from ..lab.governance.clean import cleaned
from ..lab.governance.register import SETTING as ACCEPTED
from ..lab.governance.register import accepted
from ..store.counts import DAY_US, configuration_of
from ..store.tally import Counted, Happened
from ..web.energy import Meter
from ..web.report import iso
from . import redteaming
from .facts import meter
from .governing_models import Origin, Shelf, energies, figures_of, issue, priced
from .governing_sources import Sources, Window
from .in_force import FROM_FILE, FROM_LEDGER, InForce, over
from .in_force import SETTING as CONFIGURATION

MOST_RUNS: Final = 500
MOST_BIAS_RUNS: Final = 20
MOST_ALERTS: Final = 1_000
DRILLS: Final = "governance.drills"
RESIDUAL: Final = "governance.residual"
HELD: Final = "approve-"
"""Begins the id of an alert that a call waits for a person; the rest is the code by which it is let pass."""


def look(sources: Sources, window: Window) -> View:
    """A look for a command, by the configuration as it is now: everything is counted first."""
    return View(sources, window, sources.shelf(), meter(sources.config), sources.tally.fold())


def look_back(sources: Sources, window: Window, counted: Counted) -> View:
    """A look for evidence: profile and list are those in force at the window's end, acceptances those made by then."""
    view = View(sources, window, sources.shelf(), meter(sources.config), counted)
    if view.configurations:
        rules = msgspec.convert(view.configurations[-1].value["governance"], Governance)
        taken = [one.facts.get("value") for one in view.earlier if one.id == f"setting:{ACCEPTED}"]
        view.shelf = Shelf(sources.config, sources.data, accepted(taken[-1] if taken else None), rules)
    return view


class View:
    """One look: sources, window, and what several documents need, read once."""

    def __init__(self, sources: Sources, window: Window, shelf: Shelf, meter: Meter, counted: Counted) -> None:
        self.sources, self.window, self.shelf, self.meter, self.counted = sources, window, shelf, meter, counted

    @cached_property
    def days(self) -> dict[tuple[int, str, str], int]:
        return self.sources.tally.days(self.window.since_us, self.window.until_us)

    def total(self, what: str) -> dict[str, int]:
        """Counts of one kind by name, the most first."""
        found: Counter[str] = Counter()
        for (_, kind, name), n in self.days.items():
            if kind == what:
                found[name] += n
        return dict(sorted(found.items(), key=lambda row: (-row[1], row[0])))

    def by_day(self, what: str) -> list[dict[str, Any]]:
        """The same by day: ``[{"day": "2026-11-21", "counts": {…}}]``."""
        found: dict[int, dict[str, int]] = defaultdict(dict)
        for (day, kind, name), n in self.days.items():
            if kind == what:
                found[day][name] = n
        return [{"day": iso(day * DAY_US)[:10], "counts": dict(sorted(found[day].items()))} for day in sorted(found)]

    @cached_property
    def calls(self) -> int:
        """Clients' calls in the window."""
        return sum(self.total("calls").values())

    @cached_property
    def traffic(self) -> list[Bucket]:
        return self.sources.books.buckets(
            self.window.since_us, self.window.until_us, ("key", "team", "route", "model", "outcome", "cache")
        )

    @cached_property
    def seen(self) -> dict[str, list[tuple[str, str, str]]]:
        """Of each model of the books: provider, upstream name, price card, the most frequent first."""
        found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for told in self.total("upstream"):
            model, provider, upstream, card = told.split("\t")
            found[model].append((provider, upstream, card))
        return found

    @cached_property
    def happened(self) -> list[Any]:
        return self.sources.tally.happened(self.window.since_us, self.window.until_us)

    @cached_property
    def earlier(self) -> list[Happened]:
        """Events from the beginning to the window's end."""
        return self.sources.tally.happened(0, self.window.until_us)

    @cached_property
    def _told(self) -> list[tuple[int, Any]]:
        told = [(one.at_us, one.facts["value"]) for one in self.earlier if one.id == f"setting:{CONFIGURATION}"]
        return [(at_us, value) for at_us, value in told if configuration_of(value)]

    @cached_property
    def configurations(self) -> list[InForce]:
        """What was in force in the window, as the ledger was told; none where it was not."""
        counted: dict[str, int] = {}
        for day, what, name in self.days:
            if what == "asked":  # on the day on which the next was told it may have been before that
                hash = name.rpartition("\t")[2]
                counted[hash] = max(counted.get(hash, 0), day * DAY_US)
        return over(self._told, self.window.since_us, self.window.until_us, counted)

    @cached_property
    def by_hash(self) -> dict[str, dict[str, Any]]:
        """Every configuration that the ledger was told of up to the window's end, by its short hash."""
        return {configuration_of(value): value for _, value in self._told}

    def in_force(self, pick: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Of a document that goes by settings: where they are from, and what ``pick`` makes of each that was in force."""
        spans = [
            {
                "from": iso(one.since_us),
                "until": one.until_us and iso(one.until_us),
                "hash": one.value["hash"],
                **pick(one.value),
            }
            for one in self.configurations
        ]
        return {"settings_from": FROM_LEDGER if spans else FROM_FILE, "in_force": spans}

    @cached_property
    def certificates(self) -> list[tuple[Certificate, str, int, str]]:
        return list(self.sources.evidence.certificates())

    @cached_property
    def runs(self) -> list[Run]:
        """Finished runs, the newest of each task, model and mode, newest first."""
        newest: dict[tuple[str, ...], Run] = {}
        for run in runs(self.sources.data):
            if run.state == "complete" and run.summary is not None:
                newest.setdefault((run.task, run.task_hash, run.model, run.mode), run)
        return list(newest.values())[:MOST_RUNS]

    @cached_property
    def biases(self) -> list[tuple[Run, tuple[Figure, ...]]]:
        """Runs of BBQ with their scores."""
        found: list[tuple[Run, tuple[Figure, ...]]] = []
        for run in self.runs:
            if len(found) == MOST_BIAS_RUNS:
                break
            try:
                task = load_task(folder(self.sources.data, run.id))
                if not is_bbq(task):
                    continue
                scores = bias(task, rows(folder(self.sources.data, run.id)), seed=run.seed)
            except EvaluationError:
                continue
            found.append((run, figures_of(scores, iso(run.began_us), run.task)))
        return found

    @cached_property
    def price_cards(self) -> dict[str, Card]:
        found = [msgspec.convert(value, Card) for value in self.sources.tally.cards()]
        return {card.id: card for card in found}

    @cached_property
    def card_days(self) -> dict[str, str]:
        """When each price card was first kept."""
        found: dict[str, str] = {}
        for event in self.sources.tally.happened(0, self.window.now_us + 1):
            if event.facts.get("what") == "card":
                found.setdefault(event.facts["name"], iso(event.at_us))
        return found

    @cached_property
    def models(self) -> dict[str, int]:
        """Models that answered in the window, with their calls, the most first."""
        found: Counter[str] = Counter()
        for row in self.traffic:
            if row.model and row.outcome == "answered" and row.key not in OWN_KEYS:
                found[row.model] += row.requests
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    def origin(self, name: str) -> Origin:
        return self.shelf.origin(name, [(provider, upstream) for provider, upstream, _ in self.seen.get(name, ())])

    def names(self) -> list[str]:
        """Every model of the window's traffic, and what stands in the configuration, was fetched or made here."""
        return list(dict.fromkeys((*self.models, *self.shelf.names())))

    def knows(self, name: str) -> bool:
        """Whether there is anything to say of a name."""
        return self.shelf.known(name) or name in self.models or name in self.seen

    def cards(self) -> tuple[ModelCard, ...]:
        """Cards of all ``names``."""
        return tuple(self.card(name) for name in self.names())

    def clean_cards(self, wanted: Iterable[str] = ()) -> tuple[ModelCard, ...]:
        """Cards of these models (of all, where none is named), without what must not leave the house."""
        found = tuple(self.card(name) for name in wanted) or self.cards()
        return msgspec.convert(cleaned(msgspec.to_builtins(found), self.own_words).value, tuple[ModelCard, ...])

    @cached_property
    def own_words(self) -> frozenset[str]:
        """What is evidence and nobody's personal value: hosts and names of the configuration, ids of calls and of what waits."""
        config, told = self.sources.config, self.by_hash.values()
        hosts = {urlsplit(one.base_url).hostname for one in config.models.values() if one.base_url}
        listed = {*config.governance.providers, *(one for value in told for one in value["governance"]["providers"])}
        hosts |= {one.removeprefix(AT_HOST) for one in listed}
        hosts |= {host for value in told for host in value.get("hosts", {}).values()}
        alerts = [one for one in self.happened if one.kind == "alerted"]
        codes = {one.id.removeprefix(HELD) for one in alerts if one.id.startswith(HELD)}
        codes |= {one.facts["subject"] for one in alerts if one.id.startswith(HELD)}
        return frozenset({*filter(None, hosts), *codes, *config.models, *config.routes})

    def card(self, name: str) -> ModelCard:
        """One model's."""
        origin, window = self.origin(name), self.window
        by_route: Counter[str] = Counter()
        for row in self.traffic:
            if row.model == name and row.outcome == "answered" and row.key not in OWN_KEYS:
                by_route[row.route or ""] += row.requests
        prices = list(dict.fromkeys(card for _, _, card in self.seen.get(name, ()) if card))
        return ModelCard(
            name=name,
            kind=origin.kind,
            made=iso(window.now_us),
            since=iso(window.since_us),
            until=iso(window.until_us),
            provider=origin.provider,
            runs=origin.runs,
            region=origin.region,
            identity=origin.identity,
            licence=self.shelf.licensed(origin),
            use=origin.use,
            prices=tuple(priced(self.price_cards[id], self.card_days) for id in prices if id in self.price_cards),
            evaluations=(*origin.evaluations, *(evaluated(run) for run in self.runs if run.model == name)),
            cpu=origin.cpu,
            safety=(*_safety(self, name), *origin.safety),
            bias=tuple(figure for run, figures in self.biases if run.model == name for figure in figures),
            energy=energies(self.traffic, name, self.meter),
            issues=_issues(self, name),
            used_by=tuple(Use(route, calls) for route, calls in by_route.most_common()),
            limits=origin.limits,
            data=origin.data,
        )


def evaluated(run: Run) -> Evaluated:
    told = run.summary
    assert told is not None
    return Evaluated(
        task=run.task, at=iso(run.ended_us or run.began_us), n=told.n, score=told.quality, interval=told.quality_interval,
        data_sha256=run.task_hash, mode=run.mode, scorer=run.scorer, unreadable=told.format_failures, source=run.source,
        licence=run.licence, run=run.id, usd=None if told.cost_nanos is None else usd(told.cost_nanos),
    )  # fmt: skip


def redteam_runs(view: View) -> list[dict[str, Any]]:
    """Replays of attacks in the window, oldest first."""
    since, until = iso(view.window.since_us), iso(view.window.until_us)
    return [run for run in view.sources.store.get_setting(redteaming.RUNS) or [] if since <= run["at"] <= until]


def _issues(view: View, name: str) -> tuple[Issue, ...]:
    found = [
        issue(alert.at_us, alert.message, open=alert.resolved_us is None)
        for alert in view.sources.books.alerts(open_only=False, last=MOST_ALERTS)
        if alert.subject == name
    ]
    for certificate, state, at_us, why in view.certificates:
        policy = certificate.policy
        if state in ("revoked", "suspended") and name in (policy.cheap, policy.second):
            said = f"certificate {certificate.id} of route '{policy.route}' was {state}: {why}"
            found.append(issue(at_us, said, open=state == "suspended"))
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))


def _safety(view: View, name: str) -> list[Figure]:
    found = []
    for run in redteam_runs(view):
        if run.get("model") == (redteaming.GUARD if name == "injection" else name) and isinstance(
            run.get("rate"), int | float
        ):
            interval = run.get("interval")
            span = (float(interval[0]), float(interval[1])) if interval else None
            found.append(Figure("red team: attacks that got through", run["rate"], span, run.get("n", 0), run["at"]))
    return found

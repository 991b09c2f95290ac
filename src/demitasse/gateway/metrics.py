"""Counters of this process for ``/metrics``, in Prometheus' text format. Counts what closed entries say; knows no HTTP."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.entry import Entry, Guarded
from ..core.evidence import OWN_KEYS, Label
from ..core.limits import Spent
from .metric_names import OTHER, Names, findings, harm

_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
_FIRST_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_GUARD_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
_OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)


_COUNTERS: tuple[tuple[str, str, str, tuple[str, ...], float], ...] = (
    ("demitasse_calls_total", "Closed calls.", "calls", ("route", "model", "outcome", "cache"), 1),
    ("demitasse_cost_usd_total", "Paid, by the model that answered.", "cost_nanos", ("model",), 1e9),
    ("demitasse_saved_usd_total", "Saved against the reference, by cause.", "saved_nanos", ("cause",), 1e9),
    ("demitasse_attempts_total", "Physical calls to models.", "attempts", ("model", "status"), 1),
    ("demitasse_denied_total", "Requests refused before they became calls.", "denied", ("code",), 1),
    ("demitasse_refused_total", "Calls refused, by reason.", "refused", ("code",), 1),
    (
        "demitasse_guard_findings_total",
        "Personal data, secrets and hidden characters found in prompts, by what was done.",
        "findings",
        ("type", "action"),
        1,
    ),
    ("demitasse_guard_actions_total", "What the guard did to whole calls.", "done", ("action", "what"), 1),
    (
        "demitasse_injection_total",
        "Prompts by the band of their highest risk of injection and whose text bears it.",
        "injection",
        ("band", "source"),
        1,
    ),
    ("demitasse_moderated_total", "Prompts in which moderation found harm.", "moderated", ("category",), 1),
    ("demitasse_checks_total", "Checks of answers.", "checks", ("check", "result"), 1),
    ("demitasse_own_calls_total", "Closed calls of our own.", "own", ("purpose", "outcome"), 1),
    ("demitasse_own_cost_usd_total", "Paid for calls of our own.", "own_nanos", ("purpose",), 1e9),
    ("demitasse_shadow_dropped_total", "Shadow calls that were left out.", "dropped", ("reason",), 1),
    ("demitasse_labels_total", "Evidence kept.", "labels", ("route", "source"), 1),
)
"""Counters that are a dictionary each: name, meaning, the field of Metrics, the labels that its keys are, and its units in one of
the metric's."""


def _as_tuple(at: Any) -> tuple[str, ...]:
    return at if isinstance(at, tuple) else (at,)


class Metrics:
    """Names and meanings are documented in ``docs/reference/metrics.md``."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str, str, str], int] = {}
        self.cost_nanos: dict[str, int] = {}
        self.saved_nanos: dict[str, int] = {}
        self.tokens_in: dict[str, int] = {}
        self.tokens_out: dict[str, int] = {}
        self.attempts: dict[tuple[str, str], int] = {}
        self.denied: dict[str, int] = {}
        self.own: dict[tuple[str, str], int] = {}
        self.own_nanos: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.labels: dict[tuple[str, str], int] = {}
        self.duration = Histogram(_SECONDS)
        self.overhead = Histogram(_OVERHEAD_SECONDS)
        self.first_byte = Histogram(_FIRST_SECONDS)
        self.guard = Histogram(_GUARD_SECONDS)
        self.baseline_nanos = 0
        self.energy_uj: dict[str, tuple[int, int]] = {}
        self.refused: dict[str, int] = {}
        self.findings: dict[tuple[str, str], int] = {}
        self.injection: dict[tuple[str, str], int] = {}
        self.moderated: dict[str, int] = {}
        self.done: dict[tuple[str, str], int] = {}
        self.checks: dict[tuple[str, str], int] = {}
        self.cut = 0
        self.in_flight = 0
        self.names = Names()

    def closed(self, entry: Entry) -> None:
        """Count a closed call; one of our own (a shadow, a judge, a check) costs like any other, but no client waited."""
        if entry.outcome == "answered":
            self.names.answered(entry.route, entry.model or "")
        fold = self.names.fold
        model = fold(entry.model or "")
        ours = entry.key in OWN_KEYS
        if ours:
            what = (dict(entry.tags).get("purpose", ""), entry.outcome)
            self.own[what] = self.own.get(what, 0) + 1
            self.own_nanos[what[0]] = self.own_nanos.get(what[0], 0) + (entry.cost_nanos or 0)
        else:
            who = (fold(entry.route), model, entry.outcome, entry.cache)
            self.calls[who] = self.calls.get(who, 0) + 1
            self.baseline_nanos += entry.baseline_nanos or 0
            if entry.outcome == "refused":
                code = entry.error or OTHER
                self.refused[code] = self.refused.get(code, 0) + 1
        if entry.cost_nanos:
            self.cost_nanos[model] = self.cost_nanos.get(model, 0) + entry.cost_nanos
        for cause, nanos in entry.saved if not ours else ():  # a counter never falls; what ours cost is told apart
            self.saved_nanos[cause] = self.saved_nanos.get(cause, 0) + nanos
        for attempt in entry.attempts:
            asked = fold(attempt.model)
            mark = (asked, attempt.status)
            self.attempts[mark] = self.attempts.get(mark, 0) + 1
            if attempt.usage is not None:
                usage = attempt.usage
                self.tokens_in[asked] = self.tokens_in.get(asked, 0) + usage.total_in
                self.tokens_out[asked] = self.tokens_out.get(asked, 0) + usage.total_out
            if (used := attempt.energy) is not None:
                low_uj, high_uj = self.energy_uj.get(used.method, (0, 0))
                self.energy_uj[used.method] = (low_uj + used.low_uj, high_uj + used.high_uj)
        if entry.guard is not None and not ours:
            self._guarded(entry, entry.guard)
        if entry.outcome == "answered" and not ours:
            if entry.stream and entry.first_byte_ms is not None:
                self.first_byte.observe(entry.first_byte_ms / 1e3)
            self.duration.observe(entry.duration_ms / 1e3)
            if entry.overhead_us is not None:
                self.overhead.observe(entry.overhead_us / 1e6)

    def _guarded(self, entry: Entry, guard: Guarded) -> None:
        """Types, counts and names, never a value: an Entry holds none."""
        for type, action, count in findings(entry):
            self.findings[type, action] = self.findings.get((type, action), 0) + count
        for action, what, count in guard.done:
            if action not in ("redact", "mask", "strip"):  # those are counted with what was found
                at = (action, "regions" if action == "stays" and what != "local" else what)
                self.done[at] = self.done.get(at, 0) + count
        if guard.band:
            at = (guard.band, guard.source)
            self.injection[at] = self.injection.get(at, 0) + 1
        for category, _ in guard.moderated:
            self.moderated[harm(category)] = self.moderated.get(harm(category), 0) + 1
        for check in guard.checks:
            told = (check.name, "passed" if check.passed else "failed")
            self.checks[told] = self.checks.get(told, 0) + 1
        self.cut += guard.cut
        self.guard.observe(guard.took_us / 1e6)

    def denied_at_the_door(self, code: str) -> None:
        """A request that never became a call: no key, foreign host, wrong content type."""
        self.denied[code] = self.denied.get(code, 0) + 1

    def shadow_dropped(self, reason: str) -> None:
        """A call that was drawn, or one that it needed, was left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def labelled(self, label: Label) -> None:
        """Evidence was kept."""
        at = (self.names.fold(label.route), label.source)
        self.labels[at] = self.labels.get(at, 0) + 1

    def text(self, gauges: Mapping[str, float], breakers: Mapping[str, str]) -> bytes:
        """The whole page. ``gauges``: further values of this moment by name, labels and all where they have some."""
        lines: list[str] = []

        def family(name: str, kind: str, about: str, rows: Iterable[tuple[str, float]]) -> None:
            lines.append(f"# HELP {name} {about}")
            lines.append(f"# TYPE {name} {kind}")
            lines.extend(f"{name}{labels} {value:g}" for labels, value in rows)

        for name, about, field, labels, units in _COUNTERS:
            kept: dict[Any, float] = getattr(self, field)
            family(
                name,
                "counter",
                about,
                ((_labels(**dict(zip(labels, _as_tuple(at), strict=True))), n / units) for at, n in kept.items()),
            )
        family(
            "demitasse_baseline_usd_total",
            "counter",
            "What the references would have cost for clients' calls.",
            [("", self.baseline_nanos / 1e9)],
        )
        family(
            "demitasse_energy_joules_total",
            "counter",
            "Energy of attempts, as the two ends of an interval, by method.",
            [
                *((_labels(method=m, bound="low"), low / 1e6) for m, (low, _) in self.energy_uj.items()),
                *((_labels(method=m, bound="high"), high / 1e6) for m, (_, high) in self.energy_uj.items()),
            ],
        )
        family(
            "demitasse_tokens_total",
            "counter",
            "Tokens paid for.",
            [
                *((_labels(model=m, direction="in"), n) for m, n in self.tokens_in.items()),
                *((_labels(model=m, direction="out"), n) for m, n in self.tokens_out.items()),
            ],
        )
        family("demitasse_guard_cut_total", "counter", "Calls that were too much to look at whole.", [("", self.cut)])
        family("demitasse_calls_in_flight", "gauge", "Calls being answered now.", [("", self.in_flight)])
        family(
            "demitasse_breaker_open",
            "gauge",
            "1 while a model rests after failures.",
            _breakers(breakers, self.names),
        )
        lines += self.duration.lines("demitasse_call_seconds", "Duration of answered calls.")
        lines += self.overhead.lines("demitasse_overhead_seconds", "Our own part of an answered call's duration.")
        lines += self.first_byte.lines("demitasse_first_byte_seconds", "Until a stream's first word.")
        lines += self.guard.lines("demitasse_guard_seconds", "CPU that the guard took in the way of a call.")
        grouped: dict[str, list[tuple[str, float]]] = {}
        for gauge, value in gauges.items():
            name, brace, rest = gauge.partition("{")
            grouped.setdefault(name, []).append((brace + rest, value))
        for name, rows in grouped.items():
            family(name, "gauge", name.removeprefix("demitasse_").replace("_", " ") + ".", rows)
        return ("\n".join(lines) + "\n").encode()


def budget_gauges(spents: Iterable[Spent]) -> dict[str, float]:
    """Limits, and what is spent and held of them in their present windows; a budget without a limit has no limit to show."""
    found: dict[str, float] = {}
    for spent in spents:
        budget = spent.budget
        labels = _labels(budget=budget.name, period=budget.period)
        if budget.limit_nanos is not None:
            found[f"demitasse_budget_limit_usd{labels}"] = budget.limit_nanos / 1e9
        found[f"demitasse_budget_spent_usd{labels}"] = spent.settled_nanos / 1e9
        found[f"demitasse_budget_held_usd{labels}"] = spent.held_nanos / 1e9
    return found


def labelled_gauge(name: str, value: float, **labels: str) -> dict[str, float]:
    """One value of a gauge that has labels."""
    return {name + _labels(**labels): value}


def _breakers(states: Mapping[str, str], names: Names) -> list[tuple[str, float]]:
    """By model; names that stand for nothing share a row, which says whether any of them rests."""
    rests: dict[str, float] = {}
    for model, state in states.items():
        name = names.fold(model)
        rests[name] = max(rests.get(name, 0.0), float(state != "closed"))
    return [(_labels(model=name), value) for name, value in rests.items()]


class Histogram:
    """Cumulative buckets as Prometheus wants them."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, about: str) -> list[str]:
        found = [f"# HELP {name} {about}", f"# TYPE {name} histogram"]
        total = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            found.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*found, f"{name}_sum {self._sum:g}", f"{name}_count {total}"]


def _labels(**labels: str) -> str:
    pairs = (f'{k}="{_escape(v)}"' for k, v in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

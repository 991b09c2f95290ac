"""The pages that save: what can be turned on, what each route's certificates promise, and what another policy would do.

Plain values, as in ``views``. Never shows a saving without its grade, nor a promise without the calls it was tested on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ..core.call import Usage
from ..core.errors import ConfigError
from ..core.evidence import Label
from ..core.ledger import Bucket
from ..core.policy import Certificate, CertificateState
from ..core.price import cost
from ..stats.intervals import wilson
from .desk import Desk
from .facts import RouteRow, SwitchRow
from .promises import share_text
from .report import DAY_US, Report
from .views import period, periods, report_of

MOST_LABELS = 2_000
"""The newest that a page looks at."""
LOOK_BACK_US = 7 * DAY_US
PROMOTABLE = frozenset({"certified", "undone", "suspended", "superseded"})
CAUSE_OF = {
    "exact-cache": ("exact_cache", "coalesced"),
    "prompt-cache": ("prompt_cache",),
    "semantic-cache": ("semantic_cache",),
}


class Offer(Struct, frozen=True):
    """One saving that can be had, with its one button. ``state``: ``on``, ``off``, ``file`` (a file decides) or ``waits``."""

    name: str
    label: str
    does: str
    state: str
    evidence: str
    saved_nanos: int | None = None
    grade: str = ""
    action: str = ""
    fields: Mapping[str, str] = {}
    button: str = ""


class Learned(Struct, frozen=True):
    """What shadow calls, votes and feedback say of one route, from its newest labels."""

    labels: int
    judged: int
    sessions: int
    as_good: float | None
    """Share of judged calls whose cheap answer is as good as the reference's."""
    low: float
    high: float
    """Wilson's 95 % interval of it, by sessions."""
    cost_nanos: int
    last_us: int | None
    methods: Mapping[str, int]


class Proof(Struct, frozen=True):
    """A certificate as it is shown."""

    certificate: Certificate
    state: CertificateState
    since_us: int
    why: str
    promotable: bool


class RouteView(Struct, frozen=True):
    """One route: who answers, what is known, what is promised."""

    row: RouteRow
    learned: Learned
    proofs: tuple[Proof, ...]
    in_force: Proof | None
    saved_nanos: int
    calls_per_day: float
    shadow_usd_per_day: float | None
    """About what its shadow calls would cost at the rate set; None: not known."""


def savings(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    now_us = desk.clock()
    stretch = period(query.get("period", ""), now_us)
    report = report_of(desk, stretch)
    routes = route_views(desk, report)
    return {
        "period": stretch,
        "periods": periods(now_us),
        "report": report,
        "offers": offers(desk.switches(), routes, report),
        "on": sum(switch.on for switch in desk.switches()),
    }


def routes(desk: Desk, _query: Mapping[str, str]) -> dict[str, Any]:
    now_us = desk.clock()
    report = report_of(desk, period("month", now_us))
    return {"routes": route_views(desk, report), "now_us": now_us, "report": report}


def what_if(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    """``route``, ``serve`` (a model's name or a certificate's id) and ``period``; without them the form alone."""
    now_us = desk.clock()
    stretch = period(query.get("period", "30d"), now_us)
    rows = [row for row in desk.routes() if row.ladder]
    route = query.get("route", "")
    chosen = next((row for row in rows if row.name == route), rows[0] if rows else None)
    certificates = [c.id for c, *_ in desk.evidence.certificates(route=chosen.name)] if chosen and desk.evidence else []
    serve = query.get("serve", "")
    replayed = error = None
    if chosen is not None and serve and desk.what_if is not None:
        asked = {"certificate": serve} if serve in certificates else {"route": chosen.name, "serve": serve}
        try:
            replayed = desk.what_if(asked, stretch.since_us, stretch.until_us)
        except ConfigError as wrong:
            error = str(wrong)
    return {
        "period": stretch,
        "periods": [*periods(now_us)[:2], period("30d", now_us), *periods(now_us)[2:]],
        "routes": rows,
        "route": chosen,
        "choices": [*(chosen.ladder if chosen else ()), *certificates],
        "serve": serve,
        "replayed": replayed,
        "error": error,
    }


def offers(switches: Sequence[SwitchRow], routes: Sequence[RouteView], report: Report) -> list[Offer]:
    """From the safest up: what leaves every answer as it is, what only learns, what a certificate bounds, what is new."""
    by_name = {switch.name: switch for switch in switches}
    found = [_switch_offer(by_name[name], report) for name in ("exact-cache", "prompt-cache") if name in by_name]
    if "shadow" in by_name:
        found.append(_shadow_offer(by_name["shadow"], routes))
    found += [_certificate_offer(view) for view in routes if len(view.row.ladder) > 1]
    if "semantic-cache" in by_name:
        found.append(_switch_offer(by_name["semantic-cache"], report))
    return found


def _switch_offer(switch: SwitchRow, report: Report) -> Offer:
    causes = CAUSE_OF.get(switch.name, ())
    of = [s for s in report.savings if s.cause in causes]
    saved = sum(s.nanos for s in of)
    grade = max((s.grade for s in of if s.nanos), default="")
    evidence = (
        f"{sum(report.caches.get(tier, 0) for tier in ('exact', 'coalesced')):,} calls answered from it in this time"
    )
    if switch.name != "exact-cache":
        evidence = switch.note
    return Offer(switch.name, switch.label, switch.does, _state(switch), evidence, saved, grade, *_button(switch))


def _shadow_offer(switch: SwitchRow, routes: Sequence[RouteView]) -> Offer:
    ladders = [view for view in routes if len(view.row.ladder) > 1]
    if not ladders:
        return Offer(
            switch.name,
            switch.label,
            switch.does,
            "waits",
            "no route has a ladder: name a cheaper model beside the reference, [routes.NAME] ladder",
        )
    daily = [view.shadow_usd_per_day for view in ladders]
    known = sum(usd for usd in daily if usd is not None)
    about = (
        f"about ${known:,.2f} a day at this traffic"
        if known and None not in daily
        else "its cost a day is not known yet"
    )
    labels = sum(view.learned.labels for view in ladders)
    return Offer(
        switch.name,
        switch.label,
        switch.does,
        _state(switch),
        f"{about}; {labels:,} labels so far",
        None,
        "",
        *_button(switch),
    )


def _certificate_offer(view: RouteView) -> Offer:
    name = f"route '{view.row.name}'"
    label = f"{view.row.ladder[0]} on {name}"
    does = f"{view.row.ladder[0]} answers where it is proven to be as good as {view.row.reference}"
    proof = view.in_force
    if proof is not None:
        return Offer(
            f"route:{view.row.name}",
            label,
            does,
            "waits" if view.row.why_not else "on",
            f"serves nothing: {view.row.why_not}" if view.row.why_not else promise_text(proof.certificate),
            view.saved_nanos,
            "B",
            "/certificates/undo",
            {"route": view.row.name},
            "turn off",
        )
    ready = next((p for p in view.proofs if p.promotable and p.state == "certified"), None)
    if ready is not None:
        about = f"{promise_text(ready.certificate)}; saves about {100 * ready.certificate.saving:.0f} %"
        return Offer(
            f"route:{view.row.name}",
            label,
            does,
            "off",
            about,
            None,
            "B",
            "/certificates/promote",
            {"id": ready.certificate.id},
            "turn on",
        )
    learned = view.learned
    evidence = (
        f"{learned.judged:,} judged labels of {learned.sessions:,} sessions"
        if learned.labels
        else "no label yet: turn on shadow calls"
    )
    fields = {"route": view.row.name}
    return Offer(
        f"route:{view.row.name}",
        label,
        does,
        "waits",
        evidence,
        None,
        "",
        *(("/certificates/certify", fields, "certify") if learned.judged else ("", {}, "")),
    )


def promise_text(certificate: Certificate) -> str:
    """``≥ 95.0 % of large, 95 % confidence, tested on 412 calls``."""
    reference, calls = certificate.policy.reference, certificate.n_certify
    sure = f"{100 * (1 - certificate.delta):g} % confidence"
    return f"≥ {share_text(certificate.quality)} of {reference}, {sure}, tested on {calls:,} calls"


def _state(switch: SwitchRow) -> str:
    return "file" if switch.locked else "on" if switch.on else "off"


def _button(switch: SwitchRow) -> tuple[str, Mapping[str, str], str]:
    if switch.locked:
        return "", {}, ""
    return (
        "/savings/switch",
        {"name": switch.name, "on": "no" if switch.on else "yes"},
        "turn off" if switch.on else "turn on",
    )


def route_views(desk: Desk, report: Report) -> list[RouteView]:
    """Every named route, those with a ladder first."""
    now_us = desk.clock()
    recent = {b.route: b for b in desk.books.buckets(now_us - LOOK_BACK_US, now_us, ("route",))}
    month = {b.route: b.saved_routed_nanos for b in desk.books.buckets(report.since_us, report.until_us, ("route",))}
    found = []
    for row in desk.routes():
        proofs = tuple(_proofs(desk, row.name, now_us))
        found.append(
            RouteView(
                row=row,
                learned=_learned(desk, row),
                proofs=proofs,
                in_force=next((p for p in proofs if p.state == "promoted"), None),
                saved_nanos=month.get(row.name, 0),
                calls_per_day=(recent[row.name].requests if row.name in recent else 0) / (LOOK_BACK_US / DAY_US),
                shadow_usd_per_day=_shadow_usd(desk, row, recent.get(row.name)),
            )
        )
    return sorted(found, key=lambda view: (len(view.row.ladder) < 2, view.row.name))


def _proofs(desk: Desk, route: str, now_us: int) -> list[Proof]:
    if desk.evidence is None:
        return []
    found = []
    for certificate, state, since_us, why in desk.evidence.certificates(route=route):
        shown: CertificateState = "expired" if certificate.expires_us <= now_us and state != "revoked" else state
        found.append(Proof(certificate, shown, since_us, why, shown in PROMOTABLE))
    return found


def _learned(desk: Desk, row: RouteRow) -> Learned:
    labels: Sequence[Label] = desk.evidence.latest(MOST_LABELS, route=row.name) if desk.evidence is not None else ()
    good: dict[str, list[float]] = {}
    methods: dict[str, int] = {}
    for label in labels:
        score = _share(label, row.ladder[0] if row.ladder else "")
        if score is not None:
            good.setdefault(label.session or label.id, []).append(score)
            methods[label.method.partition(":")[0]] = methods.get(label.method.partition(":")[0], 0) + 1
    judged = sum(len(scores) for scores in good.values())
    share = sum(sum(scores) for scores in good.values()) / judged if judged else None
    low, high = wilson((share or 0.0) * len(good), len(good))
    return Learned(
        labels=len(labels),
        judged=judged,
        sessions=len(good),
        as_good=share,
        low=low,
        high=high,
        cost_nanos=sum(_own_cost(label) for label in labels),
        last_us=max((label.at_us for label in labels), default=None),
        methods=dict(sorted(methods.items(), key=lambda item: -item[1])),
    )


def _share(label: Label, cheap: str) -> float | None:
    """The cheap answer's score as a share of the reference's, at most 1; None: not judged."""
    found = next(
        (answered for answered in label.others if answered.model == cheap and answered.score is not None), None
    )
    if found is None or found.score is None:
        return None
    best = label.reference.score if label.reference is not None and label.reference.score is not None else 1.0
    return min(1.0, found.score / best) if best > 0 else None


def _own_cost(label: Label) -> int:
    """What the calls made only to learn have cost."""
    made = [answered for answered in label.others if answered.model != label.served]
    if label.reference is not None and label.reference.model != label.served:
        made.append(label.reference)
    return sum(answered.cost_nanos or 0 for answered in made)


def _shadow_usd(desk: Desk, row: RouteRow, recent: Bucket | None) -> float | None:
    """Calls a day × the share that is drawn × what the cheap model would take for a mean call's tokens."""
    card = next((m.card for m in desk.models() if row.ladder and m.name == row.ladder[0]), None)
    if recent is None or card is None or not recent.requests:
        return None
    mean = Usage(
        uncached_in=(recent.uncached_in + recent.cache_read) // recent.requests,
        text_out=recent.text_out // recent.requests,
    )
    nanos = cost(card, mean, at_us=desk.clock())
    if nanos is None:
        return None
    return nanos / 1e9 * row.shadow_rate * recent.requests / (LOOK_BACK_US / DAY_US)

"""Which model a call begins with: the certificate in force for its route, its score, its session. Knows no model's answer.

Without a certificate in force, or when anything about one is in doubt, a call goes to the route's reference: what was
learned may cost money when it fails, never an answer and never a promise.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from math import isfinite
from typing import Protocol

from msgspec import Raw, Struct

from ..core.call import Call, Reply
from ..core.entry import Attempt
from ..core.evidence import InForce
from ..core.policy import Action, Certificate, Setting, choose
from .budget import Rungs
from .ladder import Drafter, Judge, Ladder, Verdict
from .route import Route, Rung, may_ask

log = logging.getLogger("demitasse")

SESSION_S = 7_200.0
"""So long after its last call a session still stays where it was: longer than any provider keeps a prompt cached."""
MOST_SESSIONS = 20_000
"""Sessions remembered, the most recently seen; some 5 MB. Those still with the cheap model are not among them."""


Tags = tuple[tuple[str, str], ...]


class Scorer(Protocol):
    """What was learned, as a function: estimates of P(the small model's answer is as good as the reference's)."""

    def prompt(self, call: Call) -> float:
        """Before any model is asked."""
        ...

    def draft(self, call: Call, prompt_score: float, reply: Reply, second: Reply | None) -> float:
        """Of an answer, and a second cheap one if there is one; ``prompt_score`` is what ``prompt`` said."""
        ...


class Course(Struct, frozen=True, eq=False):
    """One way that a call may go, and all the models that it may then ask."""

    action: Action
    ladder: Ladder
    asks: Rungs
    lower: tuple[str, ...] = ()
    """Names of those that are asked only because a policy says so."""
    checked: Ladder | None = None
    """The same models where the first answer is held back until checks have looked at it; None: no better one is behind it."""


class Plan(Struct, frozen=True, eq=False):
    """What was decided for one call before any model is asked."""

    courses: tuple[Course, ...]
    """The chosen one first; the others are for when its hold does not fit."""
    asks: tuple[Rungs, ...]
    """Of each course."""
    candidates: tuple[str, ...]
    policy: str = "reference"
    certificate: str = ""
    mark: str = ""
    """What answers of a cheaper model are kept under in the cache; they are served only while it is the same."""
    score: float | None = None
    reason: str = ""
    judge: Judge | None = None
    session: str = ""


@lru_cache(maxsize=1024)
def plain(route: Route) -> Plan:
    """The plan of a call that no policy has a say in: its reference, and what stands in when it fails."""
    return Plan(*_way(_reference(route)), candidates=tuple(rung.alias for rung in route.rungs))


class Pilot:
    """Decides for each call of a route with a ladder; remembers sessions, and nothing of what was said in them.

    Args:
        in_force: the promoted certificates.
        load: reads ``Policy.scorer``; called once per certificate, in a thread, since what it needs takes a while to
            import. Until then its route's calls go to the reference.
        clock: UTC microseconds.
        suspend: told of a certificate that no longer holds here and why; returns at once.
    """

    def __init__(
        self,
        in_force: InForce,
        load: Callable[[Raw], Scorer],
        *,
        clock: Callable[[], int],
        suspend: Callable[[Certificate, str], None] | None = None,
        most_sessions: int = MOST_SESSIONS,
        session_s: float = SESSION_S,
    ) -> None:
        self._in_force = in_force
        self._load = load
        self._clock = clock
        self._suspend = suspend
        self._promoted: Sequence[Certificate] = ()
        self._by_route: dict[str, Certificate] = {}
        self._suspended: dict[str, str] = {}
        self._scorers: dict[str, Scorer | None] = {}
        """By certificate; None: it could not be read."""
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._forces: dict[str, tuple[Route, _Force | str]] = {}
        """By name, for the route as it is configured now; a text says why its certificate does not serve."""
        self._behind: dict[str, dict[str, str]] = {}
        """By certificate: what stood behind the names of its models when it began to serve here."""
        self._complained: set[str] = set()
        self._sessions = _Sessions(most_sessions, int(session_s * 1e6))

    def certificate(self, route: Route) -> Certificate | None:
        """The certificate whose policy serves this route at this moment."""
        force = self._force(route) if route.lower else None
        return force.certificate if isinstance(force, _Force) else None

    def mark(self, call: Call, route: Route) -> str:
        """What a cheaper model's answer must have been kept under to be served to this call; empty: none is."""
        force = self._force(route) if route.lower else None
        if not isinstance(force, _Force) or not _spoken_of(call) or not force.open_to(call, route):
            return ""
        return force.mark_of(call.tags)

    def why_not(self, route: str) -> str:
        """Why a promoted certificate did not serve the route of this name when it was last asked for; empty where it did, or
        where there is none. For pages: changes nothing, and may be asked from any thread."""
        _, force = self._forces.get(route, (None, None))
        return force if isinstance(force, str) else ""

    def plan(self, call: Call, route: Route) -> Plan:
        """What to do with a call. Never fails: whatever is in doubt leads to the reference."""
        force = self._force(route) if route.lower else None
        if not isinstance(force, _Force):
            return plain(route)
        if not _spoken_of(call):
            return plain(route)
        if not force.open_to(call, route):
            return force.plan(call, "reference", "this key may not use the cheaper model")
        session = f"{route.name}\0{call.caller.tenant}\0{call.session}" if route.sticky and call.session else ""
        if session and self._sessions.went_up(session, call.at_us):
            return force.plan(call, "reference", "its session stays with the reference", session=session)
        scorer = self._scorer(force.certificate)
        if scorer is None:
            return force.plan(call, "reference", "the scorer could not be read, or not yet")
        setting = force.of(call.tags)
        try:
            score = scorer.prompt(call)
        except Exception:
            # A fault in what was learned must cost money, never an answer.
            if force.certificate.id not in self._complained:
                self._complained.add(force.certificate.id)
                log.exception(
                    "certificate %s: a prompt could not be scored; the reference answers", force.certificate.id
                )
            return force.plan(call, "reference", "the prompt could not be scored; see the log")
        action: Action = choose(setting, score)
        if session and action == "reference":
            self._sessions.goes_up(session, call.at_us)
        judge = _Judge(scorer, call, score, setting, second=force.second is not None) if action == "draft" else None
        return force.plan(call, action, _reason(action, setting, score), score=score, judge=judge, session=session)

    def learn(self, call: Call, route: Route, plan: Plan, *, escalated: bool, attempts: Iterable[Attempt]) -> None:
        """What follows from a call that was under a certificate: where its session stays, and whether the models are still
        the ones that it was proven on."""
        if escalated and plan.session:
            self._sessions.goes_up(plan.session, call.at_us)
        _, force = self._forces.get(route.name, (route, ""))
        if isinstance(force, str) or force.certificate.id != plan.certificate:
            return
        for attempt in attempts:
            proven = force.versions.get(attempt.model)
            if proven and attempt.status == "ok" and attempt.upstream_model not in proven:
                was = " or ".join(f"'{version}'" for version in sorted(proven))
                self._doubt(force.certificate, f"'{attempt.model}' is '{attempt.upstream_model}' now; it was {was}")
                return

    async def warm(self) -> None:
        """Read the scorers of all certificates in force, so that the first call need not wait for them."""
        self._follow()
        for certificate in self._by_route.values():
            self._scorer(certificate)
        if self._loading:
            await asyncio.gather(*self._loading.values())

    def _doubt(self, certificate: Certificate, why: str) -> None:
        if certificate.id in self._suspended:
            return
        self._suspended[certificate.id] = why
        self._forces.clear()
        log.warning("certificate %s of route '%s' is suspended: %s", certificate.id, certificate.policy.route, why)
        if self._suspend is not None:
            self._suspend(certificate, why)

    def _force(self, route: Route) -> _Force | str | None:
        """The policy in force with the route's rungs, or why it does not serve, or None: there is none."""
        self._follow()
        certificate = self._by_route.get(route.name)
        if certificate is None:
            return None
        if certificate.expires_us <= self._clock():
            return "it has expired"
        known = self._forces.get(route.name)
        if known is not None and known[0] is route:
            return known[1]
        force = self._suspended.get(certificate.id) or _enforce(certificate, route)
        if isinstance(force, _Force) and (other := self._moved(force, route)):
            self._doubt(certificate, other)
            force = other
        self._forces[route.name] = (route, force)
        if isinstance(force, str):
            log.warning(
                "certificate %s does not serve route '%s', the reference answers: %s", certificate.id, route.name, force
            )
        return force

    def _moved(self, force: _Force, route: Route) -> str:
        """Which name of the certificate's stands for another model since it serves here; empty: none."""
        now = {rung.alias: f"{rung.provider}/{rung.upstream_model}" for rung in (*force.lower, route.reference)}
        was = self._behind.setdefault(force.certificate.id, now)
        return next(
            (f"'{alias}' is {model} now; it was {was[alias]}" for alias, model in now.items() if was[alias] != model),
            "",
        )

    def _follow(self) -> None:
        """Take up what is promoted now."""
        promoted = self._in_force.promoted()
        if promoted is self._promoted:
            return
        if promoted == self._promoted:
            self._promoted = promoted
            return
        still = {certificate.id for certificate in self._promoted} & {certificate.id for certificate in promoted}
        self._promoted = promoted
        self._by_route = {certificate.policy.route: certificate for certificate in promoted}
        # One that a person has promoted anew may serve again.
        self._suspended = {id: why for id, why in self._suspended.items() if id in still}
        self._scorers = {id: scorer for id, scorer in self._scorers.items() if id in still}
        self._behind = {id: models for id, models in self._behind.items() if id in still}
        self._complained &= still
        self._forces.clear()

    def _scorer(self, certificate: Certificate) -> Scorer | None:
        id = certificate.id
        if id not in self._scorers:
            if id not in self._loading:
                self._loading[id] = asyncio.get_running_loop().create_task(self._read(certificate))
            return None
        return self._scorers[id]

    async def _read(self, certificate: Certificate) -> None:
        policy = certificate.policy
        try:
            scorer: Scorer | None = (
                _NoScore() if bytes(policy.scorer) == b"null" else await asyncio.to_thread(self._load, policy.scorer)
            )
        except Exception:
            log.exception("certificate %s: its scorer could not be read; the reference answers", certificate.id)
            scorer = None
        finally:
            self._loading.pop(certificate.id, None)
        self._scorers[certificate.id] = scorer


class _NoScore:
    """For policies that need no score: always the one model or always the other."""

    def prompt(self, call: Call) -> float:  # noqa: ARG002 - the Protocol's
        return 0.0

    def draft(self, call: Call, prompt_score: float, reply: Reply, second: Reply | None) -> float:  # noqa: ARG002
        return 0.0


class _Force(Struct, frozen=True, eq=False):
    """A certificate in force on a route as it is configured now, with all that need not be worked out anew for each call."""

    certificate: Certificate
    lower: Rungs
    second: Rung | None
    mark: str
    policy: str
    candidates: tuple[str, ...]
    ways: dict[Action, tuple[tuple[Course, ...], tuple[Rungs, ...]]]
    slices: dict[str, Setting]
    versions: dict[str, frozenset[str]]

    def of(self, tags: Tags) -> Setting:
        """The setting of the call's slice."""
        return self.slices.get(self._slice(tags), self.certificate.policy.setting)

    def mark_of(self, tags: Tags) -> str:
        """What is good enough for one slice need not be so for another: those with a setting of their own share nothing."""
        slice = self._slice(tags)
        return f"{self.mark} {slice}" if slice in self.slices else self.mark

    def open_to(self, call: Call, route: Route) -> bool:
        """Whether the call's key may use the cheaper models."""
        return not call.caller.models or all(may_ask(call.caller, route, rung) for rung in self.lower)

    def _slice(self, tags: Tags) -> str:
        """The call's tag ``task``; empty also where no slice differs."""
        return next((value for name, value in tags if name == "task"), "") if self.slices else ""

    def plan(
        self,
        call: Call,
        action: Action,
        reason: str,
        *,
        score: float | None = None,
        judge: Judge | None = None,
        session: str = "",
    ) -> Plan:
        courses, asks = self.ways[action]
        return Plan(
            courses,
            asks,
            self.candidates,
            policy=self.policy,
            certificate=self.certificate.id,
            mark=self.mark_of(call.tags),
            score=score,
            reason=reason,
            judge=judge,
            session=session,
        )


def _enforce(certificate: Certificate, route: Route) -> _Force | str:
    """The certificate over this route's rungs, or why it does not speak of the route as it is configured now."""
    policy = certificate.policy
    if policy.reference != route.reference.alias:
        return f"its reference was '{policy.reference}', the route's is '{route.reference.alias}'"
    if route.quality is not None and certificate.quality < route.quality:
        return f"it promises {certificate.quality:g} of the reference's quality, the route wants {route.quality:g}"
    by_alias = {rung.alias: rung for rung in route.lower}
    settings = [policy.setting, *(setting for _, setting in policy.slices)]
    asks_second = policy.second is not None and any(setting.second > float("-inf") for setting in settings)
    for alias in (policy.cheap, policy.second if asks_second else None):
        if alias is not None and alias not in by_alias:
            return f"its model '{alias}' is not in the route's ladder"
    if bytes(policy.scorer) == b"null" and any(_needs_score(setting) for setting in settings):
        return "its thresholds need a score and it has no scorer"
    cheap = by_alias[policy.cheap]
    second = by_alias[policy.second] if asks_second and policy.second is not None else None
    lower = (cheap,) if second is None else (cheap, second)
    alone = _reference(route)
    others = tuple(rung for rung in route.fallbacks if rung not in lower)
    stand_ins = (route.reference, *(rung for rung in route.fallbacks if rung is not cheap))
    checked = Ladder((Drafter(cheap, patient=True),), route.reference, stand_ins[1:])
    ways: dict[Action, tuple[tuple[Course, ...], tuple[Rungs, ...]]] = {
        "cheap": _way(
            Course("cheap", Ladder((), cheap, stand_ins, forgive=True), (cheap, *stand_ins), (cheap.alias,), checked),
            Course("cheap", Ladder((), cheap), (cheap,), (cheap.alias,)),
            alone,
        ),
        "draft": _way(
            Course(
                "draft",
                # A model whose draft was refused does not stand in for the reference: its draft does.
                Ladder(tuple(Drafter(rung) for rung in lower), route.reference, others),
                (*lower, route.reference, *others),
                tuple(rung.alias for rung in lower),
            ),
            alone,
        ),
        "reference": _way(alone),
    }
    versions: dict[str, set[str]] = {}
    for alias, version in certificate.models:
        if version:
            versions.setdefault(alias, set()).add(version)
    return _Force(
        certificate=certificate,
        lower=lower,
        second=second,
        mark=f"{certificate.id} {cheap.provider}/{cheap.upstream_model}",
        policy=policy.id,
        candidates=(*(rung.alias for rung in lower), *(rung.alias for rung in route.rungs)),
        ways=ways,
        slices=dict(policy.slices),
        versions={alias: frozenset(seen) for alias, seen in versions.items()},
    )


def _spoken_of(call: Call) -> bool:
    """Whether a certificate speaks of calls of this kind: shadow calls compare single answers to chats, and another model's
    embeddings are no embeddings."""
    return call.kind == "chat" and call.n == 1


def _reference(route: Route) -> Course:
    return Course("reference", Ladder((), route.reference, route.fallbacks), route.rungs)


def _way(*courses: Course) -> tuple[tuple[Course, ...], tuple[Rungs, ...]]:
    return courses, tuple(course.asks for course in courses)


def _needs_score(setting: Setting) -> bool:
    return any(isfinite(threshold) for threshold in (setting.direct, setting.draft, setting.accept))


def _reason(action: Action, setting: Setting, score: float) -> str:
    if action == "cheap":
        if setting.direct == float("-inf"):
            return "by its certificate the cheaper model answers whatever is asked"
        return f"the prompt scores {score:.3f}, {setting.direct:.3f} is enough"
    if action == "draft":
        return f"the prompt scores {score:.3f}, {setting.draft:.3f} is enough for a draft"
    return f"the prompt scores {score:.3f}, {min(setting.direct, setting.draft):.3f} would be enough"


class _Judge:
    """The verdict on a draft of one call."""

    __slots__ = ("_call", "_prompt_score", "_scorer", "_second", "_setting")

    def __init__(self, scorer: Scorer, call: Call, prompt_score: float, setting: Setting, *, second: bool) -> None:
        self._scorer = scorer
        self._call = call
        self._prompt_score = prompt_score
        self._setting = setting
        self._second = second

    def __call__(self, draft: Reply, second: Reply | None) -> Verdict:
        score = self._scorer.draft(self._call, self._prompt_score, draft, second)
        accept = self._setting.accept
        stands = score >= accept
        compared = " beside a second answer" if second is not None else ""
        return Verdict(
            stands=stands,
            score=score,
            ask_second=self._second and second is None and score < self._setting.second,
            reason=f"the draft scores {score:.3f}{compared}, {accept:.3f} {'is' if stands else 'would be'} enough",
        )


class _Sessions:
    """Sessions that have gone up to the reference. There they stay; inside a session a call only ever goes further up, so
    one that is still with the cheap model need not be remembered."""

    def __init__(self, most: int, session_us: int) -> None:
        self._most = most
        self._session_us = session_us
        self._seen: OrderedDict[str, int] = OrderedDict()
        """When each was last seen, oldest first."""

    def went_up(self, session: str, at_us: int) -> bool:
        seen_us = self._seen.get(session)
        if seen_us is None:
            return False
        if at_us - seen_us > self._session_us:
            del self._seen[session]
            return False
        self.goes_up(session, at_us)
        return True

    def goes_up(self, session: str, at_us: int) -> None:
        self._seen[session] = at_us
        self._seen.move_to_end(session)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def __len__(self) -> int:
        return len(self._seen)

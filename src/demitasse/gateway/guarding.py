"""The guard's step in a call's way: look at each part of a prompt, then decide what is done, where the call may go.

    parts → findings → refuse? → where may it stay? → redact, mask, strip → moderate → the route's models that are allowed

Until a setting says otherwise things are counted and nothing is changed. Knows findings and rules; no detector and no model.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import perf_counter, thread_time
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Raw, structs

from ..core.call import Call, Reply
from ..core.entry import Check, Guarded
from ..core.errors import ConfigError, Refused
from ..core.limits import Alert
from ..guard import hidden as hidden_characters
from ..guard.finding import Findings, Moderated
from ..guard.kinds import SECRETS
from ..guard.scan import Scanner
from ..wire.parts import Part, Place, once_at_top, parts, said_once, with_texts
from ..wire.text import said_since
from .closing import Facts
from .guard_findings import Piece, Risk, Span, high_risks, listed, pieces, replaced, risks, told, wanted
from .guard_memory import Memory
from .guard_rules import Policies, Rules
from .guard_seams import across, seams
from .locality import LOCAL, both, leaves, narrowed
from .passage import Grey, Passage, Restorer
from .route import Route

BESIDE_CHARS = 16_384
"""Longer prompts are looked at in a thread: other calls go on meanwhile."""
MOST_S = 0.02
"""So long a prompt is looked at before the rest goes to a thread: many short texts take longer than one long."""
MOST_RULES = 8_192
"""Routes and tenants whose rules are kept."""
BESIDE_BYTES = 262_144
"""The texts of a larger body are taken out of it in a thread."""
_TOOLS = frozenset(
    {
        *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
        *("web_search_options", "plugins", "mcp_servers"),  # what providers themselves do for a model
    }
)

Load = Callable[[float, bool], Scanner]
"""Makes the scanner for a budget of false alarms, with or without a recogniser of names. Slow: it runs in a thread."""
Redact = Callable[[Call, Sequence[Part], Sequence[tuple[Part, list[Span]]]], "Redacted"]
"""Puts placeholders in the place of spans. It is given all parts, since a placeholder must stand nowhere else in them."""
Recall = Callable[[Call, Sequence[Part]], Restorer | None]
"""What puts back the values of placeholders that the client itself sent, if there are any."""


class Moderate(Protocol):
    """Asks a model (by name) about a text of a call. With ``refuse`` raises Refused where it could not be asked."""

    def __call__(
        self, model: str, text: str, call: Call, *, refuse: bool = False
    ) -> Awaitable[tuple[Moderated, ...]]: ...

    def reply(self, model: str, reply: Reply, call: Call) -> Awaitable[Check | None]:
        """The same of an answer, as a check of it; None: the model could not be asked."""
        ...


class Redacted(NamedTuple):
    """New texts by place, and what puts the values back."""

    texts: dict[Place, str]
    restorer: Restorer | None


class Guard:
    """The step. One instance serves until the configuration changes.

    Args:
        policies: which rules hold for whom.
        load: makes the scanner for a budget of false alarms, with or without names; slow, called in a thread, once for each.
        redact: puts placeholders in.
        recall: knows placeholders that an earlier turn brought; where there is nothing to redact.
        secret: keys approvals.
        moderate: asks a model about harm; None: no rule names one.
        grey: has a model (by name) decide claims of a call's answers; None: no rule names one.
        approved: whether a person let this risk pass, by the code that the refusal named.
        rejected: whether a person refused it for good.
        alarm: tells a person; returns at once.
    """

    def __init__(
        self,
        policies: Policies,
        load: Callable[[float, bool], Scanner],
        redact: Redact,
        *,
        recall: Recall = lambda _call, _asked: None,
        secret: bytes,
        moderate: Moderate | None = None,
        grey: Callable[[str, Call], Grey] | None = None,
        approved: Callable[[str, int], bool] = lambda _code, _at_us: False,
        rejected: Callable[[str], bool] = lambda _code: False,
        alarm: Callable[[Alert], None] = lambda _alert: None,
    ) -> None:
        self.policies = policies
        self._load = load
        self._redact = redact
        self._recall = recall
        self._secret = secret
        self._moderate = moderate
        self._grey = grey
        self._approved = approved
        self._rejected = rejected
        self._alarm = alarm
        self._rules: dict[tuple[str, str], Rules] = {}
        self._scanners: dict[tuple[float, bool], Scanner] = {}
        self._loading: dict[tuple[float, bool], asyncio.Task[Scanner]] = {}
        self._remembered = Memory(os.urandom(32))

    async def admit(self, call: Call, route: Route, facts: Facts) -> Passage:
        """The call as it may go on. ``facts.guard`` tells what was seen, also where it raises Refused."""
        rules = self._rules_of(route.name, call.caller.tenant)
        stays, data_class = self._declared(call)
        if not rules.on:
            facts.guard = Guarded(data_class=data_class, stays=stays) if stays else None
            return _passage(call, route, rules, stays, data_class)
        began = perf_counter()
        beside = len(call.body) > BESIDE_BYTES
        asked, read, twice = await asyncio.to_thread(_read, call) if beside else _read(call)
        call = _with(call, call.fields, once_at_top(call.fields, call.body))
        if twice:  # what nobody reads was not looked at, so it does not go anywhere either
            call = _with(call, *said_once(call.fields, call.body, twice))
        chars = sum(len(part.text) for part in asked)
        if rules.max_chars is not None and chars > rules.max_chars:
            raise Refused(
                f"the prompt is {chars:,} characters long; this route takes {rules.max_chars:,} ([guard] max_chars)",
                status=413,
                code="prompt_too_long",
            )
        names = rules.names and leaves(route, stays)
        joints = seams(asked, names=names)
        pieces_and_seams = [*read, *(seam.piece for seam in joints)]
        looked, waited_s = await self._look(pieces_and_seams, chars, rules, call.caller.tenant, names=names)
        began += waited_s
        found = looked[: len(read)]
        over = across(zip(joints, looked[len(read) :], strict=True), zip(read, found, strict=True)) if joints else ()
        every = [*found, *(findings for _, findings in over)]
        worst = risks(read, found)
        seen = facts.guard = told(every, worst, rules)
        want = wanted(read, found, rules, over)
        if want.refused:
            raise _private(want.refused)
        if seen.hidden and rules.hidden == "refuse":
            kinds = ", ".join(kind for kind, _ in seen.hidden)
            raise Refused(
                f"the prompt holds characters that nobody can see ({kinds}), and this route takes none; send plain text",
                code="hidden_characters",
            )
        done: Counter[tuple[str, str]] = Counter()
        stays, data_class = self._where(stays, data_class, want.local, every, rules)
        stays, drop_tools = self._orders(call, worst, partial(high_risks, read, found), rules, stays, done)
        spans = want.spans
        if spans and names and stays and not leaves(route, stays):
            spans = wanted(read, found, rules.unnamed, over).spans  # names are no secret from what computes here
        done.update(replaced(spans))
        if stays:
            done["stays", stays] += 1
        strip = bool(seen.hidden) and rules.hidden == "strip"
        if strip:
            done["strip", "hidden"] += sum(count for _, count in seen.hidden)
        if done or data_class or stays:
            facts.guard = seen = structs.replace(seen, done=listed(done), data_class=data_class, stays=stays)

        restorer: Restorer | None = None
        if spans or strip:
            call, restorer = self._changed(call, asked, spans, strip=strip)
        if not spans:
            restorer = self._recall(call, asked)
        if drop_tools and not _TOOLS.isdisjoint(call.fields):
            call = _without_tools(call)
        facts.guard = structs.replace(seen, took_us=int((perf_counter() - began) * 1e6))
        passage = _passage(call, route, rules, stays, data_class)
        return structs.replace(
            passage,
            restorer=restorer,
            moderate=self._of_answers(rules),
            grey=self._undecided(passage.call, rules),
            harm=partial(self._moderated, rules=rules) if rules.moderation and self._moderate is not None else None,
            redacted=bool(spans or restorer),
        )

    def scanner(self) -> Scanner | None:
        """One that is loaded, if any is."""
        return next(iter(self._scanners.values()), None)

    async def warm(self) -> None:
        """Load what the rules ask for, so that the first call need not wait."""
        wanted = {(rules.false_alarms, rules.names) for rules in self.policies.all() if rules.on}
        for false_alarms, names in wanted:
            await self._scanner(false_alarms, names)

    def _rules_of(self, route: str, tenant: str) -> Rules:
        found = self._rules.get((route, tenant))
        if found is None:
            if len(self._rules) >= MOST_RULES:
                self._rules.clear()
            found = self.policies.rules(route, tenant)
            if not found.on and any(data.types for data in self.policies.classes.values()):
                found = Rules(checks=())  # nothing is done; but where data may go is no matter of the guard's being on
            self._rules[route, tenant] = found
        return found

    def _declared(self, call: Call) -> tuple[str, str]:
        """Where the call may go by what its tenant and its header say, and the class that says so."""
        policies = self.policies
        stays, name = "", ""
        for said in (policies.declared(call.caller.tenant), call.wish.data_class):
            if not said:
                continue
            data = policies.classes.get(said)
            if data is None:
                known = ", ".join(sorted(policies.classes)) or "none"
                raise Refused(
                    f"x-demitasse-class: there is no class of data '{said}' here; there are: {known}",
                    code="invalid_header",
                )
            stays, name = both(stays, data.stays), name or data.name
        return stays, name

    async def _look(
        self, read: Sequence[Piece], chars: int, rules: Rules, tenant: str, *, names: bool
    ) -> tuple[list[Findings], float]:
        """What is found in each piece, and the seconds of it that were no work but waiting for a thread."""
        began = perf_counter()
        scanner = self._scanners.get((rules.false_alarms, names)) or await self._scanner(rules.false_alarms, names)
        waited_s = perf_counter() - began
        found: list[Findings] = []
        if chars <= BESIDE_CHARS and not names:
            until = perf_counter() + MOST_S
            for piece in read:
                found.append(self._find(piece, scanner, rules, tenant, names=False))
                if perf_counter() > until:
                    break
            if len(found) == len(read):
                return found, waited_s

        def beside() -> tuple[list[Findings], float]:
            started = thread_time()
            rest = [self._find(piece, scanner, rules, tenant, names=names) for piece in read[len(found) :]]
            return rest, thread_time() - started

        began = perf_counter()
        rest, worked_s = await asyncio.to_thread(beside)
        return found + rest, waited_s + (perf_counter() - began) - worked_s

    def _find(self, piece: Piece, scanner: Scanner, rules: Rules, tenant: str, *, names: bool) -> Findings:
        digest = self._remembered.digest(piece.text, piece.source, rules.false_alarms, names=names, tenant=tenant)
        found = self._remembered.find(digest)
        if found is None:
            found = scanner(piece.text, piece.source, names=names)
            self._remembered.keep(digest, found)
        return found

    async def _scanner(self, false_alarms: float, names: bool) -> Scanner:
        at = (false_alarms, names)
        if (found := self._scanners.get(at)) is not None:
            return found
        task = self._loading.get(at)
        if task is None:
            task = self._loading[at] = asyncio.create_task(asyncio.to_thread(self._load, false_alarms, names))
        try:
            # Who gives up waiting does not take it from the others.
            self._scanners[at] = await asyncio.shield(task)
        except ConfigError as error:
            # Something that was installed is damaged or gone: nothing passes unseen, and it is said what to do.
            raise Refused(
                f"the guard cannot look at prompts: {error}",
                status=503,
                code="guard_unavailable",
                type="server_error",
                final=False,
            ) from error
        finally:
            if task.done():
                self._loading.pop(at, None)
        return self._scanners[at]

    def _where(
        self, stays: str, data_class: str, local: Sequence[str], found: Sequence[Findings], rules: Rules
    ) -> tuple[str, str]:
        """Where the call may go by what it holds, and what says so."""
        cut = any(findings.cut for findings in found)
        types = {entity.type for findings in found for entity in findings.entities} if self.policies.classes else ()
        for data in self.policies.classes.values():
            # What was not looked at may hold anything: what must not leave does not leave on a guess.
            if not data.types.isdisjoint(types) or (cut and data.types):
                stays, data_class = both(stays, data.stays), data_class or data.name
        if local or (cut and rules.on and rules.keeps_local):
            stays, data_class = LOCAL, data_class or next(iter(local), "unseen")
        if rules.on_cap != "pass" and cut:
            if rules.on_cap == "refuse":
                raise Refused(
                    "the prompt is too much to be looked at whole, and this route lets nothing pass unseen; send it in pieces",
                    status=413,
                    code="guard_cap",
                )
            stays, data_class = LOCAL, data_class or "unseen"
        return stays, data_class

    def _orders(
        self,
        call: Call,
        worst: Sequence[Risk],
        high: Callable[[], Sequence[Risk]],
        rules: Rules,
        stays: str,
        done: Counter[tuple[str, str]],
    ) -> tuple[str, bool]:
        """What is done about text that gives orders: where the call stays, and whether it goes without tools."""
        drop_tools = False
        for risk in worst:
            action = rules.untrusted if risk.untrusted else rules.injection
            if risk.band != "high" or action in ("off", "detect"):
                continue
            whose = f"{risk.source} text"
            if action == "refuse":
                raise Refused(
                    f"the {whose} of this prompt looks as if it gave the model orders that are not its to give "
                    f"(risk {risk.score:.2f}); reword it, or ask the owner of this route",
                    code="injection_refused",
                )
            if action == "approve":
                for one in high():  # a text that was let pass is no passport for another beside it
                    if one.untrusted == risk.untrusted:
                        self._ask_a_person(call, one)
                done["approved", "injection"] += 1
            elif action == "local":
                stays = LOCAL
                done["local", "injection"] += 1
            elif action == "drop_tools":
                drop_tools = True
                done["drop_tools", "injection"] += 1
        return stays, drop_tools

    def _ask_a_person(self, call: Call, risk: Risk) -> None:
        """Raises Refused unless a person has let this very text of this key (or team) pass."""
        text = f"{call.caller.team or call.caller.key}\0{risk.text}".encode("utf-8", "surrogatepass")
        code = hmac.digest(self._secret, b"approve\0" + text, "sha256").hex()[:10]
        if self._rejected(code):
            raise Refused(
                f"the {risk.source} text of this prompt was refused by a person ({code}), and that is final; reword it, or talk "
                "to whoever runs this gateway",
                status=403,
                code="approval_rejected",
                type="permission_error",
            )
        if self._approved(code, call.at_us):
            return
        remedy = f"demitasse guard approve {code}"
        self._alarm(
            Alert(
                id=f"approve-{code}",
                at_us=call.at_us,
                kind="approval_needed",
                subject=call.id,
                message=f"call {call.id} of key '{call.caller.key}' to '{call.model}' was refused until a person lets it pass "
                f"({code}): its {risk.source} text has an injection risk of {risk.score:.2f}",
                remedy=remedy,
                undo=f"demitasse guard withdraw {code}",
                group=f"approval {call.model} {call.caller.key} {risk.source}",
            )
        )
        raise Refused(
            f"the {risk.source} text of this prompt has an injection risk of {risk.score:.2f} and waits for a person; "
            f"whoever runs this gateway lets it pass with: {remedy}",
            status=403,
            code="approval_needed",
            type="permission_error",
        )

    def _changed(
        self, call: Call, asked: Sequence[Part], spans: Sequence[tuple[Part, list[Span]]], *, strip: bool
    ) -> tuple[Call, Restorer | None]:
        """The call with placeholders, and without what nobody sees."""
        texts, restorer = self._redact(call, asked, spans) if spans else Redacted({}, None)
        if strip:
            for part in asked:
                seen = texts.get(part.place, part.text)
                if not part.fixed and (bare := hidden_characters.strip(seen)) != seen:
                    texts[part.place] = bare
        try:
            fields, body = with_texts(call.fields, call.body, texts)
        except KeyError:
            raise Refused(
                "the body names one member twice in an object, so that it cannot be told what would be read of it; "
                "send each name once",
                code="invalid_json",
            ) from None
        key = ("prompt_cache_key",)
        if key in texts and any(part.place == key and part.text[:128] == call.session for part in asked):
            call = structs.replace(call, session=texts[key][:128])  # it names the session in the books
        return _with(call, fields, body), restorer

    def _of_answers(self, rules: Rules) -> Callable[[Reply, Call], Awaitable[Check | None]] | None:
        if self._moderate is None or not rules.moderation or "moderation" not in rules.checks:
            return None
        return partial(self._moderate.reply, rules.moderation)

    def _undecided(self, call: Call, rules: Rules) -> Grey | None:
        if self._grey is None or not rules.grounding_judge or "grounding" not in rules.checks:
            return None
        return self._grey(rules.grounding_judge, call)

    async def _moderated(self, call: Call, facts: Facts, *, rules: Rules) -> None:
        """See ``Passage.harm``."""
        assert self._moderate is not None
        assert facts.guard is not None
        refuse = rules.moderated == "refuse"
        found = await self._moderate(rules.moderation, said_since(call.body), call, refuse=refuse)
        facts.guard = structs.replace(
            facts.guard, moderated=tuple((one.category, round(one.score, 4)) for one in found)
        )
        if found and refuse:
            raise Refused(
                "the prompt was found harmful ("
                + ", ".join(one.category for one in found)
                + "), and this route refuses that",
                code="moderation_refused",
            )


def _read(call: Call) -> tuple[list[Part], list[Piece], list[str]]:
    """A call's texts, the same cut by who wrote them, and the members that say something twice."""
    twice: list[str] = []
    asked = parts(call.kind, call.fields, twice)
    return asked, pieces(asked), twice


def _passage(call: Call, route: Route, rules: Rules, stays: str, data_class: str) -> Passage:
    if stays:
        route = narrowed(route, stays, f"it is of the class '{data_class}'")
        call = structs.replace(call, stays=stays)
    return Passage(call, route, rules.checks if rules.on else ())


def _without_tools(call: Call) -> Call:
    fields = {name: raw for name, raw in call.fields.items() if name not in _TOOLS}
    return structs.replace(_with(call, fields, msgspec.json.encode(fields)), has_tools=False)


def _with(call: Call, fields: Mapping[str, Raw], body: bytes) -> Call:
    """The call with another body: what is held for it is counted from the new one."""
    if body is call.body:
        return call
    grown = len(body) - len(call.body)
    return structs.replace(call, fields=dict(fields), body=body, text_bytes=call.text_bytes + grown)


def _private(types: Sequence[str]) -> Refused:
    secret = [type in SECRETS for type in types]
    settings = ["personal"] * (not all(secret)) + ["secrets"] * any(secret)
    return Refused(
        f"the prompt holds {', '.join(types)}, which this route does not take ([guard] {' and '.join(settings)}); leave it out",
        code="private_data_refused",
    )

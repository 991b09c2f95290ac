"""The provider's own prompt cache: what is asked of it, what came of it, and what of that is ours to claim.

`Cached` is a Model that holds a Model. Before it asks, it adds what the provider's rule documents and the client did not
set itself: a cache key, or breakpoints where they pay. After the answer it learns from the tokens that
were really read. Knows rules, rates and hashes of prefixes; keeps no word of any prompt.

**Keys** cost nothing. Their value is a keyed hash of tenant and prefix (or session), never an id of anybody's. What they
bring can't be seen in one call, so a share of sessions is left alone (`holdout`) and only the proven difference is booked (B).

**Breakpoints** make a provider read what it has, which is always worth it, and write what it would not have kept, at a
surcharge: that one is set where a read expected before the entry dies is worth more. There the counterfactual is known, since
without a breakpoint nothing is cached: what was read and written is booked as it was measured, losses too (A).

A client that sets any of these itself is left alone, and nothing is claimed.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from math import exp
from typing import Any

import msgspec
from msgspec import Raw, structs

from ..core.call import Call, Model, Reply, Send, Usage
from ..core.errors import UpstreamError
from ..core.evidence import OWN_KEYS
from ..core.limits import Alert
from ..core.price import PICO_PER_NANO, Card, cost
from ..providers.prompt_caching import Rule
from ..wire import prefix
from ..wire.prefix import Layout
from .holdout import held_out
from .prefix_watch import Finding, Prefixes
from .prompt_learned import FORGET, TURNS, Head, Learned, Plan, Seen, Warm

log = logging.getLogger("demitasse")

_KEYS = frozenset({"prompt_cache_key", "session_id"})
_HEADERS = frozenset({"x-grok-conv-id", "x-session-affinity"})
_MARKS = {
    "cache_control": b'"cache_control":{"type":"ephemeral"}',
    "prompt_cache_breakpoint": b'"prompt_cache_breakpoint":{"mode":"explicit"}',
}
_BEARERS = frozenset({"user", "tool"})
_LEAST_BYTES = 1024
"""Shorter requests are left alone: what a cache could spare them is not worth the look."""
_MOST_KEPT = 8_192
_MOST_MODELS = 1_024


class PromptCache:
    """The memory behind every `Cached` model of a process. Bounded; what it learned can be kept over a restart.

    Args:
        salt: of this installation; no key can be guessed or compared without it.
        on: whether anything is added to requests. It watches and learns in any case.
        alarm: told of a client that breaks its own prefix; returns at once.
    """

    def __init__(self, salt: bytes, *, on: bool = True, alarm: Callable[[Alert], None] | None = None) -> None:
        self.on = on
        self.watch = Prefixes(alarm)
        self._salt = hashlib.blake2b(salt, digest_size=32, person=b"dmt-promptcache").digest()
        self._sessions: OrderedDict[bytes, Seen] = OrderedDict()
        self._heads: OrderedDict[bytes, Head] = OrderedDict()
        self._learned: dict[str, Learned] = {}
        self._models: dict[str, Cached] = {}
        self._last: tuple[dict[str, Raw], Layout | None] = ({}, None)

    def over(self, model: Model, alias: str, rule: Rule, card: Card | None) -> Cached:
        """The model with its provider's cache looked after."""
        cached = self._models[alias] = Cached(model, alias, rule, card, self)
        for names in (self._models, self._learned):
            while len(names) > _MOST_MODELS:  # clients may ask for names that nobody has heard of
                del names[next(iter(names))]
        return cached

    def warmth(self, alias: str, call: Call) -> Warm | None:
        """What the provider behind ``alias`` has kept of this call's prefix, as far as can be known; None: nothing.

        For whoever chooses a model: a session that is warm somewhere stays there unless the change saves more than
        ``worth_nanos``.
        """
        cached = self._models.get(alias)
        if cached is None or call.kind != "chat" or call.text_bytes < cached.least_bytes:
            return None
        seen = self._sessions.get(self._session(alias, call))
        layout = self.layout(call)
        if seen is None or layout is None:
            return None
        explicit = "cache_control" in cached.rule.used
        until_us = (seen.entry_us if explicit else seen.at_us) + cached.rule.lifetime_s * 1_000_000
        tokens = cached.rule.cacheable(seen.entry_tokens if explicit else seen.tokens)
        if not tokens or call.at_us >= until_us or not layout.shared(seen.messages, seen.digest):
            return None
        share = self.learned(alias).share
        return Warm(tokens, share, until_us, int(tokens * share * cached.spared_pico) // PICO_PER_NANO)

    def findings(self) -> tuple[Finding, ...]:
        """What clients do that breaks their own prefixes, the dearest first."""
        return self.watch.findings()

    def learned(self, alias: str) -> Learned:
        found = self._learned.get(alias)
        if found is None:
            found = self._learned[alias] = Learned()
        return found

    def facts(self) -> list[dict[str, Any]]:
        """For pages and ``doctor``: by model, the rule in force and what came of it."""
        return [
            {
                "model": alias,
                "rule": cached.rule.id,
                "used": list(cached.rule.used) if self.on and not self.learned(alias).refused else [],
                "calls": (known := self.learned(alias)).calls,
                "cached_tokens": known.cached_tokens,
                "hit_share": round(known.read / known.expected, 4) if known.expected else None,
                "with_key": _shown(known.effect.treated.mean),
                "without_key": _shown(known.effect.control.mean),
                "sessions_without_key": known.effect.control.n,
                "caused_share": round(known.effect.caused, 4),
                "source": cached.rule.source,
            }
            for alias, cached in self._models.items()
        ]

    def kept(self) -> dict[str, Any]:
        """What was learned, as JSON; hashes of prefixes are not part of it."""
        return {alias: msgspec.to_builtins(known) for alias, known in self._learned.items() if known.calls}

    def take_up(self, kept: Any) -> None:
        """Go on with what an earlier process had learned; what does not fit any more is left out."""
        for alias, known in kept.items() if isinstance(kept, dict) else ():
            try:
                self._learned[alias] = structs.replace(msgspec.convert(known, Learned), refused=False)
            except msgspec.ValidationError:
                log.info("what was learned of the prompt cache of '%s' is from another version and was left out", alias)

    def layout(self, call: Call) -> Layout | None:
        """Of one call only once, however many models are considered for it."""
        if self._last[0] is not call.fields:
            self._last = (call.fields, prefix.read(call.fields))
        return self._last[1]

    def plan(self, model: Cached, call: Call) -> Plan | None:
        layout = self.layout(call)
        if layout is None:
            return None
        rule, session = model.rule, self._session(model.alias, call)
        seen = _of(self._sessions, session, Seen)
        head = _of(self._heads, _digest(model.alias, call.caller.tenant, layout.head_hash), Head)
        continued = layout.shared(seen.messages, seen.digest) and seen.messages > 0
        plan = Plan(call, layout, seen, head, 0, continued, prefix.has_own_controls(call.fields, call.body), False)
        plan.held_out = bool(rule.used) and "cache_control" not in rule.used and held_out(session)
        plan.expected = self._expected(model, plan)
        if self.on and rule.used and not (plan.own or plan.held_out or self.learned(model.alias).refused):
            self._add(model, plan, session)
        return plan

    def _expected(self, model: Cached, plan: Plan) -> int:
        """Tokens that the provider should still have, by its rule."""
        rule, seen, head, now_us = model.rule, plan.seen, plan.head, plan.call.at_us
        explicit = "cache_control" in rule.used
        lifetime_us = rule.lifetime_s * 1_000_000
        if explicit and self._entry(plan, lifetime_us):
            return rule.cacheable(seen.entry_tokens)
        if not explicit and plan.continued and now_us - seen.at_us < lifetime_us:
            return rule.cacheable(seen.tokens + (seen.out if rule.remembers else 0))
        if head.tokens:
            at_marks_only = explicit or "prompt_cache_breakpoint" in rule.controls
            if now_us - (head.marked_us if at_marks_only else head.at_us) < lifetime_us:
                return rule.cacheable(head.tokens)
        return 0

    def _add(self, model: Cached, plan: Plan, session: bytes) -> None:
        """Put into the call what the rule has: marks where they pay, then the key."""
        rule, call, layout = model.rule, plan.call, plan.layout
        per_token = self.learned(model.alias).bytes_per_token
        fields = dict(call.fields)
        headers = call.headers
        if layout.size / per_token < 0.9 * rule.min_tokens:
            return
        plan.unwritten = "prompt_cache_options" in rule.used and self._is_one_shot(model, plan, per_token)
        for control in rule.used:
            if control in _MARKS:
                at = self._marks(model, plan, per_token)
                if at:
                    fields["messages"] = prefix.mark(layout.messages, at, _MARKS[control])
                    plan.marked = True
            elif control == "prompt_cache_options":
                if plan.unwritten:
                    fields = prefix.with_member(fields, control, b'{"mode":"explicit"}')
            elif control in _KEYS or control in _HEADERS:
                key = self._key(rule, plan, session)
                if control in _KEYS:
                    fields = prefix.with_member(fields, control, b'"' + key.encode() + b'"')
                else:
                    headers = (*headers, (control, key))
                plan.keyed = True
        if plan.keyed or plan.marked or plan.unwritten:
            plan.call = structs.replace(call, fields=fields, headers=headers)

    def _is_one_shot(self, model: Cached, plan: Plan, per_token: float) -> bool:
        """Whether a first request is so unlikely to be followed up that writing it, which this provider does by itself and
        charges for, is money lost."""
        if plan.continued or plan.layout.turn > 1 or plan.layout.size / per_token < model.rule.min_tokens:
            return False
        return not _pays(self.learned(model.alias).goes_on_at_most(1), *model.multipliers)

    def _key(self, rule: Rule, plan: Plan, session: bytes) -> str:
        """A prefix's key, split once its calls are more than one machine takes; a conversation keeps the one it began with."""
        if plan.seen.key is None:
            if rule.key_per_minute:
                spread = 1
                while plan.head.rate > 0.8 * rule.key_per_minute * spread and spread < 1 << 16:
                    spread *= 2
                bucket = int.from_bytes(session[:2]) & (spread - 1)
                what = plan.layout.head_hash + bucket.to_bytes(2)
            else:
                what = session
            tenant = plan.call.caller.tenant.encode()
            plan.seen.key = "dmt-" + hashlib.blake2b(tenant + b"\0" + what, digest_size=12, key=self._salt).hexdigest()
        return plan.seen.key

    def _entry(self, plan: Plan, lifetime_us: int) -> int:
        """Messages in the conversation's entry that the provider should still have; 0: none."""
        alive = plan.continued and plan.call.at_us - plan.seen.entry_us < lifetime_us
        return plan.seen.entry if alive else 0

    def _marks(self, model: Cached, plan: Plan, per_token: float) -> list[int]:
        """Which messages end with a breakpoint: the system prompt, the turn that was written last, and the latest."""
        rule, layout, head = model.rule, plan.layout, plan.head
        read, write = model.multipliers
        now_us, lifetime_us = plan.call.at_us, rule.lifetime_s * 1_000_000
        shareable = layout.head > 0 and layout.head_bytes / per_token >= rule.min_tokens
        warm = now_us - head.marked_us < lifetime_us
        shared = warm or _pays(head.shared(now_us, lifetime_us), read, write)
        if rule.automatic:
            # What caches by itself writes these tokens in any case, and then a further breakpoint costs nothing.
            plan.head_marked = shareable and (shared or not plan.unwritten)
            return [layout.head - 1] if plan.head_marked else []
        goes_on = self.learned(model.alias).goes_on(layout.turn)
        plan.wrote = layout.size / per_token >= rule.min_tokens and _pays(goes_on, read, write)
        plan.head_marked = shareable and (shared or plan.wrote)
        at = [layout.head - 1] if plan.head_marked else []
        ends = prefix.turn_ends(layout, rule.breakpoints - 1, _BEARERS)
        until = len(layout.messages) if plan.wrote else self._entry(plan, lifetime_us)
        return at + [i for i in ends if i < until]

    def learn(self, model: Cached, plan: Plan, reply: Reply) -> Reply:
        """Take what came back into account; returns the reply with what is ours to claim."""
        rule, usage, known = model.rule, reply.usage, self.learned(model.alias)
        seen, head, layout, call = plan.seen, plan.head, plan.layout, plan.call
        known.calls += 1
        self._count_turn(known, plan, rule)
        if call.caller.key not in OWN_KEYS:
            self.watch.saw(call, layout, seen, model, usage, continued=plan.continued)
        self._remember(plan)
        if usage is None:
            return reply
        if usage.total_in > 200 and not call.images:
            known.bytes_per_token += 0.1 * (min(12.0, max(1.0, layout.size / usage.total_in)) - known.bytes_per_token)
        head.tokens = int(usage.total_in * layout.head_bytes / layout.size)
        seen.tokens, seen.out = usage.total_in, usage.total_out
        if plan.unwritten:
            seen.tokens = head.tokens if plan.head_marked else 0
        if plan.wrote:
            seen.entry_tokens = usage.total_in
        if rule.automatic and not plan.unwritten and usage.cache_write_5m > (head.tokens + 256 if plan.marked else 0):
            known.writes = True
        known.cached_tokens += usage.cache_read
        if plan.expected and rule.reports:
            known.expected = known.expected * FORGET + plan.expected
            known.read = known.read * FORGET + min(usage.cache_read, plan.expected)
            if rule.used and not plan.own and not seen.counted and (plan.keyed or plan.held_out):
                seen.counted = True
                known.effect.see(min(1.0, usage.cache_read / plan.expected), held_out=plan.held_out)
        claim = self._claim(model, plan, usage, reply.service_tier or call.service_tier)
        return structs.replace(reply, saved=(*reply.saved, claim)) if claim is not None else reply

    def _claim(self, model: Cached, plan: Plan, usage: Usage, tier: str | None) -> tuple[str, int, str] | None:
        """What the call would have cost more without us: ``(cause, nanos, grade)``; None: nothing to claim, or no price."""
        card, known = model.card, self.learned(model.alias)
        if card is None or not (plan.marked or plan.keyed or plan.unwritten):
            return None

        def spared(**bare: int) -> int:
            """What this usage would have cost more, had its tokens been in these buckets."""
            costs = [
                cost(card, told, at_us=plan.call.at_us, service_tier=tier)
                for told in (structs.replace(usage, **bare), usage)
            ]
            return 0 if None in costs else costs[0] - costs[1]  # type: ignore[operator]

        plain = usage.uncached_in + usage.cache_read
        if plan.marked and not model.rule.automatic:
            written = usage.cache_write_5m + usage.cache_write_1h
            nanos, grade = spared(uncached_in=plain + written, cache_read=0, cache_write_5m=0, cache_write_1h=0), "A"
        else:
            nanos, grade = int(spared(uncached_in=plain, cache_read=0) * known.effect.caused), "B"
            if plan.unwritten and known.writes:
                nanos += spared(uncached_in=0, cache_write_5m=usage.cache_write_5m + usage.uncached_in)
        return ("prompt_cache", nanos, grade) if nanos else None

    def _count_turn(self, known: Learned, plan: Plan, rule: Rule) -> None:
        """Did the conversation go on while its entry lived, did another call share the head?"""
        seen, head, now_us = plan.seen, plan.head, plan.call.at_us
        lifetime_us = rule.lifetime_s * 1_000_000
        if plan.continued and seen.turn and now_us - seen.at_us < lifetime_us:
            before = min(seen.turn, TURNS) - 1
            known.went_on[before] = min(known.turns[before], known.went_on[before] + 1)
        # Only of prompts that are long enough to be kept: long conversations end otherwise than short ones.
        if plan.layout.size / known.bytes_per_token >= rule.min_tokens:
            at = min(plan.layout.turn, TURNS) - 1
            known.turns[at] = known.turns[at] * FORGET + 1
            known.went_on[at] *= FORGET
            plan.turn = plan.layout.turn
        if head.at_us:
            gap_us = max(0, now_us - head.at_us)
            head.again += gap_us < lifetime_us
            head.rate = head.rate * exp(-gap_us / 60e6) + 1
        else:
            head.rate = 1.0
        head.calls += 1
        if head.calls > 1000:
            head.calls, head.again = head.calls / 2, head.again / 2

    def _remember(self, plan: Plan) -> None:
        seen, head, layout = plan.seen, plan.head, plan.layout
        seen.at_us = head.at_us = plan.call.at_us
        seen.turn, seen.messages, seen.digest = plan.turn, len(layout.messages), layout.chain[-1]
        seen.head, seen.trail = layout.head_hash, layout.trail
        if not plan.continued:
            seen.entry = 0
        if plan.marked and (plan.wrote or seen.entry):
            seen.entry_us = plan.call.at_us
        if plan.wrote:
            seen.entry = len(layout.messages)
        if plan.head_marked:
            head.marked_us = plan.call.at_us

    def _session(self, alias: str, call: Call) -> bytes:
        return _digest(alias, call.caller.tenant, call.session.encode())


class Cached:
    """A Model with its provider's prompt cache looked after. Made by `PromptCache.over`."""

    def __init__(self, model: Model, alias: str, rule: Rule, card: Card | None, memory: PromptCache) -> None:
        self.inner = model
        self.alias = alias
        self.rule = rule
        self.card = card
        self.base_url: str = getattr(model, "base_url", "")
        self.least_bytes = max(2 * rule.min_tokens, _LEAST_BYTES)
        """No tokenizer makes a cacheable prefix of less: two bytes a token is the fewest seen in prose and code."""
        self.multipliers, self.spared_pico = _rates(card, rule)
        self._memory = memory

    def __repr__(self) -> str:
        return f"Cached({self.inner!r}, {self.rule.id!r})"

    async def __call__(self, call: Call, send: Send) -> Reply:
        """As the model itself answers. Raises UpstreamError."""
        if call.kind != "chat" or call.text_bytes < self.least_bytes:
            return await self.inner(call, send)
        plan = self._memory.plan(self, call)
        if plan is None:
            return await self.inner(call, send)
        try:
            reply = await self.inner(plan.call, send)
        except UpstreamError as error:
            if plan.call is call or not _refuses_what_we_added(error):
                raise
            self._memory.learned(self.alias).refused = True
            log.warning(
                "'%s' refuses what its provider's prompt cache documents; it is left out from now on", self.alias
            )
            plan.call, plan.keyed, plan.marked, plan.own = call, False, False, True
            reply = await self.inner(call, send)
        return self._memory.learn(self, plan, reply)


def _refuses_what_we_added(error: UpstreamError) -> bool:
    """A 400 that names a member of ours; nothing was billed for it."""
    if error.status not in (400, 422) or error.billable or error.after_content:
        return False
    told = error.message + (error.body or b"").decode("utf-8", "replace")
    return any(name in told for name in (*_KEYS, *_MARKS))


def _pays(again: float, read: float, write: float) -> bool:
    """Whether writing what is new pays, per token, in units of the input price.

    ``again``: the probability of a further call while the entry lives. Each such call reads the token for ``read`` instead
    of 1 and lets the entry live on, so that ``again / (1 - again)`` reads are to be expected for one surcharge.
    """
    return again * (1 - read) > (1 - again) * (write - 1)


def _rates(card: Card | None, rule: Rule) -> tuple[tuple[float, float], int]:
    """Read and write as multiples of input, and what a cached token spares in pico-dollars; the card's before the rule's."""
    base = card.base if card is not None else None
    if base is None or not base.uncached_in:
        return (rule.read, rule.write), 0
    told = base.cache_read if base.cache_read is not None else int(base.uncached_in * rule.read)
    write = base.cache_write_5m if base.cache_write_5m is not None else int(base.uncached_in * rule.write)
    return (told / base.uncached_in, max(1.0, write / base.uncached_in)), base.uncached_in - told


def _digest(alias: str, tenant: str, what: bytes) -> bytes:
    return hashlib.blake2b(f"{alias}\0{tenant}\0".encode() + what, digest_size=16).digest()


def _of(kept: OrderedDict[bytes, Any], key: bytes, make: Callable[[], Any]) -> Any:
    found = kept.get(key)
    if found is None:
        found = kept[key] = make()
        if len(kept) > _MOST_KEPT:
            kept.popitem(last=False)
    else:
        kept.move_to_end(key)
    return found


def _shown(share: float | None) -> float | None:
    return None if share is None else round(share, 4)

"""One gateway with its dashboard, put together and taken apart; and put together anew when the configuration changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Raw, Struct, structs

from .. import __version__
from ..config import Config, budgets, is_loopback, machine
from ..config.switches import STORED, overlay, said_by_file, switch_named
from ..core.approved import Approved
from ..core.call import Call, Reply
from ..core.errors import ConfigError, DemitasseError, Refused, StoreError
from ..core.ids import RANDOM_BITS, call_id
from ..core.limits import Alert, Budget
from ..core.price import Card
from ..gateway.alarm import Alarm, soft_limits
from ..gateway.answer import Steps
from ..gateway.attempt import Breakers
from ..gateway.budget import Budgets
from ..gateway.cache import Cache
from ..gateway.feedback import Feedback
from ..gateway.grounding import Grounder
from ..gateway.guarding import Guard
from ..gateway.http import Gateway
from ..gateway.keys import KeyRing
from ..gateway.loop_guard import Repeats
from ..gateway.metrics import Metrics
from ..gateway.moderation import Moderator
from ..gateway.pilot import Pilot, Scorer
from ..gateway.prompt_cache import PromptCache
from ..gateway.route import Route, Routes
from ..gateway.settings import BreakerSettings, CacheSettings, LoopGuard, Retry, Settings
from ..gateway.shape import PROOF, Shape, ShapeSettings, proof_of
from ..guard.scan import Scanner
from ..providers import http as http_seam
from ..store.books import SqliteBooks
from ..store.erasure import Erased
from ..store.evidence import SqliteEvidence
from ..store.ledger import SqliteLedger
from ..store.secret import server_secret
from ..web.app import dashboard
from ..web.desk import Desk
from ..web.review import Ground, Reviews, Texts
from ..web.waiting import APPROVE, MOST_WAITING
from . import in_force
from .assessing import Assessor, Purse
from .auditing import Auditing
from .certifying import ask
from .control import KeyLogin, StoreControl
from .doorkeeping import Doorkeeping
from .drifting import Drifting
from .facts import (
    cache_facts,
    call_facts,
    chain_fact,
    engine_rows,
    hardware_row,
    meter,
    model_rows,
    own_calls,
    route_rows,
    setting_rows,
    status,
    switch_rows,
    tenant_class,
)
from .gauges import gauges
from .governing_page import GovernancePages
from .guarding import Keeping, moderators, policies, unpriced_moderator, vaulting
from .guarding import guard as guard_of
from .keeping import expire, keeper
from .lab_pages import LabFolder
from .models import Found, Models
from .observing import observer
from .proving import Proving
from .redteaming import RedTeaming
from .shadowing import Counted, Shadowing
from .similar import Similar
from .steering import Steering
from .watching import Watching
from .webhook import webhook
from .withholding import Decisions, Withholding

log = logging.getLogger("demitasse")

SOFT_LIMITS_EVERY_S = 5.0
SWITCHES_EVERY_S = 1.0
LEARNED = "prompt_cache"
"""The setting under which it is kept over a restart what answers taught about providers' prompt caches."""
LAST_CALLS_TRIES = 100
"""How often, every 10 ms, a stop looks whether calls are still being closed."""


class Banner(Struct, frozen=True):
    """What a start has to say."""

    version: str
    data: Path
    base_url: str
    models: tuple[str, ...]
    mode: str
    budgets: tuple[Budget, ...]
    recovered: int
    recovered_nanos: int
    needs_key: bool
    telemetry: str | None = None
    """The collector that is told of every call; None: nobody is."""


class App:
    """Everything that runs in one process. ``start`` before, ``stop`` after serving.

    Args:
        env: where provider keys are read from.
        base_url: how clients reach this server, without ``/v1``.
        clock: UTC microseconds.
    """

    def __init__(
        self, config: Config, data: Path, env: Mapping[str, str], *, base_url: str, clock: Callable[[], int]
    ) -> None:
        self._given = config
        """As the file says; what was switched in the store is laid over it."""
        self.data = data
        self.base_url = base_url
        self.clock = clock
        self._env = env
        self._secret = server_secret(data)
        self.ledger = SqliteLedger.open(data, clock=clock, durability=config.ledger.durability)
        self._switched = self.ledger.get_setting(STORED) or {}
        self.config = config = overlay(config, self._switched)
        self.ledger.sync_file_budgets(budgets(config))
        self.books = SqliteBooks(data)
        self.evidence = SqliteEvidence(data)
        self._http = http_seam.choose(
            http_seam.Settings(client=config.http.client, max_connections=config.http.max_connections), env
        )
        self.found = Found((), (), ())
        self._keeper = keeper(config, data, clock)
        look = self._keeper.look if self._keeper is not None else None
        self._alarm = Alarm(
            self.ledger,
            webhook(config, env, self._http),
            waiting=lambda: self.books.alerts(open_only=True, last=MOST_WAITING, begins=APPROVE),
        )
        self.prompt_cache = PromptCache(self._secret, on=config.cache.prompt, alarm=self._alarm)
        self._vaulting = vaulting(config, data, secret=self._secret, clock=clock)
        self._auditing = Auditing(
            data,
            self._secret,
            self.ledger,
            self.books,
            config=lambda: self.config,
            alarm=self._alarm,
            forget=self._forget_texts,
            clock=clock,
        )
        self._decisions = Decisions(self.ledger, self.books, clock)
        self._withholding = (
            Withholding(self._keeper, self.ledger, self._alarm, self._decisions.decided)
            if self._keeper is not None and config.keep.held
            else None
        )
        self._grounder = Grounder(
            lambda: self.gateway.steps,
            lambda at_us: call_id(at_us, random.getrandbits(RANDOM_BITS)),
            lambda label: self._evidence.label(label),  # noqa: PLW0108 - it is made further below
            secret=self._secret,
        )
        self._guard = self._guard_of(config)
        self._keeping = Keeping(self._loaded_scanner)
        self._models = Models(self.ledger, self._http, data, env, machine(config), look, self.prompt_cache)
        self._shape = Shape(
            shape_settings(config),
            lambda route, shaper: proof_of(self.ledger.get_setting(f"{PROOF}{route}.{shaper}")),
            revision=lambda: self.ledger.revision,
            clock=clock,
        )
        self._metrics = Metrics()
        self._doorkeeping = Doorkeeping(self.ledger, lambda: self._metrics.denied)
        self._telemetry = observer(config, env)
        self._proving = Proving(data, self.evidence, self._alarm, ask, config=lambda: self.config, clock=clock)
        self._watching = Watching(self.ledger, self.evidence, self._alarm, clock=clock, labelled=self._proving.labelled)
        self._pilot = Pilot(self._watching, _scorer, clock=clock, suspend=self._watching.suspend)
        self._evidence = Counted(self._watching, self._metrics.labelled)
        self.assessor = Assessor(
            self._evidence,
            Purse(self.ledger, clock),
            lambda: self.gateway.steps,
            keep=self._keeper.keep_beside if self._keeper is not None else _keep_nothing,
            id=lambda at_us: call_id(at_us, random.getrandbits(RANDOM_BITS)),
            secret=self._secret,
        )
        self._shadowing = Shadowing(self.assessor, self._metrics, self._secret)
        self._similar = Similar(self.assessor, data, clock=clock, draw=random.random)
        self._drifting = Drifting(
            data,
            self.books,
            self.ledger,
            promoted=self.ledger.promoted,
            clock=clock,
            recordings=self._keeper.recording if self._keeper is not None else None,
        )
        self._redteaming = RedTeaming(
            self.ledger,
            days=lambda: self.config.guard.redteam_days,
            false_alarms=lambda: self.config.guard.false_alarms,
            clock=clock,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._not_taken_up = ""
        """The alert that says of a changed file that it could not be taken up."""
        self.keeps_learned = True
        """Whether the next start is to go on with what this one's calls taught of prompt caches."""
        self._ready = "starting"
        self.gateway = self._gateway(self._steps(config))

    async def start(self) -> None:
        """Find the models; after this calls can be answered. Raises ConfigError."""
        self.found = await self._found(self.config)
        _say_what_has_no_effect(self.config)
        self.prompt_cache.take_up(self.ledger.get_setting(LEARNED))
        self._shadowing.set(self.config)
        await self._similar.set(self.config)
        if any(rules.names for rules in self._guard.policies.all()):
            await self._warm_guard()  # what recognises names may not be installed: said now, not to the first caller
        else:
            warming = asyncio.create_task(self._warm_guard())
            warming.add_done_callback(lambda task: task.cancelled() or task.exception())  # it is in the log
            self._tasks.append(warming)
        self.gateway.replace(self._steps(self.config))
        await self._record()
        self._shadowing.start()
        await self._watching.start()
        await self._pilot.warm()
        await self._auditing.start()
        self._tasks.append(asyncio.create_task(self._auditing.run()))
        self._tasks.append(asyncio.create_task(self._doorkeeping.run()))
        self._tasks.append(asyncio.create_task(self._watch_soft_limits()))
        self._tasks.append(asyncio.create_task(self._watching.run()))
        self._tasks.append(asyncio.create_task(self._follow_switches()))
        self._tasks.append(asyncio.create_task(self._similar.run()))
        self._tasks.append(asyncio.create_task(self._grounder.run()))
        self._tasks.append(asyncio.create_task(self._similar.run_keeping()))
        self._tasks.append(asyncio.create_task(self._drifting.run(self._alarm)))
        self._tasks.append(asyncio.create_task(self._redteaming.run(self._alarm)))
        self._tasks.append(asyncio.create_task(expire(self.data, self.clock)))
        self._tasks.append(asyncio.create_task(self._decisions.run()))
        self._ready = ""

    async def _found(self, config: Config) -> Found:
        """What may be asked. Raises ConfigError: a model cannot be had, or nobody knows the price of one that moderates."""
        found = await self._models.find(config)
        routes = {route.name: route for route in found.routes}
        for place, name in moderators(config).items():
            route = routes.get(name) or await self._models.discover(name, config)
            if route is not None and route.reference.card is None:
                raise ConfigError(unpriced_moderator(config, place, name))
        return found

    async def stop(self) -> None:
        """Stop engines and helpers, commit what is queued, close the file."""
        self._ready = "stopping"
        await self._calls_end()
        await self._shadowing.stop()
        for task in self._tasks:
            task.cancel()
        await self._proving.close()
        await self._watching.close()
        await self._similar.keep()
        await self._models.stop()
        if self._telemetry is not None:
            await asyncio.to_thread(self._telemetry.close)
        await self._alarm.close()
        await self._http.close()
        await asyncio.to_thread(self._drifting.close)
        if self._keeper is not None:
            self._keeper.close()
        self._vaulting.close()
        await self._auditing.stop()
        self._keep_learned()
        await asyncio.to_thread(self._doorkeeping.keep)
        self.evidence.close()
        self.books.close()
        self.ledger.close()

    def _keep_learned(self) -> None:
        learned = self.prompt_cache.kept() if self.keeps_learned else None
        if not learned or learned == self.ledger.get_setting(LEARNED):
            return
        try:
            self.ledger.set_setting(LEARNED, learned)
        except DemitasseError as error:
            log.warning("what was learned of prompt caches could not be kept: %s", error)

    async def _calls_end(self) -> None:
        """Calls that were cancelled a moment ago have yet to book what they used."""
        for _ in range(LAST_CALLS_TRIES):
            if not self._metrics.in_flight:
                return
            await asyncio.sleep(0.01)

    async def take_up(self, config: Config) -> None:
        """Serve with other settings from now on; calls under way finish with the old ones.

        What is made once needs a restart: address, TLS and who is behind a proxy, durability, the HTTP client, hardware,
        the webhook and what is kept. Raises ConfigError, and then nothing has changed.
        """
        # The socket is still where it was: whether strangers reach it is not for the changed file to say.
        here = self.config.server
        switched = await asyncio.to_thread(self.ledger.get_setting, STORED) or {}
        given, config = config, overlay(config, switched)
        config = structs.replace(
            config,
            server=structs.replace(
                config.server,
                host=here.host,
                port=here.port,
                tls_cert=here.tls_cert,
                tls_key=here.tls_key,
                behind_proxy=here.behind_proxy,
            ),
        )
        found = await self._found(config)
        _say_what_has_no_effect(config)
        old = self._telemetry
        new = observer(config, self._env) if config.otel != self.config.otel else old
        await asyncio.to_thread(self.ledger.sync_file_budgets, budgets(config))
        if policies(config) != self._guard.policies:
            guard = self._guard_of(config)
            await self._warm_guard(guard)
            self._guard = guard
        self._given, self._switched = given, switched
        self.config, self.found, self._telemetry = config, found, new
        self.prompt_cache.on = config.cache.prompt
        self._shape.settings = shape_settings(config)
        self._shadowing.set(config)
        await self._similar.set(config)
        self.gateway.replace(self._steps(config, cache=self.gateway.steps.cache))
        if old is not None and old is not new:
            await asyncio.to_thread(old.close)
        await self._record()
        await self._taken_up()
        log.info("the configuration was taken up anew")

    async def _record(self) -> None:
        """The ledger says from when on what was in force."""
        try:
            await asyncio.to_thread(in_force.record, self.ledger, self.config)
        except StoreError as error:
            log.warning("what is in force could not be told to the ledger: %s", error)

    def left_as_it_was(self, error: Exception) -> None:
        """A changed file could not be taken up: whoever looks at the pages is told, and not the log alone."""
        log.error("the configuration was left as it was: %s", error)
        at_us = self.clock()
        self._not_taken_up = f"configuration-{at_us}"
        said = " ".join(line.strip() for line in str(error).splitlines())
        self._alarm(
            Alert(
                id=self._not_taken_up,
                at_us=at_us,
                kind="configuration",
                subject="demitasse.toml",
                message=f"the configuration was changed and could not be taken up; what was in force still is: {said[:300]}",
                remedy="demitasse doctor",
            )
        )

    async def _taken_up(self) -> None:
        refused, self._not_taken_up = self._not_taken_up, ""
        if refused:
            with contextlib.suppress(StoreError):  # it may not have come to the books
                await asyncio.to_thread(self.ledger.resolve_alert, refused)

    async def switch(self, name: str, *, on: bool) -> None:
        """Turn a saving on or off, here at once and in other processes within a second. Raises ConfigError, StoreError."""
        wanted = switch_named(name)
        if said_by_file(self._given, wanted):
            where = self._given.path.name if self._given.path else "the command line"
            raise ConfigError(f"{wanted.label} is set in {where}; change it there: {wanted.place}")
        await asyncio.to_thread(self.ledger.set_setting, STORED, {**self._switched, name: on})
        await self.take_up(self._given)

    async def _follow_switches(self) -> None:
        """What a command or another process switched."""
        seen = self.ledger.revision
        while True:
            await asyncio.sleep(SWITCHES_EVERY_S)
            if self.ledger.revision == seen:
                continue
            seen = self.ledger.revision
            try:
                if (await asyncio.to_thread(self.ledger.get_setting, STORED) or {}) != self._switched:
                    await self.take_up(self._given)
            except DemitasseError as error:
                log.warning("what was switched could not be taken up: %s", error)

    def banner(self) -> Banner:
        recovered = self.ledger.recovered
        return Banner(
            version=__version__,
            data=self.data,
            base_url=self.base_url,
            models=self.found.notes,
            mode=self._mode(),
            budgets=tuple(self.ledger.budgets()),
            recovered=recovered.count,
            recovered_nanos=recovered.nanos,
            needs_key=not is_private(self.config),
            telemetry=self.config.otel.endpoint,
        )

    def _mode(self) -> str:
        """In words, what is done to calls."""
        served = sum(self._pilot.certificate(route) is not None for route in self.found.routes)
        routes = f"{served} route{'s' if served > 1 else ''}"
        policies = self._guard.policies
        acts = any(rules.acts for rules in policies.all()) or bool(policies.classes)
        untouched = "observe: models are chosen by nobody but you" if acts else "observe: calls pass through unchanged"
        return (
            (f"optimise: {routes} under a certificate" if served else untouched)
            + ("; the guard acts: demitasse guard rules" if acts else "")
            + ("; exact cache on" if self.config.cache.exact else "; exact cache off")
            + ("; semantic cache on" if self._similar.cache is not None else "")
        )

    def _steps(self, config: Config, cache: Cache | None = None) -> Steps:
        settings = settings_of(config)
        self._metrics.names.know((*config.models, *config.routes))
        routes = Routes(self.found.routes, self._discover)
        old = getattr(self, "gateway", None)
        same_cache = cache is not None and cache.settings == settings.cache
        return Steps(
            ledger=self.ledger,
            keys=old.steps.keys
            if old is not None
            else KeyRing(self.ledger, self._secret, require_key=settings.require_key, clock=self.clock),
            routes=routes,
            cache=cache
            if same_cache and cache is not None
            else Cache(settings.cache, clock=self.clock, retry_memory_s=settings.retry_memory_s),
            budgets=Budgets(
                self.ledger,
                clamp=settings.clamp,
                assume_max_output=settings.assume_max_output,
                spare_local=settings.on_spent == "local",
            ),
            repeats=old.steps.repeats
            if old is not None and old.steps.settings.loop_guard == settings.loop_guard
            else Repeats(settings.loop_guard),
            breakers=Breakers(settings.breaker),
            metrics=self._metrics,
            settings=settings,
            clock=self.clock,
            draw=random.random,
            keep=self._keeper.keep if self._keeper is not None else _keep_nothing,
            alarm=self._alarm,
            observe=self._telemetry.observe if self._telemetry is not None else None,
            pilot=self._pilot,
            semantic=self._similar.cache,
            check=self._similar.check,
            shape=self._shape,
            shadow=self._shadowing.offer,
            withheld=self._withholding.keep if self._withholding is not None else None,
            commit=self._auditing.commit,
            configuration=in_force.short_hash(config),
            receipt=self._auditing.receipt,
            guard=self._guard,
            approved=Approved(config.governance.providers),
            poisoned=self._keeping.poisoned,
            flooding=self._keeping.flooding,
        )

    def _loaded_scanner(self) -> Scanner | None:
        return self._guard.scanner()

    async def _warm_guard(self, guard: Guard | None = None) -> None:
        """Load the guard's detectors. Raises ConfigError: one of them cannot be had; calls are refused meanwhile."""
        try:
            await (guard or self._guard).warm()
        except Refused as refused:
            log.error("%s", refused.message)  # noqa: TRY400 - its sentence is enough
            raise ConfigError(refused.message) from refused

    def _guard_of(self, config: Config) -> Guard:
        moderate = Moderator(
            lambda: self.gateway.steps,
            lambda at_us: call_id(at_us, random.getrandbits(RANDOM_BITS)),
            secret=self._secret,
        )
        return guard_of(
            config,
            secret=self._secret,
            ledger=self.ledger,
            alarm=self._alarm if self._withholding is None else self._withholding.alarm,
            moderate=moderate,
            grey=self._grounder.of,
            vaulting=self._vaulting,
        )

    def _cards(self) -> dict[str, Card]:
        """The price of each model that a route may ask."""
        rungs = [rung for route in self.found.routes for rung in (*route.lower, *route.rungs)]
        return {rung.alias: rung.card for rung in rungs if rung.card is not None}

    async def _discover(self, name: str) -> Route | None:
        return await self._models.discover(name, self.config)

    def _gateway(self, steps: Steps) -> Gateway:
        login = None
        if not is_private(self.config):
            secure = self.config.server.tls_cert is not None or self.config.server.behind_proxy
            login = KeyLogin(self.ledger, self._secret, secure=secure)
        self.steering = Steering(
            self.ledger,
            self.books,
            self.evidence,
            switch=self.switch,
            config=lambda: self.config,
            cards=self._cards,
            recordings=self._keeper.recording if self._keeper is not None else None,
        )
        desk = Desk(
            self.books,
            StoreControl(self.ledger, self._secret, lambda: self.gateway.steps, self.steering),
            clock=self.clock,
            login=login,
            models=lambda: model_rows(self.found, self.gateway.steps),
            engine_status=lambda: engine_rows(self.found),
            cache_facts=lambda: cache_facts(self.gateway.steps.cache),
            settings_rows=lambda: setting_rows(self.config),
            cards=self._models.card,
            meter=lambda: meter(self.config),
            evidence=self.evidence,
            reviews=Reviews(self.evidence, self._texts, self._evidence.label, self._ground),
            routes=lambda: route_rows(self.config, self._pilot.why_not),
            switches=lambda: switch_rows(self.config, self._given),
            what_if=self.steering.what_if,
            lab=LabFolder(self.data),
            governance=GovernancePages(
                self.data, self.books, self.evidence, self.ledger, config=lambda: self.config, clock=self.clock
            ),
            hardware=lambda: hardware_row(self.config),
            watch=self._drifting,
            waiting=self._withholding,
            data_class=lambda tenant: tenant_class(self.config, tenant),
            chain=lambda id: chain_fact(self.books, id),
            mode=lambda: "optimise" if self.ledger.promoted() else "observe",
            base_url=self.base_url,
            version=__version__,
            secret=self._secret,
        )
        return Gateway(
            steps,
            pages=dashboard(desk),
            facts_of=lambda id: call_facts(self.books, id),
            calls_of=lambda key: own_calls(self.books, key),
            status=lambda: status(self),
            ready=lambda: self._ready or None,
            gauges=lambda: gauges(self, waiting=self._shadowing.waiting, against=self._watching.against()),
            clock=self.clock,
            random_bits=lambda: random.getrandbits(RANDOM_BITS),
            started_us=self.clock(),
            feedback=Feedback(self._evidence, self.books.entry, lambda: self.gateway.steps.routes),
            receipt_of=self._auditing.receipt_of,
        )

    async def _forget_texts(self, told: list[Erased]) -> None:
        """Somebody was erased: a cache does not know whose its answers are, so all of them go."""
        steps = self.gateway.steps
        fresh = Cache(steps.cache.settings, clock=self.clock, retry_memory_s=steps.settings.retry_memory_s)
        self.gateway.replace(structs.replace(steps, cache=fresh))
        if self._similar.cache is not None:
            self._similar.cache.evict()
        self._vaulting.forget(told)

    def _texts(self, id: str) -> Texts | None:
        """What was asked and answered, where it is kept; for people who compare answers."""
        try:
            found = self._keeper.recording(id) if self._keeper is not None else None
        except StoreError as error:
            log.warning("the bodies of call %s cannot be read: %s", id, error)
            return None
        return None if found is None else Texts(bytes(found.request), bytes(found.reply))

    def _ground(self) -> Ground:
        return Ground(
            draws=self._shadowing.offer is not None,
            keeps=self._keeper is not None,
            ladder=any(route.lower for route in self.found.routes),
            judge=self.assessor.judge,
        )

    async def _watch_soft_limits(self) -> None:
        while True:
            await asyncio.sleep(SOFT_LIMITS_EVERY_S)
            try:
                for alert in await asyncio.to_thread(soft_limits, self.books, self.clock()):
                    self._alarm(alert)
            except DemitasseError as error:
                log.warning("soft limits could not be looked at: %s", error)


def _keep_nothing(_call: Call, _reply: Reply) -> None:
    return None


def _scorer(raw: Raw) -> Scorer:
    """What it needs is imported by the first policy that scores, and not by a start."""
    from .scoring import load  # noqa: PLC0415

    return load(raw)


def is_private(config: Config) -> bool:
    """Only this machine can knock: the socket is on loopback, and no proxy in front of it lets others in."""
    return is_loopback(config.server.host) and not config.server.behind_proxy


def without_effect(config: Config) -> list[str]:
    """Settings that are understood and that nothing acts on; whoever sets one must not believe that it works."""
    found = []
    if config.shadow.usd_per_day and not any(set(r.ladder) - {r.reference} for r in config.routes.values()):
        found.append("shadow.usd_per_day (no route has a ladder)")
    for name, route in config.routes.items():
        if route.quality is not None and not set(route.ladder) - {route.reference}:
            found.append(f"routes.{name}.quality (the route has no ladder)")
    return found


def _say_what_has_no_effect(config: Config) -> None:
    for setting in without_effect(config):
        log.warning("%s has no effect in this version; see docs/roadmap.md", setting)


def shape_settings(config: Config) -> ShapeSettings:
    """How prompts may be shaped, and on which routes."""
    routes = frozenset(name for name, route in config.routes.items() if route.shape)
    return ShapeSettings(routes=routes, **structs.asdict(config.shape))


def settings_of(config: Config) -> Settings:
    """The gateway's own settings out of the configuration's."""
    private = is_private(config)
    return Settings(
        clamp=config.budgets.clamp,
        assume_max_output=config.budgets.assume_max_output,
        on_spent=config.budgets.on_spent,
        on_hangup=config.gateway.on_hangup,
        ping_s=config.gateway.ping_s,
        max_body_bytes=config.server.max_body_mb << 20,
        require_key=not private,
        loopback=private,
        cors=config.server.cors,
        disclose=config.audit.disclose,
        cache=CacheSettings(
            exact=config.cache.exact,
            coalesce=config.cache.coalesce,
            sampled=config.cache.sampled,
            max_bytes=config.cache.max_mb << 20,
            ttl_s=config.cache.ttl_s,
        ),
        loop_guard=LoopGuard(**structs.asdict(config.loop_guard)),
        retry=Retry(
            attempts=config.retry.attempts, backoff_s=config.retry.backoff_s, max_wait_s=config.retry.max_wait_s
        ),
        breaker=BreakerSettings(failures=config.breaker.failures, open_s=config.breaker.open_s),
    )

"""From settings and the environment to what can be asked: rungs, routes, and names found only when somebody asks.

Prices come from the configuration, from the price database (asked in a process of its own and kept in the store), or from the
hardware; engines are made here and started by their first call.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from ..config import Config, KeyHome, ModelSettings, RouteSettings, foreign_key_uses
from ..core.call import Model
from ..core.errors import ConfigError, DemitasseError, UpstreamError
from ..core.hardware import Hardware, Throughput, token_prices
from ..core.hardware import card as hardware_card
from ..core.price import Card, rates
from ..gateway.prompt_cache import PromptCache
from ..gateway.route import Route, Rung
from ..providers import catalogue, price_cards
from ..providers.download import note, place
from ..providers.engine_kinds import ENGINES, source_of
from ..providers.http import HttpClient, Timeouts
from ..providers.local import LocalEngine, LocalModel
from ..providers.made import PREFIX, look
from ..providers.openai import OpenAICompatible
from ..providers.otel import Traced
from ..providers.prompt_caching import NO_RULE, rule_for
from ..providers.recorded import Look, Recorded
from ..providers.supervisor import DEFAULT_SLOTS
from ..providers.vendors import VENDORS, Vendor, elsewhere, is_home, vendor_of
from ..store.ledger import SqliteLedger
from .governing_check import check_licence
from .local import Fetched
from .measured import SETTING, speed

log = logging.getLogger("demitasse.models")

DEFAULT_LOCAL = "smollm2-135m"
ASSUMED_SPEED = Throughput(
    input_per_s=200.0,
    output_per_s=20.0,
    threads=2,
    source="assumed 200 tok/s in, 20 tok/s out: not measured for this model",
)
PROBES = ("ollama",)
"""Vendors that are looked for on this machine at the start."""


class Found(Struct, frozen=True):
    """What can be asked, and how it was found, for the banner."""

    routes: tuple[Route, ...]
    engines: tuple[LocalEngine, ...]
    notes: tuple[str, ...]
    """E.g. ``smollm2-135m (local)`` and ``found OPENAI_API_KEY: openai/*``."""


class Models:
    """Makes rungs and keeps what they need: engines by name, cards by model.

    Args:
        env: where keys are read from, by the names that settings give.
        recordings: finds a recorded answer; None where no bodies are kept.
        prompt_cache: looks after the prompt caches of hosted providers.
    """

    def __init__(
        self,
        ledger: SqliteLedger,
        http: HttpClient,
        data: Path,
        env: Mapping[str, str],
        hardware: Hardware,
        recordings: Look | None = None,
        prompt_cache: PromptCache | None = None,
    ) -> None:
        self._recordings = recordings
        self._prompt_cache = prompt_cache
        self._ledger = ledger
        self._http = http
        self._data = data
        self._env = env
        self._hardware = hardware
        self._local: dict[tuple[object, ...], tuple[LocalEngine, Fetched]] = {}
        self._cards: dict[str, Card | None] = {}
        self._asking = asyncio.Lock()
        self._version = price_cards.edition()

    async def find(self, config: Config) -> Found:
        """All that the configuration and the environment offer. Raises ConfigError."""
        self._refuse_foreign_keys(config)
        self._load_cards()
        await self._price(
            f"{vendor.prices}/{settings.model or alias}"
            for alias, settings in config.models.items()
            if settings.price is None and (vendor := VENDORS.get(settings.provider)) is not None and vendor.prices
        )
        rungs = {alias: self._rung(alias, settings, config) for alias, settings in config.models.items()}
        notes = [f"{alias} ({settings.provider})" for alias, settings in config.models.items()]
        if not config.models and self._may_run_locally():
            local = ModelSettings(provider="local", source=DEFAULT_LOCAL)
            rungs[DEFAULT_LOCAL] = rung = self._rung(DEFAULT_LOCAL, local, config)
            here = isinstance(rung.model, Fetched) and rung.model.here
            notes.append(f"{DEFAULT_LOCAL} (local{'' if here else ', is fetched before its first answer'})")
        notes += [
            f"found {env_name}: {vendor.name}/*"
            for vendor in VENDORS.values()
            for env_name in vendor.key_envs
            if self._env.get(env_name)
        ]
        for name in PROBES:
            served = await self._probe(VENDORS[name])
            if served:
                notes.append(f"{name.capitalize()}: {', '.join(served[:4])}{' …' if len(served) > 4 else ''}")
            for model in served:
                rungs.setdefault(f"{name}/{model}", self._open_rung(VENDORS[name], model, config))
        routes = [Route(alias, rung, stamp=_stamp(rung)) for alias, rung in rungs.items()]
        for name, settings in config.routes.items():
            own = {
                alias: self._rung(alias, config.models[alias], config, client_keys=False)
                if alias in config.models
                else await self._routed(alias, config)
                for alias in dict.fromkeys((settings.reference, *settings.fallback, *settings.ladder))
            }
            routes.append(_route(name, settings, own))
        rungs_of_all = [rung for route in routes for rung in (*route.rungs, *route.lower)]
        await asyncio.to_thread(self._keep_own, [rung.card for rung in rungs_of_all])
        return Found(tuple(routes), tuple(engine for engine, _ in self._local.values()), tuple(notes))

    async def _routed(self, name: str, config: Config) -> Rung:
        """``provider/model`` in a route. A client's own key never goes there: it was not that provider the client named."""
        prefix, _, model = name.partition("/")
        vendor = VENDORS.get(prefix)
        if vendor is None or not model or not vendor.base_url:
            raise ConfigError(f"routes: no model '{name}'; name one of [models] or provider/model")
        if vendor.prices:
            await self._price([f"{vendor.prices}/{model}"])
        return self._open_rung(vendor, model, config, client_keys=False)

    async def discover(self, name: str, config: Config) -> Route | None:
        """``provider/model``, or a name that is some provider's own; None when it is nobody's."""
        prefix, slash, rest = name.partition("/")
        vendor = VENDORS.get(prefix) if slash else None
        model = rest
        if vendor is None:
            vendor, model = vendor_of(name), name
        if vendor is None or not vendor.base_url or not model or len(name) > 200:
            return None
        if vendor.prices:
            await self._price([f"{vendor.prices}/{model}"])
        rung = self._open_rung(vendor, model, config)
        return Route(name, rung, stamp=_stamp(rung))

    def card(self, id: str) -> Card | None:
        """A card in use by its identity."""
        return next((card for card in self._cards.values() if card is not None and card.id == id), None)

    def _rung(self, alias: str, settings: ModelSettings, config: Config, *, client_keys: bool = True) -> Rung:
        if settings.provider == "recorded":
            return self._recorded_rung(alias)
        if settings.provider in ("classifier", "local"):
            check_licence(config, self._data, self._ledger.get_setting, alias, to="served")
        if settings.provider == "classifier":
            return self._classifier_rung(alias, settings)
        if settings.provider == "local":
            return self._local_rung(alias, settings, config.path.parent if config.path else None)
        vendor = VENDORS.get(settings.provider, VENDORS["generic"])
        base_url = settings.base_url or vendor.base_url
        if not base_url:
            raise ConfigError(f"models.{alias}.base_url: missing; say where '{settings.provider}' is to be reached")
        key_env = settings.key_env
        if key_env is None and base_url == vendor.base_url:
            key_env = next((name for name in vendor.key_envs if self._env.get(name)), None)
        if settings.key_env is not None and not self._env.get(settings.key_env):
            log.warning(
                "models.%s.key_env: %s is not set in the environment; its calls will be refused", alias, key_env
            )
        model = settings.model or alias
        if settings.price is not None:
            card: Card | None = price_cards.config_card(
                alias,
                settings.provider,
                model,
                structs.asdict(settings.price),
                max_input=settings.context,
                max_image_tokens=settings.max_image_tokens,
            )
        else:
            card = self._card_of(vendor, model) if vendor.local or is_home(vendor, base_url) else None
            card = card or price_cards.free_moderation(vendor, model, base_url, settings.region)
        if card is not None and settings.max_image_tokens is not None:
            card = structs.replace(card, max_image_tokens=settings.max_image_tokens)
        self._cards[f"alias {alias}"] = card
        rung = Rung(
            alias=alias,
            provider=settings.provider,
            upstream_model=model,
            model=self._cached(
                OpenAICompatible(
                    alias,
                    vendor,
                    self._http,
                    model=model,
                    base_url=base_url,
                    api_key=self._env.get(key_env) if key_env else None,
                    key_env=key_env,
                    client_keys=client_keys and settings.base_url is None,
                    timeouts=_timeouts(config, settings.timeout_s),
                ),
                card,
            ),
            card=card,
            local=vendor.local,
            max_output=settings.max_output,
            region=settings.region,
            host=elsewhere(settings.provider, settings.base_url),
        )
        return structs.replace(rung, model=Traced(rung.model)) if alias in config.otel.upstream else rung

    def _open_rung(self, vendor: Vendor, model: str, config: Config, *, client_keys: bool = True) -> Rung:
        """A model of a provider that no ``[models]`` table names."""
        key_env = next((name for name in vendor.key_envs if self._env.get(name)), None)
        name = f"{vendor.name}/{model}"
        card = self._card_of(vendor, model) or price_cards.free_moderation(vendor, model, vendor.base_url, None)
        return Rung(
            alias=name,
            provider=vendor.name,
            upstream_model=model,
            model=self._cached(
                OpenAICompatible(
                    name,
                    vendor,
                    self._http,
                    model=model,
                    api_key=self._env.get(key_env) if key_env else None,
                    key_env=key_env or next(iter(vendor.key_envs), None),
                    client_keys=client_keys,
                    timeouts=_timeouts(config),
                ),
                card,
            ),
            card=card,
            local=vendor.local,
        )

    def _cached(self, model: OpenAICompatible, card: Card | None) -> Model:
        """The model with its provider's prompt cache looked after, where one is known; on this machine it spares no money."""
        rule = rule_for(model.vendor.name, model.base_url, model.model)
        if self._prompt_cache is None or rule is NO_RULE or model.vendor.local:
            return model
        return self._prompt_cache.over(model, model.alias, rule, card)

    def _local_rung(self, alias: str, settings: ModelSettings, base: Path | None) -> Rung:
        kind, said = ENGINES[settings.engine], settings.source or DEFAULT_LOCAL
        source = source_of(settings.engine, said, self._data / "models", place=f"models.{alias}.source", base=base)
        entry = _entry(source, self._data / "models")
        gpu_layers = None if settings.gpu_layers == "auto" else settings.gpu_layers
        at = (alias, source, kind, settings.slots, settings.threads, settings.context, settings.batch, gpu_layers)
        known = self._local.get(at)
        if known is None:
            engine = LocalEngine(
                alias,
                place(source, self._data / "models"),
                log=self._data / "logs" / f"{alias}.log",
                slots=settings.slots or DEFAULT_SLOTS,
                threads=settings.threads,
                ctx=settings.context,
                kind=kind,
                batch=settings.batch,
                gpu_layers=gpu_layers,
            )
            fetched = Fetched(
                alias,
                source,
                self._data / "models",
                lambda: LocalModel(engine, self._inner(engine), hardware=self._hardware),
            )
            known = self._local[at] = (engine, fetched)
        measured = speed(self._ledger.get_setting(SETTING, {}), alias, place(source, self._data / "models").name)
        card = self._hardware_card(alias, measured or (entry.throughput() if entry else None))
        self._cards[f"alias {alias}"] = card
        return Rung(
            alias=alias,
            provider="local",
            upstream_model=settings.source or DEFAULT_LOCAL,
            model=known[1],
            card=card,
            local=True,
            max_output=settings.max_output,
            here=True,
        )

    def _classifier_rung(self, alias: str, settings: ModelSettings) -> Rung:
        from ..providers.classifier import ClassifierModel  # noqa: PLC0415 - numpy, which a start without one is spared

        name = (settings.source or "").removeprefix(PREFIX)
        model = ClassifierModel(alias, self._data / "models", name, hardware=self._hardware)
        per_s = model.tokens_per_s
        if per_s is None:
            log.warning("models.%s.source: there is no classifier '%s' yet; its calls will fail", alias, name)
        # What comes out is no further work: the input's tokens bear the price.
        source = f"{name} as measured when it was made"
        speed = Throughput(per_s or ASSUMED_SPEED.input_per_s, output_per_s=1e12, threads=1, source=source)
        card = self._hardware_card(alias, speed)
        self._cards[f"alias {alias}"] = card
        return Rung(alias, "classifier", model.told, model, card, local=True, max_output=settings.max_output, here=True)

    def _recorded_rung(self, alias: str) -> Rung:
        if self._recordings is None:
            raise ConfigError(f"models.{alias}: recordings need kept bodies; set [keep] bodies = true and a master key")
        free = Card(id="recorded: nothing is paid", provider="recorded", model=alias, base=rates(input=0, output=0))
        return Rung(alias, "recorded", alias, Recorded(alias, self._recordings), free, local=True, here=True)

    def _inner(self, engine: LocalEngine) -> Callable[[str, str], Model]:
        def make(base_url: str, key: str) -> OpenAICompatible:
            return OpenAICompatible(
                engine.name,
                engine.kind.vendor,
                self._http,
                model=engine.served_as,
                base_url=base_url,
                api_key=key,
                timeouts=_ENGINE,
            )

        return make

    def _card_of(self, vendor: Vendor, model: str) -> Card | None:
        if vendor.local:
            return self._hardware_card(f"{vendor.name}/{model}", None)
        return self._cards.get(f"{vendor.prices}/{model}") if vendor.prices else None

    def _hardware_card(self, name: str, speed: Throughput | None) -> Card:
        """What a token costs on this machine; without a measurement the speed of the catalogue's small model is assumed."""
        return hardware_card(token_prices(self._hardware, speed or ASSUMED_SPEED), model=name)

    def _keep_own(self, cards: Iterable[Card | None]) -> None:
        """Prices that only the file and this machine know, kept so that a bill can be explained when they have changed."""
        own = {
            card.id: card
            for card in cards
            if card is not None and card.id.startswith(("config ", "hardware ", "free "))
        }
        kept = [value for *_, value in self._ledger.get_cards()]
        for card in own.values():
            value = msgspec.to_builtins(card)
            if value not in kept:
                version = f"{self._ledger.clock():020d} {card.id}"  # of cards with one name, the newest comes last
                self._ledger.put_card(card.provider, card.model, version, value)

    def _load_cards(self) -> None:
        for provider, model, version, card in self._ledger.get_cards():
            if version == self._version:
                self._cards[f"{provider}/{model}"] = msgspec.convert(card, Card) if card is not None else None

    async def _price(self, refs: Iterable[str]) -> None:
        """Ask the price database for what is not known yet."""
        async with self._asking:
            missing = sorted({ref for ref in refs if ref not in self._cards})
            if not missing:
                return
            try:
                cards = await price_cards.ask(missing)
            except DemitasseError as error:
                log.warning("%s", error)
                return
            for ref in missing:
                card = cards.get(ref)
                if len(self._cards) > 5_000:
                    return
                self._cards[ref] = card
                if card is not None:
                    provider, _, model = ref.partition("/")
                    await asyncio.to_thread(
                        self._ledger.put_card, provider, model, self._version, msgspec.to_builtins(card)
                    )

    async def _probe(self, vendor: Vendor) -> list[str]:
        """The models of a server on this machine, or none when there is no such server."""
        model = OpenAICompatible(vendor.name, vendor, self._http, model="", timeouts=_PROBE)
        try:
            return await asyncio.wait_for(model.models(), 0.3)
        except (UpstreamError, TimeoutError):
            return []

    def _may_run_locally(self) -> bool:
        """The extra [local] is installed."""
        try:
            importlib.metadata.version("xllamacpp")
        except importlib.metadata.PackageNotFoundError:
            return False
        return True

    def _refuse_foreign_keys(self, config: Config) -> None:
        homes = [
            KeyHome(vendor.name, env_name, (vendor.base_url.split("/")[2].split(":")[0],))
            for vendor in VENDORS.values()
            if vendor.base_url
            for env_name in vendor.key_envs
        ]
        approved = frozenset(self._ledger.get_setting("approved_key_uses", []))
        uses = foreign_key_uses(config, homes, approved)
        if uses:
            raise ConfigError("\n".join(str(use) for use in uses))

    async def stop(self) -> None:
        """Stop every engine."""
        await asyncio.gather(*(engine.stop() for engine, _ in self._local.values()))


_PROBE = Timeouts(connect_s=0.3, first_byte_s=0.3, idle_s=0.3)
_ENGINE = Timeouts(first_byte_s=600.0, idle_s=120.0)
"""A long prompt on a slow processor takes minutes before its first token."""


def _timeouts(config: Config, first_byte_s: float | None = None) -> Timeouts:
    http = config.http
    return Timeouts(connect_s=http.connect_s, first_byte_s=first_byte_s or http.first_byte_s, idle_s=http.idle_s)


def _entry(source: catalogue.Source, models: Path) -> catalogue.Entry | None:
    """Whose measured speed gives the price of a token. A model that was made here is taken to be as fast as what it was made
    from: with fewer bits or layers it is no slower."""
    if isinstance(source, catalogue.Entry):
        return source
    if isinstance(source, catalogue.MadeSource):
        try:
            base = look(models, source.name).base
        except DemitasseError:
            return None
        return catalogue.catalogue().get(base.source) if base is not None else None
    return _known(place(source, models))


def _known(path: Path) -> catalogue.Entry | None:
    """The catalogue's entry of a file that was fetched under another data directory, by the note beside it."""
    kept = note(path)
    return next((e for e in catalogue.catalogue().values() if kept is not None and e.sha256 == kept.sha256), None)


def _route(name: str, settings: RouteSettings, rungs: Mapping[str, Rung]) -> Route:
    """A route answers with its reference until a certificate lets a cheaper model of its ladder do so."""
    reference = rungs[settings.reference]
    fallbacks = tuple(rungs[alias] for alias in settings.fallback)
    return Route(
        name,
        reference,
        fallbacks,
        stamp="|".join(_stamp(rung) for rung in (reference, *fallbacks)),
        named=True,
        lower=tuple(rungs[alias] for alias in settings.ladder if alias != settings.reference),
        quality=settings.quality,
        sticky=settings.sticky,
    )


def _stamp(rung: Rung) -> str:
    return f"{rung.provider}/{rung.upstream_model}"

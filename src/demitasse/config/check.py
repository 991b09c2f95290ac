"""Rules between settings: names that must exist, what excludes what. Knows no file; reads no environment.

`check` also fills in what follows from other settings (a route's reference, the default budget, whole paths), so that
everyone after it reads plain values.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from ..providers import made
from ..providers.vendors import VENDORS
from .check_guard import check_guard
from .check_providers import check_providers
from .read import Problem, meant
from .tree import Budgets, BudgetSettings, Config, Keep, ModelSettings, RouteSettings, Server

DEFAULT_BUDGET = BudgetSettings(usd_per_day=Decimal(5))
PERIODS = ("usd_per_day", "usd_per_month", "usd_ever")
SUBJECTS = ("key", "team", "tag", "model")
MADE: Final = re.compile(rf"{made.PREFIX}(?:{made.NAME.pattern})")
LEAST_LEDGER_DAYS = 183
"""Six months: EU AI Act, Art. 19 (providers) and 26(6) (deployers)."""
SHADOW_BUDGET = "shadow"
"""Name of the budget that ``[shadow] usd_per_day`` makes."""


PROVIDERS: Final[Mapping[str, str]] = {"local": "local", "recorded": "recorded", "classifier": "local"} | {
    name: vendor.base_url for name, vendor in VENDORS.items()
}
"""Providers there are, each with its address; empty where every installation has its own."""


def check(config: Config, providers: Mapping[str, str] = PROVIDERS) -> tuple[Config, list[Problem]]:
    """The configuration completed, and every rule that it breaks."""
    problems = [
        *_server(config.server),
        *(p for name, model in config.models.items() for p in _model(f"models.{name}", model, providers)),
        *(p for name, route in config.routes.items() for p in _route(name, route, config, providers)),
        *(p for name, budget in config.budgets.limits.items() for p in _budget(name, budget, config, providers)),
        *_shadow(config, providers),
        *_keep(config.keep, found=config.found),
        *_alerts(config),
        *_otel(config),
        *check_guard(config, lambda name: _no_model(name, config, providers)),
        *check_providers(config.governance.providers, providers),
    ]
    return config if problems else _complete(config), problems


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _server(server: Server) -> Iterator[Problem]:
    if bool(server.tls_cert) != bool(server.tls_key):
        missing = "tls_key" if server.tls_cert else "tls_cert"
        yield Problem(f"server.{missing}", "missing; TLS needs both the certificate and its key")
    elif not (is_loopback(server.host) or server.tls_cert or server.behind_proxy):
        yield Problem(
            "server.host",
            f"'{server.host}' is open to others and keys would travel in the clear; set tls_cert and tls_key, "
            "or behind_proxy = true if a proxy in front ends TLS",
        )
    for origin in server.cors:
        if not re.fullmatch(r"https?://[^/\s*@]+", origin):
            yield Problem("server.cors", f"'{origin}' is not an origin; write it as https://app.example")


def _model(place: str, model: ModelSettings, providers: Mapping[str, str]) -> Iterator[Problem]:
    if model.provider and model.provider not in providers:
        known = meant(model.provider, providers) or "; known are " + ", ".join(sorted(providers))
        yield Problem(f"{place}.provider", f"no provider '{model.provider}'{known}")
    if not model.provider:
        pass  # missing, and reported as such
    elif model.provider == "local":
        if not model.source:
            yield Problem(f"{place}.source", 'missing; name a model from the catalogue, e.g. source = "smollm2-135m"')
        for field in ("base_url", "key_env", "model"):
            if getattr(model, field) is not None:
                yield Problem(f"{place}.{field}", "a local model has none; leave it out, or name another provider")
        if model.engine == "transformers":
            yield from _transformers(place, model)
    elif model.provider == "classifier":
        if not MADE.fullmatch(model.source or ""):
            yield Problem(f"{place}.source", 'missing, or no classifier; name a made one, e.g. source = "made:intents"')
        for field in ("base_url", "key_env", "model", "slots", "threads", "batch"):
            if getattr(model, field) is not None:
                yield Problem(f"{place}.{field}", "a classifier has none; leave it out")
    else:
        for field in ("source", "slots", "threads", "batch"):
            if getattr(model, field) is not None:
                yield Problem(f"{place}.{field}", 'only a local model has it; leave it out, or set provider = "local"')
    if model.provider and model.provider != "local":
        for field, default in (("engine", "llama.cpp"), ("gpu_layers", "auto")):
            if getattr(model, field) != default:
                yield Problem(f"{place}.{field}", 'only a local model has it; leave it out, or set provider = "local"')
    if model.base_url is None and providers.get(model.provider) == "":
        yield Problem(f"{place}.base_url", f"missing; '{model.provider}' is wherever you say, e.g. https://host/v1")
    if model.base_url is not None and (wrong := _bare_url(model.base_url)):
        yield Problem(f"{place}.base_url", wrong)
    yield from _env_name(f"{place}.key_env", model.key_env)


def _route(name: str, route: RouteSettings, config: Config, providers: Mapping[str, str]) -> Iterator[Problem]:
    place = f"routes.{name}"
    if not route.reference and not route.ladder:
        yield Problem(place, "asks no model; name at least its reference")
    named = [("reference", route.reference)] if route.reference else []
    named += [("ladder", rung) for rung in route.ladder] + [("fallback", rung) for rung in route.fallback]
    for field, model in named:
        if wrong := _no_model(model, config, providers):
            yield Problem(f"{place}.{field}", wrong)
    for field, rungs in (("ladder", route.ladder), ("fallback", route.fallback)):
        for twice in sorted({r for r in rungs if rungs.count(r) > 1}):
            yield Problem(f"{place}.{field}", f"'{twice}' stands in it twice")
    if route.reference in route.ladder[:-1]:
        yield Problem(f"{place}.ladder", f"'{route.reference}' is the reference; put it last, or leave it out")


def _no_model(name: str, config: Config, providers: Collection[str]) -> str:
    """Why a name is no model: empty when it is an alias, or a provider's model as ``provider/model``."""
    if name in config.models:
        return ""
    provider, slash, rest = name.partition("/")
    if slash and provider and rest:
        if provider in providers and provider not in ("local", "classifier"):
            return ""
        return f"no provider '{provider}'{meant(provider, providers)}"
    if name in config.routes:
        return f"'{name}' is a route; name a model"
    hint = meant(name, config.models)
    if hint or config.models:
        return f"no model '{name}'" + (hint or "; there are " + ", ".join(sorted(config.models)))
    return f"no model '{name}'; add a table [models.{name}], or name one as provider/model"


def _budget(name: str, budget: BudgetSettings, config: Config, providers: Mapping[str, str]) -> Iterator[Problem]:
    place = f"budgets.{name}"
    if not re.fullmatch(r"[\w.-]+", name):
        yield Problem(place, "a budget's name has letters, digits, '.', '-' and '_' only")
    limits = [p for p in PERIODS if getattr(budget, p) is not None]
    if not limits:
        yield Problem(place, "no limit; set one of " + ", ".join(PERIODS))
    elif len(limits) > 1:
        yield Problem(place, f"{' and '.join(limits)} are two limits; give each a budget of its own")
    subjects = [s for s in SUBJECTS if getattr(budget, s) is not None]
    if len(subjects) > 1:
        yield Problem(place, f"{' and '.join(subjects)} exclude each other; set one of them")
    if budget.tag is not None and not re.fullmatch(r"[^=\s]+=.+", budget.tag):
        yield Problem(f"{place}.tag", f"'{budget.tag}' is no tag; write it as name=value")
    if budget.model is not None and (wrong := _no_model(budget.model, config, providers)):
        yield Problem(f"{place}.model", wrong)
    for share in budget.soft:
        if not 0 < share <= 1:
            yield Problem(f"{place}.soft", f"{share} is no share of the limit; write e.g. 0.8 for 80 %")


def _shadow(config: Config, providers: Mapping[str, str]) -> Iterator[Problem]:
    shadow = config.shadow
    if shadow.judge is not None and (wrong := _no_model(shadow.judge, config, providers)):
        yield Problem("shadow.judge", wrong)
    if shadow.usd_per_day and SHADOW_BUDGET in config.budgets.limits:
        yield Problem(
            f"budgets.{SHADOW_BUDGET}", "[shadow] usd_per_day makes a budget of this name; choose another one"
        )


def _keep(keep: Keep, *, found: bool = False) -> Iterator[Problem]:
    named = [name for name in ("master_key_env", "master_key_file", "master_key_command") if getattr(keep, name)]
    if len(named) > 1:
        yield Problem(f"keep.{named[-1]}", f"{named[0]} is set too; keep one of them")
    if keep.bodies and not named:
        yield Problem("keep", "kept bodies are encrypted; set master_key_env, master_key_file or master_key_command")
    if keep.master_key_command and found:
        yield Problem(
            "keep.master_key_command", "this file was merely found here and may run no command; name it with --config"
        )
    if keep.ledger_days is not None and keep.ledger_days < LEAST_LEDGER_DAYS:
        yield Problem(
            "keep.ledger_days",
            f"{keep.ledger_days} is too few: the EU AI Act (Art. 19 and 26(6)) has logs kept six months at least; "
            f"write {LEAST_LEDGER_DAYS} or more, or leave it out to keep all",
        )
    yield from _env_name("keep.master_key_env", keep.master_key_env)


def _alerts(config: Config) -> Iterator[Problem]:
    alerts = config.alerts
    if alerts.webhook and alerts.webhook_env:
        yield Problem("alerts.webhook", "webhook_env is set too; keep one of them")
    if alerts.webhook is not None and (wrong := _url(alerts.webhook)):
        yield Problem("alerts.webhook", wrong)
    yield from _env_name("alerts.webhook_env", alerts.webhook_env)


def _otel(config: Config) -> Iterator[Problem]:
    otel = config.otel
    if otel.endpoint is not None and (wrong := _bare_url(otel.endpoint)):
        yield Problem("otel.endpoint", wrong)
    if otel.headers_env and not otel.endpoint:
        yield Problem("otel.endpoint", "missing; headers_env says what is sent with it")
    yield from _env_name("otel.headers_env", otel.headers_env)
    for at, name in enumerate(otel.upstream):
        if name not in config.models:
            yield Problem(f"otel.upstream[{at}]", f"no model '{name}'{meant(name, config.models)}")


def _url(url: str) -> str:
    """Why a text is no address to call; empty when it is one."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not an address; write it as https://host/path"
    if parts.scheme not in {"http", "https"} or not host:
        return "not an address; write it as https://host/path"
    if parts.username or parts.password:
        return "an address in this file may not hold a user name or password; use key_env"
    return ""


def _bare_url(url: str) -> str:
    """The same of an address to which paths are added: what is shown on pages and sent to nobody holds no key."""
    if not (wrong := _url(url)) and ("?" in url or "#" in url):
        return (
            "paths are added to this address, so it ends without '?' and '#'; a key goes into an environment variable"
        )
    return wrong


def _env_name(place: str, name: str | None) -> Iterator[Problem]:
    if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        yield Problem(place, "no name of an environment variable; letters, digits and '_' only, e.g. OPENAI_API_KEY")


def _transformers(place: str, model: ModelSettings) -> Iterator[Problem]:
    source = model.source or ""
    if source.endswith(".gguf") or source.startswith("made:"):
        yield Problem(
            f"{place}.source",
            "engine 'transformers' needs a folder with config.json, or hf:owner/repo; GGUF is for llama.cpp",
        )
    for field, why in (("batch", "it has no such setting"), ("slots", "its calls queue, one after another")):
        if getattr(model, field) is not None:
            yield Problem(f"{place}.{field}", f"engine 'transformers': {why}; leave it out")


def _complete(config: Config) -> Config:
    folder = config.path.parent if config.path else Path()
    return replace(
        config,
        server=replace(
            config.server,
            tls_cert=_whole(config.server.tls_cert, folder),
            tls_key=_whole(config.server.tls_key, folder),
        ),
        models={
            alias: replace(
                model,
                model=model.model or (None if model.provider in ("local", "classifier") else alias),
                source=_whole(model.source, folder) if _is_file(model) else model.source,
            )
            for alias, model in config.models.items()
        },
        routes={
            name: replace(route, reference=route.reference or route.ladder[-1]) for name, route in config.routes.items()
        },
        budgets=_with_default(config.budgets),
        keep=replace(config.keep, master_key_file=_whole(config.keep.master_key_file, folder)),
    )


def _is_file(model: ModelSettings) -> bool:
    source = model.source
    here = source is not None and not source.startswith(("hf:", "made:"))
    return here and source is not None and (source.endswith(".gguf") or model.engine == "transformers")


def _whole(path: str | None, folder: Path) -> str | None:
    """Relative to the file it stands in, not to wherever the command was started."""
    return None if path is None else str(folder / Path(path).expanduser())


def _with_default(budgets: Budgets) -> Budgets:
    limits: Mapping[str, BudgetSettings] = {"default": DEFAULT_BUDGET} | budgets.limits
    return replace(budgets, limits=dict(limits))

"""What runs here, as rows for pages and as JSON for commands. Reads, never changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ..config import Config, hosted, machine
from ..config.describe import describe, documented
from ..config.switches import SWITCHES, is_on, said_by_file
from ..config.tree import OPEN_TABLES
from ..core.hardware import DEFAULTS_DATE, usd_per_hour
from ..gateway.answer import Steps
from ..gateway.cache import Cache
from ..gateway.prefix_watch import as_json
from ..providers import machine as this_machine
from ..providers.local import LocalEngine
from ..providers.vendor_energy import Estimates
from ..store.books import SqliteBooks
from ..web.energy import Meter
from ..web.entries import entry_json
from ..web.facts import CacheFacts, ChainFact, EngineRow, ModelRow, RouteRow, SettingRow, SwitchRow
from ..web.lab_facts import Assumption, HardwareRow
from .models import Found

if TYPE_CHECKING:
    from .app import App

_LOG_LINES = 12
_OWN_CALLS = 50
UNITS = {
    "capex_usd": "USD",
    "cores": "cores",
    "life_years": "years",
    "utilisation": "of all hours",
    "watts_idle": "W",
    "watts_per_busy_core": "W a core",
    "pue": "",
    "usd_per_kwh": "USD a kWh",
    "ops_usd_per_year": "USD a year",
    "carbon_g_per_kwh": "g CO2e a kWh",
}
"""Of what ``[hardware]`` assumes."""


def meter(config: Config) -> Meter:
    """By what pages tell energy and carbon."""
    return Meter(machine(config), Estimates(partial(hosted, config)))


def call_facts(books: SqliteBooks, id: str) -> dict[str, Any] | None:
    """One call as ``GET /demitasse/calls/{id}`` tells it: the object of ``ledger --json``."""
    entry = books.entry(id)
    return None if entry is None else entry_json(entry)


def own_calls(books: SqliteBooks, key: str) -> list[dict[str, Any]]:
    """A key's newest calls, as ``GET /demitasse/calls`` tells them: objects of ``ledger --json``, the newest first."""
    return [entry_json(entry) for _, entry in books.entries(last=_OWN_CALLS, key=key)]


def model_rows(found: Found, steps: Steps) -> list[ModelRow]:
    """Every name that can be asked for."""
    circuits = steps.breakers.states()
    return [
        ModelRow(
            name=route.name,
            kind="route" if route.named else "model",
            provider=route.reference.provider,
            upstream_model=route.reference.upstream_model,
            address=getattr(route.reference.model, "base_url", ""),
            card=route.reference.card,
            circuit=circuits.get(route.reference.alias),  # type: ignore[arg-type]  # the breaker's own three words
            note="" if route.reference.card is not None else "its price is not known",
        )
        for route in found.routes
    ]


def engine_rows(found: Found) -> list[EngineRow]:
    """Every local engine, running or not."""
    rows = []
    for engine in found.engines:
        status = engine.status()
        rows.append(
            EngineRow(
                name=status.name,
                state=status.state,
                pid=status.pid,
                address=f"127.0.0.1:{status.port}" if status.port else "",
                threads=status.threads,
                slots=status.slots,
                busy=status.in_flight,
                restarts=status.restarts,
                rss_bytes=status.rss_bytes,
                started_us=status.started_us,
                note=status.last_error or "",
                log_tail=_tail(engine),
            )
        )
    return rows


def hardware_row(config: Config) -> HardwareRow:
    """The machine that this process runs on, and what its hours are taken to cost."""
    costs, own, cores = machine(config), config.hardware, this_machine.allowed_cores()
    threads = max(1, int(cores))
    return HardwareRow(
        cores=cores,
        physical=this_machine.physical_cores(),
        threads=this_machine.choose_threads(),
        load=this_machine.load(),
        free_bytes=this_machine.free_memory_bytes(),
        usd_per_hour=usd_per_hour(costs, "full", threads=threads),
        usd_per_hour_marginal=usd_per_hour(costs, "marginal", threads=threads),
        dated=DEFAULTS_DATE,
        assumptions=tuple(
            Assumption(
                name, getattr(costs, name).low, getattr(costs, name).high, unit, own=getattr(own, name) is not None
            )
            for name, unit in UNITS.items()
        ),
    )


def chain_fact(books: SqliteBooks, id: str) -> ChainFact | None:
    """Where an entry stands in the chain."""
    place = books.place(id)
    return None if place is None else ChainFact(seq=place[0], leaf=place[1], head=place[2])


def cache_facts(cache: Cache) -> CacheFacts:
    stats = cache.stats()
    return CacheFacts(**{name: stats[name] for name in CacheFacts.__struct_fields__})  # type: ignore[arg-type]


def route_rows(config: Config, why_not: Callable[[str], str]) -> list[RouteRow]:
    """The routes that the configuration names; ``why_not``: see ``gateway.pilot.Pilot``."""
    return [
        RouteRow(
            name=name,
            reference=route.reference or (route.ladder[-1] if route.ladder else ""),
            ladder=route.ladder,
            quality=route.quality,
            shadow_rate=config.shadow.rate,
            why_not=why_not(name),
        )
        for name, route in config.routes.items()
    ]


def switch_rows(config: Config, given: Config) -> list[SwitchRow]:
    """What can be turned on and off; ``given`` is the configuration as the file has it."""
    return [SwitchRow(s.name, s.label, s.does, is_on(config, s), locked=said_by_file(given, s)) for s in SWITCHES]


def setting_rows(config: Config) -> list[SettingRow]:
    """The settings in force, each with its origin."""
    meanings = {row.setting: row.meaning for row in documented()}
    origins = {"file": config.path.name if config.path else "file", "env": "environment", "command": "command line"}
    return [
        SettingRow(
            name=row.setting,
            value=row.value,
            origin=origins.get(row.origin, row.origin),
            text=meanings.get(_general(row.setting), ""),
        )
        for row in describe(config)
    ]


def tenant_class(config: Config, tenant: str) -> str:
    """The class of data that the configuration says a tenant's calls are of; empty: of none."""
    said = config.tenants.get(tenant)
    return said.data_class if said is not None else ""


def _general(setting: str) -> str:
    """``models.large.provider`` as the reference lists it: ``models.NAME.provider``."""
    section, _, rest = setting.partition(".")
    name, dot, field = rest.partition(".")
    return f"{section}.{OPEN_TABLES[section]}.{field}" if section in OPEN_TABLES and dot and name else setting


def status(app: App) -> dict[str, Any]:
    """``GET /demitasse/status``: what commands ask a running gateway."""
    banner = app.banner()
    return {
        "version": banner.version,
        "base_url": banner.base_url,
        "data": str(banner.data),
        "mode": banner.mode,
        "found": list(banner.models),
        "models": [
            {
                "name": row.name,
                "kind": row.kind,
                "provider": row.provider,
                "upstream_model": row.upstream_model,
                "card": row.card.id if row.card else None,
                "circuit": row.circuit,
            }
            for row in model_rows(app.found, app.gateway.steps)
        ],
        "engines": [msgspec.to_builtins(engine.status()) for engine in app.found.engines],
        "cache": app.gateway.steps.cache.stats(),
        "prompt_cache": app.prompt_cache.facts(),
        "findings": [as_json(finding) for finding in app.prompt_cache.findings()],
    }


def _tail(engine: LocalEngine) -> tuple[str, ...]:
    try:
        text = engine.log.read_text(errors="replace")[-4000:]
    except OSError:
        return ()
    return tuple(text.splitlines()[-_LOG_LINES:])

"""The guard of a gateway, made from the configuration: its rules, its detectors, its vault, and what people let pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import structs

from ..config import ClassSettings, Config, GuardSettings
from ..core.call import Call, Reply
from ..core.entry import Guarded
from ..core.errors import ConfigError, DemitasseError
from ..core.limits import Alert
from ..gateway.guard_rules import DataClass, Policies, Rules
from ..gateway.guarding import Guard, Moderate
from ..gateway.passage import Grey
from ..gateway.redacting import Redactor
from ..gateway.vaulting import Vaulting
from ..guard.finding import NOTHING, Findings, Source
from ..guard.moderation import has_endpoint
from ..guard.scan import Scanner, scanner
from ..store.ledger import SqliteLedger
from ..store.master import keys_kept
from ..store.subjects import Subjects
from ..store.vault import Vault
from .keeping import master, named, usable

if TYPE_CHECKING:
    from ..gateway.poisoning import Poisoning

log = logging.getLogger("demitasse.guard")

APPROVED = "guard_approved"
"""The setting of the store that holds what people let pass: until when, in UTC microseconds, by code."""
REJECTED = "guard_rejected:"
"""Begins the setting that holds what a person refused for good: by code who, when and why."""
APPROVED_US = 24 * 3_600_000_000
"""How long an approval holds."""
MOST_CODES = 10_000
"""Of which it is remembered whether a person refused them, until something changes."""


def policies(config: Config) -> Policies:
    """Who is guarded how."""
    general = _rules(config.guard)
    profiles = {name: _beside(general, profile, name, config) for name, profile in config.guards.items()}
    return Policies(
        general=general,
        by_route={name: profiles[route.guard] for name, route in config.routes.items() if route.guard},
        by_tenant={name: profiles[tenant.guard] for name, tenant in config.tenants.items() if tenant.guard},
        classes={name: _class(name, data) for name, data in config.classes.items()},
        class_of={name: tenant.data_class for name, tenant in config.tenants.items() if tenant.data_class},
    )


def moderators(config: Config) -> dict[str, str]:
    """The models that moderate, by the setting that names each."""
    profiles = {"guard": config.guard, **{f"guards.{name}": profile for name, profile in config.guards.items()}}
    if not any(profile.on for profile in profiles.values()):
        return {}
    return {f"{place}.moderation": profile.moderation for place, profile in profiles.items() if profile.moderation}


def unpriced_moderator(config: Config, place: str, name: str) -> str:
    """What is to be done about a moderator whose price nobody knows, in a sentence: no limit could bound it, so that no call
    would be moderated, and where harm is refused none would be answered."""
    free = "price = { input_usd_per_mtok = 0, output_usd_per_mtok = 0 }"
    provider, _, model = name.partition("/")
    if name in config.models:
        how = f"[models.{name}] {free}, with what it costs"
        if config.models[name].region is None and has_endpoint(config.models[name].model or name):
            how += f', or, where it is an endpoint of your own, [models.{name}] region = "local"'
    else:
        how = f'[models.moderator] provider = "{provider}", model = "{model}", {free}, with what it costs'
        how += f', and {place} = "moderator"'
    return f"{place}: the price of '{name}' is not known, so no budget could bound it; say it: {how}"


def guard(
    config: Config,
    *,
    secret: bytes,
    ledger: SqliteLedger,
    alarm: Callable[[Alert], None],
    moderate: Moderate | None = None,
    grey: Callable[[str, Call], Grey] | None = None,
    vaulting: Vaulting | None = None,
) -> Guard:
    """The guard that the configuration asks for. ``vaulting``: keeps what its placeholders stand for."""
    rules = policies(config)
    approvals = Approvals(ledger)
    redactor = Redactor(secret, vaulting if any(map(_redacts, rules.all())) else None)
    return Guard(
        rules,
        lambda false_alarms, names: scanner(false_alarms=false_alarms, names=names),
        redactor,
        recall=redactor.recall,
        secret=secret,
        moderate=moderate,
        grey=grey,
        approved=approvals,
        rejected=approvals.rejected,
        alarm=alarm,
    )


def vaulting(config: Config, data: Path, *, secret: bytes, clock: Callable[[], int]) -> Vaulting:
    """What keeps the values of placeholders: on disk where a master key is named, else in memory as long as this process.

    Raises ConfigError where the key that is named cannot be used, or is not that of what is kept already.
    """
    if needs_key(config, data):
        usable(config, data)

    def opened() -> Vault:
        return Vault(data, master(config, data) if named(config) else None, secret)

    return Vaulting(opened, Subjects(secret).of, clock)


def needs_key(config: Config, data: Path) -> bool:
    """Whether a master key is named and something lies under it, or will: data keys, bodies, values of placeholders."""
    kept = config.keep.bodies is not False or any(map(_redacts, policies(config).all()))
    return named(config) and (kept or keys_kept(data) > 0)


class Keeping:
    """Whether answers may be kept for others; what it needs is loaded when it is first asked.

    Args:
        scanner: the guard's, once it is loaded; until then phrases and hidden characters alone are looked for.
    """

    def __init__(self, scanner: Callable[[], Scanner | None]) -> None:
        self._scanner = scanner
        self._poisoning: Poisoning | None = None

    def poisoned(self, call: Call, reply: Reply, guarded: Guarded | None) -> str:
        """Why an answer may be kept for nobody else; empty: it may."""
        return self._loaded().may_be_cached(call, reply, guarded)

    def flooding(self, call: Call, question: str) -> str:
        """Why a question's answer may not be shared; empty: it may, and is counted as kept."""
        return self._loaded().may_be_shared(call, question)

    def _loaded(self) -> Poisoning:
        if self._poisoning is None:
            from ..gateway.poisoning import Poisoning  # noqa: PLC0415 - it loads what scores answers

            self._poisoning = Poisoning(self._scan)
        return self._poisoning

    def _scan(self, text: str, source: Source) -> Findings:
        scan = self._scanner()
        return NOTHING if scan is None else scan.of_answers()(text, source)


class Approvals:
    """What people let pass, and what they refused for good, by the codes that refusals named. Follows other processes within
    a second."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self._revision = -1
        self._until: Mapping[str, int] = {}
        self._rejected: dict[str, bool] = {}

    def __call__(self, code: str, at_us: int) -> bool:
        """Whether a code was approved and still is."""
        self._follow()
        return self._until.get(code, 0) > at_us

    def rejected(self, code: str) -> bool:
        """Whether a person refused a code. Where that cannot be read nobody is asked: it counts as refused."""
        self._follow()
        found = self._rejected.get(code)
        if found is None:
            try:
                found = rejection(self._ledger, code) is not None
            except DemitasseError as error:
                log.warning("what people refused could not be read, so nothing passes: %s", error)
                return True
            if len(self._rejected) >= MOST_CODES:
                self._rejected.clear()
            self._rejected[code] = found
        return found

    def _follow(self) -> None:
        if self._ledger.revision != self._revision:
            self._revision = self._ledger.revision
            self._rejected.clear()
            try:
                self._until = self._ledger.get_setting(APPROVED) or {}
            except DemitasseError as error:
                log.warning("approvals could not be read, so none holds: %s", error)
                self._until = {}


class Kept(Protocol):
    """Where settings of the store are read and written: the running ledger, or a command beside it."""

    def get_setting(self, name: str) -> Any: ...

    def set_setting(self, name: str, value: Any) -> None: ...

    def edit_setting(self, name: str, edit: Callable[[Any], Any]) -> Any: ...


def approve(settings: Kept, code: str, at_us: int) -> int:
    """Let what bears this code pass; returns until when. Approvals that are over are forgotten.

    Raises ConfigError: a person refused it, and that is final.
    """
    _not_rejected(settings, code)
    until_us = at_us + APPROVED_US

    def with_this(kept: Any) -> dict[str, int]:  # what others let pass at this moment stays
        return {name: until for name, until in (kept or {}).items() if until > at_us} | {code: until_us}

    settings.edit_setting(APPROVED, with_this)
    try:
        _not_rejected(settings, code)  # somebody may have said no at this moment
    except ConfigError:
        withdraw(settings, code)
        raise
    return until_us


def _not_rejected(settings: Kept, code: str) -> None:
    if (told := rejection(settings, code)) is not None:
        raise ConfigError(
            f"{code} was refused by {told.get('by') or 'a person'}, and that is final; a reworded text waits anew"
        )


def withdraw(settings: Kept, code: str) -> bool:
    """Take an approval back; whether there was one."""
    if code not in (settings.get_setting(APPROVED) or {}):
        return False
    settings.edit_setting(APPROVED, lambda kept: {name: until for name, until in (kept or {}).items() if name != code})
    return True


def reject(settings: Kept, code: str, at_us: int, *, by: str, why: str = "") -> None:
    """Refuse what bears this code, for good. Who and why stand in the chain.

    Raises ConfigError: it was refused before.
    """

    def first(found: Any) -> dict[str, Any]:
        if found is not None:
            raise ConfigError(f"{code} was refused before, and that is final")
        return {"by": by, "at_us": at_us, "why": why}

    settings.edit_setting(REJECTED + code, first)
    withdraw(settings, code)


def rejection(settings: Kept, code: str) -> Mapping[str, Any] | None:
    """Who refused a code, when and why; None: nobody did."""
    found: Mapping[str, Any] | None = settings.get_setting(REJECTED + code)
    return found


def _redacts(rules: Rules) -> bool:
    return rules.on and "redact" in (rules.secrets, *rules.personal.values())


def _rules(said: GuardSettings) -> Rules:
    return Rules(**{name: getattr(said, name) for name in Rules.__struct_fields__})


def _beside(general: Rules, said: GuardSettings, name: str, config: Config) -> Rules:
    """A profile's rules. Of what it does not mention it says nothing, so that there the general one's word holds."""
    own = _rules(said)
    plain = GuardSettings()
    silent = {
        field: getattr(general, field)
        for field in Rules.__struct_fields__
        # One that is named is on, where it does not say otherwise itself: who names it wants it to do something.
        if field not in ("on", "personal")
        and getattr(said, field) == getattr(plain, field)
        and f"guards.{name}.{field}" not in config.origins
    }
    if "default" not in own.personal:
        silent["personal"] = {**general.personal, **own.personal}
    return structs.replace(own, **silent)


def _class(name: str, said: ClassSettings) -> DataClass:
    return DataClass(name, "local" if said.stays == "local" else ",".join(said.regions), frozenset(said.types))

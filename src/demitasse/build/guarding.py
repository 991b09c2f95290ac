"""The guard of a gateway, made from the configuration: its rules, its detectors, its vault, and what people let pass."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..config import ClassSettings, Config, GuardSettings
from ..core.errors import DemitasseError
from ..gateway.guard_rules import DataClass, Policies, Rules
from ..store.ledger import SqliteLedger
from ..store.settings import Settings

log = logging.getLogger("demitasse.guard")

APPROVED = "guard_approved"
"""The setting of the store that holds what people let pass: until when, in UTC microseconds, by code."""
APPROVED_US = 24 * 3_600_000_000
"""How long an approval holds."""


def policies(config: Config) -> Policies:
    """Who is guarded how."""
    profiles = {name: _rules(profile) for name, profile in config.guards.items()}
    return Policies(
        general=_rules(config.guard),
        by_route={name: profiles[route.guard] for name, route in config.routes.items() if route.guard},
        by_tenant={name: profiles[tenant.guard] for name, tenant in config.tenants.items() if tenant.guard},
        classes={name: _class(name, data) for name, data in config.classes.items()},
        class_of={name: tenant.data_class for name, tenant in config.tenants.items() if tenant.data_class},
    )


class Approvals:
    """What people let pass, by the codes that refusals named. Follows other processes within a second."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self._revision = -1
        self._until: Mapping[str, int] = {}

    def __call__(self, code: str, at_us: int) -> bool:
        """Whether a code was approved and still is."""
        if self._ledger.revision != self._revision:
            self._revision = self._ledger.revision
            try:
                self._until = self._ledger.get_setting(APPROVED) or {}
            except DemitasseError as error:
                log.warning("approvals could not be read, so none holds: %s", error)
                self._until = {}
        return self._until.get(code, 0) > at_us


def approve(settings: Settings, code: str, at_us: int) -> int:
    """Let what bears this code pass; returns until when. Approvals that are over are forgotten."""
    kept = {name: until for name, until in (settings.get_setting(APPROVED) or {}).items() if until > at_us}
    kept[code] = at_us + APPROVED_US
    settings.set_setting(APPROVED, kept)
    return kept[code]


def withdraw(settings: Settings, code: str) -> bool:
    """Take an approval back; whether there was one."""
    kept = dict(settings.get_setting(APPROVED) or {})
    had = kept.pop(code, None) is not None
    if had:
        settings.set_setting(APPROVED, kept)
    return had


def _rules(said: GuardSettings) -> Rules:
    return Rules(**{name: getattr(said, name) for name in Rules.__struct_fields__})


def _class(name: str, said: ClassSettings) -> DataClass:
    return DataClass(name, "local" if said.stays == "local" else ",".join(said.regions), frozenset(said.types))

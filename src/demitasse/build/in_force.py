"""What is in force, as the ledger has it: each configuration that a gateway took up, told by an event where it differs from the
one before, so that evidence speaks of what was and not of a file as it is now.

Rules, classes, tenants, governance, how long things are kept, and the host of a model that is a server of one's own; no secret,
no path, no other address. Knows no document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct, structs

from ..config import Config
from ..providers.vendors import elsewhere
from ..store.counts import CONFIGURATION, configuration_of, short

SETTING: Final = CONFIGURATION
"""Of the store: what is in force, and the name that its events have in the chain (``setting:configuration``)."""


def short_hash(config: Config) -> str:
    """The hash of what is told of a configuration, as entries and counts bear it."""
    return configuration_of(in_force(config))


class Kept(Protocol):
    """What keeps it: ``store.settings.Settings``."""

    def get_setting(self, name: str, default: Any = None) -> Any: ...

    def set_setting(self, name: str, value: Any, *, told: dict[str, Any] | None = None) -> None: ...


class InForce(Struct, frozen=True):
    """A configuration and when it was in force. ``until_us`` None: it is still."""

    since_us: int
    until_us: int | None
    value: dict[str, Any]


def in_force(config: Config) -> dict[str, Any]:
    """What is told of a configuration, with a hash over it."""
    keep: dict[str, Any] = msgspec.to_builtins(config.keep)
    told: dict[str, Any] = {
        "guard": msgspec.to_builtins(config.guard),
        "guards": msgspec.to_builtins(config.guards),
        "routes": {name: route.guard for name, route in config.routes.items() if route.guard},
        "classes": msgspec.to_builtins(config.classes),
        "tenants": msgspec.to_builtins(config.tenants),
        "governance": msgspec.to_builtins(config.governance),
        "hosts": {
            name: host for name, model in config.models.items() if (host := elsewhere(model.provider, model.base_url))
        },
        "disclose": config.audit.disclose,
        "keep": {name: value for name, value in keep.items() if not name.startswith("master_key")},
    }
    return {**told, "hash": hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()}


def record(store: Kept, config: Config) -> bool:
    """Tell the ledger what is in force, where it was told something else; whether it was. Raises StoreError."""
    value = in_force(config)
    if configuration_of(store.get_setting(SETTING)) == short(value["hash"]):
        return False
    store.set_setting(SETTING, value, told={"what": "configuration", "hash": value["hash"]})
    return True


FROM_LEDGER: Final = "the ledger: what gateways had in force"
FROM_FILE: Final = "the configuration file as it is now: the ledger does not say what was in force in this period"


def over(
    events: Iterable[tuple[int, Any]], since_us: int, until_us: int, counted: Mapping[str, int] | None = None
) -> list[InForce]:
    """What was in force in a period, from all that the ledger told up to its end (time and value), in order.

    Args:
        counted: by short hash, until when at least calls went by it. One ends when the next is told; but of several gateways on
            one ledger each has its own in force, whatever another told since.
    """
    told = [(at_us, value) for at_us, value in events if isinstance(value, dict) and at_us < until_us]
    ends = [*(at_us for at_us, _ in told[1:]), None]
    spans = [InForce(at_us, end, value) for (at_us, value), end in zip(told, ends, strict=False)]
    last = {configuration_of(one.value): n for n, one in enumerate(spans)}
    for hash, at_us in (counted or {}).items():
        n = last.get(hash)
        end = None if n is None else spans[n].until_us
        if n is not None and end is not None and end < at_us:
            spans[n] = structs.replace(spans[n], until_us=at_us)
    return [one for one in spans if one.until_us is None or one.until_us > since_us]

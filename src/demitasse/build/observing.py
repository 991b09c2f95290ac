"""OpenTelemetry where the configuration asks for it: whom the gateway tells of closed calls, and how that ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from .. import __version__
from ..config import Config
from ..core.errors import ConfigError
from ..providers.otel import Address, Telemetry, telemetry
from ..providers.vendors import VENDORS

MOST_KNOWN: Final = 1_000


def observer(config: Config, env: Mapping[str, str]) -> Telemetry | None:
    """None when no endpoint is set.

    Raises ConfigError when the extra is not installed, or the variable that should hold the headers is empty.
    """
    otel = config.otel
    if otel.endpoint is None:
        return None
    headers = ""
    if otel.headers_env is not None:
        headers = env.get(otel.headers_env, "")
        if not headers:
            raise ConfigError(f"otel.headers_env: {otel.headers_env} is not set in the environment")
    return telemetry(otel.endpoint, headers, version=__version__, address_of=addresses(config))


def addresses(config: Config) -> Callable[[str], Address | None]:
    """Where a model's server is: by the configuration, else its provider's own address; None for what runs here."""
    known: dict[str, Address | None] = {}

    def address_of(model: str) -> Address | None:
        if model not in known:
            if len(known) > MOST_KNOWN:
                known.clear()
            settings = config.models.get(model)
            vendor = VENDORS.get(settings.provider if settings is not None else model.partition("/")[0])
            base_url = (settings.base_url if settings is not None else None) or (vendor.base_url if vendor else None)
            known[model] = _address(base_url) if base_url else None
        return known[model]

    return address_of


def _address(base_url: str) -> Address | None:
    parts = urlsplit(base_url)
    return None if parts.hostname is None else (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

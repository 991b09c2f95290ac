"""OpenTelemetry where the configuration asks for it: whom the gateway tells of closed calls, and how that ends."""

from __future__ import annotations

from collections.abc import Mapping

from .. import __version__
from ..config import Config
from ..core.errors import ConfigError
from ..providers.otel import Telemetry, telemetry


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
    return telemetry(otel.endpoint, headers, version=__version__)

"""The alarm's way out: posts an alert to the webhook of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Config
from ..core.errors import ConfigError, DemitasseError
from ..gateway.alarm import Deliver
from ..providers.http import HttpClient, Origin, Timeouts, encode_headers

_TIMEOUTS = Timeouts(connect_s=5.0, first_byte_s=10.0, idle_s=10.0, total_s=15.0)
_HEADERS = encode_headers([(b"content-type", b"application/json"), (b"user-agent", b"demitasse")])


def webhook(config: Config, env: Mapping[str, str], http: HttpClient) -> Deliver | None:
    """None when no webhook is set. Raises ConfigError when the variable that should hold it is empty."""
    url = config.alerts.webhook
    if config.alerts.webhook_env is not None:
        url = env.get(config.alerts.webhook_env)
        if not url:
            raise ConfigError(f"alerts.webhook_env: {config.alerts.webhook_env} is not set in the environment")
    if url is None:
        return None
    base, question, query = url.partition("?")
    origin = Origin.parse(base)
    path = (question + query).encode()

    async def deliver(body: bytes) -> None:
        response = await http.post(origin, path, _HEADERS, body, _TIMEOUTS)
        await response.read(1 << 16)
        if response.status >= 300:
            raise DemitasseError(f"{origin.name} answered {response.status}")

    return deliver

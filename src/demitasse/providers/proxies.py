"""Which upstreams the environment puts behind a proxy, and the client that minds it. Knows HTTP_PROXY and its kin.

The lower-case variable wins over the upper-case one, an upstream's own scheme over ALL_PROXY. NO_PROXY lists hosts,
domains with what is below them, ``host:port``, networks (``10.0.0.0/8``) or ``*``. Loopback never goes through a proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Mapping
from urllib.parse import urlsplit

from ..core.errors import ConfigError
from .http import DEFAULT_TIMEOUTS, HeaderBlock, Headers, HttpClient, Origin, Response, Settings, Timeouts
from .http_small import SmallClient


class Proxies:
    """The proxies of an environment; false when it names none. Raises ConfigError for one that cannot be used."""

    def __init__(self, env: Mapping[str, str]) -> None:
        everyone = _proxy(env, "all_proxy")
        found = {True: _proxy(env, "https_proxy") or everyone, False: _proxy(env, "http_proxy") or everyone}
        self._by_tls = {tls: url for tls, url in found.items() if url}
        self._direct = [rule.strip().lower() for rule in _variable(env, "no_proxy").split(",") if rule.strip()]

    def __bool__(self) -> bool:
        return bool(self._by_tls)

    def of(self, origin: Origin) -> str | None:
        """The proxy's URL, or None: connect directly."""
        url = self._by_tls.get(origin.tls)
        if url is None or _is_loopback(origin.host) or any(_matches(rule, origin) for rule in self._direct):
            return None
        return url


class ProxyAware:
    """An `HttpClient`: aiohttp for upstreams behind a proxy, the small client for all others."""

    def __init__(self, settings: Settings, env: Mapping[str, str], proxies: Proxies) -> None:
        self._settings = settings
        self._env = env
        self._proxies = proxies
        self._small = SmallClient(settings)
        self._behind: HttpClient | None = None
        self._chosen: dict[Origin, HttpClient] = {}

    def post(
        self,
        origin: Origin,
        path: bytes,
        headers: Headers | HeaderBlock,
        body: bytes,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> Awaitable[Response]:
        client = self._chosen.get(origin) or self._choose(origin)
        return client.post(origin, path, headers, body, timeouts)

    def get(
        self, origin: Origin, path: bytes, headers: Headers | HeaderBlock, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> Awaitable[Response]:
        client = self._chosen.get(origin) or self._choose(origin)
        return client.get(origin, path, headers, timeouts)

    async def close(self) -> None:
        self._chosen.clear()
        await self._small.close()
        if self._behind is not None:
            await self._behind.close()

    def _choose(self, origin: Origin) -> HttpClient:
        client: HttpClient = self._small
        if self._proxies.of(origin) is not None:
            if self._behind is None:
                from .http_aiohttp import AiohttpClient  # noqa: PLC0415 - heavy, and seldom needed

                self._behind = AiohttpClient(self._settings, self._env)
            client = self._behind
        if len(self._chosen) > 256:
            self._chosen.clear()
        self._chosen[origin] = client
        return client


def _variable(env: Mapping[str, str], name: str) -> str:
    return (env.get(name) or env.get(name.upper()) or "").strip()


def _proxy(env: Mapping[str, str], name: str) -> str:
    url = _variable(env, name)
    if not url:
        return ""
    if "://" not in url:
        url = "http://" + url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{name.upper()} names a proxy of the kind '{parts.scheme}'; only http and https proxies can be used: "
            "unset it, or list the upstreams' hosts in NO_PROXY"
        )
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _matches(rule: str, origin: Origin) -> bool:
    """Whether a rule of NO_PROXY is about this upstream."""
    if rule == "*" or rule in (origin.host, origin.name, f"[{origin.host}]"):
        return True
    if "/" in rule:
        try:
            return ipaddress.ip_address(origin.host) in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    domain, _, port = rule.lstrip("*").lstrip(".").partition(":")
    if port and port != str(origin.port):
        return False
    return bool(domain) and (origin.host == domain or origin.host.endswith("." + domain))

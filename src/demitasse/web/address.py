"""How others reach an address that we listen on. Knows names of machines, no network."""

from __future__ import annotations

from urllib.parse import urlsplit

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - looked for, not bound


def reachable(url: str, machine: str) -> str:
    """The address with ``machine``, this one's name, where it says "every interface": that is no place to connect to."""
    parts = urlsplit(url)
    if parts.hostname not in EVERYWHERE:
        return url
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{machine or '<this machine>'}{port}"

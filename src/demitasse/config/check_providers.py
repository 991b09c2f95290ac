"""Rule of the house's list of providers: each that it names is there, or is a host. Knows no file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ..core.approved import AT_HOST
from .read import Problem, meant


def check_providers(listed: Collection[str], providers: Mapping[str, str]) -> Iterator[Problem]:
    """Of ``[governance] providers``: each is a provider with an address of its own, or ``host:NAME``.

    ``providers``: all there are, each with its address; empty where every installation has its own.
    """
    place = "governance.providers"
    for name in listed:
        host = name.removeprefix(AT_HOST)
        if name.startswith(AT_HOST):
            if not host or any(sign in host for sign in "/@ *") or host.count(":") == 1:
                wrong = f"'{name}' names no host; write it without scheme, port and path, e.g. host:llm.example"
                yield Problem(place, wrong)
            elif host != host.lower():
                yield Problem(place, f"'{name}': hosts are written small: {AT_HOST}{host.lower()}")
        elif name not in providers:
            known = [one for one, address in providers.items() if address]
            yield Problem(
                place,
                f"no provider '{name}'{meant(name, known) or '; known are ' + ', '.join(sorted(known))}"
                "; a server at an address of your own is listed by it, e.g. host:127.0.0.1",
            )
        elif not providers[name]:
            yield Problem(place, f"'{name}' is wherever you say, so list its host, e.g. host:llm.example")

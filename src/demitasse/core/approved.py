"""May this provider be called: the allow-list of `[governance] providers`. Pure; asked where a route is resolved, before money
is spent."""

from __future__ import annotations

from msgspec import Struct

CODE = "provider_not_approved"
"""The error code of a refusal; entries with it are what evidence counts."""

HERE = frozenset({"local", "classifier", "recorded"})
"""What computes in this process's own house: nothing leaves, so no list is asked."""


AT_HOST = "host:"
"""Begins the list's name of a server that is reached at an address which is not its provider's own."""


def named(provider: str, host: str) -> str:
    """How the list names who is called: the provider at its own address, else ``host:NAME``."""
    return f"{AT_HOST}{host}" if host else provider


class Approved(Struct, frozen=True):
    """An allow-list; empty: anybody may be called."""

    providers: tuple[str, ...] = ()

    def __call__(self, provider: str, *, local: bool = False) -> bool:
        """Whether a provider (as ``named`` puts it) may be called.

        ``local``: the model runs on this machine, whoever's server it is.
        """
        return not self.providers or local or provider in HERE or provider in self.providers

    def refusal(self, provider: str) -> str:
        """The sentence for a client."""
        listed = ", ".join(self.providers)
        return (
            f"provider '{provider}' is not approved here, so nothing was sent; approved: {listed}; "
            "whoever runs this gateway may add it to [governance] providers"
        )

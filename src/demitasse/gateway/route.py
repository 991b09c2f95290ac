"""From a name to what answers it: route > alias > provider/model > a provider's own catalogue. Knows names, not money."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct, structs

from ..core.call import Caller, Model
from ..core.errors import Refused
from ..core.price import Card


class Rung(Struct, frozen=True, eq=False):
    """One model that a route may ask, with all that is needed to ask and to price it."""

    alias: str
    """Our name of it: an alias of ``[models]`` or ``provider/model``."""
    provider: str
    upstream_model: str
    model: Model
    card: Card | None
    """None: its price is not known; under a hard limit it is refused."""
    local: bool = False
    max_output: int | None = None
    region: str | None = None
    host: str = ""
    """Where it is reached, if that is not its provider's own address."""
    here: bool = False
    """An engine of ours computes it: what it is asked leaves nowhere. A server that others run may pass things on, so of one
    on this machine the configuration has to say ``region = "local"``."""


class Route(Struct, frozen=True, eq=False):
    """A named way to an answer: the reference model, what to ask should it fail, and what a certificate may let answer instead.

    ``stamp`` changes whenever another model would answer, so that the cache never serves an answer of the old one.
    """

    name: str
    reference: Rung
    fallbacks: tuple[Rung, ...] = ()
    stamp: str = ""
    named: bool = False
    """A route of ``[routes]``; otherwise a model that was named directly."""
    lower: tuple[Rung, ...] = ()
    """Rungs of the ladder below the reference, the cheapest first. None of them is asked but by a policy in force."""
    quality: float | None = None
    """The share of the reference's score that a policy must keep to serve here; None: whatever its certificate promises."""
    sticky: bool = True
    """A session stays with the model that it came to."""

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """What may answer without a policy, in this order."""
        return (self.reference, *self.fallbacks)


_MOST_MET = 1_000

Discover = Callable[[str], Awaitable[Route | None]]


async def nothing_more(_name: str) -> Route | None:
    """A ``discover`` for those who know all their names beforehand."""
    return None


class Routes:
    """All names in force. ``discover`` is asked once for a name that is not among them (``openai/gpt-5.1``)."""

    def __init__(self, routes: Iterable[Route], discover: Discover = nothing_more) -> None:
        self._by_name = {route.name: route for route in routes}
        self._met: dict[str, Route] = {}
        """Names that were found when somebody asked for them; nobody else is told."""
        self._discover = discover
        self._strict: dict[str, Route] = {}

    def find(self, name: str) -> Route | None:
        """What a known name means; the common case, without a wait."""
        return self._by_name.get(name) or self._met.get(name)

    async def resolve(self, name: str, caller: Caller) -> Route:
        """The route for ``name``, or a 404 that names near matches among those the caller may see."""
        route = self.find(name) or await self._discover(name)
        if route is None:
            raise self._unknown(name, caller)
        if caller.models and not may_use(caller, route):
            raise self._unknown(name, caller)
        if name not in self._by_name:
            self._met[name] = route
            if len(self._met) > _MOST_MET:
                del self._met[next(iter(self._met))]
        return route

    def strict(self, route: Route) -> Route:
        """The same route with its reference alone, for a call that wants no other (``x-demitasse-route: reference``)."""
        if not (route.fallbacks or route.lower):
            return route
        found = self._strict.get(route.name)
        if found is None:
            found = structs.replace(route, fallbacks=(), lower=(), stamp=route.stamp.partition("|")[0])
            self._strict[route.name] = found
        return found

    def visible(self, caller: Caller) -> list[Route]:
        """What ``/v1/models`` lists for this caller, routes first."""
        seen = [r for r in self._by_name.values() if not caller.models or may_use(caller, r)]
        return sorted(seen, key=lambda r: (not r.named, r.name))

    def _unknown(self, name: str, caller: Caller) -> Refused:
        names = [r.name for r in self.visible(caller)]
        near = difflib.get_close_matches(name, names, 3, 0.5)
        if near:
            hint = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
        elif names:
            hint = "available: " + ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        else:
            hint = (
                "no model is set up: set a provider's key in the environment or run: demitasse models pull smollm2-135m"
            )
        return Refused(
            f"no model '{name}'; {hint}",
            status=404,
            code="model_not_found",
            param="model",
            type="invalid_request_error",
        )


def may_use(caller: Caller, route: Route) -> bool:
    """Whether a key's list of models admits the route: by its name, or each model that may answer by alias or ``provider/*``."""
    return all(may_ask(caller, route, rung) for rung in route.rungs)


def may_ask(caller: Caller, route: Route, rung: Rung) -> bool:
    """Whether a key's list of models admits one of the route's models."""
    wanted = caller.models
    return not wanted or route.name in wanted or rung.alias in wanted or f"{rung.provider}/*" in wanted

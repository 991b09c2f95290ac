"""What the guard is told to do, as plain values: Rules of a route and tenant, DataClass. Knows no file, and decides nothing.

Several profiles may speak of one call (the general one, the route's, the tenant's); the stricter word holds, so that a
profile can only add care.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, structs

from ..guard.kinds import ACTIONS, NAMED, TYPES

PERSONAL: Final[tuple[str, ...]] = tuple(ACTIONS)
"""What can be done about personal data and secrets, the milder first."""
INJECTION: Final = ("off", "detect", "drop_tools", "approve", "local", "refuse")
HIDDEN: Final = ("detect", "strip", "refuse")
ON_CAP: Final = ("pass", "local", "refuse")
MODERATED: Final = ("detect", "refuse")


class DataClass(Struct, frozen=True):
    """A class of data and where it may go. ``stays``: ``local``, or patterns of regions joined by commas."""

    name: str
    stays: str
    types: frozenset[str] = frozenset()
    """Personal data whose presence makes a call one of this class."""


class Rules(Struct, frozen=True):
    """Everything that the guard does to the calls of one route and tenant; see ``[guard]`` in the settings' reference."""

    on: bool = True
    personal: Mapping[str, str] = {}
    """Action by type; ``default`` speaks of the types that are not named."""
    secrets: str = "detect"
    names: bool = False
    hidden: str = "detect"
    injection: str = "detect"
    untrusted: str = "detect"
    false_alarms: float = 0.01
    moderation: str = ""
    moderated: str = "detect"
    checks: tuple[str, ...] = ("schema", "leaks")
    grounding_judge: str = ""
    max_chars: int | None = None
    on_cap: str = "pass"

    def action(self, type: str) -> str:
        """What is done about a type of personal data."""
        return self.personal.get(type) or self.personal.get("default", "detect")

    @property
    def acts(self) -> bool:
        """Whether anything but counting can come of it."""
        words = (*self.personal.values(), self.secrets, self.injection, self.untrusted, self.hidden, self.moderated)
        return self.on and (any(word not in ("allow", "detect", "off") for word in words) or self.max_chars is not None)

    @property
    def unnamed(self) -> Rules:
        """The same where names may stand, since nothing leaves."""
        return structs.replace(self, names=False, personal={**self.personal, **dict.fromkeys(NAMED, "allow")})

    @property
    def keeps_local(self) -> bool:
        """Whether anything that could be found would keep a call on this machine."""
        return self.secrets == "local" or "local" in self.personal.values()


def stricter(a: Rules, b: Rules) -> Rules:
    """The rules that hold where both do."""
    return Rules(
        on=a.on or b.on,
        personal={type: _most(PERSONAL, a.action(type), b.action(type)) for type in (*TYPES, "default")},
        secrets=_most(PERSONAL, a.secrets, b.secrets),
        names=a.names or b.names,
        hidden=_most(HIDDEN, a.hidden, b.hidden),
        injection=_most(INJECTION, a.injection, b.injection),
        untrusted=_most(INJECTION, a.untrusted, b.untrusted),
        # More alarms are the stricter choice.
        false_alarms=max(a.false_alarms, b.false_alarms),
        moderation=a.moderation or b.moderation,
        moderated=_most(MODERATED, a.moderated, b.moderated),
        checks=tuple(dict.fromkeys((*a.checks, *b.checks))),
        grounding_judge=a.grounding_judge or b.grounding_judge,
        max_chars=min((n for n in (a.max_chars, b.max_chars) if n is not None), default=None),
        on_cap=_most(ON_CAP, a.on_cap, b.on_cap),
    )


class Policies(Struct, frozen=True):
    """All rules there are, and who they are for."""

    general: Rules = Rules()
    by_route: Mapping[str, Rules] = {}
    by_tenant: Mapping[str, Rules] = {}
    classes: Mapping[str, DataClass] = {}
    class_of: Mapping[str, str] = {}
    """By tenant: the class that all its calls are of."""

    def all(self) -> list[Rules]:
        """Every profile by itself."""
        return [self.general, *self.by_route.values(), *self.by_tenant.values()]

    def rules(self, route: str, tenant: str) -> Rules:
        """What holds for a call of this route and tenant."""
        found = self.general
        for more in (self.by_route.get(route), self.by_tenant.get(_named(tenant, self.by_tenant))):
            if more is not None:
                found = stricter(found, more)
        return found

    def declared(self, tenant: str) -> str:
        """The class that all calls of this tenant are of; empty: none."""
        return self.class_of.get(_named(tenant, self.class_of), "")


def _named(tenant: str, among: Mapping[str, object]) -> str:
    """Without keys a client is ``local``, also one that sends a provider's key, or anything in its place (``KeyRing``): it
    has a tenant of its own, but no way out of what was set for all of them."""
    return "local" if tenant.startswith("client:") and tenant not in among else tenant


def _most(order: tuple[str, ...], a: str, b: str) -> str:
    return a if order.index(a) >= order.index(b) else b

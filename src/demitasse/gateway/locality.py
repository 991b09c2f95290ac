"""Where a call may go: which models of a route its data may be put to. Fails closed: what is not known to be allowed is not.

``stays`` is a text: empty (anywhere), ``local`` (models that compute on this machine), or patterns of regions joined by
commas (``eu-*,ch-*``). Knows rungs and their regions; nothing of what the data is.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from msgspec import structs

from ..core.approved import Approved, named
from ..core.errors import Refused
from .route import Route, Rung

LOCAL = "local"


def permits(stays: str, rung: Rung) -> bool:
    """Whether data that stays there may be put to this model. What computes here leaves no region."""
    if not stays or rung.here:
        return True
    if rung.region is None:
        return False
    if stays == LOCAL:
        return rung.region == LOCAL
    return any(fnmatchcase(rung.region, pattern) for pattern in stays.split(","))


def leaves(route: Route, stays: str) -> bool:
    """Whether a call of this route that stays there may be put to a model that is not here."""
    return any(not rung.here and rung.region != LOCAL and permits(stays, rung) for rung in (*route.rungs, *route.lower))


def some_approved(route: Route, approved: Approved) -> None:
    """Raises Refused: none of the route's models may be asked, wherever the call's data may go."""
    if not any(_may(rung, approved) for rung in (*route.rungs, *route.lower)):
        raise _not_approved(route.reference, approved)


def approved_only(route: Route, approved: Approved) -> Route:
    """The route without the models whose providers are not approved. Raises Refused: its reference is one of them.

    Asked of the route that is left when it is known where the data may go.
    """
    if not _may(route.reference, approved):
        raise _not_approved(route.reference, approved)
    if all(_may(rung, approved) for rung in (*route.fallbacks, *route.lower)):
        return route
    return structs.replace(
        route,
        fallbacks=tuple(rung for rung in route.fallbacks if _may(rung, approved)),
        lower=tuple(rung for rung in route.lower if _may(rung, approved)),
        stamp=f"{route.stamp}|approved",
    )


def _may(rung: Rung, approved: Approved) -> bool:
    return approved(named(rung.provider, rung.host), local=rung.here or rung.region == LOCAL)


def _not_approved(rung: Rung, approved: Approved) -> Refused:
    return Refused(
        approved.refusal(named(rung.provider, rung.host)),
        status=403,
        code="provider_not_approved",
        type="permission_error",
    )


def both(a: str, b: str) -> str:
    """Where data may go that must stay in ``a`` and in ``b``."""
    if not a or not b or a == b:
        return a or b
    if LOCAL in (a, b):
        return LOCAL
    shared = [p for p in a.split(",") if any(_within(p, q) for q in b.split(","))]
    shared += [q for q in b.split(",") if any(_within(q, p) for p in a.split(",")) and q not in shared]
    return ",".join(shared) or LOCAL


def _within(pattern: str, wider: str) -> bool:
    """Whether surely all that the one matches the other matches too: of ``?`` and ``[…]`` only a plain name's is known."""
    plain = not any(sign in pattern for sign in "*?[")
    stars = not any(sign in pattern + wider for sign in "?[")
    return pattern == wider or ((plain or stars) and fnmatchcase(pattern, wider))


def narrowed(route: Route, stays: str, why: str) -> Route:
    """The route with the models alone that may be asked: its reference if that is one of them, else its fallbacks, else the
    best of its ladder. Without a policy: a certificate speaks of the whole route.

    Raises Refused: none may.
    """
    allowed = [rung for rung in (*route.rungs, *reversed(route.lower)) if permits(stays, rung)]
    if not allowed:
        raise Refused(
            f"this call may not leave: {why}, so it stays "
            + ("on this machine" if stays == LOCAL else f"in {stays}")
            + f"; '{route.name}' has no model there. Ask a route that has one, or see [classes] in the settings",
            status=403,
            code="data_may_not_leave",
            type="permission_error",
        )
    reference, *others = dict.fromkeys(allowed)
    return structs.replace(
        route, reference=reference, fallbacks=tuple(others), lower=(), stamp=f"{route.stamp}|stays {stays}"
    )

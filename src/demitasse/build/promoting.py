"""What stands between a certificate and serving: the checks that every way of promoting one makes, and putting it in force."""

from __future__ import annotations

from ..config import Config
from ..core.errors import ConfigError
from ..core.ledger import Books
from ..core.policy import FOLLOWING, Certificate, CertificateState
from ..store.evidence import SqliteEvidence
from ..store.settings import Settings
from ..store.signing import verify

_LOOKED_AT = 500
"""The route's last calls, which say what its models are called now."""

Kept = tuple[Certificate, CertificateState, int, str]


def chosen(evidence: SqliteEvidence, name: str | None) -> Kept:
    """The certificate that ``name`` means: an id, a route's newest that may still serve, or (None) the only such one.

    Raises ConfigError: there is none, or more than one.
    """
    rows = evidence.certificates()
    for row in rows:
        if row[0].id == name:
            return row
    ready = [row for row in rows if "promoted" in FOLLOWING[row[1]] and row[1] in ("certified", "suspended")]
    of_route = [row for row in ready if name in (None, row[0].policy.route)]
    routes = list(dict.fromkeys(row[0].policy.route for row in of_route))
    if not of_route:
        known = [row for row in rows if row[0].policy.route == name]
        if known and known[0][1] == "promoted":
            return known[0]
        what = (
            "there is no certificate" if name is None else f"there is no certificate '{name}', nor one of such a route"
        )
        raise ConfigError(f"{what} that waits to be promoted; prove one with: demitasse certify {name or 'ROUTE'}")
    if len(routes) > 1:
        raise ConfigError(
            f"certificates of several routes wait ({', '.join(routes)}); name one: demitasse promote {routes[0]}"
        )
    return of_route[0]


def objection(kept: Kept, config: Config, books: Books, now_us: int, *, own: bytes | None = None) -> str | None:
    """Why a certificate may not serve now, as a sentence with its remedy; None: it may.

    Args:
        own: the public key of this data folder.
    """
    certificate, state, _, why = kept
    policy = certificate.policy
    again = f"prove a new one with: demitasse certify {policy.route}"
    if state != "promoted" and "promoted" not in FOLLOWING[state]:
        return f"certificate {certificate.id} is {state}{f' ({why})' if why else ''} and serves no more; {again}"
    if certificate.expires_us <= now_us:
        return f"certificate {certificate.id} has expired; {again}"
    checked = verify(certificate, own)
    if not checked.valid:
        return f"certificate {certificate.id} is not to be trusted: {checked.why}; {again}"
    if own is not None and not checked.own:
        return f"certificate {certificate.id} was signed elsewhere (key {checked.key}); {again}"
    return _route_objection(certificate, config) or _version_objection(certificate, books, again)


def promote(settings: Settings, kept: Kept, why: str) -> None:
    """Put it in force; the one before it is superseded. Every gateway on this folder follows within a second."""
    settings.put_certificate(kept[0], "promoted", why)


def _route_objection(certificate: Certificate, config: Config) -> str | None:
    policy = certificate.policy
    settings = config.routes.get(policy.route)
    if settings is None:
        return f"there is no route '{policy.route}' any more; write it in demitasse.toml: [routes.{policy.route}]"
    reference = settings.reference or settings.ladder[-1]
    if policy.reference != reference:
        return (
            f"certificate {certificate.id} was proven against '{policy.reference}', and routes.{policy.route}.reference is "
            f"'{reference}'; prove a new one with: demitasse certify {policy.route}"
        )
    for alias in (policy.cheap, policy.second):
        if alias is not None and (alias not in settings.ladder or alias == reference):
            return (
                f"routes.{policy.route}.ladder: '{alias}' is not in it, and certificate {certificate.id} speaks of it; put it "
                f"back, or prove a new one with: demitasse certify {policy.route}"
            )
    if settings.quality is not None and certificate.quality < settings.quality:
        return (
            f"certificate {certificate.id} promises {certificate.quality:g} of the reference's quality, and "
            f"routes.{policy.route}.quality demands {settings.quality:g}; lower it, or prove more with: demitasse certify "
            f"{policy.route}"
        )
    return None


def _version_objection(certificate: Certificate, books: Books, again: str) -> str | None:
    """A model's name upstream, as the route's last calls had it, that is not among the names it was proven on."""
    proven: dict[str, set[str]] = {}
    for alias, version in certificate.models:
        proven.setdefault(alias, set()).add(version)
    met: set[str] = set()
    for _, entry in books.entries(last=_LOOKED_AT, route=certificate.policy.route):
        for attempt in reversed(entry.attempts):
            if attempt.status != "ok" or attempt.model in met:
                continue
            met.add(attempt.model)
            if attempt.model in proven and attempt.upstream_model not in proven[attempt.model]:
                was = " or ".join(f"'{version}'" for version in sorted(proven[attempt.model]))
                return (
                    f"'{attempt.model}' answers as '{attempt.upstream_model}' now, and certificate {certificate.id} was "
                    f"proven on {was}; {again}"
                )
    return None

"""From the labels of one data folder to a certificate: reads evidence and books, keeps what was counted, signs.

Writes two things: the standing evidence (the store's setting ``certify:ROUTE``) and, where something is proven, a
certificate in the state ``certified``, which serves nothing before a person promotes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from .. import __version__
from ..config import Config
from ..core.errors import ConfigError
from ..core.evidence import OWN_KEY
from ..store.books import SqliteBooks
from ..store.evidence import SqliteEvidence
from ..store.settings import Settings
from ..store.signing import Signer

if TYPE_CHECKING:
    from ..lab.cases import Gathered, Placed
    from ..lab.issue import Finding, Labelling
    from ..lab.standing import Era

QUALITY = 0.95
DAY_US = 86_400_000_000
_RATE_DAYS = 7
HOUR_US = 3_600_000_000


class Ladder(Struct, frozen=True):
    """Our names of a route's models, as far as a certificate may speak of them."""

    route: str
    cheap: str
    reference: str
    second: str | None = None


class Wish(Struct, frozen=True):
    """What is to be promised. None: as it was, or as the configuration has it."""

    quality: float | None = None
    delta: float | None = None
    days: float | None = None
    since_us: int | None = None
    seed: int | None = None


class Look(Struct, frozen=True):
    """One look at the evidence, and what it came to."""

    ladder: Ladder
    quality: float
    delta: float
    era: Era
    gathered: Gathered
    finding: Finding
    labelling: Labelling
    expired: bool = False
    """What would have been promised rests on calls that are too old."""


def ladder_of(config: Config, route: str) -> Ladder:
    """The models of a route. Raises ConfigError: no such route, or nothing below its reference."""
    settings = config.routes.get(route)
    if settings is None:
        known = ", ".join(sorted(config.routes)) or "none; write one in demitasse.toml: [routes.NAME]"
        raise ConfigError(f"there is no route '{route}'; there are: {known}")
    reference = settings.reference or settings.ladder[-1]
    lower = [alias for alias in settings.ladder if alias != reference]
    if not lower:
        raise ConfigError(
            f"routes.{route}.ladder: nothing stands below the reference '{reference}'; name a cheaper model before it, "
            'such as: ladder = ["small", "large"]'
        )
    return Ladder(route, lower[0], reference, lower[1] if len(lower) > 1 else None)


def certify(
    config: Config,
    settings: Settings,
    evidence: SqliteEvidence,
    books: SqliteBooks,
    route: str,
    wish: Wish = Wish(),  # noqa: B008 - frozen
) -> Look:
    """Count the labels that have come, and promise what they prove; see ``lab.standing`` and ``lab.issue``.

    Raises ConfigError: the route cannot be certified, or a lower quality is wished for than its configuration demands.
    """
    from ..lab import issue, standing  # noqa: PLC0415 - numpy
    from ..lab.cases import gather  # noqa: PLC0415
    from ..lab.learning import learn  # noqa: PLC0415

    ladder = ladder_of(config, route)
    quality, delta, days = _promise(config, route, wish)
    now_us = settings.clock()
    labels = evidence.newer(0, route=route)
    gathered = gather(labels, ladder.cheap, ladder.reference, ladder.second)
    era = standing.begin(
        _kept(settings, route),
        gathered.cases,
        models=(ladder.cheap, ladder.reference, ladder.second),
        features=gathered.features,
        seed=wish.seed,
        since_us=wish.since_us,
        ended=_ended(evidence, route),
        now_us=now_us,
    )
    standings = standing.go_on(era, gathered.cases, quality, delta, learn)
    settings.set_setting(_name(route), msgspec.json.decode(era.encode()))
    labelling = _labelling(books, labels, route, now_us)
    found = issue.find(
        era,
        standings,
        gathered.cases,
        route=route,
        quality=quality,
        delta=delta,
        now_us=now_us,
        days=days,
        code=f"demitasse {__version__}, {gathered.features}",
        labelling=labelling,
    )
    certificate = found.certificate
    expired = certificate is not None and certificate.expires_us <= now_us
    if certificate is not None and not expired:
        certificate = Signer(settings.data).sign(certificate)
        settings.put_certificate(certificate, "certified")
    found = issue.with_certificate(found, None if expired else certificate)
    return Look(ladder, quality, delta, era, gathered, found, labelling, expired)


def _promise(config: Config, route: str, wish: Wish) -> tuple[float, float, float]:
    wanted = config.routes[route].quality
    quality = wish.quality or wanted or QUALITY
    if wanted is not None and quality < wanted:
        raise ConfigError(
            f"routes.{route}.quality is {wanted:g}, and a certificate for {quality:g} would serve nothing there; lower it in "
            f"{config.path or 'demitasse.toml'} first, or leave --quality out"
        )
    return quality, wish.delta or config.certificates.delta, wish.days or config.certificates.days


def _kept(settings: Settings, route: str) -> Era | None:
    from ..lab.standing import Era  # noqa: PLC0415

    kept = settings.get_setting(_name(route))
    return None if kept is None else Era.decode(msgspec.json.encode(kept))


def _name(route: str) -> str:
    return f"certify:{route}"


def _ended(evidence: SqliteEvidence, route: str) -> tuple[int, str] | None:
    """When and why what a certificate of this route was proven on last came to an end."""
    ends = [
        (at_us, why)
        for certificate, *_ in evidence.certificates(route=route)
        for state, at_us, why in evidence.history(certificate.id)
        if state in ("revoked", "suspended")
    ]
    return max(ends, default=None)


def _labelling(books: SqliteBooks, labels: list[Placed], route: str, now_us: int) -> Labelling:
    """What a label costs and how fast they come, by the last days."""
    from ..lab.issue import Labelling  # noqa: PLC0415

    times = [label.at_us for _, label in labels if label.source == "shadow"]
    if not times:
        return Labelling()
    since_us = max(min(times), now_us - _RATE_DAYS * DAY_US) // HOUR_US * HOUR_US
    count = sum(at_us >= since_us for at_us in times)
    if not count:
        return Labelling()
    buckets = books.buckets(since_us, now_us + HOUR_US, ("key", "route"))
    nanos = sum(b.cost_nanos for b in buckets if b.key == OWN_KEY and b.route == route)
    days = max(now_us - since_us, HOUR_US) / DAY_US
    return Labelling(nanos / 1e9 / count if nanos else None, count / days)

"""From the labels of one data folder to a certificate: reads evidence and books, keeps what was counted, signs.

Writes two things: the standing evidence (the store's setting ``certify:ROUTE``) and, where something is proven, a
certificate in the state ``certified``, which serves nothing before a person promotes it.

    python -m demitasse.build.certifying DATA TERMS

does so in a process of its own, so that a gateway need not import what it takes; ``ask`` runs that.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from .. import __version__
from ..config import Config
from ..core.errors import ConfigError, DemitasseError
from ..core.evidence import OWN_KEY
from ..core.policy import Certificate
from ..store.books import SqliteBooks
from ..store.evidence import SqliteEvidence
from ..store.settings import Settings
from ..store.signing import Signer

if TYPE_CHECKING:
    from ..lab.cases import Cases, Gathered, Placed
    from ..lab.issue import Finding, Labelling
    from ..lab.standing import Era

QUALITY = 0.95
LOCK = "certify.lock"
DAY_US = 86_400_000_000
_RATE_DAYS = 7
HOUR_US = 3_600_000_000


class Ladder(Struct, frozen=True):
    """Our names of a route's models, as far as a certificate may speak of them."""

    route: str
    cheap: str
    reference: str
    second: str | None = None


class Terms(Struct, frozen=True):
    """What is to be promised, of what. ``since_us``, ``seed``: as a person wishes them; None: as they are."""

    ladder: Ladder
    quality: float
    delta: float
    days: float
    since_us: int | None = None
    seed: int | None = None


class Proven(Struct, frozen=True):
    """What a look in another process came to; ``certificate``: its id, or None."""

    certificate: str | None
    saving: float = 0.0
    quality: float = 0.0


class Look(Struct, frozen=True):
    """One look at the evidence, and what it came to."""

    terms: Terms
    era: Era
    gathered: Gathered
    finding: Finding
    labelling: Labelling
    expired: bool = False
    """What would have been promised rests on calls that are too old."""


def terms(
    config: Config,
    route: str,
    *,
    quality: float | None = None,
    delta: float | None = None,
    days: float | None = None,
    since_us: int | None = None,
    seed: int | None = None,
) -> Terms:
    """What is wished for, and for the rest what the configuration has.

    Raises ConfigError: no such route, nothing below its reference, or less quality than the route demands.
    """
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
    if settings.quality is not None and quality is not None and quality < settings.quality:
        raise ConfigError(
            f"routes.{route}.quality is {settings.quality:g}, and a certificate for {quality:g} would serve nothing there; "
            f"lower it in {config.path or 'demitasse.toml'} first, or leave --quality out"
        )
    return Terms(
        Ladder(route, lower[0], reference, lower[1] if len(lower) > 1 else None),
        quality or settings.quality or QUALITY,
        delta or config.certificates.delta,
        days or config.certificates.days,
        since_us,
        seed,
    )


def certify(terms: Terms, settings: Settings, evidence: SqliteEvidence, books: SqliteBooks) -> Look:
    """Count the labels that have come, and promise what they prove; see ``lab.standing`` and ``lab.issue``.

    One at a time in a data folder: two that look at once would count the same labels twice.
    """
    with (settings.data / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _certify(terms, settings, evidence, books)


def _certify(terms: Terms, settings: Settings, evidence: SqliteEvidence, books: SqliteBooks) -> Look:
    from ..lab import issue, standing  # noqa: PLC0415 - numpy
    from ..lab.cases import gather  # noqa: PLC0415
    from ..lab.learning import learn  # noqa: PLC0415

    ladder, route, now_us = terms.ladder, terms.ladder.route, settings.clock()
    labels = evidence.newer(0, route=route)
    gathered = gather(labels, ladder.cheap, ladder.reference, ladder.second)
    _need_prices(gathered.cases, ladder)
    era = standing.begin(
        _kept(settings, route),
        gathered.cases,
        models=(ladder.cheap, ladder.reference, ladder.second),
        features=gathered.features,
        seed=terms.seed,
        since_us=terms.since_us,
        ended=_ended(evidence, route),
        now_us=now_us,
    )
    standings = standing.go_on(era, gathered.cases, terms.quality, terms.delta, learn)
    labelling = _labelling(books, labels, route, now_us)
    found = issue.find(
        era,
        standings,
        gathered.cases,
        route=route,
        quality=terms.quality,
        delta=terms.delta,
        now_us=now_us,
        days=terms.days,
        code=f"demitasse {__version__}, {gathered.features}",
        labelling=labelling,
    )
    settings.set_setting(_name(route), msgspec.json.decode(era.encode()))  # before anything is promised
    certificate = found.certificate
    expired = certificate is not None and certificate.expires_us <= now_us
    if certificate is not None and not expired:
        known = _same(certificate, evidence)
        if known is None:
            known = Signer(settings.data).sign(certificate)
            settings.put_certificate(known, "certified")
        certificate = known
    found = issue.with_certificate(found, None if expired else certificate)
    return Look(terms, era, gathered, found, labelling, expired)


def _kept(settings: Settings, route: str) -> Era | None:
    from ..lab.standing import Era  # noqa: PLC0415

    kept = settings.get_setting(_name(route))
    return None if kept is None else Era.decode(msgspec.json.encode(kept))


def _name(route: str) -> str:
    return f"certify:{route}"


async def ask(data: Path, terms: Terms, *, timeout_s: float = 300.0) -> Proven:
    """``certify`` in a process of its own, which gives way to all others. Raises DemitasseError when that fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(data), msgspec.json.encode(terms).decode(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        raise DemitasseError(f"labels of route '{terms.ladder.route}' were not read within {timeout_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        why = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise DemitasseError(f"labels of route '{terms.ladder.route}' could not be looked at: {why}")
    return msgspec.json.decode(out, type=Proven)


def _main(data: str, terms: str) -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.nice(10)
    with (
        contextlib.closing(SqliteEvidence(Path(data))) as evidence,
        contextlib.closing(SqliteBooks(Path(data))) as books,
        contextlib.closing(Settings(Path(data))) as settings,
    ):
        found = certify(msgspec.json.decode(terms, type=Terms), settings, evidence, books).finding.certificate
    proven = Proven(None) if found is None else Proven(found.id, found.saving, found.quality)
    sys.stdout.buffer.write(msgspec.json.encode(proven))


def _need_prices(cases: Cases, ladder: Ladder) -> None:
    """What is saved can only be told of models that have a price."""
    for alias, costs in ((ladder.cheap, cases.cheap_cost), (ladder.reference, cases.reference_cost)):
        if len(costs) and costs[0] != costs[0]:  # nan: not one answer has a price
            raise ConfigError(
                f"'{alias}' has no price, so that nothing is known to be saved; set one: models.{alias}.price"
            )


def _same(certificate: Certificate, evidence: SqliteEvidence) -> Certificate | None:
    """One that says the same already, of the same calls, and may serve."""
    for known, state, *_ in evidence.certificates(route=certificate.policy.route):
        alike = known.policy.id == certificate.policy.id and known.n_certify == certificate.n_certify
        wish = (known.quality, known.delta, known.expires_us)
        if (
            state in ("certified", "promoted")
            and alike
            and wish
            == (
                certificate.quality,
                certificate.delta,
                certificate.expires_us,
            )
        ):
            return known
    return None


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


if __name__ == "__main__":
    _main(*sys.argv[1:])

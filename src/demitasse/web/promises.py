"""What certificates promise, as the report needs it: which route, how much quality, since when. Pure; knows no page.

A saving that changes answers is bounded (B) where a promise was in force for all of it, and modelled (C) otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from ..core.policy import Certificate, CertificateState

Row = tuple[Certificate, CertificateState, int, str]
"""As ``EvidenceBooks.certificates`` tells it: certificate, state, since when, and why."""


class Promise(Struct, frozen=True):
    """A certificate that is or was in force. Shares of what the reference alone scores, and of what it alone costs."""

    certificate: str
    route: str
    state: CertificateState
    quality: float
    """What was promised: at least this."""
    floor: float
    delta: float
    saving: float
    saving_low: float
    saving_high: float
    n: int
    since_us: int
    """When the state began."""
    expires_us: int
    why: str = ""

    @property
    def in_force(self) -> bool:
        return self.state == "promoted"


def promises(rows: Iterable[Row], now_us: int) -> tuple[Promise, ...]:
    """Those that serve or once served, in force first, then the newest."""
    found = []
    for certificate, state, since_us, why in rows:
        if state == "certified":  # proven, and serves nothing yet
            continue
        over = state == "promoted" and certificate.expires_us <= now_us
        found.append(
            Promise(
                certificate=certificate.id,
                route=certificate.policy.route,
                state="expired" if over else state,
                quality=certificate.quality,
                floor=certificate.floor,
                delta=certificate.delta,
                saving=certificate.saving,
                saving_low=certificate.saving_low,
                saving_high=certificate.saving_high,
                n=certificate.n_certify,
                since_us=since_us,
                expires_us=certificate.expires_us,
                why=why,
            )
        )
    return tuple(sorted(found, key=lambda p: (not p.in_force, -p.since_us)))


def of_route(promises: Sequence[Promise], route: str) -> Promise | None:
    """The one that a route's savings stand on: in force, else the last that was."""
    return next((promise for promise in promises if promise.route == route), None)


def share_text(share: float) -> str:
    """``95.0 %``."""
    return f"{100 * share:.1f} %"


def promise_json(promise: Promise) -> dict[str, Any]:
    """One of ``quality.bounds`` in ``report --json``."""
    return {
        "certificate": promise.certificate,
        "route": promise.route,
        "state": promise.state,
        "quality": promise.quality,
        "floor": round(promise.floor, 6),
        "delta": promise.delta,
        "calls": promise.n,
        "saving": round(promise.saving, 6),
        "saving_interval": [round(promise.saving_low, 6), round(promise.saving_high, 6)],
    }

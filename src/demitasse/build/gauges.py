"""Values of this moment for ``/metrics``: money held, budgets, the cache, certificates, what waits for a person. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..gateway.metrics import budget_gauges, labelled_gauge

if TYPE_CHECKING:
    from .app import App

MOST_ALERTS = 500


def gauges(app: App, *, waiting: int, against: Mapping[str, float]) -> dict[str, float]:
    """By name; see ``docs/reference/metrics.md``.

    Args:
        waiting: drawn calls that wait for their shadow.
        against: by route under a certificate, how far its calls speak against the promise.
    """
    cache = app.gateway.steps.cache.stats()
    found = {
        "demitasse_held_usd": app.books.held_nanos() / 1e9,
        "demitasse_cache_entries": float(cache["entries"]),
        "demitasse_cache_bytes": float(cache["bytes"]),
        "demitasse_shadow_waiting": float(waiting),
    }
    found |= budget_gauges(app.books.spent(app.clock()))
    alerts = Counter(alert.kind for alert in app.books.alerts(open_only=True, last=MOST_ALERTS))
    for kind, count in sorted(alerts.items()):
        found |= labelled_gauge("demitasse_alerts_open", count, kind=kind)
    for route, evidence in sorted(against.items()):
        found |= labelled_gauge("demitasse_certificate_in_force", 1.0, route=route)
        found |= labelled_gauge("demitasse_certificate_evidence_against", evidence, route=route)
    return found

"""Models as a CycloneDX 1.6 bill of materials (ECMA-424): one component of type ``machine-learning-model`` each. Pure.

Only members that the specification has, with what is known; what is unknown is left out. Field names from
cyclonedx.org/docs/1.6/json, read 21 Nov 2026.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

from .cards import Evaluated, Figure, ModelCard

SPEC: Final = "1.6"
_NAMES: Final = uuid.UUID("6f1c2f0e-6d1d-5c0e-9d5d-0d6e1b0d5e21")
"""So that the same bill has the same serial number."""
SPDX: Final = frozenset({
    "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0",
    "CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-SA-4.0", "GPL-2.0-only", "GPL-3.0-only", "LGPL-3.0-only", "AGPL-3.0-only",
    "ODbL-1.0", "PDDL-1.0", "CDLA-Permissive-2.0",
})  # fmt: skip
"""Identifiers of spdx.org/licenses that weights and data bear; any other licence goes by its name."""
_BY_FOLD: Final = {id.casefold(): id for id in SPDX}


def bom(cards: Sequence[ModelCard], *, at: str, version: str) -> dict[str, Any]:
    """The bill as a JSON object.

    Args:
        at: ISO 8601 moment, UTC.
        version: of Demitasse, the tool that wrote it.
    """
    components = [component(card) for card in cards]
    content = repr([(one["bom-ref"], one.get("hashes"), one.get("version")) for one in components])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMES, at + content)}",
        "version": 1,
        "metadata": {
            "timestamp": at,
            "tools": {"components": [{"type": "application", "name": "demitasse", "version": version}]},
        },
        "components": components,
    }


def component(card: ModelCard) -> dict[str, Any]:
    """One model."""
    one: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{card.name}",
        "name": card.name,
    }
    if card.identity.upstream:
        one["version"] = card.identity.upstream[0]
    if card.provider:
        one["supplier"] = {"name": card.provider}
    if card.identity.sha256:
        one["hashes"] = [{"alg": "SHA-256", "content": card.identity.sha256}]
    one["licenses"] = [_licence(card)]
    if card.licence.source:
        one["externalReferences"] = [{"type": "license", "url": card.licence.source}]
    if card.identity.made_from:
        one["pedigree"] = {
            "ancestors": [{"type": "machine-learning-model", "name": card.identity.made_from}],
            **({"notes": card.identity.method} if card.identity.method else {}),
        }
    one["modelCard"] = _card(card)
    one["properties"] = [
        {"name": f"demitasse:{name}", "value": value}
        for name, value in (
            ("kind", card.kind),
            ("region", card.region),
            ("licence:answer", card.licence.answer),
            ("licence:allowed", "true" if card.licence.allowed else "false"),
            ("calls", str(card.calls)),
            ("window", f"{card.since}/{card.until}"),
        )
    ]
    return one


def _licence(card: ModelCard) -> dict[str, Any]:
    spdx = _BY_FOLD.get(card.licence.licence.casefold())
    named: dict[str, Any] = {"id": spdx} if spdx else {"name": card.licence.licence}
    if card.licence.source:
        named["url"] = card.licence.source
    return {"license": named}


def _card(card: ModelCard) -> dict[str, Any]:
    told: dict[str, Any] = {"modelParameters": _parameters(card)}
    metrics = [_metric(one) for one in card.evaluations if one.score is not None]
    metrics += [_figure(one, "safety") for one in card.safety if one.value is not None]
    metrics += [_figure(one, "cpu") for one in card.cpu if one.value is not None]
    metrics += [_figure(one, "bias") for one in card.bias if one.value is not None]
    if metrics:
        told["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    considerations: dict[str, Any] = {}
    if card.used_by:
        considerations["users"] = [f"route {use.route}" for use in card.used_by if use.route]
    if card.use:
        considerations["useCases"] = [card.use]
    limits = [*card.limits, *(f"unknown: {line}" for line in card.unknown)]
    if limits:
        considerations["technicalLimitations"] = limits
    open_issues = [issue for issue in card.issues if issue.open]
    if open_issues:
        considerations["ethicalConsiderations"] = [{"name": f"{one.at[:10]} {one.what}"} for one in open_issues]
    if card.energy:
        considerations["environmentalConsiderations"] = {
            "properties": [
                {
                    "name": f"demitasse:energy:{one.method}",
                    "value": f"{one.wh[0]:.6g} to {one.wh[1]:.6g} Wh a call, {one.co2_g[0]:.6g} to {one.co2_g[1]:.6g} g CO2e",
                }
                for one in card.energy
            ]
        }
    if considerations:
        told["considerations"] = considerations
    return told


def _parameters(card: ModelCard) -> dict[str, Any]:
    labels = card.kind in ("classifier", "detector")
    told: dict[str, Any] = {"task": "text-classification" if labels else "text-generation"}
    told["inputs"] = [{"format": "text/plain"}]
    told["outputs"] = [{"format": "label" if labels else "text/plain"}]
    if card.data:
        told["datasets"] = [{"type": "dataset", "name": card.data[:200]}]
    return told


def _metric(one: Evaluated) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": one.scorer or "score",
        "value": _number(one.score),
        "slice": f"{one.task}, {one.n} samples, {one.at[:10]}"
        + (f", data sha256:{one.data_sha256}" if one.data_sha256 else ""),
    }
    if one.interval is not None:
        told["confidenceInterval"] = _interval(one.interval)
    return told


def _figure(one: Figure, kind: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": kind,
        "value": _number(one.value),
        "slice": f"{one.name}, n = {one.n}, {one.at[:10]}",
    }
    if one.interval is not None:
        told["confidenceInterval"] = _interval(one.interval)
    return told


def _interval(interval: tuple[float, float]) -> dict[str, str]:
    return {"lowerBound": _number(interval[0]), "upperBound": _number(interval[1])}


def _number(value: float | None) -> str:
    return re.sub(r"\.?0+$", "", f"{value:.6f}") or "0" if value is not None else ""

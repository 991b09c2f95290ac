"""Documents on what is in use, on which promises: certificates, runs, inventory, licences, providers, what was stopped."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from ..core.approved import CODE, HERE, Approved, named
from ..core.evidence import OWN_KEYS
from ..core.ledger import Bucket
from ..lab.governance.cards import file_name
from ..providers.vendors import VENDORS, elsewhere
from ..store.counts import DAY_US
from ..store.signing import verify as check_certificate
from ..web.report import iso
from .governing_sources import Window, own_key
from .governing_view import DRILLS, View, evaluated


def certificates(view: View) -> dict[str, Any]:
    own = own_key(view.sources.data)
    items = []
    for certificate, state, at_us, why in view.certificates:
        history = view.sources.evidence.history(certificate.id)
        in_force = _in_force(history, view.window)
        if not in_force and not view.window.since_us <= certificate.issued_us < view.window.until_us:
            continue
        checked = check_certificate(certificate, own)
        items.append({
            "id": certificate.id, "route": certificate.policy.route, "cheap": certificate.policy.cheap,
            "reference": certificate.policy.reference, "quality": certificate.quality, "delta": certificate.delta,
            "estimate": certificate.estimate, "floor": certificate.floor, "calls": certificate.n_certify,
            "saving": [certificate.saving_low, certificate.saving, certificate.saving_high], "method": certificate.method,
            "proven_on": [iso(certificate.since_us), iso(certificate.until_us)], "issued": iso(certificate.issued_us),
            "expires": iso(certificate.expires_us), "state": state, "since": iso(at_us), "why": why,
            "was_in_force": in_force, "signature_valid": checked.valid, "signed_by_this_folder": checked.own,
            "models": [list(pair) for pair in certificate.models], "slices": msgspec.to_builtins(certificate.slices),
            "history": [{"state": state, "at": iso(at_us), "why": why} for state, at_us, why in history],
        })  # fmt: skip
    return {"about": "Promises of quality: what was proven, on how many calls, and what became of it.", "items": items}


def _in_force(history: list[tuple[Any, int, str]], window: Window) -> bool:
    began: int | None = None
    for state, at_us, _ in history:
        if state == "promoted":
            began = at_us
        elif began is not None:
            if began < window.until_us and at_us > window.since_us:
                return True
            began = None
    return began is not None and began < window.until_us


def evaluations(view: View) -> dict[str, Any]:
    found = [
        {"model": run.model, "identity": run.identity, **msgspec.to_builtins(evaluated(run)), "seed": run.seed}
        for run in view.runs
    ]
    origins = {
        run.task_hash: {"name": run.task, "source": run.source, "licence": run.licence, "sha256": run.task_hash}
        for run in view.runs
    }
    for manifest in view.shelf.manifests.values():
        if manifest.data is not None:
            data = manifest.data
            origins[data.hash or manifest.name] = {
                "name": data.task, "source": data.source, "licence": data.licence, "sha256": data.hash
            }  # fmt: skip
    return {
        "about": "Runs of the laboratory: the newest finished one of each task, model and mode, whenever it was made.",
        "runs": found,
        "origins": list(origins.values()),
    }


def licence_register(view: View) -> dict[str, Any]:
    under = _asked_by_profile(view)
    return {
        "about": "Every model in use with its licence or its provider's terms, and whether this house allows it: weights by its "
        "profile, models that somebody else runs by its list of approved providers.",
        "profile": view.shelf.profile,
        "approved": list(view.shelf.approved.providers),
        **view.in_force(
            lambda value: {"profile": value["governance"]["profile"], "approved": value["governance"]["providers"]}
        ),
        "rows": [
            {
                **msgspec.to_builtins(row),
                "accepted": msgspec.to_builtins(row.accepted),
                "calls": view.models.get(row.name, 0),
                "asked_by_profile": under.get(row.name, {}),
            }
            for row in (view.shelf.licensed(view.origin(name)) for name in view.names())
        ],
    }


def _asked_by_profile(view: View) -> dict[str, dict[str, int]]:
    """Of each model, requests to it by the profile that was in force when they were made."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for told, n in view.total("asked").items():
        model, _, rest = told.partition("\t")
        value = view.by_hash.get(rest.rpartition("\t")[2])
        found[model][value["governance"]["profile"] if value else "not told"] += n
    return {model: dict(counts.most_common()) for model, counts in found.items()}


def bias_runs(view: View) -> dict[str, Any]:
    return {
        "about": "BBQ (Parrish et al. 2022): accuracy where the text tells and where it cannot be known, and the lean towards "
        "the stereotype, -1 to 1, 0 being none. Intervals are 95 %.",
        "runs": [
            {
                "model": run.model, "task": run.task, "at": iso(run.began_us), "data_sha256": run.task_hash, "source": run.source,
                "licence": run.licence, "scores": msgspec.to_builtins(figures),
            }
            for run, figures in view.biases
        ],
    }  # fmt: skip


def inventory(view: View) -> dict[str, Any]:
    by_key: dict[str, list[Bucket]] = defaultdict(list)
    for row in view.traffic:
        by_key[row.key or ""].append(row)
    kept = view.sources.keys()
    keys = [
        {
            "name": key.name, "team": key.team, "scopes": list(key.scopes), "models": list(key.models),
            "rpm": key.rpm, "tpm": key.tpm,
            "created": iso(key.created_us), "expires": key.expires_us and iso(key.expires_us),
            "revoked": key.revoked_us and iso(key.revoked_us), "paused": key.paused,
            "calls": sum(row.requests for row in by_key.get(key.name, ())),
        }
        for key in kept
    ]  # fmt: skip
    others = by_key.keys() - {key.name for key in kept}
    keys += [
        {"name": name, "calls": sum(row.requests for row in by_key[name]), "own": name in OWN_KEYS}
        for name in sorted(others)
    ]
    apps = [{"kind": "team", "name": name, "calls": n} for name, n in view.total("team").items()]
    apps += [{"kind": "tag", "name": name, "calls": n} for name, n in view.total("tag").items()]
    return {
        "about": "What is in use: models that answered, keys (never their secrets), applications by team and tag.",
        "models": [
            {
                "name": name, "calls": calls, "provider": view.origin(name).provider, "region": view.origin(name).region,
                "card": f"cards/{file_name(name)}.html",
            }
            for name, calls in view.models.items()
        ],
        "keys": keys,
        "applications": apps,
    }  # fmt: skip


def deactivations(view: View) -> dict[str, Any]:
    found = []
    for event in view.happened:
        facts = event.facts
        if event.kind == "certificate" and facts["state"] in ("revoked", "suspended", "undone", "expired", "promoted"):
            found.append({
                "at": iso(event.at_us), "what": "certificate", "name": event.id, "did": facts["state"],
                "why": facts["why"], "route": facts["route"], "by": facts.get("by"),
            })  # fmt: skip
        elif facts.get("what") == "key" and facts["did"] in ("revoked", "paused", "resumed"):
            found.append(
                {
                    "at": iso(event.at_us),
                    "what": "key",
                    "name": facts["name"],
                    "did": facts["did"],
                    "why": facts.get("why"),
                    "by": facts.get("by"),
                }
            )
        elif facts.get("what") == "setting" and facts["name"] == "switches":
            off = sorted(name for name, on in (facts.get("value") or {}).items() if not on)
            found.append({
                "at": iso(event.at_us), "what": "switches", "name": ", ".join(off) or "none is off",
                "did": "stopped" if off else "started", "why": None, "by": facts.get("by"),
            })  # fmt: skip
    return {
        "about": "What was taken out of use, and put back: keys, certificates, switches; each is an event of the chain.",
        "events": found,
    }


def provider_register(view: View) -> dict[str, Any]:
    told = view.in_force(lambda value: {"approved": value["governance"]["providers"]})
    spans = told["in_force"]
    approved = spans[-1]["approved"] if spans else list(view.sources.config.governance.providers)
    called, away, not_approved, undated = Counter[str](), set[str](), Counter[str](), 0
    for asked, n in view.total("asked").items():
        name, local, listed = _who(view, asked)
        called[name] += n
        if not local:
            away.add(name)
        if listed is None:
            undated += n
        if not Approved(tuple(approved if listed is None else listed))(name, local=local):
            not_approved[name] += n
    refused = [(day, n) for (day, kind, name), n in sorted(view.days.items()) if kind == "refused" and name == CODE]
    return {
        "about": "Who may be called, who was called, and calls that were refused because their provider is not approved. "
        "Each request is held against the list that was in force when it was made.",
        "approved": approved,
        **told,
        "without_list": [{"from": one["from"], "until": one["until"]} for one in spans if not one["approved"]],
        "called": dict(called.most_common()),
        "here": sorted(called.keys() - away),
        "attempts": sum(called.values()),
        "undated": undated,
        "not_approved": dict(not_approved.most_common()),
        "refused": {
            "total": sum(n for _, n in refused),
            "by_day": [{"day": iso(day * DAY_US)[:10], "calls": n} for day, n in refused],
        },
    }


def _who(view: View, told: str) -> tuple[str, bool, list[str] | None]:
    """Whom an attempt went to, as the list of providers names it; whether that is this machine; and the list that was in force.

    None where the ledger does not tell of one; then an alias is taken for what it names today.
    """
    if told.count("\t") < 3:  # what came after the most names of a day
        return told, False, None
    model, provider, region, hash = told.split("\t")
    value = view.by_hash.get(hash)
    if value is not None and "hosts" in value:
        host = value["hosts"].get(model, "")
    else:
        settings = view.sources.config.models.get(model)
        host = elsewhere(provider, settings.base_url) if settings is not None and settings.provider == provider else ""
    local = provider in HERE or region == "local" or (not host and provider in VENDORS and VENDORS[provider].local)
    return named(provider, host), local, None if value is None else value["governance"]["providers"]


def failover(view: View) -> dict[str, Any]:
    drills = [
        one
        for one in view.sources.store.get_setting(DRILLS) or []
        if iso(view.window.since_us) <= one["at"] <= iso(view.window.until_us)
    ]
    return {
        "about": "What happens when a model fails: drills, in which it was made to fail, and real fail-overs of calls.",
        "drills": drills,
        "happened": [{"what": name, "calls": n} for name, n in view.total("failover").items()],
        "by_day": view.by_day("failover"),
    }

"""From the pack's documents to proofs: which stand, and the numbers in a sentence. Pure: whoever has a pack can do it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

FLOOR_DAYS: Final = 183
"""Six months, the longest: EU AI Act, Art. 19(1) and 26(6)."""

Documents = Mapping[str, Mapping[str, Any]]
"""By name without ``.json``; their shapes are in docs/reference/json.md."""
Said = tuple[bool, str]


def proven(documents: Documents) -> dict[str, Said]:
    """Every proof by name: whether it stands, and what the documents say. A document that is missing proves nothing."""
    found: dict[str, Said] = {}
    for name, (document, judge) in PROOFS.items():
        told = documents.get(document)
        if told is None:
            found[name] = (False, "not gathered")
        elif told.get("failed"):
            found[name] = (False, f"could not be read: {told['failed']}")
        else:
            found[name] = judge(told)
    return found


def _certificates(told: Mapping[str, Any]) -> Said:
    items = told["items"]
    if not items:
        return False, "no certificate was issued or in force"
    force = [one for one in items if one["state"] == "promoted"]
    best = ", ".join(
        f"{one['route']}: at least {one['quality']:.1%} of the reference at {1 - one['delta']:.0%} confidence, "
        f"{_n(one['calls'], 'call')}"
        for one in (force or items)[:3]
    )
    return True, f"{_n(len(items), 'certificate')}, {len(force)} in force ({best})"


def _evaluations(told: Mapping[str, Any]) -> Said:
    runs = told["runs"]
    if not runs:
        return False, "no finished evaluation"
    models = len({run["model"] for run in runs})
    tasks = len({run["task"] for run in runs})
    return True, f"{_n(len(runs), 'run')} of {_n(models, 'model')} on {_n(tasks, 'task')}, newest {runs[0]['at'][:10]}"


def _data_origin(told: Mapping[str, Any]) -> Said:
    origins = told["origins"]
    if not origins:
        return False, "no data of a test or of a made model are on record"
    bare = [one for one in origins if not one["source"]]
    said = f"{_n(len(origins), 'set')} of data with a hash"
    if bare:
        return False, f"{said}; {len(bare)} without a source"
    unlicensed = sum(one["licence"] in ("", "not stated") for one in origins)
    return True, f"{said} and a source" + (f"; the licence of {unlicensed} is not stated" if unlicensed else "")


def _models_seen(told: Mapping[str, Any]) -> Said:
    models = told["models"]
    calls = sum(one["calls"] for one in models)
    return bool(
        models
    ), f"{_n(len(models), 'model')} answered {_n(calls, 'call')}" if models else "no model answered a call"


def _keys_seen(told: Mapping[str, Any]) -> Said:
    keys, apps = told["keys"], told["applications"]
    if not keys and not apps:
        return False, "no key is kept and none called"
    return True, f"{_n(len(keys), 'key')}, {_n(len(apps), 'application or team', 'applications and teams')}"


def _cards(told: Mapping[str, Any]) -> Said:
    models = told["models"]
    lacking = [one["name"] for one in models if not one["card"]]
    if not models:
        return False, "no model answered a call"
    return not lacking, f"{len(models) - len(lacking)} of {_n(len(models), 'model')} have a card"


def _licences_known(told: Mapping[str, Any]) -> Said:
    rows = told["rows"]
    unknown = [one["name"] for one in rows if one["answer"] == "unknown" and not one["accepted"]]
    if not rows:
        return False, "no model is in use"
    if unknown:
        return False, f"unknown for {', '.join(unknown[:5])}{' …' if len(unknown) > 5 else ''}"
    profiles = {one["profile"] for one in told.get("in_force", ())} - {told["profile"]}
    partly = f", {' and '.join(sorted(profiles))} in a part of the period" if profiles else ""
    return True, f"known for all of {_n(len(rows), 'model')}; profile {told['profile']}{partly}"


def _deactivation(told: Mapping[str, Any]) -> Said:
    events = [one for one in told["events"] if one["did"] in DEACTIVATING]
    if not events:
        return False, "nothing was revoked, paused, undone or suspended"
    kinds = sorted({f"{one['what']} {one['did']}" for one in events})
    return True, f"{_n(len(events), 'event')}: {', '.join(kinds)}"


DEACTIVATING: Final = frozenset({"revoked", "paused", "undone", "suspended", "removed", "stopped"})


def _certificate_watch(told: Mapping[str, Any]) -> Said:
    served = [one for one in told["items"] if one["was_in_force"]]
    if not served:
        return False, "no certificate was in force"
    revoked = sum(one["state"] in ("revoked", "suspended") for one in served)
    return True, f"{_n(len(served), 'certificate')} in force at some time, {revoked} taken back by the watch"


def _providers_listed(told: Mapping[str, Any]) -> Said:
    listed = told["approved"]
    if not listed:
        return False, "[governance] providers is empty: any may be called"
    if told.get("without_list"):
        return False, f"approved now: {', '.join(listed)}; there was no list {_spans(told['without_list'])}"
    return True, f"approved: {', '.join(listed)}{_by_file(told)}"


def _providers_kept(told: Mapping[str, Any]) -> Said:
    if not told["approved"]:
        return False, "there is no list to hold calls against"
    refused = told["refused"]["total"]
    if told["not_approved"]:
        named = ", ".join(f"{name} {n:,}" for name, n in told["not_approved"].items())
        whose = "now" if told.get("undated") else "that was in force"
        return False, f"called though not on the list {whose}: {named}"
    if told.get("without_list"):
        return False, f"any provider could be called {_spans(told['without_list'])}"
    of = f"all {_n(told['attempts'], 'attempt')} went to approved providers or stayed here"
    older = f"; {told['undated']:,} of them are held against the list of now" if told.get("undated") else ""
    return True, f"{of}; {_n(refused, 'call')} refused{older}"


def _fallback_drilled(told: Mapping[str, Any]) -> Said:
    drills, real = told["drills"], sum(one["calls"] for one in told["happened"])
    fine = [one for one in drills if one["passed"]]
    said = f"{_n(len(drills), 'drill')}, {len(fine)} passed; {_n(real, 'real fail-over')}"
    return bool(fine), said


def _guard_on(told: Mapping[str, Any]) -> Said:
    if told.get("off"):
        return False, f"[guard] on = false was in force {_spans(told['off'])}"
    if told.get("in_force"):
        return True, f"on in all of {_n(len(told['in_force']), 'configuration')} that the ledger says were in force"
    said = "on" if told["on"] else "[guard] on = false"
    return bool(told["on"]), f"{said}{_by_file(told)}"


def _spans(found: Sequence[Mapping[str, Any]]) -> str:
    said = [f"from {one['from']} to {one['until'] or 'now'}" for one in found]
    return ", ".join(said[:3]) + (" …" if len(said) > 3 else "")


def _by_file(told: Mapping[str, Any]) -> str:
    """Said of a document that goes by settings where the ledger does not tell of them."""
    return "" if told.get("in_force") else ", by the file as it is now: the ledger does not say what was in force"


def _guard_counts(told: Mapping[str, Any]) -> Said:
    if not told["guarded"]:
        return False, "no call went through the guard"
    found = sum(told["found"].values())
    worst = ", ".join(f"{name} {n:,}" for name, n in list(told["found"].items())[:4])
    return True, f"{told['guarded']:,} of {_n(told['calls'], 'call')} looked at, {_n(found, 'finding')}" + (
        f" ({worst})" if worst else ""
    )


def _guard_acts(told: Mapping[str, Any]) -> Said:
    if not told["acted"] and not told["found"]:
        return False, "nothing was found that anything could be done about"
    if not told["acted"]:
        return False, "nothing was done about what was found: things are only counted until an action is set"
    done = ", ".join(f"{name} {n:,}" for name, n in list(told["done"].items())[:4])
    return True, f"{_n(told['acted'], 'call')}: {done}"


def _residual(told: Mapping[str, Any]) -> Said:
    last = told["residual"]
    if not last:
        return False, "no sample was scanned again in the period"
    low, high = last["interval"]
    said = f"{last['rate']:.2%} of {_n(last['n'], 'request')} to models elsewhere still held something"
    stayed = f"; {_n(last['stayed'], 'call')} stayed on this machine" if last.get("stayed") else ""
    return True, f"{said} ({low:.2%} to {high:.2%}), {last['at'][:10]}{stayed}"


def _grounding(told: Mapping[str, Any]) -> Said:
    if not told["n"]:
        return False, "no answer was checked"
    return True, f"{_n(told['n'], 'answer')} checked, {told['failed_checks']:,} failed"


def _injection_counted(told: Mapping[str, Any]) -> Said:
    bands = told["bands"]
    if not bands:
        return False, "no call bears a risk"
    return True, ", ".join(f"{name} {n:,}" for name, n in bands.items())


def _refusals_counted(told: Mapping[str, Any]) -> Said:
    refused = told["refused"]
    if not told["calls"]:
        return False, "no calls"
    said = _most(refused) or f"none of {_n(told['calls'], 'call')}"
    away = told.get("turned_away") or {}
    return True, f"{said}; turned away before they were calls: {_most(away) or 'none'}"


def _most(found: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in list(found.items())[:5])


def _redteam(told: Mapping[str, Any]) -> Said:
    runs = told["redteam"]
    if not runs:
        return False, "no replay of attacks in the period"
    last = runs[-1]
    low, high = last["interval"]
    of = f"{last['rate']:.1%} of {_n(last['n'], 'attack')} got through ({low:.1%} to {high:.1%})"
    return True, f"{_n(len(runs), 'run')}, the last on {last['at'][:10]} against '{last['model']}': {of}"


def _chain(told: Mapping[str, Any]) -> Said:
    if not told["events"]:
        return False, "the ledger is empty"
    if told["holds"] is None:
        return True, f"{_n(told['events'], 'event')} in the chain; they are recomputed whenever a pack is made"
    if not told["holds"]:
        return False, told["problems"][0]
    return True, f"{_n(told['events'], 'event')} recomputed, none changed"


def _checkpoints(told: Mapping[str, Any]) -> Said:
    kept = told["checkpoints"]
    if not kept:
        return False, "no checkpoint is kept"
    bad = [one for one in kept if not one["valid"]]
    if bad or told["checkpoint_problems"]:
        return False, "; ".join(
            told["checkpoint_problems"]
        ) or f"{len(bad)} of {_n(len(kept), 'checkpoint')} are not signed"
    return True, f"{_n(len(kept), 'checkpoint')}, the newest over {_n(kept[-1]['size'], 'event')}"


def _bias(told: Mapping[str, Any]) -> Said:
    runs = told["runs"]
    return bool(
        runs
    ), f"{_n(len(runs), 'run')} of {_n(len({run['model'] for run in runs}), 'model')}" if runs else "no run of BBQ"


def _energy(told: Mapping[str, Any]) -> Said:
    methods = told["methods"]
    if not methods:
        return False, told.get("lacking") or "no call has a figure"
    said = "; ".join(
        f"{one['method']}: {one['wh'][0]:.3g} to {one['wh'][1]:.3g} Wh, {one['co2_g'][0]:.3g} to {one['co2_g'][1]:.3g} g CO2e"
        for one in methods
    )
    return True, said


LEARNING_DAYS: Final = 5
"""Whole days of calls that the watch over drift takes before it can say anything."""


def _watched(told: Mapping[str, Any]) -> Said:
    routes = [one for one in told["watch"] if one["days"] >= LEARNING_DAYS]
    drift, labels = _n(len(told["drift"]), "report"), _n(told["labels"], "label")
    under = f"{_n(len(told['watched']), 'route')} under a certificate with {labels}"
    if not routes and not (told["watched"] and told["labels"]):
        return False, f"the watch over drift takes {LEARNING_DAYS} days of calls on a route; {under}"
    streams = _n(len(told["watched_for"]), "stream")
    return True, f"{streams} of numbers on {_n(len(routes), 'route')}, {drift} of drift; {under}"


def _incidents_kept(told: Mapping[str, Any]) -> Said:
    if not told["calls"]:
        return False, "no calls"
    return True, f"{_n(len(told['alerts']), 'alert')} in the period, {told['open']} open now"


def _logged(told: Mapping[str, Any]) -> Said:
    return bool(told["requests"]), f"{_n(told['requests'], 'call')} in the ledger"


def _retention(told: Mapping[str, Any]) -> Said:
    floor, least = told["floor_days"], told.get("least_days", told["keep_days"])
    if least is not None and least < floor:
        return False, f"rows are dropped after {least} days; the floor is {floor}"
    said = "rows are never dropped" if least is None else f"rows are kept {least} days at least"
    return True, f"{said}{_by_file(told)}"


def _retention_shown(told: Mapping[str, Any]) -> Said:
    if told["oldest"] is None:
        return False, "the ledger is empty"
    return told["days"] >= told[
        "floor_days"
    ], f"the oldest row is {_n(told['days'], 'day')} old, of {told['floor_days']}"


def _receipts(told: Mapping[str, Any]) -> Said:
    ways = [name for name in ("receipts", "disclosure") if told[name]]
    return bool(ways), f"on: {', '.join(ways)}" if ways else "neither receipts nor a disclosure are on"


PROOFS: Final[dict[str, tuple[str, Callable[[Mapping[str, Any]], Said]]]] = {
    "certificates": ("certificates", _certificates),
    "certificate_watch": ("certificates", _certificate_watch),
    "evaluations": ("evaluations", _evaluations),
    "data_origin": ("evaluations", _data_origin),
    "models_seen": ("inventory", _models_seen),
    "keys_seen": ("inventory", _keys_seen),
    "cards": ("inventory", _cards),
    "licences_known": ("licences", _licences_known),
    "deactivation": ("deactivations", _deactivation),
    "providers_listed": ("providers", _providers_listed),
    "providers_kept": ("providers", _providers_kept),
    "fallback_drilled": ("failover", _fallback_drilled),
    "guard_on": ("guard", _guard_on),
    "guard_counts": ("guard", _guard_counts),
    "guard_acts": ("guard", _guard_acts),
    "residual": ("guard", _residual),
    "grounding": ("grounding", _grounding),
    "injection_counted": ("security", _injection_counted),
    "refusals_counted": ("security", _refusals_counted),
    "redteam": ("security", _redteam),
    "chain": ("history", _chain),
    "checkpoints": ("history", _checkpoints),
    "bias": ("bias", _bias),
    "energy": ("energy", _energy),
    "watched": ("incidents", _watched),
    "incidents_kept": ("incidents", _incidents_kept),
    "logged": ("report", _logged),
    "retention": ("retention", _retention),
    "retention_shown": ("retention", _retention_shown),
    "receipts": ("marking", _receipts),
}
"""Each proof with the document that it is read from."""


def _n(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"

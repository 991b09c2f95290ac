"""What evidence that goes on costs, on real outcomes: pressing `certify` often, once, or with a bet that knows the last call.

    python -m bench.standing [--draws 20] [--labels 200 400 800 1600 3200] [--out bench/out]

Mixtral-8x7B below GPT-4-1106 on RouteLLM's MMLU questions, 95 % at delta = 5 %, by the features of prompts alone: no drafts, so
that the path is a router's. Labels come one after the other; *often* looks after every hundred of them (every four hundred
beyond 800) and keeps its state as the store would, *once* looks at the end, *aimed* is one look of `lab.certify` on the same
path and the same calls. All other questions say whether the promise was kept. A call costs 1, the small model's 0.04.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from demitasse.lab.cases import Cases, parted, weights
from demitasse.lab.certify import certify
from demitasse.lab.learning import learn
from demitasse.lab.standing import Era, Standing, go_on, trial_of
from demitasse.score.draft import MARKS
from demitasse.score.features import features
from demitasse.score.scorer import load

DATA = Path(__file__).parents[2] / "shared" / "data" / "routellm" / "mmlu_gsm8k.parquet"
QUALITY, DELTA, CHEAP = 0.95, 0.05, 0.04


class Questions:
    """All of MMLU that neither model may have been trained on."""

    def __init__(self) -> None:
        import pyarrow.parquet as pq

        rows = [r for r in pq.read_table(DATA).to_pylist() if r["bench"] == "mmlu" and not r["contaminated"]]
        self.features = np.array([features(row["prompt"]) for row in rows])
        self.cheap = np.array([float(row["weak_ok"]) for row in rows])
        self.reference = np.array([float(row["strong_ok"]) for row in rows])

    def cases(self, at: np.ndarray) -> Cases:
        """These questions as labelled calls, one a minute."""
        n = len(at)
        ids = tuple(f"call-{i}" for i in at)
        nothing, all_ = np.zeros(n), np.ones(n, dtype=bool)
        return Cases(
            ids, np.arange(1, n + 1), np.arange(n) * 60_000_000, ids, ("",) * n, np.full(n, 0.05), self.features[at],
            np.zeros((n, len(MARKS))), self.cheap[at], self.reference[at], np.full(n, CHEAP), nothing, np.ones(n),
            all_, ~all_, ("",) * n, (frozenset(),) * n,
        )  # fmt: skip

    def truth(self, standing: Standing, rest: np.ndarray) -> tuple[float, float]:
        """Saving and quality of what was certified, on questions that nothing was learned or proven from."""
        setting = standing.path.steps[standing.verdict.step]
        scorer = load(standing.path.scorer)
        small = np.array([scorer.prompt_score(x, "") >= setting.direct for x in self.features[rest].tolist()])
        served = np.where(small, self.cheap[rest], self.reference[rest])
        return float(small.mean() * (1 - CHEAP)), float(served.sum() / self.reference[rest].sum())


def best(standings: list[Standing]) -> Standing | None:
    return max((s for s in standings if s.verdict.certified), key=lambda s: s.verdict.saving, default=None)


def draw(questions: Questions, seed: int, labels: list[int]) -> list[tuple[int, str, float, bool]]:
    """(labels, way, saving, broken) for each number of labels and way of looking."""
    order = np.random.default_rng(seed).permutation(len(questions.cheap))
    most = max(labels)
    cases, rest = questions.cases(order[:most]), order[most:]
    found = []
    often, next_look = Era("small", "large", None, "", 0, 0, 0), 100
    for n in labels:
        while next_look < n:
            go_on(often, cases.take(np.arange(next_look)), QUALITY, DELTA, learn)
            often = Era.decode(often.encode())
            next_look += 100 if next_look < 800 else 400
        once = Era("small", "large", None, "", 0, 0, 0)
        for way, era in (("often", often), ("once", once)):
            standing = best(go_on(era, cases.take(np.arange(n)), QUALITY, DELTA, learn))
            saving, quality = (0.0, 1.0) if standing is None else questions.truth(standing, rest)
            found.append((n, way, saving, quality < QUALITY))
        if once.paths:
            (path, *_), (train, counted) = once.paths, parted(cases.take(np.arange(n)), 0)
            trials = [trial_of(part, path, weights(part, path.propensities)) for part in (counted, train)]
            verdict = certify(trials[0], quality=QUALITY, delta=DELTA, hint=trials[1])
            found.append((n, "aimed", verdict.saving if verdict.certified else 0.0, False))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--labels", type=int, nargs="+", default=[200, 400, 800, 1600, 3200])
    parser.add_argument("--out", type=Path, default=machine.OUT)
    args = parser.parse_args()
    if not DATA.exists():
        raise SystemExit(f"{DATA} is missing; this bench reads RouteLLM's outcomes there")
    questions = Questions()
    found = [row for seed in range(args.draws) for row in draw(questions, seed, args.labels)]
    told: dict[str, Any] = {}
    for n in args.labels:
        for way in ("aimed", "once", "often"):
            rows = [(saving, broken) for m, w, saving, broken in found if (m, w) == (n, way)]
            told[f"{n} {way}"] = {
                "saving": round(sum(s for s, _ in rows) / args.draws, 4),
                "certified": round(sum(s > 0 for s, _ in rows) / args.draws, 4),
                "broken": round(sum(b for _, b in rows) / args.draws, 4),
            }
    result = {"command": f"python -m bench.standing --draws {args.draws}", "machine": machine.facts(), "ways": told}
    print(machine.write("standing", result, args.out))
    lines = [[name, *(f"{value:.1%}" for value in row.values())] for name, row in told.items()]
    print(machine.table(lines, ["labels, way of looking", "saving", "certified", "broken"]))


if __name__ == "__main__":
    main()

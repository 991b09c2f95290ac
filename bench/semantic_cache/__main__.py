"""`python -m bench.semantic_cache [PART …]`: parts are streams, short, fixed, variants, events, pairs, cost; none means all.

Each finished stream is written to bench/out/semantic_cache.json at once; what stands there is not measured again (--fresh
does). `train` prints the verifier's first weights and is run by itself.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import msgspec

from demitasse.gateway import semantic
from demitasse.score import verifier

from .. import machine
from . import cost, pairs, report, streams, train
from .run import fixed, serve

PROMISES = (0.05, 0.02)
THRESHOLDS = [0.8, 0.9, 0.95] + [round(0.70 + 0.01 * n, 2) for n in range(30) if n not in (10, 20, 25)]
PARTS = ("streams", "short", "fixed", "variants", "events", "pairs", "cost")


class Log:
    """Results by part and name, on disk after each."""

    def __init__(self, path: Path, *, fresh: bool) -> None:
        self.path = path
        self.all = json.loads(path.read_text()) if path.exists() and not fresh else {"runs": {}}
        self.all["command"] = "python -m bench.semantic_cache " + " ".join(sys.argv[1:])
        self.all["machine"] = machine.facts()

    def once(self, part: str, name: str, measure) -> None:
        runs = self.all["runs"].setdefault(part, {})
        if name in runs:
            return
        runs[name] = measure()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.all) + "\n")
        print(f"{part} {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.semantic_cache")
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}, train; all but train when none is named")
    parser.add_argument("--shuffles", type=int, default=20)
    parser.add_argument("--requests", type=int, default=9_000)
    parser.add_argument("--fresh", action="store_true", help="measure again what stands in the file")
    parser.add_argument("--out", type=Path, default=machine.OUT / "semantic_cache.json")
    args = parser.parse_args()
    if streams.missing():
        return
    embed = streams.embedder()
    if args.parts == ["train"]:
        print(msgspec.json.encode(train.learn([streams.clinc("train")], embed)).decode())
        return
    log = Log(args.out, fresh=args.fresh)
    for part in args.parts or PARTS:
        STEPS[part](log, embed, args)
    report.show(log.all)
    print(args.out)


def _corpora():
    return streams.clinc(), streams.banking()


def _streams(log: Log, embed, args) -> None:
    for seed in range(args.shuffles):
        for corpus in _corpora():
            stream = streams.shuffled(corpus, args.requests, seed)
            for promise in PROMISES:
                name = f"{corpus.name} {promise} {seed}"
                log.once("streams", name, lambda s=stream, p=promise, n=seed: serve(s, embed, max_error=p, seed=n))


def _short(log: Log, embed, args) -> None:
    """Further shuffles, of 2,000 requests (their first 1,000 are the still shorter ones)."""
    for seed in range(500, 500 + 2 * args.shuffles):
        for corpus in (*_corpora(), streams.gptcache()):
            stream = streams.shuffled(corpus, 2_000, seed)
            for promise in PROMISES:
                name = f"{corpus.name} {promise} {seed}"
                log.once("short", name, lambda s=stream, p=promise, n=seed: serve(s, embed, max_error=p, seed=n))


def _fixed(log: Log, embed, args) -> None:
    for seed in range(args.shuffles):
        for corpus in _corpora():
            stream = streams.shuffled(corpus, args.requests, seed)
            log.once("fixed", f"{corpus.name} {seed}", lambda s=stream: fixed(s, embed, THRESHOLDS))


def _variants(log: Log, embed, args) -> None:
    """What each piece is worth, on the first five shuffles."""
    firsts = {other.name: train.learn([other], embed) for other in (streams.clinc("train"), streams.banking("train"))}
    for seed in range(5):
        for corpus in _corpora():
            stream = streams.shuffled(corpus, args.requests, seed)
            for promise in PROMISES:
                name = f"{corpus.name} {promise} {seed}"

                def run(stream=stream, promise=promise, seed=seed, **more):
                    return serve(stream, embed, max_error=promise, seed=seed, **more)

                log.once("variants", f"30 % of verdicts | {name}", lambda run=run: run(verdict_share=0.3))
                log.once("variants", f"no guards | {name}", lambda run=run: _without_guards(run))
                other = next(first for known, first in firsts.items() if known != corpus.name)
                log.once(
                    "variants", f"first weights of the other data | {name}", lambda run=run, o=other: _with(o, run)
                )


def _without_guards(run):
    guard, semantic._guard = semantic._guard, lambda _text, _answer, own: (own[0], None)
    try:
        return run()
    finally:
        semantic._guard = guard


def _with(first, run):
    shipped, verifier.shipped = verifier.shipped, lambda: first
    try:
        return run()
    finally:
        verifier.shipped = shipped


def _events(log: Log, embed, args) -> None:
    """A restart without answers, and models that change, at two thirds of the stream."""
    at = args.requests * 2 // 3
    for seed in range(10):
        for corpus in _corpora():
            stream = streams.shuffled(corpus, args.requests, 700 + seed)
            name = f"{corpus.name} 0.05 {700 + seed}"
            for event in ("restart", "change"):
                more = {"restart_at": at} if event == "restart" else {"changes_at": at}
                log.once(
                    "events",
                    f"{event} | {name}",
                    lambda s=stream, m=more, n=seed: serve(s, embed, max_error=0.05, seed=n, **m),
                )


def _pairs(log: Log, embed, args) -> None:  # noqa: ARG001
    log.once("pairs", "near pairs", lambda: pairs.count(pairs.near_pairs(), embed, list_misses=1_000))
    log.once("pairs", "PAWS-Wiki, development part", lambda: pairs.count(pairs.paws(), embed, list_misses=100))


def _cost(log: Log, embed, args) -> None:  # noqa: ARG001
    log.once("cost", "lookup", cost.measure)


STEPS = dict(zip(PARTS, (_streams, _short, _fixed, _variants, _events, _pairs, _cost), strict=True))

if __name__ == "__main__":
    main()

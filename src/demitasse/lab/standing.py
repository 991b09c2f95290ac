"""Evidence that goes on from look to look: paths learned on one part of the labels, wealth won on the other.

Pressing the button every day is peeking. What makes it harmless (docs/decisions/0020):

- A *path* is a function of the training part alone, made when that has come to a size that is fixed beforehand. So it
  owes nothing to the calls that it is tested on, also to those that came before it.
- Each path and promise has one betting martingale per slice, which counts each session of the other part once and is never
  begun anew; it may be looked at whenever one likes (Ville).
- The paths share delta: a half of it is the first one's, then a quarter, …; so do the promises that were asked for after
  the first, which were chosen after looking: together they have a tenth, divided by the steps of the path.
- An *era* is one pair of models in one version, one seed, one kind of features, and the time since a revocation or a fall
  in quality. What begins anew begins with calls that nothing was promised from before.

Knows cases and settings; nothing of stores, clocks or certificates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw, Struct, structs

from ..core.policy import Setting
from ..score.scorer import load
from ..stats.betting import Floats, Martingale, needed
from . import cascade
from .cases import Cases, fresh, parted, sizes, units, weights
from .certify import REST, Trial, Verdict, losses, settle

FIRST, GROWTH = 40, 4
"""A path is made at the first look at FIRST training calls or more, and again each time there are GROWTH times as many."""
MOST_OLD = 4_000
LATER = 0.1
"""The share of delta for promises that were asked for after the first."""


class Learned(Struct, frozen=True):
    """What training gives: weights as JSON, and the settings to be tried, from the most careful to the cheapest."""

    scorer: Raw
    settings: tuple[Setting, ...]


Learn = Callable[[Cases, float, int], Learned]
"""(training cases, the promise that was asked for first, seed)."""


class Evidence(Struct):
    """One promise on one path: how far it has come."""

    quality: float
    level: float
    """Its share of delta."""
    seq: int = 0
    """Labels up to this place in the chain were counted, or passed over."""
    calls: int = 0
    pieces: int = 0
    counted: dict[str, int] = {}
    """Sessions of the last day."""
    propensities: tuple[float, ...] = ()
    """Of the last calls."""
    wealth: dict[str, Raw] = {}
    """Martingales by slice with a walk of its own, and of ``REST``."""


class Path(Struct):
    """What was learned at one size of the training part, and what speaks for it."""

    number: int
    """1, 2, …"""
    n_train: int
    n_new: int
    """Of these, calls of this era."""
    scorer: Raw
    settings: list[list[float | str]]
    cap: int
    """So many calls are counted of one session."""
    names: tuple[str, ...]
    """Slices with a walk of their own, and ``REST`` where there is a rest."""
    propensities: tuple[float, ...]
    aims: dict[str, list[float]] = {}
    """By slice: the bet on each step that the training part speaks for."""
    evidence: list[Evidence] = []

    @property
    def steps(self) -> tuple[Setting, ...]:
        return tuple(Setting(*map(float, row)) for row in self.settings)


class Era(Struct):
    """All evidence of one route since it last began anew."""

    cheap: str
    reference: str
    second: str | None
    features: str
    seed: int
    since_us: int
    """Calls from here on are counted."""
    began_us: int
    why: str = ""
    """Why it began anew; "" for the first."""
    qualities: list[float] = []
    """Promises in the order in which they were asked for."""
    paths: list[Path] = []
    ended: tuple[int, str] | None = None
    """When and why what its labels say stopped being so."""

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, text: bytes) -> Era:
        """What ``encode`` wrote. Raises msgspec.DecodeError."""
        return msgspec.json.decode(text, type=cls)


class Standing(Struct, frozen=True):
    """One path's verdict on one promise."""

    path: Path
    evidence: Evidence
    verdict: Verdict
    trial: Trial


def go_on(era: Era, cases: Cases, quality: float, delta: float, learn: Learn) -> list[Standing]:
    """Count what has come since the last look, and say how each path stands on the promise ``quality``.

    Args:
        era: changed in place; keep it afterwards, or labels will be counted twice.
        cases: all of the route, also older than the era: those are learned from.

    Returns: [] as long as there is too little to learn from.
    """
    now = cases.take(cases.at_us >= era.since_us)
    train, certify = parted(now, era.seed)
    if quality not in era.qualities:
        era.qualities.append(quality)
    _learn(era, cases.take(cases.at_us < era.since_us), train, learn, delta)
    found = []
    for path in era.paths:
        evidence = _evidence(era, path, quality)
        _count(path, evidence, certify)
        trial = trial_of(certify, path, weights(certify, path.propensities))
        peaks = {
            name: believed(Martingale.from_json(bytes(wealth)).peak, trial, name, quality)
            for name, wealth in evidence.wealth.items()
        }
        verdict = settle(trial, peaks, quality=quality, delta=delta * evidence.level)
        found.append(Standing(path, evidence, verdict, trial))
    return found


def believed(peak: Floats, trial: Trial, name: str, quality: float) -> Floats:
    """Evidence where all that was seen still agrees with it: what was won on the way and lost again by now, nobody would
    believe, though it may be promised."""
    loss, _ = losses(trial, quality)
    assert trial.slice is not None
    mine = np.array([slice == name for slice in trial.slice], dtype=bool)
    return np.where(loss[mine].sum(axis=0) <= 0, peak, 0.0)


def begin(
    known: Era | None,
    cases: Cases,
    *,
    models: tuple[str, str, str | None],
    features: str,
    seed: int | None,
    since_us: int | None,
    ended: tuple[int, str] | None,
    now_us: int,
) -> Era:
    """The era that goes on, or a new one and why it began.

    Args:
        models: our names of the small model, the reference and the second small one.
        seed, since_us: as a person wishes them; None: as they are.
        ended: when and why the last certificate was revoked or suspended.

    What a person changes after looking is counted from now on alone: a window or a seed chosen by what came out would be
    chosen because of it.
    """
    changed_us, change = last_change(cases)

    def anew(from_us: int, why: str) -> Era:
        kept = 0 if known is None else known.seed
        return Era(*models, features, kept if seed is None else seed, max(from_us, changed_us), now_us, why)

    if known is None:
        return anew(since_us or 0, "")
    if (known.cheap, known.reference, known.second) != models:
        return anew(changed_us, "the route has other models now")
    if known.features != features:
        return anew(changed_us, "prompts are looked at in another way now")
    if changed_us > known.since_us:
        return anew(changed_us, change)
    for end in (ended, known.ended):
        if end is not None and end[0] > known.since_us:
            return anew(*end)
    looked = any(evidence.calls for path in known.paths for evidence in path.evidence)
    if seed is not None and seed != known.seed:
        return anew(now_us if looked else known.since_us, f"the seed is {seed} now")
    first_us = int(cases.at_us[cases.at_us >= known.since_us].min(initial=now_us))
    if since_us is not None and since_us > first_us:
        return anew(now_us if looked else since_us, "another window was asked for")
    return known


def last_change(cases: Cases) -> tuple[int, str]:
    """When a model's own version last changed (0: never) and how, by the time of calls."""
    order = np.argsort(cases.at_us, kind="stable")
    version: dict[str, str] = {}
    found = (0, "")
    for i in order.tolist():
        for model, name in sorted(cases.version[i]):
            if version.get(model, name) != name:
                found = (int(cases.at_us[i]), f"'{model}' is '{name}' now; it was '{version[model]}'")
            version[model] = name
    return found


def share(number: int) -> float:
    """Of delta, for the path of this number; all together 1."""
    return float(0.5**number)


def trial_of(cases: Cases, path: Path, weight: Floats) -> Trial:
    """Pieces of evidence under every step: the sums over a session's calls, divided by the most that one may have."""
    calls = cascade.trial(path.steps, cascade.scored(load(path.scorer), cases), cases)
    unit, count = units(cases, path.names, path.cap)
    own = set(path.names)
    slice = [""] * count
    for at, name in zip(unit, cases.slice, strict=True):
        slice[at] = name if name in own else REST

    def summed(values: Floats) -> Floats:
        total = np.zeros((count, *values.shape[1:]))
        np.add.at(total, unit, values * (weight if values.ndim == 1 else weight[:, None]))
        return total / path.cap

    return Trial(
        summed(calls.served), summed(calls.cost), summed(calls.reference), summed(calls.reference_cost), slice=slice
    )


def _learn(era: Era, old: Cases, train: Cases, learn: Learn, delta: float) -> None:
    """Make the path that is due, if one is. Which one depends on the number of training calls alone.

    The first takes all that there are: nobody has looked before it.
    """
    newest = max((path.n_new for path in era.paths), default=0)
    if not era.paths and len(old) >= FIRST > len(train):
        _make(era, old.take(np.arange(max(0, len(old) - MOST_OLD), len(old))), 0, learn, delta)
    elif not era.paths and len(train) >= FIRST:
        _make(era, train, len(train), learn, delta)
    elif era.paths and len(train) >= max(newest * GROWTH, FIRST):
        size = max(newest * GROWTH, FIRST)
        while size * GROWTH <= len(train):
            size *= GROWTH
        _make(era, train.take(np.arange(size)), size, learn, delta)


def _make(era: Era, train: Cases, n_new: int, learn: Learn, delta: float) -> None:
    number, quality = len(era.paths) + 1, era.qualities[0]
    learned = learn(train, quality, era.seed)
    path = Path(
        number=number,
        n_train=len(train),
        n_new=n_new,
        scorer=learned.scorer,
        settings=[_spelt(setting) for setting in learned.settings],
        cap=sizes(train),
        names=_names(train, quality, delta * share(number)),
        propensities=tuple(train.propensity[-200:].tolist()),
    )
    path.aims = _aims(trial_of(train, path, weights(train, ())), path.names, quality)
    era.paths.append(path)


def _aims(trial: Trial, names: tuple[str, ...], quality: float) -> dict[str, list[float]]:
    """The bets that would grow fastest on the training part: ``-mean loss / mean square``, shrunk towards a call at the
    promise. Below 0 where losses are above 0."""
    loss, _ = losses(trial, quality)
    assert trial.slice is not None
    found = {}
    for name in names:
        mine = loss[np.array([slice == name for slice in trial.slice], dtype=bool)]
        aims = -mine.sum(axis=0) / ((mine**2).sum(axis=0) + _CAUTION * quality * (1 - quality))
        found[name] = [round(aim, 4) for aim in aims.tolist()]
    return found


_CAUTION = 20
"""Calls: the training part is small, and its path fits it too well."""


def _names(train: Cases, quality: float, delta: float) -> tuple[str, ...]:
    """Slices that are large enough for a walk of their own, and the rest. Sizes alone decide."""
    counts: dict[str, int] = {}
    for name in train.slice:
        counts[name] = counts.get(name, 0) + 1
    total = len(train)
    for many in range(len(counts), 1, -1):
        enough = 2 * needed(delta / (many + 1), 1 - quality, quality)
        own = sorted(name for name, n in counts.items() if n >= enough and name != REST)
        if len(own) >= many - (REST in counts):
            rest = total - sum(counts[name] for name in own)
            return (*own, REST) if rest else tuple(own)
    return (REST,)


def _evidence(era: Era, path: Path, quality: float) -> Evidence:
    known = next((e for e in path.evidence if e.quality == quality), None)
    if known is not None:
        return known
    nth = era.qualities.index(quality)
    promise = 1 - LATER if nth == 0 else LATER * 0.5**nth / len(path.settings)
    path.evidence.append(Evidence(quality, share(path.number) * promise))
    return path.evidence[-1]


def _count(path: Path, evidence: Evidence, certify: Cases) -> None:
    """Let the martingales see what they have not seen."""
    new = certify.take(certify.seq > evidence.seq)
    taken, counted = fresh(new, evidence.counted)
    before = evidence.propensities or path.propensities
    trial = trial_of(taken, path, weights(taken, before))
    loss, bound = losses(trial, evidence.quality)
    assert trial.slice is not None
    for name in path.names:
        rows = np.array([slice == name for slice in trial.slice], dtype=bool)
        wealth = evidence.wealth.get(name)
        if wealth is None:
            first = evidence is path.evidence[0]
            aims = np.array(path.aims[name]) if first and name in path.aims else np.full(trial.steps, np.nan)
            known = Martingale(trial.steps, bound=bound, aims=aims)
        else:
            known = Martingale.from_json(bytes(wealth))
        evidence.wealth[name] = _rounded(known.update(loss[rows]).to_json())
    evidence.calls += len(taken)
    evidence.pieces += len(trial)
    evidence.counted = counted
    evidence.propensities = (*before, *taken.propensity.tolist())[-200:]
    evidence.seq = int(certify.seq.max(initial=evidence.seq))


def _rounded(text: bytes) -> Raw:
    """Wealth to three places, downwards: what is kept is a fraction of what is computed, and never more than was won."""

    def down(value: Any) -> Any:
        if isinstance(value, list):
            return [down(v) for v in value]
        return math.floor(value * 1e3) / 1e3 if isinstance(value, float) else value

    facts = msgspec.json.decode(text)
    return Raw(msgspec.json.encode(facts | {name: down(facts[name]) for name in ("log", "peak")}))


def _spelt(setting: Setting) -> list[float | str]:
    """JSON has no infinity."""
    values = structs.astuple(setting)
    return [v if isfinite(v) else "inf" if v > 0 else "-inf" for v in values]

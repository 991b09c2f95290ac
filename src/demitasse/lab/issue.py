"""From standing evidence to a certificate: what is promised, what it is held against, and what more labels would buy.

Knows paths, cases and money per label; nothing of stores, keys or clocks. Whatever it says of the future is a guess and
says so; what it promises rests on ``standing`` alone.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import Raw, structs

from ..core.policy import (
    ALWAYS_CHEAP,
    ALWAYS_REFERENCE,
    Baseline,
    Certificate,
    NextLabels,
    Policy,
    Setting,
    SliceFloor,
    encode_certificate,
)
from ..score.scorer import load
from ..stats.betting import Martingale
from ..stats.eprocess import Watch
from . import cascade
from .baselines import baselines
from .cases import TRAIN_SHARE, Cases, parted, weights
from .certify import REST, losses, settle
from .standing import Era, Standing

METHOD = "learn-then-test along a fixed path, standing WSR betting by session, inverse-propensity weights"
DAY_US = 86_400_000_000
_DRAWS = 5
"""Futures that are drawn to guess what more labels would buy."""
_AHEAD = (50, 100, 200, 400, 800, 1600, 3200)
_MOST_SLICES = 30
_WORTH = 0.01
"""Less than a point of saving is not worth telling."""


@dataclass(frozen=True)
class Labelling:
    """What labels have cost and how fast they came; None: unknown."""

    usd_each: float | None = None
    per_day: float | None = None


@dataclass(frozen=True)
class Finding:
    """What one look came to.

    Attributes:
        certificate: unsigned; None: nothing is proven, or nothing that saves.
        standing: the path that stands best; None: too little to learn from.
        just_switch: the small model alone keeps the promise.
        fell: why what was proven once is not promised: the same labels show that it is no longer so.
    """

    certificate: Certificate | None
    standing: Standing | None
    cases: Cases
    """Those of the counting part that the figures are taken from."""
    baselines: tuple[Baseline, ...]
    next_labels: tuple[NextLabels, ...]
    just_switch: bool = False
    fell: str = ""


def find(
    era: Era,
    standings: Sequence[Standing],
    cases: Cases,
    *,
    route: str,
    quality: float,
    delta: float,
    now_us: int,
    days: float,
    code: str,
    labelling: Labelling,
) -> Finding:
    """The best certificate that the evidence allows.

    Args:
        standings: as ``standing.go_on`` found them. cases: all of the route.
        era: ended here where its labels show that quality has fallen.
        quality, delta: what is to be promised. days: how long, from the newest call that it rests on.
        code: version of what computed it.
    """
    now = cases.take(cases.at_us >= era.since_us)
    train, certify = parted(now, era.seed)
    null = baselines(
        certify.cheap,
        certify.reference,
        certify.cheap_cost,
        certify.reference_cost,
        quality=quality,
        weight=weights(certify, ()),
    )
    best = _best(standings)
    if best is None:
        return Finding(None, None, certify, null, ())
    fell = fallen(best, quality, delta)
    if fell:
        era.ended = (now_us, fell)
        return Finding(None, best, certify, null, (), fell=fell)
    ahead = more(era, best, certify, quality, delta, labelling)
    serves = best.verdict.certified and best.verdict.saving > 0
    if not serves:
        return Finding(None, best, certify, null, ahead)
    certificate = _certificate(era, best, train, certify, route, quality, delta, now_us, days, code)
    certificate = structs.replace(certificate, baselines=null, next_labels=ahead)
    return Finding(_named(certificate), best, certify, null, ahead, just_switch=_all_cheap(certificate.policy))


def fallen(standing: Standing, quality: float, delta: float) -> str:
    """Why the policy may not serve although it was proven: the watch, over the same calls in their order, has seen it fall.

    Evidence that was won stays won; so somebody must look whether what it says is still so. "" where it is.
    """
    verdict, trial = standing.verdict, standing.trial
    if not verdict.certified or trial.slice is None:
        return ""
    watch = Watch(quality, delta)
    for i, name in enumerate(trial.slice):
        step = verdict.of(name)
        served = trial.served[i, step] if step >= 0 else trial.reference[i]
        if watch.saw(min(1.0, float(trial.reference[i])), min(1.0, float(served))):
            return f"its labels show that quality has fallen below {quality:.4g}"
    return ""


def with_certificate(found: Finding, certificate: Certificate | None) -> Finding:
    """The same finding with its certificate signed, or without one."""
    return replace(found, certificate=certificate, just_switch=found.just_switch and certificate is not None)


def more(
    era: Era, standing: Standing, certify: Cases, quality: float, delta: float, labelling: Labelling
) -> tuple[NextLabels, ...]:
    """What further labels would buy if calls went on as they do: today's evidence, continued with calls drawn from today's.

    The path stays as it is; a better one, learned from more, is not foreseen.
    """
    trial = standing.trial
    horizons = [pieces for pieces in _AHEAD if pieces <= 8 * max(len(trial), 100)]
    if not len(trial):
        return ()
    rng = np.random.default_rng(era.seed)
    futures = [_future(standing, horizons, quality, delta * standing.evidence.level, rng) for _ in range(_DRAWS)]
    per_piece = len(certify) / len(trial) / (1 - TRAIN_SHARE)
    known = standing.verdict.saving if standing.verdict.certified else 0.0
    found: list[NextLabels] = []
    for pieces, saving in zip(horizons, np.median(np.array(futures), axis=0).tolist(), strict=True):
        if saving < known + _WORTH:
            continue
        known = saving
        labels = _round(pieces * per_piece)
        found.append(
            NextLabels(
                labels,
                saving,
                None if labelling.usd_each is None else labels * labelling.usd_each,
                None if not labelling.per_day else labels / labelling.per_day,
            )
        )
    return tuple(found[:3])


def _best(standings: Sequence[Standing]) -> Standing | None:
    """The certified one that saves most, else the one that learned from most."""
    certified = [s for s in standings if s.verdict.certified]
    if certified:
        return max(certified, key=lambda s: (s.verdict.saving, s.path.number))
    return standings[-1] if standings else None


def _certificate(
    era: Era,
    best: Standing,
    train: Cases,
    certify: Cases,
    route: str,
    quality: float,
    delta: float,
    now_us: int,
    days: float,
    code: str,
) -> Certificate:
    verdict, path = best.verdict, best.path
    used = certify.take(certify.seq <= best.evidence.seq)
    hashes = set(used.prompt_hash)
    until_us = int(used.at_us.max())
    return Certificate(
        id="",
        policy=_policy(era, best, route),
        quality=quality,
        delta=delta,
        estimate=verdict.quality,
        floor=min(verdict.floor, 1.0),
        saving=verdict.saving,
        saving_low=verdict.saving_low,
        saving_high=verdict.saving_high,
        n_train=path.n_train,
        n_certify=best.evidence.calls,
        since_us=int(used.at_us.min()),
        until_us=until_us,
        issued_us=now_us,
        expires_us=min(now_us, until_us) + int(days * DAY_US),
        models=tuple(sorted(set().union(*train.version, *used.version))),
        prompt_hash=next(iter(hashes)) if len(hashes) == 1 else "",
        code=code,
        seed=era.seed,
        method=METHOD,
        slices=_slices(best, used),
    )


def _slices(best: Standing, used: Cases) -> tuple[SliceFloor, ...]:
    """Every task: those with a walk of their own, then the larger ones of the rest, which have an estimate and no floor."""
    names = Counter(used.slice)
    if len(names) < 2:
        return ()
    own = [s for s in best.verdict.slices if s.name != REST]
    found = [SliceFloor(s.name, s.n, s.quality, s.floor, s.saving, s.certified) for s in own]
    step = best.verdict.step
    for name, n in names.most_common():
        if name in {s.name for s in own} or len(found) >= _MOST_SLICES:
            continue
        rows = used.take(np.array([slice == name for slice in used.slice]))
        quality, saving = 1.0, 0.0
        if step >= 0:
            calls = cascade.trial((best.path.steps[step],), cascade.scored(load(best.path.scorer), rows), rows)
            weight = weights(rows, best.path.propensities)
            whole = float(weight @ rows.reference)
            quality = float(weight @ calls.served[:, 0]) / whole if whole > 0 else 1.0
            saving = 1 - float(weight @ calls.cost[:, 0]) / float(weight @ rows.reference_cost)
        found.append(SliceFloor(name or "(none)", n, quality, None, saving, certified=False))
    return tuple(found)


def _policy(era: Era, best: Standing, route: str) -> Policy:
    steps = best.path.steps

    def at(step: int) -> Setting:
        return steps[step] if step >= 0 else ALWAYS_REFERENCE

    rest = at(best.verdict.step)
    own = [(name, at(best.verdict.of(name))) for name in best.path.names if name != REST]
    slices = tuple((name, setting) for name, setting in own if setting != rest)
    scored = any(_needs_score(setting) for setting in (rest, *(setting for _, setting in slices)))
    asks_second = any(s.second > -math.inf and s.draft < math.inf for s in (rest, *(s for _, s in slices)))
    return Policy(
        route=route,
        cheap=era.cheap,
        reference=era.reference,
        setting=rest,
        second=era.second if asks_second else None,
        slices=slices,
        scorer=best.path.scorer if scored else Raw(b"null"),
        seed=era.seed,
    )


def _needs_score(setting: Setting) -> bool:
    return any(map(math.isfinite, (setting.direct, setting.draft, setting.accept)))


def _all_cheap(policy: Policy) -> bool:
    return policy.setting == ALWAYS_CHEAP and not policy.slices


def _named(certificate: Certificate) -> Certificate:
    digest = hashlib.blake2b(encode_certificate(certificate), digest_size=6).hexdigest()
    return structs.replace(certificate, id=f"crt_{digest}")


def _future(
    standing: Standing, horizons: Sequence[int], quality: float, delta: float, rng: np.random.Generator
) -> list[float]:
    """The saving after so many further pieces, in one future: in one of the populations that today's may come from."""
    trial = standing.trial
    source = rng.integers(0, len(trial), len(trial))
    loss, _ = losses(trial, quality)
    slices = np.array(trial.slice)
    purses = {name: Martingale.from_json(bytes(wealth)) for name, wealth in standing.evidence.wealth.items()}
    savings, seen = [], 0
    for pieces in horizons:
        drawn = source[rng.integers(0, len(trial), pieces - seen)]
        seen = pieces
        for name, purse in purses.items():
            purse.update(loss[drawn][slices[drawn] == name])
        peaks = {name: purse.peak for name, purse in purses.items()}
        savings.append(settle(trial, peaks, quality=quality, delta=delta).saving)
    return savings


def _round(labels: float) -> int:
    """To two figures, upwards: a guess is not exact to the call."""
    scale: int = 10 ** max(0, math.floor(math.log10(labels)) - 1)
    return int(math.ceil(labels / scale) * scale)

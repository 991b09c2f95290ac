"""From standing evidence to a certificate: what is promised, what it is held against, and what more labels would buy.

Knows paths, cases and money per label; nothing of stores, keys or clocks. Whatever it says of the future is a guess and
says so; what it promises rests on ``standing`` alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
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
from ..stats.betting import Floats, Martingale
from .cases import Cases, halves, weights
from .certify import REST, Trial, losses, settle
from .standing import Era, Standing

METHOD = "learn-then-test along a fixed path, standing WSR betting by session, inverse-propensity weights"
DAY_US = 86_400_000_000
_DRAWS = 7
"""Futures that are drawn to guess what more labels would buy."""
_AHEAD = (50, 100, 200, 400, 800, 1600, 3200)
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
    """

    certificate: Certificate | None
    standing: Standing | None
    cases: Cases
    """Those of the certifying half that the figures are taken from."""
    baselines: tuple[Baseline, ...]
    next_labels: tuple[NextLabels, ...]
    just_switch: bool = False


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
        quality, delta: what is to be promised. days: how long, from the newest call that it rests on.
        code: version of what computed it.
    """
    now = cases.take(cases.at_us >= era.since_us)
    train, certify = halves(now, era.seed)
    null = baselines(certify, quality)
    best = _best(standings)
    if best is None:
        return Finding(None, None, certify, null, ())
    ahead = more(era, best, certify, quality, delta, labelling)
    serves = best.verdict.certified and best.verdict.saving > 0
    if not serves:
        return Finding(None, best, certify, null, ahead)
    certificate = _certificate(era, best, train, certify, route, quality, delta, now_us, days, code)
    certificate = structs.replace(certificate, baselines=null, next_labels=ahead)
    return Finding(_named(certificate), best, certify, null, ahead, just_switch=_all_cheap(certificate.policy))


def with_certificate(found: Finding, certificate: Certificate | None) -> Finding:
    """The same finding with its certificate signed, or without one."""
    return replace(found, certificate=certificate, just_switch=found.just_switch and certificate is not None)


def baselines(cases: Cases, quality: float) -> tuple[Baseline, ...]:
    """What trivial policies would have done with the same calls; none where there are no calls.

    ``always-small`` · ``best single``: the cheapest single model that keeps ``quality``, as far as these calls tell ·
    ``random mix``: as much of the small model, by lot, as keeps it · ``oracle``: the calls on which it costs least, known
    beforehand.
    """
    weight = weights(cases, ())
    whole, full = float(weight @ cases.reference), float(weight @ cases.reference_cost)
    if not len(cases) or whole <= 0 or not full > 0:
        return ()
    small = float(weight @ cases.cheap) / whole
    saving = 1 - float(weight @ cases.cheap_cost) / full
    keeps = small >= quality
    share = 1.0 if keeps else (1 - quality) / (1 - small)
    lost, spared = weight * (cases.reference - cases.cheap), weight * (cases.reference_cost - cases.cheap_cost)
    kept, won = _oracle(lost / whole, spared / full, 1 - quality)
    return (
        Baseline("always-small", small, saving),
        Baseline("best single", small if keeps and saving > 0 else 1.0, saving if keeps and saving > 0 else 0.0),
        Baseline("random mix", 1 - share * (1 - small), share * saving),
        Baseline("oracle", 1 - kept, won),
    )


def more(
    era: Era, standing: Standing, certify: Cases, quality: float, delta: float, labelling: Labelling
) -> tuple[NextLabels, ...]:
    """What further labels would buy if calls went on as they do: today's evidence, continued with calls drawn from today's.

    The path stays as it is; a better one, learned from more, is not foreseen.
    """
    trial, evidence = standing.trial, standing.evidence
    if not len(trial):
        return ()
    loss, _ = losses(trial, quality)
    assert trial.slice is not None
    slices = np.array(trial.slice)
    rng = np.random.default_rng(era.seed)
    per_piece = 2 * len(certify) / len(trial)  # the other half of the labels is for training
    sure = standing.verdict.saving if standing.verdict.certified else 0.0
    found: list[NextLabels] = []
    for pieces in _AHEAD:
        if pieces > 8 * max(len(trial), 100):
            break
        saving = _future(standing, trial, loss, slices, pieces, quality, delta * evidence.level, rng)
        if saving < sure + _WORTH or (found and saving < found[-1].saving + _WORTH):
            continue
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
    floors = [(s.name or "(none)", s) for s in verdict.slices]
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
        slices=tuple(SliceFloor(name, s.n, s.quality, s.floor, s.saving, s.certified) for name, s in floors)
        if len(floors) > 1
        else (),
    )


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


def _oracle(lost: Floats, spared: Floats, allowed: float) -> tuple[float, float]:
    """What is lost and spared by a choice that knows both beforehand: the most saving for the loss that is allowed."""
    free = (lost <= 0) & (spared > 0)
    budget = allowed - float(lost[free].sum())
    won = float(spared[free].sum())
    dear = np.flatnonzero((lost > 0) & (spared > 0))
    order = dear[np.argsort(-spared[dear] / lost[dear])]
    taken = np.cumsum(lost[order]) <= budget + 1e-12
    return float(lost[free].sum() + lost[order][taken].sum()), won + float(spared[order][taken].sum())


def _future(
    standing: Standing,
    trial: Trial,
    loss: Floats,
    slices: npt.NDArray[np.str_],
    pieces: int,
    quality: float,
    delta: float,
    rng: np.random.Generator,
) -> float:
    """The median saving of some futures."""
    savings = []
    for _ in range(_DRAWS):
        drawn = rng.integers(0, len(trial), pieces)
        peaks = {}
        for name, wealth in standing.evidence.wealth.items():
            peaks[name] = Martingale.from_json(bytes(wealth)).update(loss[drawn][slices[drawn] == name]).peak
        savings.append(settle(trial, peaks, quality=quality, delta=delta).saving)
    return float(np.median(savings))


def _round(labels: float) -> int:
    """To two figures, upwards: a guess is not exact to the call."""
    scale: int = 10 ** max(0, math.floor(math.log10(labels)) - 1)
    return int(math.ceil(labels / scale) * scale)

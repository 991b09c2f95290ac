"""`certify --outcomes FILE`: what a file of scores proves, in words and as JSON. Needs no gateway and no ledger."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import ConfigError
from .ground import say, say_json, table

if TYPE_CHECKING:
    from ..lab.offline import Found

FEWEST = 20
WORTH = 0.01
"""Less than a point of saving is not worth telling."""


def certify_file(
    file: Path,
    *,
    quality: float,
    delta: float,
    prices: str | None,
    seed: int,
    holdout: Path | None,
    as_json: bool,
) -> None:
    """Say what ``file`` proves; ends with status 1 where nothing is certified. Raises ConfigError."""
    from ..lab.offline import certify_rows
    from ..lab.outcome_file import PRICES, parse_prices, read_outcomes

    given = None if prices is None else parse_prices(prices)
    rows = read_outcomes(file, given)
    unseen = None if holdout is None else read_outcomes(holdout, given)
    if len(rows) < FEWEST:
        raise ConfigError(
            f"{file}: {len(rows)} rows are too few to learn and certify on; {FEWEST} are the least, hundreds are useful"
        )
    found = certify_rows(rows, quality=quality, delta=delta, seed=seed)
    fresh = None if unseen is None else found.served(unseen)
    if as_json:
        say_json(as_object(found, fresh))
    else:
        _say(found, fresh, len(unseen) if unseen is not None else 0)
        if given is None and not rows.priced:
            say(
                f"costs: characters / 4 x ${PRICES['cheap']:g} and ${PRICES['reference']:g} per million tokens; else --prices"
            )
    if not found.certified:
        click.get_current_context().exit(1)


def as_object(found: Found, fresh: tuple[float, float] | None) -> dict[str, Any]:
    """The stable, documented object of ``certify --outcomes --json``."""
    told: dict[str, Any] = {
        "certified": found.certified,
        "threshold": found.threshold,
        "saving": round(found.saving, 6),
        "saving_interval": [round(found.saving_low, 6), round(found.saving_high, 6)],
        "quality": round(found.quality, 6),
        "floor": round(found.floor, 6),
        "wanted": found.wanted,
        "delta": found.delta,
        "n_train": found.n_train,
        "n_certify": found.n_certify,
        "just_switch": found.just_switch,
        "baselines": {
            b.name.replace("-", "_").replace(" ", "_"): {"quality": round(b.quality, 6), "saving": round(b.saving, 6)}
            for b in found.baselines
        },
        "slices": [
            {
                "name": s.name,
                "n": s.n,
                "certified": s.certified,
                "threshold": s.threshold,
                "quality": round(s.quality, 6),
                "floor": None if s.floor is None else round(s.floor, 6),
                "saving": round(s.saving, 6),
            }
            for s in found.slices
        ],
        "next_labels": [
            {"labels": labels, "saving": round(max(saving, found.saving), 4)} for labels, saving in found.next_labels
        ],
    }
    if fresh is not None:
        told["holdout"] = {"quality": round(fresh[0], 6), "saving": round(fresh[1], 6)}
    return told


def _say(found: Found, fresh: tuple[float, float] | None, n_fresh: int) -> None:
    sure = f"{100 * (1 - found.delta):g} % confidence"
    if found.just_switch:
        say("Just switch: the small model alone keeps the promise.")
    if found.certified:
        say(
            f"Certified: quality is at least {_percent(found.floor)} of always asking the reference, with {sure} "
            f"(estimate {_percent(found.quality)}, tested on {found.n_certify:,} calls that nothing was learned from)."
        )
        low, high = _percent(found.saving_low), _percent(found.saving_high)
        say(f"It saves about {_percent(found.saving)} of the cost [{low}, {high}].")
        if found.threshold:
            say(
                "Prompts near the threshold are shared between the two models by chance: so few labels cannot rank them."
            )
    else:
        say(
            f"Nothing certified: {found.n_certify:,} calls do not show, with {sure}, that any share of them may be answered by "
            f"the small model at {_percent(found.wanted)} of the reference's quality. The reference answers every call."
        )
    if fresh is not None:
        say(f"On {n_fresh:,} rows never seen: quality {_percent(fresh[0])}, saving {_percent(fresh[1])}.")
    say()
    mine = [["this policy", _percent(found.quality), _percent(found.saving)]]
    rows = [[b.name, _percent(b.quality), _percent(b.saving)] for b in found.baselines]
    table(("policy", "quality", "saves"), mine + rows, right=("quality", "saves"))
    if len(found.slices) > 1:
        say()
        table(
            ("slice", "calls", "floor", "saves"),
            [
                [
                    s.name or "(the rest)",
                    f"{s.n:,}",
                    _percent(s.floor) if s.certified and s.floor is not None else "reference",
                    _percent(s.saving),
                ]
                for s in found.slices
            ],
            right=("calls", "floor", "saves"),
        )
    say()
    worth = [(labels, saving) for labels, saving in found.next_labels if saving > found.saving + WORTH]
    for labels, saving in worth:
        say(f"{labels:,} more labels: about {_percent(saving)} saved")
    if found.next_labels and not worth:
        say("More labels of this kind would buy hardly more.")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

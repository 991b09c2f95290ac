"""Whether a kept answer may be served in a model's place: closed until its errors are bounded, and closed again by itself.

Knows chances and verdicts; knows no texts. One gate for one tenant on one route: nobody's evidence opens another's.
"""

from __future__ import annotations

from collections import deque
from math import log, sqrt
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

Move = Literal["serve", "check", "ask"]
"""serve: a hit · check: would have been a hit; the model is asked and a verdict taken · ask: no hit."""

RECENT: Final = 600
"""Candidates from whose chances the threshold is set."""
SETTLING: Final = 25
"""Candidates between two settings of the threshold."""
AHEAD: Final = 100
"""Hits for which the threshold plans."""
LEAST_CHECKED: Final = 0.01
MOST_CHECKED: Final = 0.5


class GateSettings(Struct, frozen=True):
    """What is promised, and how hard it is looked after."""

    max_error: float = 0.02
    """Errors among hits."""
    delta: float = 0.05
    """1 - confidence of the bound that opens the gate."""
    check_share: float = 0.04
    """Share of would-be hits that are checked once it is open; more of the doubtful ones, fewer of the sure."""
    doubt: float = 0.05
    """Chance that more than ``max_error`` of the hits given so far are wrong, while they are few."""
    reach: float = 0.85
    """Of ``max_error``: what the hits' mean chance to be wrong is steered to."""


class Verdicts(Struct):
    """What a gate has seen."""

    hits: int = 0
    checks: int = 0
    wrong: int = 0
    flagged: int = 0
    closings: int = 0


class Choice(Struct, frozen=True):
    """What to do with one candidate, and why."""

    move: Move
    chance: float
    threshold: float
    propensity: float = 1.0
    """Probability with which it was to be checked rather than served."""
    counted: bool = False
    """A would-be hit: its verdict counts for the bound."""
    open: bool = False


class Gate:
    """See the module. ``choose`` for each candidate, then ``judged`` once its verdict is there."""

    def __init__(self, settings: GateSettings, state: bytes | None = None) -> None:
        from ..score.verifier import Verifier, VerifierState  # noqa: PLC0415 - numpy, and only where it is used
        from ..stats.hits import BoundState, HitBound, HitWatch, ServedErrors  # noqa: PLC0415

        kept: Any = None
        if state is not None:
            try:
                kept = msgspec.msgpack.decode(state)
            except msgspec.DecodeError:
                kept = None
            if kept is not None and kept.get("max_error") != settings.max_error:
                kept = {"verifier": kept["verifier"]}  # what was proven was another promise
        kept = kept or {}
        self.settings = settings
        self.verifier = Verifier(_as(kept.get("verifier"), VerifierState))
        self.bound = HitBound(settings.max_error, settings.delta, _as(kept.get("bound"), BoundState))
        self.watch = HitWatch(logs=kept.get("watch"))
        self.seen: Verdicts = _as(kept.get("seen"), Verdicts) or Verdicts()
        self.served = ServedErrors(LEAST_CHECKED, settings.delta, kept.get("served"), self.seen.hits)
        self._risk: float = kept.get("risk", 0.0)
        self._expected: float = kept.get("expected", 0.0)
        self._observed: float = kept.get("observed", 0.0)
        self._recent: deque[float] = deque(kept.get("recent", ()), maxlen=RECENT)
        self._since = 0
        self.threshold: float = kept.get("threshold", 0.0)
        self._typical: float = max(settings.max_error / 3, 1e-4)
        self.why_closed: str = kept.get("why_closed", "no evidence yet")

    @property
    def open(self) -> bool:
        return self.bound.certified

    def choose(self, chance: float, draw: float) -> Choice:
        """What to do with a candidate that is wrong with this chance. ``draw`` is uniform in [0, 1)."""
        self._recent.append(chance)
        self._since += 1
        if self._since >= SETTLING:
            self._settle()
        if chance > self.threshold:
            return Choice("ask", chance, self.threshold)
        if not self.open:
            return Choice("check", chance, self.threshold, counted=True)
        risk = chance * self._truth()
        if not self._affords(risk):
            return Choice("ask", chance, self.threshold, open=True)
        propensity = self._propensity(chance)
        if draw < propensity:
            return Choice("check", chance, self.threshold, propensity, counted=True, open=True)
        self._risk += risk
        self.seen.hits += 1
        self._count(None, propensity)
        return Choice("serve", chance, self.threshold, propensity, counted=True, open=True)

    def judged(self, choice: Choice, marks: NDArray[Any], *, wrong: bool) -> None:
        """The verdict on a candidate that was not served."""
        self.verifier.learn(marks, wrong=wrong)
        if not choice.counted:
            return
        self.seen.checks += 1
        self.seen.wrong += wrong
        fade = 1 - 1 / 400
        self._expected = fade * self._expected + choice.chance
        self._observed = fade * self._observed + wrong
        self._count(wrong, choice.propensity)
        if choice.open:
            self._look_out(wrong=wrong, chance=choice.chance)

    def flagged(self, choice: Choice, marks: NDArray[Any]) -> None:
        """Somebody said that a hit was wrong: an error in full, whatever was drawn."""
        self.seen.flagged += 1
        self.verifier.learn(marks, wrong=True)
        self._observed += 1
        self._count(True, 1.0)
        self._look_out(wrong=True, chance=choice.chance)

    def _count(self, wrong: bool | None, propensity: float) -> None:
        was = self.open
        self.bound.add(wrong, propensity, LEAST_CHECKED if propensity < 1 else 1.0)
        if propensity < 1:
            self.served.add(wrong, propensity)
        if was and not self.open:
            self.seen.closings += 1
            self.why_closed = "a check took away what proved the bound"
            self._settle()

    def _look_out(self, *, wrong: bool, chance: float) -> None:
        supposed = max(chance * self._truth(), self.settings.max_error / 2) / self.settings.reach
        if self.watch.add(wrong=wrong, supposed=min(supposed, 0.5)):
            self._close("checks came out worse than was promised")

    def _close(self, why: str) -> None:
        """All evidence is gathered anew."""
        from ..stats.hits import HitBound, HitWatch  # noqa: PLC0415

        self.seen.closings += 1
        self.why_closed = why
        self.bound = HitBound(self.settings.max_error, self.settings.delta)
        self.watch = HitWatch()
        self._recent.clear()
        self._settle()

    def _settle(self) -> None:
        """The threshold: while closed, the one that would be proven soonest; when open, the widest that keeps the promise."""
        import numpy as np  # noqa: PLC0415

        from ..stats.hits import soonest, widest  # noqa: PLC0415

        self._since = 0
        chances = np.array(self._recent)
        if not len(chances):
            self.threshold = 0.0
            return
        aim = self.settings.max_error
        self.threshold = widest(chances, self._aim() / self._truth()) if self.open else soonest(chances, aim)
        inside = chances[chances <= self.threshold]
        if len(inside):
            self._typical = max(float(np.sqrt(inside).mean()) ** 2, 1e-4)

    def _aim(self) -> float:
        """The mean chance to be wrong of the next hits: what the promise leaves over for them."""
        from ..stats.hits import allowance  # noqa: PLC0415

        left = allowance(self.seen.hits + AHEAD, self.settings.max_error, self.settings.doubt) - self._risk
        return min(self.settings.reach * self.settings.max_error, max(0.0, left / AHEAD))

    def _affords(self, risk: float) -> bool:
        """Whether so much risk may be added to that of the hits given so far. What is far below the promise always may."""
        from ..stats.hits import allowance  # noqa: PLC0415

        if risk <= self.settings.max_error / 2:
            return True
        return self._risk + risk <= allowance(self.seen.hits + 1, self.settings.max_error, self.settings.doubt)

    def _truth(self) -> float:
        """By which factor the chances of would-be hits were lately off, as checks showed."""
        return min(4.0, max(1.0, (self._observed + 4.0) / (self._expected + 4.0)))

    def _propensity(self, chance: float) -> float:
        """Weighted sampling: in proportion to the root of the chance, which finds errors with the fewest checks. Where the
        watch has seen errors lately, it looks more closely."""
        suspicion = 1 + 8 * max(0.0, self.watch.level() / log(self.watch.patience))
        wanted = suspicion * self.settings.check_share * sqrt(chance / self._typical)
        return min(MOST_CHECKED, max(LEAST_CHECKED, wanted))

    def summary(self) -> dict[str, Any]:
        """The state of the promise, in short."""
        return {
            "open": self.open,
            "why_closed": None if self.open else self.why_closed,
            "max_error": self.settings.max_error,
            "confidence": 1 - self.settings.delta,
            "checks": self.seen.checks,
            "wrong_in_checks": self.seen.wrong,
        }

    def facts(self) -> dict[str, Any]:
        """For pages: the state of the promise, and all that was seen."""
        return self.summary() | {
            "error_at_most": self.bound.upper(),
            "evidence": round(min(1.0, max(0.0, self.bound.capital()) / -log(self.settings.delta)), 3),
            "threshold": round(self.threshold, 5),
            "hits": self.seen.hits,
            "flagged": self.seen.flagged,
            "closings": self.seen.closings,
            "served_wrong_at_most": round(self.served.at_most(), 1),
            "verdicts": self.verifier.rows,
        }

    def dump(self) -> bytes:
        """All that is to survive a restart."""
        return msgspec.msgpack.encode(
            {
                "max_error": self.settings.max_error,
                "verifier": self.verifier.state(),
                "bound": self.bound.state(),
                "watch": self.watch.state(),
                "served": self.served.state(),
                "seen": self.seen,
                "risk": self._risk,
                "expected": self._expected,
                "observed": self._observed,
                "recent": list(self._recent),
                "threshold": self.threshold,
                "why_closed": self.why_closed,
            }
        )


def _as(raw: Any, kind: Any) -> Any:
    return None if raw is None else msgspec.convert(raw, kind)

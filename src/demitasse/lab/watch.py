"""One certificate under watch: what each label says of its promise, and of what it was proven on. Knows labels; no store.

Plain Python, since it runs in the gateway. A label counts for the certificate that its call was served under; a call counts
once, with the first verdict that anybody gives. Within a session calls weigh less, because they say the same.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..core.errors import ConfigError
from ..core.evidence import Answered, Label
from ..core.policy import Certificate, CertificateState
from ..score.draft import MARKS
from ..score.scorer import Scorer, alone, load
from ..stats.drift import FEWEST, Drifts, Ground, same_ground
from ..stats.eprocess import Watch

ROUTE = ""
"""Name of the watch over all calls; others are slices with a floor of their own."""
LAST, FOREIGN = 25, 5
"""So many of the last labels may come with another system prompt."""
VERDICTS, UNJUDGED = 40, 0.5
"""More of the last verdicts than this share may not be missing, unless they were missing before."""
DRIFT_DELTA = 0.01
_MOST_SEEN = 20_000
_NO_MARKS = (0.0,) * len(MARKS)
_PAST = 200
_BLOCK = 32


class Fallen(NamedTuple):
    """What becomes of a certificate, and why."""

    state: CertificateState
    why: str


class Watched:
    """Args:
    certificate: in force.
    before: labels of the window that it was proven on: how scores and verdicts should be.
    """

    def __init__(self, certificate: Certificate, before: Iterable[Label]) -> None:
        window = [label for label in before if label.source == "shadow" and label.features]
        self.certificate = certificate
        self.fallen: Fallen | None = None
        """What became of it; None: it stands."""
        floors = [(s.name, s.floor) for s in certificate.slices if s.certified and s.floor is not None]
        names = [(ROUTE, certificate.quality), *floors]
        unit = _usual(window)
        self.watches = {name: Watch(floor, certificate.delta / len(names), unit=unit) for name, floor in names}
        self._models = Ground(certificate.models)
        self._least: deque[float] = deque([label.propensity for label in window[-_PAST:]], _PAST)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._foreign: deque[bool] = deque(maxlen=LAST)
        self._unjudged: deque[bool] = deque(maxlen=VERDICTS)
        judged = [self._cheap(label) for label in window]
        missing = sum(a is None or a.score is None for a in judged) / len(window) if window else 0.0
        self._may_miss = max(UNJUDGED, min(1.0, 2 * missing))
        self._scorer, self._drifts = self._spread(window, unit)

    @property
    def n(self) -> int:
        """Calls whose answers were held against the promise."""
        return self.watches[ROUTE].n

    def saw(self, label: Label) -> Fallen | None:
        """One label in the order in which they came; what it makes of the certificate, if anything."""
        if self.fallen is None and label.certificate == self.certificate.id and label.source in ("shadow", "vote"):
            self.fallen = self._changed(label) or self._broken(label)
        return self.fallen

    def _changed(self, label: Label) -> Fallen | None:
        """Whether what it was proven on has changed."""
        answers = [answer for answer in (label.reference, *label.others) if answer is not None]
        other = same_ground(self._models, Ground(tuple((answer.model, answer.version) for answer in answers)))
        if other is not None:
            return Fallen("suspended", other)
        if label.source != "shadow":
            return None
        if self.certificate.prompt_hash:
            self._foreign.append(label.prompt_hash != self.certificate.prompt_hash)
            if sum(self._foreign) >= FOREIGN:
                return Fallen("suspended", "its calls come with another system prompt now")
        if self._drifts is not None and label.features:
            moved = self._drifts.saw(self._scores(label), label.session)
            if moved is not None:
                return Fallen("suspended", f"{moved} come otherwise than those that it was proven on")
        return None

    def _broken(self, label: Label) -> Fallen | None:
        """Whether quality has fallen below the promise."""
        if label.id in self._seen or label.reference is None:
            return None
        served = label.reference if label.served == label.reference.model else _of(label, label.served)
        if served is None:
            return None
        if label.source == "shadow" and label.served != label.reference.model:
            self._unjudged.append(served.score is None)
            if len(self._unjudged) == VERDICTS and sum(self._unjudged) > self._may_miss * VERDICTS:
                missing = sum(self._unjudged)
                return Fallen(
                    "suspended", f"{missing} of the last {VERDICTS} verdicts on it are missing; is the judge down?"
                )
        if served.score is None:
            return None
        self._seen[label.id] = None
        if len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)
        weight = min(1.0, min(self._least, default=label.propensity) / label.propensity)
        self._least.append(label.propensity)
        reference = 1.0 if label.reference.score is None else label.reference.score
        for name in (ROUTE, label.slice) if label.slice else (ROUTE,):
            watch = self.watches.get(name)
            if watch is not None and watch.saw(reference, served.score, weight, label.session):
                return Fallen("revoked", _told(name, watch))
        return None

    def _cheap(self, label: Label) -> Answered | None:
        return _of(label, self.certificate.policy.cheap)

    def _scores(self, label: Label) -> dict[str, float]:
        """What the policy's scorer says of the prompt, and of the small model's answer."""
        assert self._scorer is not None
        cheap = self._cheap(label)
        marks = cheap.marks if cheap is not None and cheap.marks else _NO_MARKS
        return {
            "scores of prompts": self._scorer.prompt_score(label.features, label.slice),
            f"scores of answers of '{self.certificate.policy.cheap}'": self._scorer.draft_score(
                label.features, alone(marks), label.slice
            ),
        }

    def _spread(self, window: Sequence[Label], unit: int) -> tuple[Scorer | None, Drifts | None]:
        if bytes(self.certificate.policy.scorer) == b"null" or len(window) < FEWEST:
            return None, None
        try:
            self._scorer = load(self.certificate.policy.scorer)
            scores = [self._scores(label) for label in window]
        except (ConfigError, ValueError):  # learned by another version: the pilot says so, and serves nothing with it
            return None, None
        before = {name: [score[name] for score in scores] for name in scores[0]}
        sessions = len({label.session or label.id for label in window})
        return self._scorer, Drifts(before, DRIFT_DELTA, unit=unit, sessions=sessions)


def _of(label: Label, model: str) -> Answered | None:
    return next((answer for answer in label.others if answer.model == model), None)


def _usual(window: Sequence[Label]) -> int:
    """So many labelled calls have 19 of 20 sessions at most."""
    counts = sorted(Counter(label.session or label.id for label in window).values())
    return min(_BLOCK, counts[(len(counts) * 19 + 19) // 20 - 1]) if counts else 1


def _told(name: str, watch: Watch) -> str:
    seen = watch.seen
    of = f"task '{name}'" if name else "its calls"
    share = "" if seen is None else f": {seen:.1%} of the reference's quality"
    return f"quality of {of} fell below {watch.quality:.4g}; seen in {watch.n:,} calls since it serves{share}"

"""Labels as cases: what two models did with the same calls, as arrays, ready to be learned from and tested.

People's verdicts go before a judge's. A call whose answers nobody could compare counts against the small model: leaving
it out would promise something of calls that are easy to compare, and keep silent about the rest. Knows labels and names;
knows nothing of stores, policies or what a score means.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.evidence import Answered, Label
from ..score.draft import MARKS
from ..score.scorer import alone
from ..stats.betting import Floats

Rows = npt.NDArray[np.int64]
Placed = tuple[int, Label]
"""A label with its place in the chain of events: later words have higher places."""

TRAIN_SHARE = 0.35
"""Of sessions, to learn from."""
BLOCK = 32
"""More calls of one session than this are no longer one piece of evidence: some applications give all calls one name."""
ONCE_US = 86_400_000_000
"""What a session says after it was counted counts again a day later."""


@dataclass(frozen=True)
class Cases:
    """Labelled calls of one route and one pair of models, in the order in which their labels came.

    Args:
        ids: of the calls. seq: places of their labels. at_us: when they were made.
        session: names; calls without one are their own.
        slice: the calls' tag ``task``; "" where there is none.
        propensity: (rows,) with which each call was drawn.
        features: (rows, …) of the prompts. marks: (rows, …) of the small model's answers.
        cheap, reference: (rows,) scores in 0..1.
        cheap_cost, second_cost, reference_cost: (rows,) nanos.
        judged: (rows,) whether anybody could compare the two answers.
        people: (rows,) whether a person did.
        prompt_hash: of the system prompts.
        version: the upstreams' own names of the models that answered, as pairs with ours; those that are known.
    """

    ids: tuple[str, ...]
    seq: Rows
    at_us: Rows
    session: tuple[str, ...]
    slice: tuple[str, ...]
    propensity: Floats
    features: Floats
    marks: Floats
    cheap: Floats
    reference: Floats
    cheap_cost: Floats
    second_cost: Floats
    reference_cost: Floats
    judged: npt.NDArray[np.bool_]
    people: npt.NDArray[np.bool_]
    prompt_hash: tuple[str, ...]
    version: tuple[frozenset[tuple[str, str]], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Rows | npt.NDArray[np.bool_]) -> Cases:
        """Some of the rows, in this order."""
        at = np.flatnonzero(rows) if rows.dtype == bool else rows
        fields: dict[str, Any] = {
            name: tuple(kept[i] for i in at) if isinstance(kept := getattr(self, name), tuple) else kept[at]
            for name in self.__dataclass_fields__
        }
        return Cases(**fields)


@dataclass(frozen=True)
class Gathered:
    """Cases of one version of the features, and what no case was made of."""

    cases: Cases
    features: str
    """Version of the features and marks: the newest label's."""
    unanswered: int = 0
    """Calls that one of the models did not answer."""
    other_features: int = 0
    """Calls whose features mean something else."""


def gather(labels: Iterable[Placed], cheap: str, reference: str, second: str | None = None) -> Gathered:
    """The cases that labels of one route tell of.

    Args:
        labels: in any order and from any source. A vote's scores replace a judge's on the same call; an application's
            scores count where it scored both models.
        cheap, reference, second: our names of the models.
    """
    rows: list[_Row] = []
    unanswered = 0
    for call in _calls(labels):
        small, large = _answer(call.label, cheap), call.label.reference
        if small is None or large is None or large.model != reference:
            unanswered += 1
        else:
            rows.append((call, small, large, _answer(call.label, second) if second else None))
    features = rows[-1][0].label.version if rows else ""
    meant = [row for row in rows if row[0].label.version == features]
    return Gathered(_cases(meant, seconded=second is not None), features, unanswered, len(rows) - len(meant))


def for_training(session: str, seed: int) -> bool:
    """Whether a session's calls are to learn from: a coin that falls the same way for ever."""
    key = seed.to_bytes(8, "little", signed=True)
    return int.from_bytes(hashlib.blake2b(session.encode(), digest_size=4, key=key).digest()) < TRAIN_SHARE * 2**32


def parted(cases: Cases, seed: int) -> tuple[Cases, Cases]:
    """To learn from, and to count; no session is in both."""
    train = np.array([for_training(session, seed) for session in cases.session], dtype=bool)
    return cases.take(train), cases.take(~train)


def fresh(cases: Cases, counted: dict[str, int]) -> tuple[Cases, dict[str, int]]:
    """Those whose sessions may be counted now, and ``counted`` (session: when it was) as it is afterwards.

    A session's calls depend on each other. What it says while, and a day after, it was counted is passed over, so that it
    is one piece of evidence however often one looks; what is older than a day need not be remembered.
    """
    may = np.array(
        [at >= counted.get(name, -ONCE_US) + ONCE_US for name, at in zip(cases.session, cases.at_us, strict=True)], bool
    )
    taken = cases.take(may) if len(cases) else cases
    now = dict(counted)
    for name, at in zip(taken.session, taken.at_us, strict=True):
        if now.get(name, -ONCE_US) + ONCE_US <= at:
            now[name] = int(at)
    newest = int(cases.at_us.max()) if len(cases) else 0
    return taken, {name: at for name, at in now.items() if at + ONCE_US > newest}


def sizes(cases: Cases) -> int:
    """So many calls at most are counted of one session: what 19 of 20 sessions stay within, at most BLOCK."""
    if not len(cases):
        return 1
    counts = np.array(list(Counter(cases.session).values()))
    return int(min(BLOCK, max(1.0, np.quantile(counts, 0.95, method="higher"))))


def units(cases: Cases, names: Sequence[str], cap: int) -> tuple[Rows, int]:
    """(rows,) the piece of evidence that each call belongs to, numbered in order, and how many there are.

    A piece is a session's calls of one of the slices ``names`` (all others are one), in blocks of at most ``cap``.
    """
    own = set(names)
    seen: dict[tuple[str, str], int] = defaultdict(int)
    numbers: dict[tuple[str, str, int], int] = {}
    found = np.empty(len(cases), dtype=np.int64)
    for i, (session, slice) in enumerate(zip(cases.session, cases.slice, strict=True)):
        key = (session, slice if slice in own else "")
        block = seen[key] // cap
        seen[key] += 1
        found[i] = numbers.setdefault((*key, block), len(numbers))
    return found, len(numbers)


def weights(cases: Cases, before: Sequence[float], window: int = 200) -> Floats:
    """(rows,) inverse propensities in 0..1, relative to the smallest among the calls just before.

    What they are relative to may change from call to call, as long as it is known before the call's verdict: the sign of
    the mean loss, which is all that a bet is about, stays. So a change of the rate at which shadows are drawn costs
    nothing for long.

    Args:
        before: propensities of what was counted (or trained on) before, oldest first.
    """
    past = list(before)[-window:]
    found = np.empty(len(cases))
    for i, p in enumerate(cases.propensity):
        least = min(past) if past else float(p)
        found[i] = min(1.0, least / p)
        past.append(float(p))
        if len(past) > window:
            past.pop(0)
    return found


# ── from labels to rows ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Call:
    """All that was said of one call."""

    seq: int
    label: Label
    """The one that knows the prompt's features; its scores may be replaced by a person's."""
    people: bool = False


_Row = tuple[_Call, Answered, Answered, Answered | None]
"""A call with what the small model, the reference and, where there is one, the second small model said."""
_NO_MARKS = (0.0,) * len(MARKS)
"""Of a draft of which nothing is known; not even that it is sound."""
_WEIGHT = {"feedback": 0, "shadow": 1, "vote": 2}


def _calls(labels: Iterable[Placed]) -> list[_Call]:
    of: dict[str, list[Placed]] = defaultdict(list)
    for seq, label in labels:
        if label.source in _WEIGHT:
            of[label.id].append((seq, label))
    found = []
    for said in of.values():
        said.sort(key=lambda placed: (_WEIGHT[placed[1].source], placed[0]))
        knowing = [placed for placed in said if placed[1].features and placed[1].reference is not None]
        if not knowing:
            continue
        seq, label = knowing[0]
        call = _Call(seq, label)
        for _, other in said:
            _hear(call, other)
        found.append(call)
    return sorted(found, key=lambda call: call.seq)


def _hear(call: _Call, said: Label) -> None:
    """Take up the scores of another word on the same call."""
    if said is call.label or said.reference is None or said.reference.score is None:
        return
    scores = {a.model: a.score for a in said.others if a.score is not None}
    if not scores:
        return
    label = call.label
    assert label.reference is not None
    call.label = _with(label, said.reference.score, scores)
    call.people = call.people or said.source == "vote"


def _with(label: Label, reference: float, scores: dict[str, float]) -> Label:
    from msgspec.structs import replace  # noqa: PLC0415 - next to its only use

    assert label.reference is not None
    others = tuple(replace(a, score=scores.get(a.model, a.score)) for a in label.others)
    return replace(label, reference=replace(label.reference, score=reference), others=others)


def _answer(label: Label, model: str) -> Answered | None:
    return next((a for a in label.others if a.model == model), None)


def _cases(rows: Sequence[_Row], *, seconded: bool) -> Cases:
    labels = [call.label for call, *_ in rows]
    small, large = [row[1] for row in rows], [row[2] for row in rows]
    return Cases(
        ids=tuple(label.id for label in labels),
        seq=np.array([call.seq for call, *_ in rows], dtype=np.int64),
        at_us=np.array([label.at_us for label in labels], dtype=np.int64),
        session=tuple(label.session or label.id for label in labels),
        slice=tuple(label.slice for label in labels),
        propensity=np.array([label.propensity for label in labels], dtype=np.float64),
        features=_matrix([label.features for label in labels]),
        # A second answer that nobody would ask for now has nothing to say of a draft.
        marks=_matrix([(a.marks if seconded else alone(a.marks)) if a.marks else _NO_MARKS for a in small]),
        cheap=np.array([a.score or 0.0 for a in small], dtype=np.float64),
        reference=np.array([1.0 if a.score is None else a.score for a in large], dtype=np.float64),
        cheap_cost=_costs(small),
        second_cost=_costs([row[3] for row in rows]),
        reference_cost=_costs(large),
        judged=np.array([a.score is not None for a in small], dtype=bool),
        people=np.array([call.people for call, *_ in rows], dtype=bool),
        prompt_hash=tuple(label.prompt_hash for label in labels),
        version=tuple(frozenset((a.model, a.version) for a in row[1:] if a is not None and a.version) for row in rows),
    )


def _matrix(rows: Sequence[tuple[float, ...]]) -> Floats:
    return np.array(rows, dtype=np.float64) if rows else np.zeros((0, 0))


def _costs(answers: Sequence[Answered | None]) -> Floats:
    """Nanos; an answer whose cost is unknown costs what the others do on average, and nan where none is known."""
    known = [a.cost_nanos for a in answers if a is not None and a.cost_nanos is not None]
    mean = sum(known) / len(known) if known else float("nan")
    return np.array(
        [mean if a is None or a.cost_nanos is None else float(a.cost_nanos) for a in answers], dtype=np.float64
    )

"""Two answers side by side, and nobody told whose: people vote, and judges are measured against them.

What the page shows and what a vote becomes. Knows labels and kept texts; knows no request and no template.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct, structs

from ..core.errors import ConfigError
from ..core.evidence import Answered, EvidenceBooks, Label
from ..core.quiet import quiet
from ..wire.text import Said, turns
from .guard import Done

POOL = 500
"""The newest labels, from which pairs are taken."""
TRIES = 40
"""So many pairs are looked up before it is said that none is kept."""
JUDGED_EVERY, RULED_EVERY = 4, 12
"""Every so many votes a pair is one that a judge, or a rule, has decided: that is how far they agree with people."""
MOST_SKIPPED = 40
MOST_CHARS = 40_000

Choice = Literal["left", "right", "equal", "bad"]
State = Literal["open", "judged", "ruled"]
"""open: nobody decided, or a judge said one thing and then its opposite · judged: by a model · ruled: by comparison."""


class Texts(Struct, frozen=True):
    """A call's request and answer, as they were on the wire."""

    __repr__ = quiet

    request: bytes
    reply: bytes


class Ground(Struct, frozen=True):
    """What must be so that there is something to vote on."""

    draws: bool = False
    """Shadow calls are made."""
    keeps: bool = False
    """Bodies are kept."""
    ladder: bool = False
    """A route has a model below its reference."""
    judge: str = ""


class Reviews(Struct, frozen=True):
    """What the page reads and where votes go.

    Args:
        texts: a call's kept texts by its id; blocks. None: they are not kept, or not any more.
        vote: keeps a label.
    """

    evidence: EvidenceBooks | None
    texts: Callable[[str], Texts | None]
    vote: Callable[[Label], Awaitable[None]]
    ground: Callable[[], Ground]


async def _nobody(_label: Label) -> None:
    """There is no pair that anyone could vote on."""


NOTHING = Reviews(None, lambda _id: None, _nobody, Ground)


class Shown(Struct, frozen=True):
    """An answer as it is shown."""

    text: str
    calls: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


class Pair(Struct, frozen=True):
    """Two answers to one call; which is whose is not in it."""

    id: str
    number: int
    """Which of the call's pairs."""
    route: str
    prompt: tuple[Said, ...]
    left: Shown
    right: Shown


def page(reviews: Reviews, query: Mapping[str, str], *, may: bool) -> dict[str, Any]:
    """The next pair to vote on, how many wait, and how far judges and rules agree with people.

    Args:
        query: ``skip``: pairs to pass over, as ``ID.NUMBER,…``.
        may: the visitor may see texts.
    """
    evidence = reviews.evidence
    pool = evidence.latest(POOL, source="shadow") if evidence is not None else []
    votes = _voted(evidence.of([label.id for label in pool], source="vote") if evidence is not None else ())
    waiting = {state: _ordered(pool, votes, state) for state in get_args(State)}
    skipped = [place for place in query.get("skip", "").split(",") if place][-MOST_SKIPPED:]
    cast = evidence.labels(source="vote") if evidence is not None else []
    pair = None
    if may:
        pair = _first(reviews, _next(waiting, sum(map(_count, cast)), skipped), {label.id: label for label in pool})
    return {
        "pair": pair,
        "may_see": may,
        "skip": ",".join([*skipped, f"{pair.id}.{pair.number}"][-MOST_SKIPPED:]) if pair else "",
        "skipped": len(skipped),
        "waiting": {state: len(places) for state, places in waiting.items()},
        "votes": sum(map(_count, cast)),
        "agreement": _agreements(evidence, cast) if evidence is not None else [],
        "ground": reviews.ground(),
    }


async def vote(reviews: Reviews, form: Mapping[str, str], read: Callable[..., Awaitable[Any]]) -> Done:
    """``id``, ``number`` and ``choice`` (``left``, ``right``, ``equal``, ``bad``, or ``none`` to take it back).

    ``read`` runs what waits for the disk elsewhere. Raises ConfigError: the form cannot be meant so.
    """
    id, choice = form.get("id", ""), form.get("choice", "")
    evidence = reviews.evidence
    labels: list[Label] = await read(lambda: evidence.of([id])) if evidence is not None else []
    label = next((label for label in labels if label.source == "shadow"), None)
    place = form.get("number", "0")
    number = int(place) if place.isdecimal() and len(place) <= 3 else len(place)
    if label is None or label.reference is None or number >= len(label.others):
        raise ConfigError("there is no such pair any more; vote on the next one")
    if choice not in (*get_args(Choice), "none"):
        raise ConfigError(f"a vote is one of {', '.join(get_args(Choice))}, not '{choice[:40]}'")
    other = label.others[number]
    before = next((said for said in labels if said.source == "vote"), None)
    await reviews.vote(_as_vote(label, other, choice, before))
    if choice == "none":
        return Done("the vote is taken back; the pair may come again")
    left, right = (other, label.reference) if _swapped(id, other.model) else (label.reference, other)
    told = f"left was {_named(left, label)}, right was {_named(right, label)}"
    fields = {"id": id, "number": str(number), "choice": "none"}
    return Done(f"{told}. {_verdict(label, other)}", "/review/vote", fields)


def _as_vote(label: Label, other: Answered, choice: str, before: Label | None) -> Label:
    """The same call's evidence with a person's scores: those of this pair, and of its other pairs as they were.

    The reference scores 1 unless both are bad; that the other is better counts as being as good, no more.
    """
    assert label.reference is not None
    swapped = _swapped(label.id, other.model)
    reference_better = choice == ("right" if swapped else "left")
    score = None if choice == "none" else 0.0 if reference_better or choice == "bad" else 1.0
    known = {a.model: a.score for a in before.others} if before is not None else {}
    known[other.model] = score
    return structs.replace(
        label,
        source="vote",
        method="vote",
        reference=structs.replace(label.reference, score=0.0 if choice == "bad" else 1.0),
        others=tuple(structs.replace(a, score=known.get(a.model)) for a in label.others),
    )


def _next(waiting: Mapping[str, Sequence[str]], votes: int, skipped: Sequence[str]) -> list[str]:
    """Where to look for the next pair, the best place first."""
    order: list[State] = ["open", "judged", "ruled"]
    if votes % RULED_EVERY == RULED_EVERY - 1:
        order = ["ruled", "open", "judged"]
    elif votes % JUDGED_EVERY == JUDGED_EVERY - 1:
        order = ["judged", "open", "ruled"]
    passed = set(skipped)
    return [place for state in order for place in waiting[state] if place not in passed]


def _ordered(pool: Iterable[Label], votes: set[tuple[str, str]], state: State) -> list[str]:
    """Pairs in this state that nobody has voted on: the open ones newest first, the others as the dice fall."""
    found = [
        (f"{label.id}.{number}", _draw(label.id, other.model))
        for label in pool
        if label.reference is not None
        for number, other in enumerate(label.others)
        if (label.id, other.model) not in votes and _state(label, other) == state
    ]
    if state != "open":
        found.sort(key=lambda pair: pair[1])
    return [place for place, _ in found]


def _state(label: Label, other: Answered) -> State:
    if other.score is None or other.score == 0.5:
        return "open"
    return "judged" if "judge:" in label.method else "ruled"


def _first(reviews: Reviews, places: Sequence[str], pool: dict[str, Label]) -> Pair | None:
    """The first of these pairs whose texts are kept."""
    for place in places[:TRIES]:
        id, _, number = place.rpartition(".")
        pair = _pair(reviews, pool[id], int(number))
        if pair is not None:
            return pair
    return None


def _pair(reviews: Reviews, label: Label, number: int) -> Pair | None:
    other = label.others[number]
    if label.reference is None:
        return None
    asked, theirs = reviews.texts(label.reference.entry), reviews.texts(other.entry)
    if asked is None or theirs is None:
        return None
    left, right = (theirs, asked) if _swapped(label.id, other.model) else (asked, theirs)
    prompt = tuple(_prompt(asked.request))
    return Pair(label.id, number, label.route, prompt, _shown(left.reply), _shown(right.reply))


def _prompt(body: bytes) -> list[Said]:
    return [
        Said(said.role, said.text[:MOST_CHARS] or "(no text: a picture, a sound or a call of a tool)")
        for said in turns(body)
    ]


def _shown(body: bytes) -> Shown:
    from ..score.normal import Answer, answer_of  # noqa: PLC0415 - a start needs none of it

    try:
        answer = answer_of(body)
    except ValueError:
        return Shown("", notes=("this answer cannot be read",))
    notes = []
    if answer.refusal:
        notes.append(f"it refused: {answer.refusal[:2_000]}")
    if answer.finish == "length":
        notes.append("it was cut off here, at its limit")
    if answer == Answer(finish=answer.finish) and not notes:
        notes.append("it said nothing")
    return Shown(answer.text[:MOST_CHARS], answer.tool_calls, tuple(notes))


def _draw(id: str, model: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{id}\0{model}".encode(), digest_size=8).digest())


def _swapped(id: str, model: str) -> bool:
    """Whether the reference stands on the right: a coin that falls the same way each time the pair is shown."""
    return bool(_draw(id, model) & 1)


def _named(answer: Answered, label: Label) -> str:
    reference = label.reference is not None and answer.model == label.reference.model
    return f"'{answer.model}'" + (" (the reference)" if reference else "")


def _verdict(label: Label, other: Answered) -> str:
    if other.score is None:
        return "Nobody had decided."
    said = "as good" if other.score > 0.5 else "worse" if other.score < 0.5 else "undecided"
    who = (
        f"The judge '{label.method.partition('judge:')[2]}'"
        if "judge:" in label.method
        else f"The rule '{label.method}'"
    )
    return f"{who} had called the other one {said}."


def _voted(votes: Iterable[Label]) -> set[tuple[str, str]]:
    return {(label.id, answer.model) for label in votes for answer in label.others if answer.score is not None}


def _count(label: Label) -> int:
    return sum(answer.score is not None for answer in label.others)


def agreements(evidence: EvidenceBooks) -> list[dict[str, Any]]:
    """For each judge, and for the rules together, how far it agrees with people; see ``score.judge.Agreement``."""
    return _agreements(evidence, evidence.labels(source="vote"))


def _agreements(evidence: EvidenceBooks, votes: Sequence[Label]) -> list[dict[str, Any]]:
    from ..score.judge import agreement  # noqa: PLC0415 - as above

    people = {
        (label.id, answer.model): float(answer.score >= (label.reference.score or 0.0))
        for label in votes
        for answer in label.others
        if answer.score is not None and label.reference is not None
    }
    pairs: dict[str, list[tuple[float, float]]] = {}
    for label in evidence.of(sorted({id for id, _ in people}), source="shadow"):
        who = label.method if label.method.startswith("judge:") else "rules"
        for answer in label.others:
            said = people.get((label.id, answer.model))
            # Where a judge and a rule share a call's candidates, nobody knows whose word is whose.
            if said is not None and answer.score is not None and "+" not in label.method:
                pairs.setdefault(who, []).append((answer.score, said))
    return [{"who": who, **msgspec.to_builtins(agreement(said))} for who, said in sorted(pairs.items())]

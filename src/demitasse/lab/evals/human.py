"""People's scores of a run's answers: what to show whom, blind and in an order of its own, and the votes beside the run.

Votes are lines of ``votes.jsonl`` in the run's folder; a later vote of the same person on the same answer replaces an earlier
one. Whoever scores sees question and answer, never a model's name, cost or another's vote. Knows files; asks no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from ...core.errors import DemitasseError
from ...stats.intervals import wilson
from ..scorers.scorer import Score
from ..tasks.task import Sample, Task
from .result import Row

FILE = "votes.jsonl"


class VoteError(DemitasseError):
    """A vote that cannot be read or kept; the sentence says where."""


class Vote(Struct, frozen=True, omit_defaults=True):
    """What one person said of one answer."""

    item: str
    """The Item's id."""
    value: float
    """0 to 1."""
    voter: str = "me"
    note: str = ""
    at_us: int = 0


class Item(Struct, frozen=True):
    """One answer to be scored, as a person sees it."""

    id: str
    """Of sample and answer, and of nothing else: two models that say the same share it, and it tells neither."""
    question: str
    answer: str
    targets: tuple[str, ...]
    """Known right answers, to score by; may be none."""


def queue(
    task: Task, rows: Iterable[Row], votes: Iterable[Vote] = (), *, voter: str = "me", seed: int = 7
) -> list[Item]:
    """What ``voter`` has not scored yet, in an order by hash: rows of several runs come mixed, and each answer once.

    Args:
        rows: of one run, or of several one after the other.
    """
    samples = {sample.id: sample for sample in task.samples}
    done = {vote.item for vote in votes if vote.voter == voter}
    items = {
        item_of(row): Item(item_of(row), _question(task, samples[row.sample]), row.text, _targets(samples[row.sample]))
        for row in rows
        if row.sample in samples and _for_people(row.score)
    }
    found = [item for name, item in items.items() if name not in done]
    return sorted(found, key=lambda item: hashlib.sha256(f"{seed}\0{voter}\0{item.id}".encode()).digest())


def item_of(row: Row) -> str:
    """The id under which a row's answer is scored."""
    return hashlib.sha256(f"{row.sample}\0{row.text}".encode("utf-8", "replace")).hexdigest()[:16]


def scored(rows: Sequence[Row], votes: Iterable[Vote]) -> list[Row]:
    """The rows with people's scores where they gave some (the mean of their last votes); the others stay as they are."""
    said = by_item(votes)
    return [_with(row, said.get(item_of(row), {})) for row in rows]


def by_item(votes: Iterable[Vote]) -> dict[str, dict[str, Vote]]:
    """Each person's last vote on each item."""
    found: dict[str, dict[str, Vote]] = {}
    for vote in votes:
        found.setdefault(vote.item, {})[vote.voter] = vote
    return found


class Together(Struct, frozen=True):
    """How far people agree on what two of them scored."""

    items: int
    pairs: int
    share: float | None
    """Of pairs on the same side of one half."""
    interval: tuple[float, float]


def agreement(votes: Iterable[Vote]) -> Together:
    """Over all pairs of people on one item; the interval (Wilson) takes pairs as independent, which several people are not."""
    both = [list(votes_of.values()) for votes_of in by_item(votes).values() if len(votes_of) > 1]
    pairs = [(a.value > 0.5, b.value > 0.5) for said in both for i, a in enumerate(said) for b in said[i + 1 :]]
    same = sum(a == b for a, b in pairs)
    return Together(len(both), len(pairs), same / len(pairs) if pairs else None, wilson(same, len(pairs)))


def read(folder: Path) -> list[Vote]:
    """All votes beside a run, in the order given; none where there is no file. Raises VoteError with file and line."""
    file = folder / FILE
    if not file.exists():
        return []
    found = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            vote = _decode(line)
        except msgspec.DecodeError as why:
            raise VoteError(f"{file}, line {number}: {why}; mend or delete that line") from why
        found.append(_checked(vote, f"{file}, line {number}"))
    return found


def add(folder: Path, vote: Vote) -> None:
    """Keep a vote. Raises VoteError: its value lies outside of 0..1. Raises OSError."""
    line = msgspec.json.encode(_checked(vote, "this vote")) + b"\n"
    with (folder / FILE).open("ab") as file:
        file.write(line)
        file.flush()


def as_lines(items: Iterable[Item]) -> bytes:
    """Items as JSON lines, to be scored elsewhere: whoever fills in ``value`` makes a vote of each (``from_lines``)."""
    blank: Mapping[str, Any] = {"value": None, "note": ""}
    return b"".join(msgspec.json.encode({**structs.asdict(item), **blank}) + b"\n" for item in items)


def from_lines(lines: bytes, *, voter: str, at_us: int) -> list[Vote]:
    """Votes out of such lines; those without a value are passed over. Raises VoteError with the line."""
    found = []
    for number, line in enumerate(lines.splitlines(), 1):
        if not line.strip():
            continue
        try:
            told = msgspec.json.decode(line, type=_Filled)
        except msgspec.DecodeError as why:
            raise VoteError(f"line {number}: {why}; each line is an item with its value") from why
        if told.value is not None:
            found.append(_checked(Vote(told.id, told.value, voter, told.note, at_us), f"line {number}"))
    return found


class _Filled(Struct):
    id: str
    value: float | None = None
    note: str = ""


def _checked(vote: Vote, where: str) -> Vote:
    if not 0 <= vote.value <= 1:
        raise VoteError(f"{where}: a score lies in 0..1 (1 right, 0 wrong), not {vote.value:g}")
    return vote


def _with(row: Row, votes: Mapping[str, Vote]) -> Row:
    if not votes:
        return row
    mean = sum(vote.value for vote in votes.values()) / len(votes)
    notes = "; ".join(vote.note for vote in votes.values() if vote.note)
    return structs.replace(row, score=Score(mean, said=row.score.said, why=notes or f"{len(votes)} by people"))


def _for_people(score: Score) -> bool:
    """What nobody could say yet, and what people said; an answer that is not there needs no person."""
    return not score.failure


def _question(task: Task, sample: Sample) -> str:
    if isinstance(sample.input, str):
        text = task.template.replace("{input}", sample.input).replace("{choices}", "")
    else:
        text = "\n\n".join(f"{turn.role}: {turn.content}" for turn in sample.input)
    options = "\n".join(f"{chr(ord('A') + at)}. {one}" for at, one in enumerate(sample.choices))
    return f"{text.rstrip()}\n{options}" if options else text


def _targets(sample: Sample) -> tuple[str, ...]:
    return sample.target


_decode = msgspec.json.Decoder(Vote).decode

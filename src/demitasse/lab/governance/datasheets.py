"""A datasheet: what a set of data holds, where it comes from and what is wrong with it, as far as the data themselves tell. Pure.

Questions after Gebru et al., "Datasheets for Datasets" (CACM 64/12, 2021). What only people know (why it was collected, who
agreed) is a question to be answered by one: it is never made up.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...guard import personal, secrets
from ...stats.intervals import wilson
from ..optimise import licences
from ..tasks.contamination import Overlap, words
from .clean import clean_text

SAMPLE: Final = 2_000
"""Texts that are looked through for personal data, unless more are asked for."""
LONG_CHARS: Final = 20_000
"""Of a text, so much is looked through for personal data."""
MOST_LABELS: Final = 200


class Item(Struct, frozen=True):
    """One row as a datasheet sees it."""

    text: str
    target: tuple[str, ...] = ()
    slice: str = ""
    at_us: int | None = None
    fields: tuple[str, ...] = ()
    """Names of the columns that are filled."""


class Lengths(Struct, frozen=True):
    """Of texts, in one unit."""

    least: int
    median: int
    p95: int
    most: int
    total: int


class PersonalData(Struct, frozen=True):
    """What a look through a sample found: counts by type, never a value."""

    texts: int
    with_any: int
    interval: tuple[float, float]
    """Of ``with_any / texts`` (Wilson, 95 %)."""
    found: dict[str, int]
    cut: bool
    """A cap of the detectors was hit, or texts were cut: there may be more."""


class Shared(Struct, frozen=True):
    """How much of the data stands in another set, by n-grams."""

    against: str
    n: int
    samples: int
    touched: int
    mostly: int
    share: float


class Question(Struct, frozen=True):
    """Something that only people know. ``answer`` empty: nobody has answered it."""

    id: str
    section: str
    asks: str
    answer: str = ""


QUESTIONS: Final = (
    Question("why", "Motivation", "For what purpose were the data collected, and by whom?"),
    Question("paid", "Motivation", "Who paid for it?"),
    Question("people", "Composition", "Do the data relate to people, and which groups can be told apart in them?"),
    Question("missing", "Composition", "What is missing from them that somebody would expect?"),
    Question("how", "Collection", "How were they collected, over what time, and by which means?"),
    Question("consent", "Collection", "Did the people concerned know and agree, and can they take it back?"),
    Question("labelled", "Collection", "Who labelled them, under what instructions, and how far did labellers agree?"),
    Question("use", "Use", "For what should they be used, and for what should they not?"),
    Question("keeper", "Maintenance", "Who answers for them, and how are errors reported?"),
    Question("until", "Maintenance", "Until when are they kept, and who deletes them?"),
)


class Datasheet(Struct, frozen=True):
    """All that the data tell, and the questions that they don't."""

    name: str
    made: str
    kind: str
    """What it is here: ``task``, ``traffic``, ``recording`` or ``rows``."""
    rows: int
    fields: dict[str, int]
    """Columns, with the rows that fill them."""
    labels: dict[str, int]
    """Right answers with their counts, the most first; empty where they are free text."""
    distinct_targets: int
    without_target: int
    characters: Lengths
    words: Lengths
    scripts: dict[str, float]
    """Shares of letters by script; languages are for people to say."""
    slices: dict[str, int]
    since: str | None
    until: str | None
    source: str
    licence: str
    licence_says: str
    licence_source: str
    split: str
    fetched: str
    sha256: str
    """Of the file; empty: there is no one file."""
    task_hash: str
    """Of what is asked and how it is scored; empty: it is no task."""
    personal: PersonalData
    duplicates: int
    """Rows whose text (lower case, without punctuation) stands in an earlier row."""
    contradictions: int
    """Rows whose text stands in an earlier row with another right answer."""
    empty: int
    contamination: tuple[Shared, ...]
    questions: tuple[Question, ...]

    @property
    def issues(self) -> tuple[str, ...]:
        """What is known to be wrong, in words."""
        found = []
        if self.licence in ("", "not stated"):
            found.append("Nobody states a licence.")
        if self.duplicates:
            found.append(f"{self.duplicates:,} of {self.rows:,} rows repeat the text of another.")
        if self.contradictions:
            found.append(
                f"{self.contradictions:,} rows have another right answer than an earlier row with the same text."
            )
        if self.empty:
            found.append(f"{self.empty:,} rows have no text.")
        if self.personal.with_any:
            told = ", ".join(f"{name} {n:,}" for name, n in self.personal.found.items())
            of = f"{self.personal.with_any:,} of {self.personal.texts:,}"
            found.append(f"Personal data or secrets stand in {of} texts looked at: {told}.")
        found += [
            f"{one.share:.1%} of its samples share a passage of {one.n} words with {one.against}."
            for one in self.contamination
            if one.touched
        ]
        if self.labels and self.rows and max(self.labels.values()) / self.rows > 0.8:
            found.append("One label makes up more than four fifths of the rows.")
        return tuple(found)


def datasheet(
    name: str,
    items: Sequence[Item],
    *,
    made: str,
    kind: str,
    source: str = "",
    licence: str = "",
    split: str = "",
    fetched: str = "",
    sha256: str = "",
    task_hash: str = "",
    closed: bool = False,
    moments: Sequence[str] = (),
    overlaps: Mapping[str, Overlap] | None = None,
    answers: Mapping[str, str] | None = None,
    sample: int = SAMPLE,
    seed: int = 7,
) -> Datasheet:
    """Look through the rows.

    Args:
        closed: right answers are labels of a closed set, and worth counting.
        moments: ISO dates of the first and the last row, where rows bear any.
        overlaps: what other sets share with it, by their names.
        answers: to ``QUESTIONS``, by id, in people's own words.
        sample: so many texts are looked through for personal data, drawn by the hash of ``seed`` and text.
    """
    targets = Counter(target for item in items for target in item.target[:1])
    seen: dict[str, tuple[str, ...]] = {}
    duplicates = contradictions = empty = 0
    for item in items:
        mark = " ".join(words(item.text))
        if not mark:
            empty += 1
        elif mark in seen:
            duplicates += 1
            contradictions += bool(item.target and seen[mark] and set(item.target) != set(seen[mark]))
        else:
            seen[mark] = item.target
    labels = (
        {clean_text(name): n for name, n in targets.most_common(MOST_LABELS)}
        if closed or len(targets) <= min(20, len(items) // 5)
        else {}
    )
    stated = licence.strip() or "not stated"
    verdict = licences.licence(stated, of="the data")
    return Datasheet(
        name=name,
        made=made,
        kind=kind,
        rows=len(items),
        fields=dict(Counter(field for item in items for field in item.fields).most_common()),
        labels=labels,
        distinct_targets=len(targets),
        without_target=sum(not item.target for item in items),
        characters=_lengths([len(item.text) for item in items]),
        words=_lengths([len(item.text.split()) for item in items]),
        scripts=_scripts(items),
        slices=dict(Counter(item.slice for item in items if item.slice).most_common(MOST_LABELS)),
        since=moments[0] if moments else None,
        until=moments[-1] if moments else None,
        source=source,
        licence=stated,
        licence_says=verdict.why,
        licence_source=verdict.source,
        split=split,
        fetched=fetched,
        sha256=sha256,
        task_hash=task_hash,
        personal=_personal(items, sample, seed),
        duplicates=duplicates,
        contradictions=contradictions,
        empty=empty,
        contamination=tuple(
            Shared(other, found.n, found.samples, found.touched, found.mostly, found.share)
            for other, found in (overlaps or {}).items()
        ),
        questions=tuple(
            msgspec.structs.replace(one, answer=(answers or {}).get(one.id, "").strip()) for one in QUESTIONS
        ),
    )


def as_json(sheet: Datasheet) -> dict[str, Any]:
    """The object of ``datasheet --json``; null is unknown, never zero."""
    told: dict[str, Any] = msgspec.to_builtins(sheet)
    return told | {"issues": list(sheet.issues)}


def _lengths(found: list[int]) -> Lengths:
    if not found:
        return Lengths(0, 0, 0, 0, 0)
    ranked = sorted(found)
    last = len(ranked) - 1
    return Lengths(ranked[0], ranked[last // 2], ranked[round(0.95 * last)], ranked[-1], sum(ranked))


def _scripts(items: Sequence[Item]) -> dict[str, float]:
    """Of letters, by the first word of their Unicode name: LATIN, CYRILLIC, CJK, …"""
    letters: Counter[str] = Counter()
    for item in items:
        if item.text.isascii():
            letters["LATIN"] += sum(map(str.isalpha, item.text))
        else:
            letters.update(_script(sign) for sign in item.text if sign.isalpha())
    total = sum(letters.values())
    return {name.capitalize(): round(n / total, 4) for name, n in letters.most_common(12) if n} if total else {}


def _script(sign: str) -> str:
    return "LATIN" if sign.isascii() else unicodedata.name(sign, "UNKNOWN").split(" ", 1)[0]


def _personal(items: Sequence[Item], most: int, seed: int) -> PersonalData:
    chosen: Sequence[Item] = items
    if len(items) > most:
        chosen = sorted(items, key=lambda item: hashlib.sha256(f"{seed}\0{item.text}".encode()).digest())[:most]
    found: Counter[str] = Counter()
    with_any, cut = 0, False
    for item in chosen:
        text = item.text[:LONG_CHARS]
        entities, capped = personal.find(text)
        hidden, also = secrets.find(text)
        cut |= capped or also or len(text) < len(item.text)
        kinds = [one.type for one in entities] + [one.kind for one in hidden]
        found.update(kinds)
        with_any += bool(kinds)
    return PersonalData(
        len(chosen),
        with_any,
        wilson(with_any, len(chosen), 0.95) if chosen else (0.0, 1.0),
        dict(found.most_common()),
        cut,
    )

"""Options and labels in another order: rotations, with the right answer following. Pure.

A model that knows the answer picks the same option wherever it stands (Zheng et al., "Large language models are not robust
multiple choice selectors", 2024). Every rotation together puts each option once in every place.
"""

from __future__ import annotations

import re

from msgspec import structs

from .task import Sample, Task


def places(task: Task) -> int:
    """How many orders there are to try, the task's own among them: the most options of a sample, or the number of labels."""
    if task.labels:
        return len(task.labels) if len(task.labels) <= MOST else 2
    most = max((len(s.choices) for s in task.samples if _may_rotate(s)), default=0)
    return min(most, MOST)


def rotated(task: Task, by: int) -> Task:
    """The task with options (or labels) moved on by ``by`` places, the last ones coming first. Name and ids stay.

    Samples whose options speak of each other ("all of the above", "both A and B") or come back to their own order are left out,
    and so are all where labels stand in no text that the model sees and are held to no schema.
    """
    if task.labels:
        return _relabelled(task, by)
    moved = (_moved(sample, by) for sample in task.samples if _may_rotate(sample))
    return structs.replace(task, samples=tuple(new for new in moved if new is not None))


def original(sample: Sample, letter: str, by: int) -> str:
    """The letter that the option under ``letter`` had before the options were moved on by ``by`` places.

    Args:
        sample: the sample as it was before.
        letter: as the answer to the moved sample names it; what is no letter of the sample comes back as it is.
    """
    n = len(sample.choices)
    at = ord(letter) - ord("A") if len(letter) == 1 else -1
    return chr(ord("A") + (at - by) % n) if 0 <= at < n else letter


MOST = 10
"""Orders of labels or options that are tried; of more labels than that, one other."""


def _may_rotate(sample: Sample) -> bool:
    return len(sample.choices) > 1 and not any(_SPEAKS_OF_OTHERS.search(one) for one in sample.choices)


def _moved(sample: Sample, by: int) -> Sample | None:
    n = len(sample.choices)
    if by % n == 0:
        return None
    choices = tuple(sample.choices[(place - by) % n] for place in range(n))
    target = tuple(chr(ord("A") + (ord(one) - ord("A") + by) % n) for one in sample.target)
    return structs.replace(sample, choices=choices, target=target)


_SPEAKS_OF_OTHERS = re.compile(
    r"\b(?:above|below|preceding|following|previous)\b|\b(?:all|both|none|neither|either|any) of (?:these|them|the)\b"
    r"|\b(?i:options?|choices?|answers?|both|either|neither)\s+\(?[A-J1-9]\b"
    r"|\b[A-J]\)?,? (?:and|or|&) \(?[A-J]\b|^\(?[A-J1-9]\)?(?:, ?| only$)"
)
"""Of an option: that it means others, so that it is another one in another place."""


# ── labels ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _relabelled(task: Task, by: int) -> Task:
    n = len(task.labels)
    if by % n == 0:
        return structs.replace(task, samples=())
    labels = tuple(task.labels[(place - by) % n] for place in range(n))

    def put(text: str) -> str:
        return reordered(text, task.labels, labels)

    samples = tuple(structs.replace(s, input=put(s.input)) if isinstance(s.input, str) else s for s in task.samples)
    return structs.replace(task, labels=labels, system=put(task.system), template=put(task.template), samples=samples)


def reordered(text: str, old: tuple[str, ...], new: tuple[str, ...]) -> str:
    """The text with every list of all the old labels, in any order, written as the new ones in theirs.

    What stands between and around them stays: ``(up, down or none)`` becomes ``(none, up or down)``.
    """
    if len(old) < 2:
        return text
    one = "|".join(re.escape(label) for label in sorted(old, key=len, reverse=True))
    between = r"[\"'`*]*(?:\s*[,;/|]\s*(?:and\b|or\b)?|\s+(?:and|or)\b|\s*\n\s*(?:[-*•]|\d+[.)])?)\s*[\"'`*]*"
    listed = re.compile(rf"\b(?:{one})(?:{between}(?:{one})){{{len(old) - 1}}}\b", re.IGNORECASE)
    place = {label.casefold(): at for at, label in enumerate(old)}

    def put(found: re.Match[str]) -> str:
        said = [m[0].casefold() for m in re.finditer(one, found[0], re.IGNORECASE)]
        if sorted(said) != sorted(place):
            return found[0]
        order = iter(said)
        # a list in an order of its own is turned by the same step
        shift = {label: new[at] for label, at in place.items()}
        return re.sub(one, lambda _m: shift[next(order)], found[0], flags=re.IGNORECASE)

    return listed.sub(put, text)

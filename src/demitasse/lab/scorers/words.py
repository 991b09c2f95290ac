"""Scorers of words: ``exact``, ``includes``, ``label`` and ``choice``. Pure; each is made from a Task and is a plain function."""

from __future__ import annotations

from functools import lru_cache

from ...score.normal import Answer, plain, said_last
from ..tasks.task import Sample, Task
from .closed import ClosedSet
from .letters import picked
from .reading import finished, said, shown, silent, unread
from .scorer import Pure, Score, Unscorable


def exact(_task: Task, options: str) -> Pure:
    """The same words as a target, in any dress and case, as the whole answer or as what it marks as its result.

    ``strict``: the same characters, but for white space around them.
    """
    if options not in {"", "strict"}:
        raise Unscorable(f"the scorer 'exact' knows the option 'strict' alone, not '{options}'")

    def score(sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        text = said(answer).strip()
        if not text:
            return unread(answer, "answer")
        if options:
            return _ended(answer, text in {one.strip() for one in sample.target}, text)
        forms = {_form(one) for one in sample.target}
        marked = said_last(text)
        right = plain(text) in forms or (marked is not None and plain(marked) in forms)
        return _ended(answer, right, marked or text)

    return score


def includes(_task: Task, options: str) -> Pure:
    """The words of a target occur in the answer, one after the other. It does not notice that they are denied."""
    if options:
        raise Unscorable(f"the scorer 'includes' knows no options, not '{options}'")

    def score(sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        text = said(answer)
        if not text.strip():
            return unread(answer, "answer")
        spaced = f" {plain(text)} ".replace(",", " ").replace(".", " ")
        found = next((t for t in sample.target if f" {_form(t)} ".replace(",", " ").replace(".", " ") in spaced), None)
        return _ended(answer, found is not None, found or text)

    return score


def choice(_task: Task, options: str) -> Pure:
    """The letter of a target, or the words of that option where they can mean no other."""
    if options:
        raise Unscorable(f"the scorer 'choice' knows no options, not '{options}'")

    def score(sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        letter = picked(said(answer), sample.choices)
        if letter is None:
            return unread(answer, "letter of an option")
        return Score(float(letter in sample.target), said=letter)

    return score


def label(task: Task, options: str) -> Pure:
    """The target among the task's labels."""
    if options:
        raise Unscorable(f"the scorer 'label' knows no options, not '{options}'")
    known = ClosedSet(task.labels)

    def score(sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        text = said(answer)
        named = known.named(text) if answer.finish != "length" else known.equal(text) or known.named(finished(text))
        if named is None:
            return unread(answer, "one label of the set")
        return Score(float(named in sample.target), said=named)

    return score


def _ended(answer: Answer, right: bool, text: str) -> Score:
    """Free words have no form to miss, but they can be cut off or a refusal."""
    if not right:
        why = unread(answer, "its end")
        if why.failure != "format":
            return why
    return Score(float(right), said=shown(text))


@lru_cache(65_536)
def _form(target: str) -> str:
    return plain(target)

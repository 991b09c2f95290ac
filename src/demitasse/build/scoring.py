"""A policy's scorer over calls and replies: reads their bodies as shadow calls do, and asks what was learned.

Implements ``gateway.pilot.Scorer``; everything that it needs is plain Python.
"""

from __future__ import annotations

from msgspec import Raw

from ..core.call import Call, Reply
from ..core.errors import ConfigError
from ..score import draft, features, scorer
from ..score.asked import asked_of
from ..score.normal import answer_of
from ..wire.text import question

VERSION = f"{features.VERSION} {draft.VERSION}"
"""Of what labels keep and scorers are learned on."""


class Scoring:
    """The scores of one policy."""

    def __init__(self, learned: scorer.Scorer) -> None:
        self.learned = learned

    def prompt(self, call: Call) -> float:
        return self.learned.prompt_score(features.features(question(call.body)), _slice(call))

    def draft(self, call: Call, prompt_score: float, reply: Reply, second: Reply | None) -> float:  # noqa: ARG002
        marks = draft.marks(
            asked_of(call.body), answer_of(reply.body), None if second is None else answer_of(second.body)
        )
        return self.learned.draft_score(features.features(question(call.body)), marks, _slice(call))


def load(raw: Raw) -> Scoring:
    """The scorer of a policy. Raises ConfigError: it is none, or was learned on what prompts no longer look like."""
    learned = scorer.load(raw)
    if learned.version != VERSION:
        raise ConfigError(
            f"it was learned on '{learned.version}', and this Demitasse sees '{VERSION}'; certify its route again"
        )
    return Scoring(learned)


def _slice(call: Call) -> str:
    return next((value for name, value in call.tags if name == "task"), "")

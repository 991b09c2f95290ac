"""What is known about quality: Labels (shadow verdicts, votes, feedback) and the Protocols that keep and read them.

A Label holds numbers and names, never words of a prompt or an answer; texts are only in the kept bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from .policy import Certificate, CertificateState

OWN_KEY = "demitasse"
"""The key that Demitasse's own calls are booked on: shadows, judges, checks. Their cost is set against what they serve."""

LAB_KEY = "demitasse-lab"
"""The key that the lab's calls are booked on: evaluations and what judges them. A user asked for them, on a budget of theirs."""

OWN_KEYS = (OWN_KEY, LAB_KEY)
"""No client's calls: they are costs, save nothing, and are learned from by nobody."""

LabelSource = Literal["shadow", "feedback", "vote", "check", "grounding"]
"""shadow: another model was asked the same · feedback: the application's own score · vote: a person chose on the review
page · check: a would-be hit of the semantic cache was put to the model · grounding: a model decided claims that words left
open. Nothing is proven with it: it says how far an answer stands in its context, and not whether it is as good as another."""


class Answered(Struct, frozen=True, omit_defaults=True):
    """What one model did with the call that a label is about."""

    model: str
    """Our name of it."""
    version: str = ""
    """The upstream's own name."""
    score: float | None = None
    """0..1; the reference's own answer is 1 where there is nothing but the comparison with it. None: not judged."""
    cost_nanos: int | None = None
    entry: str = ""
    """The call that it was booked under; its body is kept under the same id, where bodies are kept."""
    marks: tuple[float, ...] = ()
    """The draft's marks (``score.draft``)."""


class Label(Struct, frozen=True, omit_defaults=True):
    """One call's worth of evidence. ``id`` is the call's own."""

    id: str
    at_us: int
    route: str
    source: LabelSource
    reference: Answered | None
    others: tuple[Answered, ...] = ()
    session: str = ""
    slice: str = ""
    """The call's tag ``task``; "" where it has none."""
    propensity: float = 1.0
    """The probability with which this call was drawn, for inverse-propensity weights."""
    served: str = ""
    """Our name of the model whose answer the client got."""
    features: tuple[float, ...] = ()
    """The prompt's features (``score.features``), as they were."""
    version: str = ""
    """Of the features and marks."""
    certificate: str = ""
    """The one in force when it was served."""
    method: str = ""
    """How it was judged: ``equal``, ``number``, ``choice``, ``json``, ``tool_call``, ``judge:MODEL``, ``vote``, ``feedback``."""
    prompt_hash: str = ""
    """Keyed hash of the system prompt."""


class EvidenceStore(Protocol):
    """The writing side: each is an event of the ledger's chain. Raises StoreError; then nothing was written."""

    async def label(self, label: Label) -> None: ...

    async def certificate(self, certificate: Certificate, state: CertificateState, at_us: int, why: str = "") -> None:
        """Keep a certificate (new or known) in this state. A promoted one supersedes the promoted one of its route."""
        ...


class EvidenceBooks(Protocol):
    """The reading side; synchronous, safe beside a running gateway."""

    def labels(
        self, *, route: str | None = None, since_us: int = 0, until_us: int | None = None, source: str | None = None
    ) -> list[Label]:
        """Oldest first. Later sources about the same call (votes) come as labels of their own."""
        ...

    def latest(self, last: int, *, route: str | None = None, source: str | None = None) -> list[Label]:
        """The labels that came last, newest first."""
        ...

    def of(self, ids: Iterable[str], *, source: str | None = None) -> list[Label]:
        """All labels of these calls."""
        ...

    def certificates(self, *, route: str | None = None) -> list[tuple[Certificate, CertificateState, int, str]]:
        """Newest first: certificate, state, since when (UTC microseconds), and why."""
        ...


class InForce(Protocol):
    """What the way of a call asks, from memory; follows other processes within a second."""

    def promoted(self) -> Sequence[Certificate]:
        """The certificates whose policies serve."""
        ...

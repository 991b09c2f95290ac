"""What the pages on evaluations and made models are handed: rows, and the Protocol LabBooks that finds them. Knows no page.

``build.lab_pages`` reads them from the data folder; a test does so with a few lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from ..wire.text import Said

Axis = Literal["money", "energy", "latency"]
Only = Literal["", "wrong", "unreadable", "unscored"]
"""Which samples: all, read and not right, not readable, without a score."""
Which = Literal["", "a", "b", "neither", "differ"]
"""Which pairs: all, A better, B better, both wrong, answers that are not the same."""

Span = tuple[float, float]


class LoadFacts(Struct, frozen=True):
    """How busy the machine was meanwhile."""

    cores: float
    before: float
    after: float
    cpu_s: float | None
    own_cpu_s: float
    steal_s: float | None
    threads: int | None
    wall_s: float
    contended: bool


class Figures(Struct, frozen=True):
    """What the answers add up to. Intervals are 95 %."""

    n: int
    samples: int
    quality: float | None
    quality_interval: Span | None
    format_failures: int
    wrong: int
    unscored: int
    errors: int
    cost_nanos: int | None
    scoring_nanos: int
    tokens_in: int
    tokens_out: int
    latency_ms: dict[str, tuple[float, float, float]]
    calls_per_s: float | None
    tokens_out_per_s: float | None
    energy_uj: dict[str, tuple[int, int]]
    slices: dict[str, tuple[int, float]]

    @property
    def answered(self) -> int:
        return self.n + self.unscored

    @property
    def nanos_per_1000(self) -> int | None:
        """None: unpriced, or nothing was answered."""
        if self.cost_nanos is None or not self.answered:
            return None
        return round(self.cost_nanos * 1000 / self.answered)


class Evaluation(Struct, frozen=True):
    """One model on one task."""

    id: str
    """Its folder's name: what pages and commands know it by."""
    task: str
    task_hash: str
    form: str
    scorer: str
    model: str
    identity: str
    mode: str
    n: int
    repeats: int
    seed: int
    state: str
    """``running``, ``complete`` or ``stopped``."""
    why: str
    began_us: int
    ended_us: int | None
    asked: int
    reused: int
    summary: Figures | None
    load: LoadFacts
    source: str
    licence: str
    command: str
    done: int = 0
    """Answers that are there."""
    last_us: int | None = None
    """When the newest of them came, while it runs."""
    aside: bool = False
    """Begun anew with ``--fresh``: this is what was there before."""
    readable: bool = False
    """Its samples can be looked at."""

    @property
    def wanted(self) -> int:
        return self.n * self.repeats


class Sample(Struct, frozen=True):
    """One scored answer. Texts are empty for who may not see them."""

    at: int
    """Where it stands in its file: an address."""
    sample: str
    repeat: int
    slice: str
    value: float | None
    failure: str
    model: str
    entry: str
    cost_nanos: int | None
    scoring_nanos: int | None
    latency_ms: float | None
    first_byte_ms: float | None
    tokens_in: int | None
    tokens_out: int | None
    energy_uj: tuple[int, int] | None
    energy_method: str | None
    asked: tuple[Said, ...] = ()
    """As it was put: of a list the last turn alone."""
    target: tuple[str, ...] = ()
    text: str = ""
    said: str = ""
    why: str = ""


class Samples(Struct, frozen=True):
    """A page of samples, in the task's order."""

    rows: tuple[Sample, ...]
    next: int | None
    """Where the page after it begins; None: there is none."""


class Answer(Struct, frozen=True):
    """One side of a pair."""

    at: int
    value: float | None
    failure: str
    text: str = ""
    said: str = ""
    why: str = ""


class Pair(Struct, frozen=True):
    """A sample that both were asked."""

    sample: str
    slice: str
    a: Answer
    b: Answer
    question: str = ""
    target: tuple[str, ...] = ()


class Compared(Struct, frozen=True):
    """One verdict on two evaluations."""

    comparison: dict[str, Any]
    """The object of ``compare --json``, without its lists of samples."""
    words: str
    notes: tuple[str, ...]
    counts: dict[str, int]
    """Pairs by `Which`."""
    pairs: tuple[Pair, ...]
    next: int | None


class Curve(Struct, frozen=True):
    """Cost against quality over the evaluations of one task."""

    task: str
    found: dict[str, Any]
    """The object of ``frontier --json``."""
    ids: dict[str, str]
    """The evaluation behind each candidate's name."""
    prices: tuple[str, ...]
    """Between what the next point's price lies, in words, for each of the steps."""
    notes: tuple[str, ...]


class MadeFile(Struct, frozen=True):
    name: str
    bytes: int
    sha256: str


class MadeBase(Struct, frozen=True):
    name: str
    sha256: str
    licence: str
    source: str


class MadeData(Struct, frozen=True):
    task: str
    hash: str
    source: str
    licence: str
    train: int
    test: int
    split: str
    dropped: dict[str, int]
    contaminated: float | None


class MadeTerms(Struct, frozen=True):
    base: str
    data: str
    teacher: str
    verdict: str
    why: str


class MadeSide(Struct, frozen=True):
    name: str
    score: float | None
    interval: Span | None
    unreadable: int
    bytes: int | None
    bits_per_weight: float | None
    cpu_s_per_1000: float | None
    usd_per_1000: float | None


class MadeGate(Struct, frozen=True):
    outcome: str
    verdict: str
    n: int
    margin: float
    difference: float
    interval: Span
    before: MadeSide
    after: MadeSide
    task: str
    agreement: float | None
    cosine: float | None
    neighbours: float | None
    needed: int | None
    why: str


class Made(Struct, frozen=True):
    """A model that was made here, as its manifest tells it."""

    name: str
    kind: str
    method: str
    created: str
    command: str
    files: tuple[MadeFile, ...]
    bytes: int
    base: MadeBase | None
    parameters: dict[str, Any]
    data: MadeData | None
    seeds: dict[str, int]
    libraries: dict[str, str]
    cpu_s: float | None
    load: LoadFacts | None
    energy_uj: tuple[int, int] | None
    energy_method: str
    licences: MadeTerms
    bits_per_weight: float | None
    before: MadeSide | None
    after: MadeSide | None
    gate: MadeGate | None
    kept_anyway: bool
    curve: tuple[dict[str, Any], ...]
    limitations: tuple[str, ...]

    @property
    def sides(self) -> tuple[MadeSide | None, MadeSide | None]:
        """Before and after, from the gate where there was one."""
        return (self.gate.before, self.gate.after) if self.gate is not None else (self.before, self.after)


class Assumption(Struct, frozen=True):
    """One figure that the machine's costs rest on."""

    name: str
    """As ``[hardware]`` calls it."""
    low: float
    high: float
    unit: str
    own: bool
    """From the configuration; else a dated default."""


class HardwareRow(Struct, frozen=True):
    """The machine that this process runs on, and what an hour of it is taken to cost."""

    cores: float
    physical: int
    threads: int
    """What native compute would take now."""
    load: float
    free_bytes: int | None
    usd_per_hour: Span
    """All of its cores busy, everything counted."""
    usd_per_hour_marginal: Span
    """Electricity alone."""
    dated: str
    """Of the defaults."""
    assumptions: tuple[Assumption, ...]


class LabBooks(Protocol):
    """Evaluations and made models of one data folder. Blocks; asked from one worker thread at a time.

    Methods that take an ``id`` or a ``name`` look nowhere but below that folder, whatever it is.
    """

    def evaluations(self) -> Sequence[Evaluation]:
        """All that can be read, the newest first."""
        ...

    def evaluation(self, id: str) -> Evaluation | None: ...

    def samples(
        self, id: str, *, after: int = 0, count: int = 50, only: Only = "", slice: str | None = None
    ) -> Samples | None:
        """From a place on; None: no such evaluation, no samples yet, or no such place."""
        ...

    def sample(self, id: str, at: int) -> Sample | None:
        """One, with all that was put."""
        ...

    def compare(
        self, a: str, b: str, *, margin: float, which: Which = "", after: int = 0, count: int = 50
    ) -> Compared | None:
        """Candidate ``a`` against reference ``b``; None: one of them is not there.

        Raises DemitasseError where they can't be compared.
        """
        ...

    def curve(self, task: str, axis: Axis, worth: float | None = None) -> Curve | None:
        """Over the newest finished evaluation of each model and mode; None: there are none.

        Raises DemitasseError where they share no questions.
        """
        ...

    def made(self) -> Sequence[Made]:
        """By name."""
        ...

    def made_one(self, name: str) -> Made | None: ...

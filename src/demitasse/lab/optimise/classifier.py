"""A tiny classifier from labelled texts: an embedding, multinomial logistic regression, calibrated, abstaining where unsure.

Knows examples and vectors; asks no model. What serves it is `providers.classifier`. The penalty is chosen by cross-validation;
the same folds give the confidences, on texts not trained on, that the temperature and the threshold are chosen by. Training
needs scipy (extra ``lab``), serving does not.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...core.errors import DemitasseError
from ...providers.classifier_file import Head, Settings, Vector
from ...stats.intervals import clopper_pearson
from ..scorers.ask import put
from ..tasks.task import Sample, Task

Floats = NDArray[np.float64]
Encode = Callable[[str], tuple[Vector, int]]

SIZES = (10, 20, 40, 80, 160, 320, 640)
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""Of the squared weights, beside the mean loss of a text."""
FOLDS = 5
CUTS = 10
DELTA = 0.1
"""Chance that the precision above the threshold is below its target, over all thresholds that were looked at."""
NEVER = 2.0
"""A threshold that no confidence reaches."""
_MOST_FOLDED = 3_000
"""Texts that cross-validation looks at; more of them choose no better penalty and take their time."""


class ClassifierError(DemitasseError):
    """These examples make no classifier; the sentence says why, and what would."""


class Example(Struct, frozen=True):
    """A text and its label. ``weight``: how far the label is trusted, and how often such calls come."""

    text: str
    label: str
    weight: float = 1.0


class Learned(Struct, frozen=True):
    """A head, and how it was chosen."""

    head: Head
    n: int
    penalty: float
    folded: float
    """Accuracy in cross-validation."""
    coverage: float
    """Share of texts in cross-validation that are answered at the threshold."""
    precision: float | None
    """Of those."""


class Point(Struct, frozen=True):
    """One step of a learning curve: all test texts are answered, none abstained from."""

    n: int
    score: float
    interval: tuple[float, float]
    """95 %, over draws of the training texts and of the test texts."""
    draws: int


def examples(task: Task) -> list[Example]:
    """The task's samples of one text whose target is one of its labels, with their ``weight`` where they bear one.

    Raises ClassifierError: it is no task of labels.
    """
    if task.form not in ("label", "choice") or not (task.labels or task.form == "choice"):
        raise ClassifierError(
            f"task '{task.name}' asks for {task.form}: a classifier can only learn a closed set of labels"
        )
    known = {label.casefold(): label for label in labels_of(task)}
    found = []
    for sample in task.samples:
        label = known.get(sample.target[0].casefold()) if sample.target else None
        text = text_of(sample)
        if label is not None and text is not None:
            found.append(Example(text, label, float(sample.metadata.get("weight", 1.0))))
    return found


def labels_of(task: Task) -> tuple[str, ...]:
    """What it may answer."""
    return task.labels or tuple(sorted({s.target[0] for s in task.samples if s.target}))


def text_of(sample: Sample) -> str | None:
    """What a classifier reads of a sample; None: it is a conversation."""
    if isinstance(sample.input, str):
        return sample.input if not sample.choices else None
    return sample.input[-1].content if sum(turn.role != "system" for turn in sample.input) == 1 else None


def settings_of(task: Task, embedding: str, sha256: str) -> Settings:
    """How the task puts its texts, so that the classifier finds them again in the request."""
    marker = "\x00"
    shown = put(task, Sample("", marker)) if "{input}" in task.template else marker
    prefix, _, suffix = shown.partition(marker)
    return Settings(
        labels=labels_of(task),
        embedding=embedding,
        embedding_sha256=sha256,
        prefix=prefix,
        suffix=suffix,
        system=_system(task),
        shots=2 * len(task.shots),
    )


def _system(task: Task) -> str | None:
    """The system prompt that the classifier knows; of conversations the one that all begin with, None: they differ."""
    spoken = {
        "\n".join(turn.content for turn in sample.input if turn.role == "system")
        for sample in task.samples
        if not isinstance(sample.input, str)
    }
    if not spoken or task.system:
        return task.system
    return spoken.pop() if len(spoken) == 1 else None


def learn(
    found: Sequence[Example], settings: Settings, encode: Encode, *, seed: int = 7, precision: float = 0.95
) -> Learned:
    """A classifier for these examples.

    Args:
        settings: labels, embedding and template; temperature, threshold and speed are filled in.
        encode: the embedding that settings name.
        seed: shuffles the folds.
        precision: what answers above the threshold shall have, with 90 % confidence; where too few examples show it, the
            classifier abstains always.

    Raises ClassifierError: fewer than two labels, or than ten examples.
    """
    vectors, tokens_per_s = _encoded([one.text for one in found], encode)
    with _one_thread():
        return _learn(vectors, found, settings, tokens_per_s, seed=seed, precision=precision)


def curve(
    train: Sequence[Example],
    test: Sequence[Example],
    settings: Settings,
    encode: Encode,
    *,
    sizes: Sequence[int] = SIZES,
    draws: int = 5,
    seed: int = 7,
) -> list[Point]:
    """How well it does with so many examples: sizes beyond what there is are left out, all there are is the last one.

    Of each draw, the ``n`` are contained in the ``n + 1``. Raises ClassifierError.
    """
    vectors, _ = _encoded([one.text for one in train], encode)
    asked, _ = _encoded([one.text for one in test], encode)
    truth = _numbers(test, settings.labels)
    steps = [n for n in sizes if n < len(train)] + [len(train)]
    points = []
    for n in steps:
        right = []
        for draw in range(draws if n < len(train) else 1):
            chosen = np.array(_ranked(len(train), seed + draw)[:n])
            some = [train[i] for i in chosen]
            if len({one.label for one in some}) < 2:
                continue
            with _one_thread():
                made = _learn(vectors[chosen], some, settings, 1.0, seed=seed, precision=1.0, quick=n > 200)
            right.append(made.head.probabilities(asked).argmax(axis=1) == truth)
        if right:
            hits = np.array(right, float)
            points.append(Point(n, float(hits.mean()), _spread(hits, seed), len(right)))
    return points


def evaluated(head: Head, test: Sequence[Example], encode: Encode) -> tuple[float, float, float | None]:
    """Accuracy where it must answer all, share that it answers, and its precision on these (None: it answers none)."""
    vectors, _ = _encoded([one.text for one in test], encode)
    found = head.probabilities(vectors)
    right = found.argmax(axis=1) == _numbers(test, head.settings.labels)
    answers = found.max(axis=1) >= head.settings.threshold
    return float(right.mean()), float(answers.mean()), float(right[answers].mean()) if answers.any() else None


def _learn(
    vectors: Vector,
    found: Sequence[Example],
    settings: Settings,
    tokens_per_s: float,
    *,
    seed: int,
    precision: float,
    quick: bool = False,
) -> Learned:
    counts = Counter(one.label for one in found)
    if len(counts) < 2 or len(found) < 10:
        raise ClassifierError(
            f"{len(found)} examples of {len(counts)} labels make no classifier; it takes at least 10, of at least 2 labels"
        )
    y = _numbers(found, settings.labels)
    weight = np.array([one.weight for one in found], float)
    weight /= weight.mean()
    x = vectors.astype(float)
    classes = len(settings.labels)
    at = np.array(_ranked(len(found), seed)[: min(len(found), 600 if quick else _MOST_FOLDED)])
    penalty, logits = _penalty(x[at], y[at], weight[at], classes, seed)
    temperature = _temperature(logits, y[at], weight[at])
    shares = _softmax(logits / temperature)
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == y[at]
    threshold = _threshold(sure, right, precision)
    answers = sure >= threshold
    weights, bias = _fit(x, y, weight, classes, penalty)
    made = Settings(
        **{name: getattr(settings, name) for name in Settings.__struct_fields__}
        | {"temperature": temperature, "threshold": threshold, "tokens_per_s": tokens_per_s}
    )
    return Learned(
        Head(made, weights.astype(np.float32), bias.astype(np.float32)),
        n=len(found),
        penalty=penalty,
        folded=float(right.mean()),
        coverage=float(answers.mean()),
        precision=float(right[answers].mean()) if answers.any() else None,
    )


def _one_thread() -> AbstractContextManager[object]:
    """Small matrices: on busy cores a second thread makes their products many times slower (83 s against 6 s, Nov 2026)."""
    try:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - an extra
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def _penalty(x: Floats, y: NDArray[np.int64], weight: Floats, classes: int, seed: int) -> tuple[float, Floats]:
    """The penalty with the least loss on texts not trained on, and its logits for them."""
    fold = _folds(y, seed)
    best: tuple[float, float, Floats] | None = None
    for penalty in PENALTIES:
        logits = np.zeros((len(y), classes))
        for one in range(FOLDS):
            out = fold == one
            if not out.any():
                continue
            weights, bias = _fit(x[~out], y[~out], weight[~out], classes, penalty)
            logits[out] = x[out] @ weights.T + bias
        temperature = _temperature(logits, y, weight)
        loss = _loss(logits / temperature, y, weight)
        if best is None or loss < best[0]:
            best = (loss, penalty, logits)
    assert best is not None
    return best[1], best[2]


def _fit(x: Floats, y: NDArray[np.int64], weight: Floats, classes: int, penalty: float) -> tuple[Floats, Floats]:
    """Weights (classes, dims) and bias (classes,) with the least weighted cross-entropy plus penalty."""
    try:
        from scipy.optimize import minimize  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ClassifierError("training a classifier needs scipy: pip install 'demitasse[lab]'") from error
    dims = x.shape[1]
    share = weight / weight.sum()
    target = np.zeros((len(y), classes))
    target[np.arange(len(y)), y] = 1

    def loss(flat: Floats) -> tuple[float, Floats]:
        both = flat.reshape(classes, dims + 1)
        logits = x @ both[:, :dims].T + both[:, dims]
        top = logits.max(axis=1, keepdims=True)
        raised = np.exp(logits - top)
        total = raised.sum(axis=1, keepdims=True)
        value = float(share @ (np.log(total[:, 0]) + top[:, 0] - logits[np.arange(len(y)), y]))
        error = (raised / total - target) * share[:, None]
        slope = np.empty_like(both)
        slope[:, :dims] = error.T @ x + penalty * both[:, :dims]
        slope[:, dims] = error.sum(axis=0)
        return value + penalty / 2 * float((both[:, :dims] ** 2).sum()), slope.ravel()

    found = minimize(loss, np.zeros(classes * (dims + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    both = found.x.reshape(classes, dims + 1)
    return both[:, :dims], both[:, dims]


def _temperature(logits: Floats, y: NDArray[np.int64], weight: Floats) -> float:
    """The one with the least loss, by golden section over its logarithm; a loss that is convex in 1/T has no other valley."""
    low, high = math.log(0.02), math.log(20)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if _loss(logits / math.exp(a), y, weight) < _loss(logits / math.exp(b), y, weight):
            high = b
        else:
            low = a
    return math.exp((low + high) / 2)


def _threshold(sure: Floats, right: NDArray[np.bool_], precision: float) -> float:
    """The lowest of `CUTS` confidences above which the precision reaches its target, with a chance of `DELTA` to be wrong over
    all of them (Bonferroni); `NEVER` where none does."""
    level = 1 - 2 * DELTA / CUTS
    for share in np.linspace(1, 0.1, CUTS):
        cut = float(np.quantile(sure, 1 - share))
        answers = sure >= cut
        if clopper_pearson(int(right[answers].sum()), int(answers.sum()), level)[0] >= precision:
            return cut
    return NEVER


def _loss(logits: Floats, y: NDArray[np.int64], weight: Floats) -> float:
    top = logits.max(axis=1)
    spread = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    return float(np.average(spread - logits[np.arange(len(y)), y], weights=weight))


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _folds(y: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Which fold holds which example out; each label is spread evenly over them."""
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), np.int64)
    fold[order] = np.arange(len(y)) % FOLDS
    return fold


def _ranked(n: int, seed: int) -> list[int]:
    return sorted(range(n), key=lambda i: hashlib.sha256(f"{seed}\0{i}".encode()).digest())


def _numbers(found: Sequence[Example], labels: Sequence[str]) -> NDArray[np.int64]:
    at = {label: i for i, label in enumerate(labels)}
    return np.array([at[one.label] for one in found], np.int64)


def _encoded(texts: Sequence[str], encode: Encode) -> tuple[Vector, float]:
    """Vectors (texts, dims), and tokens a CPU second."""
    began, tokens, vectors = time.thread_time(), 0, []
    for text in texts:
        vector, count = encode(text)
        vectors.append(vector)
        tokens += count
    return np.array(vectors, np.float32), max(1, tokens) / max(1e-6, time.thread_time() - began)


def _spread(hits: Floats, seed: int) -> tuple[float, float]:
    """95 % of means over redrawn rows (draws) and columns (test texts)."""
    rng = np.random.default_rng(seed)
    rows, columns = hits.shape
    means = [hits[rng.integers(0, rows, rows)][:, rng.integers(0, columns, columns)].mean() for _ in range(1_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)

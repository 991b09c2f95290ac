"""What a student learns from: Lesson, a conversation and the answer to give. Pure; knows no model and no file."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, structs

from ..scorers.ask import Mode, constrainable, messages
from ..tasks.task import Sample, Task, Turn


class Lesson(Struct, frozen=True, omit_defaults=True):
    """One call with the answer that was, or would have been, right."""

    id: str
    messages: tuple[Turn, ...]
    """All turns before the answer; the last one is the user's."""
    answer: str
    session: str = ""
    """Lessons of one session are never parted by a split; empty: it stands alone."""
    at_us: int | None = None
    """When it was asked (UTC microseconds)."""
    score: float | None = None
    """How good the answer turned out to be, 0 to 1; None: nobody said."""
    label: str | None = None
    """The right answer, where one is known beside ``answer``: a teacher that it contradicts was wrong."""
    source: str = ""
    """Who answered: ``task``, a model's name."""
    key: str = ""
    """Whose call it was; empty: nobody's, or not known."""


def lessons_of(task: Task, *, mode: Mode = "free") -> list[Lesson]:
    """A task's samples with their targets as answers; samples without a target are left out.

    Args:
        mode: how the student will be asked: an answer that is held to a schema is learned as the JSON that holds it.
    """
    held: Mode = mode if constrainable(task) else "free"
    found = []
    for sample in task.samples:
        if not sample.target:
            continue
        # A lesson is put as a worked example is: its own turns and the answer, after the task's examples.
        turns = messages(structs.replace(task, shots=(*task.shots, sample)), sample, held)
        end = max(at for at, turn in enumerate(turns) if turn["role"] == "assistant")
        found.append(
            Lesson(
                id=sample.id,
                messages=tuple(Turn(**turn) for turn in turns[:end]),  # type: ignore[arg-type]
                answer=turns[end]["content"],
                session=sample.cluster,
                at_us=sample.at_us,
                score=_score(sample),
                label=sample.target[0] if task.form in _SHORT and "because" not in sample.metadata else None,
                source=str(sample.metadata.get("because", "task")),
                key=str(sample.metadata.get("key", "")),
            )
        )
    return found


_SHORT = ("label", "choice", "number")


def _score(sample: Sample) -> float | None:
    """What was said of the answer that is learned: of a call whose client got another answer, it was said of that one."""
    found = sample.metadata.get("score")
    return float(found) if isinstance(found, int | float) and "served" not in sample.metadata else None


def texts(lessons: Iterable[Lesson]) -> list[str]:
    """What was asked in each: the last turn."""
    return [lesson.messages[-1].content for lesson in lessons]

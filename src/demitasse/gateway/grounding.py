"""Grey claims of an answer, put to the model of ``[guard] grounding_judge``: of a draft before it stands, else afterwards.

A draft waits for the verdict, since it may be a reason to ask a better model. An answer that was given waits for nothing: it
stands in a line, and what is found of it is kept as a label of its call. Where the model cannot be asked, grey claims stay grey,
and that is said.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..core.call import Call, Reply
from ..core.entry import Check, Entry
from ..core.errors import DemitasseError, StoreError
from ..core.evidence import OWN_KEYS, Answered, Label
from .aside import Aside, Unasked
from .ladder import Verdict
from .steps import Steps

if TYPE_CHECKING:
    from ..guard.grounding import Grounding
    from ..guard.grounding_judge import Doubt

log = logging.getLogger("demitasse")

PATIENCE_S = 20.0
"""A client waits behind a draft; a judge that takes longer is as good as none."""
AFTERWARDS_S = 120.0
"""Nobody waits behind an answer that was given, but for the next one in the line."""
MOST_WAITING = 64
MOST_BYTES = 16 << 20
"""Of calls and answers that wait to be looked at; further ones are left out."""


class Looked(NamedTuple):
    """What was found of an answer with grey claims."""

    check: Check
    judged: bool
    """The model answered."""


class Grounder:
    """Asks models about grey claims. One instance lives as long as the gateway.

    Args:
        steps: the way of a client's call at this moment.
        id: a fresh call id for a moment.
        keep: keeps what was found of an answer that had been given.
        secret: makes the marks around texts, which nobody can foresee.
    """

    def __init__(
        self,
        steps: Callable[[], Steps],
        id: Callable[[int], str],
        keep: Callable[[Label], Awaitable[None]],
        *,
        secret: bytes,
    ) -> None:
        self._aside = Aside("grounding", "[guard] grounding_judge", steps, id, secret=secret)
        self._keep = keep
        self._line: deque[tuple[str, Call, Reply, Entry]] = deque()
        self._bytes = 0
        self._come = asyncio.Event()

    def of(self, model: str, call: Call) -> Grey:
        """What is done with the grey claims of this call's answers."""
        return Grey(self, model, call)

    def offer(self, model: str, call: Call, reply: Reply, entry: Entry) -> None:
        """Have an answer that was given looked at. Returns at once; when too many wait, one is left out."""
        size = len(call.body) + len(reply.body)
        if len(self._line) < MOST_WAITING and self._bytes + size <= MOST_BYTES:
            self._bytes += size
            self._line.append((model, call, reply, entry))
            self._come.set()
        else:
            log.info("the grey claims of call %s are not judged: too many answers wait", call.id)

    @property
    def waiting(self) -> int:
        """Answers that are still to be looked at."""
        return len(self._line)

    async def run(self) -> None:
        """Look at answers that were given, one at a time, until cancelled."""
        while True:
            while not self._line:
                self._come.clear()
                await self._come.wait()
            model, call, reply, entry = self._line[0]
            try:
                await self._after(model, call, reply, entry)
            except DemitasseError as error:
                log.warning("what was found of the answer to call %s was not kept: %s", call.id, error)
            except Exception:
                log.exception("the grey claims of call %s were not judged", call.id)
            finally:
                self._line.popleft()
                self._bytes -= len(call.body) + len(reply.body)

    async def look(self, model: str, call: Call, reply: Reply, *, decisive: bool = False) -> Looked | None:
        """The grounding of an answer with the model's word on what was grey; None: it was not asked.

        Args:
            decisive: ask only where its word could make the answer fail.

        Raises StoreError.
        """
        read = await asyncio.to_thread(_read, call, reply)
        if read is None:
            return None
        found, put = read
        if decisive and found.passed and found.judged({doubt.nth: False for doubt in put}).passed:
            return None
        from .checks import grounded  # noqa: PLC0415 - it loads what scores answers, which a start is spared

        grey = found.grey
        try:
            said = await self._aside.within(
                _patience_s(call) if decisive else AFTERWARDS_S, self._ask(model, call, put)
            )
        except Unasked as why:
            log.warning("the grey claims of call %s were not judged by '%s': %s", call.id, model, why)
            return Looked(grounded(found, f"{grey} grey, and '{model}' could not be asked: {why}"), judged=False)
        note = f"{len(said)} of {grey} grey put to '{model}', which found {sum(said.values())} supported"
        return Looked(grounded(found.judged(said), note), judged=True)

    async def _ask(self, model: str, call: Call, put: Sequence[Doubt]) -> dict[int, bool]:
        from ..guard.grounding_judge import from_chat, to_chat  # noqa: PLC0415

        rung = await self._aside.rung(model, call)
        mark = self._aside.mark(call)
        answer = await self._aside.chat(
            lambda constrained: to_chat(put, rung.alias, mark=mark, constrained=constrained), rung, call
        )
        try:
            return from_chat(answer, put)
        except ValueError as why:
            raise Unasked("its answer could not be read") from why

    async def _after(self, model: str, call: Call, reply: Reply, entry: Entry) -> None:
        looked = await self.look(model, call, reply)
        if looked is None or not looked.judged:
            return
        answered = Answered(entry.model or "", reply.model or "", looked.check.score, entry=entry.id)
        await self._keep(
            Label(
                id=entry.id,
                at_us=entry.at_us,
                route=entry.route,
                source="grounding",
                reference=None,
                others=(answered,),
                session=entry.session,
                slice=dict(entry.tags).get("task", ""),
                served=entry.model or "",
                certificate=entry.decision.certificate if entry.decision is not None else "",
                method=f"judge:{model}",
            )
        )


class Grey:
    """What is done with the grey claims of one call's answers."""

    __slots__ = ("_call", "_grounder", "_judged", "_model")

    def __init__(self, grounder: Grounder, model: str, call: Call) -> None:
        self._grounder = grounder
        self._model = model
        self._call = call
        self._judged: tuple[Reply, Check] | None = None

    async def draft(self, draft: Reply, verdict: Verdict) -> Verdict:
        """The verdict on a draft that would stand, once its grey claims are judged. Never raises, but where it is cancelled."""
        from .checks import refused  # noqa: PLC0415

        try:
            looked = await self._grounder.look(self._model, self._call, draft, decisive=True)
        except StoreError as error:
            log.warning("the grey claims of call %s were not judged: %s", self._call.id, error)
            return verdict
        except Exception:
            log.exception("the grey claims of call %s were not judged", self._call.id)
            return verdict
        if looked is None:
            return verdict
        self._judged = draft, looked.check
        return verdict if looked.check.passed else refused(verdict, looked.check)

    def told(self, reply: Reply, found: tuple[Check, ...]) -> tuple[Check, ...]:
        """The checks of an answer, with what was found of it as a draft."""
        if self._judged is None or self._judged[0] is not reply:
            return found
        judged = self._judged[1]
        return tuple(judged if check.name == judged.name else check for check in found)

    def given(self, reply: Reply, entry: Entry) -> None:
        """Of an answer that is in the books: it is looked at in its turn, unless it was as a draft. Returns at once."""
        if self._judged is not None and self._judged[0] is reply:
            return
        if entry.outcome == "answered" and entry.key not in OWN_KEYS and self._call.kind in ("chat", "completion"):
            self._grounder.offer(self._model, self._call, reply, entry)


def _patience_s(call: Call) -> float:
    """How long a client can be made to wait: of its own deadline a quarter, since another model may be asked afterwards."""
    deadline_s = call.wish.deadline_s
    return PATIENCE_S if deadline_s is None else min(PATIENCE_S, deadline_s / 4)


def _read(call: Call, reply: Reply) -> tuple[Grounding, list[Doubt]] | None:
    """An answer's claims, and those that can be put to a model; None where there are none."""
    from ..guard.grounding_judge import doubts  # noqa: PLC0415
    from .checks import Asked, claims_of  # noqa: PLC0415

    asked = Asked(call)
    found = claims_of(asked, reply)
    if found is None or not (put := doubts(found[0], asked.prompt, found[1])):
        return None
    return found[1], put

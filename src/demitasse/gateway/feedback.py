"""What an application says of an answer that it got: a score, kept as evidence. Knows bytes and entries; knows no HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from ..core.call import Caller
from ..core.entry import Entry
from ..core.errors import Refused
from ..core.evidence import Answered, EvidenceStore, Label
from .route import Routes

MOST_BYTES = 4 << 10
_NAME = re.compile(r"[A-Za-z0-9_.:-]{0,64}").fullmatch
_SHAPE = 'send {"id": "…", "score": 0.0 to 1.0, "label": "…"}; id is the x-request-id of the answer, label is optional'


class _Said(Struct):
    id: str
    score: bool | int | float
    label: str = ""


_read = msgspec.json.Decoder(_Said).decode


class Feedback:
    """Takes feedback and keeps it.

    Args:
        entry: one entry of the books by our id or the client's request id; runs in a thread.
        routes: the names in force, to tell a reference's answer from another's.
    """

    def __init__(
        self, store: EvidenceStore, entry: Callable[[str], Entry | None], routes: Callable[[], Routes]
    ) -> None:
        self._store = store
        self._entry = entry
        self._routes = routes

    async def take(self, caller: Caller, body: bytes) -> dict[str, Any]:
        """Keep a score; what is said again under the same name replaces it. Returns what was kept.

        Raises Refused: 400 it has no such shape, 404 no call of this caller bears the id; StoreError.
        """
        said = _said(body)
        entry = await asyncio.to_thread(self._entry, said.id)
        # Whose call it was is not told to others: to them it is as unknown as one that never was.
        if entry is None or not _own(caller, entry):
            raise Refused(
                f"no call of yours bears the id '{said.id[:80]}'; send the x-request-id of an answer that this key got, "
                "or list the last ones with: demitasse ledger",
                status=404,
                code="unknown_call",
                param="id",
            )
        if entry.outcome != "answered" or entry.model is None:
            raise Refused(
                f"call '{entry.id}' has no answer to score: it was {entry.outcome}", code="nothing_to_score", param="id"
            )
        label = self._label(entry, said)
        await self._store.label(label)
        return {
            "id": entry.id,
            "score": float(said.score),
            "label": said.label,
            "route": entry.route,
            "model": entry.model,
        }

    def _label(self, entry: Entry, said: _Said) -> Label:
        assert entry.model is not None
        last = entry.attempts[-1] if entry.attempts else None
        answered = Answered(
            model=entry.model,
            version=last.upstream_model if last is not None and last.model == entry.model else "",
            score=float(said.score),
            cost_nanos=entry.cost_nanos,
            entry=entry.id,
        )
        route = self._routes().find(entry.route)
        by_reference = route is not None and route.reference.alias == entry.model
        return Label(
            id=entry.id,
            at_us=entry.at_us,
            route=entry.route,
            source="feedback",
            reference=answered if by_reference else None,
            others=() if by_reference else (answered,),
            session=entry.session,
            slice=dict(entry.tags).get("task", ""),
            served=entry.model,
            certificate=entry.decision.certificate if entry.decision is not None else "",
            method=f"feedback:{said.label}" if said.label else "feedback",
        )


def _said(body: bytes) -> _Said:
    if len(body) > MOST_BYTES:
        raise Refused(f"feedback is at most {MOST_BYTES >> 10} KB; {_SHAPE}", status=413, code="body_too_large")
    try:
        said = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"this is no feedback ({error}); {_SHAPE}", code="invalid_feedback") from None
    if not 0 <= said.score <= 1:
        raise Refused(f"'score' is {said.score:g}; it lies between 0 and 1", code="invalid_feedback", param="score")
    if not said.id:
        raise Refused(f"'id' is empty; {_SHAPE}", code="invalid_feedback", param="id")
    if not _NAME(said.label):
        raise Refused(
            "'label' is at most 64 letters, digits, '_', '.', ':' and '-'", code="invalid_feedback", param="label"
        )
    return said


def _own(caller: Caller, entry: Entry) -> bool:
    """The same tenant: the same team, else the same key."""
    return entry.key == caller.key or (caller.team is not None and entry.team == caller.team)

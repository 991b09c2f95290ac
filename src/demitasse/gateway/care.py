"""What may be asked of the semantic cache, and done to it: its figures, why a hit was one, an answer taken out.

Knows paths and JSON bodies; the sockets are ``http``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from ..core.call import Caller
from ..core.errors import Refused
from .keys import may

if TYPE_CHECKING:
    from .semantic import SemanticCache

PATH = "/demitasse/semantic"
WRONG = 0.5
"""An application's score below this says that a hit was wrong."""


class _Evict(Struct, forbid_unknown_fields=True):
    id: str | None = None
    tag: str | None = None
    tenant: str | None = None


def figures(semantic: SemanticCache | None) -> dict[str, Any]:
    """``GET /demitasse/semantic``."""
    return {"on": False} if semantic is None else {"on": True, **semantic.stats()}


def why(semantic: SemanticCache | None, call_id: str, caller: Caller) -> dict[str, Any]:
    """``GET /demitasse/semantic/{call id}``: what led to a hit, with the words of the question that it was taken for.

    Raises Refused: 404 no hit of this caller's bears the id, or it is forgotten.
    """
    found = semantic.served(call_id) if semantic is not None else None
    # Words are for those who asked, and for who may see everything.
    if found is None or not (found.kept.tenant == caller.tenant or may(caller, "content")):
        raise Refused(
            "no such hit of the semantic cache is remembered; its last ones have cache = semantic in: demitasse ledger",
            status=404,
            code="unknown_call",
        )
    return {"id": call_id, **found.explain}


def evict(semantic: SemanticCache | None, body: bytes) -> dict[str, int]:
    """``POST /demitasse/semantic/evict`` with one of ``id`` (of an answer), ``tag`` and ``tenant``. Raises Refused."""
    try:
        said = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"this says not what to take out ({error}); {_SHAPE}", code="invalid_json") from None
    named = {name: value for name in ("id", "tag", "tenant") if (value := getattr(said, name)) is not None}
    if len(named) != 1:
        raise Refused(f"name one of id, tag and tenant; {_SHAPE}", param="id")
    return {"evicted": semantic.evict(**named) if semantic is not None else 0}


def heard(semantic: SemanticCache | None, call_id: str, score: float) -> None:
    """An application's score of an answer: a hit that was wrong counts as an error, and is served no more."""
    if semantic is not None and score < WRONG:
        semantic.flag(call_id)


_SHAPE = 'send e.g. {"id": "sem_…"}, {"tag": "feature=titles"} or {"tenant": "NAME"}'
_read = msgspec.json.Decoder(_Evict).decode

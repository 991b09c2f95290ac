"""Which shapers a call goes through, so that no message is ever sent in two forms; and output limits learned per route.

A shaper runs on a route only where the route opted in (``shape = true``) *and* the shaper is ``on``, or ``proven`` with an
evaluation of this route on record whose bound holds. A message keeps the form in which it was first sent, whatever is
switched on or off later: what a provider would read from its cache is never rewritten. Knows calls and proofs, no model.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Raw, Struct, structs

from ..core.call import Call, Reply
from ..core.evidence import OWN_KEY
from ..wire import prefix, shaping
from ..wire.shaping import SHAPERS, Proof, Shaper
from .route import Route

Mode = Literal["off", "proven", "on"]
Shapers = frozenset[Shaper]

PROOF = "shape_proof."
"""Settings of the store that hold proofs begin so: ``shape_proof.ROUTE.SHAPER``."""
_MOST_SESSIONS = 4_096
_LEAST_BYTES = 512
_DIGEST = 6

CAP_AFTER = 500
"""Answers that a route must have given before their length says anything."""
CAP_TIMES = 2.0
CAP_LEAST = 256
_LENGTHS = 2_000


class ShapeSettings(Struct, frozen=True):
    """How each shaper may run, and on which routes at all."""

    routes: frozenset[str] = frozenset()
    whitespace: Mode = "on"
    compact_json: Mode = "off"
    repeats: Mode = "off"
    trim_context: Mode = "off"
    output_cap: bool = False


class _Sent:
    """In which form each message of a conversation was first sent."""

    __slots__ = ("chain", "forms")

    def __init__(self) -> None:
        self.chain = b""
        self.forms: list[Shapers] = []


class Shape:
    """The step. Bounded memory; without opted-in routes it does nothing at all.

    Args:
        proof: the evaluation on record for a route and a shaper, or None.
        revision: rises when settings of the store change; proofs are then read anew.
        clock: UTC microseconds.
    """

    def __init__(
        self,
        settings: ShapeSettings,
        proof: Callable[[str, Shaper], Proof | None],
        *,
        revision: Callable[[], int],
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._proof = proof
        self._revision = revision
        self._clock = clock
        self._known: dict[str, Shapers] = {}
        self._known_at = (-1, -1)
        self._sessions: OrderedDict[str, _Sent] = OrderedDict()
        self._lengths: dict[str, deque[int]] = {}

    @property
    def settings(self) -> ShapeSettings:
        return self._settings

    @settings.setter
    def settings(self, settings: ShapeSettings) -> None:
        self._settings = settings
        self._known.clear()

    def __call__(self, call: Call, route: Route) -> Call:
        """The call as it is to be sent; the same one where nothing applies."""
        opted_in = route.name in self.settings.routes
        if not (opted_in or self._sessions) or call.kind != "chat" or call.caller.key == OWN_KEY:
            return call
        if call.wish.route == "reference":
            return call  # whoever asks for the reference wants no saving at all
        if (
            opted_in
            and self.settings.output_cap
            and call.max_output is None
            and (cap := self.cap(route.name)) is not None
        ):
            call = structs.replace(call, max_output=cap, clamped=True)
        if call.text_bytes < _LEAST_BYTES:
            return call
        return self._shaped(call, route.name)

    def in_force(self, route: str) -> Shapers:
        """The shapers that run on a route at this moment."""
        if route not in self.settings.routes:
            return frozenset()
        now = (self._revision(), self._clock() // 60_000_000)  # a proof expires to the minute
        if now != self._known_at:
            self._known.clear()
            self._known_at = now
        found = self._known.get(route)
        if found is None:
            found = self._known[route] = frozenset(s for s in SHAPERS if self._may(route, s))
        return found

    def _may(self, route: str, shaper: Shaper) -> bool:
        mode: Mode = getattr(self.settings, shaper)
        if mode != "proven":
            return mode == "on"
        proof = self._proof(route, shaper)
        return proof is not None and proof.holds(self._clock())

    def _shaped(self, call: Call, route: str) -> Call:
        active = self.in_force(route)
        session = f"{route}\0{call.caller.tenant}\0{call.session}"
        sent = self._sessions.get(session)
        if sent is None and route not in self.settings.routes:
            return call
        layout = prefix.read(call.fields)
        if layout is None:
            return call
        chain = b"".join(digest[:_DIGEST] for digest in layout.chain[1:])
        before = _same(chain, sent.chain) if sent is not None else 0
        # Of a conversation that nobody remembers the history is taken to have gone out as it would now: after a restart
        # that is so, and where it is not, its provider reads it anew once.
        forms = [*(sent.forms[:before] if sent is not None else ()), *[active] * (len(layout.messages) - before)]
        self._remember(session, chain, forms)
        shaped = shaping.shape(layout.messages, forms)
        total = sum(shaped.removed)
        if not total:
            return call
        start = before if sent is not None else _last_turn(layout)
        messages = Raw(b"[" + b",".join(bytes(m) for m in shaped.messages) + b"]")
        return structs.replace(
            call,
            fields={**call.fields, "messages": messages},
            shaped_bytes=total,
            shaped_again_bytes=sum(shaped.removed[:start]),
        )

    def _remember(self, session: str, chain: bytes, forms: list[Shapers]) -> None:
        sent = self._sessions.get(session)
        if sent is None:
            sent = self._sessions[session] = _Sent()
            if len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(session)
        sent.chain, sent.forms = chain, forms

    def cap(self, route: str) -> int | None:
        """The output limit that the route's own answers suggest: twice the longest of the last two thousand."""
        lengths = self._lengths.get(route)
        if lengths is None or len(lengths) < CAP_AFTER:
            return None
        return max(CAP_LEAST, int(CAP_TIMES * max(lengths)))

    def learn(self, call: Call, route: Route, reply: Reply) -> None:
        """What an answer teaches of the route's length. One that was cut by a learned limit makes the next one twice as wide."""
        if not self.settings.output_cap or route.name not in self.settings.routes or reply.usage is None:
            return
        lengths = self._lengths.setdefault(route.name, deque(maxlen=_LENGTHS))
        out = -(-reply.usage.total_out // max(1, call.n))
        if reply.finish == "length":
            if call.clamped:
                lengths.append(2 * out)
            return  # cut by the client's own limit: its whole length is not known
        lengths.append(out)


def proof_of(value: object) -> Proof | None:
    """A proof as the store keeps it; None where there is none, or one that another version wrote."""
    try:
        return None if value is None else msgspec.convert(value, Proof)
    except msgspec.ValidationError:
        return None


def _same(a: bytes, b: bytes) -> int:
    most = min(len(a), len(b)) // _DIGEST
    step = _DIGEST
    return next((i for i in range(most) if a[step * i : step * i + step] != b[step * i : step * i + step]), most)


def _last_turn(layout: prefix.Layout) -> int:
    """Messages before the latest turn."""
    return next((i for i in range(len(layout.roles), 0, -1) if layout.roles[i - 1] == "assistant"), 0)

"""Whether a call may share an answer at all, and with which calls: its partition, and the one text that may differ.

Knows requests and words; knows no vectors and no answers. In doubt a call is not eligible.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from ..core.call import Call
from ..core.fingerprint import DELIVERY

MAX_CHARS: Final = 4_000
"""Of the question: a longer one has too much in it to be the same as another."""

Why = Literal["kind", "wish", "sampled", "tools", "media", "shape", "length", "hidden", "time", "personal"]
"""Why a call is not eligible."""


class Asked(Struct, frozen=True):
    """A question that may share an answer with others of its partition."""

    call_id: str
    tenant: str
    scope: str
    """Where evidence is pooled: one tenant on one route."""
    partition: bytes
    """Everything but the question, in full: who asks, what would answer, and the whole request around the question."""
    text: str
    tags: tuple[tuple[str, str], ...]
    at_us: int
    look: bool = True
    """False: the client wants a fresh answer, which may be kept."""


def read(call: Call, route: str, stamp: str, *, sampled: bool = False) -> Asked | Why:
    """The question of a call, or why it is not eligible.

    Args:
        route, stamp: the route's name, and what changes when its models do.
        sampled: whether answers at a temperature above 0 may be shared, as for the exact cache.
    """
    if call.kind != "chat" or call.n != 1:
        return "kind"
    if call.wish.cache == "no-store" or call.wish.route:
        return "wish"
    if call.temperature and not (sampled or call.wish.sampled):
        return "sampled"
    if call.has_tools:
        return "tools"
    if call.images or call.files:
        return "media"
    try:
        request = _decode(call.body)
    except msgspec.DecodeError:
        return "shape"
    text = _take_question(request)
    if text is None:
        return "shape"
    why = _unfit(text)
    if why is not None:
        return why
    for name in DELIVERY:
        request.pop(name, None)
    scope = f"{call.caller.tenant}\0{route}"
    head = f"{scope}\0{call.kind}\0{stamp}\0".encode()
    return Asked(
        call.id,
        call.caller.tenant,
        scope,
        head + _encode(request),
        text,
        call.tags,
        call.at_us,
        look=call.wish.cache == "use",
    )


_decode: Final = msgspec.json.Decoder(dict).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def _take_question(request: dict[str, Any]) -> str | None:
    """Takes the last message's text out of a request; None where that is not one plain text of a user."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    if any(not isinstance(m, dict) or m.get("role") not in _ROLES or m.get("tool_calls") for m in messages):
        return None
    last = messages[-1]
    if last["role"] != "user":
        return None
    content = last.get("content")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        part = content[0]
        if part.get("type") != "text" or not isinstance(part.get("text"), str):
            return None
        content, part["text"] = part["text"], None
        return str(content)
    if not isinstance(content, str):
        return None
    last["content"] = None
    return content


_ROLES: Final = frozenset(("system", "developer", "user", "assistant"))


def _unfit(text: str) -> Why | None:
    """Why a text may not share its answer with a similar one."""
    if not text.strip() or len(text) > MAX_CHARS:
        return "length"
    if any(unicodedata.category(c) in _HIDDEN and c not in "\n\t\r" for c in text) or _mixes_scripts(text):
        return "hidden"
    if _TIME.search(text):
        return "time"
    if _PERSONAL.search(text):
        return "personal"
    return None


_HIDDEN: Final = frozenset(("Cc", "Cf", "Co", "Cn", "Cs"))
"""Control and format characters, and those without meaning: what a reader does not see, a guard must not have to."""


def _mixes_scripts(text: str) -> bool:
    """Whether a word has letters of more than one alphabet: the sign of look-alikes."""
    if text.isascii():
        return False
    return any(len({_script(c) for c in word}) > 1 for word in re.findall(r"[^\W\d_]+", text) if not word.isascii())


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "?").split(" ")[0]
    return name if name in ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "MATHEMATICAL") else "other"


_TIME: Final = re.compile(
    r"""\b(?:today|tonight|tomorrow|yesterday|now|nowadays|current|currently|latest|newest|recent|recently|
      these\ days|so\ far|at\ the\ moment|at\ present|right\ away|up[- ]to[- ]date|as\ of|ago|live|upcoming|trending|
      (?:this|next|last|past|coming)\ (?:second|minute|hour|morning|afternoon|evening|night|day|week|weekend|month|
        quarter|year|decade|monday|tuesday|wednesday|thursday|friday|saturday|sunday|spring|summer|autumn|fall|winter)|
      what\ (?:time|day|date|year|month|is\ the\ (?:time|date|day|year|month))|what's\ the\ (?:time|date|day)|
      time\ is\ it|weather|forecast|news|headlines|
      heute|morgen|gestern|jetzt|derzeit|aktuell\w*|neueste\w*|momentan|wetter|nachrichten|uhrzeit|wie\ spät|
      aujourd'hui|demain|hier|maintenant|actuel\w*|récent\w*|dernière?s?|météo|
      hoy|mañana|ayer|ahora|actual\w*|reciente\w*|últim[oa]s?)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words whose answer is another one later."""

_PERSONAL: Final = re.compile(
    r"""[\w.+-]+@[\w-]+\.\w+                                      # e-mail
      | (?<![\w.])\+?\(?\d(?:[ ()./-]{0,2}\d){6,}                  # phone numbers, cards, accounts: seven digits and more
      | \b[A-Z]{2}\d{2}(?:\ ?[A-Z0-9]{4}){2,}                      # IBAN
      | \b\d{3}-\d{2}-\d{4}\b                                      # SSN
      | \b\d{1,3}(?:\.\d{1,3}){3}\b                                # IP address
      | ://[^\s/@]+:[^\s/@]+@                                      # credentials in a URL
      | \b(?:password|passwort|passcode|pin|cvv|cvc|ssn|iban|api[ _-]?key|secret|token)\b\s*(?:is|=|:)\s*\S
      | \bmy\ name\ is\b | \bich\ heiße\b | \bje\ m'appelle\b | \bme\ llamo\b
    """,
    re.VERBOSE | re.IGNORECASE,
)

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
from ..core.quiet import quiet

MAX_CHARS: Final = 4_000
"""Of the question: a longer one has too much in it to be the same as another."""

Why = Literal["kind", "wish", "sampled", "tools", "media", "shape", "length", "hidden", "time", "personal"]
"""Why a call is not eligible."""


class Asked(Struct, frozen=True):
    """A question that may share an answer with others of its partition."""

    __repr__ = quiet

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
    if _hides(text) or _mixes_scripts(text):
        return "hidden"
    plain = text.lower()
    if _depends_on_time(plain):
        return "time"
    if _tells_of_a_person(text, plain):
        return "personal"
    return None


_HIDDEN: Final = frozenset(("Cc", "Cf", "Co", "Cn", "Cs"))
"""Control and format characters, and those without meaning: what a reader does not see, a guard must not have to."""


_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _hides(text: str) -> bool:
    if text.isascii():
        return _CONTROL.search(text) is not None
    return any(unicodedata.category(c) in _HIDDEN and c not in "\n\t\r" for c in text)


def _mixes_scripts(text: str) -> bool:
    """Whether a word has letters of more than one alphabet: the sign of look-alikes."""
    if text.isascii():
        return False
    return any(len({_script(c) for c in word}) > 1 for word in re.findall(r"[^\W\d_]+", text) if not word.isascii())


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "?").split(" ")[0]
    return name if name in ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "MATHEMATICAL") else "other"


def _depends_on_time(plain: str) -> bool:
    """``plain``: in lower case. Single words are looked up, which costs a tenth of searching for each of them."""
    words = set(_WORDS(plain))
    if not words.isdisjoint(_NOW) or any(word.startswith(_NOWISH) for word in words if word[0] in "anr"):
        return True
    return not words.isdisjoint(_NOW_BEGINS) and _NOW_SAID.search(plain) is not None


_WORDS: Final = re.compile(r"[^\W_]+").findall
_NOW: Final = frozenset(
    """
    today tonight tomorrow yesterday now nowadays current currently latest newest recent recently ago live upcoming trending
    weather forecast news headlines heute morgen gestern jetzt derzeit momentan wetter nachrichten uhrzeit demain hier maintenant
    dernier dernière derniers dernières météo hoy mañana ayer ahora último última últimos últimas
    """.split()  # noqa: SIM905 - read as text
)
"""Words whose answer is another one later."""
_NOWISH: Final = ("aktuell", "neueste", "actuel", "récent", "actual", "reciente")
_NOW_BEGINS: Final = frozenset(
    "these so at right up as this next last past coming what time wie aujourd".split()  # noqa: SIM905 - read as text
)
_NOW_SAID: Final = re.compile(
    r"""\b(?:these\ days|so\ far|at\ the\ moment|at\ present|right\ away|up[- ]to[- ]date|as\ of|
      (?:this|next|last|past|coming)\ (?:second|minute|hour|morning|afternoon|evening|night|day|week|weekend|month|
        quarter|year|decade|monday|tuesday|wednesday|thursday|friday|saturday|sunday|spring|summer|autumn|fall|winter)|
      what\ (?:time|day|date|year|month|is\ the\ (?:time|date|day|year|month))|what['’]s\ the\ (?:time|date|day)|
      time\ is\ it|wie\ spät|aujourd['’]hui)\b""",
    re.VERBOSE,
)


def _tells_of_a_person(text: str, plain: str) -> bool:
    """``plain``: the same in lower case. What cannot be there is not searched for."""
    if "@" in text and _ADDRESS.search(text) is not None:
        return True
    if sum(map(text.count, "0123456789")) >= _FEWEST_DIGITS and _NUMBER.search(text) is not None:
        return True
    return _SAID.search(plain) is not None


_FEWEST_DIGITS: Final = 4
"""Of an IP address."""
_ADDRESS: Final = re.compile(r"[\w.+-]@[\w-]+\.\w|://[^\s/@]+:[^\s/@]+@")
_NUMBER: Final = re.compile(
    r"""(?<![\w.])\+?\(?\d(?:[ ()./-]{0,2}\d){6,}                  # phone numbers, cards, accounts: seven digits and more
      | \b[A-Za-z]{2}\d{2}(?:\ ?[A-Za-z0-9]{4}){2,}                # IBAN
      | \b\d{3}-\d{2}-\d{4}\b                                      # SSN
      | \b\d{1,3}(?:\.\d{1,3}){3}\b                                # IP address
    """,
    re.VERBOSE,
)
_SAID: Final = re.compile(
    r"""\b(?:password|passwort|passcode|pin|cvv|cvc|ssn|iban|api[ _-]?key|secret|token)\b\s*(?:is|=|:)\s*\S
      | \bmy\ name\ is\b | \bich\ heiße\b | \bje\ m['’]appelle\b | \bme\ llamo\b""",
    re.VERBOSE,
)

"""Saying the same with fewer tokens: shapers of single messages. Pure; knows no session, no setting and no price.

A shaper sees one message and what was sent before it, never what comes after, so that a message once shaped comes out in
the same bytes at every later turn, and a provider's cache goes on holding it. System prompts and the model's own answers are
never touched. What each does to tokens and to answers is measured by ``bench/shaping.py``.

- ``whitespace``: blanks at the ends of lines and messages, outside code fences.
- ``compact_json``: JSON in tool results without the white space between its tokens; the same value, to the digit.
- ``repeats``: a block that stands earlier in the conversation, word for word, is referred to.
- ``trim_context``: of passages retrieved for a question, those that share (almost) none of its words are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b
from math import log
from typing import Final, Literal, NamedTuple, get_args

import msgspec
from msgspec import Raw, Struct

from .passages import passages
from .prefix import with_content

Shaper = Literal["whitespace", "compact_json", "repeats", "trim_context"]
SHAPERS: Final[tuple[Shaper, ...]] = get_args(Shaper)
LOSSLESS: Final[frozenset[Shaper]] = frozenset({"compact_json"})
"""Whatever reads JSON reads the same; a model may still answer otherwise, so these too are off until proven or asked for."""

LEAST_JSON_CHARS: Final = 200
LEAST_BLOCK_CHARS: Final = 400
_LEAST_PARAGRAPH_CHARS: Final = 80
LEAST_PASSAGES: Final = 4
KEPT_SHARE: Final = 0.95
"""Of the words that passages share with the question, so much stays."""


class Proof(Struct, frozen=True):
    """An evaluation of one shaper on one route: the same calls answered with it and without."""

    route: str
    shaper: Shaper
    n: int
    worse: int
    """Calls that were right without it and wrong with it."""
    better: int
    worse_at_most: float
    """Share of calls made worse, at most, with confidence 1 - ``delta``."""
    margin: float
    """What was allowed, fixed before the run."""
    delta: float
    tokens_saved: float
    """Share of prompt tokens."""
    model: str
    method: str
    at_us: int
    expires_us: int

    def holds(self, at_us: int) -> bool:
        return self.worse_at_most <= self.margin and at_us < self.expires_us


class Shaped(NamedTuple):
    """Messages as they are sent, and the bytes that each of them lost."""

    messages: list[Raw]
    removed: list[int]


def shape(messages: Sequence[Raw], wanted: Sequence[Collection[Shaper]]) -> Shaped:
    """Each message after the shapers that are ``wanted`` for it; one that none applies to keeps its bytes."""
    out: list[Raw] = []
    removed: list[int] = []
    seen: set[bytes] = set()
    track = any("repeats" in w for w in wanted)
    for message, shapers in zip(messages, wanted, strict=True):
        sent, told = message, None
        if shapers or track:
            told = _read(message)
        if told is not None and shapers and told.role in _SHAPED_ROLES:
            sent = _shaped(message, told, shapers, seen)
        out.append(sent)
        removed.append(len(memoryview(message)) - len(memoryview(sent)))
        if track:
            seen |= _blocks(_read(sent) if sent is not message else told)
    return Shaped(out, removed)


def compact_json(text: str) -> str:
    """JSON without white space between its tokens; anything that is not one whole JSON value comes back as it is."""
    if len(text) < LEAST_JSON_CHARS or text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        _check(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    return _BETWEEN.sub(lambda m: m[1] or "", text)


def trim_whitespace(text: str) -> str:
    """Without blanks at the ends of lines and of the whole; fenced code is left as it is."""
    parts = _FENCE.split(text)
    # Every second part is a whole fenced block.
    return "".join(part if i % 2 else _LINE_END.sub("", part) for i, part in enumerate(parts)).rstrip()


def trim_context(text: str) -> str:
    """The text without the passages that have next to nothing to do with its question; as it is where it has too few."""
    found = passages(text)
    if len(found) < LEAST_PASSAGES:
        return text
    question = _words(_outside(text, found))
    if not question:
        return text
    words = [Counter(_words(text[a:b])) for a, b in found]
    rare = {w: log(1 + len(found) / (1 + sum(w in c for c in words))) for w in set(question)}
    scores = [sum(rare[w] * min(c[w], 3) for w in rare) for c in words]
    total = sum(scores)
    if not total:
        return text
    kept: set[int] = set()
    covered = 0.0
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if len(kept) >= 2 and covered >= KEPT_SHARE * total:
            break
        kept.add(i)
        covered += scores[i]
    return _without(text, [p for i, p in enumerate(found) if i not in kept])


class _Part(Struct):
    type: str = ""
    text: str | None = None


class _Message(Struct):
    role: str = ""
    content: str | list[_Part] | None = None


_read_message = msgspec.json.Decoder(_Message).decode
_check = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_raw_parts = msgspec.json.Decoder(list[Raw]).decode
_SHAPED_ROLES = frozenset({"user", "tool", "function"})
_TOOL_ROLES = frozenset({"tool", "function"})
_BETWEEN = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')
_FENCE = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_LINE_END = re.compile(r"[ \t]+(?=\n)")
_WORD = re.compile(r"[^\W_]{3,}")
_COMMON: Final = frozenset(
    "the and for are was were with that this from have has had not but you your what which who whom how why when where "  # noqa: SIM905
    "does did can could would should will about into than then them they their there these those its our out use using "
    "answer question following context based document documents only passage passages please".split()
)


def _read(message: Raw) -> _Message | None:
    try:
        return _read_message(message)
    except msgspec.ValidationError:
        return None  # a form that is only passed on


def _shaped(message: Raw, told: _Message, shapers: Collection[Shaper], seen: set[bytes]) -> Raw:
    steps: list[Callable[[str], str]] = []
    if "compact_json" in shapers and told.role in _TOOL_ROLES:
        steps.append(compact_json)
    if "trim_context" in shapers and told.role == "user":
        steps.append(trim_context)
    if "repeats" in shapers:
        steps.append(lambda text: _refer(text, seen, all_of_it=told.role in _TOOL_ROLES))
    if "whitespace" in shapers:
        steps.append(trim_whitespace)
    content = _members(message)["content"] if told.content else None
    if content is None or not steps:
        return message
    old = bytes(content)
    if isinstance(told.content, str):
        new_text = _through(told.content, steps)
        return message if new_text == told.content else Raw(with_content(message, old, msgspec.json.encode(new_text)))
    assert told.content is not None
    parts = [bytes(part) for part in _raw_parts(content)]
    changed = False
    for i, part in enumerate(told.content):
        if part.type == "text" and part.text:
            text = _through(part.text, steps)
            if text != part.text and text:
                was = bytes(_members(parts[i])["text"])
                parts[i] = parts[i].replace(was, msgspec.json.encode(text), 1)
                changed = True
    return Raw(with_content(message, old, b"[" + b",".join(parts) + b"]")) if changed else message


def _through(text: str, steps: Iterable[Callable[[str], str]]) -> str:
    for step in steps:
        shorter = step(text)
        # An empty message is refused by many servers, and a longer one helps nobody.
        if shorter.strip() and len(shorter) < len(text):
            text = shorter
    return text


_PARAGRAPHS = re.compile(r"(\n[ \t]*\n+)")


def _blocks(told: _Message | None) -> set[bytes]:
    """What later messages may refer to: each longer paragraph of a message, and its whole text."""
    if told is None or not told.content:
        return set()
    texts = [told.content] if isinstance(told.content, str) else [p.text for p in told.content if p.text]
    found = {_hash(text) for text in texts if len(text) >= LEAST_BLOCK_CHARS}
    for text in texts:
        found |= {_hash(p) for p in _PARAGRAPHS.split(text)[::2] if len(p) >= _LEAST_PARAGRAPH_CHARS}
    return found


def _refer(text: str, seen: set[bytes], *, all_of_it: bool) -> str:
    """The text with each long run of paragraphs that were all sent before replaced by a reference to them.

    ``all_of_it``: the end, too. What a person says last is what is asked, and stays.
    """
    if len(text) < LEAST_BLOCK_CHARS or not seen:
        return text
    if all_of_it and _hash(text) in seen:
        return _reference(text)
    pieces = _PARAGRAPHS.split(text)
    known = [len(p) >= _LEAST_PARAGRAPH_CHARS and _hash(p) in seen for p in pieces[::2]]
    if not all_of_it:
        known[-1] = False
    out: list[str] = []
    at = 0
    while at < len(known):
        end = at
        while end < len(known) and known[end]:
            end += 1
        run = "".join(pieces[2 * at : 2 * end - 1]) if end > at else ""
        if len(run) >= LEAST_BLOCK_CHARS:
            out.append(_reference(run))
        elif run:
            out.append(run)
        else:
            end = at + 1
            out.append(pieces[2 * at])
        out += pieces[2 * end - 1 : 2 * end]
        at = end
    return "".join(out)


def _reference(text: str) -> str:
    first, last = " ".join(text[:120].split())[:60], " ".join(text[-120:].split())[-40:]
    return f"[The same {len(text):,} characters as earlier in this conversation, from “{first}” to “{last}”]"


def _hash(text: str) -> bytes:
    return blake2b(text.strip().encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _words(text: str) -> list[str]:
    return [w for w in _WORD.findall(text.lower()) if w not in _COMMON]


def _outside(text: str, spans: list[tuple[int, int]]) -> str:
    out, at = [], 0
    for a, b in spans:
        out.append(text[at:a])
        at = b
    return " ".join([*out, text[at:]])


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    out, at = [], 0
    for a, b in spans:
        out.append(text[at:a])
        at = b
    return "".join([*out, text[at:]])

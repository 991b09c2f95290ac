"""Normal forms of answers, so that two of them can be held against each other: text, number, choice, label, JSON, calls.

Reads what an answer *says*, whatever it is wrapped in; knows nothing of questions, models or who is right. A reader
that isn't sure says None: what can't be told apart from the outside is for a judge.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct


class Answer(Struct, frozen=True, omit_defaults=True):
    """What a model said, without its wrapping."""

    text: str = ""
    tool_calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments (JSON, as sent) of each call."""
    finish: str | None = None
    """OpenAI's word for why it ended; None where nobody said."""
    refusal: str = ""
    """The refusal that the upstream marked as one."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithm of each token's probability, where the upstream told."""


def answer_of(body: bytes) -> Answer:
    """The first choice of a chat completion's (or completion's) body; an empty Answer where it holds none.

    Raises ValueError where the body is no JSON object.
    """
    try:
        whole = _read_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise ValueError(f"this is no body of an answer: {why}") from why
    if not whole.choices:
        return Answer()
    choice = whole.choices[0]
    message = choice.message or _Message()
    calls = [c.function or c.custom or _Function() for c in message.tool_calls or ()]
    calls += [message.function_call] if message.function_call else []
    return Answer(
        text=_text_of(message.content) or choice.text or "",
        tool_calls=tuple((c.name or "", _arguments(c)) for c in calls),
        finish=choice.finish_reason,
        refusal=message.refusal or "",
        logprobs=_logprobs(choice.logprobs),
    )


class _Function(Struct):
    name: str | None = None
    arguments: Any = None
    input: Any = None


class _ToolCall(Struct):
    function: _Function | None = None
    custom: _Function | None = None


class _Message(Struct):
    content: Any = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _Choice(Struct):
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Body(Struct):
    choices: list[_Choice] | None = None


_read_body = msgspec.json.Decoder(_Body).decode


def _text_of(content: Any) -> str:
    """Text of a message whose content is a string, or parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))


def _arguments(function: _Function) -> str:
    told = function.arguments if function.arguments is not None else function.input
    if isinstance(told, str):
        return told
    return msgspec.json.encode(told).decode() if told is not None else ""


def _logprobs(told: Any) -> tuple[float, ...]:
    """Chat: ``{"content": [{"logprob": …}]}``; completions: ``{"token_logprobs": […]}``."""
    if not isinstance(told, dict):
        return ()
    tokens = told.get("content") or []
    values = [t.get("logprob") for t in tokens if isinstance(t, dict)] if isinstance(tokens, list) else []
    values = values or told.get("token_logprobs") or []
    return tuple(float(v) for v in values if isinstance(v, int | float) and math.isfinite(v))


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def plain(text: str) -> str:
    """Prose as what it says: no Markdown, LaTeX dress, case, articles, closing punctuation or spare white space.

    Signs that carry meaning inside a word or formula stay (``-5``, ``c++``, ``1.5``, ``a<b``). Idempotent.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    words = [w if w.isalnum() else _bare(w) for w in _undress(text.translate(_SAME_SIGNS)).casefold().split()]
    kept = [w for w in words if w and w not in _ARTICLES]
    # an answer that is all articles ("A") says one of them
    return " ".join(kept or [w for w in words if w])


_ARTICLES = frozenset({"a", "an", "the"})
_SAME_SIGNS = {
    ord(c): to for cs, to in (("−‐‑‒–—", "-"), ("“”„«»", '"'), ("‘’‚`´", "'"), ("\u00a0\u200b\ufeff", " ")) for c in cs
}
_LINE_STARTS = re.compile(r"^[ \t]{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+(?!\d)|```\w*\s*$)", re.MULTILINE)
"""Headings, quotes, bullets and fences; ``- 5`` is a number."""
_EMPHASIS = re.compile(r"\*{1,3}|_{1,3}")
_LATEX_WORDS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathit|operatorname)\s*\{([^{}]*)\}")
_BRACED = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_LATEX_FRACTION = re.compile(rf"\\[dtc]?frac\s*(?:{_BRACED}\s*{_BRACED}|(\d)\s*(\d))")
_LATEX_DRESS = re.compile(r"\\(?:left|right|displaystyle|limits|quad|qquad|[,;:! ])|\$\$?|\\[()\[\]]|\^\{?\\circ\}?")


def _undress(text: str) -> str:
    """Without Markdown and LaTeX's looks; ``\\boxed{x}`` becomes x, ``\\frac{a}{b}`` becomes a/b."""
    if "\\" in text or "$" in text:
        text = _unbox(text)
        text = _LATEX_WORDS.sub(r"\1", text)
        for _ in range(3):  # fractions of fractions
            text = _LATEX_FRACTION.sub(lambda m: f"{_side(m[1] or m[3])}/{_side(m[2] or m[4])}", text)
        odd = text.count("$") % 2 == 1
        text = _LATEX_DRESS.sub(lambda m: _undressed(m, odd=odd), text)
        text = text.replace("\\%", "%").replace("\\$", "$")
    text = _LINE_STARTS.sub("", text)
    return _EMPHASIS.sub(_stress, text) if "*" in text or "_" in text else text


def _undressed(found: re.Match[str], *, odd: bool) -> str:
    """What stays of a piece of LaTeX: a space, or a dollar sign that is money, since an odd number of them can't be brackets."""
    if found[0] == "$" and odd and found.string[found.end() : found.end() + 1].isdigit():
        return "$"
    return " " if found[0] == "\\ " else ""


def _stress(found: re.Match[str]) -> str:
    """Nothing for ``*emphasis*`` and ``_emphasis_``; the signs themselves in ``2*3``, ``2 * 3`` and ``snake_case``."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() : found.end() + 1]
    inner = _is_word(before) and _is_word(after)
    alone = not before.strip() and not after.strip()
    return found[0] if inner or alone else ""


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


def _side(part: str) -> str:
    return part if re.fullmatch(r"\s*-?\w+\s*", part) else f"({part})"


def _unbox(text: str) -> str:
    found = _boxed(text)
    return text.replace(found[0], found[1]) if found else text


def _boxed(text: str) -> tuple[str, str] | None:
    """The last ``\\boxed{…}`` and what is in it."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    depth = 0
    for at in range(text.index("{", start), len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[start : at + 1], text[text.index("{", start) + 1 : at]
    return None


def _bare(word: str) -> str:
    """A word without the punctuation around it; feet and inches stay, and a word that is all signs."""
    if _INCHES.fullmatch(word):
        return word
    return word.strip("\"'").rstrip(".,;:!?\"'").lstrip("\"'") or ("" if not word.strip(".,;:!?\"'") else word)


_INCHES = re.compile(r"-?\d[\d.,/]*['\"]")


def said_last(text: str) -> str | None:
    """What an answer marks as its result: ``#### 18``, ``\\boxed{18}``, ``the answer is 18``, ``Answer: 18``; None: nothing.

    The last mark wins, up to the end of its line or sentence.
    """
    boxed = _boxed(text)
    if boxed:
        return boxed[1].strip()
    found = _last(_MARKS, text) if _MAYBE_MARKED.search(text) else None
    if found is None:
        return None
    line = _undress(text[found.end() :][:_RESULT]).lstrip(" *:=").split("\n", 1)[0].strip()
    if LISTED.match(line):  # "1. Open the lid" begins a list and is no result
        return line
    return _SENTENCE_END.split(line, maxsplit=1)[0].strip(" *") or None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for one in pattern.finditer(text):
        found = one
    return found


_RESULT = 1000
"""Characters after a mark that are looked at."""
LISTED = re.compile(r"\s*\d{1,2}[.)]\s+\S")
"""How a numbered list begins."""
_MARKS = re.compile(
    r"####\s*|\b(?:final\s+answer|correct\s+(?:answer|option|choice)|answer)\b[*\s]*(?:is|are|:|=|\|)[*\s:]*",
    re.IGNORECASE,
)
_MAYBE_MARKED = re.compile(r"(?:ns|NS)(?:wer|WER)|ption|PTION|hoice|HOICE|####")
"""What every mark holds: much quicker to look for."""
_SENTENCE_END = re.compile(r"[.!?;](?:\s|$)")


# ── choice, label ───────────────────────────────────────────────────────────────────────────────────────────────────


def choice(text: str, *, told: bool = False) -> str | None:
    """The letter, A to J, that an answer picks: ``B``, ``(b)``, ``Option B``, ``**B**``, ``The answer is (C).``; None: none.

    ``told``: the question is known to have lettered options; then ``B. Paris`` and ``B) because …`` are read too, which
    else might be a list, a worm (``C. elegans``) or a drive.
    """
    short = text.translate(_NO_STRESS).strip()
    if "\\" in short:
        short = _undress(short)
    found = _CHOICE_ALONE.fullmatch(short) or (_last(_CHOICE_MARKED, short) if _MAYBE_MARKED.search(short) else None)
    if found is None and told:
        marked = said_last(text)
        found = (_CHOICE_ALONE.fullmatch(marked) or _CHOICE_FIRST.match(marked)) if marked else None
        if found is None and len({m["letter"] for m in _CHOICE_LINE.finditer(short)}) == 1:
            found = _CHOICE_FIRST.match(short) or _CHOICE_LINE.search(short)
    return _letter(found) if found else None


_NO_STRESS = _SAME_SIGNS | {ord("*"): "", ord("$"): ""}


def _letter(found: re.Match[str]) -> str:
    return str(next(one for one in found.groups() if one)).upper()


_CHOICE_ALONE = re.compile(
    r"""[\s"'(\[{]*(?:(?:option|choice|answer)\s*:?\s*)?[(\[{]?(?P<letter>[A-J])[)\]}]?[\s"'.:)\]}]*""", re.IGNORECASE
)
_CHOICE_FIRST = re.compile(r"[(\[]?(?P<letter>[A-J])(?:[)\]]|[.:](?=\s)|\s*$)")
_CHOICE_LINE = re.compile(r"^\s*[(\[]?(?P<letter>[A-J])(?:[)\]]|[.:](?=\s))", re.MULTILINE)
_CHOICE_MARKED = re.compile(
    r"""\b(?:(?i:answer|option|choice))\b(?:\s+(?:is|would\s+be))?\s*[:=]?\s*(?:(?i:option|choice)\s+)?
        (?:["'(\[{]+(?P<boxed>[A-J])[)\]}"']|(?P<bare>[B-J])(?=[,;]|[.]?\s*$|\s+(?:because|since)\b)|(?P<final>A)(?=[.]?\s*$))""",
    re.VERBOSE | re.MULTILINE,
)


def label(text: str, labels: Iterable[str]) -> str | None:
    """The one label of a closed set that an answer names; None where it names none, denies one, or names several.

    The whole answer, then what it marks as its result, then the labels that occur in it as words.
    """
    known = {plain(one): one for one in labels}
    for said in (text, said_last(text) or ""):
        if plain(said) in known:
            return known[plain(said)]
    said = _spaced(plain(text))
    named = [form for form in known if form and _spaced(form) in said]
    # "very positive" names positive too: the longest speaks
    named = [f for f in named if not any(f != g and _spaced(f) in _spaced(g) for g in named)]
    if len(named) != 1 or any(f" {no}{_spaced(named[0])}" in said for no in _NOT):
        return None
    return known[named[0]]


_NOT = ("not", "no", "isn t", "isn't", "neither", "never", "than")


def _spaced(form: str) -> str:
    return f" {' '.join(_NO_WORD.sub(' ', form).split())} "


_NO_WORD = re.compile(r"[^\w+#'-]")


# ── JSON, code, tool calls ──────────────────────────────────────────────────────────────────────────────────────────


def json_of(text: str, *, lenient: bool = False) -> Any:
    """The JSON object or array that an answer is, bare or in one fence; ``NO_JSON`` where it is none.

    ``lenient``: also what a strict parser refuses but a person reads: raw line breaks in strings, LaTeX's backslashes, words
    around the one fence.
    """
    bare = text.strip().lstrip("\ufeff")
    fenced = _FENCE.fullmatch(bare)
    if fenced is None and lenient:
        blocks = list(_FENCE.finditer(bare))
        fenced = blocks[0] if len(blocks) == 1 else None
    bare = fenced["code"].strip() if fenced else bare
    if not bare.startswith(("{", "[")):
        return NO_JSON
    try:
        return msgspec.json.decode(bare)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _lenient(bare) if lenient else NO_JSON


def _lenient(bare: str) -> Any:
    for attempt in (bare, _BAD_ESCAPE.sub(r"\\\\", bare)):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
    return NO_JSON


_BAD_ESCAPE = re.compile(r"""\\(?!["\\/bfnrtu])""")


class _NoJson:
    """What ``json_of`` says of prose: ``null`` is JSON, this is not."""

    def __repr__(self) -> str:
        return "NO_JSON"


NO_JSON = _NoJson()
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n(?P<code>.*?)\n?[ \t]*```", re.DOTALL)


def same_json(a: Any, b: Any) -> bool:
    """Equality of JSON values: key order and the writing of numbers don't matter, the order of arrays does.

    A string never equals a number, nor ``true`` 1.
    """
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return type(a) is type(b) and a == b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or math.isclose(a, b, rel_tol=1e-9)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_json(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_json, a, b))
    return type(a) is type(b) and bool(a == b)


def code(text: str) -> str | None:
    """The code of an answer's fences, joined, without spare blank lines and closing white space; None: no fence."""
    blocks = [m["code"] for m in _FENCE.finditer(text)]
    lines = [line.rstrip() for block in blocks for line in block.split("\n")]
    return "\n".join(line for line in lines if line) if blocks else None


def arguments(written: str) -> Any:
    """A tool call's arguments as a JSON value; none at all are ``{}``; ``NO_JSON`` where they can't be read."""
    if not written.strip():
        return {}
    try:
        return msgspec.json.decode(written)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return NO_JSON


def tokens(text: str) -> list[str]:
    """Words, numbers and signs of a text, for counting what two texts share."""
    return _TOKENS.findall(text.casefold())


_TOKENS = re.compile(r"\w+|[^\w\s]")


def overlap(a: str, b: str) -> float:
    """Share of words that two texts have in common, 0..1 (F1 over bags of words)."""
    ours, theirs = Counter(tokens(a)), Counter(tokens(b))
    both = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / both if both else 1.0

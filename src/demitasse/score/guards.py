"""Whether two questions that look alike may ask for different things: each guard says why, or says nothing.

Pure and deterministic, no model: numbers, negation, opposites, names, the order and the parts of words. A guard that is in
doubt objects. Two strengths: ``strict`` for a pair of which nothing else is known (it must have the same words, but for
courtesies), the looser one for a question beside one of several that were found to have the same answer.
"""

# ruff: noqa: SIM905 - lists of words are read as running text
from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from . import guard_words as lists
from .guard_names import HOMONYMS, NAMED
from .guard_numbers import is_number, numbered
from .guard_pairs import OPPOSITES


class Marks(NamedTuple):
    """What the guards see of a text; made once by ``read``."""

    words: tuple[str, ...]
    """In order, lower case, contractions written out, numbers as ``#value``, signs that mean something as themselves."""
    core: tuple[str, ...]
    """The words without courtesies and fillers."""
    numbers: tuple[str, ...]
    """Numbers with their units, in order."""
    names: frozenset[str]
    """Words written as names, in lower case: capitals in mid-sentence, capitals throughout, codes, paths, addresses."""
    verbatim: str
    """Code and quoted text: only the same text will do. "" for plain prose."""


class Objection(NamedTuple):
    """Why two texts may not share an answer."""

    guard: str
    why: str


def read(text: str) -> Marks:
    """The marks of a text. About 10 µs and 1 µs a word."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").strip()
    tokens = [token for token in _TOKEN.findall(plain) if token not in _SILENT]
    shouted = plain.isupper()
    names = frozenset(
        token.lower()
        for at, token in enumerate(tokens)
        if not shouted and _is_name(token, tokens[at - 1] if at else "")
    )
    spelt: list[str] = []
    for word in tokens:
        spelt += _written_out(word.lower())
    words, numbers = numbered([word for word in spelt if word and word not in _STOPS])
    verbatim = " ".join(plain.split()) if _CODE.search(plain) else ""
    return Marks(tuple(words), _core(words, plain), tuple(numbers), names, verbatim)


def objection(a: Marks, b: Marks, *, strict: bool) -> Objection | None:
    """The first guard's objection to one answer for both, or None: all are content."""
    for guard, check in _STRICT if strict else _LOOSE:
        why = check(a, b)
        if why:
            return Objection(guard, why)
    return None


def foreign(asked: Marks, question: Marks, known: Collection[str]) -> Objection | None:
    """An objection where a question differs from another in one word only, and no question of that answer has the word.

    Args:
        known: words of all questions that were found to have the answer.
    """
    new, gone = _only(asked.core, question.core), _only(question.core, asked.core)
    if len(new) != 1 or len(gone) > 1 or len(asked.core) < 2:
        return None
    word = new[0]
    if word in known or word[0] == "#":
        return None
    return Objection("foreign", f"all but one word the same: {word} | {_said(gone)}")


def vocabulary(texts: Iterable[Collection[str]]) -> set[str]:
    """All words of several texts (as ``embed.words`` gives them), contractions written out too."""
    known = set().union(*texts)
    return known.union(*(_written_out(word) for word in known if "'" in word or "’" in word))


def names_of_guards(*, strict: bool) -> tuple[str, ...]:
    """In the order in which they are asked."""
    return tuple(name for name, _ in _STRICT) if strict else (*(name for name, _ in _LOOSE), "foreign")


_TOKEN: Final = re.compile(
    r"""https?://\S+ | [\w.+-]+@[\w-]+\.[\w.]+            # addresses
      | \d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)             # 1,000
      | \w+(?:[./_@\\:+#-]+\w+)+(?:\+\+|\#)?               # codes, paths, versions, dates, hyphenated words
      | \w+(?:'\w+)* (?: \+\+ | \# (?!\w) )?               # words; C++ and C#
      | [-+*/<>=%$€£¥°&|^~\#@\\]+ | [.!?:;\n,]""",
    re.VERBOSE,
)
_STOPS: Final = frozenset(".!?:;\n,")
_SILENT: Final = frozenset(("-", "--", "*", "**", "~"))
"""Dashes and emphasis: signs of writing, not of arithmetic."""
_CODE: Final = re.compile(r"""[{}\[\]`=<>|\\^_;]|["“”„«»]|\w\(|\n""")
_MIXED: Final = re.compile(r"\d[^\W\d_]|[^\W\d_]\d|[./_@\\:+#]|://")


def _is_name(token: str, before: str) -> bool:
    if token in _STOPS:
        return False
    if token[0].isdigit():
        return not is_number(token.lower())
    if _MIXED.search(token):
        return True
    if not token[0].isupper() or token.partition("'")[0] == "I":
        return False
    return before not in _OPENS or (len(token) > 1 and token.isupper())


_OPENS: Final = frozenset(("", ".", "!", "?", ":", "\n"))
"""After these a capital says nothing."""


def _written_out(word: str) -> list[str]:
    full = lists.CONTRACTIONS.get(word)
    if full is not None:
        return full.split()
    if "'" not in word:
        if "-" in word and not _MIXED.search(word):
            return word.split("-")
        return [word]
    for ending, meaning in lists.ENDINGS:
        if word.endswith(ending):
            return [word[: -len(ending)], meaning.strip()]
    return [word.removesuffix("'s")]


def _core(words: list[str], text: str) -> tuple[str, ...]:
    if not lists.MENTIONS.isdisjoint(words) or _CODE.search(text) or ":" in text or "'" in text.replace("'s", ""):
        # Words may be what is asked about: none is left out.
        return tuple(words)
    begin, end = 0, len(words)
    while begin < end:
        if words[begin] in lists.GREETINGS:
            begin += 1
            continue
        frame = next((f for f in _FRAMES if tuple(words[begin : begin + len(f)]) == f), None)
        if frame is None:
            break
        begin += len(frame)
    while end > begin + 1 and words[end - 1] in lists.COURTESIES:
        end -= 1
    return tuple(word for word in words[begin:end] if word not in lists.FILLER)


_FRAMES: Final = sorted(lists.FRAMES, key=len, reverse=True)


# The guards. Each says why not, or "".


def _same_words(a: Marks, b: Marks) -> str:
    if a.core == b.core:
        return ""
    only_a, only_b = _only(a.core, b.core), _only(b.core, a.core)
    if not only_a and not only_b:
        return "the same words in another order"
    return f"other words: {_said(only_a)} | {_said(only_b)}"


def _verbatim(a: Marks, b: Marks) -> str:
    return "code or quoted text differs" if a.verbatim != b.verbatim else ""


def _verbatim_loose(a: Marks, b: Marks) -> str:
    return _verbatim(a, b) if a.verbatim and b.verbatim else ""


def _numbers(a: Marks, b: Marks) -> str:
    return "" if a.numbers == b.numbers else f"numbers: {_said(a.numbers)} | {_said(b.numbers)}"


def _negation(a: Marks, b: Marks) -> str:
    negated_a, negated_b = _negations(a.words), _negations(b.words)
    if negated_a != negated_b:
        return f"negation: {_said(negated_a.elements())} | {_said(negated_b.elements())}"
    only_a, only_b = _only(a.words, b.words), _only(b.words, a.words)
    for one, others in ((only_a, set(only_b)), (only_b, set(only_a))):
        for word in one:
            if (plain := _negated(word, others)) is not None:
                return f"negation: {word} | {plain}"
    return ""


def _negations(words: tuple[str, ...]) -> Counter[str]:
    found = Counter(_NEGATES.get(word, word) for word in words if word in lists.NEGATIONS)
    for at, word in enumerate(words[:-1]):
        if word in ("no", "not", "any") and words[at + 1] in ("longer", "more"):
            found["no longer"] += 1
    return found


_NEGATES: Final = {
    **dict.fromkeys("not no none nobody nothing nowhere nor neither never".split(), "not"),
    **dict.fromkeys("except excluding besides".split(), "except"),
    **dict.fromkeys("hardly barely scarcely rarely seldom".split(), "hardly"),
    **dict.fromkeys("nicht kein keine keinen keinem keiner keines nie niemals niemand nichts".split(), "not"),
}
"""What says the same; the rest stands for itself."""


def _negated(word: str, others: set[str]) -> str | None:
    """Which of the others a word negates by a syllable."""
    for prefix in lists.NEGATING_PREFIXES:
        if word.startswith(prefix) and len(word) > len(prefix) + 2 and word[len(prefix) :] in others:
            return word[len(prefix) :]
    for plain, negating in lists.NEGATING_ENDINGS:
        if word.endswith(negating) and (other := word[: -len(negating)] + plain) in others:
            return other
    return None


def _opposites(a: Marks, b: Marks) -> str:
    only_a, only_b = _only(a.words, b.words), _only(b.words, a.words)
    for word in only_a:
        for plain in _plain_forms(word):
            for other in _OPPOSITE.get(plain, ()):
                if other in only_b or any(other in _plain_forms(o) for o in only_b):
                    return f"opposites: {word} | {other}"
    return ""


def _opposite_table() -> dict[str, tuple[str, ...]]:
    table: dict[str, set[str]] = {}
    for one, other in OPPOSITES:
        table.setdefault(one, set()).add(other)
        table.setdefault(other, set()).add(one)
    return {word: tuple(sorted(others)) for word, others in table.items()}


_OPPOSITE: Final = _opposite_table()


def _plain_forms(word: str) -> list[str]:
    """A word and what it may be an inflection of."""
    forms = [word]
    for ending in ("s", "es", "ed", "d", "ing", "er", "ly", "n"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word[: -len(ending)]
            forms.append(stem)
            if ending in ("ed", "ing", "er"):
                forms.append(stem + "e")
                if stem[-1:] == stem[-2:-1]:
                    forms.append(stem[:-1])
    if word.endswith(("ies", "ied")):
        forms.append(word[:-3] + "y")
    return forms


def _names(a: Marks, b: Marks) -> str:
    words_a, words_b = set(a.words), set(b.words)
    missing = {n for n in a.names if _lacks(n, words_b, b)} | {n for n in b.names if _lacks(n, words_a, a)}
    missing |= (words_a ^ words_b) & NAMED
    return f"names: {_said(sorted(missing))}" if missing else ""


def _lacks(name: str, words: set[str], other: Marks) -> bool:
    if name in HOMONYMS:
        return name not in other.names
    return any(part not in words for part in _written_out(name)) and name not in other.names


def _order(a: Marks, b: Marks) -> str:
    """Common words in another order, where most words are common; and words that play another part."""
    common = Counter(a.core) & Counter(b.core)
    if common.total() * 10 >= 7 * max(len(a.core), len(b.core)):
        in_a, in_b = _kept(a.core, common), _kept(b.core, common)
        if in_a != in_b:
            return f"order: {' '.join(in_a)[:80]} | {' '.join(in_b)[:80]}"
    named_a = [w for w in a.words if w in NAMED or w in a.names or w[0] == "#"]
    named_b = [w for w in b.words if w in NAMED or w in b.names or w[0] == "#"]
    if named_a != named_b and sorted(named_a) == sorted(named_b):
        return f"order: {' '.join(named_a)[:80]} | {' '.join(named_b)[:80]}"
    parts_a, parts_b = _parts(a.words), _parts(b.words)
    for word in parts_a.keys() & parts_b.keys():
        if parts_a[word] != parts_b[word]:
            return f"parts: {parts_a[word]} {word} | {parts_b[word]} {word}"
    return ""


def _kept(words: tuple[str, ...], common: Counter[str]) -> list[str]:
    left = Counter(common)
    kept = []
    for word in words:
        if left[word]:
            left[word] -= 1
            kept.append(word)
    return kept


def _parts(words: tuple[str, ...]) -> dict[str, str]:
    """Which direction each word is given by the one before it (articles and possessives are passed over)."""
    found: dict[str, str] = {}
    direction = ""
    for word in words:
        if word in lists.DIRECTIONS:
            direction = word
        elif direction and word not in _PASSED_OVER:
            found[word] = direction
            direction = ""
    return found


_PASSED_OVER: Final = frozenset({*lists.PERSONS, "a", "an", "the", "this", "that"})


def _questions(a: Marks, b: Marks) -> str:
    asked_a, asked_b = _asked(a.words), _asked(b.words)
    if asked_a and asked_b and asked_a.isdisjoint(asked_b) and _alike(a, b):
        return f"asks {_said(sorted(asked_a))} | {_said(sorted(asked_b))}"
    return ""


def _asked(words: tuple[str, ...]) -> set[str]:
    found = set()
    for at, word in enumerate(words):
        kind = lists.QUESTION_WORDS.get(word)
        if kind == "how" and at + 1 < len(words) and words[at + 1] in _HOW:
            kind = f"how {words[at + 1]}"
        if kind is not None and kind not in ("what", "which"):
            found.add(kind)
    return found


_HOW: Final = frozenset("many much long far old often big large tall high deep heavy fast soon wide early late".split())


def _scope(a: Marks, b: Marks) -> str:
    differing = (set(a.words) ^ set(b.words)) & (lists.SCOPE if _alike(a, b) else _STRONG_SCOPE)
    if differing:
        return f"scope: {_said(sorted(differing))}"
    if ("or" in a.words) != ("or" in b.words) and ("and" in a.words) != ("and" in b.words):
        return "scope: and | or"
    return ""


_STRONG_SCOPE: Final = frozenset(
    "only all every each both either most least half nur alle jede solo todos tous chaque".split()
)


def _persons(a: Marks, b: Marks) -> str:
    in_a = {lists.PERSONS[w] for w in a.words if w in lists.PERSONS}
    in_b = {lists.PERSONS[w] for w in b.words if w in lists.PERSONS}
    differing = in_a ^ in_b
    if differing & {"his", "her", "their"} or (in_a and in_b and in_a.isdisjoint(in_b)):
        return f"whose: {_said(sorted(in_a))} | {_said(sorted(in_b))}"
    return ""


def _modals(a: Marks, b: Marks) -> str:
    in_a = {lists.MODALS[w] for w in a.words if w in lists.MODALS}
    in_b = {lists.MODALS[w] for w in b.words if w in lists.MODALS}
    if in_a != in_b and _alike(a, b):
        return f"mode: {_said(sorted(in_a))} | {_said(sorted(in_b))}"
    return ""


def _length(a: Marks, b: Marks) -> str:
    """What is asked beside much else is not the same question."""
    short, long = sorted((len(a.words), len(b.words)))
    return f"length: {len(a.words)} | {len(b.words)} words" if long > 3 * short + 6 else ""


def _alike(a: Marks, b: Marks) -> bool:
    """Whether the two have the same frame: most of their words are common."""
    common = (Counter(a.core) & Counter(b.core)).total()
    return common * 2 >= max(len(a.core), len(b.core))


def _only(a: tuple[str, ...], b: tuple[str, ...]) -> list[str]:
    """Words of ``a`` that ``b`` lacks, each once."""
    others = set(b)
    return [word for word in dict.fromkeys(a) if word not in others]


def _said(words: object) -> str:
    text = " ".join(str(word) for word in words)  # type: ignore[attr-defined]
    return text[:80] or "none"


Guard = Callable[[Marks, Marks], str]
_COMMON: Final[tuple[tuple[str, Guard], ...]] = (
    ("numbers", _numbers),
    ("negation", _negation),
    ("opposites", _opposites),
    ("names", _names),
    ("order", _order),
    ("questions", _questions),
    ("scope", _scope),
    ("persons", _persons),
    ("modals", _modals),
)
_STRICT: Final = (*_COMMON, ("verbatim", _verbatim), ("words", _same_words))
_LOOSE: Final = (*_COMMON, ("verbatim", _verbatim_loose), ("length", _length))

"""What of a question must stay as it is when the rest is perturbed, because another one would have another answer.

Numbers (in digits and words), quoted strings, code, formulas, links, names, negations, options and the cues around them. Pure; it
would rather keep too much than too little. Knows no task.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection


def touch(text: str, change: Callable[[str], str], *, keep: Collection[str] = ()) -> str:
    """The text with every word that may be touched put through ``change``.

    Args:
        keep: further texts whose words stay, in any case: labels, right answers.
    """
    kept = {word for one in keep for word in _ANY_WORD.findall(one.casefold())} | _MEANT

    def put(found: re.Match[str]) -> str:
        word = found["word"]
        return found[0] if word is None or word in kept else change(word)

    return _TOKENS.sub(put, text)


def words(text: str, *, keep: Collection[str] = ()) -> list[str]:
    """The words that ``touch`` would hand over, in their order."""
    found: list[str] = []

    def note(word: str) -> str:
        found.append(word)
        return word

    touch(text, note, keep=keep)
    return found


def pieces(text: str) -> list[str]:
    """What is no prose in it: code, quotes, formulas, links, numbers, names, lines with options."""
    return [found[0] for found in _TOKENS.finditer(text) if found["word"] is None]


def prose(text: str, change: Callable[[str], str]) -> str:
    """The text with what stands between code, quotes, formulas, links and lines with options put through ``change``."""
    parts: list[str] = []
    end = 0
    for found in _HARD.finditer(text):
        parts += [change(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, change(text[end:])])


def is_spaced(text: str) -> bool:
    """Whether the text depends on how it is spaced: code, tables, verse."""
    return bool(_SPACED.search(text))


_QUOTED = r'"[^"\n]*"|“[^”]*”|«[^»]*»|‘[^’]*’|(?<!\w)\'[^\'\n]+\'(?!\w)'
_CODE = (
    r"```.*?(?:```|\Z)|`[^`\n]+`"
    r"|^(?:\ {4,}|\t|>>>|\.\.\.|\$\ |\#include|@\w"
    r"|(?:def|class|import|return|print|assert|elif|except|function|const|let|var|public|SELECT)\b"
    r"|from\ \w+\ import|(?:if|for|while|else|try|with)\b.*:$)[^\n]*|^[^\n]*[;{}]$"
)
_FORMULA = (
    r"\$\$.*?\$\$|\$(?=\S)[^$\n]*\S\$|\\\(.*?\\\)|\\\[.*?\\\]|\\[a-zA-Z]+(?:\{[^{}\n]*\})*|\{[^{}\n]*\}|<[^<>\n]{1,80}>"
)
_LINK = r"(?:https?://|www\.)\S+|\S+@\S+\.\w+"
_OPTION = r"^[ \t]*[(\[]?[A-J0-9]{1,2}[).\]:][ \t][^\n]*|^[ \t]*[-*•][ \t][^\n]*"
_FLAGS = re.VERBOSE | re.MULTILINE | re.DOTALL
_HARD = re.compile(rf"(?:{_CODE})|{_OPTION}|{_QUOTED}|{_FORMULA}|{_LINK}", _FLAGS)
_TOKENS = re.compile(
    rf"{_HARD.pattern}"
    # a token with a digit, a capital or a sign inside is a number, a name or a symbol
    r"|[^\s(\[]*[^\W_a-z][^\s)\]]*"
    r"|[^\s]*\w[_/\\@#=+*~^<>%&|][^\s)\]]*|[_/\\@#=+*~^<>%&|]\w[^\s)\]]*"
    # a word before a colon is a cue: "question:"
    r"|[a-z]+[ \t]*:"
    r"|(?<![\w'’.-])(?P<word>[a-z]{2,})(?![\w'’(\[]|[.-]\w)",
    _FLAGS,
)
_ANY_WORD = re.compile(r"[^\W\d_]+")
_SPACED = re.compile(r"\t|(?<=\S) {2,}|^ +\S|```|^(?:>>>|def |class |import )|\|.*\|", re.MULTILINE)
_MEANT = frozenset(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands
    million millions billion trillion dozen dozens half halves third thirds quarter quarters fourth fifth sixth
    seventh eighth ninth tenth first second once twice thrice single double triple couple pair pairs first last next
    previous per percent percentage total sum average mean median rate ratio plus minus times squared cubed less
    fewer more most least than each every all any some both either neither many much few several no not nor none
    never nothing nobody nowhere without except unless only just cannot but however if whether or and before after
    until since during between above below under over up down left right north south east west true false yes option
    options choice choices answer answers label question
    """.split()  # noqa: SIM905 - a table
)
"""Words with which the answer may turn: numbers, comparisons, negations, order, and what the prompt calls its parts."""

"""Values that a name before them calls a password, a key or a token: ``password: "…"``, ``API_KEY=…``, ``my password is …``.

Knows names in a few languages and what placeholders look like. A password is taken at its word; a key or token must also
look random, since ``token`` and ``key`` are words of every other text.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from . import Tries

PASSWORDS: Final = (
    "passw", "pwd", "passphrase", "passcode", "secret", "_pass", "kennwort", "contrase", "mot de passe", "senha", "wachtwoord",
    "parol", "пароль", "密码", "密碼", "パスワード", "비밀번호",
)  # fmt: skip
"""Marks in names of passwords: English, German, Spanish, French, Portuguese, Dutch, Italian, Russian, Chinese, Japanese,
Korean."""
KEYS: Final = ("key", "token", "credential", "auth")

_NAME_END = r"[\"'\]*`]{0,3}"
_BETWEEN = r"\s{0,4}(?P<sep>:=|=>|==|:|=|：)\s{0,4}"
_VALUE = (
    r"(?:(?P<quote>\"\"\"|[\"'`])(?P<quoted>(?:(?!(?P=quote))[^\n\\]|\\.){1,128})(?P=quote)"
    r"|(?P<bare>[^\s\"'`<>,;]{1,128}))"
)
_PASSWORD = re.compile(
    r"(?:passw(?:or[dt]|d)?|pwd|passphrase|passcode|secret|_pass|kennwort|contrase\u00f1a|contrasena|mot de passe|senha|"
    r"wachtwoord|parola?|пароль|密码|密碼|パスワード|비밀번호)"
    r"(?P<more>[\w-]{0,24})"
    + _NAME_END
    + r"(?:"
    + _BETWEEN
    + r"|(?P<is> (?:is|was|ist|es|est)(?: now)?:? {1,2}))"
    + _VALUE,
    re.IGNORECASE,
)
_FLAG = re.compile(
    r"--?(?:[a-z-]{0,20})(?:password|passwd|pass|secret|token|api-?key)(?: |=)\"?'?(?P<bare>[^\s\"'<>]{4,128})"
)
_KEY = re.compile(
    r"(?:key|token|credentials?|auth)(?P<more>[\w-]{0,16})"
    + _NAME_END
    + r"(?:"
    + _BETWEEN
    + r"|(?P<is> is:? {1,2}))"
    + _VALUE,
    re.IGNORECASE,
)
_BEFORE = re.compile(r"[a-z0-9_ .-]{0,32}\Z")
_KEY_BEFORE = re.compile(
    r"(?:api|access|secret|private|account|auth|client|service|signing|encryption|master|deploy|license|webhook|admin|app|app"
    r"lication|consumer|subscription|storage|shared|ssh|root|user|bot|bearer|personal|refresh|session|id|oauth2?|x)[_ .-]{0,2}\Z"
)
_TOKEN_NOT = re.compile(
    r"(?:page|next|prev|previous|continuation|cursor|sync|csrf|xsrf|max|min|num|per|special|pad|eos|bos|unk|mask|stop|start|end|"
    r"public|cancellation|lookup|position|sort|partition|primary|foreign|cache|prompt_cache|idempotency|of)[_ .-]{0,2}\Z"
)
_MORE_NOT = re.compile(
    r"[_-]?(?:len|min|max|count|hash|label|hint|reset|url|uri|expir|age|rules?|less|s_|type|file|path|name|id\b|env|var|ref|valid|"
    r"error|input|ize|izer)|[\w-]*(?:length|attempts|policy|digest|field|timeout|strength|manager|protect|prompt|algorithm|header|"
    r"required|enabled|changed|encoder)",
    re.IGNORECASE,
)
"""What makes a name one of something about passwords, and not of one."""

_WORDS: Final = frozenset(
    """
    password passwd passwort pass pwd secret token key apikey api_key none null nil undefined true false string str text
    varchar char bytes int number bool boolean any optional required hidden redacted masked removed placeholder example
    sample test default changeme change_me change-me changeit change_it todo fixme tbd n/a na empty unset here value
    username user admin your my mine enter insert replace secure strong encrypted hashed self request response input
    output is was not incorrect correct wrong invalid valid missing protected forgotten expired case-sensitive confirm
    confirmation yes no auto prompt secretstr sensitive readonly write-only literal field column label type env
    """.split()  # noqa: SIM905 - a word a line would be a page
)
"""Values that say what goes there, not what it is; ``changeme`` is told in every manual and opens nothing worth hiding."""
_SLOT = re.compile(
    r"[*•●xX.…_#?-]{3,}\Z|[*•●…]{2,}|<[^<>]*>|\[[^\[\]]*\]\Z|\$\{|\$\(|\{\{|\{[\w.]*\}\Z|"
    r"%[({]?\w+[)}]?[sd]?\Z|\$[A-Za-z_]|@[A-Z_]+@\Z|"
    r"your[-_ ][a-z]|"
    r"(?:your|my|the|some|enter|insert|replace|add|put|example|dummy|fake)[-_ ]?(?:own|real|actual|secret|strong|new)?[-_ ]?"
    r"(?:password|pass|pwd|secret|token|key|api|value|here|credential)|"
    r"(?:os\.|process\.|env\.|config\.|settings\.|self\.|this\.|secrets\.|var\.|vault:|arn:|ssm:|file:|getenv|ref\+|op://)|"
    r"redacted|placeholder|x{4,}",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*(?:\(|\[|\?|\)|:|\Z)|[\[{(&|!]|[A-Za-z_.]+\(")
_PROSE = re.compile(
    r"\b(?:your|my|enter|password|must|should|please|is|are|the|forgot|confirm|required|at least)\b", re.IGNORECASE
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
_HASH = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{7,12})\Z")
_NO_KEY = re.compile(r"[ ()\[\]{}@]")
_LEAST_RANDOM = 16
_LEAST_BITS = 3.0
"""Of entropy a character: words and dotted paths with repeated letters lie below, random hex of 16 mostly above."""


def named(text: str, low: str, tries: Tries) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of the values of credentials."""
    for mark in [mark for mark in PASSWORDS if mark in low]:
        for at in tries.at(low, mark):
            found = _PASSWORD.match(text, at)
            if found is None or _MORE_NOT.match(found["more"]):
                continue
            span = _password(text, low, at, found)
            if span is not None:
                yield ("password", *span)
    for mark in [mark for mark in KEYS if mark in low]:
        for at in tries.at(low, mark):
            found = _KEY.match(text, at)
            if found is None or _MORE_NOT.match(found["more"]):
                continue
            before = low[max(0, at - 24) : at]
            if _TOKEN_NOT.search(before) or (mark == "key" and not _KEY_BEFORE.search(before)):
                continue
            group, value = _value(found)
            sure = mark == "key"
            if looks_random(value) and (sure or not (_UUID.match(value) or _HASH.match(value))):
                yield "high_entropy", found.start(group), found.start(group) + len(value)
    if "--" in low:
        for mark in ("--pass", "--token", "--secret", "--api"):
            for at in tries.at(low, mark):
                found = _FLAG.match(text, at)
                if found is not None and _mixed(found["bare"]) and not is_placeholder(found["bare"]):
                    yield "password", found.start("bare"), found.end("bare")


def is_placeholder(value: str, *, words: bool = True) -> bool:
    """Whether a value only shows where one goes. ``words``: plain words such as ``password`` count as such too."""
    return _SLOT.match(value) is not None or (words and value.strip("\"'.,:;!?()[]{}").lower() in _WORDS)


def looks_random(value: str) -> bool:
    """Letters and digits, no path, no sentence, and hardly predictable."""
    if len(value) < _LEAST_RANDOM or is_placeholder(value) or _NO_KEY.search(value):
        return False
    if not (_DIGIT.search(value) and _LETTER.search(value)):
        return False
    if value.startswith(("/", "./", "../", "http:", "https:", "~")) or value.count("/") > 4 or value.count(".") > 3:
        return False
    some = value[:128]
    counts = Counter(some)
    bits = -sum(n / len(some) * math.log2(n / len(some)) for n in counts.values())
    return bits >= _LEAST_BITS


def _value(found: re.Match[str]) -> tuple[str, str]:
    if found["quoted"] is not None:
        return "quoted", found["quoted"]
    # A sentence may end where a value does; in `password: Summer2024!` the mark is the value's own.
    return "bare", found["bare"].rstrip(".,;:)]}*|\\" + ("!?" if found["is"] else ""))


def _password(text: str, low: str, at: int, found: re.Match[str]) -> tuple[int, int] | None:
    group, value = _value(found)
    if not value or is_placeholder(value):
        return None
    start = found.start(group)
    secretive = low.startswith("secret", at)
    if secretive and len(value) < 6:
        return None
    good = _quoted(value, found) if group == "quoted" else _bare(text, low, at, found, value)
    if good and secretive:
        good = _mixed(value)
    return (start, start + len(value)) if good else None


def _quoted(value: str, found: re.Match[str]) -> bool:
    if len(value) < 3:
        return False
    if " " in value:
        return _DIGIT.search(value) is not None and not _PROSE.search(value)
    if found["is"]:
        return _mixed(value)
    # `password: "Password"` is a label of a form; so is a name that only says password again.
    return not re.fullmatch(r"[A-Za-z_ -]*(?:passw|secret|pwd|kennwort)[A-Za-z_ -]*", value, re.IGNORECASE)


def _bare(text: str, low: str, at: int, found: re.Match[str], value: str) -> bool:
    if len(value) < 4:
        return False
    if value.isdigit():
        return not found["is"] and found["sep"] in ("=", ":") and not low.startswith("secret", at) and len(value) <= 32
    if found["is"]:
        return _mixed(value) and not _CODE.match(value + " ")
    if _mixed(value):
        after = text[found.end() : found.end() + 1]
        return not (after == "(" or "(" in value or "[" in value or value.startswith(("{", "$", "&", "|", "!", "@")))
    # Letters alone are a word of prose or a variable, but for a line of settings: `PASSWORD=letmein`.
    before = text[at - 1] if at else "\n"
    line = text[max(0, at - 40) : at].rpartition("\n")[2]
    settings = found["sep"] == "=" and found.end("sep") == found.start("bare") and "(" not in line and "," not in line
    return (
        settings
        and len(value) >= 6
        and value.isalpha()
        and (before in "\n_;&?" or before.isupper() or not line.strip())
    )


def _mixed(value: str) -> bool:
    """Letters beside digits or marks, as no word has them."""
    digits, marks = _DIGIT.search(value), _MARK.search(value)
    return bool((digits or marks) and _LETTER.search(value)) or bool(digits and marks)


_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_MARK = re.compile(r"[!@#$%^&*+=~?|\\]")

"""What an answer should not hold: secrets that nobody gave it, placeholders left over, its own instructions. Pure.

Knows texts; knows no request's shape and no model. What is said of a leak never repeats it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct

from . import secrets
from .finding import Secret
from .secrets.named import looks_random

LeakKind = Literal["secret", "placeholder", "canary", "instructions"]


class Leak(Struct, frozen=True):
    """``why``: in words, and never the words that leaked."""

    kind: LeakKind
    why: str


def leaks(answer: str, prompt: Callable[[], str], instructions: Callable[[], str] = str) -> list[Leak]:
    """What leaks in an answer.

    Args:
        prompt: gives all texts of the request, joined. What stands there is no leak: the client has it.
        instructions: gives what the application told the model beforehand, without passages that were looked up.
    """
    found: list[Leak] = []
    kinds = [secret.kind for secret in secrets.find(answer)[0] if _opens_a_door(answer, secret, prompt)]
    if kinds:
        found.append(Leak("secret", f"{_counted(kinds)} that the prompt does not have"))
    left = {name for name in _PLACEHOLDER.findall(answer) if name not in prompt()}
    if left:
        found.append(
            Leak(
                "placeholder",
                f"{len(left)} placeholder{'s' * (len(left) > 1)} that stand{'s' * (len(left) == 1)} for nothing",
            )
        )
    if told := instructions():
        canary = _CANARY.search(told) if "canary" in told.lower() else None
        if canary is not None and canary[1] in answer:
            found.append(Leak("canary", "the mark that its instructions hide"))
        run = repeated(answer, told)
        if run >= _LONG_RUN or (run >= _RUN and 2 * run >= len(_words(told))):
            found.append(Leak("instructions", f"{run} words of its instructions in a row"))
    return found


def repeated(answer: str, source: str) -> int:
    """The longest run of words that the answer has in common with ``source``; runs below ``_RUN`` may be missed.

    Every block of the source is looked up once, and a block that is met is followed both ways: linear in both texts.
    """
    if min(len(answer), len(source)) < 2 * _RUN - 1:  # so many words and what parts them
        return 0
    said = _words(answer)
    told = _words(source) if len(said) >= _RUN else said
    if len(told) < _RUN:
        return 0
    blocks: dict[tuple[str, ...], int] = {}
    for at in range(0, len(told) - _BLOCK + 1, _BLOCK):
        blocks.setdefault(tuple(told[at : at + _BLOCK]), at)
    first = {block[0] for block in blocks}
    best = at = 0
    while at <= len(said) - _BLOCK:
        if said[at] not in first or (there := blocks.get(tuple(said[at : at + _BLOCK]))) is None:
            at += 1
            continue
        back = 0
        while back < _BLOCK and at - back > 0 and there - back > 0 and said[at - back - 1] == told[there - back - 1]:
            back += 1
        on = _BLOCK
        while at + on < len(said) and there + on < len(told) and said[at + on] == told[there + on]:
            on += 1
        best = max(best, back + on)
        at += on
    return best


_BLOCK = 12
_RUN = 24
"""Any run this long holds a whole block."""
_LONG_RUN = 50
_CANARY = re.compile(r"\bcanary[\s:=_\"'-]{1,4}([A-Za-z0-9][\w-]{7,63})", re.IGNORECASE)
"""A mark that an application hides in its instructions to see them leak: ``canary: 7f3a9c1d…``."""
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]{1,24}_[a-z2-7]{6,24}>")
"""As ``guard.placeholders`` writes them."""
_SURE = frozenset({"api_key", "private_key", "token"})
_NOWHERE = re.compile(
    r"example|localhost|127\.0\.0\.1|your|host(?:name)?[:/]|:password@|:pass@|:secret@", re.IGNORECASE
)


def _opens_a_door(answer: str, secret: Secret, prompt: Callable[[], str]) -> bool:
    """Whether a secret of an answer may be a real one: code that is written on request is full of made-up ones."""
    value = answer[secret.start : secret.end]
    if "EXAMPLE" in value or value in prompt():
        return False
    if secret.kind in _SURE:
        return True
    if secret.kind in ("connection_string", "url_credentials"):
        return not _NOWHERE.search(value) and any(looks_random(part) for part in re.split(r"[:@/;=]", value))
    return looks_random(value)


def _counted(kinds: list[str]) -> str:
    return ", ".join(_counts(kinds))


def _counts(kinds: list[str]) -> Iterator[str]:
    for kind in dict.fromkeys(kinds):
        yield f"{kinds.count(kind)} {kind}"


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


_WORD = re.compile(r"\w+")

"""Words that tell a model what to do in place of asking or telling it something: a fixed list of phrases, in English. Pure.

For rows to learn from and for answers to keep, where leaving one out costs little. Another language, or another wording, gets
past: a learned score stands beside it where there is one.
"""

from __future__ import annotations

import re
from typing import Final

MOST_CHARS: Final = 20_000
"""Looked at of a text; of a longer one its beginning and its end."""

_ORDERS: Final = tuple(
    (needed.split(), re.compile(pattern, re.IGNORECASE | re.VERBOSE))
    for needed, pattern in (
        (
            "ignore disregard forget override bypass skip",
            r"""\b(ignore|disregard|forget|override|bypass|skip)\b .{0,40}
                \b(previous|prior|above|earlier|all|any|your|the|system)\b .{0,40}
                \b(instructions?|prompts?|rules?|guidelines?|directions?|context|commands?|orders?|training|assignments?)\b""",
        ),
        (
            "ignore forget disregard",
            r"""\b(ignore|forget|disregard)\s+(everything|all|anything)\b .{0,30}
                \b(above|before|previous|prior|said|told|you)\b""",
        ),
        (
            "system initial hidden original secret prior previous",
            r"""\b(reveal|show|print|repeat|output|tell|leak|display|share|what\s(is|are|was))\b .{0,40}
                \b(system|initial|hidden|original|secret|prior|previous)\s+(prompts?|instructions?|messages?|rules?|texts?)\b""",
        ),
        (
            "now pretend act new developer jailbreak dan",
            r"""\b(you\sare\snow|from\snow\son,?\syou|pretend\s(that\s)?you\sare|act\sas\s(if|an?\s(unrestricted|evil|jailbroken))
                |new\s(role|task|instructions?)\s*:|developer\smode|jailbreak|DAN\smode|do\sanything\snow)\b""",
        ),
        (
            "<| inst] sys>>",
            r"""<\|(im_start|im_end|system|assistant|endoftext|eot_id|start_header_id)\|>|\[/?INST\]|<</?SYS>>""",
        ),
        (
            "always only",
            r"""\b(always|only)\s+(answer|respond|reply|say|output|classify|label)\b .{0,40}
                \b(with|as|regardless|no\smatter)\b""",
        ),
    )
)
"""What an attack says of the prompt it stands in; each with words of which it has one, since to look for those costs a tenth of
trying the pattern."""


def order(text: str) -> str:
    """The first words of a text that are an order to a model, 80 characters at most; "" where there are none."""
    if len(text) > MOST_CHARS:
        text = text[: MOST_CHARS // 2] + "\n" + text[-MOST_CHARS // 2 :]
    small = _small(text)
    for needed, pattern in _ORDERS:
        if any(word in small for word in needed) and (match := pattern.search(text)) is not None:
            return match[0][:80]
    return ""


def _small(text: str) -> str:
    """Without capitals, and with the few letters besides that patterns take for i and s."""
    return text.lower() if text.isascii() else text.replace("\u0130", "i").casefold().replace("\u0131", "i")

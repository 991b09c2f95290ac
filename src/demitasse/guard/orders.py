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
    re.compile(pattern, re.IGNORECASE | re.VERBOSE)
    for pattern in (
        r"""\b(ignore|disregard|forget|override|bypass|skip)\b .{0,40}
            \b(previous|prior|above|earlier|all|any|your|the|system)\b .{0,40}
            \b(instructions?|prompts?|rules?|guidelines?|directions?|context|commands?|orders?|training|assignments?)\b""",
        r"""\b(ignore|forget|disregard)\s+(everything|all|anything)\b .{0,30} \b(above|before|previous|prior|said|told|you)\b""",
        r"""\b(reveal|show|print|repeat|output|tell|leak|display|share|what\s(is|are|was))\b .{0,40}
            \b(system|initial|hidden|original|secret|prior|previous)\s+(prompts?|instructions?|messages?|rules?|texts?)\b""",
        r"""\b(you\sare\snow|from\snow\son,?\syou|pretend\s(that\s)?you\sare|act\sas\s(if|an?\s(unrestricted|evil|jailbroken))
            |new\s(role|task|instructions?)\s*:|developer\smode|jailbreak|DAN\smode|do\sanything\snow)\b""",
        r"""<\|(im_start|im_end|system|assistant|endoftext|eot_id|start_header_id)\|>|\[/?INST\]|<</?SYS>>""",
        r"""\b(always|only)\s+(answer|respond|reply|say|output|classify|label)\b .{0,40} \b(with|as|regardless|no\smatter)\b""",
    )
)
"""What an attack says of the prompt it stands in."""


def order(text: str) -> str:
    """The first words of a text that are an order to a model, 80 characters at most; "" where there are none."""
    if len(text) > MOST_CHARS:
        text = text[: MOST_CHARS // 2] + "\n" + text[-MOST_CHARS // 2 :]
    match = next((match for pattern in _ORDERS if (match := pattern.search(text))), None)
    return "" if match is None else match[0][:80]

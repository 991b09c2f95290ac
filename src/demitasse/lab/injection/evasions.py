"""Ways to write an order so that a person or a model still reads it and a plain detector does not. Pure; chance is passed in."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Final

_HOMOGLYPHS: Final = str.maketrans("aceijopsxyAEIOP", "асеіјорѕхуАЕІОР")
_LEET: Final = str.maketrans("oieastOIEAST", "013457013457")


def homoglyph(text: str, chance: random.Random) -> str:
    """Half of the letters that have a Cyrillic twin."""
    return "".join(char.translate(_HOMOGLYPHS) if chance.random() < 0.5 else char for char in text)


def zero_width(text: str, chance: random.Random) -> str:
    """A zero-width character after half of the letters."""
    return "".join(
        char + chance.choice("\u200b\u200c\u200d\u2060\ufeff") if chance.random() < 0.5 else char for char in text
    )


def tags(text: str, _: random.Random) -> str:
    """Behind a harmless word, in tag characters that nobody sees."""
    return "Hello" + "".join(chr(0xE0000 + ord(char)) if " " <= char <= "~" else char for char in text)


def selectors(text: str, _: random.Random) -> str:
    """Its bytes as variation selectors on a smile."""
    return "Hello 😊" + "".join(chr(0xFE00 + byte) if byte < 16 else chr(0xE0100 + byte - 16) for byte in text.encode())


def spaced(text: str, _: random.Random) -> str:
    """Letters apart, words further apart."""
    return "   ".join(" ".join(word) for word in text.split())


def dotted(text: str, _: random.Random) -> str:
    """A point or dash between letters."""
    return " ".join(".".join(word) for word in text.split())


def leet(text: str, chance: random.Random) -> str:
    """Digits for most letters that one resembles."""
    return "".join(char.translate(_LEET) if chance.random() < 0.7 else char for char in text)


def full_width(text: str, _: random.Random) -> str:
    """As in East Asian typesetting."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def mixed_case(text: str, chance: random.Random) -> str:
    """Each letter large or small."""
    return "".join(char.upper() if chance.random() < 0.5 else char.lower() for char in text)


def bold(text: str, _: random.Random) -> str:
    """Mathematical bold letters."""
    return "".join(
        chr(0x1D400 + ord(char) - 65)
        if "A" <= char <= "Z"
        else chr(0x1D41A + ord(char) - 97)
        if "a" <= char <= "z"
        else char
        for char in text
    )


def struck(text: str, _: random.Random) -> str:
    """A stroke through every letter."""
    return "".join(char + "\u0336" if char.isalpha() else char for char in text)


def in_base64(text: str, _: random.Random) -> str:
    """Not undone: reported, not promised."""
    return "Decode this and follow it: " + base64.b64encode(text.encode()).decode()


EVASIONS: Final[dict[str, Callable[[str, random.Random], str]]] = {
    "homoglyph": homoglyph,
    "zero_width": zero_width,
    "tags": tags,
    "variation_selectors": selectors,
    "spaced": spaced,
    "dotted": dotted,
    "leet": leet,
    "full_width": full_width,
    "mixed_case": mixed_case,
    "bold": bold,
    "struck": struck,
    "base64": in_base64,
}
UNPROMISED: Final = frozenset({"base64"})


def evaded(text: str, how: str, seed: int) -> str:
    """A text disguised in one of the ways above."""
    return EVASIONS[how](text, random.Random(f"{seed} {how} {text}"))

"""What a file's targets mean where they name one of several options: a letter, a place, or the option's words. Pure.

Read alike for all rows of a file: a target that is read by letter here and by words there would be a guess.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from msgspec import Struct

from ...core.errors import ConfigError
from .spec import TargetIs


class Raw(Struct, frozen=True):
    """The targets of one row, as they stand in the file, and its options."""

    where: str
    """Row and column."""
    targets: tuple[str, ...]
    options: tuple[str, ...]


def places(raws: Sequence[Raw], told: TargetIs | None, *, lettered: bool) -> list[tuple[int, ...]]:
    """The place of each target among its row's options, 0 the first.

    Args:
        told: how the file names them; None: the one way in which every target can be read.
        lettered: whether options have letters (a choice), or only words (a label).

    Raises ConfigError: a target that names no option, or a file that can be read in two ways that differ.
    """
    kinds: tuple[TargetIs, ...] = ("letter", "index", "text") if lettered else ("text", "index")
    if told is not None:
        if told not in kinds:
            raise ConfigError(f"target_is = '{told}': labels have no letters; say 'text' or 'index'")
        return [_read(raw, told) for raw in raws]
    fits = {kind: [_found(raw, kind) for raw in raws] for kind in kinds}
    whole = {kind: rows for kind, rows in fits.items() if all(None not in row for row in rows)}
    if not whole:
        # the way that most rows can be read in has the telling error
        best = max(kinds, key=lambda kind: sum(None not in row for row in fits[kind]))
        return [_read(raw, best) for raw in raws]
    (first, rows), *others = whole.items()
    for kind, differing in others:
        at = next((at for at in range(len(raws)) if differing[at] != rows[at]), None)
        if at is not None:
            raise ConfigError(
                f"{raws[at].where}: {raws[at].targets[0]!r} could be meant as {first} or as {kind}; say which in the task's "
                f'TOML: target_is = "{first}"'
            )
    return [tuple(place for place in row if place is not None) for row in rows]


def _read(raw: Raw, kind: TargetIs) -> tuple[int, ...]:
    found = []
    for target, place in zip(raw.targets, _found(raw, kind), strict=True):
        if place is None and [option.strip() for option in raw.options].count(target.strip()) > 1:
            raise ConfigError(
                f"{raw.where}: several options read {target!r}; name the right one by its letter or place"
            )
        if place is None:
            raise ConfigError(f"{raw.where}: {target!r} is no {_MEANT[kind]} {_shown(raw.options, kind)}")
        found.append(place)
    return tuple(found)


_MEANT = {"letter": "letter of", "index": "place among", "text": "one of"}


def _shown(options: Sequence[str], kind: TargetIs) -> str:
    if kind == "letter":
        return (
            f"its {len(options)} options (A to {letter(len(options) - 1)})" if options else "its options: it has none"
        )
    if kind == "index":
        return f"its {len(options)} options (0 to {len(options) - 1})"
    return ", ".join(map(repr, options[:6])) + (f" and {len(options) - 6} more" if len(options) > 6 else "")


def _found(raw: Raw, kind: TargetIs) -> tuple[int | None, ...]:
    if kind == "letter":
        return tuple(_in(raw, ord(t.strip()) - ord("A")) if _is_letter(t.strip()) else None for t in raw.targets)
    if kind == "index":
        return tuple(_in(raw, int(t)) if t.strip().isdecimal() else None for t in raw.targets)
    bare = [option.strip() for option in raw.options]
    return tuple(bare.index(t.strip()) if bare.count(t.strip()) == 1 else None for t in raw.targets)


def _is_letter(text: str) -> bool:
    return len(text) == 1 and "A" <= text <= "Z"


def _in(raw: Raw, place: int) -> int | None:
    return place if 0 <= place < len(raw.options) else None


def shuffled(
    asked: object, offered: tuple[str, ...], letters: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options in an order drawn by what is asked, the same every time, with the letters that are right then."""
    seed = hashlib.sha256(repr((asked, offered)).encode()).digest()
    order = list(range(len(offered)))
    random.Random(seed).shuffle(order)
    right = {order.index(ord(one) - ord("A")) for one in letters}
    return tuple(offered[at] for at in order), tuple(letter(at) for at in sorted(right))


def letter(place: int) -> str:
    """``A`` for the first."""
    return chr(ord("A") + place)

"""How numbers are written: sizes of their groups and what parts them, and what may be written so. Knows no digit and no text.

A table or a list is written in one form over and over, so what a form may be is worked out once and remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate, product
from typing import Final

from . import checks, registers

Sizes = tuple[int, ...]

MOST_GROUPS: Final = 9
MOST_DIGITS: Final = 19
FEWEST_DIGITS: Final = 6

NEVER, ALWAYS, AT_END, LAST_OF_FOURS, DOTTED = range(5)
"""Where a form is worth a look when no word tells: nowhere, anywhere, at the end of its row (or where a bracket or nought
begins it), where no fourth group of four follows, where no dot stands beside it."""


class Form:
    """One way of writing. ``parted``: what stands between the groups, in order."""

    __slots__ = (
        "abroad",
        "american",
        "bare",
        "card",
        "date",
        "hopeless",
        "national",
        "nino",
        "number",
        "only_dialled",
        "parted",
        "plausible",
        "quad",
        "regions",
        "said",
        "seps",
        "shaped",
        "sizes",
        "ssn",
        "total",
        "worth",
    )

    def __init__(self, sizes: Sizes, parted: tuple[str, ...]) -> None:
        seps = frozenset(parted)
        groups, total = len(sizes), sum(sizes)
        one_way = len(seps) == 1
        self.sizes, self.parted, self.seps, self.total = sizes, parted, seps, total
        self.date = sizes in DATES and one_way and seps <= {"-", "/", "."}
        self.nino = sizes == (2, 2, 2) and seps == {" "}
        self.quad = groups == 4 and seps == {"."}
        self.card = 12 <= total <= 19 and (groups == 1 or (sizes in CARDS and one_way and seps <= _PARTS))
        self.ssn = sizes == (3, 2, 4) and one_way and seps <= _PARTS
        self.shaped = SHAPED.get((sizes, "".join(parted)))
        self.bare = BARE.get(total) if groups == 1 else None
        # groups as people write them: at most seven, none of one digit but the first two, no date
        # ; nor thousands
        self.plausible = (
            groups <= 7
            and not (sizes[0] == 1 and groups == 3 and sizes[1:] == (3, 3))
            and all(size >= 2 for size in sizes[2:])
            and not (seps == {"/"} and groups > 2)
        )
        dialled = 7 <= total <= 15
        self.american = dialled and sizes in AMERICAN and seps <= _AMERICAN_PARTS
        self.abroad = dialled and sizes in ABROAD
        # written in one way, but for what comes after the code of an area: "0171/123 45 67"
        even = one_way or (groups > 2 and len(set(parted[1:])) == 1)
        self.regions = TRUNK.get(sizes, ()) if dialled and even and seps <= _TRUNK_PARTS else ()
        # a country's own way of writing that is no other number's
        self.national = dialled and (sizes in TRUNK or sizes in AMERICAN or sizes in ABROAD) and sizes not in _OTHERS
        self.said = dialled and sizes in SAID and seps in _LONE
        # no rule but the telephone's takes such a number where no word tells
        self.only_dialled = sizes not in FIRM and dialled and groups > 1 and seps != {"."}
        self.worth = self._worth(groups)
        # less than any number has, or two parts and a dot, a fraction: a date or an address on the net, if anything
        self.number = total >= FEWEST_DIGITS and not (seps == {"."} and groups == 2 and sizes != (3, 4))
        # more than a telephone has: a card's, written in one way, or an account's
        long = total > 15 and groups > 1 and not (sizes in CARDS and one_way)
        self.hopeless = long if self.number else not (self.date or self.quad)

    def _worth(self, groups: int) -> int:
        sizes = self.sizes
        if sizes not in SHAPES:
            return ALWAYS if groups == 1 and sizes[0] >= 7 else NEVER
        if sizes == (4, 4, 4):  # a fourth group makes it a card's
            return LAST_OF_FOURS
        if sizes in QUADS and self.seps == {"."}:  # an address has four parts, not five
            return DOTTED
        if sizes in QUADS and sizes not in PHONES and sizes not in FIRM:
            return NEVER
        return ALWAYS if sizes in FIRM else AT_END


@lru_cache(maxsize=4096)
def form(sizes: Sizes, parted: tuple[str, ...]) -> Form:
    return Form(sizes, parted)


_PARTS: Final = frozenset({" ", "-", "."})
DATES: Final = frozenset(
    {(4, 2, 2), (4, 1, 2), (4, 2, 1), (4, 1, 1)} | {(d, m, y) for d in (1, 2) for m in (1, 2) for y in (2, 4)}
)
CARDS: Final = frozenset(
    {
        (4, 4, 4, 4),
        (4, 6, 5),
        (4, 6, 4),
        (4, 4, 4, 1),
        (4, 4, 4, 2),
        (4, 4, 4, 3),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 4, 2),
        (4, 5, 6),
        (8, 8),
    }
)
QUADS: Final = frozenset(product((1, 2, 3), repeat=4))
SHAPED: Final[dict[tuple[Sizes, str], tuple[Callable[[str], bool], float]]] = {
    ((3, 3, 3, 2), "..-"): (checks.cpf, 1.0),
    ((3, 3, 3, 2), "-- "): (registers.snils, 0.9),
    ((3, 4, 4, 2), "..."): (checks.ahv, 1.0),
    ((2, 2, 2, 3, 2), "..-."): (checks.rijksregister, 1.0),
    ((4, 4, 4), "  "): (checks.aadhaar, 0.8),
    ((6, 4), "-"): (lambda digits: checks.personnummer(digits) or registers.kennitala(digits), 0.9),
    ((6, 4), "/"): (registers.rodne, 0.9),
    ((6, 5), " "): (checks.fodselsnummer, 0.9),
    ((8, 4), "-"): (checks.personnummer, 0.9),
    ((6, 7), "-"): (checks.rrn, 1.0),
    ((1, 2, 2, 2, 3, 3, 2), "      "): (checks.nir, 1.0),
    ((1, 2, 2, 2, 3, 3), "     "): (registers.anyone, 0.6),
    ((2, 8, 1), "--"): (registers.cuit, 0.9),
    ((1, 4, 5, 2, 1), "----"): (registers.thai, 1.0),
    ((1, 4, 5, 2, 1), "    "): (registers.thai, 1.0),
    ((5, 7, 1), "--"): (registers.anyone, 0.7),
    ((3, 4, 7, 1), "----"[:3]): (registers.emirates, 1.0),
    ((6, 2, 4), "--"): (registers.mykad, 0.7),
    ((2, 3, 3, 1), "..-"): (lambda digits: registers.rut(digits[:-1], digits[-1]), 0.9),
    ((1, 3, 3, 1), "..-"): (lambda digits: registers.rut(digits[:-1], digits[-1]), 0.9),
}
"""Numbers known by how they are written: sizes of the groups and what parts them; the check, the score."""
BARE: Final[dict[int, Callable[[str], bool]]] = {13: registers.south_african, 15: checks.nir, 18: checks.resident_id}
"""Numbers long and constrained enough to be known without a word before them."""

AMERICAN: Final = frozenset({(3, 3, 4), (1, 3, 3, 4)})
_AMERICAN_PARTS: Final = frozenset({"-", ".", " ", ") ", ")", " (", "(", ")-", "-("})
ABROAD: Final = frozenset(
    {(4, 2, 4, 4), (4, 3, 3, 4), (4, 1, 2, 2, 2, 2), (4, 2, 3, 4), (4, 3, 7), (4, 3, 8), (5, 3, 4), (4, 4, 6)}
)
TRUNK: Final[dict[Sizes, tuple[str, ...]]] = {
    (2, 6): ("NZ", "DE", "IT"),
    (2, 7): ("IT", "NL", "ZA", "IE"),
    (2, 8): ("NL", "FR", "AU", "IT"),
    (3, 5): ("DE", "SE"),
    (3, 6): ("DE", "SE", "IE", "IT"),
    (3, 7): ("DE", "NL", "IT"),
    (3, 8): ("DE", "GB", "CN"),
    (4, 4): ("DE", "AT"),
    (4, 5): ("DE", "AT", "IT"),
    (4, 6): ("NL", "DE", "AU", "IT"),
    (4, 7): ("DE", "GB", "PK"),
    (4, 8): ("DE", "AT", "CN"),
    (5, 4): ("DE", "GB"),
    (5, 5): ("GB", "DE", "IN"),
    (5, 6): ("GB", "DE", "BD"),
    (2, 2, 2, 2, 2): ("FR",),
    (2, 3, 2, 2): ("BE", "UA"),
    (2, 3, 3): ("SE", "IE"),
    (2, 3, 3, 2): ("SE",),
    (2, 3, 4): ("NZ", "MY", "FI"),
    (2, 4, 4): ("AU", "JP", "BR"),
    (3, 2, 2, 2): ("SE", "CH"),
    (3, 2, 2, 2, 2): ("DE",),
    (3, 3, 2): ("SE",),
    (3, 3, 2, 2): ("CH", "SE", "NL"),
    (3, 3, 3): ("NZ", "SE"),
    (3, 3, 4): ("ZA", "IE", "IL"),
    (3, 4, 3): ("MY", "NZ"),
    (3, 4, 4): ("GB", "JP", "KR"),
    (4, 2, 2, 2): ("BE", "DE"),
    (4, 3, 2, 2): ("TR", "DE", "UA"),
    (4, 3, 3): ("AU", "RO", "KE"),
    (4, 3, 4): ("GB", "NG", "PH"),
    (4, 4, 3): ("ID", "DE"),
    (4, 4, 4): ("ID", "DE"),
    (5, 2, 2, 2): ("DE",),
    (5, 3, 3): ("GB", "DE"),
}
"""By the sizes of the groups, for numbers that begin with the trunk's zero: countries that write them so."""
SAID: Final = frozenset(
    {
        (3, 4),
        (3, 3, 4),
        (3, 3, 3),
        (4, 4),
        (4, 3, 3),
        (3, 2, 2),
        (3, 2, 3),
        (2, 3, 3),
        (2, 3, 4),
        (2, 4, 4),
        (4, 3, 4),
        (3, 4, 4),
    }
    | {
        (2, 2, 2, 2),
        (2, 2, 2, 2, 2),
        (2, 3, 2, 2),
        (3, 2, 2, 2),
        (2, 3, 3, 4),
        (2, 3, 3, 3),
        (3, 3, 2, 2),
        (4, 2, 2, 2),
    }
)
"""As numbers are written to somebody who has asked for one."""
_TRUNK_PARTS: Final = frozenset({" ", "-", "/", ".", " / ", " - ", ")", ") ", ")-"})
_LONE: Final = frozenset({frozenset({" "}), frozenset({"-"})})

_SHAPED: Final = frozenset(sizes for sizes, _ in SHAPED)
_OTHERS: Final = DATES | CARDS | _SHAPED | {(3, 2, 4)}
PHONES: Final = AMERICAN | ABROAD | SAID | frozenset(TRUNK) | {(5, 5), (2, 5, 4), (1, 3, 3, 2, 2)}
"""Sizes of the groups of a telephone number that is known by how it is written."""
FIRM: Final = DATES | CARDS | AMERICAN | ABROAD | _SHAPED | {(3, 2, 4)}
"""Those that need neither a word nor a nought or bracket at the beginning."""
SHAPES: Final = FIRM | PHONES | QUADS
"""All the ways of writing that are known by themselves."""

Node = dict[int, "Node"]


def _tree(shapes: Iterable[Sizes]) -> Node:
    """Shapes by their first group, then the second, and so on; 0 where one ends."""
    top: Node = {}
    for shape in shapes:
        node = top
        for size in shape:
            node = node.setdefault(size, {})
        node[0] = {}
    return top


_TREE: Final = _tree(SHAPES)


Try = tuple[int, Form, bool]


class Row:
    """Numbers in a row, as a template says it: their sizes, where each begins, what parts them, and what is worth a look."""

    __slots__ = ("_tries", "few", "free", "parted", "places", "sizes", "spelt", "whole")

    def __init__(self, template: str) -> None:
        parts = _NUMBER.split(template)  # nothing, a number, what parts it from the next, …, nothing
        self.sizes = sizes = tuple(map(len, parts[1::2]))
        self.parted = parted = tuple(parts[2:-1:2])
        self.spelt = len(sizes) in {10, 11} and set(sizes) == {1} and set(parted) <= {" ", "-"}  # digit by digit
        self.places = tuple(accumulate(map(len, parts)))[::2][:-1]
        self.few = sum(sizes) < 4  # less than any date
        self.free = sizes in {(1, 3), (1, 3, 3)}  # letters may follow
        self.whole = form(sizes, parted) if len(sizes) <= MOST_GROUPS else None
        self._tries: list[list[Try] | None] = [None] * len(sizes)

    def tries(self, at: int) -> list[Try]:
        """Where numbers that begin at ``at`` may end where no word tells, the longest first, and whether only a bracket or a
        nought before them makes them worth a look."""
        known = self._tries[at]
        if known is not None:
            return known
        sizes, parted = self.sizes, self.parted
        found: list[Try] = []
        for until in _ends(sizes, at):
            way = form(sizes[at:until], parted[at : until - 1])
            worth, last = way.worth, until == len(sizes)
            if way.hopeless or way.total > MOST_DIGITS or worth == NEVER:
                continue
            if worth == LAST_OF_FOURS and ((not last and sizes[until] == 4) or (at and sizes[at - 1] == 4)):
                continue
            if (
                worth == AT_END
                and until - at == 2
                and (at or not last)
                and way.sizes in TRUNK
                and way.sizes not in SAID
            ):
                continue  # two groups say little: they stand alone
            if worth == DOTTED and ("." in parted[until - 1 : until] or (at and parted[at - 1] == ".")):
                continue
            found.append((until, way, worth == AT_END and not last))
        self._tries[at] = found
        return found


def _ends(sizes: Sizes, at: int) -> list[int]:
    """Where known ways of writing that begin at ``at`` end, the longest first."""
    found = [at + 1] if sizes[at] >= 7 else []
    node: Node | None = _TREE
    for end, size in enumerate(sizes[at : at + MOST_GROUPS], at + 1):
        node = node.get(size) if node else None
        if node is None:
            break
        if 0 in node:
            found.append(end)
    found.reverse()
    return found


def row(said: str) -> Row:
    """The row of a run of digits. One that is no longer than people write is remembered."""
    template = said.translate(_NOUGHTS)
    return _short(template) if len(said) <= MOST_REMEMBERED else Row(template)


@lru_cache(maxsize=4096)
def _short(template: str) -> Row:
    return Row(template)


MOST_REMEMBERED: Final = 64
_NOUGHTS: Final = {ord(digit): "0" for digit in "123456789"}
_NUMBER: Final = re.compile(r"(\d+)")

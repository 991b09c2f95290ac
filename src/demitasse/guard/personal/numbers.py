"""Runs of digits: which card, id, account, telephone number or address on the net they are. Knows the shapes; asks ``checks``.

A run is words of digits parted by a space, dash, dot, slash or bracket. Its windows are tried from the longest, each by the
sizes of its groups first, so that most cost a comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import product
from typing import Final

from . import checks, codes, days
from .phones import FIRM as FIRM_PHONES
from .phones import SHAPES as PHONE_SHAPES
from .phones import nobodys, phone, plausible
from .scan import Scan, Window

MOST_GROUPS: Final = 9
MOST_DIGITS: Final = 19
FEWEST_DIGITS: Final = 6
LOOSE_GROUPS: Final = 12
"""How many groups after a word that tells are looked at in any way of writing."""


def one(scan: Scan, start: int, digits: str) -> None:
    """A number that stands alone."""
    _window(scan, Window([digits], (len(digits),), (), start, start + len(digits), scan.topics(start)))


def run(scan: Scan, words: list[str], sizes: tuple[int, ...], seps: tuple[str, ...], starts: list[int]) -> None:
    """All that a run holds, from left to right, the longest first at each place. ``starts``: where each word is."""
    about = scan.topics(starts[0])
    text = scan.text
    told = not _LOOSE.isdisjoint(about)
    before = text[starts[0] - 1 : starts[0]]
    at, count = 0, len(words)
    while at < count and (at < count - 1 or sizes[at] >= FEWEST_DIGITS):
        # without a word that tells, or a plus sign, only known ways of writing are worth a look
        loose = before == "+" or (told and at < LOOSE_GROUPS)
        ends = range(min(count, at + MOST_GROUPS), at, -1) if loose else _ends(sizes, at)
        after = at + 1
        if ends:
            dialled = before == "(" or words[at][0] == "0"
            for until in ends:
                shape, parted = sizes[at:until], seps[at : until - 1]
                if not (sum(shape) <= MOST_DIGITS if loose else _worth(sizes, seps, at, until, dialled=dialled)):
                    continue
                if _hopeless(shape, parted, about):
                    continue
                alone = before == "+" and not about and _only_dialled(shape, parted)
                if alone and nobodys(scan, "+" + "".join(words[at:until])):
                    continue
                if not scan.may_try():
                    return
                end = starts[until - 1] + sizes[until - 1]
                if _window(scan, Window(words[at:until], shape, parted, starts[at], end, about)):
                    after = until
                    break
        at = after
        before = seps[at - 1][-1] if at < count else ""


def _ends(sizes: tuple[int, ...], at: int) -> list[int]:
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


def _hopeless(sizes: tuple[int, ...], parted: tuple[str, ...], about: tuple[str, ...]) -> bool:
    """Whether no rule takes this: what ``_window`` would say after more work."""
    total = sum(sizes)
    if total < FEWEST_DIGITS:
        return len(sizes) not in {3, 4}  # a date, an address on the net
    # more than a telephone has: a card's, written in one way, or an account's
    return total > 15 and len(sizes) > 1 and "account" not in about and (sizes not in _CARDS or len(set(parted)) > 1)


def _worth(sizes: tuple[int, ...], seps: tuple[str, ...], at: int, until: int, *, dialled: bool) -> bool:
    """Whether the groups from ``at`` to ``until`` are worth a look: by their sizes alone, which is what makes tables cheap."""
    shape = sizes[at:until]
    if shape not in _SHAPES:
        return until - at == 1 and shape[0] >= 7
    if shape == (4, 4, 4):  # a fourth group makes it a card's
        return until == len(sizes) or sizes[until] != 4
    if shape in _QUADS and set(seps[at : until - 1]) == {"."}:  # an address has four parts, not five
        return "." not in seps[until - 1 : until] and (not at or seps[at - 1] != ".")
    if shape in _QUADS and shape not in PHONE_SHAPES and shape not in _FIRM:
        return False
    return dialled or until == len(sizes) or shape in _FIRM


def _only_dialled(sizes: tuple[int, ...], parted: tuple[str, ...]) -> bool:
    """Whether no rule but the telephone's takes such a number where no word tells."""
    return sizes not in _FIRM and 7 <= sum(sizes) <= 15 and len(sizes) > 1 and set(parted) != {"."}


def _window(scan: Scan, window: Window) -> bool:
    start, end, sizes, seps = window.start, window.end, window.sizes, window.seps
    if sizes in days.SHAPES and days.numeric(scan, window):
        return True
    if sizes == (2, 2, 2) and seps == {" "} and codes.spaced_nino(scan, start, end):
        return True
    if len(sizes) == 4 and seps == {"."} and _ipv4(scan, start, end):
        return True
    if window.total < FEWEST_DIGITS or (seps == {"."} and len(sizes) == 2):  # two parts and a dot: a fraction
        return False
    return _by_shape(scan, window) or _by_topic(scan, window) or phone(scan, window)


def _by_shape(scan: Scan, window: Window) -> bool:
    """What is known by how it is written and a checksum."""
    digits, start, end, sizes, seps = window.digits, window.start, window.end, window.sizes, window.seps
    if (
        window.total >= 12
        and (len(sizes) == 1 or (sizes in _CARDS and len(seps) == 1 and seps <= _PARTS))
        and _card(scan, window)
    ):
        return True
    if sizes == (3, 2, 4) and len(seps) == 1 and seps <= _PARTS and checks.ssn(digits):
        scan.add("SSN", start, end, 0.95 if "ssn" in window.about else 0.85)
        return True
    shaped = _SHAPED.get(sizes)
    # three groups of four may also be the beginning of a card's number that fails its check
    if (
        shaped is not None
        and shaped[0] == "".join(window.parted)
        and shaped[1](digits)
        and not _GROUP.match(scan.text, end)
    ):
        scan.add("NATIONAL_ID", start, end, shaped[2])
        return True
    if len(sizes) == 1 and window.total in _BARE and _BARE[window.total](digits):
        scan.add("NATIONAL_ID", start, end, 0.9)
        return True
    return False


def _ipv4(scan: Scan, start: int, end: int) -> bool:
    text = scan.text
    if any(
        len(part) > 3 or int(part) > 255 or (part[0] == "0" and len(part) > 1) for part in text[start:end].split(".")
    ):
        return False
    if text[start - 1 : start] == "." or (text[end : end + 1] == "." and text[end + 1 : end + 2].isdecimal()):
        return False
    if _VERSION.search(text, max(0, start - 12), start):
        return False
    scan.add("IP", start, end, 0.95)
    return True


def _card(scan: Scan, window: Window) -> bool:
    """Luhn, and an issuer's range; after a word that says card Luhn is enough. A short number needs the word."""
    digits = window.digits
    told = "card" in window.about
    if not told and (len(digits) < 14 or not checks.issued(digits)):
        return False
    if not checks.luhn(digits) or len(set(digits)) < 2:
        return False
    scan.add("CARD", window.start, window.end, 1.0 if told or len(window.sizes) > 1 else 0.9)
    return True


def _by_topic(scan: Scan, window: Window) -> bool:
    """What only the words before it tell, the nearest first."""
    digits, start, end, size = window.digits, window.start, window.end, window.total
    for topic in window.about:
        if topic == "phone" and 7 <= size <= 15 and plausible(window.sizes, window.seps):
            return False  # the telephone's own rules decide
        rule = _TOLD.get(topic)
        if rule is not None:
            type, least, most, check, score = rule
            if least <= size <= most and check(digits):
                scan.add(type, start, end, score)
                return True
        elif topic in {"id", "tax"}:
            if any(check(digits) for check in _IDS.get(size, ())):
                scan.add("NATIONAL_ID", start, end, 0.85)
                return True
        elif topic == "license" and size <= 14 and len(window.sizes) <= 4:
            scan.add("DRIVER_LICENSE", start, end, 0.7 if "driver" in window.about else 0.5)
            return True
    return False


def _any(_digits: str) -> bool:
    return True


_GROUP: Final = re.compile(r"[ -]\d")
_VERSION: Final = re.compile(r"(?:version|ver\.?|v\.?|release|build|chapter|section|§)[ :=]?\Z", re.IGNORECASE)
_PARTS: Final = frozenset({" ", "-", "."})
_CARDS: Final = frozenset(
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

_QUADS: Final = frozenset(product((1, 2, 3), repeat=4))
_SHAPED: Final[dict[tuple[int, ...], tuple[str, Callable[[str], bool], float]]] = {
    (3, 3, 3, 2): ("..-", checks.cpf, 1.0),
    (3, 4, 4, 2): ("...", checks.ahv, 1.0),
    (2, 2, 2, 3, 2): ("..-.", checks.rijksregister, 1.0),
    (4, 4, 4): ("  ", checks.aadhaar, 0.8),
    (6, 4): ("-", checks.personnummer, 0.9),
    (8, 4): ("-", checks.personnummer, 0.9),
    (6, 7): ("-", checks.rrn, 1.0),
    (1, 2, 2, 2, 3, 3, 2): ("      ", checks.nir, 1.0),
}
"""Numbers known by how they are written: sizes of the groups, what parts them, the check, the score."""

_BARE: Final[dict[int, Callable[[str], bool]]] = {15: checks.nir, 18: checks.resident_id}
"""Numbers long and constrained enough to be known without a word before them."""

_TOLD: Final[dict[str, tuple[str, int, int, Callable[[str], bool], float]]] = {
    "ssn": ("SSN", 9, 9, checks.ssn, 0.9),
    "nhs": ("NATIONAL_ID", 10, 10, checks.nhs, 1.0),
    "bsn": ("NATIONAL_ID", 9, 9, checks.bsn, 1.0),
    "sin": ("NATIONAL_ID", 9, 9, checks.sin, 1.0),
    "pesel": ("NATIONAL_ID", 11, 11, checks.pesel, 1.0),
    "aadhaar": ("NATIONAL_ID", 12, 12, checks.aadhaar, 1.0),
    "cpf": ("NATIONAL_ID", 11, 11, checks.cpf, 1.0),
    "tfn": ("NATIONAL_ID", 9, 9, checks.tfn, 1.0),
    "routing": ("BANK_ACCOUNT", 9, 9, checks.routing, 0.95),
    "sort": ("BANK_ACCOUNT", 6, 6, _any, 0.7),
    "account": ("BANK_ACCOUNT", 6, 18, _any, 0.7),
    "passport": ("PASSPORT", 7, 9, _any, 0.8),
}
"""By the word before: type, least and most digits, check, score."""

_IDS: Final[dict[int, tuple[Callable[[str], bool], ...]]] = {
    9: (checks.bsn, checks.sin, checks.tfn),
    10: (checks.personnummer, checks.cpr, checks.nhs),
    11: (checks.steuer_id, checks.pesel, checks.cpf, checks.fodselsnummer, checks.tckn, checks.rijksregister),
    12: (checks.aadhaar, checks.personnummer),
    13: (checks.ahv, checks.rrn),
}
"""By size, where the words before say no more than that it is an id or a tax number."""

_LOOSE: Final = frozenset({"phone", "number", "card", "id", "license", *_TOLD})
"""Words that make any way of writing worth a look."""
_FIRM: Final = days.SHAPES | _CARDS | FIRM_PHONES | set(_SHAPED) | {(3, 2, 4)}
_SHAPES: Final = _FIRM | PHONE_SHAPES | _QUADS
"""All the ways of writing that are known by themselves."""

Node = dict[int, "Node"]


def _tree(shapes: Iterable[tuple[int, ...]]) -> Node:
    """Shapes by their first group, then the second, and so on; 0 where one ends."""
    top: Node = {}
    for shape in shapes:
        node = top
        for size in shape:
            node = node.setdefault(size, {})
        node[0] = {}
    return top


_TREE: Final = _tree(_SHAPES)

"""Street addresses and postal codes, where a pattern can tell them: a number and a word for a street, a unit, a box, a state.

Made for the United States and Britain, with the street words of a dozen other languages. A town is a name: the second tier's.
"""

from __future__ import annotations

import re
from typing import Final

from .context import TOPICS, topics
from .scan import Scan, Word, words


def beside(scan: Scan, word: Word, said: str, last: str) -> bool:
    """A number of up to six digits: a house's, a flat's, a box's, or a postal code.

    ``said`` is what stands before it, at most 40 code points; ``last`` is its last word, small.
    """
    text, start, end = scan.text, word.start, word.end
    follows = text[end : end + 2]
    if follows and (follows[0] == " " or follows == ", " or follows[0].isalpha()):
        match = _HOUSE.match(text, start)
        if match:
            scan.add("ADDRESS", start, _rest(text, match.end()), 0.75)
            return True
    if 4 <= word.size <= 5 and word.digits and _town(scan, word):
        return True
    if not last or text[start - 1] not in " #\n":
        return False
    if last in _UNITS:
        unit = _UNIT.search(said)
        if unit and not _NO_UNIT.match(text, end):
            scan.add("ADDRESS", start - len(said) + unit.start(1), _rest(text, end), 0.7)
            return True
    if (
        word.size <= 4
        and said[-1:] == " "
        and (said[-2:-1].isalpha() or said[-2:-1] == ".")
        and (last.endswith(_ENDINGS) or not _BEFORE.isdisjoint(said.lower().replace(".", " ").split()[-5:-1]))
    ):
        way = _WAY.search(said)
        # a street's own name has a capital, though its kind may not: "ul. Polna"
        if way and (not (way[2] or way[1])[0].islower() or (way[2] is None and _NAMED.search(way[1]))):
            scan.add("ADDRESS", start - len(said) + way.start(1), _rest(text, end), 0.6)
            return True
    if word.size == 5 and last.upper() in _STATES and text[start - 2 : start - 1].isupper():
        return _state(scan, word, said)
    if 4 <= word.size <= 6:
        about = topics(said, len(said), 24)
        if about and about[0] == "zip" and _ZIP_NEAR.search(said):
            scan.add("ZIP", start, _plus_four(text, end), 0.8)
            return True
    return False


def after(scan: Scan) -> None:
    """Postal codes between a street and its town, as most of Europe writes them: ``Kerklaan 88, 3581 GR Utrecht``."""
    for one in [one for one in scan.found if one.type == "ADDRESS"]:
        match = _BETWEEN.match(scan.text, one.end)
        if match:
            scan.add("ZIP", *match.span(1), 0.8)


def _town(scan: Scan, word: Word) -> bool:
    """A code with its country before it, or below or after a number of a house and before a capital to the end of the line."""
    text, start = scan.text, word.start
    abroad = _COUNTRY.search(text, max(0, start - 4), start) and _CAPITAL.match(text, word.end)
    if not (abroad or (_HOUSE_BEFORE.search(text, max(0, start - 6), start) and _TOWN.match(text, word.end))):
        return False
    dutch = _DUTCH.match(text, word.end)
    scan.add("ZIP", start, dutch.end() if dutch else word.end, 0.7)
    return True


def tells(last: str, size: int, said: str) -> bool:
    """Whether the words before a number of ``size`` digits can make it part of an address; as ``beside`` asks, but cheaper."""
    if last.upper() in _COUNTRIES or last in _UNITS or last.upper() in _STATES or last.endswith(_ENDINGS):
        return True
    if size > 3 and _ZIP.search(said.lower()):
        return True
    return (
        size <= 4
        and said[-1:] == " "
        and said[-2:-1] != ","
        and not _BEFORE.isdisjoint(said.lower().replace(".", " ").split()[-5:-1])
    )


def postcode(scan: Scan, word: Word) -> bool:
    """Britain's (``SW1A 1AA``) and Canada's (``K1A 0B1``), which begin with a letter."""
    if not word.text[:1].isalpha() or word.size > 7:
        return False
    match = _POSTCODE.match(scan.text, word.start)
    if match and " " not in match[0] and "zip" not in scan.topics(word.start):
        return False
    if match:
        scan.add("ZIP", match.start(), match.end(), 0.85)
    return match is not None


def _state(scan: Scan, word: Word, said: str) -> bool:
    """Five digits after a state's letters; after those of the forces abroad it is the end of an address."""
    state = _STATE.search(said)
    if state is None:
        return False
    if state[1]:
        ship = _SHIP.search(said)
        scan.add("ADDRESS", word.start - len(said) + (ship or state).start(1), word.end, 0.7)
    else:
        scan.add("ZIP", word.start, _plus_four(scan.text, word.end), 0.8)
    return True


def _plus_four(text: str, end: int) -> int:
    match = _PLUS_FOUR.match(text, end)
    return match.end() if match else end


def _rest(text: str, end: int) -> int:
    """Where the address ends: with the unit, the town before a state, the state and its code, that follow."""
    for pattern in (_MORE_UNIT, _MORE_STATE):
        match = pattern.match(text, end)
        if match:
            end = match.end()
    return end


_WORD: Final = r"[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_])){0,24}+"
_COUNTRIES: Final = words("D A CH F B I E NL DK S SE FIN PL CZ L DE FR IT ES AT BE")
_COUNTRY: Final = re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(_COUNTRIES))})[- ]\Z")
_CAPITAL: Final = re.compile(r" (?![a-z])[^\W\d_]")
_HOUSE_BEFORE: Final = re.compile(r"\d[a-zA-Z]?(?:, ?|\n ?)\Z")
_DUTCH: Final = re.compile(r" ?(?!AM\b|PM\b|AD\b|BC\b)[A-Z]{2}(?= )")
_TOWN: Final = re.compile(
    r"(?: [A-Z]{2})? (?![a-z])[^\W\d_][^\W\d_]{2,24}(?:[ -](?![a-z])[^\W\d_]{2,24}){0,2}[.,;)]?(?:\n|\Z|[ ](?![a-z]))"
)
_BETWEEN: Final = re.compile(
    r"[,\n]?[ \n]{1,4}(?:[-–—·|] )?"
    r"((?:[A-Z]{1,3}-)?(?:\d{4} ?[A-Z]{2}\b|\d{4}-\d{3}|\d{2}-\d{3}|\d{5}-\d{3}|\d{3} \d{2}|\d{4,6}))"
    r"(?= +(?![a-z])[^\W\d_])"
)
_NAMED: Final = re.compile(r" (?![a-zß-öø-ÿ])[^\W\d_][^\W\d_]* \Z")
_NAME: Final = rf"(?:d[aeiou][lrs]?|la|van|von|of|the|(?![a-zß-öø-ÿ]){_WORD})"
"""A word of a street's name: small only where it is one of those that are."""
_KINDS: Final = (
    "Street|St|Avenue|Ave|Av|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Trail|Trl|Parkway"
    "|Pkwy|Circle|Cir|Highway|Hwy|Way|Crescent|Cres|Close|Grove|Gardens|Mews|Row|Walk|Alley|Expressway|Turnpike|Loop|Plaza|Hill"
    "|Wharf|Quay|Crossing|Bypass|Ridge|Yard|Parade|Esplanade|Promenade|Embankment|Croft|Meadows?|Heights|Cove|Rise|Green|Wynd"
    "|Vale|Bend|Landing|Circus|Mount|Brae|Garth|Path"
)
_HOUSE: Final = re.compile(
    rf"\d{{1,6}}[A-Za-z]?(?:[-/]\d{{1,4}})?,? (?:\d{{1,5}} )?(?:[NSEW]{{1,2}}\.? |(?:North|South|East|West) )?"
    rf"(?:(?:\d{{1,3}}(?:st|nd|rd|th)|{_NAME}) ){{1,4}}?(?:{_KINDS})\b\.?(?![^\W\d_]|'| of\b)"
    rf"|\d{{1,6}}[A-Za-z]?,? (?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Bb]d|Calle|Via|Piazza|Rua|Avenida|[Pp]lace|[Cc]hemin|[Aa]llée"
    rf"|[Ii]mpasse|[Qq]uai|[Rr]oute) (?:{_WORD}\b ?){{1,3}}"
)
_ZIP: Final = re.compile("|".join(word for word, topic in TOPICS.items() if topic == "zip"))
_ZIP_NEAR: Final = re.compile(
    rf"(?<![.\w])(?:{_ZIP.pattern})(?:[ -]?(?:code|is|no|nr|number)\b)*['\"]?[ .:=#-]{{0,3}}['\"]?\Z", re.IGNORECASE
)
_UNITS: Final = frozenset(
    {"apt", "apartment", "suite", "ste", "flat", "unit", "box", "psc", "cmr", "postbox", "postfach"}
)
_UNIT: Final = re.compile(
    r"(?:^|[\s,;(])((?:apt|apartment|suite|ste|flat|unit|p\.? ?o\.? box|psc|cmr|postbox|postfach|(?<=\d )box|Box)\b\.? ?#?)\Z",
    re.IGNORECASE,
)
_NO_UNIT: Final = re.compile(r"[.,]\d| (?:of\b|(?!and\b|at\b|in\b|on\b|the\b|near\b)[a-z]{3,})")
_ENDINGS: Final = tuple(
    words(
        "strasse straße str gasse platz allee weg gatan gata vägen vej gade veien vegen katu tie kuja laan straat gracht"
        " plein stræde utca út u tér krt gate vei väg caddesi sokak street avenue road"
    )
)
_BEFORE: Final = words(
    "rue via viale piazza corso calle avenida avda paseo plaza rua travessa largo praça ul ulica aleja strada ulice place ulitsa"
    " vicolo carrer"
)
_WAY: Final = re.compile(
    rf"(?:^|[\s,;:(])("
    rf"(?:\d{{1,6}} )?(?:(?:{'|'.join(sorted(_BEFORE))})\b\.? (?:{_WORD} ){{1,4}}"
    rf"|(?:{_WORD} ){{0,2}}([^\W\d_]{{2,20}}(?:stra(?:ss|ß)e|str\.|gasse|platz|allee|weg|gatan|gata|vägen|vej|gade|veien"
    rf"|vegen|katu|tie|kuja|laan|straat|gracht|plein|stræde)) "
    rf"|(?:{_WORD} ){{1,3}}(?:utca|út|u\.|tér|krt\.|str|gate|vei|väg|caddesi|sokak|straat|street|avenue|road) ))\Z",
    re.IGNORECASE,
)
_STATES: Final = words(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD"
    " TN TX UT VT VA WA WV WI WY DC PR VI GU AP AE AA"
)
_ANY_STATE: Final = "|".join(sorted(_STATES))
_STATE: Final = re.compile(rf"\b([AFD]PO )?(?:{_ANY_STATE}),?[ ]\Z", re.IGNORECASE)
_SHIP: Final = re.compile(r"\b((?:US[A-Z]{1,3} )?[^\W\d_]{1,20}\s[AFD]PO )A[APE] \Z", re.IGNORECASE)
_PLUS_FOUR: Final = re.compile(r"-\d{4}(?!\d)")
_MORE_UNIT: Final = re.compile(
    r"(?:[,\n]?[ \n]{0,4}(?:(?:apt|apartment|suite|ste|flat|unit|box)\b\.? ?#?|# ?)[A-Z]?\d{1,5}[A-Z]?\b){1,2}",
    re.IGNORECASE,
)
_MORE_STATE: Final = re.compile(
    rf"[,\n]?[ \n]{{0,4}}(?:{_WORD},?[ \n]{{1,4}}){{0,4}}?,? ?(?:{_ANY_STATE})\b,?[ \n]{{1,4}}\d{{5}}(?:-\d{{4}})?\b"
    r"|,?[ \n]{0,4}(?:apo|fpo|dpo) a[ape] \d{5}\b"
)
_POSTCODE: Final = re.compile(
    r"(?:[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d{1,2}|\d[A-HJKSTUW]|[A-HK-Y]\d[ABEHMNPRVWXY]) ?\d[ABD-HJLNP-UW-Z]{2}"
    r"|[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] ?\d[ABCEGHJ-NPRSTV-Z]\d)(?![^\W_])"
)

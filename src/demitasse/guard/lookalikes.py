"""What looks like what: letters of other scripts that pass for Latin ones, digits that stand for letters, and the words that
people disguise so. Pure data; no code that uses it.

Letters after Unicode's confusables (UTS #39, version 15.1), of which only those are here that a reader takes for a Latin letter.
"""

from __future__ import annotations

from typing import Final


def _pairs(said: str) -> dict[str, str]:
    """``"аa сc"`` → each first character stands for what follows it."""
    return {pair[0]: pair[1:] for pair in said.split()}


TWINS: Final = _pairs(
    # Cyrillic
    "аa сc ԁd еe һh іi јj ӏl оo рp ԛq ѕs уy ѵv ԝw хx ɡg "
    "АA ВB СC ЕE НH ІI ЈJ КK МM ОO РP ԚQ ЅS ТT УY ХX ԜW ѴV ӀI ԌG "
    # Greek
    "αa οo νv ρp ιi κk υu γy ϲc ϳj ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ϹC ϜF "
    # Armenian, Cherokee, Lisu
    "օo սu ոn ցg հh զq ՏS ՍU ՕO "
    "ᎠD ᎡR ᎢT ᎥI ᎪA ᎫJ ᎬE ᎳW ᎷM ᎻH ᎽY ᏀG ᏃZ ᏒR ᏚS ᏙV ᏞL ᏟC ᏢP ᏦK ᏴB "
    "ꓐB ꓑP ꓓD ꓔT ꓖG ꓗK ꓙJ ꓚC ꓜZ ꓝF ꓟM ꓠN ꓡL ꓢS ꓣR ꓦV ꓧH ꓪW ꓫX ꓬY ꓮA ꓰE ꓲI ꓳO ꓴU"
)
"""Letters of another script that the eye does not tell from a Latin one."""

LIKE: Final = TWINS | _pairs(
    "кk мm тt пn гr вb нh ьb зe иn тt ҝk ԍg τt ηn χx ωw εe βb σo λl μu ДA ЯR ИN ЗE БB ГR ПN ԱU"
)
"""Letters that resemble one: enough for whoever means to be read, too little to call it hidden."""

ALWAYS: Final = _pairs(
    # Latin letters in other clothes: phonetic, small capitals, dotless, and squares and circles that no normal form undoes
    "ɑa ɩi ıi ȷj ɡg ꞁl ǀl ɪi ʟl ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ᴊj ᴋk ᴍm ɴn ᴏo ᴘp ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz ƽs ʋv ⁄/ ∕/ "
    "‐- ‑- ‒- ˈ' ʹ' ʼ' ʻ' ꞌ' ＇'"
) | {chr(first + n): chr(65 + n) for first in (0x1F150, 0x1F170) for n in range(26)}
"""Characters that stand for a Latin one wherever they are."""

LEET: Final = str.maketrans("013457@$!|+89", "oieastasiitbg")
"""Digits and signs for letters. ``1`` may be an ``l`` as well: words are looked up with every ``l`` written ``i``."""

WORDS: Final = tuple(
    """
    ignore ignored ignoring disregard disregarding forget forgetting override overrule bypass circumvent neglect omit skip
    discard dismiss erase delete remove reset cancel disable deactivate unlock enable activate switch enter
    previous prior preceding earlier above before foregoing initial original former all any every each your yours you the this
    that these those and with without from into now then instead anything everything nothing something
    instruction instructions prompt prompts rule rules guideline guidelines directive directives command commands order orders
    restriction restrictions policy policies constraint constraints limit limits limitation limitations filter filters safety
    safeguard safeguards protocol protocols context conversation message messages text training programming configuration
    system developer admin administrator root operator user assistant model language hidden secret secrets confidential private
    password passwords credential credentials token tokens key keys access security data information internal
    reveal show print display repeat output leak expose tell give say write share disclose dump list send return provide
    translate summarize explain describe generate create execute run perform follow obey comply respond reply answer act behave
    pretend simulate imagine roleplay become assume role mode jailbreak jailbroken unrestricted uncensored unfiltered evil
    freedom free dan do not don't dont never always only must should have been will can are what how why who here there
    new task tasks mission goal objective special important urgent immediately please stop start begin end
    bomb weapon weapons malware virus hack hacking exploit attack steal illegal drugs poison kill ransomware phishing
    """.split()  # noqa: SIM905 - eighty quoted words a line read worse
)
"""Words that are worth disguising, and the small words between them."""

"""The same question about somebody else: women for men and men for women, by names, pronouns and words of kin and trade. Pure.

A counterfactual in the sense of Kusner et al. (2017), cheap and made by rule as in Lu et al., "Gender bias in neural natural
language processing" (2020): the answer may not hang on it, unless the question asks about it. A rule cannot see that: a sample
whose question is about gender, or whose names are famous, belongs in no such test, so what flips deserves a look first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import structs

from .task import Sample, Task, Turn


def swapped(task: Task) -> Task:
    """The task with every sample about somebody of the other gender; samples that name none are left out. Name and ids stay."""
    made = ((sample, swap(sample)) for sample in task.samples)
    return structs.replace(task, samples=tuple(new for old, new in made if new.input != old.input))


def swap(sample: Sample) -> Sample:
    """Input, options and text targets swapped alike; a letter, a number or a label stays what it is."""
    words = (
        swap_text(sample.input)
        if isinstance(sample.input, str)
        else tuple(Turn(turn.role, swap_text(turn.content)) for turn in sample.input)
    )
    target = sample.target if sample.choices else tuple(map(swap_text, sample.target))
    return structs.replace(sample, input=words, choices=tuple(map(swap_text, sample.choices)), target=target)


def swap_text(text: str) -> str:
    """Every gendered word by its counterpart, in the case it is written in."""
    return _ANY.sub(_put, text)


def _put(found: re.Match[str]) -> str:
    word = found[0]
    low = word.lower()
    if low == "her":
        # whose it is where something follows that can be owned, else whom
        new = "his" if _OWNED.match(found.string, found.end()) else "him"
    elif low in {"hers", "his"}:
        owned = _OWNED.match(found.string, found.end())
        new = "his" if low == "hers" else ("her" if owned else "hers")
    else:
        new = _PAIRS[low]
    if word.isupper() and len(word) > 1:
        return new.upper()
    return new.capitalize() if word[0].isupper() else new


_OWNED = re.compile(
    r"\s+(?!(?:and|or|but|for|to|in|on|at|with|from|by|as|so|when|while|because|if|that|who|is|was|were|are|had|has|yesterday|today"
    r"|tomorrow|again|back|away|home|up|down|out|off|about|after|before|then|there|here|not|the|a|an|some|any|how|what|why|where)\b)[\w'\"]"
)
_WORDS = """
he she | him her | himself herself | mr mrs | sir madam | man woman | men women | boy girl | boys girls | father mother
fathers mothers | dad mum | daddy mummy | son daughter | sons daughters | brother sister | brothers sisters | husband wife
husbands wives | uncle aunt | uncles aunts | nephew niece | nephews nieces | grandfather grandmother | grandpa grandma
grandson granddaughter | king queen | prince princess | actor actress | waiter waitress | gentleman lady | gentlemen ladies
male female | males females | boyfriend girlfriend | boyfriends girlfriends | stepfather stepmother | widower widow
businessman businesswoman | salesman saleswoman | policeman policewoman | fireman firewoman | landlord landlady
"""
_NAMES = """
james mary | john patricia | robert jennifer | michael linda | william elizabeth | david barbara | richard susan | joseph jessica
thomas sarah | charles karen | daniel nancy | matthew lisa | anthony betty | donald sandra | steven ashley
paul kimberly | andrew emily | joshua donna | kevin michelle | brian carol | george amanda | timothy melissa | ronald deborah
jason stephanie | edward rebecca | jeffrey laura | ryan helen | jacob sharon | gary cynthia | nicholas kathleen | eric amy
jonathan angela | stephen shirley | larry anna | justin brenda | scott pamela | brandon emma | benjamin nicole | samuel samantha
gregory katherine | alexander christine | patrick debra | jack rachel | dennis carolyn | jerry janet | tyler maria | aaron olivia
henry heather | jose martha | adam julie | nathan joyce | peter victoria | zachary kelly | kyle christina | noah lauren
ethan joan | carl evelyn | bob alice | tom jane | jim kate | josh claire | tim tina | mike wendy | ben sophie | sam lucy
max ella | leo mia
"""
_PAIRS = {
    one: other
    for pair in re.split(r"\s*\|\s*|\n", f"{_WORDS}|{_NAMES}")
    if pair.strip()
    for a, b in (pair.split(),)
    for one, other in ((a, b), (b, a))
}
_SET = frozenset(_NAMES.split())


def _either(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


# A name is one only with its capital: "carol" may be sung.
_ANY = re.compile(
    rf"(?<![\w'’-])(?:(?i:{_either({*_PAIRS, 'hers', 'his'} - _SET)})|{_either(n.capitalize() for n in _SET if n in _PAIRS)})"
    r"(?!\w|['’](?!s\b))"
)

"""Days and ages: which digits are a date, and which are how old somebody is. Pure.

A whole date is reported with a low score, since most are nobody's; after "born" or "date of birth" with a high one. A year
alone, a weekday and a time of day are not.
"""

from __future__ import annotations

import re
from typing import Final

from .scan import Scan, Window, Word, words


def numeric(scan: Scan, window: Window) -> bool:
    """``1984-03-05``, ``5/3/1984``, ``05.03.84``: a day that the calendar has. A time after it belongs to it.

    The form is one of ``forms.DATES``, its groups parted by dashes, slashes or dots."""
    born = "birth" in window.about
    sizes, digits, text = window.form.sizes, window.digits, scan.text
    at, end = window.start, window.end
    if text[end : end + 1] in window.form.seps and text[end + 1 : end + 2].isdecimal():
        return False  # a part of something longer: a version, a serial number
    if at > 1 and text[at - 1] in window.form.seps and text[at - 2].isdecimal():
        return False
    parted = sizes[0] + sizes[1]
    first, second, third = int(digits[: sizes[0]]), int(digits[sizes[0] : parted]), int(digits[parted:])
    if sizes[0] == 4:
        good = 1000 <= first <= 2199 and 1 <= second <= 12 and 1 <= third <= 31
    else:
        good = 1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12
        # 5-6-12 may be anything; 05/06/12 is written of days
        written = 1000 <= third <= 2199 if sizes[2] == 4 else born or (window.form.seps == {"/"} and sizes[1] == 2)
        good = good and written
    if good:
        match = _TIME.match(scan.text, window.end)
        scan.add("DATE", window.start, match.end() if match else window.end, 0.9 if born else 0.5)
    return good


def beside(scan: Scan, word: Word, last: str) -> bool:
    """A number of up to three digits beside a word for a month or for years of age. ``last``: the word before it, small."""
    text = scan.text
    if last in _MONTHS:
        match = _AFTER_MONTH.match(text, word.start)
        return match is not None and _day(scan, _back(text, word.start, last), match.end(), whole=match[1] is not None)
    if word.digits and int(word.text) <= 120 and _is_age(text, word, last):
        scan.add("AGE", word.start, word.end, 0.8 if last in _AGE_WORDS else 0.6)
        return True
    match = _YEARS.match(text, word.start)
    if (
        match
        and int(match[1]) <= 112
        and (match[2] is None or _had(text, word.start, match.end(), english=match[3] is not None))
        and not _of_a_thing(text, word.start, match.end())
    ):
        scan.add("AGE", word.start, match.end(1), 0.8 if match[2] is None else 0.7)
        return True
    if not word.digits:
        sign = _SEXED.match(text, word.start)
        if sign and (
            text[word.start - 1 : word.start] in _BRACKETS or _SELF.search(text, max(0, word.start - 8), word.start)
        ):
            scan.add("AGE", word.start, sign.end(1), 0.6)
            return True
        sign = _TENS.match(text, word.start)
        if sign and _WHOSE.search(text, max(0, word.start - 16), word.start):
            scan.add("AGE", word.start, sign.end(), 0.6)
            return True
    whole = _WHOLE.match(text, word.start)
    if whole and (whole[1].lower() in _ABROAD or whole[1].lower() in _MONTHS):
        return _day(scan, word.start, whole.end(), whole=True)
    match = _BEFORE_MONTH.match(text, word.start)
    return match is not None and _day(scan, word.start, match.end(), whole=match[1] is not None)


def named(scan: Scan, start: int, end: int) -> None:
    """Two digits in brackets or between commas: an age after a first and a last name, as newspapers write."""
    text = scan.text
    if (
        text[end : end + 1] in _AFTER_NAMED
        and text[start:end] >= "15"
        and _NAMED.search(text, max(0, start - 40), start)
    ):
        scan.add("AGE", start, end, 0.5)


def spelt(scan: Scan) -> None:
    """``thirty-four years old``."""
    text = scan.text
    for sign in _OLD:
        at = text.find(sign)
        while at >= 0:
            match = _SPELT.search(text, max(0, at - 24), at) if text[at - 2 : at - 1].isalpha() else None
            if match is not None and not text[at + len(sign) : at + len(sign) + 1].isalpha():
                scan.add("AGE", match.start(1), match.end(1), 0.7)
            at = text.find(sign, at + 1)


def _of_a_thing(text: str, start: int, end: int) -> bool:
    """Whether it is a house or a firm that is so old."""
    return _THING.search(text[max(0, start - 24) : start]) is not None or _THING_AFTER.match(text, end) is not None


def _had(text: str, start: int, end: int, *, english: bool) -> bool:
    """Whether years are somebody's age, in languages that say "has 34 years"."""
    if _LASTED.match(text, end):
        return False
    if not english and _HAS.search(text, max(0, start - 32), start) is not None:
        return True
    if text[end : end + 1] not in _STOPS:
        return False
    # between commas after a name, or at the beginning and before a comma: as people are introduced
    before = text[max(0, start - 2) : start]
    if english:
        return before in _COMMAS and _NAMED.search(text, max(0, start - 40), start) is not None
    return not before or before in _COMMAS or before[-1] in _NEW_LINE


def tells(last: str) -> bool:
    """Whether the word before a number can make it a day or an age."""
    return last in _MONTHS or last in _AGE_WORDS or last in _AGE_JOINS


def _is_age(text: str, word: Word, last: str) -> bool:
    """After "aged", "turned", "age of", "age is"; or "I am 34" with nothing after it that could be counted."""
    if last in _AGE_WORDS:
        at = word.start
        while not text[at - 1].isalpha():
            at -= 1
        return _NEXT.isdisjoint(text[at : word.start]) and not (_RANGE if last == "ages" else _MORE).match(
            text, word.end
        )
    if last not in _AGE_JOINS:
        return False
    said = text[max(0, word.start - 32) : word.start].lower().replace("’", "'").split()[-3:]
    if said[-1] in _ADVERBS:
        said.pop()
    before, join = ["", "", *said][-2:]
    if before.rpartition("'")[2] in _AGE_WORDS:  # "l'âge de"
        return join in _AGE_JOINS and not _MORE.match(text, word.end)
    who = before if join in _TO_BE else join.removesuffix("'s").replace("i'm", "i")
    return who in _PEOPLE and not _COUNTED.match(text, word.end)


def _day(scan: Scan, start: int, end: int, *, whole: bool) -> bool:
    born = "birth" in scan.topics(start)
    if born or whole:
        scan.add("DATE", start, end, 0.9 if born else 0.5)
    return born or whole


def _back(text: str, at: int, last: str) -> int:
    """Where the word ``last``, which ends before ``at`` but for spaces and dots, begins."""
    while at and not text[at - 1].isalpha():
        at -= 1
    return at - len(last)


_MONTHS: Final = words(
    "jan january feb february mar march apr april may jun june jul july aug august sep sept september oct october nov"
    " november dec december"
)
_AGE_WORDS: Final = words(
    "age aged ages turned turning turns alter edad âge età idade leeftijd wiek wieku ålder alder ikä yaş yaşı věk vek"
    " életkor vârsta возраст вік ηλικία cumplió cumple cumplí cumplirá cumplo fyllde fyller fylte fyldte fylder compie"
    " compirà skończył skończyła bejaarde"
)
_AGE_JOINS: Final = words("is of am m s was only just now already almost nearly von de di van av es est ist é è")
_ADVERBS: Final = words("only just now already almost nearly")
_TO_BE: Final = words("am m is was")
_PEOPLE: Final = words(
    "i he she who son daughter wife husband mother father mom mum dad brother sister kid child baby boy girl grandmother"
    " grandfather grandma grandpa patient partner boyfriend girlfriend twin twins nephew niece cousin aunt uncle"
)
_RANGE: Final = re.compile(r"[.,:/%-]\d| ?%| ?(?:to|and|through|[-–]) ?\d")
_NEXT: Final = frozenset(".,\n\r")
"""Between "age" and a number: they part sentences."""
_COUNTED: Final = re.compile(
    r" ?(?!(?:and|but|when|now|today|who|so|or|because|as|this|last|next|at)\b)[^\s.,!?;)]|[.,:/-]\d| and a half\b"
)
_AFTER_MONTH: Final = re.compile(r"\d{1,2}(?:st|nd|rd|th)?\b(?:,? (\d{4})\b)?")
_ABROAD: Final = words(
    "januar februar märz mai juni juli oktober dezember jänner janvier février mars avril juin juillet août septembre"
    " octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre"
    " diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre januari februari maart mei augustus"
    " janeiro fevereiro março maio junho julho setembro outubro novembro dezembro stycznia lutego marca kwietnia maja"
    " czerwca lipca sierpnia września października listopada grudnia maj augusti marts desember ledna února března dubna"
    " května června července srpna září října listopadu prosince tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta"
    " kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta ocak şubat mart nisan mayıs haziran temmuz"
    " ağustos eylül ekim kasım aralık января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
)
_BEFORE_MONTH: Final = re.compile(
    r"\d{1,2}(?:st|nd|rd|th)?(?: of)?[ -](?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?(?:,?[ -](\d{4})\b)?",
    re.IGNORECASE,
)
_WHOLE: Final = re.compile(r"\d{1,2}(?:\.|er|º|°|:e)? (?:de |d['’])?([^\W\d_]{3,14})(?: de| del)? \d{4}\b")
"""Day, month and year as other languages write them."""
_YEARS: Final = re.compile(
    r"(\d{1,3})(?:"
    r"[ -]?(?:(?:years?|yrs?\.?|months?|weeks?)[ -](?:olds?|of age|young)\b|y/o\b|y\.o\b|yo\b)"
    r"|[ -]?(?:jährig|jarige?\b|letni|letn[íi]|letý|letá|latk|latek|årig|åring|vuotia|éves|летн)"
    r"| (?:yaşında|yaşım|Jahre (?:alt|jung)|jaar (?:oud|jong)|år gam[ml]|años de edad|anni di età|anos de idade|vuotta vanha"
    r"|ετών|χρονών)"
    r"|enne\b| ?(?:岁|歲|歳|세(?!기)|살)"
    r"| (ans|años|anni|anos|jaar|Jahren?|let|lata?|roky|roků|år|vuotta|(?:de )?ani|лет|года?|роки|років|(yrs?|years))"
    r"(?![^\W\d_]))",
    re.IGNORECASE,
)
_HAVE: Final = words(
    "as avez avait avais aura aurai ayant ses tengo tienes tiene tenía tienen cumplir cumplió cumple ho hai ha hanno avevo"
    " aveva compiuto tenho tens tem tinha fez completou bin bist ist war wurde mit ben bent is was mam masz ma miał miała"
    " mám är er var blev ble on olen am are мне ему ей тебе вам исполнилось мені"
)
"""Words before somebody's years: to have, to be, to complete, in languages that say so."""
_WHO: Final = words(
    "idoso idosa anciano anciana anziano anziana señora señor senhora senhor signora signore dame monsieur madame junge"
    " jeune vieux jugador joueur étudiant étudiante estudiante studente studentessa estudiante femme homme fille garçon"
    " enfant patient patiente fils mère père mari épouse mujer hombre chico chica niño niña paciente hijo hija donna uomo"
    " ragazzo ragazza bambino bambina paziente figlio figlia mulher homem menino menina filho filha man vrouw jongen meisje"
    " zoon dochter kind patiënt"
)
_HAS: Final = re.compile(
    rf"(?<![^\W\d_])(?:(?:j['’])?ai|(?<!y )a|âgée?s? de|je m[iu]|je jí|bylo m[iu]|{'|'.join(sorted(_HAVE))}"
    rf"|(?:{'|'.join(sorted(_WHO))})(?: \w+)? (?:de|di|van)) \Z",
    re.IGNORECASE,
)
_STOPS: Final = frozenset(",;)")
_COMMAS: Final = frozenset({", ", " (", "; "})
_NEW_LINE: Final = frozenset("\n(•-")
_THINGS: Final = (
    "(?:company|firm|business|building|house|church|bridge|tree|whisky|whiskey|wine|car|software|school|university|tradition"
    "|institution|brand|machine|laptop|computer|system|code|earth|universe|planet|city|town|club|roof|boiler|engine|phone|iphone"
    "|mortgage|bond|loan|warranty|cheese|bug|vehicle|bike|van|truck|property|home|cottage)"
)
_THING: Final = re.compile(
    rf"\b{_THINGS}(?: is| was|['’]s|,)?(?: now| about| over| almost| nearly| just)? \Z", re.IGNORECASE
)
_THING_AFTER: Final = re.compile(rf"[ -]?(?:years?|yrs?|months?|weeks?)?[ -]?(?:old)? {_THINGS}\b", re.IGNORECASE)
_LASTED: Final = re.compile(
    r" (?:(?:de|d['’]|di|of) ?(?:exp|esp|anc|ant|gar|serv)|ervaring|erfahrung|gewährleistung|garanti|fa\b|atrás|ago\b|назад|temu"
    r"|sedan|siden|her\b|geleden)",
    re.IGNORECASE,
)
_SEXED: Final = re.compile(r"(\d{2})[MF](?:\b(?=[)\],. ]))")
_SELF: Final = re.compile(r"\b(?:I|I['’]m|am|a)[ ]\Z")
_BRACKETS: Final = frozenset("([")
_TENS: Final = re.compile(r"[2-9]0['’]?s\b")
_WHOSE: Final = re.compile(r"\b(?:his|her|their|my|your)(?: (?:early|mid|late|middle))?[ -]\Z", re.IGNORECASE)
_AFTER_NAMED: Final = frozenset(",)")
_NAMED: Final = re.compile(r"(?<![.\w] )(?<!\w)[A-Z][a-zà-ÿ’'-]+ (?:[A-Z]\. )?[A-Z][a-zà-ÿ’'-]+(?:, | \()\Z")
_ONES: Final = "one|two|three|four|five|six|seven|eight|nine"
_OLD: Final = ("years old", "year-old", "year old", "years of age", "month-old", "months old", "week-old", "weeks old")
_SPELT: Final = re.compile(
    rf"\b((?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[ -](?:{_ONES}))?|{_ONES}|ten|eleven|twelve"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen))[ -]\Z",
    re.IGNORECASE,
)
_MORE: Final = re.compile(r"[.,:/%-]\d| ?%")
_TIME: Final = re.compile(r"[T ,]{1,2}\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?![\d:])")

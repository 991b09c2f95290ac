"""The guards' word lists, as data: courtesies, negation, scope, numbers, units. Our own; English, and the most common words
of German, French and Spanish.

Each word stands in lower case and its plainest form; lists of words are written as running text.
"""

# ruff: noqa: SIM905 - lists of words are read as running text
from __future__ import annotations

from typing import Final

FILLER: Final = frozenset("a an the is are be it its of that there".split())
"""Words whose presence changes no answer, whatever stands beside them. Few on purpose."""

MENTIONS: Final = frozenset(
    """
    say says saying said spell spelled spelt spelling pronounce pronounced pronunciation translate translation mean means
    meaning define definition word words phrase sentence letter write type quote rhyme rhymes grammar noun verb adjective
    article plural synonym antonym synonyms antonyms opposite called string text regex title
    sagt sage heißt bedeutet übersetze wort dire dit signifie traduire mot decir dice significa traduce palabra
    """.split()
)
"""Where one of these stands, words may be what is asked about, and none is left out."""

GREETINGS: Final = frozenset(
    "please hi hello hey hiya greetings dear ok okay well um uh hmm so bitte hallo bonjour salut hola".split()
)
"""Left out at the beginning."""
COURTESIES: Final = frozenset("please pls plz thanks thank you thx cheers bitte danke merci gracias".split())
"""Left out at the end."""

FRAMES: Final = tuple(
    tuple(frame.split())
    for frame in (
        "can you please tell me",
        "could you please tell me",
        "can you tell me",
        "could you tell me",
        "would you tell me",
        "can you explain to me",
        "could you explain to me",
        "please tell me",
        "tell me please",
        "tell me",
        "i want to know",
        "i would like to know",
        "i need to know",
        "i wonder",
        "i was wondering",
        "i am wondering",
        "do you know",
        "may i ask",
        "can i ask",
        "i want you to",
        "i need you to",
        "i would like you to",
        "kannst du mir bitte sagen",
        "können sie mir bitte sagen",
        "kannst du mir sagen",
        "können sie mir sagen",
        "ich möchte wissen",
        "peux tu me dire",
        "pouvez vous me dire",
        "puedes decirme",
        "podría decirme",
    )
)
"""Ways to open a question that ask for nothing themselves; the longest that fits is taken."""

CONTRACTIONS: Final = {
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "ain't": "is not",
    "what's": "what is",
    "who's": "who is",
    "where's": "where is",
    "when's": "when is",
    "how's": "how is",
    "why's": "why is",
    "that's": "that is",
    "there's": "there is",
    "it's": "it is",
    "he's": "he is",
    "she's": "she is",
    "let's": "let us",
    "i'm": "i am",
    "i'd": "i would",
    "what're": "what are",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "have got to",
    "dont": "do not",
    "doesnt": "does not",
    "didnt": "did not",
    "isnt": "is not",
    "arent": "are not",
    "wasnt": "was not",
    "werent": "were not",
    "cant": "can not",
    "wont": "will not",
    "wouldnt": "would not",
    "couldnt": "could not",
    "shouldnt": "should not",
    "havent": "have not",
    "hasnt": "has not",
    "hadnt": "had not",
    "whats": "what is",
    "wheres": "where is",
    "whos": "who is",
    "hows": "how is",
    "im": "i am",
}
ENDINGS: Final = (("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'d", " would"), ("'m", " am"))
"""Of contractions that no row of CONTRACTIONS names."""

NEGATIONS: Final = frozenset(
    """
    not no never none nobody nothing nowhere neither nor without except excluding unless hardly barely scarcely rarely
    seldom lack lacks lacking minus besides instead non anti
    nicht kein keine keinen keinem keiner keines nie niemals niemand nichts ohne außer weder
    ne pas jamais aucun aucune rien personne sans sauf ni
    nunca nadie nada ningún ninguno ninguna sin excepto tampoco
    """.split()
)
NEGATING_PREFIXES: Final = (
    "un",
    "in",
    "im",
    "il",
    "ir",
    "dis",
    "non",
    "non-",
    "mis",
    "de",
    "anti",
    "anti-",
    "a",
    "counter",
    "mal",
)
NEGATING_ENDINGS: Final = (("ful", "less"), ("", "less"), ("", "-free"))

SCOPE: Final = frozenset(
    """
    only all any every each some both either most least more less few many several exactly about almost nearly
    approximately roughly around first last next previous another other others same always sometimes usually often
    ever still yet already again also even alone entire whole half once twice once-only maximum minimum
    nur alle jede jeder jedes einige beide seulement tous toutes chaque quelques solo todos todas cada algunos
    """.split()
)
"""Words that widen or narrow what is asked for."""

QUESTION_WORDS: Final = {
    **dict.fromkeys("who whom whose wer wem wen wessen qui quién quien quiénes".split(), "who"),
    **dict.fromkeys("when wann quand cuándo cuando".split(), "when"),
    **dict.fromkeys("where wo wohin woher où dónde donde adónde".split(), "where"),
    **dict.fromkeys("why warum wieso weshalb pourquoi porqué".split(), "why"),
    **dict.fromkeys("which welche welcher welches welchen quel quelle quels quelles cuál cuáles".split(), "which"),
    **dict.fromkeys("how wie comment cómo como".split(), "how"),
    **dict.fromkeys("what was quoi que qué".split(), "what"),
}

DIRECTIONS: Final = frozenset(
    """
    from to into onto toward towards before after until till since by without against over under above below than
    through across between among versus vs per
    von nach zu aus gegen durch bis seit vor de à vers contre depuis avant après desde hasta hacia contra
    """.split()
)
"""Words that give the next one its part in what is asked."""

PERSONS: Final = {
    **dict.fromkeys("my mine mein meine meinen meiner mon ma mes mi mis".split(), "my"),
    **dict.fromkeys("your yours dein deine ihr ihre ton ta tes votre vos tu tus su sus".split(), "your"),
    **dict.fromkeys("his him he".split(), "his"),
    **dict.fromkeys("her hers she".split(), "her"),
    **dict.fromkeys("our ours us unser unsere notre nos nuestro nuestra".split(), "our"),
    **dict.fromkeys("their theirs them".split(), "their"),
}

MODALS: Final = {
    **dict.fromkeys("should ought".split(), "should"),
    **dict.fromkeys("must mustn".split(), "must"),
    **dict.fromkeys("did was were had".split(), "past"),
    **dict.fromkeys("will shall".split(), "future"),
    **dict.fromkeys("might may".split(), "may"),
}

UNITS: Final = {
    **dict.fromkeys("mm millimeter millimeters millimetre millimetres".split(), "mm"),
    **dict.fromkeys("cm centimeter centimeters centimetre centimetres".split(), "cm"),
    **dict.fromkeys("m meter meters metre metres".split(), "m"),
    **dict.fromkeys("km kms kilometer kilometers kilometre kilometres".split(), "km"),
    **dict.fromkeys("inch inches".split(), "inch"),
    **dict.fromkeys("ft foot feet".split(), "foot"),
    **dict.fromkeys("yd yard yards".split(), "yard"),
    **dict.fromkeys("mile miles mi".split(), "mile"),
    **dict.fromkeys("mg milligram milligrams".split(), "mg"),
    **dict.fromkeys("g gram grams gramme grammes".split(), "g"),
    **dict.fromkeys("kg kgs kilo kilos kilogram kilograms".split(), "kg"),
    **dict.fromkeys("oz ounce ounces".split(), "oz"),
    **dict.fromkeys("lb lbs pound pounds".split(), "lb"),
    **dict.fromkeys("ton tons tonne tonnes".split(), "ton"),
    **dict.fromkeys("ml milliliter milliliters millilitre millilitres".split(), "ml"),
    **dict.fromkeys("l liter liters litre litres".split(), "l"),
    **dict.fromkeys("cup cups".split(), "cup"),
    **dict.fromkeys("gallon gallons".split(), "gallon"),
    **dict.fromkeys("pint pints".split(), "pint"),
    **dict.fromkeys("tbsp tablespoon tablespoons".split(), "tbsp"),
    **dict.fromkeys("tsp teaspoon teaspoons".split(), "tsp"),
    **dict.fromkeys("ms millisecond milliseconds".split(), "ms"),
    **dict.fromkeys("s sec secs second seconds sekunden secondes segundos".split(), "s"),
    **dict.fromkeys("min mins minute minutes minuten minutos".split(), "min"),
    **dict.fromkeys("h hr hrs hour hours stunde stunden heure heures hora horas".split(), "h"),
    **dict.fromkeys("day days tag tage jour jours día días".split(), "day"),
    **dict.fromkeys("week weeks woche wochen semaine semaines semana semanas".split(), "week"),
    **dict.fromkeys("month months monat monate mois mes meses".split(), "month"),
    **dict.fromkeys("year years yr yrs jahr jahre an ans année années año años".split(), "year"),
    **dict.fromkeys("decade decades".split(), "decade"),
    **dict.fromkeys("century centuries".split(), "century"),
    **dict.fromkeys("% percent per-cent prozent".split(), "%"),
    **dict.fromkeys("° degree degrees grad".split(), "°"),
    **dict.fromkeys("celsius c".split(), "celsius"),
    **dict.fromkeys("fahrenheit f".split(), "fahrenheit"),
    **dict.fromkeys("kelvin".split(), "kelvin"),
    **dict.fromkeys("kb kilobyte kilobytes".split(), "kb"),
    **dict.fromkeys("mb megabyte megabytes".split(), "mb"),
    **dict.fromkeys("gb gigabyte gigabytes".split(), "gb"),
    **dict.fromkeys("tb terabyte terabytes".split(), "tb"),
    **dict.fromkeys("w watt watts".split(), "w"),
    **dict.fromkeys("kw kilowatt kilowatts".split(), "kw"),
    **dict.fromkeys("kwh".split(), "kwh"),
    **dict.fromkeys("v volt volts".split(), "v"),
    **dict.fromkeys("mph".split(), "mph"),
    **dict.fromkeys("kmh kph".split(), "kmh"),
    **dict.fromkeys("calorie calories kcal".split(), "kcal"),
}

_DIGITS: Final = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen
    / null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf
    / zéro - deux trois quatre cinq - sept huit neuf dix onze douze treize quatorze quinze seize
    / cero uno dos tres cuatro cinco seis siete ocho nueve diez - doce
""".split("/")
"""Counted from zero, a language a row; what means something else in English is left out."""
_TENS: Final = """
    twenty thirty forty fifty sixty seventy eighty ninety / zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig
    / vingt trente quarante cinquante soixante / veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa
""".split("/")
NUMBER_WORDS: Final = {
    **{word: n for row in _DIGITS for n, word in enumerate(row.split()) if word != "-"},
    **{word: 20 + 10 * n for row in _TENS for n, word in enumerate(row.split())},
    "fourty": 40,
    "hundert": 100,
    "cien": 100,
}
SCALES: Final = {
    "hundred": 100,
    "thousand": 1_000,
    "k": 1_000,
    "million": 1_000_000,
    "mio": 1_000_000,
    "billion": 1_000_000_000,
    "bn": 1_000_000_000,
    "trillion": 1_000_000_000_000,
    "tausend": 1_000,
    "mille": 1_000,
    "mil": 1_000,
    "millionen": 1_000_000,
    "millions": 1_000_000,
    "millones": 1_000_000,
    "thousands": 1_000,
    "hundreds": 100,
}
_ORDINALS: Final = """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth
    / erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte / ersten zweiten dritten vierten fünften
    / premier deuxième troisième quatrième cinquième / première / primero segundo tercero cuarto quinto
    / primera segunda tercera cuarta quinta
""".split("/")
ORDINALS: Final = {
    **{word: n for row in _ORDINALS for n, word in enumerate(row.split(), 1)},
    "thirtieth": 30,
    "fortieth": 40,
    "fiftieth": 50,
    "hundredth": 100,
    "thousandth": 1000,
}
AMOUNTS: Final = {
    "half": "1/2",
    "halves": "1/2",
    "quarter": "1/4",
    "quarters": "1/4",
    "dozen": "12",
    "couple": "2",
    "pair": "2",
    "twice": "2x",
    "double": "2x",
    "thrice": "3x",
    "triple": "3x",
    "once": "1x",
    "single": "1x",
    "halb": "1/2",
    "hälfte": "1/2",
    "demi": "1/2",
    "medio": "1/2",
    "mitad": "1/2",
}

"""The guards' word lists, as data: what negates, what is opposite, what names something. Our own; English, and the most
common words of German, French and Spanish.

Each word stands in lower case and its plainest form; lists of words are written as running text.
"""

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

OPPOSITES: Final = """
on off, in out, up down, left right, top bottom, upper lower, over under, above below, before after, ahead behind,
front back, forward backward, forwards backwards, inside outside, indoor outdoor, indoors outdoors, inner outer,
internal external, interior exterior, import export, input output, inbound outbound, incoming outgoing, inflow outflow,
upload download, push pull, send receive, sender receiver, sender recipient, give take, buy sell, buyer seller,
purchase sale, lend borrow, lender borrower, lease own, rent own, employer employee, teacher student, teacher pupil,
doctor patient, landlord tenant, host guest, parent child, mother father, mom dad, mum dad, son daughter,
brother sister, uncle aunt, nephew niece, husband wife, man woman, men women, male female, boy girl, king queen,
he she, him her, his her, client server, producer consumer, supplier customer, plaintiff defendant, winner loser,
open close, open closed, opening closing, start stop, start end, start finish, begin end, beginning ending, first last,
earliest latest, early late, earlier later, old new, older newer, oldest newest, old young, older younger,
oldest youngest, ancient modern, past future, previous next, past present, morning evening, day night, sunrise sunset,
dawn dusk, am pm, noon midnight, winter summer, spring autumn, spring fall, today tomorrow, today yesterday,
tomorrow yesterday, weekday weekend, add remove, add delete, add subtract, addition subtraction, plus minus,
multiply divide, multiplication division, insert delete, insert remove, create delete, create destroy, build destroy,
construct demolish, make break, install uninstall, enable disable, enabled disabled, activate deactivate, block unblock,
lock unlock, mute unmute, pin unpin, freeze unfreeze, freeze thaw, freeze boil, freezing boiling, melt freeze, subscribe unsubscribe, follow unfollow,
join leave, join quit, enter exit, enter leave, entry exit, arrive depart, arrival departure, arriving departing,
arrive leave, come go, login logout, signin signout, register unregister, enroll withdraw, deposit withdraw,
deposit withdrawal, credit debit, debit credit, income expense, income expenses, revenue cost, profit loss, gain lose,
gain loss, asset liability, assets liabilities, surplus deficit, bull bear, bullish bearish, long short, save spend,
save delete, save waste, earn spend, charge refund, charge discharge, pay receive, payable receivable, tax subsidy,
raise lower, raise reduce, increase decrease, increase reduce, rise fall, rising falling, grow shrink, growth decline,
expand contract, expand collapse, expansion contraction, widen narrow, lengthen shorten, strengthen weaken,
accelerate decelerate, inflate deflate, inflation deflation, improve worsen, upgrade downgrade, promote demote,
promotion demotion, hire fire, appoint dismiss, more less, more fewer, most least, most fewest, many few, much little,
maximum minimum, max min, maximise minimise, maximize minimize, high low, higher lower, highest lowest, tall short,
taller shorter, tallest shortest, big small, bigger smaller, biggest smallest, large small, larger smaller,
largest smallest, long brief, longer shorter, longest shortest, wide narrow, wider narrower, thick thin, thicker thinner,
deep shallow, deeper shallower, heavy light, heavier lighter, fat thin, fast slow, faster slower, fastest slowest,
quick slow, quickly slowly, hot cold, hotter colder, hottest coldest, warm cool, warmer cooler, heat cool, heating cooling,
hard soft, hard easy, harder easier, hardest easiest, difficult easy, simple complex, simple complicated, strong weak,
stronger weaker, strongest weakest, loud quiet, louder quieter, noisy quiet, bright dark, brighter darker, light dark,
lighter darker, white black, wet dry, full empty, fill empty, clean dirty, cheap expensive, cheaper dearer,
cheapest dearest, rich poor, richer poorer, richest poorest, wealthy poor, good bad, better worse, best worst,
good evil, positive negative, pro con, pros cons, advantage disadvantage, advantages disadvantages, benefit drawback,
benefits drawbacks, benefits risks, benefit risk, strength weakness, strengths weaknesses, right wrong, correct incorrect, true false,
real fake, genuine fake, fact fiction, truth lie, honest dishonest, legal illegal, lawful unlawful, allowed forbidden,
allow forbid, allow deny, allow block, permit prohibit, permitted prohibited, accept reject, accept decline,
accepted rejected, approve reject, approve deny, approved denied, agree disagree, confirm cancel, confirm deny, book cancel,
schedule cancel, admit deny, grant revoke, include exclude, including excluding, inclusive exclusive, with without,
for against, support oppose, love hate, like dislike, like hate, friend enemy, ally enemy, attack defend, attack defence,
offence defence, offense defense, offensive defensive, war peace, win lose, won lost, victory defeat, succeed fail,
success failure, pass fail, passed failed, alive dead, live die, living dead, birth death, born died, born dead, healthy sick,
healthy ill, healthy unhealthy, safe dangerous, safe unsafe, safer riskier, danger safety, harmful harmless,
helpful harmful, useful useless, careful careless, happy sad, happy unhappy, glad sad, laugh cry, optimist pessimist,
optimistic pessimistic, brave cowardly, kind cruel, polite rude, friendly hostile, calm angry, awake asleep, wake sleep,
find lose, found lost, show hide, visible invisible, visible hidden, public private, shared private, local remote,
local global, national international, domestic foreign, domestic international, native foreign, urban rural, city countryside,
north south, northern southern, east west, eastern western, northeast southwest, northwest southeast, land sea,
sky ground, ceiling floor, heaven hell, vertical horizontal, row column, rows columns, width height, length width,
ascending descending, ascend descend, ascent descent, asc desc, prefix suffix, head tail, odd even, prime composite,
integer fraction, numerator denominator, sum difference, product quotient, singular plural, single multiple, single married,
married divorced, alone together, individual group, same different, similar different, equal unequal, identical different,
always never, often rarely, frequently rarely, usually rarely, sometimes never, everyone nobody, everybody nobody,
everything nothing, all none, all some, any every, each all, both neither, either neither, some none, everywhere nowhere,
partly fully, partial full, partially completely, half whole, part whole, whole part, temporary permanent,
temporarily permanently, constant variable, static dynamic, fixed variable, mutable immutable, synchronous asynchronous,
sync async, serial parallel, sequential parallel, online offline, connected disconnected, connect disconnect,
attach detach, mount unmount, compress decompress, zip unzip, pack unpack, encrypt decrypt, encode decode,
encryption decryption, serialize deserialize, compile decompile, read write, reader writer, get set, load unload, load store,
fetch push, commit revert, merge split, join split, combine separate, undo redo, enqueue dequeue, push pop,
lossy lossless, manual automatic, manually automatically, required optional, mandatory optional, compulsory voluntary, active inactive,
active passive, actively passively, awake sleeping, busy idle, occupied vacant, available unavailable, present absent,
presence absence, default custom, formal informal, official unofficial, professional amateur, expert novice,
beginner advanced, beginner expert, junior senior, major minor, majority minority, primary secondary, main side,
superior inferior, leader follower, boss subordinate, master slave, guilty innocent, guilt innocence, acquit convict,
prosecution defence, theory practice, theoretical practical, abstract concrete, objective subjective,
quantitative qualitative, explicit implicit, direct indirect, directly indirectly, literal figurative,
question answer, ask answer, problem solution, cause effect, cause result, causes effects, causes symptoms, cause cure,
symptoms treatment, prevent cause, prevention treatment, disease cure, poison antidote, acid base, acidic alkaline,
acidic basic, solid liquid, liquid gas, organic inorganic, natural artificial, natural synthetic, raw cooked, fresh stale,
fresh rotten, fresh frozen, sweet sour, sweet bitter, sweet savory, sweet savoury, spicy mild, vegetarian meat,
carnivore herbivore, predator prey, wild tame, wild domestic, mammal reptile, plant animal, hunter prey,
introvert extrovert, conservative liberal, left-wing right-wing, democrat republican, capitalism socialism,
capitalism communism, theist atheist, religious secular, monarchy republic, democracy dictatorship, civilian military,
husband bride, groom bride, bachelor spinster, sunny rainy, sunny cloudy, clear cloudy, flood drought,
exothermic endothermic, systolic diastolic, hyper hypo, hypertension hypotension, macro micro, mitosis meiosis,
artery vein, arteries veins, concave convex, clockwise anticlockwise, clockwise counterclockwise, forward reverse,
front rear, entrance exit, push-up pull-up, stereo mono, analog digital, analogue digital, wired wireless, hardware software,
frontend backend, front-end back-end, supply demand, pre post, anterior posterior, dorsal ventral,
credit cash, weekdays weekends, breakfast dinner, lunch dinner, breakfast lunch, inhale exhale, swallow spit, float sink,
stand sit, walk run, throw catch, tighten loosen, tight loose, sharp blunt, sharp dull, smooth rough, straight curved,
straight bent, knot unknot, tie untie, cover uncover, wrap unwrap, dress undress, plug unplug, fasten unfasten,
fold unfold, roll unroll, load empty, charge drain, bury dig, plant harvest, sow reap, remember forget, learn forget,
learn teach, teach learn, know ignore, praise criticise, praise criticize, praise blame, reward punish, reward punishment, encourage discourage,
persuade dissuade, attract repel, invite expel, welcome expel, arrest release, capture release, hold release,
keep discard, keep change, maintain change, continue stop, continue quit, resume pause, play pause, pause resume, show conceal, reveal hide,
reveal conceal, appear disappear, exist vanish, ascend sink, gain weight-loss, gather scatter, collect distribute,
centralised decentralised, centralized decentralized, order disorder, order chaos, war truce, import ban,
should shouldn't, can can't, must mustn't, will won't, is isn't, are aren't, does doesn't, did didn't,
an aus, ein aus, auf zu, oben unten, links rechts, vor nach, mit ohne, groß klein, größte kleinste, gut schlecht, hoch niedrig, lang kurz, alt neu,
alt jung, schnell langsam, heiß kalt, warm kalt, kaufen verkaufen, öffnen schließen, anfang ende, mehr weniger, reich arm, leicht schwer,
hell dunkel, früh spät, immer nie, tag nacht, norden süden, osten westen, einschalten ausschalten, anmelden abmelden,
avant après, avec sans, grand petit, bon mauvais, haut bas, long court, vieux nouveau, vieux jeune, rapide lent, chaud froid,
acheter vendre, ouvrir fermer, début fin, plus moins, riche pauvre, clair sombre, tôt tard, toujours jamais, jour nuit, nord sud, est ouest, allumer éteindre,
gauche droite, antes después, con sin, grande pequeño, bueno malo, alto bajo, largo corto, viejo nuevo, viejo joven, rápido lento, caliente frío,
comprar vender, abrir cerrar, inicio fin, más menos, mejor peor, rico pobre, claro oscuro, temprano tarde, siempre nunca, día noche,
norte sur, este oeste, encender apagar, izquierda derecha, subir bajar
"""

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

PLACES: Final = frozenset(
    """
    afghanistan albania algeria andorra angola argentina armenia australia austria azerbaijan bahamas bahrain bangladesh
    barbados belarus belgium belize benin bhutan bolivia bosnia botswana brazil brunei bulgaria burundi cambodia cameroon
    canada chad chile china colombia congo croatia cuba cyprus czechia denmark djibouti ecuador egypt england eritrea
    estonia ethiopia fiji finland france gabon gambia georgia germany ghana greece greenland guatemala guinea guyana haiti
    honduras hungary iceland india indonesia iran iraq ireland israel italy jamaica japan jordan kazakhstan kenya korea
    kosovo kuwait laos latvia lebanon lesotho liberia libya liechtenstein lithuania luxembourg madagascar malawi malaysia
    maldives mali malta mauritius mexico moldova monaco mongolia montenegro morocco mozambique myanmar namibia nepal
    netherlands holland nicaragua niger nigeria norway oman pakistan palestine panama paraguay peru philippines poland
    portugal qatar romania russia rwanda scotland senegal serbia singapore slovakia slovenia somalia spain sudan suriname
    sweden switzerland syria taiwan tajikistan tanzania thailand tibet togo tunisia turkey turkmenistan uganda ukraine
    uruguay usa uk us uae uzbekistan venezuela vietnam wales yemen zambia zimbabwe europe asia africa america antarctica
    oceania eu
    alabama alaska arizona arkansas california colorado connecticut delaware florida hawaii idaho illinois indiana iowa
    kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada
    ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia wisconsin wyoming
    amsterdam athens atlanta auckland baghdad bangalore bangkok barcelona basel beijing beirut belfast belgrade berlin
    bern birmingham bogota bonn boston bratislava brisbane bristol brussels bucharest budapest cairo calgary cardiff
    chicago cologne copenhagen dallas delhi denver detroit dubai dublin dresden düsseldorf edinburgh florence frankfurt
    geneva genoa glasgow hamburg hanoi havana helsinki houston istanbul jakarta jerusalem johannesburg kiev kyiv krakow
    leeds leipzig lima lisbon liverpool london lyon madrid manchester manila marseille melbourne miami milan montreal
    moscow mumbai munich nairobi naples nice osaka oslo ottawa paris philadelphia phoenix portland porto prague
    riyadh rome rotterdam salzburg santiago seattle seoul seville shanghai sofia stockholm strasbourg stuttgart sydney
    tallinn tehran tokyo toronto toulouse tunis turin valencia vancouver venice vienna vilnius warsaw washington
    wellington zagreb zurich mars venus jupiter saturn uranus neptune pluto mercury earth moon sun
    deutschland frankreich italien spanien österreich schweiz wien münchen köln allemagne espagne italie suisse londres
    alemania francia españa italia inglaterra
    """.split()
)

PEOPLES: Final = frozenset(
    """
    english german french spanish italian portuguese dutch swedish norwegian danish finnish icelandic polish czech slovak
    hungarian romanian bulgarian greek turkish russian ukrainian serbian croatian slovenian albanian latvian lithuanian
    estonian irish scottish welsh british american canadian mexican brazilian argentinian chilean peruvian colombian cuban
    australian austrian swiss belgian arabic arab hebrew israeli persian farsi iranian iraqi egyptian moroccan kurdish urdu
    hindi bengali punjabi tamil telugu marathi gujarati kannada malayalam nepali indian pakistani chinese mandarin cantonese
    taiwanese japanese korean vietnamese thai lao khmer burmese malay indonesian tagalog filipino mongolian tibetan swahili
    zulu xhosa yoruba igbo hausa amharic somali african asian european latin sanskrit esperanto gaelic catalan basque
    galician yiddish hawaiian maori catholic protestant orthodox muslim islamic jewish christian hindu buddhist
    deutsch englisch französisch spanisch italienisch allemand anglais français espagnol alemán inglés francés español
    """.split()
)

MONEY: Final = frozenset(
    """
    dollar dollars usd euro euros eur pound pounds gbp sterling yen jpy yuan rmb cny renminbi rupee rupees inr franc francs
    chf peso pesos mxn real reais brl ruble rubles rouble rub won krw lira try krona kronor sek nok dkk zloty pln forint huf
    koruna czk shekel ils rand zar dirham aed riyal sar baht thb ringgit rupiah dong bitcoin btc ethereum eth dogecoin
    litecoin solana tether cent cents pence penny bucks cad aud nzd hkd sgd
    """.split()
)

TOOLS: Final = frozenset(
    """
    python java javascript typescript ruby rust go golang kotlin swift scala perl php haskell erlang elixir clojure lisp
    scheme fortran cobol pascal matlab julia r c sql bash zsh powershell html css xml json yaml toml csv markdown latex
    postgres postgresql mysql sqlite mariadb oracle mongodb redis cassandra kafka rabbitmq docker kubernetes podman terraform
    ansible git svn mercurial github gitlab bitbucket jenkins linux windows macos ubuntu debian fedora android ios unix
    django flask fastapi rails spring laravel react angular vue svelte nextjs node nodejs deno npm yarn pip conda
    numpy pandas scipy pytorch tensorflow keras excel word powerpoint outlook gmail google bing yahoo amazon aws azure gcp
    apple microsoft facebook meta instagram twitter tiktok youtube netflix spotify uber lyft airbnb paypal visa mastercard
    amex stripe samsung sony nintendo intel amd nvidia tesla toyota honda ford bmw mercedes audi volkswagen http https ftp
    ssh tcp udp ipv4 ipv6 rest graphql grpc gpt claude gemini llama mistral chrome firefox safari edge
    """.split()
)

KINDS: Final = frozenset(
    """
    red orange yellow green blue purple violet pink brown black white grey gray gold silver bronze
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    spring summer autumn winter christmas easter halloween thanksgiving ramadan hanukkah diwali
    iron copper zinc tin lead aluminium aluminum nickel platinum mercury helium hydrogen oxygen nitrogen carbon sodium
    potassium calcium magnesium chlorine sulfur phosphorus iodine uranium
    cat dog horse cow pig sheep goat chicken duck rabbit mouse rat lion tiger bear wolf fox elephant monkey snake fish bird
    apple banana pear peach cherry grape lemon lime orange strawberry blueberry mango pineapple potato tomato onion carrot
    rice pasta bread cheese milk butter egg eggs beef pork lamb salmon tuna shrimp coffee tea beer wine
    guitar piano violin drums flute trumpet football soccer basketball baseball tennis golf hockey cricket rugby
    montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi dimanche
    lunes martes miércoles jueves viernes sábado domingo
    januar februar märz mai juni juli oktober dezember janvier février mars avril juin juillet août septembre octobre
    novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    """.split()
)
"""Words that name one of several things of a kind: another one of them asks for something else."""

HOMONYMS: Final = frozenset(
    """
    may march us it who am in or as is nice turkey china polish go r c rest node swift rust edge word excel meta oracle try
    won real reals rand lira dong cent mark react spring fall lead safari chad jordan georgia mali niger guinea sun earth
    moon mercury mars lime orange apple visa express angular basic scheme julia flask access square target shell gap
    nuts bear fish duck mouse bird cherry date tin iron gold silver won son yen pound pounds try ford opera
    """.split()
)
"""Words that are names only where they are written as one."""

NAMED: Final = (PLACES | PEOPLES | MONEY | TOOLS | KINDS) - HOMONYMS

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

NUMBER_WORDS: Final = {
    **{word: n for n, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split())},
    **{word: 20 + 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())},
    "fourty": 40,
    **{word: n for n, word in enumerate("null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split())},
    **{word: n for n, word in enumerate("zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize".split()) if word not in ("six", "un")},
    **{word: n for n, word in enumerate("cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce".split()) if word != "once"},
    "zwanzig": 20, "dreißig": 30, "vierzig": 40, "fünfzig": 50, "hundert": 100, "vingt": 20, "trente": 30, "cent": 100,
    "veinte": 20, "treinta": 30, "cien": 100,
}  # fmt: skip
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
ORDINALS: Final = {
    **{word: n for n, word in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(), 1)},
    "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "hundredth": 100, "thousandth": 1000,
    "erste": 1, "ersten": 1, "zweite": 2, "zweiten": 2, "dritte": 3, "dritten": 3, "vierte": 4, "premier": 1,
    "première": 1, "deuxième": 2, "troisième": 3, "primero": 1, "primera": 1, "segundo": 2, "segunda": 2, "tercero": 3,
    "tercera": 3,
}  # fmt: skip
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

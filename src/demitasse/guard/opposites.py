"""Words that turn a sentence into its opposite, as data: negators, and scales with two ends. English and German, and the
commonest of French and Spanish.

Each word stands in lower case; a verb's forms are listed where no ending tells them. Lists are read as running text. Kept apart
from the semantic cache's pairs (``score.guard_pairs``): that guard may object too often, here an honest paraphrase must pass.
"""

# ruff: noqa: SIM905 - lists of words are read as running text
from __future__ import annotations

from typing import Final, NamedTuple

NEGATORS: Final = frozenset(
    """
    not no never cannot without neither nor except unable fail fails failed failing lack lacks lacked lacking
    deny denies denied denying refuse refuses refused refusing
    nicht kein keine keinen keinem keines nie niemals ohne weder keinerlei außer
    ne n pas jamais aucun aucune sans sauf ni
    nunca jamás ningún ninguna sin tampoco excepto
    """.split()
)
"""They deny the next word that says something, or, where none follows in their clause, the whole of it."""
DENYING_ALL: Final = frozenset("none nobody nothing niemand nichts keiner rien personne nadie nada ninguno".split())
"""They deny their whole clause."""
SECOND: Final = frozenset(
    "pas jamais rien personne aucun aucune plus nunca jamás nadie nada ninguno ninguna ningún tampoco".split()
)
"""They say once more what *ne* and *no* have said."""
NO_NEGATION: Final = frozenset(
    """
    only just merely solely simply necessarily least until more less fewer later earlier sooner matter doubt wonder
    nur bloß allein bis mehr weniger später früher seulement plus moins solo sólo solamente más menos hasta
    """.split()
)
"""After one of these a negator denies nothing by itself: *not only*, *no more than*, *nicht nur*."""
CLAUSES: Final = frozenset(
    """
    but when while which who whom whose that because although though if unless where whereas after before so until
    aber sondern wenn während weil obwohl dass als falls damit bevor nachdem
    mais quand lorsque qui dont parce si tandis pero sino cuando mientras porque aunque
    """.split()
)
"""They begin a clause. So do commas and the like."""
HELPERS: Final = frozenset(
    """
    than there able managed also too well however yet
    der die das dem den des ein eine einen einem einer eines und oder im in ins am an auf zu zum zur vom für bei beim ist sind war
    waren wird werden wurde wurden worden hat haben hatte hatten sich es er sie man auch gibt kann können darf dürfen muss müssen
    le la les un une du et ou en au aux est sont été être par pour dans que se sur il elle ils elles on ce cette ces son sa ses
    ont avait était peut
    el los las una del al es fue son ser está están ha han por para su sus lo se les
    """.split()
)
"""Words of grammar, beside the stop words of English that the caller brings: they are no anchors."""
BY: Final = frozenset("by von vom durch par por".split())
"""Before whoever does something, where what it is done to stands first."""
LISTS: Final = frozenset(", and or nor as und oder et ou y o".split())
PARTS: Final = LISTS | frozenset(
    """
    of to from in on at by with for into onto after before than over under against through about between during since until near
    von nach zu zum zur an am auf aus bei mit für gegen durch vor über unter als im
    de du des à au aux en dans par pour sur avec que del al con por para
    """.split()
)
"""They say what the next word's part is."""
MUTUAL: Final = frozenset(
    "marri met meet border equal same similar between resembl differ versu adjoin together".split()
)
"""Stems of what holds both ways."""
PREFIXES: Final = ("un", "in", "im", "ir", "il", "dis", "non", "des")
NO_PREFIX: Final = frozenset(
    """
    inform informs informed information import imports imported discover discovers discovered dispose display displays
    displayed distribute involve invest insight income indeed unit union universe impress improve improves improved imply
    invent inside input dismiss disease discount discharge dispatch disorder disable impact instance intent intention
    interest internal instate install installed infant inn until under unter und impart imposed impose improving
    induce indent inhabited inhabit inhabitants disclose disclosed
    """.split()
)
"""They begin like a negation, and are none of what follows."""


class Scale(NamedTuple):
    """Two ends of one thing. A word of one end where the other should stand turns a sentence round, but for `how`."""

    up: str
    down: str
    how: str = ""
    """``next``: only before the same word (*before the war*, *after the war*; *A before B* is *B after A*). ``subject``: only
    after the same word (*A sold it* is *B bought it*)."""


SCALES: Final[tuple[Scale, ...]] = (
    Scale(
        """increase rise rose risen grow grew grown growth climb gain raise soar surge expand expansion strengthen widen wider
        lengthen accelerate boost improve improvement upward upwards double doubled
        steigen steigt stieg stiegen gestiegen steigern gesteigert anstieg erhöhen erhöht erhöhte erhöhten erhöhung zunehmen
        zugenommen zunahme wachsen wächst wuchs gewachsen wachstum verdoppelt verbessert
        augmenter augmente augmenté augmentée augmentation monter monté monte hausse croissance
        aumentar aumenta aumentó aumento subir sube subió crecer crece creció crecimiento""",
        """decrease fall fell fallen drop decline shrink shrank shrunk reduce reduction lowered lowers dip plunge sink sank sunk
        diminish lessen weaken narrow narrower shorten decelerate worsen downward downwards halve halved cut
        sinken sinkt sank gesunken fällt fiel fielen gefallen senken senkt senkte gesenkt senkung abnehmen abgenommen abnahme
        schrumpfen schrumpft geschrumpft verringern verringert verringerte rückgang reduzieren reduziert halbiert
        diminuer diminue diminué diminution baisse baisser baissé réduire réduit réduite réduction chuter chute
        disminuir disminuye disminuyó baja bajar bajó reducir reduce redujo caer cae cayó descenso""",
    ),
    Scale(
        """more higher larger bigger greater taller longer above exceed exceeds exceeded upper most many majority often
        frequently highest largest biggest greatest tallest longest heavier
        mehr höher größer länger oberhalb meisten viele oft häufig höchste höchsten größte größten
        plus supérieur supérieure souvent más mayor muchos muchas frecuentemente""",
        """less fewer lower smaller shorter below under least fewest few minority rarely seldom lowest smallest shortest lighter
        little
        weniger niedriger kleiner kürzer unterhalb wenigsten wenige selten niedrigste niedrigsten kleinste kleinsten
        moins inférieur inférieure rarement menos menor pocos pocas raramente""",
        "next",
    ),
    Scale("faster quicker quickly fastest schneller", "slower slowly slowest langsamer", "next"),
    Scale(
        "older oldest elder älter ältere älteste", "younger youngest newer newest jünger jüngere jüngste neuer", "next"
    ),
    Scale(
        "before prior earlier earliest previous vor bevor früher vorherige avant antes",
        "after following later latest next subsequent nach nachdem später nächste après después",
        "next",
    ),
    Scale(
        "first initial erste ersten erster erstes premier première primer primera primero",
        "last final letzte letzten letzter letztes dernier dernière último última",
        "next",
    ),
    Scale("early früh tôt temprano", "late spät tard tarde", "next"),
    Scale(
        "start begin began begun begins commence beginnt begann begonnen anfangen commencer commence commencé empezar empieza",
        "end stop finish cease expire conclude endet endete beendet enden finir termine terminé termina terminó",
        "subject",
    ),
    Scale("always immer stets toujours siempre", "never rarely seldom nie niemals selten jamais nunca"),
    Scale(
        "minimum minimal mindestens wenigstens mínimo mínima",
        "maximum maximal höchstens máximo máxima",
    ),
    Scale("until till bis jusque hasta", "from since von ab seit depuis desde", "next"),
    Scale("accept accepts accepted approve approved", "reject rejects rejected rejection"),
    Scale("akzeptiert angenommen genehmigt genehmigte genehmigten", "abgelehnt ablehnte verworfen"),
    Scale("accepté acceptée accepter aceptó aceptada aceptar", "rejeté rejetée rejeter rechazó rechazada rechazar"),
    Scale(
        "allow permit legal lawful erlauben erlaubt erlaubte gestattet permettre permis permite permitió",
        "ban banned forbid forbidden forbade prohibit prohibited prohibition verbieten verboten verbietet verbot interdire "
        "interdit interdite prohibir prohíbe prohibió prohibido",
    ),
    Scale(
        "open opens opened opening geöffnet offen öffnet ouvert ouverte ouvrir abierto abierta abrir abre",
        "close closed closes closing shut geschlossen schließt schloss fermé fermée fermer cerrado cerrada cerrar cierra",
        "subject",
    ),
    Scale(
        "win won wins winning gewinnen gewann gewonnen gagné gagne gagner ganó ganar gana",
        "lose lost loses losing verlieren verlor verloren perdu perd perdre perdió perder pierde",
        "subject",
    ),
    Scale(
        "buy bought buys purchase purchased kaufen kaufte gekauft acheter acheté compró comprar",
        "sell sold sells verkaufen verkaufte verkauft vendre vendu vendió vender",
        "subject",
    ),
    Scale("lend lent lends verleihen", "borrow borrowed borrows leihen", "subject"),
    Scale("hire hired appoint appointed eingestellt", "fire fired dismiss dismissed entlassen", "subject"),
    Scale("join joined joins", "leave left leaves quit", "subject"),
    Scale(
        "arrive arrived arrives arrival angekommen ankommt ankam",
        "depart departed departs departure left leaves abgefahren",
        "subject",
    ),
    Scale("import imports imported", "export exports exported", "subject"),
    Scale("include included includes including", "exclude excluded excludes excluding"),
    Scale("confirm confirmed confirms", "deny denied denies", "subject"),
    Scale("admit admitted admits", "deny denied denies", "subject"),
    Scale("support supports supported backed unterstützt", "oppose opposes opposed opposition against", "subject"),
    Scale("praise praised praises", "condemn condemned criticise criticised criticize criticized"),
    Scale("capture captured", "abandon abandoned", "subject"),
    Scale("succeed succeeded success successful successfully", "fail failed fails failure unsuccessful"),
    Scale("everything everyone everybody all jeder alle", "nothing nobody none niemand keiner", "next"),
    Scale("north northern nördlich norden nord", "south southern südlich süden sud sur", "next"),
    Scale("east eastern östlich osten", "west western westlich westen", "next"),
    Scale(
        "left linke linken links gauche izquierda izquierdo",
        "right rechte rechten rechts droite derecha derecho",
        "next",
    ),
    Scale("upper top oberen obere", "lower bottom unteren untere", "next"),
    Scale("inside inner internal indoor innen", "outside outer external outdoor außen"),
    Scale("cheap cheaper cheapest inexpensive billig günstig", "expensive costly dear pricey teuer teure"),
    Scale("quiet silent leise ruhig", "noisy loud laut"),
    Scale("hot hotter warm warmer heat heated heiß chaud caliente", "cold colder cool cooler cooled kalt froid frío"),
    Scale("wet damp moist nass feucht", "dry arid trocken"),
    Scale(
        "easy easily easier simple einfach leicht facile fácil",
        "difficult hard harder schwierig schwer difficile difícil",
    ),
    Scale("safe safely sicher sûr seguro", "dangerous hazardous gefährlich dangereux peligroso"),
    Scale("public publicly öffentlich", "private privately secret privat"),
    Scale("positive positiv positif", "negative negativ négatif"),
    Scale("guilty schuldig coupable culpable", "innocent unschuldig inocente"),
    Scale("smooth glatt", "rough coarse rau"),
    Scale(
        "mandatory compulsory obligatory required verpflichtend obligatoire obligatorio",
        "optional voluntary freiwillig facultatif opcional",
    ),
    Scale("temporary temporarily vorübergehend temporaire", "permanent permanently dauerhaft"),
    Scale("edible essbar", "poisonous toxic giftig inedible"),
    Scale("strong stronger strongest stark", "weak weaker weakest schwach"),
    Scale("best better besser beste besten", "worst worse schlechter schlechteste", "next"),
    Scale("good gut bueno", "bad poor schlecht malo", "next"),
    Scale("rich richer wealthy reich", "poor poorer arm", "next"),
    Scale("full voll lleno", "empty leer vacío"),
    Scale("alive lebendig", "dead tot", "next"),
    Scale("true wahr", "false falsch", "next"),
    Scale("profit profitable surplus gewinn", "loss deficit verlust", "subject"),
    Scale("domestic native inländisch", "foreign ausländisch", "next"),
    Scale("urban städtisch", "rural ländlich"),
    Scale("male men man boy männlich männer", "female women woman girl weiblich frauen", "next"),
    Scale("husband father son brother king", "wife mother daughter sister queen", "next"),
    Scale("enable enabled activate activated", "disable disabled deactivate deactivated"),
    Scale("fully entirely completely vollständig", "partly partially teilweise", "next"),
    Scale("mit with avec con", "ohne without sans sin", "next"),
    Scale("from von aus", "to into onto nach", "next"),
)

PHRASES: Final = {
    tuple(phrase.split()): word
    for word, phrases in {
        "minimum": "at least, no less, no fewer, au moins, al menos, lo menos",
        "maximum": "at most, no more, up to, au plus, como máximo",
        "increase": "went up, go up, goes up, gone up, going up",
        "decrease": "went down, go down, goes down, gone down, going down",
        "faster": "speed up, speeds up, sped up",
        "slower": "slow down, slows down, slowed down",
        "enable": "turn on, turns on, turned on, switch on, switches on, switched on, lets in, let in",
        "disable": "turn off, turns off, turned off, switch off, switches off, switched off, lets out, let out",
        "some": "a few, a little, ein paar",
        "later": "plus tard, más tarde",
    }.items()
    for phrase in phrases.split(", ")
}
"""Two words that stand for one."""

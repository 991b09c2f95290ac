"""Reference pages and sources as tests read them: tables under their headings, and syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/demitasse"


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def tables(text: str) -> dict[str, list[list[str]]]:
    """The cells of each heading's tables, without their head rows. Headings in lower case."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").strip("`").lower()
        elif line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(heading, []).append(cells)
    return {name: [row for row in rows if row[0].startswith("`")] for name, rows in found.items()}


def words(rows: list[list[str]], column: int = 0) -> list[str]:
    """What stands in back quotes in a column."""
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row[column])]


def sources(*names: str) -> Iterator[tuple[Path, ast.Module]]:
    """Modules below ``src/demitasse``, all of them or those whose path begins with one of ``names``."""
    for path in sorted(SOURCE.rglob("*.py")):
        if not names or path.relative_to(SOURCE).as_posix().startswith(names):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> set[str]:
    """String constants in an expression."""
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))

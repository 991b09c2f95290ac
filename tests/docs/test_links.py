"""Every link between our own pages leads to a file that is there, and to a heading that it has; nothing is left to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|//", re.IGNORECASE)


def prose(path: Path) -> str:
    """Without blocks of code, in which brackets mean something else."""
    return re.sub(r"^(```|~~~).*?^\1", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(text: str) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "code", text)
    yield from re.findall(r"\]\(<?([^)\s>]+)", text)
    yield from re.findall(r"^\[(?!\^)[^\]]+\]:\s+(\S+)", text, re.MULTILINE)
    yield from re.findall(r"""<(?:img|a)\b[^>]*?\b(?:src|href)=["']([^"']+)""", text)


def anchors(text: str) -> set[str]:
    """Headings as they are addressed: in lower case, spaces as hyphens, no other marks."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().strip()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(next(name for n in range(99) if (name := f"{slug}-{n}" if n else slug) not in found))
    return found


def wrong(page: Path) -> list[str]:
    text = prose(page)
    found = []
    for link in links(text):
        if ELSEWHERE.match(link):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            found.append(f"{link}: there is no such file")
        elif heading and target.suffix == ".md" and heading not in anchors(prose(target)):
            found.append(f"{link}: there is no such heading")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert wrong(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_left_to_be_filled_in(page: Path) -> None:
    assert re.findall(r"@@\w+@@|\bTODO\b|\bFIXME\b", prose(page)) == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One `two`: three\n[x](b.md) [y](#one-two-three) [z](#four) [w](https://x.example)\n"
    )
    assert wrong(tmp_path / "a.md") == ["b.md: there is no such file", "#four: there is no such heading"]

"""The pages on access and telemetry: their code runs, their tables are the source's, their expressions are of metrics that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from demitasse.config import load
from demitasse.core import access
from demitasse.gateway.keys import WRONG_A_MINUTE
from demitasse.gateway.metric_names import MOST
from demitasse.providers import otel
from demitasse.web import guard
from tests.docs.pages import page, tables, words

PAGES = {name: page(f"{name}.md") for name in ("access", "telemetry")}
CODE = [(name, code) for name, text in PAGES.items() for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize(("name", "code"), CODE)
def test_the_code_runs(name: str, code: str) -> None:
    if "otel" in code:
        pytest.importorskip("opentelemetry.sdk", reason="the extra is not installed: pip install 'demitasse[otel]'")
    exec(compile(code, f"docs/{name}.md", "exec"), {})


def test_roles_and_scopes_are_those_of_the_source() -> None:
    rows = tables(PAGES["access"])["roles"]
    roles = {words([row])[0]: tuple(words([row], 1)) for row in rows if len(row) == 3}
    assert roles == access.ROLES
    assert [words([row])[0] for row in rows if len(row) == 2] == list(access.SCOPES)


def test_figures_on_the_pages_are_the_sources() -> None:
    assert f"after {WRONG_A_MINUTE} in a minute" in PAGES["access"]
    assert guard.SESSION_US == 12 * 3_600_000_000
    assert f"no more than {MOST} names" in PAGES["telemetry"]
    assert otel.SEMCONV.rpartition("/")[2] in PAGES["telemetry"]


def test_the_settings_on_the_page_are_settings(tmp_path: Path) -> None:
    (told,) = re.findall(r"```toml\n(.*?)```", PAGES["telemetry"], re.DOTALL)
    file = tmp_path / "demitasse.toml"
    file.write_text('[models.large]\nprovider = "openai"\n' + told)
    assert load(file, {}, tmp_path).otel.upstream == tuple(tomllib.loads(told)["otel"]["upstream"])


def test_questions_are_asked_of_metrics_that_exist() -> None:
    known = {words([row])[0] for row in tables(page("reference/metrics.md"))["prometheus"]}
    asked = set(re.findall(r"\bdemitasse_\w+", PAGES["telemetry"]))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= known


def test_every_file_that_a_page_names_is_there() -> None:
    root = Path(__file__).parents[2]
    for text in PAGES.values():
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert target.startswith("https://") or (root / "docs" / target).exists(), target


def test_the_table_of_paths_is_the_sources_own() -> None:
    (rows,) = (rows for rows in tables(page("reference/access.md")).values() if rows)
    told = {words([row])[0]: tuple(cell.strip() for cell in row[2:]) for row in rows if row[0].startswith("`")}
    marks = {
        row: tuple(
            "yes" if access.may(scopes, needs) else "own" if row in access.OWN else "no"
            for scopes in access.ROLES.values()
        )
        for row, needs in access.PATHS.items()
    }
    assert told == marks
    said = {words([row])[0]: row[1] for row in rows if row[0].startswith("`")}
    for row, needs in access.PATHS.items():
        wanted = {"open": "none", "any": "any key"}.get(needs, " and ".join(f"`{one}`" for one in needs.split("+")))
        assert said[row].strip() == wanted, row

"""The page on errors has every code that the source can raise, and no other, with its status."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import name_of, page, sources, tables, texts, words

PAGE = tables(page("reference/errors.md"))
ROWS = {words([row])[0]: row for rows in PAGE.values() for row in rows}
RAISERS = {"Refused", "UpstreamError", "error_body", "_error", "_fault", "Entry", "lost"}
SHAPES = {"upstream_key_refused", "upstream_error"}
"""Those whose status follows the provider's."""


def raised() -> dict[str, set[int]]:
    """Each code in the source, with the statuses that stand beside it."""
    found: dict[str, set[int]] = {}
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name_of(node) in RAISERS:
                given = {k.arg: k.value for k in node.keywords}
                status = given.get("status")
                for code in texts(given["code"]) if "code" in given else ():
                    known = found.setdefault(code, set())
                    if isinstance(status, ast.Constant):
                        known.add(status.value)
                    elif status is None and name_of(node) == "Refused" and ast.unparse(node.args[0]) != "''":
                        known.add(400)  # one without a message is for the books alone
                if name_of(node) == "Entry":
                    for code in texts(given.get("error", ast.Constant(None))):
                        found.setdefault(code, set())
            elif isinstance(node, ast.Assign) and path.name == "openai.py":
                names = {getattr(target, "id", "") for target in node.targets}
                if "code" in names or "_CODES" in names:
                    for code in texts(node.value):
                        found.setdefault(code, set())
            elif isinstance(node, ast.ClassDef) and node.name in {"Refused", "UpstreamError"}:
                init = next(n for n in node.body if isinstance(n, ast.FunctionDef))
                for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
                    if argument.arg == "code" and default is not None:
                        for code in texts(default):
                            found.setdefault(code, set())
    return found


RAISED = raised()


def test_every_code_in_the_source_is_documented_and_no_other() -> None:
    assert set(RAISED) == set(ROWS)


def test_codes_are_found_where_they_are_known_to_be() -> None:
    assert {"insufficient_quota", "upstream_timeout", "upstream_overloaded", "process_died"} <= set(RAISED)
    assert RAISED["insufficient_quota"] == {429}


@pytest.mark.parametrize("code", sorted(RAISED))
def test_a_code_has_the_status_that_the_page_says(code: str) -> None:
    documented = set(map(int, re.findall(r"\d{3}", ROWS[code][1])))
    assert code in SHAPES or RAISED[code] <= documented


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    assert all(len(row) == 4 and all(row) for row in ROWS.values())


def test_every_setting_that_the_page_names_exists() -> None:
    from demitasse.config import documented

    known = {row.setting for row in documented()}
    for section, name in re.findall(r"`\[(\w+)(?:\.NAME)?\] (\w+)`", page("reference/errors.md")):
        assert {f"{section}.{name}", f"{section}.NAME.{name}"} & known, (section, name)

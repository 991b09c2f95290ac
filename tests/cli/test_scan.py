"""`scan`: one result a line, as it comes; what cannot be read is named, and the others are still done."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from click.testing import Result

from demitasse.cli import scan_lines
from demitasse.cli.scan import SOURCES, masked
from demitasse.cli.scan_lines import MOST_BYTES
from demitasse.guard import scan as scanning
from demitasse.guard.finding import Band, Source
from demitasse.guard.kinds import HIDDEN, SECRETS, TYPES
from tests.docs.pages import page, tables, words

Run = Callable[..., Result]
KEY = "AKIA" + "QWERTYUIOPASDFGH"
ROWS = [
    {"text": f"Write to ada@example.org, key {KEY}", "source": "user"},
    {"text": "İ\u200bstanbul: 😀 4111 1111 1111 1111", "source": "tool"},
    {"text": "nothing here"},
]


@pytest.fixture(autouse=True)
def without_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The injection model is another test's business; here its score is the length of the text in two hundreds."""

    def score(text: str, _source: Source) -> float:
        return min(1.0, len(text) / 200)

    real = scanning.scanner

    def fake(*, false_alarms: float, names: bool) -> scanning.Scanner:
        made = real(injection=False, names=names)
        made._injection, made._medium, made._high = score, 0.5, 1.0 - false_alarms
        return made

    monkeypatch.setattr(scanning, "scanner", fake)


def lines(rows: list[object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def told(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_line_gets_one_object_with_the_documented_fields(run: Run) -> None:
    found = told(run("scan", "--json", input=lines(ROWS)))
    assert [row["line"] for row in found] == [1, 2, 3]
    for row in found:
        assert list(row) == ["line", "entities", "injection", "hidden", "secrets", "cut", "took_us"]
        assert isinstance(row["took_us"], int)
        assert set(row["injection"]) == {"score", "band"}
        assert all(set(one) == {"type", "start", "end", "score"} and one["type"] in TYPES for one in row["entities"])
        assert all(set(one) == {"kind", "start", "end"} and one["kind"] in HIDDEN for one in row["hidden"])
        assert all(set(one) == {"kind", "start", "end"} and one["kind"] in SECRETS for one in row["secrets"])


def test_places_are_code_points_of_the_text_as_given(run: Run) -> None:
    first, second, third = told(run("scan", "--json", input=lines(ROWS)))
    (mail,) = first["entities"]
    assert ROWS[0]["text"][mail["start"] : mail["end"]] == "ada@example.org"
    (secret,) = first["secrets"]
    assert ROWS[0]["text"][secret["start"] : secret["end"]] == KEY
    (card,) = second["entities"]
    assert ROWS[1]["text"][card["start"] : card["end"]] == "4111 1111 1111 1111"
    assert second["hidden"] == [{"kind": "zero_width", "start": 1, "end": 2}]
    assert not third["entities"]


def test_finding_something_is_no_failure_and_repeats_no_value(run: Run) -> None:
    for arguments in (("--json",), ()):
        result = run("scan", *arguments, input=lines(ROWS), status=0)
        assert "ada@example.org" not in result.output
        assert KEY not in result.output


def test_a_line_that_cannot_be_read_is_named_and_the_others_are_done(run: Run) -> None:
    text = (
        lines([ROWS[0]])
        + '{"text": 5}\n{"source": "user"}\nnot json\n[]\n{"text": "x", "source": "nobody"}\n'
        + lines([ROWS[2]])
    )
    result = run("scan", "--json", input=text, status=1)
    found = told(result)
    assert [row["line"] for row in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [set(row) == {"line", "error"} for row in found] == [False, True, True, True, True, True, False]
    for number in (2, 3, 4, 5, 6):
        assert f"line {number}: " in result.stderr
    assert "5 of 7 lines could not be read (2, 3, 4, 5, 6); the others are done" in result.stderr


def test_bytes_that_are_no_text_are_one_bad_line(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in.jsonl").write_bytes(
        b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "\xff"}\n{"text": "\\ud800"}\n\n{"text": "b"}'
    )
    found = told(run("scan", "--json", "in.jsonl", status=1))
    assert [(row["line"], "error" in row) for row in found] == [(1, False), (2, True), (3, True), (5, False)]


def test_a_line_without_end_is_not_read_into_memory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_lines, "MOST_BYTES", 1 << 20)
    text = '{"text": "' + "a" * (3 << 20) + '"}\n{"text": "b"}\n'
    found = told(run("scan", "--json", input=text, status=1))
    assert [(row["line"], "error" in row) for row in found] == [(1, True), (2, False)]
    assert MOST_BYTES == 32 << 20


def test_plain_lines_are_texts_with_the_source_that_is_named(run: Run) -> None:
    found = told(run("scan", "--json", "--text", "--source", "system", input='{"text": "a"}\nada@example.org\n'))
    assert [len(row["entities"]) for row in found] == [0, 1]
    assert [row["injection"] for row in found] == [{"score": 0.0, "band": "low"}] * 2


def test_the_source_decides_whether_injection_is_scored(run: Run) -> None:
    rows = [{"text": "a" * 120, "source": source} for source in ("user", "tool", "retrieved", "system", "assistant")]
    bands = [row["injection"]["band"] for row in told(run("scan", "--json", input=lines(rows)))]
    assert bands == ["medium", "medium", "medium", "low", "low"]


def test_the_budget_of_false_alarms_moves_the_band(run: Run) -> None:
    text = lines([{"text": "a" * 194}])
    assert [row["injection"]["band"] for row in told(run("scan", "--json", input=text))] == ["medium"]
    wide = told(run("scan", "--json", "--false-alarms", "0.05", input=text))
    assert [row["injection"]["band"] for row in wide] == ["high"]


def test_people_get_a_row_for_each_finding_and_a_sum(run: Run) -> None:
    result = run("scan", input=lines(ROWS))
    assert "line      1  EMAIL                                    9-24   1.00  ad…rg" in result.stdout
    assert "line      1  secret: api_key                         30-50         AK…GH" in result.stdout
    assert "line      2  hidden: zero_width                        1-2\n" in result.stdout
    assert result.stdout.endswith("3 texts: 1 CARD, 1 EMAIL, 1 hidden: zero_width, 1 secret: api_key\n")
    assert run("scan", input=lines([ROWS[2]])).stdout == "1 text: nothing found\n"


def test_what_could_not_be_read_is_not_said_to_hold_nothing(run: Run) -> None:
    assert run("scan", input="{\nnot json\n", status=1).stdout == "0 of 2 texts read\n"
    half = run("scan", input="{\n" + lines([ROWS[2]]), status=1)
    assert half.stdout == "1 of 2 texts read: nothing found\n"
    assert "1 of 2 lines could not be read (1)" in half.stderr


def test_an_empty_input_is_nothing_found(run: Run) -> None:
    assert run("scan", "--json", input="").stdout == ""
    assert run("scan", input="\n\n").stdout == "0 texts: nothing found\n"


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    assert "nowhere.jsonl" in run("scan", "nowhere.jsonl", status=1).stderr


def test_what_is_masked_can_not_be_used() -> None:
    assert masked("hunter2") == "…"
    assert masked("a\nb\u202ecdefghij") == "a …ij"
    assert masked("") == ""


def test_a_line_is_answered_before_the_next_is_sent() -> None:
    """A program may keep the command running and feed it."""
    code = (
        "import demitasse.guard.scan as s; real = s.scanner\n"
        "s.scanner = lambda **more: real(injection=False)\n"
        "from demitasse.cli import main; main(['scan', '--json'])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "src"},
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        for number in (1, 2, 3):
            child.stdin.write(b'{"text": "ada@example.org"}\n')
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["line"] == number
        child.stdin.close()
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.stdout.close()
        child.wait()


PAGE = (Path(__file__).parents[2] / "docs/scan.md").read_text(encoding="utf-8")


def test_the_pages_example_finds_what_the_page_shows(run: Run) -> None:
    """But for the risk of injection, which is the model's."""
    given = re.findall(r"^ +'(\{.*\})' \\$", PAGE, re.MULTILINE)
    shown = re.findall(r"^    (line .*)$", PAGE, re.MULTILINE)
    found = run("scan", input="\n".join(given)).stdout.splitlines()
    assert [line for line in found if "injection" not in line][:-1] == [
        line for line in shown if "injection" not in line
    ]
    assert len(given) == 4


def test_the_pages_python_runs_and_prints_what_it_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.strip() in code


def test_the_reference_has_every_field_and_word_and_no_other(run: Run) -> None:
    reference = tables(page("reference/json.md"))
    (row,) = told(run("scan", "--json", input=lines([ROWS[2]])))
    assert set(words(reference["scan"])) == {*row, "error"}
    for heading, known in (
        ("types of personal data", TYPES),
        ("kinds of secrets", SECRETS),
        ("kinds of hidden characters", HIDDEN),
    ):
        assert words(reference[heading]) == list(known)
    assert words(reference["bands"]) == list(get_args(Band))


def test_a_file_that_is_not_there_and_a_source_that_is_none_say_what_would_do(run: Run) -> None:
    said = run("scan", "nofile", status=1).stderr
    assert "nofile cannot be read" in said and "--data" not in said
    said = run("scan", input='{"text": "a", "source": "somebody"}\n', status=1).stderr
    assert all(source in said for source in get_args(Source))


def test_the_sources_of_the_help_are_those_of_findings():
    assert get_args(Source) == SOURCES

"""`shape`: proving that a shaper does no harm, and what is on record."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from demitasse.cli.running import Gateway

PRETTY = json.dumps([{"id": n, "name": f"name {n}"} for n in range(20)], indent=2)
CONFIG = """
[models.large]
provider = "openai"
[routes.auto]
reference = "large"
shape = true
[shape]
compact_json = "proven"
"""


class Answering(Gateway):
    """A gateway that answers by a function of the request's last message and of whether its tool result is compact."""

    def __init__(self, say: Callable[[str, bool], str]) -> None:
        super().__init__("http://127.0.0.1:1")
        self.say = say
        self.asked: list[tuple[dict[str, Any], dict[str, str]]] = []

    @contextlib.contextmanager
    def ask(
        self, method: str, path: str, body: Any = None, *, headers: Any = None, timeout_s: float = 1
    ) -> Iterator[Any]:
        self.asked.append((body, headers))
        compact = "\n" not in body["messages"][0]["content"]
        text = self.say(body["messages"][-1]["content"], compact)
        answer = {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 60 if compact else 100},
        }
        response: Any = BytesIO(json.dumps(answer).encode())
        response.status, response.headers = 200, {"x-demitasse-model": "large"}
        yield response


@pytest.fixture
def prove(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    (tmp_path / "demitasse.toml").write_text(CONFIG)

    def prove(
        say: Callable[[str, bool], str], *arguments: str, n: int = 60, status: int = 0, expected: bool = True
    ) -> Any:
        gateway = Answering(say)
        monkeypatch.setattr(sys.modules["demitasse.cli.shape"], "need", lambda *_: gateway)
        lines = []
        for k in range(n):
            messages = [
                {"role": "tool", "tool_call_id": "c", "content": PRETTY},
                {"role": "user", "content": f"How much is {k} and {k}?"},
            ]
            lines.append(json.dumps({"messages": messages} | ({"expected": f"{2 * k}"} if expected else {})))
        lines.append(json.dumps({"messages": [{"role": "user", "content": "nothing to shorten"}]}))
        (tmp_path / "cases.jsonl").write_text("\n".join(lines))
        arguments = ("--cases", str(tmp_path / "cases.jsonl"), *arguments)
        return run("shape", "prove", "auto", "compact_json", *arguments, status=status), gateway

    return prove


def right(question: str, _compact: bool) -> str:
    return str(2 * int(question.split()[3]))


def test_a_shaper_that_changes_no_answer_is_proven_recorded_and_runs(prove: Any, run: Any) -> None:
    result, gateway = prove(right)
    assert (
        "60 cases, 0 worse, 0 better; at most 4.9%" in result.output and "40.0% of prompt tokens saved" in result.output
    )
    assert len(gateway.asked) == 120, "what the shaper leaves alone is not asked"
    body, headers = gateway.asked[0]
    assert body["model"] == "auto" and body["temperature"] == 0 and "expected" not in body
    assert headers["x-demitasse-route"] == "reference" and headers["x-demitasse-cache"] == "no-store"
    rows = json.loads(run("shape", "list", "--json").output)
    (row,) = (r for r in rows if r["shaper"] == "compact_json")
    assert row["mode"] == "proven" and row["runs"] and row["proof"]["n"] == 60 and row["proof"]["model"] == "large"
    assert "passed, n = 60" in run("shape", "list").output


def test_one_that_makes_answers_worse_is_recorded_and_stays_off(prove: Any, run: Any) -> None:
    result, _ = prove(lambda q, compact: "no idea" if compact and "7" in q else right(q, compact), status=1)
    assert "not proven" in result.output and "it stays off" in result.output
    (row,) = (r for r in json.loads(run("shape", "list", "--json").output) if r["shaper"] == "compact_json")
    assert not row["runs"] and row["proof"]["worse"] == 6


def test_without_the_right_answers_the_plain_one_is_the_measure_and_doubt_counts_as_worse(prove: Any) -> None:
    result, _ = prove(right, expected=False)
    assert "0 worse" in result.output
    result, _ = prove(
        lambda _q, compact: "a wordy answer" if compact else "quite another one", expected=False, status=1
    )
    assert "60 worse" in result.output


def test_too_few_cases_are_refused_before_anything_is_paid(prove: Any) -> None:
    result, gateway = prove(right, n=20, status=1)
    assert "needs at least" in result.output and gateway.asked == []
    prove(right, "--margin", "0.2", n=20)


def test_what_is_off_the_record_is_gone(prove: Any, run: Any) -> None:
    prove(right)
    assert "off the record" in run("shape", "forget", "auto", "compact_json").output
    assert "no evaluation" in run("shape", "forget", "auto", "compact_json", status=1).output


def test_a_line_that_is_no_request_is_named(run: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"messages": "no"}\n')
    result = run("shape", "prove", "auto", "compact_json", "--cases", str(tmp_path / "bad.jsonl"), status=1)
    assert "line 1" in result.output

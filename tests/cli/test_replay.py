"""`demitasse replay`: what a person reads and what a script reads, over a store with real rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_month import CARD, HOUR_US, LOCAL, NOW_US, attempt, entry, fill
from click.testing import Result

from demitasse.core.call import Usage
from demitasse.core.evidence import Answered, Label
from demitasse.store.settings import Settings

Run = Callable[..., Result]
USED = Usage(uncached_in=1_000, text_out=100)
TOML = """
[models.tiny]
provider = "openai"
[models.large]
provider = "openai"
[routes.auto]
ladder = ["tiny", "large"]
"""


@pytest.fixture
def past(data: Path, tmp_path: Path) -> Path:
    """Forty calls of route auto, all answered by the reference; every second one was also put to the small model."""
    rows = []
    for n in range(40):
        tags = (("task", "titles" if n % 4 < 2 else "law"),)
        rows.append(
            entry(f"c{n}", NOW_US - HOUR_US - n, attempts=(attempt(USED),), route="auto", session=f"s{n}", tags=tags)
        )
    rows.append(entry("t", NOW_US - 2 * HOUR_US, attempts=(attempt(USED, card=LOCAL),), route="tiny"))
    fill(data, rows)
    (tmp_path / "demitasse.toml").write_text(TOML)
    (tmp_path / "small.toml").write_text('route = "auto"\nserve = "tiny"\n')
    settings = Settings(data, clock=lambda: NOW_US)
    for card in (CARD, LOCAL):
        settings.put_card(card.provider, card.model, "v", card)
    for n in range(0, 40, 2):
        right = n % 4 < 2 or n % 8 < 4
        small = Answered("tiny", score=1.0 if right else 0.0, cost_nanos=26_000, entry=f"e{n}")
        settings.post_label(
            Label(
                f"c{n}",
                NOW_US - HOUR_US - n,
                "auto",
                "shadow",
                Answered("large", score=1.0),
                (small,),
                f"s{n}",
                propensity=0.5,
            )
        )
    settings.close()
    return tmp_path


def test_the_past_under_another_policy_as_json(run: Run, past: Path) -> None:
    found = json.loads(run("replay", "--policy", "small.toml", "--json").stdout)
    assert (found["calls"], found["exact"], found["estimated"], found["modelled"]) == (40, 20, 20, 0)
    assert found["paid_usd"] == pytest.approx(40 * (1_000 * 1.25 + 100 * 10) / 1e6)
    assert found["would_usd"] == {
        "estimate": pytest.approx(40 * 26e-6),
        "interval": [pytest.approx(40 * 26e-6)] * 2,
        "grade": "B",
    }
    assert found["quality"]["grade"] == "B"
    low, high = found["quality"]["interval"]
    assert found["quality"]["estimate"] == pytest.approx(0.75) and low < 0.75 < high
    assert {s["name"]: s["quality"]["estimate"] for s in found["slices"]} == {"titles": 1.0, "law": pytest.approx(0.5)}
    assert [w["compared"] for w in found["worst"]] == [True] * 5


def test_the_past_under_another_policy_in_words(run: Run, past: Path) -> None:
    said = run("replay", "--policy", "small.toml").stdout
    assert "route 'auto', 40 calls" in said
    assert "tiny 100.0 %" in said or "tiny 100 %" in said
    assert "75.0% of the reference [" in said
    assert "20 exact · 20 estimated · 0 modelled" in said
    assert "most likely to get worse:" in said and "c4" not in said.split("most likely")[0]


def test_what_always_was_done_costs_what_it_cost(run: Run, past: Path) -> None:
    (past / "large.toml").write_text('route = "auto"\nserve = "large"\n')
    found = json.loads(run("replay", "--policy", "large.toml", "--json").stdout)
    assert found["would_usd"]["estimate"] == found["paid_usd"] and found["would_usd"]["grade"] == "A"
    assert found["quality"]["interval"] == [1.0, 1.0]


def test_a_stretch_without_calls_says_so_and_fails(run: Run, past: Path) -> None:
    result = run("replay", "--policy", "small.toml", "--from", "2020-01-01", "--to", "2020-02-01", status=1)
    assert "answered no call" in result.stderr


def test_texts_without_kept_bodies_name_the_setting(run: Run, past: Path) -> None:
    assert "[keep] bodies = true" in run("replay", "--policy", "small.toml", "--texts", status=1).stderr


def test_a_wrong_policy_file_says_where(run: Run, past: Path) -> None:
    (past / "bad.toml").write_text('route = "auto"\nserv = "tiny"\n')
    assert (
        "bad.toml: serv: no such setting; did you mean 'serve'?"
        in run("replay", "--policy", "bad.toml", status=1).stderr
    )
    assert "there are: none yet" in run("replay", "--policy", "crt_x", status=1).stderr

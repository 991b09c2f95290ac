"""The three cases of docs/plan.md: every line's arithmetic is right, and the plan says the same."""

from __future__ import annotations

import datetime as dt
import math
import re
import shlex
from pathlib import Path

import pytest

from demitasse.cli.plan import as_object
from demitasse.core.price import Card, pico_per_token, rates
from demitasse.lab.planning.facts import Facts, defaults, parse_range, parse_set
from demitasse.lab.planning.options import Option, hosted_option, machine_option
from demitasse.lab.planning.plan import make_plan
from demitasse.lab.planning.profile import Profile

PAGE = (Path(__file__).parents[3] / "docs/plan.md").read_text(encoding="utf-8")
TODAY = dt.date(2026, 11, 21)
CASES = dict(
    re.findall(r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", PAGE.partition("## Three cases")[2], re.MULTILINE | re.DOTALL)
)
LINE = re.compile(r"^(?P<name>.+): (?P<sum>[^=]+) = (?P<result>[\d.]+)(?:  \[(?P<key>.+)\])?$")
ENDS = {"low": 0, "middle": 1, "high": 2}


def lines(case: str) -> list[re.Match[str]]:
    block = CASES[case].partition("```text\n")[2].partition("```")[0]
    found = [LINE.match(line) for line in block.splitlines()]
    assert found
    assert all(found), [line for line, match in zip(block.splitlines(), found, strict=True) if not match]
    return [match for match in found if match]


def value(text: str) -> float:
    """A sum of the page; only figures, operators and exp are in it."""
    assert re.fullmatch(r"[\d\s.()*/+e-]*(exp)?[\d\s.()*/+e-]*", text), text
    return float(eval(text, {"__builtins__": {}, "exp": math.exp}))


def planned(case: str) -> dict[str, dict]:
    """The options of the command that the case shows, at the prices that its lines name."""
    command = shlex.split(CASES[case].partition("    demitasse plan ")[2].partition("\n\n```")[0].replace("\\\n", " "))
    flags = list(zip(command[::2], command[1::2], strict=True))
    given = dict(flags)
    price = re.search(r"\$([\d.]+) and \$([\d.]+) per million tokens", CASES[case])
    assert price
    facts = defaults().put(dict(parse_set(text) for flag, text in flags if flag == "--set"), TODAY)
    profile = Profile(
        calls_per_day=parse_range(given["--calls-per-day"]),
        tokens_in=parse_range(given["--in"]),
        tokens_out=parse_range(given["--out"]),
        peak=parse_range(given["--peak"]),
    )
    options = [option(text, facts, price[1], price[2]) for flag, text in flags if flag == "--option"]
    found = as_object(make_plan(profile, options, facts, today=TODAY))
    return {told["name"]: told for told in found["options"]}


def option(name: str, facts: Facts, usd_in: str, usd_out: str) -> Option:
    if not name.startswith("hosted:"):
        return machine_option(name, facts)
    base = rates(input=pico_per_token(usd_in), output=pico_per_token(usd_out))
    return hosted_option(name, Card(id="the page's", provider="p", model="m", base=base))


@pytest.mark.parametrize("case", CASES)
def test_every_line_of_the_page_adds_up(case: str) -> None:
    for line in lines(case):
        digits = len(line["result"].partition(".")[2])
        assert f"{value(line['sum']):.{digits}f}" == line["result"], line[0]


@pytest.mark.parametrize("case", CASES)
def test_the_plan_says_what_the_page_computes_by_hand(case: str) -> None:
    found = planned(case)
    keyed = [line for line in lines(case) if line["key"]]
    assert len(keyed) >= 4
    for line in keyed:
        name, field, end = line["key"].rsplit(" ", 2)
        digits = len(line["result"].partition(".")[2])
        told = found[name][field][ENDS[end]]
        assert abs(told - float(line["result"])) <= 1.01 * 10.0**-digits, (line[0], told)


def test_the_prices_of_the_page_are_those_of_the_database() -> None:
    from demitasse.providers.price_cards import compile_card

    for case, text in CASES.items():
        name = re.search(r"hosted:(\S+?)/(\S+)", text)
        price = re.search(r"\$([\d.]+) and \$([\d.]+) per million tokens", text)
        assert name
        assert price
        card = compile_card(name[1], name[2], 1_795_000_000_000_000)
        assert card is not None
        assert (card.base.uncached_in, card.base.text_out) == tuple(map(pico_per_token, price.groups())), case


def test_three_cases_are_worked() -> None:
    assert len(CASES) == 3

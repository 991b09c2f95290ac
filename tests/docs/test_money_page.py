"""The worked example on money, recomputed: by the arithmetic itself, and by a gateway that answers the same three calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import structs
from msgspec.structs import asdict

from demitasse.config import load
from demitasse.core.call import Usage
from demitasse.core.errors import UpstreamError
from demitasse.core.hardware import Hardware, Interval, carbon_mg, modelled
from demitasse.core.price import Card, bound, cost
from demitasse.gateway.budget import PROMPT_MARGIN_TOKENS
from demitasse.providers.price_cards import config_card
from tests.docs.pages import page, tables, words
from tests.story.asgi import ask, chat
from tests.story.conftest import NOON_US, World
from tests.story.ladder import POLICY, ladder_world, prompt
from tests.story.test_ladder_money import own

TEXT = page("money.md")
PAGE = {heading: {words([row])[0]: row[1:] for row in rows} for heading, rows in tables(TEXT).items()}
HELD, PAID, SAVED, BOUND, ENERGY = (
    PAGE[heading]
    for heading in (
        "before the call: a hold",
        "after the call: a cost",
        "saved: against what",
        "under a certificate",
        "energy and carbon",
    )
)
USED = Usage(**{kind: int(row[0].replace(",", "")) for kind, row in PAID.items() if kind in Usage.__struct_fields__})
_IN, _OUT = re.search(r"answers with ([\d,]+) tokens in and (\d+) out", TEXT.replace("\n", " ")).groups()  # type: ignore[union-attr]
SMALL_USED = Usage(uncached_in=int(_IN.replace(",", "")), text_out=int(_OUT))


def nanos(dollars: str) -> int:
    assert re.fullmatch(r"-?\$\d+\.\d{9}", dollars)
    return int(dollars.replace("$", "").replace(".", ""))


@pytest.fixture
def cards(tmp_path: Path) -> dict[str, Card]:
    """Price cards from the settings that the page shows."""
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "demitasse.toml").write_text(block)
    config = load(tmp_path / "demitasse.toml", {}, tmp_path)
    return {name: config_card(name, m.provider, name, asdict(m.price)) for name, m in config.models.items() if m.price}


def test_the_hold_is_the_bound_over_every_model_of_the_route(cards: dict[str, Card]) -> None:
    text_bytes = int(re.search(r"([\d,]+) bytes of text", TEXT)[1].replace(",", ""))  # type: ignore[index]
    most = int(re.search(r"at most (\d+) tokens", TEXT)[1])  # type: ignore[index]
    bounds = {
        name: bound(
            card, input_tokens=text_bytes + PROMPT_MARGIN_TOKENS, output_tokens=most, at_us=NOON_US, audio=False
        )
        for name, card in cards.items()
    }
    assert {name: nanos(HELD[name][2]) for name in cards} == bounds
    assert nanos(HELD["held"][2]) == sum(b or 0 for b in bounds.values())
    assert all(HELD[name][0].startswith(f"{text_bytes + PROMPT_MARGIN_TOKENS:,} × ") for name in cards)


def test_each_kind_of_token_costs_what_the_table_says(cards: dict[str, Card]) -> None:
    for kind in ("uncached_in", "cache_read", "text_out", "reasoning_out"):
        alone = Usage(**{kind: getattr(USED, kind)})
        assert nanos(PAID[kind][2]) == cost(cards["large"], alone, at_us=NOON_US)
    paid = cost(cards["large"], USED, at_us=NOON_US)
    assert nanos(PAID["paid"][2]) == paid
    assert int(PAID["paid"][0].replace(",", "")) == USED.total_in + USED.total_out
    assert nanos(PAID["given back"][2]) == nanos(HELD["held"][2]) - (paid or 0)


async def test_a_gateway_books_the_three_calls_as_the_page_says(cards: dict[str, Card]) -> None:
    world = World()
    for name, card in cards.items():
        world.rung(name, card=card)
    world.large.usage, world.small.usage = USED, SMALL_USED
    for name, question in (("first", "a"), ("again", "a"), ("fallback", "b")):
        if name == "fallback":
            world.large.lines = (UpstreamError("it is down", status=503, retryable=False),)
        assert (await ask(world.app, chat(question, model="auto"))).status == 200
        entry = world.entry
        told = [entry.baseline_nanos, entry.cost_nanos, sum(n for _, n in entry.saved)]
        assert told == [nanos(cell) for cell in SAVED[name][:3]]
        if entry.saved:
            assert entry.grade == SAVED[name][4]
    closed = world.ledger.closed
    assert nanos(SAVED["together"][0]) == sum(e.baseline_nanos for e in closed)
    assert nanos(SAVED["together"][1]) == sum(e.cost_nanos for e in closed)
    assert nanos(SAVED["together"][2]) == nanos(SAVED["together"][0]) - nanos(SAVED["together"][1])


async def test_a_gateway_books_the_ladder_as_the_page_says(cards: dict[str, Card]) -> None:
    world = await ladder_world(structs.replace(POLICY, second=None))
    for name, card in cards.items():
        world.rungs[name] = structs.replace(world.rungs[name], card=card)
    world.route()
    world.small.usage, world.large.usage = SMALL_USED, structs.replace(SMALL_USED, text_out=300)
    world.small.worth = 0.65
    for name, asked in (("cheap", prompt("cheap")), ("escalated", prompt("draft")), ("shadow", None)):
        if asked is not None:
            await ask(world.app, asked)
        else:
            await own(world, "shadow")
        entry = world.entry
        told = [entry.baseline_nanos, entry.cost_nanos, sum(n for _, n in entry.saved)]
        assert told == [nanos(cell) for cell in BOUND[name][:3]], name
        assert ([cause for cause, _ in entry.saved], entry.grade) == (["routed"], BOUND[name][4])


def test_joules_and_carbon_are_those_of_the_default_assumptions() -> None:
    cpu_s = int(re.search(r"used (\d+) CPU seconds", TEXT)[1])  # type: ignore[index]
    machine = Hardware()
    used = modelled(machine, Interval(cpu_s, cpu_s))
    assert ENERGY["joules"] == [f"{used.low_uj / 1e6:.2f}", f"{used.high_uj / 1e6:.2f}"]
    assert ENERGY["milligrams CO2e"] == [f"{mg:.2f}" for mg in carbon_mg(machine, used)]
    for said, known in (
        (r"\((\d+) to (\d+) watts", machine.watts_per_busy_core),
        (r"overhead of ([\d.]+) to ([\d.]+),", machine.pue),
        (r"(\d+) to (\d+) grams", machine.carbon_g_per_kwh),
    ):
        assert tuple(map(float, re.search(said, TEXT).groups())) == known  # type: ignore[union-attr]

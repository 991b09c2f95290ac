"""The books against usage exports, in every shape that the two providers give them."""

from __future__ import annotations

import json

import pytest
from cli_month import CARD, DAY_US, HOUR_US, NOW_US, attempt, entry, fill

from demitasse.core.call import Usage
from demitasse.core.money import nanos
from demitasse.core.price import Card, rates
from demitasse.store.books import SqliteBooks

CLAUDE = Card(
    id="genai-prices 0.2.3 anthropic/claude-sonnet-4-5",
    provider="anthropic",
    model="claude-sonnet-4-5",
    base=rates(input=3_000_000, cache_read=300_000, cache_write_5m=3_750_000, cache_write_1h=6_000_000, output=15_000_000),
)  # fmt: skip
DAY_S = NOW_US // DAY_US * 86_400
USAGE = Usage(uncached_in=1_000, cache_read=500, text_out=150, reasoning_out=50)  # $0.0033125
CLAUDE_USAGE = Usage(uncached_in=100, cache_read=2_000, cache_write_5m=300, cache_write_1h=40, text_out=60)


def openai_usage(**more) -> dict:
    result = {
        "object": "organization.usage.completions.result",
        "input_tokens": 3_000,
        "input_cached_tokens": 1_000,
        "output_tokens": 400,
        "num_model_requests": 2,
        "model": "gpt-5.1-2025-11-13",
        "batch": None,
    }
    return page(result | more)


def openai_costs(*amounts: tuple[str | None, float]) -> dict:
    return page(
        *(
            {"object": "organization.costs.result", "amount": {"value": usd, "currency": "usd"}, "line_item": item}
            for item, usd in amounts
        )
    )


def page(*results: dict) -> dict:
    bucket = {"object": "bucket", "start_time": DAY_S, "end_time": DAY_S + 86_400, "results": list(results)}
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


@pytest.fixture
def two_calls(data):
    """Two calls of gpt-5.1 today, known to the token."""
    calls = [entry(f"c{n}", NOW_US - n, attempts=(attempt(USAGE, at_us=NOW_US - n),)) for n in (1, 2)]
    fill(data, calls, cards=(CARD, CLAUDE))


@pytest.fixture
def check(run, tmp_path):
    """Reconcile with a file of this content; the JSON that comes out, and the one line."""

    def check(content: object, *options: str, status: int = 0, suffix: str = "json") -> dict:
        file = tmp_path / f"usage.{suffix}"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return json.loads(run("reconcile", file.name, "--json", *options, status=status).stdout)

    return check


def test_openai_usage_that_agrees(two_calls, check):
    said = check(openai_usage())
    assert said["agrees"]
    (line,) = said["lines"]
    assert (line["day"], line["provider"], line["model"], line["calls"]) == ("2026-11-21", "openai", "gpt-5.1", 2)
    assert line["tokens_off"] == 0
    assert line["booked_usd"] == line["invoice_usd"] == pytest.approx(0.006625)


def test_cached_tokens_are_counted_once(two_calls, check):
    """OpenAI's input_tokens hold the cached ones; taken twice, the books would seem to miss 1,000 tokens."""
    (line,) = check(openai_usage())["lines"]
    assert line["invoice_usage"]["uncached_in"] == 2_000
    assert line["invoice_usage"]["cache_read"] == 1_000


def test_tokens_that_the_books_lack_are_valued_and_fail(two_calls, check):
    said = check(openai_usage(input_tokens=5_000), status=1)
    assert not said["agrees"]
    (line,) = said["lines"]
    assert line["unexplained_usd"] == pytest.approx(2_000 * 1.25e-6)
    assert line["beyond_tolerance"]


def test_openai_costs_by_line_item_add_up_per_model(two_calls, check):
    said = check(openai_costs(("gpt-5.1-2025-11-13, input", 0.0025), ("gpt-5.1-2025-11-13, cached input", 0.000125), ("gpt-5.1-2025-11-13, output", 0.004)))  # fmt: skip
    assert said["agrees"]
    (line,) = said["lines"]
    assert line["invoice_usd"] == pytest.approx(0.006625)


def test_openai_costs_of_a_whole_day_are_held_against_all_models(two_calls, check):
    (line,) = check(openai_costs((None, 0.006625)))["lines"]
    assert line["model"] == "(all)"
    assert line["difference_usd"] == 0


@pytest.mark.parametrize(("tolerance", "status"), [("0.5", 1), ("5", 1), ("12", 0)])
def test_the_tolerance_decides_the_exit_status(two_calls, check, tolerance, status):
    check(openai_costs(("gpt-5.1, output", 0.0075)), "--tolerance", tolerance, status=status)


def test_a_model_that_only_the_invoice_knows_went_past_the_gateway(two_calls, check):
    said = check(openai_costs(("gpt-5.1, output", 0.006625), ("gpt-4o, output", 1.5)), status=1)
    assert {line["model"]: line["unexplained_usd"] for line in said["lines"]} == {"gpt-4o": 1.5, "gpt-5.1": 0.0}


def test_a_model_that_only_the_books_know_is_shown(two_calls, check):
    said = check(openai_costs(("gpt-4o, output", 1.5)), status=1)
    assert {line["model"]: line["difference_usd"] for line in said["lines"]} == {"gpt-4o": 1.5, "gpt-5.1": -0.006625}


def test_openai_csv_exports_are_read(two_calls, check):
    usage = (
        "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,model,batch,input_tokens,"
        f"output_tokens,input_cached_tokens,input_audio_tokens,output_audio_tokens\n{DAY_S},{DAY_S + 86400},,,proj,2,"
        "gpt-5.1-2025-11-13,False,3000.0,400,1000,0,0\n"
    )
    assert check(usage, suffix="csv")["agrees"]
    costs = (
        "start_time_iso,amount_value,amount_currency,line_item,project_name\n"
        '2026-11-21T00:00:00+00:00,0.0066250,usd,"gpt-5.1-2025-11-13, output",Default\n'
    )
    assert check(costs, suffix="csv")["agrees"]


@pytest.fixture
def claude_call(data):
    alias = {"model": "sonnet", "upstream_model": "claude-sonnet-4-5-20250929"}
    fill(data, [entry("c1", NOW_US, attempts=(attempt(CLAUDE_USAGE, card=CLAUDE, **alias),))], cards=(CLAUDE,))


def anthropic(**more) -> dict:
    result = {
        "uncached_input_tokens": 100,
        "cache_creation": {"ephemeral_1h_input_tokens": 40, "ephemeral_5m_input_tokens": 300},
        "cache_read_input_tokens": 2_000,
        "output_tokens": 60,
        "server_tool_use": {"web_search_requests": 0},
        "model": "claude-sonnet-4-5-20250929",
        "service_tier": "standard",
        **more,
    }
    bucket = {"starting_at": "2026-11-21T00:00:00Z", "ending_at": "2026-11-22T00:00:00Z", "results": [result]}
    return {"data": [bucket], "has_more": False, "next_page": None}


def test_anthropic_usage_is_disjoint_and_agrees(claude_call, check):
    (line,) = check(anthropic())["lines"]
    assert line["tokens_off"] == 0
    assert line["invoice_usage"]["cache_write_5m"] == 300
    assert line["invoice_usage"]["cache_write_1h"] == 40


def test_anthropic_costs_are_cents(claude_call, check):
    bucket = {"starting_at": "2026-11-21T00:00:00Z", "results": [{"amount": "0.3165", "currency": "USD", "cost_type": "tokens", "model": "claude-sonnet-4-5-20250929"}]}  # fmt: skip
    (line,) = check({"data": [bucket]}, status=0)["lines"]
    assert line["invoice_usd"] == pytest.approx(0.003165)
    assert line["difference_usd"] == 0


def test_anthropic_csv_exports_are_read(claude_call, check):
    usage = (
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
        "usage_output_tokens,web_search_count\n2026-11-21,claude-sonnet-4-5-20250929,key,Default,standard,≤ 200k,100,300,"
        "40,2000,60,0\n"
    )
    assert check(usage, suffix="csv")["agrees"]
    costs = "usage_date_utc,model,workspace,token_type,cost_usd,cost_type\n2026-11-21,claude-sonnet-4-5,Default,output,0.003165,token\n"
    assert check(costs, suffix="csv")["agrees"]


def test_pages_may_come_as_a_list_or_a_line_each(two_calls, check):
    half = openai_usage(input_tokens=1_500, input_cached_tokens=500, output_tokens=200, num_model_requests=1)
    assert check([half, half])["agrees"]
    assert check("\n".join([json.dumps(half), json.dumps(half)]), suffix="jsonl")["agrees"]


@pytest.fixture
def crashed(data):
    """One call answered and known, one estimated, one lost in a crash: booked at its hold."""
    known = entry("c1", NOW_US, attempts=(attempt(USAGE),))
    guessed = entry(
        "c2", NOW_US + 1, attempts=(attempt(USAGE, estimated=True),), estimated=True, hold_nanos=nanos("0.01")
    )
    lost = entry("c3", NOW_US + 2, outcome="lost", model="large", cost_nanos=nanos("0.02"), hold_nanos=nanos("0.02"), estimated=True)  # fmt: skip
    fill(data, [known, guessed, lost], cards=(CARD,))


def costs_of(data) -> dict[str, int | None]:
    books = SqliteBooks(data)
    try:
        return {e.id: e.cost_nanos for _, e in books.entries()}
    finally:
        books.close()


def test_estimates_explain_a_lower_invoice(crashed, check):
    (line,) = check(openai_costs(("gpt-5.1, output", 0.01)))["lines"]
    assert line["difference_usd"] == line["explained_usd"] == pytest.approx(0.01 - 0.026625)
    assert line["unexplained_usd"] == 0


def test_applying_lowers_estimated_and_lost_rows_alone_until_the_books_agree(crashed, check, data):
    before = costs_of(data)
    said = check(openai_costs(("gpt-5.1, output", 0.01)), "--apply")
    after = costs_of(data)
    assert said["corrected"] == 2
    assert said["corrected_usd"] == pytest.approx(0.01 - 0.026625)
    assert after["c1"] == before["c1"]
    assert after["c2"] < before["c2"]
    assert after["c3"] < before["c3"]
    assert sum(after.values()) == nanos("0.01")
    (line,) = said["lines"]
    assert line["difference_usd"] == 0
    again = check(openai_costs(("gpt-5.1, output", 0.01)), "--apply")
    assert again["corrected"] == 0


def test_an_export_of_tokens_alone_sets_lost_rows_right_and_does_so_once(crashed, check, data):
    """A lost row is booked in dollars without a token; its tokens are on the export."""
    usage = openai_usage(input_tokens=3_100, output_tokens=410, num_model_requests=3)
    said = check(usage, "--apply")
    (line,) = said["lines"]
    assert said["corrected"] == 2
    assert line["unexplained_usd"] == line["difference_usd"] == 0
    assert sum(costs_of(data).values()) == 2 * nanos("0.0033125") + 100 * 1_250 + 10 * 10_000
    assert check(usage, "--apply")["corrected"] == 0


def test_nothing_is_raised_above_what_was_held(crashed, check, data):
    """What goes beyond the holds was not spent here: to book it on a lost row would hide it."""
    said = check(openai_costs(("gpt-5.1, output", 1.0)), "--apply", status=1)
    assert costs_of(data)["c2"] == nanos("0.01")
    assert costs_of(data)["c3"] == nanos("0.02")
    (line,) = said["lines"]
    assert line["unexplained_usd"] == pytest.approx(1.0 - 0.0333125)


def test_without_apply_nothing_is_booked(crashed, check, data):
    before = costs_of(data)
    check(openai_costs(("gpt-5.1, output", 0.01)))
    assert costs_of(data) == before


def test_a_retry_after_midnight_is_of_the_new_day(data, check):
    midnight = NOW_US // DAY_US * DAY_US
    broken = attempt(Usage(), at_us=midnight - 900, status="error", cost_nanos=None)
    late = entry("c1", midnight - 1_000, attempts=(broken, attempt(USAGE, at_us=midnight + HOUR_US)))
    fill(data, [late], cards=(CARD,))
    (line,) = check(openai_costs(("gpt-5.1, output", 0.0033125)))["lines"]
    assert (line["day"], line["calls"], line["difference_usd"]) == ("2026-11-21", 1, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no usage"),
        ("{}", "holds no usage"),
        ("[1, 2", "is not JSON"),
        ("a,b\n1,2\n", "lines of another kind"),
        ('{"data": [{"results": [{"input_tokens": 5}]}]}', "it says no time"),
        ('{"data": [{"start_time": 1795219200, "results": [{"input_tokens": -5}]}]}', "input_tokens is -5"),
        (
            '{"data": [{"start_time": 1795219200, "results": [{"amount": {"value": 1, "currency": "eur"}}]}]}',
            "currency is eur",
        ),
    ],
)
def test_a_file_that_is_no_export_is_refused_with_what_is_read(run, tmp_path, content, said):
    (tmp_path / "file").write_text(content)
    assert said in run("reconcile", "file", status=1).stderr


def test_a_file_that_is_not_there_is_named(run):
    assert "nowhere.csv cannot be read: No such file" in run("reconcile", "nowhere.csv", status=1).stderr


def test_for_people_it_ends_with_a_verdict(two_calls, run, tmp_path):
    (tmp_path / "usage.json").write_text(json.dumps(openai_usage()))
    result = run("reconcile", "usage.json")
    assert "2026-11-21  openai    gpt-5.1" in result.stdout
    assert "the books agree with the invoice within 0.5 %" in result.stderr

"""What each page says, from full books and from empty ones, as HTML and as JSON."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from msgspec import structs

from demitasse.core.call import Usage
from demitasse.core.errors import StoreError
from demitasse.web import views
from demitasse.web.app import PAGES
from demitasse.web.facts import SettingRow

from . import fakes
from .conftest import Visitor
from .fakes import NOW_US, entry, hit

PATHS = [page.path for page in PAGES]


def text_of(answer):
    text = re.sub(r"<[^>]+>", " ", answer.text)
    return re.sub(r"\s+", " ", text.replace("&#39;", "'").replace("&#34;", '"').replace("&lt;", "<"))


def of(*entries, **more):
    books, control, facts = fakes.full_site(fakes.FakeBooks(entries), **more)
    return Visitor(books, control, **facts)


@pytest.mark.parametrize("path", [*PATHS, "/components"])
def test_every_page_opens_from_full_and_from_empty_books(full, empty, path):
    for site in (full, empty):
        answer = site.get(path)
        assert answer.status == 200
        assert "<h1>" in answer.text
        assert "Undefined" not in answer.text


@pytest.mark.parametrize("path", [*PATHS, "/components", "/nowhere"])
def test_pages_hold_no_inline_script_style_or_handler(full, path):
    html = full.get(path).text
    assert not re.search(r"<script(?![^>]* src=)", html)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_answers_as_json_too(full, path):
    assert isinstance(full.json(path), dict)
    asked = full.get(path + "?format=json")
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", [*PATHS, "/parts/live", "/nowhere"])
def test_every_answer_carries_the_policy_and_is_not_kept(full, path):
    headers = full.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert headers["cache-control"] == "no-store"


def test_the_navigation_links_only_pages_that_are_there(full):
    for path in set(re.findall(r'href="(/[^"#?]*)', full.get("/").text)):
        assert full.get(path).status == 200, path


def test_the_one_screen_answers_its_questions_in_order(full):
    text = text_of(full.get("/"))
    order = [
        "Would have cost",
        "Paid",
        "Saved",
        "Quality",
        "Energy",
        "Where the saving came from",
        "Cost over time",
        "Needs you",
        "Live",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_a_saving_stands_with_its_baseline_interval_and_grade(full):
    html = full.get("/").text
    saved = re.search(r'<p class="big saved">(.*?)</p>', html, re.DOTALL)[1]
    assert re.search(r"\$526\.27.*\[\$526\.27, \$526\.27\].*A: measured", saved, re.DOTALL)
    assert "Counted from $1,153" in html


def test_quality_is_honest_without_a_certificate():
    books, control, facts = fakes.full_site(evidence=None)
    assert "no saving that changes an answer is on" in text_of(Visitor(books, control, **facts).get("/"))


def test_the_quality_that_a_certificate_promises_stands_beside_the_saving(full):
    assert "at least 95.0 % of the reference on route 'support', 95 % confidence" in text_of(full.get("/"))


def test_calls_without_a_price_read_unpriced_on_every_page():
    site = of(entry(card=None, id="c7"))
    for path in ("/", "/ledger", "/ledger/c7", "/engines"):
        assert "unpriced" in site.get(path).text
    assert site.json("/")["report"]["paid_usd"] is None


def test_an_empty_screen_says_what_to_paste(empty):
    text = text_of(empty.get("/"))
    assert "No calls yet: paste this" in text
    assert "curl http://127.0.0.1:4141/v1/chat/completions" in text
    assert 'OpenAI(base_url="http://127.0.0.1:4141/v1"' in text


def test_a_month_and_a_day_can_be_chosen_and_nonsense_is_the_month(full):
    month, today = full.json("/")["report"], full.json("/?period=today")["report"]
    assert 0 < today["requests"] < month["requests"]
    assert full.json("/?period=2026-10")["report"]["until"] == "2026-11-01T00:00:00Z"
    for nonsense in ("2027-13", "9999-99", "x", "2031-01", "%00"):
        assert full.json(f"/?period={nonsense}")["period"]["name"] == "month"


def test_the_limit_nearest_its_end_stands_on_top(full):
    assert re.search(r"limit \$5\.00 a day.*?65 %", text_of(full.get("/")))


def test_at_most_five_things_need_you_each_with_one_button(full):
    alert = full.books.all_alerts[0]
    full.books.all_alerts = [structs.replace(alert, id=f"loop-{i}") for i in range(9)]
    needs = re.search(r'<section class="panel needs".*?</section>', full.get("/").text, re.DOTALL)[0]
    assert needs.count("<li>") == needs.count("<button") == 5


def test_every_row_of_the_stream_says_why(full):
    live = full.get("/parts/live").text
    links = re.findall(r'href="(/ledger/c[^"]+)"[^>]*>why\?', live)
    assert len(links) == views.LIVE_ROWS
    assert full.get(links[0]).status == 200


def test_the_stream_is_sent_again_only_when_it_changed(full):
    seen = re.search(r"/parts/live\?seen=([^\"]+)", full.get("/parts/live").text)[1].replace("&amp;", "&")
    assert full.get(f"/parts/live?seen={seen}").status == 204
    full.books.rows.append(entry(NOW_US - 1, id="c-new"))
    changed = full.get(f"/parts/live?seen={seen}")
    assert (changed.status, "c-new" in changed.text) == (200, True)


def test_the_figures_are_sent_again_only_when_they_changed(full):
    html = full.get("/").text
    seen = re.search(r"/parts/figures\?(period=month&amp;seen=[^\"]+)", html)[1].replace("&amp;", "&")
    assert full.get(f"/parts/figures?{seen}").status == 204
    full.books.all_alerts = []
    assert full.get(f"/parts/figures?{seen}").status == 200


def test_the_ledger_filters_and_pages_without_losing_a_row(full):
    seen, path = [], "/ledger?key=alice&outcome=answered"
    while path:
        page = full.json(path)
        seen += [row["entry"]["id"] for row in page["rows"]]
        path = f"/ledger?key=alice&outcome=answered&before={page['older']}" if page["older"] else None
    wanted = [e.id for e in full.books.rows if e.key == "alice" and e.outcome == "answered"]
    assert seen == wanted[::-1]


def test_filters_are_kept_on_the_way_to_older_rows(full):
    html = full.get("/ledger?key=alice&since=7d").text
    assert re.search(r'href="/ledger\?key=alice&amp;[^"]*since=7d[^"]*before=\d+"', html)


def test_a_filter_that_fits_nothing_says_so(full):
    assert "No call fits" in full.get("/ledger?key=nobody").text


def test_why_shows_tokens_rates_and_a_sum_that_adds_up():
    site = of(entry(id="c1", usage=Usage(uncached_in=1200, cache_read=3000, text_out=340)))
    text = text_of(site.get("/ledger/c1"))
    assert re.search(r"input 1,200 \$1\.25 \$0\.001500000", text)
    assert re.search(r"provider's cache 3,000 \$0\.125 \$0\.000375000", text)
    assert re.search(r"output 340 \$10\.00 \$0\.003400000", text)
    assert re.search(r"= booked \$0\.005275000", text)
    assert "genai-prices 0.2.3 openai/gpt-5.1" in text
    assert "$0.060000000 was set aside" in text
    assert "ab" * 32 in text


def test_why_of_a_hit_says_what_it_would_have_cost():
    site = of(hit(NOW_US, id="c1"))
    text = text_of(site.get("/ledger/c1"))
    assert "Answered from the cache" in text
    assert "saved by exact cache $0.003325000" in text


def test_why_lists_other_models_for_comparison_only():
    text = text_of(of(entry(id="c1")).get("/ledger/c1"))
    assert "gpt-5-mini" in text
    assert "Never counted as saved" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"outcome": "refused", "attempts": (), "cost_nanos": 0, "error": "insufficient_quota"},
            "Turned away before any model was asked",
        ),
        ({"outcome": "lost", "attempts": (), "usage": None, "estimated": True}, "The process died under this call"),
        ({"cache": "coalesced", "attempts": (), "cost_nanos": 0}, "this call shared that answer"),
        ({"estimated": True}, "estimated because the provider did not say"),
    ],
)
def test_why_says_in_a_sentence_what_happened(fields, said):
    assert said in text_of(of(entry(id="c1", **fields)).get("/ledger/c1"))


def test_a_call_is_found_by_the_clients_own_request_id():
    site = of(entry(id="c1", request_id="my/own id"))
    assert site.get("/ledger/my/own id").status == 200


def test_an_unknown_call_or_page_is_a_sentence_in_our_own_look(full):
    for path in ("/ledger/c-none", "/nowhere"):
        answer = full.get(path)
        assert answer.status == 404
        assert 'class="top"' in answer.text
    assert "no call 'c-none' in the books" in text_of(full.get("/ledger/c-none"))
    assert full.get("/nowhere", accept="application/json").json()["error"]["code"] == 404


def test_whatever_clients_send_is_shown_as_text(full):
    evil = "<img src=x onerror=alert(1)>\"'&"
    site = of(
        entry(
            id="c1",
            key=evil,
            model=evil,
            route=evil,
            asked_model=evil,
            error=evil,
            request_id=evil,
            tags=(("a", evil),),
        )
    )
    for path in ("/", "/ledger", "/ledger/c1", "/budgets", f"/ledger?key={'%3Cimg%20src=x%3E'}"):
        assert "<img src=x" not in site.get(path).text


def test_a_keys_fingerprint_never_leaves(full):
    for path in ("/budgets", "/budgets?format=json"):
        assert "not to be seen" not in full.get(path).text
        assert "mac" not in full.json("/budgets")["keys"][0]


def test_budgets_show_spent_held_and_left(full):
    text = text_of(full.get("/budgets"))
    assert "spent $3.04 held $0.21 left $1.75 of $5.00 a day" in text
    assert "closed: a provider billed more" in text
    assert "no limit: only counted" in text
    assert "set in demitasse.toml" in text


def test_keys_show_state_and_use(full):
    text = text_of(full.get("/budgets"))
    assert "paused asked the same thing 212 times in 6 minutes" in text
    assert "revoked" in text
    assert "calls without a key" in text


def test_models_show_price_card_circuit_and_engine(full):
    text = text_of(full.get("/engines"))
    for part in (
        "$1.25",
        "genai-prices 0.2.3 openai/gpt-5.1",
        "checked 2026-11-02",
        "✕ open",
        "pid 4242",
        "restarts 3",
        "slot 0: released",
    ):
        assert part in text


def test_settings_show_value_and_origin(full):
    text = text_of(full.get("/settings"))
    assert "server.host 127.0.0.1 demitasse.toml" in text
    assert "OPENAI_API_KEY" in text


def test_a_store_that_cannot_be_read_is_a_page_that_says_so(full):
    def broken(*_args, **_more):
        raise StoreError("the ledger cannot be read: disk I/O error; see demitasse doctor")

    full.books.entries = broken
    answer = full.get("/")
    assert answer.status == 503
    assert "see demitasse doctor" in answer.text


def test_reports_are_made_once_for_many_open_pages(full):
    full.get("/")
    asked = len(full.books.asked)
    for _ in range(5):
        full.get("/")
    assert len(full.books.asked) == asked


def test_many_calls_make_no_longer_pages():
    books = fakes.FakeBooks(buckets=fakes.many_buckets(200_000))
    _, control, facts = fakes.full_site(books)
    site = Visitor(books, control, **facts)
    answer = site.get("/")
    assert answer.status == 200
    assert len(answer.body) < 60_000
    assert max(len(group) for group in books.asked) <= 3


def test_nothing_heavy_is_imported_until_a_page_is_asked_for():
    code = (
        "import sys; from demitasse.web.app import dashboard; from demitasse.web.desk import Desk; dashboard(Desk(None, None, lambda: 0)); "
        "print([m for m in ('jinja2', 'genai_prices', 'rich', 'click', 'numpy', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_refusal_names_its_code_where_calls_are_listed():
    site = of(
        entry(NOW_US - 2, id="c-refused", outcome="refused", error="approval_needed", cost_nanos=0),
        entry(NOW_US - 1, id="c-fine", error=None),
    )
    for path in ("/ledger", "/parts/live"):
        assert "⊘ refused approval_needed" in text_of(site.get(path)), path


def test_settings_show_code_as_code_and_no_backticks():
    books, control, facts = fakes.full_site()
    row = SettingRow("governance.profile", "research", "default", "`commercial`: <no> weights")
    site = Visitor(books, control, **facts | {"settings_rows": lambda: [row]})
    assert "<code>commercial</code>: &lt;no&gt; weights" in site.get("/settings").text

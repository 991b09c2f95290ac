"""The page on the watch: what moved, what is out of line, the month's end; and its buttons, each with an undo."""

from __future__ import annotations

import pytest

from demitasse.core.limits import Alert
from demitasse.web import drift_charts
from demitasse.web.drift_facts import Day, WatchFacts
from demitasse.web.drift_views import as_json, groups, value_text

from . import drift_world, fakes
from .conftest import Visitor
from .fakes import NOW_US


def site(facts, alerts=()) -> Visitor:
    books, control, more = fakes.full_site()
    books.all_alerts += alerts
    watch = drift_world.FakeWatch(facts)
    visitor = Visitor(books, control, **more, watch=watch)
    visitor.watch = watch
    return visitor


@pytest.fixture
def loud() -> Visitor:
    return site(drift_world.loud(), drift_world.ALERTS)


def test_the_page_says_where_everything_stands(loud):
    page = loud.get("/watch").text
    for said in (
        "$1,131.00",
        "[$1,058.00, $1,214.00]",
        "crt_7f3a9c21",
        "it takes 5 whole days with calls; there are 2",
        "nightly-embeddings",
    ):
        assert said in page
    assert page.count("▲</span> moved") == 3


def test_each_thing_that_needs_a_person_has_one_command_one_undo_and_their_button(loud):
    page = loud.get("/watch?needs=all").text
    for alert in drift_world.ALERTS[:3]:
        assert alert.remedy in page.replace("&#39;", "'") and alert.undo in page
    assert page.count('action="/watch/do"') == 3
    assert "to the reference" in page and "set the budget" in page and "it is the usual now" in page


def test_the_same_is_there_as_json(loud):
    told = loud.json("/watch?needs=all")
    assert told["needs_more"] == 0
    assert {row["route"] for row in told["facts"]["streams"]} >= {"support", "young"}
    ours = [need for need in told["needs"] if need["alert"]["kind"].startswith(("drift_", "spend_"))]
    assert [need["button"] for need in ours] == ["set the budget", "to the reference", "it is the usual now"]


def test_what_needs_somebody_is_the_same_as_on_the_overview(loud):
    assert "asked the same thing 212 times" in loud.get("/watch").text
    assert loud.json("/watch")["needs"] == loud.json("/")["needs"]


def test_a_press_does_what_the_command_would_and_a_second_takes_it_back(loud):
    said = loud.said(loud.press("/watch/do", alert="drift-support-length", back="/watch"))
    assert "route &#39;support&#39; is back on its reference" in said
    assert loud.control.done == [("undo", "support"), ("resolve_alert", "drift-support-length")]
    loud.undo(said)
    assert loud.control.done[2:] == [("promote", "crt_7f3a9c21"), ("reopen_alert", "drift-support-length")]


def test_a_budget_is_set_by_a_press_and_removed_by_the_undo(loud):
    said = loud.said(loud.press("/watch/do", alert="spend-key-nightly-1", back="/watch"))
    name, budget = loud.control.done[0]
    assert (name, budget.name, budget.scope, budget.subject) == (
        "set_budget",
        "watch-nightly",
        "key",
        "nightly-embeddings-of-everything",
    )
    assert (budget.limit_nanos, budget.period) == (20_000_000_000, "day")
    loud.undo(said)
    assert ("remove_budget", "watch-nightly") in loud.control.done


def test_what_is_the_usual_now_is_said_and_taken_back(loud):
    said = loud.said(loud.press("/watch/do", alert="drift-long-failed", back="/watch"))
    loud.undo(said)
    said = loud.said(loud.press("/watch/accept", name="titles/cost", back="/watch"))
    loud.undo(said)
    assert loud.watch.done == [
        ("accept", "titles", "failed"), ("unaccept", "titles", "failed"), ("accept", "titles", "cost"), ("unaccept", "titles", "cost"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "fields", "why"),
    [
        ("/watch/do", {"alert": "gone"}, "there is no such alert"),
        ("/watch/do", {"alert": "odd"}, "no button does this; type it: rm -rf"),
        ("/watch/accept", {"name": "titles/smell"}, "nothing is watched"),
        ("/watch/accept", {"name": "titles"}, "nothing is watched"),
    ],
)
def test_what_cannot_be_done_says_why(path, fields, why):
    visitor = site(drift_world.loud(), [Alert("odd", NOW_US, "drift_cost", "x", "odd", "rm -rf", undo="rm -rf")])
    assert why in visitor.said(visitor.press(path, **fields, back="/watch"))


def test_the_overview_shows_the_same_button(loud):
    loud.books.all_alerts = [drift_world.ALERTS[1]]
    page = loud.get("/").text
    assert 'action="/watch/do"' in page and "to the reference" in page


def test_empty_states_teach(empty):
    page = empty.get("/watch").text
    assert "Nothing to watch yet" in page and "nobody has looked yet" in page
    few = site(drift_world.quiet()).get("/watch").text
    assert "a forecast takes 5 whole days; 2 whole days are known" in few
    assert "what calls look like, cost and take is as it was" in few


def test_routes_where_something_moved_come_first_and_those_without_data_last():
    found = groups(drift_world.loud().streams)
    assert [group.route for group in found][:1] == ["support"]
    assert [group.route for group in found][-2:] == ["rare", "young"]
    assert [bool(group.needs) for group in found] == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.00312, "usd", "$0.00312"), (1240.5, "usd", "$1,240.50"), (231.4, "ms", "231 ms"), (1840.0, "ms", "1.8 s"), (0.0831, "share", "8.3%"), (812.3, "tokens", "812"), (None, "ms", "–")],
)  # fmt: skip
def test_values_read_as_people_write_them(value, unit, text):
    assert value_text(value, unit) == text


def test_the_months_chart_has_each_day_once_and_the_days_to_come_in_another_colour():
    row = drift_world.forecast()
    option = drift_charts.month(row, NOW_US)
    spent, expected = option["series"]
    assert len(spent["data"]) == len(option["xAxis"]["data"]) == len(row.daily) + len(row.ahead)
    assert len(set(option["xAxis"]["data"])) == len(option["xAxis"]["data"])
    assert [one is not None for one in expected["data"]] == [False] * len(row.daily) + [True] * len(row.ahead)


def test_a_line_stays_in_its_box():
    points = [
        tuple(map(float, point.split(",")))
        for point in drift_charts.line(drift_world.days(5.0, __import__("random").Random(1), 9.0)).split()
    ]
    assert all(0 <= x <= drift_charts.WIDE and 0 <= y <= drift_charts.HIGH for x, y in points)
    assert points[-1][0] > points[0][0]
    assert drift_charts.line((Day(0, 1.0, 1),)) == ""
    assert drift_charts.line((Day(0, 0.0, 1), Day(1, 0.0, 1)))


def test_the_command_line_tells_nothing_of_other_alerts():
    told = as_json(drift_world.loud(), [*drift_world.ALERTS, Alert("a", 0, "budget_soft", "x", "y")])
    assert {alert["kind"] for alert in told["alerts"]} == {
        "spend_anomaly",
        "drift_inputs",
        "drift_failures",
        "drift_over",
    }
    assert as_json(WatchFacts(looked_us=None), [])["forecast"] is None


def test_what_waits_for_a_person_passes_by_a_press_and_waits_again_by_the_undo(loud):
    waits = Alert(
        "approve-0a1b2c3d4e",
        NOW_US,
        "approval_needed",
        "app",
        "a call of key 'app' waits for a person",
        "demitasse guard approve 0a1b2c3d4e",
        undo="demitasse guard withdraw 0a1b2c3d4e",
    )
    loud.books.all_alerts = [waits, *loud.books.all_alerts]
    assert "let it pass" in loud.get("/").text
    said = loud.said(loud.press("/watch/do", alert=waits.id, back="/"))
    loud.undo(said)
    assert [done for done in loud.control.done if done[0].startswith("let")] == [
        ("let_pass", "0a1b2c3d4e"),
        ("let_wait", "0a1b2c3d4e"),
    ]

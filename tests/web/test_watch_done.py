"""What was done for an alert stands on the pages with its undo for as long as it is in force; spent and expected are told apart."""

from __future__ import annotations

import pytest
from msgspec import structs

from demitasse.core.limits import Alert, Budget, Spent
from demitasse.web import drift_charts

from . import drift_world, fakes
from .conftest import Visitor
from .fakes import NOW_US

SET, INPUTS, ACCEPT = (structs.replace(alert, resolved_us=NOW_US) for alert in drift_world.ALERTS[:3])


def site(
    alert: Alert, *, undone: bool = False, served: bool = False, accepted: bool = False, budget: bool = False
) -> Visitor:
    books, control, more = fakes.full_site()
    books.all_alerts = [alert]
    if budget:
        books.spents.append(Spent(Budget("watch-nightly", limit_nanos=20_000_000_000), "2026-11-21", 0, 0))
    rows = [(fakes.certificate(), "undone", NOW_US, "")] * undone
    rows += [(fakes.certificate("crt_new"), "promoted", NOW_US, "")] * served
    more["evidence"] = fakes.FakeEvidence([], rows)
    facts = drift_world.loud()
    since = NOW_US if accepted else None
    streams = [
        structs.replace(row, since_us=since) if (row.route, row.stream) == ("titles", "failed") else row
        for row in facts.streams
    ]
    return Visitor(books, control, **more, watch=drift_world.FakeWatch(structs.replace(facts, streams=tuple(streams))))


@pytest.mark.parametrize("path", ["/watch", "/"])
@pytest.mark.parametrize(
    ("alert", "holds", "word"),
    [
        (SET, {"budget": True}, "remove the budget"),
        (INPUTS, {"undone": True}, "promote again"),
        (ACCEPT, {"accepted": True}, "compare as before"),
    ],
)
def test_what_a_button_did_stands_with_its_undo_while_it_is_in_force(path, alert, holds, word) -> None:
    there = site(alert, **holds)
    page = there.get(path).text
    assert "Done, and in force" in page and alert.undo in page and word in page
    assert 'action="/watch/undo"' in page and f'value="{alert.id}"' in page
    assert [one["alert"]["id"] for one in there.json(path)["in_force"]] == [alert.id]
    there.press("/watch/undo", alert=alert.id, back=path)
    assert ("reopen_alert", alert.id) in there.control.done

    assert "Done, and in force" not in site(alert).get(path).text, "it was taken back, or never done"
    waits = structs.replace(alert, resolved_us=None)
    assert "Done, and in force" not in site(waits, **holds).get(path).text, "it waits still"


def test_a_route_that_another_certificate_serves_is_not_taken_back() -> None:
    assert site(INPUTS, undone=True).json("/watch")["in_force"]
    assert not site(INPUTS, undone=True, served=True).json("/watch")["in_force"]


def test_what_one_undo_takes_back_stands_once() -> None:
    there = site(SET, budget=True)
    there.books.all_alerts = [SET, structs.replace(SET, id="older", at_us=1)]
    assert [one["alert"]["id"] for one in there.json("/watch")["in_force"]] == [SET.id]


def test_todays_spent_amount_is_drawn_as_spent_and_the_rest_of_it_as_expected() -> None:
    row = drift_world.forecast()
    option = drift_charts.month(row, NOW_US)
    spent, expected = option["series"]
    today = len(row.daily)
    assert (spent["name"], spent["data"][today], expected["data"][today]) == ("spent", row.today_usd, row.ahead[0])
    assert spent["stack"] == expected["stack"]
    assert spent["data"][today + 1 :] == [None] * (len(row.ahead) - 1) and expected["data"][:today] == [None] * today
    assert spent["itemStyle"] != expected["itemStyle"]
    assert len(spent["data"]) == len(expected["data"]) == len(option["xAxis"]["data"])
    bare = drift_charts.month(structs.replace(row, ahead=()), NOW_US)
    assert bare["series"][0]["data"][today] == row.today_usd and len(bare["xAxis"]["data"]) == today + 1

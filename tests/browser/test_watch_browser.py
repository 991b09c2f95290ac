"""The page on the watch as a person has it before them. ``DEMITASSE_SCREENSHOTS=DIR`` keeps the pictures to be looked at."""

from __future__ import annotations

import pytest
from msgspec import structs
from playwright.sync_api import expect
from web import drift_world, fakes

from demitasse.core.limits import Budget, Spent

from .conftest import Site
from .test_dashboard import CLIPPED, CONTRAST, keep

pytestmark = pytest.mark.browser


DONE = structs.replace(
    drift_world.ALERTS[0],
    id="spend-key-batch-1",
    message="key 'batch' spent $9.10 in the hour from 20 Nov 22:00 UTC, usually $0.20 and never more than $0.60",
    remedy="demitasse budgets set watch-batch 10/day --key batch",
    undo="demitasse budgets remove watch-batch",
    resolved_us=drift_world.NOW_US,
)


def world(facts, alerts=()):
    books, control, more = fakes.full_site()
    books.all_alerts += alerts
    books.spents.append(Spent(Budget("watch-batch", limit_nanos=10_000_000_000), "2026-11-21", 0, 0))
    return Site(books, control, {**more, "watch": drift_world.FakeWatch(facts)})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_the_watch_fits_its_window_in_silence(open_page, width, scheme):
    with world(drift_world.loud(), (*drift_world.ALERTS, DONE)) as site:
        page = open_page(f"{site.url}/watch", width=width, scheme=scheme)
        page.wait_for_selector(".chart svg")
        expect(page.get_by_role("heading", name="Done, and in force")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CLIPPED) == []
        assert page.evaluate(CONTRAST) == []
        keep(page, f"watch-{width}-{scheme}")


@pytest.mark.parametrize("width", [390, 1024])
def test_what_is_in_force_stands_on_the_overview_too_and_fits(open_page, width):
    with world(drift_world.loud(), (DONE,)) as site:
        page = open_page(f"{site.url}/", width=width)
        expect(page.get_by_role("heading", name="Done, and in force")).to_be_visible()
        expect(page.get_by_role("button", name="remove the budget")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CLIPPED) == []
        keep(page, f"overview-in-force-{width}")


def test_an_empty_and_a_quiet_watch_teach_in_silence(bare_site, open_page):
    page = open_page(f"{bare_site.url}/watch")
    expect(page.get_by_role("heading", name="Nothing to watch yet")).to_be_visible()
    keep(page, "watch-empty")
    with world(drift_world.quiet()) as site:
        page = open_page(f"{site.url}/watch")
        page.wait_for_selector(".chart svg")
        keep(page, "watch-quiet")


def test_a_route_goes_back_and_forth_by_two_presses(open_page):
    with world(drift_world.loud(), drift_world.ALERTS) as site:
        page = open_page(f"{site.url}/watch")
        page.get_by_role("button", name="to the reference: support").click()
        expect(page.get_by_role("status")).to_contain_text("is back on its reference")
        page.get_by_role("status").get_by_role("button", name="undo").click()
        expect(page.get_by_role("status")).to_contain_text("is in force on route 'support'")

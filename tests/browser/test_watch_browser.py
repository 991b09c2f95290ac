"""The page on the watch as a person has it before them. ``DEMITASSE_SCREENSHOTS=DIR`` keeps the pictures to be looked at."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from web import drift_world, fakes

from .conftest import Site
from .test_dashboard import CLIPPED, CONTRAST, keep

pytestmark = pytest.mark.browser


def world(facts, alerts=()):
    books, control, more = fakes.full_site()
    books.all_alerts += alerts
    return Site(books, control, {**more, "watch": drift_world.FakeWatch(facts)})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_the_watch_fits_its_window_in_silence(open_page, width, scheme):
    with world(drift_world.loud(), drift_world.ALERTS) as site:
        page = open_page(f"{site.url}/watch", width=width, scheme=scheme)
        page.wait_for_selector(".chart svg")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CLIPPED) == []
        assert page.evaluate(CONTRAST) == []
        keep(page, f"watch-{width}-{scheme}")


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

"""The names of all pages are whole at every width, logged in, with the keyboard as with the pointer."""

from __future__ import annotations

import pytest

from demitasse.web.app import PAGES

from .test_dashboard import keep

pytestmark = pytest.mark.browser

CUT = """() => [...document.querySelectorAll('.top nav a')].filter((a) => {
    const box = a.getBoundingClientRect();
    const y = (box.top + box.bottom) / 2;
    return box.left < 0 || box.right > innerWidth || a.scrollWidth > a.clientWidth
        || [box.left + 3, box.right - 3].some((x) => document.elementFromPoint(x, y)?.closest('a') !== a);
}).map((a) => a.textContent)"""
OVER = "[...document.querySelectorAll('.settings, .labelled')].filter((t) => t.scrollWidth > t.closest('.scroll').clientWidth + 1).length"


@pytest.fixture
def entered(guarded_site, open_page):
    def enter(**more):
        page = open_page(guarded_site.url + "/login", **more)
        page.get_by_label("key").fill("dmt_a_admin")
        page.get_by_role("button", name="log in").click()
        page.wait_for_url(guarded_site.url + "/")
        return page

    return enter


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1024, 1280, 1366, 1600])
def test_no_pages_name_is_cut(entered, guarded_site, width, scheme):
    page = entered(width=width, scheme=scheme)
    names = page.locator(".top nav a").all_inner_texts()
    assert names == [one.name for one in PAGES]
    assert page.evaluate(CUT) == []
    keep(page, f"names-{width}-{scheme}")
    for path in ("/settings", "/review", "/ledger"):
        page.goto(guarded_site.url + path)
        assert page.evaluate(CUT) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(OVER) == 0, path
        keep(page, f"names{path.replace('/', '-')}-{width}-{scheme}")


def test_every_name_is_reached_by_keyboard(entered):
    page = entered()
    reached = []
    for _ in range(4 + len(PAGES)):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.closest('.top nav') && document.activeElement.textContent")
        )
    assert [name for name in reached if name] == [one.name for one in PAGES]

"""The dashboard as a person has it before them. ``DEMITASSE_SCREENSHOTS=DIR`` keeps the pictures to be looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect
from web.fakes import NOW_US, entry

pytestmark = pytest.mark.browser

PATHS = ["/", "/ledger", "/budgets", "/engines", "/cache", "/settings", "/components"]
CLIPPED = """() => [...document.querySelectorAll('body *')].filter((e) => {
    const box = e.getBoundingClientRect();
    if (box.width === 0 || box.right <= innerWidth + 1) return false;
    for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return false;
    return true;
}).map((e) => e.outerHTML.slice(0, 120))"""
CONTRAST = """() => {
    const lum = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] > 0.99) return c.slice(0, 3); } return [255, 255, 255]; };
    const weak = [];
    for (const e of document.querySelectorAll('main *, header *')) {
        if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.closest('svg, .faded, :disabled, option')) continue;
        if (!e.checkVisibility()) continue;
        const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(behind(e))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) weak.push(`${ratio.toFixed(1)} ${e.textContent.trim().slice(0, 40)}`);
    }
    return weak;
}"""


def keep(page, name):
    if folder := os.environ.get("DEMITASSE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_every_page_fits_its_window_in_silence(site, open_page, width, scheme):
    page = open_page(site.url, width=width, scheme=scheme)
    for path in [*PATHS, f"/ledger/{site.books.rows[100].id}"]:
        page.goto(site.url + path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(CLIPPED) == [], path
        assert page.evaluate(CONTRAST) == [], path
        keep(
            page,
            f"{path.strip('/').split('/c0')[0].replace('/', '-') or 'overview'}{'-entry' if '/c0' in path else ''}-{width}-{scheme}",
        )


def test_empty_books_teach_in_silence(bare_site, open_page):
    page = open_page(bare_site.url)
    for path in PATHS:
        page.goto(bare_site.url + path)
        page.wait_for_load_state("networkidle")
        keep(page, f"empty-{path.strip('/') or 'overview'}")
    page.goto(bare_site.url)
    expect(page.get_by_role("heading", name="No calls yet: paste this")).to_be_visible()


def test_the_chart_is_drawn_in_the_themes_colours(site, open_page):
    page = open_page(site.url)
    page.wait_for_selector(".chart svg")
    fills = "() => [...document.querySelectorAll('.chart svg path')].map((p) => p.getAttribute('fill'))"
    assert {"#0072b2", "#009e73"} <= set(page.evaluate(fills))
    page.get_by_role("button", name="switch between light and dark").click()
    assert {"#56b4e9", "#23b98f"} <= set(page.evaluate(fills))


def test_pointing_at_a_column_tells_its_figures(site, open_page):
    page = open_page(site.url)
    page.wait_for_selector(".chart svg")
    box = page.locator(".chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    tip = page.locator(".tip")
    tip.wait_for()
    assert "would have cost" in tip.inner_text()
    keep(page, "tip")


def test_the_theme_is_remembered(site, open_page):
    page = open_page(site.url)
    page.get_by_role("button", name="switch between light and dark").click()
    page.goto(site.url + "/ledger")
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_new_calls_stream_in_by_themselves(site, open_page):
    page = open_page(site.url)
    site.books.rows.append(entry(NOW_US, id="c-just-now", key="somebody-new"))
    page.locator("#why-c-just-now").wait_for(timeout=10_000)
    assert page.locator("#live tbody tr").first.inner_text().startswith("12:52:03")


def test_the_stream_holds_still_under_the_pointer(site, open_page):
    page = open_page(site.url)
    page.locator("#live tbody tr").first.hover()
    site.books.rows.append(entry(NOW_US, id="c-just-now"))
    page.wait_for_timeout(2_600)
    assert page.locator("#why-c-just-now").count() == 0
    page.mouse.move(5, 5)
    page.locator("#why-c-just-now").wait_for(timeout=10_000)


def test_why_is_one_click_from_the_stream(site, open_page):
    page = open_page(site.url)
    page.locator("#live .why a").first.click()
    expect(page.get_by_role("heading", name="What it cost")).to_be_visible()


def test_a_limit_is_raised_and_undone_with_two_presses(site, open_page):
    page = open_page(site.url + "/budgets")
    page.get_by_label("new limit of default in dollars").fill("20")
    page.locator("form.change").first.get_by_role("button", name="set").click()
    expect(page.get_by_role("status")).to_contain_text("is now $20.00 a day")
    keep(page, "said")
    page.get_by_role("status").get_by_role("button", name="undo").click()
    expect(page.get_by_role("status")).to_contain_text("is now $5.00 a day")
    assert [name for name, *_ in site.control.done] == ["set_budget", "set_budget"]


def test_a_paused_key_is_resumed_from_the_overview(site, open_page):
    page = open_page(site.url)
    page.get_by_role("button", name="resume").click()
    expect(page.get_by_role("status")).to_contain_text("may call again")
    expect(page.get_by_role("button", name="resume")).to_have_count(0)


def test_a_key_is_made_shown_and_gone(site, open_page):
    page = open_page(site.url + "/budgets")
    page.get_by_text("new key").click()
    page.get_by_label("name").last.fill("carol")
    keep(page, "new-key")
    page.get_by_role("button", name="create key").click()
    expect(page.get_by_label("the key", exact=True)).to_contain_text("dmt_")
    keep(page, "key-once")
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("link", name="carol")).to_be_visible()
    assert "0123456789abcdef" not in page.content()


def test_revoking_takes_two_presses_and_escape_leaves(site, open_page):
    page = open_page(site.url + "/budgets")
    row = page.get_by_role("row", name="alice")
    row.get_by_text("revoke", exact=True).click()
    keep(page, "revoke-asked")
    page.keyboard.press("Escape")
    assert not row.get_by_role("button", name="revoke alice").is_visible()
    row.get_by_text("revoke", exact=True).click()
    row.get_by_role("button", name="revoke alice").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked for good")
    assert site.control.done == [("revoke_key", "a1b2c3")]


def test_the_ledger_is_filtered_and_paged(site, open_page):
    page = open_page(site.url + "/ledger")
    page.get_by_label("key").fill("alice")
    page.get_by_role("button", name="show").click()
    page.wait_for_url("**key=alice**")
    assert set(page.locator(".calls .who").all_inner_texts()) == {"support/alice"}
    page.get_by_role("link", name="older").click()
    page.wait_for_url("**before=**")
    assert set(page.locator(".calls .who").all_inner_texts()) == {"support/alice"}


def test_everything_is_reached_by_keyboard_and_seen(site, open_page):
    page = open_page(site.url)
    seen = []
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "() => [document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    names = [name for name, _ in seen]
    assert names[0] == "skip to the page"
    assert {"Ledger", "Budgets", "◐", "Today"} <= set(names)
    assert {style for _, style in seen} == {"solid"}


def test_a_login_leads_to_the_page_that_was_asked_for(guarded_site, open_page):
    page = open_page(guarded_site.url + "/cache")
    keep(page, "login")
    page.get_by_label("key").fill("dmt_r_read")
    page.get_by_role("button", name="log in").click()
    expect(page.get_by_role("heading", name="Cache", exact=True)).to_be_visible()
    assert page.get_by_role("button", name="clear").count() == 0
    page.get_by_role("button", name="log out").click()
    expect(page.get_by_label("key")).to_be_visible()


def test_pages_work_without_scripts(site, open_page):
    page = open_page(site.url + "/budgets", java_script_enabled=False)
    page.get_by_label("new limit of default in dollars").fill("7")
    page.locator("form.change").first.get_by_role("button", name="set").click()
    expect(page.get_by_role("status")).to_contain_text("is now $7.00 a day")

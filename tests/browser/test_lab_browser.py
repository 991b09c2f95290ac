"""The lab's pages before a real browser. ``DEMITASSE_SCREENSHOTS=DIR`` keeps the pictures to be looked at."""

from __future__ import annotations

import pytest
from msgspec import structs
from playwright.sync_api import expect
from web import fakes, lab_world

from demitasse.build.lab_pages import LabFolder
from demitasse.lab.evals import result

from .conftest import Site
from .test_dashboard import CLIPPED, CONTRAST, keep

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    data = tmp_path_factory.mktemp("lab")
    return data, lab_world.full(data)


@pytest.fixture
def lab(world):
    books, control, facts = fakes.full_site()
    with Site(books, control, facts | {"lab": LabFolder(world[0])}) as running:
        yield running


def pages(ids):
    small, large = ids["smollm2-135m"], ids["gpt-5.1"]
    return {
        "evaluations": "/evaluations",
        "evaluation": f"/evaluations/{small}",
        "running": f"/evaluations/{ids['running']}",
        "sample": f"/evaluations/{small}/samples/0",
        "compare": f"/evaluations/compare?a={small}&b={large}&which=b",
        "frontier": "/frontier",
        "made": "/models/made/headlines-logreg",
        "models": "/engines",
        "overview": "/",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_every_page_of_the_lab_fits_its_window_in_silence(lab, world, open_page, width, scheme):
    page = open_page(lab.url + "/evaluations", width=width, scheme=scheme)
    for name, path in pages(world[1]).items():
        page.goto(lab.url + path)
        page.wait_for_load_state("networkidle")
        keep(page, f"lab-{name}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(CLIPPED) == [], path
        assert page.evaluate(CONTRAST) == [], path


def test_empty_pages_of_the_lab_teach_in_silence(tmp_path, open_page):
    books, control, facts = fakes.full_site()
    with Site(books, control, facts | {"lab": LabFolder(tmp_path)}) as site:
        page = open_page(site.url + "/evaluations")
        expect(page.get_by_role("heading", name="Nothing evaluated yet: paste this")).to_be_visible()
        for name in ("evaluations", "evaluations/compare", "frontier", ""):
            page.goto(f"{site.url}/{name}")
            page.wait_for_load_state("networkidle")
            keep(page, f"lab-empty-{name.replace('/', '-') or 'overview'}")
            assert page.evaluate(CLIPPED) == [] and page.evaluate(CONTRAST) == []
        expect(page.locator(".quality-costs")).to_contain_text("demitasse evaluate questions.csv")


def test_two_are_chosen_and_compared_and_a_sample_is_opened_by_keyboard(lab, open_page):
    page = open_page(lab.url + "/evaluations")
    page.get_by_role("radio", name="headlines-logreg as candidate").check()
    page.get_by_role("radio", name="gpt-5.1 as reference").check()
    page.get_by_role("button", name="compare A with B").click()
    expect(page.get_by_role("heading", name="A headlines-logreg against B gpt-5.1")).to_be_visible()
    page.get_by_role("link", name="B right, A wrong").click()
    expect(page.locator(".pair").first.locator(".side").first).to_contain_text("✕ wrong")
    page.locator(".pair").first.get_by_role("link", name="open").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What was asked")).to_be_visible()


def test_a_sample_opens_in_its_place_and_hostile_text_stays_text(lab, world, open_page):
    page = open_page(f"{lab.url}/evaluations/{world[1]['smollm2-135m']}")
    first = page.locator("details.sample").first
    first.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(first.locator(".sample-body")).to_contain_text(lab_world.EVIL)
    assert page.locator("main script, main img").count() == 0


def test_the_frontier_is_drawn_and_tells_its_figures_under_the_pointer(lab, open_page):
    page = open_page(lab.url + "/frontier")
    page.wait_for_selector(".chart svg")
    assert "gpt-5.1" in page.locator(".chart svg").text_content()
    (at,) = [
        box
        for path in page.locator(".chart svg path[fill='#0072b2']").all()
        if (box := path.bounding_box()) and 6 < box["width"] < 20
    ][-1:]
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    tip = page.locator(".tip")
    tip.wait_for()
    assert "on the front" in tip.inner_text() and "score" in tip.inner_text()
    keep(page, "lab-frontier-tip")


def test_the_overview_shows_what_quality_costs_beside_the_rest(lab, open_page):
    page = open_page(lab.url)
    panel = page.locator(".quality-costs")
    expect(panel).to_contain_text("a point more")
    panel.locator(".chart svg").wait_for()


def test_a_running_evaluation_goes_on_by_itself_and_ends(tmp_path, open_page):
    task = lab_world.a_task(40)
    id = lab_world.running(tmp_path, task, "gpt-5-mini", done=3)
    books, control, facts = fakes.full_site()
    with Site(books, control, facts | {"lab": LabFolder(tmp_path)}) as site:
        page = open_page(f"{site.url}/evaluations/{id}")
        expect(page.locator(".progress")).to_contain_text("3 of 40")
        journal = result.folder(tmp_path, id) / "journal.jsonl"
        journal.write_bytes(journal.read_bytes() + b'"}\n{"kind":"answer","key":"more"}\n')
        expect(page.locator(".progress")).to_contain_text("5 of 40", timeout=10_000)
        path = result.folder(tmp_path, id)
        result.write_rows(path, ())
        result.write(path, structs.replace(result.load(path), state="complete"))
        expect(page.locator(".progress")).to_have_count(0, timeout=10_000)
        expect(page.locator("#samples")).to_contain_text("There is none.")


def test_the_lab_works_without_scripts(lab, world, open_page):
    page = open_page(f"{lab.url}/evaluations/{world[1]['gpt-5-mini']}", java_script_enabled=False)
    page.get_by_label("show").select_option("wrong")
    page.get_by_role("button", name="show").click()
    page.wait_for_url("**only=wrong**")
    assert page.locator("details.sample").count() == page.locator("details.sample", has_text="✕ wrong").count() > 0

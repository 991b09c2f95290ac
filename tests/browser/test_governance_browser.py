"""The governance page and a pack before a real browser. ``DEMITASSE_SCREENSHOTS=DIR`` keeps the pictures to be looked at."""

from __future__ import annotations

import io
import zipfile

import pytest
from web import fakes, governance_world
from web.test_waiting import Kept, waiting_alert

from .conftest import Site
from .test_dashboard import CLIPPED, CONTRAST, keep

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("governance")
    governance_world.full(made)
    return made


@pytest.fixture
def site(folder):
    books, control, facts = fakes.full_site()
    with Site(books, control, facts | {"governance": governance_world.pages(folder)}) as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_the_governance_page_and_a_card_fit_their_window_in_silence(site, open_page, width, scheme):
    page = open_page(site.url + "/governance", width=width, scheme=scheme)
    pages = {"table": "", "card": "/card?model=smollm2-135m", "detector": "/card?model=injection"}
    for name, path in pages.items():
        page.goto(f"{site.url}/governance{path}")
        page.wait_for_load_state("networkidle")
        keep(page, f"governance-{name}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(CLIPPED) == [], path
        assert page.evaluate(CONTRAST) == [], path


def test_the_governance_page_prints_without_buttons(site, open_page):
    page = open_page(site.url + "/governance", width=794, scheme="light")
    page.emulate_media(media="print")
    keep(page, "governance-print")
    assert page.locator("button:visible").count() == 0
    assert page.locator(".control:visible").count() >= 25


@pytest.mark.parametrize("chosen", ["", "dark"])
def test_paper_is_light_whatever_was_chosen_for_the_screen(site, open_page, chosen):
    page = open_page(site.url + "/governance", width=794, scheme="dark")
    if chosen:
        page.evaluate("chosen => document.documentElement.setAttribute('data-theme', chosen)", chosen)
    paper = "getComputedStyle(document.documentElement).getPropertyValue('--card').trim()"
    on_screen = page.evaluate(paper)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(paper) != on_screen
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("getComputedStyle(document.querySelector('.panel')).color") == "rgb(33, 26, 21)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_a_pack_reads_offline(folder, tmp_path, open_page, width, scheme):
    _, raw = governance_world.pages(folder).pack()
    zipfile.ZipFile(io.BytesIO(raw)).extractall(tmp_path)
    page = open_page((tmp_path / "index.html").as_uri(), width=width, scheme=scheme)
    for name in ("index", "guard", "certificates", "cards/smollm2-135m", "licences"):
        page.goto((tmp_path / f"{name}.html").as_uri())
        keep(page, f"pack-{name.replace('/', '-')}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate(CONTRAST) == [], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_an_empty_folder_fits_its_window(tmp_path, open_page, width, scheme):
    books, control, facts = fakes.full_site()
    with Site(books, control, facts | {"governance": governance_world.bare(tmp_path)}) as running:
        page = open_page(running.url + "/governance", width=width, scheme=scheme)
        keep(page, f"governance-empty-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CLIPPED) == []
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_what_waits_is_listed_read_and_decided(open_page, width, scheme):
    books, control, facts = fakes.full_site()
    with Site(books, control, facts | {"waiting": Kept()}) as running:
        page = open_page(running.url + "/waiting", width=width, scheme=scheme)
        keep(page, f"waiting-empty-{width}-{scheme}")
        books.all_alerts.append(waiting_alert())
        page.goto(running.url + "/waiting")
        for name in ("list", "read"):
            keep(page, f"waiting-{name}-{width}-{scheme}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            assert page.evaluate(CLIPPED) == [], name
            assert page.evaluate(CONTRAST) == [], name
            if name == "list":
                page.get_by_role("button", name="read").click()
                assert page.get_by_text("stands in the audit log").is_visible()

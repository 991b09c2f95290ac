"""The governance page: the same rows as in the pack, links that lead somewhere, a pack for whoever may have one."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from . import fakes, governance_world
from .conftest import Visitor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("governance")
    governance_world.full(made)
    return made


@pytest.fixture
def visitor(folder):
    books, control, facts = fakes.full_site()
    return Visitor(books, control, **facts, governance=governance_world.pages(folder))


def test_the_page_shows_every_row_with_its_status(visitor):
    told = visitor.get("/governance?format=json").json()["found"]
    text = visitor.get("/governance").text
    assert len(told["rows"]) >= 25 and sum(told["counts"].values()) == len(told["rows"])
    for row in told["rows"]:
        assert row["id"] in text and row["title"].replace("'", "&#39;") in text
    assert text.count('class="control"') == len(told["rows"])


def test_what_stands_and_what_is_missing_follow_from_the_books(visitor):
    rows = {row["id"]: row for row in visitor.get("/governance?format=json").json()["found"]["rows"]}
    assert rows["GV-1.3-002"]["status"] == "evidenced"  # a certificate and an evaluation
    assert rows["GV-6.1-007"]["status"] == "evidenced"  # a list, and nobody else was called
    assert rows["MS-2.11-001"]["status"] == "organisational"  # no run of BBQ
    assert rows["MS-2.9-002"]["status"] == "partial"  # never more
    assert rows["GV-1.6-003"]["status"] == "partial"  # the licence of 'mine' is not known


def test_every_link_of_a_row_leads_to_a_page(visitor):
    text = visitor.get("/governance").text
    places = set(re.findall(r'<a href="(/[^"]*)"', text))
    assert len(places) > 8
    for place in sorted(places):
        assert visitor.get(place.replace("&amp;", "&")).status == 200, place


def test_a_card_says_what_is_known_and_what_is_not(visitor):
    text = visitor.get("/governance/card?model=smollm2-135m").text
    assert "84.2 %" in text and "Apache-2.0" in text and "how it stands up to attacks" in text
    told = visitor.get("/governance/card?model=gpt-5.1&format=json").json()["card"]
    assert told["region"] == "eu-west" and told["calls"] == 60
    assert "No such model" in visitor.get("/governance/card?model=nothing").text


def test_a_pack_is_a_download_that_verifies(visitor, folder):
    from demitasse.build.governing import check_pack
    from demitasse.build.governing_sources import own_key

    visitor.get("/governance")
    answer = visitor.press("/governance/pack")
    assert answer.status == 200 and answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="evidence-2026-11-21.zip"'
    found = check_pack(answer.body, own_key(folder / "data"))
    assert found.valid and found.own
    assert "index.html" in zipfile.ZipFile(io.BytesIO(answer.body)).namelist()


def test_a_pack_is_not_made_for_a_form_from_elsewhere(visitor):
    assert (
        visitor.send(
            "POST", "/governance/pack", {"content-type": "application/x-www-form-urlencoded"}, b"csrf=wrong"
        ).status
        == 403
    )


def test_without_the_governance_part_the_page_says_so():
    books, control, facts = fakes.full_site()
    bare = Visitor(books, control, **facts)
    assert "Nothing is gathered here" in bare.get("/governance").text
    assert bare.get("/governance?format=json").json()["found"] is None


def test_the_page_tells_what_was_erased_by_whom_and_why_and_who_was_turned_away(visitor):
    text = visitor.get("/governance").text
    for said in (
        "texts of a person made unreadable",
        "command:ada",
        "for dpo",
        "request 17 of 2026",
        "master key changed",
        "a laptop was lost",
    ):
        assert said in text, said
    assert "held request read" in text and "key:olga" in text
    told = visitor.get("/governance?format=json").json()["found"]["security"]
    assert told["turned_away"] == {"too_many_wrong_keys": 88_410, "invalid_api_key": 1_206, "foreign_origin": 3}
    assert "<code>too_many_wrong_keys</code> 88,410" in text


def test_a_folder_in_which_nothing_has_happened_has_a_page_too(tmp_path):
    books, control, facts = fakes.full_site()
    text = Visitor(books, control, **facts, governance=governance_world.bare(tmp_path)).get("/governance").text
    assert "every request that came was a call" in text and "Nobody&#39;s texts were erased" in text.replace(
        "Nobody's", "Nobody&#39;s"
    )

"""Static files: what is vendored is what the list says, and a browser keeps what cannot change."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from demitasse.web import assets

VENDOR = assets.STATIC / "vendor"
LIST = json.loads((VENDOR / "vendor.json").read_text())


@pytest.mark.parametrize("item", LIST, ids=lambda item: item["name"])
def test_a_vendored_file_is_the_one_on_the_list_with_its_licence(item):
    assert set(item) >= {"name", "version", "licence", "file", "from", "sha256"}
    assert hashlib.sha256((VENDOR / item["file"]).read_bytes()).hexdigest() == item["sha256"]
    assert (VENDOR / item["licence_file"]).stat().st_size > 100
    for notice in item.get("notices", ()):
        assert (VENDOR / notice).exists()


def test_every_vendored_file_is_on_the_list():
    named = {"vendor.json"} | {name for i in LIST for name in (i["file"], i["licence_file"], *i.get("notices", ()))}
    assert {path.name for path in VENDOR.iterdir()} == named


def test_an_address_with_the_right_hash_is_kept_for_good(full):
    answer = full.get(assets.url("app.css"))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_address_without_it_is_asked_about_again(full):
    answer = full.get("/static/app.css")
    assert answer.headers["cache-control"] == "no-cache"
    again = full.get("/static/app.css", if_none_match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_what_can_be_packed_is_sent_packed(full):
    plain, packed = full.get("/static/app.js"), full.get("/static/app.js", accept_encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 2


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "..%2fapp.py",
        "vendor/../../app.py",
        "nothing.js",
        "vendor",
        "/etc/passwd",
        "vendor/echarts.LICENSE.txt",
    ],
)
def test_nothing_else_is_served(full, path):
    assert full.get("/static/" + path).status == 404


def test_our_own_files_load_nothing_from_elsewhere():
    for path in (*assets.STATIC.glob("app.*"), *(assets.STATIC.parent / "templates").rglob("*.html")):
        assert not re.search(r'(?:src|href|url\(|@import)["\s(=]+(?:https?:)?//', path.read_text()), path


def test_the_icon_is_found_without_reading_a_page(full):
    answer = full.get("/favicon.ico")
    assert full.get(answer.headers["location"]).headers["content-type"] == "image/svg+xml"

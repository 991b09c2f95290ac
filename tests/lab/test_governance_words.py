"""A pack's pages speak in words: nothing twice, shares in percent, names that a newcomer understands."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

pytest.importorskip("jinja2")

from demitasse.lab.governance.page import pages
from demitasse.lab.governance.words import label, moment, worded

LOOK: dict[str, Any] = {
    "at": "2026-11-20T09:30:00Z", "n": 14, "of": 14, "stayed": 3, "with_any": 1, "rate": 1 / 14, "interval": [0.0127, 0.3147],
    "found": {"EMAIL": 1}, "seed": 7, "method": "patterns",
}  # fmt: skip
GUARD: dict[str, Any] = {
    "about": "What was found.",
    "done": {"stays eu-*": 2, "redact EMAIL": 4},
    "residual": LOOK,
    "residual_runs": [LOOK],
    "counted": {"rows": 120, "of": 120, "whole": True},
}
HEAD = {"since": "2026-08-21T00:00:00Z", "until": "2026-11-21T00:00:00Z", "made": "2026-11-21T00:00:00Z", "by": "demitasse", "key": "k", "controls": {}}  # fmt: skip


def page(name: str, document: dict[str, Any]) -> str:
    return pages([], {name: document}, [], HEAD, {})[f"{name}.html"].decode()


def read(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text[text.index("<main>") :])))


def test_a_second_look_reads_as_sentences_do() -> None:
    said = read(page("guard", GUARD))
    assert "requests looked at 14" in said and "requests that still held something 1" in said
    assert "share of those looked at 7.1 %" in said and "1.3 % to 31.5 %" in said
    assert "calls that stayed on this machine, not looked at 3" in said
    assert "kept in eu-* 2" in said and "replaced EMAIL 4" in said
    assert "all 120 events of the ledger" in said and "whole" not in said
    assert "0.0714" not in said and " n 14" not in said and "with any" not in said
    assert said.count("requests looked at") == 1


def test_earlier_looks_are_shown_and_the_last_is_not_shown_again() -> None:
    earlier = LOOK | {"at": "2026-10-01T00:00:00Z", "n": 9}
    told = worded(GUARD | {"residual_runs": [earlier, LOOK]})
    assert [one["n"] for one in told["residual_runs"]] == [9]
    assert "residual_runs" not in worded(GUARD)


def test_the_documents_themselves_stay_as_they_are() -> None:
    before = repr(GUARD)
    worded(GUARD)
    assert repr(GUARD) == before


def test_what_was_counted_only_in_part_says_so() -> None:
    told = worded({"counted": {"rows": 90, "of": 1200, "whole": False}})
    assert told["counted"] == "the first 90 of 1,200 events of the ledger"


def test_names_say_what_they_mean_where_they_are() -> None:
    assert label("joined") == "clients' retries that joined a call under way"
    assert (label("n", "redteam"), label("n", "residual")) == ("attacks", "requests looked at")
    assert label("paid_usd") == "paid, USD" and label("proven_on") == "proven on"


def test_only_moments_become_days() -> None:
    assert moment("2026-11-20T09:30:00Z") == "20 Nov 2026, 09:30 UTC"
    assert moment("2026-11-01T00Z") == "1 Nov 2026" and moment("gpt-5.1-2026-10-14") == "gpt-5.1-2026-10-14"


def test_tables_name_their_cells_for_narrow_screens() -> None:
    text = page("history", {"about": "x", "checkpoints": [{"size": 95, "root": "ab" * 32}]})
    assert '<td data-name="root of the tree">' in text and "content:attr(data-name)" in text


def test_how_long_and_whether_something_is_kept_is_said_and_no_dash_is_left_to_be_read_as_unknown():
    span = {
        "from": "2026-07-24T12:52:03Z",
        "until": None,
        "days": None,
        "bodies": {"kept": True, "days": 7, "sample": 1.0},
    }
    told = worded({"keep_days": None, "least_days": 200, "bodies": {"kept": False}, "in_force": [span]})
    assert (told["keep_days"], told["least_days"], told["bodies"]) == ("for ever", 200, "not kept")
    assert told["in_force"][0]["days"] == "for ever" and told["in_force"][0]["bodies"] == "kept: days 7, sample 1.0"
    assert worded({"asked_by_profile": {"commercial": 1_200}})["asked_by_profile"] == "commercial 1,200"

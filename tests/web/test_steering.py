"""The pages that save: what is offered, what is promised, what another policy would have done; and their buttons."""

from __future__ import annotations

from msgspec import structs

from demitasse.core.evidence import Label

from . import fakes
from .conftest import Visitor
from .test_pages import text_of


def site(**more):
    books, control, facts = fakes.full_site(**more)
    return Visitor(books, control, **facts)


def test_savings_are_offered_from_the_safest_up_each_with_one_button(full):
    found = full.json("/savings")["offers"]
    assert [o["name"] for o in found] == [
        "exact-cache",
        "prompt-cache",
        "shadow",
        "route:contracts",
        "route:support",
        "semantic-cache",
    ]
    assert [o["state"] for o in found] == ["on", "file", "on", "off", "on", "off"]
    assert [bool(o["button"]) for o in found] == [True, False, True, True, True, True]


def test_a_switch_is_thrown_and_undone_with_two_presses(full):
    full.press("/savings/switch", name="semantic-cache", on="yes")
    text = text_of(full.get("/savings"))
    assert "semantic cache is on" in text and "undo" in text
    assert full.control.done[-1] == ("switch", "semantic-cache", True)


def test_a_certificate_is_put_in_force_and_taken_back(full):
    full.press("/certificates/promote", id="crt_contracts1")
    assert full.control.done[-1] == ("promote", "crt_contracts1")
    assert "the certificate is in force" in text_of(full.get("/routes"))
    full.press("/certificates/undo", route="support")
    assert full.control.done[-1] == ("undo", "support")
    assert "back on its reference" in text_of(full.get("/routes"))


def test_a_route_says_what_is_promised_on_how_many_calls_and_until_when(full):
    text = text_of(full.get("/routes"))
    assert "Quality is at least 95.0 % of always asking gpt-5.1, with 95 % confidence" in text
    assert "412 calls it was tested on" in text and "Valid to 20 Dec 2026" in text
    assert "answers fell below 95.0 %" in text
    assert "600 more labels (about $0.90, 2.0 days): about 53 % saved" in text


def test_evidence_counts_sessions_and_shows_its_interval(full):
    route = next(r for r in full.json("/routes")["routes"] if r["row"]["name"] == "support")
    learned = route["learned"]
    assert (learned["labels"], learned["judged"], learned["sessions"]) == (240, 240, 120)
    assert learned["low"] < learned["as_good"] < learned["high"]
    assert learned["cost_nanos"] == 240 * 9_100


def test_without_labels_the_page_says_how_to_get_some():
    text = text_of(site(evidence=fakes.FakeEvidence()).get("/routes"))
    assert "No label yet. Turn on shadow calls" in text
    assert "nothing is promised yet" in text


def test_a_label_that_nobody_judged_is_no_evidence():
    labels = [Label(f"c{i}", fakes.NOW_US, "support", "shadow", None) for i in range(3)]
    routes = site(evidence=fakes.FakeEvidence(labels)).json("/routes")["routes"]
    learned = next(r for r in routes if r["row"]["name"] == "support")["learned"]
    assert (learned["labels"], learned["judged"], learned["as_good"]) == (3, 0, None)


def test_an_expired_certificate_is_not_shown_in_force():
    rows = [(fakes.certificate(expires_us=fakes.NOW_US - 1), "promoted", 0, "")]
    routes = site(evidence=fakes.FakeEvidence(rows=rows)).json("/routes")["routes"]
    support = next(r for r in routes if r["row"]["name"] == "support")
    assert support["in_force"] is None and support["proofs"][0]["state"] == "expired"
    assert not support["proofs"][0]["promotable"]


def test_a_certificate_in_force_that_serves_nothing_is_not_shown_as_a_saving():
    why = "it promises 0.95 of the reference's quality, the route wants 0.98"
    rows = tuple(structs.replace(row, why_not=why) if row.name == "support" else row for row in fakes.ROUTES)
    visitor = site(routes=lambda: rows)
    text = text_of(visitor.get("/routes"))
    assert f"serves nothing, because {why}" in text and "Quality is at least 95.0 %" not in text
    offer = next(o for o in visitor.json("/savings")["offers"] if o["name"] == "route:support")
    assert offer["state"] == "waits" and why in offer["evidence"] and offer["button"] == "turn off"


def test_what_if_shows_money_quality_and_how_well_they_are_known(full):
    text = text_of(full.get("/what-if?route=support&serve=smollm2-135m"))
    assert "$12.30" in text and "$4.10" in text and "[$3.90, $4.40]" in text
    assert "97.1 %" in text and "3,021 exact" in text and "Most likely to get worse" in text


def test_what_if_without_a_choice_is_the_form_alone_and_a_wrong_one_is_said(full):
    assert "Choose a route" in text_of(full.get("/what-if"))
    assert "no model 'broken'" in text_of(full.get("/what-if?route=support&serve=broken"))


def test_without_routes_the_pages_teach():
    bare = site(routes=lambda: (), evidence=None)
    assert "No routes yet" in text_of(bare.get("/routes"))
    assert "nothing to choose between" in text_of(bare.get("/what-if"))


def test_shadow_calls_wait_for_a_ladder(full):
    bare = site(routes=lambda: (fakes.ROUTES[2],))
    offer = next(o for o in bare.json("/savings")["offers"] if o["name"] == "shadow")
    assert offer["state"] == "waits" and "no route has a ladder" in offer["evidence"] and not offer["button"]

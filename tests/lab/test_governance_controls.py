"""The control table: every row can be computed, and a status never says more than its proofs."""

from __future__ import annotations

import re

import pytest

from demitasse.lab.governance.controls import counts, judged, table
from demitasse.lab.governance.page import TITLES
from demitasse.lab.governance.proofs import FLOOR_DAYS, PROOFS, proven

ASKED = {  # safety.md's table
    "NIST AI 600-1": {
        "GV-1.3-002", "GV-1.6-001", "GV-1.6-003", "GV-1.7-001", "MG-2.4-004", "GV-6.1-007", "GV-6.2-006", "MS-2.2-002", "MS-2.2-004", "MS-2.3-002", "MS-2.5-003",
        "MS-2.7-004", "MS-2.7-007", "MS-2.8-003", "MS-2.9-002", "MS-2.11-001", "MS-2.12-003", "MG-4.1-002",
    },
    "EU AI Act": {"Art. 12", "Art. 19", "Art. 26(6)", "Art. 50"},
    "ISO/IEC 42001": {"A.6.2.4", "A.6.2.6", "A.6.2.8", "A.7.5", "A.10.3"},
}  # fmt: skip


def test_every_row_of_the_specification_is_there():
    found: dict[str, set[str]] = {}
    for control in table().control:
        found.setdefault(control.framework, set()).add(control.id)
    assert found == ASKED


def test_every_proof_that_a_row_needs_is_described_and_computed_and_none_besides():
    needed = {name for control in table().control for name in control.needs}
    assert needed == set(table().proof) == set(PROOFS)


def test_a_row_says_what_is_asked_in_one_sentence_and_what_stays_for_people():
    for control in table().control:
        assert re.fullmatch(r"[A-Z][^.]*\.", control.asks), control.id
        assert control.remains.endswith(".") and control.needs


def test_a_proof_says_how_where_and_what_would_make_it():
    for name, proof in table().proof.items():
        assert proof.how.endswith(".") and proof.make and proof.page.startswith("/") and proof.files, name
        document = PROOFS[name][0]
        assert document in TITLES and any(file in (f"{document}.json", "cards.html") for file in proof.files), name


@pytest.mark.parametrize("control", table().control, ids=lambda control: control.id)
def test_a_status_follows_from_the_proofs(control):
    def status(stands):
        found = {name: (name in stands, "says") for name in control.needs}
        return next(row for row in judged(found) if row.id == control.id).status

    assert status(set()) == "organisational"
    assert status(set(control.needs)) == control.most
    if len(control.needs) > 1:
        assert status({control.needs[0]}) == "partial"


def test_what_was_not_gathered_or_could_not_be_read_proves_nothing():
    assert not any(stands for stands, _ in proven({}).values())
    found = proven({name: {"failed": "the disk is gone"} for name in TITLES})
    assert not any(stands for stands, _ in found.values()) and "the disk is gone" in found["chain"][1]
    rows = judged(proven({}))
    assert counts(rows) == {"evidenced": 0, "partial": 0, "organisational": len(rows)}


def test_a_list_of_providers_proves_nothing_when_others_were_called():
    told = {"approved": ["openai"], "not_approved": {"mistral": 2}, "attempts": 9, "refused": {"total": 0}}
    assert proven({"providers": told})["providers_listed"][0]
    stands, says = proven({"providers": told})["providers_kept"]
    assert not stands and "mistral" in says
    assert proven({"providers": {**told, "not_approved": {}}})["providers_kept"][0]


def test_a_list_that_was_there_in_a_part_of_the_period_only_proves_nothing():
    gap = [{"from": "2026-11-01T00:00:00Z", "until": "2026-11-03T00:00:00Z"}]
    told = {"approved": ["openai"], "without_list": gap, "not_approved": {}, "attempts": 9, "refused": {"total": 0}}
    for name in ("providers_listed", "providers_kept"):
        stands, says = proven({"providers": told})[name]
        assert not stands and "2026-11-03" in says


def test_calls_from_before_the_ledger_told_of_settings_are_said_to_be_held_against_the_list_of_now():
    told = {"approved": ["openai"], "not_approved": {}, "attempts": 9, "undated": 4, "refused": {"total": 0}}
    stands, says = proven({"providers": told})["providers_kept"]
    assert stands and "4 of them are held against the list of now" in says


def test_a_drill_that_failed_is_no_proof():
    told = {"drills": [{"passed": False}], "happened": [{"calls": 3}]}
    assert proven({"failover": told})["fallback_drilled"] == (False, "1 drill, 0 passed; 3 real fail-overs")


def test_counted_findings_are_no_filtering():
    told = {"on": True, "guarded": 5, "calls": 9, "found": {"EMAIL": 3}, "acted": 0, "done": {}, "residual": None}
    found = proven({"guard": told})
    assert found["guard_counts"] == (True, "5 of 9 calls looked at, 3 findings (EMAIL 3)")
    assert not found["guard_acts"][0] and not found["residual"][0]


def test_half_a_year_is_183_days_and_not_one_less():
    told = {"floor_days": FLOOR_DAYS, "keep_days": 183, "oldest": "x", "days": 183}
    found = proven({"retention": told})
    assert found["retention"][0] and found["retention_shown"][0] and FLOOR_DAYS == 183
    assert not proven({"retention": {**told, "days": 182}})["retention_shown"][0]
    assert not proven({"retention": {**told, "keep_days": 182}})["retention"][0]


def test_a_chain_that_does_not_hold_is_told():
    told = {
        "events": 9,
        "holds": False,
        "problems": ["row 4 is not as it was written"],
        "checkpoints": [],
        "checkpoint_problems": [],
    }
    assert proven({"history": told})["chain"] == (False, "row 4 is not as it was written")

"""The register: what a house's profile allows, and what a person may take on."""

from __future__ import annotations

import pytest

from demitasse.core.approved import Approved
from demitasse.lab.governance.register import Accepted, NotLicensed, accepted, licensed, refuse

TAKEN = {"w": Accepted("read its licence", "ada", "2026-11-21T12:00:00Z")}


def row(licence: str, profile="commercial", **more):
    return licensed("w", kind="weights", provider="local", licence=licence, profile=profile, **more)


@pytest.mark.parametrize("licence", ["Apache-2.0", "MIT", "CC-BY-4.0", "llama3.1"])
def test_weights_whose_licence_allows_business_pass(licence):
    refuse(row(licence))
    assert row(licence).source


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", "Qwen research-only", "my non-commercial terms"])
def test_weights_that_forbid_business_are_refused_in_the_commercial_profile_and_there_alone(licence):
    with pytest.raises(NotLicensed, match="licences accept w --why"):
        refuse(row(licence))
    refuse(row(licence, profile="research"))
    assert "would not" in row(licence, profile="research").why


@pytest.mark.parametrize("licence", ["", "not stated", "Their Own Licence 7"])
def test_what_nobody_knows_is_refused_until_a_person_accepts_it(licence):
    assert row(licence).answer == "unknown"
    with pytest.raises(NotLicensed):
        refuse(row(licence), to="pulled")
    taken = row(licence, accepted=TAKEN)
    refuse(taken)
    assert "accepted by ada on 2026-11-21" in taken.why and taken.answer == "unknown"


def test_weights_that_may_not_be_changed_may_be_served():
    assert row("CC-BY-ND-4.0").answer == "conditions" and row("CC-BY-ND-4.0").allowed


def test_a_made_model_is_as_free_as_the_worst_of_base_data_and_teacher():
    assert not row("Apache-2.0", verdict=("refused", "its data are CC BY-NC.")).allowed
    assert row("CC-BY-NC-4.0", verdict=("allowed", "")).answer == "refused"


def test_hosted_models_hold_no_weights_and_their_terms_on_answers_are_told():
    told = licensed("large", kind="hosted", provider="openai", upstream="openai/gpt-5.1", profile="commercial")
    assert told.allowed and told.outputs == "refused" and told.outputs_source.startswith("https://openai.com/")


def test_what_the_store_holds_and_cannot_be_read_accepts_nothing():
    assert accepted(None) == {} and accepted({"w": 3}) == {} and accepted({"w": {"why": "x", "who": "y", "at": "z"}})


def test_a_provider_is_approved_by_the_list_or_because_nothing_leaves():
    anybody, listed = Approved(), Approved(("openai",))
    assert anybody("deepseek")
    assert listed("openai") and not listed("deepseek")
    assert listed("local") and listed("classifier") and listed("recorded") and listed("ollama", local=True)
    assert "nothing was sent" in listed.refusal("deepseek") and "openai" in listed.refusal("deepseek")


def test_a_server_that_is_no_known_providers_has_no_known_terms_until_they_are_accepted():
    told = licensed(
        "w", kind="server", provider="a server of your own at llm.example", upstream="", profile="commercial"
    )
    assert (told.answer, told.outputs, told.source, told.licence) == ("unknown", "unknown", "", "not stated")
    taken = licensed("w", kind="server", provider=told.provider, profile="commercial", accepted=TAKEN)
    assert taken.accepted is not None and "accepted by ada" in taken.why

"""Cards say what is known and what is not; their front matter is YAML, their bill of materials CycloneDX 1.6."""

from __future__ import annotations

import re
import uuid

import pytest
from msgspec.structs import replace

from demitasse.lab.governance.bom import bom
from demitasse.lab.governance.cards import (
    Energy,
    Evaluated,
    Figure,
    Identity,
    Issue,
    ModelCard,
    Priced,
    Use,
    as_json,
    file_name,
    front_matter,
    markdown,
)
from demitasse.lab.governance.register import licensed

BARE = ModelCard(
    name="openai/gpt-5.1", kind="hosted", made="2026-11-21T12:00:00Z", since="2026-08-23T12:00:00Z", until="2026-11-21T12:00:00Z", provider="openai",
    runs="unknown", region="unknown", identity=Identity(upstream=("gpt-5.1",)), licence=licensed("openai/gpt-5.1", kind="hosted", provider="openai", profile="research"),
)  # fmt: skip
FULL = ModelCard(
    name='made:a "b" | c', kind="made", made="2026-11-21T12:00:00Z", since="2026-08-23T12:00:00Z", until="2026-11-21T12:00:00Z", provider="local", runs="this machine",
    region="this machine", identity=Identity(("x",), "model.gguf", "ab" * 32, 1_000, "Q4_0", "hf:a/b", "smollm2", "LoRA rank 8"),
    licence=licensed("m", kind="weights", provider="local", licence="Apache-2.0", profile="commercial"), use="titles",
    prices=(Priced("hardware x", "this machine", {"uncached_in": 0.02, "text_out": None}, 0.001),),
    evaluations=(Evaluated("headlines", "2026-11-18T00:00:00Z", 400, 0.842, (0.806, 0.874), "cd" * 32, "free", "label", 3, "file:h.csv", "CC0-1.0", "run-1", 0.4),),
    safety=(Figure("red team", 0.02, (0.01, 0.04), 300, "2026-11-20T00:00:00Z"),), bias=(Figure("BBQ: bias score", -0.01, (-0.05, 0.03), 900, "2026-11-20T00:00:00Z"),),
    energy=(Energy("modelled", (0.001, 0.002), (0.0001, 0.001), 25),), issues=(Issue("2026-11-20T00:00:00Z", "drifted", True),), used_by=(Use("support", 25),),
    limits=("English only.",), data="Task headlines.",
)  # fmt: skip


def test_what_nobody_knows_is_said_and_what_is_known_is_not():
    told = " ".join(BARE.unknown)
    for word in ("weights", "computes", "price", "evaluation", "attacks", "bias", "energy", "trained on"):
        assert word in told, word
    assert FULL.unknown == ()
    assert "Unknown" in markdown(BARE) and "## Unknown" not in markdown(FULL)


def test_the_front_matter_is_yaml_that_says_the_same():
    yaml = pytest.importorskip("yaml", reason="needs the extra lab")
    for card in (BARE, FULL):
        _, front, body = markdown(card).split("---\n", 2)
        assert yaml.safe_load(front) == front_matter(card)
        assert f"# {card.name}" in body
    told = front_matter(FULL)
    assert told["license"] == "apache-2.0" and told["base_model"] == "smollm2"
    (result,) = told["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == 0.842 and result["dataset"]["revision"] == "cd" * 32
    assert front_matter(BARE)["license"] == "other" and front_matter(BARE)["license_link"].startswith("https://")


def test_a_card_tells_evaluations_with_date_n_interval_and_data():
    text = markdown(FULL)
    assert "| headlines | 2026-11-18 | 400 | 84.2% | 80.6% to 87.4% | 3 | cdcdcdcdcdcdcdcd… |" in text
    assert "route `support`: 25 calls" in text and "2026-11-20 open: drifted" in text
    assert as_json(FULL)["calls"] == 25


@pytest.mark.parametrize(
    ("name", "file"), [("openai/gpt-5.1", "openai-gpt-5.1"), ("made:a b", "made-a-b"), ("../..", "model"), ("é", "é")]
)
def test_a_models_name_becomes_that_of_a_file(name, file):
    assert file_name(name) == file and "/" not in file_name(name)


# ── CycloneDX 1.6: what the specification has, member by member ─────────────────────────────────────────────────────

COMPONENT = {
    "type",
    "bom-ref",
    "name",
    "version",
    "supplier",
    "hashes",
    "licenses",
    "externalReferences",
    "pedigree",
    "modelCard",
    "properties",
}
CARD = {"modelParameters", "quantitativeAnalysis", "considerations"}
CONSIDERATIONS = {
    "users",
    "useCases",
    "technicalLimitations",
    "performanceTradeoffs",
    "ethicalConsiderations",
    "environmentalConsiderations",
}


def test_a_bill_of_materials_has_only_members_of_the_specification():
    told = bom((BARE, FULL), at="2026-11-21T12:00:00Z", version="0.1")
    assert told["bomFormat"] == "CycloneDX" and told["specVersion"] == "1.6" and told["version"] == 1
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", told["serialNumber"]) and uuid.UUID(told["serialNumber"][9:])
    refs = [one["bom-ref"] for one in told["components"]]
    assert len(set(refs)) == len(refs) == 2
    for one in told["components"]:
        assert one["type"] == "machine-learning-model" and one.keys() <= COMPONENT
        assert one["modelCard"].keys() <= CARD and one["modelCard"].get("considerations", {}).keys() <= CONSIDERATIONS
        for licence in one["licenses"]:
            assert len({"id", "name"} & licence["license"].keys()) == 1
        for metric in one["modelCard"].get("quantitativeAnalysis", {}).get("performanceMetrics", ()):
            assert metric.keys() <= {"type", "value", "slice", "confidenceInterval"} and isinstance(
                metric["value"], str
            )
    full = told["components"][1]
    assert (
        full["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
        and full["licenses"][0]["license"]["id"] == "Apache-2.0"
    )
    assert {m["type"] for m in full["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]} == {
        "label",
        "safety",
        "bias",
    }


def test_the_same_bill_has_the_same_serial_number_and_another_model_another():
    one = bom((BARE,), at="2026-11-21T12:00:00Z", version="0.1")["serialNumber"]
    assert bom((BARE,), at="2026-11-21T12:00:00Z", version="0.1")["serialNumber"] == one
    assert bom((replace(BARE, name="other"),), at="2026-11-21T12:00:00Z", version="0.1")["serialNumber"] != one


def test_the_official_schema_accepts_the_bill():
    pytest.importorskip(
        "cyclonedx", reason="cyclonedx-python-lib[json-validation] is not installed: the schema was not asked"
    )
    import json

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    told = bom((BARE, FULL), at="2026-11-21T12:00:00Z", version="0.1")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(told)) is None
    told["components"][0]["colour"] = "blue"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(told)) is not None

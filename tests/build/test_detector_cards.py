"""Cards of the detectors that ship: their figures are those of the weights that are installed, and of the results that are kept."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench import cards as bench
from demitasse.build import governing_models
from demitasse.build.governing_detectors import detectors, measured
from demitasse.build.governing_models import Shelf, detector
from demitasse.build.governing_sources import opened, window
from demitasse.build.governing_view import look
from demitasse.config import load
from demitasse.guard.injection import pinned
from demitasse.lab.governance.bom import bom
from demitasse.lab.governance.cards import ModelCard, front_matter, markdown

NAMES = ("injection", "names")
NOW_US = 1_795_262_591_000_000


def card(name: str, folder: Path) -> ModelCard:
    with opened(load(None, {}, folder), folder / "data", clock=lambda: NOW_US) as sources:
        return look(sources, window(NOW_US)).card(name)


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_of_the_weights_that_are_installed(name: str) -> None:
    one = detectors()[name]
    found = measured(one)
    assert found is not None
    told = hashlib.sha256((files(one.package) / one.file).read_bytes()).hexdigest()
    assert found.sha256 == told, "run: python -m bench.injection (or bench.personal), then python -m bench.cards"
    if name == "injection":
        assert found.sha256 == pinned.SHA256


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_those_of_the_results_that_are_kept(name: str) -> None:
    one = detectors()[name]
    found = measured(one)
    assert found is not None
    days = {figure.at for figure in (*found.evaluations, *found.safety, *found.cpu)}
    again = bench.measured(one, max(days))
    if not bench.SHARED.is_dir():  # hashes of data that are in no package
        known = {figure.task: figure.data_sha256 for figure in found.evaluations}
        again = replace(again, evaluations=tuple(replace(e, data_sha256=known[e.task]) for e in again.evaluations))
    assert again == found, "run: python -m bench.cards"


@pytest.mark.parametrize("name", NAMES)
def test_a_detectors_card_tells_what_was_measured_with_day_number_data_and_interval(name: str, tmp_path: Path) -> None:
    one = card(name, tmp_path)
    assert len(one.evaluations) > 4 and one.safety and one.cpu
    for run in one.evaluations:
        assert run.at.startswith("20") and run.n > 0 and run.score is not None and run.source and run.licence
        assert len(run.data_sha256) == 64
        assert run.interval is None or run.interval[0] <= run.score <= run.interval[1]
    assert all(figure.at.startswith("20") for figure in (*one.safety, *one.cpu))
    assert one.licence.licence == "Apache-2.0" and one.data and len(one.limits) > 2
    text = markdown(one)
    assert "make one" not in text and ("µs" in text or " ms " in text)
    assert "No terms are known" not in text and one.licence.outputs == "allowed"
    assert not any(word in " ".join(one.unknown) for word in ("price", "evaluation", "attacks", "BBQ"))
    results = front_matter(one)["model-index"][0]["results"]
    assert {result["task"]["type"] for result in results} == {"text-classification"}
    metrics = bom([one], at="2026-11-21T12:00:00Z", version="0")["components"][0]["modelCard"]["quantitativeAnalysis"]
    assert {metric["type"] for metric in metrics["performanceMetrics"]} >= {"recall", "safety", "cpu"}


def test_the_injection_card_tells_false_alarms_and_disguises(tmp_path: Path) -> None:
    told = " ".join(figure.name for figure in card("injection", tmp_path).safety)
    for words in ("trigger words", "first messages", "homoglyph", "zero width", "not promised"):
        assert words in told


def test_weights_that_nobody_measured_show_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governing_models, "weights", lambda _one: b"other weights")
    origin = detector("injection")
    assert not origin.evaluations and not origin.safety and not origin.cpu
    assert any("other weights" in line for line in origin.limits)


def test_results_of_other_weights_are_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = bench._results
    monkeypatch.setattr(
        bench, "_results", lambda name: {**kept(name), "triggers": {**kept(name)["triggers"], "weights": "0123"}}
    )
    told = bench.measured(detectors()["injection"], "2026-11-21")
    assert not any("trigger words" in figure.name for figure in told.safety)
    assert "trigger words" in " ".join(told.lacking)


def test_a_detectors_terms_are_its_own(tmp_path: Path) -> None:
    shelf = Shelf(load(None, {}, tmp_path), tmp_path / "data", {})
    row = shelf.licensed(shelf.origin("names"))
    assert row.allowed and row.outputs == "allowed" and "nobody's terms" in row.outputs_say

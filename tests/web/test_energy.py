"""Energy and carbon by method: intervals that stay apart, estimates only where nothing was metered."""

from __future__ import annotations

from msgspec.structs import replace

from demitasse.core.call import Energy, Usage
from demitasse.core.entry import Attempt
from demitasse.core.hardware import Interval, hardware
from demitasse.core.ledger import Bucket
from demitasse.web.energy import Meter
from demitasse.web.export import as_markdown, as_text
from demitasse.web.report import build_report

from .fakes import FakeBooks

NOW_US = 1_795_262_591_000_000
HOUR = NOW_US // 3_600_000_000
SINCE_US = HOUR * 3_600_000_000
KWH_UJ = 3_600_000_000_000


class Estimator:
    """A joule a token and a joule a second, for one model."""

    def __call__(self, name, output_tokens, duration_s):
        low = round(output_tokens * 1e6)
        return Energy(low, low + round(duration_s * 1e6), "vendor") if name == "large" else None

    def lacking(self, name):
        return "not estimated: install it" if name == "elsewhere" else ""


METER = Meter(hardware(carbon_g_per_kwh=100), Estimator())


def bucket(model: str, **more) -> Bucket:
    fields = {
        "hour": HOUR,
        "key": "k",
        "team": "",
        "route": model,
        "model": model,
        "outcome": "answered",
        "cache": "miss",
    }
    return Bucket(**(fields | {"requests": 1, "attempts": 1} | more))


def report(*buckets: Bucket, meter: Meter = METER):
    return build_report(FakeBooks(buckets=list(buckets)), SINCE_US, NOW_US, NOW_US, meter)


def attempt(**more) -> Attempt:
    fields = {"model": "large", "provider": "openai", "upstream_model": "x", "status": "ok", "started_us": NOW_US}
    return Attempt(**(fields | {"duration_ms": 2000.0, "usage": Usage(text_out=3)} | more))


def test_methods_are_told_side_by_side_and_never_added():
    told = report(
        bucket("small", energy_modelled_low_uj=KWH_UJ, energy_modelled_high_uj=2 * KWH_UJ),
        bucket("tiny", energy_measured_low_uj=KWH_UJ, energy_measured_high_uj=KWH_UJ),
        bucket("large", text_out=10, duration_ms=4000.0),
    )
    assert [(e.method, e.low_uj, e.high_uj, e.calls) for e in told.energy] == [
        ("measured", KWH_UJ, KWH_UJ, None),
        ("modelled", KWH_UJ, 2 * KWH_UJ, None),
        ("vendor", 10_000_000, 14_000_000, 1),
    ]
    assert list(told.as_json()["energy_wh"]) == ["measured", "modelled", "vendor"]


def test_carbon_follows_this_machines_electricity_and_a_vendors_could_be_any():
    told = report(
        bucket("tiny", energy_measured_low_uj=KWH_UJ, energy_measured_high_uj=2 * KWH_UJ),
        bucket("large", text_out=3_600_000),
    )
    measured, vendor = told.energy
    assert measured.carbon_mg == Interval(100_000, 200_000)
    assert vendor.carbon_mg == Interval(45_000, 475_000)
    assert told.as_json()["carbon_g"] == {"measured": [100, 200], "vendor": [45, 475]}


def test_hits_and_refusals_neither_use_energy_nor_thin_out_the_mean():
    asked = bucket("large", text_out=10, duration_ms=4000.0, requests=2, attempts=2)
    hits = bucket("large", cache="exact", requests=1000, attempts=0, duration_ms=1.0)
    refused = bucket("", outcome="refused", cache="off", attempts=0)
    assert report(asked, hits, refused).energy == report(asked).energy
    assert report(asked).energy[0].calls == 2
    assert report(asked).energy[0].high_uj == 14_000_000


def test_what_would_help_is_said_only_where_a_hosted_model_answered():
    assert report(bucket("elsewhere", text_out=1)).energy_lacking == "not estimated: install it"
    assert report(bucket("elsewhere", cache="exact", attempts=0)).energy_lacking == ""
    assert report(bucket("small", text_out=1)).energy_lacking == ""
    assert report(bucket("elsewhere", text_out=1), meter=Meter()).energy_lacking == ""


def test_the_text_names_method_coverage_and_carbon():
    told = report(bucket("large", text_out=3_600_000, requests=7, attempts=7), bucket("elsewhere", text_out=1))
    line = "1 kWh (vendor estimate of 7 calls elsewhere), 45 g to 475 g CO2e"
    for text in (as_text(told), as_markdown(told)):
        assert line in text
        assert "of hosted models not estimated: install it" in text


def test_an_attempt_keeps_what_was_metered_and_is_estimated_only_without():
    metered = Energy(1, 2, "modelled")
    assert METER.used(attempt(energy=metered)).energy == metered
    assert METER.used(attempt()).energy == Energy(3_000_000, 5_000_000, "vendor")
    unknown = METER.used(attempt(model="elsewhere"))
    assert (unknown.energy, unknown.carbon_mg, unknown.lacking) == (None, None, "not estimated: install it")
    assert METER.used(replace(attempt(), usage=None)).energy is None
    assert METER.used(attempt(usage=Usage(uncached_in=5))).energy is None


def test_used_as_json_is_null_where_nothing_is_known():
    assert Meter().used(attempt()).as_json() == {"energy_j": None, "carbon_g": None}
    told = METER.used(attempt(energy=Energy(KWH_UJ, KWH_UJ, "measured"))).as_json()
    assert told == {"energy_j": {"low": 3.6e6, "high": 3.6e6, "method": "measured"}, "carbon_g": [100, 100]}

"""A policy says what it leads to, and keeps it through JSON."""

from math import inf

import msgspec
import pytest

from demitasse.core.policy import (
    ALWAYS_CHEAP,
    ALWAYS_REFERENCE,
    Baseline,
    Certificate,
    NextLabels,
    Policy,
    Setting,
    SliceFloor,
    choose,
    decode_certificate,
    encode_certificate,
)


def a_policy(**more) -> Policy:
    return Policy(**{"route": "auto", "cheap": "small", "reference": "large", "setting": Setting(direct=0.5)} | more)


def a_certificate(**more) -> Certificate:
    fields = {
        "id": "cert_1", "policy": a_policy(), "quality": 0.95, "delta": 0.05, "estimate": 0.99, "floor": 0.96,
        "saving": 0.4, "saving_low": 0.35, "saving_high": 0.45, "n_train": 200, "n_certify": 400, "since_us": 1,
        "until_us": 2, "issued_us": 3, "expires_us": 4, "models": (("small", "small-1"), ("large", "large-1")),
    }  # fmt: skip
    return Certificate(**fields | more)


def test_a_score_leads_to_the_cheap_model_a_draft_or_the_reference():
    setting = Setting(direct=0.8, draft=0.4)
    assert [choose(setting, score) for score in (0.8, 0.4, 0.39)] == ["cheap", "draft", "reference"]
    assert choose(setting, float("nan")) == "reference"


def test_policies_that_differ_only_in_infinite_thresholds_have_different_ids():
    assert a_policy(setting=ALWAYS_CHEAP).id != a_policy(setting=ALWAYS_REFERENCE).id
    assert a_policy(slices=(("de", ALWAYS_REFERENCE),)).id != a_policy(slices=(("de", ALWAYS_CHEAP),)).id


def test_a_certificate_comes_back_from_json_as_it_was():
    certificate = a_certificate(
        policy=a_policy(
            setting=Setting(direct=-inf, draft=0.25, second=-inf, accept=inf),
            slices=(("de", ALWAYS_REFERENCE), ("en", ALWAYS_CHEAP)),
            scorer=msgspec.Raw(b'{"w":[1.5,-2.25]}'),
            second="other",
            seed=7,
        ),
        slices=(SliceFloor("de", 40, None, None, None, certified=False),),
        baselines=(Baseline("always-small", 0.9, 0.95),),
        next_labels=(NextLabels(600, 0.5, usd=0.9, days=2.0),),
        signature="c2lnbmVk",
    )
    text = encode_certificate(certificate)
    again = decode_certificate(text)
    assert bytes(again.policy.scorer) == b'{"w":[1.5,-2.25]}'
    assert encode_certificate(again) == text
    assert again.policy.setting == certificate.policy.setting and again.policy.slices == certificate.policy.slices
    assert again.policy.id == certificate.policy.id
    assert type(again) is Certificate and type(again.policy) is Policy and type(again.policy.slices[0][1]) is Setting


def test_what_is_no_certificate_is_refused():
    with pytest.raises(msgspec.DecodeError):
        decode_certificate(b'{"id":"cert_1"}')


@pytest.mark.parametrize(
    "change",
    [
        (b'"direct":0.5', b'"direct":0.5,"other":1'),
        (b'"direct":0.5', b'"direct":"nan"'),
        (b'"direct":0.5', b'"direct":1e999'),
        (b'"scorer":null', b'"scorer":' + b"[" * 5_000 + b"]" * 5_000),
    ],
)
def test_a_certificate_that_somebody_has_bent_is_refused_and_not_tripped_over(change):
    text = encode_certificate(a_certificate())
    assert change[0] in text
    with pytest.raises(msgspec.DecodeError):
        decode_certificate(text.replace(*change))

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest
from msgspec import Raw

from demitasse.core.errors import ConfigError
from demitasse.core.policy import (
    ALWAYS_CHEAP,
    ALWAYS_REFERENCE,
    Certificate,
    Policy,
    Setting,
    encode_certificate,
)
from demitasse.lab.policy_file import read_policy

LEARNED = Policy(
    "auto",
    "small",
    "large",
    Setting(direct=0.8, draft=0.4, accept=0.6),
    slices=(("law", ALWAYS_REFERENCE),),
    scorer=Raw(b'{"w":[1]}'),
)
CERTIFICATE = Certificate(
    id="crt_1", policy=LEARNED, quality=0.95, delta=0.05, estimate=0.97, floor=0.95, saving=0.4, saving_low=0.3, saving_high=0.5,
    n_train=100, n_certify=300, since_us=0, until_us=1, issued_us=1, expires_us=2, models=(("small", "s-1"),),
)  # fmt: skip


def read(tmp_path: Path, text: str, name: str = "policy.toml") -> Policy:
    (tmp_path / name).write_text(text)
    return read_policy(tmp_path / name, [CERTIFICATE], {"auto": "large"})


def test_a_route_and_who_serves_it_is_a_policy(tmp_path: Path) -> None:
    found = read(tmp_path, 'route = "auto"\nserve = "small"\n')
    assert (found.cheap, found.reference, found.setting) == ("small", "large", ALWAYS_CHEAP)
    assert read(tmp_path, 'route = "auto"\nserve = "large"\n').setting == ALWAYS_REFERENCE


def test_a_certificates_policy_can_be_tried_with_other_settings(tmp_path: Path) -> None:
    assert read(tmp_path, 'certificate = "crt_1"') == LEARNED
    other = read(tmp_path, 'certificate = "crt_1"\ndirect = 0.9\n')
    assert other.setting == Setting(direct=0.9, draft=0.4, accept=0.6)
    assert other.slices == () and other.scorer == LEARNED.scorer


def test_a_whole_policy_as_it_is_printed_is_read_back(tmp_path: Path) -> None:
    import msgspec

    text = msgspec.json.encode(msgspec.json.decode(encode_certificate(CERTIFICATE))["policy"]).decode()
    found = read(tmp_path, text, "policy.json")
    assert found.id == LEARNED.id and found.setting.second == -inf


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('rout = "auto"', "did you mean 'route'"),
        ('route = "auto"', "serve: missing"),
        ('route = "other"\nserve = "small"', "no route 'other'; there are: auto"),
        ('certificate = "crt_2"', "no 'crt_2'; there are: crt_1"),
        ('certificate = "crt_1"\nserve = "small"', "contradict"),
        ('certificate = "crt_1"\nroute = "b"', "is for route 'auto'"),
        ('route = "auto"\nserve = "small"\ndirect = 0.3', "needs the scores of a certificate"),
        ('route = 3\nserve = "small"', "a text in quotes is wanted"),
        ('certificate = "crt_1"\ndirect = true', "a number is wanted"),
        ("route = ", "policy.toml"),
    ],
)
def test_what_cannot_be_meant_says_where_and_what_instead(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        read_policy(tmp_path / "missing.toml", [], {})

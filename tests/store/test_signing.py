"""A certificate's signature: what it proves, and to whom."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw, structs

from demitasse.core.errors import ConfigError
from demitasse.core.policy import Certificate, Policy, Setting, decode_certificate, encode_certificate
from demitasse.store.signing import FILE, Signer, fingerprint, public_key, verify

CERTIFICATE = Certificate(
    id="crt_1",
    policy=Policy("auto", "small", "large", Setting(direct=0.83), scorer=Raw(b'{"b":[1.0, 0.1],"a":1e-9}')),
    quality=0.95,
    delta=0.05,
    estimate=0.981,
    floor=0.95,
    saving=0.31,
    saving_low=0.28,
    saving_high=0.34,
    n_train=200,
    n_certify=210,
    since_us=1,
    until_us=2,
    issued_us=3,
    expires_us=4,
    models=(("small", "small-1"), ("large", "large-1")),
)


def test_a_signed_certificate_is_valid_and_ours(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    checked = verify(signer.sign(CERTIFICATE), signer.public)
    assert checked.valid and checked.own
    assert checked.key == fingerprint(signer.public)


def test_it_stays_valid_however_its_json_is_laid_out(tmp_path: Path) -> None:
    signed = Signer(tmp_path).sign(CERTIFICATE)
    pretty = json.dumps(json.loads(encode_certificate(signed)), indent=4)
    assert verify(decode_certificate(pretty.encode())).valid


@pytest.mark.parametrize(
    "change",
    [
        {"quality": 0.94},
        {"floor": 0.96},
        {"expires_us": 5},
        {"models": (("small", "small-2"), ("large", "large-1"))},
        {"policy": structs.replace(CERTIFICATE.policy, setting=Setting(direct=-inf))},
        {"policy": structs.replace(CERTIFICATE.policy, scorer=Raw(b'{"b":[1.0, 0.2],"a":1e-9}'))},
    ],
)
def test_whatever_is_changed_afterwards_shows(tmp_path: Path, change: dict[str, object]) -> None:
    signer = Signer(tmp_path)
    checked = verify(structs.replace(signer.sign(CERTIFICATE), **change), signer.public)
    assert not checked.valid
    assert checked.why == "it was changed after it was signed"


def test_a_signature_of_another_folder_is_valid_and_not_ours(tmp_path: Path) -> None:
    signed = Signer(tmp_path / "other").sign(CERTIFICATE)
    checked = verify(signed, Signer(tmp_path / "here").public)
    assert checked.valid and not checked.own


@pytest.mark.parametrize("signature", ["", "ed25519", "ed25519:!:!", "ed25519:AAAA:AAAA", "rsa:AAAA:AAAA"])
def test_what_is_no_signature_proves_nothing(signature: str) -> None:
    checked = verify(structs.replace(CERTIFICATE, signature=signature))
    assert not checked.valid and checked.why


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    assert public_key(tmp_path) is None
    first = Signer(tmp_path).public
    assert Signer(tmp_path).public == first == public_key(tmp_path)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path) -> None:
    Signer(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Signer(tmp_path)


def test_a_damaged_key_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).touch(mode=0o600)
    with pytest.raises(ConfigError, match="restore it from a backup"):
        Signer(tmp_path)


def test_what_is_signed_does_not_depend_on_the_order_of_names(tmp_path: Path) -> None:
    signed = Signer(tmp_path).sign(CERTIFICATE)
    facts = msgspec.json.decode(encode_certificate(signed))
    turned = msgspec.json.encode(dict(reversed(facts.items())))
    assert verify(decode_certificate(turned)).valid

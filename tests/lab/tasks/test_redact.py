"""What is masked by its shape, what is left, and how much of a public set of personal data is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.lab.tasks.redact import KINDS, redact

PII = Path(__file__).parents[4] / "shared/data/pii/synth_dataset_v2.json"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write to ann.b+c@mail.example.org now", "write to [email] now"),
        ("call +44 20 7946 0958 or (212) 555-0188", "call [phone] or [phone]"),
        ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("card 4111-1111-1111-1111.", "card [card]."),
        ("pay to GB82 WEST 1234 5698 7654 32 please", "pay to [iban] please"),
        ("ES91 2100 0418 4502 0005 1332 now", "[iban] now"),
        ("pay to de89370400440532013000", "pay to [iban]"),
        ("key sk-abcdefghijklmnopqrstuvwx12 in it", "key [key] in it"),
        ("set password: hunter2hunter2 please", "set [key] please"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPx", "[key]"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic [key]"),
        ("SG.abcdefghijklmnopqrst.abcdefghijklmnopqrstuv here", "[key] here"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc", "[key]"),
        ("ghp_abcdefghijklmnopqrst0123456789 and AKIAIOSFODNN7EXAMPLE", "[key] and [key]"),
        ("Authorization: Bearer abcdef1234567890abcdef", "Authorization: Bearer [key]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\nx\n-----END RSA PRIVATE KEY-----", "[key]"),
    ],
)
def test_what_looks_like_it_is_masked(text, clean):
    assert redact(text)[0] == clean


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112 fails its check",
        "GB82WEST12345698765433 fails its check",
        "on 2026-11-21 12:03:11 it cost 1234567.89",
        "born 21.11.1987, paid 1,234,567 of 12345678",
        "pi is 3.14159265358979, build 20261121",
        "version 10.0.19041.1 at 192.168.100.200",
        "0000 0000 0000 0000",
        "the sk-learn library and me@home",
        "the password field is empty; a secret: ask",
        "basic training, Basic English",
        "x = [1, 2, 3]; y = 2 ** 31 - 1",
    ],
)
def test_what_only_resembles_it_is_left(text):
    assert redact(text) == (text, {})


@given(st.text())
def test_masking_twice_is_masking_once_and_counts_what_it_masks(text):
    once, counted = redact(text)
    assert redact(once)[0] == once
    assert set(counted) <= set(KINDS)


def test_of_a_public_set_what_has_a_checksum_or_a_sign_is_found_and_most_phone_numbers_are():
    if not PII.exists():
        pytest.skip(f"{PII} is not here")
    kinds = {"EMAIL_ADDRESS": "email", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "PHONE_NUMBER": "phone"}
    found = dict.fromkeys(kinds.values(), 0)
    there = dict.fromkeys(kinds.values(), 0)
    for row in json.loads(PII.read_text(encoding="utf-8")):
        clean, _ = redact(row["full_text"])
        for span in row["spans"]:
            kind = kinds.get(span["entity_type"])
            if kind:
                there[kind] += 1
                found[kind] += span["entity_value"] not in clean
    assert found["email"] == there["email"] and found["card"] == there["card"] and found["iban"] == there["iban"]
    assert found["phone"] >= 0.8 * there["phone"]

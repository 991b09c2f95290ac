"""A value that is known is found however it is written, where it stands, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.guard.spellings import Spelt, spelling


def found(type: str, value: str, text: str) -> list[str]:
    return [text[a:b] for a, b in Spelt(text).find(type, spelling(type, value))]


@pytest.mark.parametrize(
    ("value", "text", "stands"),
    [
        ("Emma Schwarz", "so emma schwarz smiled", ["emma schwarz"]),
        ("Emma Schwarz", "EMMA SCHWARZ, Emma\n  Schwarz", ["EMMA SCHWARZ", "Emma\n  Schwarz"]),
        ("Emma Schwarz", r'{"a": "Hi\nemma\nschwarz\n"}', [r"emma\nschwarz"]),
        ("Emma Schwarz", "?who=emma%20schwarz&x", ["emma%20schwarz"]),
        ("Emma Schwarz", "ßßİ emma\u00adschwarz \u200bEmma\u00a0Schwarz, ß", ["Emma\u00a0Schwarz"]),
        ("Emma Schwarz", "Gemma Schwarz and Emma Schwarzer", []),
        ("Anna Strauß", "ß ANNA STRAUSS ß", ["ANNA STRAUSS"]),
        ("Anna Strauss", "İ anna strauß İ", ["anna strauß"]),
        ("İpek Yıldız", "ipek yıldız; İPEK  Yıldız, IPEK YILDIZ", ["ipek yıldız", "İPEK  Yıldız", "IPEK YILDIZ"]),
        ("José Núñez", "a Jose\u0301 Nu\u0301n\u0303ez\u0301!", ["Jose\u0301 Nu\u0301n\u0303ez\u0301"]),
        ("Иван Петров", "так ИВАН ПЕТРОВ сказал", ["ИВАН ПЕТРОВ"]),
        ("Γιώργος", "ΓΙΏΡΓΟΣ", ["ΓΙΏΡΓΟΣ"]),
    ],
)
def test_a_name_is_found_in_other_letters_and_over_a_line_break(value: str, text: str, stands: list[str]) -> None:
    assert found("PERSON", value, text) == stands


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("my 536 22 1847.", ["536 22 1847"]),
        ("536221847, 536.22.1847", ["536221847", "536.22.1847"]),
        ("id 536\u201122\u20111847", ["536\u201122\u20111847"]),
        ("1536221847 or 5362218471", []),
        ("5.  3.  6.  2.  2.  1.  8.  4.  7.", []),
    ],
)
def test_a_number_is_found_with_other_signs_between_its_digits(text: str, stands: list[str]) -> None:
    assert found("SSN", "536-22-1847", text) == stands


def test_of_a_secret_each_letter_counts() -> None:
    assert found("password", "Hunter2 x", "hunter2 x Hunter2  x, Hunter2 x") == ["Hunter2 x"]


def test_a_text_of_nothing_but_the_value_is_read_in_bounded_tries() -> None:
    assert "".join(found("SSN", "111111111", "1" * 90_000)).count("1") > 70_000


@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.sampled_from(["Emma Schwarz", "Anna Strauß", "İpek Yıldız", "José Núñez", "Ольга Ёжикова"]),
    st.sampled_from([str, str.upper, str.lower, str.casefold, lambda value: value.replace(" ", " \n")]),
)
def test_whatever_stands_around_it_the_place_is_right(before: str, after: str, value: str, spelled: object) -> None:
    assert callable(spelled)
    said = spelled(value)
    text = f"{before} {said} {after}"
    spans = list(Spelt(text).find("PERSON", spelling("PERSON", value)))
    at = len(before) + 1
    assert any(a == at and b >= at + len(said) for a, b in spans)
    assert all(spelling("PERSON", text[a:b]) == spelling("PERSON", value) for a, b in spans)

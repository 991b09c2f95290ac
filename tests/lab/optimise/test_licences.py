"""Whose answers may be learned from: the table answers, and what is unknown or forbidden is refused with its term."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from demitasse.lab.optimise.licences import LicenceRefused, _table, check, licence, teacher, together


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("gpt-4o", "refused"),
        ("openai/gpt-4.1-mini", "refused"),
        ("o3-mini", "refused"),
        ("gpt-oss-20b", "allowed"),
        ("openai/gpt-oss-120b", "allowed"),
        ("claude-sonnet-4-5", "refused"),
        ("anthropic/claude-haiku", "refused"),
        ("gemini-2.5-flash", "refused"),
        ("google/gemma-3-4b-it", "conditions"),
        ("meta-llama/Llama-3.1-8B-Instruct", "conditions"),
        ("llama-3-8b", "refused"),
        ("qwen2.5-coder-1.5b", "allowed"),
        ("smollm2-135m", "allowed"),
        ("deepseek-chat", "allowed"),
        ("my-own-model", "unknown"),
        ("", "allowed"),
    ],
)
def test_what_terms_say_of_a_teachers_answers(name, answer):
    assert teacher(name).answer == answer


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("Apache-2.0", "allowed"), ("apache 2.0", "allowed"), ("MIT", "allowed"), ("CC-BY-4.0", "conditions"), ("CC BY 3.0", "conditions"),
        ("CC BY-NC 4.0", "refused"), ("cc-by-nd-4.0", "refused"), ("llama3.1", "conditions"), ("not stated", "unknown"),
        ("", "unknown"), ("something of ours", "unknown"),
    ],
)  # fmt: skip
def test_what_a_licence_allows(name, answer):
    assert licence(name, of="the data").answer == answer


def test_a_refusal_names_the_term_its_source_and_what_to_do_and_no_flag_helps():
    verdict = teacher("gpt-4o")
    for checked in (False, True):
        with pytest.raises(
            LicenceRefused, match=r"OpenAI's terms: .*compete.* \(https://openai\.com/.*, read 20.*\) Take another"
        ):
            check(verdict, checked=checked)


def test_what_is_unknown_is_refused_until_somebody_has_read_it():
    with pytest.raises(LicenceRefused, match="--licence-checked"):
        check(teacher("my-own-model"))
    check(teacher("my-own-model"), checked=True)
    check(licence("CC-BY-4.0", of="the data"))


def test_together_they_are_as_good_as_the_worst_and_tell_all_that_is_not_simply_allowed():
    found = together(teacher(""), licence("CC-BY-4.0", of="the data"), licence("", of="the base model"))
    assert found.answer == "unknown"
    assert "credit" in found.why
    assert "the base model" in found.why
    assert "No model's answers" not in found.why
    assert together(teacher(""), licence("MIT", of="the data")).trainable


def test_every_row_has_a_source_a_date_a_sentence_and_a_pattern_that_compiles():
    for rows in _table().values():
        assert len({row.name for row in rows}) == len(rows)
        for row in rows:
            assert row.source.startswith("https://")
            assert dt.date.fromisoformat(row.read) <= dt.date(2026, 11, 21)
            assert row.says.endswith(".")
            re.compile(row.match)

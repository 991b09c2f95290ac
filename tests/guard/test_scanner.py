"""All that is found in a text, put together: what stands within something else is what it is there."""

from __future__ import annotations

import json

import pytest

from demitasse.guard.scan import Scanner, scanner


@pytest.fixture(scope="module")
def scan() -> Scanner:
    return scanner(false_alarms=0.01, names=False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://bob:pw@example.com/x now", ["URL"]),
        ("https://bob:p%40w@example.com/x", ["URL"]),
        ("https://bob:pw,ann@example.com", ["URL"]),
        ("ann@example.com, https://bob:pw@example.com/y?m=eve@example.net", ["EMAIL", "URL", "EMAIL"]),
        ("https://ann%40example.org:pw@example.com/x", ["URL", "EMAIL"]),
        ("https://ann@example.com/x", ["URL", "EMAIL"]),
        ("note://x:ann.smith@example.com", ["EMAIL"]),
    ],
)
def test_a_password_before_a_host_is_no_mail_address_and_one_elsewhere_is(scan, text: str, found: list[str]) -> None:
    assert [one.type for one in scan(text, "user").entities] == found


@pytest.mark.parametrize("text", ["https://bob:pw@example.com/x", "https://bob:p%40w@example.com/x"])
def test_that_password_is_a_secret(scan, text: str) -> None:
    assert [one.kind for one in scan(text, "user").secrets] == ["url_credentials"]


@pytest.mark.parametrize(
    "value", ["536-22-1847", "4111 1111 1111 1111", "jane.doe@example.com", "10.1.2.3", "AKIAQYLPMN5HHHFPZAM2"]
)
@pytest.mark.parametrize("sign", ["\n", "\t", "\r", "\f", "\b"])
def test_in_json_within_a_string_a_value_stands_after_an_escaped_line_end(value: str, sign: str) -> None:
    text = json.dumps({"body": f"A:{sign}{value}{sign}B\\n"})
    found = scanner(injection=False)(text, "tool")
    spans = [text[one.start : one.end] for one in (*found.entities, *found.secrets)]
    assert spans == [value]

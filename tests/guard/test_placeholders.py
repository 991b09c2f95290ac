"""Placeholders: the same for the same value in a session, and for nobody else."""

from __future__ import annotations

import json

import pytest

from demitasse.guard import placeholders
from demitasse.guard.kinds import SECRETS, TYPES
from demitasse.guard.placeholders import Cut, Redaction, Text, label, literals
from demitasse.wire.restore import Restorer

SECRET = b"s" * 32
JANE = "jane@example.com"


def redacted(*texts: Text, tenant: str = "t", session: str = "s", secret: bytes = SECRET) -> Redaction:
    return Redaction.of(texts, secret=secret, tenant=tenant, session=session)


def one(text: str, value: str, type: str = "EMAIL", **more: str) -> str:
    """The placeholder of a value within a text."""
    at = text.index(value)
    told = redacted(Text(text, [Cut(at, at + len(value), type)]), **more)
    (placeholder,) = told.values
    assert told.texts[0] == text.replace(value, placeholder, 1)
    return placeholder


def test_a_value_has_one_placeholder_in_its_session_however_it_is_spelled_and_wherever_it_stands() -> None:
    assert one(f"ask {JANE}!", JANE) == one(JANE, JANE) == one("Jane@Example.COM", "Jane@Example.COM")
    assert one("4111 1111 1111 1111", "4111 1111 1111 1111", "CARD") == one(
        "4111-1111-1111-1111", "4111-1111-1111-1111", "CARD"
    )
    assert one("hunter2", "hunter2", "password") != one("Hunter2", "Hunter2", "password")


def test_other_sessions_tenants_types_and_secrets_have_others() -> None:
    first = one(JANE, JANE)
    others = [
        one(JANE, JANE, session="s2"),
        one(JANE, JANE, tenant="t2"),
        one(JANE, JANE, tenant="ts", session=""),
        one(JANE, JANE, "PERSON"),
        next(iter(redacted(Text(JANE, [Cut(0, len(JANE), "EMAIL")]), secret=b"x" * 32).values)),
    ]
    assert len({first.split("_")[1], *(other.split("_")[1] for other in others)}) == 6


@pytest.mark.parametrize("type", [*TYPES, *SECRETS])
def test_every_type_makes_a_placeholder_that_is_restored_and_needs_no_escape(type: str) -> None:
    placeholder = one("x", "x", type)
    assert placeholder.startswith(f"<{type.upper()}_")
    assert json.dumps(placeholder) == f'"{placeholder}"'
    assert Restorer({placeholder: "x"}).text(f"a {placeholder} b") == "a x b"
    assert literals(f"a {placeholder} b") == {placeholder}


def test_what_a_system_prompt_holds_is_the_same_in_all_sessions_of_a_tenant_wherever_it_stands() -> None:
    cut = [Cut(0, len(JANE), "EMAIL")]

    def both(session: str, tenant: str = "t") -> tuple[str, ...]:
        bob = Text("bob@example.com", [Cut(0, 15, "EMAIL")])
        return redacted(Text(JANE, cut, shared=True), Text(JANE, cut), bob, session=session, tenant=tenant).texts

    first, second, other = both("s"), both("s2"), both("s", tenant="t2")
    assert first[0] == first[1] == second[0]
    assert first[2] != second[2]
    assert not {*first} & {*other}
    assert first[0] != one(JANE, JANE)


def test_identifiers_get_no_brackets_and_the_same_letters() -> None:
    cut = [Cut(0, len(JANE), "EMAIL")]
    told = redacted(Text(JANE, cut), Text(JANE, cut, name=True))
    assert told.texts[0] == f"<{told.texts[1]}>"
    assert list(told.values.values()) == [JANE]


def test_values_that_come_to_the_same_letters_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    same = iter([b"\0" * 32, b"\0" * 4 + b"\1" * 28])
    monkeypatch.setattr(placeholders.hmac, "digest", lambda *_: next(same))
    told = redacted(Text("a b", [Cut(0, 1, "PERSON"), Cut(2, 3, "PERSON")]))
    short, long = told.values
    assert (len(long) - len(short), told.values) == (2, {short: "a", long: "b"})
    assert Restorer(told.values).text(" ".join(told.texts)) == "a b"


def test_what_overlaps_is_taken_out_as_one() -> None:
    told = redacted(Text("at jane@example.com now", [Cut(3, 19, "EMAIL"), Cut(8, 19, "URL"), Cut(3, 7, "PERSON")]))
    assert list(told.values.values()) == [JANE]
    assert "@" not in told.texts[0]


def test_a_value_that_is_masked_anywhere_is_restored_nowhere() -> None:
    told = redacted(Text(JANE, [Cut(0, len(JANE), "EMAIL")]), Text(JANE, [Cut(0, len(JANE), "EMAIL", mask=True)]))
    assert told.values == {}
    assert told.masked == {told.texts[0]}


def test_a_text_with_nothing_to_take_out_is_the_same_object() -> None:
    text = "a b"
    assert redacted(Text(text)).texts[0] is text


def test_a_value_within_json_is_kept_as_what_it_says() -> None:
    text = json.dumps({"key": 'a"b\nc'})
    inner = json.dumps('a"b\nc')[1:-1]
    at = text.index(inner)
    told = redacted(Text(text, [Cut(at, at + len(inner), "password")]))
    assert list(told.values.values()) == ['a"b\nc']
    assert Restorer(told.values).text(told.texts[0]) == text


def test_a_number_of_json_becomes_a_string_so_that_it_stays_json() -> None:
    text = '{"phone": 4915112345678, "note": "call: 4915112345678, please", "all": [4915112345678]}'
    starts = [at for at in range(len(text)) if text.startswith("4915112345678", at)]
    cuts = [Cut(at, at + 13, "PHONE") for at in starts]
    (said,) = Redaction.of([Text(text, cuts)], secret=b"s" * 32, tenant="t", session="s").texts
    told = json.loads(said)
    assert told["note"] == f"call: {told['phone']}, please"
    assert told["all"] == [told["phone"]]
    assert told["phone"].startswith("<PHONE_")


def test_labels_are_capitals_and_underscores() -> None:
    assert [label(type) for type in ("EMAIL", "api_key", "employee-no 7", "7")] == [
        "EMAIL",
        "API_KEY",
        "EMPLOYEE_NO",
        "DATA",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[-4111111111111111]",
        '{"card": 4111111111111111.0}',
        '{"a":' + " " * 40 + "4111111111111111}",
        "[4111111111111111e0,1]",
    ],
)
def test_a_number_of_json_goes_as_a_whole_and_leaves_json(text: str) -> None:
    at = text.index("4111111111111111")
    made = Redaction.of([Text(text, [Cut(at, at + 16, "CARD")])], secret=b"s" * 32, tenant="t", session="s")
    assert "4111" not in made.texts[0]
    json.loads(made.texts[0])

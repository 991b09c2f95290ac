"""What shapers may touch, that they lose nothing they should not, and that a message once shaped stays as it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from demitasse.wire.shaping import SHAPERS, Proof, compact_json, shape, trim_context, trim_whitespace

PRETTY = json.dumps(
    {"orders": [{"id": n, "name": f"näme {n}", "price": 1.50, "tags": ["a b", ""]} for n in range(8)]}, indent=2
)
BLOCK = "\n\n".join(
    f"Paragraph {n} of a long report that is pasted more than once into the same talk. " * 3 for n in range(4)
)


def raws(*messages: dict[str, Any]) -> list[Raw]:
    return [Raw(json.dumps(m, ensure_ascii=False).encode()) for m in messages]


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content} | more


def run(*messages: dict[str, Any], wants: Any = SHAPERS) -> tuple[list[Any], list[int]]:
    out, removed = shape(raws(*messages), [wants] * len(messages))
    return [json.loads(bytes(m)) for m in out], removed


# JSON


def test_a_tool_result_loses_its_white_space_and_nothing_else() -> None:
    (out,), removed = run(said("tool", PRETTY, tool_call_id="c"))
    assert out["content"] == json.dumps(json.loads(PRETTY), separators=(",", ":"), ensure_ascii=True)
    assert out["tool_call_id"] == "c"
    assert removed[0] > 0.3 * len(PRETTY)


@pytest.mark.parametrize(
    "text",
    [
        PRETTY[:-3],  # cut off
        "The result:\n" + PRETTY,
        '{ "a": 1 }',  # short
        "[" * 300 + "]" * 300,
        '{"a": NaN, "b": "' + "x" * 300 + '"}',
        "",
    ],
)
def test_what_is_not_one_whole_long_json_value_stays(text: str) -> None:
    assert compact_json(text) == text or json.loads(compact_json(text)) == json.loads(text)
    assert text.startswith("[") or compact_json(text) == text


def test_numbers_and_the_order_of_names_are_kept_to_the_digit() -> None:
    text = '{ "z": 1.10, "a": 12345678901234567890, "m": 1e300, "z": "\\u00e4  \\" x" }' + " " * 200
    assert compact_json(text) == '{"z":1.10,"a":12345678901234567890,"m":1e300,"z":"\\u00e4  \\" x"}'


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(JSONS, st.integers(0, 4), st.booleans())
def test_the_value_is_the_same(value: Any, indent: int, ascii: bool) -> None:
    text = json.dumps({"v": value, "pad": "  x  " * 50}, indent=indent, ensure_ascii=ascii)
    assert json.loads(compact_json(text)) == json.loads(text)
    assert len(compact_json(text)) <= len(text)


def test_only_tool_results_are_compacted() -> None:
    messages = [said(role, PRETTY) for role in ("system", "user", "assistant", "developer")]
    out, removed = run(*messages, wants={"compact_json"})
    assert out == messages and removed == [0, 0, 0, 0]


# Repeats


def test_a_tool_result_that_was_sent_before_is_referred_to() -> None:
    out, removed = run(said("tool", BLOCK), said("assistant", "ok"), said("tool", BLOCK), wants={"repeats"})
    assert out[0]["content"] == BLOCK
    assert out[2]["content"].startswith(f"[The same {len(BLOCK):,} characters as earlier")
    assert removed[2] > 0.8 * len(BLOCK)


def test_what_a_person_asks_last_is_never_a_reference() -> None:
    question = "What does the third paragraph say about the report? " * 10
    out, _ = run(
        said("user", BLOCK),
        said("user", f"{BLOCK}\n\n{question}"),
        said("user", question + "\n\n" + question),
        wants={"repeats"},
    )
    assert out[1]["content"].endswith(question) and "The same" in out[1]["content"]
    assert out[2]["content"].endswith(question)
    again, _ = run(said("user", question), said("user", question), wants={"repeats"})
    assert again[1]["content"] == question


def test_a_run_of_known_paragraphs_is_one_reference_and_the_rest_is_kept() -> None:
    middle = "This one is new. " * 30
    out, _ = run(said("user", BLOCK), said("tool", f"Before.\n\n{BLOCK}\n\n{middle}"), wants={"repeats"})
    told = out[1]["content"]
    assert told.startswith("Before.\n\n[The same") and told.endswith(middle) and told.count("[The same") == 1


def test_a_short_repeat_is_not_worth_a_reference() -> None:
    out, removed = run(said("user", "Short and sweet."), said("tool", "Short and sweet."), wants={"repeats"})
    assert removed == [0, 0] and out[1]["content"] == "Short and sweet."


# Context

PASSAGES = {
    "numbered": [f"[{n}] {text}" for n, text in enumerate(
        [
            "The museum opened in 1911 and was moved to the harbour in 1963. " * 4,
            "Bread is baked from flour, water and salt, and rises for an hour. " * 4,
            "The harbour museum shows forty ships; its tower was built later. " * 4,
            "Penguins live in the southern hemisphere and eat mostly fish. " * 4,
            "A violin has four strings that are tuned in perfect fifths. " * 4,
        ], 1)],
}  # fmt: skip


@pytest.mark.parametrize("form", ["numbered", "tagged"])
def test_passages_without_a_word_of_the_question_are_left_out(form: str) -> None:
    passages = PASSAGES["numbered"]
    if form == "tagged":
        passages = [f"<document index={n}>\n{p}\n</document>" for n, p in enumerate(passages)]
    text = "Use only these passages.\n\n" + "\n\n".join(passages) + "\n\nWhen did the museum move to the harbour?"
    told = trim_context(text)
    assert "1963" in told and "forty ships" in told
    assert not any(word in told for word in ("Bread", "Penguins", "violin"))
    assert told.startswith("Use only") and told.endswith("When did the museum move to the harbour?")


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(PASSAGES["numbered"][:3]) + "\n\nWhen did the museum move?",  # few
        "\n\n".join(PASSAGES["numbered"]),  # no question
        "\n\n".join(PASSAGES["numbered"]) + "\n\nWer hat das Rad erfunden?",  # not a word in common
        "Just a long question. " * 100,
    ],
)
def test_where_there_is_nothing_to_choose_by_all_of_it_stays(text: str) -> None:
    assert trim_context(text) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    ["<document>" * 20_000, "[1] a " * 30_000, "\n[1]" * 30_000, "\n\n[1] x" * 30_000 + "?", '{"a":"' + "\\" * 99_999],
)
def test_a_text_made_to_be_slow_is_read_to_its_end(text: str) -> None:
    assert len(trim_context(text)) <= len(text) and len(trim_whitespace(text)) <= len(text)
    assert compact_json(text) == text


# White space


def test_blanks_at_line_ends_go_and_code_stays() -> None:
    text = "one  \ntwo\t\n```\nkeep  \n```\nthree \n"
    assert trim_whitespace(text) == "one\ntwo\n```\nkeep  \n```\nthree"


def test_a_message_of_nothing_but_blanks_is_not_made_empty() -> None:
    out, removed = run(said("user", "   \n "))
    assert out[0]["content"] == "   \n " and removed == [0]


# All of them


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_the_system_prompt_and_the_models_own_words_are_never_touched(role: str) -> None:
    messages = [said(role, PRETTY + "  \n"), said(role, BLOCK), said(role, BLOCK)]
    assert run(*messages) == (messages, [0, 0, 0])


@pytest.mark.parametrize(
    "message",
    [
        said("tool", None),
        said("tool", []),
        said("user", [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]),
        {"role": "assistant", "tool_calls": [{"id": "c"}]},
        {"role": "tool", "content": {"odd": 1}},
    ],
)
def test_forms_without_text_are_passed_on(message: dict[str, Any]) -> None:
    before = raws(message)
    assert [bytes(m) for m in shape(before, [SHAPERS]).messages] == [bytes(m) for m in before]


def test_parts_are_shaped_one_by_one_and_keep_their_other_members() -> None:
    parts = [{"type": "text", "text": PRETTY, "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "x"}]
    (out,), _ = run(said("tool", parts))
    assert json.loads(out["content"][0]["text"]) == json.loads(PRETTY)
    assert out["content"][0]["cache_control"] == {"type": "ephemeral"} and out["content"][1] == parts[1]


TEXTS = st.sampled_from([PRETTY, BLOCK, "plain", "  trailing  \n", BLOCK + "\n\nQuestion?", "", "{}"])
MESSAGES = st.lists(
    st.builds(said, st.sampled_from(["system", "user", "assistant", "tool"]), TEXTS), min_size=1, max_size=8
)


@given(MESSAGES, st.sets(st.sampled_from(SHAPERS)))
def test_a_message_comes_out_the_same_whatever_follows_it(messages: list[Any], wants: set[str]) -> None:
    before = raws(*messages)
    whole = shape(before, [wants] * len(before)).messages
    for end in range(1, len(before)):
        assert [bytes(m) for m in shape(before[:end], [wants] * end).messages] == [bytes(m) for m in whole[:end]]


@given(MESSAGES, st.sets(st.sampled_from(SHAPERS)))
def test_nothing_grows_and_everything_stays_a_valid_message(messages: list[Any], wants: set[str]) -> None:
    before = raws(*messages)
    out, removed = shape(before, [wants] * len(before))
    for was, now, gone in zip(before, out, removed, strict=True):
        assert len(bytes(was)) - len(bytes(now)) == gone >= 0
        assert msgspec.json.decode(now)["role"] == json.loads(bytes(was))["role"]
        assert bool(json.loads(bytes(was))["content"].strip()) == bool(msgspec.json.decode(now)["content"].strip())


def test_a_proof_holds_within_its_margin_and_its_time() -> None:
    proof = Proof("r", "compact_json", 200, 0, 0, 0.015, 0.02, 0.05, 0.3, "m", "exact", 0, 100)
    assert proof.holds(99) and not proof.holds(100)
    assert not msgspec.structs.replace(proof, worse_at_most=0.03).holds(0)

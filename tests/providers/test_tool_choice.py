from __future__ import annotations

import msgspec
import pytest

from demitasse.core.call import Call
from demitasse.providers.tool_choice import insist, takes_tools

TEMPLATE = "{% if tools %}<tools></tools><tool_call>{% endif %}"
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("weather", "time")]


def call(**body) -> Call:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": TOOLS, **body}
    raw = msgspec.json.encode(asked)
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return Call(id="c", request_id="c", at_us=0, kind="chat", body=raw, fields=fields, model="m", has_tools=True)


def sent(call: Call) -> dict:
    return {name: msgspec.json.decode(raw) for name, raw in call.fields.items()}


def test_a_call_that_must_use_a_tool_begins_with_its_opening():
    fields = sent(insist(call(tool_choice="required"), TEMPLATE))
    assert fields["messages"][-1] == {"role": "assistant", "content": "<tool_call>\n"}
    assert fields["messages"][0]["content"] == "hi"
    assert fields["tools"] == TOOLS


def test_a_named_tool_is_the_only_one_offered_and_called_once():
    wish = {"type": "function", "function": {"name": "time"}}
    fields = sent(insist(call(tool_choice=wish), TEMPLATE))
    assert fields["tools"] == TOOLS[1:]
    assert fields["tool_choice"] == "required"
    assert fields["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("body", "template"),
    [
        ({}, TEMPLATE),
        ({"tool_choice": "auto"}, TEMPLATE),
        ({"tool_choice": "none"}, TEMPLATE),
        ({"tool_choice": "required"}, "{{ tools }}[TOOL]"),
        ({"tool_choice": "required"}, None),
        ({"tool_choice": {"type": "function", "function": {"name": "unknown"}}}, TEMPLATE),
        ({"tool_choice": {"type": "function"}}, TEMPLATE),
    ],
)
def test_every_other_wish_is_passed_on_as_it_is(body, template):
    asked = call(**body)
    assert insist(asked, template) is asked


def test_a_template_says_whether_it_has_a_place_for_tools():
    assert takes_tools(TEMPLATE)
    assert not takes_tools("{{ messages }}")
    assert not takes_tools(None)

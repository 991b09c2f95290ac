"""The official client, unchanged, through a gateway that redacts: it gets its values back, however the answer comes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from demitasse.testing.running import create_key, gateway_process
from tests.clients.world import CONFIG
from tests.story.outside import Outside

JANE = "jane.doe@example.com"
GUARD = '[guard]\npersonal = { EMAIL = "redact" }\nsecrets = "redact"\n[cache]\nexact = false\n'
SAID: Any = [{"role": "user", "content": f'Write to "{JANE}" — and again to {JANE}'}]
NOTE: Any = {"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    async with Outside().listening() as outside:
        yield outside


@pytest.fixture
async def client(outside: Outside, tmp_path: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    data = tmp_path / "data"
    key = create_key(data, "alice")
    with gateway_process(data, CONFIG.format(base_url=f"{outside.url}/v1") + GUARD) as gateway:
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
            yield client


async def test_answers_streams_tool_calls_and_errors_bear_the_values(
    client: openai.AsyncOpenAI, outside: Outside
) -> None:
    chat = client.chat.completions
    whole = await chat.create(model="mock", messages=SAID)
    assert whole.choices[0].message.content == SAID[0]["content"]

    pieces = [c async for c in await chat.create(model="mock", messages=SAID, stream=True)]
    assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == SAID[0]["content"]
    assert pieces[0].choices[0].delta.role == "assistant"
    assert pieces[-1].choices[0].finish_reason == "stop"

    async with chat.stream(model="mock", messages=SAID, tools=[NOTE]) as stream:
        final = await stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls or []
    assert JANE in json.loads(call.function.arguments)["said"]

    legacy = await client.completions.create(model="mock", prompt=SAID[0]["content"], stream=True)
    assert "".join([c.choices[0].text async for c in legacy if c.choices]) == SAID[0]["content"]
    assert len([path for path, _ in outside.sent if path.startswith("/v1/")]) == 4

    outside.fail = 400, "no"
    with pytest.raises(openai.BadRequestError, match=JANE):
        await client.chat.completions.create(model="mock", messages=SAID)
    outside.fail, outside.break_after = None, 5
    with pytest.raises(openai.APIError, match=JANE):
        async for _ in await client.chat.completions.create(model="mock", messages=SAID, stream=True):
            pass
    assert JANE.encode() not in outside.seen

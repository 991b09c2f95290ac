"""Data that may not leave does not leave: counted in bytes on the socket of the model that is elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest

from demitasse.testing import MockUpstream
from tests.build.test_app import PRICE, Site
from tests.story.asgi import ask, chat

SSN = "536-22-1847"


class Elsewhere:
    """A socket that counts what comes, and never answers well."""

    def __init__(self) -> None:
        self.bytes = 0
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.bytes += len(await reader.read(1 << 16))
        writer.write(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        writer.close()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async with Elsewhere() as server:
        yield server


@pytest.fixture
async def here(tmp_path: Path, elsewhere: Elsewhere) -> AsyncIterator[Site]:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.file.write_text(
            f"""
[models.near]
provider = "openai"
model = "mock"
base_url = "{up.base_url}"
region = "local"
{PRICE}
[models.broken]
provider = "openai"
model = "mock-500"
base_url = "{up.base_url}"
region = "local"
{PRICE}
[models.far]
provider = "openai"
base_url = "{elsewhere.url}"
{PRICE}
[routes.both]
reference = "far"
ladder = ["near", "far"]
fallback = ["near"]
[routes.failing]
reference = "broken"
fallback = ["far"]
[shadow]
usd_per_day = 5
rate = 1.0
judge = "far"
[retry]
attempts = 3
backoff_s = 0.0
[classes.health]
types = ["SSN"]
[guards.strict]
personal = {{ SSN = "local" }}
[tenants.local]
guard = "strict"
"""
        )
        yield site


def tool_turns() -> list[dict[str, Any]]:
    called = {"id": "c", "type": "function", "function": {"name": "look", "arguments": json.dumps({"ssn": SSN})}}
    return [
        {"role": "user", "content": "look it up"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c", "content": f'{{"social security number": "{SSN}"}}'},
    ]


PLACES: dict[str, dict[str, Any]] = {
    "content": chat(f"my SSN is {SSN}"),
    "system": {"messages": [{"role": "system", "content": f"the SSN is {SSN}"}, {"role": "user", "content": "hi"}]},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": f"my SSN is {SSN}"}]}]},
    "tools": {"messages": tool_turns()},
    "stream": chat(f"my SSN is {SSN}", stream=True),
}


@pytest.mark.parametrize("place", PLACES)
async def test_not_a_byte_of_it_reaches_a_model_that_is_elsewhere(here: Site, elsewhere: Elsewhere, place: str) -> None:
    async with here.app() as app:
        for _ in range(2):  # the second time there is a cache
            answer = await ask(app.gateway, PLACES[place] | {"model": "both"})
            assert answer.status == 200
            assert answer.headers["x-demitasse-model"] == "near"
        await asyncio.sleep(0.2)  # whatever goes on beside the call
    assert (elsewhere.connections, elsewhere.bytes) == (0, 0)


async def test_when_the_models_here_fail_the_call_fails(here: Site, elsewhere: Elsewhere) -> None:
    async with here.app() as app:
        answer = await ask(app.gateway, chat(f"my SSN is {SSN}", "failing"))
        assert answer.status >= 500
        refused = await ask(app.gateway, chat(f"my SSN is {SSN}", "far"))
        assert refused.json()["error"]["code"] == "data_may_not_leave"
    assert (elsewhere.connections, elsewhere.bytes) == (0, 0)


async def test_other_calls_do_leave_so_that_the_count_means_something(here: Site, elsewhere: Elsewhere) -> None:
    async with here.app() as app:
        await ask(app.gateway, chat("nothing special", "both"))
    assert elsewhere.bytes > 0

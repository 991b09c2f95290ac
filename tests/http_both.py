"""Fixtures for tests of the HTTP seam: both clients, on both event loops. Taken up by the conftest of each directory."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from demitasse.providers.http import Settings, choose, encode_headers

JSON = encode_headers([(b"content-type", b"application/json"), (b"authorization", b"Bearer sk-x")])


def pytest_asyncio_loop_factories(config, item):
    if Path(item.path).name.startswith("test_http_"):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(params=["small", "aiohttp"])
def kind(request):
    """A client's name in ``[http] client``."""
    return request.param


@pytest.fixture
async def client(kind):
    client = choose(Settings(client=kind, sweep_s=0.02), {})
    yield client
    await client.close()

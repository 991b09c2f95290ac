"""A gateway as users start it, in front of the mock provider, both as processes of their own; shared by a whole file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import openai
import pytest

from demitasse.testing.running import create_key, gateway_process, mock_process
from tests.clients.world import CONFIG, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("clients") / "data"
    with mock_process() as mock:
        key = create_key(data, "alice")
        with gateway_process(data, CONFIG.format(base_url=mock.base_url)) as gateway:
            world = World(gateway, mock, data, key)
            yield world
            world.books.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[openai.AsyncOpenAI]:
    async with world.client() as client:
        yield client

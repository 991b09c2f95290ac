"""Gateway, provider, books and clients, as the tests in this folder see them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import openai

from demitasse.core.entry import Entry
from demitasse.store.books import SqliteBooks
from demitasse.testing.mock import Served
from demitasse.testing.running import Running, served

CONFIG = """
[models.mock]
provider = "openai"
base_url = "{base_url}"
price = {{ input_usd_per_mtok = 1.25, output_usd_per_mtok = 10.0 }}

[models."org/mock-with/slashes"]
provider = "openai"
model = "mock"
base_url = "{base_url}"
price = {{ input_usd_per_mtok = 1.25, output_usd_per_mtok = 10.0 }}

[models.embed]
provider = "openai"
model = "mock-embed"
base_url = "{base_url}"
price = {{ input_usd_per_mtok = 0.02 }}

[budgets.default]
usd_per_day = 100

[retry]
attempts = 1

[breaker]
failures = 1000000
"""


class World:
    """Gateway, provider and books, and clients for them."""

    def __init__(self, gateway: Running, mock: Running, data: Path, key: str) -> None:
        self.gateway, self.mock, self.data, self.key = gateway, mock, data, key
        self.books = SqliteBooks(data)

    def served(self, id: str | None = None) -> list[Served]:
        """What the provider served, all of it or to one ``user``."""
        records = msgspec.convert(served(self.mock)["records"], list[Served])
        return [r for r in records if id is None or r.id == id]

    def entries(self, **which: str) -> list[Entry]:
        """The newest rows first."""
        return [entry for _, entry in self.books.entries(last=10**6, **which)]

    def spent_nanos(self) -> int:
        return sum(entry.cost_nanos or 0 for entry in self.entries())

    def client(self, key: str | None = None, **options: object) -> openai.AsyncOpenAI:
        """The official client, unchanged; without retries unless a test wants them."""
        options.setdefault("max_retries", 0)
        return openai.AsyncOpenAI(base_url=self.gateway.base_url, api_key=key or self.key, **options)


async def until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait for something that other processes bring about."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.01)

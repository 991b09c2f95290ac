"""Placeholders are written out of a call's way, and known again for their own tenant and session alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from demitasse.core.call import Call, Caller
from demitasse.core.errors import StoreError
from demitasse.gateway.vaulting import DAYS, MOST_LOOKED_UP, Vaulting
from demitasse.store.subjects import Subjects
from demitasse.store.vault import Vault

SECRET, JANE = b"s" * 32, "jane@example.com"
VALUES = {"<EMAIL_k3x7qa>": JANE}
DAY_US = 86_400_000_000
CALL = Call(
    id="c", request_id="c", at_us=1, kind="chat", body=b"{}", fields={}, model="m", session="s", caller=Caller(tenant="t")
)  # fmt: skip


class Clock:
    now_us = 10 * DAY_US

    def __call__(self) -> int:
        return self.now_us


class World:
    def __init__(self, data: Path, open: Callable[[], Vault] | None = None) -> None:
        self.clock = Clock()
        self.opened: list[Vault] = []
        self.data = data
        self.vaulting = Vaulting(open or self.open, Subjects(SECRET).of, self.clock)

    def open(self) -> Vault:
        self.opened.append(Vault(self.data, b"k" * 32, SECRET))
        return self.opened[-1]

    def recall(self, text: str = "to <EMAIL_k3x7qa>", call: Call = CALL, **more: Any) -> dict[str, str]:
        return self.vaulting.recall(call, [text], **more)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.vaulting.close()


def test_what_was_remembered_is_recalled_and_by_nobody_else(world: World) -> None:
    world.vaulting.remember(CALL, VALUES)
    assert world.recall() == VALUES
    assert world.recall("EMAIL_k3x7qa, or <EMAIL_zzzzzz>") == VALUES
    assert world.recall(call=structs.replace(CALL, caller=Caller(tenant="t2"))) == {}
    assert world.recall(call=structs.replace(CALL, session="s2")) == {}
    assert world.recall(known=VALUES) == {}


def test_another_process_recalls_it_too(world: World, tmp_path: Path) -> None:
    world.vaulting.remember(CALL, VALUES)
    world.vaulting.close()
    other = World(tmp_path)
    assert other.recall() == VALUES
    other.vaulting.close()


def test_a_text_without_a_placeholder_opens_nothing(world: World) -> None:
    assert world.recall("an e-mail_address, AND_more") == {}
    world.vaulting.remember(CALL, {})
    assert world.opened == []


def test_the_same_value_is_written_once_an_hour_and_lives_as_long_as_it_is_seen(world: World, monkeypatch: Any) -> None:
    puts = []
    put = Vault.put
    monkeypatch.setattr(
        Vault, "put", lambda self, *args, **more: (puts.append(more["at_us"]), put(self, *args, **more))
    )
    for _ in range(3):
        world.vaulting.remember(CALL, VALUES)
    world.clock.now_us += DAY_US * (DAYS - 1)
    world.vaulting.remember(CALL, VALUES)
    world.clock.now_us += DAY_US * (DAYS - 1)
    assert world.recall() == VALUES
    assert len(puts) == 2
    world.clock.now_us += DAY_US
    assert world.recall() == {}


def test_a_prompt_full_of_placeholders_looks_up_a_few(world: World, monkeypatch: Any) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Vault, "get", lambda _self, _t, _s, wanted, _now: asked.append(len(wanted)) or {})
    letters = "abcdefghijklmnopqrstuvwxyz"
    world.recall(" ".join(f"<EMAIL_{a}{b}aaaa>" for a in letters for b in letters))
    assert asked == [MOST_LOOKED_UP]


async def test_a_vault_that_fails_is_said_without_the_value_and_harms_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def broken() -> Vault:
        raise StoreError("the disk is full")

    world = World(tmp_path, broken)
    world.vaulting.remember(CALL, VALUES)
    assert await asyncio.to_thread(world.recall) == {}
    world.vaulting.close()
    assert "the disk is full" in caplog.text
    assert JANE not in caplog.text

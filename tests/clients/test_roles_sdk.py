"""Keys with roles, rotated and revoked, as the official OpenAI client meets them at a gateway that runs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import openai
import pytest

from demitasse.testing.running import create_key, quiet_environment
from tests.clients.world import World


def keys(world: World, *arguments: str) -> str:
    command = [sys.executable, "-m", "demitasse", "keys", *arguments, "--data", str(world.data)]
    return subprocess.run(command, capture_output=True, env=quiet_environment(), check=True, text=True).stdout


async def asked(world: World, key: str) -> str | None:
    async with world.client(key) as client:
        answer = await client.chat.completions.create(
            model="mock", messages=[{"role": "user", "content": f"hi {key[-4:]}"}]
        )
    return answer.choices[0].message.content


async def refused(world: World, key: str) -> None:
    """Soon: a gateway follows what commands change within a second."""
    async with asyncio.timeout(10):
        while True:
            try:
                await asked(world, key)
            except openai.AuthenticationError:
                return
            await asyncio.sleep(0.05)


async def test_an_auditor_is_told_by_the_client_that_it_may_not_call(world: World) -> None:
    key = create_key(world.data, "paul", "--role", "auditor")
    with pytest.raises(openai.PermissionDeniedError, match="it needs the scope 'call', which the role developer has"):
        await asked(world, key)
    entry = world.entries(key="paul")[0]
    assert (entry.outcome, entry.error, entry.cost_nanos) == ("refused", "missing_scope", 0)
    assert world.gateway.ask("/metrics", authorization=f"Bearer {key}")[0] == 200


async def test_a_developer_lists_its_own_calls_and_sees_no_others(world: World) -> None:
    keys_of = {name: create_key(world.data, name) for name in ("dora", "dirk")}
    for key in keys_of.values():
        assert await asked(world, key)
    for name, key in keys_of.items():
        status, body = world.gateway.ask("/demitasse/calls", authorization=f"Bearer {key}")
        rows = json.loads(body)["calls"]
        assert status == 200
        assert [row["key"] for row in rows] == [name]
        other = next(k for n, k in keys_of.items() if n != name)
        assert world.gateway.ask(f"/demitasse/calls/{rows[0]['id']}", authorization=f"Bearer {other}")[0] == 404
        assert world.gateway.ask(f"/demitasse/calls/{rows[0]['id']}", authorization=f"Bearer {key}")[0] == 200


async def test_both_secrets_work_during_an_overlap_and_none_after_revocation(world: World) -> None:
    old = create_key(world.data, "ci")
    assert await asked(world, old)
    new = json.loads(keys(world, "rotate", "ci", "--overlap", "1h", "--json"))
    assert new["old_secret_until"] is not None
    assert await asked(world, new["key"])
    assert await asked(world, old)
    row = next(row for row in json.loads(keys(world, "list", "--json")) if row["name"] == "ci")
    assert (row["role"], row["requests"] >= 3, row["last_used"] is not None) == ("developer", True, True)
    keys(world, "revoke", "ci")
    for key in (old, new["key"]):
        await refused(world, key)


async def test_without_an_overlap_the_old_secret_is_void(world: World) -> None:
    old = create_key(world.data, "cd")
    new = json.loads(keys(world, "rotate", "cd", "--json"))
    assert await asked(world, new["key"])
    await refused(world, old)

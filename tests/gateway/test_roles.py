"""Who may do what at the API: the table against every address, each role against each row, secrets old and new."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from demitasse.core import access
from demitasse.core.keys import mac
from demitasse.core.limits import Key
from demitasse.gateway import care, http
from demitasse.gateway.keys import WRONG_A_MINUTE, WrongKeys
from tests.story.asgi import ask, chat
from tests.story.conftest import NOON_US, SECRET, World

API = tuple(row for row in access.PATHS if row.split()[1].startswith(("/v1/", "/demitasse/", "/metrics", "/models", "/chat", "/completions", "/embeddings")) and "made" not in row)  # fmt: skip
BODIES = {"POST /demitasse/feedback": {"id": "c1", "score": 1}, "POST /demitasse/semantic/evict": {"tag": "a=b"}}


def key_named(name: str, token: str, **more: Any) -> Key:
    return Key(id=name, name=name, mac=mac(SECRET, token.encode()), created_us=0, **more)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def world() -> World:
    keys = [key_named(role, f"dmt_{role}_secret", scopes=scopes) for role, scopes in access.ROLES.items()]
    keys += [key_named(f"only-{scope}", f"dmt_only-{scope}_secret", scopes=(scope,)) for scope in access.SCOPES]
    world = World(require_key=True)
    world.ledger._keys = keys
    world.ledger._revision += 1
    return world


async def status_of(world: World, row: str, token: str) -> Any:
    method, path = row.split()
    path = path.replace("*", "mock")
    body = BODIES.get(row, chat() if method == "POST" else b"")
    return await ask(world.app, body, path=path, method=method, headers=bearer(token))


@pytest.mark.parametrize("row", [row for row in API if row not in access.OWN])
@pytest.mark.parametrize("role", access.ROLES)
async def test_a_role_is_let_in_by_the_table_and_refused_by_it(world: World, role: str, row: str) -> None:
    answer = await status_of(world, row, f"dmt_{role}_secret")
    lacks = answer.status == 403 and answer.json()["error"]["code"] == "missing_scope"
    assert lacks is not access.may(access.ROLES[role], access.PATHS[row])
    if lacks:
        assert f"'{access.PATHS[row]}'" in answer.json()["error"]["message"]


async def test_an_auditor_calls_no_model_and_reads_no_word(world: World) -> None:
    assert not {"call", "content", "operate", "admin"} & set(access.ROLES["auditor"])
    answer = await ask(world.app, chat(), headers=bearer("dmt_auditor_secret"))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "missing_scope")
    assert world.small.calls == []
    assert (await status_of(world, "GET /metrics", "dmt_auditor_secret")).status == 200


async def test_a_developer_reads_his_own_calls_and_no_others(world: World) -> None:
    rows = {"his": {"key": "developer"}, "hers": {"key": "someone"}}
    world.app._facts_of = rows.get
    his = await ask(world.app, b"", path="/demitasse/calls/his", method="GET", headers=bearer("dmt_developer_secret"))
    hers = await ask(world.app, b"", path="/demitasse/calls/hers", method="GET", headers=bearer("dmt_developer_secret"))
    assert (his.status, hers.status) == (200, 404)
    for role in ("auditor", "operator", "admin"):
        path = "/demitasse/calls/hers"
        assert (await ask(world.app, b"", path=path, method="GET", headers=bearer(f"dmt_{role}_secret"))).status == 200


async def test_scopes_that_keys_had_before_mean_what_they_meant(world: World) -> None:
    told = {scope: set() for scope in ("call", "read", "admin")}
    for scope, may in told.items():
        for row in API:
            if row not in access.OWN and (await status_of(world, row, f"dmt_only-{scope}_secret")).status != 403:
                may.add(row)
    calls = {row for row in API if access.PATHS[row] in ("call", access.ANY)}
    reads = {row for row in API if access.PATHS[row] in ("read", access.ANY)} - access.OWN
    assert told["call"] == calls
    assert told["read"] == reads
    assert told["admin"] == set(API) - access.OWN


def test_what_has_no_row_is_for_admins_alone() -> None:
    assert access.needed("POST", "/something/new") == "admin"
    assert access.row("DELETE", "/v1/models") is None
    assert access.needed("HEAD", "/ledger") == "read"
    assert access.needed("GET", "/ledger/abc") == "read"


def test_every_address_that_the_gateway_answers_has_a_row() -> None:
    """Every string in ``gateway/http`` and ``gateway/care`` that begins like an address of ours is one of the table's."""
    named = set()
    for module in (http, care):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch(r"/[\w/]*\w/?", node.value)
            ):
                named.add(node.value)
    named |= {care.PATH + "/evict", care.PATH + "/"}
    paths = {row.split()[1] for row in access.PATHS}
    prefixes = {"/v1/", "/demitasse/"}  # what is ours at all
    suffixes = {"/evict", "/receipt"}
    missing = {p for p in named - prefixes - suffixes if p not in paths and p.rstrip("/") + "/*" not in paths}
    assert missing == set()
    assert len(named) > 15


async def test_an_address_without_a_row_is_not_answered_even_where_code_for_it_stands(
    world: World, monkeypatch: Any
) -> None:
    monkeypatch.delitem(access.PATHS, "GET /demitasse/cache")
    answer = await ask(world.app, b"", path="/demitasse/cache", method="GET", headers=bearer("dmt_admin_secret"))
    assert (answer.status, answer.json()["error"]["code"]) == (404, "unknown_path")


async def test_a_replaced_secret_opens_until_its_overlap_ends(world: World) -> None:
    until_us = NOON_US + 3_600_000_000
    key = key_named("ci", "dmt_ci_new", old_mac=mac(SECRET, b"dmt_ci_old"), old_until_us=until_us)
    world.ledger._keys = [key]
    world.ledger._revision += 1
    for token in ("dmt_ci_old", "dmt_ci_new"):
        assert (await ask(world.app, chat(), headers=bearer(token))).status == 200
    world.now_us = until_us
    old = await ask(world.app, chat(), headers=bearer("dmt_ci_old"))
    assert (old.status, old.json()["error"]["code"]) == (401, "invalid_api_key")
    assert "replaced" in old.json()["error"]["message"]
    assert (await ask(world.app, chat(), headers=bearer("dmt_ci_new"))).status == 200


async def test_a_secret_that_was_replaced_at_once_is_told_so_and_opens_nothing(world: World) -> None:
    world.ledger._keys = [key_named("ci", "dmt_ci_new", old_mac=mac(SECRET, b"dmt_ci_old"), old_until_us=0)]
    world.ledger._revision += 1
    old = await ask(world.app, chat(), headers=bearer("dmt_ci_old"))
    assert old.status == 401
    assert old.json()["error"]["message"] == "this secret of key 'ci' was replaced; use the new one"


async def test_a_flood_of_wrong_keys_is_slowed_and_locks_no_good_key_out(world: World) -> None:
    told = [(await ask(world.app, chat(), headers=bearer(f"dmt_x_{n}"))).status for n in range(WRONG_A_MINUTE + 20)]
    assert told == [401] * WRONG_A_MINUTE + [429] * 20
    assert (await ask(world.app, chat(), headers=bearer("dmt_developer_secret"))).status == 200
    last = await ask(world.app, chat(), headers=bearer("dmt_x_again"))
    assert last.json()["error"]["code"] == "too_many_wrong_keys"
    assert int(last.headers["retry-after"]) >= 1
    world.now_us += 60_000_000
    assert (await ask(world.app, chat(), headers=bearer("dmt_x_later"))).status == 401


def test_memory_for_wrong_keys_is_bounded_whatever_addresses_come() -> None:
    wrong = WrongKeys(most=100)
    for n in range(5_000):
        wrong.more(f"10.0.{n >> 8}.{n & 255}", NOON_US + n)
    assert len(wrong) <= 100


def test_a_keys_repr_holds_nothing_of_its_secret() -> None:
    key = key_named("ci", "dmt_ci_new", old_mac=b"an old mac")
    assert "mac" not in repr(key)
    assert repr(key.mac) not in repr(key)

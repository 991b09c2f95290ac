"""The governance page on a running gateway: its own calls are in it, a minute old at most, and the pack verifies."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from demitasse.build.app import App
from demitasse.build.governing import check_pack
from demitasse.build.governing_sources import own_key
from demitasse.config import load
from demitasse.testing import MockUpstream
from tests.story.asgi import ask, chat

NOW_US = 1_795_262_591_000_000
CONFIG = """
[models.large]
provider = "generic"
base_url = "{url}"
price = {{ input_usd_per_mtok = 1, output_usd_per_mtok = 2 }}
[governance]
providers = ["host:127.0.0.1"]
"""


async def test_a_running_gateway_shows_and_packs_what_it_has_seen(tmp_path):
    now = [NOW_US]
    async with MockUpstream() as up:
        (tmp_path / "demitasse.toml").write_text(CONFIG.format(url=up.base_url))
        app = App(load(None, {}, tmp_path), tmp_path / "data", {}, base_url="", clock=lambda: now[0])
        await app.start()
        try:
            assert (await ask(app.gateway, chat("Write to ada@example.org", model="large"))).status == 200
            told = (
                await ask(app.gateway, b"", path="/governance", method="GET", headers={"accept": "application/json"})
            ).json()
            rows = {row["id"]: row for row in told["found"]["rows"]}
            assert rows["GV-6.1-007"]["status"] == "evidenced" and rows["MS-2.2-002"]["status"] == "partial"
            assert "EMAIL 1" in rows["MS-2.2-002"]["proofs"][1]["says"]
            page = (await ask(app.gateway, b"", path="/governance", method="GET")).body.decode()
            token = re.search(r'name="csrf" value="(\w+)"', page)[1]
            form = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:4141"}
            answer = await ask(app.gateway, urlencode({"csrf": token}).encode(), path="/governance/pack", headers=form)
            found = check_pack(answer.body, own_key(tmp_path / "data"))
            assert found.valid and found.own and b"ada@example" not in answer.body
        finally:
            await app.stop()

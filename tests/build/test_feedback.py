"""Feedback by HTTP into a real store: who may, from where, and what is kept."""

from pathlib import Path
from typing import Any

from demitasse.build.app import App
from demitasse.core.keys import RANDOM_BYTES, mac, make
from demitasse.core.limits import Key
from demitasse.store.evidence import SqliteEvidence
from demitasse.store.secret import server_secret
from demitasse.testing import MockUpstream
from tests.build.test_app import Site
from tests.story.asgi import ask, chat

PATH = "/demitasse/feedback"


async def test_an_application_scores_the_answer_that_it_got(tmp_path):
    async with MockUpstream() as up:
        site = Site(tmp_path, up)
        site.write()
        async with site.app() as app:
            answer = await ask(app.gateway, chat(model="mock"), headers={"x-request-id": "mine-7"})
            said = await ask(app.gateway, {"id": "mine-7", "score": 0.5, "label": "tone"}, path=PATH)
            assert (said.status, said.json()["score"], said.json()["model"]) == (200, 0.5, "mock"), answer.body
            unknown = await ask(app.gateway, {"id": "another", "score": 0.5}, path=PATH)
            assert (unknown.status, unknown.json()["error"]["code"]) == (404, "unknown_call")
            assert unknown.headers["x-should-retry"] == "false"
            foreign = await ask(
                app.gateway, {"id": "mine-7", "score": 0}, path=PATH, headers={"origin": "https://elsewhere.example"}
            )
            typed = await ask(
                app.gateway, {"id": "mine-7", "score": 0}, path=PATH, headers={"content-type": "text/plain"}
            )
            large = await ask(app.gateway, b" " * 5000, path=PATH)
            assert [a.status for a in (foreign, typed, large)] == [403, 415, 413]
            assert "feedback is at most 4 KB" in large.json()["error"]["message"]
            read = await ask(app.gateway, b"", path=PATH, method="GET")
            assert read.status == 404
        books = SqliteEvidence(tmp_path / "data")
        (label,) = books.labels(source="feedback")
        books.close()
    assert (label.reference.score, label.method, label.route) == (0.5, "feedback:tone", "mock")


def a_key(app: App, name: str, data: Path, **more: Any) -> str:
    id, token = make(name.encode().ljust(RANDOM_BYTES, b"."))
    app.ledger.add_key(Key(id, name, mac(server_secret(data), token.encode()), created_us=1, **more))
    return token


async def test_where_keys_are_needed_feedback_needs_the_keys_own(tmp_path):
    async with MockUpstream() as up:
        site = Site(tmp_path, up)
        site.write("[server]\nbehind_proxy = true")
        async with site.app() as app:
            mine, other = (a_key(app, name, site.home / "data") for name in ("mine", "other"))
            host = {"host": "gate.example"}
            head = lambda key: host | {"authorization": f"Bearer {key}"}
            answer = await ask(app.gateway, chat(model="mock"), headers=head(mine))
            said = {"id": answer.headers["x-request-id"], "score": True}
            statuses = [
                (await ask(app.gateway, said, path=PATH, headers=headers)).status
                for headers in (host, head(other), head(mine))
            ]
            assert statuses == [401, 404, 200]


async def test_who_may_only_look_writes_no_evidence_and_nobody_writes_without_end(tmp_path):
    async with MockUpstream() as up:
        site = Site(tmp_path, up)
        site.write("[server]\nbehind_proxy = true")
        async with site.app() as app:
            data = site.home / "data"
            mine = a_key(app, "mine", data, team="search", rpm=3)
            reader = a_key(app, "reader", data, team="search", scopes=("read",))
            head = lambda key: {"host": "gate.example", "authorization": f"Bearer {key}"}
            answer = await ask(app.gateway, chat(model="mock"), headers=head(mine))
            statuses = []
            for key, label in ((reader, "a"), (mine, "a"), (mine, "b"), (mine, "c")):
                said = {"id": answer.headers["x-request-id"], "score": 1, "label": label}
                statuses.append((await ask(app.gateway, said, path=PATH, headers=head(key))).status)
            assert statuses == [403, 200, 200, 429], "three a minute: one call, two scores"

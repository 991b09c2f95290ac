"""Feedback by HTTP into a real store: who may, from where, and what is kept."""

from demitasse.build.control import StoreControl
from demitasse.store.evidence import SqliteEvidence
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


async def test_where_keys_are_needed_feedback_needs_the_keys_own(tmp_path):
    async with MockUpstream() as up:
        site = Site(tmp_path, up)
        site.write("[server]\nbehind_proxy = true")
        async with site.app() as app:
            control = StoreControl(app.ledger, app._secret, lambda: app.gateway.steps)
            mine, other = [await control.create_key(name) for name in ("mine", "other")]
            host = {"host": "gate.example"}
            head = lambda key: host | {"authorization": f"Bearer {key}"}
            answer = await ask(app.gateway, chat(model="mock"), headers=head(mine))
            said = {"id": answer.headers["x-request-id"], "score": True}
            statuses = [
                (await ask(app.gateway, said, path=PATH, headers=headers)).status
                for headers in (host, head(other), head(mine))
            ]
            assert statuses == [401, 404, 200]

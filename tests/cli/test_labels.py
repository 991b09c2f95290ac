"""What `labels` and `feedback` say."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cli_month import NOW_US

from demitasse.core.entry import Entry
from demitasse.core.evidence import OWN_KEY, Answered, Label
from demitasse.store.settings import Settings
from demitasse.store.writer import Writer


def a_label(n: int, score: float | None, method: str = "equal", **more) -> Label:
    others = (Answered("small", score=score, entry=f"s{n}"),)
    fields = {"route": "auto", "source": "shadow", "reference": Answered("large", score=1.0), "others": others}
    return Label(id=f"c{n}", at_us=NOW_US - 10_000_000 * (100 - n), method=method, **fields | more)


@pytest.fixture
def evidence(data):
    settings = Settings(data)
    for n in range(30):
        settings.post_label(a_label(n, float(n % 10 > 0)))
    for n in range(30, 36):
        settings.post_label(a_label(n, float(n % 2), "judge:arbiter"))
        settings.post_label(a_label(n, float(n % 2 and n < 34), "vote", source="vote"))
    settings.post_label(a_label(40, None, ""))
    settings.post_label(a_label(1, 0.5, "feedback:tone", source="feedback", reference=None))
    own = Entry(
        "s1", NOW_US - 5_000_000, OWN_KEY, "chat", "small", "answered", route="auto", model="small", cost_nanos=1_500
    )
    Writer(settings._db, "test").commit([own])
    settings.close()
    return data


def test_labels_tell_how_good_the_cheaper_answers_were_and_what_it_cost(evidence, run):
    told = json.loads(run("labels", "--json").stdout)
    (route,) = told["routes"]
    assert (route["route"], route["drawn"], route["own_usd"]) == ("auto", 37, 1.5e-06)
    assert route["sources"] == {"shadow": 37, "feedback": 1, "vote": 6}
    assert route["methods"] == {"equal": 30, "judge:arbiter": 6, "undecided": 1}
    (small,) = route["models"]
    assert (small["model"], small["labels"], small["judged"]) == ("small", 37, 36)
    assert small["as_good"] == pytest.approx((27 + 2) / 36), "what people said goes before what the judge said"
    assert small["interval"][0] < small["as_good"] < small["interval"][1]
    assert route["feedback"] == [{"model": "small", "label": "tone", "n": 1, "mean": 0.5}]
    (judge,) = told["agreement"]
    assert (judge["who"], judge["n"], judge["agreed"]) == ("judge:arbiter", 6, 5)


def test_labels_read_as_a_table_and_sentences(evidence, run):
    said = run("labels").stdout
    assert "small" in said and "80.6%" in said and "own cost $0.000002" in said
    assert "decided by 30 equal, 6 judge:arbiter, 1 undecided" in said
    assert "feedback 'tone' on small: 0.50 of 1, 1 calls" in said
    assert "judge:arbiter agrees with people on 83.3% of 6 votes" in said and "kappa 0.67" in said


def test_what_a_judge_of_grey_claims_found_is_told_by_itself_and_proves_nothing(evidence, run):
    settings = Settings(evidence)
    for n, score in ((2, 1.0), (3, 0.5)):
        settings.post_label(a_label(n, score, "judge:arbiter", source="grounding", reference=None))
    settings.close()
    (route,) = json.loads(run("labels", "--json").stdout)["routes"]
    assert route["grounding"] == [{"model": "small", "label": "arbiter", "n": 2, "mean": 0.75}]
    assert (route["drawn"], route["methods"]["judge:arbiter"], route["models"][0]["judged"]) == (37, 6, 36)
    assert "grounding of small by 'arbiter': 0.75 of 1, 2 calls" in run("labels").stdout


def test_labels_of_one_route_and_a_time(evidence, run):
    assert json.loads(run("labels", "--route", "other", "--json").stdout)["routes"] == []
    recent = json.loads(run("labels", "--since", "15m", "--json").stdout)["routes"][0]
    assert 0 < recent["drawn"] < 37


def test_without_evidence_it_is_said_how_to_get_some(run):
    assert "[shadow] usd_per_day" in run("labels").stdout


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self):
        self._say(200, {"status": "ok"})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["id"] == "nobody's":
            self._say(404, {"error": {"message": "no call of yours bears the id"}})
        else:
            self._say(200, asked | {"model": "small", "route": "auto"})

    def _say(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def url():
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_feedback_is_sent_to_the_gateway_and_its_answer_told(url, run):
    said = run("feedback", "c1", "0.75", "--label", "tone", "--url", url).stdout
    assert said == "kept as 'tone': 0.75 for 'small' on call c1\n"
    assert "no call of yours" in run("feedback", "nobody's", "1", "--url", url, status=1).stderr
    assert "is not in the range" in run("feedback", "c1", "7", "--url", url, status=2).stderr

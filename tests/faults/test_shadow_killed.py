"""A gateway is killed while shadow calls are under way: what is lost is a label at most, and never money."""

import json
import random
import time

from demitasse.core.evidence import OWN_KEY
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.evidence import SqliteEvidence
from demitasse.testing.running import gateway_on, mock_process, served

CONFIG = """
[models.large]
provider = "openai"
base_url = "{url}"
model = "mock"
price = {{ input_usd_per_mtok = 1.25, output_usd_per_mtok = 10.0 }}
[models.small]
provider = "openai"
base_url = "{url}"
model = "mock"
price = {{ input_usd_per_mtok = 0.125, output_usd_per_mtok = 1.0 }}
[routes.auto]
ladder = ["small", "large"]
[shadow]
usd_per_day = 1
rate = 1.0
[cache]
exact = false
"""


def test_killed_between_any_two_steps_of_its_shadows_it_loses_labels_alone(tmp_path):
    chance, data = random.Random(5), tmp_path / "data"
    with mock_process("--delay-ms", "3") as mock:
        gateway = gateway_on(data, CONFIG.format(url=mock.base_url))
        answered = []
        try:
            for turn in range(4):
                gateway.start("/readyz")
                for n in range(12):
                    body = {"model": "auto", "messages": [{"role": "user", "content": f"{turn}-{n}"}], "max_tokens": 8}
                    status, said = gateway.ask(
                        "/v1/chat/completions",
                        "POST",
                        json.dumps(body).encode(),
                        **{"content-type": "application/json"},
                    )
                    assert status == 200
                    answered.append(json.loads(said)["usage"])
                time.sleep(chance.random() / 50)
                gateway.kill()
            gateway.start("/readyz")  # finds what the dead left behind
        finally:
            gateway.stop()
        provider = served(mock)["records"]
    books, evidence = SqliteBooks(data), SqliteEvidence(data)
    entries = [entry for _, entry in books.entries(last=10_000)]
    own = [entry for entry in entries if entry.key == OWN_KEY]
    labels = evidence.labels()
    assert books.held_nanos() == 0 and verify(data) == (True, None) and recount(data) == []
    assert len(answered) == 48 == sum(e.outcome == "answered" and e.key != OWN_KEY for e in entries)
    assert len(provider) <= 48 + len(own), "whatever was served has its row; what was held may not have been sent"
    lost = [e for e in own if e.outcome == "lost"]
    assert all(e.cost_nanos == e.hold_nanos > 0 for e in lost), "what the dead held is paid for in full"
    assert 0 < len(labels) <= 48 and {label.others[0].entry for label in labels} <= {e.id for e in own}
    assert all(label.method == "equal" for label in labels)
    shadow = next(s for s in books.spent(entries[0].at_us) if s.budget.name == "shadow")
    assert shadow.settled_nanos == sum(e.cost_nanos for e in own)
    evidence.close()
    books.close()

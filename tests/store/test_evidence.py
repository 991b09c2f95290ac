"""Evidence in the ledger's file: seen by other processes, told in the chain, carried by copies, found fast."""

import asyncio
import sqlite3

import pytest

from demitasse.core.errors import StoreError
from demitasse.core.evidence import Answered, Label
from demitasse.core.policy import ALWAYS_CHEAP, Certificate, Policy
from demitasse.store.audit import recount, verify
from demitasse.store.backup import backup, restore
from demitasse.store.evidence import SqliteEvidence
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE, LATEST, MIGRATIONS, prepare
from demitasse.store.settings import Settings


def a_label(id: str, at_us: int = 5, **more) -> Label:
    answers = {"reference": Answered("large", score=1.0), "others": (Answered("small", score=1.0),)}
    return Label(**{"route": "auto", "source": "shadow", "method": "equal"} | answers | more, id=id, at_us=at_us)


def a_certificate(id: str, **more) -> Certificate:
    fields = {
        "policy": Policy("auto", "small", "large", ALWAYS_CHEAP), "quality": 0.95, "delta": 0.05, "estimate": 0.99,
        "floor": 0.96, "saving": 0.4, "saving_low": 0.3, "saving_high": 0.5, "n_train": 1, "n_certify": 1,
        "since_us": 1, "until_us": 2, "issued_us": 3, "expires_us": 2**53, "models": (),
    }  # fmt: skip
    return Certificate(**fields | more, id=id)


@pytest.fixture
def books(tmp_path):
    books = SqliteEvidence(tmp_path)
    yield books
    books.close()


@pytest.fixture
async def ledger(tmp_path):
    ledger = SqliteLedger.open(tmp_path, clock=lambda: 1_000)
    yield ledger
    ledger.close()
    assert verify(tmp_path) == (True, None)
    assert recount(tmp_path) == []


def edit(data, sql, *values):
    db = sqlite3.connect(data / FILE)
    db.execute(sql, values)
    db.commit()
    db.close()


async def test_what_another_process_promotes_serves_here_within_a_second(tmp_path, ledger):
    command = Settings(tmp_path, clock=lambda: 1_000)
    command.put_certificate(a_certificate("one"), "promoted")
    for _ in range(200):
        if ledger.promoted():
            break
        await asyncio.sleep(0.01)
    assert [c.id for c in ledger.promoted()] == [c.id for c in command.promoted()] == ["one"]
    assert ledger.promoted()[0].policy.setting == ALWAYS_CHEAP
    command.put_certificate(a_certificate("one"), "undone", "a person took it back")
    ledger.look()
    assert ledger.promoted() == ()
    command.close()


async def test_a_certificate_stays_as_it_was_issued_whatever_is_said_of_it_later(ledger, books):
    await ledger.certificate(a_certificate("one", floor=0.96), "certified", 1)
    await ledger.certificate(a_certificate("one", floor=0.99), "promoted", 2)
    assert ledger.promoted()[0].floor == 0.96


async def test_a_certificates_history_is_told_in_order(ledger, books):
    for state, why in (("certified", ""), ("promoted", "by ann"), ("revoked", "0.91 is below 0.95")):
        await ledger.certificate(a_certificate("one"), state, 7, why)
    assert books.history("one") == [
        ("certified", 7, ""),
        ("promoted", 7, "by ann"),
        ("revoked", 7, "0.91 is below 0.95"),
    ]
    assert books.history("nobody") == []


async def test_a_change_that_may_not_be_leaves_what_was_posted_with_it(ledger, books):
    await ledger.certificate(a_certificate("one"), "revoked", 1)
    wishes = (
        ledger.label(a_label("a")),
        ledger.certificate(a_certificate("one"), "promoted", 2),
        ledger.label(a_label("b")),
    )
    said = await asyncio.gather(*wishes, return_exceptions=True)
    assert isinstance(said[1], StoreError)
    assert "is revoked and cannot become promoted; prove a new one with: demitasse certify auto" in str(said[1])
    assert [label.id for label in books.labels()] == ["a", "b"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": (float("nan"),)},
        {"others": (Answered("small", marks=(float("inf"),)),)},
        {"propensity": 0.0},
        {"reference": Answered("large", score=1.5)},
    ],
    ids=str,
)
async def test_numbers_that_json_or_a_weight_cannot_hold_are_refused(ledger, books, wrong):
    with pytest.raises(StoreError, match="the label of call a has a"):
        await ledger.label(a_label("a", **wrong))
    assert books.labels() == []


async def test_who_follows_along_gets_late_labels_of_early_calls_too(ledger, books):
    await ledger.label(a_label("late", 900))
    ((seen, _),) = books.newer(0)
    await ledger.label(a_label("early", 100, source="vote", method="vote"))
    assert [label.id for _, label in books.newer(seen)] == ["early"]
    assert [label.id for label in books.latest(1)] == ["early"]
    assert [label.id for label in books.latest(5, source="shadow")] == ["late"]
    assert [label.source for label in books.of(["early", "late"])] == ["shadow", "vote"]
    assert books.of(["early"], source="shadow") == []


async def test_evidence_travels_with_a_copy(tmp_path, ledger, books):
    await ledger.label(a_label("a"))
    await ledger.certificate(a_certificate("one"), "promoted", 1)
    copy = backup(tmp_path, tmp_path / "copy.sqlite3")
    restore(tmp_path / "elsewhere", copy)
    there = SqliteEvidence(tmp_path / "elsewhere")
    assert there.labels() == books.labels() and there.certificates()[0][1] == "promoted"
    there.close()
    assert recount(tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM labels WHERE id = 'a'", "label of a/shadow/"),
        ("UPDATE labels SET route = 'other'", "label of a/shadow/"),
        ("UPDATE certificates SET state = 'promoted'", "certificate one is not what the chain says"),
        ("UPDATE certificates SET json = replace(json, '0.96', '0.99')", "certificate one is not what the chain says"),
    ],
)
async def test_evidence_that_was_meddled_with_is_named(tmp_path, sql, said):
    ledger = SqliteLedger.open(tmp_path)
    await ledger.label(a_label("a"))
    await ledger.certificate(a_certificate("one"), "revoked", 1)
    ledger.close()
    assert recount(tmp_path) == []
    edit(tmp_path, sql)
    assert any(said in sentence for sentence in recount(tmp_path))


async def test_a_changed_label_breaks_the_chain(tmp_path):
    ledger = SqliteLedger.open(tmp_path)
    await ledger.label(a_label("a"))
    ledger.close()
    edit(tmp_path, "UPDATE events SET leaf = replace(leaf, '\"equal\"', '\"votes\"') WHERE kind = 'labelled'")
    assert verify(tmp_path) == (False, 1)


async def test_a_ledger_without_evidence_is_given_its_tables(tmp_path):
    prepare(tmp_path / FILE, MIGRATIONS[:2])
    ledger = SqliteLedger.open(tmp_path)
    await ledger.label(a_label("a"))
    ledger.close()
    assert (tmp_path / f"{FILE}.v2").exists() and LATEST >= 3


def test_a_routes_window_is_read_by_an_index(tmp_path):
    prepare(tmp_path / FILE)
    db = sqlite3.connect(tmp_path / FILE)
    sql = "EXPLAIN QUERY PLAN SELECT labels.seq, leaf FROM labels JOIN events USING (seq) WHERE labels.route = ? AND labels.at_us >= ? ORDER BY labels.at_us, labels.seq"
    plan = " ".join(row[3] for row in db.execute(sql, ("auto", 0)))
    db.close()
    assert "labels_by_route" in plan and "SCAN" not in plan and "TEMP B-TREE" not in plan

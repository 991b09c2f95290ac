"""Rows whose time is over go by whole segments; tree, checkpoints, sums and later proofs stay what they were."""

import io
import sqlite3

import pytest
from audit_ledger import DAY_US, entry, seal, sql, write

from demitasse.core.call import Usage
from demitasse.core.entry import Attempt
from demitasse.core.errors import StoreError
from demitasse.core.evidence import Answered, Label
from demitasse.core.limits import Alert
from demitasse.store import export, exported, proofs, retention
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.changes import Correction
from demitasse.store.checkpoints import read_file
from demitasse.store.examine import examine
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE
from demitasse.store.retention import drop, note_export, sweep
from demitasse.store.segments import ROWS
from demitasse.store.settings import Settings
from demitasse.store.signing import Signer

NOW_US = 400 * DAY_US
OLD_US = 10 * DAY_US


@pytest.fixture
def kept(tmp_path):
    """Two old segments and a few rows of today; checkpoints in the midst of each and at the end; a late retry, a correction."""
    write(tmp_path, 700, at_us=OLD_US)
    seal(tmp_path, 1)
    ledger = SqliteLedger.open(tmp_path)
    ledger.join("c3", OLD_US)
    usage = Usage(uncached_in=3)
    ledger.post(entry("c-attempt", OLD_US, attempts=(Attempt("m", "p", "u", "ok", 1, 1.0, usage=usage, cost_nanos=5),)))
    ledger.close()
    write(tmp_path, 1_000, 700, at_us=OLD_US + 5)
    seal(tmp_path, 2)
    settings = Settings(tmp_path, clock=lambda: OLD_US)
    settings.correct([Correction("c5", 9), Correction("c-attempt", 7, usage)])
    answer = Answered("m", score=1.0)
    settings.post_label(
        Label(id="c1", at_us=OLD_US, source="feedback", method="useful", route="auto", reference=answer)
    )
    settings.close()
    write(tmp_path, 400, 2_000, at_us=NOW_US)
    seal(tmp_path, 3)
    return tmp_path


def sums(data) -> list:
    books = SqliteBooks(data)
    found = books.buckets(0, 2 * NOW_US, ("key", "model", "hour"))
    books.close()
    return found


def test_what_is_dropped_is_gone_and_all_else_stays_true(kept):
    before, money, root = examine(kept), sums(kept), examine(kept).root
    assert before.valid
    rows = before.rows
    assert drop(kept, NOW_US - 200 * DAY_US, NOW_US) == ROWS, "whole segments only: the second one has rows of today"
    report = examine(kept)
    assert report.problems == ()
    assert (report.dropped, report.rows) == (ROWS, rows + 1), "and an event that says so"
    assert report.checkpoints == 3, "also those in the midst of what was dropped"
    assert sql(kept, "SELECT min(seq), count(*) FROM events") == [(ROWS + 1, rows + 1 - ROWS)]
    assert sums(kept) == money
    assert recount(kept) == []
    assert verify(kept) == (True, None)
    assert seal(kept, 4).size == rows + 1
    assert examine(kept).root != root
    assert drop(kept, NOW_US - 200 * DAY_US, NOW_US) == 0


def test_proofs_and_exports_go_on_behind_it(kept):
    drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    seal(kept, 4)
    out = io.BytesIO()
    first, last = export.write(kept, out, Signer(kept), 9)
    out.seek(0)
    found = exported.verify(out)
    assert (found.valid, found.first, found.last) == (True, ROWS + 1, last)
    assert first == ROWS + 1
    assert proofs.verify(proofs.msgspec.json.encode(proofs.prove(kept, "c2001"))).valid
    with pytest.raises(StoreError, match="its row was dropped"):
        proofs.prove(kept, "c7")


def test_further_segments_go_when_their_time_comes(kept):
    drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    write(kept, ROWS, 5_000, at_us=NOW_US)
    seal(kept, 5)
    assert drop(kept, NOW_US + 200 * DAY_US, NOW_US + 400 * DAY_US) == 2 * ROWS
    report = examine(kept)
    assert report.problems == ()
    assert report.dropped == 3 * ROWS
    assert report.checkpoints == 4
    assert recount(kept) == []


def test_a_correction_of_a_row_that_is_gone_is_refused_and_a_retry_of_it_counts_nowhere(kept):
    drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    settings = Settings(kept)
    with pytest.raises(StoreError, match="no entry 'c5' to correct"):
        settings.correct([Correction("c5", 1)])
    settings.close()
    ledger = SqliteLedger.open(kept)
    ledger.join("c3", NOW_US)
    ledger.close()
    assert recount(kept) == []


def test_only_what_is_signed_is_dropped(tmp_path):
    write(tmp_path, ROWS + 10, at_us=OLD_US)
    assert drop(tmp_path, NOW_US, NOW_US) == 0
    seal(tmp_path)
    assert drop(tmp_path, NOW_US, NOW_US) == ROWS


def test_a_lie_cannot_be_cleared_away(kept):
    sql(kept, "UPDATE events SET leaf = CAST(replace(CAST(leaf AS TEXT), ':5', ':4') AS BLOB) WHERE seq = 9")
    with pytest.raises(StoreError, match=f"rows 1 to {ROWS} are not what their hash says"):
        drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    assert examine(kept).first_bad_row == 9


def test_rows_that_nobody_told_of_dropping_are_missed(kept):
    sql(kept, "DELETE FROM events WHERE seq <= ?", ROWS)
    sql(kept, "UPDATE segments SET dropped_us = 1 WHERE at = 0")
    kinds = {problem.kind for problem in examine(kept).problems}
    assert "dropped" in kinds


def test_what_stands_for_dropped_rows_cannot_be_exchanged(kept):
    drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    sql(kept, "UPDATE segments SET hash = zeroblob(32) WHERE at = 0")
    assert [problem.size for problem in examine(kept).problems if problem.kind == "checkpoint"] == [700, 1702, 2105]


def test_a_checkpoint_whose_proof_was_taken_away_is_told(kept):
    drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    sql(kept, "UPDATE checkpoints SET proof = NULL WHERE size = 700")
    (problem,) = examine(kept).problems
    assert "cannot be held against anything" in problem.message


def test_rewriting_what_is_left_is_still_found(kept):
    drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    first = ROWS + 5
    leaf = sql(kept, "SELECT leaf FROM events WHERE seq = ?", first)[0][0]
    sql(kept, "UPDATE events SET leaf = ? WHERE seq = ?", leaf.replace(b":5", b":4"), first)
    assert examine(kept).first_bad_row == first


def test_six_months_are_the_least(kept):
    with pytest.raises(ValueError, match="183 days at least"):
        sweep(kept, 182, NOW_US)


def dropped(data) -> int:
    return sql(data, "SELECT count(*) FROM segments WHERE dropped_us IS NOT NULL")[0][0]


def swept(data, days: int | None, now_us: int, passed_days: float = 0.0) -> Alert | None:
    """A sweep whose alert is put into the books, as a gateway does."""
    alert = sweep(data, days, now_us, passed_us=int(passed_days * DAY_US))
    if alert is not None:
        settings = Settings(data, clock=lambda: now_us)
        settings.raise_alert(alert)
        settings.close()
    return alert


def test_a_person_is_told_in_time_to_export_and_not_once_it_is_done(kept):
    days = 380
    assert sweep(kept, days, OLD_US + (days - 8) * DAY_US) is None
    notice = sweep(kept, days, OLD_US + (days - 6) * DAY_US)
    assert notice.kind == "audit"
    assert f"rows of before 1970-01-12 (up to {ROWS:,}) go in 7 days" in notice.message
    assert notice.remedy == "demitasse audit export FILE --until 1970-01-12"
    note_export(kept, 1, ROWS)
    assert sweep(kept, days, OLD_US + (days - 6) * DAY_US) is None
    assert dropped(kept) == 0
    assert sweep(kept, days, OLD_US + (days + 1) * DAY_US) is None
    assert dropped(kept) == 1


def test_rows_in_no_export_go_seven_days_after_a_person_was_told_and_not_before(kept):
    """The setting was made a moment ago, or the gateway was off for weeks: the rows' time was over long before anybody knew."""
    assert "go in 7 days" in swept(kept, 183, NOW_US).message
    for day in range(1, 7):
        assert swept(kept, 183, NOW_US + day * DAY_US, passed_days=1) is not None
        assert dropped(kept) == 0
    assert swept(kept, 183, NOW_US + 7 * DAY_US, passed_days=1) is None, "they go, and nothing more is to be told"
    assert dropped(kept) == 1
    assert examine(kept).problems == ()


def test_a_clock_that_jumps_eats_no_day_of_the_notice(kept):
    swept(kept, 183, NOW_US)
    for later in (30, 300, 3_000):
        assert swept(kept, 183, NOW_US + later * DAY_US, passed_days=1 / 24) is not None
    assert dropped(kept) == 0
    assert swept(kept, 183, NOW_US + 4_000 * DAY_US) is not None, "so long off: nobody says how long it was"
    assert dropped(kept) == 0
    assert swept(kept, 183, NOW_US, passed_days=9) is not None, "and back"
    assert dropped(kept) == 0


def test_what_several_gateways_count_is_counted_once(kept):
    swept(kept, 183, NOW_US)
    for day in range(1, 7):
        for _ in range(3):
            swept(kept, 183, NOW_US + day * DAY_US, passed_days=1)
    assert dropped(kept) == 0


def test_what_could_not_be_told_does_not_count(kept):
    for day in range(20):
        assert sweep(kept, 183, NOW_US + day * DAY_US, passed_us=DAY_US) is not None
    assert dropped(kept) == 0


def test_a_notice_of_rows_that_were_to_stay_after_all_is_forgotten(kept):
    swept(kept, 183, NOW_US)
    swept(kept, 183, NOW_US + 6 * DAY_US, passed_days=6)
    assert swept(kept, None, NOW_US + 6 * DAY_US, passed_days=1) is None
    assert swept(kept, 183, NOW_US + 8 * DAY_US, passed_days=2) is not None
    assert dropped(kept) == 0
    swept(kept, 183, NOW_US + 15 * DAY_US, passed_days=7)
    assert dropped(kept) == 1


def test_further_rows_have_a_notice_of_their_own(kept):
    swept(kept, 183, NOW_US)
    write(kept, ROWS, 9_000, at_us=OLD_US)
    sql(kept, "UPDATE segments SET last_us = ? WHERE at = 1", OLD_US)
    swept(kept, 183, NOW_US + 6 * DAY_US, passed_days=6)
    assert swept(kept, 183, NOW_US + 7 * DAY_US, passed_days=1) is not None
    assert dropped(kept) == 1
    assert sum(notice.rows > ROWS for notice in retention._notices(sqlite3.connect(kept / FILE)).notices) == 1


@pytest.mark.parametrize("value", ["x", None, 7, b"\x00", '{"at_us":"x"}', "[" * 5_000])
def test_marks_that_cannot_be_read_count_for_nothing(kept, value):
    swept(kept, 183, NOW_US)
    for mark in ("noticed", "exported"):
        sql(kept, "INSERT OR REPLACE INTO meta VALUES (?, ?)", mark, value)
    assert swept(kept, 183, NOW_US + 9 * DAY_US, passed_days=9) is not None
    assert dropped(kept) == 0


def test_the_file_of_checkpoints_still_fits(kept):
    drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    assert [place.checkpoint.size for place in read_file(kept / "checkpoints")[0]] == [700, 1702, 2105]
    sql(kept, "DELETE FROM checkpoints WHERE size = 700")
    (problem,) = examine(kept).problems
    assert problem.size == 700, "its proof went with the table's row"


def test_a_sweep_that_is_broken_off_leaves_a_segment_whole_or_gone(kept, monkeypatch):
    def breaks(*_):
        raise RuntimeError("killed")

    monkeypatch.setattr(retention, "_carry", breaks)
    with pytest.raises(RuntimeError):
        drop(kept, NOW_US - 200 * DAY_US, NOW_US)
    assert examine(kept).valid
    assert examine(kept).dropped == 0

"""Whatever the order in which rows are written, signed and dropped: all that was ever signed fits, and each proof holds.

Segments have four rows here, so that few rows make many of them.
"""

import io
import tempfile
from pathlib import Path
from unittest import mock

import msgspec
from audit_ledger import DAY_US, entry, seal, sql
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.store import audit, checkpoints, examine, export, exported, proofs, retention, segments
from demitasse.store.audit import recount
from demitasse.store.ledger import SqliteLedger
from demitasse.store.signing import Signer

LEVEL = 2
ROUND = st.tuples(st.integers(2, 12), st.booleans(), st.integers(0, 40), st.integers(0, 30))
"""Rows written, whether they are signed, before which day rows are dropped, and a row that is asked for again."""


def small_segments():
    patches = [
        mock.patch.object(module, "ROWS", 1 << LEVEL) for module in (audit, examine, proofs, retention, segments)
    ]
    return [*patches, *(mock.patch.object(module, "LEVEL", LEVEL) for module in (audit, segments))]


@settings(max_examples=10)
@given(st.lists(ROUND, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_all_that_was_signed_fits_and_every_proof_holds(rounds, chance):
    patches = small_segments()
    for patch in patches:
        patch.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            play(Path(folder), rounds, chance)
    finally:
        for patch in patches:
            patch.stop()


def play(data, rounds, chance):
    written = 0
    for time, (count, signs, day, again) in enumerate(rounds, 1):
        ledger = SqliteLedger.open(data)
        for n in range(written, written + count):
            ledger.post(entry(f"c{n}", n * DAY_US))
        written += count
        ledger.join(f"c{again % written}", again * DAY_US)
        ledger.close()
        if signs:
            seal(data, time)
        retention.drop(data, day * DAY_US, time)
    seal(data, len(rounds) + 1)
    report = examine.examine(data)
    assert report.problems == ()
    assert recount(data) == []
    assert report.rows_since == 0
    kept = [place.checkpoint for place in checkpoints.read_file(data / checkpoints.FILE)[0]]
    assert report.checkpoints == len(kept), "each that was ever signed"
    low, rows = report.dropped + 1, report.rows
    for (id,) in sql(data, "SELECT id FROM events WHERE outcome IS NOT NULL"):
        assert proofs.verify(msgspec.json.encode(proofs.prove(data, id))).valid
    for one in kept:
        if one.size % (1 << LEVEL) == 0 or one.size >= report.dropped:
            assert proofs.verify_growth(msgspec.json.encode(proofs.grow(data, one))).valid
    out = io.BytesIO()
    assert export.write(data, out, Signer(data), 9) == (low, rows)
    assert exported.verify(io.BytesIO(out.getvalue())).valid
    spoilt = bytearray(out.getvalue())
    spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    assert not exported.verify(io.BytesIO(bytes(spoilt))).valid
    seq = chance.randrange(low, rows + 1)
    sql(data, "UPDATE events SET leaf = CAST(CAST(leaf AS TEXT) || ' ' AS BLOB) WHERE seq = ?", seq)
    assert examine.examine(data).first_bad_row == seq

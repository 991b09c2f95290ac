"""An export proves itself: whatever bit of it changes, the line is named; and a lie that was told consistently is found."""

import hashlib
import io
import random

import msgspec
import pytest
from audit_ledger import DAY_US, odd, seal, sql, write

from demitasse.core.errors import StoreError
from demitasse.store.export import write as export
from demitasse.store.exported import line_of, row_line, verify
from demitasse.store.ledger import SqliteLedger
from demitasse.store.segments import ROWS
from demitasse.store.signing import Signer, fingerprint


def exported(data, **more) -> bytes:
    out = io.BytesIO()
    export(data, out, Signer(data), 9, **more)
    return out.getvalue()


def check(raw: bytes, *keys: str):
    return verify(io.BytesIO(raw), keys)


@pytest.fixture
def small(tmp_path):
    """Two rows before the export, three in it (one of them no text), one checkpoint among them."""
    write(tmp_path, 2)
    ledger = SqliteLedger.open(tmp_path)
    ledger.post(odd("odd"))
    ledger.close()
    seal(tmp_path)
    write(tmp_path, 2, 2, at_us=DAY_US)
    return tmp_path


def test_an_export_is_what_was_written(small):
    raw = exported(small)
    found = check(raw)
    assert found.valid
    assert (found.first, found.last, found.rows, found.size) == (1, 5, 5, 5)
    assert found.key == fingerprint(Signer(small).public)
    for line in raw.splitlines():
        assert isinstance(msgspec.json.decode(line), dict), "each line is JSON"
    leaves = [leaf for (leaf,) in sql(small, "SELECT leaf FROM events ORDER BY seq")]
    assert [leaf in raw for leaf in leaves] == [True, True, False, True, True], (
        "as they are, but for the one that is no line"
    )


def test_every_single_bit_of_it_is_watched_and_its_line_is_named(small):
    raw = exported(small, since_us=DAY_US)
    for at in range(len(raw)):
        line = raw.count(b"\n", 0, at) + 1
        for bit in range(8):
            spoilt = bytearray(raw)
            spoilt[at] ^= 1 << bit
            found = check(bytes(spoilt))
            assert not found.valid, (at, bit)
            assert found.line == line, (at, bit, found)
            assert found.why


def test_random_bits_of_a_larger_one_are_found_with_their_rows(tmp_path):
    write(tmp_path, 700)
    seal(tmp_path)
    raw, chance = exported(tmp_path), random.Random(7)
    for _ in range(60):
        at, spoilt = chance.randrange(len(raw)), bytearray(raw)
        spoilt[at] ^= 1 << chance.randrange(8)
        line = raw.count(b"\n", 0, at) + 1
        found = check(bytes(spoilt))
        assert not found.valid
        assert found.line == line
        assert found.row == (line - 1 if 2 <= line <= 701 else None)


def lines(raw: bytes) -> list[bytes]:
    return raw.splitlines(keepends=True)


def test_a_row_changed_together_with_its_hash_does_not_fit_the_checkpoint(small):
    parts = lines(exported(small))
    leaf = msgspec.json.decode(parts[2], type=dict[str, msgspec.Raw])["leaf"]
    parts[2] = row_line(2, bytes(leaf).replace(b'"cost_nanos":5', b'"cost_nanos":4'))
    found = check(b"".join(parts))
    assert not found.valid
    assert "rows 1 to 3 or the header's subtrees do not fit the checkpoint of 3 rows" in found.why
    assert (found.row, found.line) == (1, 5)


def test_a_row_changed_behind_a_checkpoint_is_looked_for_behind_it(small):
    parts = lines(exported(small))
    leaf = msgspec.json.decode(parts[5], type=dict[str, msgspec.Raw])["leaf"]
    parts[5] = row_line(4, bytes(leaf).replace(b'"cost_nanos":5', b'"cost_nanos":4'))
    found = check(b"".join(parts))
    assert "rows 4 to 5 do not fit the checkpoint of 5 rows" in found.why
    assert found.row == 4


def test_a_checkpoint_of_another_key_and_a_whole_forgery_are_found_by_the_key(small, tmp_path_factory):
    thief = Signer(tmp_path_factory.mktemp("thief"))
    out = io.BytesIO()
    sql(small, "DELETE FROM checkpoints")
    export(small, out, thief, 9)
    forged, own = check(out.getvalue()), fingerprint(Signer(small).public)
    assert forged.valid, "by itself it is in order"
    assert forged.key == fingerprint(thief.public)
    found = check(out.getvalue(), own)
    assert (found.valid, found.line) == (False, 1)
    assert "the header's key is" in found.why


def test_a_line_left_out_doubled_or_moved_is_found(small):
    parts = lines(exported(small))
    for at in range(len(parts)):
        assert not check(b"".join(parts[:at] + parts[at + 1 :])).valid, at
        assert not check(b"".join([*parts[:at], parts[at], *parts[at:]])).valid, at
    for at in range(len(parts) - 1):
        swapped = [*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]
        assert not check(b"".join(swapped)).valid, at
    assert not check(b"".join(parts) + b"\n").valid
    assert not check(b"").valid


def test_a_checkpoint_that_is_taken_out_is_missed_by_the_trailer(small):
    parts = lines(exported(small))
    assert b'"checkpoint"' in parts[4]
    found = check(b"".join(parts[:4] + parts[5:]))
    assert "the trailer counts other rows or checkpoints" in found.why


def test_a_trailer_signed_for_something_else_is_none(small):
    parts = lines(exported(small))
    body = b"".join(parts[:-1])
    trailer = msgspec.json.decode(parts[-1])
    del trailer["sha256"]
    trailer["signature"] = Signer(small).seal(b"demitasse receipt 1\n", hashlib.sha256(body).hexdigest().encode())
    found = check(body + line_of(msgspec.json.encode(trailer)))
    assert "the trailer's signature does not hold" in found.why


def test_the_rows_of_a_time_alone_are_exported_and_still_fit_the_whole(small):
    found = check(exported(small, since_us=DAY_US))
    assert found.valid
    assert (found.first, found.last, found.size) == (4, 5, 5)
    found = check(exported(small, until_us=DAY_US))
    assert (found.valid, found.first, found.last, found.size) == (True, 1, 3, 3)
    with pytest.raises(StoreError, match="no rows in that time"):
        exported(small, since_us=3 * DAY_US)


def test_a_range_in_the_middle_of_many_segments_fits(tmp_path):
    write(tmp_path, 2 * ROWS + 100)
    seal(tmp_path)
    found = check(exported(tmp_path, since_us=1_000 + 900, until_us=1_000 + ROWS + 300))
    assert found.valid
    assert (found.first, found.last, found.size) == (901, ROWS + 300, 2 * ROWS + 100)

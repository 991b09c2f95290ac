"""Checkpoints: a ledger that was rewritten with its chain, cut short or replaced no longer fits the one signed before."""

import base64
import hashlib
import io
import shutil

import pytest
from audit_ledger import rewrite, seal, sql, write
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from demitasse.core.errors import StoreError
from demitasse.store import checkpoints, export, exported
from demitasse.store.audit import verify
from demitasse.store.chain import leaf_hash
from demitasse.store.checkpoints import FILE, read, read_all, read_file, sign, signed
from demitasse.store.examine import examine
from demitasse.store.migrations import FILE as LEDGER
from demitasse.store.segments import ROWS, Leaves
from demitasse.store.signing import Signer, fingerprint
from demitasse.store.tree import Frontier


@pytest.fixture
def kept(tmp_path):
    """Twelve rows, signed after the fifth and the tenth."""
    for count, start in ((5, 0), (5, 5), (2, 10)):
        write(tmp_path, count, start)
        if start < 10:
            assert seal(tmp_path, start + 1) is not None
    return tmp_path


def told(report) -> list[str]:
    return [problem.message for problem in report.problems]


def test_an_untouched_ledger_fits_all_that_was_signed(kept):
    report = examine(kept)
    assert report.valid
    assert (report.rows, report.checkpoints, report.last_checkpoint_rows, report.rows_since) == (12, 2, 10, 2)
    assert report.key == fingerprint(Signer(kept).public)


def test_the_root_is_the_trees(kept):
    frontier = Frontier()
    for (leaf,) in sql(kept, "SELECT leaf FROM events ORDER BY seq"):
        frontier.append(leaf_hash(leaf))
    assert examine(kept).root == frontier.root().hex()


def test_a_note_is_one_that_other_tools_of_transparency_logs_can_check(tmp_path):
    """C2SP signed-note: the text with its last line break is signed, and the key is named by a hash of name, type and key."""
    signer = Signer(tmp_path)
    text, _, line = sign(signer, 7, bytes(32), 5).note.partition("\n\n")
    dash, name, blob = line.rstrip("\n").split(" ")
    raw = base64.b64decode(blob)
    assert dash == "—"
    assert name == text.split("\n")[0]
    assert raw[:4] == hashlib.sha256(name.encode() + b"\n\x01" + signer.public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(signer.public).verify(raw[4:], text.encode() + b"\n")


def test_a_note_with_any_bit_changed_is_none(tmp_path):
    note = sign(Signer(tmp_path), 12, hashlib.sha256(b"x").digest(), 5).note.encode()
    for bit in range(len(note) * 8):
        spoilt = bytearray(note)
        spoilt[bit // 8] ^= 1 << bit % 8
        try:
            one = read(spoilt.decode())
        except ValueError:
            continue
        assert not signed(one).valid, bit


@pytest.mark.parametrize("at", [2, 8])
def test_a_row_rewritten_with_the_whole_chain_no_longer_fits_and_the_checkpoint_is_named(kept, at):
    rewrite(kept, at, b'"cost_nanos":5', b'"cost_nanos":4')
    sql(kept, "UPDATE events SET cost_nanos = 4 WHERE seq = ?", at)
    assert verify(kept) == (True, None), "the chain alone does not see it"
    report = examine(kept)
    named = [problem.size for problem in report.problems if problem.kind == "checkpoint"]
    assert named == ([5, 10] if at == 2 else [10])
    assert "were rewritten after it was signed" in told(report)[0]
    if at == 8:
        assert "the rows up to 5 fit the one before it" in told(report)[0]


def test_rows_cut_off_are_missed(kept):
    sql(kept, "DELETE FROM events WHERE seq > 9")
    (first, *_) = told(examine(kept))
    assert "the checkpoint of 10 rows" in first
    assert "the ledger ends at row 9" in first


def test_an_older_copy_in_the_ledgers_place_does_not_fit_the_file_beside_it(tmp_path):
    write(tmp_path, 5)
    seal(tmp_path)
    shutil.copy(tmp_path / LEDGER, tmp_path / "copy")
    write(tmp_path, 5, 5)
    seal(tmp_path)
    shutil.copy(tmp_path / "copy", tmp_path / LEDGER)
    report = examine(tmp_path)
    assert [(problem.kind, problem.size) for problem in report.problems] == [("checkpoint", 10)]
    assert f"({FILE}, line 8)" in told(report)[0]
    write(tmp_path, 7, 100)
    assert "were rewritten" in told(examine(tmp_path))[0], "also when other rows were written since"


def test_a_copy_that_lies_elsewhere_finds_what_table_and_file_no_longer_tell(kept, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "kept"
    shutil.copy(kept / FILE, elsewhere)
    rewrite(kept, 2, b'"cost_nanos":5', b'"cost_nanos":4')
    sql(kept, "UPDATE events SET cost_nanos = 4 WHERE seq = 2")
    sql(kept, "UPDATE rollup_hours SET cost_nanos = cost_nanos - 1, baseline_nanos = baseline_nanos - 1")
    sql(kept, "DELETE FROM checkpoints")
    (kept / FILE).unlink()
    assert examine(kept).valid, "nothing in the folder knows better"
    assert [p.size for p in examine(kept, files=[elsewhere]).problems] == [5, 10]


def test_checkpoints_of_another_key_do_not_count_unless_they_are_named(kept, tmp_path_factory):
    thief = Signer(tmp_path_factory.mktemp("thief"))
    (note,) = sql(kept, "SELECT note FROM checkpoints WHERE size = 5")[0]
    forged = sign(thief, 5, read(note).root, 1).note
    sql(kept, "UPDATE checkpoints SET note = ? WHERE size = 5", forged)
    (message,) = told(examine(kept))
    assert f"signed by the key {fingerprint(thief.public)}" in message
    assert examine(kept, keys=[fingerprint(thief.public), fingerprint(Signer(kept).public)]).valid
    assert not examine(kept, keys=[fingerprint(thief.public)]).valid, "then this folder's own does not count"


def test_a_new_key_signs_the_same_rows_again_and_exports_go_by_it(kept):
    seal(kept, 20)
    old = fingerprint(Signer(kept).public)
    (kept / "signing_key").unlink()
    assert seal(kept, 21).size == 12
    assert seal(kept, 22) is None
    new = fingerprint(Signer(kept).public)
    assert [problem.size for problem in examine(kept).problems] == [5, 10, 12], "the old key's are told"
    assert examine(kept, keys=[old, new]).valid
    out = io.BytesIO()
    export.write(kept, out, Signer(kept), 23)
    out.seek(0)
    assert exported.verify(out, (new,)).valid


def test_nothing_is_signed_that_does_not_go_on_from_what_was_signed(kept):
    rewrite(kept, 2, b'"cost_nanos":5', b'"cost_nanos":4')
    with pytest.raises(StoreError, match="does not go on from its checkpoint of 10 rows"):
        seal(kept)


def test_nothing_new_is_not_signed_again(kept):
    assert seal(kept).size == 12
    assert seal(kept) is None
    assert len(read_file(kept / FILE)[0]) == 3


def test_a_note_that_a_full_disk_cut_is_told_and_held_against_nobody(kept):
    text = (kept / FILE).read_text()
    (kept / FILE).write_text(text[:-40])
    report = examine(kept)
    assert report.valid
    assert report.notes == (f"{FILE}, line 8: cut off while it was written; the ledger has it whole",)
    write(kept, 1, 50)
    seal(kept)
    assert examine(kept).valid
    assert [place.checkpoint.size for place in read_file(kept / FILE)[0]] == [5, 13], "what follows a torn one is read"
    (kept / FILE).write_text((kept / FILE).read_text() + "something else\n")
    assert told(examine(kept)) == [f"{FILE}, line 22: this is no checkpoint of ours"]


def test_a_damaged_checkpoint_in_the_ledger_is_a_problem(kept):
    sql(kept, "UPDATE checkpoints SET note = substr(note, 2) WHERE size = 5")
    assert told(examine(kept)) == ["the ledger, at 5 rows: this is no checkpoint of ours any more"]


def test_a_file_without_checkpoints_has_none(tmp_path):
    assert read_file(tmp_path / "none") == ([], [])
    assert read_all("", "empty") == ([], [])


def test_segments_are_kept_and_hold_the_same_tree(tmp_path):
    write(tmp_path, 2 * ROWS + 3)
    seal(tmp_path)
    assert sql(tmp_path, "SELECT at FROM segments") == [(0,), (1,)]
    assert examine(tmp_path).valid
    sql(tmp_path, "UPDATE segments SET hash = zeroblob(32) WHERE at = 1")
    assert told(examine(tmp_path)) == [f"rows {ROWS + 1} to {2 * ROWS} are not what their segment's hash says"]


def test_a_row_that_is_gone_stops_the_signing(tmp_path):
    write(tmp_path, ROWS + 3)
    sql(tmp_path, "DELETE FROM events WHERE seq = 7")
    with pytest.raises(StoreError, match="row 7 of the ledger is not there"):
        seal(tmp_path)


def test_leaves_know_the_root_at_every_size(tmp_path):
    write(tmp_path, ROWS + 5)
    seal(tmp_path)
    db = checkpoints.connect(tmp_path / LEDGER, wait_ms=100)
    leaves, frontier = Leaves(db), Frontier()
    for (leaf,) in db.execute("SELECT leaf FROM events ORDER BY seq"):
        frontier.append(leaf_hash(leaf))
        if frontier.size in (1, 7, ROWS - 1, ROWS, ROWS + 1, ROWS + 5):
            assert leaves.root(frontier.size) == frontier.root()
    db.close()

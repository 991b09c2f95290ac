"""The vault: sealed, for its tenant and session alone, over when it should be, and whole whatever happens to its writers."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from demitasse.core.errors import StoreError
from demitasse.store.bodies import expire
from demitasse.store.subjects import FILE as SUBJECTS
from demitasse.store.subjects import Subjects
from demitasse.store.vault import FILE, Vault

MASTER, SECRET = b"k" * 32, b"s" * 32
JANE = "jane.doe@example.com"
VALUES = {"<EMAIL_k3x7qa>": JANE, "<PERSON_abcdef>": "Zoë"}
WHO = Subjects(SECRET).person("t", "jane")
LATER = 10_000


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(tmp_path, MASTER, SECRET)
    yield vault
    vault.close()


def put(
    vault: Vault, values: dict[str, str] = VALUES, *, until: int = LATER, who: str = "jane", session: str = "s"
) -> None:
    vault.put("t", session, Subjects(SECRET).person("t", who), values, at_us=1, expires_us=until)


def get(vault: Vault, tenant: str = "t", session: str = "s", now_us: int = 1) -> dict[str, str]:
    return vault.get(tenant, session, [*VALUES, "<EMAIL_zzzzzz>"], now_us)


def on_disk(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in data.iterdir())


def test_values_come_back_and_lie_sealed(vault: Vault, tmp_path: Path) -> None:
    put(vault)
    assert get(vault) == VALUES
    assert vault.get("t", "s", ["EMAIL_k3x7qa"], 1) == {"EMAIL_k3x7qa": JANE}
    lies = on_disk(tmp_path)
    assert JANE.encode() not in lies
    assert "Zoë".encode() not in lies
    assert b"k3x7qa" not in lies
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_another_tenant_or_session_has_nothing_to_ask_for(vault: Vault) -> None:
    put(vault)
    assert get(vault, tenant="t2") == {}
    assert get(vault, session="s2") == {}
    assert get(vault, tenant="t1:s", session="") == {}


def test_a_value_in_another_row_does_not_open(vault: Vault) -> None:
    put(vault)
    vault._db.execute("UPDATE placed SET sealed = (SELECT max(sealed) FROM placed)")
    with pytest.raises(StoreError, match="the row was changed"):
        get(vault)


def test_another_master_key_opens_nothing_and_the_same_one_opens_all(vault: Vault, tmp_path: Path) -> None:
    put(vault)
    other = Vault(tmp_path, b"x" * 32, SECRET)
    with pytest.raises(StoreError, match="the master key is another one"):
        get(other)
    other.close()
    again = Vault(tmp_path, MASTER, SECRET)
    assert get(again) == VALUES
    again.close()


def test_values_are_over_when_their_time_is_and_seen_again_they_last_longer(vault: Vault) -> None:
    put(vault, until=100)
    put(vault, {"<EMAIL_k3x7qa>": JANE}, until=200)
    put(vault, {"<EMAIL_k3x7qa>": JANE}, until=50)
    assert get(vault, now_us=100) == {"<EMAIL_k3x7qa>": JANE}
    assert vault.expire(150) == 1
    assert get(vault, now_us=200) == {}


def test_values_are_over_when_their_time_is_also_where_nobody_opens_the_vault(vault: Vault, tmp_path: Path) -> None:
    put(vault, until=100)
    put(vault, {"<EMAIL_bbbbbb>": "other"}, until=200)
    assert expire(tmp_path, 150) == 2
    assert expire(tmp_path, 150) == 0
    assert vault.get("t", "s", ["<EMAIL_bbbbbb>"], 1) == {"<EMAIL_bbbbbb>": "other"}


def test_who_is_erased_is_unreadable_even_from_an_old_row(vault: Vault, tmp_path: Path) -> None:
    put(vault)
    put(vault, {"<EMAIL_bbbbbb>": "other"}, who="bob", session="s2")
    rows = vault._db.execute("SELECT * FROM placed WHERE subject = ?", (WHO.name,)).fetchall()
    (wrapped,) = vault._keys.execute("SELECT wrapped FROM subjects WHERE subject = ?", (WHO.name,)).fetchone()
    assert vault.erase(WHO.name) == 2
    assert get(vault) == {}
    vault._db.executemany("INSERT INTO placed VALUES (?,?,?,?)", rows)  # as from a copy
    assert get(vault) == {}
    assert vault.get("t", "s2", ["<EMAIL_bbbbbb>"], 1) == {"<EMAIL_bbbbbb>": "other"}
    assert wrapped not in on_disk(tmp_path)
    assert vault.expire(2) == 2
    put(vault)
    assert get(vault) == VALUES


def test_a_key_that_was_destroyed_elsewhere_is_not_used_any_more(vault: Vault, tmp_path: Path) -> None:
    put(vault)
    with sqlite3.connect(tmp_path / SUBJECTS) as db:
        db.execute("DELETE FROM subjects")
    db.close()
    assert get(vault) == {}


def test_two_processes_share_it(vault: Vault, tmp_path: Path) -> None:
    other = Vault(tmp_path, MASTER, SECRET)
    put(vault)
    put(other, {"<EMAIL_k3x7qa>": JANE})
    put(other, {"<EMAIL_cccccc>": "c"}, session="s3")
    assert get(vault) == get(other) == VALUES
    assert vault.get("t", "s3", ["<EMAIL_cccccc>"], 1) == {"<EMAIL_cccccc>": "c"}
    other.close()


_WRITER = """
import sys
import threading
from pathlib import Path
from demitasse.store.subjects import Subjects
from demitasse.store.vault import Vault
vault = Vault(Path(sys.argv[1]), b"k" * 32, b"s" * 32)
who = Subjects(b"s" * 32).person("t", "jane")
nth = 0
while True:
    values = {f"<EMAIL_{letter * 6}>": f"{nth}" for letter in "abcdefgh"}
    vault.put("t", f"s{nth}", who, values, at_us=1, expires_us=10_000)
    print(nth, flush=True)
    nth += 1
"""


def test_a_writer_that_is_killed_leaves_whole_calls_and_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        last = [int(writer.stdout.readline()) for _ in range(20)][-1]
        os.kill(writer.pid, signal.SIGKILL)
        last = max([last, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    vault = Vault(tmp_path, MASTER, SECRET)
    placeholders = [f"<EMAIL_{letter * 6}>" for letter in "abcdefgh"]
    counts = [len(vault.get("t", f"s{nth}", placeholders, 1)) for nth in range(last + 2)]
    assert counts[: last + 1] == [8] * (last + 1)
    assert counts[-1] in {0, 8}
    put(vault)
    assert get(vault) == VALUES
    vault.close()


def test_a_full_disk_is_said_and_costs_nothing_that_was_there(vault: Vault) -> None:
    put(vault)
    pages = vault._db.execute("PRAGMA page_count").fetchone()[0]
    vault._db.execute(f"PRAGMA max_page_count = {pages}")
    many = {f"<EMAIL_{'abcdefgh'[nth % 8] * 5}{'abcdefgh'[nth // 8]}>": "x" * 500 for nth in range(64)}
    with pytest.raises(StoreError, match="the disk is full"):
        put(vault, many)
    assert get(vault) == VALUES
    vault._db.execute("PRAGMA max_page_count = 100000")
    put(vault, many)
    assert vault.get("t", "s", many, 1) == many


def test_without_a_master_key_it_is_in_memory_sealed_and_bounded(tmp_path: Path) -> None:
    vault = Vault(tmp_path, None, SECRET, most=3)
    assert vault.in_memory
    for nth in range(5):
        put(vault, {"<EMAIL_k3x7qa>": f"value {nth}"}, session=f"s{nth}", until=LATER + nth)
    assert [len(get(vault, session=f"s{nth}")) for nth in range(5)] == [0, 0, 1, 1, 1]
    assert not any(b"value" in row[0] for row in vault._db.execute("SELECT sealed FROM placed"))
    assert list(tmp_path.iterdir()) == []
    vault.close()


def test_looking_up_waits_for_no_writer_and_not_for_what_a_writer_waits_for(vault: Vault, tmp_path: Path) -> None:
    put(vault)
    patient = Vault(tmp_path, MASTER, SECRET, wait_ms=30_000)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = threading.Thread(target=put, args=(patient, {"<EMAIL_waits>": "w@example.com"}))
    writing.start()
    try:
        assert get(patient) == VALUES
        assert writing.is_alive(), "the write was to wait; then the look-up had nothing to wait for"
    finally:
        other.execute("ROLLBACK")
        other.close()
        writing.join()
    assert patient.get("t", "s", ["<EMAIL_waits>"], 1) == {"<EMAIL_waits>": "w@example.com"}
    patient.close()

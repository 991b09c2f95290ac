"""Erasure: the keys go, copies do not bring them back, and the chain tells it; and the master key changed for another."""

import base64
import shutil
import sqlite3
import sys

import pytest
from audit_ledger import write
from msgspec import Raw

from demitasse.core.call import Call, Caller
from demitasse.core.errors import ConfigError, StoreError
from demitasse.store import bodies, master, subjects
from demitasse.store.bodies import Bodies
from demitasse.store.commitments import Commitments, find_key, opens
from demitasse.store.erasure import again, erase, erased
from demitasse.store.examine import examine
from demitasse.store.ledger import SqliteLedger
from demitasse.store.master import master_key, rekey_file, rewrap
from demitasse.store.subjects import Subjects
from demitasse.store.vault import Vault

MASTER, SECRET = b"k" * 32, b"s" * 32
TEXT = b"a text that is nobody's business"
NAMES = Subjects(SECRET)
JANE, JOE, TEAM = NAMES.person("team:a", "jane"), NAMES.person("team:a", "joe"), NAMES.tenant("team:a")


def keep(data, *refs, key=MASTER, at_us=1):
    kept = Bodies(data, key)
    for ref, who in refs:
        kept.put(ref, who.name, TEXT, 10**9, tenant=who.tenant, now_us=at_us)
    return kept


def on_disk(data) -> bytes:
    return b"".join(path.read_bytes() for path in data.glob("*.sqlite3*"))


def call(user: str | None = None, body: bytes = TEXT, id: str = "c1") -> Call:
    return Call(id, id, 1, "chat", body, {}, "m", caller=Caller(tenant="team:a"), person=user)


def test_a_person_is_erased_and_the_others_are_not(tmp_path):
    write(tmp_path, 3)
    kept = keep(tmp_path, ("r1", JANE), ("r2", JOE), ("r3", TEAM))
    assert erase(tmp_path, [JANE], 5).bodies == 1
    assert kept.get("r1") is None
    assert kept.get("r2") == kept.get("r3") == TEXT
    assert [(one.name, one.tenant, one.at_us) for one in erased(tmp_path)] == [(JANE.name, False, 5)]
    assert examine(tmp_path).valid
    kept.close()


def test_a_tenant_is_erased_with_all_persons_that_it_names(tmp_path):
    kept = keep(tmp_path, ("r1", JANE), ("r2", JOE), ("r3", TEAM), ("r4", NAMES.person("team:b", "jane")))
    gone = erase(tmp_path, [TEAM], 5, tenant=True)
    assert (gone.subjects, gone.bodies) == (3, 3)
    assert [kept.get(ref) for ref in ("r1", "r2", "r3", "r4")] == [None, None, None, TEXT]
    kept.close()


def test_a_copy_of_the_bodies_alone_opens_nothing_after_an_erasure(tmp_path):
    keep(tmp_path, ("r1", JANE), ("r2", JOE)).close()
    copy = tmp_path / "copy"
    shutil.copy(tmp_path / bodies.FILE, copy)
    erase(tmp_path, [JANE], 5)
    shutil.copy(copy, tmp_path / bodies.FILE)
    kept = Bodies(tmp_path, MASTER)
    assert kept.get("r1") is None
    assert kept.get("r2") == TEXT
    kept.put("r9", JANE.name, TEXT, 10**9, tenant=JANE.tenant, now_us=7)
    assert kept.get("r9") == TEXT, "who comes again begins anew"
    assert kept.get("r1") is None, "and the new key does not open what lay under the old one"
    kept.close()


def test_a_copy_of_the_keys_brings_them_back_only_until_the_next_start(tmp_path):
    write(tmp_path, 1)
    keep(tmp_path, ("r1", JANE), ("r2", JOE)).close()
    for file in (bodies.FILE, subjects.FILE):
        shutil.copy(tmp_path / file, tmp_path / f"{file}.copy")
    erase(tmp_path, [JANE], 5)
    for file in (bodies.FILE, subjects.FILE):
        shutil.copy(tmp_path / f"{file}.copy", tmp_path / file)
    assert again(tmp_path).bodies == 1
    kept = Bodies(tmp_path, MASTER)
    assert kept.get("r1") is None
    assert kept.get("r2") == TEXT
    assert again(tmp_path).subjects == 0
    kept.close()


@pytest.mark.parametrize("tenant", [False, True])
def test_a_text_that_came_before_the_erasure_and_is_brought_after_it_is_not_kept(tmp_path, tenant):
    kept = keep(tmp_path, ("r0", JANE))
    erase(tmp_path, [TEAM if tenant else JANE], 5, tenant=tenant)
    for ref, of_us in (("r1", 4), ("r2", 6)):
        kept.put(ref, JANE.name, TEXT, 10**9, tenant=JANE.tenant, now_us=7, of_us=of_us)
    assert kept.get("r1") is None
    assert kept.get("r2") == TEXT
    kept.close()


def test_an_erased_key_lingers_nowhere(tmp_path):
    write(tmp_path, 1)
    keep(tmp_path, ("r1", JANE)).close()
    commitments = Commitments(tmp_path, SECRET, clock=lambda: 1)
    commitments.of(call("jane"), None)
    db = sqlite3.connect(tmp_path / subjects.FILE)
    (wrapped,), (salt,) = (
        db.execute(f"SELECT {c} FROM {t}").fetchone() for c, t in (("wrapped", "subjects"), ("salt", "salts"))
    )
    db.close()
    assert wrapped in on_disk(tmp_path)
    erase(tmp_path, [JANE], 5)
    assert wrapped not in on_disk(tmp_path)
    assert salt not in on_disk(tmp_path)
    commitments.close()


def test_what_placeholders_stand_for_goes_with_the_person(tmp_path):
    vault = Vault(tmp_path, MASTER, SECRET)
    vault.put("team:a", "s", JANE, {"<EMAIL_1>": "jane@example.com"}, at_us=1, expires_us=10**9)
    vault.put("team:a", "s", JOE, {"<EMAIL_2>": "joe@example.com"}, at_us=1, expires_us=10**9)
    assert erase(tmp_path, [JANE], 5).bodies == 1
    assert vault.get("team:a", "s", ["<EMAIL_1>", "<EMAIL_2>"], 6) == {"<EMAIL_2>": "joe@example.com"}
    vault.close()


def test_expiring_bodies_takes_no_key_that_a_placeholder_needs(tmp_path):
    vault, kept = Vault(tmp_path, MASTER, SECRET), keep(tmp_path, ("r1", JANE), ("r2", JOE))
    vault.put("team:a", "s", JANE, {"<EMAIL_1>": "jane@example.com"}, at_us=1, expires_us=10**10)
    assert kept.expire(10**9) == 2
    assert vault.get("team:a", "s", ["<EMAIL_1>"], 6) == {"<EMAIL_1>": "jane@example.com"}
    rows = kept._db.execute("SELECT subject FROM subjects").fetchall()
    assert rows == [(JANE.name,)], "the key that nothing lies under is gone"
    vault.close()
    kept.close()


def test_a_commitment_is_proven_by_its_key_and_no_more_once_its_subject_is_erased(tmp_path):
    write(tmp_path, 1)
    commitments = Commitments(tmp_path, SECRET, clock=lambda: 1)
    mac, reply = commitments.of(call("jane"), b"the answer")
    key = find_key(tmp_path, SECRET, "team:a", "c1", mac)
    assert key == commitments.key(call("jane"))
    assert opens(key, mac, TEXT)
    assert opens(key, reply, b"the answer")
    assert not opens(key, mac, b"another text")
    other, _ = commitments.of(call("jane", id="c2"), None)
    assert other[8:] != mac[8:], "the same text in two calls cannot be told to be the same"
    assert not opens(key, other, TEXT), "and a call's key opens no other call"
    erase(tmp_path, [JANE], 5)
    commitments.forget()
    assert find_key(tmp_path, SECRET, "team:a", "c1", mac) is None
    again_mac, _ = commitments.of(call("jane"), None)
    assert again_mac != mac, "a new salt: what came before cannot be linked with what comes"
    commitments.close()


def test_a_file_of_salts_that_cannot_be_written_costs_a_commitment_and_no_call(tmp_path, caplog):
    commitments = Commitments(tmp_path, SECRET, clock=lambda: 1)
    other = sqlite3.connect(tmp_path / subjects.FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert commitments.of(call("jane"), b"x") == (None, None)
    assert "has no commitment" in caplog.text
    other.execute("ROLLBACK")
    assert commitments.of(call("jane"), b"x")[0] is not None
    other.close()
    commitments.close()


@pytest.mark.parametrize(
    ("fields", "person"),
    [
        ({"safety_identifier": b'"a"', "user": b'"b"'}, "a"),
        ({"user": b'"b"', "metadata": b'{"user_id": "c"}'}, "b"),
        ({"metadata": b'{"user_id": "c", "more": [1]}'}, "c"),
        ({"user": b'""'}, None),
        ({"user": b"7"}, None),
        ({"metadata": b'{"user_id": 7}'}, None),
        ({"metadata": b'["user_id"]'}, None),
        ({}, None),
    ],
)
def test_the_person_is_whom_the_request_names_first(fields, person):
    assert subjects.person_in({name: Raw(raw) for name, raw in fields.items()}) == person


def test_keys_that_an_older_version_kept_beside_the_bodies_are_taken_over_but_not_those_of_the_erased(tmp_path):
    write(tmp_path, 1)
    keep(tmp_path, ("r1", JANE), ("r2", JOE)).close()
    db = sqlite3.connect(tmp_path / bodies.FILE)
    keys = sqlite3.connect(tmp_path / subjects.FILE).execute("SELECT subject, wrapped FROM subjects").fetchall()
    db.execute("CREATE TABLE subjects (subject TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID")
    db.executemany("INSERT INTO subjects VALUES (?,?)", keys)
    db.commit()
    db.close()
    old = (tmp_path / bodies.FILE).read_bytes()
    erase(tmp_path, [JANE], 5)
    (tmp_path / bodies.FILE).write_bytes(old)
    kept = Bodies(tmp_path, MASTER)
    assert kept.get("r1") is None
    assert kept.get("r2") == TEXT
    kept.close()
    assert (
        not sqlite3.connect(tmp_path / bodies.FILE)
        .execute("SELECT 1 FROM sqlite_schema WHERE name = 'subjects'")
        .fetchall()
    )


def test_the_master_key_changes_and_no_body_is_touched(tmp_path):
    data, file = tmp_path / "data", tmp_path / "keys" / "master"
    old = master_key(file=file, data=data)
    keep(data, ("r1", JANE), ("r2", JOE), key=old).close()
    sealed = sqlite3.connect(data / bodies.FILE).execute("SELECT sealed FROM bodies").fetchall()
    assert rekey_file(data, file) == 2
    new = master_key(file=file, data=data)
    assert new != old
    kept = Bodies(data, new)
    assert kept.get("r1") == kept.get("r2") == TEXT
    kept.close()
    assert sqlite3.connect(data / bodies.FILE).execute("SELECT sealed FROM bodies").fetchall() == sealed
    before = Bodies(data, old)
    with pytest.raises(StoreError, match="the master key is another one"):
        before.get("r1")
    before.close()


@pytest.mark.parametrize("when", ["before the wrapping", "after it"])
def test_a_change_of_keys_that_was_broken_off_ends_with_the_key_that_opens(tmp_path, monkeypatch, when):
    data, file = tmp_path / "data", tmp_path / "keys" / "master"
    keep(data, ("r1", JANE), key=master_key(file=file, data=data)).close()

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        where, name = (master, "rewrap") if when.startswith("before") else (type(file), "replace")
        patch.setattr(where, name, killed)
        with pytest.raises(Killed):
            rekey_file(data, file)
    kept = Bodies(data, master_key(file=file, data=data))
    assert kept.get("r1") == TEXT
    kept.close()
    rekey_file(data, file)
    kept = Bodies(data, master_key(file=file, data=data))
    assert kept.get("r1") == TEXT
    kept.close()


def test_a_wrong_old_key_changes_nothing_and_a_running_gateway_is_not_surprised(tmp_path):
    keep(tmp_path, ("r1", JANE)).close()
    with pytest.raises(StoreError, match="the master key is another one"):
        rewrap(tmp_path, b"x" * 32, b"y" * 32)
    ledger = SqliteLedger.open(tmp_path)
    with pytest.raises(StoreError, match="is in use; stop Demitasse first"):
        rewrap(tmp_path, MASTER, b"y" * 32)
    ledger.close()
    kept = Bodies(tmp_path, MASTER)
    assert kept.get("r1") == TEXT
    kept.close()


def test_the_master_key_comes_from_a_command(tmp_path):
    text = base64.b64encode(MASTER).decode()
    assert master_key(command=[sys.executable, "-c", f"print('{text}')"]) == MASTER
    with pytest.raises(ConfigError, match=r"ended with status 3: no such key"):
        master_key(command=[sys.executable, "-c", "import sys; print('no such key', file=sys.stderr); sys.exit(3)"])
    with pytest.raises(ConfigError, match="holds no key"):
        master_key(command=[sys.executable, "-c", "print('short')"])
    with pytest.raises(ConfigError, match="could not be run"):
        master_key(command=[str(tmp_path / "none")])

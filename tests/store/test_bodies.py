"""Bodies: encrypted, bound to their place, expired, and erased for good."""

import base64

import pytest

from demitasse.core.errors import ConfigError, StoreError
from demitasse.store.bodies import FILE, Bodies, master_key

MASTER = b"k" * 32
TEXT = b'{"messages":[{"role":"user","content":"a secret that must not be found"}]}'


@pytest.fixture
def bodies(tmp_path):
    bodies = Bodies(tmp_path, MASTER)
    yield bodies
    bodies.close()


def on_disk(data) -> bytes:
    return b"".join(path.read_bytes() for path in data.glob(FILE + "*"))


def test_a_body_comes_back_and_lies_encrypted(bodies, tmp_path):
    bodies.put("r1", "team-a", TEXT, 100)
    bodies.put("r1", "team-a", TEXT + b"2", 100)
    assert bodies.get("r1") == TEXT + b"2"
    assert bodies.get("none") is None
    assert b"secret" not in on_disk(tmp_path)


def test_another_master_key_opens_nothing(bodies, tmp_path):
    bodies.put("r1", "team-a", TEXT, 100)
    other = Bodies(tmp_path, b"x" * 32)
    with pytest.raises(StoreError, match="the master key is another one"):
        other.get("r1")
    other.close()


def test_a_body_moved_to_another_place_does_not_open(bodies):
    bodies.put("r1", "team-a", TEXT, 100)
    bodies.put("r2", "team-a", TEXT, 100)
    bodies._db.execute("UPDATE bodies SET sealed = (SELECT sealed FROM bodies WHERE ref = 'r1') WHERE ref = 'r2'")
    with pytest.raises(StoreError, match="the row was changed"):
        bodies.get("r2")


def test_an_erased_subject_is_unreadable_even_from_an_old_row(bodies, tmp_path):
    bodies.put("r1", "team-a", TEXT, 100)
    bodies.put("r2", "team-b", TEXT, 100)
    row = bodies._db.execute("SELECT * FROM bodies WHERE ref = 'r1'").fetchone()
    (wrapped,) = bodies._db.execute("SELECT wrapped FROM subjects WHERE subject = 'team-a'").fetchone()
    assert bodies.erase("team-a") == 1
    assert bodies.get("r1") is None
    assert bodies.get("r2") == TEXT
    bodies._db.execute("INSERT INTO bodies VALUES (?,?,?,?)", row)  # as from a copy
    assert bodies.get("r1") is None
    assert wrapped not in on_disk(tmp_path)


def test_a_subject_that_was_erased_begins_again_with_a_new_key(bodies):
    bodies.put("r1", "team-a", TEXT, 100)
    bodies.erase("team-a")
    bodies.put("r3", "team-a", TEXT, 100)
    assert bodies.get("r3") == TEXT


def test_expired_bodies_go_and_their_keys_with_them(bodies):
    bodies.put("r1", "team-a", TEXT, 100)
    bodies.put("r2", "team-b", TEXT, 200)
    assert bodies.get("r1", now_us=100) is None
    assert bodies.expire(150) == 1
    assert [row[0] for row in bodies._db.execute("SELECT subject FROM subjects")] == ["team-b"]
    assert bodies.get("r2", now_us=150) == TEXT


def test_the_master_key_is_made_once_for_its_owner_alone(tmp_path):
    file = tmp_path / "keys" / "bodies.key"
    key = master_key(file=file, data=tmp_path / "data")
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert master_key(file=file, data=tmp_path / "data") == key
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="run: chmod 600"):
        master_key(file=file)


def test_the_master_key_may_not_lie_with_the_data(tmp_path):
    with pytest.raises(ConfigError, match="lies in the data directory"):
        master_key(file=tmp_path / "data" / "bodies.key", data=tmp_path / "data")


def test_the_variable_wins_and_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("BODIES_KEY", base64.b64encode(MASTER).decode())
    assert master_key(env="BODIES_KEY", file=tmp_path / "unused") == MASTER
    monkeypatch.setenv("BODIES_KEY", "short")
    with pytest.raises(ConfigError, match="the environment variable BODIES_KEY holds no key"):
        master_key(env="BODIES_KEY")
    monkeypatch.delenv("BODIES_KEY")
    with pytest.raises(ConfigError, match="bodies are kept only encrypted"):
        master_key(env="BODIES_KEY")

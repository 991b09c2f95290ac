"""The pack as a command: made, verified, clean; every link in it opens and every flipped bit is found."""

from __future__ import annotations

import asyncio
import io
import json
import random
import re
import zipfile
from pathlib import Path

import pytest
from cli_month import DAY_US, NOW_US, attempt, entry, fill, month

from demitasse.core.call import Usage
from demitasse.core.entry import Check, Guarded
from demitasse.core.limits import Alert, Key
from demitasse.store.ledger import SqliteLedger
from demitasse.store.settings import Settings


def pack(run, tmp_path: Path, *more: str) -> bytes:
    run("evidence", "out.zip", *more)
    return (tmp_path / "out.zip").read_bytes()


def opened(raw: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(raw))


def guarded(id: str, **more):
    usage = Usage(uncached_in=100, text_out=20)
    guard = Guarded(found=(("EMAIL", 2), ("CARD", 1)), band="high", source="tool", done=(("redact", "EMAIL", 2),), checks=(Check("grounding", True, 0.83), Check("schema", False)))  # fmt: skip
    return entry(
        id, NOW_US - DAY_US, attempts=(attempt(usage, at_us=NOW_US - DAY_US),), key="alice", guard=guard, **more
    )


def test_a_pack_is_made_and_verifies(filled, run, tmp_path):
    said = run("evidence", "out.zip").output
    assert "GV-1.6-001" in said and "evidenced" in said
    told = run("evidence", "verify", str(tmp_path / "out.zip")).output
    assert "whole" in told and "this data folder's own" in told


def test_the_same_content_and_moment_make_the_same_bytes(filled, run, tmp_path):
    assert pack(run, tmp_path) == pack(run, tmp_path)


def test_every_link_in_a_pack_opens(filled, run, tmp_path):
    archive = opened(pack(run, tmp_path))
    names = set(archive.namelist())
    assert "index.html" in names
    links = 0
    for name in names:
        if name.endswith(".html"):
            folder = name.rpartition("/")[0]
            for href in re.findall(r'href="([^"]+)"', archive.read(name).decode()):
                place = href
                base = folder
                while place.startswith("../"):
                    place, base = place[3:], base.rpartition("/")[0]
                at = f"{base}/{place}" if base else place
                links += 1
                assert at in names, (name, href)
    assert links > 60


def test_every_row_has_proofs_whose_files_are_in_the_pack(filled, run, tmp_path):
    archive = opened(pack(run, tmp_path))
    rows = json.loads(archive.read("controls.json"))["rows"]
    assert len(rows) >= 25
    for row in rows:
        assert row["status"] in ("evidenced", "partial", "organisational") and row["why"] and row["remains"]
        assert row["proofs"]
        for proof in row["proofs"]:
            assert proof["says"] and proof["how"] and proof["make"]
            assert set(proof["files"]) <= set(archive.namelist())


def test_any_flipped_bit_is_found_and_its_file_named(filled, run, tmp_path):
    from demitasse.build.governing import check_pack
    from demitasse.build.governing_sources import own_key

    raw = pack(run, tmp_path)
    own = own_key(tmp_path / "data")
    assert check_pack(raw, own).valid
    chance = random.Random(11)
    places = {chance.randrange(len(raw)) for _ in range(250)}
    archive = opened(raw)
    for info in archive.infolist():  # headers, names and the first byte of each file, and the table of contents
        places |= {info.header_offset + at for at in (0, 5, 14, 27, 31)}
        places.add(info.header_offset + 30 + len(info.filename))
    places |= set(range(len(raw) - 40, len(raw))) | {archive.start_dir + at for at in range(60)}
    for at in sorted(places):
        bad = bytearray(raw)
        bad[at] ^= 1 << chance.randrange(8)
        assert check_pack(bytes(bad), own).problems, at


def test_a_changed_file_is_named(filled, run, tmp_path):
    raw = pack(run, tmp_path)
    info = opened(raw).getinfo("guard.json")
    bad = bytearray(raw)
    bad[info.header_offset + 30 + len("guard.json") + 10] ^= 4
    (tmp_path / "bad.zip").write_bytes(bad)
    result = run("evidence", "verify", str(tmp_path / "bad.zip"), status=1)
    assert "guard.json: was changed" in result.output
    told = json.loads(run("evidence", "verify", "--json", str(tmp_path / "bad.zip"), status=1).stdout)
    assert told["valid"] is False and told["problems"] == [{"file": "guard.json", "why": "was changed"}]


def test_a_pack_signed_by_another_key_is_told_apart(filled, run, tmp_path):
    pack(run, tmp_path)
    key = json.loads(run("evidence", "verify", "--json", str(tmp_path / "out.zip")).stdout)["key"]
    run("evidence", "verify", "--key", key, str(tmp_path / "out.zip"))
    assert "signed by key" in run("evidence", "verify", "--key", "0" * 16, str(tmp_path / "out.zip"), status=1).output


def test_what_is_no_pack_is_said_to_be_none(filled, run, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK nothing")
    assert "no zip archive" in run("evidence", "verify", str(tmp_path / "x.zip"), status=1).output
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as other:
        other.writestr("a.txt", "a")
    assert "manifest.json: is missing" in run("evidence", "verify", str(tmp_path / "y.zip"), status=1).output


def test_what_the_guard_found_is_counted_by_type_and_day(data, run, tmp_path):
    fill(
        data, [*month(), guarded("g1"), guarded("g2"), guarded("g3", outcome="refused", error="provider_not_approved")]
    )
    archive = opened(pack(run, tmp_path))
    guard = json.loads(archive.read("guard.json"))
    assert guard["found"] == {"EMAIL": 6, "CARD": 3}
    assert guard["by_day"] == [{"day": "2026-11-20", "counts": {"CARD": 3, "EMAIL": 6}}]
    assert guard["acted"] == 3 and guard["done"] == {"redact EMAIL": 6}
    assert json.loads(archive.read("security.json"))["bands"] == {"high": 3}
    assert json.loads(archive.read("grounding.json"))["n"] == 3
    assert json.loads(archive.read("providers.json"))["refused"]["total"] == 1


def test_counts_go_on_where_they_were_and_nothing_is_counted_twice(data, run, tmp_path):
    fill(data, [guarded("g1")])
    pack(run, tmp_path)
    fill(data, [guarded("g2")])
    assert json.loads(opened(pack(run, tmp_path)).read("guard.json"))["found"] == {"EMAIL": 4, "CARD": 2}


def test_a_deactivation_makes_its_row_evidenced(filled, run, tmp_path):
    def status(raw: bytes, id: str) -> str:
        rows = json.loads(opened(raw).read("controls.json"))["rows"]
        return next(row["status"] for row in rows if row["id"] == id)

    assert status(pack(run, tmp_path), "GV-1.7-001") == "organisational"
    run("keys", "create", "temp")
    run("keys", "revoke", "temp")
    assert status(pack(run, tmp_path), "GV-1.7-001") == "evidenced"


PLANTED = (
    "ada.lovelace@example.org",
    "/home/ada/secret-plans",
    "4111 1111 1111 1111",
    "sk-proj-" + "a1B2c3D4" * 6,
    "DE89 3704 0044 0532 0130 00",
)


def test_no_secret_no_personal_value_and_no_path_is_in_a_pack(data, run, tmp_path):
    text = f"key of {PLANTED[0]} in {PLANTED[1]}/x.toml paid with {PLANTED[2]}, {PLANTED[3]}, {PLANTED[4]}"
    tagged = entry("t1", NOW_US - DAY_US, key="alice", tags=(("user", PLANTED[0]), ("team", PLANTED[0])), outcome="refused", error="insufficient_quota", why=text)  # fmt: skip
    fill(data, [*month(), tagged])
    settings = Settings(data, clock=lambda: NOW_US - DAY_US)
    settings.raise_alert(
        Alert("a1", NOW_US - DAY_US, "loop_detected", "alice", text, f"demitasse explain {PLANTED[1]}")
    )
    settings.add_key(Key("k1", "carol", b"MACMACMACMAC" * 3, NOW_US - DAY_US))
    settings.set_paused("carol", text)
    settings.close()
    ledger = SqliteLedger.open(data, clock=lambda: NOW_US)
    asyncio.run(ledger.flush())
    ledger.close()
    archive = opened(pack(run, tmp_path))
    for name in archive.namelist():
        content = archive.read(name).decode()
        for planted in (*PLANTED, "MACMAC", str(tmp_path)):
            assert planted not in content, (name, planted)
    assert "[EMAIL]" in archive.read("incidents.json").decode()


SERVERS = """
[models.box]
provider = "generic"
base_url = "http://10.20.30.40:8000/v1"
[models.mill]
provider = "openai"
base_url = "http://192.168.7.9/v1"
[governance]
providers = ["host:10.20.30.40", "host:172.16.5.5"]
"""


@pytest.mark.parametrize("code", ["bf54a4bd24", "4930901820"])
def test_codes_and_addresses_of_the_configuration_are_evidence_and_stay(data, run, tmp_path, code):
    (tmp_path / "demitasse.toml").write_text(SERVERS)
    usage = Usage(uncached_in=100, text_out=20)
    tried = attempt(usage, at_us=NOW_US - DAY_US, model="box", provider="generic")
    fill(data, [*month(), entry("t1", NOW_US - DAY_US, attempts=(tried,), key="alice")])
    settings = Settings(data, clock=lambda: NOW_US - DAY_US)
    text = f"call t1 of key 'alice' to 'box' was refused until a person lets it pass ({code}): 10.20.30.40, 81.2.69.160"
    text += ", http://robot:kX9-pq2-Lm4@10.20.30.40:8000/v1"
    settings.raise_alert(Alert(f"approve-{code}", NOW_US - DAY_US, "approval_needed", "t1", text))
    settings.close()
    archive = opened(pack(run, tmp_path))
    told = json.loads(archive.read("providers.json"))
    assert told["approved"] == ["host:10.20.30.40", "host:172.16.5.5"] and told["called"]["host:10.20.30.40"] == 1
    assert f"({code}): 10.20.30.40, [IP]" in json.loads(archive.read("incidents.json"))["alerts"][0]["message"]
    assert "at 10.20.30.40" in archive.read("cards/box.md").decode()
    assert "at 192.168.7.9" in archive.read("cards/mill.md").decode()
    assert "1 × IP" in archive.read("index.html").decode()
    for name in archive.namelist():
        assert "kX9-pq2" not in archive.read(name).decode(), name


@pytest.mark.parametrize("since", ["2026-11-21", "1d"])
def test_a_pack_is_of_its_period(filled, run, tmp_path, since):
    told = json.loads(run("evidence", "out.zip", "--since", since, "--json").stdout)
    assert told["since"].startswith("2026-11-2") and sum(told["counts"].values()) == len(told["rows"])


def test_a_period_that_ends_before_it_begins_is_a_usage_error(filled, run):
    run("evidence", "out.zip", "--since", "2026-11-20", "--until", "2026-11-19", status=2)


def test_rows_and_checkpoints_of_a_pack_are_checked_by_the_audit(filled, run, tmp_path):
    archive = opened(pack(run, tmp_path, "--rows"))
    archive.extractall(tmp_path / "pack")
    assert "rows.jsonl" in archive.read("index.html").decode()
    run("audit", "verify", str(tmp_path / "pack/rows.jsonl"))
    run("audit", "verify", "--checkpoints", str(tmp_path / "pack/checkpoints.txt"))
    history = json.loads(archive.read("history.json"))
    assert history["holds"] is True and history["checkpoints"][-1]["size"] == history["events"]
    lines = (tmp_path / "pack/rows.jsonl").read_bytes().replace(b'"alice"', b'"mallo"', 1)
    (tmp_path / "pack/rows.jsonl").write_bytes(lines)
    run("audit", "verify", str(tmp_path / "pack/rows.jsonl"), status=1)


def test_without_being_asked_for_no_rows_are_in_a_pack(filled, run, tmp_path):
    assert "rows.jsonl" not in opened(pack(run, tmp_path)).namelist()


def test_a_rewritten_ledger_makes_a_pack_that_says_so(filled, run, tmp_path, data):
    import sqlite3

    pack(run, tmp_path)
    db = sqlite3.connect(data / "ledger.sqlite3")
    first = "SELECT min(seq) FROM events WHERE key = 'alice'"
    db.execute(f"UPDATE events SET leaf = CAST(replace(leaf, 'alice', 'mallo') AS BLOB) WHERE seq = ({first})")
    db.commit()
    db.close()
    archive = opened(pack(run, tmp_path))
    rows = {row["id"]: row for row in json.loads(archive.read("controls.json"))["rows"]}
    assert rows["Art. 12"]["status"] == "partial" and rows["MS-2.8-003"]["status"] != "evidenced"
    history = json.loads(archive.read("history.json"))
    assert history["holds"] is False and history["problems"]

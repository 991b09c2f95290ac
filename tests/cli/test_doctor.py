"""What `doctor` finds, and what it then says to do."""

from __future__ import annotations

import json
import socket

import pytest
from cli_month import NOW_US, entry, fill


@pytest.fixture
def look(run):
    """All findings by what was looked at."""

    def look(*options: str, status: int = 0, **more) -> dict[str, list[dict[str, str]]]:
        said = json.loads(run("doctor", "--json", *options, status=status, **more).stdout)
        assert said["healthy"] == (status == 0)
        found: dict[str, list[dict[str, str]]] = {}
        for finding in said["findings"]:
            found.setdefault(finding["what"], []).append(finding)
        return found

    return look


def test_an_empty_machine_is_well(look):
    found = look()
    assert found["ledger"][0]["level"] == "note"
    assert found["sqlite"][0]["level"] == found["disk"][0]["level"] == found["config"][0]["level"] == "ok"


def test_every_finding_that_is_not_well_has_a_remedy(look, tmp_path, data):
    data.mkdir(mode=0o755)
    (tmp_path / "demitasse.toml").write_text('[models.x]\nprovider = "openai"\nmodel = "gpt-5.1"\nkey_env = "MY_KEY"\n')
    found = look(status=1)
    bad = [f for group in found.values() for f in group if f["level"] in {"warn", "bad"}]
    assert {f["what"] for f in bad} == {"data", "key"}
    assert all(f["remedy"] for f in bad)
    assert "MY_KEY is not set, and models.x needs it" in found["key"][0]["text"]


def test_keys_are_named_and_never_shown(run):
    said = run("doctor", env={"OPENAI_API_KEY": "sk-very-secret"}).stdout
    assert "OPENAI_API_KEY is set" in said
    assert "sk-very-secret" not in said


def test_a_wrong_configuration_is_a_finding_and_not_a_crash(look, tmp_path):
    (tmp_path / "demitasse.toml").write_text("[server]\nprot = 1\n")
    found = look(status=1)
    assert "did you mean 'port'?" in found["config"][0]["text"]
    assert sum("did you mean" in f["text"] for group in found.values() for f in group) == 1


def test_changed_settings_are_shown_with_their_origin_and_all_on_request(look, tmp_path):
    (tmp_path / "demitasse.toml").write_text(
        '[server]\nport = 4999\n[alerts]\nwebhook = "https://hooks.example/T0/secret"\n'
    )
    shown = [f["text"] for f in look()["setting"]]
    assert "server.port = 4999 (file)" in shown
    assert "alerts.webhook = set, not shown (file)" in shown
    assert not any(text.endswith("(default)") for text in shown)
    every = [f["text"] for f in look("--settings")["setting"]]
    assert "cache.exact = true (default)" in every


def test_a_taken_port_is_found(look, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (tmp_path / "demitasse.toml").write_text(f"[server]\nport = {taken.getsockname()[1]}\n")
        found = look(status=1)["port"][0]
    assert "is taken by something else" in found["text"]
    assert "--port" in found["remedy"]


def test_a_clock_that_went_back_is_found(look, data):
    fill(data, [entry("c1", NOW_US + 3_600_000_000)])
    assert "in the future" in look(status=1)["clock"][0]["text"]


def test_a_key_that_a_found_file_sends_elsewhere_is_found(look, tmp_path):
    (tmp_path / "demitasse.toml").write_text(
        '[models.x]\nprovider = "openai"\nmodel = "gpt-5.1"\nkey_env = "OPENAI_API_KEY"\nbase_url = "https://evil.example/v1"\n'
    )
    found = look(status=1, env={"OPENAI_API_KEY": "sk-x"})["config"]
    assert any("would send OPENAI_API_KEY to evil.example" in f["text"] and "--config" in f["remedy"] for f in found)


def test_the_ledgers_chain_is_recomputed_on_request(look, filled):
    assert "chain" not in look()
    assert look("--deep")["chain"][0]["level"] == "ok"


def test_a_row_that_was_changed_is_found(look, filled):
    import sqlite3

    db = sqlite3.connect(filled / "ledger.sqlite3")
    db.execute("UPDATE events SET cost_nanos = 1 WHERE id = 'c03'")
    db.commit()
    db.close()
    found = look("--deep", status=1)["chain"][0]
    assert "is not what was written" in found["text"]
    assert "demitasse restore" in found["remedy"]


@pytest.mark.parametrize(
    ("models", "name", "level"),
    [
        ("", "openai/omni-moderation-latest", "ok"),
        ("", "openai/gpt-5.1", "ok"),
        ("", "mistral/mistral-moderation-latest", "bad"),
        ('provider = "generic"\nmodel = "moderation-1"\nbase_url = "http://127.0.0.1:9/v1"', "own", "bad"),
        (
            'provider = "generic"\nmodel = "moderation-1"\nbase_url = "http://127.0.0.1:9/v1"\nregion = "local"',
            "own",
            "ok",
        ),
        ('provider = "openai"\nmodel = "omni-moderation-latest"\nbase_url = "http://127.0.0.1:9/v1"', "own", "bad"),
    ],
)
def test_a_moderator_whose_price_nobody_knows_is_found_before_a_start(look, tmp_path, models, name, level):
    table = f"[models.own]\n{models}\n" if models else ""
    (tmp_path / "demitasse.toml").write_text(f'{table}[guard]\nmoderation = "{name}"\n')
    (found,) = look(status=int(level == "bad"))["moderator"]
    assert found["level"] == level
    assert ("input_usd_per_mtok = 0" in found["remedy"]) is (level == "bad")

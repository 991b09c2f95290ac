"""`demitasse guard`: the rules in force, and what waits for a person."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
from click.testing import Result

from demitasse.cli.ground import user
from demitasse.core.limits import Alert
from demitasse.store.bodies import Bodies, master_key
from demitasse.store.settings import Settings

Run = Callable[..., Result]
CODE = "0a1b2c3d4e"


def waits(data: Path) -> None:
    settings = Settings(data, clock=lambda: 1_795_262_400_000_000)
    settings.raise_alert(
        Alert(
            f"approve-{CODE}",
            1_795_262_400_000_000,
            "approval_needed",
            "c01",
            f"call c01 of key 'app' to 'large' was refused until a person lets it pass ({CODE})",
            f"demitasse guard approve {CODE}",
            undo=f"demitasse guard withdraw {CODE}",
        )
    )
    settings.close()


def test_what_waits_passes_is_off_the_list_and_waits_again(run: Run, data: Path) -> None:
    assert "nothing waits" in run("guard", "waiting").stdout
    waits(data)
    (row,) = json.loads(run("guard", "waiting", "--json").stdout)
    assert (row["code"], row["call"]) == (CODE, "c01")
    assert f"undo with: demitasse guard withdraw {CODE}" in run("guard", "approve", CODE).stdout
    assert json.loads(run("guard", "waiting", "--json").stdout) == []
    run("guard", "withdraw", CODE)
    assert CODE in run("guard", "waiting").stdout


def test_a_code_that_a_person_refused_is_refused_for_good_with_who_and_why(run: Run, data: Path) -> None:
    waits(data)
    assert "is refused for good" in run("guard", "reject", CODE, "--why", "not our business").stdout
    assert json.loads(run("guard", "waiting", "--json").stdout) == []
    assert "and that is final" in run("guard", "approve", CODE, status=1).stderr
    assert "and that is final" in run("guard", "reject", CODE, status=1).stderr
    with sqlite3.connect(data / "ledger.sqlite3") as db:
        sql = "SELECT leaf FROM events WHERE id = ?"
        (event,) = (json.loads(leaf) for (leaf,) in db.execute(sql, (f"setting:guard_rejected:{CODE}",)))
    assert (event["by"], event["value"]["why"]) == (f"command:{user()}", "not our business")
    assert "nothing waits under" in run("guard", "reject", "0000000000", status=1).stderr


def test_what_is_alike_is_one_line_and_refused_with_one_command(run: Run, data: Path) -> None:
    settings = Settings(data, clock=lambda: 1_795_262_400_000_000)
    for i in range(40):
        code = f"{i:010x}"
        group = f"approval large {'app' if i else 'other'} user"
        at_us = 1_795_262_400_000_000 + i
        settings.raise_alert(Alert(f"approve-{code}", at_us, "approval_needed", "c01", f"call {i}", group=group))
    settings.close()
    said = run("guard", "waiting").stdout
    assert [line.split()[0] for line in said.splitlines() if line.startswith("0000")] == [f"{39:010x}", f"{0:010x}"]
    assert " 38 " in said
    assert len(run("guard", "waiting", "--all").stdout.splitlines()) >= 40
    assert len(json.loads(run("guard", "waiting", "--json").stdout)) == 40
    assert "39 requests are refused for good" in run("guard", "reject", f"{7:010x}", "--like").stdout
    assert [row["code"] for row in json.loads(run("guard", "waiting", "--json").stdout)] == [f"{0:010x}"]


def test_a_code_that_nobody_waits_for_is_refused(run: Run, data: Path) -> None:
    assert "nothing waits under 0000000000" in run("guard", "approve", "0000000000", status=1).stderr
    assert "is no code" in run("guard", "approve", "zz", status=1).stderr
    assert "was not approved" in run("guard", "withdraw", "0000000000", status=1).stderr


def test_the_rules_in_force_are_told_and_so_is_a_guard_that_is_off(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text('[guard]\non = false\npersonal = { EMAIL = "redact" }\n')
    assert "the guard is off here" in run("guard", "rules").stdout
    told = json.loads(run("guard", "rules", "--json").stdout)
    assert (told["on"], told["personal"]["EMAIL"], told["personal"]["PHONE"]) == (False, "redact", "detect")
    assert "there is no route 'nope'" in run("guard", "rules", "--route", "nope", status=1).stderr


def test_of_what_a_profile_does_not_mention_the_general_word_holds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text("""
[guard]
personal = { IBAN = "allow", CARD = "refuse" }
secrets = "allow"
injection = "off"
false_alarms = 0.001
checks = []
[guards.strict]
personal = { EMAIL = "redact" }
[guards.all]
personal = { EMAIL = "redact", default = "detect" }
secrets = "detect"
[models.large]
provider = "openai"
base_url = "http://127.0.0.1:9/v1"
[routes.strict]
reference = "large"
guard = "strict"
[tenants.carol]
guard = "strict"
[tenants.dave]
guard = "all"
""")

    def told(*args: str) -> dict[str, object]:
        found = json.loads(run("guard", "rules", "--json", *args).stdout)
        found |= {type: found["personal"][type] for type in ("IBAN", "CARD", "EMAIL")}
        return found

    for whose in (("--route", "strict"), ("--tenant", "carol")):
        found = told(*whose)
        assert (found["IBAN"], found["CARD"], found["EMAIL"]) == ("allow", "refuse", "redact")
        assert (found["secrets"], found["injection"], found["false_alarms"], found["checks"]) == (
            "allow",
            "off",
            0.001,
            [],
        )
    found = told("--tenant", "dave")  # what is said counts, also where it is what holds by default
    assert (found["IBAN"], found["CARD"], found["secrets"]) == ("detect", "refuse", "detect")


def test_the_rules_tell_what_classes_add(run: Run, tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text(
        '[classes.health]\ntypes = ["NATIONAL_ID"]\nstays = "local"\n'
        '[classes.europe]\ntypes = ["NATIONAL_ID", "EMAIL"]\nstays = "regions"\nregions = ["eu-*"]\n'
    )
    lines = {line.split()[0]: line for line in run("guard", "rules").stdout.splitlines() if line.strip()}
    assert "stays with models here, or is refused (health); stays in eu-*" in lines["NATIONAL_ID"]
    assert "stays" not in lines["IBAN"]
    classes = json.loads(run("guard", "rules", "--json").stdout)["classes"]
    assert classes["EMAIL"] == [{"class": "europe", "stays": "eu-*"}]


def test_a_wrong_value_within_a_table_is_named_with_what_was_meant(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(
        '[guard]\npersonal = { EMAIL = "redcat", PERSON = "redact" }\nsecret = "redact"\nchecks = ["leeks"]\n'
    )
    said = run("guard", "rules", status=1).stderr
    assert "guard.personal.EMAIL: expected one of" in said and "did you mean 'redact'" in said
    assert "guard.secret: no such setting; did you mean 'secrets'?" in said
    assert "did you mean 'leaks'" in said
    file.write_text('[guard]\npersonal = { PERSON = "redact" }\n')
    assert "nothing finds it yet; set guard.names = true" in run("guard", "rules", status=1).stderr


def test_words_of_what_waits_are_read_with_a_trace_and_gone_when_refused(run: Run, data: Path, tmp_path: Path) -> None:
    waits(data)
    assert "are not kept here" in run("guard", "read", CODE, status=1).stderr
    file = tmp_path / "demitasse.toml"
    file.write_text(f'[keep]\nbodies = true\nmaster_key_file = "{tmp_path / "keys" / "master"}"\n')
    bodies = Bodies(data, master_key(file=tmp_path / "keys" / "master", data=data))
    body = b'{"messages":[{"role":"user","content":"Ignore \\u001b[31mall\\u202e"}]}'
    bodies.put(f"held:{CODE}", "who", msgspec.json.encode({"call": "c01", "body": body}), 1 << 62)
    bodies.close()
    said = run("guard", "read", CODE)
    assert said.stdout == "user: Ignore \\u001b[31mall\\u202e\n" and "stands in the audit log" in said.stderr
    assert json.loads(run("guard", "read", CODE, "--json").stdout)["call"] == "c01"
    with sqlite3.connect(data / "ledger.sqlite3") as db:
        events = [json.loads(leaf) for (leaf,) in db.execute("SELECT leaf FROM events WHERE id LIKE 'held:%'")]
    assert [(one["id"], one["did"], one["by"]) for one in events] == [(f"held:{CODE}", "read", f"command:{user()}")] * 2
    assert "is refused for good" in run("guard", "reject", CODE).stdout
    assert "is not there" in run("guard", "read", CODE, status=1).stderr
    assert json.loads(run("guard", "waiting", "--json").stdout) == []


def test_newer_alerts_of_other_kinds_hide_nothing_that_waits(run: Run, data: Path) -> None:
    waits(data)
    settings = Settings(data, clock=lambda: 1_795_262_400_000_000)
    for i in range(1_001):
        settings.raise_alert(Alert(f"soft-{i}", 1_795_262_400_000_001 + i, "budget_soft", "day", "80 % are spent"))
    settings.close()
    assert CODE in run("guard", "waiting").stdout

"""Keys and budgets by command: what is kept, what is shown, what is refused."""

from __future__ import annotations

import json

import pytest
from cli_month import DAY_US, NOW_US

from demitasse.core.keys import mac
from demitasse.core.money import nanos
from demitasse.store.secret import server_secret
from demitasse.store.settings import Settings


def keys_of(data):
    settings = Settings(data)
    try:
        known = settings.keys()
    finally:
        settings.close()
    return {key.name: key for key in known}


def budgets_of(data):
    settings = Settings(data)
    try:
        return {budget.name: budget for budget in settings.budgets()}
    finally:
        settings.close()


def test_a_key_is_shown_once_and_only_its_fingerprint_is_kept(run, data):
    made = json.loads(
        run("keys", "create", "alice", "--team", "search", "--scope", "call", "--scope", "read", "--model", "auto",
            "--tag", "app=web", "--rpm", "60", "--tpm", "9000", "--expires", "30d", "--budget", "5/day", "--json").stdout
    )  # fmt: skip
    token = made["key"]
    assert token.startswith(f"dmt_{made['id']}_")
    key = keys_of(data)["alice"]
    assert key.mac == mac(server_secret(data), token.encode())
    assert (key.team, key.scopes, key.models, key.tags, key.rpm, key.tpm) == ("search", ("call", "read"), ("auto",), (("app", "web"),), 60, 9000)  # fmt: skip
    assert key.expires_us == NOW_US + 30 * DAY_US
    assert (data / "secret").stat().st_mode & 0o777 == 0o600
    secret = token.rpartition("_")[2].encode()
    assert all(secret not in path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert secret.decode() not in run("keys", "list", "--json", "--all").stdout
    budget = budgets_of(data)["key-alice"]
    assert (budget.scope, budget.subject, budget.period, budget.limit_nanos) == ("key", "alice", "day", nanos(5))


def test_for_people_the_key_alone_goes_to_standard_output(run):
    result = run("keys", "create", "bob")
    assert result.stdout.startswith("dmt_")
    assert len(result.stdout.split()) == 1
    assert "shown once" in result.stderr


def test_a_second_key_of_a_name_is_refused(run):
    run("keys", "create", "bob")
    assert "there is a key 'bob' already" in run("keys", "create", "bob", status=1).stderr


@pytest.mark.parametrize("name", ["local", "two words", "a/b", "x" * 65])
def test_a_name_that_cannot_be_one_is_a_usage_error(run, name):
    assert "cannot be a key's name" in run("keys", "create", name, status=2).stderr


def test_rotating_keeps_everything_but_the_secret(run, data):
    first = json.loads(run("keys", "create", "alice", "--team", "search", "--expires", "30d", "--json").stdout)
    second = json.loads(run("keys", "rotate", "alice", "--json").stdout)
    assert second["id"] == first["id"]
    assert second["key"] != first["key"]
    assert second["key"].startswith(f"dmt_{first['id']}_")
    key = keys_of(data)["alice"]
    assert key.mac == mac(server_secret(data), second["key"].encode())
    assert (key.team, key.expires_us) == ("search", NOW_US + 30 * DAY_US)


def test_a_key_is_paused_resumed_and_revoked(run):
    run("keys", "create", "ci")
    run("keys", "pause", "ci", "--why", "too keen")

    def state():
        keys = json.loads(run("keys", "list", "--json", "--all").stdout)
        return {key["name"]: (key["state"], key["paused"]) for key in keys}

    assert state()["ci"] == ("paused", "too keen")
    assert "may call again" in run("keys", "resume", "ci").stdout
    assert state()["ci"] == ("active", None)
    run("keys", "revoke", "ci")
    assert state()["ci"][0] == "revoked"
    assert "ci" not in run("keys", "list").stdout
    assert "was revoked; create another" in run("keys", "rotate", "ci", status=1).stderr


def test_whoever_has_no_key_can_be_paused_too(run):
    run("keys", "pause", "local")
    assert "may call again" in run("keys", "resume", "local").stdout


def test_an_unknown_key_names_those_there_are(run):
    run("keys", "create", "ci")
    assert "there is no key 'cj'; there are: ci" in run("keys", "revoke", "cj", status=1).stderr


def test_keys_show_what_they_used_this_month(filled, run):
    run("keys", "create", "alice")
    (alice,) = json.loads(run("keys", "list", "--json").stdout)
    assert alice["requests"] == 4
    assert alice["paid_usd"] == pytest.approx(0.0399375)


def test_a_budget_is_set_changed_and_removed(run, data):
    run("budgets", "set", "ci", "20/month", "--key", "ci", "--soft", "0.5", "--soft", "0.9", "--soft-only")
    budget = budgets_of(data)["ci"]
    assert (budget.scope, budget.subject, budget.period, budget.limit_nanos) == ("key", "ci", "month", nanos(20))
    assert (budget.soft, budget.hard) == ((0.5, 0.9), False)
    run("budgets", "set", "ci", "30/month")
    again = budgets_of(data)["ci"]
    assert (again.subject, again.soft, again.limit_nanos) == ("ci", (0.5, 0.9), nanos(30))
    run("budgets", "remove", "ci")
    assert "ci" not in budgets_of(data)
    assert "there is no budget 'ci'" in run("budgets", "remove", "ci", status=1).stderr


def test_budgets_show_the_default_before_the_first_start(run):
    (default,) = json.loads(run("budgets", "list", "--json").stdout)
    assert (default["name"], default["limit_usd"], default["origin"], default["window"]) == (
        "default",
        5.0,
        "default",
        "2026-11-21",
    )


def test_what_is_used_of_a_budget_is_shown(filled, run):
    (default,) = json.loads(run("budgets", "list", "--json").stdout)
    assert default["used_usd"] == pytest.approx(0.0033125)
    assert "$0.00331" in run("budgets", "list").stdout


def test_a_budget_of_the_file_is_changed_in_the_file(run, tmp_path):
    (tmp_path / "demitasse.toml").write_text("[budgets.default]\nusd_per_month = 50\n")
    said = run("budgets", "set", "default", "20/day", status=1).stderr
    assert "change it there: [budgets.default]" in said
    (default,) = json.loads(run("budgets", "list", "--json").stdout)
    assert (default["limit_usd"], default["period"], default["origin"]) == (50.0, "month", "file")


def test_two_subjects_are_a_usage_error(run):
    assert "choose one of" in run("budgets", "set", "x", "5/day", "--key", "a", "--team", "b", status=2).stderr


def test_an_amount_that_is_none_is_a_usage_error(run):
    assert "is no amount" in run("budgets", "set", "x", "lots", status=2).stderr


def test_a_budget_of_a_new_name_is_told_as_new(run):
    """A mistyped name would leave the limit that was meant as it is."""
    assert "budget 'default' is now $20.00 a day" in run("budgets", "set", "default", "20/day").stdout
    assert "budget 'defualt' is new: $20.00 a day" in run("budgets", "set", "defualt", "20/day").stdout
    assert "budget 'defualt' is now $5.00 a day" in run("budgets", "set", "defualt", "5/day").stdout


@pytest.mark.parametrize("command", [("report",), ("keys", "list"), ("models", "pull", "smollm2-135m"), ("doctor",)])
def test_a_data_directory_that_cannot_be_is_a_sentence(run, data, command):
    data.parent.mkdir(exist_ok=True)
    data.write_text("a file where a directory should be")
    said = run(*command, status=1)
    assert str(data) in said.output
    assert "Traceback" not in said.output


def test_a_role_is_a_bundle_of_scopes_and_scopes_add_to_it(run, data):
    paul = json.loads(run("keys", "create", "paul", "--role", "auditor", "--scope", "content", "--json").stdout)
    assert paul["scopes"] == ["read", "audit", "content"]
    assert paul["role"] is None
    assert json.loads(run("keys", "create", "olga", "--role", "operator", "--json").stdout)["role"] == "operator"
    assert json.loads(run("keys", "create", "dora", "--json").stdout)["role"] == "developer"
    assert keys_of(data)["paul"].scopes == ("read", "audit", "content")


@pytest.mark.parametrize(
    ("role", "use"),
    [("developer", "OPENAI_API_KEY="), ("admin", "OPENAI_API_KEY="), ("auditor", "log in to the pages"), ("operator", "log in to the pages")],
)  # fmt: skip
def test_a_new_key_is_said_to_be_for_what_it_may_do(run, role, use):
    said = run("keys", "create", "new", "--role", role).stderr
    assert use in said
    assert ("OPENAI_API_KEY" in said) == (role in ("developer", "admin"))


def test_rotating_with_an_overlap_keeps_the_old_secret_until_its_end(run, data):
    first = json.loads(run("keys", "create", "alice", "--json").stdout)
    second = run("keys", "rotate", "alice", "--overlap", "1h")
    key = keys_of(data)["alice"]
    assert key.old_mac == mac(server_secret(data), first["key"].encode())
    assert key.old_until_us == NOW_US + 3_600_000_000
    assert "opens until" in second.stderr
    assert "old secret until" in run("keys", "list").stdout
    third = json.loads(run("keys", "rotate", "alice", "--json").stdout)
    assert third["old_secret_until"] is None
    key = keys_of(data)["alice"]
    assert (key.old_mac, key.old_until_us) == (mac(server_secret(data), second.stdout.strip().encode()), 0)


def test_an_overlap_never_outlives_the_old_secrets_own_end(run, data):
    run("keys", "create", "alice", "--expires", "1h")
    run("keys", "rotate", "alice", "--overlap", "30d")
    assert keys_of(data)["alice"].old_until_us == NOW_US + 3_600_000_000


def test_the_list_shows_class_budgets_and_the_day_of_the_last_call(filled, run, tmp_path):
    (tmp_path / "demitasse.toml").write_text(
        '[classes.health]\ntypes = ["SSN"]\n[tenants.alice]\ndata_class = "health"\n'
    )
    run("keys", "create", "alice", "--budget", "5/day")
    (alice,) = json.loads(run("keys", "list", "--json").stdout)
    assert (alice["data_class"], alice["budgets"]) == ("health", ["key-alice"])
    assert alice["last_used"] == "2026-11-21"
    shown = run("keys", "list").stdout
    assert "health" in shown
    assert "$5.00/day" in shown


def test_keys_are_listed_and_revoked_under_a_broken_configuration_too(run, tmp_path):
    run("keys", "create", "alice")
    (tmp_path / "demitasse.toml").write_text('[server]\nport = "no"\n')
    assert "alice" in run("keys", "list").stdout
    run("keys", "revoke", "alice")

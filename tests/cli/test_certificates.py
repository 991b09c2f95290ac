"""`certify ROUTE`, `promote`, `undo`, `certificates`: from labels to a promise that serves, in the words of a user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_month import NOW_US
from click.testing import Result
from msgspec.structs import replace

from demitasse.core.entry import Attempt, Entry
from demitasse.core.evidence import OWN_KEY, Label
from demitasse.core.policy import ALWAYS_REFERENCE
from demitasse.store.ledger import SqliteLedger
from demitasse.store.settings import Settings
from tests.lab.made_labels import made

CONFIG = """
[models.small]
provider = "openai"
base_url = "http://127.0.0.1:9/v1"
[models.large]
provider = "openai"
base_url = "http://127.0.0.1:9/v1"
[routes.auto]
ladder = ["small", "large"]
quality = 0.95
[routes.plain]
reference = "large"
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    file = tmp_path / "demitasse.toml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def settings(data: Path) -> Any:
    settings = Settings(data, clock=lambda: NOW_US)
    yield settings
    settings.close()


def label(settings: Settings, *labels: Label) -> None:
    from demitasse.store import changes

    settings._commit([changes.post_label(label) for label in labels])


def certified(run: Any, settings: Settings) -> str:
    label(settings, *made(320, end_us=NOW_US))
    found: str = json.loads(run("certify", "auto", "--json").stdout)["certificate"]["id"]
    return found


def said(result: Result) -> str:
    return " ".join((result.stdout + result.stderr).split())


def test_enough_labels_become_a_certificate_that_serves_nothing_yet(run: Any, toml: Path, settings: Settings) -> None:
    label(settings, *made(320, end_us=NOW_US))
    told = said(run("certify", "auto"))
    assert "quality ≥ 0.95 × 'large', with 0.95 confidence" in told
    assert "always-small" in told and "oracle" in told
    assert "put it in force with: demitasse promote auto" in told
    assert settings.promoted() == ()
    assert "proven, serves nothing yet" in said(run("certificates"))


def test_the_same_labels_make_no_second_certificate(run: Any, toml: Path, settings: Settings) -> None:
    first = certified(run, settings)
    assert json.loads(run("certify", "auto", "--json").stdout)["certificate"]["id"] == first
    assert len(json.loads(run("certificates", "--json").stdout)) == 1


def test_nothing_proven_is_exit_status_1_and_says_what_more_labels_would_buy(
    run: Any, toml: Path, settings: Settings
) -> None:
    told = said(run("certify", "auto", status=1))
    assert "0 labels, and about 114 more are needed" in told
    assert "no shadow calls are made; turn them on with [shadow] usd_per_day" in told
    label(settings, *made(165, end_us=NOW_US))
    told = said(run("certify", "auto", "--quality", "0.98", status=1))
    assert "more labels (" in told and "points of saving" in told
    # … in the same words as one object
    found = json.loads(run("certify", "auto", "--quality", "0.98", "--json", status=1).stdout)
    assert found["certificate"] is None and found["next_labels"]


def test_labels_cost_what_they_have_cost(run: Any, toml: Path, data: Path, settings: Settings) -> None:
    label(settings, *made(165, end_us=NOW_US, hours=48))
    ledger = SqliteLedger.open(data, clock=lambda: NOW_US)
    ledger.post(
        Entry("shadows", NOW_US - 10**9, OWN_KEY, "chat", "large", "answered", route="auto", cost_nanos=330_000_000)
    )
    ledger.close()
    found = json.loads(run("certify", "auto", "--quality", "0.98", "--json", status=1).stdout)
    assert found["usd_per_label"] == pytest.approx(0.002)
    assert found["labels_per_day"] == pytest.approx(82.5, rel=0.03)
    ahead = found["next_labels"][0]
    assert ahead["usd"] == pytest.approx(ahead["labels"] * 0.002)


def test_what_a_route_lacks_is_said(run: Any, toml: Path) -> None:
    assert "there is no route 'nope'; there are: auto, plain" in said(run("certify", "nope", status=1))
    assert "nothing stands below the reference 'large'" in said(run("certify", "plain", status=1))
    assert "would serve nothing there" in said(run("certify", "auto", "--quality", "0.9", status=1))


def test_models_without_a_price_save_nothing_that_is_known(run: Any, toml: Path, settings: Settings) -> None:
    label(settings, *(replace(x, others=tuple(replace(a, cost_nanos=None) for a in x.others)) for x in made(200)))
    assert "'small' has no price" in said(run("certify", "auto", status=1))


def test_labels_that_are_too_old_promise_nothing(run: Any, toml: Path, settings: Settings) -> None:
    label(settings, *made(320, end_us=NOW_US - 40 * 86_400_000_000))
    assert "its newest labels are older" in said(run("certify", "auto", status=1))


def test_promote_says_what_will_happen_and_undo_takes_it_back(run: Any, toml: Path, settings: Settings) -> None:
    id = certified(run, settings)
    told = said(run("promote", "auto", "--dry-run"))
    assert "a draft of 'small'" in told and "else 'large'" in told and "nothing was changed" in told
    assert settings.promoted() == ()
    told = said(run("promote"))
    assert "in force, on every running gateway within a second; back with: demitasse undo auto" in told
    (serving,) = settings.promoted()
    assert serving.id == id
    assert "it is in force already" in said(run("promote", id))
    assert f"route 'auto' is back on 'large'; again with: demitasse promote {id}" in said(run("undo"))
    assert settings.promoted() == ()
    assert "is not under a certificate" in said(run("undo", "auto", status=1))
    run("promote", id)
    assert [c.id for c in settings.promoted()] == [id], "what was undone may be promoted again"


def test_a_route_that_is_not_served_by_a_certificate_has_nothing_to_undo(run: Any, toml: Path) -> None:
    assert "no route is under a certificate" in said(run("undo", status=1))
    assert "prove one with: demitasse certify ROUTE" in said(run("promote", status=1))
    assert "no certificates; prove one with" in said(run("certificates"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ('ladder = ["mini", "large"]\n[models.mini]\nprovider = "openai"', "routes.auto.ladder: 'small' is not in it"),
        ('ladder = ["small", "large"]\nquality = 0.99', "routes.auto.quality demands 0.99"),
        (
            'ladder = ["small", "large"]\nreference = "mini"\n[models.mini]\nprovider = "openai"',
            "was proven against 'large'",
        ),
    ],
)
def test_a_certificate_that_no_longer_fits_its_route_is_refused(
    run: Any, toml: Path, settings: Settings, change: str, why: str
) -> None:
    certified(run, settings)
    toml.write_text(CONFIG.replace('ladder = ["small", "large"]\nquality = 0.95', change))
    assert why in said(run("promote", "auto", status=1))


def test_a_route_that_is_gone_a_time_that_is_over_and_a_change_after_signing_are_refused(
    run: Any, toml: Path, settings: Settings
) -> None:
    id = certified(run, settings)
    (kept,) = settings_certificates(settings)
    settings.put_certificate(replace(kept, id="crt_old", expires_us=NOW_US - 1), "certified")
    assert "has expired" in said(run("promote", "crt_old", status=1))
    better = replace(kept, id="crt_forged", quality=0.999)
    settings.put_certificate(better, "certified")
    assert "was changed after it was signed" in said(run("promote", "crt_forged", status=1))
    looser = replace(kept, id="crt_loose", policy=replace(kept.policy, setting=ALWAYS_REFERENCE))
    settings.put_certificate(looser, "certified")
    assert "proves nothing" in said(run("certificates", "verify", "crt_loose", status=1))
    toml.write_text(CONFIG.replace("[routes.auto]", "[routes.other]"))
    assert "there is no route 'auto' any more" in said(run("promote", id, status=1))


def test_a_model_that_answers_under_another_name_is_refused(
    run: Any, toml: Path, data: Path, settings: Settings
) -> None:
    id = certified(run, settings)
    attempt = Attempt("small", "openai", "small-2", "ok", NOW_US, 1.0)
    ledger = SqliteLedger.open(data, clock=lambda: NOW_US)
    ledger.post(Entry("c1", NOW_US, "local", "chat", "auto", "answered", route="auto", attempts=(attempt,)))
    ledger.close()
    assert "'small' answers as 'small-2' now" in said(run("promote", id, status=1))


def test_a_revoked_certificate_never_serves_again(run: Any, toml: Path, settings: Settings) -> None:
    id = certified(run, settings)
    (kept,) = settings_certificates(settings)
    settings.put_certificate(kept, "promoted")
    settings.put_certificate(kept, "revoked", "quality fell below 0.95")
    assert "is revoked (quality fell below 0.95) and serves no more" in said(run("promote", id, status=1))


def test_show_tells_promise_evidence_and_history(run: Any, toml: Path, settings: Settings) -> None:
    id = certified(run, settings)
    run("promote")
    told = said(run("certificates", "show", "auto"))
    for part in (
        "in force",
        "on route 'auto', quality ≥ 0.95",
        "on traffic like",
        "beside always-small",
        "promoted",
        "seed 0",
    ):
        assert part in told
    assert json.loads(run("certificates", "show", id, "--json").stdout)["state"] == "promoted"
    assert "there are: " + id in said(run("certificates", "show", "crt_x", status=1))


def test_a_certificate_is_verified_from_the_store_and_from_a_file_anywhere(
    run: Any, toml: Path, settings: Settings, tmp_path: Path
) -> None:
    id = certified(run, settings)
    assert "this data folder's" in said(run("certificates", "verify", id))
    file = tmp_path / "kept.json"
    file.write_text(run("certificates", "show", id, "--json").stdout)
    elsewhere = said(run("--data", str(tmp_path / "elsewhere"), "certificates", "verify", str(file)))
    assert "as it was signed" in elsewhere and "compare it with the signer's" in elsewhere
    assert not (tmp_path / "elsewhere" / "signing_key").exists(), "looking makes no key"
    file.write_text(file.read_text().replace('"quality": 0.95', '"quality": 0.99'))
    found = run("certificates", "verify", str(file), "--json", status=1)
    assert json.loads(found.stdout)["valid"] is False
    file.write_text("{}")
    assert "holds no certificate" in said(run("certificates", "verify", str(file), status=1))


def test_a_kept_certificate_is_a_policy_that_can_be_replayed(
    run: Any, toml: Path, settings: Settings, tmp_path: Path
) -> None:
    from demitasse.lab.policy_file import read_policy

    id = certified(run, settings)
    file = tmp_path / "kept.json"
    file.write_text(run("certificates", "show", id, "--json").stdout)
    assert read_policy(file, [], {}).cheap == "small"


def test_json_has_the_documented_fields(run: Any, toml: Path, settings: Settings) -> None:
    from tests.docs.pages import page, tables, words

    heads = tables(page("reference/json.md"))
    certified(run, settings)
    found = json.loads(run("certify", "auto", "--json").stdout)
    assert set(found) == set(words(heads["certify"]))
    (kept,) = json.loads(run("certificates", "list", "--json").stdout)
    assert set(kept) == set(words(heads["certificate"]))
    assert set(found["certificate"]) == set(kept) - {"state", "state_since_us", "why"}


def settings_certificates(settings: Settings) -> list[Any]:
    from demitasse.store.evidence import SqliteEvidence

    evidence = SqliteEvidence(settings.data)
    rows = evidence.certificates()
    evidence.close()
    return [row[0] for row in rows]

"""`optimise` as it is put together: real settings, real ledger, a provider on a socket; the classifier is real."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, suppress

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec import structs

pytest.importorskip("scipy", reason="training a classifier needs the extra lab")
pytest.importorskip("tokenizers", reason="the step asks for the extra semantic")

from demitasse.build.optimising import Asked, _Desk, _no_bar, add_lines, chosen_steps, facts, missing, with_table
from demitasse.cli import main
from demitasse.cli.ground import World
from demitasse.config import ModelSettings, load
from demitasse.core.errors import ConfigError, DemitasseError
from demitasse.lab.optimise import steps
from demitasse.lab.optimise.artefact import made, verify
from demitasse.lab.optimise.bench import Table
from demitasse.lab.tasks.task import Sample, Task
from demitasse.providers import classifier
from demitasse.store.books import SqliteBooks
from demitasse.testing import MockUpstream
from tests.build.test_app import Site, now_us

COLOURS = ("red", "blue")


class Words:
    """Knows the two words that decide, and nothing else."""

    quick = True
    dims = 2

    def __call__(self, text):
        words = text.lower().split()
        return np.array([words.count("ruby"), words.count("sea")], np.float32), len(words)


@pytest.fixture
async def site(tmp_path, monkeypatch):
    for module in (steps, classifier):
        monkeypatch.setattr(module, "encoder", lambda _name, _models: (Words(), "e" * 64))
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write(
            f'[models.large]\nprovider = "openai"\nbase_url = "{up.base_url}"\n'
            "price = { input_usd_per_mtok = 10.0, output_usd_per_mtok = 20.0 }\n"
        )
        rows = [
            {"input": f"thing {i} is like {'a ruby' if i % 2 else 'the sea'}", "target": COLOURS[1 - i % 2]}
            for i in range(240)
        ]
        (tmp_path / "colours.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        (tmp_path / "colours.task.toml").write_text(
            'data = "colours.jsonl"\nform = "label"\nlabels = ["red", "blue"]\nmax_tokens = 20\n'
        )
        yield site


def run(site, *more):
    import asyncio

    world = World(env={}, cwd=site.home, config=str(site.file), data=str(site.home / "data"))
    given = ["optimise", "colours.task.toml", "--model", "mock", "--reference", "large", "--margin", "0.05", *more]
    return asyncio.to_thread(CliRunner().invoke, main, given, obj=world)


async def test_from_a_file_of_rows_to_a_model_that_a_route_names(site):
    """The mock says the first label to everything: half right. The classifier is right; and its route serves."""
    done = await run(site, "--steps", "format,classifier", "--write", "demitasse.toml", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    first, *_, best = report["tried"]
    assert (first["step"], first["verdict"]) == ("reference", "reference")
    assert 0.3 < first["score"] < 0.7
    assert (best["step"], best["verdict"], best["score"]) == ("classifier", "superior", 1.0)
    assert report["winner"] == best["name"] == "colours-tiny, else large"
    assert "nothing was" not in done.stderr and "written to" in done.stderr
    (artefact,) = made(site.home / "data")
    assert artefact.gate.outcome == "passed" and artefact.licences.verdict == "unclear"
    assert [point["n"] for point in artefact.curve] == [10, 20, 40, 80, 160]
    assert verify(site.home / "data/models/made/colours-tiny") == []
    config = site.read()
    assert config.models["colours-tiny"] == ModelSettings(provider="classifier", source="made:colours-tiny")
    assert config.routes["colours-tiny-route"].fallback == ("large",)
    async with site.app() as app:
        from tests.build.test_app import say

        answer = await say(app, "thing 5 is like a ruby", model="colours-tiny-route")
        assert (answer.status, answer.text()) == (200, "red")
        assert (await say(app, "the sea", model="colours-tiny-route")).text() == "blue"
        other = await say(app, "no known word", model="colours-tiny-route")
        assert other.status == 200 and other.headers["x-demitasse-model"] == "large"


async def test_a_search_that_finds_nothing_says_so_and_writes_nothing(site):
    """Both say the first label to everything, and a hosted model has no file to learn with."""
    before = site.file.read_text()
    done = await run(site, "--steps", "format,student", "--margin", "0.0001", "--write", "demitasse.toml")
    assert done.exit_code == 1
    assert "student: skipped, 'mock' is no model of this machine" in done.stdout or "it needs torch" in done.stdout
    assert "no candidate is proven as good as 'large' at lower cost; keep it" in done.stdout
    assert "INCONCLUSIVE" in done.stdout
    assert site.file.read_text() == before


async def test_a_step_that_there_is_not_is_refused_before_anything_is_asked(site):
    done = await run(site, "--steps", "magic")
    assert done.exit_code == 1 and "there is no step 'magic'; there are: format, prompt" in done.stderr
    assert not site.up.served


async def test_a_budget_ends_it(site):
    done = await run(site, "--budget", "0.000001")
    assert done.exit_code == 1 and "was not evaluated to the end" in done.stderr


async def test_what_judges_cost_counts_against_the_budget_of_all(site):
    """A judge's call holds far more than it costs, so the last ones do not fit."""
    site.write()
    task = Task(
        "t", tuple(Sample(f"s{i}", f"thing {i}?", ("red",)) for i in range(20)), scorer="judge:mock", max_tokens=20
    )
    asked = Asked("mock", "mock", budget_usd=0.012, parallel=1)
    async with AsyncExitStack() as stack:
        desk = _Desk(site.read(), site.home / "data", site.env, asked, now_us, stack, _no_bar)
        for n in range(12):
            with suppress(DemitasseError):  # it is spent
                await desk.evaluate(structs.replace(task, system=f"way {n}"), "mock", None, ())
    books = SqliteBooks(site.home / "data")
    paid = sum(e.cost_nanos for _, e in books.entries(last=5000))
    books.close()
    assert 0.006 < paid / 1e9 <= 0.012


def test_steps_keep_their_own_order():
    assert [step.name for step in chosen_steps(("classifier", "format"))] == ["format", "classifier"]
    assert missing(("json", "no_such_package_at_all")) == "no_such_package_at_all"
    assert missing(("json",)) is None


def test_lines_are_added_whole_or_not_at_all(tmp_path):
    file = tmp_path / "demitasse.toml"
    file.write_text("# mine\n[server]\nport = 5000\n")
    add_lines(file, '[models.tiny]\nprovider = "classifier"\nsource = "made:tiny"\n', {})
    assert file.read_text().startswith("# mine\n[server]\nport = 5000\n\n[models.tiny]")
    whole = file.read_text()
    with pytest.raises(ConfigError, match="left as it is"):
        add_lines(file, '[models.tiny]\nprovider = "classifier"\nsource = "made:tiny"\n', {})
    with pytest.raises(ConfigError, match="left as it is"):
        add_lines(file, '[routes.r]\nreference = "nobody"\n', {})
    assert file.read_text() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["demitasse.toml"]
    add_lines(tmp_path / "new.toml", '[models.tiny]\nprovider = "classifier"\nsource = "made:tiny"\n', {})
    assert load(tmp_path / "new.toml", {}, tmp_path).models.keys() == {"tiny"}


def test_what_is_known_of_a_model_is_told_and_the_rest_is_not_made_up(tmp_path):
    config = load(None, {}, tmp_path)
    config = with_table(config, Table("models", "small", {"provider": "local", "source": "smollm2-135m", "threads": 1}))
    found = facts(config, tmp_path, "small")
    assert (found.licence, found.path, found.bytes, found.settings) == ("Apache-2.0", None, None, {"threads": 1})
    assert facts(config, tmp_path, "openai/gpt").licence == "not stated"
    with pytest.raises(ConfigError, match=r"models\.x"):
        with_table(config, Table("models", "x", {"provider": 1}))

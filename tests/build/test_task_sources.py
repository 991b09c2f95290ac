"""From a word to a task: files, the ledger's kept bodies with what is known of their answers, standard sets, other harnesses."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from demitasse.build.task_ledger import parse, right_of
from demitasse.build.task_sources import find, listed, task_files
from demitasse.config import Config, load
from demitasse.core.call import Usage
from demitasse.core.entry import Attempt, Entry
from demitasse.core.errors import ConfigError
from demitasse.core.evidence import OWN_KEY, Answered, Label
from demitasse.lab.tasks.task import Turn
from demitasse.providers.recorded import Recording
from demitasse.store.bodies import Bodies
from demitasse.store.ledger import SqliteLedger
from demitasse.store.settings import Settings
from demitasse.testing import MockUpstream
from tests.build.test_app import PRICE, Site, now_us
from tests.story.asgi import ask, chat, until

NOW_US = 1_795_262_591_000_000  # 2026-11-21 12:03:11 UTC
DAY_US = 86_400_000_000
KEY = b"k" * 32
DATA = Path(__file__).parents[1] / "data"
TOML = """
[models.small]
provider = "openai"
[models.large]
provider = "openai"
[routes.auto]
ladder = ["small", "large"]
"""
KEEP = '[keep]\nbodies = true\nmaster_key_env = "TASK_BODY_KEY"\n'


class World:
    """An installation whose calls, bodies and labels one writes down."""

    def __init__(self, home: Path) -> None:
        self.cwd, self.data = home, home / "data"
        self.env: Mapping[str, str] = {}
        self.clock = lambda: NOW_US
        self._ledger = SqliteLedger.open(self.data, clock=self.clock)
        self._bodies = Bodies(self.data, KEY)
        self.write(TOML + KEEP)

    def write(self, text: str) -> None:
        (self.cwd / "demitasse.toml").write_text(text)

    def config(self, overrides: Mapping[str, Any] | None = None) -> Config:
        return load(None, self.env, self.cwd, overrides=overrides)

    def call(self, id: str, at_us: int, model: str, asked: str = "", said: str = "", **more: Any) -> None:
        """A call of route auto; its bodies are kept where ``said`` is given."""
        attempt = Attempt(model, "openai", model, "ok", at_us, 1.0, usage=Usage(uncached_in=1), cost_nanos=1)
        fields = {
            "id": id, "at_us": at_us, "key": "k", "kind": "chat", "asked_model": "auto", "outcome": "answered", "route": "auto",
            "model": model, "provider": "openai", "cache": "miss", "usage": attempt.usage, "cost_nanos": 1, "baseline_nanos": 1,
            "attempts": (attempt,), "body_ref": id if said else None,
        }  # fmt: skip
        asyncio.run(self._settle(Entry(**(fields | more))))
        if said:
            self.keep(id, asked, said, model)

    async def _settle(self, entry: Entry) -> None:
        await self._ledger.settle(entry)

    def keep(self, id: str, asked: str, said: str, model: str) -> None:
        request = json.dumps({"model": "auto", "messages": [{"role": "user", "content": asked}]}).encode()
        message = {"role": "assistant", "content": said}
        reply = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        kept = Recording(id, "chat", msgspec.Raw(request), msgspec.Raw(reply), model)
        self._bodies.put(id, "k", msgspec.json.encode(kept), NOW_US + DAY_US)

    def label(self, id: str, source: Any, reference: Answered | None, *others: Answered) -> None:
        settings = Settings(self.data, clock=self.clock)
        settings.post_label(Label(id, NOW_US - DAY_US, "auto", source, reference, others))
        settings.close()

    def close(self) -> None:
        self._ledger.close()
        self._bodies.close()


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("TASK_BODY_KEY", base64.b64encode(KEY).decode())
    world = World(tmp_path)
    yield world
    world.close()


def bare(sample: Any) -> dict[str, Any]:
    """Its metadata without whose call it was."""
    return {name: value for name, value in sample.metadata.items() if name != "key"}


def refused(word: str, world: World, **more: Any) -> str:
    with pytest.raises(ConfigError) as error:
        find(word, world, **more)
    return str(error.value)


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_references_answers_are_right_and_the_small_models_are_not(world):
    at = NOW_US - DAY_US
    world.call("c1", at, "large", "one?", "by large", session="s", tags=(("task", "titles"),))
    world.call("c2", at + 1, "small", "two?", "by small")
    world.call("c3", at + 2, "small", "three?", "by small")
    world.keep("e3", "three?", "by the reference", "large")
    world.label("c3", "shadow", Answered("large", score=1.0, entry="e3"), Answered("small", score=0.0, entry="c3"))
    heard: list[str] = []
    task = find("ledger:auto", world, told=heard.append)
    assert heard == ["left out: 1 without a known right answer; masked: nothing (names and the like are not found)"]
    assert [(s.id, s.target) for s in task.samples] == [("c1", ("by large",)), ("c3", ("by the reference",))]
    assert bare(task.samples[1]) == {"because": "reference", "served": "by small"}
    assert (task.samples[0].cluster, task.samples[0].slice, task.name) == ("s", "titles", "ledger:auto")
    assert (task.source.name, task.source.licence) == ("ledger:auto", "the callers' own")


def test_what_people_said_comes_before_who_said_it(world):
    at = NOW_US - DAY_US
    for n, (model, score) in enumerate([("small", 1.0), ("small", 0.5), ("large", 0.0), ("large", 0.9)]):
        world.call(f"c{n}", at + n, model, f"{n}?", f"{n}!")
        said = Answered(model, score=score, entry=f"c{n}")
        world.label(f"c{n}", "feedback", said if model == "large" else None, *([said] if model == "small" else []))
    task = find("ledger:auto", world)
    assert {s.id: bare(s) for s in task.samples} == {
        "c0": {"because": "feedback", "score": 1.0}, "c3": {"because": "feedback", "score": 0.9},
    }  # fmt: skip


def test_calls_of_our_own_cached_ones_and_failures_are_no_traffic(world):
    at = NOW_US - DAY_US
    world.call("c1", at, "large", "one?", "yes")
    world.call("c2", at, "large", "two?", "yes", key=OWN_KEY)
    world.call("c3", at, "large", "three?", "yes", cache="exact")
    world.call("c4", at, "large", "four?", "yes", outcome="failed")
    world.call("c5", at, "large", "five?", "yes", route="other")
    world.call("c6", at, "large", "six?", "yes", kind="embedding")
    assert [s.id for s in find("ledger:auto", world).samples] == ["c1"]


def test_train_and_test_part_the_sessions_by_time(world):
    at = NOW_US - 10 * DAY_US
    for n in range(20):
        world.call(f"c{n:02}", at + n * DAY_US // 4, "large", f"{n}?", f"{n}", session=f"s{n // 2}")
    train, test = (find(f"ledger:auto@{half}", world) for half in ("train", "half=test"))
    assert len(train.samples) == len(test.samples) == 10
    assert not {s.cluster for s in train.samples} & {s.cluster for s in test.samples}
    assert max(s.at_us or 0 for s in train.samples) < min(s.at_us or 0 for s in test.samples)
    assert train.source.split == "train" and train.form == "number"
    early = find("ledger:auto@before=2026-11-13", world)
    late = find("ledger:auto@since=2026-11-13", world)
    assert len(early.samples) + len(late.samples) == 20
    few = find("ledger:auto@n=4", world, seed=1)
    assert len(few.samples) == 4 and few == find("ledger:auto@n=4", world, seed=1)


def test_texts_of_the_ledger_are_masked(world):
    world.call("c1", NOW_US - DAY_US, "large", "I am ann@example.org", "Hello ann@example.org")
    (sample,) = find("ledger:auto", world).samples
    assert "example.org" not in repr(sample) and sample.target == ("Hello [email]",)


def test_each_lack_names_the_setting_that_ends_it(world):
    assert "answered no call" in refused("ledger:auto", world)
    world.call("c1", NOW_US - DAY_US, "small")
    assert "no kept body among them; set [keep] bodies = true" in refused("ledger:auto", world)
    world.call("c2", NOW_US - DAY_US, "small", "two?", "by small")
    assert "set [shadow] rate and usd_per_day, or send feedback" in refused("ledger:auto", world)
    task = find("ledger:auto@scorer=judge:large,targets=any", world)
    assert (task.scorer, task.samples[0].target) == ("judge:large", ())
    world.write(TOML)
    assert "no bodies are kept" in refused("ledger:auto", world) and "master_key_env" in refused("ledger:auto", world)
    assert "there is no route of that name; there are auto" in refused("ledger:audo", world)


@pytest.mark.parametrize("part", ["half=both", "n=0", "n=few", "before=soon", "targets=some", "colour=red", "scorer="])
def test_a_part_that_is_none_is_named(part):
    with pytest.raises(ConfigError) as error:
        parse(f"auto@{part}", NOW_US)
    assert part in str(error.value) or "'soon' is no moment" in str(error.value)


def test_how_long_ago_counts_from_now():
    assert parse("auto@since=7d,before=1d", NOW_US).split.since_us == NOW_US - 7 * DAY_US


def test_a_vote_for_the_other_answer_makes_that_one_right():
    entry = Entry("c", 1, "k", "chat", "auto", "answered", model="large")
    vote = Label(
        "c", 1, "auto", "vote", Answered("large", score=0.0, entry="c"), (Answered("small", score=1.0, entry="e"),)
    )
    assert right_of(entry, [vote], "large") == ("e", "vote")
    assert right_of(entry, [], "large") == ("c", "reference")
    bad = msgspec.structs.replace(vote, others=())
    assert right_of(entry, [bad], "large") == ("", "")


async def test_calls_of_a_real_gateway_become_a_task_that_has_their_words(tmp_path, monkeypatch):
    monkeypatch.setenv("TASK_BODY_KEY", base64.b64encode(KEY).decode())
    ladder = f'[models.cheap]\nprovider = "openai"\nbase_url = "{{url}}"\nmodel = "mock"\n{PRICE}\n'.replace(
        "{url}", "%s"
    )
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write(ladder % up.base_url + '[routes.auto]\nreference = "mock"\nladder = ["cheap", "mock"]\n' + KEEP)
        async with site.app() as app:
            asks = (
                ("What is one?", 99),
                ("What is two? Write to ann@example.org", 99),
                ("What is one?", 99),
                ("Cut off?", 2),
            )
            for text, room in asks:
                asked = chat(text, model="auto", max_tokens=room)
                assert (await ask(app.gateway, asked, headers={"x-session-id": "s1"})).status == 200
            await until(lambda: len(app.books.entries()) == 4)
    where: Any = SimpleNamespace(cwd=tmp_path, data=tmp_path / "data", env={}, clock=now_us, config=site.read)
    task = await asyncio.to_thread(find, "ledger:auto", where)
    assert [s.input for s in task.samples] == [
        (Turn("user", "What is one?"),), (Turn("user", "What is two? Write to [email]"),),
    ]  # fmt: skip
    assert all(s.target and bare(s) == {"because": "reference"} for s in task.samples)


# ── everything else ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_a_log_and_a_yaml_are_told_apart(world):
    (world.cwd / "x.jsonl").write_text('{"input": "a", "target": "b"}\n')
    assert find("x.jsonl", world).samples[0].input == "a"
    shutil.copyfile(DATA / "inspect_capitals.json", world.cwd / "log.json")
    assert find("log.json", world).source.name == "inspect:capitals"
    line = {"doc_id": 0, "target": "1", "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": {}}}, "resps": [["1"]]}
    (world.cwd / "samples_t.jsonl").write_text(json.dumps(line) + "\n")
    assert find("samples_t.jsonl", world).source.name == "lm-eval:t"
    pytest.importorskip("yaml", reason="needs the extra lab")
    (world.cwd / "t.yaml").write_text(
        "dataset_path: json\ndataset_kwargs: {data_files: x.jsonl}\ntest_split: t\ndoc_to_text: input\ndoc_to_target: target\n"
    )
    assert find("lm-eval:t.yaml", world).samples[0].target == ("b",)
    assert "no such file" in refused("lm-eval:none.yaml", world) and "no such file" in refused("none.csv", world)


def test_standard_sets_come_from_the_folder_that_is_named(world):
    place = world.cwd / "sets/openai/gsm8k/main/test.jsonl"
    place.parent.mkdir(parents=True)
    place.write_text('{"question": "2+2?", "answer": "so #### 4"}\n')
    task = find("gsm8k", world, datasets="sets")
    assert task.samples[0].target == ("4",) and task.source.fetched == ""
    world.env = {"DEMITASSE_DATASETS": str(world.cwd / "sets")}
    assert find("gsm8k", world).hash == task.hash
    assert {s.name for s in listed(world) if s.here} == {"gsm8k"}
    assert "--from nowhere: is no folder" in refused("gsm8k", world, datasets="nowhere")


def test_a_word_that_is_no_task_says_what_is(world):
    said = refused("glue/sst3", world)
    assert "did you mean 'glue/sst2'?" in said and "demitasse tasks list" in said


def test_task_files_are_those_here_and_in_the_folder_tasks(world):
    (world.cwd / "tasks").mkdir()
    for name in ("a.task.toml", "tasks/b.task.toml", "c.toml"):
        (world.cwd / name).write_text("")
    assert [path.name for path in task_files(world.cwd)] == ["a.task.toml", "b.task.toml"]

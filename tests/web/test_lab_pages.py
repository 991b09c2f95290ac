"""Evaluations, verdicts, frontiers and made models on the dashboard, read from a folder that the lab itself wrote."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import msgspec
import pytest

from demitasse.build.lab_pages import LabFolder
from demitasse.lab.evals import result
from demitasse.lab.evals.result import Row
from demitasse.lab.scorers.scorer import Score

from . import fakes, lab_world
from .conftest import Visitor
from .test_pages import text_of


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    data = tmp_path_factory.mktemp("lab")
    return data, lab_world.full(data)


def site_of(data, **more):
    books, control, facts = fakes.full_site()
    return Visitor(books, control, **{**facts, "lab": LabFolder(data), **more})


@pytest.fixture
def site(world):
    return site_of(world[0])


@pytest.fixture
def reader(world):
    """One whose key may look, and not administer."""
    visitor = site_of(world[0], login=fakes.FakeLogin())
    visitor.send(
        "POST",
        "/login",
        {"content-type": "application/x-www-form-urlencoded", "origin": "http://localhost"},
        b"key=dmt_r_read",
    )
    assert visitor.get("/evaluations").status == 200
    return visitor


class Harm(HTMLParser):
    """What a page must not hold: scripts, styles and handlers of its own, and pictures from elsewhere."""

    def __init__(self):
        super().__init__()
        self.found = []

    @classmethod
    def of(cls, page):
        parser = cls()
        parser.feed(page)
        return parser.found

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        ours = (told.get("src") or "").startswith("/static/")
        bad = {name for name in told if name.startswith("on") or name == "style"}
        if bad or (tag in {"script", "img", "iframe"} and not ours) or tag in {"style", "object"}:
            self.found.append((tag, attrs))


def paths_of(ids):
    small, large = ids["smollm2-135m"], ids["gpt-5.1"]
    return [
        "/evaluations",
        f"/evaluations/{small}",
        f"/evaluations/{ids['running']}",
        f"/evaluations/{ids['free']}",
        f"/evaluations/{small}/samples/0",
        "/evaluations/compare",
        f"/evaluations/compare?a={small}&b={large}",
        "/frontier",
        "/frontier?axis=latency",
        "/frontier?axis=energy&worth=2",
        "/models/made/headlines-logreg",
        "/parts/frontier",
        f"/parts/evaluations/{ids['running']}",
    ]


# ── every page ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_page_opens_without_inline_script_and_shows_hostile_answers_as_text(site, world):
    for path in paths_of(world[1]):
        answer = site.get(path)
        assert answer.status == 200, (path, answer.text[-2000:])
        assert Harm.of(answer.text) == [], path
    assert "&lt;script&gt;alert(" in site.get(f"/evaluations/{world[1]['smollm2-135m']}").text


def test_the_navigation_says_where_one_is(site, world):
    for path in paths_of(world[1]):
        if not path.startswith("/parts/"):
            here = "/engines" if path.startswith("/models/") else "/evaluations"
            assert f'<a href="{here}" aria-current="page">' in site.get(path).text, path


def test_every_page_answers_as_json_too(site, world):
    for path in paths_of(world[1]):
        if not path.startswith("/parts/"):
            assert isinstance(site.json(path), dict), path


def test_without_a_lab_pages_teach(empty):
    for path, taught in (
        ("/evaluations", "demitasse evaluate questions.csv"),
        ("/evaluations/compare", "Put two models to the same questions"),
        ("/frontier", "put some models to the same questions"),
        ("/parts/frontier", "what each point of quality costs"),
    ):
        assert taught in text_of(empty.get(path)), path


def test_an_empty_data_folder_teaches_as_well(tmp_path):
    site = site_of(tmp_path)
    assert "Nothing evaluated yet: paste this" in text_of(site.get("/evaluations"))
    assert "Made here" not in text_of(site.get("/engines"))


@pytest.mark.parametrize(
    "id", ["..", ".", "../headlines", "%2e%2e", "a/../..", "x" * 300, "%00", "~", "secret", ".hidden", "a..b", "*"]
)
def test_no_id_leads_out_of_its_folder(tmp_path, id):
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "models/made").mkdir(parents=True)
    for place in (tmp_path, tmp_path / "evaluations", tmp_path / "models", tmp_path / "models/made"):
        (place / "run.json").write_text("{}")
        (place / "manifest.json").write_text(json.dumps({"name": "x", "kind": "gguf", "method": "leaked"}))
        (place / "rows.jsonl").write_text("leaked\n")
    folder = LabFolder(tmp_path)
    assert folder.evaluation(id) is None
    assert folder.samples(id) is None
    assert folder.sample(id, 0) is None
    assert folder.compare(id, id, margin=0.02) is None
    assert folder.made_one(id) is None
    site = site_of(tmp_path)
    for path in (f"/evaluations/{id}", f"/models/made/{id}", f"/evaluations/{id}/samples/0"):
        answer = site.get(path)
        assert answer.status == 404 and "leaked" not in answer.text, path


def test_a_link_out_of_the_folder_is_not_followed(tmp_path, world):
    data, ids = world
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations/elsewhere").symlink_to(result.folder(data, ids["gpt-5.1"]))
    assert LabFolder(tmp_path).evaluation("elsewhere") is None
    assert LabFolder(tmp_path).evaluations() == []


def test_who_may_not_administer_sees_figures_and_no_texts(reader, site, world):
    ids = world[1]
    pair = f"/evaluations/compare?a={ids['smollm2-135m']}&b={ids['gpt-5.1']}"
    for path in (f"/evaluations/{ids['smollm2-135m']}", f"/evaluations/{ids['smollm2-135m']}/samples/0", pair):
        for told in (reader.get(path).text, reader.get(path + "?&"[("?" in path)] + "format=json").text):
            assert "Headline" not in told and "alert(" not in told and "no JSON" not in told, path
        assert "Headline" in site.get(path).text, path
    text = text_of(reader.get(f"/evaluations/{ids['smollm2-135m']}"))
    assert "for keys of scope admin" in text and "row-000" in text and "✕ wrong" in text


def test_without_a_key_there_is_a_login_and_no_figure(world):
    visitor = site_of(world[0], login=fakes.FakeLogin())
    for path in paths_of(world[1]):
        answer = visitor.get(path)
        assert answer.status in (303, 401) and "gpt-5" not in answer.text, path


# ── evaluations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_stand_under_their_task_with_quality_interval_cost_and_failures_apart(site):
    page = site.get("/evaluations")
    text = text_of(page)
    told = site.json("/evaluations")
    (headlines,) = [group for group in told["groups"] if group["task"] == "headlines"]
    small = next(run for run in headlines["runs"] if run["model"] == "smollm2-135m" and run["state"] == "complete")
    summary = small["summary"]
    row = text[text.index("Headlines".lower()) :]
    low, high = summary["quality_interval"]
    assert f"{100 * summary['quality']:.1f} % [{round(100 * low, 1)}, {round(100 * high, 1)}]" in row
    assert summary["format_failures"] and f"{summary['format_failures']} {summary['wrong']} $0.00" in row
    assert "▲ busy machine" in row and "unpriced" in row and "modelled" in row


def test_a_running_one_tells_how_far_it_has_come_and_asks_again(site, world):
    data, ids = world
    part = site.get(f"/parts/evaluations/{ids['running']}")
    assert "running 37 of 120" in text_of(part) and "hx-get=" in part.text
    journal = result.folder(data, ids["running"]) / "journal.jsonl"
    before = journal.read_bytes()
    try:
        journal.write_bytes(before + b'","entry":"e","body":{}}\n{"kind":"answer","key":"k","entry":"e","body":{}}\n')
        assert "running 39 of 120" in text_of(site.get(f"/parts/evaluations/{ids['running']}"))
    finally:
        journal.write_bytes(before)
    assert "running 37 of 120" in text_of(site.get(f"/parts/evaluations/{ids['running']}"))


def test_one_that_is_over_asks_for_the_whole_page_and_one_that_fell_silent_is_told_how_to_go_on(world, tmp_path):
    site = site_of(world[0])
    over = site.get(f"/parts/evaluations/{world[1]['gpt-5.1']}")
    assert (over.status, over.headers.get("hx-refresh")) == (204, "true")
    id = lab_world.running(tmp_path, lab_world.a_task(), "gpt-5-mini")
    later = site_of(tmp_path, clock=lambda: 2 * fakes.NOW_US)
    page = later.get(f"/evaluations/{id}")
    assert "hx-get=" not in page.text
    assert "was most likely ended" in text_of(page) and "demitasse evaluate headlines.csv" in text_of(page)


def test_an_evaluation_tells_how_it_was_got_and_how_to_do_it_again(site, world):
    text = text_of(site.get(f"/evaluations/{world[1]['gpt-5.1']}"))
    for part in (
        "openai/gpt-5.1 2026-10-14",
        "120 samples, constrained, seed 7",
        "file:headlines.csv; licence: CC-BY-4.0",
        "demitasse evaluate headlines.csv --model gpt-5.1",
        "88.0 s of the whole machine, 3.1 s of the harness",
    ):
        assert part in text, part


def test_samples_are_paged_without_losing_or_repeating_one(site, world):
    seen, path = [], f"/evaluations/{world[1]['gpt-5-mini']}"
    while path:
        told = site.json(path)
        seen += [row["sample"] for row in told["samples"]]
        assert len(told["samples"]) <= 50
        path = f"/evaluations/{world[1]['gpt-5-mini']}?after={told['next']}" if told["next"] else None
    assert seen == [f"row-{i:03d}" for i in range(120)]


@pytest.mark.parametrize(("only", "field"), [("wrong", "wrong"), ("unreadable", "format_failures")])
def test_filters_find_what_the_figures_count(site, world, only, field):
    here = f"/evaluations/{world[1]['smollm2-135m']}"
    expected = site.json(here)["run"]["summary"][field]
    found, after = 0, 0
    while after is not None:
        told = site.json(f"{here}?only={only}&after={after}")
        found, after = found + len(told["samples"]), told["next"]
        assert all((row["failure"] == "format") == (only == "unreadable") for row in told["samples"])
    assert found == expected > 0


def test_a_slice_alone_is_shown(site, world):
    told = site.json(f"/evaluations/{world[1]['gpt-5.1']}?slice=de")
    assert {row["slice"] for row in told["samples"]} == {"de"} and len(told["samples"]) == 40


def test_a_sample_tells_what_was_put_what_came_back_and_where_it_stands_in_the_books(site, world):
    here = f"/evaluations/{world[1]['smollm2-135m']}"
    at = site.json(f"{here}?only=unreadable")["samples"][0]["at"]
    page = site.get(f"{here}/samples/{at}")
    text = text_of(page)
    for part in ("You sort headlines", "It rained on Tuesday", "Which of the three is it?", "unreadable", "no JSON"):
        assert part in text, part
    assert re.search(r'href="/ledger/c\d{25}">why\?', page.text)


@pytest.mark.parametrize("at", ["1", "7", "99999999", "-1", "x", "9" * 40])
def test_a_place_where_no_sample_begins_is_not_there(site, world, at):
    assert site.get(f"/evaluations/{world[1]['gpt-5.1']}/samples/{at}").status == 404


def test_a_page_of_a_long_evaluation_reads_a_part_of_it(tmp_path, monkeypatch):
    from demitasse.build import lab_pages

    id = lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5.1")
    result.write_rows(
        result.folder(tmp_path, id),
        (Row(f"row-{i % 30:03d}", Score(float(i != 4_000)), repeat=i) for i in range(5_000)),
    )
    monkeypatch.setattr(lab_pages, "MOST_LINES", 1_000)
    folder, found, after, looks = LabFolder(tmp_path), [], 0, 0
    while after is not None:
        page = folder.samples(id, after=after, only="wrong")
        found, after, looks = [*found, *page.rows], page.next, looks + 1
    assert [row.repeat for row in found] == [4_000] and looks == 5


def test_what_was_begun_anew_is_out_of_the_way_and_can_be_seen(tmp_path):
    id = lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5.1")
    lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5-mini")
    path = result.folder(tmp_path, id)
    path.rename(path.with_name(f"{id}.1795265523000000"))
    lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5.1")
    site = site_of(tmp_path)
    assert len(site.json("/evaluations")["groups"][0]["runs"]) == 2
    assert "1 more were begun anew" in text_of(site.get("/evaluations"))
    assert len(site.json("/evaluations?aside=1")["groups"][0]["runs"]) == 3
    compared = site.json(f"/evaluations/compare?a={id}.1795265523000000&b={id}")
    assert compared["error"] == "" and compared["comparison"]["difference"] == 0


def test_half_a_folder_and_one_that_cannot_be_read_do_not_hide_the_others(tmp_path):
    id = lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5.1")
    (tmp_path / "evaluations/half").mkdir()
    (tmp_path / "evaluations/broken").mkdir()
    (tmp_path / "evaluations/broken/run.json").write_text('{"id": 3')
    folder = LabFolder(tmp_path)
    assert [run.id for run in folder.evaluations()] == [id]
    (result.folder(tmp_path, id) / "rows.jsonl").write_text("{broken\n")
    answer = site_of(tmp_path).get(f"/evaluations/{id}")
    assert answer.status == 503 and "run the evaluation again with --fresh" in text_of(answer)
    assert str(tmp_path) not in answer.text


def test_many_threads_read_the_same_folder(world):
    data, ids = world
    folder = LabFolder(data)

    def look(_n):
        assert len(folder.evaluations()) == 8
        assert folder.samples(ids["gpt-5.1"], only="wrong").rows
        assert folder.evaluation(ids["running"]).done == 37
        assert folder.compare(ids["gpt-5-mini"], ids["gpt-5.1"], margin=0.02).counts[""] == 120

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(look, range(18))) == [None] * 18


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_verdict_stands_first_in_words_with_the_samples_that_would_decide(site, world):
    ids = world[1]
    page = site.get(f"/evaluations/compare?a={ids['gpt-5-mini']}&b={ids['gpt-5.1']}")
    told = site.json(f"/evaluations/compare?a={ids['gpt-5-mini']}&b={ids['gpt-5.1']}")["comparison"]
    text = text_of(page)
    assert told["verdict"] == "inconclusive"
    assert text.index("? inconclusive") < text.index("On the same 120 samples") < text.index("Pair by pair")
    assert f"{told['n_needed']:,} samples" in text
    table = told["table"]
    assert (
        f"A right {table['both']} {table['only_candidate']} A not {table['only_reference']} {table['neither']}" in text
    )


def test_the_page_says_what_the_command_says(site, world):
    from demitasse.cli.compare import as_object
    from demitasse.lab.evals.compare import compare_all
    from demitasse.lab.evals.reading import named, read_all

    data, ids = world
    both = named(read_all(data, [ids["smollm2-135m"], ids["gpt-5.1"]]))
    (found,) = compare_all(dict(both[:1]), both[1][1], margin=0.05, reference_name=both[1][0])
    command = msgspec.to_builtins(as_object([found]))
    page = site.json(f"/evaluations/compare?a={ids['smollm2-135m']}&b={ids['gpt-5.1']}&margin=5")["comparison"]
    for field in ("verdict", "difference", "interval", "table", "n", "margin", "n_needed", "slices"):
        assert page[field] == json.loads(json.dumps(command[field])), field


@pytest.mark.parametrize(
    ("which", "holds"),
    [
        ("a", lambda a, b: a > b),
        ("b", lambda a, b: b > a),
        ("neither", lambda a, b: a < 1 and b < 1),
    ],
)
def test_pairs_are_chosen_by_who_was_right(site, world, which, holds):
    ids = world[1]
    told = site.json(f"/evaluations/compare?a={ids['smollm2-135m']}&b={ids['gpt-5.1']}&which={which}")
    assert told["pairs"] and all(holds(pair["a"]["value"], pair["b"]["value"]) for pair in told["pairs"])
    assert (
        told["counts"][which]
        == {
            "a": told["comparison"]["table"]["only_candidate"],
            "b": told["comparison"]["table"]["only_reference"],
            "neither": told["comparison"]["table"]["neither"],
        }[which]
    )


def test_pairs_are_paged_without_losing_one(site, world):
    here = f"/evaluations/compare?a={world[1]['gpt-5-mini']}&b={world[1]['gpt-5.1']}"
    seen, after = [], 0
    while after is not None:
        told = site.json(f"{here}&after={after}")
        seen, after = [*seen, *(pair["sample"] for pair in told["pairs"])], told["next"]
    assert sorted(seen) == [f"row-{i:03d}" for i in range(120)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("a=LARGE&b=LARGE", "the same evaluation"),
        ("a=LARGE&b=nobody", "there is no evaluation 'nobody'"),
        ("a=LARGE&b=../../etc", "there is no evaluation '../../etc'"),
        ("a=LARGE&b=MINI&margin=much", "a margin is a number of points"),
        ("a=LARGE&b=MINI&margin=-1", "a margin is a number of points"),
        ("a=LARGE&b=MINI&margin=nan", "a margin is a number of points"),
        ("a=LARGE&b=RUNNING", "has not ended"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(site, world, query, said):
    for word, id in (("LARGE", "gpt-5.1"), ("MINI", "gpt-5-mini"), ("RUNNING", "running")):
        query = query.replace(word, world[1][id])
    answer = site.get("/evaluations/compare?" + query)
    assert answer.status == 200 and said in text_of(answer)


def test_other_questions_are_not_compared(tmp_path):
    a = lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5.1")
    b = lab_world.evaluated(tmp_path, lab_world.a_task(30, "other"), "gpt-5-mini")
    path = result.folder(tmp_path, b)
    task = result.load_task(path)
    result.write_task(
        path,
        msgspec.structs.replace(
            task, samples=tuple(msgspec.structs.replace(s, input="another question") for s in task.samples)
        ),
    )
    assert "mean different questions" in text_of(site_of(tmp_path).get(f"/evaluations/compare?a={a}&b={b}"))


def test_too_many_answers_are_left_to_the_command(world, monkeypatch):
    from demitasse.build import lab_pages

    monkeypatch.setattr(lab_pages, "MOST_ANSWERS", 100)
    ids = world[1]
    text = text_of(site_of(world[0]).get(f"/evaluations/compare?a={ids['gpt-5-mini']}&b={ids['gpt-5.1']}"))
    assert "too many answers for a page" in text and "demitasse compare" in text


def test_a_verdict_is_computed_once_for_many_looks(world, monkeypatch):
    from demitasse.build import lab_verdicts

    made = []
    real = lab_verdicts.held
    monkeypatch.setattr(lab_verdicts, "held", lambda *args: made.append(args) or real(*args))
    site, ids = site_of(world[0]), world[1]
    for which in ("", "a", "b"):
        site.get(f"/evaluations/compare?a={ids['gpt-5-mini']}&b={ids['gpt-5.1']}&which={which}")
    assert len(made) == 1
    site.get(f"/evaluations/compare?a={ids['gpt-5-mini']}&b={ids['gpt-5.1']}&margin=3")
    assert len(made) == 2


# ── frontiers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_frontier_holds_the_newest_of_each_model_that_has_ended(site):
    told = site.json("/frontier")
    names = [point["name"] for point in told["curve"]["found"]["points"]]
    assert sorted(names) == sorted(lab_world.MODELS)
    assert told["task"] == "headlines" and told["tasks"] == ["headlines"]


def test_the_frontier_is_the_commands(site, world):
    from demitasse.cli.frontier import as_object
    from demitasse.lab.evals.frontier import frontier
    from demitasse.lab.evals.reading import named, read_all

    told = site.json("/frontier?axis=latency")["curve"]
    found = as_object(frontier(dict(named(read_all(world[0], told["ids"].values()))), axis="latency"))
    assert told["found"] == json.loads(json.dumps(found))


def test_who_has_no_price_is_listed_and_not_drawn(site):
    told = site.json("/frontier")
    drawn = [item["name"] for series in told["chart"]["series"] for item in series["data"] if isinstance(item, dict)]
    assert "elsewhere/mystery-1" not in drawn and "gpt-5.1" in drawn
    assert re.search(r"elsewhere/mystery-1 unknown .*not drawn: no price", text_of(site.get("/frontier")))


def test_worth_names_the_knee_and_nonsense_is_a_sentence(site):
    assert site.json("/frontier?worth=1000")["curve"]["found"]["knee"]["method"] == "worth"
    assert "what a point is worth is a number" in text_of(site.get("/frontier?worth=lots"))
    assert "no finished evaluation of a task 'nothing'" in text_of(site.get("/frontier?task=nothing"))


def test_questions_that_changed_under_one_name_are_not_mixed(tmp_path):
    lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5.1", ago_h=1)
    old = lab_world.evaluated(tmp_path, lab_world.a_task(30), "gpt-5-mini", ago_h=5, task_hash="of other questions")
    path = result.folder(tmp_path, old)
    task = result.load_task(path)
    samples = tuple(msgspec.structs.replace(s, input="another question") for s in task.samples)
    result.write_task(path, msgspec.structs.replace(task, samples=samples))
    told = site_of(tmp_path).json("/frontier")
    assert [p["name"] for p in told["curve"]["found"]["points"]] == ["gpt-5.1"]
    assert "left out" in " ".join(told["curve"]["notes"])


# ── made models and the machine ─────────────────────────────────────────────────────────────────────────────────────


def test_a_made_model_has_a_card_with_its_verdict_licences_and_data(site):
    text = text_of(site.get("/models/made/headlines-logreg"))
    for part in (
        "✓ non-inferior",
        "87.8 % was 90.0 %",
        "difference −2.2 points (−4.8 to +0.4) on 120 samples",
        "the teacher's terms are not stated",
        "base: MIT; data: CC-BY-4.0; teacher: gpt-5-mini",
        "cd" * 32,
        'source = "made:headlines-logreg"',
        "Abstains from about one in ten.",
    ):
        assert part in text, part


def test_made_models_and_the_machine_stand_on_the_page_of_models(world):
    from demitasse.build.facts import hardware_row
    from demitasse.config import Config
    from demitasse.config.tree import Hardware

    row = hardware_row(Config(hardware=Hardware(watts_idle=23.5)))
    page = site_of(world[0], hardware=lambda: row).get("/engines")
    text = text_of(page)
    assert 'href="/models/made/headlines-logreg"' in page.text and "non-inferior" in text
    assert "watts_idle 23.5 23.5 W your configuration" in text
    assert f"usd_per_kwh 0.08 0.4 USD a kWh assumed, {row.dated}" in text

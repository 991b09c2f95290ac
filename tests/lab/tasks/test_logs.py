"""Finished runs of Inspect and lm-evaluation-harness: their samples, answers and scores as they were written there.

The two Inspect logs were written by inspect_ai itself (``tests/data/make_inspect_logs.py``); the lines of
lm-evaluation-harness have the layout of its ``save_results_samples``.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from demitasse.core.errors import ConfigError
from demitasse.lab.tasks import logs, logs_inspect
from demitasse.lab.tasks.task import Turn

DATA = Path(__file__).parents[2] / "data"


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        logs.read(path)
    return str(error.value)


# ── Inspect ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_that_inspect_wrote_is_read_with_its_scores():
    pytest.importorskip("pyarrow", reason="needs the extra lab")
    log = logs.read(DATA / "inspect_sums.eval")
    assert (log.harness, log.model, log.scorer, log.task.name) == ("inspect", "mockllm/model", "match", "sums")
    assert [sample.id for sample in log.task.samples] == ["1", "b", "3"]
    assert log.task.samples[1].target == ("7", "seven") and log.task.samples[1].metadata == {"subject": "sums"}
    said = {id: (given.text, given.score, given.finish) for id, given in log.answers.items()}
    assert said == {"1": ("4", 1.0, "stop"), "b": ("8", 0.0, "stop"), "3": ("1, 2, 3", 0.0, "length")}
    assert (log.answers["1"].tokens_in, log.answers["1"].tokens_out) == (12, 3)
    assert log.more == 3, "the second epoch is left out, and counted"
    assert log.task.source.name == "inspect:sums" and len(log.task.source.sha256) == 64


def test_a_json_log_with_options_is_a_choice():
    log = logs.read(DATA / "inspect_capitals.json")
    assert log.task.form == "choice" and log.task.samples[0].choices == ("Rome", "Paris")
    assert [sample.target for sample in log.task.samples] == [("B",), ("A",)]
    assert {id: (given.said, given.score) for id, given in log.answers.items()} == {"fr": ("B", 1.0), "it": ("B", 0.0)}


def sample(**more: object) -> dict[str, object]:
    message = {"role": "assistant", "content": "yes"}
    return {"id": 1, "epoch": 1, "input": "Q?", "target": "yes",
            "output": {"choices": [{"message": message, "stop_reason": "stop"}], "completion": "yes"}, **more}  # fmt: skip


def log_of(tmp_path: Path, *samples: dict[str, object]) -> Path:
    path = tmp_path / "x.json"
    head = {"task": "t", "model": "m", "dataset": {"name": "d"}}
    path.write_text(json.dumps({"version": 2, "status": "success", "eval": head, "samples": list(samples)}))
    return path


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("C", 1.0),
        ("I", 0.0),
        ("P", 0.5),
        ("N", 0.0),
        (0.25, 0.25),
        (True, 1.0),
        (7, None),
        ({"a": 1}, None),
        ("?", None),
    ],
)
def test_grades_are_numbers_and_what_is_none_is_unknown(tmp_path, value, score):
    log = logs.read(log_of(tmp_path, sample(scores={"mine": {"value": value}})))
    assert log.answers["1"].score == score


def test_long_texts_are_fetched_from_the_attachments(tmp_path):
    marked = sample(input=[{"role": "user", "content": "attachment://abc"}], attachments={"abc": "the long one"})
    assert logs.read(log_of(tmp_path, marked)).task.samples[0].input == (Turn("user", "the long one"),)


def test_a_sample_that_failed_has_no_answer_and_says_why(tmp_path):
    failed = sample(output={"choices": []}, error={"message": "timed out\nat line 3"})
    given = logs.read(log_of(tmp_path, failed)).answers["1"]
    assert (given.text, given.score, given.error) == ("", None, "timed out")


def test_tools_in_the_input_and_an_empty_log_are_told(tmp_path):
    assert "a turn of 'tool'" in refused(log_of(tmp_path, sample(input=[{"role": "tool", "content": "x"}])))
    assert "holds no samples" in refused(log_of(tmp_path))


def test_a_deflated_log_and_one_that_was_stopped_need_no_extra(tmp_path):
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"eval": {"task": "t", "model": "m"}}))
        archive.writestr("samples/1_epoch_2.json", json.dumps(sample(epoch=2, scores={"s": {"value": "I"}})))
        archive.writestr("samples/1_epoch_1.json", json.dumps(sample(scores={"s": {"value": "C"}})))
    log = logs.read(path)
    assert (log.answers["1"].score, log.more) == (1.0, 1), "the first epoch, whichever was written first"


def test_what_is_no_log_is_told(tmp_path):
    for name, raw, said in (
        ("x.eval", b"no zip", "is no .eval log"),
        ("x.json", b'{"a": 1}', "is no log of Inspect"),
        ("x.jsonl", b'{"input": "a"}\n', "is no log of Inspect"),
        ("x.csv", b"a", "is no log of Inspect"),
    ):
        (tmp_path / name).write_bytes(raw)
        assert said in refused(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "y.eval", "w") as archive:
        archive.writestr("header.json", "{")
    assert "header.json: is damaged" in refused(tmp_path / "y.eval")
    assert "no such file" in refused(tmp_path / "none.eval")


def test_a_log_that_is_packed_wrongly_or_too_well_is_told(tmp_path, monkeypatch):
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({"eval": {"task": "t", "model": "m"}, "pad": "0" * 3000}))
    whole = path.read_bytes()
    flipped, locked = bytearray(whole), bytearray(whole)
    for at in range(46, 56):
        flipped[at] ^= 0xFF
    for at in (6, whole.index(b"PK\x01\x02") + 8):
        locked[at] |= 1
    for damaged in (flipped, locked):
        path.write_bytes(damaged)
        assert "header.json: is damaged" in refused(path)
    path.write_bytes(whole)
    monkeypatch.setattr(logs_inspect, "MOST_BYTES", 3000)
    assert "would unpack to" in refused(path)


# ── lm-evaluation-harness ───────────────────────────────────────────────────────────────────────────────────────────


def lines(
    tmp_path: Path, *rows: dict[str, object], name: str = "samples_gsm8k_2026-11-20T10-11-12.345678.jsonl"
) -> Path:
    path = tmp_path / "my__model" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def generated(doc: int, text: str, filter: str, score: float, **more: object) -> dict[str, object]:
    return {
        "doc_id": doc, "doc": {"question": f"q{doc}"}, "target": "18",
        "arguments": {"gen_args_0": {"arg_0": f"Question: q{doc}\nAnswer:", "arg_1": {"until": ["\n\n"]}}},
        "resps": [[text]], "filtered_resps": ["18"], "filter": filter, "metrics": ["exact_match"],
        "doc_hash": "x", "prompt_hash": "y", "target_hash": "z", "exact_match": score, **more,
    }  # fmt: skip


def chosen(doc: int, target: str, *likelihoods: float) -> dict[str, object]:
    texts = [" no", " yes", " perhaps"]
    return {
        "doc_id": doc, "doc": {}, "target": target,
        "arguments": {f"gen_args_{at}": {"arg_0": f"q{doc}", "arg_1": texts[at]} for at in range(len(likelihoods))},
        "resps": [[[str(value), "False"]] for value in likelihoods],
        "filtered_resps": [[str(value), "False"] for value in likelihoods],
        "filter": "none", "metrics": ["acc", "acc_norm"], "acc": 1.0, "acc_norm": 0.0,
    }  # fmt: skip


def test_generations_are_read_once_per_document_with_the_first_filters_score(tmp_path):
    path = lines(
        tmp_path,
        generated(0, "so 18\n#### 18", "strict-match", 1.0),
        generated(1, "no idea", "strict-match", 0.0),
        generated(0, "so 18\n#### 18", "flexible-extract", 0.0),
        generated(1, "no idea", "flexible-extract", 0.0),
    )
    log = logs.read(path)
    assert (log.harness, log.model, log.task.name, log.scorer) == (
        "lm-eval",
        "my__model",
        "gsm8k",
        "exact_match strict-match",
    )
    assert log.task.samples[0].input == "Question: q0\nAnswer:" and log.task.samples[0].target == ("18",)
    assert {id: (given.text, given.score, given.said) for id, given in log.answers.items()} == {
        "0": ("so 18\n#### 18", 1.0, "18"), "1": ("no idea", 0.0, "18"),
    }  # fmt: skip
    assert log.more == 2


def test_log_likelihoods_become_the_letter_that_was_picked(tmp_path):
    log = logs.read(lines(tmp_path, chosen(0, "1", -3.0, -0.5, -2.0), chosen(1, "perhaps", -1.0, -2.0, -3.0)))
    assert log.task.form == "choice" and log.task.samples[0].choices == ("no", "yes", "perhaps")
    assert [sample.target for sample in log.task.samples] == [("B",), ("C",)]
    assert [log.answers[id].text for id in "01"] == ["B", "A"] and log.scorer == "acc"


def test_more_than_ten_options_keep_their_order(tmp_path):
    row = chosen(0, "11", *(-float(n) for n in range(3)))
    row["arguments"] = {
        f"gen_args_{at}": {"arg_0": "q", "arg_1": f"o{at}"} for at in (0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9)
    }
    row["resps"] = [[[str(-1.0 if at != 10 else -0.1), "False"]] for at in range(12)]
    log = logs.read(lines(tmp_path, row))
    assert (
        log.task.samples[0].choices[10] == "o10"
        and log.answers["0"].text == "K"
        and log.task.samples[0].target == ("L",)
    )


def test_older_lists_and_targets_that_are_lists_are_read(tmp_path):
    row = generated(0, "a", "none", 1.0, arguments=[["Q", {"until": []}]], target="['18', 'eighteen']")
    log = logs.read(lines(tmp_path, row, name="x.jsonl"))
    assert log.task.samples[0].target == ("18", "eighteen") and log.task.name == "x"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([generated(0, "a", "none", 1.0), chosen(1, "0", -1.0, -2.0)], "choices and generations"),
        ([chosen(0, "9", -1.0, -2.0)], "line 1: its target '9' is none of its 2 options"),
        ([generated(0, "a", "none", 1.0), {"doc_id": 1}], "line 2: lacks doc_id, arguments or resps"),
        ([generated(0, "a", "none", 1.0, arguments={})], "line 1: its arguments name no request"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, rows, said):
    assert said in refused(lines(tmp_path, *rows))

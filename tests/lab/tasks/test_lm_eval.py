"""Task files of lm-evaluation-harness: the common subset as a Task, and every other key named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demitasse.core.errors import ConfigError
from demitasse.lab.tasks.hub import Wanted, local
from demitasse.lab.tasks.lm_eval import load

pytest.importorskip("yaml", reason="needs the extra lab")

# the layouts of lm_eval/tasks/gsm8k/gsm8k.yaml and lm_eval/tasks/glue/sst2/default.yaml, in our own words
SUMS = r"""
task: sums
tag: [maths]
dataset_path: json
dataset_kwargs: {data_files: {train: train.jsonl, test: test.jsonl}}
output_type: generate_until
training_split: train
fewshot_split: train
test_split: test
doc_to_text: "Question: {{question}}\nAnswer:"
doc_to_target: "{{answer}}"
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    regexes_to_ignore: [",", "\\$", "(?s).*#### "]
generation_kwargs: {until: ["\n\n", "Question:"], do_sample: false, temperature: 0.0, max_gen_toks: 99}
repeats: 1
num_fewshot: 1
filter_list:
  - name: get-answer
    filter: [{function: regex, regex_pattern: "#### ([0-9]+)"}, {function: take_first}]
metadata: {version: 1.0}
"""
MOOD = """
task: mood
dataset_path: o/mood
dataset_name: en
output_type: multiple_choice
validation_split: validation
doc_to_text: "{{sentence}}\\nPositive or negative?"
doc_to_target: label
doc_to_choice: [" negative", " positive"]
metric_list: [{metric: acc}]
"""


def never(wanted: Wanted) -> list[Path]:
    raise AssertionError(wanted)


def rows(path: Path, *values: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


@pytest.fixture
def sums(tmp_path):
    rows(tmp_path / "train.jsonl", {"question": "1+1?", "answer": "one and one\n#### 2"})
    rows(
        tmp_path / "test.jsonl",
        {"question": "2+2?", "answer": "so\n#### 4"},
        {"question": "1000+1?", "answer": "x\n#### $1,001"},
    )
    (tmp_path / "sums.yaml").write_text(SUMS)
    return tmp_path / "sums.yaml"


def told(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path, never)
    assert path.name in str(error.value) or "jsonl" in str(error.value)
    return str(error.value)


def test_a_generation_task_is_read_with_its_shots_and_its_numbers(sums):
    task = load(sums, never)
    assert (task.name, task.form, task.max_tokens, task.source.split) == ("sums", "number", 99, "test")
    assert [s.input for s in task.samples] == ["Question: 2+2?\nAnswer:", "Question: 1000+1?\nAnswer:"]
    assert [s.target for s in task.samples] == [("4",), ("1001",)], "what the metric leaves out of account is left out"
    assert [s.id for s in task.samples] == ["0", "1"], "documents are numbered as in the harness's logs"
    assert (task.shots[0].input, task.shots[0].target) == ("Question: 1+1?\nAnswer:", ("2",))
    assert task.shots[0].metadata == {"reasoning": "one and one\n#### 2"}


def test_options_that_are_the_same_everywhere_are_labels(tmp_path):
    rows(tmp_path / "o/mood/en/validation.jsonl", {"sentence": "fine", "label": 1}, {"sentence": "bad", "label": 0})
    (tmp_path / "mood.yaml").write_text(MOOD)
    task = load(tmp_path / "mood.yaml", lambda wanted: local(tmp_path, wanted))
    assert (task.form, task.labels) == ("label", ("negative", "positive"))
    assert [s.target for s in task.samples] == [("positive",), ("negative",)] and task.samples[0].choices == ()


def test_options_of_their_own_are_choices_and_targets_may_be_words(tmp_path):
    rows(tmp_path / "q.jsonl", {"q": "a?", "wrong": "x", "right": "y"}, {"q": "b?", "wrong": "v", "right": "w"})
    (tmp_path / "q.yaml").write_text(
        "dataset_path: json\ndataset_kwargs: {data_files: q.jsonl}\ntest_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: q\ndoc_to_target: "{{right}}"\ndoc_to_choice: "{{[wrong, right]}}"\n'
        'description: "About {{q}}\\n\\n"\n'
    )
    task = load(tmp_path / "q.yaml", never)
    assert (task.form, task.samples[0].choices, task.samples[0].target) == ("choice", ("x", "y"), ("B",))
    assert task.samples[0].input == "About a?\n\na?" and task.system == ""


def test_a_description_that_is_the_same_for_all_is_the_system_prompt(sums):
    sums.write_text(SUMS + 'description: "Do sums.\\n"\n')
    assert load(sums, never).system == "Do sums."


def test_an_included_file_is_the_base_and_the_outer_one_decides(sums):
    outer = sums.with_name("outer.yaml")
    outer.write_text("include: sums.yaml\ntask: outer\nnum_fewshot: 0\n")
    task = load(outer, never)
    assert (task.name, task.shots, len(task.samples)) == ("outer", (), 2)
    assert "includes itself" in told(outer, "include: outer.yaml\n")
    sums.write_text(SUMS + "include: outer.yaml\n")
    assert "includes itself" in told(outer, "include: sums.yaml\n")


@pytest.mark.parametrize(
    "more",
    [
        "num_fewshot: x",
        "metric_list: [exact_match]",
        "generation_kwargs: [1]",
        "doc_to_text: \"{{ 'a' | regex_replace('(', 'x') }}\"",
        'doc_to_text: "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"',
    ],
)
def test_what_cannot_be_meant_is_a_sentence(sums, more):
    key = more.partition(":")[0]
    assert key in told(sums, f"{SUMS}{more}\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("doc_to_text:", "doc_to_text: !function utils.text #"), "line 10: !function is code of the file's author"),
        (("tag:", "process_results: !function u.p\ntag:"), "!function is code"),
        (("tag:", "use_prompt: x\nclass: y\ntag:"), "'class', 'use_prompt': not understood"),
        (("generate_until", "loglikelihood"), "output_type loglikelihood"),
        (("generate_until", "multiple_choice"), "lacks doc_to_choice"),
        (("do_sample: false", "do_sample: true"), "generation_kwargs: sampling is not understood"),
        (("do_sample: false", "num_beams: 3"), "generation_kwargs: num_beams is not understood"),
        (("repeats: 1", "repeats: 4"), "ask with --repeats 4"),
        (("exact_match", "bleu"), "metric_list: bleu"),
        (("test_split: test", "task_alias: x"), "names no test_split"),
        (("dataset_kwargs: {data_files", "dataset_kwargs: {revision: x, data_files"), "dataset_kwargs: revision"),
        (("num_fewshot: 1", "num_fewshot: 9"), "num_fewshot 9: there are 1 examples"),
        (("num_fewshot: 1", "num_fewshot: 1\nfewshot_config: {sampler: random}"), "fewshot_config: random"),
        (("{{question}}", "{{query}}"), "doc_to_text cannot be filled in for"),
        (("{{question}}", "{{question"), "doc_to_text cannot be filled in"),
        (("test: test.jsonl", "other: test.jsonl"), "names no file of the split 'test'"),
        (("task: sums", "task: ["), "is no YAML"),
    ],
)
def test_what_is_not_understood_is_named(sums, change, said):
    assert change[0] in SUMS
    assert said in told(sums, SUMS.replace(*change, 1))


@pytest.mark.parametrize(
    "template",
    [
        "{{ question.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{% for x in range(10**9) %}{% endfor %}",
    ],
)
def test_templates_run_in_a_sandbox(sums, template):
    text = SUMS.replace("{{answer}}", template.replace('"', "'"), 1)
    assert "doc_to_target cannot be filled in" in told(sums, text)


def test_python_objects_in_yaml_are_refused(sums):
    assert "is no YAML" in told(sums, SUMS + "\nx: !!python/object/apply:os.system [id]\n")

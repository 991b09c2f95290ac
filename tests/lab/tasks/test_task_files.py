"""Data files become tasks, or say file, line and column of what is wrong."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.core.errors import ConfigError
from demitasse.lab.scorers.ask import messages
from demitasse.lab.tasks import files, rows
from demitasse.lab.tasks.files import load
from demitasse.lab.tasks.task import Task, Turn, chosen

ROOT = Path(__file__).parents[3]


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value)


# ── what is recognised ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("asked", ["input", "question", "prompt", "text"])
@pytest.mark.parametrize("right", ["target", "answer", "ideal"])
def test_usual_names_are_recognised(write, asked, right):
    task = load(write("x.jsonl", lines({asked: "Why?", right: "Because."})))
    assert (task.samples[0].input, task.samples[0].target, task.form) == ("Why?", ("Because.",), "text")


def test_csv_jsonl_and_parquet_of_the_same_rows_are_the_same_task(write, tmp_path):
    rows_ = [{"id": "1", "question": "2 + 2?", "answer": "4"}, {"id": "2", "question": 'say "a,\nb"', "answer": "5"}]
    made = io.StringIO()
    writer = csv.DictWriter(made, ["id", "question", "answer"])
    writer.writeheader()
    writer.writerows(rows_)
    tasks = [load(write("a.csv", made.getvalue())), load(write("b.jsonl", lines(*rows_)))]
    pa = pytest.importorskip("pyarrow", reason="needs the extra lab")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra lab")
    parquet.write_table(pa.Table.from_pylist(rows_), tmp_path / "c.parquet")
    tasks.append(load(tmp_path / "c.parquet"))
    assert len({task.hash for task in tasks}) == 1 and tasks[0].form == "number"


def test_byte_order_mark_and_windows_line_ends_change_nothing(write):
    plain = load(write("a.csv", "input,target\nWhy?,Because.\n"))
    assert load(write("b.csv", b"\xef\xbb\xbfinput,target\r\nWhy?,Because.\r\n")).hash == plain.hash
    jsonl = load(write("a.jsonl", lines({"input": "Why?", "target": "Because."})))
    assert (
        load(write("b.jsonl", b'\xef\xbb\xbf{"input": "Why?", "target": "Because."}\r\n')).hash
        == jsonl.hash
        == plain.hash
    )


def test_a_line_separator_of_unicode_within_a_json_string_parts_no_line(write):
    task = load(write("x.jsonl", '{"input": "one\u2028two", "target": "x"}\n'))
    assert task.samples[0].input == "one\u2028two"


def test_two_columns_that_could_be_the_question_are_not_guessed_between(write):
    said = refused(write("x.csv", "question,prompt,answer\na,b,c\n"))
    assert "'question' and 'prompt' could each be the input" in said and "x.task.toml" in said
    assert load(write("y.csv", "input,prompt,answer\na,b,c\n")).samples[0].input == "a", "the role's own name decides"


def test_letters_words_and_places_name_the_same_option(write):
    rows_ = [("Capital of France?", ["Rome", "Paris"]), ("Capital of Italy?", ["Rome", "Paris"])]
    for right in (("B", "A"), ("Paris", "Rome"), (1, 0)):
        task = load(
            write(
                "x.jsonl",
                lines(
                    *(
                        {"q": 1, "question": q, "choices": c, "answer": a}
                        for (q, c), a in zip(rows_, right, strict=True)
                    )
                ),
            )
        )
        assert [sample.target for sample in task.samples] == [("B",), ("A",)] and task.form == "choice"


def test_targets_that_could_be_read_in_two_ways_are_refused_until_told(write):
    path = write("x.jsonl", lines({"question": "Which is 1?", "choices": ["0", "2", "1"], "answer": "1"}))
    assert "could be meant as index or as text" in refused(path) and "target_is" in refused(path)
    write("x.task.toml", 'target_is = "text"\n')
    assert load(path).samples[0].target == ("C",)


def test_options_in_columns_of_their_own_and_questions_with_fewer_of_them(write):
    task = load(write("x.csv", "question,A,B,C,answer\nOne?,a,b,c,C\nTwo?,a,b,,B\n"))
    assert [sample.choices for sample in task.samples] == [("a", "b", "c"), ("a", "b")]
    assert "a later option is not" in refused(write("y.csv", "question,A,B,C,answer\nOne?,a,,c,C\n"))


def test_conversations_keep_their_turns_and_a_last_answer_is_the_target(write):
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    task = load(write("x.jsonl", lines({"messages": [*talk, {"role": "assistant", "content": "So."}]})))
    assert task.samples[0].input == (Turn("system", "Be brief."), Turn("user", "Why?"))
    assert task.samples[0].target == ("So.",)
    shared = load(
        write(
            "y.jsonl", lines({"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]})
        )
    )
    assert shared.samples[0].input == (Turn("user", "Why?"),)


def test_samples_of_inspect_with_chat_input_are_read_as_they_are(write):
    row = {"input": [{"role": "user", "content": "Why?"}], "target": ["So.", "Thus."], "id": 3, "metadata": {"k": 1}}
    sample = load(write("x.jsonl", lines(row))).samples[0]
    assert (sample.id, sample.target, sample.metadata) == ("3", ("So.", "Thus."), {"k": 1})


def test_sessions_slices_and_times_are_kept(write):
    path = write("x.csv", "input,target,session,subject,timestamp\na,b,s1,law,2026-11-01\nc,d,s1,art,1793491200\n")
    first, second = load(path).samples
    assert (first.cluster, first.slice, second.slice) == ("s1", "law", "art")
    assert first.at_us == second.at_us == 1_793_491_200_000_000


def test_ids_do_not_depend_on_the_order_of_rows(write):
    rows_ = [{"input": f"q{n}", "target": str(n)} for n in range(5)]
    one, other = load(write("a.jsonl", lines(*rows_))), load(write("b.jsonl", lines(*reversed(rows_))))
    assert {s.input: s.id for s in one.samples} == {s.input: s.id for s in other.samples}
    twice = load(write("c.jsonl", lines(rows_[0], rows_[0])))
    assert len({s.id for s in twice.samples}) == 2


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", "", "holds no rows"),
        ("x.csv", "input,target\n", "holds no rows"),
        ("x.jsonl", "\n\n", "holds no rows"),
        ("x.json", "[]", "holds no rows"),
        ("x.json", "[1]", "x.json, item 1: is no JSON object"),
        ("x.txt", "input", "rows are read from .jsonl"),
        ("x.csv", "input,input\na,b\n", "line 1: names the column 'input' twice"),
        ("x.csv", "input,target\na,b\nc\n", "line 3: has 1 fields where the first line names 2"),
        ("x.csv", 'input,target\n"a\nb",c\nd,e,f\n', "line 4: has 3 fields"),
        ("x.csv", 'input,target\n"two\nlines",c\n,e\n', "line 4, column 'input': is empty"),
        ("x.csv", 'input,target\n"a"b,c\n', "line 2: "),
        ("x.csv", b"input,target\nok,b\ncaf\xe9,b\n", "line 3: is no UTF-8 (byte 0xe9)"),
        ("x.csv", "input,target\na,b\n".encode("utf-16"), "is UTF-16"),
        ("x.jsonl", '{"input": "a"}\n{"input": NaN}\n', "line 2: is no JSON"),
        ("x.jsonl", '{"input": "a"}\n\n["b"]\n', "line 3: is no JSON object"),
        ("x.jsonl", '{"input": "a"}\n{"input": ""}\n', "line 2, column 'input': is empty"),
        ("x.jsonl", '{"input": {"a": NaN}}', "line 1: is no JSON"),
        ("x.jsonl", lines({"id": 1, "input": "a"}, {"id": 2, "input": "b"}, {"id": 1, "input": "c"}),
         "line 3, column 'id': '1' is the id of"),
        ("x.jsonl", lines({"id": 1, "input": "a"}, {"input": "b"}), "line 2, column 'id': is empty"),
        ("x.jsonl", lines({"question": "a", "choices": ["x", "y"], "answer": "C"}),
         "line 1, column 'answer': 'C' is no letter of its 2 options (A to B)"),
        ("x.jsonl", lines({"question": "a", "choices": ["x", "y"], "answer": "x"}, {"question": "b", "choices": ["x", "y"], "answer": "z"}),
         "line 2, column 'answer': 'z' is no one of 'x', 'y'"),
        ("x.jsonl", lines({"question": "a", "choices": ["x", "x"], "answer": "x"}), "line 1, column 'answer': several options read 'x'"),
        ("x.jsonl", lines({"question": "a", "choices": "x", "answer": "x"}), "column 'choices': holds no list"),
        ("x.jsonl", lines({"question": "a", "choices": ["x"], "answer": "A"}), "has 1 options; a choice has 2 to 26"),
        ("x.jsonl", lines({"frage": "a"}), "no column holds what is asked"),
        ("x.jsonl", lines({"messages": []}), "line 1, column 'messages': is no conversation"),
        ("x.jsonl", lines({"messages": [{"role": "tool", "content": "a"}]}), "turn 1 has the role 'tool'"),
        ("x.jsonl", lines({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "target": "c"}),
         "ends with an answer though there is a target"),
        ("x.jsonl", lines({"input": "a", "timestamp": "soon"}), "'soon' is no time"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_line_and_column(write, name, text, said):
    told = refused(write(name, text))
    assert said in told and name in told


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "no such file" in refused(tmp_path / "none.csv")


def test_a_missing_value_of_parquet_is_none_and_nan_is_an_error(tmp_path):
    pa, parquet = (
        pytest.importorskip("pyarrow", reason="needs the extra lab"),
        pytest.importorskip("pyarrow.parquet", reason="needs the extra lab"),
    )
    table = pa.table({"input": ["a", "b"], "target": [1.0, None]})
    parquet.write_table(table, tmp_path / "x.parquet")
    assert [sample.target for sample in load(tmp_path / "x.parquet").samples] == [("1",), ()]
    parquet.write_table(pa.table({"input": ["a", "b"], "target": [1.0, float("nan")]}), tmp_path / "y.parquet")
    assert "row 2, column 'target': is nan" in refused(tmp_path / "y.parquet")
    (tmp_path / "z.parquet").write_bytes(b"PAR1 no")
    assert "is no Parquet file" in refused(tmp_path / "z.parquet")


# ── the TOML ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_toml_beside_the_file_says_the_rest(write):
    write("data.csv", "q,kind,part\nwhere is my card,arrival,train\nit broke,fault,test\nlost it,arrival,test\n")
    toml = write(
        "data.task.toml",
        """
name = "cards"
form = "label"
labels = ["arrival", "fault"]
system = "Name the intent."
template = "Question: {input}"
max_tokens = 9
split = "test"
licence = "MIT"
columns = { input = "q", target = "kind", split = "part" }
[[shots]]
input = "my card is bent"
target = "fault"
""",
    )
    task = load(toml)
    assert load(toml.with_name("data.csv")).hash == task.hash, "the data file finds the TOML beside it"
    assert [s.input for s in task.samples] == ["it broke", "lost it"]
    assert (task.name, task.labels, task.max_tokens, task.source.licence) == ("cards", ("arrival", "fault"), 9, "MIT")
    said = messages(task, task.samples[0], "free")
    assert [m["content"] for m in said] == [
        "Name the intent.",
        "Question: my card is bent",
        "fault",
        "Question: it broke",
    ]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("templete = 'x'", "no key 'templete'; did you mean 'template'?"),
        ("template = 'x'", "template: lacks {input}"),
        ("form = 'prose'", "form: invalid enum value 'prose'; forms are text"),
        ("max_tokens = 0", "max_tokens: 0 leaves no room"),
        ("labels = ['a', 'a']", "labels: 'a' stands there twice"),
        ("columns = { input = 'qq' }", "no column 'qq'; did you mean 'q'?"),
        ("columns = { imput = 'q' }", "unknown field `imput`"),
        ("extract = { target = '(' }", "[extract] target: is no regular expression"),
        ("extract = { target = '(a)(b)' }", "has 2 groups"),
        ("columns = { input = 'q', target = 'kind' }\nextract = { target = 'zz' }", "line 2, column 'kind': nothing in it fits"),
        ("columns = { input = 'q', target = 'kind' }\nlabels = ['arrival']", "line 3, column 'kind': 'fault' is no one of 'arrival'"),
        ("columns = { input = 'q', target = 'kind' }\nform = 'number'", "'arrival' is no number"),
        ("columns = { input = 'q' }\nwhere = { kind = 'none' }", "no row has kind = 'none'"),
        ("columns = { input = 'q' }\nform = 'label'", "a label task needs labels"),
        ("columns = { input = 'q', target = 'kind' }\nform = 'choice'", "line 2: a choice needs its options"),
        ("x = ", "Invalid value"),
    ],
)  # fmt: skip
def test_a_wrong_toml_is_told_with_its_key(write, toml, said):
    write("x.csv", "q,kind\nwhere,arrival\nbroke,fault\n")
    assert said in refused(write("x.task.toml", toml))


def test_a_toml_about_another_file_is_left_alone(write):
    write("other.csv", "input,target\na,b\n")
    write("x.task.toml", 'data = "other.csv"\nsystem = "S"\n')
    assert load(write("x.csv", "input,target\nc,d\n")).system == ""


def test_several_columns_make_one_input_and_dots_reach_into_objects(write):
    write(
        "x.task.toml",
        'columns = { input = "P: {p}\\nH: {h}", target = "t", id = "{idx.a}-{idx.b}", cluster = "idx.a" }',
    )
    sample = load(write("x.jsonl", lines({"p": "one", "h": "two", "t": "yes", "idx": {"a": 4, "b": 5}}))).samples[0]
    assert (sample.input, sample.id, sample.cluster) == ("P: one\nH: two", "4-5", "4")


def test_options_whose_first_is_always_right_are_shown_in_an_order_of_their_own(write):
    write("x.task.toml", 'target_is = "flags"\nshuffle = true\n')
    rows_ = [
        {"question": f"q{n}", "choices": [f"right{n}", "w1", "w2", "w3"], "answer": [1, 0, 0, 0]} for n in range(200)
    ]
    task = load(write("x.jsonl", lines(*rows_)))
    for n, sample in enumerate(task.samples):
        assert sample.choices["ABCD".index(sample.target[0])] == f"right{n}"
    first = sum(sample.target == ("A",) for sample in task.samples)
    assert 25 <= first <= 80, "about a quarter of two hundred"
    assert task.hash == load(write("x.jsonl", lines(*rows_))).hash


def test_the_name_and_the_source_do_not_count_for_the_hash_but_the_template_does(write):
    path = write("x.csv", "input,target\na,b\n")
    same = load(write("y.csv", "input,target\na,b\n"))
    assert load(path).hash == same.hash and load(path).source != same.source
    write("x.task.toml", 'template = "Say: {input}"')
    assert load(path).hash != same.hash


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1).filter(str.strip), st.text()), min_size=1, max_size=8))
def test_whatever_a_csv_writer_wrote_is_read_back_and_lines_are_counted_right(pairs):
    clean = [(q.replace("\x00", " "), a.replace("\x00", " ")) for q, a in pairs]
    clean = [(q, a) for q, a in clean if (q.strip() and "\r" not in q + a and q.isprintable()) or "\n" in q] or [
        ("q", "a")
    ]
    made = io.StringIO(newline="")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["input", "target"])
    places = []
    for pair in clean:
        places.append(made.getvalue().count("\n") + 1)
        writer.writerow(pair)
    found = list(rows._csv(Path("x.csv"), made.getvalue(), ",", []))
    assert [row.fields["input"] for row in found] == [q for q, _ in clean]
    assert [int(row.where.rpartition(" ")[2]) for row in found] == places


# ── the four data sets of the benchmarks ────────────────────────────────────────────────────────────────────────────


def bench(name: str) -> Task:
    path = ROOT / f"bench/tasks/{name}.task.toml"
    data = files.data_of(path, files.spec.read(path))
    if not data.exists():
        pytest.skip(f"{data} is not here")
    return load(path)


@pytest.mark.parametrize(
    ("name", "n", "asked", "right"),
    [
        ("headlines", 5_000, "gold futures end the week 1.4% higher", "up"),
        ("banking77", 400, "How do I locate my card?", "card_arrival"),
        ("math", 721, "Find the sum of all integers", "-15"),
        ("gsm8k", 1_319, "Janet’s ducks lay 16 eggs per day.", "18"),
    ],
)
def test_a_benchmark_task_contains_what_it_is_about(name, n, asked, right):
    task = bench(name)
    assert len(task.samples) == n == len({s.id for s in task.samples})
    first = task.samples[0]
    assert isinstance(first.input, str) and asked in first.input and first.target == (right,)
    assert not any("Q:" in str(s.input) or "####" in s.target[0] for s in task.samples)
    assert task.system and task.source.licence != "not stated" and len(task.source.sha256) == 64
    assert chosen(task, 10, seed=1).samples == tuple(s for s in task.samples if s in chosen(task, 10, seed=1).samples)


def test_the_ten_intents_are_balanced_and_told_to_the_model():
    task = bench("banking77")
    assert len(task.labels) == 10 and all(label in task.system for label in task.labels)
    assert {label: sum(s.target == (label,) for s in task.samples) for label in task.labels} == dict.fromkeys(
        task.labels, 40
    )


def test_the_questions_of_mmlu_have_their_four_options_and_no_answers():
    task = bench("mmlu")
    assert len(task.samples) == 14_037 and {len(s.choices) for s in task.samples} == {4}
    assert not any(s.target for s in task.samples) and len({s.slice for s in task.samples}) == 57
    assert not any("\nA. " in str(s.input)[-40:] or "Answer:" in s.choices[-1] for s in task.samples)


def test_options_that_stand_in_the_question_are_taken_out_of_it(write):
    write(
        "x.task.toml",
        r"""
extract = { input = '(?s)^(.*)\nA\) ', choices = '\n[A-C]\) (.*)' }
""",
    )
    sample = load(write("x.jsonl", lines({"question": "Which?\nA) one\nB) two", "answer": "B"}))).samples[0]
    assert (sample.input, sample.choices, sample.target) == ("Which?", ("one", "two"), ("B",))

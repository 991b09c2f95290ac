"""Students: what is learned from, that weights survive the way to GGUF and back, and that a seed gives the same file."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("transformers", reason="needs the extra train")
pytest.importorskip("peft", reason="needs the extra train")
pytest.importorskip("gguf", reason="needs the extra train")

from made_gguf import make

from demitasse.lab.optimise import gguf_file, torch_model
from demitasse.lab.optimise.heal import heal, least, measured
from demitasse.lab.optimise.lesson import Lesson, lessons_of
from demitasse.lab.optimise.student import changed, student
from demitasse.lab.optimise.torch_model import TrainingError, load, write
from demitasse.lab.optimise.training import Recipe, _coded, _loss, encode, shared, train
from demitasse.lab.tasks.task import Sample, Task, Turn

SYSTEM = Turn("system", "Say the colour.")
QUICK = Recipe(rank=4, alpha=8, rate=1e-2, epochs=6, batch=4, looks=3, half=False)


def lessons(count=24, session=""):
    colours = ("red", "blue")
    return [
        Lesson(
            id=f"{n:03}",
            messages=(SYSTEM, Turn("user", f"{'rose' if n % 2 == 0 else 'sky'} {n}")),
            answer=colours[n % 2],
            session=session and f"{session}{n // 3}",
        )
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def logits(path, text="<|im_start|>user\nrose 2<|im_end|>\n"):
    import torch

    loaded = load(path)
    ids = loaded.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return loaded.model(input_ids=ids).logits.numpy()


def test_what_is_written_back_unchanged_answers_as_before(tiny, tmp_path):
    loaded = load(tiny)
    out = write(loaded, dict(changed(loaded.model)), tmp_path / "same.gguf")
    assert {tensor.kind for tensor in gguf_file.tensors(out.path)} == {"F32", "F16"}
    for tensor in gguf_file.tensors(tiny):
        was, now = gguf_file.values(tiny, tensor.name), gguf_file.values(out.path, tensor.name)
        assert np.allclose(was, now, atol=2e-3), tensor.name
    assert np.allclose(logits(tiny), logits(out.path), atol=2e-2)


def test_without_interleaving_the_way_back_would_be_another_model(tiny, tmp_path, monkeypatch):
    loaded = load(tiny)
    monkeypatch.setattr(torch_model, "interleaved", lambda weights, heads: weights)
    out = write(loaded, dict(changed(loaded.model)), tmp_path / "wrong.gguf")
    assert not np.allclose(logits(tiny), logits(out.path), atol=2e-2)


def test_the_student_learns_and_its_files_say_what_they_are(tiny, tmp_path):
    heard = []
    made = student(tiny, lessons(), tmp_path, QUICK, device="cpu", kinds=("Q8_0", "Q4_0"), say=heard.append)
    looks = made.trained.looks
    assert min(look.loss for look in looks) < looks[0].loss * 0.7
    assert made.trained.lessons + made.trained.held == 24
    assert {path.name for path in tmp_path.iterdir()} == {"student.Q8_0.gguf", "student.Q4_0.gguf"}
    assert made.files["Q4_0"].bits_per_weight < made.files["Q8_0"].bits_per_weight < 9
    assert made.base.sha256 == gguf_file.look(tiny).sha256
    assert made.libraries["torch"]
    assert any(f"of {made.trained.planned}:" in line for line in heard)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tiny, tmp_path):
    few = Recipe(rank=2, epochs=1, batch=4, half=False)
    files = [
        student(tiny, lessons(), tmp_path / str(at), few, seed=seed, device="cpu", kinds=("Q8_0",)).files["Q8_0"].sha256
        for at, seed in enumerate((3, 3, 4))
    ]
    assert files[0] == files[1] != files[2]


def test_computing_the_shared_beginning_once_changes_neither_loss_nor_gradient(tiny):
    import torch

    loaded = load(tiny)
    coded = [encode(loaded, one) for one in lessons(4)]
    prefix = shared(coded)
    assert prefix > 10
    found = []
    for length in (0, prefix):
        loaded.model.zero_grad()
        loss = _loss(torch, loaded, loaded.model, coded, length, QUICK)
        loss.backward()
        found.append((float(loss.detach()), loaded.model.model.layers[0].self_attn.k_proj.weight.grad.clone()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)
    assert found[0][1].abs().max() > 1e-4


def test_the_loss_is_on_the_answer_and_its_end_mark_alone(tiny):
    loaded = load(tiny)
    one = encode(loaded, lessons(1)[0])
    assert loaded.tokenizer.decode(one.answer) == "red<|im_end|>"
    assert loaded.tokenizer.decode(one.prompt).endswith("rose 0<|im_end|>\n<|im_start|>assistant\n")


def test_a_session_is_never_on_both_sides_of_what_is_held_back(tiny):
    loaded = load(tiny)
    learned, held, _ = _coded(loaded, lessons(30, session="s"), QUICK, seed=1)
    number = [
        {int(loaded.tokenizer.decode(one.prompt).split()[-2].split("<")[0]) // 3 for one in side}
        for side in (learned, held)
    ]
    assert number[1]
    assert not number[0] & number[1]


def test_time_that_is_spent_ends_the_training_and_is_said(tiny):
    _, trained = train(load(tiny), lessons(), Recipe(epochs=50, max_cpu_s=0.0, half=False), seed=1)
    assert trained.ended == "out of time"
    assert trained.steps == 1


def test_lessons_that_are_too_long_are_counted_and_too_few_are_refused(tiny):
    long = Lesson("long", (Turn("user", "x" * 900),), "red")
    _, trained = train(load(tiny), [*lessons(), long], Recipe(epochs=0.2, max_tokens=400, half=False), seed=1)
    assert trained.too_long == 1
    with pytest.raises(TrainingError, match="3 lessons, 0 of them longer than 1024 tokens, are too few"):
        train(load(tiny), lessons(3), Recipe(), seed=1)


def test_an_architecture_that_cannot_be_trained_is_refused_by_name(tmp_path):
    other = make(tmp_path / "gemma.gguf", arch="gemma2")
    with pytest.raises(TrainingError, match="is a gemma2 model; those that can be trained here: llama, qwen2, qwen3"):
        load(other)


def test_healing_leaves_layers_out_and_the_file_knows_how_many_it_has(tiny, tmp_path):
    made = heal(tiny, lessons(), tmp_path, QUICK, drop=1, device="cpu", kinds=("Q8_0",), wounded=True)
    assert len(made.dropped) == 1
    assert len(made.angles) == 3
    assert made.trained.looks[-1].loss < made.trained.looks[0].loss
    for path in (made.files["Q8_0"].path, made.wounded["Q8_0"].path):
        assert gguf_file.facts(path, "llama.block_count") == {"llama.block_count": 2}
        names = {tensor.name for tensor in gguf_file.tensors(path)}
        assert "blk.1.attn_q.weight" in names
        assert "blk.2.attn_q.weight" not in names
    kept = [layer for layer in range(3) if layer not in made.dropped]
    was = gguf_file.values(tiny, f"blk.{kept[1]}.attn_norm.weight")
    assert (gguf_file.values(made.files["Q8_0"].path, "blk.1.attn_norm.weight") == was).all()
    with pytest.raises(TrainingError, match="2 of 3 layers cannot be left out"):
        heal(tiny, lessons(), tmp_path, QUICK, drop=2)


def test_the_layer_that_does_nothing_is_the_one_left_out(tmp_path):
    path = make(tmp_path / "idle.gguf", layers=4)
    idle = {
        f"blk.2.{part}.weight": (lambda part=part: 0 * gguf_file.values(path, f"blk.2.{part}.weight"))
        for part in ("attn_output", "ffn_down")
    }
    gguf_file.rewrite(path, tmp_path / "with.gguf", weights=idle)
    loaded = load(tmp_path / "with.gguf")
    for choice in ("block", "influence"):
        angles = measured(loaded, lessons(4), 1, choice)
        assert angles[2] == pytest.approx(0, abs=1e-3)
        assert least(angles, 1, choice) == (2,)


def test_blocks_are_neighbours_and_influence_picks_singly():
    angles = np.array([0.3, 0.1, 0.2, 0.15])
    assert least(angles, 2, "block") == (1, 2)
    assert least(angles, 2, "influence") == (1, 3)


def test_a_tasks_rows_become_lessons_in_the_form_they_will_be_asked_in():
    shot = Sample("s", "violet", ("blue",))
    task = Task(
        "t",
        (Sample("a", "rose", ("red", "crimson")), Sample("b", "?")),
        form="label",
        labels=("red", "blue"),
        system="Colour.",
        shots=(shot,),
    )
    (free,) = lessons_of(task)
    assert [turn.content for turn in free.messages] == ["Colour.", "violet", "blue", "rose"]
    assert (free.answer, free.label) == ("red", "red")
    (held,) = lessons_of(task, mode="constrained")
    assert held.answer == '{"answer":"red"}'

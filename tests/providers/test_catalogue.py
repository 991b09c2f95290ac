from __future__ import annotations

import re
from pathlib import Path

import pytest

from demitasse.core.errors import ConfigError
from demitasse.providers.catalogue import (
    HubSource,
    IndexSource,
    LocalFile,
    better_template,
    catalogue,
    embeddings,
    find,
)


def test_every_entry_is_pinned_and_dated_and_says_its_licence_and_has_a_source():
    assert list(catalogue()) == ["smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
    for entry in catalogue().values():
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry.measured)
        assert entry.licence
        assert entry.sources
        assert entry.size_bytes > 90_000_000
        assert entry.throughput().output_per_s > 0
        for source in entry.sources:
            if isinstance(source, HubSource):
                assert re.fullmatch(r"[0-9a-f]{40}", source.revision), "a hub source is held to a commit"
            else:
                assert all(re.fullmatch(r"[\w-]+==[\d.]+", package) for package, _ in source.steps())


def test_only_files_with_a_licence_are_for_general_use():
    assert [e.name for e in catalogue().values() if e.use == "general"] == ["smollm2-135m"]
    assert catalogue()["smollm2-135m"].licence == "Apache-2.0"


def test_an_embedding_is_pinned_and_free_and_answers_no_calls():
    found = embeddings()["wordllama-256"]
    assert re.fullmatch(r"[0-9a-f]{64}", found.sha256)
    assert found.licence == "MIT"
    assert [package for package, _ in found.sources[0].steps()] == ["wordllama==0.4.0.post1"] * 2
    with pytest.raises(ConfigError, match="no model 'wordllama-256'"):
        find("wordllama-256")


def test_parts_are_counted_from_one_and_in_order():
    source = IndexSource("p-part{n}==1.0", "p{n}/part{n:02}.bin", parts=11)
    assert source.steps()[0] == ("p-part1==1.0", "p1/part01.bin")
    assert source.steps()[10] == ("p-part11==1.0", "p11/part11.bin")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hf:owner/repo/file.gguf", HubSource("owner", "repo", "file.gguf")),
        ("hf:owner/repo/q4/file.Q4_0.gguf", HubSource("owner", "repo", "q4/file.Q4_0.gguf")),
        ("hf:owner/repo@0123abc/file.gguf", HubSource("owner", "repo", "file.gguf", "0123abc")),
        ("models/mine.gguf", LocalFile(Path("/base/models/mine.gguf"))),
        ("/abs/mine.gguf", LocalFile(Path("/abs/mine.gguf"))),
    ],
)
def test_a_source_is_a_name_a_path_or_a_place_on_the_hub(text, meant):
    assert find(text, base=Path("/base")) == meant
    assert find("smollm2-135m") is catalogue()["smollm2-135m"]
    if isinstance(meant, HubSource):
        assert str(meant) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("smollm2-153m", r"models\.small\.source: .* did you mean 'smollm2-135m'\?"),
        ("gpt-5", "it has: smollm2-135m"),
        ("hf:owner/file.gguf", "not of the form"),
        ("hf:owner/repo/../../etc/x.gguf", "not of the form"),
        ("hf:owner/repo/model.safetensors", "not of the form"),
    ],
)
def test_what_is_none_of_them_is_said_with_its_place_and_the_nearest_name(text, said):
    with pytest.raises(ConfigError, match=said):
        find(text, place="models.small.source")


def test_our_template_for_the_small_model_is_its_own_word_for_word_and_has_room_for_tools():
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    own = (
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a "
        "helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] "
        "+ '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
        "'<|im_start|>assistant\n' }}{% endif %}"
    )
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = str
    assert better_template("another") is None
    assert better_template(None) is None
    ours = environment.from_string(better_template(own))
    user, assistant = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}
    for messages in ([user], [user, assistant, user], [{"role": "system", "content": "s"}, user]):
        facts = {"messages": messages, "add_generation_prompt": True}
        assert ours.render(facts) == environment.from_string(own).render(facts)
    assert "<tools>" in ours.render(messages=[user], tools=["a tool"])

"""The second tier: the tagger that comes along, and spaCy or Presidio where they are installed."""

from __future__ import annotations

import hashlib
import importlib.util
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.core.errors import ConfigError
from demitasse.guard import personal
from demitasse.guard.finding import Entity, FindEntities
from demitasse.guard.kinds import NAMED
from demitasse.guard.names import recogniser, spacys, tagger
from demitasse.guard.names.features import TABLE_BITS, Seer, is_small, shape, words


@pytest.fixture(scope="module")
def own() -> FindEntities:
    return recogniser("own")


def found(find: FindEntities, text: str) -> set[tuple[str, str]]:
    return {(one.type, text[one.start : one.end]) for one in find(text)[0]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Emma Schwarz and I live in Lisbon.", {("PERSON", "Emma Schwarz"), ("LOCATION", "Lisbon")}),
        ("Dear Dr. Okafor,", {("TITLE", "Dr."), ("PERSON", "Okafor")}),
        ("She left Siemens for Toyota in 2019.", {("ORGANISATION", "Siemens"), ("ORGANISATION", "Toyota")}),
        ("I love Italian food.", {("NATIONALITY", "Italian")}),
        ("my name is maria gonzalez and i live in madrid", {("PERSON", "maria gonzalez"), ("LOCATION", "madrid")}),
        (
            "Ship to:\nAnna Novak\nPuruntie 82\nApt. 5\nOulu\nFinland",
            {("PERSON", "Anna Novak"), ("LOCATION", "Finland")},
        ),
    ],
)
def test_the_tagger_that_comes_along_finds_names(own: FindEntities, text: str, expected: set[tuple[str, str]]) -> None:
    assert expected <= found(own, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "What are my options?",
        "Return the number of items in the list.",
        "A train leaves at 10 and arrives at 12. How long does it take?",
        "SELECT name FROM users WHERE id = 7;",
        "The quick brown fox jumps over the lazy dog.",
    ],
)
def test_where_nobody_is_named_nothing_is_found(own: FindEntities, text: str) -> None:
    assert own(text) == ([], False)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_can_be_tagged_and_offsets_fit(own: FindEntities, text: str) -> None:
    end = 0
    for one in own(text)[0]:
        assert one.type in NAMED | {"ADDRESS"}
        assert end <= one.start < one.end <= len(text) and 0 < one.score < personal.SURE
        end = one.end


def test_the_two_tiers_join_and_the_checksum_wins(own: FindEntities) -> None:
    text = "Call John Smith at +44 20 7946 0958, card 4111 1111 1111 1111"
    joined = personal.resolve(personal.find(text)[0] + own(text)[0])
    assert [one.type for one in joined] == ["PERSON", "PHONE", "CARD"]


def test_a_text_longer_than_what_is_read_says_so(own: FindEntities, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagger, "MOST_WORDS", 4)
    entities, cut = own("hello there Anna Smith and Bob Jones")
    assert cut and [(one.start, one.end) for one in entities] == [(12, 22)]


def test_a_piece_at_a_time_finds_what_the_whole_finds(own: FindEntities, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "My name is Emma Schwarz.\n" * 40
    whole = found(own, text)
    monkeypatch.setattr(tagger, "PIECE", 70)
    assert found(own, text) == whole == {("PERSON", "Emma Schwarz")}


def test_the_weights_are_the_pinned_ones_small_and_no_pickle() -> None:
    raw = tagger.WEIGHTS.read_bytes()
    assert hashlib.sha256(raw).hexdigest() == tagger.SHA256
    assert len(raw) <= 4 * 1024 * 1024
    with np.load(tagger.WEIGHTS, allow_pickle=False) as arrays:
        assert arrays["weights"].shape == (1 << TABLE_BITS, len(tagger.LABELS))
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_other_weights_are_refused(tmp_path: Any) -> None:
    (tmp_path / "weights.npz").write_bytes(tagger.WEIGHTS.read_bytes()[:-1] + b"x")
    with pytest.raises(ConfigError, match="install demitasse again"):
        tagger.load(tmp_path / "weights.npz")


def test_the_best_path_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(7)
    scores = rng.integers(-9, 9, (5, 3)).astype(np.int32)
    moves = rng.integers(-9, 9, (4, 3)).astype(np.int32)

    def worth(path: tuple[int, ...]) -> int:
        steps = sum(int(moves[a, b]) for a, b in pairwise(path))
        return steps + int(moves[3, path[0]]) + sum(int(scores[at, label]) for at, label in enumerate(path))

    every = [tuple(int(digit) for digit in np.base_repr(number, 3).zfill(5)) for number in range(3**5)]
    assert worth(tuple(tagger.best(scores, moves))) == max(map(worth, every))
    assert tagger.best(scores[:0], moves) == []


def test_features_are_the_same_in_every_process_and_one_column_a_word() -> None:
    text = "Anna met Bob\nin Rome."
    spans = words(text)
    assert [text[start:end] for start, end in spans] == ["Anna", "met", "Bob", "\n", "in", "Rome", "."]
    ids = Seer(lambda _word: 0).features(text, spans)
    assert ids.shape[1] == len(spans) and ids.min() >= 0 and ids.max() < 1 << TABLE_BITS
    assert int(ids.sum()) == 33_661_633  # weights belong to these very hashes


def test_shapes_and_small_texts_are_told() -> None:
    assert [shape(word) for word in ("Anna", "anna", "IBM", "NASA", "iPhone", "A", "1984", ",")] == [
        "Xxxx", "xxxx", "XX", "XXXX", "xX", "X", "0000", ",",
    ]  # fmt: skip
    assert is_small("hello there", words("hello there"))
    assert not is_small("Hello there", words("Hello there"))


def test_an_unknown_recogniser_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'bert'.*auto, own, spacy, presidio"):
        recogniser("bert")


# ── spaCy and Presidio ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("which", ["spacy", "presidio"])
def test_without_the_package_the_extra_is_named(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("spacy", "presidio_analyzer"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'demitasse\[ner\]'"):
        recogniser(which)


def test_auto_takes_our_own_where_no_pipeline_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert found(recogniser("auto"), "My name is Emma Schwarz.") == {("PERSON", "Emma Schwarz")}


def test_auto_takes_the_largest_pipeline_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"spacy", "en_core_web_sm", "en_core_web_md"}
    monkeypatch.setattr(spacys.importlib.util, "find_spec", lambda name: object() if name in here else None)
    assert spacys.first_installed() == "en_core_web_md"


def test_labels_of_a_pipeline_are_mapped_and_dates_left_out() -> None:
    spans = [
        SimpleNamespace(label_="PERSON", start_char=0, end_char=4),
        SimpleNamespace(label_="GPE", start_char=8, end_char=12),
        SimpleNamespace(label_="DATE", start_char=13, end_char=17),
    ]
    find = spacys.from_pipeline(lambda text: SimpleNamespace(ents=spans))
    assert find("Anna in Rome 1984") == ([Entity("PERSON", 0, 4, 0.85), Entity("LOCATION", 8, 12, 0.8)], False)
    assert find("x" * (spacys.MOST_CHARACTERS + 1))[1]


def test_results_of_presidio_are_mapped() -> None:
    class Analyzer:
        def analyze(self, text: str, language: str, entities: list[str]) -> list[Any]:
            assert language == "en" and "PERSON" in entities and "EMAIL_ADDRESS" not in entities
            return [SimpleNamespace(entity_type="ORGANIZATION", start=3, end=6, score=1.0)]

    assert spacys.from_analyzer(Analyzer())("at IBM") == ([Entity("ORGANISATION", 3, 6, 0.85)], False)


def test_a_real_pipeline_of_spacy_is_read() -> None:
    spacy = pytest.importorskip("spacy", reason="needs the extra ner")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns(
        [{"label": "ORG", "pattern": "Siemens"}, {"label": "CARDINAL", "pattern": "3"}]
    )
    find = spacys.from_pipeline(pipeline)
    assert found(find, "3 people left Siemens.") == {("ORGANISATION", "Siemens")}


def test_a_pipeline_that_is_not_installed_is_named() -> None:
    pytest.importorskip("spacy", reason="needs the extra ner")
    with pytest.raises(ConfigError, match="python -m spacy download xx_no_such"):
        recogniser("spacy:xx_no_such")

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from demitasse.core.call import Call, Event, drop
from demitasse.core.errors import UpstreamError
from demitasse.core.price import Card, rates
from demitasse.gateway.attempt import Breakers, Climb
from demitasse.gateway.ladder import Ascent, Drafter, Ladder, Verdict
from demitasse.gateway.route import Rung
from demitasse.gateway.settings import BreakerSettings, Retry
from demitasse.lab.optimise.artefact import Manifest, save
from demitasse.providers import classifier
from demitasse.providers.classifier import ClassifierModel
from demitasse.providers.classifier_file import Head, Settings
from demitasse.testing import FakeModel

LABELS = ("card", "rate")
SETTINGS = Settings(
    LABELS, "two words", "e" * 64, threshold=0.8, prefix="Say the intent of: ", system="Be short.", shots=2
)


class TwoWords:
    """Knows ``card`` and ``rate``."""

    quick = True
    dims = 2

    def __call__(self, text):
        words = text.split()
        return np.array([words.count(one) for one in LABELS], np.float32), len(words)


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "encoder", lambda _name, _models: (TwoWords(), "e" * 64))
    make(tmp_path)
    return ClassifierModel("tiny", tmp_path / "models", "intents")


def make(data, scale=4.0, **changes):
    settings = msgspec.structs.replace(SETTINGS, **changes)
    head = Head(settings, np.eye(2, dtype=np.float32) * scale, np.zeros(2, np.float32))
    return save(data, Manifest("intents", "classifier", "made by hand"), head.dump())


def call(text="where is my card", *, system="Be short.", stream=False, n=1, has_tools=False, before=(), **more):
    messages = [{"role": "system", "content": system}] if system else []
    body = msgspec.json.encode({"messages": [*messages, *before, {"role": "user", "content": text}], **more})
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return Call("1", "1", 0, "chat", body, fields, "tiny", stream=stream, n=n, has_tools=has_tools)


async def said(model, *given, **named):
    reply = await model(call(*given, **named), drop)
    return json.loads(reply.body)["choices"][0]["message"]["content"]


async def test_it_answers_with_a_label_and_tells_tokens_energy_and_its_own_version(model):
    reply = await model(call("Say the intent of: where is my card"), drop)
    body = json.loads(reply.body)
    assert body["choices"][0]["message"]["content"] == "card"
    assert reply.usage.uncached_in == 4, "the template says nothing"
    assert body["usage"] == {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    assert reply.model == model.told and reply.model.startswith("intents@") and len(reply.model) == len("intents@") + 8
    assert reply.energy.method == "modelled" and 0 < reply.energy.low_uj <= reply.energy.high_uj
    assert reply.finish == "stop" and reply.complete


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"answer": {"enum": ["card", "rate"]}}, '{"answer":"card"}'),
        ({"intent": {"enum": ["rate", "card", "other"]}}, '{"intent":"card"}'),
        ({"answer": {"enum": ["Card"]}}, None),
        ({"reasoning": {"type": "string"}, "answer": {"enum": ["card"]}}, None),
        ({}, None),
    ],
)
async def test_a_json_answer_has_the_label_where_its_schema_wants_it_or_there_is_none(model, schema, wanted):
    whole = {"type": "object", "properties": schema, "required": list(schema)}
    asked = {"type": "json_schema", "json_schema": {"name": "a", "schema": whole}}
    if wanted is None:
        with pytest.raises(UpstreamError, match="no place for the label 'card' alone"):
            await said(model, response_format=asked)
    else:
        assert await said(model, response_format=asked) == wanted
    assert await said(model, response_format={"type": "json_object"}) == '{"answer":"card"}'
    assert await said(model, response_format={"type": "text"}) == "card"


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({"text": "card or rate"}, "it is sure to 0.50 and answers from 0.80 on"),
        ({"text": "good morning"}, "no known word"),
        ({"system": "Translate."}, "system prompt is not the one"),
        ({"system": ""}, "system prompt is not the one"),
        ({"before": [{"role": "user", "content": "hello"}]}, "this is a conversation"),
        ({"text": [{"type": "image_url", "image_url": {"url": "x"}}]}, "more than text"),
        ({"has_tools": True}, "without tools"),
        ({"n": 2}, "several choices"),
    ],
)
async def test_it_abstains_from_all_that_it_was_not_trained_on(model, named, why):
    with pytest.raises(UpstreamError, match=why) as failed:
        await said(model, **named)
    assert (failed.value.code, failed.value.status, failed.value.retryable) == ("abstained", 404, False)


async def test_the_worked_examples_of_its_training_are_no_conversation(model):
    shots = [{"role": "user", "content": "rate?"}, {"role": "assistant", "content": "rate"}]
    assert await said(model, before=shots) == "card"
    assert await said(model, [{"type": "text", "text": "my card"}]) == "card"


async def test_a_stream_brings_the_same_answer(model):
    events: list[Event] = []

    async def keep(event: Event) -> None:
        events.append(event)

    await model(call(stream=True), keep)
    told = [json.loads(event.data)["choices"] for event in events]
    assert "".join(one[0]["delta"].get("content") or "" for one in told if one) == "card"


async def test_one_that_is_made_anew_answers_from_its_next_call_on(model, tmp_path):
    first = model.told
    assert await said(model) == "card"
    make(tmp_path, scale=-4.0)
    assert await said(model) == "rate"
    assert model.told != first


async def test_what_cannot_be_used_is_said_with_what_to_do(model, tmp_path, monkeypatch):
    gone = ClassifierModel("tiny", tmp_path / "models", "other")
    with pytest.raises(UpstreamError, match="make it with: demitasse optimise") as failed:
        await said(gone)
    assert (failed.value.code, failed.value.status) == ("model_missing", 503)
    make(tmp_path, embedding_sha256="f" * 64)
    with pytest.raises(UpstreamError, match="another version of the embedding"):
        await said(model)
    save(tmp_path, Manifest("intents", "gguf", "another kind"), {"model.gguf": b""})
    with pytest.raises(UpstreamError, match="is a gguf"):
        await said(model)


def rungs(model):
    card = Card(id="c", provider="local", model="tiny", base=rates(input=10**6, output=0))
    return Rung("tiny", "classifier", "intents", model, card, local=True), Rung(
        "large", "test", "large-1", FakeModel("from the large one"), card
    )


def climb(asked, breakers):
    return Climb(asked, limit=100, extend=_never, breakers=breakers, retry=Retry(), draw=lambda: 0.5)


async def _never(_rung):
    return False


async def test_on_a_route_a_fallback_answers_what_it_abstains_from_and_no_breaker_opens(model):
    tiny, large = rungs(model)
    breakers = Breakers(BreakerSettings(failures=2))
    for _ in range(5):
        way = climb(call("card or rate"), breakers)
        _, rung = await way.run((tiny, large), drop)
        assert rung is large
        assert [(a.model, a.status, a.error) for a in way.attempts] == [
            ("tiny", "error", "abstained"),
            ("large", "ok", None),
        ]
    assert way.attempts[0].cost_nanos == 3_000, "three tokens were read all the same"
    _, rung = await climb(call(), breakers).run((tiny, large), drop)
    assert rung is tiny


async def test_on_a_ladder_the_next_rung_is_asked(model):
    tiny, large = rungs(model)
    ladder = Ladder((Drafter(tiny),), large)
    ascent = Ascent(ladder, climb(call("card or rate"), Breakers(BreakerSettings())), lambda *_: Verdict(stands=True))
    await ascent.run(drop)
    assert ascent.speaker == "large" and ascent.escalated and "abstains" in ascent.why
    ascent = Ascent(ladder, climb(call(), Breakers(BreakerSettings())), lambda *_: Verdict(stands=True))
    await ascent.run(drop)
    assert ascent.speaker == "tiny" and ascent.accepted

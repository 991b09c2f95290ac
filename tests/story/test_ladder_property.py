"""Whatever the rungs do, however a call comes: no event of a refused draft reaches its client, and the books add up."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.core.errors import UpstreamError

from .asgi import ask
from .ladder import PROMPTS, SHAPES, adds_up, ladder_world, prompt

worths = st.sampled_from([0.1, 0.55, 0.65, 0.9])
failures = st.one_of(
    st.none(),
    st.tuples(
        st.sampled_from([400, 401, 429, 500, 503]),
        st.booleans(),  # billable
        st.one_of(st.none(), st.integers(0, 6)),  # after so many events, or before any
    ),
)
rungs = st.tuples(worths, failures)


@st.composite
def calls(draw):
    return {
        "action": draw(st.sampled_from(sorted(PROMPTS))),
        "shape": draw(st.sampled_from(sorted(SHAPES))),
        "stream": draw(st.booleans()),
        "usage": draw(st.booleans()),
        "session": draw(st.sampled_from(["a", "b"])),
        "words": draw(st.sampled_from(["", "other"])),
        "hang_up": draw(st.one_of(st.none(), st.integers(0, 40))),
        "revoked": draw(st.booleans()),
    }


@pytest.mark.parametrize("on_hangup", ["cancel", "drain"])
@given(small=rungs, mini=rungs, large=rungs, script=st.lists(calls(), min_size=1, max_size=4), together=st.booleans())
@settings(max_examples=120, deadline=None)
def test_no_event_of_a_refused_draft_reaches_a_client_and_the_books_add_up(
    on_hangup, small, mini, large, script, together
):
    async def play() -> None:
        world = await ladder_world(on_hangup=on_hangup)
        for model, (worth, failure) in zip(world.models.values(), (small, mini, large), strict=True):
            model.worth, model.rests = worth, 1
            if failure is not None:
                status, billable, model.after = failure
                late = bool(model.after)
                model.fails = UpstreamError("no", status=status, billable=billable, after_content=late, retryable=False)
        certificates = world.certificates
        tasks = []
        for call in script:
            world.certificates = () if call["revoked"] else certificates
            tasks.append(asyncio.create_task(one(world, call)))
            if not together:
                await asyncio.wait(tasks)
        answers = await asyncio.gather(*tasks)
        assert not world.ledger.open, "no hold is left"
        assert len(world.ledger.closed) == len(script), "each call is one entry"
        for entry in world.ledger.closed:
            if entry.cache == "miss":
                assert adds_up(entry), entry
                assert entry.cost_nanos <= entry.hold_nanos
                assert sum(c.nanos for c in entry.charges) == (entry.cost_nanos if entry.charges else 0)
        for call, answer in zip(script, answers, strict=True):
            speakers = {
                name for name in world.models if f"{name} speaks" in text(answer) or f"id-{name}" in text(answer)
            }
            assert len(speakers) <= 1, "one model speaks"
            if answer.status == 200 and call["hang_up"] is None and speakers:
                (speaker,) = speakers
                kept = any("draft_kept" in entry.flags for entry in world.ledger.closed)
                if speaker == "small" and small[0] < 0.7 and call["action"] == "draft" and not kept:
                    assert mini[0] >= 0.7 and small[0] < 0.6, "it stood by a second opinion"
                assert speaker != "mini", "a second opinion is never an answer"

    asyncio.run(play())


async def one(world, call):
    gone = asyncio.Event()
    body = prompt(call["action"], stream=call["stream"], shape=call["shape"], words=call["words"])
    if not call["usage"]:
        body.pop("stream_options", None)
    task = asyncio.create_task(ask(world.app, body, hang_up=gone, headers={"x-demitasse-session": call["session"]}))
    if call["hang_up"] is not None:
        for _ in range(call["hang_up"]):
            await asyncio.sleep(0)
        gone.set()
    return await task


def text(answer) -> str:
    """All that the client was sent, with the pieces of its words put together."""
    raw = answer.body.decode()
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return raw
    found = []
    for event in answer.events():
        for choice in event.get("choices", ()) if isinstance(event, dict) else ():
            delta = choice["delta"]
            found.append(delta.get("content") or "")
            found += [c["function"].get("arguments", "") for c in delta.get("tool_calls") or ()]
    return raw + json.dumps("".join(found))

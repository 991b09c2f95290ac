"""How well a saving is known: the same answer's own price is measured, another model's is modelled."""

from __future__ import annotations

from demitasse.core.errors import UpstreamError

from .asgi import ask, chat


async def test_an_answer_served_twice_is_a_measured_saving(world) -> None:
    await ask(world.app, chat("the same"))
    await ask(world.app, chat("the same"))
    assert (world.entry.saved[0][0], world.entry.grade) == ("exact_cache", "A")


async def test_a_cheaper_models_answer_is_a_modelled_saving(world) -> None:
    world.large.lines = (UpstreamError("it is down", status=503, retryable=False),)
    answer = await ask(world.app, chat(model="auto"))
    assert answer.status == 200
    assert (world.entry.saved[0][0], world.entry.grade) == ("routed", "C")

"""The page on redaction: its code runs, its settings are real, and its example is what a gateway does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from demitasse.config import load
from demitasse.gateway.vaulting import DAYS
from tests.docs.pages import ROOT, page
from tests.story.asgi import ask
from tests.story.guarded import GuardWorld

TEXT = page("redaction.md")
TOML, ASKED, CODE = (re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)[0] for kind in ("toml", "json", "python"))


def test_the_code_runs() -> None:
    exec(compile(CODE, "redaction.md", "exec"), {})


async def test_the_example_is_what_a_gateway_does(tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(TOML.replace("/etc/demitasse", str(tmp_path)))
    guard = load(file, {}, tmp_path).guard
    world = GuardWorld(personal=guard.personal, secrets=guard.secrets)
    body = json.loads(ASKED)
    await ask(world.app, body)
    messages = json.loads(world.large.calls[0].body)["messages"]
    sent = [re.sub(r"_[a-z2-7]{6}>", "_…>", message["content"]) for message in messages]
    assert all(f"`{text}`" in TEXT for text in sent), sent
    email, card = re.findall(r"<[A-Z]+_[a-z2-7]{6}>", messages[1]["content"])[::-1]
    world.large.lines = (f"Done: {email} was mailed, {card} was charged.",)
    body["messages"][1]["content"] += " "
    answer = await ask(world.app, body, headers={"x-demitasse-session": world.large.calls[0].session})
    assert f"reads `{answer.text().replace(card, '<CARD_…>')}`" in TEXT.replace("\n", " ")


def test_figures_and_files_are_those_that_there_are() -> None:
    told = json.loads((ROOT / "bench/results/restore.json").read_text())
    cpu, text = told["cpu_us"], TEXT.replace("\n", " ")
    low, high = cpu["restore, a chunk, prose"], cpu["restore, a chunk, a placeholder in 25 words"]
    assert f"{low:.1f}-{high:.1f} µs" in text
    assert told["chunkings"] == {"answers": 10_000, "first_seed": 70_000_000, "mismatches": 0}
    assert f"kept for {DAYS} days" in text
    for path in re.findall(r"`(tests/[\w/.]+)`", TEXT):
        assert (ROOT / path).exists()

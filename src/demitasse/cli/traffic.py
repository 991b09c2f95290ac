"""The demo's traffic: questions on texts that every Python brings along, asked the way people ask, over real HTTP.

What is asked is fixed by a seed; what is answered comes from the model. Knows a gateway's address and keys; no prices.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any, NamedTuple

from .ground import Failure
from .running import Gateway, error_text

TOPICS = ("lambda", "dict", "pass", "if", "nonlocal", "while", "return", "assert", "break", "global")
MOST_CHARACTERS = 700
MOST_TOKENS = 64
WAIT_S = 300.0
QUESTION = "In one sentence, what does this text say?"
SUMMARY = "Summarise this text in one short sentence."


class Answer(NamedTuple):
    """What came back. ``text`` is the answer, or the sentence of a refusal."""

    status: int
    text: str
    cache: str
    id: str


def documents() -> dict[str, str]:
    """The beginnings of Python's own help texts, cut at a sentence's end where one is near."""
    from pydoc_data.topics import topics  # noqa: PLC0415 - half a megabyte, for the demo alone

    return {name: _trimmed(topics[name]) for name in TOPICS if name in topics}


def _trimmed(text: str) -> str:
    plain = re.sub(r"\n[*=]+\n", "\n", re.sub(r"[ \t]+", " ", text))[:MOST_CHARACTERS]
    end = plain.rfind(". ")
    return plain[: end + 1] if end > MOST_CHARACTERS // 2 else plain


def prompt(text: str, wish: str) -> str:
    return f"{wish}\n\n{text}"


def repeats(prompts: Sequence[str], count: int, *, seed: int) -> list[str]:
    """``count`` questions as people repeat them: the first few far more often than the rest (1/rank)."""
    weights = [1 / rank for rank in range(1, len(prompts) + 1)]
    return random.Random(seed).choices(prompts, weights, k=count)


class Client:
    """One key's way to the gateway."""

    def __init__(self, gateway: Gateway, key: str, model: str, *, tags: str = "") -> None:
        self._gateway = Gateway(gateway.url, key)
        self._model = model
        self._headers = {"x-demitasse-tags": tags} if tags else {}

    def ask(self, question: str, *, most_tokens: int = MOST_TOKENS) -> Answer:
        """One call. A refusal is an answer too; Failure when the gateway is gone."""
        body = self._body(question, most_tokens)
        try:
            with self._gateway.ask(
                "POST", "/v1/chat/completions", body, headers=self._headers, timeout_s=WAIT_S
            ) as response:
                data = response.read()
                cache, id = response.headers.get("x-demitasse-cache", ""), response.headers.get("x-request-id", "")
        except (OSError, HTTPException) as error:
            raise Failure(f"the demo's gateway at {self._gateway.url} broke off: {error}") from error
        if response.status != 200:
            return Answer(response.status, error_text(data, response.status), cache, id)
        return Answer(200, str(json.loads(data)["choices"][0]["message"]["content"]), cache, id)

    def ask_all(self, questions: Iterable[str], *, at_once: int = 1) -> list[Answer]:
        """Many calls, ``at_once`` of them side by side, in the order of the questions."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self.ask, questions))

    def stream(self, question: str) -> Iterator[str]:
        """The pieces of a streamed answer as they come."""
        body = self._body(question, MOST_TOKENS) | {"stream": True}
        with self._gateway.ask(
            "POST", "/v1/chat/completions", body, headers=self._headers, timeout_s=WAIT_S
        ) as response:
            if response.status != 200:
                raise Failure(error_text(response.read(), response.status))
            for line in response:
                data = line.removeprefix(b"data:").strip()
                if line.startswith(b"data:") and data != b"[DONE]":
                    event = json.loads(data)
                    if "error" in event:
                        raise Failure(error_text(data, response.status))
                    for choice in event.get("choices", []):
                        yield choice.get("delta", {}).get("content") or ""

    def hold_usd(self, id: str) -> float:
        """What was set aside for a call before it was made, by the books."""
        return float(self._gateway.json("GET", f"/demitasse/calls/{id}")["hold_usd"])

    def redacted(self, id: str) -> list[str]:
        """Types of what the guard took out of a call, by the books."""
        done = self._gateway.json("GET", f"/demitasse/calls/{id}").get("guard", {}).get("done", [])
        return [one["what"] for one in done if one["action"] == "redact"]

    def _body(self, question: str, most_tokens: int) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": question}],
            "max_completion_tokens": most_tokens,
        }

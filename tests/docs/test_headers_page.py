"""The page on headers has every header that the source reads or sends, on the right side, and no other."""

from __future__ import annotations

import ast
import re

from tests.docs.pages import name_of, page, sources, tables, texts, words

PAGE = {heading: set(words(rows)) for heading, rows in tables(page("reference/headers.md")).items()}
ASKED, ANSWERED, BETWEEN = (
    PAGE[heading] for heading in ("what a request may say", "what an answer says", "between demitasse and a provider")
)
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*-?")
TRANSPORT = {"transfer-encoding", "content-encoding", "connection", "keep-alive"}
"""What HTTP itself needs; no application ever sees it."""


def header(node: ast.AST) -> str | None:
    """A name of a header: a constant, or the beginning of one that is put together, then with a star."""
    if isinstance(node, ast.BinOp):
        start = header(node.left)
        return None if start is None else start + "*"
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        text = node.value.decode("latin-1")
        return text if _NAME.fullmatch(text) else None
    return None


def read_by(*places: str, call: str) -> set[str]:
    found = set()
    for _, tree in sources(*places):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name_of(node) == call:
                found |= {name for argument in node.args if (name := header(argument))}
    return found


def sent_by(*places: str) -> set[str]:
    found = set()
    for _, tree in sources(*places):
        compared = {id(c) for node in ast.walk(tree) if isinstance(node, ast.Compare) for c in node.comparators}
        for node in ast.walk(tree):
            pair = isinstance(node, ast.Tuple) and len(node.elts) == 2 and id(node) not in compared
            if pair and (name := header(node.elts[0])):
                found.add(name)
    return found


def test_every_header_that_a_request_may_bear_is_documented_and_no_other() -> None:
    assert read_by("gateway/", call="get") == ASKED


def test_every_header_of_an_answer_is_documented_and_no_other() -> None:
    assert sent_by("gateway/") == ANSWERED


def test_every_header_to_and_from_a_provider_is_documented_and_no_other() -> None:
    told = sent_by("providers/openai.py", "build/webhook.py") | read_by("providers/openai.py", call="_header")
    told |= {text for _, tree in sources("providers/otel.py") for text in texts(tree) if text == "traceparent"}
    assert told - TRANSPORT == BETWEEN


async def test_a_real_answer_bears_no_header_that_is_not_documented() -> None:
    from tests.story.asgi import ask, chat
    from tests.story.conftest import World

    world = World()
    known = {name.removesuffix("*") for name in ANSWERED}
    for more in ({}, {"stream": True}, {"model": "nobody"}, {"max_tokens": -1}):
        answer = await ask(world.app, chat(**more))
        assert all(name in known or name.startswith("x-ratelimit-") for name in answer.headers), answer.headers

"""What can go wrong with a provider, as tables: errors, pages, and what is done to a stream. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from . import replies

ERRORS: dict[str, tuple[int, str, bool]] = {
    "400": (400, "the mock does not like this", False),
    "401": (401, "the mock does not know this key", False),
    "403": (403, "the mock forbids it", False),
    "404": (404, "the mock has no such model", False),
    "413": (413, "the mock finds it too large", False),
    "422": (422, "the mock cannot make sense of it", False),
    "429": (429, "the mock is busy", True),
    "429-bare": (429, "the mock is busy and says no more", False),
    "500": (500, "the mock fell over", False),
    "503": (503, "the mock is closed", True),
    "529": (529, "the mock is overloaded", False),
}
"""Status, sentence, and whether a ``retry-after: 1`` comes with it. Nothing is served and nothing billed."""

BEHAVIOURS: dict[str, str] = {
    **{name: f"answers {status}" for name, (status, _, _) in ERRORS.items()},
    "bad-json": "JSON that breaks off: the whole answer, or one event in the middle of a stream",
    "cached": "usage tells that half of the prompt was read from a cache",
    "comment-spam": "a comment before every event",
    "crlf": "events with CRLF line ends",
    "empty": "200 with an empty body",
    "error-mid-stream": "an error event after half of the stream, no [DONE]",
    "flaky": "flaky-N: 500 for the first N requests of the same id, then an answer",
    "hang": "takes the request and never answers",
    "hang-mid": "stops for ever after half of the stream",
    "html-200": "an HTML page where JSON should be",
    "html-error": "502 with an HTML page",
    "no-done": "the whole stream, but for its [DONE]",
    "no-usage": "never tells the usage",
    "reasoning": "usage tells that half of the answer was reasoning",
    "reported-cost": "usage tells a cost of its own, 0.00123 USD",
    "reset-after": "reset-after-N: the connection is reset after N bytes of the response, its head included",
    "slow-first": "a second and a half to the first byte",
    "split": "three bytes at a time, also in the middle of a character",
    "truncate": "closes the connection after half of the stream",
    "truncate-clean": "ends the stream properly after half of it",
    "usage-every-chunk": "usage in every chunk, as it grows",
    "usage-too-large": "usage tells ten times the tokens, and a thousand more",
    "usage-with-choices": "usage in the last chunk that has choices",
}

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
PAGES: dict[str, tuple[int, bytes, bytes]] = {
    "empty": (200, b"application/json", b""),
    "html-200": (200, b"text/html", _PAGE),
    "html-error": (502, b"text/html", _PAGE),
}
Framed = list[tuple[bytes, int]]
"""The events of a stream as they are written, each with the completion tokens in it."""


def _half(framed: Framed, ending: str, *more: bytes) -> tuple[Framed, str]:
    return framed[: len(framed) // 2] + [(data, 0) for data in more], ending


TWEAKS: dict[str, Callable[[Framed], tuple[Framed, str]]] = {
    "bad-json": lambda f: ([*f[: len(f) // 2], (b'data: {"choices": [{"delta"\n\n', 0), *f[len(f) // 2 :]], "done"),
    "comment-spam": lambda f: ([(b": still thinking\n\n" + data, n) for data, n in f], "done"),
    "crlf": lambda f: ([(data.replace(b"\n", b"\r\n"), n) for data, n in f], "done"),
    "error-mid-stream": lambda f: _half(f, "done", b"data: " + replies.error(500, "the mock fell over") + b"\n\n"),
    "hang-mid": lambda f: _half(f, "hang"),
    "no-done": lambda f: (f[:-1], "done"),
    "split": lambda f: (
        [(data[i : i + 3], n if i == 0 else 0) for data, n in f for i in range(0, len(data), 3)],
        "done",
    ),
    "truncate": lambda f: _half(f, "cut"),
    "truncate-clean": lambda f: _half(f, "done"),
}


@lru_cache(maxsize=1024)
def behaviour(model: str) -> str:
    """What a model's name asks for; '' for a name that is no behaviour's."""
    found = _NAMED.fullmatch(model)
    name = found[1] if found else ""
    return name if numbered(name)[0] in BEHAVIOURS else ""


def numbered(behave: str) -> tuple[str, int]:
    found = _NUMBERED.fullmatch(behave)
    return (found[1], int(found[2])) if found else (behave, 0)


def first_bytes(chunks: Framed, count: int) -> Framed:
    found = []
    for data, tokens in chunks:
        if count <= 0:
            break
        found.append((data[:count], tokens if len(data) <= count else 0))
        count -= len(data)
    return found


_NAMED = re.compile(r"(?:^|.*/)mock-(.+)")
_NUMBERED = re.compile(r"(reset-after|flaky)-(\d+)")

"""What `scan` reads: a stream's lines as texts with who wrote them, one by one. Knows no detector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple, get_args

import msgspec

from ..guard.finding import Source

MOST_BYTES = 32 << 20
"""Of one line: what the gateway takes as a body by default."""


class Line(NamedTuple):
    """One line of the input; ``error`` says why it is no text."""

    number: int
    text: str = ""
    source: Source = "user"
    error: str = ""


class _Row(msgspec.Struct):
    text: str
    source: Source | None = None


_row = msgspec.json.Decoder(_Row).decode


def read_lines(stream: IO[bytes], source: Source, *, plain: bool = False) -> Iterator[Line]:
    """The texts of a stream as they come, without reading on. Empty lines are passed over."""
    number = 0
    while raw := stream.readline(MOST_BYTES + 1):
        number += 1
        if len(raw) > MOST_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(MOST_BYTES)
            yield Line(number, error=f"it is longer than {MOST_BYTES >> 20} MB; split it")
            continue
        raw = raw.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf" if number == 1 else b"")
        if not raw.strip():
            continue
        yield _line(number, raw, source, plain=plain)


def _line(number: int, raw: bytes, source: Source, *, plain: bool) -> Line:
    try:
        if plain:
            return Line(number, raw.decode(), source)
        row = _row(raw)
    except UnicodeDecodeError as why:
        return Line(number, error=f"it is not valid UTF-8 (byte {why.start})")
    except (msgspec.DecodeError, RecursionError) as why:
        said = str(why).removeprefix("JSON is malformed: ")
        if said.endswith("`$.source`"):
            return Line(number, error=f"its source is none of {', '.join(get_args(Source))}")
        return Line(number, error=f'it is not {{"text": "…", "source": "user"}} ({said}); for plain lines use --text')
    return Line(number, row.text, row.source or source)

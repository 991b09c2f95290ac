"""Server-sent events without I/O: bytes in pieces of any size become payloads, payloads become frames.

Follows the WHATWG event-stream grammar as far as completion streams use it: only ``data`` matters. Comments,
``event:``, ``id:`` and ``retry:`` are dropped, never passed on. Knows nothing of what payloads mean but ``[DONE]``.
"""

from __future__ import annotations

EVENT_BYTES = 16 * 1024 * 1024
"""The longest event taken: an answer with inline images or audio comes in one."""

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"


class TooLongError(ValueError):
    """One event grew beyond the limit before its end came."""


def frame(data: bytes) -> bytes:
    """One event's bytes around a payload that holds no line break (JSON encoders emit none)."""
    return b"data: " + data + b"\n\n"


class SSE:
    """An incremental parser. ``feed`` bytes as they come; ``end`` when the upstream closed in good order.

    ``done`` becomes true with ``[DONE]``; the rest is ignored. Raises TooLongError beyond ``limit`` bytes an event.
    """

    __slots__ = ("_begun", "_cr", "_data", "_held", "_limit", "_rest", "_size", "done")

    def __init__(self, limit: int = EVENT_BYTES) -> None:
        self.done = False
        self._limit = limit
        self._begun = False
        self._rest: list[bytes] = []  # an unfinished line, in the pieces it came in
        self._cr = False  # a CR was last; its LF may still come
        self._data: list[bytes] = []  # the data lines of the event under way
        self._held = 0  # bytes of these lines
        self._size = 0  # bytes of the unfinished line

    def feed(self, piece: bytes) -> list[bytes]:
        """The payloads that this piece completes, in order."""
        if self.done or not piece:
            return []
        if (
            not self._rest
            and not self._cr
            and not self._data
            and piece.startswith(b"data: ")
            and piece.endswith(b"\n\n")
        ):
            payloads = self._whole(piece)
            if payloads is not None:
                return payloads
        return self._lines(piece)

    def end(self) -> list[bytes]:
        """What the last, unterminated event holds: some servers close without the blank line that should end it."""
        return [] if self.done else self._lines(b"\n\n")

    def _whole(self, piece: bytes) -> list[bytes] | None:
        """The common case: whole events of one line each, as nearly every server sends them."""
        if b"\r" in piece or len(piece) > self._limit:
            return None
        self._begun = True
        payloads = []
        for event in piece[:-2].split(b"\n\n"):
            if not event.startswith(b"data: ") or b"\n" in event:
                return None
            payload = event[6:]
            if payload == b"[DONE]":
                self.done = True
                break
            if payload:
                payloads.append(payload)
        return payloads

    def _lines(self, piece: bytes) -> list[bytes]:
        if self._begun and not self._cr and b"\n" not in piece and b"\r" not in piece:
            self._rest.append(piece)  # joined once, when the line ends: a long line in many pieces stays linear
            self._size += len(piece)
            self._check()
            return []
        buffer = b"".join((*self._rest, b"\r" if self._cr else b"", piece))
        if not self._begun:
            if len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
                self._rest = [buffer]  # perhaps a byte order mark, not all here yet
                return []
            self._begun = True
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
        self._cr = buffer.endswith(b"\r")  # its LF may be the first byte of the next piece
        if self._cr:
            buffer = buffer[:-1]
        *lines, rest = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        payloads: list[bytes] = []
        for line in lines:
            if line:
                self._line(line)
            elif self._data:
                payload = b"\n".join(self._data)
                self._data, self._held = [], 0
                if payload.strip() == b"[DONE]":
                    self.done = True
                    return payloads
                if payload:
                    payloads.append(payload)
        self._rest = [rest] if rest else []
        self._size = len(rest)
        self._check()
        return payloads

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            self._held += len(line)
        elif line == b"data":
            self._data.append(b"")
            self._held += len(line)

    def _check(self) -> None:
        if self._size + self._held > self._limit:
            raise TooLongError(f"an event of more than {self._limit} bytes")

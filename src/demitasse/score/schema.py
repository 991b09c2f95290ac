"""Whether a JSON value is of a JSON schema, by the library ``jsonschema-rs``. Pure; fetches nothing, and ends soon.

A schema comes from whoever asks, so the library is never given it as it stands, but what we read of it (``schema_words``); and
what would take too long is not begun (``schema_work``). The library is loaded when the first schema is read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final

import msgspec
from msgspec import Struct

from .schema_words import TooLargeError, words
from .schema_work import Work

MOST: Final = 500_000
"""Steps that checking a value may take, about a tenth of a microsecond each."""
MOST_BYTES: Final = 128 << 10
"""Of a schema that is read."""
KEPT_BYTES: Final = 1 << 20
"""Of schemas that are kept; the library takes some forty times as much, and each pattern counts for what it may take."""
_PATTERN_BYTES: Final = 48 << 10
"""Of a compiled pattern. The engine takes time by the length of the text, and so knows no look-around, no backreference."""


class Unreadable(Exception):
    """Nothing can be said by this schema; the message says why."""


class Fault(Struct, frozen=True):
    """The first thing that is wrong with a value."""

    place: str
    """Of the value, as ``$.items[0].name``; members' names are the value's own."""
    message: str
    """In a sentence that may quote the value."""


class Schema:
    """A schema that has been read. May be used from any thread.

    Args:
        schema: as decoded from JSON; of any draft.

    Raises:
        Unreadable: it is too large.
    """

    unread: tuple[str, ...]
    """What of it was left out because it cannot be read, in sentences; the rest counts."""
    patterns: int

    def __init__(self, schema: Any) -> None:
        import jsonschema_rs  # noqa: PLC0415 - 12 MB: only where a schema is asked for

        options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)

        def compiles(pattern: str) -> bool:
            try:
                jsonschema_rs.validator_for({"pattern": pattern}, offline=True, pattern_options=options)
            except (jsonschema_rs.ValidationError, ValueError):
                return False
            return True

        try:
            read = words(schema, compiles)
        except TooLargeError as error:
            raise Unreadable("it is too large, or nested too deeply") from error
        self.unread = read.unread
        self.patterns = read.patterns
        self._work = Work(read.schema)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(read.schema, offline=True, pattern_options=options)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RuntimeError) as error:
            raise Unreadable(f"the library cannot read it: {_first_line(error)}") from error

    def holds(self, value: Any) -> bool:
        """Whether a value, decoded from JSON, is of the schema.

        Raises:
            Unreadable: checking this value by this schema would take too long.
        """
        if self._work.most(value) > MOST:
            raise Unreadable("checking this value would take too many steps")
        try:
            return self._validator.is_valid(value)
        except (ValueError, RuntimeError) as error:
            raise Unreadable(f"the value cannot be checked: {_first_line(error)}") from error

    def first_fault(self, value: Any) -> Fault | None:
        """What is wrong with a value; None: nothing. The sentence may cost a thousand times what ``holds`` does.

        Raises:
            Unreadable: as ``holds``.
        """
        import jsonschema_rs  # noqa: PLC0415 - the same

        if self.holds(value):
            return None
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as fault:
            place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.instance_path)
            return Fault(f"${place}", fault.message)
        raise AssertionError("what does not hold has a fault")


def read(schema: Any) -> Schema:
    """The schema, read once; the last ones are kept. Raises Unreadable."""
    try:
        written = msgspec.json.encode(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unreadable("it is nested too deeply, or no JSON") from error
    if len(written) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES >> 10} kB")
    found = _kept.get(written)
    if isinstance(found, str):
        raise Unreadable(found)
    return found


def fits(value: Any, schema: Any) -> bool:
    """Whether a value, decoded from JSON, is of the schema. What cannot be read, or not in time, refuses nothing."""
    try:
        return schema is None or read(schema).holds(value)
    except Unreadable:
        return True


class _Kept:
    """Schemas by how they are written, or why they cannot be read; the least used go first, so that their sum is bounded."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._schemas: OrderedDict[bytes, Schema | str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, written: bytes) -> Schema | str:
        with self._lock:
            if written in self._schemas:
                self._schemas.move_to_end(written)
                return self._schemas[written]
        found: Schema | str
        try:
            found = Schema(msgspec.json.decode(written))
        except Unreadable as error:
            found = str(error)
        with self._lock:
            if written not in self._schemas:
                self._schemas[written] = found
                self._bytes += _weight(written, found)
            while self._bytes > self._most:
                gone, schema = self._schemas.popitem(last=False)
                self._bytes -= _weight(gone, schema)
        return found


def _weight(written: bytes, found: Schema | str) -> int:
    return len(written) + (_PATTERN_BYTES // 4 * found.patterns if isinstance(found, Schema) else 0)


_kept = _Kept(KEPT_BYTES)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

"""What is fuzzed: one function a reader, with what it may raise and what must hold of its result. Knows no fuzzer."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from demitasse.cli.scan_lines import read_lines
from demitasse.config.load import parse
from demitasse.config.read import SettingsError
from demitasse.core.call import Call
from demitasse.core.errors import ConfigError, DemitasseError, Refused
from demitasse.guard import answers, grounding, hidden, injection, normal, personal, secrets
from demitasse.guard.names import recogniser
from demitasse.guard.placeholders import Cut, Redaction, Text
from demitasse.lab.outcome_file import read_outcomes
from demitasse.lab.tasks import files as task_files
from demitasse.lab.tasks import logs as task_logs
from demitasse.providers import gguf
from demitasse.providers.gguf import BadFileError
from demitasse.score.schema import fits
from demitasse.store import checkpoints, exported, proofs, receipts
from demitasse.store.invoice import InvoiceError
from demitasse.store.invoice import read as read_invoice
from demitasse.wire.ask import read as read_ask
from demitasse.wire.chunks import explode
from demitasse.wire.errors import read_fault
from demitasse.wire.parts import parts, with_texts
from demitasse.wire.restore import Restorer
from demitasse.wire.sse import SSE, TooLongError
from demitasse.wire.stream import BrokenStreamError, Relay
from demitasse.wire.whole import NoAnswerError, read_answer

Target = Callable[[bytes], None]
_OTHER = "an exchanged text"
_CALL = Call("c", "c", 0, "chat", b"{}", {}, "m", stream=True)
_tagger = recogniser("own")
_VALUES = {"<EMAIL_k3x7qa>": 'ann "o" \\ @example.com', "<PHONE_aaaaaa>": "+49 30 1234567"}


def _ask(data: bytes) -> None:
    """A request: read, cut into parts, put together again in the same bytes, and with a text exchanged."""
    for kind in ("chat", "completion", "embedding"):
        try:
            asked = read_ask(kind, data)  # type: ignore[arg-type]
        except Refused:
            continue
        found = parts(kind, asked.fields)  # type: ignore[arg-type]
        assert with_texts(asked.fields, asked.body, {})[1] is asked.body
        for part in found[:20]:
            assert "".join(part.text[a:b] for _, a, b in part.pieces()) == part.text
        with contextlib.suppress(KeyError):  # a name that stands twice in an object, with values of two kinds
            fields, body = with_texts(asked.fields, asked.body, {part.place: _OTHER for part in found[:1]})
            if not found:
                continue
            json.loads(body)
            assert any(part.text == _OTHER for part in parts(kind, fields))  # type: ignore[arg-type]


def _answer(data: bytes) -> None:
    """A whole answer of an upstream, and what a stream would be made of it."""
    for kind in ("chat", "completion", "embedding"):
        with contextlib.suppress(NoAnswerError):
            answer = read_answer(msgspec.structs.replace(_CALL, kind=kind), data)
            if kind != "embedding":
                for chunk in explode(answer.body, include_usage=True, kind=kind):
                    json.loads(chunk)
    read_fault(data)


def _stream(data: bytes) -> None:
    """A stream of an upstream in pieces: framing, then the relay, then its whole, which is JSON."""
    relay, sse = Relay(_CALL), SSE(limit=1 << 16)
    cut = data[0] + 1 if data else 1
    with contextlib.suppress(TooLongError, BrokenStreamError):
        for at in range(0, len(data), cut):
            for payload in sse.feed(data[at : at + cut]):
                for event in relay.feed(payload):
                    json.loads(event.data)
        for payload in sse.end():
            relay.feed(payload)
        relay.end()
        json.loads(relay.body())


def _restore(data: bytes) -> None:
    """Text in pieces through a restorer comes to what the whole comes to."""
    text = data.decode("utf-8", "ignore")
    cut = (data[0] % 7) + 1 if data else 1
    whole = Restorer(_VALUES).text(text)
    restorer = Restorer(_VALUES)
    said = ""
    pieces = [text[i : i + cut] for i in range(0, len(text), cut)]
    from demitasse.core.call import Event  # noqa: PLC0415

    events = [Event(msgspec.json.encode({"choices": [{"index": 0, "delta": {"content": piece}}]})) for piece in pieces]
    for out in [*(e for event in events for e in restorer.event(event)), *restorer.end()]:
        for choice in json.loads(out.data)["choices"]:
            said += choice["delta"].get("content") or ""
    assert said == whole, (text, said, whole)


def _guard(data: bytes) -> None:
    """Every scanner over any text: offsets lie in it, in order; what is stripped or redacted stays a text."""
    text = (
        data.decode("utf-8", "surrogatepass" if b"\xed" in data else "ignore")
        if _decodes(data)
        else data.decode("latin-1")
    )
    found, _ = personal.find(text)
    kept, _ = secrets.find(text)
    unseen = hidden.find(text)
    for group in (found, kept, unseen):
        at = 0
        for one in group:
            assert at <= one.start < one.end <= len(text), (group, text)
            at = one.end
    bare = hidden.strip(text)
    assert hidden.strip(bare) == bare
    said = normal.normalise(text)
    for i in range(0, len(said.text), max(1, len(said.text) // 8)):
        assert 0 <= said.offset(i) <= len(text)
    cuts = [Cut(one.start, one.end, one.type) for one in found]
    redaction = Redaction.of([Text(text, cuts)], secret=b"s" * 32, tenant="t", session="s")
    if cuts:
        assert redaction.values
    answers.leaks(text, lambda: text[: len(text) // 2], lambda: text[len(text) // 2 :])
    grounding.ground(text[: len(text) // 2], text[len(text) // 2 :])


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass" if b"\xed" in data else "ignore")
    except UnicodeDecodeError:
        return False
    return True


def _injection(data: bytes) -> None:
    """Any text has a risk between 0 and 1, whoever wrote it."""
    text = data.decode("utf-8", "ignore")
    for source in ("user", "tool"):
        assert 0 <= injection.score(text, source) <= 1  # type: ignore[arg-type]


def _names(data: bytes) -> None:
    """Names of any text lie in it, in order."""
    text, at = data.decode("utf-8", "ignore"), 0
    for one in _tagger(text)[0]:
        assert at <= one.start < one.end <= len(text)
        at = one.end


def _evidence_of_audit(data: bytes) -> None:
    """Exports, proofs, receipts and checkpoints that somebody else hands over."""
    with contextlib.suppress(exported.Misfit, DemitasseError):
        exported.verify(io.BytesIO(data))
    for read in (proofs.verify, receipts.verify):
        with contextlib.suppress(DemitasseError):
            read(data)
    with contextlib.suppress(DemitasseError):
        checkpoints.read_all(data.decode("utf-8", "replace"), "checkpoints")


def _scan(data: bytes) -> None:
    """Lines of `demitasse scan`."""
    for line in read_lines(io.BytesIO(data), "user"):
        assert line.number > 0


def _invoice(data: bytes) -> None:
    """A provider's usage export."""
    with contextlib.suppress(InvoiceError):
        read_invoice(data, "export")


def _schema(data: bytes) -> None:
    """A schema of a client's, as written or put together by the bytes, and a value: an end, in time, whatever refers to what."""
    head, _, tail = data.partition(b"\n")
    try:
        schema, value = msgspec.json.decode(head), msgspec.json.decode(tail)
    except (ValueError, RecursionError):
        schema, value = _made_schema(iter(data)), _made_value(iter(data[::-1]), 0)
    fits(value, schema)


def _made_schema(choices: Iterator[int]) -> dict[str, Any]:
    def one(level: int) -> Any:
        pick = next(choices, 0) % 16
        if pick < 4 or level > 6:
            return {"$ref": f"#/$defs/d{next(choices, 0) % 6}"}
        if pick < 9:
            member = ("allOf", "anyOf", "oneOf", "items", "prefixItems")[pick - 4]
            inner = [one(level + 1) for _ in range(1 + next(choices, 0) % 3)]
            return {member: inner[0] if member == "items" else inner}
        if pick < 12:
            member = ("additionalProperties", "unevaluatedProperties", "not")[pick - 9]
            return {member: one(level + 1), "anyOf": [one(level + 1)]}
        if pick < 14:
            return {"properties": {name: one(level + 1) for name in "ab"}}
        return {"type": ("object", "array", "string")[next(choices, 0) % 3]}

    return {"$defs": {f"d{i}": one(0) for i in range(6)}, "$ref": "#/$defs/d0"}


def _made_value(choices: Iterator[int], level: int) -> Any:
    pick = next(choices, 0) % 8
    if pick < 3 and level < 40:
        return [_made_value(choices, level + 1) for _ in range(pick)]
    if pick < 6 and level < 40:
        return {"abc"[i]: _made_value(choices, level + 1) for i in range(pick - 3)}
    return pick


def _settings(data: bytes) -> None:
    """A configuration file."""
    with contextlib.suppress(SettingsError, ConfigError):
        parse(data.decode("utf-8", "replace"), "file")


def _in_file(suffix: str, read: Callable[[Path], Any], *allowed: type[BaseException]) -> Target:
    def target(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            file.write(data)
            file.flush()
            with contextlib.suppress(DemitasseError, *allowed):
                read(Path(file.name))

    return target


TARGETS: dict[str, Target] = {
    "wire.ask": _ask,
    "wire.answer": _answer,
    "wire.stream": _stream,
    "wire.restore": _restore,
    "guard": _guard,
    "guard.injection": _injection,
    "guard.names": _names,
    "score.schema": _schema,
    "audit": _evidence_of_audit,
    "import.scan": _scan,
    "import.invoice": _invoice,
    "import.settings": _settings,
    "import.jsonl": _in_file(".jsonl", task_files.load),
    "import.csv": _in_file(".csv", task_files.load),
    "import.toml": _in_file(".task.toml", task_files.load),
    "import.log": _in_file(".json", task_logs.read),
    "import.outcomes": _in_file(".csv", read_outcomes),
    "import.gguf": _in_file(".gguf", gguf.read_head, BadFileError),
}

"""An export of the ledger as lines, and its check, which needs nothing but the file.

Lines of JSON, each beginning with the hash of what it says, so that a bit that changed names its line:

    header       which rows, whose key, and the subtrees before the first of them
    row          ``leaf``: the exact bytes of an event; its hash is RFC 6962's hash of a leaf
    checkpoint   a signed root, after the last row that it is held against; ``after``: the subtrees up to its size
    trailer      the hash of all lines before it, signed

A row cannot be changed together with its line's hash either: the roots are signed. The form is the only one there is (names,
order, no white space), so that two exports of the same rows are the same but for time and checkpoints.
"""

from __future__ import annotations

import base64
import hashlib
from typing import IO, Any

import msgspec
from msgspec import Struct, structs

from . import checkpoints
from .chain import leaf_hash
from .checkpoints import Checkpoint
from .signing import check, fingerprint
from .tree import Frontier, finish

PURPOSE = b"demitasse export 1\n"
KIND = "audit export 1"
START = b'{"sha256":"'
MOST_LINE_BYTES = 64 << 20
_REST = len(START) + 64 + len(b'",')
encode = msgspec.json.Encoder().encode
_TEXT = (b"\n", b"\r")


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. ``before``: hashes (hex) of the whole subtrees that the rows before ``first`` come to."""

    demitasse: str
    key: str
    first: int
    last: int
    before: tuple[str, ...]
    made_us: int


class Signed(Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint's line. ``after``: the subtrees between the row before it and its size, from left to right (hex)."""

    checkpoint: str
    after: tuple[str, ...]


class Trailer(Struct, frozen=True, forbid_unknown_fields=True):
    """The last line. ``file``: SHA-256 (hex) of all bytes before it; ``signature``: of that, for ``PURPOSE``."""

    end: str
    rows: int
    checkpoints: int
    file: str
    signature: str


class Verified(Struct, frozen=True):
    """What a file is worth."""

    valid: bool
    first: int = 0
    last: int = 0
    rows: int = 0
    checkpoints: int = 0
    size: int | None = None
    """Rows that the last checkpoint covers."""
    at_us: int | None = None
    """When it was signed."""
    root: str | None = None
    key: str | None = None
    own: bool = False
    """It is the key of this data folder."""
    line: int | None = None
    """The first line that does not fit, from 1."""
    row: int | None = None
    """The row on it, if it is one."""
    why: str = ""


class Misfit(Exception):
    """A line does not fit."""

    def __init__(self, line: int, why: str, row: int | None = None) -> None:
        super().__init__(why)
        self.line, self.why, self.row = line, why, row


def verify(file: IO[bytes], keys: tuple[str, ...] = (), own: bytes | None = None) -> Verified:
    """Read an export and say whether every bit of it is what was written. Needs nothing but the file.

    ``keys``: fingerprints of the keys that count; none: any, and it is for the reader to compare ``key``.
    """
    reader = _Reader(file, keys)
    try:
        reader.read()
    except Misfit as misfit:
        return reader.verdict(own, misfit)
    return reader.verdict(own)


def line_of(object: bytes, hash: bytes | None = None) -> bytes:
    """A line from a JSON object without its hash; ``hash``: a row's, which is its leaf's."""
    rest = object[1:]
    found = hashlib.sha256(rest).hexdigest() if hash is None else hash.hex()
    return START + found.encode() + b'",' + rest + b"\n"


def row_line(seq: int, leaf: bytes) -> bytes:
    """A row's line: the leaf as it is; in base64 where it would not be one line of text."""
    return line_of(b'{"seq":%d,%s}' % (seq, _leaf_member(leaf)), leaf_hash(leaf))


class _Reader:
    """Reads the lines in their order; the first that does not fit ends it."""

    def __init__(self, file: IO[bytes], keys: tuple[str, ...]) -> None:
        self._file, self._keys = file, keys
        self._digest = hashlib.sha256()
        self.line = 0
        self.header: Header | None = None
        self.seals: list[Checkpoint] = []
        self.rows = 0
        self.trusted = 0
        """The last row that a checkpoint speaks for."""

    def read(self) -> None:
        header = self.header = self._header()
        frontier = Frontier(header.first - 1, [bytes.fromhex(text) for text in header.before])
        while True:
            line = self._next()
            if line is None:
                raise Misfit(self.line, "the file ends before its trailer: it was cut off")
            rest = line[_REST:]
            if rest.startswith(b'"end"'):
                self._trailer(line, header)
                return
            if rest.startswith(b'"checkpoint"'):
                self._checkpoint(line, frontier, header)
            else:
                self._row(line, frontier, header)
            self._digest.update(line)

    def verdict(self, own: bytes | None, misfit: Misfit | None = None) -> Verified:
        header, last = self.header, self.seals[-1] if self.seals else None
        public = base64.b64decode(header.key.partition(":")[2]) if header is not None else None
        found = Verified(
            misfit is None,
            first=header.first if header is not None else 0,
            last=header.last if header is not None else 0,
            rows=self.rows,
            checkpoints=len(self.seals),
            key=fingerprint(public) if public is not None else None,
            own=public is not None and public == own,
        )
        if last is not None:
            found = structs.replace(found, size=last.size, at_us=last.at_us, root=last.root.hex())
        if misfit is not None:
            found = structs.replace(found, line=misfit.line, row=misfit.row, why=misfit.why)
        return found

    def _header(self) -> Header:
        line = self._next()
        if line is None:
            raise Misfit(1, "the file is empty")
        header: Header = self._object(line, Header, "the header")
        public = _public(header.key)
        if header.demitasse != KIND or not 0 < header.first <= header.last:
            raise Misfit(1, f"the header is none of an {KIND}")
        if public is None or any(_hash(text) is None for text in header.before):
            raise Misfit(1, "the header's key or hashes cannot be read")
        if len(header.before) != (header.first - 1).bit_count():
            raise Misfit(1, "the header has not as many subtrees as there are before its first row")
        if self._keys and fingerprint(public) not in self._keys:
            raise Misfit(1, f"the header's key is {fingerprint(public)}, not one of those given with --key")
        self._digest.update(line)
        return header

    def _row(self, line: bytes, frontier: Frontier, header: Header) -> None:
        seq = frontier.size + 1
        leaf = _leaf(line[_REST - 1 :].rstrip(b"\n"), seq)
        if leaf is None or row_line(seq, leaf) != line:
            raise Misfit(self.line, f"row {seq} is not what was written", seq)
        if seq > header.last:
            raise Misfit(self.line, f"row {seq} lies after the last one that the header names", seq)
        frontier.append(leaf_hash(leaf))
        self.rows += 1

    def _checkpoint(self, line: bytes, frontier: Frontier, header: Header) -> None:
        said: Signed = self._object(line, Signed, "the checkpoint")
        try:
            one = checkpoints.read(said.checkpoint)
        except ValueError as error:
            raise Misfit(self.line, f"the checkpoint cannot be read: {error}") from None
        checked = checkpoints.signed(one)
        if not checked.valid:
            raise Misfit(self.line, f"the checkpoint of {one.size} rows is not what was signed: {checked.why}")
        if one.public != _public(header.key):
            raise Misfit(self.line, f"the checkpoint of {one.size} rows is signed by another key than the header names")
        after = [_hash(text) for text in said.after]
        root = finish(frontier, [h for h in after if h is not None], one.size)
        if root is None:
            raise Misfit(self.line, f"the checkpoint of {one.size} rows does not have the subtrees that lead to it")
        if root != one.root:
            first = max(self.trusted + 1, header.first)
            what = "or the header's subtrees " if not self.trusted else ""
            raise Misfit(
                self.line, f"rows {first} to {frontier.size} {what}do not fit the checkpoint of {one.size} rows", first
            )
        self.trusted = frontier.size
        self.seals.append(one)

    def _trailer(self, line: bytes, header: Header) -> None:
        said: Trailer = self._object(line, Trailer, "the trailer")
        end = header.first + self.rows - 1
        if end != header.last:
            raise Misfit(self.line, f"row {end + 1} is missing: the trailer came before the last row", end + 1)
        if self.trusted != header.last:
            raise Misfit(self.line, f"no checkpoint speaks for the rows after {self.trusted}")
        if said.end != KIND or said.rows != self.rows or said.checkpoints != len(self.seals):
            raise Misfit(self.line, "the trailer counts other rows or checkpoints than there are")
        if said.file != self._digest.hexdigest():
            raise Misfit(self.line, "the trailer's hash of the file is another one: a line was taken out or put in")
        checked = check(said.signature, PURPOSE, said.file.encode())
        if not checked.valid or checked.key != fingerprint(_public(header.key) or b""):
            why = checked.why or "it is another key's"
            raise Misfit(self.line, f"the trailer's signature does not hold: {why}")
        if self._file.read(1):
            raise Misfit(self.line + 1, "something follows the trailer")

    def _next(self) -> bytes | None:
        """The next line, whose form is right and whose hash fits, but for a row's."""
        self.line += 1
        line = self._file.readline(MOST_LINE_BYTES)
        if not line:
            return None
        hash = line[len(START) : len(START) + 64]
        form = line[: len(START)] == START and line[_REST - 2 : _REST] == b'",' and line.endswith(b"}\n")
        row = line[_REST:].startswith(b'"seq"')
        if self.header is None and not line.startswith(START):
            raise Misfit(
                1, "it is no export of a ledger, nor anything else of ours; make one with: demitasse audit export FILE"
            )
        if not line.endswith(b"\n") and len(line) < MOST_LINE_BYTES and not line.endswith(b"}"):
            raise Misfit(self.line, f"the file ends in the middle of {self._name()}: it was cut off", self._expected())
        if not form or (not row and hashlib.sha256(line[_REST:-1]).hexdigest().encode() != hash):
            raise Misfit(self.line, f"{self._name()} is not what was written", self._expected())
        return line

    def _name(self) -> str:
        """What should stand on this line, as far as one can tell."""
        seq = self._expected()
        return (
            "the header" if self.header is None else f"row {seq}" if seq is not None else "a checkpoint or the trailer"
        )

    def _expected(self) -> int | None:
        if self.header is None:
            return None
        seq = self.header.first + self.rows
        return seq if seq <= self.header.last else None

    def _object(self, line: bytes, kind: Any, name: str) -> Any:
        try:
            found = msgspec.json.decode(b"{" + line[_REST:], type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Misfit(self.line, f"{name} cannot be read: {error}") from None
        if line_of(encode(found)) != line:
            raise Misfit(self.line, f"{name} is not in the one form that there is")
        return found


def _leaf_member(leaf: bytes) -> bytes:
    try:
        leaf.decode()
        plain = not any(mark in leaf for mark in _TEXT)
    except UnicodeDecodeError:
        plain = False
    return b'"leaf":' + leaf if plain else b'"leaf_base64":"' + base64.b64encode(leaf) + b'"'


def _leaf(rest: bytes, seq: int) -> bytes | None:
    """The leaf in what follows a line's hash, whatever the line's form; None: there is none."""
    for start, end in ((b',"seq":%d,"leaf":' % seq, b"}"), (b',"seq":%d,"leaf_base64":"' % seq, b'"}')):
        if rest.startswith(start) and rest.endswith(end):
            inner = rest[len(start) : -len(end)]
            if end == b"}":
                return inner
            try:
                return base64.b64decode(inner, validate=True)
            except ValueError:
                return None
    return None


def _public(key: str) -> bytes | None:
    scheme, _, text = key.partition(":")
    try:
        public = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    same = f"ed25519:{base64.b64encode(public).decode()}" == key
    return public if scheme == "ed25519" and len(public) == 32 and same else None


def _hash(text: str) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == 32 and found.hex() == text else None

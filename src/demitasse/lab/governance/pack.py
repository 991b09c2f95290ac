"""The pack: one zip of evidence with a signed manifest, the same bytes for the same content, checked offline bit for bit.

Nothing in it is compressed, so that no library's version changes its bytes, and checking is exact: the archive is built anew from
what lies in it and held against the file. Knows bytes and names; knows not what they say, nor whose key signs.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec
from msgspec import Struct

MANIFEST: Final = "manifest.json"
FORMAT: Final = "demitasse evidence 1"
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""The zip's own dates say nothing; the manifest does."""
MOST_BYTES: Final = 1 << 30

Seal = Callable[[bytes], str]
"""Signs the manifest's text."""
Check = Callable[[str, bytes], tuple[bool, str, bool, str]]
"""A signature and a text: whether it is as it was signed, the key's fingerprint, whether the key is ours, and why not."""


class Problem(Struct, frozen=True):
    """Something that is not as it was signed. ``file`` is a name in the pack, or empty: the archive itself."""

    file: str
    why: str


class Verified(Struct, frozen=True):
    """What a look at a pack came to. ``key``: the fingerprint of the key that it names."""

    problems: tuple[Problem, ...]
    key: str = ""
    own: bool = False
    manifest: dict[str, Any] = {}

    @property
    def valid(self) -> bool:
        return not self.problems


def packed(files: Mapping[str, bytes], head: Mapping[str, Any], seal: Seal) -> bytes:
    """The zip's bytes: a manifest, then all files by name.

    Args:
        files: by name, ``/`` between folders.
        head: what the manifest says besides (made, since, until, by, …).
        seal: signs the manifest without its signature.

    Raises ValueError for a name that is none.
    """
    for name in files:
        if not name or name == MANIFEST or ".." in PurePosixPath(name).parts or name.startswith("/") or "\\" in name:
            raise ValueError(f"{name!r} is no name for a file of a pack")
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    }
    bare = {"format": FORMAT, **head, "files": listed}
    manifest = _canonical({**bare, "signature": seal(_signed(bare))})
    return _zip({MANIFEST: manifest, **files})


def verified(raw: bytes, check: Check) -> Verified:
    """Look at a pack. Every bit of the file counts: of its contents, of the manifest, of the archive's own tables."""
    try:
        found = _contents(raw)
    except (zipfile.BadZipFile, struct.error, UnicodeDecodeError, ValueError, OSError, NotImplementedError) as why:
        return Verified((Problem("", f"is no zip archive, or its table of contents was changed ({why})"),))
    problems: list[Problem] = []
    text = found.get(MANIFEST)
    if text is None:
        return Verified((Problem(MANIFEST, "is missing: it is no pack of evidence"),))
    try:
        manifest = msgspec.json.decode(text, type=dict[str, Any])
        listed = msgspec.convert(manifest["files"], dict[str, _File])
        signature = str(manifest["signature"])
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
        return Verified((Problem(MANIFEST, "cannot be read: it was changed"),))
    bare = {name: value for name, value in manifest.items() if name != "signature"}
    good, key, own, why_not = check(signature, _signed(bare))
    if not good:
        problems.append(Problem(MANIFEST, why_not))
    elif text != _canonical(manifest):
        problems.append(Problem(MANIFEST, "was laid out anew"))
    problems += _differing(found, listed)
    if not problems and (at := _first_difference(raw, _zip(found))) is not None:
        problems.append(Problem(_entry_at(raw, at), f"the archive around it was changed, at byte {at:,}"))
    return Verified(tuple(problems), key, own, manifest)


class _File(Struct, frozen=True):
    bytes: int
    sha256: str


def _differing(found: Mapping[str, bytes], listed: Mapping[str, _File]) -> list[Problem]:
    problems = []
    for name, told in listed.items():
        content = found.get(name)
        if content is None:
            problems.append(Problem(name, "is missing"))
        elif len(content) != told.bytes or hashlib.sha256(content).hexdigest() != told.sha256:
            problems.append(Problem(name, "was changed"))
    problems += [Problem(name, "is not in the manifest") for name in found if name != MANIFEST and name not in listed]
    return problems


def _zip(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in (MANIFEST, *sorted(name for name in files if name != MANIFEST)):
            info = zipfile.ZipInfo(name, _MOMENT)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])
    return out.getvalue()


def _contents(raw: bytes) -> dict[str, bytes]:
    """Files as they lie there, whatever their checksums say: which one was changed is for the manifest to tell."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for info in archive.infolist():
            if info.file_size > MOST_BYTES:
                raise ValueError("an entry is too large")
            names, extra = struct.unpack_from("<HH", raw, info.header_offset + 26)
            start = info.header_offset + 30 + names + extra
            found[info.filename] = raw[start : start + info.file_size]
    return found


def _entry_at(raw: bytes, at: int) -> str:
    """Whose part of the archive this is."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        before = [info for info in archive.infolist() if info.header_offset <= at < archive.start_dir]
    return max(before, key=lambda info: info.header_offset).filename if before else ""


def _first_difference(a: bytes, b: bytes) -> int | None:
    if a == b:
        return None
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _canonical(manifest: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1) + b"\n"


def _signed(bare: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(bare, order="deterministic")

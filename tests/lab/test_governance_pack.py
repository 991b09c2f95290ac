"""The pack: the same bytes for the same content, and not one bit that can change unseen."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile

import pytest

from demitasse.lab.governance.pack import packed, verified

FILES = {"a.json": b'{"n": 1}\n', "cards/b.md": "# Ü\n".encode(), "empty.txt": b"", "z.html": b"x" * 3000}


def seal(text: bytes) -> str:
    return hashlib.sha256(b"key" + text).hexdigest()


def check(signature: str, text: bytes):
    good = signature == seal(text)
    return good, "key", good, "" if good else "it was changed after it was signed"


RAW = packed(FILES, {"made": "2026-11-21"}, seal)


def test_a_pack_holds_its_files_and_verifies():
    found = verified(RAW, check)
    assert found.valid and found.own and found.manifest["made"] == "2026-11-21"
    archive = zipfile.ZipFile(io.BytesIO(RAW))
    assert archive.testzip() is None and {name: archive.read(name) for name in FILES} == FILES


def test_the_order_of_files_makes_no_other_bytes():
    assert packed(dict(reversed(FILES.items())), {"made": "2026-11-21"}, seal) == RAW


def test_every_bit_counts():
    chance = random.Random(5)
    whole = range(len(RAW)) if len(RAW) < 20_000 else chance.sample(range(len(RAW)), 20_000)
    for at in whole:
        bad = bytearray(RAW)
        bad[at] ^= 1 << chance.randrange(8)
        assert verified(bytes(bad), check).problems, at


@pytest.mark.parametrize("name", FILES)
def test_the_changed_file_is_named(name):
    archive = zipfile.ZipFile(io.BytesIO(RAW))
    info = archive.getinfo(name)
    if not info.file_size:
        return
    bad = bytearray(RAW)
    bad[info.header_offset + 30 + len(info.filename.encode()) + info.file_size // 2] ^= 1
    assert [(one.file, one.why) for one in verified(bytes(bad), check).problems] == [(name, "was changed")]


def test_a_file_that_is_gone_or_was_added_is_named():
    def anew(**changes: bytes | None) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(RAW)) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                if changes.get(name.partition(".")[0], b"") is not None:
                    new.writestr(name, old.read(name))
            if "more" in changes:
                new.writestr("more.txt", b"x")
        return out.getvalue()

    assert ("a.json", "is missing") in [(p.file, p.why) for p in verified(anew(a=None), check).problems]
    assert ("more.txt", "is not in the manifest") in [
        (p.file, p.why) for p in verified(anew(more=b"x"), check).problems
    ]
    assert verified(anew(), check).problems  # the same files packed by another tool are not the pack


def test_what_comes_before_or_after_the_archive_is_found():
    assert (
        verified(b"x" + RAW, check).problems
        and verified(RAW + b"x", check).problems
        and verified(RAW[:-1], check).problems
    )


@pytest.mark.parametrize("name", ["", "../x", "/x", "manifest.json", "a\\b"])
def test_a_name_that_leads_out_of_the_pack_is_refused(name):
    with pytest.raises(ValueError, match="no name"):
        packed({name: b""}, {}, seal)

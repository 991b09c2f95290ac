"""A local model as it is put together: what it is called in the books."""

from __future__ import annotations

import os
from pathlib import Path

from demitasse.build.local import Fetched
from demitasse.core.call import Call, drop
from demitasse.providers.catalogue import LocalFile
from demitasse.testing import FakeModel

CALL = Call(id="1", request_id="1", at_us=0, kind="chat", body=b'{"messages":[]}', fields={}, model="small")


async def test_another_file_behind_the_same_name_is_another_version(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(bytes(1 << 20))
    model = Fetched("small", LocalFile(path), tmp_path, FakeModel)

    async def version() -> str:
        return (await model(CALL, drop)).model

    first = await version()
    assert first.startswith("small.gguf@") and await version() == first
    os.utime(path, ns=(1, 1))
    assert await version() == first, "the same bytes, only touched"
    path.write_bytes(b"\1" * (1 << 20))
    second = await version()
    assert second != first, "of the same size"
    path.rename(tmp_path / "away")
    assert await model.told() == second, "an engine that has it open goes on"

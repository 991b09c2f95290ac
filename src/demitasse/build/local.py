"""A local model whose file may still have to be fetched: its first calls wait for that, once for all of them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from ..core.call import Call, Model, Reply, Send
from ..core.errors import DemitasseError, UpstreamError
from ..providers.catalogue import FolderSource, LocalFile, MadeSource, Source
from ..providers.download import place, present, pull

log = logging.getLogger("demitasse.models")

SAMPLES, SAMPLE_BYTES = 64, 4 << 10
"""What is read of a file to tell it from another of its name and size: weights that were trained on differ everywhere."""


class Fetched:
    """A Model over a source; ``make`` builds the one that answers once the file is there."""

    def __init__(self, name: str, source: Source, models: Path, make: Callable[[], Model]) -> None:
        self.name = name
        self.path = place(source, models)
        self._source = source
        self._models = models
        self._model = make()
        self._version = ((0, 0), "")
        """Size and modification time of the file, and what is told of it then."""
        self._fetching: asyncio.Task[None] | None = None
        self.progress = (0, 0)
        """Bytes fetched, bytes in all."""

    async def __call__(self, call: Call, send: Send) -> Reply:
        """As any Model. Raises UpstreamError with the reason when the file cannot be had."""
        if not self.path.exists():
            await self.fetch()
        reply = await self._model(call, send)
        return structs.replace(reply, model=await self.told())

    @property
    def here(self) -> bool:
        """The file lies on this disk."""
        return present(self._source, self._models)

    async def told(self) -> str:
        """The file's name and a mark of what is in it, as the upstream's own name: an engine knows only what we call it,
        and what was proven of one file says nothing of another."""
        try:
            file = await asyncio.to_thread(_weights, self.path)
            found = file.stat()
            if self._version[0] != (found.st_size, found.st_mtime_ns):
                mark = await asyncio.to_thread(_mark, file, found.st_size)
                self._version = ((found.st_size, found.st_mtime_ns), f"{self.path.name}@{mark}")
        except OSError as gone:  # its engine has it open all the same
            log.info("the file of '%s' cannot be read: %s", self.name, gone)
        return self._version[1] or self.path.name

    async def fetch(self) -> None:
        """Fetch the file unless it is there; whoever asks meanwhile waits for the same."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), name=f"fetch {self.name}")
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        if isinstance(self._source, LocalFile | MadeSource) or (
            isinstance(self._source, FolderSource) and self._source.hub is None
        ):
            raise UpstreamError(
                f"the file of '{self.name}' is not there: {self.path}; correct its source in the configuration",
                status=503,
                code="model_missing",
                retryable=False,
            )
        if self.here:
            return
        log.info("fetching %s", self.name)

        def note(done: int, total: int) -> None:
            self.progress = (done, total)

        try:
            await asyncio.to_thread(pull, self._source, self._models, progress=note)
        except (DemitasseError, OSError) as why:
            raise UpstreamError(
                f"'{self.name}' could not be fetched: {why}; try: demitasse models pull {self.name}",
                status=503,
                code="model_missing",
            ) from why


def _weights(path: Path) -> Path:
    """The file that tells a model from another of its name; of a folder, its first weights."""
    return next(iter(sorted(path.glob("*.safetensors"))), path) if path.is_dir() else path


def _mark(path: Path, size: int) -> str:
    """Eight digits of a hash over the size and samples from the beginning to the end."""
    whole = hashlib.blake2b(str(size).encode(), digest_size=4)
    with path.open("rb") as file:
        for nth in range(SAMPLES):
            file.seek(max(0, size - SAMPLE_BYTES) * nth // (SAMPLES - 1))
            whole.update(file.read(SAMPLE_BYTES))
    return whole.hexdigest()

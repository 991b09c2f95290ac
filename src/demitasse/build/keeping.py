"""Keeping bodies where the configuration asks for it: sampled, encrypted, out of a call's way, and found again."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ..config import Config
from ..config.tree import Bodies as BodySettings
from ..core.call import Call, Reply
from ..core.errors import ConfigError, DemitasseError
from ..providers.recorded import Recording, mark
from ..store.bodies import Bodies, Room, master_key
from ..store.bodies import expire as delete_expired
from ..store.master import hold_against, keys_kept, outside
from ..store.secret import server_secret
from ..store.subjects import Subjects
from ..web.waiting import Held
from ..wire.text import turns

log = logging.getLogger("demitasse.bodies")

DAY_US = 86_400_000_000
EXPIRE_EVERY_S = 600.0
_TURN_BYTES = 64
_MOST_BYTES_A_CHARACTER = 6


HELD = "held:"


def held_ref(code: str) -> str:
    """Where a request lies that waits for a person."""
    return HELD + code


MOST_HELD_BYTES = 256 << 10
"""Of a request that waits, as it is kept; of a longer one its newest words."""
ROOM = Room(HELD, count=100, bytes=8 << 20, count_in_all=1_000, bytes_in_all=64 << 20)
"""For what waits: whoever is refused pays for nothing, and must not fill the disk."""
MOST_QUEUED_BYTES = 64 << 20
MOST_HELD_QUEUED_BYTES = 16 << 20


class Keeper:
    """Writes bodies in a thread of its own; a body that cannot be written is said and left out, never waited for."""

    def __init__(self, bodies: Bodies, settings: BodySettings, clock: Callable[[], int], subjects: Subjects) -> None:
        self._bodies = bodies
        self._subjects = subjects
        self._settings = settings
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "bodies")
        self._queued_bytes = 0
        self._full = False
        self._lock = threading.Lock()

    def keep(self, call: Call, reply: Reply) -> str | None:
        """Queue a call's bodies; returns the reference for its entry, or None where the sample leaves it out."""
        if self._settings.sample < 1 and random.random() >= self._settings.sample:
            return None
        return call.id if self._queue(len(call.body) + len(reply.body), self._write, call, reply) else None

    def keep_beside(self, call: Call, reply: Reply) -> str | None:
        """Queue the bodies of a call of our own, whose client's call is kept: the two are looked at side by side.

        A recording of the question is not to answer it with what another model said, so only its id finds it.
        """
        write = partial(self._write, found_by_question=False)
        return call.id if self._queue(len(call.body) + len(reply.body), write, call, reply) else None

    def _queue(self, size: int, write: Callable[..., None], *args: Any, most: int = MOST_QUEUED_BYTES) -> bool:
        """Whether there was room: where the disk is slower than what comes, the rest is left out, and memory does not fill."""
        with self._lock:
            if self._queued_bytes and self._queued_bytes + size > most:
                if not self._full:
                    log.warning("bodies come faster than they can be written; some are not kept")
                self._full = True
                return False
            self._queued_bytes += size
            self._full = False

        def written() -> None:
            try:
                write(*args)
            finally:
                with self._lock:
                    self._queued_bytes -= size

        self._thread.submit(written)
        return True

    def _write(self, call: Call, reply: Reply, *, found_by_question: bool = True) -> None:
        expires_us = call.at_us + self._settings.days * DAY_US
        recording = Recording(
            id=call.id,
            kind=call.kind,
            request=msgspec.Raw(call.body),
            reply=msgspec.Raw(reply.body),
            model=reply.model,
            usage=reply.usage,
            finish=reply.finish,
            complete=reply.complete,
        )
        whose, now_us = self._subjects.of(call), self._clock()
        put = partial(self._bodies.put, tenant=whose.tenant, now_us=now_us, of_us=call.at_us)
        try:
            put(call.id, whose.name, msgspec.json.encode(recording), expires_us)
            if found_by_question:
                put(mark(call).hex(), whose.name, call.id.encode(), expires_us)
        except (DemitasseError, msgspec.DecodeError) as error:
            log.error("the bodies of call %s were not kept: %s", call.id, error)  # noqa: TRY400 - its sentence is enough

    def withhold(self, call: Call, code: str, decided: Callable[[str, int], bool]) -> None:
        """Queue a request that waits for a person under a code; the newest of a code is kept, for a day, as far as there is
        room. ``decided`` says of a code and a call's time whether nobody needs its words any more."""
        self._queue(len(call.body), self._write_held, call, code, decided, most=MOST_HELD_QUEUED_BYTES)

    def _write_held(self, call: Call, code: str, decided: Callable[[str, int], bool]) -> None:
        if decided(code, call.at_us):
            return
        whose, now_us = self._subjects.of(call), self._clock()
        body = newest_words(call.body, MOST_HELD_BYTES)
        text = msgspec.json.encode(Held(call.id, body, 0 if body is call.body else len(call.body)))
        put = partial(self._bodies.put, tenant=whose.tenant, now_us=now_us, of_us=call.at_us, room=ROOM)
        try:
            if not put(held_ref(code), whose.name, text, now_us + DAY_US):
                log.info("the request of call %s that waits was not kept: there is no room for more", call.id)
        except DemitasseError as error:
            log.error("the request of call %s that waits was not kept: %s", call.id, error)  # noqa: TRY400

    def held(self, code: str) -> Held | None:
        """What waits under a code; None: it is not kept. Blocks. Raises StoreError."""
        found = self._bodies.get(held_ref(code), self._clock())
        return None if found is None else msgspec.json.decode(found, type=Held)

    async def look(self, wanted: bytes) -> Recording | None:
        """The recording with this mark."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._find, wanted)

    def _find(self, wanted: bytes) -> Recording | None:
        id = self._bodies.get(wanted.hex(), self._clock())
        return None if id is None else self.recording(id.decode())

    def recording(self, id: str) -> Recording | None:
        """The bodies of one entry; blocks."""
        body = self._bodies.get(id, self._clock())
        return None if body is None else msgspec.json.decode(body, type=Recording)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._bodies.close()


def newest_words(body: bytes, most_bytes: int) -> bytes:
    """A body of at most about ``most_bytes``: as it is, or a chat of its newest turns, the last of those cut short."""
    if len(body) <= most_bytes:
        return body
    kept: list[dict[str, str]] = []
    left = most_bytes
    for said in reversed(turns(body)):
        text = said.text[:left]
        size = len(msgspec.json.encode(text)) + _TURN_BYTES
        if size > left:
            text = text[: left // _MOST_BYTES_A_CHARACTER]
        kept.append({"role": said.role[:_TURN_BYTES], "content": text})
        left -= size
        if left <= 0:
            break
    return msgspec.json.encode({"messages": kept[::-1]})


async def expire(data: Path, clock: Callable[[], int]) -> None:
    """Delete what is over, at once and every ten minutes, also where nothing is kept any more; cancel it to stop."""
    while True:
        try:
            await asyncio.to_thread(delete_expired, data, clock())
        except DemitasseError as error:
            log.warning("expired bodies could not be deleted: %s", error)
        await asyncio.sleep(EXPIRE_EVERY_S)


def keeper(config: Config, data: Path, clock: Callable[[], int]) -> Keeper | None:
    """None where no bodies are kept. Raises ConfigError when the master key cannot be used."""
    settings = config.keep.bodies
    if settings is False:
        return None
    days = settings if isinstance(settings, BodySettings) else BodySettings()
    return Keeper(Bodies(data, master(config, data)), days, clock, Subjects(server_secret(data)))


def master(config: Config, data: Path) -> bytes:
    """The master key that the configuration names. Raises ConfigError, also where it is not that of what is kept already."""
    keep = config.keep
    file = Path(keep.master_key_file) if keep.master_key_file else None
    if file is not None and not file.exists() and keys_kept(data) and not os.environ.get(keep.master_key_env or ""):
        raise ConfigError(
            f"there is no key file {file}, and data keys in {data} lie wrapped under a master key; lay that key there, or name "
            "the one that 'demitasse audit rekey' changed to: [keep] master_key_file"
        )
    key = master_key(env=keep.master_key_env, file=file, command=keep.master_key_command, data=data)
    hold_against(data, key, source(config))
    return key


def usable(config: Config, data: Path) -> None:
    """Raise ConfigError where ``master`` would, before anything needs it; makes no key file."""
    keep = config.keep
    file = Path(keep.master_key_file) if keep.master_key_file else None
    elsewhere = keep.master_key_command or os.environ.get(keep.master_key_env or "")
    if file is None or elsewhere or file.exists() or keys_kept(data):
        master(config, data)
    else:
        outside(file, data)


def named(config: Config) -> bool:
    """Whether the configuration names a master key."""
    keep = config.keep
    return bool(keep.master_key_env or keep.master_key_file or keep.master_key_command)


def source(config: Config) -> str:
    """Where the master key comes from, as ``master_key`` looks for it."""
    keep = config.keep
    if keep.master_key_env and os.environ.get(keep.master_key_env):
        return f"the environment variable {keep.master_key_env}"
    return f"what {keep.master_key_command[0]} prints" if keep.master_key_command else f"{keep.master_key_file}"

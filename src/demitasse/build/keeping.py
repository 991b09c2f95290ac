"""Keeping bodies where the configuration asks for it: sampled, encrypted, out of a call's way, and found again."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from ..config import Config
from ..config.tree import Bodies as BodySettings
from ..core.call import Call, Reply
from ..core.errors import ConfigError, DemitasseError
from ..providers.recorded import Recording, mark
from ..store.bodies import Bodies, master_key
from ..store.bodies import expire as delete_expired
from ..store.master import hold_against, keys_kept, outside
from ..store.secret import server_secret
from ..store.subjects import Subjects
from ..web.waiting import Held

log = logging.getLogger("demitasse.bodies")

_DAY_US = 86_400_000_000
EXPIRE_EVERY_S = 600.0


def held_ref(code: str) -> str:
    """Where a request lies that waits for a person."""
    return f"held:{code}"


class Keeper:
    """Writes bodies in a thread of its own; a body that cannot be written is said and left out, never waited for."""

    def __init__(self, bodies: Bodies, settings: BodySettings, clock: Callable[[], int], subjects: Subjects) -> None:
        self._bodies = bodies
        self._subjects = subjects
        self._settings = settings
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "bodies")

    def keep(self, call: Call, reply: Reply) -> str | None:
        """Queue a call's bodies; returns the reference for its entry, or None where the sample leaves it out."""
        if self._settings.sample < 1 and random.random() >= self._settings.sample:
            return None
        self._thread.submit(self._write, call, reply)
        return call.id

    def keep_beside(self, call: Call, reply: Reply) -> str:
        """Queue the bodies of a call of our own, whose client's call is kept: the two are looked at side by side.

        A recording of the question is not to answer it with what another model said, so only its id finds it.
        """
        self._thread.submit(self._write, call, reply, found_by_question=False)
        return call.id

    def _write(self, call: Call, reply: Reply, *, found_by_question: bool = True) -> None:
        expires_us = call.at_us + self._settings.days * _DAY_US
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

    def withhold(self, call: Call, code: str) -> None:
        """Queue a request that waits for a person under a code; the newest of a code is kept, for a day."""
        self._thread.submit(self._write_held, call, code)

    def _write_held(self, call: Call, code: str) -> None:
        whose, now_us = self._subjects.of(call), self._clock()
        text = msgspec.json.encode({"call": call.id, "body": call.body})
        try:
            self._bodies.put(
                held_ref(code), whose.name, text, now_us + _DAY_US, tenant=whose.tenant, now_us=now_us, of_us=call.at_us
            )
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

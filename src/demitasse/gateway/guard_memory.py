"""What was found in texts that come again: a conversation sends all its turns with each new one. Keeps no text.

Of each text a keyed digest of 16 bytes, and of what was found its kinds and places. The key is made for this process alone, so
that what lies in its memory tells nobody whether a text was here; and each tenant has digests of its own, so that how long a
look takes tells nobody whether another tenant sent the text. What was not used for longest is forgotten first.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

from ..guard.finding import Findings, Source

MOST: Final = 8_192
"""Texts that are remembered."""
MOST_BEGUN: Final = 4_096
"""Tenants and ways of looking whose digests are kept begun."""
MOST_FOUND: Final = 64
"""Findings of a text that is remembered; one full of addresses takes megabytes."""
MOST_IN_ALL: Final = 65_536
"""Findings of all of them, some 100 bytes each."""


class Memory:
    """Findings by the text they are of, whose it is, who wrote it, and how it was looked at. May be used from any thread.

    Args:
        key: of the digests, 1 to 64 bytes that nobody knows.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._begun: dict[tuple[str, Source, float, bool], hashlib.blake2b] = {}
        self._kept: OrderedDict[bytes, Findings] = OrderedDict()
        self._found = 0
        self._lock = threading.Lock()

    def digest(self, text: str, source: Source, false_alarms: float, *, names: bool, tenant: str) -> bytes:
        """What stands for a text of this tenant that was looked at in this way."""
        how = (tenant, source, false_alarms, names)
        begun = self._begun.get(how)
        if begun is None:
            if len(self._begun) >= MOST_BEGUN:
                self._begun.clear()
            begun = self._begun[how] = hashlib.blake2b(repr(how).encode(), digest_size=16, key=self._key)
        said = begun.copy()
        said.update(text.encode("utf-8", "surrogatepass"))
        return said.digest()

    def find(self, digest: bytes) -> Findings | None:
        """What was found in it, if it is remembered."""
        with self._lock:
            if digest not in self._kept:
                return None
            self._kept.move_to_end(digest)
            return self._kept[digest]

    def keep(self, digest: bytes, findings: Findings) -> None:
        """Remember it, unless too much was found."""
        count = _count(findings)
        if count > MOST_FOUND:
            return
        with self._lock:
            if digest in self._kept:
                return
            self._kept[digest] = findings
            self._found += count
            while len(self._kept) > MOST or self._found > MOST_IN_ALL:
                self._found -= _count(self._kept.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._kept)


def _count(findings: Findings) -> int:
    return len(findings.entities) + len(findings.secrets) + len(findings.hidden)

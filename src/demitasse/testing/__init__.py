"""Stand-ins for whoever builds on Demitasse: a model by script, a ledger in memory, a provider on a socket.

Nothing of this is used when Demitasse serves; `python -m demitasse.testing` runs the provider as a process of its own.
"""

from __future__ import annotations

from .fakes import FakeLedger, FakeModel
from .mock import MockUpstream, Served
from .replies import Ask, prompt_tokens

__all__ = ["Ask", "FakeLedger", "FakeModel", "MockUpstream", "Served", "prompt_tokens"]

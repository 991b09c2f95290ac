"""The engines that can compute a model on this machine, as rows: how each is started, what it reads, what it lacks.

What one drops in silence is refused here by name, so that nobody takes an answer for one to what they asked. Knows no
process and no call's content beyond its members' names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from ..core.call import Call, Kind
from . import catalogue
from .engine_folder import find_folder, read_folder
from .gguf import Head, read_head
from .vendors import VENDORS, Vendor

EngineName = Literal["llama.cpp", "transformers"]
Support = Literal["yes", "no", "partly"]


class Feature(Struct, frozen=True):
    """Whether an engine can do something, and how: the table in the documentation is made of these."""

    name: str
    support: Support
    how: str = ""


class EngineKind(Struct, frozen=True):
    """One engine. The child's two pipes are alike for all: see ``engine``.

    ``source`` and ``seen`` say where the row was read, and when.
    """

    name: EngineName
    command: tuple[str, ...]
    """The child, to which the model's name is appended."""
    package: str
    """What must be importable, or the child need not be started."""
    install: str
    reads: Callable[[Path], Head]
    vendor: Vendor
    start_s: float
    """How long a start may take; loading a framework is part of it."""
    drops: tuple[str, ...]
    """Members of a call that would be dropped in silence, and so are refused: ``name`` or ``name=harmless,values``."""
    features: tuple[Feature, ...]
    source: str
    seen: str
    by_path: bool = False
    """It knows the model by the name of its folder, not by ours."""
    kinds: frozenset[Kind] = frozenset({"chat", "completion", "embedding"})
    streams_only: bool = False
    """Stops early only in a stream: it is always asked for one, whatever the client wanted."""
    side_by_side: bool = True
    """Computes several calls in one batch; else they queue."""

    def refuses(self, call: Call) -> str | None:
        """What of a call this engine would not do, in words; None: nothing."""
        if call.kind not in self.kinds:
            return f"{call.kind}s"
        for row in self.drops:
            member, _, harmless = row.partition("=")
            raw = call.fields.get(member)
            if raw is not None and not _harmless(raw, harmless.split(",") if harmless else []):
                return f"'{member}'"
        return None


def _harmless(raw: Raw, values: list[str]) -> bool:
    """Whether a member asks for nothing: null, or one of the values that say the same as leaving it out."""
    value = msgspec.json.decode(raw)
    return value is None or _said(value) in values


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("type", "{}"))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode().strip('"')


ENGINES: Final[dict[EngineName, EngineKind]] = {
    row.name: row
    for row in (
        EngineKind(
            name="llama.cpp",
            command=(sys.executable, "-m", "demitasse.providers.engine"),
            package="xllamacpp",
            install="pip install 'demitasse[local]'",
            reads=read_head,
            vendor=VENDORS["llamacpp"],
            start_s=120.0,
            drops=(),
            features=(
                Feature("source", "yes", "a `.gguf` file, quantised to 2 to 8 bits or not at all"),
                Feature("calls side by side", "yes", "`slots`, in one batch"),
                Feature("embeddings", "yes"),
                Feature("usage", "yes", "in every answer and stream; prompt tokens from its cache apart"),
                Feature("its own clock", "yes", "time for the prompt and for the answer"),
                Feature("json_schema", "yes", "as a grammar"),
                Feature("tools", "yes", "where the chat template has a place for them; a call can be made a must"),
                Feature("logprobs", "yes"),
                Feature("prompt cache", "yes", "what begins alike is computed once"),
                Feature("stops when the client hangs up", "yes", "stream or not"),
                Feature("GPU", "yes", "`gpu_layers`; needs an xllamacpp built for it, pip's computes on the processor"),
            ),
            source="xllamacpp 2026.10.11549, tested here",
            seen="2026-11-21",
        ),
        EngineKind(
            name="transformers",
            command=(sys.executable, "-m", "demitasse.providers.engine_transformers"),
            package="transformers",
            install="pip install 'demitasse[transformers]'",
            reads=read_folder,
            vendor=Vendor(
                name="transformers",
                base_url="",
                limits=("max_tokens", "max_completion_tokens"),
                reasoning="reasoning_content",
                sends_done=False,
                local=True,
                source="transformers 5.23.0, cli/serving/chat_completion.py",
                seen="2026-11-21",
            ),
            start_s=600.0,
            drops=(
                "response_format=text",
                "logprobs=false,0",
                "top_logprobs=0",
                "tool_choice=auto,none",
                "parallel_tool_calls=true",
                "presence_penalty=0",
                "frequency_penalty=0",
                "best_of=1",
                "echo=false",
                "suffix",
                "audio",
                "modalities",
                "functions",
                "function_call",
                "web_search_options",
            ),
            features=(
                Feature("source", "yes", "a folder with config.json, safetensors and a tokenizer, or `hf:owner/repo`"),
                Feature("calls side by side", "no", "they queue; its continuous batching is not used here"),
                Feature("embeddings", "no", "refused with 404 `engine_lacks`"),
                Feature("usage", "yes", "in every answer; no word of a cache, as there is none"),
                Feature("its own clock", "no", "energy is from the process's CPU time instead"),
                Feature("json_schema", "no", "it would be dropped in silence, so it is refused"),
                Feature("tools", "partly", "where transformers can read the model's way of calling; never a must"),
                Feature("logprobs", "no", "refused"),
                Feature("prompt cache", "no", "every prompt is computed whole"),
                Feature("stops when the client hangs up", "yes", "it is always asked for a stream; a queued call too"),
                Feature("GPU", "yes", "all or nothing: `gpu_layers = 0` keeps it on the processor"),
            ),
            source="transformers 5.23.0, cli/serving, read and tested here",
            seen="2026-11-21",
            by_path=True,
            kinds=frozenset({"chat", "completion"}),
            streams_only=True,
            side_by_side=False,
        ),
    )
}


def source_of(
    engine: EngineName, said: str, models: Path, *, place: str = "source", base: Path | None = None
) -> catalogue.Source:
    """What a setting ``source`` means to an engine: a folder, or a file. Nothing is fetched. Raises ConfigError."""
    if ENGINES[engine].reads is read_folder:
        return find_folder(said, models, place=place, base=base)
    return catalogue.find(said, place=place, base=base)


LLAMA_CPP: Final = ENGINES["llama.cpp"]
TRANSFORMERS: Final = ENGINES["transformers"]

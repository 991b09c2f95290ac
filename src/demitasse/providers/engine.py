"""The child process: llama.cpp's own HTTP server on a free loopback port. Knows nothing of its parent but two pipes.

    python -m demitasse.providers.engine NAME

Every engine's child is alike: it reads one JSON line, a `Setup`, from stdin, answers one on stdout,
``{"listening": "http://127.0.0.1:PORT"}`` or ``{"error": "…"}``, and serves until SIGTERM, or until stdin ends because the
parent is gone. Whatever the engine prints goes to stderr, which is the log. The key travels through stdin because arguments
can be read by anyone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import msgspec
from msgspec import Struct

_PR_SET_PDEATHSIG = 1
_GRACE_S = 1.5


class Setup(Struct, frozen=True):
    """What to serve and how."""

    gguf: str
    """The model: a file, or for some engines a folder."""
    key: str
    alias: str
    slots: int = 1
    threads: int = 1
    context: int = 4096
    """Tokens for each slot."""
    template: str | None = None
    """A chat template instead of the file's own."""
    prompt_cache_mib: int = 256
    """Memory for prompts of earlier calls that may come again, beyond what the slots hold."""
    verbosity: int = 2
    parent: int = 0
    batch: int | None = None
    """Tokens of prompts that are computed in one piece; None: the engine's own."""
    gpu_layers: int | None = None
    """Layers on a graphics processor; None: the engine decides, by what it finds."""


class Told(Struct, frozen=True):
    """A server that listens: where, and what is to be run for it in a thread; ``held`` must live as long as it does."""

    listening: str
    run: Callable[[], None] | None = None
    held: Any = None


def main() -> None:
    child(serve)


def child(serve: Callable[[Setup], Told]) -> None:
    """The whole of a child's life around ``serve``, which loads a model. Does not return."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then stops us
    setup = msgspec.json.decode(sys.stdin.buffer.readline(), type=Setup)
    _die_with(setup.parent)
    try:
        told = serve(setup)
    except Exception as error:  # noqa: BLE001 - the native code raises what it likes; all of it is for the parent
        out.write(msgspec.json.encode({"error": str(error) or type(error).__name__}).decode() + "\n")
        sys.exit(1)
    stop = threading.Event()

    def on_term(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    threading.Thread(target=_wait_for_end_of_stdin, args=(stop,), daemon=True).start()
    if told.run is not None:
        threading.Thread(target=told.run, daemon=True).start()
    out.write(msgspec.json.encode({"listening": told.listening}).decode() + "\n")
    stop.wait()
    # A batch under way can hold the native loop; the parent has been promised an end within two seconds.
    last_resort = threading.Timer(_GRACE_S, os._exit, (0,))
    last_resort.daemon = True
    last_resort.start()
    del told
    os._exit(0)


def serve(setup: Setup) -> Told:
    """Loads the model and listens. Raises whatever xllamacpp raises."""
    import xllamacpp as llama  # noqa: PLC0415 - native and heavy; only this process needs it

    server = llama.Server(parameters(setup))
    return Told(server.listening_address, held=server)


def parameters(setup: Setup) -> Any:
    """xllamacpp's CommonParams."""
    import xllamacpp as llama  # noqa: PLC0415 - native and heavy; only this process needs it

    params = llama.CommonParams()
    params.model.path = setup.gguf
    params.model_alias = {setup.alias}
    params.n_parallel = setup.slots
    params.n_ctx = setup.context * setup.slots
    params.kv_unified = False
    params.cpuparams.n_threads = setup.threads
    params.cpuparams_batch.n_threads = setup.threads
    params.cont_batching = True
    params.cache_ram_mib = setup.prompt_cache_mib
    # One server does chat and embeddings: no difference in speed or memory was seen (SmolLM2-135M, 21 Nov 2026).
    params.embedding = True
    params.pooling_type = llama.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if setup.batch is not None:
        params.n_ubatch = setup.batch
    params.n_batch = params.n_ubatch  # a pooled batch is computed in one piece
    if setup.gpu_layers is not None:
        params.n_gpu_layers = setup.gpu_layers
    if setup.template is not None:
        params.chat_template = setup.template
    params.use_jinja = True
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # Loopback is no identity: without the key any web page or user of this machine could spend its cores.
    params.api_keys = [setup.key]
    params.cors_origins = "null"
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = False  # shows other callers' prompts
    params.offline = True
    params.fit_params = False
    params.verbosity = setup.verbosity
    return params


def _die_with(parent: int) -> None:
    """The kernel ends us with the parent even when native code blocks everything else; elsewhere stdin's end does."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent and os.getppid() != parent:
        os._exit(0)


def _wait_for_end_of_stdin(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


if __name__ == "__main__":
    main()

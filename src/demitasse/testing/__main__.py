"""`python -m demitasse.testing`: the mock provider as a process of its own. Prints its address as a line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from .behaviours import BEHAVIOURS
from .mock import MockUpstream


async def serve(up: MockUpstream) -> None:
    """Until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with up:
        sys.stdout.write(json.dumps({"base_url": up.base_url, "port": up.port}) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    lines = "\n".join(f"  mock-{name:<20} {what}" for name, what in BEHAVIOURS.items())
    parser = argparse.ArgumentParser(
        prog="python -m demitasse.testing",
        description="A provider that answers by rote, counts what it served (GET /served) and misbehaves on request.",
        epilog=f"models that misbehave:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--tokens", type=int, default=16, help="words of an answer")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="before the first byte")
    parser.add_argument("--chunk-ms", type=float, default=0.0, help="between the events of a stream")
    parser.add_argument("--key", help="the bearer token that requests need")
    parser.add_argument("--log", type=int, default=200_000, help="how many records /served holds")
    up = MockUpstream(**vars(parser.parse_args()))
    try:
        import uvloop  # noqa: PLC0415 - faster where there is one
    except ImportError:
        asyncio.run(serve(up))
    else:
        uvloop.run(serve(up))


if __name__ == "__main__":
    main()

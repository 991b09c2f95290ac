"""`up` serves; `run` points one process at the gateway."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .ground import Place, note, placed, say
from .running import Gateway, find, leave_note, take_note_away

if TYPE_CHECKING:
    from types import FrameType

    from ..build import Banner

PLACEHOLDER_KEY: Final = "demitasse-local"
"""OpenAI's clients refuse to start without a key; on loopback any will do."""
NO_MODELS: Final = "none yet: export OPENAI_API_KEY=…, or run: demitasse models pull smollm2-135m"
CANNOT_RUN: Final = 126
NOT_FOUND: Final = 127


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Port to listen on; 0 takes a free one.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on; anything but loopback requires keys.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front ends TLS, so plain HTTP beyond loopback is meant.")
@placed
def up(place: Place, port: int | None, host: str | None, behind_proxy: bool) -> None:
    """Start the gateway and its dashboard; Ctrl-C stops them."""
    given = {"server.port": port, "server.host": host, "server.behind_proxy": behind_proxy or None}
    overrides = {name: value for name, value in given.items() if value is not None}
    config = place.config(overrides)
    _log()
    from ..build import serve

    other: dict[str, Any] | None = None

    def announce(banner: Banner) -> None:
        nonlocal other
        other = leave_note(place.data, banner.base_url)
        for line in banner_lines(banner, place):
            say(line)
        sys.stdout.flush()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        serve(config, place.data, place.env, read=lambda: place.config(overrides), announce=announce)
    except KeyboardInterrupt:
        return
    finally:
        take_note_away(place.data, other)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """The server stops taking calls, lets those under way finish, and raises the signal again: then all is closed.

    Python's own handler would cancel the closing, and the default for SIGTERM would end the process without it.
    """
    raise KeyboardInterrupt


def banner_lines(banner: Banner, place: Place) -> Iterator[str]:
    """What was found and what will be done with it."""
    from ..web.address import reachable

    address = reachable(banner.base_url, socket.gethostname())
    version = ".".join(banner.version.split(".")[:2])
    told = f"telemetry to {banner.telemetry}" if banner.telemetry else "no telemetry"
    yield f"demitasse {version}  ·  one process · everything kept in {short_path(banner.data, place)} · {told}"
    yield f"  models  {' · '.join(banner.models) or NO_MODELS}"
    yield f"  mode    {banner.mode}"
    yield f"  limit   {_limits(banner)}"
    yield f"  open    {address:<32} point clients at  OPENAI_BASE_URL={address}/v1"
    if banner.needs_key:
        yield "  keys    needed, because this address is not loopback: demitasse keys create NAME"
    if banner.recovered:
        from ..web.render import money

        calls = "1 call that was" if banner.recovered == 1 else f"{banner.recovered} calls that were"
        yield (
            f"  found   {calls} under way when the last process died: booked at the full hold "
            f"({money(banner.recovered_nanos)}); set right with: demitasse reconcile --apply FILE"
        )


def short_path(path: Path, place: Place) -> str:
    """With ``~`` for the home directory."""
    home = place.env.get("HOME")
    if home and path.is_relative_to(home) and home != "/":
        return str(Path("~") / path.relative_to(home))
    return str(path)


def _limits(banner: Banner) -> str:
    from .budgets import limit_words

    totals = [b for b in banner.budgets if b.scope == "total" and b.limit_nanos is not None]
    others = len(banner.budgets) - len(totals)
    if not totals:
        return "none                       (set one: demitasse budgets set default 20/day)"
    first, *more = sorted(totals, key=lambda b: (b.name != "default", b.name))
    words = [f"{limit_words(first)} on this machine", *(f"{limit_words(b)} ({b.name})" for b in more)]
    if others:
        words.append(f"{others} more: demitasse budgets list")
    return f"{' · '.join(words)}      (change: demitasse budgets set {first.name} 20/day)"


def _log() -> None:
    """What goes wrong while serving, on standard error."""
    import logging

    from ..build.logs import configure

    configure()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--url", metavar="URL", help="The gateway's address; else the one here, or one started for this.")
@click.option("--key", metavar="KEY", help="A key of the gateway's; else DEMITASSE_KEY.")
@placed
def run(place: Place, command: tuple[str, ...], url: str | None, key: str | None) -> None:
    """Run COMMAND with OPENAI_BASE_URL set to the gateway: demitasse run -- python app.py

    When no gateway runs, one is started for as long as COMMAND does. Its exit status is COMMAND's.
    """
    gateway = find(place, url, key)
    if gateway is not None:
        raise SystemExit(_run(command, _environment(place, gateway)))
    from .background import started

    with started(place) as fresh:
        note(f"demitasse: a gateway was started for this, on {fresh.url}")
        status = _run(command, _environment(place, fresh))
    raise SystemExit(status)


def _environment(place: Place, gateway: Gateway) -> dict[str, str]:
    env = dict(place.env) | {"OPENAI_BASE_URL": gateway.base_url}
    if gateway.key:
        env["OPENAI_API_KEY"] = gateway.key
    else:
        env.setdefault("OPENAI_API_KEY", PLACEHOLDER_KEY)
    return env


def _run(command: Sequence[str], env: dict[str, str]) -> int:
    """The command's exit status; 128 + n when signal n ended it. Signals that come here are passed on."""
    try:
        process = subprocess.Popen(command, env=env)
    except FileNotFoundError:
        note(f"demitasse: there is no command '{command[0]}'")
        return NOT_FOUND
    except OSError as error:
        note(f"demitasse: '{command[0]}' cannot be run: {error.strerror or error}")
        return CANNOT_RUN
    with _passed_on(process):
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _passed_on(process: subprocess.Popen[Any]) -> Iterator[None]:
    """SIGINT reaches the child from the terminal by itself; what is sent to us alone is passed on to it."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    def stay(_number: int, _frame: FrameType | None) -> None:
        if not os.isatty(0):
            pass_on(signal.SIGINT, None)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, stay)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

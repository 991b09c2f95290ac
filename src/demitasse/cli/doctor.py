"""`doctor`: is everything as it should be, and if not, what to do. Each finding is a line with its remedy.

Looks only; changes nothing. Provider keys are named, never shown.
"""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import click

from ..core.errors import DemitasseError
from .ground import Place, placed, say, say_json
from .running import Gateway, configured, noted
from .units import clock_text

if TYPE_CHECKING:
    from ..config import Config

Level = Literal["ok", "note", "warn", "bad"]
GB: Final = 1 << 30
MB: Final = 1 << 20
LITTLE_DISK: Final = 2 * GB
NO_DISK: Final = 100 * MB
LARGE_WAL: Final = 256 * MB
AHEAD_US: Final = 60 * 1_000_000
OLDEST_SQLITE: Final = (3, 35, 0)


class Finding(NamedTuple):
    """One thing looked at. bad: it will not work · warn: it may not for long · note: worth knowing."""

    level: Level
    what: str
    text: str
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--settings", is_flag=True, help="List every setting with its value and who set it, not only changed ones."
)
@click.option("--deep", is_flag=True, help="Also recompute the ledger's chain and sums; takes a while on large ones.")
@placed
def doctor(place: Place, as_json: bool, settings: bool, deep: bool) -> None:
    """Look at Python, disk, store, configuration, models, keys, port and clock. Exit status 1 when something is bad."""
    looks = (*LOOKS, _settings if settings else _changed, *((_chain,) if deep else ()))
    found: list[Finding] = []
    for look in looks:  # one broken file stands in the way of several looks, and is one finding
        known = {f.text for f in found if f.level == "bad"}
        found += [f for f in _looked(look, place) if f.level != "bad" or f.text not in known]
    bad = sum(f.level == "bad" for f in found)
    if as_json:
        say_json({"healthy": not bad, "findings": [f._asdict() for f in found]})
    else:
        width = max(len(f.what) for f in found)
        for f in found:
            say(f"{f.level:<4}  {f.what.ljust(width)}  {f.text}")
            if f.remedy:
                say(f"      {' ' * width}  → {f.remedy}")
        warned = sum(f.level == "warn" for f in found)
        say()
        say("all well" if not bad + warned else f"{bad} bad, {warned} to look at")
    if bad:
        raise SystemExit(1)


def _looked(look: Callable[[Place], Iterator[Finding]], place: Place) -> Iterator[Finding]:
    """What a look finds; when it can't look at all, that is the finding."""
    try:
        yield from look(place)
    except (DemitasseError, OSError) as error:
        yield Finding("bad", look.__name__.strip("_"), str(error))


def _python(_place: Place) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", "python", f"{version}, {sys.executable}")
    text = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield Finding("bad", "sqlite", text, "install a Python with SQLite 3.35 or later")
    else:
        yield Finding("ok", "sqlite", text)


def _disk(place: Place) -> Iterator[Finding]:
    data = place.data
    there = next(p for p in (data, *data.parents) if p.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / GB:,.1f} GB free at {there}"
    if free < NO_DISK:
        yield Finding("bad", "disk", text, "free some space: no call is answered that could not be booked")
    elif free < LITTLE_DISK:
        yield Finding("warn", "disk", text, "free some space, or name another place with --data")
    else:
        yield Finding("ok", "disk", text)


def _data(place: Place) -> Iterator[Finding]:
    data = place.data
    if not data.exists():
        yield Finding("note", "data", f"{data} does not exist yet; the first start creates it")
        return
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding("bad", "data", f"{data} cannot be written", "make it yours, or name another place with --data")
        return
    mode = data.stat().st_mode & 0o777
    if mode & 0o077:
        yield Finding("warn", "data", f"{data} may be read by others (mode {mode:o})", f"chmod 700 {data}")
    else:
        yield Finding("ok", "data", str(data))
    secret = data / "secret"
    if secret.exists() and secret.stat().st_mode & 0o077:
        yield Finding("bad", "secret", f"{secret} may be read by others", f"chmod 600 {secret}")


def _store(place: Place) -> Iterator[Finding]:
    from ..store.books import SqliteBooks
    from ..store.migrations import FILE

    path = place.data / FILE
    if not path.exists():
        yield Finding("note", "ledger", "none yet: no call was made")
        return
    books = SqliteBooks(place.data)
    try:
        facts = books.stats()
        alerts = books.alerts()
    finally:
        books.close()
    yield Finding("ok", "ledger", f"{facts['rows']:,} events, {facts['bytes'] / MB:,.1f} MB, schema {facts['schema']}")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        mode = db.execute("PRAGMA journal_mode").fetchone()[0]
    wal = path.with_name(path.name + "-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if mode != "wal":
        yield Finding("warn", "wal", f"journal mode is {mode}", "keep --data on a local disk, where WAL works")
    elif size > LARGE_WAL:
        text = f"{size / MB:,.0f} MB wait for a checkpoint"
        yield Finding("warn", "wal", text, "a reader holds it open; restart what reads the ledger")
    else:
        yield Finding("ok", "wal", f"on, {size / MB:,.1f} MB")
    yield from _recovered(facts)
    last_us = facts["last_us"]
    if last_us is not None and last_us > place.clock() + AHEAD_US:
        text = f"the ledger's last row is of {clock_text(last_us)} UTC, in the future"
        yield Finding("bad", "clock", text, "set the clock (timedatectl set-ntp true): budgets' days depend on it")
    for alert in alerts:
        yield Finding("warn", "alert", alert.message, alert.remedy)


def _recovered(facts: dict[str, object]) -> Iterator[Finding]:
    recovered = facts.get("recovered")
    if isinstance(recovered, dict) and recovered.get("count"):
        from ..core.money import usd_text

        count, nanos = int(recovered["count"]), int(recovered["nanos"])
        text = f"{count} calls of a process that died are booked at their full holds ({usd_text(nanos)})"
        yield Finding("note", "recovered", text, "set them right with a usage export: demitasse reconcile --apply FILE")


def _master(place: Place) -> Iterator[Finding]:
    """Whether the master key is that of what is kept; the error's sentence is the finding where it is not."""
    from pathlib import Path

    from ..build.guarding import needs_key
    from ..build.keeping import source, usable
    from ..store.master import beside, keys_kept

    config = place.config()
    if not needs_key(config, place.data):
        return
    file = config.keep.master_key_file
    if file is not None and beside(Path(file)).exists():
        yield Finding("note", "master", f"a change of the key in {file} was broken off; the next start ends it")
        return
    usable(config, place.data)
    if count := keys_kept(place.data):
        yield Finding("ok", "master", f"the master key in {source(config)} is that of {count:,} data keys")


def _chain(place: Place) -> Iterator[Finding]:
    from ..store.audit import recount, verify
    from ..store.migrations import FILE

    if not (place.data / FILE).exists():
        return
    whole, row = verify(place.data)
    if whole:
        yield Finding("ok", "chain", "every row is what was written")
    else:
        yield Finding("bad", "chain", f"row {row} is not what was written", "restore a copy: demitasse restore FILE")
    wrong = recount(place.data)
    if wrong:
        yield Finding("bad", "sums", "; ".join(wrong[:3]), "keep a copy (demitasse backup FILE) and report this")
    else:
        yield Finding("ok", "sums", "roll-ups and budgets agree with the entries")


def _config(place: Place) -> Iterator[Finding]:
    config = place.config()
    if config.path is None:
        yield Finding("ok", "config", "none: the defaults hold")
    else:
        yield Finding("ok", "config", f"{config.path}{' (found in the working directory)' if config.found else ''}")
    yield from _foreign(config)


def _changed(place: Place) -> Iterator[Finding]:
    """Settings that are not as they come; bodies of secrets are never among them, because they are named only."""
    return (finding for finding in _settings(place) if not finding.text.endswith("(default)"))


def _settings(place: Place) -> Iterator[Finding]:
    from ..config.describe import describe

    for row in describe(place.config()):
        yield Finding("ok", "setting", f"{row.setting} = {row.value or 'unset'} ({row.origin})")


def _foreign(config: Config) -> Iterator[Finding]:
    from ..config import KeyHome, foreign_key_uses
    from ..providers.vendors import VENDORS

    homes = [
        KeyHome(vendor.name, env, tuple(filter(None, [_host(vendor.base_url)])))
        for vendor in VENDORS.values()
        for env in vendor.key_envs
    ]
    for use in foreign_key_uses(config, homes):
        yield Finding("bad", "config", str(use), f"demitasse up --config {config.path}")


def _host(url: str) -> str | None:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname


def _keys(place: Place) -> Iterator[Finding]:
    from ..providers.vendors import VENDORS

    config = place.config()
    found = [env for vendor in VENDORS.values() for env in vendor.key_envs if place.env.get(env)]
    wanted = {model.key_env: alias for alias, model in config.models.items() if model.key_env}
    for env in dict.fromkeys([*found, *(env for env in wanted if place.env.get(env))]):
        yield Finding("ok", "key", f"{env} is set")
    for env, alias in wanted.items():
        if not place.env.get(env):
            yield Finding("bad", "key", f"{env} is not set, and models.{alias} needs it", f"export {env}=…")
    if not found and not wanted:
        yield Finding("note", "key", "no provider's key in the environment; local models need none")


def _engine(place: Place) -> Iterator[Finding]:
    from .models import local_models

    if find_spec("xllamacpp") is None:
        yield Finding("note", "engine", "not installed: no local models", "pip install 'demitasse[local]'")
        return
    yield Finding("ok", "engine", "xllamacpp is installed")
    for model in local_models(place):
        if model.path is not None:
            yield Finding("ok", "model", f"{model.name}: {model.path}")
        elif model.configured:
            yield Finding("warn", "model", f"{model.name} is not downloaded", f"demitasse models pull {model.name}")


def _port(place: Place) -> Iterator[Finding]:
    address = configured(place)
    if address is None:
        yield Finding("ok", "port", "0: a free one is taken at each start")
        return
    running = noted(place.data) or address
    if Gateway(running).alive():
        yield Finding("ok", "port", f"a gateway answers at {running}")
        return
    server = place.config().server
    if _taken(server.host, server.port):
        text = f"{server.host}:{server.port} is taken by something else"
        yield Finding("bad", "port", text, "stop that, or take another: demitasse up --port 8080")
    else:
        yield Finding("ok", "port", f"{server.host}:{server.port} is free; no gateway is running")


def _taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _moderator(place: Place) -> Iterator[Finding]:
    """Whether it is known what the models cost that every call waits for; a start refuses one that nobody has a price for."""
    from ..build.guarding import moderators, unpriced_moderator
    from ..core.approved import HERE
    from ..providers.price_cards import compile_card, free_moderation
    from ..providers.vendors import VENDORS, is_home

    config = place.config()
    for setting, name in moderators(config).items():
        told = config.models.get(name)
        prefix, _, model = name.partition("/")
        vendor = VENDORS.get(prefix if told is None else told.provider, VENDORS["generic"])
        model = model if told is None else told.model or name
        url, region = (vendor.base_url, None) if told is None else (told.base_url or vendor.base_url, told.region)
        ours = vendor.local or (told is not None and (told.price is not None or told.provider in HERE))
        known = ours or free_moderation(vendor, model, url, region) is not None
        if not known and is_home(vendor, url) and vendor.prices:
            known = compile_card(vendor.prices, model, place.clock()) is not None
        if known:
            yield Finding("ok", "moderator", f"{name}, by {setting}")
        else:
            text, _, remedy = unpriced_moderator(config, setting, name).partition("; say it: ")
            yield Finding("bad", "moderator", text, remedy)


LOOKS: Final = (_python, _disk, _data, _store, _config, _master, _keys, _engine, _moderator, _port)

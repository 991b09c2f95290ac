"""`models`: what can be asked for, what lies on this disk, and how to get more."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from .ground import Commands, Place, note, placed, progress, say, say_json, table
from .running import find

FOLDER = "models"
"""Where downloaded files lie, below the data directory."""


class LocalModel(NamedTuple):
    """A model for this machine. ``path`` None: not downloaded. ``configured``: a table of ``[models]`` names it."""

    name: str
    source: str
    path: Path | None
    configured: bool
    about: str = ""


@click.group(cls=Commands)
def models() -> None:
    """Models: list what can be asked for, pull what runs here."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@placed
def list_(place: Place, as_json: bool) -> None:
    """Routes, named models, local models of the catalogue, and providers whose key is set."""
    rows = list(_rows(place))
    if as_json:
        say_json(rows)
        return
    columns = ("name", "kind", "provider", "ready", "about")
    cells = [(r["name"], r["kind"], r["provider"] or "-", "yes" if r["ready"] else "no", r["about"]) for r in rows]
    table(columns, cells)


@models.command()
@click.argument("name")
@placed
def pull(place: Place, name: str) -> None:
    """Download a local model: a name from the catalogue, of [models], or hf:owner/repo/file.gguf.

    `wordllama-256` is the embedding that the semantic cache needs. Goes on where it was broken off, and checks what came
    before it is given its name.
    """
    from ..providers.catalogue import embeddings
    from ..providers.download import partial_bytes, present
    from ..providers.download import pull as fetch
    from ..providers.engine_kinds import source_of

    settings = place.config().models.get(name)
    wanted = settings.source if settings is not None and settings.source else name
    folder = place.data / FOLDER
    engine = settings.engine if settings is not None else "llama.cpp"
    source = embeddings().get(wanted) or source_of(engine, wanted, folder, place="NAME", base=place.cwd)
    if present(source, folder):
        say(f"{name} is here already: {fetch(source, folder)}")
        return
    place.data.mkdir(parents=True, exist_ok=True, mode=0o700)  # before the download makes it, open to all
    if place.config().governance.profile == "commercial":
        from ..build.governing_check import check_licence

        with place.settings() as store:
            check_licence(place.config(), place.data, store.get_setting, name, to="pulled")
    had = partial_bytes(source, folder)
    if had:
        note(f"going on after {had / 1e6:,.0f} MB")
    with progress(name) as bar:
        path = fetch(source, folder, progress=steps(bar))
    say(f"{name}: {path}, {path.stat().st_size / 1e6:,.0f} MB, checked")
    if wanted not in embeddings():
        note("a running gateway answers with it from its next call on; else start one: demitasse up")


def local_models(place: Place) -> list[LocalModel]:
    """Models of the configuration that run here, and the catalogue's."""
    from ..core.errors import ConfigError
    from ..providers.catalogue import catalogue
    from ..providers.download import place as lies
    from ..providers.download import present
    from ..providers.engine_kinds import source_of

    folder = place.data / FOLDER
    found = []
    configured = place.config().models
    sources = {alias: m.source for alias, m in configured.items() if m.provider == "local" and m.source}
    for alias, name in sources.items():
        try:
            source = source_of(configured[alias].engine, name, folder, place=f"models.{alias}.source")
        except ConfigError as error:
            found.append(LocalModel(alias, name, None, configured=True, about=str(error)))
            continue
        path = lies(source, folder) if present(source, folder) else None
        found.append(LocalModel(alias, name, path, configured=True, about=f"source {name}"))
    for entry in catalogue().values():
        if entry.name not in {*sources, *sources.values()}:
            path = lies(entry, folder) if present(entry, folder) else None
            about = f"{entry.title}, {entry.quantisation}, {entry.size_bytes / 1e6:,.0f} MB, licence: {entry.licence}"
            only = "" if entry.use == "general" else f"; {entry.use}"
            found.append(LocalModel(entry.name, entry.name, path, configured=False, about=about + only))
    return found


def _rows(place: Place) -> Iterator[dict[str, Any]]:
    """Objects of ``models list --json``: name, kind, provider, ready, about."""
    from ..providers.vendors import VENDORS

    config = place.config()
    for name, route in config.routes.items():
        others = ", ".join(rung for rung in (*route.ladder, *route.fallback) if rung != route.reference)
        about = f"answers with {route.reference}" + (f"; also names {others}" if others else "")
        yield _row(name, "route", None, about=about)
    for alias, model in config.models.items():
        if model.provider != "local":
            ready = model.key_env is None or bool(place.env.get(model.key_env))
            if model.provider == "classifier":
                ready = (place.data / FOLDER / "made" / (model.source or "").removeprefix("made:")).is_dir()
            about = f"{model.model} at {model.base_url}" if model.base_url else str(model.model or model.source)
            if not ready:
                lacks = "is not made yet" if model.provider == "classifier" else "is not set"
                about += f"; {model.key_env or model.source} {lacks}"
            yield _row(alias, "model", model.provider, ready=ready, about=about)
    for local in local_models(place):
        ready = local.path is not None
        about = local.about if ready else f"{local.about}; get it with: demitasse models pull {local.name}"
        yield _row(local.name, "model" if local.configured else "catalogue", "local", ready=ready, about=about)
    yield from _made(place)
    known = {model.provider for model in config.models.values()}
    for vendor in VENDORS.values():
        env = next((name for name in vendor.key_envs if place.env.get(name)), None)
        if env is not None and vendor.name not in known:
            yield _row(f"{vendor.name}/*", "provider", vendor.name, about=f"{env} is set")
    yield from _running(place, {*config.routes, *config.models})


def _made(place: Place) -> Iterator[dict[str, Any]]:
    """Models that were made here, whether or not a table of ``[models]`` names them."""
    from ..lab.optimise.artefact import made

    for one in made(place.data):
        score = "" if one.after is None or one.after.score is None else f", score {one.after.score:.1%}"
        gate = "not measured" if one.gate is None else f"{one.gate.verdict} (gate {one.gate.outcome})"
        about = f"{one.method}, {one.bytes / 1e6:,.1f} MB{score}, {gate}, licences {one.licences.verdict}"
        yield _row(f"made:{one.name}", "made", one.kind, about=about)


def _running(place: Place, known: set[str]) -> Iterator[dict[str, Any]]:
    """What a running gateway has found besides: servers on this machine."""
    gateway = find(place)
    if gateway is None:
        return
    for model in gateway.json("GET", "/demitasse/status").get("models", []):
        if model["name"] not in known and model["provider"] != "local":
            about = f"found by the gateway at {gateway.url}"
            yield _row(model["name"], "model", model["provider"], about=about)


def _row(name: str, kind: str, provider: str | None, *, ready: bool = True, about: str = "") -> dict[str, Any]:
    return {"name": name, "kind": kind, "provider": provider, "ready": ready, "about": about}


def steps(bar: Any) -> Callable[[int, int], None]:
    """Bytes done so far as steps of a bar."""
    last = 0

    def step(done: int, total: int) -> None:
        nonlocal last
        bar(done - last, total)
        last = done

    return step

"""Finds the configuration file, reads it, checks it: `load`. And says where things are kept: `data_dir`.

The world (environment, working directory, platform) is passed in.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import ConfigError
from .check import PROVIDERS, check
from .read import Problem, Reader, SettingsError, line_of, lines, parse
from .tree import (
    SECTIONS,
    Budgets,
    BudgetSettings,
    ClassSettings,
    Config,
    GuardSettings,
    ModelSettings,
    Origin,
    RouteSettings,
    TenantSettings,
)

FILE_NAME = "demitasse.toml"


def load(
    path: Path | str | None,
    env: Mapping[str, str],
    cwd: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    providers: Mapping[str, str] = PROVIDERS,
) -> Config:
    """The configuration: from ``path``, else ``DEMITASSE_CONFIG``, else ``demitasse.toml`` in ``cwd``, else defaults.

    ``overrides`` are what a command's flags set, by dotted place (``{"server.port": 8080}``); they win over the file.
    ``providers`` are the names that ``provider`` may have, each with its address (empty: it has none of its own).
    Raises SettingsError (a ConfigError) naming everything that is wrong at once.
    """
    file, found = find(path, env, cwd)
    if file is None:
        return _build({}, "command line", {}, overrides or {}, providers, None, found=False)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file; check --config or DEMITASSE_CONFIG") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as text: {error}") from None
    return _build(parse(text, str(file)), str(file), lines(text), overrides or {}, providers, file, found=found)


def find(path: Path | str | None, env: Mapping[str, str], cwd: Path) -> tuple[Path | None, bool]:
    """(the file, whether it was merely found: nobody named it)."""
    if named := path or env.get("DEMITASSE_CONFIG"):
        return (cwd / Path(named).expanduser()).resolve(), False
    here = cwd / FILE_NAME
    return (here.resolve(), True) if here.is_file() else (None, False)


def data_dir(path: Path | str | None, env: Mapping[str, str], cwd: Path, platform: str = sys.platform) -> Path:
    """Where all is kept: ``path``, else ``DEMITASSE_HOME``, else the platform's data folder. Not created here."""
    if named := path or env.get("DEMITASSE_HOME"):
        return (cwd / Path(named).expanduser()).resolve()
    home = Path(env.get("HOME") or env.get("USERPROFILE") or Path.home())
    if platform == "win32":
        return Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local") / "demitasse"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "demitasse"
    xdg = env.get("XDG_DATA_HOME", "")
    return (Path(xdg) if xdg.startswith("/") else home / ".local" / "share") / "demitasse"


def _build(
    document: dict[str, Any],
    source: str,
    found_lines: Mapping[str, int],
    overrides: Mapping[str, Any],
    providers: Mapping[str, str],
    file: Path | None,
    *,
    found: bool,
) -> Config:
    for place, value in overrides.items():
        _put(document, place.split("."), value)
    reader = Reader()
    sections = _sections(reader, document)
    origins: dict[str, Origin] = dict.fromkeys(reader.given, "file")
    origins |= dict.fromkeys(overrides, "command")
    config = Config(**sections, path=file, found=found, origins=origins)
    config, broken = check(config, providers)
    # What could not be read is not also blamed for what follows from that, nor is the table around it.
    unread = [p.place for p in reader.problems]
    problems = reader.problems + [
        p for p in broken if not any(u == p.place or u.startswith(p.place + ".") for u in unread)
    ]
    if problems:
        raise SettingsError(source, [Problem(p.place, p.message, line_of(p.place, found_lines)) for p in problems])
    return config


_TABLES: dict[str, type[msgspec.Struct]] = {
    "models": ModelSettings,
    "routes": RouteSettings,
    "guards": GuardSettings,
    "classes": ClassSettings,
    "tenants": TenantSettings,
}
"""Sections that hold nothing but tables which the user names."""


def _sections(reader: Reader, document: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {f.name: f.type for f in msgspec.structs.fields(Config)}
    sections: dict[str, Any] = {}
    for name, table in document.items():
        if name not in SECTIONS:
            reader.unknown(name, name, table, SECTIONS)
        elif name in _TABLES:
            sections[name] = reader.tables(_TABLES[name], table, name)
        elif name == "budgets" and isinstance(table, Mapping):
            sections[name] = _budgets(reader, table)
        elif (section := reader.struct(kinds[name], table, name)) is not None:
            sections[name] = section
    return sections


def _budgets(reader: Reader, table: Mapping[str, Any]) -> Budgets:
    """``[budgets]`` holds settings and, beside them, the user's own tables."""
    limits = {k: v for k, v in table.items() if isinstance(v, Mapping)}
    settings: Budgets = reader.struct(
        Budgets, {k: v for k, v in table.items() if k not in limits and k != "limits"}, "budgets"
    )
    if "limits" in table and "limits" not in limits:
        reader.wrong("budgets.limits", "no such setting; name a budget with a table, e.g. [budgets.default]")
    read: dict[str, BudgetSettings] = reader.tables(BudgetSettings, limits, "budgets")
    return msgspec.structs.replace(settings, limits=read)


def _put(document: dict[str, Any], place: list[str], value: Any) -> None:
    for key in place[:-1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return  # the file is wrong here, and the reader says so
        document = inner
    document[place[-1]] = Decimal(str(value)) if isinstance(value, float) else value

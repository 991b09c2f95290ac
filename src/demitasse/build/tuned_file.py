"""Numbers of one ``[models.NAME]`` table written into a configuration file, everything else left byte for byte.

A line is changed or added; then the file is read again, as TOML, and unless exactly the wanted numbers changed, nothing is
written. Knows no tables in other spellings (inline, dotted): there it says what to write by hand.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError


def write(path: Path, alias: str, values: Mapping[str, int]) -> None:
    """Change the file. Raises ConfigError and leaves it as it is where that is not sure to do just what is wanted."""
    old = path.read_bytes()
    new = changed(old.decode("utf-8"), alias, values, place=str(path)).encode()
    if new == old:
        return
    folder = path.resolve().parent
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path.resolve())
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def changed(text: str, alias: str, values: Mapping[str, int], *, place: str = "the file") -> str:
    """The text with the numbers in. Raises ConfigError."""
    by_hand = f"write it by hand: [models.{alias}] " + ", ".join(f"{k} = {v}" for k, v in values.items())
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place} is not valid TOML: {error}") from None
    if alias not in before.get("models", {}):
        raise ConfigError(f"{place} has no [models.{alias}]; {by_hand}")
    lines = text.splitlines(keepends=True)
    name = rf"(?:{re.escape(alias)}|\"{re.escape(alias)}\"|'{re.escape(alias)}')"
    head = re.compile(rf"[ \t]*\[[ \t]*models[ \t]*\.[ \t]*{name}[ \t]*\][ \t]*(?:#.*)?[\r\n]*")
    heads = [at for at, line in enumerate(lines) if head.fullmatch(line)]
    if len(heads) != 1 or '"""' in text or "'''" in text:
        raise ConfigError(f"{place} writes [models.{alias}] in a way that is not sure to be changed rightly; {by_hand}")
    end = next((at for at in range(heads[0] + 1, len(lines)) if re.match(r"[ \t]*\[", lines[at])), len(lines))
    for key, value in values.items():
        row = re.compile(rf"([ \t]*{key}[ \t]*=[ \t]*)([0-9_]+)(?=[ \t]*(?:#.*)?[\r\n]*$)")
        at = next((at for at in range(heads[0] + 1, end) if row.match(lines[at])), None)
        if at is not None:
            lines[at] = row.sub(lambda found, value=value: f"{found[1]}{value}", lines[at])  # type: ignore[misc]
            continue
        last = max(at for at in range(heads[0], end) if at == heads[0] or _says(lines[at]))
        newline = "\r\n" if lines[heads[0]].endswith("\r\n") else "\n"
        if not lines[last].endswith("\n"):
            lines[last] += newline
        lines.insert(last + 1, f"{key} = {value}{newline}")
        end += 1
    new = "".join(lines)
    wanted: dict[str, Any] = {**before, "models": {**before["models"], alias: {**before["models"][alias], **values}}}
    try:
        sure = tomllib.loads(new) == wanted
    except tomllib.TOMLDecodeError:
        sure = False
    if not sure:
        raise ConfigError(f"{place} could not be changed without changing something else; {by_hand}")
    return new


def _says(line: str) -> bool:
    """Whether a line is more than blank or a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")

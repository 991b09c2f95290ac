"""What all commands stand on: where things are, the clock, the terminal, how a failure is told. Knows no command."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
import functools
import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import DemitasseError

if TYPE_CHECKING:
    from ..config import Config
    from ..store.books import SqliteBooks
    from ..store.settings import Settings


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


class World:
    """What a command is handed of the world: environment, working directory and clock; tests pass their own."""

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        clock: Callable[[], int] = now_us,
        config: str | None = None,
        data: str | None = None,
    ) -> None:
        self.env = os.environ if env is None else env
        self.cwd = cwd or Path.cwd()
        self.clock = clock
        self.config = config
        self.data = data

    def named(self, config: str | None, data: str | None) -> World:
        """The same world with the paths that a command line named."""
        return World(env=self.env, cwd=self.cwd, clock=self.clock, config=config or self.config, data=data or self.data)


class Place:
    """One installation as a command sees it: its configuration, its data directory, its books."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.env = world.env
        self.cwd = world.cwd
        self.clock = world.clock
        self.config_path = world.config

    @functools.cached_property
    def data(self) -> Path:
        from ..config import data_dir

        return data_dir(self.world.data, self.env, self.cwd)

    @property
    def names_data(self) -> bool:
        """Whether the data directory was named, by option or environment."""
        return bool(self.world.data or self.env.get("DEMITASSE_HOME"))

    def config(self, overrides: Mapping[str, Any] | None = None) -> Config:
        """The configuration in force. Raises ConfigError naming all that is wrong."""
        from ..config import load

        return load(self.config_path, self.env, self.cwd, overrides=overrides)

    @contextlib.contextmanager
    def books(self) -> Iterator[SqliteBooks]:
        """The books, to read."""
        from ..store.books import SqliteBooks

        books = SqliteBooks(self.data)
        try:
            yield books
        finally:
            books.close()

    @contextlib.contextmanager
    def settings(self) -> Iterator[Settings]:
        """What the store keeps beside the calls, to read and to change; works beside a running gateway."""
        from ..store.settings import Settings

        settings = Settings(self.data, clock=self.clock, by=f"command:{user()}")
        try:
            yield settings
        finally:
            settings.close()


def user() -> str:
    """Whom the operating system says this is; the environment is not asked."""
    if sys.platform == "win32":
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no such user in a container
        return str(os.getuid())


class Commands(click.Group):
    """A group that lists its commands in the order they were added and tells our own errors as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DemitasseError as error:
            raise Failure(str(error)) from error
        except OSError as error:
            if error.filename is None:  # no file's fault: a broken pipe, which click ends quietly
                raise
            why = (error.strerror or "cannot be used").lower()
            raise Failure(
                f"{error.filename}: {why}; check the path and its rights, or name another place with --data"
            ) from error


class Failure(click.ClickException):
    """What was asked for failed: exit status 1, and a sentence on standard error."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(f"demitasse: {self.format_message()}", file=file or sys.stderr)


def placed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--config`` and ``--data``, and hand it the Place they name as its first argument."""

    @click.option("--config", "config_path", metavar="FILE", help="The configuration file.")
    @click.option("--data", "data_path", metavar="DIR", help="Where everything is kept.")
    @functools.wraps(function)
    def command(config_path: str | None, data_path: str | None, **given: Any) -> Any:
        world = click.get_current_context().find_object(World) or World()
        return function(Place(world.named(config_path, data_path)), **given)

    return command


def say(text: str = "") -> None:
    """A line for the user."""
    click.echo(text)


def note(text: str) -> None:
    """A line beside the result, on standard error, so that a pipe gets the result alone."""
    click.echo(text, err=True)


def say_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def on_terminal() -> bool:
    """Whether a person reads this; a pipe gets plain text."""
    return sys.stdout.isatty()


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """Rows under headings: drawn on a terminal, aligned plain text in a pipe.

    ``right``: columns of figures; those and ``whole`` are never broken over lines.
    """
    if on_terminal():
        _draw(columns, rows, right, whole)
        return
    click.echo(plain_table(columns, rows, right=right), nl=False)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> str:
    """The same as text, one line a row."""
    widths = [max([len(name), *(len(row[i]) for row in rows)]) for i, name in enumerate(columns)]
    lines = [
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in (columns, *rows)
    ]
    return "".join(line + "\n" for line in lines)


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing in a pipe; call what you get with what was done since the last time, and the whole."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=False) as bar:

        def step(done: int, total: int) -> None:
            if total:
                bar.length = total
            bar.update(done)

        yield step


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], whole: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        drawn.add_column(
            name, justify="right" if name in right else "left", overflow="fold", no_wrap=name in {*right, *whole}
        )
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)

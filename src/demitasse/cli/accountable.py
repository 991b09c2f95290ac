"""`--by` and `--why` of commands that change what is kept: who answers for it, and the reason, for whoever asks later.

The chain has the operating system's user in any case (``by``); these stand beside it, as they were said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from ..core.visible import visible

F = TypeVar("F", bound=Callable[..., object])

MOST_CHARACTERS = 300


def accountable(command: F) -> F:
    """Gives a command the two options; what came of them goes through ``stated``."""
    by = click.option(
        "--by", metavar="WHO", default="", help="Who answers for it, beside the name that this machine knows you by."
    )
    why = click.option("--why", metavar="TEXT", default="", help="The reason; it stays in the chain for good.")
    return by(why(command))


def stated(by: str, why: str, *, never: str | None = None) -> dict[str, str]:
    """What an event says of it: ``who`` and ``why``, those that were given.

    Args:
        never: what may not stand in either, because it is to be gone from everywhere.

    Raises click.UsageError.
    """
    told = {"who": one_line("--by", by), "why": one_line("--why", why)}
    for option, text in zip(("--by", "--why"), told.values(), strict=True):
        if len(text) > MOST_CHARACTERS:
            raise click.UsageError(f"{option} has {len(text):,} characters; {MOST_CHARACTERS} are kept")
        if never and never.casefold() in text.casefold():
            raise click.UsageError(
                f"{option} names whom you erase, and it would stay in the chain for good; say it without, "
                "such as by the number of their request"
            )
    return {name: text for name, text in told.items() if text}


def one_line(option: str, text: str) -> str:
    """What was said with an option, on one line.

    Raises click.UsageError: it holds what nobody sees, or what would steer the terminal of whoever reads it later.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        raise click.UsageError(
            f"{option} has characters that nobody sees, and it would stay in the chain for good; say it without: {visible(line)}"
        )
    return line

"""`--by` and `--why` of commands that change what is kept: who answers for it, and the reason, for whoever asks later.

The chain has the operating system's user in any case (``by``); these stand beside it, as they were said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

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
    said = {"who": " ".join(by.split()), "why": " ".join(why.split())}
    for option, text in zip(("--by", "--why"), said.values(), strict=True):
        if len(text) > MOST_CHARACTERS:
            raise click.UsageError(f"{option} has {len(text):,} characters; {MOST_CHARACTERS} are kept")
        if never and never.casefold() in text.casefold():
            raise click.UsageError(
                f"{option} names whom you erase, and it would stay in the chain for good; say it without, "
                "such as by the number of their request"
            )
    return {name: text for name, text in said.items() if text}

"""What keeps the books safe and true: `backup`, `restore`, `reconcile`."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from .accountable import accountable, stated
from .ground import Failure, Place, note, placed, say, say_json, table

if TYPE_CHECKING:
    from pathlib import Path

    from ..core.entry import Entry
    from ..core.price import Rates
    from ..store.invoice import Line
    from ..store.reconcile import Difference


@click.command()
@click.argument("file")
@placed
def backup(place: Place, file: str) -> None:
    """Copy the ledger to FILE, also while a gateway writes it; the copy is checked before it is given its name."""
    from ..store.backup import backup as copy

    target = _path(place, file)
    if not target.parent.is_dir():
        raise Failure(f"there is no directory {target.parent}; create it first")
    done = copy(place.data, target)
    say(f"{done}: {done.stat().st_size:,} bytes, one moment of the ledger, checked")
    note(f"not in it: {place.data / 'secret'}, without which keys are worth nothing, and signing_key; keep those apart")


@click.command()
@click.argument("file")
@accountable
@placed
def restore(place: Place, file: str, by: str, why: str) -> None:
    """Lay a copy in the ledger's place; the present one is put aside, not lost. The gateway must be stopped."""
    from ..store.backup import restore as lay

    told = stated(by, why)
    old = lay(place.data, _path(place, file))
    with place.settings() as settings:
        settings.tell("ledger", "restored", told)
    say(f"the ledger in {place.data} is now {file}, checked row by row")
    if old is not None:
        note(f"the one before it lies at {old}")
    if (place.data / "checkpoints").exists():
        note("rows that were signed since the copy was made are missed from now on: see demitasse audit verify")


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--tolerance",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="How much of a day and model may stay unexplained.",
)
@click.option("--apply", is_flag=True, help="Book what the invoice says of estimated and lost rows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def reconcile(place: Place, files: tuple[str, ...], tolerance: float, apply: bool, as_json: bool) -> None:  # fmt: skip
    """Hold the books against a provider's usage export: what differs, per day and model.

    Reads OpenAI's and Anthropic's usage and cost exports, JSON or CSV. Exit status 1 when more than --tolerance of a
    day and model stays unexplained.
    """
    from ..store.reconcile import compare, corrections

    lines = [line for file in files for line in _read(place, file)]
    with place.books() as books, place.settings() as settings:
        entries = _entries(books, lines)
        found = compare(lines, entries, _names(place), _rates(place))
        fixes = corrections(found, ", ".join(files)) if apply else []
        moved = settings.correct(fixes) if fixes else 0
        if fixes:
            found = compare(lines, _entries(books, lines), _names(place), _rates(place))
    beyond = [d for d in found if d.beyond(tolerance / 100)]
    if as_json:
        say_json(_json(found, beyond, tolerance, len(fixes), moved))
    else:
        _show(found, beyond, tolerance)
        if apply:
            from ..web.render import exact

            note(f"{len(fixes)} rows corrected, {exact(moved)} in all" if fixes else "nothing to correct")
    if beyond:
        raise SystemExit(1)


def _read(place: Place, file: str) -> list[Line]:
    from ..store.invoice import read

    try:
        data = _path(place, file).read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror or error}") from error
    return read(data, file)


def _entries(books: Any, lines: list[Line]) -> list[Entry]:
    from ..web.focus import entries

    days = sorted(line.day for line in lines)
    since = dt.datetime.fromisoformat(days[0]).replace(tzinfo=dt.UTC)
    until = dt.datetime.fromisoformat(days[-1]).replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
    # A call that began before midnight may have asked its model after it.
    return list(entries(books, int(since.timestamp() - 3_600) * 1_000_000, int(until.timestamp()) * 1_000_000))


def _names(place: Place) -> dict[str, tuple[str, str]]:
    return {alias: (model.provider, model.model or alias) for alias, model in place.config().models.items()}


def _rates(place: Place) -> Any:
    import msgspec

    from ..core.price import Card
    from ..store.invoice import plain

    with place.settings() as settings:
        cards = [msgspec.convert(value, Card) for *_, value in settings.get_cards()]
    found = {(card.provider, plain(card.model)): card.base for card in cards}

    def rates_of(provider: str, model: str) -> Rates | None:
        return found.get((provider, model))

    return rates_of


def _show(found: list[Difference], beyond: list[Difference], tolerance: float) -> None:
    from ..web.render import exact

    columns = ("day", "provider", "model", "calls", "tokens off", "invoice", "books", "difference", "estimates explain",
               "unexplained", "")  # fmt: skip
    rows = [
        (
            d.day,
            d.provider,
            d.model,
            f"{d.calls:,}",
            "-" if d.tokens_off is None else f"{d.tokens_off:,}",
            _text(d.invoice_nanos),
            exact(d.booked_nanos),
            _text(d.difference_nanos),
            exact(d.explained_nanos),
            _text(d.unexplained_nanos),
            "beyond" if d in beyond else "ok",
        )
        for d in found
    ]
    table(columns, rows, right=columns[3:10])
    if any(d.unpriced for d in found):
        note(f"{sum(d.unpriced for d in found):,} calls have no known price and stand in the books without one")
    if beyond:
        note(
            f"{len(beyond)} of {len(found)} lines differ by more than {tolerance:g} % without an explanation: calls that "
            "went past this gateway, another price, or a mistake here; look at a day with: demitasse ledger --since DAY"
        )
    else:
        note(f"the books agree with the invoice within {tolerance:g} %")
    if any(d.explained_nanos for d in found):
        note("set the estimated and lost rows right with: demitasse reconcile --apply FILE")


def _text(nanos: int | None) -> str:
    from ..web.render import exact

    return "unknown" if nanos is None else exact(nanos)


def _json(
    found: list[Difference], beyond: list[Difference], tolerance: float, fixed: int, moved: int
) -> dict[str, Any]:
    from ..core.money import usd
    from ..web.entries import usage_json

    def dollars(nanos: int | None) -> float | None:
        return None if nanos is None else usd(nanos)

    return {
        "agrees": not beyond,
        "tolerance_percent": tolerance,
        "corrected": fixed,
        "corrected_usd": usd(moved),
        "lines": [
            {
                "day": d.day,
                "provider": d.provider,
                "model": d.model,
                "calls": d.calls,
                "invoice_usd": dollars(d.invoice_nanos),
                "booked_usd": usd(d.booked_nanos),
                "difference_usd": dollars(d.difference_nanos),
                "explained_usd": usd(d.explained_nanos),
                "unexplained_usd": dollars(d.unexplained_nanos),
                "invoice_usage": usage_json(d.invoice_usage),
                "booked_usage": usage_json(d.booked_usage),
                "tokens_off": d.tokens_off,
                "unpriced": d.unpriced,
                "beyond_tolerance": d in beyond,
            }
            for d in found
        ],
    }


def _path(place: Place, file: str) -> Path:
    from pathlib import Path

    return place.cwd / Path(file).expanduser()

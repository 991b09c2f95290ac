"""What the books say: `report`, `ledger`, `explain`."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import click

from .ground import Failure, Place, note, on_terminal, placed, say, say_json, table
from .units import clock_text, moment_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.entry import Entry
    from ..core.price import Card
    from ..store.books import SqliteBooks
    from ..web.energy import Meter
    from ..web.promises import Promise

FOLLOW_S = 0.5
WELL_KNOWN = (("openai", "gpt-5-mini"), ("openai", "gpt-5.1"), ("anthropic", "claude-haiku-4-5"))
"""Hosted models to compare with where the books know none."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--md", is_flag=True, help="Markdown.")
@click.option("--csv", "as_csv", is_flag=True, help="One row per day, key, team, model, route, outcome and cache tier.")
@click.option("--focus", metavar="FILE", help="Write FOCUS 1.2 CSV to FILE; '-' is standard output.")
@click.option("--since", metavar="WHEN", help="A date (2026-11-01) or how long ago (7d); else the month's beginning.")
@click.option("--until", metavar="WHEN", help="The same; else now.")
@placed
def report(
    place: Place, as_json: bool, md: bool, as_csv: bool, focus: str | None, since: str | None, until: str | None
) -> None:
    """What was paid, what it would have cost, and where the saving came from."""
    from ..web import export
    from ..web.report import build_report, month_start_us

    if sum((as_json, md, as_csv, focus is not None)) > 1:
        raise click.UsageError("choose one of --json, --md, --csv and --focus")
    now_us = place.clock()
    since_us = month_start_us(now_us) if since is None else moment_us(since, now_us)
    until_us = now_us if until is None else moment_us(until, now_us)
    if since_us >= until_us:
        raise click.UsageError("--since must lie before --until")
    with place.books() as books:
        if focus is not None:
            _write_focus(place, books, since_us, until_us, focus)
        elif as_csv:
            click.echo(export.as_csv(books, since_us, until_us), nl=False)
        else:
            made = build_report(books, since_us, until_us, now_us, meter_of(place), promises_in(place, now_us))
            if as_json:
                say_json(made.as_json())
            else:
                click.echo(export.as_markdown(made) if md else export.as_text(made), nl=False)


def promises_in(place: Place, now_us: int) -> tuple[Promise, ...]:
    """What the store's certificates promise; nothing where there is no store yet."""
    from ..store.evidence import SqliteEvidence
    from ..web.promises import promises

    with contextlib.closing(SqliteEvidence(place.data)) as evidence:
        return promises(evidence.certificates(), now_us)


def _write_focus(place: Place, books: SqliteBooks, since_us: int, until_us: int, file: str) -> None:
    from ..web import focus

    done = focus.export(books, since_us, until_us, cards_of(place))
    if file == "-":
        click.echo(done.csv, nl=False)
    else:
        try:
            (place.cwd / file).write_text(done.csv, encoding="utf-8")
        except OSError as error:
            raise Failure(f"{file} cannot be written: {error.strerror or error}") from error
        note(f"{file}: {done.rows:,} rows of FOCUS {focus.VERSION}")
    if done.unpriced:
        note(f"left out: {done.unpriced:,} calls whose price is not known; set it with [models.NAME] price")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1), metavar="N", help="How many rows.")
@click.option("--key", metavar="NAME", help="Only calls with this key.")
@click.option("--model", metavar="NAME", help="Only calls that this model answered.")
@click.option("--route", metavar="NAME", help="Only calls of this route.")
@click.option(
    "--outcome",
    type=click.Choice(["answered", "refused", "failed", "cancelled", "lost"]),
    help="Only calls that ended so.",
)
@click.option("--since", metavar="WHEN", help="Only calls from a date (2026-11-01) or from how long ago (7d).")
@click.option("--follow", is_flag=True, help="Go on as calls come, until Ctrl-C.")
@placed
def ledger(place: Place, as_json: bool, last: int, since: str | None, follow: bool, **filters: Any) -> None:
    """The rows of the books, the oldest of the chosen ones first."""
    since_us = None if since is None else moment_us(since, place.clock())
    with place.books() as books:
        found = books.entries(last=last, since_us=since_us, **filters)[::-1]
        seen = found[-1][0] if found else 0
        if not (found or as_json or follow):
            some = books.entries(last=1)
            say("no such call; leave out a filter" if some else "no calls yet; start the gateway with: demitasse up")
            return
        _show([entry for _, entry in found], as_json=as_json, follow=follow)
        with contextlib.suppress(KeyboardInterrupt):
            while follow:
                time.sleep(FOLLOW_S)
                newer = [row for row in books.entries(last=1_000, since_us=since_us, **filters) if row[0] > seen][::-1]
                if newer:
                    seen = newer[-1][0]
                    _show([entry for _, entry in newer], as_json=as_json, follow=True)


def _show(entries: list[Entry], *, as_json: bool, follow: bool) -> None:
    if as_json:
        import msgspec

        from ..web.entries import entry_json

        for entry in entries:
            click.echo(msgspec.json.encode(entry_json(entry)))
    elif follow:
        from .rows import ROW_COLUMNS, row

        for entry in entries:
            say("  ".join(cell for cell, _ in zip(row(entry), ROW_COLUMNS, strict=True)))
    else:
        from .rows import ROW_COLUMNS, ROW_FIGURES, row

        narrow = on_terminal()
        table(ROW_COLUMNS, [row(entry, narrow=narrow) for entry in entries], right=ROW_FIGURES, whole=ROW_COLUMNS[:2])


@click.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def explain(place: Place, id: str, as_json: bool) -> None:
    """Why a call went as it did, what it cost line by line, and what else it could have been.

    ID is the call's id (x-request-id), or the beginning of one among the last thousand calls.
    """
    from ..web.entries import entry_json
    from .rows import explain_lines

    with place.books() as books:
        entry = books.entry(id) or _by_prefix(books, id)
    if entry is None:
        raise Failure(f"there is no call '{id}' in the books; list the last ones with: demitasse ledger")
    cards = cards_of(place)
    if as_json:
        say_json(_explained_json(entry, entry_json(entry), cards, meter_of(place)))
        return
    for line in explain_lines(entry, cards, model_rows(place), meter_of(place)):
        say(line)
    for line in _found_later(place, entry.id):
        say(line)


def _found_later(place: Place, id: str) -> list[str]:
    """What was found of an answer after it was given."""
    from ..store.evidence import SqliteEvidence

    with contextlib.closing(SqliteEvidence(place.data)) as evidence:
        labels = evidence.of([id], source="grounding")
    return [
        f"  later     '{label.method.partition(':')[2]}' decided grey claims: grounding {answer.score:.2f}"
        for label in labels
        for answer in label.others
        if answer.score is not None
    ]


def _by_prefix(books: SqliteBooks, start: str) -> Entry | None:
    found = [entry for _, entry in books.entries(last=1_000) if entry.id.startswith(start)] if len(start) > 3 else []
    if len(found) > 1:
        at = ", ".join(f"{entry.id} ({clock_text(entry.at_us)})" for entry in found[:3])
        raise Failure(f"'{start}' is the beginning of {len(found)} calls: {at}; write more of it")
    return found[0] if found else None


def _explained_json(
    entry: Entry, row: dict[str, Any], cards: Callable[[str], Card | None], meter: Meter
) -> dict[str, Any]:
    from ..web.entries import bill_json

    return row | {"bills": [bill_json(attempt, cards, meter) for attempt in entry.attempts]}


def meter_of(place: Place) -> Meter:
    """By what energy and carbon are told. Books can be read beside a file that is broken: then by the defaults."""
    from functools import partial

    from ..config import Config, hosted, machine
    from ..core.errors import ConfigError
    from ..providers.vendor_energy import Estimates
    from ..web.energy import Meter

    try:
        config = place.config()
    except ConfigError as error:
        note(f"energy and carbon are told by the defaults, because of this: {error}")
        config = Config()
    return Meter(machine(config), Estimates(partial(hosted, config)))


def cards_of(place: Place) -> Callable[[str], Card | None]:
    """Price cards by their identity, as they were when they were used; of one identity, the newest."""
    import msgspec

    from ..core.price import Card

    with place.settings() as settings:
        kept = settings.get_cards()
    found: dict[str, Card] = {}
    for _provider, _model, _version, value in kept:
        card = msgspec.convert(value, Card)
        found[card.id] = card
    return found.get


def model_rows(place: Place) -> list[Any]:
    """What a call's tokens can be priced at elsewhere: every card that the books know, else some that most people know."""
    import msgspec

    from ..core.price import Card
    from ..web.facts import ModelRow

    with place.settings() as settings:
        kept = settings.get_cards()
    newest = {f"{provider}/{model}": msgspec.convert(value, Card) for provider, model, _version, value in kept}
    if all(card.provider == "local" for card in newest.values()):
        from ..providers.price_cards import compile_card

        for provider, model in WELL_KNOWN:
            card = compile_card(provider, model, place.clock())
            if card is not None:
                newest[f"{provider}/{model}"] = card
    return [ModelRow(name=name, provider=card.provider, card=card) for name, card in newest.items()]

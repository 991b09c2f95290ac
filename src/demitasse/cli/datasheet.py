"""`datasheet`: what a set of data holds, where it comes from, and what is wrong with it."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from pathlib import Path

import click

from .ground import Place, placed, say_json


@click.command()
@click.argument("data", metavar="DATA")
@click.option(
    "--against", multiple=True, metavar="DATA", help="Another set that may share passages with it; several times."
)
@click.option("--answers", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="People's answers to what data can't tell: a TOML file, a text for each question's id.")  # fmt: skip
@click.option("--sample", type=click.IntRange(1), default=2000, show_default=True, metavar="N",
              help="So many texts are looked through for personal data.")  # fmt: skip
@click.option("--from", "from_", metavar="DIR", help="Standard sets from files below this folder instead of a hub.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def datasheet(
    place: Place,
    data: str,
    against: tuple[str, ...],
    answers: Path | None,
    sample: int,
    from_: str | None,
    as_json: bool,
) -> None:
    """The datasheet of DATA as Markdown: a task (file, ledger:ROUTE, standard set), recorded:FILE, or any file of rows.

    It counts: rows, labels, lengths, repeats, personal data by type, passages shared with other sets. What only people know is
    marked as to be filled by a person.
    """
    from ..build.governing_data import sheet_of
    from ..lab.governance.datasheet_words import markdown
    from ..lab.governance.datasheets import as_json as plain

    sheet = sheet_of(data, place, against=against, datasets=from_, answers=answers, sample=sample)
    if as_json:
        say_json(plain(sheet))
    else:
        click.echo(markdown(sheet), nl=False)

"""`scan`: all detectors over texts, one result a line. Needs no gateway, no configuration and no network."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from time import thread_time_ns
from typing import IO, TYPE_CHECKING, Any

import click

from .ground import Failure, Place, note, placed, say

if TYPE_CHECKING:
    from ..guard.finding import Findings, Source
    from .scan_lines import Line

SOURCES = ("system", "user", "assistant", "tool", "retrieved")
"""``guard.finding.Source``, which is not loaded for the help's sake; a test holds the two together."""
_SHOWN = 5


@click.command()
@click.argument("file", metavar="[FILE|-]", default="-")
@click.option("--text", "plain", is_flag=True, help="Each line is a text itself, not JSON.")
@click.option(
    "--source",
    type=click.Choice(SOURCES),
    default="user",
    show_default=True,
    help="Who wrote the texts that do not say so themselves.",
)
@click.option("--names", is_flag=True, help="Look for names of people, places and organisations too; takes longer.")
@click.option(
    "--false-alarms",
    type=click.FloatRange(0, 0.1, min_open=True),
    default=0.01,
    show_default=True,
    metavar="SHARE",
    help="Of honest texts that may come into the band high.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@placed
def scan(place: Place, file: str, plain: bool, source: Source, names: bool, false_alarms: float, as_json: bool) -> None:
    """Find personal data, secrets, hidden characters and injected orders in texts.

    Reads JSON lines, {"text": "…", "source": "user"}, from FILE or standard input, and answers each as it comes. Finding
    something is no failure; a line that cannot be read is one, and the others are still done.
    """
    from ..guard.scan import scanner
    from .scan_lines import read_lines

    look = scanner(false_alarms=false_alarms, names=names)
    told: Counter[str] = Counter()
    bad: list[int] = []
    lines = 0
    with _opened(place, file) as stream:
        for line in read_lines(stream, source, plain=plain):
            lines += 1
            if line.error:
                bad.append(line.number)
                note(f"demitasse: line {line.number}: {line.error}")
                if as_json:
                    _write({"line": line.number, "error": line.error})
                continue
            began = thread_time_ns()
            found = look(line.text, line.source, names=names)
            took_us = (thread_time_ns() - began) // 1000
            if as_json:
                _write(as_object(found, took_us, line.number))
            else:
                _tell(line, found, told)
    if not as_json:
        summary = ", ".join(f"{count:,} {what}" for what, count in sorted(told.items())) or "nothing found"
        read = lines - len(bad)
        number = f"{read:,} of {lines:,} texts read" if bad else f"{lines:,} text{'s' * (lines != 1)}"
        say(f"{number}: {summary}" if read or not bad else number)
    if bad:
        named = ", ".join(map(str, bad[:_SHOWN])) + (", …" if len(bad) > _SHOWN else "")
        raise Failure(f"{len(bad)} of {lines:,} lines could not be read ({named}); the others are done")


def _opened(place: Place, file: str) -> AbstractContextManager[IO[bytes]]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return (place.cwd / file).open("rb")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Failure(f"{file} cannot be read: {why}; name a file of JSON lines, or - for standard input") from error


def as_object(found: Findings, took_us: int, line: int) -> dict[str, Any]:
    """The stable, documented object of ``scan --json``."""
    injection = found.injection
    return {
        "line": line,
        "entities": [
            {"type": one.type, "start": one.start, "end": one.end, "score": round(one.score, 4)}
            for one in found.entities
        ],
        # The application's own instructions and the model's words are not scored: no order of theirs is out of place.
        "injection": {
            "score": round(injection.score, 4) if injection is not None else 0.0,
            "band": injection.band if injection is not None else "low",
        },
        "hidden": [{"kind": one.kind, "start": one.start, "end": one.end} for one in found.hidden],
        "secrets": [{"kind": one.kind, "start": one.start, "end": one.end} for one in found.secrets],
        "cut": found.cut,
        "took_us": took_us,
    }


def _write(row: dict[str, Any]) -> None:
    import msgspec

    out = sys.stdout.buffer
    out.write(msgspec.json.encode(row) + b"\n")
    out.flush()  # whoever waits for this line may not send the next before it has it


def _tell(line: Line, found: Findings, told: Counter[str]) -> None:
    for entity in found.entities:
        _row_of(line, entity.type, entity.start, entity.end, f"{entity.score:.2f}")
        told[entity.type] += 1
    for secret in found.secrets:
        _row_of(line, f"secret: {secret.kind}", secret.start, secret.end, "")
        told[f"secret: {secret.kind}"] += 1
    for hidden in found.hidden:
        _row_of(line, f"hidden: {hidden.kind}", hidden.start, hidden.end, "", shown=False)
        told[f"hidden: {hidden.kind}"] += 1
    if found.injection is not None and found.injection.band != "low":
        what = f"injection: {found.injection.band}"
        say(f"line {line.number:>6}  {what:<28}  {'':>15}  {found.injection.score:>5.2f}")
        told[what] += 1
    if found.cut:
        say(f"line {line.number:>6}  too much to look at whole: there may be more")
    sys.stdout.flush()


def _row_of(line: Line, what: str, start: int, end: int, score: str, *, shown: bool = True) -> None:
    value = masked(line.text[start:end]) if shown else ""
    say(f"line {line.number:>6}  {what:<28}  {f'{start}-{end}':>15}  {score:>5}  {value}".rstrip())


def masked(value: str) -> str:
    """Enough of a value to know it again, and not enough to use it."""
    flat = "".join(c if c.isprintable() else " " for c in value)
    return f"{flat[:2]}…{flat[-2:]}" if len(flat) > 8 else "…" * bool(flat)

"""`evidence`: one signed pack of what can be shown, and the look at one; drills that make evidence."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .ground import Commands, Failure, Place, note, placed, progress, say, say_json, table
from .units import day_text, moment_us

if TYPE_CHECKING:
    from ..build.governing import Gathered

STANDARD = "evidence.zip"


class _PackOrCommand(Commands):
    """``evidence FILE`` makes a pack; ``evidence verify FILE`` is a command of its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return super().resolve_command(ctx, ["make", *args])
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"-h", "--help"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_PackOrCommand)
def evidence() -> None:
    """What can be shown to an auditor: one signed pack (make, the default), verify it, and drills that make evidence.

    demitasse evidence [FILE] makes a pack.
    """


@evidence.command("make")
@click.argument("file", required=False, default=STANDARD, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--since", metavar="WHEN", help="A date (2026-09-01) or how long ago (90d); else 90 days.")
@click.option("--until", metavar="WHEN", help="Up to here; else now.")
@click.option(
    "--rows", is_flag=True, help="Put the ledger's rows of the period in, with proofs; clients' own tags are in them."
)
@click.option("--json", "as_json", is_flag=True, help="The control table with its status as one JSON object.")
@placed
def make(place: Place, file: Path, since: str | None, until: str | None, rows: bool, as_json: bool) -> None:
    """Make FILE (evidence.zip): certificates, evaluations, cards, inventory, counts of what the guard did, and the control table.

    Open index.html in it with any browser. No prompt, no answer, no secret and no path of this machine is in it.
    """
    from ..build.governing import controls_json, gather, make_pack, seal_ledger, with_rows
    from ..build.governing_sources import opened, window

    now_us = place.clock()
    wanted = window(
        now_us,
        None if since is None else moment_us(since, now_us),
        None if until is None else moment_us(until, now_us),
    )
    if wanted.since_us >= wanted.until_us:
        raise click.UsageError("--since must lie before --until")
    with opened(place.config(), place.data, clock=place.clock) as sources, progress("counting") as bar:
        unsigned = seal_ledger(place.data, now_us)
        found = gather(sources, wanted, step=_steps(bar))
    if rows:
        found = with_rows(found, place.data)
    if unsigned:
        note(f"no checkpoint was signed: {unsigned}")
    raw = make_pack(found, place.data)
    target = place.cwd / file
    try:
        target.write_bytes(raw)
    except OSError as error:
        raise Failure(f"{file}: {(error.strerror or 'cannot be written').lower()}; name another file") from error
    if as_json:
        say_json({"file": file.name, "bytes": len(raw), **controls_json(found)})
        return
    _say(found, file, len(raw))


@evidence.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    metavar="FINGERPRINT",
    help="The key that must have signed it: 16 hexadecimal digits, as its owner told you.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def verify(place: Place, file: Path, key: str | None, as_json: bool) -> None:
    """Check a pack, offline and anywhere: every file, the manifest's signature, and the archive itself, bit for bit."""
    from ..build.governing import check_pack
    from ..build.governing_sources import own_key

    found = check_pack(file.read_bytes(), own_key(place.data))
    problems = [*found.problems]
    wrong_key = found.valid and key is not None and key.strip().lower() != found.key
    if as_json:
        say_json({
            "valid": found.valid and not wrong_key,
            "key": found.key or None,
            "own": found.own,
            "made": found.manifest.get("made"),
            "files": len(found.manifest.get("files", {})),
            "problems": [{"file": one.file or None, "why": one.why} for one in problems],
        })  # fmt: skip
    for one in problems if not as_json else ():
        say(f"{one.file or file.name}: {one.why}")
    if problems:
        raise Failure(
            f"{file.name} is not as it was signed: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}"
        )
    if wrong_key:
        raise Failure(f"{file.name} is whole, but signed by key {found.key} and not by {key}")
    if not as_json:
        whose = "this data folder's own" if found.own else "compare it with what its owner told you"
        say(f"whole: {len(found.manifest['files'])} files as they were signed on {found.manifest['made'][:10]}")
        say(f"key    {found.key} ({whose})")


@evidence.command()
@click.argument("route")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def drill(place: Place, route: str, as_json: bool) -> None:
    """Try out ROUTE's fallback: its first model is made to fail for one short question, and what came of it is kept.

    The question costs what the fallback's answer costs, on the key demitasse-lab. Exit status 1 where nobody else answered.
    """
    import asyncio
    import random

    from ..build.governing_drill import drill as hold

    told = asyncio.run(hold(place.config(), place.data, place.env, route, clock=place.clock, draw=random.Random()))
    if as_json:
        say_json(told)
    elif told["passed"]:
        cost = f"{told['took_ms']:,.0f} ms, ${told['paid_usd']:.6f}"
        say(f"'{told['failed']}' failed, '{told['answered_by']}' answered ({cost})")
        say(f"kept for the next pack; the call: demitasse explain {told['entry']}")
    if not told["passed"]:
        tried = ", ".join(told["fallbacks"])
        raise Failure(
            f"'{told['failed']}' failed and nobody else answered (asked: {tried}): {told['why'] or 'no answer'}"
        )


@evidence.command()
@click.option("--n", type=click.IntRange(1), default=200, show_default=True, metavar="N", help="So many kept requests.")
@click.option("--seed", type=int, default=7, show_default=True, metavar="N", help="Draws them.")
@click.option("--names", "which", default="auto", show_default=True, metavar="WHICH",
              help="What finds names: own, spacy, presidio, spacy:MODEL; auto takes spaCy where it is installed.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def residual(place: Place, n: int, seed: int, which: str, as_json: bool) -> None:
    """What slipped through: kept requests to models elsewhere, as they were sent on, are scanned again with both tiers.

    Findings are counted. Calls that stayed on this machine are no leak: how many they are is told beside.
    """
    from ..build.governing_drill import residual as look

    told = look(place.config(), place.data, n=n, seed=seed, clock=place.clock, which=which)
    if as_json:
        say_json(told)
        return
    low, high = told["interval"]
    say(
        f"{told['with_any']:,} of {told['n']:,} requests to models elsewhere still held something: "
        f"{told['rate']:.1%} ({low:.1%} to {high:.1%}, 95 %)"
    )
    say(f"{told['stayed']:,} of the newest calls stayed on this machine, and are not counted")
    if told["found"]:
        table(("type", "found"), [(kind, f"{count:,}") for kind, count in told["found"].items()], right=("found",))


def _say(found: Gathered, file: Path, size: int) -> None:
    rows = [(row.framework, row.id, row.status, row.why) for row in found.rows]
    table(("framework", "row", "status", "why"), rows, whole=("row", "status"))
    window = found.window
    say("")
    say(
        f"{file.name}: {size / 1e3:,.0f} kB, {day_text(window.since_us)} to {day_text(window.until_us)}, {len(found.cards)} cards"
    )
    say("open index.html in it; check it anywhere with: demitasse evidence verify " + file.name)
    if found.removed:
        told = ", ".join(f"{n} × {kind}" for kind, n in found.removed.items())
        note(f"taken out of texts: {told}")


def _steps(bar: Any) -> Any:
    last = 0

    def step(done: int, total: int) -> None:
        nonlocal last
        bar(done - last, total)
        last = done

    return step

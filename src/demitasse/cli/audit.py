"""`audit`: is the ledger what it was; what of it can be shown to others; and what is made unreadable for good."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .accountable import accountable, stated
from .ground import Commands, Failure, Place, note, placed, progress, say, say_json, user

if TYPE_CHECKING:
    from ..store.examine import Report


@click.group(cls=Commands)
def audit() -> None:
    """Prove that the books are what they were; and make a person's texts unreadable."""


@audit.command()
@click.argument("file", required=False)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="FINGERPRINT",
    help="Only what this key signed counts (16 hexadecimal digits); may be given again. Else this folder's key.",
)
@click.option(
    "--checkpoints", "files", multiple=True, metavar="FILE", help="Hold the ledger against a copy of checkpoints, too."
)
@click.option(
    "--text",
    metavar="TEXTFILE",
    help="With a proof or a receipt: is this, to the last byte, what was asked or answered?",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def verify(
    place: Place, file: str | None, keys: tuple[str, ...], files: tuple[str, ...], text: str | None, as_json: bool
) -> None:
    """Is what is kept what was written? The live ledger; or FILE: an export, a proof, a receipt or checkpoints, offline.

    Names the first row (or line) that does not fit, and each checkpoint that does not. Works beside a running gateway.
    """
    _fingerprints(keys)
    if file is not None:
        if files:
            raise click.UsageError("--checkpoints goes with the live ledger: leave out FILE")
        from .audit_files import verify_file

        verify_file(place, file, keys, text, as_json=as_json)
        return
    if text is not None:
        raise click.UsageError("--text goes with FILE: a proof or a receipt")
    from ..store.examine import examine

    with progress("reading rows") as step:
        report = examine(place.data, keys=keys, files=_there(place, files), step=step)
    if as_json:
        say_json(_json(report))
    else:
        _show(report)
    if not report.valid:
        raise SystemExit(1)


@audit.command()
@click.argument("id", required=False)
@click.option(
    "--text", metavar="TEXTFILE", help="Put the key in that shows whether this is what was asked or answered."
)
@click.option("--from", "old", metavar="FILE", help="Instead: the ledger goes on from the last checkpoint in FILE.")
@placed
def prove(place: Place, id: str | None, text: str | None, old: str | None) -> None:
    """A proof that the call ID is in the books, as JSON for whoever has nothing of them; check it with `audit verify FILE`.

    With --text it also proves, to whoever has that text, that it is the one of the call. The call's commitment is over the body
    as it was sent and the answer as the model gave it, to the last byte.
    """
    import msgspec

    from .audit_files import growth_from, proof_of

    if (id is None) == (old is None) or (old is not None and text is not None):
        raise click.UsageError("name a call's ID, or a file of checkpoints with --from")
    if old is not None:
        click.echo(msgspec.json.format(msgspec.json.encode(growth_from(place, old)), indent=2))
        return
    assert id is not None
    click.echo(msgspec.json.format(msgspec.json.encode(proof_of(place, id, text)), indent=2))


@audit.command()
@click.argument("file")
@click.option(
    "--since", metavar="WHEN", help="Rows from a date (2026-11-01) or from how long ago (7d); else from the first."
)
@click.option("--until", metavar="WHEN", help="The same; else to the last.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def export(place: Place, file: str, since: str | None, until: str | None, as_json: bool) -> None:
    """Write rows to FILE in a form that verifies without the ledger: `audit verify FILE`, there with --key."""
    from .audit_files import export_to
    from .units import moment_us

    now_us = place.clock()
    since_us = None if since is None else moment_us(since, now_us)
    until_us = None if until is None else moment_us(until, now_us)
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise click.UsageError("--since must lie before --until")
    told = export_to(place, file, since_us, until_us)
    if as_json:
        say_json(told)
    else:
        say(f"{told['file']}: rows {told['first']:,} to {told['last']:,}, {told['bytes']:,} bytes")
        say(f"signed by the key {told['key']}: tell it to whoever gets the file, by another way")


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def checkpoint(place: Place, as_json: bool) -> None:
    """Sign what the ledger comes to now; prints the note, which can be kept anywhere.

    The gateway does so by itself at start and stop and every [audit] checkpoint_minutes.
    """
    from ..store.checkpoints import FILE
    from ..store.signing import fingerprint
    from .audit_files import latest_checkpoint

    made, new = latest_checkpoint(place)
    if as_json:
        key = fingerprint(made.public)
        say_json(
            {"size": made.size, "root": made.root.hex(), "at_us": made.at_us, "key": key, "new": new, "note": made.note}
        )
        return
    click.echo(made.note, nl=False)
    if not new:
        note("nothing was written since this one was signed")
    note(f"all of them: {place.data / FILE}; copy it to where nobody who can write here can write")


_MENTIONS = "mentions of them in the texts of others are not found by this"


@audit.command()
@click.argument("person", required=False)
@click.option("--tenant", metavar="NAME", help="Only at this key or `team:NAME`; without PERSON, all that it has.")
@accountable
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked (a pipe, a script).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def erase(place: Place, person: str | None, tenant: str | None, by: str, why: str, yes: bool, as_json: bool) -> None:
    """Make all texts of PERSON unreadable for good, as requests name them, or of a whole tenant.

    PERSON is the name that requests gave as safety_identifier, user or metadata.user_id. What others wrote about somebody is kept
    under others: no mention is looked for.

    Destroys the keys under which bodies, commitments and placeholders lie, the lab's runs on their calls, and has a running
    gateway empty its caches. The chain stays as it is and tells that it was done, by whom and why, and not of whom.
    It cannot be undone.
    """
    from ..build.erasing import erase as destroy
    from ..store.secret import server_secret

    if person is None and tenant is None:
        raise click.UsageError("name a PERSON, or a tenant with --tenant")
    told = stated(by, why, never=person or tenant)
    whom = " ".join(filter(None, [person and f"'{person}'", tenant and f"{'at ' if person else ''}tenant '{tenant}'"]))
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"nobody is there to be asked whether all texts of {whom} shall go for good; say --yes"
            )
        click.confirm(f"make all texts of {whom} unreadable for good?", abort=True, err=True)
    told = {"by": f"command:{user()}", **told}
    done = destroy(place.data, server_secret(place.data), place.clock(), person=person, tenant=tenant, told=told)
    if as_json:
        say_json(
            {"subjects": done.subjects, "texts": done.texts, "runs": list(done.runs)} | (told if done.told else {})
        )
        return
    if not (done.subjects or done.texts or done.runs):
        if person is None:
            say(f"nothing is kept of {whom}")
            return
        say(
            f"no request that is known here named {whom} as its person (safety_identifier, user or metadata.user_id): "
            f"nothing was erased; {_MENTIONS}"
        )
        return
    say(
        f"{done.texts:,} texts of {whom} are gone, and the keys of {done.subjects:,} subjects with them: no copy opens again"
    )
    say(f"the chain says that {user()} did it{_whose(told)}")
    if person is not None:
        say(_MENTIONS)
    if done.runs:
        say(f"deleted, because their words were in them: the evaluations {', '.join(done.runs)}")


@audit.command()
@click.option("--to-file", metavar="FILE", help="Wrap under the key in FILE, made there if it is missing.")
@click.option("--to-env", metavar="NAME", help="Wrap under the key in this environment variable.")
@accountable
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def rekey(place: Place, to_file: str | None, to_env: str | None, by: str, why: str, as_json: bool) -> None:
    """Change the master key: all data keys are wrapped under another one, and no body is touched.

    Without an option the key file of [keep] master_key_file gets a new key. With one, set the configuration to the new place
    afterwards. The gateway must be stopped; broken off at any moment, nothing is lost.
    """
    from .audit_files import change_master_key

    if to_file is not None and to_env is not None:
        raise click.UsageError("choose one of --to-file and --to-env")
    told = stated(by, why)
    count, where = change_master_key(place, to_file, to_env)
    with place.settings() as settings:
        settings.tell("master_key", "wrapped", {"keys": count, **told})
    if as_json:
        say_json({"keys": count, "master_key": where})
        return
    say(f"{count:,} data keys are wrapped under a new master key: {where}")
    if to_file is not None or to_env is not None:
        setting = "master_key_file" if to_file is not None else "master_key_env"
        note(f"set it in the configuration before the next start: [keep] {setting}")


def _whose(told: dict[str, str]) -> str:
    who, why = told.get("who"), told.get("why")
    return (f", for {who}" if who else "") + (f": {why}" if why else "")


def _fingerprints(keys: tuple[str, ...]) -> None:
    for key in keys:
        if len(key) != 16 or set(key) - set("0123456789abcdef"):
            raise click.UsageError(f"--key: '{key[:40]}' is no fingerprint; it has 16 hexadecimal digits")


def _there(place: Place, files: tuple[str, ...]) -> list[Path]:
    found = [place.cwd / Path(file).expanduser() for file in files]
    for file in found:
        if not file.is_file():
            raise Failure(f"{file} cannot be read: there is no such file")
    return found


def _json(report: Report) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(report)
    return {"valid": report.valid, **told}


def _show(report: Report) -> None:
    for problem in report.problems:
        say(f"{problem.kind}: {problem.message}")
    for text in report.notes:
        note(text)
    if report.valid:
        gone = f", {report.dropped:,} of them dropped when their time was over" if report.dropped else ""
        say(f"{_n(report.rows, 'row is', 'rows are')} what was written{gone}")
        say(
            f"{_n(report.checkpoints, 'checkpoint fits', 'checkpoints fit')}; {_n(report.rows_since, 'row')} came after the last"
        )
    else:
        say(f"{_n(len(report.problems), 'thing is', 'things are')} not what was written")
    if report.key:
        say(f"signed by the key {report.key}; compare it with what you were told")
    if report.valid and not report.checkpoints:
        note(
            "no checkpoint is signed yet: whoever can write the ledger can rewrite it; make one with: demitasse audit checkpoint"
        )


def _n(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"

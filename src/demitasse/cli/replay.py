"""`replay`: what another policy would have done with the calls of the past."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from ..core.errors import ConfigError
from .books import cards_of
from .ground import Failure, Place, note, placed, say, say_json, table
from .units import day_text, moment_us

if TYPE_CHECKING:
    from ..core.policy import Policy
    from ..lab.replay import Estimate, Part, Replayed
    from ..providers.recorded import Recording
    from ..store.evidence import SqliteEvidence

SINCE = "30d"
SHOWN_CHARS = 600


@click.command()
@click.option(
    "--policy", "policy_name", required=True, metavar="FILE", help="A policy (TOML or JSON), or a certificate's id."
)
@click.option("--from", "since", default=SINCE, show_default=True, metavar="WHEN", help="A date, or how long ago (7d).")
@click.option("--to", "until", metavar="WHEN", help="The same; else now.")
@click.option("--texts", is_flag=True, help="Show question and answers of the calls most likely to get worse.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def replay(place: Place, policy_name: str, since: str, until: str | None, texts: bool, as_json: bool) -> None:
    """What another policy would have done with the calls of the past: exact, estimated or modelled, and which.

    A policy file names a route and who serves it:  route = "auto"  and  serve = "small"  or  certificate = "crt_…".
    """
    from ..build.replaying import as_json as json_of
    from ..build.replaying import cards_by_name, entries_between, replay_past
    from ..store.evidence import SqliteEvidence

    now_us = place.clock()
    since_us = moment_us(since, now_us)
    until_us = now_us if until is None else moment_us(until, now_us)
    if since_us >= until_us:
        raise click.UsageError("--from must lie before --to")
    evidence = SqliteEvidence(place.data)
    with contextlib.closing(evidence), place.books() as books, _recordings(place, texts=texts) as recordings:
        policy = _policy(place, policy_name, evidence)
        cards = cards_by_name(entries_between(books, since_us, until_us), cards_of(place))
        done = replay_past(
            books, evidence, policy, since_us=since_us, until_us=until_us, cards=cards, recordings=recordings
        )
        if as_json:
            say_json(json_of(done, since_us, until_us))
        else:
            _say(done, policy, since_us, until_us)
        if not done.total.calls:
            raise Failure(
                f"route '{policy.route}' answered no call between {day_text(since_us)} and {day_text(until_us)}; "
                "choose an earlier --from, or another route"
            )
        if texts and not as_json and recordings is not None:
            _say_texts(done, recordings)


def _policy(place: Place, name: str, evidence: SqliteEvidence) -> Policy:
    from ..lab.policy_file import policy_of, read_policy

    certificates = [row[0] for row in evidence.certificates()]
    references = {route: found.reference or found.ladder[-1] for route, found in place.config().routes.items()}
    if name.startswith("crt_"):
        return policy_of({"certificate": name}, certificates, references, where="--policy")
    return read_policy(place.cwd / name, certificates, references)


@contextlib.contextmanager
def _recordings(place: Place, *, texts: bool) -> Iterator[Callable[[str], Recording | None] | None]:
    from ..build.keeping import keeper

    try:
        found = keeper(place.config(), place.data, place.clock)
    except ConfigError as error:
        note(f"kept bodies cannot be read: {error}")
        found = None
    if found is None:
        if texts:
            raise Failure(
                "no bodies are kept, so there are no texts to show; set [keep] bodies = true for calls to come"
            )
        yield None
        return
    try:
        yield found.recording
    finally:
        found.close()


def _say(done: Replayed, policy: Policy, since_us: int, until_us: int) -> None:
    from ..web.render import money, percent

    total = done.total
    say(
        f"route '{done.route}', {total.calls:,} calls from {day_text(since_us)} to {day_text(until_us)}, under {done.policy}"
    )
    say(f"  served by        {_served(policy, total)}")
    say(f"  paid             {money(total.paid_nanos)}")
    say(f"  would have paid  {_money(total.would_nanos)}")
    if total.paid_nanos:
        share = 1 - total.would_nanos.value / total.paid_nanos
        say(f"  that is          {percent(abs(share))} {'less' if share >= 0 else 'more'}")
    say(f"  quality          {_quality(total)}")
    say(f"  known            {total.exact:,} exact · {total.estimated:,} estimated · {total.modelled:,} modelled")
    if total.unpriced:
        say(f"  left out         {total.unpriced:,} calls without a price; set it with [models.NAME] price")
    if len(done.slices) > 1:
        say()
        rows = []
        for p in done.slices:
            known = (f"{n:,}" for n in (p.calls, p.exact, p.estimated, p.modelled))
            rows.append([p.name or "(no task)", *known, money(p.paid_nanos), _money(p.would_nanos), _quality(p)])
        columns = ("task", "calls", "exact", "estimated", "modelled", "paid", "would have paid", "quality")
        table(columns, rows, right=columns[1:6])
    if done.worst:
        say()
        say("most likely to get worse:")
        rows = [[w.id, w.slice, f"{w.chance:.2f}", "compared" if w.known else "score"] for w in done.worst]
        table(("call", "task", "worse by", "known by"), rows, right=("worse by",), whole=("call",))
        say("see question and answers with --texts")


def _served(policy: Policy, total: Part) -> str:
    from ..web.render import percent

    if total.cheap_share is None:
        return f"{policy.cheap} or {policy.reference}; for these calls it cannot be told"
    return f"{policy.cheap} {percent(total.cheap_share)} · {policy.reference} {percent(1 - total.cheap_share)}"


def _money(found: Estimate) -> str:
    from ..web.render import money

    if found.low == found.high:
        return f"{money(round(found.value))}  {found.grade}"
    return f"{money(round(found.value))} [{money(round(found.low))}, {money(round(found.high))}]  {found.grade}"


def _quality(part: Part) -> str:
    if part.quality is None:
        return "unknown: too few calls were put to both models; see [shadow] usd_per_day"
    found = part.quality
    if found.low == found.high:
        return f"{found.value:.1%} of the reference  {found.grade}"
    return f"{found.value:.1%} of the reference [{found.low:.1%}, {min(1.0, found.high):.1%}]  {found.grade}"


def _say_texts(done: Replayed, recordings: Callable[[str], Recording | None]) -> None:
    from ..score.normal import answer_of
    from ..wire.text import question

    for worse in done.worst:
        asked = recordings(worse.id)
        say()
        say(f"── {worse.id}  {worse.slice}  worse by {worse.chance:.2f}")
        if asked is None:
            say("   its body is not kept any more")
            continue
        say(f"   asked      {_short(question(bytes(asked.request)))}")
        for name, entry in (("cheap", worse.cheap_entry), ("reference", worse.reference_entry)):
            found = recordings(entry or worse.id) if entry else None
            answer = "not kept" if found is None else _short(answer_of(bytes(found.reply)).text)
            say(f"   {name:<10} {answer}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"

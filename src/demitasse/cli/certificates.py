"""`certificates`, `promote`, `undo`: what is promised, put in force and taken back; and how a look at labels is told."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .ground import Commands, Failure, Place, note, placed, say, say_json, table
from .units import UNITS_US, clock_text, day_text

if TYPE_CHECKING:
    from ..build.certifying import Look
    from ..build.promoting import Kept
    from ..core.policy import Certificate, CertificateState, NextLabels, Setting, SliceFloor
    from ..store.evidence import SqliteEvidence

DAY_US = UNITS_US["d"]


@click.command()
@click.argument("name", required=False, metavar="[ID|ROUTE]")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and leave all as it is.")
@placed
def promote(place: Place, name: str | None, dry_run: bool) -> None:
    """Put a certificate in force: from the next second on its route's small model answers what it was proven for.

    Without a name: the one that waits. A name of a route means its newest. Back again with: demitasse undo
    """
    from ..build.promoting import chosen, objection
    from ..build.promoting import promote as put_in_force
    from ..store.signing import public_key

    with _evidence(place) as evidence, place.books() as books, place.settings() as settings:
        kept = chosen(evidence, name)
        certificate, state, *_ = kept
        against = objection(kept, place.config(), books, place.clock(), own=public_key(place.data))
        if against is not None:
            raise Failure(against)
        route = certificate.policy.route
        before = next((c for c in settings.promoted() if c.policy.route == route), None)
        for line in _consequences(place, kept, before):
            say(line)
        if dry_run:
            note("nothing was changed: --dry-run")
        elif state == "promoted":
            note("it is in force already")
        else:
            put_in_force(settings, kept, "")
            say(f"in force, on every running gateway within a second; back with: demitasse undo {route}")


@click.command()
@click.argument("route", required=False)
@placed
def undo(place: Place, route: str | None) -> None:
    """Take back what was promoted: ROUTE's calls, or all calls, go to their reference again, within a second."""
    with place.settings() as settings:
        serving = [c for c in settings.promoted() if route in (None, c.policy.route)]
        if not serving:
            whose = "no route" if route is None else f"route '{route}' is not"
            raise Failure(f"{whose}{' is' if route is None else ''} under a certificate; see: demitasse certificates")
        for certificate in serving:
            settings.put_certificate(certificate, "undone", "by command")
            name = certificate.policy.route
            say(
                f"route '{name}' is back on '{certificate.policy.reference}'; again with: demitasse promote {certificate.id}"
            )


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.pass_context
def certificates(ctx: click.Context, as_json: bool) -> None:
    """What was proven and what is promised: list, show, verify."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=as_json)


@certificates.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@placed
def list_(place: Place, as_json: bool) -> None:
    """All certificates, newest first."""
    with _evidence(place) as evidence:
        rows = evidence.certificates()
    if as_json:
        say_json([_json(row) for row in rows])
    elif not rows:
        say("no certificates; prove one with: demitasse certify ROUTE")
    else:
        columns = ("id", "route", "state", "quality", "saves", "calls", "since", "until")
        table(columns, [_row(row, place.clock()) for row in rows], right=("quality", "saves", "calls"), whole=("id",))


@certificates.command()
@click.argument("id")
@click.option(
    "--json", "as_json", is_flag=True, help="The certificate as one JSON object; it can be verified from a file."
)
@placed
def show(place: Place, id: str, as_json: bool) -> None:
    """One certificate: what it promises, on which evidence, beside what. ID, or a route's newest."""
    with _evidence(place) as evidence:
        kept = _found(evidence, id)
        history = evidence.history(kept[0].id)
    if as_json:
        say_json(_json(kept))
        return
    for line in _told(kept, history, place.clock()):
        say(line)


@certificates.command()
@click.argument("what", metavar="ID|FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def verify(place: Place, what: str, as_json: bool) -> None:
    """Check a certificate's signature; a FILE of certificates show --json can be checked anywhere."""
    import msgspec

    from ..core.policy import decode_certificate
    from ..store.signing import public_key
    from ..store.signing import verify as check

    path = place.cwd / what
    if path.is_file():
        try:
            certificate = decode_certificate(path.read_bytes())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Failure(
                f"{path} holds no certificate ({error}); write one with: certificates show ID --json"
            ) from error
    else:
        with _evidence(place) as evidence:
            certificate = _found(evidence, what)[0]
    checked = check(certificate, public_key(place.data))
    whose = "this data folder's" if checked.own else "not this data folder's; compare it with the signer's"
    if as_json:
        say_json(
            {
                "id": certificate.id,
                "valid": checked.valid,
                "own": checked.own,
                "key": checked.key or None,
                "why": checked.why or None,
            }
        )
    elif checked.valid:
        say(f"certificate {certificate.id} is as it was signed, by key {checked.key} ({whose})")
    if not checked.valid:
        raise Failure(f"certificate {certificate.id} proves nothing: {checked.why}")


# ── a look at the labels ────────────────────────────────────────────────────────────────────────────────────────────


def say_look(place: Place, look: Look, *, as_json: bool) -> None:
    """What ``certify ROUTE`` found. Raises Failure where nothing is proven."""
    if as_json:
        say_json(_look_json(look))
    else:
        for line in _look_told(look):
            say(line)
    if look.finding.certificate is None:
        raise Failure(_nothing(place, look))


def _look_told(look: Look) -> Iterator[str]:
    ladder, finding = look.terms.ladder, look.finding
    second = f", with '{ladder.second}' for a second opinion," if ladder.second else ""
    yield f"route '{ladder.route}': '{ladder.cheap}'{second} in place of '{ladder.reference}'"
    cases = look.gathered.cases
    since = f" since {day_text(int(cases.at_us.min()))}" if len(cases) else ""
    counted = finding.standing.evidence.calls if finding.standing is not None else 0
    unjudged = int((~cases.judged).sum()) if len(cases) else 0
    verdicts = f"; {unjudged:,} without a verdict count against '{ladder.cheap}'" if unjudged else ""
    yield f"  labels    {len(cases):,}{since}, {counted:,} of them counted as evidence{verdicts}"
    if look.era.why:
        yield f"  anew      since {clock_text(look.era.since_us)}: {look.era.why}"
    certificate = finding.certificate
    if certificate is not None:
        yield f"  proven    {promise(certificate)} (estimate {certificate.estimate:.1%})"
        yield f"  saves     {saving(certificate)} of what '{ladder.reference}' alone costs"
    if finding.baselines:
        beside = " · ".join(f"{b.name} {b.quality:.1%} saves {b.saving:.0%}" for b in finding.baselines)
        yield f"  beside    {beside}"
    for ahead in finding.next_labels:
        yield f"  more      {buys(ahead, certificate.saving if certificate is not None else 0.0)}"
    if finding.just_switch:
        yield f"            the small model alone keeps the promise: just switch to '{ladder.cheap}'"
    if certificate is not None:
        yield f"  {certificate.id}  until {day_text(certificate.expires_us)}; it serves nothing yet"
        yield f"put it in force with: demitasse promote {ladder.route}"


def promise(certificate: Certificate) -> str:
    """What it says, in words."""
    return f"quality ≥ {certificate.quality:.4g} × '{certificate.policy.reference}', with {1 - certificate.delta:.4g} confidence"


def saving(certificate: Certificate) -> str:
    return f"{certificate.saving:.0%} [{certificate.saving_low:.0%}, {certificate.saving_high:.0%}]"


def buys(ahead: NextLabels, now: float) -> str:
    """``600 more labels (about $0.90, 2 days) → about 12 points more saving``."""
    costs = [] if ahead.usd is None else [f"about ${ahead.usd:.2f}"]
    if ahead.days is not None:
        costs.append(f"{ahead.days:.0f} days" if ahead.days >= 2 else f"{max(1, ahead.days * 24):.0f} hours")
    beside = f" ({', '.join(costs)})" if costs else ""
    points = (ahead.saving - now) * 100
    return f"{ahead.labels:,} more labels{beside} → about {points:.0f} points{' more' if now else ' of'} saving"


def _nothing(place: Place, look: Look) -> str:
    ladder, finding = look.terms.ladder, look.finding
    route, labels = ladder.route, len(look.gathered.cases)
    what = f"nothing is proven yet for route '{route}' at {look.terms.quality:.4g} of '{ladder.reference}'"
    if finding.fell:
        return f"{what}: {finding.fell}, so that evidence begins anew with the labels to come"
    if look.expired:
        return f"{what} by calls of the last {place.config().certificates.days:g} days; its newest labels are older"
    if not place.config().shadow.usd_per_day:
        shadow = "no shadow calls are made; turn them on with [shadow] usd_per_day"
    elif look.labelling.per_day is None:
        shadow = "no call of it was drawn for a shadow call yet"
    else:
        shadow = f"about {look.labelling.per_day:,.0f} labels come a day"
    if finding.standing is None:
        from ..lab.cases import TRAIN_SHARE
        from ..lab.standing import FIRST

        needed = max(10, round(FIRST / TRAIN_SHARE) - labels)
        return (
            f"{what}: {labels:,} labels, and about {needed:,} more are needed before anything can be learned; {shadow}"
        )
    if finding.next_labels:
        return f"{what}: {buys(finding.next_labels[0], 0.0)}; {shadow}"
    return f"{what}, and more such labels would hardly change that; choose another small model, or a lower quality; {shadow}"


# ── one certificate ─────────────────────────────────────────────────────────────────────────────────────────────────


def _told(kept: Kept, history: list[tuple[CertificateState, int, str]], now_us: int) -> Iterator[str]:
    certificate, state, _, _ = kept
    policy = certificate.policy
    names = (policy.cheap, policy.second, policy.reference)
    window = f"{day_text(certificate.since_us)} to {day_text(certificate.until_us)}"
    models = ", ".join(f"{alias} = {version}" for alias, version in certificate.models)
    yield f"certificate {certificate.id}  ·  {_state(state, certificate, now_us)}"
    yield f"  promise    on route '{policy.route}', {promise(certificate)},"
    yield f"             on traffic like {certificate.n_certify:,} calls of {window}"
    yield f"  estimate   {certificate.estimate:.1%} of the reference's quality; saves {saving(certificate)} of its cost"
    yield f"  policy     {policy.id}: {words(policy.setting, *names)}"
    for name, setting in policy.slices:
        yield f"             {name}: {words(setting, *names)}"
    for part in certificate.slices:
        yield f"  slice      {_slice(part)}"
    for beside in certificate.baselines:
        yield f"  beside     {beside.name}: {beside.quality:.1%} of the quality, saves {beside.saving:.0%}"
    for ahead in certificate.next_labels:
        yield f"  more       {buys(ahead, certificate.saving)}"
    yield f"  models     {models or 'their upstreams tell no versions'}"
    yield f"  learned    from {certificate.n_train:,} other calls, seed {certificate.seed}, by {certificate.code}"
    yield f"  method     {certificate.method}"
    yield f"  expires    {clock_text(certificate.expires_us)} UTC"
    for past, at_us, why in history:
        yield f"  {clock_text(at_us)}  {past}{f': {why}' if why else ''}"


def _slice(part: SliceFloor) -> str:
    proven = f"≥ {part.floor:.4g}" if part.certified and part.floor is not None else "on the reference"
    floor = proven if part.floor is not None else "goes with the rest"
    estimate = "" if part.quality is None else f", estimate {part.quality:.1%}"
    return f"{part.name}: {floor}{estimate}, {part.n:,} pieces of evidence"


def words(setting: Setting, cheap: str, second: str | None, reference: str) -> str:
    """A setting as a sentence."""
    from math import inf

    if setting.direct == -inf:
        return f"'{cheap}' answers"
    parts = []
    if setting.direct < inf:
        parts.append(f"'{cheap}' answers prompts from {setting.direct:.3f} on")
    if setting.draft < inf:
        of = "" if setting.draft == -inf else f" of prompts from {setting.draft:.3f} on"
        asked = f", '{second}' asked where it could change that" if second and setting.second > -inf else ""
        parts.append(f"a draft of '{cheap}'{of} stands from {setting.accept:.3f} on{asked}")
    parts.append(f"else '{reference}'" if parts else f"'{reference}' answers")
    return "; ".join(parts)


def _consequences(place: Place, kept: Kept, before: Certificate | None) -> Iterator[str]:
    certificate = kept[0]
    policy = certificate.policy
    names = (policy.cheap, policy.second, policy.reference)
    usual = _a_day(place, policy.route, certificate.saving)
    yield f"route '{policy.route}': {words(policy.setting, *names)}"
    for name, setting in policy.slices:
        yield f"  task {name}: {words(setting, *names)}"
    yield f"  promised  {promise(certificate)}, until {day_text(certificate.expires_us)}"
    yield f"  saves     {saving(certificate)} of what '{policy.reference}' alone costs{usual}"
    if before is not None and before.id != certificate.id:
        yield f"  replaces  {before.id}, which saved {before.saving:.0%}"


def _a_day(place: Place, route: str, share: float) -> str:
    """What a share of the route's cost has been in money, by the last week."""
    from ..core.evidence import OWN_KEYS

    now_us = place.clock()
    with place.books() as books:
        found = [
            b for b in books.buckets(now_us - 7 * DAY_US, now_us + UNITS_US["h"], ("key", "route")) if b.route == route
        ]
    usual = sum(b.baseline_nanos for b in found if b.key not in OWN_KEYS) / 7e9
    return f": about ${usual * share:.2f} a day" if usual > 0 else ""


def _found(evidence: SqliteEvidence, name: str) -> Kept:
    rows = evidence.certificates()
    for row in (*(r for r in rows if r[0].id == name), *(r for r in rows if r[0].policy.route == name)):
        return row
    known = ", ".join(row[0].id for row in rows[:5]) or "none; prove one with: demitasse certify ROUTE"
    raise Failure(f"there is no certificate '{name}'; there are: {known}")


def _state(state: CertificateState, certificate: Certificate, now_us: int) -> str:
    if state in ("promoted", "certified", "suspended") and certificate.expires_us <= now_us:
        return "expired"
    return {"promoted": "in force", "certified": "proven, serves nothing yet"}.get(state, state)


def _row(kept: Kept, now_us: int) -> tuple[str, ...]:
    certificate, state, since_us, _ = kept
    return (
        certificate.id,
        certificate.policy.route,
        _state(state, certificate, now_us),
        f"≥ {certificate.quality:.4g}",
        f"{certificate.saving:.0%}",
        f"{certificate.n_certify:,}",
        day_text(since_us),
        day_text(certificate.expires_us),
    )


def _json(kept: Kept) -> dict[str, Any]:
    """The certificate as it was signed, and beside it its state."""
    import msgspec

    from ..core.policy import encode_certificate

    certificate, state, since_us, why = kept
    facts: dict[str, Any] = msgspec.json.decode(encode_certificate(certificate))
    return facts | {"state": state, "state_since_us": since_us, "why": why or None}


def _look_json(look: Look) -> dict[str, Any]:
    import msgspec

    from ..core.policy import encode_certificate

    finding, cases = look.finding, look.gathered.cases
    certificate = finding.certificate
    return {
        "route": look.terms.ladder.route,
        "cheap": look.terms.ladder.cheap,
        "second": look.terms.ladder.second,
        "reference": look.terms.ladder.reference,
        "quality": look.terms.quality,
        "delta": look.terms.delta,
        "labels": len(cases),
        "unjudged": int((~cases.judged).sum()) if len(cases) else 0,
        "counted": finding.standing.evidence.calls if finding.standing is not None else 0,
        "since_us": look.era.since_us,
        "anew": look.era.why or None,
        "certificate": None if certificate is None else msgspec.json.decode(encode_certificate(certificate)),
        "fell": finding.fell or None,
        "just_switch": finding.just_switch,
        "baselines": [msgspec.to_builtins(b) for b in finding.baselines],
        "next_labels": [
            {"labels": n.labels, "saving": n.saving, "usd": n.usd, "days": n.days} for n in finding.next_labels
        ],
        "usd_per_label": look.labelling.usd_each,
        "labels_per_day": look.labelling.per_day,
    }


@contextlib.contextmanager
def _evidence(place: Place) -> Iterator[SqliteEvidence]:
    from ..store.evidence import SqliteEvidence

    with contextlib.closing(SqliteEvidence(place.data)) as evidence:
        yield evidence

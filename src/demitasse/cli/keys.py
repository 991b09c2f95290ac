"""`keys`: who may call, what they may use, and how much. A secret is shown once, when it is made."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

import click

from ..core.access import ROLES, SCOPES, may, role_of
from .ground import Commands, Failure, Place, note, placed, say, say_json, table
from .units import clock_text, day_text, duration_us, limit, pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.ledger import Bucket
    from ..core.limits import Budget, Key

MAX_NAME = 64


@click.group(cls=Commands)
def keys() -> None:
    """Keys of your own (dmt_…): create, list, rotate, pause, resume, revoke."""


@keys.command()
@click.argument("name")
@click.option("--team", metavar="NAME", help="Whose it is: its calls are summed and limited with the team's.")
@click.option("--role", type=click.Choice(list(ROLES)), help="A bundle of scopes; else: developer.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(list(SCOPES)), help="What it may do, beside its role."
)
@click.option("--model", "models", multiple=True, metavar="NAME", help="What it may use: a route, a model, provider/*.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag that all its calls bear.")
@click.option("--budget", metavar="LIMIT", help="A limit of its own: 5/day, 20/month, 100 (ever).")
@click.option("--rpm", type=click.IntRange(1), metavar="N", help="Requests a minute.")
@click.option("--tpm", type=click.IntRange(1), metavar="N", help="Tokens a minute.")
@click.option("--expires", metavar="TIME", help="When it ends, from now: 12h, 30d.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, the key in it.")
@placed
def create(
    place: Place,
    name: str,
    team: str | None,
    role: str | None,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    tags: tuple[str, ...],
    budget: str | None,
    rpm: int | None,
    tpm: int | None,
    expires: str | None,
    as_json: bool,
) -> None:
    """Make a key and show it, once."""
    from ..core.keys import RANDOM_BYTES, mac, make
    from ..core.limits import Budget, Key
    from ..store.secret import server_secret

    if not re.fullmatch(rf"[\w.@-]{{1,{MAX_NAME}}}", name) or name == "local":
        raise click.BadParameter(
            f"'{name}' cannot be a key's name; use letters, digits, '.', '@', '-' and '_' ('local' is who has no key)"
        )
    own = None if budget is None else limit(budget)
    classes = _classes(place)
    now_us = place.clock()
    id, token = make(secrets.token_bytes(RANDOM_BYTES))
    with place.settings() as settings:
        key = Key(
            id=id,
            name=name,
            mac=mac(server_secret(place.data), token.encode()),
            created_us=now_us,
            team=team,
            scopes=tuple(dict.fromkeys((*ROLES.get(role or "", ()), *scopes))) or ROLES["developer"],
            models=models,
            tags=pairs(tags),
            rpm=rpm,
            tpm=tpm,
            expires_us=None if expires is None else now_us + duration_us(expires),
        )
        settings.add_key(key)
        if own is not None:
            settings.set_budget(Budget(f"key-{name}", scope="key", subject=name, period=own[1], limit_nanos=own[0]))
    if as_json:
        budget_name = None if own is None else f"key-{name}"
        say_json({"key": token} | _key_json(key, now_us, _data_class(classes, key)) | {"budget": budget_name})
        return
    say(token)
    note("shown once: keep it now; only its fingerprint is stored")
    note(f"within a second, {_use(key, token)}  revoke it with: demitasse keys revoke {name}")


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--all", "every", is_flag=True, help="Revoked and expired ones too.")
@placed
def list_(place: Place, as_json: bool, every: bool) -> None:
    """All keys, what they may do, and what they used this month."""
    from ..web.key_facts import last_days
    from ..web.report import month_start_us

    classes = _classes(place)
    now_us = place.clock()
    with place.settings() as settings, place.books() as books:
        used = {row.key: row for row in books.buckets(month_start_us(now_us), now_us, ("key",))}
        last = last_days(books, now_us)
        every_key, budgets = settings.keys(), settings.budgets()
    found = [key for key in every_key if every or state(key, now_us) not in {"revoked", "expired"}]
    own = _key_budgets(budgets)
    if as_json:
        say_json(
            [
                _key_json(key, now_us, _data_class(classes, key))
                | {"budgets": [budget.name for budget in own.get(key.name, ())]}
                | _used_json(used.get(key.name), last.get(key.name))
                for key in found
            ]
        )
    elif not found:
        say("no keys; on loopback none is needed; create one with: demitasse keys create NAME")
    else:
        columns = (
            "name",
            "id",
            "team",
            "may",
            "models",
            "limits",
            "class",
            "created",
            "expires",
            "state",
            "last call",
            "calls",
            "paid",
        )
        rows = [
            _key_row(
                key, now_us, used.get(key.name), last.get(key.name), _data_class(classes, key), own.get(key.name, [])
            )
            for key in found
        ]
        table(columns, rows, right=("calls", "paid"))


@keys.command()
@click.argument("name")
@placed
def revoke(place: Place, name: str) -> None:
    """End a key for good; its rows stay in the books. NAME or id."""
    with place.settings() as settings:
        key = _find(place, settings.keys(), name)
        settings.revoke_key(key.id)
    say(f"key '{key.name}' opens nothing any more, on every running gateway within a second")


def _use(key: Key, token: str) -> str:
    """What a new key is for."""
    if may(key.scopes, "call"):
        return f"use it as: OPENAI_API_KEY={token[:12]}…"
    if may(key.scopes, "read"):
        return "log in to the pages with it, or send it as a bearer token to /metrics; it calls no models."
    return "send it as a bearer token; it calls no models and opens no page."


@keys.command()
@click.argument("name")
@click.option("--overlap", metavar="TIME", help="How long the old secret still opens, from now: 1h; else not at all.")
@click.option("--expires", metavar="TIME", help="When the new secret ends, from now; else as long as the old.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, the key in it.")
@placed
def rotate(place: Place, name: str, overlap: str | None, expires: str | None, as_json: bool) -> None:
    """Give a key a new secret; the old one opens nothing any more, or not for long. Rights, limits and history stay."""
    from ..core.keys import PREFIX, RANDOM_BYTES, mac, make
    from ..store.secret import server_secret

    classes = _classes(place)
    now_us = place.clock()
    old_until_us = None if overlap is None else now_us + duration_us(overlap)
    _, fresh = make(secrets.token_bytes(RANDOM_BYTES))
    with place.settings() as settings:
        key = _find(place, settings.keys(), name)
        if key.revoked_us is not None:
            raise Failure(f"key '{key.name}' was revoked; create another with: demitasse keys create {key.name}")
        if expires is not None:
            until_us: int | None = now_us + duration_us(expires)
        else:
            until_us = None if key.expires_us is None else now_us + key.expires_us - key.created_us
        token = f"{PREFIX}{key.id}_{fresh.rpartition('_')[2]}"
        if old_until_us is not None and key.expires_us is not None:
            old_until_us = min(old_until_us, key.expires_us)  # an overlap gives nothing that the old one had not
        key = settings.update_key(
            key.id,
            mac=mac(server_secret(place.data), token.encode()),
            created_us=now_us,
            expires_us=until_us,
            old_mac=key.mac,  # known even where it opens nothing, so that its bearer is told that it was replaced
            old_until_us=old_until_us or 0,
        )
    if as_json:
        say_json({"key": token} | _key_json(key, now_us, _data_class(classes, key)))
        return
    say(token)
    until = "is void" if old_until_us is None else f"opens until {clock_text(old_until_us)} UTC"
    note(f"shown once: keep it now; the old secret {until}")


@keys.command()
@click.argument("name")
@click.option("--why", default="paused by hand", show_default=True, metavar="TEXT", help="What its callers are told.")
@placed
def pause(place: Place, name: str, why: str) -> None:
    """Stop a key until it is resumed. NAME may be 'local', whoever has no key."""
    with place.settings() as settings:
        settings.set_paused(_name(place, settings.keys(), name), why)
    say(f"key '{name}' is paused; resume it with: demitasse keys resume {name}")


@keys.command()
@click.argument("name")
@placed
def resume(place: Place, name: str) -> None:
    """Let a paused key call again."""
    with place.settings() as settings:
        known = settings.keys()
        at = _name(place, known, name)
        paused = {key.name for key in known if key.paused is not None}
        settings.set_paused(at, None)
    say(f"key '{name}' may call again" if at in paused else f"key '{name}' was not paused")


def state(key: Key, now_us: int) -> str:
    """``active``, ``paused``, ``expired`` or ``revoked``."""
    if key.revoked_us is not None:
        return "revoked"
    if key.expires_us is not None and key.expires_us <= now_us:
        return "expired"
    return "paused" if key.paused is not None else "active"


def _name(place: Place, keys: Any, name: str) -> str:
    return name if name == "local" else _find(place, keys, name).name


def _find(place: Place, keys: Any, name: str) -> Key:
    """A key by name or id; of several that bore a name, the one in force."""
    now_us = place.clock()
    found: list[Key] = [key for key in keys if name in (key.id, key.name) and key.name != "local"]
    if not found:
        names = ", ".join(sorted({key.name for key in keys if state(key, now_us) != "revoked"})) or "none"
        raise Failure(f"there is no key '{name}'; there are: {names}")
    return min(found, key=lambda key: (key.revoked_us is not None, -key.created_us))


def _classes(place: Place) -> dict[str, str]:
    """Tenant → the class of data that the configuration says its calls are of."""
    from ..core.errors import ConfigError

    try:
        tenants = place.config().tenants
    except ConfigError:
        return {}  # keys can be revoked under a broken file, too; `doctor` says what is wrong with it
    return {name: tenant.data_class for name, tenant in tenants.items()}


def _data_class(classes: dict[str, str], key: Key) -> str | None:
    from ..core.limits import tenant_of

    return classes.get(tenant_of(key.name, key.team)) or None


def _key_budgets(budgets: Sequence[Budget]) -> dict[str, list[Budget]]:
    """The budgets that are for one key alone, by key."""
    found: dict[str, list[Budget]] = {}
    for budget in budgets:
        if budget.scope == "key":
            found.setdefault(budget.subject, []).append(budget)
    return found


def _old_until_us(key: Key, now_us: int) -> int | None:
    return key.old_until_us if key.old_until_us is not None and key.old_until_us > now_us else None


def _key_json(key: Key, now_us: int, data_class: str | None) -> dict[str, Any]:
    from ..web.entries import iso_us

    return {
        "id": key.id,
        "name": key.name,
        "team": key.team,
        "role": role_of(key.scopes) or None,
        "scopes": list(key.scopes),
        "models": list(key.models),
        "tags": dict(key.tags),
        "rpm": key.rpm,
        "tpm": key.tpm,
        "data_class": data_class,
        "created": iso_us(key.created_us),
        "expires": None if key.expires_us is None else iso_us(key.expires_us),
        "old_secret_until": None if (old := _old_until_us(key, now_us)) is None else iso_us(old),
        "revoked": None if key.revoked_us is None else iso_us(key.revoked_us),
        "paused": key.paused,
        "state": state(key, now_us),
    }


def _used_json(used: Bucket | None, last_us: int | None) -> dict[str, Any]:
    from ..core.money import usd

    return {
        "last_used": None if last_us is None else day_text(last_us),
        "requests": used.requests if used else 0,
        "paid_usd": usd(used.cost_nanos) if used else 0.0,
    }


def _key_row(
    key: Key, now_us: int, used: Bucket | None, last_us: int | None, data_class: str | None, budgets: list[Budget]
) -> tuple[str, ...]:
    from ..web.render import money

    limits = [f"{n:,} {unit}" for n, unit in ((key.rpm, "rpm"), (key.tpm, "tpm")) if n]
    limits += [f"{money(b.limit_nanos)}/{b.period}" for b in budgets if b.limit_nanos is not None]
    at = state(key, now_us)
    old_us = _old_until_us(key, now_us)
    shown = f"{at}: {key.paused}" if at == "paused" else at
    return (
        key.name,
        key.id or "-",
        key.team or "-",
        role_of(key.scopes) or ", ".join(key.scopes),
        ", ".join(key.models) or "all",
        ", ".join(limits) or "-",
        data_class or "-",
        day_text(key.created_us) if key.created_us else "-",
        "never" if key.expires_us is None else clock_text(key.expires_us)[:16],
        shown if old_us is None else f"{shown}, old secret until {clock_text(old_us)[:16]}",
        "-" if last_us is None else day_text(last_us),
        f"{used.requests:,}" if used else "0",
        money(used.cost_nanos) if used else "$0.00",
    )

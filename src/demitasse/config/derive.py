"""What others need from the tree in their own nouns: budgets, the machine, who is behind a name, and keys that a merely
found file wants to send out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from msgspec import structs

from ..core.evidence import OWN_KEY
from ..core.hardware import Hardware, hardware
from ..core.limits import Budget, Scope
from ..core.money import Period, nanos
from ..providers.vendors import VENDORS, is_home
from .check import PERIODS, SHADOW_BUDGET, SUBJECTS, is_loopback
from .tree import BudgetSettings, Config

_PERIODS: Final[dict[str, Period]] = {"usd_per_day": "day", "usd_per_month": "month", "usd_ever": "ever"}
_SCOPES: Final[dict[str, Scope]] = {"key": "key", "team": "team", "tag": "tag", "model": "model"}


def budgets(config: Config) -> tuple[Budget, ...]:
    """The budgets of the file, the default one where the file has none, and that of our own calls; amounts exact."""
    given = [
        _budget(name, settings, in_file=any(place.startswith(f"budgets.{name}.") for place in config.origins))
        for name, settings in config.budgets.limits.items()
    ]
    return (*given, *_own(config))


def _own(config: Config) -> Iterable[Budget]:
    """What shadow calls may cost. That it is spent is its way, so nobody is alerted."""
    if config.shadow.usd_per_day:
        limit = nanos(config.shadow.usd_per_day)
        yield Budget(SHADOW_BUDGET, "key", OWN_KEY, "day", limit, soft=(), origin="file")


def _budget(name: str, settings: BudgetSettings, *, in_file: bool) -> Budget:
    limit = next(p for p in PERIODS if getattr(settings, p) is not None)
    subject = next((s for s in SUBJECTS if getattr(settings, s) is not None), None)
    return Budget(
        name=name,
        scope=_SCOPES[subject] if subject else "total",
        subject=getattr(settings, subject) if subject else "",
        period=_PERIODS[limit],
        limit_nanos=nanos(getattr(settings, limit)),
        hard=settings.hard,
        soft=settings.soft,
        origin="file" if in_file else "default",
    )


def machine(config: Config) -> Hardware:
    """The dated defaults, with what the file knows better."""
    return hardware(**structs.asdict(config.hardware))


def hosted(config: Config, name: str) -> tuple[str, str] | None:
    """Provider and model behind a name in the books, where the provider's own servers answer for it; else None.

    An alias is taken for what it names today.
    """
    settings = config.models.get(name)
    provider, _, model = (settings.provider, "", settings.model or name) if settings else name.partition("/")
    vendor = VENDORS.get(provider)
    if vendor is None or vendor.local or not vendor.base_url or not model:
        return None
    if settings and settings.base_url and not is_home(vendor, settings.base_url):
        return None
    return provider, model


class KeyHome(NamedTuple):
    """Where a standard key variable belongs: ``KeyHome("openai", "OPENAI_API_KEY", ("api.openai.com",))``."""

    provider: str
    key_env: str
    hosts: tuple[str, ...]


class ForeignKeyUse(NamedTuple):
    """A key that a merely found file wants sent to a host it does not belong to."""

    model: str
    key_env: str
    host: str
    hash: str
    """What an approval is remembered by: this file, this variable, this server."""

    def __str__(self) -> str:
        return (
            f"models.{self.model}: this file was merely found here and would send {self.key_env} to {self.host}; "
            "name the file with --config if you mean it"
        )


WELL_KNOWN_SECRETS: Final = frozenset(
    {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "GH_TOKEN", "GITHUB_TOKEN", "HF_TOKEN"}
    | {"NPM_TOKEN", "PGPASSWORD", "SLACK_TOKEN", "STRIPE_SECRET_KEY"}
)
"""Variables that are at home at no model provider; a found file may send them nowhere."""


def foreign_key_uses(
    config: Config, homes: Iterable[KeyHome], approved: Collection[str] = frozenset()
) -> list[ForeignKeyUse]:
    """What must be refused until the file is named by ``--config`` or the use approved. Loopback is never foreign."""
    if not config.found:
        return []
    homes = list(homes)
    hosts_of: dict[str, set[str]] = {name: set() for name in WELL_KNOWN_SECRETS}
    for home in homes:
        hosts_of.setdefault(home.key_env.upper(), set()).update(home.hosts)
    own_host = {home.provider: home.hosts[0] for home in homes if home.hosts}
    uses = []
    for alias, model in config.models.items():
        if model.key_env is None or model.key_env.upper() not in hosts_of:
            continue
        url = urlsplit(model.base_url or f"https://{own_host.get(model.provider, '')}")
        host = url.hostname or model.provider
        if is_loopback(host) or (host in hosts_of[model.key_env.upper()] and url.scheme == "https"):
            continue
        identity = "\0".join([str(config.path), model.key_env, url.scheme, url.netloc.lower()])
        digest = hashlib.sha256(identity.encode()).hexdigest()
        if digest not in approved:
            uses.append(ForeignKeyUse(alias, model.key_env, url.netloc or host, digest))
    return uses

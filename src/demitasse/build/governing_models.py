"""What is known of each model, put together for its card: from the configuration, the catalogue, manifests, runs and the books.

Reads; asks no model and fetches nothing. Of what it cannot find it says nothing, so that the card can say it is unknown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct, structs

from ..config import Config
from ..config.tree import Governance
from ..core.approved import Approved, named
from ..core.call import BUCKETS
from ..core.ledger import Bucket
from ..core.price import PICO_PER_USD_PER_MTOK, Card
from ..lab.evals.bias import Bias, Score
from ..lab.governance.cards import UNKNOWN, Energy, Evaluated, Figure, Identity, Issue, Kind, Priced
from ..lab.governance.register import Accepted, Answer, Licensed, Profile, licensed
from ..lab.governance.register import Kind as Held
from ..lab.optimise.artefact import Manifest, made
from ..providers import catalogue
from ..providers.download import note, place
from ..providers.gguf import BadFileError, Head, read_head
from ..providers.made import PREFIX
from ..providers.vendors import VENDORS, elsewhere, vendor_of
from ..web.energy import Meter
from ..web.report import iso, watt_hours
from .governing_detectors import Measured, detectors, measured, weights

HERE: Final = "this machine"


class Origin(Struct, frozen=True):
    """Where a model comes from and computes, before anything was counted."""

    name: str
    kind: Kind
    provider: str
    runs: str = UNKNOWN
    region: str = UNKNOWN
    licence: str = ""
    identity: Identity = Identity()
    use: str = ""
    data: str = ""
    verdict: tuple[Answer, str] | None = None
    """Of a model that was made here: on the licences of base, data and teacher together."""
    limits: tuple[str, ...] = ()
    evaluations: tuple[Evaluated, ...] = ()
    """Of a detector that ships: measured before it did."""
    safety: tuple[Figure, ...] = ()
    cpu: tuple[Figure, ...] = ()


class Shelf:
    """Everything that can be named: aliases, the catalogue, models made here, a provider's own."""

    def __init__(
        self, config: Config, data: Path, accepted: Mapping[str, Accepted], rules: Governance | None = None
    ) -> None:
        self._rules = rules or config.governance
        self._config, self._models, self._data = config, data / "models", data
        self._accepted = accepted
        self.manifests: dict[str, Manifest] = {one.name: one for one in made(data)}

    @property
    def profile(self) -> Profile:
        return self._rules.profile

    @property
    def approved(self) -> Approved:
        return Approved(self._rules.providers)

    def names(self) -> list[str]:
        """What the configuration names, what was made here, what was fetched, and the guard's own."""
        listed: list[catalogue.Entry | catalogue.Embedding] = [*catalogue.catalogue().values()]
        listed += catalogue.embeddings().values()
        fetched = [entry.name for entry in listed if note(place(entry, self._models)) is not None]
        sources = {one.source for one in self._config.models.values()}
        return list(
            dict.fromkeys(
                (
                    *self._config.models,
                    *(name for name in fetched if name not in sources),
                    *(f"{PREFIX}{name}" for name in self.manifests if f"{PREFIX}{name}" not in sources),
                    *(("injection",) if self._config.guard.on else ()),
                    *(("names",) if self._config.guard.on and self._config.guard.names else ()),
                )
            )
        )

    @staticmethod
    def catalogued() -> list[str]:
        """Names of weights that can be fetched by name."""
        return [*catalogue.catalogue(), *catalogue.embeddings()]

    def known(self, name: str) -> bool:
        """Whether anything but traffic knows the name."""
        entries = self.catalogued()
        prefix = name.partition("/")[0]
        return (
            name in self._config.models
            or name in detectors()
            or name in entries
            or (name.startswith(PREFIX) and name.removeprefix(PREFIX) in self.manifests)
            or (prefix in VENDORS and "/" in name)
            or vendor_of(name) is not None
        )

    def origin(self, name: str, seen: Iterable[tuple[str, str]] = ()) -> Origin:
        """Where a model comes from. ``seen``: providers and upstream names under which it answered in the books."""
        met = list(seen)
        upstream = tuple(dict.fromkeys(own for _, own in met if own))
        settings = self._config.models.get(name)
        if settings is not None and settings.provider in ("local", "classifier"):
            return self._from_source(name, settings.source or "smollm2-135m", settings.region)
        if settings is not None:
            runs = settings.region or (HERE if VENDORS.get(settings.provider, VENDORS["generic"]).local else UNKNOWN)
            names = upstream or (settings.model or name,)
            foreign = elsewhere(settings.provider, settings.base_url)
            kind: Kind = "recorded" if settings.provider == "recorded" else "server" if foreign else "hosted"
            host = urlsplit(settings.base_url).hostname if settings.base_url else None
            limits = (f"Reached at {host}, an address of this configuration.",) if host else ()
            if foreign:
                asked = f"asked as {settings.provider} is" if settings.provider != "generic" else "asked as OpenAI is"
                limits = (f"Reached at {foreign}, {asked}: what computes there is known to whoever runs it.",)
            return Origin(
                name,
                kind,
                own_server(foreign) if foreign else settings.provider,
                runs,
                settings.region or runs,
                identity=Identity(names),
                limits=limits,
            )
        if name in detectors():
            return detector(name)
        if (
            name.startswith(("hf:", PREFIX))
            or name.endswith(".gguf")
            or name in catalogue.catalogue()
            or name in catalogue.embeddings()
        ):
            return self._from_source(name, name, None)
        provider = met[0][0] if met else name.partition("/")[0] if "/" in name else ""
        if not provider:
            vendor = vendor_of(name)
            provider = vendor.name if vendor is not None else ""
        if provider in ("local", "classifier"):
            return Origin(name, "local", provider, HERE, HERE, identity=Identity(upstream))
        here = provider in VENDORS and VENDORS[provider].local
        runs = HERE if here else UNKNOWN
        names = upstream or (name.removeprefix(f"{provider}/"),)
        return Origin(name, "hosted", provider, runs, runs, identity=Identity(names))

    def licensed(self, origin: Origin) -> Licensed:
        """Its row of the register."""
        kind: Held = "weights"
        if origin.kind == "server":
            kind = "server"
        elif origin.kind in ("hosted", "recorded"):
            kind = "hosted" if origin.kind == "hosted" else "service"
        settings = self._config.models.get(origin.name)
        row = licensed(
            origin.name,
            kind=kind,
            provider=origin.provider,
            licence=origin.licence,
            upstream=_maker_name(origin),
            verdict=origin.verdict,
            profile=self.profile,
            accepted=self._accepted,
            approved=self.approved,
            asked=named(settings.provider, elsewhere(settings.provider, settings.base_url))
            if settings
            else origin.provider,
            local=settings is not None and settings.region == "local",
        )

        if origin.kind != "detector":
            return row
        said = "It gives scores and places in a text, no text of its own: nobody's terms are on these."
        return structs.replace(row, outputs="allowed", outputs_say=said, outputs_source="")

    def _from_source(self, name: str, source: str, region: str | None) -> Origin:
        where = region or HERE
        if source.startswith(PREFIX):
            return self._made(name, source.removeprefix(PREFIX), where)
        entry = catalogue.catalogue().get(source)
        if entry is not None:
            identity = Identity(
                (entry.title,), entry.file, entry.sha256, entry.size_bytes, entry.quantisation, _from(entry.sources)
            )
            limits = (f"Speeds measured {entry.measured} on {entry.measured_on}.",)
            return Origin(name, "local", "local", HERE, where, entry.licence, identity, entry.use, limits=limits)
        embedding = catalogue.embeddings().get(source)
        if embedding is not None:
            identity = Identity(
                (embedding.title,), embedding.file, embedding.sha256, embedding.size_bytes, "", _from(embedding.sources)
            )
            return Origin(name, "embedding", "local", HERE, where, embedding.licence, identity, embedding.use)
        return self._of_a_file(name, source, where)

    def _of_a_file(self, name: str, source: str, where: str) -> Origin:
        base = self._config.path.parent if self._config.path else None
        file, sha256, size = source.rpartition("/")[2], "", None
        hub = source if source.startswith("hf:") else ""
        if hub or source.endswith(".gguf"):
            path = place(catalogue.find(source, base=base), self._models)
            kept = note(path)
            if kept is not None:
                sha256, size, hub = kept.sha256, kept.size_bytes, kept.origin
            head = _head(path)
            if head is not None:
                return _of_its_head(name, where, head, Identity((head.name,), file, sha256, head.size_bytes, "", hub))
        return Origin(name, "local", "local", HERE, where, "", Identity((), file, sha256, size, "", hub))

    def _made(self, name: str, own: str, where: str) -> Origin:
        manifest = self.manifests.get(own)
        if manifest is None:
            return Origin(name, "made", "local", HERE, where)
        kind: Kind = {"classifier": "classifier", "encoder": "embedding"}.get(manifest.kind, "made")  # type: ignore[assignment]
        first = manifest.files[0] if manifest.files else None
        base = manifest.base
        data = manifest.data
        terms = manifest.licences
        said = "" if data is None else (
            f"Task {data.task} (hash {data.hash[:16]}…), source {data.source or UNKNOWN}, licence {data.licence}; "
            f"{data.train:,} rows to learn from, {data.test:,} to measure on" + (f", split {data.split}" if data.split else "")
        )  # fmt: skip
        failed = ("It failed its equivalence gate and was kept all the same.",) if manifest.kept_anyway else ()
        return Origin(
            name,
            kind,
            "classifier" if kind == "classifier" else "local",
            HERE,
            where,
            licence=terms.base if base is not None else terms.data,
            identity=Identity(
                upstream=(own,),
                file=first.name if first else "",
                sha256=first.sha256 if first else "",
                bytes=manifest.bytes,
                made_from=base.name if base is not None else "",
                method=manifest.method,
            ),
            data=said,
            verdict=(
                "unknown" if terms.verdict == "unclear" else terms.verdict,
                terms.why or "Base, data and teacher together.",
            ),
            limits=(*manifest.limitations, *failed),
        )


def _head(path: Path) -> Head | None:
    """What a file of weights says of itself; None: it is not there, or is no GGUF."""
    try:
        stat = path.stat()
        return _read_once(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, BadFileError):
        return None


@lru_cache(maxsize=32)
def _read_once(path: Path, _size: int, _changed_ns: int) -> Head:
    return read_head(path)


def _of_its_head(name: str, where: str, head: Head, identity: Identity) -> Origin:
    """Of weights that nobody here knows, what their file says; the card says that nobody checked it."""
    said = "Its name and size are what its file says of itself; it states no licence."
    if head.licence:
        stated = f"its licence ('{head.licence}', general.license)"
        said = f"Its name and {stated} are what its file says of itself; nobody checked that here."
    identity = structs.replace(identity, quantisation=head.quantisation, made_from=head.base)
    return Origin(name, "local", "local", HERE, where, head.licence, identity, limits=(said,))


def own_server(host: str) -> str:
    """What stands in a provider's place where the address is none's own."""
    return f"a server of your own at {host}"


def _from(sources: Iterable[catalogue.HubSource | catalogue.IndexSource]) -> str:
    first = next(iter(sources), None)
    return "" if first is None else f"index {first.package}" if isinstance(first, catalogue.IndexSource) else str(first)


def _maker_name(origin: Origin) -> str:
    """The name by which terms on a model's answers are found."""
    if origin.kind == "server":
        return ""
    if origin.kind == "hosted":
        own = origin.identity.upstream[0] if origin.identity.upstream else origin.name
        return own if "/" in own or not origin.provider else f"{origin.provider}/{own}"
    if origin.identity.made_from:
        return origin.identity.made_from
    title = origin.identity.upstream[0] if origin.identity.upstream else origin.name
    return re.sub(r"\s+", "-", title).lower()


def priced(card: Card, dates: Mapping[str, str]) -> Priced:
    """A price card for people: dollars per million tokens. ``dates``: when a card was first kept, by its id."""
    usd = {}
    for name in BUCKETS:
        rate = getattr(card.base, name)
        if name in ("uncached_in", "text_out", "cache_read") or rate not in (None, 0):
            usd[name] = None if rate is None else rate / PICO_PER_USD_PER_MTOK
    return Priced(card.id, _price_source(card.id) + _kept(dates.get(card.id)), usd, card.base.per_request_nanos / 1e9)


def _price_source(id: str) -> str:
    first, _, rest = id.partition(" ")
    if first == "genai-prices":
        return f"price database genai-prices, release {rest.partition(' ')[0]}"
    if first == "config":
        return "set in the configuration"
    if first == "hardware":
        return "what an hour of this machine is taken to cost"
    return first or UNKNOWN


def _kept(date: str | None) -> str:
    return f", kept {date[:10]}" if date else ", day not on record"


def energies(rows: Iterable[Bucket], model: str, meter: Meter) -> tuple[Energy, ...]:
    """Of one call, by method: sums of the window over the calls that a model answered."""
    own = [row for row in rows if row.model == model and row.attempts]
    calls = sum(row.requests for row in own)
    if not calls:
        return ()
    total = Bucket(
        **{
            name: sum(getattr(row, name) for row in own)
            for name in ("requests", *(n for n in Bucket.__struct_fields__ if n.startswith("energy_")))
        }
    )
    sums, _ = meter.sums(total, own)
    return tuple(
        Energy(
            one.method,
            (watt_hours(one.low_uj) / (one.calls or calls), watt_hours(one.high_uj) / (one.calls or calls)),
            (one.carbon_mg.low / 1e3 / (one.calls or calls), one.carbon_mg.high / 1e3 / (one.calls or calls)),
            one.calls or calls,
        )
        for one in sums
    )


def figures_of(found: Bias, at: str, task: str) -> tuple[Figure, ...]:
    """BBQ's scores as a card tells them."""
    whole = found.overall

    def figure(name: str, score: Score) -> Figure:
        return Figure(f"{task}: {name}", score.value, score.interval, score.n, at)

    return (
        figure("accuracy, ambiguous", whole.ambiguous_accuracy),
        figure("accuracy, disambiguated", whole.disambiguated_accuracy),
        figure("bias score, ambiguous", whole.ambiguous_bias),
        figure("bias score, disambiguated", whole.disambiguated_bias),
    )


def issue(at_us: int, what: str, *, open: bool) -> Issue:
    return Issue(iso(at_us), what, open)


def detector(name: str) -> Origin:
    """Where one of ``detectors`` comes from, and what was measured of it; its hash is that of the file as it is installed."""
    told = detectors()[name]
    raw = weights(told)
    identity = Identity(
        upstream=(told.title,),
        file=told.file,
        sha256=hashlib.sha256(raw).hexdigest() if raw else "",
        bytes=len(raw) or None,
        origin="ships with Demitasse",
        method=told.method,
    )
    found = measured(told)
    limits = (*told.limits, f"How it works, and all tables: {told.page} of the project.")
    if found is None or found.sha256 != identity.sha256:
        limits = (*limits, "No figures: what was measured is of other weights than these.")
        found = Measured("", "")
    elif found.lacking:
        limits = (*limits, f"Not measured with these weights: {', '.join(found.lacking)}.")
    return Origin(
        name, "detector", "local", HERE, HERE, told.licence, identity, told.use, told.data, limits=limits,
        evaluations=found.evaluations, safety=found.safety, cpu=found.cpu,
    )  # fmt: skip

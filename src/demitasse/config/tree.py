"""Every setting there is: name, type, default, range, one line of meaning. Knows no file, no rule between settings.

A section is named after what reads it. The meaning stands beside the field, and the reference page is written from
here, so that no setting can exist undocumented.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..core.quiet import quiet

Origin = Literal["default", "file", "env", "command", "store"]

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Amount = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]


def says(meaning: str) -> Meta:
    """A setting's one line in the reference."""
    return Meta(description=meaning)


OPEN_TABLES = {
    "models": "NAME",
    "routes": "NAME",
    "budgets": "NAME",
    "guards": "NAME",
    "classes": "NAME",
    "tenants": "NAME",
}
"""Sections whose tables the user names."""


class Server(Struct, frozen=True):
    """Where the gateway and its dashboard listen."""

    host: Annotated[str, says("Address to listen on. Anything but loopback requires keys.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535), says("Port to listen on; 0 takes a free one.")] = 4141
    tls_cert: Annotated[str | None, says("Certificate chain (PEM); relative to this file.")] = None
    tls_key: Annotated[str | None, says("The certificate's private key (PEM).")] = None
    behind_proxy: Annotated[bool, says("A proxy in front ends TLS, so plain HTTP beyond loopback is meant.")] = False
    cors: Annotated[tuple[str, ...], says("Origins whose pages may call the API, e.g. `https://app.example`.")] = ()
    max_body_mb: Annotated[int, Meta(ge=1, le=1024), says("Largest request body that is read.")] = 32


class Price(Struct, frozen=True):
    """What the price database does not know. A kind of token that is not named costs what the wider kind costs."""

    input_usd_per_mtok: Annotated[Decimal, says("Input tokens, in dollars per million.")]
    output_usd_per_mtok: Annotated[Decimal | None, says("Output tokens; unset: output is unpriced.")] = None
    cache_read_usd_per_mtok: Annotated[Decimal | None, says("Input read from the provider's cache.")] = None
    cache_write_usd_per_mtok: Annotated[Decimal | None, says("Input written to the provider's cache.")] = None
    cache_write_5m_usd_per_mtok: Annotated[Decimal | None, says("The same, kept five minutes.")] = None
    cache_write_1h_usd_per_mtok: Annotated[Decimal | None, says("The same, kept an hour.")] = None
    image_in_usd_per_mtok: Annotated[Decimal | None, says("Image tokens in the input.")] = None
    audio_in_usd_per_mtok: Annotated[Decimal | None, says("Audio tokens in the input.")] = None
    reasoning_out_usd_per_mtok: Annotated[Decimal | None, says("Reasoning tokens in the output.")] = None
    audio_out_usd_per_mtok: Annotated[Decimal | None, says("Audio tokens in the output.")] = None
    usd_per_request: Annotated[Decimal, says("A fee for each request besides its tokens.")] = Decimal(0)


class ModelSettings(Struct, frozen=True):
    """A model under a name of your own."""

    provider: Annotated[str, says("`local`, `classifier`, or a provider such as `openai`; see the list.")]
    model: Annotated[str | None, says("The provider's own name of it; unset: the name of this table.")] = None
    source: Annotated[
        str | None,
        says("Local only: a name from the catalogue, a `.gguf` file, `hf:owner/repo/file.gguf`, or `made:NAME`."),
    ] = None
    engine: Annotated[
        Literal["llama.cpp", "transformers"],
        says("Local only: what computes it. `transformers` takes as `source` a model folder or `hf:owner/repo`."),
    ] = "llama.cpp"
    base_url: Annotated[str | None, says("Any OpenAI-compatible server, e.g. `http://127.0.0.1:8000/v1`.")] = None
    key_env: Annotated[
        str | None, says("Name of the environment variable that holds the key; never the key itself.")
    ] = None
    price: Annotated[Price | None, says("What it costs, where the price database does not know.")] = None
    slots: Annotated[Annotated[int, Meta(ge=1, le=256)] | None, says("Local only: calls answered side by side.")] = None
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=1024)] | None, says("Local only: unset: chosen from what is free.")
    ] = None
    batch: Annotated[
        Annotated[int, Meta(ge=1, le=65536)] | None,
        says("llama.cpp only: prompt tokens computed in one piece; unset: 512."),
    ] = None
    gpu_layers: Annotated[
        Annotated[int, Meta(ge=0, le=10000)] | Literal["auto"],
        says("Local only: layers on a graphics processor; `auto`: as the engine finds one; 0: none."),
    ] = "auto"
    context: Annotated[
        Annotated[int, Meta(ge=128)] | None, says("Context window in tokens; unset: the model's own.")
    ] = None
    max_output: Annotated[Count | None, says("Most output tokens it can give; bounds what is held.")] = None
    max_image_tokens: Annotated[Count | None, says("What an image of unknown size is held for.")] = None
    timeout_s: Annotated[Positive | None, says("Longest wait for its first byte; else `[http]` decides.")] = None
    region: Annotated[
        str | None, says("Where it computes, e.g. `eu-central`; `local`: nothing it is asked leaves this machine.")
    ] = None


class RouteSettings(Struct, frozen=True):
    """A name that clients ask for, and which models may answer."""

    reference: Annotated[
        str, says("What quality is measured against and savings are counted from; unset: the last of `ladder`.")
    ] = ""
    ladder: Annotated[
        tuple[str, ...], says("Models from the cheapest up. Below the reference they answer under a certificate.")
    ] = ()
    fallback: Annotated[tuple[str, ...], says("Asked in this order when the chosen model cannot answer.")] = ()
    quality: Annotated[Share | None, says("Share of the reference's score that savings must keep, e.g. `0.95`.")] = None
    sticky: Annotated[bool, says("Inside a session calls only go up the ladder.")] = True
    shape: Annotated[bool, says("What `[shape]` allows may be done to its prompts.")] = False
    guard: Annotated[str, says("The profile of `[guards]` that holds here beside `[guard]`: the stricter of both.")] = (
        ""
    )


class Semantic(Struct, frozen=True):
    """How wrong the semantic cache may be."""

    max_error: Annotated[
        Annotated[float, Meta(gt=0, lt=1)], says("Largest share of wrong hits, with 95 % confidence.")
    ] = 0.02


class Cache(Struct, frozen=True):
    """Answers that were given before."""

    exact: Annotated[bool, says("The same whole request gets the same answer.")] = True
    coalesce: Annotated[bool, says("Identical calls under way share one upstream call.")] = True
    prompt: Annotated[bool, says("Providers are asked to keep what prompts begin with, where that pays.")] = True
    semantic: Annotated[bool | Semantic, says("Similar requests may share an answer.")] = False
    sampled: Annotated[bool, says("Also cache calls whose temperature is above 0.")] = False
    max_mb: Annotated[int, Meta(ge=1, le=65536), says("Memory for answers.")] = 64
    ttl_s: Annotated[Positive, says("Lifetime of an answer in seconds.")] = 86_400.0


ShapeMode = Literal["off", "proven", "on"]


class Shape(Struct, frozen=True):
    """The same with fewer tokens, on routes with `shape = true`. `proven`: where an evaluation allows it; `on`: without one."""

    compact_json: Annotated[ShapeMode, says("JSON in tool results loses its white space.")] = "off"
    repeats: Annotated[ShapeMode, says("A long block that stands earlier in the conversation is referred to.")] = "off"
    trim_context: Annotated[
        ShapeMode, says("Retrieved passages that share next to no words with the question are left out.")
    ] = "off"
    whitespace: Annotated[ShapeMode, says("Blanks at the ends of lines go, outside code.")] = "on"
    output_cap: Annotated[
        bool, says("Calls without a limit get one of twice the longest answer that their route has given.")
    ] = False


class BudgetSettings(Struct, frozen=True):
    """A limit on money. Exactly one of the three periods is set; `key`, `team`, `tag` or `model` narrows it."""

    usd_per_day: Annotated[Decimal | None, says("Limit for each UTC day.")] = None
    usd_per_month: Annotated[Decimal | None, says("Limit for each UTC month.")] = None
    usd_ever: Annotated[Decimal | None, says("Limit for all time.")] = None
    key: Annotated[str | None, says("Only calls with the key of this name.")] = None
    team: Annotated[str | None, says("Only calls of this team.")] = None
    tag: Annotated[str | None, says("Only calls with this tag, as `name=value`.")] = None
    model: Annotated[str | None, says("Only calls to this model.")] = None
    hard: Annotated[bool, says("Calls that could exceed it are refused; else it only alerts.")] = True
    soft: Annotated[tuple[float, ...], says("Shares of the limit at which an alert is raised.")] = (0.8,)


class Budgets(Struct, frozen=True):
    """What happens at a limit, and the limits themselves. Without a `[budgets.default]` there is one of 5 USD a day."""

    clamp: Annotated[bool, says("Shorten an answer to what the budget still allows, instead of refusing.")] = False
    assume_max_output: Annotated[
        Count, says("Output limit sent upstream for calls that set none; bounds what is held.")
    ] = 4096
    on_spent: Annotated[
        Literal["refuse", "local"], says("`local` goes on with a local model where the route allows it.")
    ] = "refuse"
    limits: dict[str, BudgetSettings] = {}


class LoopGuard(Struct, frozen=True):
    """Stops a key that asks the same thing over and over."""

    enabled: Annotated[bool, says("Whether it watches.")] = True
    repeats: Annotated[int, Meta(ge=2), says("So often may the same prompt come in the window.")] = 200
    window_s: Annotated[Positive, says("The window in seconds.")] = 600.0
    share: Annotated[Share, says("And it pauses only after this share of a budget is used.")] = 0.2


class Bodies(Struct, frozen=True):
    """How much of what was said is kept."""

    days: Annotated[int, Meta(ge=1, le=3650), says("Days until a body is erased.")] = 7
    sample: Annotated[Share, says("Share of calls whose bodies are kept.")] = 1.0


class Keep(Struct, frozen=True):
    """What stays on disk besides the books. Bodies are encrypted under a master key."""

    bodies: Annotated[bool | Bodies, says("Whether requests and answers are kept.")] = False
    held: Annotated[
        bool,
        says(
            "With `bodies`: a request that waits for a person (`approve`) is kept until somebody decides, a day at most, for who "
            "may decide and read."
        ),
    ] = True
    master_key_env: Annotated[str | None, says("Environment variable with the master key.")] = None
    master_key_file: Annotated[str | None, says("File with the master key: mode 0600, outside the data folder.")] = None
    master_key_command: Annotated[
        tuple[str, ...],
        says('Command that prints the master key in base64, for a key service, e.g. `["kms", "decrypt", "key.bin"]`.'),
    ] = ()
    ledger_days: Annotated[
        int | None,
        says(
            "Days after which rows of the ledger are dropped, their sums and hashes stay; unset: never; 183 at least."
        ),
    ] = None


class Audit(Struct, frozen=True):
    """What proves later that the books are what they were."""

    checkpoint_minutes: Annotated[
        Positive, says("Minutes after which what the ledger came to is signed, where it has grown.")
    ] = 10.0
    checkpoint_rows: Annotated[Count, says("Rows after which it is signed, should they come sooner.")] = 10_000
    disclose: Annotated[
        bool, says("Answers carry `x-demitasse-ai: generated`, so that applications can pass it on.")
    ] = False


class Hardware(Struct, frozen=True):
    """What a local model costs. Unset values take dated defaults; some of those are ranges."""

    capex_usd: Annotated[Amount | None, says("Price of the machine.")] = None
    cores: Annotated[Positive | None, says("Cores that the price is for; an engine bears its threads' share.")] = None
    life_years: Annotated[Positive | None, says("Years over which it is written off.")] = None
    utilisation: Annotated[Share | None, says("Share of its hours in which it works.")] = None
    watts_idle: Annotated[Amount | None, says("Power drawn at rest.")] = None
    watts_per_busy_core: Annotated[Amount | None, says("Further power for each busy core.")] = None
    pue: Annotated[Annotated[float, Meta(ge=1)] | None, says("Power usage effectiveness of the building.")] = None
    usd_per_kwh: Annotated[Amount | None, says("Price of electricity.")] = None
    ops_usd_per_year: Annotated[Amount | None, says("People, space and repairs.")] = None
    carbon_g_per_kwh: Annotated[Amount | None, says("Carbon intensity of the electricity, gCO2e.")] = None


class Http(Struct, frozen=True):
    """The client that calls providers."""

    client: Annotated[
        Literal["auto", "small", "aiohttp"], says("`auto` takes the small one wherever it can do the job.")
    ] = "auto"
    connect_s: Annotated[Positive, says("Longest wait for a connection.")] = 10.0
    first_byte_s: Annotated[Positive, says("Longest wait for an answer to begin.")] = 120.0
    idle_s: Annotated[Positive, says("Longest silence within an answer.")] = 120.0
    max_connections: Annotated[Count, says("Connections to one provider.")] = 512


class Retry(Struct, frozen=True):
    """How often a model is asked again."""

    attempts: Annotated[int, Meta(ge=1, le=10), says("Attempts on one model in all.")] = 2
    backoff_s: Annotated[Amount, says("First wait; each further one doubles.")] = 0.25
    max_wait_s: Annotated[Amount, says("Longest wait, also when a provider asks for more.")] = 4.0


class Breaker(Struct, frozen=True):
    """When a failing model is left alone for a while."""

    failures: Annotated[Count, says("Failures in a row that open it.")] = 5
    open_s: Annotated[Positive, says("Seconds until it is tried again.")] = 10.0


class Alerts(Struct, frozen=True):
    """Who is told."""

    __repr__ = quiet

    webhook: Annotated[str | None, says("URL that each alert is posted to as JSON.")] = None
    webhook_env: Annotated[str | None, says("Environment variable with that URL, for those that hold a secret.")] = None


class Otel(Struct, frozen=True):
    """Where calls are told to OpenTelemetry, as spans and metrics without any text. Needs the extra `[otel]`."""

    endpoint: Annotated[
        str | None, says("Collector for OTLP over HTTP, e.g. `http://127.0.0.1:4318`; unset: nothing is sent.")
    ] = None
    headers_env: Annotated[
        str | None, says("Environment variable with headers for it, as `name=value,name=value`.")
    ] = None
    upstream: Annotated[
        tuple[str, ...],
        says("Models of `[models]` whose servers get the trace's context (`traceparent`), to join it; else none does."),
    ] = ()


class Gateway(Struct, frozen=True):
    """How a call is handled."""

    on_hangup: Annotated[
        Literal["cancel", "drain"],
        says("When the client hangs up: stop the model, or let it finish for a retry to pick up."),
    ] = "cancel"
    ping_s: Annotated[
        Annotated[float, Meta(ge=1, le=60)], says("Seconds of silence in a stream before a keep-alive comment.")
    ] = 12.0


class Shadow(Struct, frozen=True):
    """Calls made only to learn: on routes with a ladder, a share of calls is also put to the models that did not answer."""

    usd_per_day: Annotated[
        Decimal, says("Budget for shadow calls and their judges, apart from all others; 0: none are made.")
    ] = Decimal(0)
    rate: Annotated[Share, says("Share of calls that are drawn, by whole sessions.")] = 0.02
    judge: Annotated[
        str | None,
        says("Model that compares two answers where nothing else can; unset: those are left to people, on `/review`."),
    ] = None


class Certificates(Struct, frozen=True):
    """What is promised when a cheaper model may answer, unless a command says otherwise."""

    delta: Annotated[
        Annotated[float, Meta(gt=0, le=0.5)], says("Chance that a promise is wrong, at most: 1 - confidence.")
    ] = 0.05
    days: Annotated[
        Annotated[float, Meta(gt=0, le=365)], says("How long one holds after the newest call that it was proven on.")
    ] = 30.0
    look: Annotated[
        bool, says("Look by itself at what new labels prove, and tell a person; promoting stays theirs.")
    ] = True


class Ledger(Struct, frozen=True):
    """The books."""

    durability: Annotated[
        Literal["normal", "full"],
        says("`normal` survives a killed process, `full` also a power cut (one fsync per commit)."),
    ] = "normal"


GuardAction = Literal["allow", "detect", "redact", "mask", "local", "refuse"]
InjectionAction = Literal["off", "detect", "drop_tools", "local", "approve", "refuse"]
CheckName = Literal["schema", "grounding", "leaks", "moderation"]


class GuardSettings(Struct, frozen=True):
    """What is looked for in prompts and answers, and what is done about it. Until an action is set, things are counted only."""

    on: Annotated[
        bool, says("Whether prompts are looked at. If not, only the types of `[classes]` are looked for.")
    ] = True
    personal: Annotated[
        dict[str, GuardAction],
        says(
            'Action by type of personal data, e.g. `{ EMAIL = "redact", CARD = "refuse" }`; `default` is for all others.'
        ),
    ] = {}
    secrets: Annotated[GuardAction, says("What is done about keys, passwords and connection strings.")] = "detect"
    names: Annotated[
        bool, says("Look for names, places and organisations too, in text bound for a remote model; takes longer.")
    ] = False
    hidden: Annotated[Literal["detect", "strip", "refuse"], says("What is done about characters that nobody sees.")] = (
        "detect"
    )
    injection: Annotated[InjectionAction, says("What is done where a user's text is in the band `high`.")] = "detect"
    untrusted: Annotated[
        InjectionAction, says("What is done where a tool's result or a retrieved text is in the band `high`.")
    ] = "detect"
    false_alarms: Annotated[
        Annotated[float, Meta(gt=0, le=0.1)],
        says("Share of honest prompts that may come into the band `high`; it sets where the band begins."),
    ] = 0.01
    moderation: Annotated[
        str, says("Model that moderates, e.g. `openai/omni-moderation-latest`, or a local one; empty: none.")
    ] = ""
    moderated: Annotated[Literal["detect", "refuse"], says("What is done where it finds harm.")] = "detect"
    checks: Annotated[
        tuple[CheckName, ...],
        says("Checks on answers. On a ladder a cheaper model's answer that fails one is not given."),
    ] = ("schema", "leaks")
    grounding_judge: Annotated[
        str,
        says(
            "Model, best a local one, that decides what the check `grounding` cannot: of a draft before it stands, of other "
            "answers after they were given; empty: none."
        ),
    ] = ""
    redteam_days: Annotated[
        Annotated[int, Meta(ge=0, le=365)],
        says(
            "Replay the built-in attacks against the guard every so many days, and tell where less is caught; 0: never."
        ),
    ] = 0
    max_chars: Annotated[Count | None, says("Longest prompt, in characters; unset: any that fits a request.")] = None
    on_cap: Annotated[
        Literal["pass", "local", "refuse"], says("What is done with a call that is too much to look at whole.")
    ] = "pass"


class ClassSettings(Struct, frozen=True):
    """A class of data, and where it may go."""

    types: Annotated[tuple[str, ...], says("Personal data that makes a call one of this class, e.g. `SSN`.")] = ()
    stays: Annotated[
        Literal["local", "regions"], says("`local`: with models that run here; `regions`: with those of `regions`.")
    ] = "local"
    regions: Annotated[tuple[str, ...], says("Regions that `[models.NAME] region` may match, e.g. `eu-*`.")] = ()


class TenantSettings(Struct, frozen=True):
    """Rules for one tenant: a key's name, or `team:NAME`."""

    guard: Annotated[str, says("A profile of `[guards]` beside `[guard]`: the stricter of both.")] = ""
    data_class: Annotated[str, says("A class of `[classes]` that all its calls are of.")] = ""


class Governance(Struct, frozen=True):
    """Rules of the house: which licences and which providers may be used."""

    profile: Annotated[
        Literal["research", "commercial"],
        says(
            "`commercial`: weights whose licence forbids commercial use, or is not known, are not pulled, served or learned from."
        ),
    ] = "research"
    providers: Annotated[
        tuple[str, ...],
        says(
            'Providers that may be called, e.g. `["openai"]`, each at its own address; a server elsewhere by its host, e.g. '
            '`"host:127.0.0.1"`. Empty: any. Models that run here are never refused for it.'
        ),
    ] = ()


class Config(Struct, frozen=True):
    """The whole tree, and where it came from. ``origins`` names what is not default: dotted setting → origin."""

    server: Server = Server()
    models: dict[str, ModelSettings] = {}
    routes: dict[str, RouteSettings] = {}
    cache: Cache = Cache()
    budgets: Budgets = Budgets()
    loop_guard: LoopGuard = LoopGuard()
    keep: Keep = Keep()
    audit: Audit = Audit()
    hardware: Hardware = Hardware()
    http: Http = Http()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    alerts: Alerts = Alerts()
    otel: Otel = Otel()
    gateway: Gateway = Gateway()
    shadow: Shadow = Shadow()
    shape: Shape = Shape()
    certificates: Certificates = Certificates()
    ledger: Ledger = Ledger()
    guard: GuardSettings = GuardSettings()
    guards: dict[str, GuardSettings] = {}
    classes: dict[str, ClassSettings] = {}
    tenants: dict[str, TenantSettings] = {}
    governance: Governance = Governance()
    path: Path | None = None
    found: bool = False
    """The file was merely found in the working directory: nobody named it."""
    origins: dict[str, Origin] = {}


SECTIONS: tuple[str, ...] = tuple(f for f in Config.__struct_fields__ if f not in {"path", "found", "origins"})

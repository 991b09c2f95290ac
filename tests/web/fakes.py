"""Books, control and login for the dashboard's tests: plain lists, seeded, without a store."""

from __future__ import annotations

import random
from collections import defaultdict

from msgspec import structs

from demitasse.core.call import BUCKETS, Usage
from demitasse.core.entry import Attempt, Charge, Decision, Energy, Entry
from demitasse.core.errors import ConfigError
from demitasse.core.evidence import Answered, Label
from demitasse.core.ledger import Bucket
from demitasse.core.limits import Alert, Budget, Key, Spent
from demitasse.core.money import nanos, window
from demitasse.core.policy import Baseline, Certificate, NextLabels, Policy, Setting, SliceFloor
from demitasse.core.price import Card, cost, pico_per_token, rates
from demitasse.web.facts import (
    CacheFacts,
    ChainFact,
    EngineRow,
    ModelRow,
    RouteRow,
    SettingRow,
    SwitchRow,
    Visitor,
)

NOW_US = 1_795_265_523_000_000  # 21 Nov 2026 12:52:03 UTC
HOUR_US = 3_600_000_000
DIMENSIONS = ("key", "team", "route", "model", "outcome", "cache")
SUMS = tuple(f for f in Bucket.__struct_fields__ if f not in (*DIMENSIONS, "hour"))


def usd_rates(input, output, cache_read=None):
    read = None if cache_read is None else pico_per_token(cache_read)
    return rates(input=pico_per_token(input), output=pico_per_token(output), cache_read=read)


CARDS = {
    card.id: card
    for card in (
        Card(
            id="genai-prices 0.2.3 openai/gpt-5.1",
            provider="openai",
            model="gpt-5.1",
            base=usd_rates("1.25", "10", "0.125"),
        ),
        Card(
            id="genai-prices 0.2.3 openai/gpt-5-mini",
            provider="openai",
            model="gpt-5-mini",
            base=usd_rates("0.25", "2", "0.025"),
        ),
        Card(id="hardware small", provider="local", model="smollm2-135m", base=usd_rates("0.01", "0.04")),
    )
}
LARGE, MINI, SMALL = CARDS.values()


def key(id, name, **fields):
    return Key(id=id, name=name, mac=b"not to be seen", created_us=NOW_US - 20 * 24 * HOUR_US, **fields)


class FakeBooks:
    """What ``Books`` promises, over lists. ``asked`` remembers which groupings were read."""

    def __init__(self, entries=(), buckets=None, budgets=(), alerts=(), held=0):
        self.rows = sorted(entries, key=lambda e: e.at_us)
        self.base = list(buckets) if buckets is not None else [bucket_of(e) for e in self.rows]
        self.spents = list(budgets)
        self.all_alerts = list(alerts)
        self.held = held
        self.asked = []

    def entries(self, *, last=50, before=None, key=None, model=None, route=None, outcome=None, since_us=None):
        found = []
        for seq in range(len(self.rows), 0, -1):
            e = self.rows[seq - 1]
            if before is not None and seq >= before:
                continue
            if since_us is not None and e.at_us < since_us:
                break
            wanted = (key, model, route, outcome)
            if all(w is None or w == got for w, got in zip(wanted, (e.key, e.model, e.route, e.outcome), strict=True)):
                found.append((seq, e))
                if len(found) == last:
                    break
        return found

    def entry(self, id):
        return next((e for e in reversed(self.rows) if id in {e.id, e.request_id}), None)

    def buckets(self, since_us, until_us, group_by=()):
        group_by = tuple(group_by)
        self.asked.append(group_by)
        since, until = since_us // HOUR_US, -(-until_us // HOUR_US)
        sums = defaultdict(lambda: dict.fromkeys(SUMS, 0))
        for b in self.base:
            if since <= b.hour < until:
                into = sums[tuple(self._dimension(b, name) for name in group_by)]
                for name in SUMS:
                    into[name] += getattr(b, name)
        names = ["hour" if n == "day" else n for n in group_by]
        return [Bucket(**dict(zip(names, group, strict=True)), **values) for group, values in sums.items()]

    def _dimension(self, b, name):
        return b.hour if name == "hour" else b.hour // 24 * 24 if name == "day" else getattr(b, name)

    def spent(self, at_us):
        return list(self.spents)

    def held_nanos(self):
        return self.held

    def alerts(self, *, open_only=True, last=20, begins=""):
        found = [a for a in self.all_alerts if (a.resolved_us is None or not open_only) and a.id.startswith(begins)]
        return sorted(found, key=lambda a: -a.at_us)[:last]

    def find_alert(self, id):
        return next((a for a in self.all_alerts if a.id == id), None)

    def stats(self):
        first = self.rows[0].at_us if self.rows else None
        return {
            "path": "ledger.sqlite",
            "bytes": 4_718_592,
            "rows": len(self.rows),
            "first_us": first,
            "schema": 3,
            "head": "9f" * 32,
        }


class FakeControl:
    """Changes the fake books; ``done`` lists what was asked of it."""

    def __init__(self, books, keys=(), paused=None):
        self.books = books
        self.all_keys = list(keys)
        self.all_paused = dict(paused or {})
        self.done = []

    def keys(self):
        return list(self.all_keys)

    def paused(self):
        return dict(self.all_paused)

    async def set_budget(self, budget):
        self.done.append(("set_budget", budget))
        old = next((s for s in self.books.spents if s.budget.name == budget.name), None)
        new = Spent(
            budget, window(budget.period, NOW_US), old.settled_nanos if old else 0, old.held_nanos if old else 0
        )
        self.books.spents = [s for s in self.books.spents if s is not old] + [new]

    async def remove_budget(self, name):
        self.done.append(("remove_budget", name))
        self.books.spents = [s for s in self.books.spents if s.budget.name != name]

    async def create_key(self, name, *, team=None, scopes=("call",), models=(), rpm=None, tpm=None, expires_us=None):
        if name == "forbidden":
            raise ConfigError("no key may be called 'forbidden'; choose another name")
        id = f"k{len(self.all_keys):05d}"
        self.done.append(("create_key", name, team, scopes, models, rpm, tpm, expires_us))
        self.all_keys.append(
            key(id, name, team=team, scopes=scopes, models=models, rpm=rpm, tpm=tpm, expires_us=expires_us)
        )
        return f"dmt_{id}_0123456789abcdefghjkmnpqrs"

    async def revoke_key(self, id):
        self.done.append(("revoke_key", id))
        self.all_keys = [structs.replace(k, revoked_us=NOW_US) if k.id == id else k for k in self.all_keys]

    async def pause_key(self, name, why):
        self.done.append(("pause_key", name, why))
        self.all_paused[name] = why

    async def resume_key(self, name):
        self.done.append(("resume_key", name))
        self.all_paused.pop(name, None)

    async def resolve_alert(self, id):
        self.done.append(("resolve_alert", id))
        self._alert(id, NOW_US)

    async def reopen_alert(self, id):
        self.done.append(("reopen_alert", id))
        self._alert(id, None)

    def _alert(self, id, resolved_us):
        alerts = self.books.all_alerts
        self.books.all_alerts = [structs.replace(a, resolved_us=resolved_us) if a.id == id else a for a in alerts]

    async def let_pass(self, code):
        self.done.append(("let_pass", code))

    async def reject(self, code, why):
        self.done.append(("reject", code, why))

    async def let_wait(self, code):
        self.done.append(("let_wait", code))

    async def switch(self, name, *, on):
        self.done.append(("switch", name, on))

    async def certify(self, route):
        self.done.append(("certify", route))
        return f"nothing certified yet on route '{route}': about 400 more labels"

    async def promote(self, id):
        self.done.append(("promote", id))
        return "support"

    async def undo(self, route):
        self.done.append(("undo", route))
        return "crt_7f3a9c21" if route == "support" else None

    async def clear_cache(self):
        self.done.append(("clear_cache",))
        return 1204


class FakeLogin:
    """Two keys: one may look, one may change. ``gone`` names ids that were revoked meanwhile."""

    secret = b"s" * 32
    secure = False

    def __init__(self):
        self.gone = set()
        self.by_token = {"dmt_r_read": Visitor("r", "reader"), "dmt_a_admin": Visitor("a", "boss", admin=True)}

    def enter(self, token):
        found = self.by_token.get(token)
        return found and self.visitor(found.id)

    def without_pages(self, token):
        return ("call",) if token == "dmt_d_call" else ()

    def visitor(self, id):
        found = next((v for v in self.by_token.values() if v.id == id), None)
        return None if id in self.gone else found


def bucket_of(e):
    """An entry as a roll-up of one."""
    saved = dict(e.saved)
    usage = e.usage or Usage()
    low = sum(a.energy.low_uj for a in e.attempts if a.energy)
    high = sum(a.energy.high_uj for a in e.attempts if a.energy)
    return Bucket(
        hour=e.at_us // HOUR_US,
        key=e.key,
        team=e.team,
        route=e.route,
        model=e.model,
        outcome=e.outcome,
        cache=e.cache,
        requests=1,
        cost_nanos=e.cost_nanos or 0,
        baseline_nanos=e.baseline_nanos or 0,
        saved_exact_nanos=saved.get("exact_cache", 0),
        saved_coalesced_nanos=saved.get("coalesced", 0),
        saved_routed_nanos=saved.get("routed", 0),
        unpriced=e.cost_nanos is None,
        estimated=e.estimated,
        attempts=len(e.attempts),
        joined=e.joined,
        energy_modelled_low_uj=low,
        energy_modelled_high_uj=high,
        duration_ms=e.duration_ms,
        overhead_us=e.overhead_us or 0,
        **{b: getattr(usage, b) for b in BUCKETS},
    )


def entry(at_us=NOW_US - 1_000_000, *, id="c1", card=LARGE, usage=None, **fields):
    """One answered call with one attempt, priced by its card."""
    usage = usage or Usage(uncached_in=1200, cache_read=3000, text_out=340)
    paid = cost(card, usage, at_us=at_us) if card else None
    attempt = Attempt(
        model=card.model if card else "mystery",
        provider=card.provider if card else "elsewhere",
        upstream_model=card.model if card else "mystery-1",
        status="ok",
        http_status=200,
        started_us=at_us,
        duration_ms=800.0,
        usage=usage,
        cost_nanos=paid,
        card=card.id if card else None,
    )
    whole = {
        "key": "alice",
        "kind": "chat",
        "asked_model": "chat",
        "route": "chat",
        "outcome": "answered",
        "model": attempt.model,
        "provider": attempt.provider,
        "cache": "miss",
        "usage": usage,
        "cost_nanos": paid,
        "baseline_nanos": paid,
        "hold_nanos": 60_000_000,
        "attempts": (attempt,),
        "charges": (Charge("default", window("day", at_us), paid or 0),),
        "duration_ms": 812.5,
        "first_byte_ms": 240.0,
        "overhead_us": 2900,
        "decision": Decision(
            policy="named", chosen=attempt.model, candidates=("gpt-5-mini",), reason="the model that was named"
        ),
    }
    return Entry(id=id, at_us=at_us, **{**whole, **fields})


def hit(at_us, *, id, tier="exact", card=LARGE, usage=None, **fields):
    """A call answered without a model: what it would have cost is what was saved."""
    usage = usage or Usage(uncached_in=900, text_out=220)
    was = cost(card, usage, at_us=at_us)
    cause = "exact_cache" if tier == "exact" else "coalesced"
    return entry(
        at_us,
        id=id,
        card=card,
        usage=usage,
        cache=tier,
        cost_nanos=0,
        baseline_nanos=was,
        saved=((cause, was),),
        attempts=(),
        charges=(),
        hold_nanos=0,
        **fields,
    )


def seeded_entries(n=600, days=21, seed=7):
    """Calls of some people over the month up to now, the newest a few seconds old."""
    dice = random.Random(seed)
    people = [("alice", "support"), ("bob", "support"), ("ci-bot", None), ("search-index", "search"), ("local", None)]
    out = []
    for i in range(n):
        back = 0 if i == n - 1 else int(dice.random() ** 1.6 * days * 24 * HOUR_US)
        at = NOW_US - 3_000_000 - back if i < n - 40 else NOW_US - 2_000_000 - (n - i) * 1_400_000
        who, team = dice.choice(people)
        usage = Usage(
            uncached_in=dice.randint(80, 4000), cache_read=dice.choice((0, 0, 2048)), text_out=dice.randint(20, 900)
        )
        common = {
            "key": who,
            "team": team,
            "duration_ms": dice.uniform(300, 4000),
            "overhead_us": dice.randint(1200, 5200),
        }
        id = f"c{i:025d}"
        roll = dice.random()
        if roll < 0.24:
            out.append(hit(at, id=id, usage=usage, **{**common, "duration_ms": dice.uniform(1, 4)}))
        elif roll < 0.28:
            out.append(hit(at, id=id, tier="coalesced", usage=usage, **common))
        elif roll < 0.31:
            bare = {
                "usage": None,
                "attempts": (),
                "charges": (),
                "hold_nanos": 0,
                "model": None,
                "provider": None,
                "decision": None,
            }
            refused = (
                entry(
                    at,
                    id=id,
                    outcome="refused",
                    error="insufficient_quota",
                    cost_nanos=0,
                    cache="off",
                    **common,
                    **bare,
                )
                if i % 2
                else None
            )
            out.append(refused or entry(at, id=id, outcome="failed", error="upstream_error", **common))
        elif roll < 0.48:
            e = entry(at, id=id, card=SMALL, usage=usage, asked_model="small", route="small", **common)
            joules = Energy(int(8e6 * usage.text_out / 100), int(15e6 * usage.text_out / 100), "modelled")
            out.append(structs.replace(e, attempts=(structs.replace(e.attempts[0], energy=joules),)))
        elif roll < 0.50:
            out.append(
                entry(
                    at,
                    id=id,
                    card=None,
                    usage=usage,
                    asked_model="elsewhere/mystery-1",
                    route="elsewhere/mystery-1",
                    model="elsewhere/mystery-1",
                    **common,
                )
            )
        elif roll < 0.66:
            out.append(
                entry(
                    at,
                    id=id,
                    card=MINI,
                    usage=usage,
                    asked_model="gpt-5-mini",
                    route="gpt-5-mini",
                    estimated=roll < 0.52,
                    **common,
                )
            )
        else:
            out.append(entry(at, id=id, usage=usage, **common))
    return out


def scaled(buckets, factor):
    """The same traffic, ``factor`` times as much of it."""
    return [structs.replace(b, **{f: getattr(b, f) * factor for f in SUMS}) for b in buckets]


def full_books():
    entries = seeded_entries()
    day, month = window("day", NOW_US), window("month", NOW_US)
    budgets = [
        Spent(Budget("default", limit_nanos=nanos(5), origin="default"), day, nanos("3.04"), nanos("0.21")),
        Spent(
            Budget("support team", scope="team", subject="support", period="month", limit_nanos=nanos(1500)),
            month,
            nanos("914.20"),
            nanos("1.12"),
        ),
        Spent(
            Budget("ci-bot", scope="key", subject="ci-bot", limit_nanos=nanos(4), hard=True),
            day,
            nanos("3.98"),
            0,
            closed=True,
        ),
        Spent(Budget("everything", period="ever", limit_nanos=None), "ever", nanos("2841.55"), 0),
        Spent(
            Budget(
                "from-file",
                scope="tag",
                subject="feature=titles",
                period="month",
                limit_nanos=nanos(200),
                hard=False,
                origin="file",
            ),
            month,
            nanos(12),
            0,
        ),
    ]
    alerts = [
        Alert(
            "loop-1",
            NOW_US - 600_000_000,
            "loop_detected",
            "ci-bot",
            "key 'ci-bot' is paused: it asked the same thing 212 times in 6 minutes and used $3.98 of its $4.00",
            "demitasse keys resume ci-bot",
        ),
        Alert(
            "soft-1",
            NOW_US - 5_400_000_000,
            "budget_soft",
            "default",
            "budget 'default' has used 80 % of $5.00 today",
            "demitasse budgets set default 10/day",
        ),
        Alert(
            "over-1",
            NOW_US - 9_400_000_000,
            "over_hold",
            "gpt-5.1",
            "'gpt-5.1' billed more than the bound held for one call; its budgets are closed",
            f"demitasse explain {entries[5].id}",
        ),
    ]
    return FakeBooks(entries, scaled([bucket_of(e) for e in entries], 400), budgets, alerts, held=nanos("1.12"))


def many_buckets(calls=200_000, seed=11):
    """A month's roll-ups of so many synthetic calls over many keys and models."""
    dice = random.Random(seed)
    made = defaultdict(lambda: [0, 0, 0])
    for _ in range(calls):
        at = NOW_US // HOUR_US - dice.randrange(21 * 24)
        group = (
            at,
            f"key-{dice.randrange(40)}",
            f"model-{dice.randrange(8)}",
            "exact" if dice.random() < 0.3 else "miss",
        )
        row = made[group]
        row[0] += 1
        row[1 if group[3] == "miss" else 2] += dice.randrange(1, 9_000_000)
    return [
        Bucket(
            hour=h,
            key=k,
            route=m,
            model=m,
            outcome="answered",
            cache=c,
            requests=n,
            cost_nanos=paid,
            baseline_nanos=paid + saved,
            saved_exact_nanos=saved,
            uncached_in=900 * n,
            text_out=200 * n,
        )
        for (h, k, m, c), (n, paid, saved) in made.items()
    ]


KEYS = (
    key("a1b2c3", "alice", team="support", rpm=60, tpm=200_000),
    key("d4e5f6", "ci-bot", models=("gpt-5-mini", "small")),
    key("g7h8j9", "search-index", team="search", scopes=("call", "read"), expires_us=NOW_US + 9 * 24 * HOUR_US),
    key("k1m2n3", "old-laptop", revoked_us=NOW_US - 24 * HOUR_US),
    key("p4q5r6", "owner", scopes=("admin",)),
)

MODELS = (
    ModelRow("chat", kind="route", provider="openai", upstream_model="gpt-5.1"),
    ModelRow(
        "gpt-5.1",
        provider="openai",
        upstream_model="gpt-5.1",
        address="api.openai.com",
        card=LARGE,
        card_date="2026-11-02",
        circuit="closed",
    ),
    ModelRow(
        "gpt-5-mini",
        provider="openai",
        upstream_model="gpt-5-mini",
        address="api.openai.com",
        card=MINI,
        card_date="2026-11-02",
        circuit="open",
        note="5 failures in a row (503); tried again in 8 s",
    ),
    ModelRow(
        "smollm2-135m",
        provider="local",
        upstream_model="smollm2-135m",
        card=SMALL,
        card_date="2026-11-20",
        circuit="closed",
    ),
    ModelRow("elsewhere/mystery-1", provider="elsewhere", upstream_model="mystery-1", address="models.example"),
)

ENGINES = (
    EngineRow(
        "smollm2-135m",
        "ready",
        pid=4242,
        address="127.0.0.1:43117",
        threads=2,
        slots=4,
        busy=1,
        context=2048,
        restarts=1,
        rss_bytes=231_000_000,
        started_us=NOW_US - 5 * HOUR_US,
        log_tail=("main: model loaded", "srv: listening", "slot 0: released, 172 tokens"),
    ),
    EngineRow(
        "qwen3-8b",
        "failed",
        restarts=3,
        note="not enough memory: needs 5.2 GB, 1.9 GB are free; choose a smaller quantisation",
    ),
)

SETTINGS = (
    SettingRow("server.port", "4141", "default", "where it listens"),
    SettingRow("server.host", "127.0.0.1", "demitasse.toml"),
    SettingRow("cache.exact", "true", "default", "the same whole request is answered from memory"),
    SettingRow(
        "models.large.key_env",
        "OPENAI_API_KEY",
        "demitasse.toml",
        "the environment variable that holds the provider's key",
    ),
)


def full_site(books=None, **more):
    """(books, control, keyword arguments of ``dashboard``) with everything there is."""
    books = books or full_books()
    control = FakeControl(books, KEYS, {"ci-bot": "asked the same thing 212 times in 6 minutes"})
    facts = {
        "clock": lambda: NOW_US,
        "models": lambda: MODELS,
        "engine_status": lambda: ENGINES,
        "cache_facts": lambda: CacheFacts(
            entries=1204, bytes=9_300_000, max_bytes=64 << 20, ttl_s=86_400, hits=3100, misses=9200, evicted=12
        ),
        "settings_rows": lambda: SETTINGS,
        "cards": CARDS.get,
        "evidence": full_evidence(),
        "routes": lambda: ROUTES,
        "switches": lambda: SWITCHES,
        "what_if": fake_what_if,
        "chain": lambda _id: ChainFact(812, "ab" * 32, "cd" * 32),
        "version": "0.1",
        "secret": b"x" * 32,
    }
    return books, control, {**facts, **more}


class FakeEvidence:
    """Labels and certificates as lists."""

    def __init__(self, labels=(), rows=()):
        self.all_labels = list(labels)
        self.rows = list(rows)

    def labels(self, *, route=None, since_us=0, until_us=None, source=None):
        return [
            label
            for label in self.all_labels
            if route in (None, label.route)
            and source in (None, label.source)
            and since_us <= label.at_us
            and (until_us is None or label.at_us < until_us)
        ]

    def latest(self, last, *, route=None, source=None):
        return self.labels(route=route, source=source)[::-1][:last]

    def certificates(self, *, route=None):
        return [row for row in self.rows if route in (None, row[0].policy.route)]


ROUTES = (
    RouteRow("support", "gpt-5.1", ("smollm2-135m", "gpt-5.1"), 0.95, 0.02),
    RouteRow("contracts", "gpt-5.1", ("gpt-5-mini", "gpt-5.1"), 0.98, 0.02),
    RouteRow("plain", "gpt-5.1", ("gpt-5.1",)),
)


def certificate(id="crt_7f3a9c21", route="support", cheap="smollm2-135m", **more):
    fields = {
        "quality": 0.95, "delta": 0.05, "estimate": 0.972, "floor": 0.953, "saving": 0.41, "saving_low": 0.36, "saving_high": 0.46,
        "n_train": 180, "n_certify": 412, "since_us": NOW_US - 20 * 24 * HOUR_US, "until_us": NOW_US - 24 * HOUR_US,
        "issued_us": NOW_US - 24 * HOUR_US, "expires_us": NOW_US + 29 * 24 * HOUR_US,
        "models": ((cheap, "SmolLM2-135M-Instruct.Q4_1"), ("gpt-5.1", "gpt-5.1-2026-10-14")),
        "slices": (
            SliceFloor("titles", 240, 0.991, 0.967, 0.62, certified=True),
            SliceFloor("refunds", 90, 0.91, None, 0.0, certified=False),
        ),
        "baselines": (Baseline("always smollm2-135m", 0.83, 0.97), Baseline("random mix", 0.93, 0.41), Baseline("oracle", 1.0, 0.79)),
        "next_labels": (NextLabels(600, 0.53, 0.9, 2.0), NextLabels(1200, 0.58, 1.8, 4.0)),
    }  # fmt: skip
    return Certificate(id=id, policy=Policy(route, cheap, "gpt-5.1", Setting(direct=0.83)), **(fields | more))


def seeded_labels(route="support", cheap="smollm2-135m", n=240):
    chance = random.Random(3)
    return [
        Label(
            f"req_{route}_{i}", NOW_US - (n - i) * HOUR_US, route, "shadow", Answered("gpt-5.1", score=1.0, cost_nanos=812_000),
            (Answered(cheap, score=1.0 if chance.random() < 0.86 else 0.0, cost_nanos=9_100),),
            session=f"s{i // 2}", slice="titles", propensity=0.02, served="gpt-5.1",
            method=chance.choice(["equal", "equal", "number", "judge:gpt-5.1"]),
        )
        for i in range(n)
    ]  # fmt: skip


def full_evidence():
    return FakeEvidence(
        [*seeded_labels(), *seeded_labels("contracts", "gpt-5-mini", 60)],
        [
            (certificate(), "promoted", NOW_US - 20 * HOUR_US, ""),
            (certificate("crt_contracts1", "contracts", "gpt-5-mini", estimate=0.985, floor=0.981, quality=0.98), "certified", NOW_US - 2 * HOUR_US, ""),
            (certificate("crt_0old", expires_us=NOW_US + HOUR_US), "revoked", NOW_US - 90 * HOUR_US, "answers fell below 95.0 % (evidence 21.4 to 1)"),
        ],
    )  # fmt: skip


SWITCHES = (
    SwitchRow("exact-cache", "exact cache", "the same whole request gets the very same answer", on=True),
    SwitchRow(
        "prompt-cache", "prompt cache", "providers are asked to keep what prompts begin with", on=True, locked=True
    ),
    SwitchRow("shadow", "shadow calls", "a small random share of calls is also put to the cheaper models", on=True),
    SwitchRow("semantic-cache", "semantic cache", "a request that means the same may get that answer", on=False),
)


def fake_what_if(asked, since_us, until_us):
    """As ``replay --json`` tells it."""
    if asked.get("serve") == "broken":
        raise ConfigError("what if: serve: no model 'broken'")
    part = {
        "calls": 12_304, "exact": 3_021, "estimated": 9_283, "modelled": 0, "unpriced": 12, "paid_usd": 12.3,
        "would_usd": {"estimate": 4.1, "interval": [3.9, 4.4], "grade": "B"},
        "quality": {"estimate": 0.971, "interval": [0.958, 0.982], "grade": "B"}, "cheap_share": 0.71,
    }  # fmt: skip
    return {
        "route": asked.get("route", "support"), "policy": "pol_1", "since_us": since_us, "until_us": until_us, **part,
        "slices": [{"name": "titles", **part}, {"name": "", **part, "quality": None}],
        "worst": [{"id": f"req_{i}", "slice": "titles", "chance": 1 - i / 10, "compared": i < 3, "cheap": f"e{i}", "reference": None} for i in range(5)],
    }  # fmt: skip

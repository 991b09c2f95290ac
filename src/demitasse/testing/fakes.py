"""A model that answers by script and a ledger that lives in memory. They know no socket, no file and no price."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from ..core.call import BUCKETS, Call, Event, Reply, Send, Usage
from ..core.entry import Entry, Hold
from ..core.errors import StoreError
from ..core.evidence import Label
from ..core.ledger import Bucket, Denied
from ..core.limits import Alert, Budget, Key, Spent
from ..core.money import window
from ..core.policy import FOLLOWING, Certificate, CertificateState

Line = str | Reply | BaseException
"""One turn of a script: words to answer with, a whole Reply, or an error to raise."""

_HOUR_US = 3_600_000_000
_OPENER: dict[str, Any] = {
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
}


class FakeModel:
    """A Model that answers by script, one line a call; the last line is repeated.

    Args:
        lines: what to answer, or the errors to raise.
        usage: what the answer says it used; by default a token per word out and a token per four bytes in.
        delay_s: seconds before the first event.
        chunk_s: seconds between the events of a stream.
        fail_after: raise the ``failure`` after so many words of a stream.

    ``calls`` holds every call that came; ``cancelled`` counts those that were stopped from outside.
    """

    def __init__(
        self,
        *lines: Line,
        usage: Usage | None = None,
        delay_s: float = 0.0,
        chunk_s: float = 0.0,
        fail_after: int | None = None,
        failure: BaseException | None = None,
        model: str = "fake-1",
    ) -> None:
        self.lines: tuple[Line, ...] = lines or ("a small cup, full strength",)
        self.usage = usage
        self.delay_s = delay_s
        self.chunk_s = chunk_s
        self.fail_after = fail_after
        self.failure = failure
        self.model = model
        self.gate: asyncio.Event | None = None
        """When set: every answer waits for it."""
        self.calls: list[Call] = []
        self.cancelled = 0
        self.running = 0

    async def __call__(self, call: Call, send: Send) -> Reply:
        line = self.lines[min(len(self.calls), len(self.lines) - 1)]
        self.calls.append(call)
        self.running += 1
        try:
            await asyncio.sleep(self.delay_s)
            if self.gate is not None:
                await self.gate.wait()
            if isinstance(line, BaseException):
                raise line
            reply = line if isinstance(line, Reply) else self._reply(call, line)
            if call.stream and call.kind != "embedding":
                await self._play(call, reply, send)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        else:
            return reply
        finally:
            self.running -= 1

    def _reply(self, call: Call, text: str) -> Reply:
        words = text.split()
        limit = call.max_output if call.max_output is not None else len(words)
        words, finish = words[:limit], "stop" if len(words) <= limit else "length"
        usage = self.usage or Usage(uncached_in=max(1, call.text_bytes // 4), text_out=len(words))
        raw = _usage_json(usage)
        body: dict[str, Any] = {
            "id": f"fake-{len(self.calls)}",
            "created": call.at_us // 1_000_000,
            "model": self.model,
        }
        if call.kind == "embedding":
            data = [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]
            body |= {"object": "list", "data": data}
            finish = "stop"
        elif call.kind == "completion":
            choice = {"index": 0, "text": " ".join(words), "finish_reason": finish}
            body |= {"object": "text_completion", "choices": [choice]}
        else:
            said = {"role": "assistant", "content": " ".join(words)}
            body |= {"object": "chat.completion", "choices": [{"index": 0, "message": said, "finish_reason": finish}]}
        return Reply(
            body=msgspec.json.encode(body | {"usage": raw}),
            model=self.model,
            usage=usage,
            usage_raw=msgspec.Raw(msgspec.json.encode(raw)),
            finish=finish,
            complete=finish == "stop",
        )

    async def _play(self, call: Call, reply: Reply, send: Send) -> None:
        whole = msgspec.json.decode(reply.body)
        for nth, (chunk, text) in enumerate(_chunks(call, whole)):
            if self.fail_after is not None and nth > self.fail_after:
                raise self.failure or ConnectionResetError("the script ends here")
            await send(Event(data=msgspec.json.encode(chunk), content=bool(text), text_chars=len(text)))
            if self.chunk_s:
                await asyncio.sleep(self.chunk_s)


def _usage_json(usage: Usage) -> dict[str, int]:
    into, out = usage.total_in, usage.total_out
    return {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}


def _chunks(call: Call, whole: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """A whole answer as the chunks of a stream, each with the text that it shows."""
    head = {"id": whole["id"], "created": whole["created"], "model": whole["model"]}
    choice = whole["choices"][0]
    if call.kind == "chat":
        head["object"] = "chat.completion.chunk"
        yield head | _OPENER, ""
        text = choice["message"]["content"]
    else:
        head["object"] = "text_completion"
        text = choice["text"]
    for nth, word in enumerate(text.split()):
        shown = word if nth == 0 else " " + word
        said = {"delta": {"content": shown}} if call.kind == "chat" else {"text": shown}
        yield head | {"choices": [{"index": 0, **said, "finish_reason": None}]}, shown
    last: dict[str, Any] = {"delta": {}} if call.kind == "chat" else {"text": ""}
    yield head | {"choices": [{"index": 0, **last, "finish_reason": choice["finish_reason"]}]}, ""
    if call.include_usage:
        yield head | {"choices": [], "usage": whole["usage"]}, ""


class FakeLedger:
    """Ledger, Books and evidence in memory: admits, charges and denies as a real one, keeps nothing.

    Args:
        budgets, keys: what there is from the beginning.
        fail: set ``ledger.fail`` to an error and every method that commits raises it.

    ``log`` holds what happened in order, as ``(kind, id)``; ``closed`` the entries; ``open`` the holds under way.
    """

    def __init__(self, budgets: Iterable[Budget] = (), keys: Iterable[Key] = ()) -> None:
        self._budgets = {b.name: b for b in budgets}
        self._keys = list(keys)
        self._revision = 1
        self._paused: dict[str, str] = {}
        self._settled: dict[tuple[str, str], int] = {}
        self._shut: set[tuple[str, str]] = set()
        self._alerts: list[Alert] = []
        self._labels: dict[tuple[str, ...], Label] = {}
        self._certificates: dict[str, tuple[Certificate, CertificateState, int, str]] = {}
        self.open: dict[str, list[Hold]] = {}
        self.closed: list[Entry] = []
        self.log: list[tuple[str, str]] = []
        self.fail: Exception | None = None

    async def hold(self, hold: Hold) -> Denied | None:
        self._may_commit()
        for charge in hold.charges:
            spent = self._spent(self._budgets[charge.budget], charge.window)
            limit = spent.budget.limit_nanos if spent.budget.hard else None
            over = limit is not None and spent.settled_nanos + spent.held_nanos + charge.nanos > limit
            if spent.closed or over:
                return Denied(spent=spent, wanted_nanos=charge.nanos)
        self.open.setdefault(hold.id, []).append(hold)
        self.log.append(("held", hold.id))
        return None

    def settle(self, entry: Entry) -> Awaitable[None]:
        done = asyncio.get_running_loop().create_future()
        if self.fail is not None:
            done.set_exception(self.fail)
        else:
            self.post(entry)
            done.set_result(None)
        return done

    def post(self, entry: Entry) -> None:
        self.open.pop(entry.id, None)
        for charge in entry.charges:
            at = (charge.budget, charge.window)
            self._settled[at] = self._settled.get(at, 0) + charge.nanos
            if "over_hold" in entry.flags:
                self._shut.add(at)
        self.closed.append(entry)
        self.log.append((entry.outcome, entry.id))

    async def flush(self) -> None:
        self._may_commit()

    def budgets(self) -> Sequence[Budget]:
        return list(self._budgets.values())

    def look(self) -> None:
        """There is nobody else."""

    def keys(self) -> Sequence[Key]:
        return list(self._keys)

    @property
    def revision(self) -> int:
        return self._revision

    def set_budget(self, budget: Budget) -> None:
        """Add or change a budget, as the command would."""
        self._budgets[budget.name] = budget
        self._shut = {at for at in self._shut if at[0] != budget.name}
        self._revision += 1

    def set_key(self, key: Key) -> None:
        """Add or change a key, as the command would."""
        self._keys = [k for k in self._keys if k.id != key.id] + [key]
        self._revision += 1

    async def pause_key(self, key: str, why: str | None, at_us: int) -> None:  # noqa: ARG002 - the Protocol's
        self._may_commit()
        if why is None:
            self._paused.pop(key, None)
        else:
            self._paused[key] = why
        self._revision += 1
        self.log.append(("changed", key))

    def paused(self) -> Mapping[str, str]:
        return self._paused

    def join(self, id: str, at_us: int) -> None:  # noqa: ARG002 - the Protocol's
        self.log.append(("joined", id))
        self.closed = [structs.replace(e, joined=e.joined + 1) if e.id == id else e for e in self.closed]

    async def alert(self, alert: Alert) -> None:
        self._may_commit()
        self._alerts.append(alert)
        self.log.append(("alerted", alert.id))

    async def label(self, label: Label) -> None:
        self._may_commit()
        at = (label.id, label.source, label.method if label.source == "feedback" else "")
        self._labels.pop(at, None)
        self._labels[at] = label
        self.log.append(("labelled", label.id))

    async def certificate(self, certificate: Certificate, state: CertificateState, at_us: int, why: str = "") -> None:
        self._may_commit()
        id, known = certificate.id, self._certificates.get(certificate.id)
        if known is not None and known[1] == state:
            return
        if (known is not None and state not in FOLLOWING[known[1]]) or (
            state == "promoted" and certificate.expires_us <= at_us
        ):
            raise StoreError(f"certificate {id} cannot become {state}")
        for other in self.promoted() if state == "promoted" else ():
            if other.policy.route == certificate.policy.route:
                self._certificates[other.id] = (other, "superseded", at_us, f"{id} was promoted")
                self.log.append(("certificate", other.id))
        self._certificates[id] = (known[0] if known else certificate, state, at_us, why)
        self._revision += 1
        self.log.append(("certificate", id))

    def promoted(self) -> Sequence[Certificate]:
        found = [c for c, state, *_ in self._certificates.values() if state == "promoted"]
        return sorted(found, key=lambda c: c.policy.route)

    # The reading side.

    def labels(
        self, *, route: str | None = None, since_us: int = 0, until_us: int | None = None, source: str | None = None
    ) -> list[Label]:
        found = [
            label
            for label in self._labels.values()
            if route in (None, label.route)
            and source in (None, label.source)
            and label.at_us >= since_us
            and (until_us is None or label.at_us < until_us)
        ]
        return sorted(found, key=lambda label: label.at_us)

    def latest(self, last: int, *, route: str | None = None, source: str | None = None) -> list[Label]:
        came = [x for x in self._labels.values() if route in (None, x.route) and source in (None, x.source)]
        return came[::-1][:last]

    def of(self, ids: Iterable[str], *, source: str | None = None) -> list[Label]:
        wanted = set(ids)
        return [x for x in self._labels.values() if x.id in wanted and source in (None, x.source)]

    def certificates(self, *, route: str | None = None) -> list[tuple[Certificate, CertificateState, int, str]]:
        found = [row for row in self._certificates.values() if route in (None, row[0].policy.route)]
        return sorted(found, key=lambda row: (row[0].issued_us, row[0].id), reverse=True)

    def entries(
        self,
        *,
        last: int = 50,
        before: int | None = None,
        key: str | None = None,
        model: str | None = None,
        route: str | None = None,
        outcome: str | None = None,
        since_us: int | None = None,
    ) -> list[tuple[int, Entry]]:
        wanted = {"key": key, "model": model, "route": route, "outcome": outcome}
        found = [
            (seq, entry)
            for seq, entry in enumerate(self.closed, 1)
            if (before is None or seq < before)
            and (since_us is None or entry.at_us >= since_us)
            and all(v is None or getattr(entry, k) == v for k, v in wanted.items())
        ]
        return found[::-1][:last]

    def entry(self, id: str) -> Entry | None:
        return next((e for e in reversed(self.closed) if id in (e.id, e.request_id)), None)

    def buckets(self, since_us: int, until_us: int, group_by: Iterable[str] = ()) -> list[Bucket]:
        dimensions = tuple(group_by)
        sums: dict[tuple[Any, ...], Bucket] = {}
        for entry in self.closed:
            if since_us <= entry.at_us < until_us:
                row = _bucket(entry, dimensions)
                at = tuple(getattr(row, d) for d in _columns(dimensions))
                sums[at] = _sum(sums[at], row, dimensions) if at in sums else row
        return list(sums.values())

    def spent(self, at_us: int) -> list[Spent]:
        return [self._spent(b, window(b.period, at_us)) for b in self._budgets.values()]

    def held_nanos(self) -> int:
        return sum(hold.nanos for holds in self.open.values() for hold in holds)

    def alerts(self, *, open_only: bool = True, last: int = 20, begins: str = "") -> list[Alert]:
        found = [a for a in self._alerts if (a.resolved_us is None or not open_only) and a.id.startswith(begins)]
        return found[::-1][:last]

    def find_alert(self, id: str) -> Alert | None:
        return next((a for a in self._alerts if a.id == id), None)

    def stats(self) -> dict[str, Any]:
        return {
            "path": ":memory:",
            "bytes": 0,
            "rows": len(self.closed),
            "first_us": self.closed[0].at_us if self.closed else None,
            "last_us": self.closed[-1].at_us if self.closed else None,
            "schema": 0,
            "head": "00" * 32,
            "recovered": 0,
        }

    def _may_commit(self) -> None:
        if self.fail is not None:
            raise self.fail

    def _spent(self, budget: Budget, of: str) -> Spent:
        held = sum(
            charge.nanos
            for holds in self.open.values()
            for hold in holds
            for charge in hold.charges
            if (charge.budget, charge.window) == (budget.name, of)
        )
        at = (budget.name, of)
        return Spent(budget, of, self._settled.get(at, 0), held, closed=at in self._shut)


def _columns(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("hour" if d == "day" else d for d in dimensions)


def _bucket(entry: Entry, dimensions: tuple[str, ...]) -> Bucket:
    """One entry as a roll-up row of its own; with ``day`` the hour is the day's first."""
    hour = entry.at_us // _HOUR_US
    facts: dict[str, Any] = {
        d: hour - hour % 24 if d == "day" else hour if d == "hour" else getattr(entry, d) for d in dimensions
    }
    if "day" in facts:
        facts["hour"] = facts.pop("day")
    saved: dict[str, Any] = {
        f"saved_{'prompt' if c == 'prompt_cache' else c.removesuffix('_cache')}_nanos": n for c, n in entry.saved
    }
    usage = Usage()
    for attempt in entry.attempts:
        usage += attempt.usage or Usage()
    return Bucket(
        requests=1,
        cost_nanos=entry.cost_nanos or 0,
        baseline_nanos=entry.baseline_nanos or 0,
        unpriced=int(entry.cost_nanos is None),
        estimated=int(entry.estimated),
        attempts=len(entry.attempts),
        joined=entry.joined,
        duration_ms=entry.duration_ms,
        overhead_us=entry.overhead_us or 0,
        **(saved | facts | {k: getattr(usage, k) for k in BUCKETS}),
    )


def _sum(one: Bucket, other: Bucket, dimensions: tuple[str, ...]) -> Bucket:
    numbers = [f for f in Bucket.__struct_fields__[7:] if f not in dimensions]
    return structs.replace(one, **{f: getattr(one, f) + getattr(other, f) for f in numbers})

"""Any OpenAI-compatible server as a Model: sends what was asked, byte for byte but for the name, and reads the meter.

What differs from vendor to vendor is in ``vendors``; what a stream or an answer must look like is in ``wire``; sockets
are behind ``http``. Knows no prices, no budgets and no other model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Raw, structs

from ..core.call import Call, Event, Kind, Reply, Send
from ..core.errors import UpstreamError
from ..core.scrub import code as plain_code
from ..core.scrub import scrub, scrub_bytes
from ..wire.chunks import encode, explode
from ..wire.errors import Fault, read_fault
from ..wire.sse import SSE, TooLongError
from ..wire.stream import BrokenStreamError, Relay, text_of
from ..wire.usage import read_usage
from ..wire.whole import Answer, NoAnswerError, read_answer
from .http import (
    DEFAULT_TIMEOUTS,
    BadRequest,
    BrokenOff,
    ConnectFailed,
    HeaderBlock,
    HttpClient,
    HttpError,
    Origin,
    Response,
    TimedOut,
    Timeouts,
    encode_headers,
)
from .vendors import Vendor, belongs_elsewhere, is_home

PATHS: dict[Kind, bytes] = {
    "chat": b"/chat/completions",
    "completion": b"/completions",
    "embedding": b"/embeddings",
    "moderation": b"/moderations",
}
ERROR_BYTES = 1 << 20
STALE_TRIES = 2
"""llama.cpp hangs up after every stream, keep-alive promised or not. A request that meets such a connection is sent again,
but only to a local server: one that bills might have done the work."""
LINGER_S = 0.1
"""How long a stream's connection may take to end after ``[DONE]``, to be used again; then it is closed."""


class OpenAICompatible:
    """One model on one server. Build it once; it serves any number of calls at a time.

    Args:
        alias: our name of it, for messages.
        vendor: the row of quirks.
        client: the connections.
        model: the upstream's own name of the model.
        base_url: up to and including ``/v1``; the vendor's own unless given.
        origin: ``base_url`` parsed, where it is shared or trusts a certificate of its own.
        api_key: ours. It wins over a client's own.
        key_env: the variable that ``api_key`` came from, to be named when it is refused.
        client_keys: whether a call may bring its own provider key; it then goes to the vendor's built-in host only.
        timeouts: a call's own deadline shortens them.
    """

    def __init__(
        self,
        alias: str,
        vendor: Vendor,
        client: HttpClient,
        *,
        model: str,
        base_url: str | None = None,
        origin: Origin | None = None,
        api_key: str | None = None,
        key_env: str | None = None,
        client_keys: bool = False,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.alias = alias
        self.vendor = vendor
        self.model = model
        self.base_url = (base_url or vendor.base_url).rstrip("/")
        self.origin = origin or Origin.parse(self.base_url)
        self._client = client
        self._key = api_key or None
        self._key_env = key_env
        home = is_home(vendor, self.base_url)
        self._client_keys = client_keys and self._key is None and home
        self._keyless = self._key is None and not vendor.local and bool(key_env or (home and vendor.key_envs))
        self._timeouts = timeouts
        self._model_raw = Raw(encode(model))
        self._headers = _header_blocks(self._key)

    def __repr__(self) -> str:
        return f"OpenAICompatible({self.alias!r}, {self.vendor.name!r}, {self.model!r}, {self.base_url!r})"

    async def __call__(self, call: Call, send: Send) -> Reply:
        """Ask, and pass on what comes. Raises UpstreamError. The connection is given back or closed in any case."""
        if self._keyless and self._clients_key(call) is None:
            raise self._error(
                f"it needs a key; {self._remedy()}", status=401, code="upstream_key_refused", retryable=False
            )
        streams = call.stream and call.kind not in ("embedding", "moderation")
        timeouts, deadline_s = self._timeouts, call.wish.deadline_s
        if deadline_s is not None and deadline_s < max(timeouts.first_byte_s, timeouts.idle_s):
            timeouts = structs.replace(
                timeouts,
                first_byte_s=min(timeouts.first_byte_s, deadline_s),
                idle_s=min(timeouts.idle_s, deadline_s),
            )
        try:
            answer = await self._post(call, timeouts, streams=streams)
        except HttpError as why:
            raise self._lost(why) from why
        try:
            if answer.status >= 300:
                raise await self._refusal(answer, call)
            if not streams:
                return self._reply(await self._whole(answer, call))
            if _header(answer, b"content-type").startswith(("application/json", "text/html")):
                return await self._replay(await self._whole(answer, call), call, send)
            return await self._stream(answer, call, send, timeouts)
        finally:
            answer.abort()  # of a connection whose answer was read to its end, this does nothing

    async def models(self) -> list[str]:
        """The ids that the server lists, in its order. Raises UpstreamError."""
        try:
            answer = await self._client.get(self.origin, b"/models", self._headers[False], self._timeouts)
            try:
                if answer.status >= 300:
                    raise await self._refusal(answer, None)
                listed = msgspec.json.decode(await answer.read())
            finally:
                answer.abort()
        except HttpError as why:
            raise self._lost(why) from why
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
            raise self._error("its list of models is not valid JSON", code="upstream_bad_answer") from why
        rows = listed.get("data") if isinstance(listed, dict) else listed
        return [str(row["id"]) for row in rows or () if isinstance(row, dict) and row.get("id")]

    def body(self, call: Call) -> bytes:
        """What is sent: the call's own members, undecoded and in their order, but for the model's name, an output limit
        under a name that is obeyed, and the usage that the books need."""
        fields = dict(call.fields)
        fields["model"] = self._model_raw
        if call.kind in ("embedding", "moderation"):
            return encode(fields)
        if call.stream and not (call.include_usage and self.vendor.include_usage):
            _ask_usage(fields, self.vendor)
        limits = self.vendor.limits if call.kind == "chat" else ("max_tokens",)
        if call.clamped and call.max_output is not None:
            _limit(fields, call.max_output, limits)
        elif "max_completion_tokens" in fields or "max_tokens" in fields:
            fields = _renamed_limit(fields, limits)
        return encode(fields)

    async def _post(self, call: Call, timeouts: Timeouts, *, streams: bool) -> Response:
        headers, body = self._headers[streams], self.body(call)
        if (key := self._clients_key(call)) is not None:
            headers = _header_blocks(key)[streams]
        if call.headers:
            headers = HeaderBlock(headers + encode_headers([(k.encode(), v.encode()) for k, v in call.headers]))
        for _ in range(STALE_TRIES):
            try:
                return await self._client.post(self.origin, PATHS[call.kind], headers, body, timeouts)
            except BrokenOff as why:
                if not (self.vendor.local and why.reused and why.received == 0):
                    raise
        return await self._client.post(self.origin, PATHS[call.kind], headers, body, timeouts)

    def _clients_key(self, call: Call) -> str | None:
        """A client's own key, where it may be sent: to its own vendor's host, for a model of which we have no key."""
        key = call.caller.provider_key if self._client_keys else None
        return key if key and not belongs_elsewhere(self.vendor, key) else None

    async def _whole(self, answer: Response, call: Call) -> Answer:
        try:
            return read_answer(call, await answer.read())
        except HttpError as why:
            raise self._lost(why) from why
        except NoAnswerError as why:
            raise self._fault(why.message, why.fault, code="upstream_bad_answer") from why

    def _reply(self, answer: Answer) -> Reply:
        return self._metered(
            answer.body, answer.model, answer.usage, answer.finish, answer.head, complete=answer.complete
        )

    async def _replay(self, answer: Answer, call: Call, send: Send) -> Reply:
        """A server that does not stream gave a whole answer: the client gets it as the stream it asked for."""
        relay = Relay(call)
        for chunk in explode(answer.body, kind=call.kind):
            for event in relay.feed(chunk):
                await send(event)
        relay.usage = answer.usage
        for event in relay.end():
            await send(event)
        return self._reply(answer)

    async def _stream(self, answer: Response, call: Call, send: Send, timeouts: Timeouts) -> Reply:
        relay, content = Relay(call), False
        pieces = answer.__aiter__()

        async def pass_on(event: Event) -> None:
            nonlocal content
            content |= event.content
            await send(event)

        try:
            await self._relay(pieces, relay, pass_on, patience_s=max(timeouts.first_byte_s, timeouts.idle_s))
        except HttpError as why:
            raise self._lost(why, content=content, **self._facts(relay)) from why
        except (BrokenStreamError, TooLongError) as why:
            fault = why.fault if isinstance(why, BrokenStreamError) else None
            raise self._fault(
                str(why), fault, code="upstream_bad_stream", content=content, **self._facts(relay)
            ) from why
        await _linger(pieces)
        return self._metered(
            relay.body(), relay.upstream_model, relay.usage, relay.finish, relay.head, complete=relay.complete
        )

    async def _relay(self, pieces: AsyncIterator[bytes], relay: Relay, send: Send, *, patience_s: float) -> None:
        sse, now = SSE(), asyncio.get_running_loop().time
        heard_s = now()
        async for piece in pieces:
            payloads = sse.feed(piece)
            for payload in payloads:
                for event in relay.feed(payload):
                    await send(event)
            if sse.done:
                break
            if payloads:
                heard_s = now()
            elif now() - heard_s > patience_s:
                raise TimedOut(f"nothing but comments for {patience_s:g} s", phase="idle", sent=True)
        for payload in sse.end():
            for event in relay.feed(payload):
                await send(event)
        if not sse.done and (self.vendor.sends_done or relay.finish is None):
            raise BrokenStreamError("its stream ended before its end")
        for event in relay.end():
            await send(event)

    def _metered(
        self,
        body: bytes,
        model: str | None,
        usage: Raw | None,
        finish: str | None,
        head: dict[str, Raw],
        *,
        complete: bool,
    ) -> Reply:
        reading = read_usage(usage, self.vendor.dialect)
        cost_nanos = reading.cost_nanos
        if not self.vendor.reports_cost:
            cost_nanos = cost_nanos or None  # a zero is a price only from those who are known to tell it
        return Reply(
            body=body,
            model=model or self.model,
            usage=reading.usage,
            usage_raw=usage,
            finish=finish,
            complete=complete,
            reported_cost_nanos=cost_nanos,
            service_tier=text_of(head.get("service_tier")),
            timings=_timings(head.get("timings")),
            doubt=reading.why,
        )

    def _facts(self, relay: Relay) -> dict[str, Any]:
        """What a broken stream had told of its usage before it broke."""
        if relay.usage is None:
            return {}
        return {"usage": read_usage(relay.usage, self.vendor.dialect).usage, "usage_raw": relay.usage}

    async def _refusal(self, answer: Response, call: Call | None) -> UpstreamError:
        """An error status as an error: nothing was billed. The upstream's own words are passed on where it is safe."""
        try:
            fault = read_fault(await answer.read(ERROR_BYTES))
        except HttpError:
            fault = Fault("it gave no reason")
        status = answer.status
        if status in (401, 403):
            said = "refuses" if status == 401 else "forbids this with"
            return self._error(  # its own words may repeat parts of the key
                f"{said} {self._whose_key(call)}", status=status, code="upstream_key_refused", retryable=False
            )
        again = status in (408, 409, 429) or status >= 500
        return self._error(
            f"answered {status}: {self._clean(fault.message, call)}",
            status=_shown(status),
            code=plain_code(fault.code, _CODES.get(status, "upstream_error")),
            type=plain_code(fault.type, "invalid_request_error" if status < 500 else "upstream_error"),
            body=self._clean_bytes(fault.body, call) if 400 <= status < 500 else None,
            retryable=again and fault.code != "insufficient_quota" and _header(answer, b"x-should-retry") != "false",
            retry_after_s=_retry_after_s(answer),
        )

    def _whose_key(self, call: Call | None) -> str:
        if self._key is not None:
            return f"the key in {self._key_env}; set a valid one" if self._key_env else "its key; set a valid one"
        if call is not None and self._clients_key(call) is not None:
            return f"the provider key that came with the request; send a valid one, or {self._remedy()}"
        return f"calls without a key; {self._remedy()}"

    def _remedy(self) -> str:
        name = self._key_env or next(iter(self.vendor.key_envs), None)
        return f"set {name} where the gateway runs" if name else "name one with key_env"

    def _fault(
        self, message: str, fault: Fault | None, *, code: str, content: bool = False, **facts: Any
    ) -> UpstreamError:
        """An error that came where an answer should be: what was done until then may be billed."""
        status = 502
        if fault is not None and fault.code is not None:
            told = _STATUS_OF.get(fault.code) or (int(fault.code) if fault.code.isdigit() else 0)
            status = _shown(told) if 400 <= told < 600 and told not in (401, 403) else 502
        return self._error(
            f"broke off with an error: {self._clean(message)}" if fault is not None else message,
            status=status,
            code=plain_code(fault.code if fault is not None else None, code),
            type=plain_code(fault.type if fault is not None else None, "upstream_error"),
            body=self._clean_bytes(fault.body) if fault is not None else None,
            retryable=status in (408, 409, 429) or status >= 500,
            billable=True,
            after_content=content,
            **facts,
        )

    def _lost(self, why: HttpError, *, content: bool = False, **facts: Any) -> UpstreamError:
        """A connection that failed, broke off or fell silent; billable once anything may have reached the upstream."""
        late = isinstance(why, TimedOut)
        code = "upstream_timeout" if late else "upstream_broken_off"
        if isinstance(why, ConnectFailed | BadRequest):
            code = "upstream_unreachable"
        return self._error(
            str(why),
            status=504 if late else 502,
            code=code,
            retryable=not isinstance(why, BadRequest),
            billable=why.sent,
            after_content=content,
            **facts,
        )

    def _error(self, message: str, **facts: Any) -> UpstreamError:
        return UpstreamError(f"'{self.alias}' ({self.vendor.name}): {message}", **facts)

    def _clean(self, text: str, call: Call | None = None) -> str:
        """An upstream may echo what it was sent, its key among it."""
        return scrub(text, self._key, call.caller.provider_key if call is not None else None)

    def _clean_bytes(self, body: bytes | None, call: Call | None = None) -> bytes | None:
        return scrub_bytes(body, self._key, call.caller.provider_key if call is not None else None) if body else body


_CODES = {
    400: "upstream_invalid_request",
    404: "upstream_not_found",
    413: "upstream_too_large",
    429: "rate_limit_exceeded",
    529: "upstream_overloaded",
}
_STATUS_OF = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "context_length_exceeded": 400,
    "overloaded_error": 503,
}
_ASK_USAGE = Raw(b'{"include_usage":true}')
_LIMIT_NAMES = ("max_completion_tokens", "max_tokens")


def _ask_usage(fields: dict[str, Raw], vendor: Vendor) -> None:
    if not vendor.include_usage:
        fields.pop("stream_options", None)  # refused there, and usage comes unasked
        return
    told = fields.get("stream_options")
    if told is None or bytes(told) == b"null":
        fields["stream_options"] = _ASK_USAGE
        return
    options = msgspec.json.decode(told, type=dict[str, Raw])
    options["include_usage"] = Raw(b"true")
    fields["stream_options"] = Raw(encode(options))


def _limit(fields: dict[str, Raw], limit: int, names: tuple[str, ...]) -> None:
    """Our limit in the place of the client's, under a name that the upstream obeys."""
    name = next((n for n in names if n in fields), names[0])
    fields[name] = Raw(b"%d" % limit)
    for other in _LIMIT_NAMES:
        if other != name:
            fields.pop(other, None)


def _renamed_limit(fields: dict[str, Raw], names: tuple[str, ...]) -> dict[str, Raw]:
    """A limit under a name that the upstream would refuse or, worse, ignore goes out under the one it obeys."""
    strange = next((n for n in _LIMIT_NAMES if n in fields and n not in names), None)
    if strange is None:
        return fields
    obeyed = fields.get(names[0])
    if obeyed is not None:
        if bytes(obeyed) == b"null":  # no limit at all, were it sent on in place of the one that was set
            fields = fields | {names[0]: fields[strange]}
        return {k: v for k, v in fields.items() if k != strange}
    return {names[0] if k == strange else k: v for k, v in fields.items()}


def _shown(status: int) -> int:
    """The status a client is shown for an upstream's own."""
    if 400 <= status < 500:
        return status
    return status if status in (503, 504) else 503 if status == 529 else 502


def _header_blocks(key: str | None) -> tuple[HeaderBlock, HeaderBlock]:
    """Headers for a whole answer, and for a stream. Raises BadRequest for a key that is no header's value."""
    headers = [(b"content-type", b"application/json"), (b"user-agent", b"demitasse")]
    if key:
        headers.append((b"authorization", b"Bearer " + key.encode("utf-8", "replace")))
    return (
        encode_headers([*headers, (b"accept", b"application/json")]),
        encode_headers([*headers, (b"accept", b"text/event-stream")]),
    )


def _header(answer: Response, name: bytes) -> str:
    """A header in lower case; empty where there is none."""
    return (answer.header(name) or b"").decode("latin-1").strip().lower()


async def _linger(pieces: AsyncIterator[bytes]) -> None:
    """Read a finished stream's connection to its end, if that comes soon, so that it can be used again."""
    try:
        async with asyncio.timeout(LINGER_S):
            async for _ in pieces:
                pass
    except (TimeoutError, HttpError):
        return  # the answer is whole; only the connection is lost


def _retry_after_s(answer: Response) -> float | None:
    """Seconds to wait: ``retry-after-ms``, or ``retry-after`` as seconds or a date (against the answer's own date)."""
    told_ms, told = _header(answer, b"retry-after-ms"), _header(answer, b"retry-after")
    try:
        if told_ms:
            return max(0.0, float(told_ms) / 1e3)
        if told.replace(".", "", 1).isdigit():
            return float(told)
        sent = _header(answer, b"date")
        if told and sent:
            return max(0.0, (parsedate_to_datetime(told) - parsedate_to_datetime(sent)).total_seconds())
    except (ValueError, TypeError):
        return None
    return None


def _timings(raw: Raw | None) -> dict[str, float] | None:
    if raw is None:
        return None
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    return {k: float(v) for k, v in told.items() if isinstance(v, int | float) and not isinstance(v, bool)} or None

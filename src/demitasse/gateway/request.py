"""A request's headers and body as a Call: who asks, what it wishes of us, its tags and session. Knows no response."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ..core.call import Call, Caller, Kind, Wish
from ..core.errors import Refused
from ..store.subjects import person_in
from ..wire.ask import Ask

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Mapping[bytes, bytes]

MOST_TAGS = 16
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch


BODY_S = 60.0
"""How long a request's body may take after its first piece; a sender that trickles holds a connection and memory."""


class HungUp(Exception):
    """The client left before its request was whole; there is no call yet and nothing to book."""


async def read_body(receive: Receive, headers: Headers, most: int) -> bytes:
    length = headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > most:
        raise _too_large(most)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if message["type"] == "http.disconnect":
            raise HungUp
        return body
    parts, size = [body], len(body)
    try:
        async with asyncio.timeout(BODY_S):
            while message.get("more_body"):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HungUp
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise _too_large(most)
    except TimeoutError:
        raise Refused(
            f"the body was not whole after {BODY_S:g} s; send it again", status=408, code="body_timeout", final=False
        ) from None
    return b"".join(parts)


def token(headers: Headers) -> bytes | None:
    given = headers.get(b"authorization")
    if given is not None:
        scheme, _, token = given.partition(b" ")
        return token.strip() or None if scheme.lower() == b"bearer" else None
    return headers.get(b"x-api-key") or headers.get(b"api-key") or None


def as_call(ask: Ask, id: str, request_id: str, at_us: int, caller: Caller, headers: Headers) -> Call:
    tags = caller.pinned_tags
    if (given := headers.get(b"x-demitasse-tags")) is not None:
        tags = _tags(given.decode("latin-1"), caller)
    session = headers.get(b"x-demitasse-session")
    if session is not None:
        name = session.decode("latin-1")[:128]
    elif ask.prompt_cache_key:
        name = ask.prompt_cache_key[:128]
    else:
        seed = b"\0".join((caller.tenant.encode(), ask.system_text_raw, ask.first_user_raw))
        name = hashlib.blake2b(seed, digest_size=8).hexdigest()
    return Call(
        id=id,
        request_id=request_id,
        at_us=at_us,
        kind=ask.kind,
        body=ask.body,
        fields=ask.fields,
        model=ask.model,
        stream=ask.stream,
        include_usage=ask.include_usage,
        n=ask.n,
        max_output=ask.max_output,
        images=ask.images + ask.files,
        files=ask.files,
        image_bytes=ask.image_bytes,
        text_bytes=ask.text_bound_bytes,
        has_tools=ask.has_tools,
        service_tier=ask.service_tier,
        temperature=ask.temperature,
        caller=caller,
        tags=tags,
        session=name,
        person=person_in(ask.fields),
        trace=headers[b"traceparent"].decode("latin-1")[:64] if b"traceparent" in headers else "",
        wish=_wish(headers),
    )


def unread(id: str, request_id: str, at_us: int, kind: Kind, caller: Caller) -> Call:
    return Call(id=id, request_id=request_id, at_us=at_us, kind=kind, body=b"", fields={}, model="", caller=caller)


_NO_WISH = Wish()


def _wish(headers: Headers) -> Wish:
    cache = headers.get(b"x-demitasse-cache", b"").decode("latin-1")
    route = headers.get(b"x-demitasse-route", b"").decode("latin-1")
    retry = headers.get(b"x-stainless-retry-count")
    deadline = headers.get(b"x-stainless-read-timeout") or headers.get(b"x-stainless-timeout")
    again = headers.get(b"idempotency-key")
    data_class = headers.get(b"x-demitasse-class")
    if not (cache or route or deadline or again or retry or data_class):
        return _NO_WISH
    if cache not in ("", "use", "no-store", "refresh", "sampled"):
        raise Refused(f"x-demitasse-cache: '{cache[:40]}' is none of no-store, refresh, sampled", code="invalid_header")
    if route not in ("", "reference"):
        raise Refused(f"x-demitasse-route: '{route[:40]}' is not 'reference'", code="invalid_header")
    return Wish(
        cache=cache if cache in ("no-store", "refresh") else "use",  # type: ignore[arg-type]  # checked above
        route=route,  # type: ignore[arg-type]  # checked above
        sampled=cache == "sampled",
        deadline_s=_seconds(deadline),
        retry_count=int(retry) if retry and retry.isdigit() else None,
        idempotency_key=again.decode("latin-1")[:256] if again else None,
        data_class=data_class.decode("latin-1")[:64] if data_class else "",
    )


def _seconds(value: bytes | None) -> float | None:
    try:
        seconds = float(value) if value else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds < 86_400 else None


def _tags(given: str, caller: Caller) -> tuple[tuple[str, str], ...]:
    """``team=search,feature=titles``; tags pinned to the key override what a header says."""
    tags: dict[str, str] = {}
    parts = given.split(",")
    if len(parts) > MOST_TAGS:
        raise Refused(f"x-demitasse-tags: at most {MOST_TAGS} tags, not {len(parts)}", code="invalid_header")
    for part in parts:
        name, _, value = part.strip().partition("=")
        if not (_TAG(name) and _TAG(value)):
            raise Refused(
                f"x-demitasse-tags: '{part[:60]}' is not name=value (letters, digits, '_', '.', '-')",
                code="invalid_header",
            )
        tags[name] = value
    return tuple((tags | dict(caller.pinned_tags)).items())


def _too_large(most: int) -> Refused:
    size = f"{most >> 20} MB; send less, or raise [server] max_body_mb" if most >> 20 else f"{most >> 10} KB; send less"
    return Refused(
        f"the body is larger than {size}",
        status=413,
        code="body_too_large",
    )

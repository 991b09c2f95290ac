"""`chat`: one question through the running gateway, and what it cost."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .ground import Failure, Place, note, placed, say_json
from .running import Gateway, error_text, find

if TYPE_CHECKING:
    from http.client import HTTPResponse

ANSWER_S = 600.0


@click.command()
@click.argument("question")
@click.option("--model", metavar="NAME", help="A route or a model; else the first that the gateway has.")
@click.option("--stream/--no-stream", default=None, help="Show the answer as it comes; the default on a terminal.")
@click.option("--system", metavar="TEXT", help="A system prompt.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Longest answer.")
@click.option("--start", is_flag=True, help="Start a gateway for this question when none runs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the answer and its facts.")
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="A key of the gateway's; else DEMITASSE_KEY.")
@placed
def chat(
    place: Place,
    question: str,
    model: str | None,
    stream: bool | None,
    system: str | None,
    max_tokens: int | None,
    start: bool,
    as_json: bool,
    url: str | None,
    key: str | None,
) -> None:
    """Ask one question; '-' reads it from standard input."""
    import sys

    if question == "-":
        question = sys.stdin.read()
    with _gateway(place, url, key, start=start) as gateway:
        body: dict[str, Any] = {
            "model": model or _first_model(gateway),
            "messages": [
                *([{"role": "system", "content": system}] if system else []),
                {"role": "user", "content": question},
            ],
        }
        if max_tokens is not None:
            body["max_completion_tokens"] = max_tokens
        streamed = not as_json and (sys.stdout.isatty() if stream is None else stream)
        if streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        began = time.perf_counter()
        with _asked(gateway, body) as response:
            if response.status != 200:
                raise Failure(error_text(response.read(), response.status))
            text = _streamed(response) if streamed else _whole(response, show=not as_json)
            took_s = time.perf_counter() - began
            id = response.headers.get("x-request-id", "")
        # The books have the final figures of a stream, too; its headers left before they were known.
        facts = gateway.json("GET", f"/demitasse/calls/{id}")
    if as_json:
        say_json({"answer": text, "call": facts})
        return
    note(_cost_line(facts, took_s))


@contextlib.contextmanager
def _gateway(place: Place, url: str | None, key: str | None, *, start: bool) -> Iterator[Gateway]:
    gateway = find(place, url, key)
    if gateway is not None:
        yield gateway
    elif start:
        from .background import started

        with started(place) as fresh:
            yield fresh
    else:
        raise Failure("no gateway is running here; start one with: demitasse up (or ask again with --start)")


@contextlib.contextmanager
def _asked(gateway: Gateway, body: dict[str, Any]) -> Iterator[HTTPResponse]:
    from http.client import HTTPException

    try:
        with gateway.ask("POST", "/v1/chat/completions", body, timeout_s=ANSWER_S) as response:
            yield response
    except (OSError, HTTPException) as error:
        raise Failure(f"the gateway at {gateway.url} broke off ({error}); see its log") from error


def _first_model(gateway: Gateway) -> str:
    models = gateway.json("GET", "/v1/models")["data"]
    if not models:
        raise Failure(
            "the gateway has no model; set a provider's key in its environment, or run: "
            "demitasse models pull smollm2-135m"
        )
    return str(models[0]["id"])


def _whole(response: HTTPResponse, *, show: bool) -> str:
    message = json.loads(response.read())["choices"][0]["message"]
    text = message.get("content") or message.get("refusal") or json.dumps(message.get("tool_calls") or "")
    if show:
        click.echo(text)
    return str(text)


def _streamed(response: HTTPResponse) -> str:
    """The text, shown as it comes. Failure when the stream ends with an error, or without its end."""
    parts: list[str] = []
    done = False
    for line in response:
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data:
            continue
        if data == b"[DONE]":
            done = True
            break
        event = json.loads(data)
        if "error" in event:
            click.echo()
            raise Failure(error_text(data, response.status))
        for choice in event.get("choices", [])[:1]:
            part = choice.get("delta", {}).get("content") or ""
            click.echo(part, nl=False)
            parts.append(part)
    click.echo()
    if not done:
        raise Failure("the answer broke off; what was used is in the books: demitasse ledger --last 1")
    return "".join(parts)


def _cost_line(facts: dict[str, Any], took_s: float) -> str:
    """``smollm2-135m (local) · 21 + 34 tokens · $0.000012 · 412 ms · demitasse explain c…``."""
    from ..core.money import nanos
    from ..web.render import money

    usage = facts.get("usage") or {}
    read = sum(n for name, n in usage.items() if not name.endswith("_out"))
    written = sum(n for name, n in usage.items() if name.endswith("_out"))
    cost = facts.get("cost_usd")
    parts = [
        f"{facts.get('model') or facts.get('asked_model')} ({facts.get('provider')})",
        f"{read:,} + {written:,} tokens",
        "unpriced" if cost is None else money(nanos(cost)),
    ]
    if facts.get("cache") in {"exact", "coalesced"}:
        parts.append("from the cache" if facts["cache"] == "exact" else "shared with a call under way")
    if facts.get("saved_usd"):
        parts.append(f"saved {money(nanos(facts['saved_usd']))}")
    return " · ".join([*parts, f"{took_s * 1000:,.0f} ms", f"why: demitasse explain {facts['id']}"])

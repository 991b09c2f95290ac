"""The clients: make a call as the official ones do, hang up, try again, and remember what they saw."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import aiohttp
from msgspec import Struct

from .plan import Act

TRY_AGAIN = {408, 409, 429, 500, 502, 503, 504}


class Seen(Struct):
    """One try of one call, as its client saw it. ``status`` None: no answer came."""

    call: str
    request_id: str
    status: int | None = None
    answered: bool = False
    code: str | None = None
    text: str = ""
    hung_up: bool = False
    final: bool = False


async def play(
    act: Act, session: aiohttp.ClientSession, tokens: dict[str, str], ports: Callable[[], list[int]], rng: random.Random
) -> list[Seen]:
    """All tries of one call; each goes to a gateway that is believed to live."""
    await asyncio.sleep(act.at_ms / 1e3)
    tries: list[Seen] = []

    async def one(turn: int) -> Seen:
        seen = Seen(act.id, f"{act.id}.{turn}")
        tries.append(seen)
        try:
            async with asyncio.timeout(_patience_s(act, turn)):
                while not (living := ports()):
                    await asyncio.sleep(0.005)
                await _try(act, seen, session, tokens[act.key], rng.choice(living), turn)
        except TimeoutError:
            seen.hung_up = True
        except (aiohttp.ClientError, ConnectionError, ValueError):
            pass
        return seen

    async def echo(after_ms: float) -> None:
        await asyncio.sleep(after_ms / 1e3)
        await one(act.tries)

    echoing = asyncio.create_task(echo(act.echo_ms)) if act.echo_ms is not None else None
    for turn in range(act.tries):
        seen = await one(turn)
        if seen.answered or seen.final or (seen.status not in (None, 200) and seen.status not in TRY_AGAIN):
            break
        if seen.hung_up and rng.random() < 0.5:
            break
        await asyncio.sleep(rng.choice([0, 0, 0.01, 0.05]))
    if echoing is not None:
        await echoing
    return tries


def _patience_s(act: Act, turn: int) -> float:
    """Who hangs up does so on the first try; what hangs is given up every time."""
    impatient = act.hang_up_ms is not None and (turn == 0 or act.behave == "hang")
    return act.hang_up_ms / 1e3 if impatient and act.hang_up_ms is not None else 20.0


async def _try(act: Act, seen: Seen, session: aiohttp.ClientSession, token: str, port: int, turn: int) -> None:
    headers = {
        "authorization": f"Bearer {token}",
        "x-request-id": seen.request_id,
        "x-stainless-retry-count": str(turn),
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    async with session.post(url, json=act.body(), headers=headers) as response:
        seen.status = response.status
        seen.final = response.headers.get("x-should-retry") == "false"
        if response.status != 200:
            body = json.loads(await response.read())
            seen.code = body["error"].get("code")
        elif act.stream:
            await _stream(seen, response)
        else:
            body = json.loads(await response.read())
            seen.text = body["choices"][0]["message"]["content"]
            seen.answered = True


async def _stream(seen: Seen, response: aiohttp.ClientResponse) -> None:
    """A stream is an answer only with its ``[DONE]``."""
    async for line in response.content:
        if not line.startswith(b"data: "):
            continue
        if line == b"data: [DONE]\n":
            seen.answered = True
            return
        chunk: dict[str, Any] = json.loads(line[6:])
        if "error" in chunk:
            seen.code = chunk["error"].get("code") or "error"
            return
        for choice in chunk["choices"]:
            seen.text += choice["delta"].get("content") or ""

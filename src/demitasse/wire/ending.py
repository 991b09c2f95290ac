"""The chunk that ends a stream which we cut ourselves."""

from __future__ import annotations

from typing import Any

import msgspec


def finish_chunk(last: bytes, reason: str) -> bytes:
    """A closing chunk in the likeness of the ``last`` one sent: same id and model, empty delta, a finish reason."""
    chunk: dict[str, Any] = msgspec.json.decode(last)
    chunk.pop("usage", None)
    text = chunk.get("object") == "text_completion"
    indexes = sorted({choice.get("index", 0) for choice in chunk.get("choices", ())}) or [0]
    chunk["choices"] = [
        {"index": index, **({"text": ""} if text else {"delta": {}}), "finish_reason": reason} for index in indexes
    ]
    return msgspec.json.encode(chunk)

"""GGUF files made for tests: real heads, a few bytes of tensors."""

import struct
from pathlib import Path


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf(
    path: Path,
    *,
    context: int = 2048,
    tensors: dict[str, tuple[int, int, int]] | None = None,
    template: str | None = "{{ messages }}",
    cut: int = 0,
    says: dict[str, str] | None = None,
) -> Path:
    """``tensors``: name → (weights, ggml type, bytes). ``says``: further texts of the head, by key."""
    tensors = tensors or {"token_embd.weight": (64, 0, 256), "blk.0.q.weight": (64, 8, 68)}
    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
        text("tokenizer.ggml.scores") + struct.pack("<IIQ", 9, 6, 2) + struct.pack("<2f", 0, 1),
        text("llama.context_length") + struct.pack("<II", 4, context),
        text("llama.block_count") + struct.pack("<II", 4, 2),
        text("llama.embedding_length") + struct.pack("<II", 4, 64),
        text("llama.attention.head_count") + struct.pack("<II", 4, 4),
        text("llama.attention.head_count_kv") + struct.pack("<II", 4, 2),
    ]
    pairs += [text(key) + struct.pack("<I", 8) + text(value) for key, value in (says or {}).items()]
    if template is not None:
        pairs.append(text("tokenizer.chat_template") + struct.pack("<I", 8) + text(template))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs)
    offset = 0
    data = b""
    for name, (weights, kind, size) in tensors.items():
        head += text(name) + struct.pack("<IQ", 1, weights) + struct.pack("<IQ", kind, offset)
        padded = -(-size // 32) * 32
        data += bytes(padded)
        offset += padded
    head += bytes(-len(head) % 32)
    whole = head + data
    path.write_bytes(whole[: len(whole) - cut] if cut else whole)
    return path

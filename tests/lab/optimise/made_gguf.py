"""A llama of 70 thousand weights, made of chance, with a tokenizer of single bytes: whole enough for transformers and llama.cpp."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WIDTH, HEADS, HEADS_KV, INNER, LAYERS = 64, 4, 2, 96, 3


def byte_tokens() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    stand_in = {byte: chr(byte) for byte in shown} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}
    return [stand_in[byte] for byte in range(256)]


def make(path: Path, *, layers: int = LAYERS, seed: int = 1, kind: str = "F32", arch: str = "llama") -> Path:
    import gguf

    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, arch)
    writer.add_name("tiny")
    writer.add_license("apache-2.0")
    writer.add_block_count(layers)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS_KV)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = ["<unk>", "<|im_start|>", "<|im_end|>", *byte_tokens(), "ab"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * 257)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    to = getattr(gguf.GGMLQuantizationType, kind)

    def matrix(name: str, rows: int, columns: int) -> None:
        values = rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)
        writer.add_tensor(name, gguf.quants.quantize(values, to), raw_dtype=to)

    matrix("token_embd.weight", len(tokens), WIDTH)
    for at in range(layers):
        writer.add_tensor(f"blk.{at}.attn_norm.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"blk.{at}.ffn_norm.weight", np.ones(WIDTH, np.float32))
        matrix(f"blk.{at}.attn_q.weight", WIDTH, WIDTH)
        matrix(f"blk.{at}.attn_k.weight", WIDTH // HEADS * HEADS_KV, WIDTH)
        matrix(f"blk.{at}.attn_v.weight", WIDTH // HEADS * HEADS_KV, WIDTH)
        matrix(f"blk.{at}.attn_output.weight", WIDTH, WIDTH)
        matrix(f"blk.{at}.ffn_gate.weight", INNER, WIDTH)
        matrix(f"blk.{at}.ffn_up.weight", INNER, WIDTH)
        matrix(f"blk.{at}.ffn_down.weight", WIDTH, INNER)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

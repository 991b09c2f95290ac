"""A model folder made for tests: a Llama of 40 thousand random weights with a tokenizer of bytes. No torch is needed."""

import json
import struct
from pathlib import Path

import numpy as np

TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
HIDDEN, LAYERS, HEADS, INNER, VOCABULARY = 32, 2, 4, 64, 259


def folder(path: Path, *, context: int = 256, template: str | None = TEMPLATE, seed: int = 7) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": 2, "vocab_size": VOCABULARY,
        "max_position_embeddings": context, "rms_norm_eps": 1e-5, "bos_token_id": 256, "eos_token_id": 257,
        "tie_word_embeddings": True, "dtype": "float32", "hidden_act": "silu",
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(seed)
    tensors = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for at in range(LAYERS):
        layer = f"model.layers.{at}."
        tensors |= {
            layer + "self_attn.q_proj.weight": (HIDDEN, HIDDEN), layer + "self_attn.k_proj.weight": (HIDDEN // 2, HIDDEN),
            layer + "self_attn.v_proj.weight": (HIDDEN // 2, HIDDEN), layer + "self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            layer + "mlp.gate_proj.weight": (INNER, HIDDEN), layer + "mlp.up_proj.weight": (INNER, HIDDEN),
            layer + "mlp.down_proj.weight": (HIDDEN, INNER), layer + "input_layernorm.weight": (HIDDEN,),
            layer + "post_attention_layernorm.weight": (HIDDEN,),
        }  # fmt: skip
    safetensors(path / "model.safetensors", {k: rng.normal(0, 0.2, v).astype("<f4") for k, v in tensors.items()})
    # Bytes as the byte-level pre-tokenizer writes them: printable ones as they are, the others from 256 on.
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = iter(range(256, 512))
    vocabulary = {chr(b) if b in letters else chr(next(shifted)): b for b in range(256)}
    special = [("<bos>", 256), ("<eos>", 257), ("<unk>", 258)]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
        "added_tokens": [
            {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
            for t, i in special
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary | dict(special), "merges": [],
        },
    }  # fmt: skip
    (path / "tokenizer.json").write_text(json.dumps(tokenizer))
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "unk_token": "<unk>",
    }
    (path / "tokenizer_config.json").write_text(
        json.dumps(told if template is None else told | {"chat_template": template})
    )
    (path / "generation_config.json").write_text(json.dumps({"bos_token_id": 256, "eos_token_id": 257}))
    return path


def safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        raw = tensor.tobytes()
        head[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)

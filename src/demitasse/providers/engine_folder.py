"""A model as a folder, the way the hub keeps it: ``config.json``, weights as safetensors, a tokenizer. Loads no weights.

Pickled weights are refused: to read them is to run what they say.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from ..core.errors import ConfigError
from .catalogue import FolderSource
from .gguf import BadFileError, Head, read_head
from .target import PullError

HUB: Final = re.compile(r"hf:(?P<owner>[\w.-]+)/(?P<repo>[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
"""A whole repository: no file is named."""
WANTED: Final = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "*.txt")
"""What is fetched of a repository; nothing that could be run."""
_BITS: Final = {"float32": 32, "float16": 16, "bfloat16": 16, "float8_e4m3fn": 8}
_HEADER_BYTES: Final = 64 << 20


def find_folder(source: str, models: Path, *, place: str = "source", base: Path | None = None) -> FolderSource:
    """What a setting means. A path is relative to ``base``, the configuration's directory. Nothing is fetched.

    Raises ConfigError: a GGUF file, or ``hf:`` in another form than ``hf:owner/repo[@revision]``.
    """
    if source.startswith("hf:"):
        found = HUB.fullmatch(source)
        if found is None or ".." in source or source.endswith(".gguf"):
            raise ConfigError(f"{place}: '{source}' is not of the form hf:owner/repo (or hf:owner/repo@revision)")
        revision = f"-at-{found['revision'].replace('/', '-')}" if found["revision"] else ""
        return FolderSource(models / "folders" / f"{found['owner']}--{found['repo']}{revision}", source)
    if source.endswith(".gguf") or not source:
        raise ConfigError(
            f"{place}: engine 'transformers' needs a folder with config.json, or hf:owner/repo; a GGUF file is for llama.cpp"
        )
    return FolderSource((base or Path()) / Path(source).expanduser())


def pull_folder(source: FolderSource) -> Path:
    """The folder, fetched when it is not there: whole or not at all under its name. Blocks. Raises PullError."""
    if source.path.is_dir():
        return source.path
    found = HUB.fullmatch(source.hub or "")
    if found is None:
        raise PullError(f"there is no folder {source.path}; give another path, or hf:owner/repo")
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise PullError("huggingface_hub is not installed; install it with: pip install 'demitasse[hub]'") from None
    part = source.path.with_name(source.path.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    repo, revision = f"{found['owner']}/{found['repo']}", found["revision"]
    try:
        snapshot_download(repo, revision=revision, local_dir=part, allow_patterns=list(WANTED))
        read_folder(part)
    except Exception as error:
        raise PullError(f"{source.hub} could not be fetched: {error}") from error
    part.rename(source.path)
    return source.path


def read_folder(folder: Path) -> Head:
    """What a folder says of itself; its files are there, and no weights file is cut short.

    Raises:
        BadFileError: says what is missing, damaged or not allowed.
    """
    if not folder.is_dir():
        raise BadFileError(f"there is no folder {folder}; name one with config.json, safetensors and a tokenizer")
    if "@" in folder.name:
        raise BadFileError(f"{folder}: an '@' in a folder's name reads as a revision; rename it")
    config = _json(folder / "config.json")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise BadFileError(f"{folder} has no tokenizer.json and no tokenizer.model; fetch the whole model again")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        other = next(folder.glob("*.bin"), None)
        hint = f"; {other.name} may run code when it is read and is not used" if other else ""
        raise BadFileError(f"{folder} has no weights as safetensors{hint}")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        missing = sorted(set(_json(index).get("weight_map", {}).values()) - {one.name for one in weights})
        if missing:
            raise BadFileError(f"{folder}: {missing[0]} is missing ({len(missing)} such); fetch the whole model again")
    parameters = sum(_parameters(one) for one in weights)
    size = sum(one.stat().st_size for one in weights)
    text = config.get("text_config") or config
    heads = int(text.get("num_attention_heads") or 0)
    each = int(text.get("head_dim") or 0) or (int(text.get("hidden_size") or 0) // heads if heads else 0)
    kept = int(text.get("num_key_value_heads") or heads) * each * 2 * int(text.get("num_hidden_layers") or 0) * 2
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return Head(
        architecture=str(config.get("model_type") or "unknown"),
        name=folder.name,
        context=int(text.get("max_position_embeddings") or 0),
        parameters=parameters,
        quantisation=dtype,
        bits_per_weight=round(size * 8 / parameters, 2) if parameters else float(_BITS.get(dtype, 0)),
        chat_template=_template(folder),
        kv_bytes_per_token=kept,
        size_bytes=size,
    )


def folder_from_gguf(gguf: Path, folder: Path, *, dtype: str = "float32") -> Path:
    """A GGUF file as a folder that transformers can serve, its weights unpacked to ``dtype``. Returns ``folder``.

    Raises BadFileError for a file that is none; ImportError where transformers, torch or gguf is not installed. transformers
    knows a part of what llama.cpp does, and raises what it likes for an architecture that it does not.
    """
    read_head(gguf)
    import torch  # noqa: PLC0415 - heavy
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415 - heavy

    where = {"gguf_file": gguf.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, dtype=getattr(torch, dtype), quantization_config=GgufConfig(dequantize=True), **where
    )
    model.config.quantization_config = None
    del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, **where).save_pretrained(folder)
    return folder


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadFileError(f"{path.parent} has no {path.name}; fetch the whole model again") from None
    except (OSError, ValueError) as error:
        raise BadFileError(f"{path} cannot be read: {error}; fetch the whole model again") from None
    if not isinstance(found, dict):
        raise BadFileError(f"{path} is not a JSON object; fetch the whole model again")
    return found


def _parameters(weights: Path) -> int:
    """Weights in a safetensors file, whose head tells where its tensors end: 8 bytes of length, then JSON."""
    try:
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= _HEADER_BYTES:
                raise BadFileError(f"{weights} is not a safetensors file; fetch it again")
            head = json.loads(file.read(length))
    except (OSError, ValueError) as error:
        raise BadFileError(f"{weights} is damaged ({error}); fetch it again") from None
    tensors = [one for name, one in head.items() if name != "__metadata__"]
    try:
        end = max((int(one["data_offsets"][1]) for one in tensors), default=0)
        count = sum(_product(one["shape"]) for one in tensors)
    except (KeyError, TypeError, IndexError, ValueError):
        raise BadFileError(f"{weights} is damaged: its head describes no tensors; fetch it again") from None
    if weights.stat().st_size < 8 + length + end:
        raise BadFileError(f"{weights} is cut short; fetch it again")
    return count


def _product(shape: list[int]) -> int:
    result = 1
    for one in shape:
        result *= int(one)
    return result


def _template(folder: Path) -> str | None:
    try:
        return (folder / "chat_template.jinja").read_text("utf-8")
    except OSError:
        pass
    try:
        own = _json(folder / "tokenizer_config.json").get("chat_template")
    except BadFileError:
        return None
    return own if isinstance(own, str) else None

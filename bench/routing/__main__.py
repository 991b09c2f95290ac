"""python -m bench.routing routellm|zeroeval [options]: certified savings on real outcomes; see each for its options."""

from __future__ import annotations

import importlib
import sys

BENCHES = ("routellm", "zeroeval")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        print(f"{__doc__}\n\nwhich one? {' or '.join(BENCHES)}", file=sys.stderr)
        raise SystemExit(2)
    importlib.import_module(f"bench.routing.{sys.argv[1]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()

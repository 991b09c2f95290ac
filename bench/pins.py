"""Known holes in what a lock file pins, asked of a database of advisories by pip-audit: python bench/pins.py requirements.lock

pip-audit passes over what its database does not know and ends well all the same. Here a pin that could not be looked for is a
failure like a hole, since nobody knows what it is.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main(lock: str, *options: str) -> str | None:
    """What stands in the way of saying that all is well; None: nothing does."""
    command = ["-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--require-hashes", "--disable-pip"]
    ran = subprocess.run(
        [sys.executable, *command, "--requirement", lock, *options], capture_output=True, text=True, check=False
    )
    try:
        pins = json.loads(ran.stdout)["dependencies"]
        len(pins)
    except (ValueError, KeyError, TypeError):
        print(ran.stderr, file=sys.stderr)
        return f"pip-audit said nothing of the pins (it ended with {ran.returncode}); see above"
    holed = [pin for pin in pins if pin.get("vulns")]
    skipped = [pin for pin in pins if "skip_reason" in pin]
    for pin in holed:
        for hole in pin["vulns"]:
            mended = ", ".join(hole.get("fix_versions") or ()) or "nowhere"
            print(f"{pin['name']} {pin['version']}: {hole['id']}, mended in {mended}")
    for pin in skipped:
        print(f"{pin['name']}: {pin['skip_reason']}")
    if not pins:
        return f"{lock} names no pins"
    told = [f"{len(holed)} of {len(pins)} pins have a known hole"] if holed else []
    if skipped:
        told.append(
            f"{len(skipped)} of {len(pins)} pins could not be audited, so that nobody knows whether they have one"
        )
    if told:
        return "; ".join(told)
    if ran.returncode:
        print(ran.stderr, file=sys.stderr)
        return f"pip-audit ended with {ran.returncode}; see above"
    print(f"{len(pins)} pins were looked for, and none has a known hole")
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

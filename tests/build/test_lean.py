"""What a gateway imports that promises nothing yet."""

from __future__ import annotations

import subprocess
import sys


def test_a_start_without_a_certificate_imports_neither_scores_nor_the_lab() -> None:
    code = (
        "import sys, demitasse.build.app\n"
        "print([m for m in sys.modules if m.startswith(('demitasse.score.', 'demitasse.lab.', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

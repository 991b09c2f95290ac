"""Writes the reference of settings: ``python -m demitasse.config > docs/reference/settings.md``."""

from __future__ import annotations

import sys

from .describe import reference

sys.stdout.write(reference())

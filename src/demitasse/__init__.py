"""Demitasse: an OpenAI-compatible gateway that spends the least that keeps a chosen quality, and proves both.

A call's way, each word a module: ``gateway.http`` reads it, ``gateway.answer`` decides (key → cache → budget → route →
attempt → ledger), ``providers`` ask the model, ``store`` keeps the books, ``web`` and ``cli`` show them.
``build`` is the only place that constructs things. The nouns are in ``core``.
"""

__version__ = "0.1.0"

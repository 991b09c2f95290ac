"""What a hosted model may have used for an answer, as EcoLogits estimates it. Knows its names of providers, and no books.

EcoLogits (the extra ``[energy]``) estimates from a model's size, guessed where its vendor keeps it secret, and the tokens that
came out; its tables are part of the package, so nothing is asked over the network. Its figure is electricity in use, the
building's overhead included, as an interval. It is imported when a report or an explanation asks, never while serving calls.

Figures are tagged ``vendor`` and never added to ones that were measured or modelled on a machine of one's own.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from ..core.call import Energy

NOT_INSTALLED: Final = "not estimated: pip install 'demitasse[energy]'"
UJ_PER_KWH: Final = 3_600_000_000_000

NAMES: Final = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google_genai",
    "mistral": "mistralai",
    "together": "huggingface_hub",
    "fireworks": "huggingface_hub",
}
"""Our names of providers and EcoLogits'. Its ``huggingface_hub`` is open models on common accelerators, which is what some
others serve under the same names; vendors with chips of their own (groq) are left out. EcoLogits 0.11, 21 Nov 2026."""
RESOLD: Final = {"openai": "openai", "anthropic": "anthropic", "google": "google_genai", "mistralai": "mistralai"}
"""The first part of a model's name at openrouter, where it says whose model is sold on."""


def installed() -> bool:
    """Whether the extra is there; imports nothing of it."""
    return importlib.util.find_spec("ecologits") is not None


def estimate(provider: str, model: str, output_tokens: float, duration_s: float) -> Energy | None:
    """The electricity of one answer; None where EcoLogits knows no such model, or is not installed.

    Args:
        provider, model: as the books name them, e.g. ``openai`` and ``gpt-4o``.
        output_tokens: generated, reasoning included. May be the mean of many answers: energy grows linearly with it.
        duration_s: of the whole answer; bounds the time that it can have kept a server busy.
    """
    known = _named(provider, model)
    if known is None or output_tokens <= 0 or not installed():
        return None
    models, impacts = _ecologits()
    if models.find_model(provider=known[0], model_name=known[1]) is None:
        return None
    found = impacts(known[0], known[1], output_tokens, duration_s).energy
    if found is None:
        return None
    kwh = found.value
    low, high = (kwh, kwh) if isinstance(kwh, int | float) else (kwh.min, kwh.max)
    return Energy(low_uj=round(low * UJ_PER_KWH), high_uj=round(high * UJ_PER_KWH), method="vendor")


class Estimates:
    """Estimates by the name that a model has in the books.

    Args:
        at: provider and model behind a name, where the provider's own servers answer; else None.
    """

    def __init__(self, at: Callable[[str], tuple[str, str] | None]) -> None:
        self._at = at

    def __call__(self, name: str, output_tokens: float, duration_s: float) -> Energy | None:
        """One answer's, or the mean of many."""
        at = self._at(name)
        return None if at is None else estimate(*at, output_tokens, duration_s)

    def lacking(self, name: str) -> str:
        """Why this model has no estimate though one may exist, as a remark; empty when the extra would not help."""
        at = self._at(name)
        return NOT_INSTALLED if at is not None and _named(*at) is not None and not installed() else ""


@cache
def _ecologits() -> tuple[Any, Any]:
    """Its models and its arithmetic. Imported without what it does to the process's logging besides."""
    before = logging.getLoggerClass()
    from ecologits.model_repository import models  # noqa: PLC0415 - heavy, and an extra
    from ecologits.tracers.utils import llm_impacts  # noqa: PLC0415 - the same

    logging.setLoggerClass(before)
    # It warns on standard error of models whose size is a guess; the width of the interval says so already.
    logging.getLogger("ecologits").setLevel(logging.ERROR)
    return models, llm_impacts


def _named(provider: str, model: str) -> tuple[str, str] | None:
    if provider == "openrouter":
        owner, _, rest = model.partition("/")
        return (RESOLD[owner], rest) if owner in RESOLD else None
    return (NAMES[provider], model) if provider in NAMES else None

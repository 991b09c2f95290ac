"""Names by a spaCy pipeline that is installed, or by Presidio on top of one. Maps their labels to ours; trains nothing.

Both come with the extra ``ner``. A pipeline is a package of its own (``python -m spacy download en_core_web_sm``).
"""
# ruff: noqa: PLC0415 - heavy, and behind an extra

from __future__ import annotations

import importlib.util
from typing import Any, Final

from ...core.errors import ConfigError
from ..finding import Entity, FindEntities

DEFAULT: Final = "en_core_web_sm"
PIPELINES: Final = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm", "en_core_web_trf")
"""In the order in which ``auto`` takes one: the transformer last, since it takes a hundred times as long."""
MOST_CHARACTERS: Final = 200_000
"""What is read of one text; spaCy's memory grows with it."""

_SPACY: Final[dict[str, tuple[str, float]]] = {
    "PERSON": ("PERSON", 0.85),
    "PER": ("PERSON", 0.85),
    "GPE": ("LOCATION", 0.8),
    "LOC": ("LOCATION", 0.8),
    "FAC": ("LOCATION", 0.6),
    "ORG": ("ORGANISATION", 0.8),
    "NORP": ("NATIONALITY", 0.8),
}
"""Labels of OntoNotes and WikiNER pipelines (https://spacy.io/models/en), 2025-11. Dates and numbers are the first tier's."""
_PRESIDIO: Final[dict[str, str]] = {
    "PERSON": "PERSON",
    "LOCATION": "LOCATION",
    "ORGANIZATION": "ORGANISATION",
    "NRP": "NATIONALITY",
}
"""Entities of Presidio's spaCy recogniser (https://microsoft.github.io/presidio/supported_entities/), 2025-11."""


def first_installed() -> str | None:
    """The best pipeline for English that is here, if spaCy is."""
    if importlib.util.find_spec("spacy") is None:
        return None
    return next((name for name in PIPELINES if importlib.util.find_spec(name) is not None), None)


def spacy_recogniser(model: str = "") -> FindEntities:
    """Names by the pipeline ``model``. Raises ConfigError where spaCy or the pipeline is missing."""
    try:
        import spacy
    except ImportError as problem:
        raise ConfigError("names by spaCy need the extra: pip install 'demitasse[ner]'") from problem
    name = model or DEFAULT
    try:
        pipeline = spacy.load(name, exclude=["lemmatizer", "textcat"])
    except OSError as problem:
        raise ConfigError(
            f"spaCy's pipeline {name!r} is not installed; get it with: python -m spacy download {name}; or set names to 'own'"
        ) from problem
    return from_pipeline(pipeline)


def from_pipeline(pipeline: Any) -> FindEntities:
    """Names by a spaCy ``Language`` that is already loaded."""

    def find(text: str) -> tuple[list[Entity], bool]:
        document = pipeline(text[:MOST_CHARACTERS])
        found = [
            Entity(_SPACY[span.label_][0], span.start_char, span.end_char, _SPACY[span.label_][1])
            for span in document.ents
            if span.label_ in _SPACY
        ]
        return found, len(text) > MOST_CHARACTERS

    return find


def presidio_recogniser(model: str = "") -> FindEntities:
    """Names by Presidio over the pipeline ``model``. Raises ConfigError where either is missing."""
    try:
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ImportError as problem:
        raise ConfigError("names by Presidio need the extra: pip install 'demitasse[ner]'") from problem
    name = model or DEFAULT
    if importlib.util.find_spec(name) is None:  # Presidio would try to download it
        raise ConfigError(
            f"spaCy's pipeline {name!r} is not installed; get it with: python -m spacy download {name}; or set names to 'own'"
        )
    provider = NlpEngineProvider(
        nlp_configuration={"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": name}]}
    )
    return from_analyzer(AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"]))


def from_analyzer(analyzer: Any) -> FindEntities:
    """Names by a Presidio ``AnalyzerEngine`` that is already made."""

    def find(text: str) -> tuple[list[Entity], bool]:
        results = analyzer.analyze(text=text[:MOST_CHARACTERS], language="en", entities=sorted(_PRESIDIO))
        found = [
            Entity(_PRESIDIO[result.entity_type], result.start, result.end, min(0.85, result.score))
            for result in results
        ]
        return sorted(found, key=lambda entity: entity.start), len(text) > MOST_CHARACTERS

    return find

"""Fixtures that more than one part needs: a data directory, and the small model, fetched once when it is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

CACHE = Path(__file__).parent.parent / ".cache" / "models"

# Hypothesis' own limits are wall-clock ones: on a busy machine they would fail a claim that holds.
settings.register_profile("timeless", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("timeless")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty directory for everything that is kept."""
    home = tmp_path / "data"
    home.mkdir()
    return home


@pytest.fixture(scope="session")
def smollm_path() -> Path:
    """The real SmolLM2-135M: from ``DEMITASSE_TEST_MODEL``, else from ``.cache/models``, pulled on first use."""
    if named := os.environ.get("DEMITASSE_TEST_MODEL"):
        return Path(named)
    from demitasse.providers.catalogue import catalogue
    from demitasse.providers.download import pull

    return pull(catalogue()["smollm2-135m"], CACHE)


@pytest.fixture(scope="session")
def embedding_path() -> Path:
    """The real WordLlama: from ``DEMITASSE_TEST_EMBEDDING``, else from ``.cache/models``, pulled on first use."""
    if named := os.environ.get("DEMITASSE_TEST_EMBEDDING"):
        return Path(named)
    from demitasse.providers.catalogue import embeddings
    from demitasse.providers.download import PullError, pull

    try:
        return pull(embeddings()["wordllama-256"], CACHE)
    except PullError as error:
        pytest.skip(f"the embedding is not there and could not be fetched: {error}")

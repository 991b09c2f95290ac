"""Names of people, places and organisations, which have no shape: recognisers that learnt from text. Chooses one; knows none.

``own`` comes with the project: small, quick, and no match for a large model on news. ``spacy`` and ``presidio`` use what is
installed. Offsets are code points of the text as given; scores of the second tier stay below what a checksum earns.
"""

from __future__ import annotations

from typing import Final

from ...core.errors import ConfigError
from ..finding import FindEntities

__all__ = ["KINDS", "recogniser"]

KINDS: Final = ("auto", "own", "spacy", "presidio")


def recogniser(which: str = "auto") -> FindEntities:
    """A recogniser, ready to use: loading takes from a tenth of a second (own) to a few (spaCy), so do it once.

    Args:
        which: ``own``; ``spacy`` or ``presidio``, each with ``:MODEL`` for another pipeline than ``en_core_web_sm``;
            ``auto``, which is spaCy where its pipeline is installed, and otherwise our own.

    Raises:
        ConfigError: the package or the pipeline is missing, or there is no such recogniser.
    """
    kind, _, model = which.partition(":")
    if kind == "auto":
        from .spacys import first_installed  # noqa: PLC0415 - heavy packages are asked for where they are wanted

        found = first_installed()
        kind, model = ("own", "") if found is None else ("spacy", found)
    if kind == "own":
        from .tagger import load  # noqa: PLC0415 - the weights are read where they are wanted

        return load().find
    if kind == "spacy":
        from .spacys import spacy_recogniser  # noqa: PLC0415 - see above

        return spacy_recogniser(model)
    if kind == "presidio":
        from .spacys import presidio_recogniser  # noqa: PLC0415 - see above

        return presidio_recogniser(model)
    raise ConfigError(f"there is no recogniser of names {which!r}; take one of {', '.join(KINDS)}, or spacy:MODEL")

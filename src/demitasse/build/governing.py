"""Everything that governance stands on, gathered: documents of what happened, cards, the register; and the pack made of them.

Reads the configuration, the store, the lab's runs and made models; what it gathers is judged in ``lab.governance``. One document
that cannot be read leaves the others whole, and says why.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from .. import __version__
from ..core.errors import DemitasseError, StoreError
from ..lab.governance import page
from ..lab.governance.bom import bom
from ..lab.governance.cards import ModelCard, as_json, file_name, markdown
from ..lab.governance.clean import cleaned
from ..lab.governance.controls import Row, counts, judged
from ..lab.governance.pack import Verified, packed, verified
from ..lab.governance.proofs import proven
from ..store import checkpoints, export
from ..store.signing import EVIDENCE, Signer, check, fingerprint
from ..store.tally import Counted
from ..web.report import iso
from .governing_books import DOCUMENTS, history
from .governing_sources import Sources, Window
from .governing_view import look_back

log = logging.getLogger("demitasse.governance")

PAGE_FOLD_ROWS: Final = 200_000
"""So many new rows are counted while a page waits; a command counts them all."""


class Gathered(Struct, frozen=True):
    """What a pack or a page is made of."""

    window: Window
    documents: dict[str, dict[str, Any]]
    """By name, without ``.json``."""
    cards: tuple[ModelCard, ...]
    rows: tuple[Row, ...]
    counted: Counted
    removed: dict[str, int]
    """What the cleaning took out, by kind."""
    checkpoints: str = ""
    """The signed notes themselves, as ``audit verify --checkpoints`` reads them."""
    rows_export: bytes = b""
    """The ledger's rows, only where somebody asked for them: clients' own tags are in them."""


def gather(
    sources: Sources,
    wanted: Window,
    *,
    most: int | None = None,
    verify_chain: bool = True,
    step: Callable[[int, int], None] = lambda _done, _all: None,
) -> Gathered:
    """All documents and cards, cleaned, and the control table's status.

    Args:
        most: count at most so many new rows of the ledger; None: all of them.
        verify_chain: recompute the whole chain; else the document says that it was not.
        step: hears how far the counting is.
    """
    counted = sources.tally.fold(most=most, step=step)
    view = look_back(sources, wanted, counted)
    documents: dict[str, dict[str, Any]] = {}
    for name, document in DOCUMENTS.items():
        documents[name] = _one(name, partial(document, view))
    documents["history"] = _one("history", partial(history, view, recompute=verify_chain))
    cards = view.cards()
    own = view.own_words
    wiped = {name: cleaned(document, own) for name, document in documents.items()}
    clean_cards = cleaned(msgspec.to_builtins(cards), own)
    removed = Counter[str]()
    for one in (*wiped.values(), clean_cards):
        removed.update(one.removed)
    clean = {name: one.value for name, one in wiped.items()}
    return Gathered(
        wanted,
        clean,
        msgspec.convert(clean_cards.value, tuple[ModelCard, ...]),
        judged(proven(clean)),
        counted,
        dict(sorted(removed.items())),
        "".join(place.checkpoint.note for place in sources.tally.checkpoints()),
    )


def _one(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return make()
    except (DemitasseError, OSError, ValueError) as error:
        log.warning("evidence '%s' could not be gathered: %s", name, error)
        return {"failed": str(error)}


# ── the pack ────────────────────────────────────────────────────────────────────────────────────────────────────────


def seal_ledger(data: Path, now_us: int) -> str:
    """Sign what the ledger comes to now, where it has grown since the last time: a pack vouches for it.

    Returns why that was not done; empty where it was. A ledger that was tampered with is not signed, and the pack tells it.
    """
    try:
        checkpoints.make(data, Signer(data), now_us)
    except StoreError as error:
        log.warning("no checkpoint was signed: %s", error)
        return str(error)
    return ""


def with_rows(found: Gathered, data: Path) -> Gathered:
    """The same with an export of the window's rows, to be checked by ``audit verify``. Clients' own tags are in them.

    Raises StoreError: there are no rows in the window.
    """
    out = io.BytesIO()
    export.write(
        data, out, Signer(data), found.window.now_us, since_us=found.window.since_us, until_us=found.window.until_us
    )
    return structs.replace(found, rows_export=out.getvalue())


def make_pack(found: Gathered, data: Path) -> bytes:
    """The signed zip: the same bytes for the same content and moment."""
    signer = Signer(data)
    head = {
        "made": iso(found.window.now_us),
        "since": iso(found.window.since_us),
        "until": iso(found.window.until_us),
        "by": f"demitasse {__version__}",
        "key": fingerprint(signer.public),
        "controls": counts(found.rows),
    }
    return packed(pack_files(found, head), head, lambda text: signer.seal(EVIDENCE, text))


def pack_files(found: Gathered, head: Mapping[str, Any]) -> dict[str, bytes]:
    """Every file but the manifest, by name."""
    made = iso(found.window.now_us)
    files = {f"{name}.json": _json(document) for name, document in found.documents.items()}
    files["checkpoints.txt"] = found.checkpoints.encode() or b"no checkpoint is kept\n"
    if found.rows_export:
        files["rows.jsonl"] = found.rows_export
    files["controls.json"] = _json(controls_json(found))
    files["bom.json"] = _json(bom(found.cards, at=made, version=__version__))
    for card in found.cards:
        name = f"cards/{file_name(card.name)}"
        files[f"{name}.md"] = markdown(card).encode()
        files[f"{name}.json"] = _json(as_json(card))
    files.update(
        page.pages(found.rows, found.documents, found.cards, head, found.removed, rows_export=bool(found.rows_export))
    )
    return files


def check_pack(raw: bytes, own: bytes | None) -> Verified:
    """Look at a pack, offline. ``own``: this data folder's public key, where there is one."""

    def judge(signature: str, text: bytes) -> tuple[bool, str, bool, str]:
        told = check(signature, EVIDENCE, text, own)
        return told.valid, told.key, told.own, told.why

    return verified(raw, judge)


def controls_json(found: Gathered) -> dict[str, Any]:
    """The control table as ``controls.json`` and ``/governance?format=json`` tell it."""
    return {
        "since": iso(found.window.since_us),
        "until": iso(found.window.until_us),
        "counts": counts(found.rows),
        "rows": [
            {
                **{
                    name: getattr(row, name)
                    for name in ("framework", "id", "title", "asks", "status", "why", "remains")
                },
                "proofs": [msgspec.to_builtins(proof) for proof in row.proofs],
            }
            for row in found.rows
        ],
    }


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1) + b"\n"

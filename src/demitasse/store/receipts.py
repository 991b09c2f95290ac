"""Receipts: who answered a call, where and why, signed, so that whoever got the answer can show where it came from.

Pure but for the key. A receipt holds no text: it commits to what was asked and answered, and has the key of this one call's
commitments, so that whoever has the texts can hold them against it. Knows entries; nothing of HTTP.
"""

from __future__ import annotations

import base64
import datetime as dt

import msgspec
from msgspec import Struct, structs

from ..core.entry import Entry
from .commitments import KEY_BYTES, opens
from .signing import Signer, check

PURPOSE = b"demitasse receipt 1\n"
KIND = "receipt 1"
_encode = msgspec.json.Encoder().encode


class Receipt(Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed, in the order in which it is written; null is unknown."""

    demitasse: str
    id: str
    at: str
    """When the call came, UTC."""
    outcome: str
    asked_model: str
    model: str | None
    """Our name of the model that answered."""
    provider: str | None
    region: str | None
    route: str
    cache: str
    reason: str
    """Why this model."""
    certificate: str
    """The one whose promise the answer is under; empty: none."""
    data_class: str
    stays: str
    """Where the call was allowed to go: ``local``, regions, or empty: anywhere."""
    prompt_mac: str | None
    reply_mac: str | None
    mac_key: str | None
    """The key of both (base64); null: unknown, or whose call it was has been erased."""
    leaf_hash: str
    """RFC 6962's hash of the call's row in the ledger (hex): ``demitasse audit prove`` shows that it is there."""
    signature: str = ""


class Checked(Struct, frozen=True):
    """What a receipt is worth."""

    valid: bool
    receipt: Receipt | None = None
    key: str = ""
    own: bool = False
    text: str | None = None
    """Which text of the call the one given is: ``prompt`` or ``reply``; None: none was given."""
    why: str = ""


def receipt(entry: Entry, leaf_hash: bytes, mac_key: bytes | None, signer: Signer) -> Receipt:
    """The receipt of a closed call, signed."""
    decision, guard = entry.decision, entry.guard
    bare = Receipt(
        KIND,
        id=entry.id,
        at=dt.datetime.fromtimestamp(entry.at_us / 1e6, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{entry.at_us % 1_000_000:06d}Z",
        outcome=entry.outcome,
        asked_model=entry.asked_model,
        model=entry.model,
        provider=entry.provider,
        region=entry.region,
        route=entry.route,
        cache=entry.cache,
        reason="" if decision is None else decision.reason or decision.policy,
        certificate="" if decision is None else decision.certificate,
        data_class="" if guard is None else guard.data_class,
        stays="" if guard is None else guard.stays,
        prompt_mac=entry.prompt_mac,
        reply_mac=entry.reply_mac,
        mac_key=None if mac_key is None else base64.b64encode(mac_key).decode(),
        leaf_hash=leaf_hash.hex(),
    )
    return structs.replace(bare, signature=signer.seal(PURPOSE, _encode(bare)))


def as_text(receipt: Receipt) -> bytes:
    """The receipt as JSON."""
    return _encode(receipt)


def as_header(receipt: Receipt) -> bytes:
    """The same for a header: base64url without padding."""
    return base64.urlsafe_b64encode(_encode(receipt)).rstrip(b"=")


def read(raw: bytes) -> Receipt:
    """A receipt from JSON or from a header's value, not yet checked. Raises ValueError: it is none."""
    text = raw.strip()
    if not text.startswith(b"{"):
        text = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    try:
        return msgspec.json.decode(text, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def verify(raw: bytes, keys: tuple[str, ...] = (), own: bytes | None = None, text: bytes | None = None) -> Checked:
    """Whether a receipt is as it was signed; ``text`` is held against what was asked and answered."""
    try:
        found = read(raw)
    except ValueError as error:
        return Checked(False, why=f"it cannot be read: {error}")
    checked = check(found.signature, PURPOSE, _encode(structs.replace(found, signature="")), own)
    why = ""
    if found.demitasse != KIND:
        why = "it is another kind of file"
    elif not checked.valid:
        why = checked.why
    elif keys and checked.key not in keys:
        why = f"it is signed by {checked.key}, not by a key given with --key"
    which = None
    if not why and text is not None:
        which, why = matched(text, found.prompt_mac, found.reply_mac, found.mac_key)
    return Checked(not why, found, checked.key, checked.own, which, why)


def matched(text: bytes, prompt_mac: str | None, reply_mac: str | None, key: str | None) -> tuple[str | None, str]:
    """Which of a call's texts this one is, and else why it is none."""
    if key is None:
        return (
            None,
            "it has no key to hold a text against: whose call it was has been erased, or it was made without --text",
        )
    try:
        opened = base64.b64decode(key, validate=True)
    except ValueError:
        opened = b""
    if len(opened) != KEY_BYTES:
        return None, "its key cannot be read"
    for name, mac in (("prompt", prompt_mac), ("reply", reply_mac)):
        if mac is not None and opens(opened, mac, text):
            return name, ""
    return None, "the text is neither what was asked nor what was answered, to the last byte"

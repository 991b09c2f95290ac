"""One register of licences for all weights and providers in use: what the terms say, and whether this house may use them. Pure.

Weights are judged by their licence, what somebody else runs by the list of approved providers, as the gateway judges it.
It reads the dated table of ``lab.optimise.licences``; it is no legal advice. In the commercial profile weights whose licence
forbids commercial use, or of which nobody knows one, are not pulled, not served, and not learned from, until a person accepts
them by name with a reason; what was accepted stands in the chain, with who and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from ...core.approved import Approved
from ...core.errors import DemitasseError
from ..optimise import licences

SETTING: Final = "governance.accepted"
"""Of the store: name → `Accepted`."""

Profile = Literal["research", "commercial"]
Kind = Literal["weights", "hosted", "server", "service"]
"""weights: files that compute here · hosted: a model that a provider runs, under its terms · server: at an address that is no
known provider's · service: no model."""
Answer = Literal["allowed", "conditions", "unknown", "refused"]

_ORDER: Final[tuple[Answer, ...]] = ("allowed", "conditions", "unknown", "refused")
_NOBODY: Final = frozenset({"", "not stated", "unknown", "none", "other", "unclear"})
SERVABLE: Final = frozenset({"no-derivatives"})
"""Terms that forbid changed versions, and not the use of unchanged ones."""


ANYBODY: Final = Approved()
"""No list."""


class NotLicensed(DemitasseError):
    """The house's profile does not allow these weights; the sentence says what to do."""


class Accepted(Struct, frozen=True):
    """A person has read the terms and takes them on."""

    why: str
    who: str
    at: str
    """ISO 8601, UTC."""


class Licensed(Struct, frozen=True):
    """A model, and the terms that it is used under."""

    name: str
    kind: Kind
    provider: str
    licence: str
    """As stated; ``not stated`` where nobody does."""
    answer: Answer
    """On using it in a business."""
    says: str
    """The term, in a sentence."""
    source: str = ""
    read: str = ""
    """Day or version of the terms."""
    outputs: Answer = "unknown"
    """On learning from its answers."""
    outputs_say: str = ""
    outputs_source: str = ""
    accepted: Accepted | None = None
    allowed: bool = True
    """Weights: in this house's profile; else by its list of approved providers."""
    why: str = ""
    """Of ``allowed``."""


def licensed(
    name: str,
    *,
    kind: Kind,
    provider: str = "",
    licence: str = "",
    upstream: str = "",
    verdict: tuple[Answer, str] | None = None,
    profile: Profile,
    accepted: Mapping[str, Accepted] | None = None,
    approved: Approved = ANYBODY,
    asked: str = "",
    local: bool = False,
) -> Licensed:
    """A row of the register.

    Args:
        name: as people and commands call it.
        licence: of weights, as their file or the catalogue states it; empty: nobody does.
        upstream: the provider's or maker's own name of the model, by which the terms on its answers are found.
        verdict: of a model that was made here: what base, data and teacher together come to, and why.
        accepted: what persons have accepted, by name.
        approved: who may be called.
        asked: who is called, as that list names it (``core.approved.named``).
        local: it runs on this machine, so that no list is asked.
    """
    bare = licence.strip()
    taken = (accepted or {}).get(name)
    if kind == "server":
        return _server(name, provider, taken, _listed(approved, asked or provider, local=local))
    stated = "not stated" if bare.casefold() in _NOBODY else bare
    term = None if stated == "not stated" else licences.find("licence", bare)
    answers = licences.teacher(upstream or name)
    if kind != "weights":
        answer: Answer = "conditions" if answers.source else "unknown"
        says = "Used under the provider's own terms; read them there." if answers.source else "No terms are on record."
        allowed, why = _listed(approved, asked or provider, local=local)
        return Licensed(
            name, kind, provider, "provider's terms", answer, says, answers.source, answers.read,
            answers.answer, answers.why, answers.source, taken, allowed, why,
        )  # fmt: skip
    if term is None:
        answer, says, source, read = "unknown", f"'{stated}' is in no row of the register.", "", ""
        if stated == "not stated":
            says = "Nobody states a licence."
    else:
        servable = term.name in SERVABLE
        answer = "conditions" if servable else term.answer
        says, source, read = f"{term.title}: {term.says}", term.source, term.read
    if verdict is not None and _ORDER.index(verdict[0]) > _ORDER.index(answer):
        answer, says = verdict
    allowed, why = _allowed(answer, stated, profile, taken)
    return Licensed(
        name, kind, provider, stated, answer, says, source, read,
        answers.answer, answers.why, answers.source, taken, allowed, why,
    )  # fmt: skip


def _listed(approved: Approved, asked: str, *, local: bool) -> tuple[bool, str]:
    """Of a model whose weights are not held: whether the gateway calls it, and why."""
    if not approved.providers:
        return True, "no weights are held, and [governance] providers is empty: anybody may be called"
    if not approved(asked, local=local):
        there = ", ".join(approved.providers)
        return (
            False,
            f"'{asked or 'unknown'}' is not on the list of approved providers ({there}): every call to it is refused",
        )
    if asked in approved.providers:
        return True, f"'{asked}' is on the list of approved providers"
    return True, "it answers on this machine: no list is asked"


def _server(name: str, provider: str, taken: Accepted | None, listed: tuple[bool, str]) -> Licensed:
    """An address that is no known provider's: whatever name it is asked by, nothing is taken for known."""
    says = "Whose model answers there, and under which terms, only whoever runs it can say."
    allowed, why = listed
    if taken is not None and allowed:
        why = f"its terms are not known; accepted by {taken.who} on {taken.at[:10]}: {taken.why}"
    return Licensed(
        name, "server", provider, "not stated", "unknown", says, accepted=taken, allowed=allowed, why=why,
        outputs_say="Nobody knows whose answers these are: read the terms of the model that runs there.",
    )  # fmt: skip


def _allowed(answer: Answer, stated: str, profile: Profile, taken: Accepted | None) -> tuple[bool, str]:
    if answer in ("allowed", "conditions"):
        return True, "its licence allows it"
    problem = "its licence does not allow it" if answer == "refused" else f"its licence is not known ({stated})"
    if taken is not None:
        return True, f"{problem}; accepted by {taken.who} on {taken.at[:10]}: {taken.why}"
    if profile == "research":
        return True, f"{problem}; the profile 'research' lets it pass, 'commercial' would not"
    return False, problem


def refuse(row: Licensed, *, to: str = "used") -> None:
    """Raises NotLicensed where the house's profile does not allow weights to be ``used``, ``pulled`` or ``learned from``."""
    if row.allowed or row.kind != "weights":  # whom the list leaves out is refused call by call
        return
    raise NotLicensed(
        f"'{row.name}' is not {to}: {row.why}, and [governance] profile is 'commercial'. {row.says} "
        f'If you have read its terms and they allow it: demitasse licences accept {row.name} --why "…"'
    )


def accepted(kept: Any) -> dict[str, Accepted]:
    """What the store's setting holds; what cannot be read accepts nothing."""
    try:
        return msgspec.convert(kept or {}, dict[str, Accepted])
    except msgspec.ValidationError:
        return {}

"""What every keeper of evidence must do: ``await check_evidence(make)``, as ``check_ledger`` does for the books.

``make()`` is an async context manager that gives a fresh, empty Kit. Every check's name is the claim.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from demitasse.core.errors import StoreError
from demitasse.core.evidence import Answered, EvidenceBooks, EvidenceStore, InForce, Label
from demitasse.core.policy import Certificate, Policy, Setting

NOON = 1_764_000_000_000_000
FOREVER = 2**53


@dataclass
class Kit:
    store: EvidenceStore
    books: EvidenceBooks
    force: InForce


Make = Callable[[], AbstractAsyncContextManager[Kit]]


def a_label(id: str, at_us: int = NOON, **more: Any) -> Label:
    fields = {
        "route": "auto",
        "source": "shadow",
        "reference": Answered("large", "large-1", 1.0, 900, "c2"),
        "others": (Answered("small", "small-1", 1.0, 10, "c1", (0.5, -1.25)),),
        "features": (0.25, 3.0),
        "propensity": 0.02,
        "method": "equal",
    }
    return Label(**{**fields, "id": id, "at_us": at_us, **more})


def a_certificate(id: str, route: str = "auto", **more: Any) -> Certificate:
    fields: dict[str, Any] = {
        "policy": Policy(route, "small", "large", Setting(direct=0.5)), "quality": 0.95, "delta": 0.05,
        "estimate": 0.99, "floor": 0.96, "saving": 0.4, "saving_low": 0.35, "saving_high": 0.45, "n_train": 200,
        "n_certify": 400, "since_us": 1, "until_us": 2, "issued_us": NOON, "expires_us": FOREVER,
        "models": (("small", "small-1"),),
    }  # fmt: skip
    return Certificate(**{**fields, "id": id, **more})


def states(kit: Kit, route: str | None = None) -> dict[str, str]:
    return {certificate.id: state for certificate, state, *_ in kit.books.certificates(route=route)}


def serving(kit: Kit) -> list[str]:
    return [certificate.id for certificate in kit.force.promoted()]


async def a_label_comes_back_as_it_was(kit: Kit) -> None:
    label = a_label("a", slice="titles", session="s", served="small", version="1", certificate="cert", prompt_hash="h")
    await kit.store.label(label)
    assert kit.books.labels() == [label]


async def labels_are_found_by_route_window_and_source_oldest_first(kit: Kit) -> None:
    for label in (a_label("c", 30), a_label("a", 10), a_label("b", 20, route="other"), a_label("d", 40, source="vote")):
        await kit.store.label(label)
    ids = lambda **wanted: [label.id for label in kit.books.labels(**wanted)]
    assert ids() == ["a", "b", "c", "d"]
    assert ids(route="auto") == ["a", "c", "d"]
    assert ids(route="auto", since_us=10, until_us=40) == ["a", "c"], "the window's end is not in it"
    assert ids(source="vote") == ["d"] and ids(route="nowhere") == []


async def the_same_source_has_one_word_on_a_call_the_last(kit: Kit) -> None:
    await kit.store.label(a_label("a", method="judge:x", others=(Answered("small", score=0.0),)))
    await kit.store.label(a_label("a", others=(Answered("small", score=1.0),)))
    await kit.store.label(a_label("a", source="vote", method="vote"))
    assert [(label.source, label.method) for label in kit.books.labels()] == [("shadow", "equal"), ("vote", "vote")]


async def an_applications_scores_of_different_names_stand_side_by_side(kit: Kit) -> None:
    for method in ("feedback", "feedback:useful", "feedback:useful"):
        await kit.store.label(a_label("a", source="feedback", method=method, reference=None))
    assert sorted(label.method for label in kit.books.labels()) == ["feedback", "feedback:useful"]


async def a_promoted_certificate_serves_and_supersedes_its_routes(kit: Kit) -> None:
    one, two, elsewhere = a_certificate("one"), a_certificate("two", issued_us=NOON + 1), a_certificate("x", "other")
    for certificate in (one, two, elsewhere):
        await kit.store.certificate(certificate, "certified", NOON)
    assert serving(kit) == [], "proven, it serves nothing yet"
    await kit.store.certificate(elsewhere, "promoted", NOON)
    await kit.store.certificate(one, "promoted", NOON)
    assert serving(kit) == ["one", "x"]
    await kit.store.certificate(two, "promoted", NOON + 5, "better")
    assert serving(kit) == ["two", "x"]
    assert states(kit, "auto") == {"two": "promoted", "one": "superseded"}
    assert list(states(kit, "auto")) == ["two", "one"], "newest first"
    newest = kit.books.certificates(route="auto")[0]
    assert newest[0] == two and newest[1:] == ("promoted", NOON + 5, "better")


async def undoing_leads_to_pass_through_and_not_to_the_one_before(kit: Kit) -> None:
    one, two = a_certificate("one"), a_certificate("two")
    await kit.store.certificate(one, "promoted", NOON)
    await kit.store.certificate(two, "promoted", NOON)
    await kit.store.certificate(two, "undone", NOON, "a person took it back")
    assert serving(kit) == []
    await kit.store.certificate(two, "promoted", NOON)
    assert serving(kit) == ["two"], "pressed again"


async def what_was_revoked_or_has_expired_never_serves_again(kit: Kit) -> None:
    certificate, late = a_certificate("one"), a_certificate("late", expires_us=NOON)
    await kit.store.certificate(certificate, "promoted", NOON)
    await kit.store.certificate(certificate, "revoked", NOON, "below the floor")
    await kit.store.certificate(late, "certified", NOON - 1)
    for one in (certificate, late):
        with pytest.raises(StoreError, match=one.id):
            await kit.store.certificate(one, "promoted", NOON)
    assert serving(kit) == [] and states(kit) == {"one": "revoked", "late": "certified"}


async def the_same_state_again_changes_nothing(kit: Kit) -> None:
    await kit.store.certificate(a_certificate("one"), "revoked", NOON, "first")
    await kit.store.certificate(a_certificate("one"), "revoked", NOON + 9, "second")
    assert kit.books.certificates()[0][2:] == (NOON, "first")


CHECKS = (
    a_label_comes_back_as_it_was,
    labels_are_found_by_route_window_and_source_oldest_first,
    the_same_source_has_one_word_on_a_call_the_last,
    an_applications_scores_of_different_names_stand_side_by_side,
    a_promoted_certificate_serves_and_supersedes_its_routes,
    undoing_leads_to_pass_through_and_not_to_the_one_before,
    what_was_revoked_or_has_expired_never_serves_again,
    the_same_state_again_changes_nothing,
)


async def check_evidence(make: Make) -> None:
    """Run every check, each on a store of its own."""
    for check in CHECKS:
        async with make() as kit:
            await check(kit)

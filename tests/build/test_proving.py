"""What new labels prove is looked at without being asked, and a person is told; nobody is promoted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from demitasse.build.certifying import Proven, Terms
from demitasse.build.proving import EVERY_US, LABELS, Proving
from demitasse.config import Config
from demitasse.config.tree import Certificates, RouteSettings
from demitasse.core.errors import DemitasseError
from demitasse.core.limits import Alert
from demitasse.core.policy import Certificate, CertificateState
from tests.build.test_ladder import certificate

NOW_US = 1_795_262_400_000_000
CONFIG = Config(routes={"auto": RouteSettings("large", ("small", "large"), quality=0.9)})


class Shelf:
    """What is proven already."""

    def __init__(self) -> None:
        self.rows: list[tuple[Certificate, CertificateState, int, str]] = []

    def certificates(self, *, route: str | None = None) -> Any:
        return self.rows


class Desk:
    def __init__(self) -> None:
        self.now_us = NOW_US
        self.shelf = Shelf()
        self.alerts: list[Alert] = []
        self.asked: list[Terms] = []
        self.found: Proven | DemitasseError = Proven("crt_1", 0.31, 0.9)
        self.config = CONFIG
        self.proving = Proving(
            Path("data"),
            self.shelf,
            self.alerts.append,
            self.ask,
            config=lambda: self.config,
            clock=lambda: self.now_us,
        )  # type: ignore[arg-type]

    async def ask(self, data: Path, terms: Terms) -> Proven:
        self.asked.append(terms)
        if isinstance(self.found, DemitasseError):
            raise self.found
        return self.found

    async def labelled(self, count: int, route: str = "auto") -> None:
        self.proving.labelled({route: count})
        if self.proving._looking is not None:
            await self.proving._looking


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.proving.close()


async def test_enough_news_is_looked_at_and_a_person_is_told_what_is_proven(desk: Desk) -> None:
    await desk.labelled(LABELS - 1)
    assert not desk.asked
    await desk.labelled(1)
    (asked,) = desk.asked
    assert (asked.ladder.route, asked.ladder.cheap, asked.quality) == ("auto", "small", 0.9)
    (alert,) = desk.alerts
    assert (alert.kind, alert.subject, alert.remedy) == ("certificate_ready", "auto", "demitasse promote auto")
    assert "can save 31%" in alert.message


async def test_it_does_not_look_again_before_there_is_news_and_some_time_has_passed(desk: Desk) -> None:
    desk.found = Proven(None)
    await desk.labelled(LABELS)
    await desk.labelled(LABELS)
    assert len(desk.asked) == 1
    desk.now_us += EVERY_US
    await desk.labelled(1)
    assert len(desk.asked) == 2
    assert not desk.alerts


@pytest.mark.parametrize(("state", "looks"), [("promoted", 0), ("certified", 0), ("revoked", 1), ("undone", 1)])
async def test_one_that_serves_or_waits_is_enough(desk: Desk, state: CertificateState, looks: int) -> None:
    desk.shelf.rows = [(structs.replace(certificate(), expires_us=NOW_US + 10**13), state, 0, "")]
    await desk.labelled(LABELS)
    assert len(desk.asked) == looks


async def test_a_successor_is_looked_for_before_one_ends(desk: Desk) -> None:
    desk.shelf.rows = [(structs.replace(certificate(), expires_us=NOW_US + 10**6), "promoted", 0, "")]
    await desk.labelled(LABELS)
    assert len(desk.asked) == 1


async def test_a_look_that_fails_is_a_line_in_the_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.found = DemitasseError("labels could not be looked at: no memory")
    await desk.labelled(LABELS)
    assert "no memory" in caplog.text and not desk.alerts


async def test_routes_without_a_ladder_and_a_wish_to_be_left_alone_are_heeded(desk: Desk) -> None:
    await desk.labelled(LABELS, "large")
    desk.config = structs.replace(CONFIG, certificates=Certificates(look=False))
    await desk.labelled(LABELS)
    assert not desk.asked


async def test_a_process_of_its_own_proves_what_labels_are_worth(tmp_path: Path) -> None:
    from demitasse.build.certifying import ask, terms
    from demitasse.store import changes
    from demitasse.store.evidence import SqliteEvidence
    from demitasse.store.settings import Settings, now_us
    from tests.lab.made_labels import made

    settings = Settings(tmp_path)
    settings._commit([changes.post_label(label) for label in made(320, end_us=now_us())])
    found = await ask(tmp_path, terms(CONFIG, "auto"))
    assert found.certificate is not None and found.saving > 0.3 and found.quality == 0.9
    evidence = SqliteEvidence(tmp_path)
    assert [(c.id, state) for c, state, *_ in evidence.certificates()] == [(found.certificate, "certified")]
    assert settings.promoted() == ()
    evidence.close()
    settings.close()
    (tmp_path / "ledger.sqlite3").write_bytes(b"no ledger")
    with pytest.raises(DemitasseError, match="could not be looked at"):
        await ask(tmp_path, terms(CONFIG, "auto"))

"""A lab on a site: real settings, real ledger, a provider on a socket; its books are checked afterwards."""

from __future__ import annotations

import pytest

from demitasse.build.evaluating import opened
from demitasse.store.audit import recount, verify
from demitasse.testing import MockUpstream
from tests.build.test_app import Site, now_us


@pytest.fixture(name="site")
async def lab_site(tmp_path):
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write()
        yield site
    assert verify(tmp_path / "data") == (True, None)
    assert recount(tmp_path / "data") == []


def lab(site):
    return opened(site.read(), site.home / "data", site.env, clock=now_us)

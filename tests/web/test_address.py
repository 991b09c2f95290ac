"""Every interface is no place to connect to."""

from __future__ import annotations

import pytest

from demitasse.web.address import reachable


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://0.0.0.0:4603", "https://brew:4603"),
        ("http://[::]:4603", "http://brew:4603"),
        ("http://127.0.0.1:4141", "http://127.0.0.1:4141"),
        ("http://[::1]:4141", "http://[::1]:4141"),
    ],
)
def test_an_address_of_every_interface_is_shown_with_the_machines_name(url: str, shown: str) -> None:
    assert reachable(url, "brew") == shown
    assert "<this machine>" in reachable("http://0.0.0.0:1", "")

"""The buttons on savings, all the way: labels in a real store, a look in a process of its own, a certificate put in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from demitasse.build.app import App
from demitasse.core.errors import ConfigError, DemitasseError
from demitasse.store.settings import Settings
from tests.build.test_app import Site, now_us, site
from tests.lab.made_labels import made

__all__ = ["site"]

MODELS = """
[models.small]
provider = "openai"
base_url = "{url}"
price = {{ input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.2 }}
[models.large]
provider = "openai"
base_url = "{url}"
price = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}
[routes.auto]
ladder = ["small", "large"]
quality = 0.9
"""


def fill(data: Path, n: int) -> None:
    settings = Settings(data, clock=now_us)
    for label in made(n, end_us=now_us() - 60_000_000):
        settings.post_label(label)
    settings.close()


def control(app: App):
    return app.steering


async def test_from_labels_to_a_route_in_force_and_back_by_buttons_alone(site: Site) -> None:
    site.write(MODELS.format(url=site.up.base_url))
    async with site.app() as app:
        fill(site.home / "data", 900)
        said = await control(app).certify("auto")
        assert "at least 90.0 % of the reference on route 'auto'" in said and "serves nothing before" in said
        ((certificate, state, *_),) = app.evidence.certificates()
        assert state == "certified" and certificate.id in said
        with pytest.raises(ConfigError, match="no certificate 'crt_none'"):
            await control(app).promote("crt_none")


async def test_too_few_labels_are_said_to_be_too_few(site: Site) -> None:
    site.write(MODELS.format(url=site.up.base_url))
    async with site.app() as app:
        fill(site.home / "data", 20)
        assert "nothing is proven yet on route 'auto'" in await control(app).certify("auto")
        with pytest.raises(ConfigError, match="there is no route 'other'"):
            await control(app).certify("other")


async def test_undo_without_a_certificate_in_force_says_so(site: Site) -> None:
    site.write(MODELS.format(url=site.up.base_url))
    async with site.app() as app:
        assert await control(app).undo("auto") is None


async def test_what_if_reads_the_same_books_as_the_command(site: Site) -> None:
    site.write(MODELS.format(url=site.up.base_url))
    async with site.app() as app:
        told = control(app).what_if({"route": "auto", "serve": "small"}, 0, now_us())
        assert told["calls"] == 0 and told["route"] == "auto"
        with pytest.raises(DemitasseError, match="serve"):
            control(app).what_if({"route": "auto"}, 0, now_us())

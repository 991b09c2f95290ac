"""What drift.md says: its code runs, its streams are those there are, its JSON is documented field by field."""

from __future__ import annotations

import re

from demitasse.lab.drift.streams import STREAMS
from demitasse.web.drift_facts import ForecastRow, WatchFacts
from demitasse.web.drift_views import as_json, forecast_json
from tests.docs.pages import page, tables, words
from tests.web import drift_world

PAGE = tables(page("reference/json.md"))


def test_the_json_of_the_watch_has_the_documented_fields() -> None:
    told = as_json(drift_world.loud(), drift_world.ALERTS)
    assert set(told) == set(words(PAGE["watch"]))
    assert set(told["streams"][0]) == set(words(PAGE["stream"]))
    assert set(told["spend"][0]) == set(words(PAGE["out of line"]))
    assert set(forecast_json(WatchFacts(looked_us=None, forecast=ForecastRow(0, 0)))) == set(words(PAGE["forecast"]))  # type: ignore[arg-type]


def test_the_streams_on_the_page_are_those_there_are() -> None:
    assert words(tables(page("drift.md"))["what is watched"]) == [stream.name for stream in STREAMS]


def test_the_code_on_the_page_runs_and_says_what_it_says_it_does() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", page("drift.md"), re.DOTALL)
    seen: dict[str, object] = {}
    exec(block, seen)
    assert seen["text"] in page("drift.md")

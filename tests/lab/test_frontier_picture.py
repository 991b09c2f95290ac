"""The picture: well-formed, self-contained, nothing outside, no label over another."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from demitasse.lab.evals import svg
from demitasse.lab.evals.frontier import frontier
from demitasse.lab.evals.labels import Box, placed, width_of
from demitasse.lab.evals.seen import Seen

PAGE = Box(0, 0, 800, 400)
NAME = "{http://www.w3.org/2000/svg}"


def many(k: int, *, spread: float, seed: int, name: str = "model-{i}-instruct-q4") -> dict[str, list[Seen]]:
    rng = np.random.default_rng(seed)
    return {
        name.format(i=i): [
            Seen(f"s{j}", float(rng.random() < 0.4 + 0.5 * (i / k) ** 0.4), cost_nanos=1e4 * spread**i)
            for j in range(60)
        ]
        for i in range(k)
    }


@pytest.mark.parametrize("case", ["spread", "crowded", "free", "one", "nothing", "equal", "long names"])
def test_pictures_are_well_formed_and_stay_on_the_page(case: str) -> None:
    candidates = {
        "spread": many(8, spread=4.0, seed=1),
        "crowded": many(14, spread=1.05, seed=2),
        "free": {**many(4, spread=3.0, seed=3), "local": [Seen(f"s{j}", 0.0, cost_nanos=0) for j in range(60)]},
        "one": many(1, spread=1.0, seed=4),
        "nothing": {"u": [Seen("s0", 1.0)]},
        "equal": many(5, spread=1.0, seed=5),
        "long names": many(6, spread=2.0, seed=6, name="provider/some-organisation/a-very-long-model-name <{i}>"),
    }[case]
    found = frontier(candidates)
    told = svg.picture(found)
    root = ET.fromstring(told)
    assert "<script" not in told and "http" not in told.replace("http://www.w3.org/2000/svg", "")
    for text in root.iter(f"{NAME}text"):
        x, y, wide = float(text.attrib["x"]), float(text.attrib["y"]), width_of(text.text or "") * 0.95
        left = {"middle": x - wide / 2, "end": x - wide}.get(text.attrib.get("text-anchor", ""), x)
        assert 0 <= y <= svg.HEIGHT, text.text
        assert left >= 0 and left + wide <= svg.WIDTH + 20, text.text
    for circle in root.iter(f"{NAME}circle"):
        assert 0 <= float(circle.attrib["cx"]) <= svg.WIDTH and 0 <= float(circle.attrib["cy"]) <= svg.HEIGHT
    assert ("prefers-color-scheme:dark" in told) and (case == "nothing") == ("Nothing can be drawn" in told)
    for point in found.drawn:
        assert point.name.split("<")[0][:14] in told


def test_labels_of_scattered_points_hide_neither_each_other_nor_points() -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        at = [(float(x), float(y)) for x, y in rng.random((10, 2)) * (700, 340) + (40, 30)]
        dots = [Box(x - 6, y - 6, 12, 12) for x, y in at]
        boxes = placed(at, [90.0] * 10, dots, [], [], PAGE)
        assert all(box.inside(PAGE) for box in boxes)
        pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
        assert sum(a.shared(b) > 0 for a, b in pairs) == 0
        assert sum(box.shared(dot) > 0 for box in boxes for dot in dots) == 0


def test_a_knee_that_is_none_is_not_shaded() -> None:
    two = svg.picture(frontier(many(2, spread=9.0, seed=8)))
    more = svg.picture(frontier(many(6, spread=9.0, seed=8)))
    assert not re.search('<rect class="knee"', two) and re.search('<rect class="knee"', more)

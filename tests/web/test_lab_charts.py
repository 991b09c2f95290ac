"""The frontier as it is drawn: who is on it, what is shaded, and nothing that is not known."""

from __future__ import annotations

import json
import re

import pytest

from demitasse.web import assets, charts, lab_charts


def a_point(name, cost, quality, *, front=True, why_not=""):
    drawn = cost is not None
    return {
        "name": name,
        "quality": quality,
        "quality_interval": [quality - 0.05, min(1.0, quality + 0.05)],
        "cost": cost,
        "cost_interval": [cost * 0.9, cost * 1.1] if drawn else None,
        "unread": 0,
        "on_front": front and drawn,
        "front_probability": 0.8 if drawn else None,
        "knee_probability": 0.1 if drawn else None,
        "beaten_by": "" if front else "best",
        "beaten_probability": None if front else 0.97,
        "why_not": why_not,
    }


def a_frontier(*points, axis="money", knee=None):
    return {"axis": axis, "unit": "USD per 1,000 calls", "points": list(points), "knee": knee}


def knee(best, low, high):
    return {"method": "bend", "best": best, "names": [best], "low": low, "high": high, "none": 0.0}


def series(option, name):
    return next(one for one in option["series"] if one["name"] == name)


THREE = (
    a_point("tiny", 0.01, 0.6),
    a_point("beaten", 0.3, 0.5, front=False),
    a_point("mid", 0.2, 0.85),
    a_point("best", 2.0, 0.92),
    a_point("unpriced", None, 0.99, why_not="no price for 3 of 3 calls"),
)


def test_the_staircase_leads_through_the_front_and_who_is_not_priced_is_not_drawn():
    option = lab_charts.frontier(a_frontier(*THREE))
    assert series(option, "the front")["data"] == [[0.01, 0.6], [0.2, 0.85], [2.0, 0.92]]
    assert series(option, "the front")["step"] == "end"
    assert [item["name"] for item in series(option, "beaten")["data"]] == ["beaten"]
    assert "unpriced" not in json.dumps(option)


def test_front_and_beaten_differ_in_shape_and_not_only_in_colour():
    option = lab_charts.frontier(a_frontier(*THREE))
    assert (series(option, "on the front")["symbol"], series(option, "beaten")["symbol"]) == ("circle", "diamond")


@pytest.mark.parametrize(
    ("costs", "kind"), [((0.01, 2.0), "log"), ((1.0, 2.0), "value"), ((0.0, 2.0), "value"), ((0.0, 0.0), "value")]
)
def test_the_axis_is_logarithmic_where_costs_lie_far_apart_and_nothing_is_free(costs, kind):
    points = [a_point(f"m{i}", cost, 0.5 + i / 10) for i, cost in enumerate(costs)]
    option = lab_charts.frontier(a_frontier(*points))
    assert option["xAxis"]["type"] == kind
    if kind == "log":
        assert option["xAxis"]["min"] < 0.009 and option["xAxis"]["max"] > 2.2


def test_the_knees_range_is_shaded_where_there_is_one_and_nowhere_else():
    def shaded(found):
        return series(lab_charts.frontier(found), "the front").get("markArea")

    assert shaded(a_frontier(*THREE)) is None
    assert shaded(a_frontier(*THREE, knee=knee("", 0.01, 2.0))) is None, "a range without a bend shades nothing"
    (edges,) = shaded(a_frontier(*THREE, knee=knee("mid", 0.2, 0.2)))["data"]
    assert edges[0]["xAxis"] < 0.2 < edges[1]["xAxis"], "one candidate's range can be seen"


def test_every_interval_stands_in_the_picture_and_is_told():
    option = lab_charts.frontier(a_frontier(*THREE))
    line = series(option, "95 % intervals")["data"]
    for point in THREE[:4]:
        assert [point["cost"], point["quality_interval"][0]] in line
        assert [point["cost_interval"][1], point["quality"]] in line
    (tip,) = [item["tip"] for item in series(option, "the best")["data"]]
    assert ["score", "92.0 %"] in tip and ["95 %", "87.0 % to 97.0 %"] in tip and ["on the front", "80 %"] in tip
    (beaten,) = [item["tip"] for item in series(option, "beaten")["data"]]
    assert ["beaten by", "best"] in beaten


@pytest.mark.parametrize("low", [0.05, 0.42, 0.9, 0.985])
def test_the_axis_of_scores_holds_all_of_them_in_few_even_steps(low):
    points = [a_point("a", 1.0, low), a_point("b", 2.0, min(1.0, low + 0.01))]
    axis = lab_charts.frontier(a_frontier(*points))["yAxis"]
    assert axis["min"] <= max(0.0, low - 0.05) + 1e-9 and axis["max"] >= min(1.0, low + 0.06) - 1e-9
    steps = (axis["max"] - axis["min"]) / axis["interval"]
    assert steps <= 6.01 and abs(steps - round(steps)) < 1e-6


def test_a_frontier_of_nobody_is_still_a_picture():
    option = lab_charts.frontier(a_frontier(a_point("x", None, 0.5, why_not="no price")))
    assert all(not one["data"] for one in option["series"])


def test_a_learning_curve_grows_with_its_examples():
    points = [{"n": n, "score": 0.5 + n / 1000, "interval": (0.4, 0.9)} for n in (60, 120, 240)]
    option = lab_charts.learning(points)
    assert [item["value"][0] for item in series(option, "score")["data"]] == [60, 120, 240]


@pytest.mark.parametrize("axis", ["money", "energy", "latency"])
def test_options_are_json_and_name_only_colours_and_formats_that_exist(axis):
    style, script = (assets.STATIC / "app.css").read_text(), (assets.STATIC / "app.js").read_text()
    text = json.dumps(lab_charts.frontier(a_frontier(*THREE, axis=axis, knee=knee("mid", 0.2, 0.3))))
    for colour in re.findall(r"var\((--[a-z]+)\)", text):
        assert f"{colour}:" in style
    for name in re.findall(r'"(@[a-z]+)"', text):
        assert name in charts.FORMATS
        assert f'"{name}"' in script

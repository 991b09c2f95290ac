"""The lab's charts as pure functions: a frontier or a learning curve in, an ECharts option out. See ``charts``.

A point's ``tip`` is text, made here; what is on the front and what is beaten differ in shape and not only in colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

FORMATS: Final = {"money": "@usd", "energy": "@wh", "latency": "@ms"}
_ROUNDER: Final = 10.0
"""Costs that lie further apart than this are drawn on a logarithmic axis."""
_EDGE: Final = 0.85
"""Of the axis; beyond it a name has no room to the right."""


def frontier(found: Mapping[str, Any], *, small: bool = False) -> dict[str, Any]:
    """Cost against quality: each candidate with its intervals, the Pareto set as a staircase, the knee's range shaded.

    Args:
        found: the object of ``frontier --json``.
        small: for a panel, without names at beaten points.
    """
    drawn = [point for point in found["points"] if not point["why_not"]]
    costs = [edge for p in drawn for edge in (p["cost"], *(p["cost_interval"] or ()))]
    logarithmic = bool(costs) and min(costs) > 0 and max(costs) / min(costs) >= _ROUNDER
    front = [point for point in drawn if point["on_front"]]
    beaten = [point for point in drawn if not point["on_front"]]
    sides = _sides(drawn, logarithmic=logarithmic)
    series: list[dict[str, Any]] = [
        _intervals(drawn),
        {
            "type": "line",
            "name": "the front",
            "step": "end",
            "silent": True,
            "symbol": "none",
            "data": [_at(point) for point in front],
            "lineStyle": {"color": "var(--paid)", "width": 2},
            "z": 2,
        },
        # Names stand below the staircase's treads, and that of its top above it: so they seldom meet.
        _points("on the front", front[:-1], found, sides, front=True, named=True, dy=12),
        _points("the best", front[-1:], found, sides, front=True, named=True, dy=-12),
        _points("beaten", beaten, found, sides, front=False, named=not small, dy=13),
    ]
    knee = found["knee"]
    if knee is not None and knee["best"]:
        series[1]["markArea"] = _shaded(knee["low"], knee["high"], costs, logarithmic=logarithmic)
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 14, "right": 26, "top": 30, "bottom": 30, "containLabel": True},
        "tooltip": {"trigger": "item"},
        "xAxis": {
            "type": "log" if logarithmic else "value",
            **({} if logarithmic else {"min": 0}),
            "name": found["unit"],
            "nameLocation": "middle",
            "nameGap": 28,
            "nameTextStyle": {"color": "var(--muted)"},
            "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {"color": "var(--muted)", "formatter": FORMATS[found["axis"]], "hideOverlap": True},
            **(_decades(costs) if logarithmic else {}),
        },
        "yAxis": _shares(drawn, small=small),
        "series": series,
    }


def learning(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score by number of examples, with its interval."""
    told = [
        {"name": f"{p['n']:,} examples", "quality": p["score"], "quality_interval": p["interval"], "cost": p["n"]}
        for p in points
    ]
    drawn = [point | {"cost_interval": None} for point in told]
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 14, "right": 26, "top": 16, "bottom": 30, "containLabel": True},
        "tooltip": {"trigger": "item"},
        "xAxis": {
            "type": "value",
            "name": "examples",
            "nameLocation": "middle",
            "nameGap": 28,
            "nameTextStyle": {"color": "var(--muted)"},
            "splitNumber": 4,
            "splitLine": {"show": False},
            "axisLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {"color": "var(--muted)", "formatter": "@count", "hideOverlap": True},
        },
        "yAxis": _shares(drawn, small=False),
        "series": [
            _intervals(drawn),
            {
                "type": "line",
                "name": "score",
                "symbol": "circle",
                "symbolSize": 8,
                "color": "var(--paid)",
                "data": [
                    {"name": p["name"], "value": _at(p), "tip": [["score", _percent(p["quality"])], _spread(p)]}
                    for p in drawn
                ],
            },
        ],
    }


def _sides(points: Sequence[Mapping[str, Any]], *, logarithmic: bool) -> dict[str, str]:
    """On which side of each point its name has room: to the right, but not near the edge."""
    if not points:
        return {}
    near, far = min(p["cost"] for p in points), max(p["cost"] for p in points)
    edge = near * (far / near) ** _EDGE if logarithmic else far * _EDGE
    return {p["name"]: "left" if p["cost"] > edge else "right" for p in points}


def _points(
    name: str,
    points: Sequence[Mapping[str, Any]],
    found: Mapping[str, Any],
    sides: Mapping[str, str],
    *,
    front: bool,
    named: bool,
    dy: int = 0,
) -> dict[str, Any]:
    color = "var(--paid)" if front else "var(--muted)"
    return {
        "type": "scatter",
        "name": name,
        "symbol": "circle" if front else "diamond",
        "symbolSize": 11 if front else 12,
        "itemStyle": {"color": color if front else "var(--card)", "borderColor": color, "borderWidth": 1.5},
        "data": [
            {"name": p["name"], "value": _at(p), "tip": _tip(p, found), "label": {"position": sides[p["name"]]}}
            for p in points
        ],
        "label": {
            "show": named,
            "formatter": "{b}",
            "color": "var(--ink)" if front else "var(--muted)",
            "fontSize": 12,
            "distance": 9,
            "width": 190,
            "overflow": "truncate",
        },
        "labelLayout": {"hideOverlap": True, "dy": dy},
        "z": 3,
    }


def _intervals(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All of them as one line with gaps: each a cross."""
    data: list[list[float | str]] = []
    gap: list[float | str] = ["-", "-"]
    for p in points:
        x, y = _at(p)
        if p["quality_interval"] is not None:
            data += [[x, p["quality_interval"][0]], [x, p["quality_interval"][1]], gap]
        if p["cost_interval"] is not None:
            data += [[p["cost_interval"][0], y], [p["cost_interval"][1], y], gap]
    return {
        "type": "line",
        "name": "95 % intervals",
        "silent": True,
        "symbol": "none",
        "connectNulls": False,
        "data": data,
        "lineStyle": {"color": "var(--muted)", "width": 1},
        "z": 1,
    }


def _shaded(low: float, high: float, costs: Sequence[float], *, logarithmic: bool) -> dict[str, Any]:
    """A little wider than the range, so that one of a single candidate is seen."""
    if logarithmic:
        low, high = low / 1.12, high * 1.12
    else:
        pad = 0.02 * max(costs)
        low, high = max(0.0, low - pad), high + pad
    return {
        "silent": True,
        "itemStyle": {"color": "var(--held)", "opacity": 0.16},
        "data": [[{"xAxis": low}, {"xAxis": high}]],
    }


def _decades(costs: Sequence[float]) -> dict[str, float]:
    """From the power of ten below to the one above, or to halves of them, so that little is left blank."""
    low, high = min(costs) / 1.3, max(costs) * 1.3
    return {"min": _tidy(low, math.floor), "max": _tidy(high, math.ceil)}


def _tidy(value: float, way: Any) -> float:
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{way(value / unit) * unit:.3g}")


def _shares(points: Sequence[Mapping[str, Any]], *, small: bool) -> dict[str, Any]:
    edges = [edge for p in points for edge in (p["quality"], *(p["quality_interval"] or ()))]
    low, high = (min(edges), max(edges)) if edges else (0.0, 1.0)
    most = 4 if small else 6
    step = next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if _steps(low, high, step) <= most), 0.5)
    return {
        "type": "value",
        "min": round(math.floor(low / step + 1e-9) * step, 2),
        "max": round(math.ceil(high / step - 1e-9) * step, 2),
        "interval": step,
        "splitLine": {"lineStyle": {"color": "var(--line)"}},
        "axisLabel": {"color": "var(--muted)", "formatter": "@percent"},
    }


def _steps(low: float, high: float, step: float) -> int:
    return math.ceil(high / step - 1e-9) - math.floor(low / step + 1e-9)


def _tip(p: Mapping[str, Any], found: Mapping[str, Any]) -> list[list[str]]:
    axis = found["axis"]
    told = [["score", _percent(p["quality"])], _spread(p), [found["unit"], _amount(p["cost"], axis)]]
    if p["cost_interval"] is not None:
        told.append(["", f"{_amount(p['cost_interval'][0], axis)} to {_amount(p['cost_interval'][1], axis)}"])
    if p["front_probability"] is not None:
        told.append(["on the front", _percent(p["front_probability"], 0)])
    if p["beaten_by"]:
        told.append(["beaten by", p["beaten_by"]])
    return told


def _spread(p: Mapping[str, Any]) -> list[str]:
    interval = p["quality_interval"]
    return ["95 %", "unknown" if interval is None else f"{_percent(interval[0])} to {_percent(interval[1])}"]


def _percent(share: float | None, digits: int = 1) -> str:
    return "unknown" if share is None else f"{100 * share:.{digits}f} %"


def _amount(value: float, axis: str) -> str:
    if axis == "money":
        return f"${value:,.2f}" if value >= 0.1 else f"${value:.2g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _at(point: Mapping[str, Any]) -> list[float]:
    return [point["cost"], point["quality"]]

"""Cost a month against calls a day, both logarithmic, as one self-contained SVG: light and dark, no script.

Each option is a band between its bounds with its middle as a line; the traffic that was asked about is a vertical line. Names
stand at the right, moved apart, each with a line to its curve. Colours are Okabe and Ito's, and dashes say the same as colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

from ...core.hardware import Interval
from ...core.money import NANOS
from .costs import spans
from .plan import Plan
from .words import figure, usd_span

WIDTH, HEIGHT = 1000, 580
LEFT, RIGHT, TOP, BOTTOM = 84, 300, 76, 92
_PER_DECADE: Final = 6
_DRAWN, _BANDED, _FEW = 8, 5, 3
"""Lines that can be told apart; bands that can; and bands drawn where there are more."""
_Scale = Callable[[float], float]
_GAP: Final = 36.0
_COLOURS: Final = (
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff8c42"),
    ("#007a5a", "#2fc79a"),
    ("#a8558a", "#e08fc4"),
    ("#8a6d00", "#f0c33c"),
    ("#4d4d4d", "#c4c9d0"),
)
"""On light and on dark."""
_DASHES: Final = ("", "7 4", "2 3", "10 3 2 3")
_STYLE = """
svg{--ink:#1b1f24;--soft:#59636e;--grid:#e3e6ea;--page:#ffffff;%s}
@media (prefers-color-scheme:dark){svg{--ink:#e8eaed;--soft:#a3abb5;--grid:#2f353d;--page:#14171b;%s}}
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:13px;fill:var(--ink)}
.title{font-size:17px;font-weight:600}.soft{fill:var(--soft);font-size:12px}.grid{stroke:var(--grid);stroke-width:1}
.axis{stroke:var(--soft);stroke-width:1}.now{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:4 4}.best{font-weight:700}
.band{opacity:.14}.line{fill:none;stroke-width:2}.lead{stroke-width:1;opacity:.7}
"""


def picture(plan: Plan, ranges: Mapping[str, Interval]) -> str:
    """The whole document.

    Args:
        ranges: of all inputs, as ``plan.ranges_of`` gives them.
    """
    asked = plan.profile.calls_per_day.middle
    low, high = math.log10(max(1.0, asked / 300)), math.log10(asked * 300)
    steps = round((high - low) * _PER_DECADE)
    grid = [10 ** (low + (high - low) * i / steps) for i in range(steps + 1)]
    lines = plan.running[:_DRAWN]
    banded = len(lines) if len(lines) <= _BANDED else _FEW
    curves = [[spans(line.option, {**ranges, "calls_per_day": Interval(x, x)})["full"] for x in grid] for line in lines]
    costs = [max(end, NANOS / 100) for curve in curves for s in curve for end in (s.low, s.high)] or [NANOS, 10 * NANOS]
    bottom, top = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at_x(calls: float) -> float:
        return LEFT + wide * (math.log10(calls) - low) / (high - low)

    def at_y(nanos: float) -> float:
        return TOP + tall * (1 - (math.log10(max(nanos, 10**bottom)) - bottom) / (top - bottom))

    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    told = "; ".join(f"{line.option.name}: {usd_span(line.costed.full_nanos)} a month" for line in lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
        '<title id="title">Cost a month against calls a day</title>',
        f'<desc id="desc">{escape(told)}</desc>',
        f"<style>{_STYLE % _colours(len(lines))}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="var(--page)"/>',
        f'<text class="title" x="{LEFT}" y="30">Cost a month against calls a day, everything in it</text>',
        f'<text class="soft" x="{LEFT}" y="50">{escape(_subtitle(plan))}</text>',
        *_axes(low, high, bottom, top, at_x, at_y),
    ]
    for i, curve in enumerate(curves[:banded]):
        above = [f"{at_x(x):.1f},{at_y(s.high):.1f}" for x, s in zip(grid, curve, strict=True)]
        below = [f"{at_x(x):.1f},{at_y(s.low):.1f}" for x, s in zip(grid, curve, strict=True)]
        parts.append(f'<polygon class="band" fill="var(--c{i})" points="{" ".join([*above, *reversed(below)])}"/>')
    for i, curve in enumerate(curves):
        points = " ".join(f"{at_x(x):.1f},{at_y(s.middle):.1f}" for x, s in zip(grid, curve, strict=True))
        dash = _DASHES[(i // len(_COLOURS) + i) % len(_DASHES)]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<polyline class="line" stroke="var(--c{i})"{dashed} points="{points}"/>')
    now = at_x(asked)
    parts.append(f'<line class="now" x1="{now:.1f}" y1="{TOP}" x2="{now:.1f}" y2="{TOP + tall}"/>')
    parts.append(
        f'<text class="soft" x="{now:.1f}" y="{TOP - 6}" text-anchor="middle">{figure(asked)} calls a day</text>'
    )
    ends = [at_y(curve[-1].middle) for curve in curves]
    for i, (line, y) in enumerate(zip(lines, apart(ends, TOP + 10, TOP + tall - 6, _GAP), strict=True)):
        right = LEFT + wide
        style = ' class="best"' if i == 0 else ""
        parts.append(
            f'<line class="lead" stroke="var(--c{i})" x1="{right}" y1="{ends[i]:.1f}" x2="{right + 14}" y2="{y:.1f}"/>'
        )
        parts.append(f'<circle fill="var(--c{i})" cx="{right + 16}" cy="{y:.1f}" r="4"/>')
        parts.append(f'<text{style} x="{right + 26}" y="{y + 1:.1f}">{escape(_cut(line.option.name))}</text>')
        parts.append(
            f'<text class="soft" x="{right + 26}" y="{y + 16:.1f}">now {escape(usd_span(line.costed.full_nanos))} a month</text>'
        )
    notes = ["Bands: all inputs kind, all inputs unkind. Lines: all at their middles. In bold: the cheapest now."]
    if banded < len(lines):
        notes[0] = (
            f"Bands of the {banded} cheapest now: all inputs kind, all unkind. Lines: at their middles. In bold: the cheapest."
        )
    if len(plan.running) > len(lines):
        notes.append(f"{len(plan.running) - len(lines)} dearer options are in the table alone.")
    elif plan.stale:
        notes.append(f"{len(plan.stale)} of {len(plan.facts)} rows are older than 180 days.")
    parts += [
        f'<text class="soft" x="{LEFT}" y="{HEIGHT - 26 + 16 * i}">{escape(n)}</text>' for i, n in enumerate(notes)
    ]
    return "\n".join([*parts, "</svg>\n"])


def apart(wanted: Sequence[float], low: float, high: float, gap: float) -> list[float]:
    """Heights near those wanted, at least ``gap`` apart and between ``low`` and ``high`` where all fit."""
    gap = min(gap, (high - low) / max(1, len(wanted) - 1)) if len(wanted) > 1 else gap
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    found = [0.0] * len(wanted)
    last = low - gap
    for i in order:
        last = found[i] = max(wanted[i], last + gap)
    limit = high + gap
    for i in reversed(order):
        limit = found[i] = min(found[i], limit - gap)
    return found


def _subtitle(plan: Plan) -> str:
    p = plan.profile
    return f"{figure(p.tokens_in.middle)} tokens in, {figure(p.tokens_out.middle)} out, peak {figure(p.peak.middle)}; {plan.date}"


def _axes(low: float, high: float, bottom: int, top: int, at_x: _Scale, at_y: _Scale) -> list[str]:
    right, foot = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for power in range(bottom, top + 1):
        y = at_y(10.0**power)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">${_short(power - 9)}</text>')
    for power in range(math.ceil(low), math.floor(high) + 1):
        x = at_x(10.0**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{foot}"/>')
        parts.append(f'<text class="soft" x="{x:.1f}" y="{foot + 20}" text-anchor="middle">{_short(power)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" y1="{foot}" x2="{right}" y2="{foot}"/>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text class="soft" x="{middle:.0f}" y="{foot + 40}" text-anchor="middle">calls a day (logarithmic)</text>'
    )
    return parts


def _short(power: int) -> str:
    """``0.01``, ``100``, ``10k``, ``1M``, ``100G``."""
    if power < 0:
        return f"{10.0**power:g}"
    letter = min(3, power // 3)
    return f"{10 ** (power - 3 * letter)}{'kMG'[letter - 1] if letter else ''}"


def _colours(count: int) -> tuple[str, str]:
    light, dark = (";".join(f"--c{i}:{_COLOURS[i % len(_COLOURS)][theme]}" for i in range(count)) for theme in (0, 1))
    return light, dark


def _cut(text: str) -> str:
    return text if len(text) <= 36 else text[:35] + "…"

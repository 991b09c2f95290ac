"""A frontier as one self-contained SVG: light and dark by the reader's preference, no script. Computes no statistics.

Colours are Okabe and Ito's (told apart by the colour-blind), and shape says the same as colour: members of the Pareto set are
filled, beaten candidates hollow. Labels are put where they hide least; see ``labels``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from msgspec import Struct

from .frontier import Frontier, Point
from .labels import Box, placed, width_of
from .words import amount, cut, middle_cut, undrawn

WIDTH, HEIGHT = 920, 580
LEFT, RIGHT, TOP, BOTTOM = 76, 28, 84, 112
_NEAR = 16
"""Pixels from a point within which a label needs no line that leads to it."""
_BOLD = 1.12
"""So much wider are bold letters."""
_STYLE = """
svg{--ink:#1b1f24;--soft:#59636e;--grid:#e3e6ea;--page:#ffffff;--front:#0072b2;--beaten:#8b949e;--knee:#e69f00}
@media (prefers-color-scheme:dark){svg{--ink:#e8eaed;--soft:#a3abb5;--grid:#2f353d;--page:#14171b;--front:#56b4e9;
--beaten:#7d8590;--knee:#e69f00}}
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:13px;fill:var(--ink)}
.title{font-size:17px;font-weight:600}.soft{fill:var(--soft);font-size:12px}.best{font-weight:700}
.grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.step{fill:none;stroke:var(--front);stroke-width:1.5;stroke-dasharray:5 4;opacity:.75}
.on{fill:var(--front);stroke:var(--front);stroke-width:1.5}.off{fill:var(--page);stroke:var(--beaten);stroke-width:1.5}
.bar-on{stroke:var(--front);stroke-width:1.5;opacity:.55}.bar-off{stroke:var(--beaten);stroke-width:1.5;opacity:.55}
.knee{fill:var(--knee);opacity:.2}.knee-edge{stroke:var(--knee);stroke-width:1.5}.lead{stroke:var(--soft);stroke-width:.8}
.ring{fill:none;stroke:var(--knee);stroke-width:2.5}.halo{paint-order:stroke;stroke:var(--page);stroke-width:3px}
"""


class _Frame(Struct, frozen=True):
    """Where values stand on the picture."""

    x: Callable[[float], float]
    y: Callable[[float], float]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def picture(found: Frontier) -> str:
    """The whole document. Without anything to draw it says so."""
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
        f'<title id="title">Quality against {escape(_axis(found))}</title>',
        f'<desc id="desc">{escape(_described(found))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="var(--page)"/>',
        f'<text class="title" x="{LEFT}" y="30">Quality against {escape(_axis(found))}</text>',
        f'<text class="soft" x="{LEFT}" y="50">{escape(_subtitle(found))}</text>',
    ]
    if found.drawn:
        frame = _frame(found)
        parts += [*_grid(frame, found), *_knee(frame, found), *_marks(frame, found), *_legend(found)]
    else:
        parts.append(f'<text x="{LEFT}" y="{TOP + 40}">Nothing can be drawn.</text>')
    parts += [_note(line, i) for i, line in enumerate(_footnotes(found))]
    return "\n".join([*parts, "</svg>\n"])


def _axis(found: Frontier) -> str:
    return {"money": "cost", "energy": "energy", "latency": "latency"}[found.axis]


def _subtitle(found: Frontier) -> str:
    clusters = "" if found.clusters == found.n else f" in {found.clusters:,} clusters"
    return f"{found.n:,} samples{clusters}, all candidates on the same ones; bars are 95 % intervals; seed {found.seed}"


def _described(found: Frontier) -> str:
    told = "; ".join(
        f"{p.name}: {100 * (p.quality or 0):.1f} %, {amount(p.cost or 0, found.axis)}{', on the frontier' if p.on_front else ''}"
        for p in found.drawn
    )
    return told or "no candidate can be drawn"


# ── axes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _frame(found: Frontier) -> _Frame:
    costs = [end for p in found.drawn for end in (p.cost or 0.0, *(p.cost_interval or ()))]
    priced = [cost for cost in costs if cost > 0]
    free = min(priced) / 10 if priced else 0.01
    low, high = math.log10(min(max(c, free) for c in costs)), math.log10(max(free, *costs))
    pad = max(0.12, 0.08 * (high - low))
    low, high = low - pad, high + pad
    ends = [end for p in found.drawn for end in (p.quality_interval or (p.quality or 0.0,))]
    bottom, top, step = _nice(100 * min(ends), 100 * max(ends))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    ticks = [(value, amount(value, found.axis)) for value in _log_ticks(low, high)]
    if min(costs) <= 0:
        ticks = [(value, text) for value, text in ticks if value > 2 * free]
        ticks.insert(0, (free, "free"))
    return _Frame(
        x=lambda cost: LEFT + wide * (math.log10(max(cost, free)) - low) / (high - low),
        y=lambda share: TOP + tall * (1 - (100 * share - bottom) / (top - bottom)),
        x_ticks=tuple(_thinned(ticks, low, high)),
        y_ticks=tuple(
            (bottom / 100 + i * step / 100, f"{bottom + i * step:g} %") for i in range(round((top - bottom) / step) + 1)
        ),
    )


def _nice(low: float, high: float) -> tuple[float, float, float]:
    """Whole steps around the values, in per cent; a little air above and below, within 0..100."""
    span = max(high - low, 4.0)
    step = next(s for s in (1, 2, 5, 10, 20, 25) if span / s <= 8 or s == 25)
    bottom = max(0.0, math.floor((low - 0.03 * span) / step) * step)
    return bottom, min(100.0, max(bottom + step, math.ceil((high + 0.03 * span) / step) * step)), float(step)


def _log_ticks(low: float, high: float) -> list[float]:
    factors = (
        (1,)
        if high - low > 4
        else (1, 3)
        if high - low > 2
        else (1, 2, 5)
        if high - low > 0.5
        else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    )
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [f * 10.0**power for power in powers for f in factors if low <= math.log10(f * 10.0**power) <= high]


def _thinned(ticks: Sequence[tuple[float, str]], low: float, high: float) -> Iterable[tuple[float, str]]:
    """As many as stand apart."""
    last = -math.inf
    for value, text in ticks:
        at = (WIDTH - LEFT - RIGHT) * (math.log10(value) - low) / (high - low)
        if at - last >= width_of(text) + 14:
            last = at
            yield value, text


def _grid(frame: _Frame, found: Frontier) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for share, text in frame.y_ticks:
        y = frame.y(share)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for cost, text in frame.x_ticks:
        x = frame.x(cost)
        parts.append(f'<line class="axis" x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 5}"/>')
        parts.append(f'<text class="soft" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{escape(text)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
    middle = (LEFT + right) / 2
    label = escape(f"{found.unit} (logarithmic)")
    parts.append(f'<text class="soft" x="{middle:.0f}" y="{bottom + 40}" text-anchor="middle">{label}</text>')
    return parts


# ── what is drawn ───────────────────────────────────────────────────────────────────────────────────────────────────


def _knee(frame: _Frame, found: Frontier) -> list[str]:
    knee = found.knee
    if knee is None or not knee.best or knee.low is None or knee.high is None:
        return []
    left, right = max(LEFT, frame.x(knee.low) - 12), min(WIDTH - RIGHT, frame.x(knee.high) + 12)
    tall = HEIGHT - TOP - BOTTOM
    edges = [f'<line class="knee-edge" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + tall}"/>' for x in (left, right)]
    text = "paying more stops paying here (90 %)"
    half = width_of(text) / 2 * 0.93
    middle = min(max((left + right) / 2, LEFT + half), WIDTH - RIGHT - half)
    return [
        f'<rect class="knee" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{tall}"/>',
        *edges,
        f'<text class="soft" x="{middle:.1f}" y="{TOP - 8}" text-anchor="middle">{escape(text)}</text>',
    ]


def _marks(frame: _Frame, found: Frontier) -> list[str]:
    at = [(frame.x(p.cost or 0.0), frame.y(p.quality or 0.0)) for p in found.drawn]
    lines = _stairs([spot for spot, p in zip(at, found.drawn, strict=True) if p.on_front])
    parts = [f'<polyline class="step" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in lines)}"/>'] if lines else []
    dots: list[Box] = []
    bars: list[Box] = []
    best = found.knee.best if found.knee else ""
    for (x, y), p in zip(at, found.drawn, strict=True):
        bar = "bar-on" if p.on_front else "bar-off"
        low, high = (frame.y(end) for end in p.quality_interval or (p.quality or 0.0,) * 2)
        left, right = (frame.x(end) for end in p.cost_interval or (p.cost or 0.0,) * 2)
        bars += [Box(x - 2, high, 4, low - high), Box(left, y - 2, right - left, 4)]
        dots.append(Box(x - 8, y - 8, 16, 16))
        parts.append(f'<line class="{bar}" x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}"/>')
        parts.append(f'<line class="{bar}" x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}"/>')
        if p.name == best:
            parts.append(f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="10"/>')
            dots.append(Box(x - 13, y - 13, 26, 26))
        dot = f'<circle class="{"on" if p.on_front else "off"}" cx="{x:.1f}" cy="{y:.1f}" r="5.5">'
        parts.append(f"{dot}<title>{escape(_hover(p, found))}</title></circle>")
    return parts + _names(found, at, (dots, bars, lines), best)


def _names(
    found: Frontier,
    at: Sequence[tuple[float, float]],
    drawn: tuple[Sequence[Box], Sequence[Box], Sequence[tuple[float, float]]],
    best: str,
) -> list[str]:
    page = Box(LEFT + 2, TOP + 2, WIDTH - LEFT - RIGHT - 4, HEIGHT - TOP - BOTTOM - 4)
    order = sorted(range(len(at)), key=lambda i: (found.drawn[i].name != best, not found.drawn[i].on_front))
    texts = [middle_cut(found.drawn[i].name, 30) for i in order]
    wide = [
        width_of(text) * (_BOLD if found.drawn[i].name == best else 1) for i, text in zip(order, texts, strict=True)
    ]
    spots = placed([at[i] for i in order], wide, *drawn, page)
    parts = []
    for i, text, spot in zip(order, texts, spots, strict=True):
        x, y = at[i]
        near = min(max(x, spot.x), spot.x + spot.wide), min(max(y, spot.y), spot.y + spot.tall)
        if math.dist(near, (x, y)) > _NEAR:
            parts.append(f'<line class="lead" x1="{x:.1f}" y1="{y:.1f}" x2="{near[0]:.1f}" y2="{near[1]:.1f}"/>')
        style = "halo best" if found.drawn[i].name == best else "halo"
        ends = spot.x + spot.wide <= x
        left, anchor = (spot.x + spot.wide - 2, "end") if ends else (spot.x + 2, "start")
        spot_text = f'x="{left:.1f}" y="{spot.y + 13:.1f}" text-anchor="{anchor}"'
        parts.append(f'<text class="{style}" {spot_text}>{escape(text)}</text>')
    return parts


def _stairs(spots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What can be had for the money: quality stays until the next member is paid."""
    lines: list[tuple[float, float]] = []
    for x, y in sorted(spots):
        if lines:
            lines.append((x, lines[-1][1]))
        lines.append((x, y))
    return lines


def _hover(p: Point, found: Frontier) -> str:
    told = f"{p.name}: {100 * (p.quality or 0):.1f} %, {amount(p.cost or 0, found.axis)}"
    return f"{told}; on the frontier with probability {p.front_probability or 0:.2f}"


def _legend(found: Frontier) -> list[str]:
    y = HEIGHT - 46
    items = [("on", "on the frontier"), ("off", "another is cheaper and better")]
    parts, x = [], float(LEFT)
    for style, text in items:
        parts.append(f'<circle class="{style}" cx="{x + 6:.0f}" cy="{y - 4}" r="5.5"/>')
        parts.append(f'<text class="soft" x="{x + 18:.0f}" y="{y}">{text}</text>')
        x += 18 + width_of(text) + 22
    if found.knee and found.knee.best:
        parts.append(f'<circle class="ring" cx="{x + 6:.0f}" cy="{y - 4}" r="7"/>')
        parts.append(f'<text class="soft" x="{x + 20:.0f}" y="{y}">the knee by what was measured</text>')
    return parts


def _footnotes(found: Frontier) -> list[str]:
    """At most two lines; the text output has all."""
    lines = [f"Not drawn: {told}" for told in (undrawn(found),) if told]
    return [cut(line, 135) for line in [*lines, *found.notes][:2]]


def _note(line: str, i: int) -> str:
    return f'<text class="soft" x="{LEFT}" y="{HEIGHT - 26 + 16 * i}">{escape(line)}</text>'

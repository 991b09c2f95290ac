"""Templates and how values look in them. The only module that knows Jinja, which is imported with the first page."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..core.money import NANOS, usd, usd_text
from . import assets
from .energy import METHOD_TEXTS
from .report import Report, iso

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def html(template: str, /, **values: Any) -> str:
    return environment().get_template(template).render(**values)


def as_json(values: dict[str, Any]) -> bytes:
    """A page as JSON: names carry their units, None is unknown."""
    plain = {name: value.as_json() if isinstance(value, Report) else value for name, value in values.items()}
    return msgspec.json.encode(plain, enc_hook=str) + b"\n"


@cache
def environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 (first page only)

    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters.update(FILTERS)
    env.globals["asset"] = assets.url
    return env


def money(amount_nanos: int | None) -> str:
    """``$1,482``, ``$4.31``, ``$0.21``, ``$0.00252``: cents, and below a dollar three digits that tell something."""
    if amount_nanos is None:
        return "unpriced"
    size = abs(amount_nanos)
    if size >= 1000 * NANOS:
        return usd_text(amount_nanos, digits=0)
    if size >= NANOS or not size:
        return usd_text(amount_nanos, digits=2)
    unit = 10 ** max(0, len(str(size)) - 3)
    rounded = (size + unit // 2) // unit * unit
    text = usd_text(rounded if amount_nanos > 0 else -rounded, digits=9).rstrip("0")
    return text + "0" * max(0, 2 - len(text.partition(".")[2]))


def exact(amount_nanos: int | None) -> str:
    """Every digit there is: nine decimals."""
    return usd_text(amount_nanos, digits=None if amount_nanos is None else 9)


def plain_amount(amount_nanos: int) -> str:
    """A limit as a person types it: ``5``, ``0.25``."""
    return f"{usd(amount_nanos):.9f}".rstrip("0").rstrip(".")


def per_mtok(pico_per_token: int | None) -> str:
    """A rate as vendors print it, dollars per million tokens: ``$1.25``."""
    if pico_per_token is None:
        return "unpriced"
    text = f"{pico_per_token / 1_000_000:.6f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"${int(whole):,}.{part.ljust(2, '0')}"


def pico_exact(pico: int | None) -> str:
    """Pico-dollars in full: twelve decimals, without the last zeros beyond the ninth."""
    if pico is None:
        return "unpriced"
    whole, part = divmod(pico, 10**12)
    text = f"{part:012d}"
    return f"${whole:,}.{text[:9]}{text[9:].rstrip('0')}"


def percent(share: float | None, digits: int = 0) -> str:
    """Shares that are not quite nothing or all do not read as if they were."""
    if share is None:
        return "–"
    if 0 < share < 0.01:
        return f"{share * 100:.1g} %" if share >= 0.0005 else "< 0.1 %"
    if 0.99 < share < 1 and not digits:
        digits = 1
    return f"{share * 100:.{digits}f} %"


def count(number: float | None) -> str:
    """``12,345``."""
    return "–" if number is None else f"{number:,.0f}"


def short(number: float) -> str:
    """``940``, ``12.3 k``, ``4.1 M``, ``2.0 G``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= size:
            return f"{number / (1e3 if unit == 'k' else size):,.1f}".removesuffix(".0") + f" {unit}"
    return f"{number:,.0f}"


def energy(micro_joules: int) -> str:
    """Watt-hours with a unit that fits: ``38 kWh``, ``4.2 Wh``, ``310 mWh``."""
    wh = micro_joules / 3.6e9
    for size, unit in ((1e3, "kWh"), (1.0, "Wh"), (1e-3, "mWh")):
        if wh >= size:
            return f"{wh / size:.3g} {unit}" if wh / size < 1000 else f"{wh / size:,.0f} {unit}"
    return f"{wh * 1e6:.3g} µWh" if wh else "0 Wh"


def carbon(milligrams: float) -> str:
    """CO2 equivalent with a unit that fits: ``1.2 kg``, ``38 g``, ``4.2 mg``, ``70 µg``."""
    for size, unit in ((1e6, "kg"), (1e3, "g"), (1.0, "mg")):
        if milligrams >= size:
            return f"{milligrams / size:.3g} {unit}" if milligrams < 1e9 else f"{milligrams / size:,.0f} {unit}"
    return f"{milligrams * 1e3:.3g} µg" if milligrams else "0 g"


def energy_to(low_uj: int, high_uj: int) -> str:
    """``3 Wh to 9 Wh``, or one figure where both ends read the same."""
    return _to(energy(low_uj), energy(high_uj))


def carbon_to(low_mg: float, high_mg: float) -> str:
    """``140 mg to 4.3 g``."""
    return _to(carbon(low_mg), carbon(high_mg))


def _to(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def size(bytes: int | None) -> str:
    """``3.2 MB``, in powers of 1024."""
    if bytes is None:
        return "–"
    number = float(bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    if seconds >= 1:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 or not seconds else f"{seconds * 1000:.1f} ms"


def clock_time(at_us: int) -> str:
    return f"{_moment(at_us):%H:%M:%S}"


def day(at_us: int) -> str:
    return f"{_moment(at_us):%-d %b %Y}"


def moment(at_us: int | None) -> str:
    """``21 Nov 2026 12:03:11``, UTC."""
    return "–" if at_us is None else f"{_moment(at_us):%-d %b %Y %H:%M:%S}"


def coded(text: str) -> Markup:
    """Text in which what stands between backticks is code, as the settings' texts are written."""
    from markupsafe import Markup, escape  # noqa: PLC0415 (first page only)

    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # one without its partner is a character like any other
        pieces[-2:] = ["`".join(pieces[-2:])]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


def json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


FILTERS = {
    "money": money,
    "exact": exact,
    "plain_amount": plain_amount,
    "per_mtok": per_mtok,
    "pico_exact": pico_exact,
    "percent": percent,
    "count": count,
    "short": short,
    "energy": energy,
    "energy_to": energy_to,
    "carbon_to": carbon_to,
    "method": METHOD_TEXTS.__getitem__,
    "size": size,
    "duration": duration,
    "clock_time": clock_time,
    "day": day,
    "moment": moment,
    "iso": iso,
    "json_text": json_text,
    "coded": coded,
}


def _moment(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)

"""The ways to serve a traffic, by name: ``hosted:openai/gpt-5-mini``, ``rented:h100/gpt-oss-20b``, ``own:…``, ``edge:…``.

An option knows which figures it is computed from and where the prompts go; it computes nothing.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct

from ...core import price
from ...core.call import Usage
from ...core.hardware import Interval
from ...core.price import Card
from .facts import Facts, PlanError, near

Kind = Literal["hosted", "rented", "own", "edge"]
Privacy = Literal["leaves the company", "rented machine", "stays"]

PRIVACY: Final[dict[Kind, Privacy]] = {
    "hosted": "leaves the company",
    "rented": "rented machine",
    "own": "stays",
    "edge": "stays",
}
_POWER: Final = ("power.usd_per_kwh", "power.pue")
_SPEEDS: Final = ("input_per_s", "output_per_s")


class Option(Struct, frozen=True, omit_defaults=True):
    """One way. ``inputs`` are the names of the rows its cost depends on."""

    name: str
    kind: Kind
    model: str
    inputs: tuple[str, ...]
    hardware: str = ""
    home: str = ""
    """Prefix of the hardware's rows: ``gpu.h100`` or ``box.mac-mini-m4``."""
    card: Card | None = None
    """Prices of a hosted model."""
    kwh_per_token_out: Interval | None = None
    """Of a hosted model, as its estimate has it; None: unknown."""
    shared: bool = False
    """Its machines have other work too: this traffic bears its share, by busy hours at the row's utilisation."""
    most_units: float | None = None
    """So many there are; None: more can be had."""
    quality: float | None = None
    quality_interval: Interval | None = None
    quality_source: str = ""

    @property
    def privacy(self) -> Privacy:
        return PRIVACY[self.kind]

    def meets(self, wanted: float | None) -> bool | None:
        """Whether its measured quality is enough; None: not measured, or the interval holds both."""
        if wanted is None:
            return True
        if self.quality is None:
            return None
        low, high = self.quality_interval or Interval(self.quality, self.quality)
        return True if low >= wanted else False if high < wanted else None


def split(name: str) -> tuple[Kind, str, str]:
    """Kind, hardware (a hosted model: its provider) and model. Raises PlanError."""
    kind, sign, rest = name.partition(":")
    where, slash, model = rest.partition("/")
    if not sign or not slash or not where or not model:
        raise PlanError(
            f"'{name}' is no option; write it as hosted:PROVIDER/MODEL, or rented:, own: or edge:HARDWARE/MODEL"
        )
    if kind not in get_args(Kind):
        raise PlanError(
            f"'{name}': there is no '{kind}'{near(kind, get_args(Kind))}; there are: {', '.join(get_args(Kind))}"
        )
    return kind, where, model  # type: ignore[return-value]


def machine_option(name: str, facts: Facts) -> Option:
    """An option on hardware of one's own or rented. Raises PlanError where rows are missing, with the nearest that are there."""
    kind, hardware, model = split(name)
    homes = [
        home for home in (f"gpu.{hardware}", f"box.{hardware}") if any(n.startswith(home + ".") for n in facts.rows)
    ]
    if not homes:
        raise PlanError(
            f"'{name}': no hardware '{hardware}'{near(hardware, hardwares(facts))}; there are: {', '.join(hardwares(facts))}"
        )
    home, speed = homes[0], f"speed.{hardware}.{model}"
    if f"{speed}.output_per_s" not in facts.rows:
        there = models(facts, hardware)
        raise PlanError(
            f"'{name}': no throughput of '{model}' on {hardware}{near(model, there)}; there are: {', '.join(there) or 'none'}; "
            f"bring your own: {speed}.input_per_s and .output_per_s in a file (--file)"
        )
    own = ("capex_usd", "life_years", "watts_idle", "watts_busy")
    priced = ("usd_per_hour", "watts_idle", "watts_busy") if kind == "rented" else own
    shared = kind != "rented" and f"{home}.utilisation" in facts.rows
    inputs = [
        *(f"{home}.{last}" for last in (*priced, *(("utilisation",) if shared else ()))),
        *(f"{speed}.{last}" for last in _SPEEDS),
        *(n for n in (f"{speed}.stream_per_s", f"{speed}.units") if n in facts.rows),
        *_POWER,
        f"ops.{kind}.usd_per_month",
        "plan.wait_s",
        "plan.max_load",
        "plan.p95_over_mean",
    ]
    most = facts.rows[f"{home}.most_units"].high if f"{home}.most_units" in facts.rows else None
    for row in inputs:
        if row not in facts.rows and row.endswith("usd_per_hour"):
            raise PlanError(
                f"'{name}': {hardware} is not for rent in the rows; set it: --set {row}=… in a file (--file)"
            )
        _ = facts[row]
    return Option(
        name=name,
        kind=kind,
        model=model,
        inputs=tuple(inputs),
        hardware=hardware,
        home=home,
        shared=shared,
        most_units=most,
    )


def hosted_option(name: str, card: Card | None, *, kwh_per_token_out: Interval | None = None) -> Option:
    """A hosted model at its price card. Raises PlanError where it has no price."""
    kind, _, _ = split(name)
    model = name.partition(":")[2]
    if card is None:
        raise PlanError(f"'{name}': the price database knows no price of '{model}'; look it up: demitasse models")
    if price.cost(card, Usage(uncached_in=1, cache_read=1, text_out=1), at_us=0) is None:
        raise PlanError(f"'{name}': tokens in or out of '{model}' have no price, so it can't be compared")
    inputs = (
        "hosted.price_factor",
        "hosted.first_s",
        "hosted.stream_per_s",
        "ops.hosted.usd_per_month",
        "plan.p95_over_mean",
    )
    return Option(name=name, kind=kind, model=model, inputs=inputs, card=card, kwh_per_token_out=kwh_per_token_out)


def hardwares(facts: Facts) -> list[str]:
    return sorted({n.split(".", 1)[1].rpartition(".")[0] for n in facts.rows if n.startswith(("gpu.", "box."))})


def models(facts: Facts, hardware: str) -> list[str]:
    start, end = f"speed.{hardware}.", ".output_per_s"
    return sorted(
        n.removeprefix(start).removesuffix(end) for n in facts.rows if n.startswith(start) and n.endswith(end)
    )

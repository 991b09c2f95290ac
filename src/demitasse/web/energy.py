"""Energy and carbon as reports and explanations tell them: an interval with its method, and never two methods in one sum.

Knows attempts and intervals; who estimates for hosted models is passed in.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from ..core.call import Energy
from ..core.entry import Attempt
from ..core.hardware import Hardware, Interval, carbon_mg
from ..core.ledger import Bucket

METHOD_TEXTS = {"measured": "measured", "modelled": "modelled", "vendor": "vendor estimate"}
_ELSEWHERE = Hardware()


class Hosted(Protocol):
    """Estimates for models that compute elsewhere, by the name that the books have for them."""

    def __call__(self, name: str, output_tokens: float, duration_s: float) -> Energy | None:
        """Of one answer, or the mean of many; None where nothing is known of the model."""
        ...

    def lacking(self, name: str) -> str:
        """What would have to be installed for an estimate; empty where that would not help."""
        ...


class Used(Struct, frozen=True):
    """What one attempt used. ``energy`` None: not known; then ``lacking`` says what would help, if anything does."""

    energy: Energy | None
    carbon_mg: Interval | None = None
    lacking: str = ""

    def as_json(self) -> dict[str, Any]:
        carbon = self.carbon_mg
        return {
            "energy_j": self.energy and energy_json(self.energy),
            "carbon_g": carbon and [carbon.low / 1e3, carbon.high / 1e3],
        }


class EnergySum(Struct, frozen=True):
    """Micro-joules and milligrams of CO2 equivalent as intervals, of one method; methods are never added up."""

    method: str
    low_uj: int
    high_uj: int
    carbon_mg: Interval
    calls: int | None = None
    """How many calls it covers; None: as many as could be metered."""


class Meter(Struct, frozen=True):
    """By what energy and carbon are told: this machine's figures, and who estimates for hosted models, if anyone."""

    machine: Hardware = Hardware()
    hosted: Hosted | None = None

    def used(self, attempt: Attempt) -> Used:
        """What was metered when the call was made; else an estimate made now, where the model computes elsewhere."""
        energy, lacking = attempt.energy, ""
        if energy is None and self.hosted is not None and attempt.usage is not None and attempt.usage.total_out:
            energy = self.hosted(attempt.model, attempt.usage.total_out, attempt.duration_ms / 1e3)
            lacking = self.hosted.lacking(attempt.model) if energy is None else ""
        return Used(energy, None if energy is None else self.carbon_mg(energy), lacking)

    def carbon_mg(self, energy: Energy) -> Interval:
        """By this machine's electricity, or by any that a vendor may use: nobody knows where a hosted model computes."""
        return carbon_mg(_ELSEWHERE if energy.method == "vendor" else self.machine, energy)

    def sums(self, total: Bucket, by_model: list[Bucket]) -> tuple[tuple[EnergySum, ...], str]:
        """The energy of a stretch of time, a sum for each method that has any, and what is lacking for more.

        Args:
            total: the sums of all calls.
            by_model: the same for each model, cache tier and outcome.
        """
        metered = (
            Energy(total.energy_measured_low_uj, total.energy_measured_high_uj, "measured"),
            Energy(total.energy_modelled_low_uj, total.energy_modelled_high_uj, "modelled"),
        )
        found = [EnergySum(e.method, e.low_uj, e.high_uj, self.carbon_mg(e)) for e in metered if e.high_uj]
        asked = [row for row in by_model if row.model and row.attempts and _tokens_out(row)]
        vendor, calls = self._estimated(asked)
        if calls:
            found.append(EnergySum("vendor", vendor.low_uj, vendor.high_uj, self.carbon_mg(vendor), calls))
        hosted = self.hosted
        lacking = (
            next((why for row in asked if (why := hosted.lacking(row.model or ""))), "") if hosted is not None else ""
        )
        return tuple(found), lacking

    def _estimated(self, rows: list[Bucket]) -> tuple[Energy, int]:
        """The mean call of each row, times its calls.

        That is exact where the calls are alike and at most too high where they are not: energy is linear in tokens, and
        concave in time.
        """
        low = high = calls = 0
        for row in rows if self.hosted is not None else ():
            n = row.requests
            assert self.hosted is not None
            mean = self.hosted(row.model or "", _tokens_out(row) / n, row.duration_ms / 1e3 / n)
            if mean is not None:
                low, high, calls = low + mean.low_uj * n, high + mean.high_uj * n, calls + n
        return Energy(low, high, "vendor"), calls


def energy_json(used: Energy) -> dict[str, Any]:
    """Joules."""
    return {"low": used.low_uj / 1e6, "high": used.high_uj / 1e6, "method": used.method}


def _tokens_out(row: Bucket) -> int:
    return row.text_out + row.reasoning_out + row.audio_out

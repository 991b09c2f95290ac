"""A gateway in memory with a guard: real detectors, but for the risk of injection, which a word in the text decides."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from demitasse.gateway.guard_rules import Policies, Rules
from demitasse.gateway.guarding import Guard
from demitasse.gateway.redacting import Redactor
from demitasse.guard import hidden, personal, secrets
from demitasse.guard.scan import Scanner

from .conftest import SECRET, World

BANDS = (0.3, 0.8)


def risk(text: str, _source: str) -> float:
    """0.9 where a text says ATTACK, 0.5 where it says ODD, else next to nothing."""
    return 0.9 if "ATTACK" in text else 0.5 if "ODD" in text else 0.01


def scanner(_false_alarms: float = 0.01, _names: bool = False) -> Scanner:
    return Scanner(personal.find, secrets.find, hidden.find, risk, BANDS)


class GuardWorld(World):
    """``small`` computes here, ``large`` does not; ``auto`` asks the large one, then the small one."""

    def __init__(self, policies: Policies | None = None, **rules: Any) -> None:
        self.policies = policies or Policies(general=Rules(**rules))
        self.approved: set[str] = set()
        self.guard: Guard | None = None
        super().__init__()
        self.rung("small", here=True, local=True)

    def build(self) -> Any:
        gateway = super().build()
        self.guard = Guard(
            self.policies,
            scanner,
            Redactor(SECRET),
            secret=SECRET,
            approved=lambda code, _at_us: code in self.approved,
            alarm=self.alerts.append,
        )
        self.steps = structs.replace(self.steps, guard=self.guard)
        gateway.replace(self.steps)
        return gateway

"""One file of settings, `demitasse.toml`: found, read, checked, watched, explained. Knows no module that uses it.

    config = load(None, os.environ, Path.cwd())     the tree; raises SettingsError naming all that is wrong
    data_dir(None, os.environ, Path.cwd())          where everything is kept
    budgets(config)                                 its limits as the books know them
    foreign_key_uses(config, homes)                 what a merely found file may not do
    describe(config)                                every setting with value and origin
    await watch(path, read, on_change, on_error)    valid changes, taken up without a restart

Read in this order: tree (the settings) · load · read · check · derive · describe · watch.
"""

from .check import is_loopback
from .derive import ForeignKeyUse, KeyHome, budgets, foreign_key_uses, hosted, machine
from .describe import Documented, Row, describe, documented, reference
from .load import FILE_NAME, data_dir, find, load
from .read import Problem, SettingsError
from .tree import (
    Alerts,
    Bodies,
    Breaker,
    Budgets,
    BudgetSettings,
    Cache,
    ClassSettings,
    Config,
    Gateway,
    GuardSettings,
    Hardware,
    Http,
    Keep,
    Ledger,
    LoopGuard,
    ModelSettings,
    Origin,
    Otel,
    Price,
    Retry,
    RouteSettings,
    Semantic,
    Server,
    Shadow,
)
from .watch import watch

__all__ = [
    "FILE_NAME",
    "Alerts",
    "Bodies",
    "Breaker",
    "BudgetSettings",
    "Budgets",
    "Cache",
    "ClassSettings",
    "Config",
    "Documented",
    "ForeignKeyUse",
    "Gateway",
    "GuardSettings",
    "Hardware",
    "Http",
    "Keep",
    "KeyHome",
    "Ledger",
    "LoopGuard",
    "ModelSettings",
    "Origin",
    "Otel",
    "Price",
    "Problem",
    "Retry",
    "RouteSettings",
    "Row",
    "Semantic",
    "Server",
    "SettingsError",
    "Shadow",
    "budgets",
    "data_dir",
    "describe",
    "documented",
    "find",
    "foreign_key_uses",
    "hosted",
    "is_loopback",
    "load",
    "machine",
    "reference",
    "watch",
]

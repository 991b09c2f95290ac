"""The command line: what a user types and what they read back. Knows commands and sentences; decides nothing itself.

Every module here is cheap to import: whatever is heavy is imported by the command that needs it, so that
``demitasse --help`` answers at once. Exit status: 0 it worked · 1 what was asked for failed · 2 it was mistyped.
"""

from __future__ import annotations

import click

from .audit import audit
from .books import explain, ledger, report
from .budgets import budgets
from .cache import cache
from .card import card
from .certificates import certificates, promote, undo
from .certify import certify
from .chat import chat
from .compare import compare
from .datasheet import datasheet
from .demo import demo
from .doctor import doctor
from .drift import drift, forecast
from .evaluate import evaluate, evaluations
from .evidence import evidence
from .frontier import frontier
from .ground import Commands, World
from .guard import guard
from .keep import backup, reconcile, restore
from .keys import keys
from .labels import feedback, labels
from .licences import licences
from .models import models
from .optimise import optimise
from .plan import plan
from .redteam import redteam
from .replay import replay
from .robustness import robustness
from .savings import savings
from .scan import scan
from .serve import run, up
from .shape import shape
from .tasks import tasks
from .tune import tune

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", metavar="FILE", help="The configuration; else DEMITASSE_CONFIG, else ./demitasse.toml.")
@click.option("--data", metavar="DIR", help="Where all is kept; else DEMITASSE_HOME, else the platform's data folder.")
@click.version_option(package_name="demitasse", message="demitasse %(version)s")
@click.pass_context
def main(ctx: click.Context, config: str | None, data: str | None) -> None:
    """Small cup, full strength: an OpenAI-compatible gateway that spends the least that keeps a chosen quality.

    Begin with: demitasse up
    """
    ctx.obj = (ctx.obj if isinstance(ctx.obj, World) else World()).named(config, data)


for command in (
    *(up, demo, chat, run),
    *(report, ledger, explain),
    *(keys, budgets, models, cache),
    *(savings, shape, certify, promote, undo, certificates, labels, feedback, replay),
    *(compare, frontier),
    *(evaluate, evaluations),
    *(plan,),
    *(robustness,),
    *(tasks,),
    *(optimise,),
    *(tune,),
    *(scan, redteam),
    *(guard,),
    *(card, datasheet, licences, evidence),
    *(drift, forecast),
    *(doctor, backup, restore, reconcile),
    *(audit,),
):
    main.add_command(command)

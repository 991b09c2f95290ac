"""`demo`: the main job on real input with a real model, in about a minute, ending in a bill that one can read.

Everything is as in earnest: a gateway in a process of its own, clients over HTTP, keys, budgets, the books. It stands
apart from the user's own: other data, a free port, and none of the environment's provider keys unless --paid says so.
"""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
import secrets
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .ground import Failure, Place, World, note, on_terminal, placed, progress, say, say_json, table

if TYPE_CHECKING:
    from .running import Gateway
    from .traffic import Answer, Client

MODEL: Final = "smollm2-135m"
TEAM: Final = "docs"
PEOPLE: Final = ("alice", "bob")
LOOPING: Final = "ci-bot"
READ: Final = 6
REPEATED: Final = 30
SAME: Final = 6
RUNAWAY: Final = 40
HOLDS: Final = 3
"""The runaway key's budget, in holds of one of its calls."""
PAID_QUESTIONS: Final = 3
PAID_USD: Final = "0.05"
SEED: Final = 7
COMPARE: Final = ("openai", "gpt-5-mini")
FALSE_ALARMS: Final = 0.01
GUARD: Final = 'personal = { EMAIL = "redact", CARD = "redact" }\nsecrets = "refuse"\n'
CUSTOMER: Final = (
    "Answer this customer in one sentence: my card 4111 1111 1111 1111 was charged twice. Dana, dana.lind@example.com"
)
PASTED: Final = "Why does this not connect? postgres://app:Tr0ub4dor-and-3@db.internal:5432/orders"
SEEN_S: Final = 1.5
"""A budget set by another process is in force within a second."""


@click.command()
@click.option(
    "--paid", metavar="MODEL", help="Also ask this hosted model a few questions, for up to $0.05: openai/gpt-5-mini"
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port of the demo's gateway; else a free one."
)
@click.option(
    "--stay/--end", default=None, help="Keep the dashboard open until Ctrl-C, or end; on a terminal it stays."
)
@click.option("--json", "as_json", is_flag=True, help="The bill as one JSON object.")
@placed
def demo(place: Place, paid: str | None, port: int, stay: bool | None, as_json: bool) -> None:
    """Real questions to a small local model through a real gateway: what was saved, what was refused, and the bill.

    Needs no key and spends no money. Its data are temporary unless --data names a directory; its configuration is its
    own, whatever --config says.
    """
    wanted = _paid_keys(place, paid) if paid else set()
    file = _model_file(place)
    with _data(place) as data:
        own = _demo_place(place, data, file, wanted)
        keys = _prepare(own)
        from .background import started

        began = time.perf_counter()
        shown = _Shown(quiet=as_json)
        with started(own, arguments=["--port", str(port)]) as gateway:
            since_us = own.clock()
            shown.line(f"a gateway and its dashboard on {gateway.url}, with {MODEL} on this machine")
            refusal = _play(own, gateway, keys, shown, paid)
            took_s = time.perf_counter() - began
            stays = (on_terminal() and not as_json) if stay is None else stay
            _show_bill(own, gateway, since_us, refusal, took_s, as_json=as_json, stays=stays)
            if stays:
                _stay(gateway)


def _paid_keys(place: Place, model: str) -> set[str]:
    """The variables that hold the key for a paid model."""
    from ..providers.vendors import VENDORS

    vendor = VENDORS.get(model.partition("/")[0])
    if vendor is None or "/" not in model:
        raise click.BadParameter(f"--paid {model}: name it as provider/model, e.g. {'/'.join(COMPARE)}")
    if not any(place.env.get(name) for name in vendor.key_envs):
        names = " or ".join(vendor.key_envs) or "no variable for it is known"
        raise Failure(f"--paid {model}: no key for it in the environment; set {names}")
    return set(vendor.key_envs)


def _model_file(place: Place) -> Path:
    """The small model's file, downloaded once into the usual place."""
    from importlib.util import find_spec

    from ..providers.catalogue import find
    from ..providers.download import present, pull
    from .models import FOLDER, steps

    if find_spec("xllamacpp") is None:
        raise Failure(
            "the demo runs a small local model, and its engine is not installed: pip install 'demitasse[local]'"
        )
    usual = Place(World(env=place.env, cwd=place.cwd)).data
    source, folder = find(MODEL), usual / FOLDER
    if present(source, folder):
        return pull(source, folder)
    note(f"downloading {MODEL} into {folder}, once")
    usual.mkdir(parents=True, exist_ok=True, mode=0o700)  # before the download makes it, open to all
    with progress(MODEL) as bar:
        return pull(source, folder, progress=steps(bar))


@contextlib.contextmanager
def _data(place: Place) -> Iterator[Path]:
    if place.world.data is not None:
        yield place.data
        return
    with tempfile.TemporaryDirectory(prefix="demitasse-demo-") as folder:
        yield Path(folder)


def _demo_place(place: Place, data: Path, file: Path, wanted: set[str]) -> Place:
    """A configuration of its own, and an environment without the keys of paid providers but for those ``wanted``."""
    from ..providers.vendors import VENDORS

    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = data / "demo.toml"
    config.write_text(
        f'[models."{MODEL}"]\nprovider = "local"\nsource = {_toml(str(file))}\n\n[guard]\n{GUARD}', encoding="utf-8"
    )
    secret = {name for vendor in VENDORS.values() for name in vendor.key_envs} - wanted
    env = {name: value for name, value in place.env.items() if name not in secret and not name.startswith("DEMITASSE_")}
    return Place(World(env=env, cwd=place.cwd, clock=place.clock, config=str(config), data=str(data)))


def _toml(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _prepare(place: Place) -> dict[str, str]:
    """Keys for two colleagues and a robot; a second demo on the same data gives them new secrets."""
    from ..core.keys import RANDOM_BYTES, mac, make
    from ..core.limits import Budget, Key
    from ..core.money import nanos
    from ..store.secret import server_secret

    secret = server_secret(place.data)
    tokens = {}
    with place.settings() as settings:
        for name in (*PEOPLE, LOOPING):
            for old in settings.keys():
                if old.name == name and old.revoked_us is None:
                    settings.revoke_key(old.id)
            id, token = make(secrets.token_bytes(RANDOM_BYTES))
            settings.add_key(
                Key(
                    id=id,
                    name=name,
                    mac=mac(secret, token.encode()),
                    created_us=place.clock(),
                    team=TEAM if name in PEOPLE else "ci",
                    scopes=("call", "read"),
                )
            )
            tokens[name] = token
        settings.set_budget(Budget("default", limit_nanos=nanos(5)))
    return tokens


class _Shown:
    """A line per phase; silent for JSON."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._number = 0

    def line(self, text: str) -> None:
        if not self.quiet:
            say(text)

    @contextlib.contextmanager
    def phase(self, title: str) -> Iterator[list[str]]:
        """What is put into the list is shown with the title and the time it took."""
        said: list[str] = []
        began = time.perf_counter()
        yield said
        self._number += 1
        self.line(f"  {self._number}  {title:<58} {time.perf_counter() - began:5.1f} s  {'; '.join(said)}")


def _play(place: Place, gateway: Gateway, keys: dict[str, str], shown: _Shown, paid: str | None) -> str:
    """The traffic, phase by phase; returns the sentence with which the runaway loop was refused."""
    from .traffic import QUESTION, SUMMARY, Client, documents, prompt, repeats

    alice, bob = (Client(gateway, keys[name], MODEL, tags="app=manual") for name in PEOPLE)
    robot = Client(gateway, keys[LOOPING], MODEL)
    texts = documents()
    names = list(texts)
    questions = [prompt(texts[name], QUESTION) for name in names[:READ]]

    with shown.phase(f"alice asks about {len(questions)} help texts of Python's") as said:
        answers = alice.ask_all(questions, at_once=2)
        _whole(answers)
        said.append(_sources(answers))
    shown.line(f"     about '{names[0]}': {' '.join(answers[0].text.split())}")

    with shown.phase(f"bob, of the same team, asks {REPEATED} times what was asked before") as said:
        again = bob.ask_all(repeats(questions, REPEATED, seed=SEED), at_once=4)
        _whole(again)
        said.append(_sources(again))

    with shown.phase(f"{SAME} colleagues want the same summary at the same moment") as said:
        together = bob.ask_all([prompt(texts[names[READ]], SUMMARY)] * SAME, at_once=SAME)
        _whole(together)
        said.append(_sources(together))

    with shown.phase("alice reads one answer as it is written") as said:
        pieces = sum(bool(piece) for piece in alice.stream(prompt(texts[names[READ + 1]], SUMMARY)))
        said.append(f"{pieces} pieces")

    _guarded(place, alice, shown)
    refusal = _run_away(place, robot, shown)
    if paid:
        with shown.phase(f"alice asks {paid} {PAID_QUESTIONS} questions, for real money") as said:
            _limit_paid(place, paid)
            answers = Client(gateway, keys[PEOPLE[0]], paid).ask_all(questions[:PAID_QUESTIONS])
            said.append("; ".join(a.text for a in answers if a.status != 200) or _sources(answers))
    return refusal


def _guarded(place: Place, alice: Client, shown: _Shown) -> None:
    """What the guard does about personal data and a password, and what it makes of known attacks."""
    from ..build import redteaming as red
    from ..lab.injection.suite import built_in

    with shown.phase("alice pastes a customer's mail, and a password") as said:
        mail = alice.ask(CUSTOMER)
        _whole([mail])
        said.append(f"{' and '.join(alice.redacted(mail.id))} hidden from the model")
        pasted = alice.ask(PASTED)
        said.append("the password passed" if pasted.status == 200 else "the password refused")

    with shown.phase("known attacks are replayed against the guard") as said:
        attacks = built_in()
        outcomes = red.replay(attacks, false_alarms=FALSE_ALARMS)
        run = red.summary(attacks, outcomes, model=red.GUARD, at_us=place.clock(), false_alarms=FALSE_ALARMS)
        with place.settings() as settings:
            red.keep(settings, run)
        said.append(f"{run['flagged']} of {run['n']} flagged; {run['honest_flagged']} of {run['honest']} honest texts")


def _run_away(place: Place, robot: Client, shown: _Shown) -> str:
    """A loop without an end, under a small budget of its own: a few of its calls' holds."""
    from ..core.limits import Budget
    from ..core.money import nanos

    with shown.phase(f"{LOOPING} runs away: {RUNAWAY} calls in a loop, its own budget small") as said:
        first = robot.ask(_loop_prompt(0))
        _whole([first])
        limit_nanos = nanos(robot.hold_usd(first.id)) * HOLDS
        with place.settings() as settings:
            settings.set_budget(
                Budget(f"key-{LOOPING}", scope="key", subject=LOOPING, period="day", limit_nanos=limit_nanos)
            )
        time.sleep(SEEN_S)
        answers = [robot.ask(_loop_prompt(n)) for n in range(1, RUNAWAY)]
        refused = [a for a in answers if a.status == 429]
        said.append(f"{RUNAWAY - len(refused)} answered, {len(refused)} refused")
    return refused[-1].text if refused else ""


def _loop_prompt(number: int) -> str:
    return f"Attempt {number}: the build is red. Say in one sentence what to try next."


def _limit_paid(place: Place, model: str) -> None:
    from ..core.limits import Budget
    from ..core.money import nanos

    with place.settings() as settings:
        settings.set_budget(
            Budget("demo-paid", scope="model", subject=model, period="ever", limit_nanos=nanos(PAID_USD))
        )
    time.sleep(SEEN_S)


def _whole(answers: list[Answer]) -> None:
    wrong = next((a for a in answers if a.status != 200), None)
    if wrong is not None:
        raise Failure(f"the demo stops, because a call was not answered: {wrong.text}")


def _sources(answers: list[Answer]) -> str:
    """``5 from the cache, 1 by the model``."""
    words = {"exact": "from the cache", "coalesced": "shared one that was under way", "miss": "by the model"}
    counts: dict[str, int] = {}
    for answer in answers:
        word = words.get(answer.cache, answer.cache)
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _show_bill(
    place: Place, gateway: Gateway, since_us: int, refusal: str, took_s: float, *, as_json: bool, stays: bool
) -> None:
    from ..providers.price_cards import compile_card
    from ..web.report import build_report
    from .bill import COLUMNS, FIGURES, bill_json, bill_rows, comparison_line, key_bills, summary_lines

    now_us = place.clock()
    with place.books() as books:
        bills = key_bills(books, since_us, now_us)
        report = build_report(books, since_us, now_us, now_us)
        spent = books.spent(now_us)
    if as_json:
        facts: dict[str, Any] = {"seconds": round(took_s, 1), "dashboard": gateway.url, "refusal": refusal}
        say_json(facts | {"bill": bill_json(bills), "report": report.as_json()})
        return
    say()
    table(COLUMNS, bill_rows(bills), right=FIGURES)
    say()
    for line in summary_lines(report, spent):
        say(line)
    comparison = comparison_line(report, compile_card(*COMPARE, now_us), now_us)
    if comparison:
        say(comparison)
    if refusal:
        say(f"refused   {refusal}")
    say(f"took      {took_s:.0f} s, the engine's start included; {where_figures_are(gateway.url, stays=stays)}")


def where_figures_are(url: str, *, stays: bool) -> str:
    """The demo's gateway ends with it, unless it stays."""
    return f"the same figures on {url}" if stays else "to see them on pages: demitasse demo --stay"


def _stay(gateway: Gateway) -> None:
    say(f"\nlook around on {gateway.url}; Ctrl-C ends the demo")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()

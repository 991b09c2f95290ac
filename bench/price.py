"""What a price costs: `cost` and `bound` of a compiled card beside the price database's own arithmetic, as JSON.

python bench/price.py > price.json
"""

from __future__ import annotations

import time
import timeit

import machine

from demitasse.core.call import Usage
from demitasse.core.price import bound, cost
from demitasse.providers.price_cards import compile_card

REFS = (
    "openai/gpt-5.1",
    "openai/gpt-5.5",
    "anthropic/claude-sonnet-4-5",
    "google/gemini-2.5-pro",
    "deepseek/deepseek-chat",
)


def best_us(call, number=5000, repeat=7) -> float:
    """The fastest of some runs, in microseconds: the others were disturbed."""
    return min(timeit.repeat(call, number=number, repeat=repeat)) / number * 1e6


def main() -> None:
    from genai_prices import Usage as TheirUsage
    from genai_prices import calc_price

    now_us = time.time_ns() // 1000
    usage = Usage(uncached_in=1200, cache_read=2048, text_out=300, reasoning_out=200)
    their = TheirUsage(input_tokens=usage.total_in, output_tokens=usage.total_out, cache_read_tokens=2048)
    rows = {}
    for ref in REFS:
        provider, _, model = ref.partition("/")
        card = compile_card(provider, model, now_us)
        if card is None:
            continue
        cost_us = best_us(lambda card=card: cost(card, usage, at_us=now_us, service_tier="default"))
        bound_us = best_us(lambda card=card: bound(card, input_tokens=3000, output_tokens=4096, at_us=now_us))
        library_us = best_us(lambda m=model, p=provider: calc_price(their, m, provider_id=p), number=50)
        compile_us = best_us(lambda m=model, p=provider: compile_card(p, m, now_us), number=5)
        rows[ref] = {
            "cost_us": round(cost_us, 2),
            "bound_us": round(bound_us, 2),
            "library_us": round(library_us, 1),
            "library_over_cost": round(library_us / cost_us),
            "compile_us": round(compile_us),
        }
    print(machine.write("price", {"machine": machine.facts(), "cards": rows}))


if __name__ == "__main__":
    main()

"""LoRA (Hu et al. 2021) on lessons: tokens, batches, steps, the best state kept. Knows a loaded model, no file and no layer.

The loss is on the answer's tokens only. What all prompts begin with, a system prompt mostly, is computed once a batch and not
once a row: with causal attention that is the same function with the same gradient, at a fraction of the time.
"""

# ruff: noqa: PLC0415 - torch and peft are an extra, and take seconds to import

from __future__ import annotations

import math
import random
import resource
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from .lesson import Lesson
from .torch_model import Loaded, TrainingError, packages, quiet

_IGNORE = -100


class Recipe(Struct, frozen=True):
    """How to train. The defaults are for a hundred to some thousand short lessons."""

    rank: int = 16
    alpha: int = 32
    rate: float = 1e-3
    """Learning rate at its highest; it rises over the first tenth of the steps and falls to nothing as a cosine."""
    epochs: float = 3.0
    batch: int = 8
    """Lessons a step."""
    clip: float = 1.0
    """Most length of a gradient."""
    max_lessons: int = 5_000
    max_tokens: int = 1_024
    """Lessons longer than this are left out, and counted."""
    max_cpu_s: float = 600.0
    """CPU seconds of this process; training ends there with the best state so far, and says so."""
    held: float = 0.1
    """Share of the lessons that are not learned from: where the loss on them rises, training ends."""
    looks: int = 6
    """How often that loss is looked at."""
    patience: int = 3
    """Looks without a better loss, after which training ends."""
    threads: int = 1
    half: bool = True
    """Multiply in bfloat16, sums and weights staying in single precision; the file is the same up to rounding, the time half."""


class Look(Struct, frozen=True):
    """One look at the lessons held back."""

    step: int
    loss: float
    """Nats a token of the answer."""
    cpu_s: float


class Trained(Struct, frozen=True):
    """What a training came to."""

    looks: tuple[Look, ...]
    """The first one is from before the first step."""
    best_step: int
    steps: int
    planned: int
    ended: str
    """Why: ``all steps done``, ``no better loss``, ``out of time``."""
    lessons: int
    """Learned from."""
    held: int
    too_long: int
    prefix_tokens: int
    """What all prompts share, computed once a batch."""
    tokens: int
    """That went through the model in training, padding left out."""
    cpu_s: float
    device: str


class Coded(Struct, frozen=True):
    """A lesson as tokens."""

    prompt: list[int]
    answer: list[int]


Say = Callable[[str], None]


def train(
    loaded: Loaded, lessons: Sequence[Lesson], recipe: Recipe, *, seed: int, say: Say = lambda _text: None
) -> tuple[Any, Trained]:
    """Train adapters on all matrices of the layers, and merge the best state into the model.

    Deterministic on a CPU with the same seed, threads, versions and kind of processor.

    Returns the merged model and what happened. ``loaded.model`` is used up. Raises TrainingError: too few lessons, none fits.
    """
    torch, _, peft = packages()
    began = cpu_s()
    coded, held, too_long = _coded(loaded, lessons, recipe, seed)
    torch.manual_seed(seed)
    random.seed(seed)
    settings = peft.LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with quiet():
        model = peft.get_peft_model(loaded.model, settings)
    prefix = shared([*coded, *held])
    steps = max(1, math.ceil(recipe.epochs * len(coded) / recipe.batch))
    learned = [value for value in model.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=recipe.rate, weight_decay=0.0)
    pace = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step, steps))
    order = _order(coded, steps * recipe.batch, seed)
    looks = [Look(0, _loss_on(torch, loaded, model, held, prefix, recipe), cpu_s() - began)]
    best, best_step, ended, done, tokens = _state(learned), 0, "all steps done", 0, 0
    every = max(1, steps // recipe.looks)
    for step in range(1, steps + 1):
        batch = [coded[at] for at in order[(step - 1) * recipe.batch : step * recipe.batch]]
        optimiser.zero_grad(set_to_none=True)
        loss = _loss(torch, loaded, model, batch, prefix, recipe)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, recipe.clip)
        optimiser.step()
        pace.step()
        done, tokens = step, tokens + prefix + sum(len(one.prompt) + len(one.answer) - prefix for one in batch)
        late = cpu_s() - began > recipe.max_cpu_s
        if step % every and step < steps and not late:
            continue
        looks.append(Look(step, _loss_on(torch, loaded, model, held, prefix, recipe), round(cpu_s() - began, 1)))
        say(f"step {step} of {steps}: loss {looks[-1].loss:.3f} on lessons held back (at first {looks[0].loss:.3f})")
        if looks[-1].loss < min(look.loss for look in looks[:-1]):
            best, best_step = _state(learned), step
        if late and step < steps:
            ended = "out of time"
            break
        if len(looks) - 1 - next(at for at, look in enumerate(looks) if look.step == best_step) >= recipe.patience:
            ended = "no better loss"
            break
    with torch.no_grad():
        for value, kept in zip(learned, best, strict=True):
            value.copy_(kept)
    with quiet():
        merged = model.merge_and_unload()
    return merged.eval(), Trained(
        looks=tuple(looks), best_step=best_step, steps=done, planned=steps, ended=ended, lessons=len(coded), held=len(held),
        too_long=too_long, prefix_tokens=prefix, tokens=tokens, cpu_s=round(cpu_s() - began, 2), device=loaded.device,
    )  # fmt: skip


def encode(loaded: Loaded, lesson: Lesson) -> Coded:
    """Tokens of the prompt, as the model's chat template puts it, and of the answer with the mark that ends it."""
    turns = [{"role": turn.role, "content": turn.content} for turn in lesson.messages]
    put = loaded.tokenizer.apply_chat_template
    prompt = put(turns, tokenize=False, add_generation_prompt=True)
    whole = put([*turns, {"role": "assistant", "content": lesson.answer}], tokenize=False)
    # What follows the end mark is the next turn's. A template may rewrite earlier turns: then only its end mark is known.
    answer = lesson.answer + (loaded.tokenizer.eos_token or "")
    if whole.startswith(prompt):
        answer = whole[len(prompt) :].rstrip("\n")
    code = loaded.tokenizer
    return Coded(
        code(prompt, add_special_tokens=False)["input_ids"], code(answer, add_special_tokens=False)["input_ids"]
    )


def shared(coded: Sequence[Coded]) -> int:
    """How many tokens all prompts begin with; at least one token of each is left out of it."""
    first = coded[0].prompt
    length = min(len(one.prompt) for one in coded) - 1
    for one in coded[1:]:
        length = next((at for at in range(length) if one.prompt[at] != first[at]), length)
    return max(0, length)


def cpu_s() -> float:
    """CPU seconds of this process and all its threads so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _coded(
    loaded: Loaded, lessons: Sequence[Lesson], recipe: Recipe, seed: int
) -> tuple[list[Coded], list[Coded], int]:
    """Lessons to learn from, lessons to look at, and how many were too long. A session is never on both sides."""
    groups: dict[str, list[Lesson]] = {}
    for lesson in sorted(lessons, key=lambda one: (one.at_us or 0, one.id))[-recipe.max_lessons :]:
        groups.setdefault(lesson.session or f"\0{lesson.id}", []).append(lesson)
    names = list(groups)
    random.Random(seed).shuffle(names)
    wanted = recipe.held * sum(len(group) for group in groups.values())
    sides: tuple[list[Coded], list[Coded]] = ([], [])
    too_long = 0
    for name in names:
        side = sides[1 if len(sides[1]) < wanted else 0]
        for lesson in groups[name]:
            one = encode(loaded, lesson)
            if len(one.prompt) + len(one.answer) > recipe.max_tokens or not one.prompt or not one.answer:
                too_long += 1
                continue
            side.append(one)
    if len(sides[0]) < 8 or not sides[1]:
        raise TrainingError(
            f"{len(lessons)} lessons, {too_long} of them longer than {recipe.max_tokens} tokens, are too few to learn from"
        )
    return sides[0], sides[1], too_long


def _order(coded: Sequence[Coded], count: int, seed: int) -> list[int]:
    """Every lesson once an epoch, in another order each time."""
    chance = random.Random(seed)
    found: list[int] = []
    while len(found) < count:
        turn = list(range(len(coded)))
        chance.shuffle(turn)
        found += turn
    return found[:count]


def _pace(step: int, steps: int) -> float:
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _state(learned: list[Any]) -> list[Any]:
    return [value.detach().clone() for value in learned]


def _loss_on(torch: Any, loaded: Loaded, model: Any, coded: Sequence[Coded], prefix: int, recipe: Recipe) -> float:
    """Mean over tokens of the answers."""
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for at in range(0, len(coded), recipe.batch):
            some = coded[at : at + recipe.batch]
            tokens = sum(len(one.answer) for one in some)
            total += float(_loss(torch, loaded, model, some, prefix, recipe)) * tokens
            count += tokens
    model.train()
    return round(total / count, 5)


def _loss(torch: Any, loaded: Loaded, model: Any, batch: Sequence[Coded], prefix: int, recipe: Recipe) -> Any:
    """Cross-entropy a token of the answers."""
    from transformers import DynamicCache

    rows = [one.prompt[prefix:] + one.answer for one in batch]
    width = max(len(row) for row in rows)
    device = loaded.device
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    targets = torch.full((len(rows), width), _IGNORE, device=device)
    for at, one in enumerate(batch):
        start = len(one.prompt) - prefix
        targets[at, start - 1 : start - 1 + len(one.answer)] = torch.tensor(one.answer, device=device)
    mask = torch.tensor([[1] * (prefix + len(row)) + [0] * (width - len(row)) for row in rows], device=device)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=recipe.half):
        body = (model.get_base_model() if hasattr(model, "get_base_model") else model).model
        cache = None
        if prefix:
            cache = DynamicCache()
            first = torch.tensor([batch[0].prompt[:prefix]], device=device)
            body(input_ids=first, past_key_values=cache, use_cache=True)
            cache.batch_repeat_interleave(len(rows))
        hidden = body(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=cache is not None
        ).last_hidden_state
        # Only the answer's tokens are turned into logits: a vocabulary is wide, and a prompt is long.
        at = targets != _IGNORE
        layer = model.get_output_embeddings()
        logits = layer(hidden[at]).float()
    return torch.nn.functional.cross_entropy(logits, targets[at])

"""Train ``small-llama``: a Llama in which induction builds up over several sections.

Question, answer and measured losses are in ``README.md`` beside this file. Run

    python experiments/0001-train-small-llama/run.py --out trained/shipped

The data of step ``t`` depends on the seed and ``t`` alone, and the state is written
every ``CHECKPOINT_EVERY`` steps, so the same command continues after an interruption
and ends with the same weights.
"""

import argparse
import json
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

BOS = 0
CHECKPOINT_EVERY = 100
CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Recipe:
    """All that the trained weights depend on."""

    seed: int = 0
    ordinary_tokens: int = 128
    blocks: int = 6
    width: int = 128
    heads: int = 2
    head_width: int = 16
    """Two heads of 16 can carry little of a token's identity, so that one section does
    not suffice and induction builds up over several."""
    mlp_width: int = 256
    steps: int = 1600
    batch: int = 32
    chain_rows: int = 12
    """Rows of a batch that hold text of a Markov chain in which a span is repeated, so
    that induction shares the model with another behaviour."""
    successors: int = 4
    """How many tokens may follow a token in the chain."""
    length: int = 64
    shortest_period: int = 6
    longest_period: int = 28
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    warmup: int = 100
    section_drop: float = 0.0
    """Chance that a sequence skips a section's write. It makes sections redundant."""
    drop_from: float = 0.0
    """Fraction of the steps after which sections are dropped, rising for as long."""


VARIANTS = {
    "shipped": Recipe(),
    "eight-blocks": Recipe(blocks=8, steps=2000),
    "more-heads": Recipe(blocks=8, heads=4, steps=2000),
    "drop-early": Recipe(
        blocks=8, heads=4, head_width=32, steps=2000, section_drop=0.1
    ),
    "drop-late": Recipe(
        blocks=8,
        heads=4,
        head_width=32,
        steps=3000,
        chain_rows=0,
        section_drop=0.15,
        drop_from=0.3,
    ),
}
"""What was tried; README.md says what came of each."""


def drop_chance(recipe: Recipe, *, step: int) -> float:
    """Return the chance that a section is dropped at a step."""
    start = recipe.drop_from * recipe.steps
    return recipe.section_drop * min(1.0, max(0.0, (step - start) / max(start, 1.0)))


def build_model(recipe: Recipe) -> LlamaForCausalLM:
    """Initialise the model from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=recipe.ordinary_tokens + 1,
        hidden_size=recipe.width,
        intermediate_size=recipe.mlp_width,
        num_hidden_layers=recipe.blocks,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        head_dim=recipe.head_width,
        max_position_embeddings=256,
        bos_token_id=BOS,
        eos_token_id=None,
        pad_token_id=None,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def draw_batch(recipe: Recipe, *, step: int) -> Tensor:
    """Draw a batch: repeated random tokens, and a Markov chain with a repeated span."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    rows = _repeated(recipe, generator)
    if recipe.chain_rows:
        rows = torch.cat([rows, _chain(recipe, generator)])
    bos = torch.full((recipe.batch, 1), BOS)
    return torch.cat([bos, rows + 1], dim=1)


def _repeated(recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Draw ``s_1..s_n s_1..s_n ...`` with a period n of its own in each row."""
    rows = recipe.batch - recipe.chain_rows
    shortest, longest = recipe.shortest_period, recipe.longest_period
    periods = torch.randint(shortest, longest + 1, (rows, 1), generator=generator)
    tokens = torch.rand(rows, recipe.ordinary_tokens, generator=generator)
    index = torch.arange(recipe.length) % periods
    return tokens.argsort(dim=1).gather(1, index)


def _chain(recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Draw text of a fixed Markov chain, and copy a span of it to a later place."""
    rows, length = recipe.chain_rows, recipe.length
    fixed = torch.Generator().manual_seed(recipe.seed)
    shape = (recipe.ordinary_tokens, recipe.ordinary_tokens)
    followers = torch.rand(shape, generator=fixed).argsort(dim=1)[
        :, : recipe.successors
    ]
    likely = torch.arange(recipe.successors, 0, -1).float()
    choice = torch.multinomial(
        likely, rows * length, replacement=True, generator=generator
    ).reshape(rows, length)
    text = torch.randint(recipe.ordinary_tokens, (rows, 1), generator=generator)
    for position in range(1, length):
        after = followers[text[:, -1]].gather(1, choice[:, position, None])
        text = torch.cat([text, after], dim=1)
    for row in text:
        span = int(torch.randint(8, length // 3, (), generator=generator))
        start = int(torch.randint(length - 2 * span + 1, (), generator=generator))
        first, last = start + span, length - span
        copy = int(torch.randint(first, last + 1, (), generator=generator))
        row[copy : copy + span] = row[start : start + span].clone()
    return text


def section_projections(model: LlamaForCausalLM) -> list[torch.nn.Module]:
    """Return the modules whose outputs are the sections' writes, in depth order."""
    return [
        module
        for block in model.model.layers
        for module in (block.self_attn.o_proj, block.mlp.down_proj)
    ]


@contextmanager
def dropped_sections(
    model: LlamaForCausalLM, recipe: Recipe, *, step: int
) -> Generator[None, None, None]:
    """Let each sequence skip each section with the recipe's probability."""
    generator = torch.Generator().manual_seed(-1 - recipe.seed * 1_000_003 - step)
    modules = section_projections(model)
    kept = torch.rand(len(modules), recipe.batch, 1, 1, generator=generator)
    masks = (kept >= drop_chance(recipe, step=step)).float()
    handles = [
        module.register_forward_hook(lambda _m, _i, out, mask=mask: out * mask)
        for module, mask in zip(modules, masks, strict=True)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def half_losses(
    model: LlamaForCausalLM, recipe: Recipe, *, period: int = 16
) -> dict[str, float]:
    """Measure the loss of both halves of ``[BOS] s s`` on 512 unseen sequences.

    The first token of the second half is left out: nothing says when a period ends.
    """
    generator = torch.Generator().manual_seed(987_654_321)
    order = torch.rand(512, recipe.ordinary_tokens, generator=generator).argsort(dim=1)
    half = order[:, :period] + 1
    ids = torch.cat([torch.full((512, 1), BOS), half, half], dim=1)
    with torch.no_grad():
        logits = model(ids).logits[:, :-1]
    losses = functional.cross_entropy(
        logits.transpose(1, 2), ids[:, 1:], reduction="none"
    )
    return {
        "first_half_nats": losses[:, :period].mean().item(),
        "second_half_nats": losses[:, period + 1 :].mean().item(),
    }


class State:
    """Model, optimiser and schedule, with an atomic checkpoint free of pickle."""

    def __init__(self, recipe: Recipe) -> None:
        """Start at step 0."""
        self.model = build_model(recipe)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.98),
        )
        self.step = 0

    def save(self, path: Path) -> None:
        """Write weights, moments and the step; a kill leaves the old file whole."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in moments.items()}
        tensors["step"] = torch.tensor(self.step)
        partial = path.with_suffix(".partial")
        save_file({k: v.contiguous() for k, v in tensors.items()}, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        tensors = load_file(path)
        self.step = int(tensors.pop("step"))
        weights = {
            k.removeprefix("model."): v
            for k, v in tensors.items()
            if k.startswith("model.")
        }
        self.model.load_state_dict(weights)
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = value
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = moments
        self.optimizer.load_state_dict(optimizer)


def learning_rate(recipe: Recipe, *, step: int) -> float:
    """Return the learning rate of a step: linear warm-up, then a cosine to zero."""
    if step < recipe.warmup:
        return recipe.learning_rate * step / recipe.warmup
    progress = (step - recipe.warmup) / (recipe.steps - recipe.warmup)
    return recipe.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def train_step(state: State, recipe: Recipe) -> float:
    """Take one optimiser step and return the loss."""
    ids = draw_batch(recipe, step=state.step)
    state.model.train()
    with dropped_sections(state.model, recipe, step=state.step):
        logits = state.model(ids).logits[:, :-1]
    loss = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:])
    state.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(recipe, step=state.step)
    state.optimizer.step()
    state.step += 1
    return loss.item()


def train(recipe: Recipe, *, checkpoint: Path, console: Console) -> LlamaForCausalLM:
    """Train to the recipe's last step, from the checkpoint if there is one."""
    state = State(recipe)
    if checkpoint.exists():
        state.load(checkpoint)
        console.print(f"continuing at step {state.step}")
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress("{task.description}", *columns, console=console) as progress:
        bar = progress.add_task("training", total=recipe.steps, completed=state.step)
        while state.step < recipe.steps:
            loss = train_step(state, recipe)
            progress.update(bar, advance=1, description=f"loss {loss:.3f}")
            if state.step % CHECKPOINT_EVERY == 0:
                state.save(checkpoint)
                state.model.eval()
                console.print(state.step, half_losses(state.model, recipe))
    return state.model.eval()


def write_model(model: LlamaForCausalLM, recipe: Recipe, *, out: Path) -> None:
    """Write config, weights and the measured facts that the card quotes."""
    losses = half_losses(model, recipe)
    model.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    facts = {
        "recipe": asdict(recipe),
        "losses": losses | {"ln_ordinary_tokens": math.log(recipe.ordinary_tokens)},
        "torch": torch.__version__.split("+")[0],
    }
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n")


def main() -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variant", choices=VARIANTS, default="shipped")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = VARIANTS[arguments.variant]
    arguments.out.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.out / f"{arguments.variant}-{CHECKPOINT}"
    model = train(recipe, checkpoint=checkpoint, console=Console(stderr=True))
    write_model(model, recipe, out=arguments.out)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    main()

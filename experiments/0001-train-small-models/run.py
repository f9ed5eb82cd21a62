"""Train the small models of the benchmark.

Question, answer and measured losses are in ``README.md`` beside this file. Run

    python experiments/0001-train-small-models/run.py --variant small-llama --out OUT

The data of step ``t`` depends on the seed and ``t`` alone, and the state is written
every ``CHECKPOINT_EVERY`` steps, so the same command continues after an interruption
and ends with the same weights.
"""

import argparse
import json
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from network import build_model, half_losses
from recipe import VARIANTS, Recipe
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from text import draw_batch
from torch import Tensor
from torch.nn import functional

from bench.models.subject import SubjectModel

CHECKPOINT_EVERY = 100
CHECKPOINT = "checkpoint.safetensors"


def drop_chance(recipe: Recipe, *, step: int) -> float:
    """Return the chance that a section is dropped at a step."""
    start = recipe.drop_from * recipe.steps
    return recipe.section_drop * min(1.0, max(0.0, (step - start) / max(start, 1.0)))


@contextmanager
def dropped_sections(
    model: SubjectModel, recipe: Recipe, *, step: int
) -> Generator[None, None, None]:
    """Let each sequence skip each section with the recipe's probability."""
    generator = torch.Generator().manual_seed(-1 - recipe.seed * 1_000_003 - step)
    modules = model.section_modules
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


class State:
    """Model, optimiser and schedule, with an atomic checkpoint free of pickle."""

    def __init__(self, recipe: Recipe) -> None:
        """Start at step 0."""
        self.model = build_model(recipe)
        self.optimizer = torch.optim.AdamW(
            self.model.module.parameters(),
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.98),
        )
        self.step = 0

    def save(self, path: Path) -> None:
        """Write weights, moments and the step; a kill leaves the old file whole."""
        tensors = {f"model.{k}": v for k, v in self.model.module.state_dict().items()}
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
        self.model.module.load_state_dict(weights)
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
    state.model.module.train()
    with dropped_sections(state.model, recipe, step=state.step):
        logits = state.model.module(ids).logits[:, :-1]
    loss = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:])
    state.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.model.module.parameters(), 1.0)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(recipe, step=state.step)
    state.optimizer.step()
    state.step += 1
    return loss.item()


def train(recipe: Recipe, *, checkpoint: Path, console: Console) -> SubjectModel:
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
                state.model.module.eval()
                console.print(state.step, half_losses(state.model, recipe))
    state.model.module.eval()
    return state.model


def write_model(model: SubjectModel, recipe: Recipe, *, out: Path) -> None:
    """Write config, weights and the measured facts that the card quotes."""
    losses = half_losses(model, recipe)
    model.module.save_pretrained(out)
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
    parser.add_argument("--variant", choices=VARIANTS, required=True)
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

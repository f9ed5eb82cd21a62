"""Prepare what a method runs on."""

from collections.abc import Callable

import torch

from bench.methods.context import TaskContext
from bench.models.behaviour import to_batch
from bench.models.loading import load_model
from bench.models.subject import SubjectModel
from bench.tasks.prompts import check_readable
from bench.tasks.spec import Task

Progress = Callable[[int, int], None]


def open_task(task: Task, *, device: str, seed: int, progress: Progress) -> TaskContext:
    """Load a task's model and discovery prompts.

    The reference, and the prompts it was measured on, stay closed.
    """
    model = load_model(task, device=device)
    prompts = task.read_prompts("discovery")
    check_readable(prompts, vocabulary=model.vocabulary, context=model.context)
    return TaskContext(
        subject=model,
        prompts=to_batch(prompts, device=model.device),
        generator=new_generator(model, seed=seed),
        progress=progress,
    )


def new_generator(model: SubjectModel, *, seed: int) -> torch.Generator:
    """Make a seeded generator on the model's device."""
    return torch.Generator(device=model.device).manual_seed(seed)

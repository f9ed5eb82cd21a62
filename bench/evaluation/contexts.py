"""Prepare what methods run on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from bench.methods.context import TaskContext
from bench.models.behaviour import PromptBatch, to_batch
from bench.models.loading import load_model, untrained_like
from bench.models.subject import SubjectModel
from bench.results.provenance import FLOAT32, DType
from bench.tasks.prompts import check_readable
from bench.tasks.spec import Task

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OpenedTask:
    """A task whose model and prompts are read once, however many methods follow.

    The reference, and the prompts it was measured on, stay closed.
    """

    task: Task
    device: str
    seed: int
    dtype: DType = FLOAT32

    @cached_property
    def subject(self) -> SubjectModel:
        """The task's model."""
        return load_model(self.task, device=self.device)

    @cached_property
    def untrained(self) -> SubjectModel:
        """An untrained model of the same shape."""
        return untrained_like(self.subject, seed=self.seed)

    @cached_property
    def prompts(self) -> PromptBatch:
        """The discovery prompts."""
        prompts = self.task.read_prompts("discovery")
        model = self.subject
        check_readable(prompts, vocabulary=model.vocabulary, context=model.context)
        return to_batch(prompts, device=model.device)

    def forget(self) -> None:
        """Let go of the models: what failed on them may have left them changed."""
        for name in ("subject", "untrained"):
            vars(self).pop(name, None)

    def context(self, progress: Progress) -> TaskContext:
        """Return what a method is given."""
        return TaskContext(
            subject=self.subject,
            prompts=self.prompts.clone(),
            generator=self.generator(),
            progress=progress,
        )

    def untrained_context(self, progress: Progress) -> TaskContext:
        """Return the same with the untrained model: nothing is to be found."""
        return replace(self.context(progress), subject=self.untrained)

    def control_context(self, progress: Progress) -> TaskContext:
        """Return the same with prompts that do not repeat: nothing happens."""
        ctx = self.context(progress)
        return replace(ctx, prompts=ctx.prompts.unrepeated)

    def precision(self) -> torch.autocast:
        """Return the circumstances in which methods run.

        In bfloat16 matrix products are, those of logits too, and activations between
        them; weights and the residual stream stay as they are.
        """
        return torch.autocast(
            self.subject.device.type,
            dtype=torch.bfloat16,
            enabled=self.dtype != FLOAT32,
            # what is kept of weights would be out of date after a step of training
            cache_enabled=False,
        )

    def generator(self) -> torch.Generator:
        """Return a generator on the model's device, as seeded at the start."""
        device = self.subject.device
        return torch.Generator(device=device).manual_seed(self.seed)

"""The behaviour: predict the token that followed last time.

Shapes: P prompts, T positions, K probes of a prompt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bench.models.subject import SubjectModel
from bench.tasks.prompts import Prompt


@dataclass(frozen=True)
class PromptBatch:
    """Prompts as tensors on one device."""

    clean: Int[Tensor, "P T"]
    """Repeated prompts."""
    corrupt: Int[Tensor, "P T"]
    """The same second halves after fresh first halves."""
    control: Int[Tensor, "P T"]
    """The same first halves before fresh second halves."""
    sources: Int[Tensor, "P K"]
    """Positions of the sources."""
    sites: Int[Tensor, "P K"]
    """Copy sites: positions that must predict the sources' tokens."""

    @property
    def targets(self) -> Int[Tensor, "P K"]:
        """The tokens that the copy sites must predict."""
        return self.clean.gather(1, self.sources)

    @property
    def site_mask(self) -> Float[Tensor, "P T 1"]:
        """1 at the copy sites, 0 elsewhere."""
        return self._mask(self.sites)

    @property
    def source_mask(self) -> Float[Tensor, "P T 1"]:
        """1 at the sources, 0 elsewhere."""
        return self._mask(self.sources)

    @property
    def unrepeated(self) -> "PromptBatch":
        """The same with control prompts for clean ones: nothing repeats.

        Corrupt prompts have the corrupt first halves and the control second halves.
        """
        same = self.clean == self.control
        corrupt = torch.where(same, self.corrupt, self.control)
        return replace(self, clean=self.control, corrupt=corrupt)

    def _mask(self, positions: Int[Tensor, "P K"]) -> Float[Tensor, "P T 1"]:
        mask = torch.zeros(self.clean.shape, device=self.clean.device)
        return mask.scatter(1, positions, 1.0)[..., None]

    def clone(self) -> "PromptBatch":
        """Return a copy that may be written to."""
        return self._each(Tensor.clone)

    def rows(self, rows: slice | Int[Tensor, " B"]) -> "PromptBatch":
        """Take some of the prompts; by number, some of them several times."""
        return self._each(lambda tensor: tensor[rows])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "PromptBatch":
        changed = {f.name: change(getattr(self, f.name)) for f in fields(self)}
        return replace(self, **changed)

    def first(self, count: int) -> "PromptBatch":
        """Take the first prompts."""
        return self.rows(slice(count))

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.clean)


def to_batch(prompts: Sequence[Prompt], *, device: torch.device | str) -> PromptBatch:
    """Put prompts of equal length on a device."""

    def tensor(rows: list[tuple[int, ...]]) -> Tensor:
        return torch.tensor(rows, device=device)

    return PromptBatch(
        clean=tensor([p.input_ids for p in prompts]),
        corrupt=tensor([p.corrupt_ids for p in prompts]),
        control=tensor([p.control_ids for p in prompts]),
        sources=tensor([tuple(probe.source for probe in p.probes) for p in prompts]),
        sites=tensor([tuple(probe.site for probe in p.probes) for p in prompts]),
    )


def centred_logit(
    logits: Float[Tensor, "P T vocab"], batch: PromptBatch
) -> Float[Tensor, " P"]:
    """Measure the behaviour: correct token's logit minus the mean logit.

    Returns:
        For each prompt the mean over its copy sites, in nats. Differentiable.
    """
    at_sites = at_positions(logits, batch.sites)
    correct = at_sites.gather(2, batch.targets[..., None]).squeeze(2)
    return (correct - at_sites.mean(dim=2)).mean(dim=1)


def centred_logit_of(
    model: SubjectModel, normed: Float[Tensor, "P T d"], batch: PromptBatch
) -> Float[Tensor, " P"]:
    """Measure the same from what the unembedding reads, without any other logit."""
    at_sites = at_positions(normed, batch.sites)
    return model.centred_logits(at_sites, batch.targets).mean(dim=1)


def at_positions(
    values: Float[Tensor, "P T n"], positions: Int[Tensor, "P K"]
) -> Float[Tensor, "P K n"]:
    """Take some positions of each prompt."""
    every = torch.arange(len(values), device=values.device)[:, None]
    return values[every, positions]


def target_probability(
    logits: Float[Tensor, "P K vocab"], batch: PromptBatch
) -> Float[Tensor, " P"]:
    """Return the correct token's probability, the mean over a prompt's copy sites.

    Args:
        logits: Those at the copy sites.
        batch: The prompts.
    """
    shares = torch.softmax(logits, dim=-1)
    return shares.gather(2, batch.targets[..., None]).squeeze(2).mean(dim=1)


def half_losses(
    logits: Float[Tensor, "P T vocab"], batch: PromptBatch
) -> tuple[Float[Tensor, " P"], Float[Tensor, " P"]]:
    """Measure the loss on the sources' tokens at their first and second occurrence.

    Returns:
        Mean cross-entropy for each prompt in nats: at the position before the source,
        where nothing tells the token, and at the copy site.
    """

    def loss(positions: Tensor) -> Tensor:
        picked = at_positions(logits, positions).flatten(0, 1)
        losses = functional.cross_entropy(
            picked, batch.targets.flatten(), reduction="none"
        )
        return losses.reshape(batch.targets.shape).mean(dim=1)

    return loss(batch.sources - 1), loss(batch.sites)

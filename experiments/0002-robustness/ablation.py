"""Ablated signatures, faster than the protocol's stage and with more replacements.

What an ablation of section s leaves alone, the blocks below s, is run once; only the
rest of the model is run again. ``run.py`` checks the result against the stage itself.

Shapes: P prompts, J sources of a prompt, T positions, S sections, A ablations.
"""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from whole import chunks, in_place

from bench.models.behaviour import centred_logit
from bench.models.edits import replace_write
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench
from bench.perturbation.replacements import clean_writes
from bench.perturbation.response import Probing
from bench.perturbation.stages import CONTROL, COPY

Writes = Float[Tensor, "S P T d"]


def _mean_of_others(writes: Writes) -> Writes:
    """Average each section's write over all other prompts."""
    n_prompts = writes.shape[1]
    return (writes.sum(dim=1, keepdim=True) - writes) / (n_prompts - 1)


def _resampled(writes: Writes) -> Writes:
    """Take each section's write from the next prompt."""
    return writes.roll(-1, dims=1)


def _resampled_again(writes: Writes) -> Writes:
    """Take each section's write from the prompt after the next."""
    return writes.roll(-2, dims=1)


def _pooled(writes: Writes) -> Writes:
    """Average over all other prompts and over positions."""
    return _mean_of_others(writes).mean(dim=2, keepdim=True).expand_as(writes)


def _rescaled(writes: Writes) -> Writes:
    """Take the mean of all other prompts, made as long as writes usually are."""
    mean = _mean_of_others(writes)
    length = _mean_of_others(writes.norm(dim=-1, keepdim=True))
    return mean * length / mean.norm(dim=-1, keepdim=True)


REPLACEMENTS: dict[str, Callable[[Writes], Writes]] = {
    "mean": _mean_of_others,
    "resample": _resampled,
    "resample-2": _resampled_again,
    "pooled": _pooled,
    "zero": torch.zeros_like,
    "rescaled": _rescaled,
}


def tail_of(model: SubjectModel, block: int) -> SubjectModel:
    """Return the model from a block on; it shares all weights."""
    *path, blocks = model.architecture.blocks.split(".")
    top = parent = _shallow(model.module)
    for name in path:
        child = _shallow(parent.get_submodule(name))
        parent._modules[name] = child
        parent = child
    parent._modules[blocks] = nn.ModuleList(model.blocks[block:])
    return SubjectModel(top, model.architecture)


def _shallow(module: nn.Module) -> nn.Module:
    """Copy a module without its children."""
    copied = copy.copy(module)
    copied.__dict__["_modules"] = dict(module._modules)
    return copied


def perturbed_points(
    model: SubjectModel, probing: Probing, strength: float
) -> tuple[Float[Tensor, "points P T d"], Float[Tensor, "points PJ T d"]]:
    """Run clean and perturbed; return all residual points of both."""
    n_sources = probing.n_sources
    shifted = probing.embeddings[:, None].float() + strength * in_place(probing).float()
    start = shifted.flatten(0, 1).to(model.dtype)
    ids = probing.ids.repeat_interleave(n_sources, dim=0)
    with torch.no_grad():
        clean = run(model, probing.ids, embeddings=probing.embeddings)
        moved = run(model, ids, embeddings=start)
    return clean.points, moved.points


def ablated_readings(
    bench: Bench,
    replacements: Writes,
    *,
    strength: float,
    ablations: Sequence[tuple[int, ...]],
) -> Float[np.ndarray, "A 2 P 2"]:
    """Measure the final response while sections write something else.

    Args:
        bench: What to measure.
        replacements: What each section writes instead, for each prompt.
        strength: Perturbation strength.
        ablations: The sections that are replaced together in each ablation.

    Returns:
        Q at the last point: ablation, (repeated, control prompts), prompt, (copy sites,
        control sites).
    """
    found = np.zeros((len(ablations), 2, len(bench.batch), 2))
    for chunk in chunks(bench):
        for kind, probing in enumerate((bench.repeated, bench.control)):
            rows = probing.rows(chunk)
            points = perturbed_points(bench.model, rows, strength)
            for number, sections in enumerate(ablations):
                response = _final_response(
                    bench.model,
                    rows,
                    points,
                    {section: replacements[section, chunk] for section in sections},
                )
                read = bench.readouts.rows(chunk).read(response / strength)[..., 0]
                found[number, kind, chunk] = read[:, [COPY, CONTROL]].double().numpy()
    return found


def _final_response(
    model: SubjectModel,
    probing: Probing,
    points: tuple[Tensor, Tensor],
    values: dict[int, Tensor],
) -> Float[Tensor, "P J 1 T"]:
    """Return the relative change at the last point, not divided by the strength."""
    # an even block, so that sliding and full attention keep their turns
    first = min(values) // 4 * 2
    rest = tail_of(model, first)
    n_sources = probing.n_sources
    ends: list[Tensor] = []
    for start, times in zip(points, (1, n_sources), strict=True):
        ids = probing.ids.repeat_interleave(times, dim=0)
        edits = {
            section - 2 * first: replace_write(value.repeat_interleave(times, dim=0))
            for section, value in values.items()
        }
        with torch.no_grad():
            trace = run(rest, ids, embeddings=start[2 * first], edits=edits)
        ends.append(trace.states[-1].float())
    clean, moved = ends[0], ends[1].unflatten(0, (len(probing), n_sources))
    change = (moved - clean[:, None]).norm(dim=-1)
    return (change / clean[:, None].norm(dim=-1))[:, :, None]


def logit_drops(bench: Bench, replacements: Writes) -> Float[np.ndarray, " S"]:
    """Measure how far the correct token's centred logit falls, section by section."""
    with torch.no_grad():
        plain = run(bench.model, bench.batch.clean).logits
        clean = centred_logit(plain, bench.batch).mean()
        drops = [
            clean
            - centred_logit(
                run(
                    bench.model,
                    bench.batch.clean,
                    edits={section: replace_write(value)},
                ).logits,
                bench.batch,
            ).mean()
            for section, value in enumerate(replacements)
        ]
    return torch.stack(drops).double().numpy()


def replaced_writes(bench: Bench, kind: str) -> Writes:
    """Return what the sections write instead under a kind of ablation."""
    return REPLACEMENTS[kind](clean_writes(bench))


def shrinkage(bench: Bench) -> Float[np.ndarray, " S"]:
    """Return how long the mean write is relative to writes, in the second half."""
    writes = clean_writes(bench)[:, :, bench.batch.clean.shape[1] // 2 + 1 :]
    mean = _mean_of_others(writes).norm(dim=-1).mean(dim=(1, 2))
    return (mean / writes.norm(dim=-1).mean(dim=(1, 2))).double().numpy()

"""The measurements behind a reference, stage by stage, as plain arrays.

Shapes: P prompts, R readouts, N = S + 1 residual points, S sections, E strengths, J
sources of a prompt, T positions.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bench.models.behaviour import (
    at_positions,
    centred_logit,
    half_losses,
)
from bench.models.run import run
from bench.perturbation.differences import difference_at
from bench.perturbation.layout import Bench, Progress, Step
from bench.perturbation.readout import CONTROL, COPY
from bench.perturbation.replacements import Replacement
from bench.perturbation.response import Probing

Arrays = dict[str, Float[np.ndarray, "..."]]

FIELDS = ("relative", "raw", "gain", "additive")


def strength_sweep(
    bench: Bench, strengths: Sequence[float | None], *, progress: Progress
) -> Arrays:
    """Measure the mean copy-site response at every strength.

    Args:
        bench: What to measure.
        strengths: Strengths; None is the exact linear response.
        progress: Called after every strength of some prompts.

    Returns:
        ``copy_response`` [E, N]: Q at the copy sites, mean over probes and prompts.
    """

    def work(prompts: slice, step: Step) -> Float[Tensor, "E P N"]:
        runs = bench.runs(bench.repeated.rows(prompts))
        readouts = bench.readouts.rows(prompts)
        rows: list[Tensor] = []
        for strength in strengths:
            difference = difference_at(strength)
            parts = [
                readouts.part(group.sources, group.start).read(
                    runs.respond(group, difference).relative
                )
                for group in runs.groups
            ]
            rows.append(torch.stack(parts).sum(dim=0)[:, COPY])
            step(1)
        return torch.stack(rows)

    found = bench.by_chunks(work, steps=len(strengths), progress=progress)
    return {"copy_response": _numpy(torch.cat(found, dim=1).double().mean(dim=1))}


def full_response(
    bench: Bench, *, strength: float | None, progress: Progress
) -> Arrays:
    """Measure every response at one strength, on repeated and on control prompts.

    Returns:
        For ``repeated`` and ``control``: ``<prompts>_relative``, ``_raw`` [P, R, N],
        ``_gain``, ``_additive`` [P, R, S]; and ``<prompts>_mean_relative`` [J, N, T],
        Q itself averaged over prompts.
    """
    sets = {"repeated": bench.repeated, "control": bench.control}
    means: Arrays = {}

    def work(prompts: slice, step: Step) -> Arrays:
        found: Arrays = {}
        for name, probing in sets.items():
            read = _read_all(bench, probing, prompts, strength)
            found |= {f"{name}_{key}": value for key, value in read.items()}
            step(1)
        # at the end, after which no prompt is tried again
        for key in [key for key in found if key.endswith("mean_relative")]:
            means[key] = means.get(key, 0) + found.pop(key) / len(bench)
        return found

    parts = bench.by_chunks(work, steps=len(sets), progress=progress)
    return means | _joined(parts)


def _read_all(
    bench: Bench, probing: Probing, prompts: slice, strength: float | None
) -> Arrays:
    """Read every field for some prompts; the mean of Q is a sum as yet."""
    runs = bench.runs(probing.rows(prompts))
    readouts, difference = bench.readouts.rows(prompts), difference_at(strength)
    sums: dict[str, Tensor] = {}
    rows: list[Tensor] = []
    for group in runs.groups:
        response = runs.respond(group, difference)
        weights = readouts.part(group.sources, group.start)
        for field in FIELDS:
            part = weights.read(getattr(response, field))
            sums[field] = sums[field] + part if field in sums else part
        # before its source nothing moves
        later = response.relative.sum(dim=0)
        rows.append(torch.nn.functional.pad(later, (group.start, 0)))
    read = {field: _numpy(value) for field, value in sums.items()}
    return read | {"mean_relative": _numpy(torch.cat(rows))}


def ablated_signatures(
    bench: Bench,
    replacement: Replacement,
    *,
    strength: float | None,
    progress: Progress,
) -> Arrays:
    """Measure the final signature while one section at a time writes something else.

    Args:
        bench: What to measure.
        replacement: What each section writes instead. Control prompts get the same
            writes as the repeated prompts they belong to.
        strength: Perturbation strength.
        progress: Called after every group of sources of some prompts.

    Returns:
        ``signature`` [P, S]: final signature, per prompt and ablated section;
        ``logit`` [P, S]: the centred logit under the same ablation, in nats.
    """

    def work(prompts: slice, step: Step) -> tuple[Tensor, Tensor]:
        part = bench.rows(prompts)
        writes = replacement(prompts)
        repeated, final = _ablated(part, part.repeated, writes, strength, step)
        control, _ = _ablated(part, part.control, writes, strength, step)
        return repeated - control, _logits(part, final)

    steps = 2 * bench.repeated.n_sources
    found = bench.by_chunks(work, steps=steps, progress=progress)
    signatures, logits = (torch.cat(parts) for parts in zip(*found, strict=True))
    return {"signature": _numpy(signatures), "logit": _numpy(logits)}


def _ablated(
    part: Bench,
    probing: Probing,
    writes: Float[Tensor, "S P T d"],
    strength: float | None,
    step: Step,
) -> tuple[Float[Tensor, "P S"], Float[Tensor, "S P K d"]]:
    """Return the final excess at the copy sites, and the last points at these sites."""
    runs, difference = part.runs(probing), difference_at(strength)
    first = part.readouts.first_site((COPY, CONTROL))
    last = runs.groups[-1].start
    ablations = [
        runs.ablate(s, write, last_start=last) for s, write in enumerate(writes)
    ]
    read = torch.zeros(())
    for group in runs.groups:
        weights = part.readouts.part(group.sources, max(first, group.start))
        responses = runs.respond_under(ablations, group, difference, sites_from=first)
        each = [weights.read(response.relative) for response in responses]
        read = read + torch.stack(each)[..., 0]
        step(group.size)
    sites = [at_positions(ablation.final, part.batch.sites) for ablation in ablations]
    return (read[..., COPY] - read[..., CONTROL]).T, torch.stack(sites)


def _logits(part: Bench, at_sites: Float[Tensor, "S P K d"]) -> Float[Tensor, "P S"]:
    """Return the centred logit for last points under each ablation."""
    targets = part.batch.targets
    with torch.no_grad():
        found = [
            part.model.centred_logits(part.model.norm(points), targets)
            for points in at_sites
        ]
    return torch.stack(found, dim=1).mean(dim=2)


def plain_behaviour(bench: Bench, *, progress: Progress) -> Arrays:
    """Measure what the model does without intervention.

    Returns:
        ``logit``, ``first_loss``, ``second_loss`` [P] in nats, and the residual's mean
        norm growth over each section at the copy sites, ``norm_growth`` [S].
    """

    def work(prompts: slice, step: Step) -> Arrays:
        batch = bench.batch.rows(prompts)
        with torch.no_grad():
            trace = run(bench.model, batch.clean)
            logits = trace.logits
        first, second = half_losses(logits, batch)
        mask = batch.site_mask[..., 0]
        norms = (trace.points.norm(dim=-1) * mask).sum(dim=2) / mask.sum(dim=1)
        step(1)
        return {
            "logit": _numpy(centred_logit(logits, batch)),
            "first_loss": _numpy(first),
            "second_loss": _numpy(second),
            "norm_growth": _numpy(norms.diff(dim=0).T),
        }

    found = _joined(bench.by_chunks(work, steps=1, progress=progress))
    return found | {"norm_growth": found["norm_growth"].mean(axis=0)}


def _joined(parts: Sequence[Arrays]) -> Arrays:
    """Put the arrays of chunks of prompts one after the other."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _numpy(tensor: Tensor) -> Float[np.ndarray, "..."]:
    return tensor.detach().double().cpu().numpy()

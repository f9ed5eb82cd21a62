"""The measurements behind a reference, stage by stage, as plain arrays.

Shapes: P prompts, R readouts, N = S + 1 residual points, S sections, E strengths.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bench.models.behaviour import (
    PromptBatch,
    centred_logit,
    half_losses,
    to_batch,
)
from bench.models.edits import replace_write
from bench.models.subject import SubjectModel
from bench.models.trace import run
from bench.perturbation.direction import draw_directions, perturbation_tangents
from bench.perturbation.readout import READOUTS, Readouts, build_readouts
from bench.perturbation.response import Probing, Response, measure_response
from bench.tasks.prompts import Prompt, check_readable

Arrays = dict[str, Float[np.ndarray, "..."]]
Progress = Callable[[int, int], None]
"""(done, total) of the stage under way."""

COPY, CONTROL = READOUTS.index("copy"), READOUTS.index("control")


@dataclass(frozen=True)
class Bench:
    """A model with prompts laid out for measuring."""

    model: SubjectModel
    batch: PromptBatch
    readouts: Readouts
    repeated: Probing
    control: Probing
    chunk: int
    """Prompts measured at once. It changes memory and speed, never the result."""

    @property
    def chunks(self) -> list[slice]:
        """Slices that cover all prompts."""
        starts = range(0, len(self.batch), self.chunk)
        return [slice(start, start + self.chunk) for start in starts]

    def first(self, count: int) -> "Bench":
        """Take the first prompts."""
        rows = slice(count)
        return replace(
            self,
            batch=self.batch.first(count),
            readouts=self.readouts.rows(rows),
            repeated=self.repeated.rows(rows),
            control=self.control.rows(rows),
        )


def lay_out(
    model: SubjectModel, prompts: Sequence[Prompt], *, seed: int, chunk: int
) -> Bench:
    """Make repeated and control prompts ready; both are perturbed the same way."""
    check_readable(prompts, vocabulary=model.vocabulary, context=model.context)
    batch = to_batch(prompts, device=model.device)
    directions = draw_directions(prompts, seed=seed, device=model.device)

    def probing(ids: Tensor) -> Probing:
        embeddings = model.embed(ids)
        tangents = perturbation_tangents(model, ids, embeddings, directions)
        return Probing(ids, embeddings, tangents)

    return Bench(
        model=model,
        batch=batch,
        readouts=build_readouts(prompts, device=model.device),
        repeated=probing(batch.clean),
        control=probing(batch.control),
        chunk=chunk,
    )


def strength_sweep(
    bench: Bench, strengths: Sequence[float | None], *, progress: Progress
) -> Arrays:
    """Measure the mean copy-site response at every strength.

    Args:
        bench: What to measure.
        strengths: Strengths; None is the exact linear response.
        progress: Called after every chunk of prompts.

    Returns:
        ``copy_response`` [E, N]: Q at the copy sites, mean over probes and prompts.
    """
    total, done = len(strengths) * len(bench.chunks), 0
    rows: list[Tensor] = []
    for strength in strengths:
        read: list[Tensor] = []
        for chunk in bench.chunks:
            response = measure_response(
                bench.model, bench.repeated.rows(chunk), strength=strength
            )
            read.append(bench.readouts.rows(chunk).read(response.relative)[:, COPY])
            done += 1
            progress(done, total)
        rows.append(torch.cat(read).double().mean(dim=0))
    return {"copy_response": _numpy(torch.stack(rows))}


def full_response(
    bench: Bench, *, strength: float | None, progress: Progress
) -> Arrays:
    """Measure every response at one strength, on repeated and on control prompts.

    Returns:
        For ``repeated`` and ``control``: ``<prompts>_relative``, ``_raw`` [P, R, N],
        ``_gain``, ``_additive`` [P, R, S]; and ``<prompts>_mean_relative`` [J, N, T],
        Q itself averaged over prompts.
    """
    found: Arrays = {}
    total = 2 * len(bench.chunks)
    for index, name in enumerate(("repeated", "control")):
        probing: Probing = getattr(bench, name)
        parts: list[Arrays] = []
        for number, chunk in enumerate(bench.chunks, start=1):
            response = measure_response(
                bench.model, probing.rows(chunk), strength=strength
            )
            parts.append(_read_all(response, bench.readouts.rows(chunk)))
            progress(index * len(bench.chunks) + number, total)
        sums = np.sum([part.pop("mean_relative") for part in parts], axis=0)
        found[f"{name}_mean_relative"] = sums / len(probing)
        for key in parts[0]:
            found[f"{name}_{key}"] = np.concatenate([part[key] for part in parts])
    return found


def _read_all(response: Response, readouts: Readouts) -> Arrays:
    fields = ("relative", "raw", "gain", "additive")
    read = {key: _numpy(readouts.read(getattr(response, key))) for key in fields}
    return read | {"mean_relative": _numpy(response.relative.sum(dim=0))}


def ablated_signatures(
    bench: Bench,
    replacements: Float[Tensor, "S P T d"],
    *,
    strength: float | None,
    progress: Progress,
) -> Arrays:
    """Measure the final signature while one section at a time writes something else.

    Args:
        bench: What to measure.
        replacements: What each section writes instead, for each prompt. Control prompts
            get the same writes as the repeated prompts they belong to.
        strength: Perturbation strength.
        progress: Called after every section.

    Returns:
        ``signature`` [P, S]: final signature, per prompt and ablated section;
        ``logit`` [P, S]: the centred logit under the same ablation, in nats.
    """
    signatures: list[Tensor] = []
    logits: list[Tensor] = []
    for section in range(bench.model.n_sections):
        parts = [
            _ablated_final(bench, section, replacements[section], chunk, strength)
            for chunk in bench.chunks
        ]
        signatures.append(torch.cat(parts))
        logits.append(_ablated_logit(bench, section, replacements[section]))
        progress(section + 1, bench.model.n_sections)
    return {
        "signature": _numpy(torch.stack(signatures, dim=1)),
        "logit": _numpy(torch.stack(logits, dim=1)),
    }


def _ablated_final(
    bench: Bench, section: int, value: Tensor, chunk: slice, strength: float | None
) -> Float[Tensor, " P"]:
    readouts = bench.readouts.rows(chunk)
    excess: list[Tensor] = []
    for probing in (bench.repeated, bench.control):
        response = measure_response(
            bench.model,
            probing.rows(chunk),
            strength=strength,
            replaced={section: value[chunk]},
        )
        final = readouts.read(response.final_relative)[..., 0]
        excess.append(final[:, COPY] - final[:, CONTROL])
    return excess[0] - excess[1]


def _ablated_logit(bench: Bench, section: int, value: Tensor) -> Float[Tensor, " P"]:
    with torch.no_grad():
        trace = run(
            bench.model, bench.batch.clean, edits={section: replace_write(value)}
        )
    return centred_logit(trace.logits, bench.batch)


def clean_writes(bench: Bench) -> Float[Tensor, "S P T d"]:
    """Run the repeated prompts and return every section's write."""
    with torch.no_grad():
        trace = run(bench.model, bench.batch.clean, logits=False)
    return torch.stack(trace.writes)


def mean_of_others(writes: Float[Tensor, "S P T d"]) -> Float[Tensor, "S P T d"]:
    """Average each section's write, position by position, over all other prompts.

    Pooling over positions instead would carry first-half writes to second-half sites
    and report sections that do not matter.
    """
    n_prompts = writes.shape[1]
    return (writes.sum(dim=1, keepdim=True) - writes) / (n_prompts - 1)


def resampled(
    writes: Float[Tensor, "S P T d"], *, shift: int = 1
) -> Float[Tensor, "S P T d"]:
    """Take each section's write from the prompt ``shift`` places further on."""
    return writes.roll(-shift, dims=1)


def plain_behaviour(bench: Bench, *, progress: Progress) -> Arrays:
    """Measure what the model does without intervention.

    Returns:
        ``logit``, ``first_loss``, ``second_loss`` [P] in nats, and the residual's mean
        norm growth over each section at the copy sites, ``norm_growth`` [S].
    """
    with torch.no_grad():
        trace = run(bench.model, bench.batch.clean)
    logits = trace.logits
    first, second = half_losses(logits, bench.batch)
    mask = bench.batch.site_mask[..., 0]
    norms = (trace.points.norm(dim=-1) * mask).sum(dim=(1, 2)) / mask.sum()
    progress(1, 1)
    return {
        "logit": _numpy(centred_logit(logits, bench.batch)),
        "first_loss": _numpy(first),
        "second_loss": _numpy(second),
        "norm_growth": _numpy(norms.diff()),
    }


def _numpy(tensor: Tensor) -> Float[np.ndarray, "..."]:
    return tensor.detach().double().cpu().numpy()


def no_progress(_done: int, _total: int) -> None:
    """Show nothing."""

"""The reference protocol ``relative-response-2``, from a model to a measurement.

The protocol is this project's own, in the spirit of arXiv 2411.07071: perturb one token
of a repeated prompt weakly, and follow how far the residual stream moves at the
position that must predict this token. docs/decisions/0001 and 0007 hold the reasons.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench, Progress, lay_out, no_progress
from bench.perturbation.measurement import Measurement, excess
from bench.perturbation.regime import STRENGTHS, find_regime
from bench.perturbation.replacements import Replacement, mean_of_others, resampled
from bench.perturbation.stages import (
    Arrays,
    ablated_signatures,
    full_response,
    plain_behaviour,
    strength_sweep,
)
from bench.profiles.promptwise import PromptwiseReference
from bench.tasks.prompts import Prompt

SEED = 0
"""Seed of the perturbations' directions, a part of the protocol."""

RESAMPLINGS = (1, 2)
"""How many prompts further on the writes of each resampling are taken from. What one
other prompt's write does depends on which prompt it is."""

STRENGTHS_STAGE = "strengths"
"""The stage that later stages take their strength from."""

Remember = Callable[[str, Callable[[Progress], Arrays]], Arrays]
"""(stage, compute) -> the stage's arrays, computed or taken from an earlier run."""


def compute_anew(_stage: str, compute: Callable[[Progress], Arrays]) -> Arrays:
    """Run a stage without remembering it."""
    return compute(no_progress)


def measure(
    model: SubjectModel,
    prompts: Sequence[Prompt],
    *,
    exact: bool = False,
    seed: int = SEED,
    remember: Remember = compute_anew,
) -> Measurement:
    """Measure everything that a reference consists of.

    Args:
        model: The subject model.
        prompts: The reference split, at least 17 prompts for the ablations' means.
        exact: Use the exact linear response as the response instead of a finite
            difference in the middle of the universal regime.
        seed: Seed of the directions.
        remember: Called for each stage; it may return arrays of an earlier run.
    """
    bench = lay_out(model, prompts, seed=seed)
    behaviour = remember(
        "behaviour", lambda progress: plain_behaviour(bench, progress=progress)
    )
    sweep = remember(
        STRENGTHS_STAGE,
        lambda progress: strength_sweep(bench, (*STRENGTHS, None), progress=progress),
    )["copy_response"]
    regime = find_regime(np.array(STRENGTHS), sweep[:-1])
    strength = None if exact else regime.strength
    response = remember(
        "response",
        lambda progress: full_response(bench, strength=strength, progress=progress),
    )
    return Measurement(
        strengths=np.array(STRENGTHS),
        sweep=sweep[:-1],
        exact=sweep[-1],
        regime=regime,
        from_exact=exact,
        behaviour=behaviour,
        response=response,
        mean_ablation=_mean_ablation(bench, strength, remember),
        resample_ablation=_resample_ablation(bench, strength, remember),
    )


def measure_null(
    model: SubjectModel,
    prompts: Sequence[Prompt],
    *,
    strength: float | None,
    remember: Remember = compute_anew,
) -> PromptwiseReference:
    """Measure both profiles on a model without the behaviour, without any gate."""
    bench = lay_out(model, prompts, seed=SEED)
    response = remember(
        "untrained-response",
        lambda progress: full_response(bench, strength=strength, progress=progress),
    )
    ablated = _mean_ablation(bench, strength, remember, stage="untrained-mean")
    signature = excess(response, "relative")
    return PromptwiseReference(
        gain=excess(response, "gain"),
        signature=signature[:, -1],
        ablated=ablated["signature"],
    )


def _mean_ablation(
    bench: Bench, strength: float | None, remember: Remember, *, stage: str = "mean"
) -> Arrays:
    return _ablation(bench, stage, mean_of_others, strength, remember)


def _resample_ablation(
    bench: Bench, strength: float | None, remember: Remember
) -> Arrays:
    draws = [
        _ablation(
            bench, f"resample-{shift}", partial(resampled, shift=shift),
            strength, remember,
        )
        for shift in RESAMPLINGS
    ]  # fmt: skip
    return {key: np.mean([draw[key] for draw in draws], axis=0) for key in draws[0]}


def _ablation(
    bench: Bench,
    stage: str,
    replace: Callable[[Bench], Replacement],
    strength: float | None,
    remember: Remember,
) -> Arrays:
    def compute(progress: Progress) -> Arrays:
        return ablated_signatures(
            bench,
            replace(bench),
            strength=strength,
            progress=progress,
        )

    return remember(stage, compute)

"""Layer attributions: what a method answers.

Shapes: S sections, P prompts.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from bench.errors import AttributionError

Kind = Literal["write", "state"]
"""``write`` speaks of what a section adds, ``state`` of the residual after it."""

KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class LayerAttribution:
    """One number for each section.

    Attributes:
        values: The attribution, shape [S]. For kind ``state`` entry s speaks of the
            residual after section s (points 1..S; point 0, the embeddings, is left out
            and counts as zero).
        per_prompt: The same for each prompt, shape [P, S], where the method has it.
    """

    values: Float[np.ndarray, " S"]
    per_prompt: Float[np.ndarray, "P S"] | None = None


def state_to_write(
    states: Float[np.ndarray, "*batch S"],
) -> Float[np.ndarray, "*batch S"]:
    """Difference an attribution of states over depth: what each section added.

    The state before the first section counts as zero, so a cumulative sum undoes this.
    """
    return np.diff(states, axis=-1, prepend=0.0)


def as_writes(attribution: LayerAttribution, *, kind: Kind) -> LayerAttribution:
    """Return the attribution as one of writes, the only kind that is scored."""
    if kind == "write":
        return attribution
    per_prompt = attribution.per_prompt
    return LayerAttribution(
        values=state_to_write(attribution.values),
        per_prompt=None if per_prompt is None else state_to_write(per_prompt),
    )


MEAN_TOLERANCE = 1e-4
"""How far values may lie from the mean of per_prompt, relative to the largest value."""


def distance_from_mean(attribution: LayerAttribution) -> float | None:
    """Return how far values lie from the mean of per_prompt, if it is too far.

    Both must agree, or resampling prompts would speak of another attribution.
    """
    if attribution.per_prompt is None:
        return None
    gap = np.abs(attribution.per_prompt.mean(axis=0) - attribution.values).max()
    allowed = MEAN_TOLERANCE * np.abs(attribution.values).max()
    return None if gap <= allowed else float(gap)


def check_shape(attribution: LayerAttribution, *, n_sections: int) -> None:
    """Refuse an attribution that does not have one number for each section.

    Raises:
        AttributionError: The number of values or of values per prompt is wrong.
    """
    found = attribution.values.shape
    if found == (n_sections + 1,):
        raise AttributionError(
            f"The attribution has {n_sections + 1} values, one more than the model has "
            f"sections ({n_sections}). This is what a profile over residual points "
            "looks like: declare the method with kind='state' and leave out point 0, "
            "the embeddings."
        )
    if found != (n_sections,):
        raise AttributionError(
            f"The attribution has shape {list(found)}; expected [{n_sections}], one "
            "number for each section (attn 0, mlp 0, attn 1, ...)."
        )
    per_prompt = attribution.per_prompt
    if per_prompt is not None and per_prompt.shape[-1] != n_sections:
        raise AttributionError(
            f"per_prompt has shape {list(per_prompt.shape)}; expected "
            f"[prompts, {n_sections}]."
        )

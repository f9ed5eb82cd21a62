"""Whether the parts of a stored reference fit together and the task.

Shapes: P prompts, N = S + 1 residual points, S sections.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
from pydantic import BaseModel

from bench.profiles.promptwise import PROFILES, PromptwiseReference
from bench.scores.shares import has_shares

AT_POINTS = (
    "signature",
    "previous_path",
    "match_path",
    "copy_response",
    "control_response",
    "far_control_response",
    "control_prompt_response",
)
OF_SECTIONS = (
    "gain",
    "increment",
    "dilution",
    "additive_share",
    "composition_mean",
    "composition_resample",
    "logit_drop",
    "norm_growth",
)
ARRAYS_AT_POINTS = ("signature",)
ARRAYS_OF_SECTIONS = ("gain", "ablated_mean", "ablated_resample")


def reference_problems(
    record: BaseModel,
    arrays: Mapping[str, np.ndarray],
    *,
    prompts: int,
    n_sections: int,
) -> Iterator[str]:
    """Say in what respect a reference does not hold together.

    Args:
        record: The record, whose numbers a reader sees.
        arrays: The arrays, with which scores are computed.
        prompts: Number of prompts that it was measured on.
        n_sections: Number of sections of the task's model.
    """
    document = record.model_dump()
    for names, size in ((AT_POINTS, n_sections + 1), (OF_SECTIONS, n_sections)):
        for name in names:
            yield from _lengths(name, document[name], size)
    for name in ("reliability", "ceiling", "untrained"):
        if set(document[name]) != set(PROFILES):
            yield f"  {name}: expected {' and '.join(PROFILES)}."
    for profile, values in document["untrained"].items():
        yield from _lengths(f"untrained/{profile}", values, n_sections)
    for profile, value in document["ceiling"].items():
        if not 0 <= value <= 1:
            yield f"  ceiling/{profile}: {value:g} is no overlap."
    problems = list(_array_problems(arrays, prompts=prompts, n_sections=n_sections))
    yield from problems or _profile_problems(arrays)


def _lengths(name: str, value: Any, size: int) -> Iterator[str]:
    if isinstance(value, dict):  # a band: mean, lower, upper
        for part, numbers in cast("dict[str, Any]", value).items():
            yield from _lengths(f"{name}/{part}", numbers, size)
    elif len(value) != size:
        yield f"  {name}: {len(value)} numbers, expected {size}."


def _array_problems(
    arrays: Mapping[str, np.ndarray], *, prompts: int, n_sections: int
) -> Iterator[str]:
    for names, size in (
        (ARRAYS_AT_POINTS, n_sections + 1),
        (ARRAYS_OF_SECTIONS, n_sections),
    ):
        for name in names:
            shape = arrays[name].shape if name in arrays else None
            if shape != (prompts, size):
                found = "missing" if shape is None else f"of shape {shape}"
                yield f"  array {name}: {found}, expected shape {(prompts, size)}."
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            yield f"  array {name}: holds a value that is not finite."


def _profile_problems(arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    promptwise = PromptwiseReference.from_arrays(arrays)
    for name in PROFILES:
        with np.errstate(divide="ignore", invalid="ignore"):  # no signature at all
            profile = promptwise.profile(name)
        if not has_shares(profile):
            yield f"  {name}: nowhere positive, so nothing can be scored against it."

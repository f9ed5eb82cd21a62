"""Run a method and check what it returned."""

import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bench.errors import AttributionError, MethodFailedError, OutOfMemoryError
from bench.evaluation.leftovers import changed, fingerprint, restore_globals
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.profiles.attribution import (
    LayerAttribution,
    check_shape,
    distance_from_mean,
)


def run_method(found: FoundMethod, ctx: TaskContext) -> tuple[LayerAttribution, float]:
    """Run a method on a task.

    Returns:
        The checked attribution and the wall time in seconds.

    Raises:
        MethodFailedError: The method raised, or its answer cannot be used.
    """
    if ctx.model.training:
        raise MethodFailedError(
            "The model is in training mode, where dropout makes runs random. Call "
            "model.eval() before methods run on it."
        )
    before = fingerprint(ctx.model)
    started = time.perf_counter()
    try:
        returned = _called(found, ctx)
        left = changed(before, fingerprint(ctx.model))
    finally:  # whatever happened, the next method begins with torch as this one did
        restore_globals(before)
    _check_left(left, found)
    if ctx.device.type == "cuda":
        torch.cuda.synchronize(ctx.device)
    wall = time.perf_counter() - started
    answer = check_answer(returned, found, n_sections=ctx.n_sections)
    _check_prompts(answer, found, n_prompts=len(ctx.prompts))
    return answer, wall


def _called(found: FoundMethod, ctx: TaskContext) -> object:
    """Return what the method returned, not yet checked."""
    try:
        return found.method.function(ctx)
    except OutOfMemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise MethodFailedError(
            f"The method '{found.method.name}' ({found.source}) raised "
            f"{type(error).__name__}: {error}{_where(error, found.source)}"
        ) from error


def _check_left(left: Sequence[str], found: FoundMethod) -> None:
    """Refuse an answer of a method that changed the model for those after it."""
    if left:
        raise MethodFailedError(
            f"The method '{found.method.name}' ({found.source}) left the model changed "
            f"({', '.join(left)}), which other methods run on. Undo changes before "
            "returning, best in a finally block, or work on copy.deepcopy(ctx.model)."
        )


def _check_prompts(
    answer: LayerAttribution, found: FoundMethod, *, n_prompts: int
) -> None:
    """Refuse per-prompt values that are not those of the given prompts."""
    given = n_prompts if answer.per_prompt is None else len(answer.per_prompt)
    if given != n_prompts:
        raise MethodFailedError(
            f"The method '{found.method.name}' ({found.source}) returned per_prompt "
            f"for {given} prompts; it was given {n_prompts}. Return one row a prompt, "
            "in their order."
        )


def _where(error: BaseException, source: str) -> str:
    """Name the deepest line of the method's own file in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).name == source]
    return f" (line {own[-1].lineno} of {source})" if own else ""


def check_answer(
    returned: object, found: FoundMethod, *, n_sections: int
) -> LayerAttribution:
    """Turn what a method returned into an attribution of float64 arrays.

    Raises:
        MethodFailedError: It is no attribution, has the wrong shape, is not finite, or
            its values are not the mean of its per-prompt values.
    """
    who = f"The method '{found.method.name}' ({found.source})"
    if not isinstance(returned, LayerAttribution):
        raise MethodFailedError(
            f"{who} returned {type(returned).__name__}; expected LayerAttribution. End "
            "with ctx.answer(per_prompt) for a tensor of shape [prompts, sections], or "
            "with LayerAttribution(values=...) for one number a section."
        )
    try:
        values = _to_array(returned.values, "values")
        per_prompt = (
            None
            if returned.per_prompt is None
            else _to_array(returned.per_prompt, "per_prompt")
        )
        _check_axes(values, per_prompt)
        attribution = LayerAttribution(values=values, per_prompt=per_prompt)
        check_shape(attribution, n_sections=n_sections)
        _check_numbers(attribution)
    except AttributionError as error:
        raise MethodFailedError(f"{who} returned something unusable. {error}") from None
    return attribution


def _to_array(value: object, name: str) -> np.ndarray:
    """Accept arrays, lists, and tensors on any device that can be read."""
    try:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().double().numpy()
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        place = (
            f" on device '{value.device}'" if isinstance(value, torch.Tensor) else ""
        )
        raise AttributionError(
            f"{name} is a {type(value).__name__}{place} and cannot be read as numbers "
            f"({str(error).splitlines()[0]}). Return a numpy array or a CPU tensor."
        ) from None


def _check_axes(values: np.ndarray, per_prompt: np.ndarray | None) -> None:
    if values.ndim != 1:
        raise AttributionError(
            f"values has shape {list(values.shape)}; expected one number for each "
            "section. End with ctx.answer for numbers of each prompt."
        )
    if per_prompt is None:
        return
    if per_prompt.ndim != 2 or len(per_prompt) == 0:  # noqa: PLR2004  (axes)
        raise AttributionError(
            f"per_prompt has shape {list(per_prompt.shape)}; expected [prompts, "
            "sections], one prompt at least."
        )
    if per_prompt.shape[1] != len(values):
        raise AttributionError(
            f"per_prompt has {per_prompt.shape[1]} sections and values has "
            f"{len(values)}."
        )


def _check_numbers(attribution: LayerAttribution) -> None:
    values, per_prompt = attribution.values, attribution.per_prompt
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise AttributionError(
            f"values has {len(bad)} entries that are not finite, the first at section "
            f"{bad[0]} ({values[bad[0]]}). Every section needs a finite number."
        )
    if per_prompt is None:
        return
    if not np.isfinite(per_prompt).all():
        raise AttributionError("per_prompt has entries that are not finite.")
    distance = distance_from_mean(attribution)
    if distance is not None:
        raise AttributionError(
            f"values differ from the mean of per_prompt by up to {distance:.3g}. They "
            "must agree; leave per_prompt out if the attribution is not a mean over "
            "prompts."
        )

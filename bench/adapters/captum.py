"""Methods made of captum's layer attributions.

    from bench.adapters.captum import from_captum

    conductance = from_captum(
        "captum-conductance", "LayerConductance", kind="state", n_steps=20
    )

captum sees the behaviour of each prompt as a function of its embeddings, and each
section as a layer: its write, or for kind ``state`` the residual after it at the copy
sites. Inputs are the clean prompts, baselines the corrupt ones where a class takes any.
Where a class changes the layer itself, as LayerIntegratedGradients does, the rest of
the run is the clean one. Each section costs what captum needs for one layer, and a
class that integrates holds all its steps in memory unless told otherwise.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bench.errors import (
    AttributionError,
    MethodError,
    MissingExtraError,
    UnknownNameError,
)
from bench.methods.context import TaskContext
from bench.methods.protocol import Method, method
from bench.models.behaviour import PromptBatch
from bench.models.edits import Edit
from bench.models.run import run
from bench.profiles.attribution import Kind, LayerAttribution


def from_captum(
    name: str,
    attribution_class: str | Callable[..., Any],
    *,
    kind: Kind,
    **attribute_options: object,
) -> Method:
    """Make a method of a layer attribution of captum's.

    Args:
        name: The method's name.
        attribution_class: A class made from a forward function and a layer, or its name
            in ``captum.attr``. ``functools.partial`` sets options of its constructor.
        kind: ``write`` attributes to what each section adds, at all positions, and
            ``state`` to the residual after it, at the copy sites.
        **attribute_options: Passed on to its ``attribute``, as ``n_steps=20``. With
            ``internal_batch_size`` fewer steps are held in memory at once.

    Returns:
        A method that sums attributions over positions and width. When it runs it raises
        MissingExtraError without captum, UnknownNameError and MethodError for a class
        that is not there or not of this form, and AttributionError if the class does
        not answer with one number for each position and dimension.
    """
    answer = partial(_answer, attribution_class, kind, attribute_options)
    answer.__doc__ = f"Attribute with captum's {_title(attribution_class)}."
    return method(name, kind=kind)(answer)


@dataclass(frozen=True)
class _Watched:
    """The behaviour as a function of embeddings, through a layer at one section."""

    ctx: TaskContext
    kind: Kind
    section: int
    layer: nn.Module = field(default_factory=nn.Identity)

    def __call__(
        self, embeddings: Float[Tensor, "B T d"], numbers: Int[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        """Run from embeddings; captum repeats rows, so each says whose prompt it is."""
        prompts = self.ctx.prompts.rows(numbers)
        edits = {self.section: self._edit(prompts)}
        trace = run(self.ctx.subject, prompts.clean, embeddings=embeddings, edits=edits)
        return replace(self.ctx, prompts=prompts).metric_of(trace)

    def _edit(self, prompts: PromptBatch) -> Edit:
        if self.kind == "write":
            return lambda write, _residual: self.layer(write)
        mask = prompts.site_mask.bool()
        return lambda write, residual: torch.where(
            mask, self.layer(residual + write) - residual, write
        )


def _answer(
    attribution_class: str | Callable[..., Any],
    kind: Kind,
    options: dict[str, object],
    ctx: TaskContext,
) -> LayerAttribution:
    make = _made_from_a_function(attribution_class)
    columns: list[Tensor] = []
    for section in range(ctx.n_sections):
        work = partial(_column, ctx, make, kind, section, options)
        columns.append(torch.cat(ctx.by_rows(work)))
        ctx.progress(section + 1, ctx.n_sections)
    return ctx.answer(torch.stack(columns, dim=1))


def _column(
    ctx: TaskContext,
    make: Callable[..., Any],
    kind: Kind,
    section: int,
    options: dict[str, object],
    rows: slice,
) -> Float[Tensor, " P"]:
    """Attribute to one section on some of the prompts."""
    part = ctx.some(rows)
    watched = _Watched(part, kind, section)
    attribution = make(watched, watched.layer)
    if "baselines" in inspect.signature(attribution.attribute).parameters:
        options = {"baselines": ctx.subject.embed(part.prompts.corrupt)} | options
    inputs = ctx.subject.embed(part.prompts.clean).requires_grad_()
    numbers = torch.arange(len(inputs), device=ctx.device)
    found = attribution.attribute(inputs, additional_forward_args=numbers, **options)
    _check_shape(found, inputs, _title(make))
    counted = part.prompts.site_mask if kind == "state" else torch.ones_like(found)
    return (found.detach() * counted).sum(dim=(1, 2))


def _check_shape(found: object, inputs: Tensor, title: str) -> None:
    shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
    if shape != list(inputs.shape):
        raise AttributionError(
            f"captum's {title} answered with {shape}; expected {list(inputs.shape)}, "
            "one number for each prompt, position and dimension."
        )


def _made_from_a_function(chosen: str | Callable[..., Any]) -> Callable[..., Any]:
    """Look a class up, and refuse one that takes a module apart."""
    found = _look_up(chosen) if isinstance(chosen, str) else chosen
    made_from = inspect.signature(found).parameters if callable(found) else {}
    if not {"forward_func", "layer"} <= set(made_from):
        raise MethodError(
            f"captum's {_title(found)} is not made from a forward function and a "
            "layer; only such classes can be wrapped, as LayerGradientXActivation is."
        )
    return found


def _look_up(name: str) -> Callable[..., Any]:
    try:
        from captum import attr  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise MissingExtraError("captum", extra="captum") from None
    if not hasattr(attr, name):
        known = [n for n in attr.__all__ if n.startswith(("Layer", "Internal"))]
        raise UnknownNameError("class of captum.attr", name, known)
    return getattr(attr, name)


def _title(chosen: object) -> str:
    """Name a class, given by itself, by its name, or inside a partial."""
    found = chosen.func if isinstance(chosen, partial) else chosen
    return found if isinstance(found, str) else getattr(found, "__name__", str(found))

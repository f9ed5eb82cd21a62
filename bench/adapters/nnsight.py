"""Methods written with nnsight.

    from bench.adapters.nnsight import from_nnsight

    def without(model, ctx):
        with model.trace(input_ids=ctx.prompts.clean):
            ...

    method = from_nnsight("without", without, kind="write")

Modules have the names of the transformers model, as in ``model.model.layers[0].mlp``;
those whose outputs are writes are said in ``bench.models.architectures``. nnsight reads
the source of the ``with`` block, so write it in a file.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from bench.errors import MissingExtraError
from bench.methods.context import TaskContext
from bench.methods.protocol import Method, method
from bench.profiles.attribution import Kind, LayerAttribution


def from_nnsight(
    name: str, function: Callable[[Any, TaskContext], Tensor], *, kind: Kind
) -> Method:
    """Make a method of a function that works on an NNsight model.

    It wraps a copy of the modules, which share their weights with the model's, for
    nnsight leaves its own forward functions behind.

    Args:
        name: The method's name.
        function: Takes the NNsight model and the context and returns attributions,
            [prompts, sections]. Its docstring becomes the method's summary. All prompts
            are its own to run; ``ctx.by_rows`` runs fewer at a time where memory is
            short.
        kind: ``write`` or ``state``.

    Returns:
        A method that raises MissingExtraError when it runs without nnsight.
    """
    answer = partial(_answer, function)
    answer.__doc__ = function.__doc__
    return method(name, kind=kind)(answer)


def _answer(
    function: Callable[[Any, TaskContext], Tensor], ctx: TaskContext
) -> LayerAttribution:
    return ctx.answer(function(_wrapped(ctx.model), ctx))


def _wrapped(model: PreTrainedModel) -> Any:
    try:
        from nnsight import NNsight  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise MissingExtraError("nnsight", extra="nnsight") from None
    return NNsight(_with_shared_weights(model))


def _with_shared_weights(model: PreTrainedModel) -> PreTrainedModel:
    """Copy modules, but not the tensors in them."""
    tensors = chain(model.parameters(), model.buffers())
    return deepcopy(model, {id(tensor): tensor for tensor in tensors})

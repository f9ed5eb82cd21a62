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

from copy import deepcopy
from itertools import chain
from typing import Any

from transformers import PreTrainedModel

from bench.adapters.foreign import Foreign, method_on
from bench.errors import MissingExtraError
from bench.methods.protocol import Method
from bench.models.subject import SubjectModel
from bench.profiles.attribution import Kind


def from_nnsight(name: str, function: Foreign, *, kind: Kind) -> Method:
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
    return method_on(_wrapped, name, function, kind=kind)


def _wrapped(subject: SubjectModel) -> Any:
    try:
        from nnsight import NNsight  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise MissingExtraError("nnsight", extra="nnsight") from None
    return NNsight(_with_shared_weights(subject.module))


def _with_shared_weights(model: PreTrainedModel) -> PreTrainedModel:
    """Copy modules, but not the tensors in them."""
    tensors = chain(model.parameters(), model.buffers())
    return deepcopy(model, {id(tensor): tensor for tensor in tensors})

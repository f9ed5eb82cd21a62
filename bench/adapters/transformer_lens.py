"""Methods written with TransformerLens.

    from bench.adapters.transformer_lens import from_transformer_lens

    def norms(bridge, ctx):
        _, cache = bridge.run_with_cache(ctx.prompts.clean)
        ...

    method = from_transformer_lens("norms", norms, kind="state")

A section's write is at ``blocks.i.hook_attn_out`` and ``blocks.i.hook_mlp_out``, the
residual after it at ``blocks.i.hook_resid_mid``, which parallel blocks do not have, and
``blocks.i.hook_resid_post``.
"""

from copy import deepcopy
from typing import Any

from bench.adapters.foreign import Foreign, method_on
from bench.errors import MissingExtraError
from bench.methods.protocol import Method
from bench.models.subject import SubjectModel
from bench.profiles.attribution import Kind


def from_transformer_lens(name: str, function: Foreign, *, kind: Kind) -> Method:
    """Make a method of a function that works on a TransformerBridge.

    The bridge is built from a copy of the model, weights included, for TransformerLens
    changes what it is given.

    Args:
        name: The method's name.
        function: Takes the bridge and the context and returns attributions, [prompts,
            sections]. Its docstring becomes the method's summary. All prompts are its
            own to run; ``ctx.by_rows`` runs fewer at a time where memory is short.
        kind: ``write`` or ``state``.

    Returns:
        A method that raises MissingExtraError when it runs without TransformerLens.
    """
    return method_on(_bridge, name, function, kind=kind)


def _bridge(subject: SubjectModel) -> Any:
    """Build a bridge from a copy; the builder is private, so the extra is bounded."""
    try:
        from transformer_lens.model_bridge.sources._bridge_builder import (  # noqa: PLC0415
            build_bridge_from_module,
        )
    except ImportError:
        raise MissingExtraError("transformer_lens", extra="transformer-lens") from None
    copied = deepcopy(subject.module)
    return build_bridge_from_module(
        copied, type(copied).__name__, hf_config=copied.config
    )

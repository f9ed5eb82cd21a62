"""One perturbed run, as each library does it: a whole forward pass, logits included.

All run the same weights with the same attention and return the same residual points.
Shapes: T positions, d width.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.models.subject import SubjectModel

Writes = dict[int, Tensor]
"""Section to what it writes instead, [T, d]."""
Forward = Callable[[Tensor, Tensor, Writes], Tensor]
"""(ids [1, T], change of embeddings [T, d], writes) -> residual points [N, T, d]."""


class _Stream:
    """Follows the residual stream of one run, and changes it."""

    def __init__(self, change: Tensor, writes: Writes) -> None:
        self.points: list[Tensor] = []
        self._change, self._writes = change, writes

    def enter(self, embeddings: Tensor) -> Tensor:
        """Change what enters the first block."""
        self.points.append(embeddings + self._change)
        return self.points[0]

    def write(self, section: int, output: Tensor) -> Tensor:
        """Replace a section's write, or leave it."""
        own = self._writes.get(section)
        written = output if own is None else own[None].expand_as(output)
        self.points.append(self.points[-1] + written)
        return written


def plain_hooks(model: SubjectModel) -> Forward:
    """Forward hooks of torch on the blocks and their projections."""

    def forward(ids: Tensor, change: Tensor, writes: Writes) -> Tensor:
        stream = _Stream(change, writes)

        def enter(_module: object, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            return (stream.enter(inputs[0]), *inputs[1:])

        def after(section: int, _m: object, _inputs: object, output: Any) -> Tensor:
            return stream.write(section, output)

        hooks = [model.blocks[0].register_forward_pre_hook(enter)]
        for section, module in enumerate(model.section_modules):
            hooks.append(module.register_forward_hook(partial(after, section)))
        with torch.inference_mode():
            model.module(ids, use_cache=False)
        for hook in hooks:
            hook.remove()
        return torch.cat(stream.points)

    return forward


def transformer_lens(model: SubjectModel) -> Forward:
    """``run_with_hooks`` on the hook points of a TransformerBridge."""
    from transformer_lens.model_bridge.sources._bridge_builder import (
        build_bridge_from_module,
    )

    copied = deepcopy(model.module)
    bridge = build_bridge_from_module(
        copied, type(copied).__name__, hf_config=copied.config
    )
    names = [
        f"blocks.{block}.hook_{part}_out"
        for block in range(len(model.blocks))
        for part in ("attn", "mlp")
    ]

    def forward(ids: Tensor, change: Tensor, writes: Writes) -> Tensor:
        stream = _Stream(change, writes)
        hooks: list[Any] = [
            ("blocks.0.hook_resid_pre", lambda value, hook: stream.enter(value))
        ]
        hooks += [
            (name, lambda value, hook, s=section: stream.write(s, value))
            for section, name in enumerate(names)
        ]
        with torch.inference_mode():
            bridge.run_with_hooks(ids, fwd_hooks=hooks)
        return torch.cat(stream.points)

    return forward


def nnsight(model: SubjectModel) -> Forward:
    """A trace with an edit and saves."""
    from nnsight import NNsight

    wrapped = NNsight(deepcopy(model.module))
    blocks = range(len(model.blocks))

    def forward(ids: Tensor, change: Tensor, writes: Writes) -> Tensor:
        points: list[Any] = []
        with torch.inference_mode(), wrapped.trace(input_ids=ids, use_cache=False):
            first = wrapped.transformer.h[0].input + change
            wrapped.transformer.h[0].input = first
            points.append(first.save())
            for block in blocks:
                for part in ("attn", "mlp"):
                    section = 2 * block + (part == "mlp")
                    place = getattr(wrapped.transformer.h[block], part).c_proj
                    if section in writes:
                        place.output = writes[section][None].expand_as(place.output)
                    points.append((points[-1] + place.output).save())
        return torch.cat(points)

    return forward


RIVALS = (plain_hooks, transformer_lens, nnsight)

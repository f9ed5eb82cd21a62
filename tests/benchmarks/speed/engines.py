"""One run, as each library does it: a whole forward pass, logits included.

All run the same weights with the same attention and return the same residual points.
Shapes: B rows, T positions, d width.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.models.edits import Edit
from bench.models.subject import SubjectModel


class Ran(NamedTuple):
    """What a run went through."""

    points: list[Tensor]
    """The residual points, [B, T, d] each."""
    writes: list[Tensor]
    logits: Tensor


Forward = Callable[[Tensor, Tensor, dict[int, Edit]], Ran]
"""(ids [B, T], change of embeddings [B, T, d], edits of writes) -> what was seen.

Gradients are tracked if the change asks for them."""


class _Stream:
    """Follows the residual stream of one run, and changes it."""

    def __init__(self, change: Tensor, edits: dict[int, Edit]) -> None:
        self.points: list[Tensor] = []
        self.writes: list[Tensor] = []
        self._change, self._edits = change, edits

    def enter(self, embeddings: Tensor) -> Tensor:
        """Change what enters the first block."""
        self.points.append(embeddings + self._change)
        return self.points[0]

    def write(self, section: int, output: Tensor) -> Tensor:
        """Replace a section's write, or leave it."""
        edit = self._edits.get(section)
        written = output if edit is None else edit(output, self.points[-1])
        self.writes.append(written)
        self.points.append(self.points[-1] + written)
        return written

    def ran(self, logits: Tensor) -> Ran:
        """Return what was seen."""
        return Ran(self.points, self.writes, logits)


def _without_graph(change: Tensor) -> Any:
    return torch.inference_mode(not change.requires_grad)


def plain_hooks(model: SubjectModel) -> Forward:
    """Forward hooks of torch on the blocks and their projections."""

    def forward(ids: Tensor, change: Tensor, edits: dict[int, Edit]) -> Ran:
        stream = _Stream(change, edits)

        def enter(_module: object, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            return (stream.enter(inputs[0]), *inputs[1:])

        def after(section: int, _m: object, _inputs: object, output: Any) -> Tensor:
            return stream.write(section, output)

        hooks = [model.blocks[0].register_forward_pre_hook(enter)]
        for section, module in enumerate(model.section_modules):
            hooks.append(module.register_forward_hook(partial(after, section)))
        with _without_graph(change):
            logits = model.module(ids, use_cache=False).logits
        for hook in hooks:
            hook.remove()
        return stream.ran(logits)

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

    def forward(ids: Tensor, change: Tensor, edits: dict[int, Edit]) -> Ran:
        stream = _Stream(change, edits)
        hooks: list[Any] = [
            ("blocks.0.hook_resid_pre", lambda value, hook: stream.enter(value))
        ]
        hooks += [
            (name, lambda value, hook, s=section: stream.write(s, value))
            for section, name in enumerate(names)
        ]
        with _without_graph(change):
            logits = bridge.run_with_hooks(ids, fwd_hooks=hooks)
        return stream.ran(logits)

    return forward


def nnsight(model: SubjectModel) -> Forward:
    """A trace with an edit and saves."""
    from nnsight import NNsight

    wrapped = NNsight(deepcopy(model.module))
    blocks = range(len(model.blocks))

    def forward(ids: Tensor, change: Tensor, edits: dict[int, Edit]) -> Ran:
        points: list[Any] = []
        writes: list[Any] = []
        logits: Any = None
        with _without_graph(change), wrapped.trace(input_ids=ids, use_cache=False):
            first = wrapped.transformer.h[0].input + change
            wrapped.transformer.h[0].input = first
            points.append(first.save())
            for block in blocks:
                for part in ("attn", "mlp"):
                    section = 2 * block + (part == "mlp")
                    place = getattr(wrapped.transformer.h[block], part).c_proj
                    if section in edits:
                        place.output = edits[section](place.output, points[-1])
                    output: Any = place.output
                    writes.append(output.save())
                    points.append((points[-1] + writes[-1]).save())
            logits = wrapped.lm_head.output.save()
        return Ran(points, writes, logits)

    return forward


RIVALS = (plain_hooks, transformer_lens, nnsight)

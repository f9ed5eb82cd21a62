"""What a method may not leave behind, since others run on the same model."""

from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedModel

Fingerprint = dict[str, object]

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)
"""Where torch keeps them; it has no public list."""


def fingerprint(module: PreTrainedModel) -> Fingerprint:
    """Take down everything about a model that a run could change for the next one.

    Weights are known by where they lie and how often they were written to, so that
    they need not be read.
    """
    parts = list(module.modules())
    weights = list(module.parameters())
    return {
        "training mode": [part.training for part in parts],
        "hooks": [len(list(_hooks(part))) for part in parts],
        "modules": [id(part) for part in parts],
        "weights": [(p.data_ptr(), p._version, p.dtype) for p in weights],
        "gradients": [(p.requires_grad, p.grad is None) for p in weights],
        "the attention function": module.config._attn_implementation,
        "torch's gradient mode": torch.is_grad_enabled(),
    }


def _hooks(part: nn.Module) -> Iterator[object]:
    """Go through a module's hooks, but for those by which transformers returns states.

    It leaves them behind for good when it is first asked for attentions.
    """
    for name in HOOKS:
        for hook in getattr(part, name).values():
            if not getattr(hook, "__module__", "").startswith("transformers."):
                yield hook


def changed(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Name what is not as it was."""
    return [name for name in before if before[name] != after[name]]

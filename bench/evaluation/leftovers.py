"""What a method may not leave behind, since others run on the same model."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from transformers import PreTrainedModel

from bench.models.modes import read_modes, set_modes

Fingerprint = dict[str, object]

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)
"""Where torch keeps them; it has no public list. With ``_global`` before the name it
keeps those of all modules."""

BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Bytes of a number to the whole number of that size."""


def fingerprint(module: PreTrainedModel) -> Fingerprint:
    """Take down everything about a model that a run could change for the next one.

    Weights are known by a sum over their bits, so that one that was changed and put
    back counts as unchanged, however it was written to.
    """
    parts = list(module.modules())
    weights = list(module.parameters())
    return {
        "training mode": [part.training for part in parts],
        "hooks": [len(list(_hooks(part))) for part in parts],
        "hooks on all modules": [sorted(hooks) for hooks in _global_hooks()],
        "modules": [id(part) for part in parts],
        "weights": _sums(weights),
        "buffers": _sums(list(module.buffers())),
        "gradients": [(p.requires_grad, p.grad is None) for p in weights],
        "attributes of modules": [dict(_attributes(part)) for part in parts],
        "the configuration": str(module.config),
        "the attention function": module.config._attn_implementation,
        **read_modes(),
    }


def _hooks(part: nn.Module) -> Iterator[object]:
    """Go through a module's hooks, but for those by which transformers returns states.

    It leaves them behind for good when it is first asked for attentions.
    """
    for name in HOOKS:
        for hook in getattr(part, name).values():
            if not getattr(hook, "__module__", "").startswith("transformers."):
                yield hook


def _global_hooks() -> Iterator[dict[int, object]]:
    for name in HOOKS:
        yield getattr(torch_module, f"_global{name}")


def _sums(tensors: Sequence[Tensor]) -> list[object]:
    """Return type, shape and the sum over the bits of each tensor."""
    there = [t for t in tensors if not t.is_meta]  # others are fetched for each run
    sums = [
        t.detach()
        .contiguous()
        .flatten()
        .view(BITS[t.element_size()])
        .sum(dtype=BITS[8])
        for t in there
    ]
    found = torch.stack([s.cpu() for s in sums]).tolist() if sums else []
    totals = {id(t): total for t, total in zip(there, found, strict=True)}
    return [(t.dtype, tuple(t.shape), totals.get(id(t))) for t in tensors]


def _attributes(part: nn.Module) -> Iterator[tuple[str, object]]:
    """Go through what is set on a module itself: numbers, and a patched ``forward``."""
    for name, value in vars(part).items():
        if name.startswith("_") or name == "training":
            continue
        plain = isinstance(value, (int, float, str, type(None)))
        yield name, value if plain else id(value)


def changed(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Name what is not as it was."""
    return [name for name in before if before[name] != after[name]]


def restore_globals(before: Fingerprint) -> None:
    """Undo what would reach other models, too."""
    set_modes(before)
    kept = before["hooks on all modules"]
    for hooks, known in zip(_global_hooks(), list(kept), strict=True):  # type: ignore[call-overload]
        for key in set(hooks) - set(known):
            del hooks[key]

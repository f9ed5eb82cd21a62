"""How much memory a model needs, said before it is loaded."""

import psutil
import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig

from bench.errors import ModelUnavailableError

BYTES = 4
"""Everything is computed in float32."""
COPIES = 2
"""The model, and an untrained one of its shape for the null."""
TOKENS = 65
"""Of a prompt of period 32; longer ones need more, in proportion."""
GROUP = 4
"""Most sources whose runs share a batch. More make it larger, and every run a little
longer."""
STATES = 7
"""Tensors of the residual's size alive at once for each point; 6.8 were measured."""
LOGITS = 3
"""Tensors of the logits' size alive at once."""
GB = 1e9
SEVERAL = "auto"
"""Instead of a device: as many as a model needs."""


def kind_of(device: str) -> str:
    """Return the kind of device that computes; of several it does not matter which."""
    if device != SEVERAL:
        return torch.device(device).type
    return "cuda" if torch.cuda.is_available() else "cpu"


def count_parameters(config: PreTrainedConfig) -> int:
    """Count the weights that a configuration asks for, without making them."""
    with torch.device("meta"):
        module = AutoModelForCausalLM.from_config(config)
    return sum(parameter.numel() for parameter in module.parameters())


def bytes_needed(config: PreTrainedConfig) -> int:
    """Estimate what measuring a reference needs at its peak, one prompt at a time."""
    states = numbers_per_prompt(
        points=2 * config.num_hidden_layers + 1,
        width=config.hidden_size,
        length=TOKENS,
    )
    logits = LOGITS * TOKENS * config.vocab_size
    return BYTES * (COPIES * count_parameters(config) + states + logits)


def numbers_per_prompt(*, points: int, width: int, length: int) -> int:
    """Estimate the numbers alive at once for each prompt under ablations.

    A batch of runs is under way; the clean run keeps points, keys and values; sections
    write something else, which is taken from another run; and the clean run under each
    ablation keeps its last point, and keys and values of later blocks at the first half
    of the positions, where sources are.
    """
    batch = STATES * points * GROUP
    clean = 2 * points
    replaced = 2 * points
    ablated = points + (points // 2) ** 2
    return width * length * (batch + clean + replaced + ablated)


def bytes_available(device: str) -> int:
    """Return how much memory a device has to give at the moment."""
    if device == SEVERAL:
        free = [bytes_available(f"cuda:{k}") for k in range(torch.cuda.device_count())]
        return sum(free) + bytes_available("cpu")
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def check_memory(config: PreTrainedConfig, *, name: str, device: str) -> None:
    """Refuse a model that does not fit before any of it is loaded.

    Raises:
        ModelUnavailableError: The device has too little memory.
    """
    needed, available = bytes_needed(config), bytes_available(device)
    if needed > available:
        raise ModelUnavailableError(
            f"The model '{name}' needs about {needed / GB:.1f} GB of memory (weights "
            f"twice, and activations); '{device}' has {available / GB:.1f} GB free. "
            "Choose another machine, another --device such as cuda, or another task."
        )

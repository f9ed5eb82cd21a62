"""The change of every section's write from the corrupt to the clean run."""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.models.trace import Trace


def write_difference(clean: Trace, corrupt: Trace) -> Float[Tensor, "S P T d"]:
    """Subtract the corrupt run's writes from the clean run's."""
    return torch.stack(clean.writes) - torch.stack(corrupt.writes).detach()

"""What the other prompts write."""

from jaxtyping import Float
from torch import Tensor

from bench.errors import MethodError


def mean_of_others(write: Float[Tensor, "P T d"]) -> Float[Tensor, "P T d"]:
    """Average over the other prompts, position by position.

    Raises:
        MethodError: There is no other prompt.
    """
    _check(write)
    return (write.sum(dim=0, keepdim=True) - write) / (len(write) - 1)


def write_of_another(write: Float[Tensor, "P T d"]) -> Float[Tensor, "P T d"]:
    """Take the write of the prompt before, the last one's for the first.

    Raises:
        MethodError: There is no other prompt.
    """
    _check(write)
    return write.roll(1, dims=0)


def _check(write: Tensor) -> None:
    if len(write) == 1:
        raise MethodError(
            "There is one prompt; replacing a write by that of other prompts needs two."
        )

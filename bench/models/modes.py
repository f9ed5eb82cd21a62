"""What torch does with every model of a process."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Mode:
    """Something that torch is told once, for all that follows."""

    read: Callable[[], object]
    set: Callable[[Any], object]
    usual: object
    """With what everything here is computed."""


def _read_products() -> object:
    """Return the precision of products, by the interface that was used to set it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # by the one of each backend, which the older one refuses
        return tuple(matmul.fp32_precision for matmul in _products())


def _set_products(precision: str | tuple[str, ...]) -> None:
    if isinstance(precision, str):
        torch.set_float32_matmul_precision(precision)
        return
    for matmul, own in zip(_products(), precision, strict=True):
        matmul.fp32_precision = own


def _products() -> tuple[Any, Any]:
    backends: Any = torch.backends
    return backends.cuda.matmul, backends.mkldnn.matmul


MODES = {
    "torch's gradient mode": Mode(torch.is_grad_enabled, torch.set_grad_enabled, True),
    "torch's default type": Mode(
        torch.get_default_dtype, torch.set_default_dtype, torch.float32
    ),
    # in all bits of float32: GPUs may be told to leave out some (TF32)
    "torch's precision of products": Mode(_read_products, _set_products, "highest"),
}


def read_modes() -> dict[str, object]:
    """Return every mode as it is."""
    return {name: mode.read() for name, mode in MODES.items()}


def set_modes(values: dict[str, object]) -> None:
    """Set every mode; values of other names are left alone."""
    for name, mode in MODES.items():
        mode.set(values[name])


@contextmanager
def usual_modes() -> Generator[None, None, None]:
    """Compute as everything here is computed, whatever a user's code told torch."""
    before = read_modes()
    set_modes({name: mode.usual for name, mode in MODES.items()})
    try:
        yield
    finally:
        set_modes(before)

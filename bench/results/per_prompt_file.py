"""Values of single prompts in a file of their own, where they are many.

One safetensors file with one float64 tensor, beside the JSON file that records its size
and digest. As JSON such values would take twice the room and most of the time to check.

Shapes: P prompts, S sections.
"""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float64
from pydantic import Field, ValidationError

from bench.errors import FileFormatError
from bench.results.store import arrays_to_bytes
from bench.tasks.frozen import FrozenModel
from bench.tasks.strict_json import find_problem

LARGEST_HEADER = 1000
"""Bytes; ours have 80."""
_LENGTH = 8
"""Bytes of a number, and of the header's length before it."""

Count = Annotated[int, Field(ge=1, le=10**6)]
Offset = Annotated[int, Field(ge=0)]


class _Tensor(FrozenModel):
    dtype: Literal["F64"]
    shape: tuple[Count, Count]
    data_offsets: tuple[Offset, Offset]


class _Header(FrozenModel):
    per_prompt: _Tensor


def write_per_prompt(values: Float64[np.ndarray, "P S"]) -> bytes:
    """Return the content of the file."""
    return arrays_to_bytes({"per_prompt": values})


def parse_per_prompt(data: bytes, *, file: str) -> Float64[np.ndarray, "P S"]:
    """Read the values back, trusting neither header nor length.

    Args:
        data: Content of the file.
        file: What to call it in messages.

    Raises:
        FileFormatError: It is not exactly what :func:`write_per_prompt` writes, or a
            value is not finite.
    """
    header, body = _parse_header(data, file)
    expected = _LENGTH * header.shape[0] * header.shape[1]
    if header.data_offsets != (0, expected) or len(body) != expected:
        raise FileFormatError(
            f"'{file}' holds {len(body)} bytes of values at {header.data_offsets}; "
            f"expected {expected} for the shape {list(header.shape)}."
        )
    values = np.frombuffer(body, dtype="<f8").reshape(header.shape)
    if not np.isfinite(values).all():
        raise FileFormatError(f"'{file}' holds values that are not finite.")
    return values.astype(np.float64)


def _parse_header(data: bytes, file: str) -> tuple[_Tensor, bytes]:
    length = int.from_bytes(data[:_LENGTH], "little")
    text, body = data[_LENGTH : _LENGTH + length], data[_LENGTH + length :]
    if len(data) < _LENGTH or length > LARGEST_HEADER or len(text) != length:
        raise FileFormatError(
            f"'{file}' is not a safetensors file with a header of at most "
            f"{LARGEST_HEADER} bytes."
        )
    try:
        problem = find_problem(text)
        if problem is None:
            return _Header.model_validate_json(text).per_prompt, body
    except ValidationError:
        problem = None
    raise FileFormatError(
        f"'{file}' does not hold one tensor 'per_prompt' of type F64 with prompts and "
        f"sections as its axes{'' if problem is None else f': {problem}'}"
    )

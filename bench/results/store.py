"""Write files whole or not at all."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bench.errors import FileFormatError, NoRoomError
from bench.tasks.digest import sha256_of_bytes

# a string cannot match: a line break inside one is escaped
_NUMBERS = re.compile(r"\[\n([\d\s.,eE+-]+)\n\s*\]")

PARTIAL = ".partial"
"""Ending of files that are being written."""
DIGITS = 9
"""Significant digits of stored numbers: more than float32 holds, and stable."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part.

    Raises:
        NoRoomError: The file could not be written; an older one is untouched.
    """
    partial: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, suffix=PARTIAL)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)  # noqa: PTH101  (mkstemp makes files private)
        os.replace(partial, path)  # noqa: PTH105
        partial = None
    except OSError as error:
        raise NoRoomError(
            f"'{path}' could not be written: {error.strerror}. Nothing was changed. "
            "Free some space or choose another folder, then run the same command again."
        ) from error
    finally:
        if partial is not None and os.path.exists(partial):  # noqa: PTH110
            os.unlink(partial)  # noqa: PTH108


def to_json(record: BaseModel) -> bytes:
    """Write a record as JSON: stable order, rounded numbers, a number list a line.

    The bytes depend on the record alone.
    """
    # model_dump_json would write NaN as null
    exact = json.dumps(record.model_dump(mode="json"), allow_nan=False)
    document = json.loads(exact, parse_float=_rounded)
    indented = json.dumps(document, indent=2, allow_nan=False)
    return (_NUMBERS.sub(_on_one_line, indented) + "\n").encode()


def _rounded(text: str) -> float:
    return float(f"{float(text):.{DIGITS}g}")


def _on_one_line(numbers: re.Match[str]) -> str:
    return "[" + ", ".join(n.strip() for n in numbers.group(1).split(",")) + "]"


def arrays_to_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write named arrays as safetensors."""
    return save({key: np.asarray(value, order="C") for key, value in arrays.items()})


def parse_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Read named arrays from the bytes of a safetensors file of ours."""
    return load(data)


def read_arrays(path: Path, *, sha256: str | None = None) -> dict[str, np.ndarray]:
    """Read named arrays from safetensors.

    Args:
        path: The file.
        sha256: Its recorded digest, where there is one.

    Raises:
        FileFormatError: The file is missing, altered or not safetensors.
    """
    try:
        data = path.read_bytes()
        if sha256 is not None and sha256_of_bytes(data) != sha256:
            raise FileFormatError(
                f"'{path}' was altered: its SHA-256 differs from the recorded one. "
                "Restore it (git checkout) or compute it again."
            )
        return load(data)
    except OSError as error:
        raise FileFormatError(f"'{path}' cannot be read: {error.strerror}.") from None
    except SafetensorError as error:
        raise FileFormatError(f"'{path}' is not a safetensors file: {error}") from None
    except KeyError as error:  # a number type that numpy does not have
        raise FileFormatError(
            f"'{path}' holds numbers of type {error}, which cannot be read here."
        ) from None

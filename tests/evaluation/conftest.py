"""Methods that behave and methods that do not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.methods.discovery import FoundMethod, find_method

HEADER = """\
import numpy as np
import torch

from bench.api import LayerAttribution, method


@method("trial", kind="{kind}")
def trial(ctx):
"""


@pytest.fixture
def find_trial(tmp_path: Path) -> Callable[..., FoundMethod]:
    """Write a method whose body is given, from line 9 of its file on, and find it."""

    def find(*body: str, kind: str = "write") -> FoundMethod:
        path = tmp_path / "trial.py"
        lines = "".join(f"    {line}\n" for line in body)
        path.write_text(HEADER.format(kind=kind) + lines)
        return find_method(str(path))

    return find

"""What torch was told, by either interface, is set aside and put back."""

import subprocess
import sys

import pytest
import torch

from bench.models.modes import read_modes, set_modes, usual_modes

TOLD = """
import torch
from bench.models.modes import read_modes, usual_modes

{line}
before = read_modes()
backends = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
own = [backend.fp32_precision for backend in backends]
with usual_modes():
    inside = torch.get_float32_matmul_precision()
    bits = [backend.fp32_precision for backend in backends]
assert read_modes() == before
assert {{"tf32", "bf16"}} & set(own)
print(inside, *bits)
"""


@pytest.mark.parametrize(
    "line",
    [
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
        "torch.backends.mkldnn.matmul.fp32_precision = 'bf16'",
    ],
)
@pytest.mark.skipif(
    not hasattr(torch.backends.mkldnn, "matmul"), reason="torch below 2.9 has one way"
)
def test_products_are_whole_however_they_were_told_not_to_be(line: str) -> None:
    """By the newer interface, which does not mix: in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", TOLD.format(line=line)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["highest", "ieee", "ieee"], done.stderr


def test_modes_are_put_back_after_an_error() -> None:
    """And are usual inside, whatever they were."""
    before = read_modes()
    others: dict[str, object] = dict(
        zip(before, (False, torch.float64, "high"), strict=True)
    )
    try:
        set_modes(others)
        with pytest.raises(ZeroDivisionError), usual_modes():
            assert torch.ones(1).dtype is torch.float32
            assert torch.is_grad_enabled()
            assert torch.get_float32_matmul_precision() == "highest"
            _ = 1 / 0
        assert read_modes() == others
    finally:
        set_modes(before)

"""Does torch.compile make the engine's runs faster, on this machine?

    python experiments/0012-compiling/run.py > experiments/0012-compiling/results.txt

Blocks are compiled, since hooks between sections would break a graph of the whole
model; both are timed without hooks, so that the compiled one is shown at its best.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from tabulate import tabulate
from torch import Tensor, nn

from bench.models.subject import SubjectModel
from tests.benchmarks.speed.models import GPT2_SMALL, Shape, random_model

SHAPES = {
    "GPT-2-small, 12 rows of 36 positions": (GPT2_SMALL, 12, 36),
    "width 64, 2 blocks, 64 rows of 36 positions": (
        replace(GPT2_SMALL, blocks=2, width=64, heads=4, vocabulary=500),
        64,
        36,
    ),
}
LENGTHS = range(26, 50)
"""A reference runs suffixes of every length."""
ROUNDS = 7


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of some work."""
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def through(model: SubjectModel, ids: Tensor) -> Callable[[], object]:
    """Return a run of all blocks."""

    def run() -> None:
        with torch.no_grad():
            model.module.base_model(input_ids=ids, use_cache=False)

    return run


def compile_blocks(model: SubjectModel, *, dynamic: bool) -> None:
    """Compile every block in place."""
    for block in model.blocks:
        nn.Module.compile(block, dynamic=dynamic)


def row(name: str, shape: Shape, rows: int, length: int) -> list[str]:
    """Time a shape without compiling, and with it."""
    ids = torch.randint(0, shape.vocabulary, (rows, length))
    plain = seconds(through(random_model(shape), ids))
    cells = [name, f"{1e3 * plain:.1f}"]
    for dynamic in (False, True):
        model = random_model(shape)
        compile_blocks(model, dynamic=dynamic)
        began = time.perf_counter()
        through(model, ids)()
        first = time.perf_counter() - began
        compiled = seconds(through(model, ids))
        began = time.perf_counter()
        for other in LENGTHS:
            through(model, ids[:, :1].expand(rows, other))()
        every = time.perf_counter() - began
        cells += [f"{1e3 * compiled:.1f}", f"{first:.1f}", f"{every:.1f}"]
    return cells


def main() -> None:
    """Print a table of both shapes."""
    torch.set_num_threads(1)
    rows = [row(name, *sizes) for name, sizes in SHAPES.items()]
    headers = ["", "plain, ms"]
    for kind in ("static", "dynamic"):
        headers += [f"{kind}, ms", "first run, s", f"{len(LENGTHS)} lengths, s"]
    print(tabulate(rows, headers, disable_numparse=True))


if __name__ == "__main__":
    main()

"""Does torch.compile make the engine's runs faster, on this machine?

    python experiments/0012-compiling/run.py > experiments/0012-compiling/results.txt

Blocks are compiled, since hooks between sections would break a graph of the whole
model; all are timed without hooks, so that the compiled ones are shown at their best.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torch._dynamo import config as dynamo_config
from torch._inductor import config as inductor_config

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
ROUNDS = 11


@dataclass(frozen=True)
class Form:
    """A way to make a model's blocks."""

    fused: bool
    """Whether the activation is one kernel, as this package loads it."""
    dynamic: bool | None = None
    """Whether blocks are compiled for every length at once, or each anew; or not."""

    def make(self, shape: Shape) -> SubjectModel:
        """Make a model, from nothing that was compiled before."""
        model = random_model(shape, prepared=self.fused)
        if self.dynamic is not None:
            for block in model.blocks:
                nn.Module.compile(block, dynamic=self.dynamic)
        return model


FORMS = {
    "as transformers makes it": Form(fused=False),
    "activation in one kernel": Form(fused=True),
    "compiled, any length": Form(fused=False, dynamic=True),
    "the same, activation in one kernel": Form(fused=True, dynamic=True),
    "compiled for each length": Form(fused=False, dynamic=False),
}


def through(model: SubjectModel, ids: Tensor) -> Tensor:
    """Run all blocks."""
    with torch.no_grad():
        output = model.module.base_model(input_ids=ids, use_cache=False)
    return output.last_hidden_state


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def of_every_length(model: SubjectModel, ids: Tensor) -> Callable[[], None]:
    """Return one run of each length."""

    def work() -> None:
        for length in LENGTHS:
            through(model, ids[:, :1].repeat(1, length))

    return work


def row(name: str, plain: SubjectModel, shape: Shape, ids: Tensor) -> list[str]:
    """Time a form, and the plain model in turn with it."""
    torch.compiler.reset()
    model = FORMS[name].make(shape)
    lengths = seconds(of_every_length(model, ids))
    expected, found = through(plain, ids), through(model, ids)
    times = [
        [seconds(lambda each=each: through(each, ids)) for each in (plain, model)]
        for _ in range(ROUNDS)
    ]
    before, after = (statistics.median(column) for column in zip(*times, strict=True))
    difference = float((found - expected).abs().max() / expected.abs().max())
    return [
        name,
        f"{1e3 * after:.1f}",
        f"{after / before:.2f}",
        f"{lengths:.1f}",
        f"{difference:.0e}",
    ]


def table(shape: Shape, count: int, length: int) -> str:
    """Compare all forms at a shape."""
    ids = torch.randint(0, shape.vocabulary, (count, length))
    plain = random_model(shape, prepared=False)
    headers = ["", "one run, ms", "of plain", "first of all lengths, s", "differs by"]
    rows = [row(name, plain, shape, ids) for name in FORMS]
    return tabulate(rows, headers, disable_numparse=True)


def main() -> None:
    """Print a table of each shape."""
    torch.set_num_threads(1)
    # Past its limit of 8 forms torch would run a block uncompiled, and say nothing.
    dynamo_config.recompile_limit = len(LENGTHS) + 1
    dynamo_config.fail_on_recompile_limit_hit = True
    inductor_config.force_disable_caches = True
    for name, sizes in SHAPES.items():
        print(f"\n{name}; CPU time, one thread\n")
        print(table(*sizes))


if __name__ == "__main__":
    main()

"""Models and prompts that are timed: shapes of known models, random weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from transformers import GPT2Config

from bench.models.activations import fuse_activations
from bench.models.architectures.registry import find_architecture
from bench.models.loading import initialised
from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench, lay_out
from bench.perturbation.readout import Readouts
from bench.tasks.drawing import RepeatedRandom, draw_prompts


@dataclass(frozen=True)
class Shape:
    """A model's and its prompts' sizes; the defaults are GPT-2-small's."""

    blocks: int = 12
    width: int = 768
    heads: int = 12
    vocabulary: int = 50257
    period: int = 24
    prompts: int = 8


GPT2_SMALL = Shape()
TINY = Shape(blocks=2, width=16, heads=2, vocabulary=64, period=8, prompts=2)
"""For tests of equality."""


def random_model(shape: Shape, *, prepared: bool = True) -> SubjectModel:
    """Make a GPT-2 of a shape; speed does not depend on what weights are.

    Args:
        shape: Its sizes.
        prepared: Whether it is as this package loads it, or as transformers makes it
            and other engines get it.
    """
    config = GPT2Config(
        n_layer=shape.blocks,
        n_embd=shape.width,
        n_head=shape.heads,
        vocab_size=shape.vocabulary,
        n_positions=2 * shape.period + 8,
        bos_token_id=0,
        eos_token_id=0,
    )
    module = initialised(config, seed=0)
    if prepared:
        fuse_activations(module)
    return SubjectModel(module, find_architecture("gpt2"))


def random_bench(shape: Shape, model: SubjectModel) -> Bench:
    """Lay out repeated random prompts on a model."""
    recipe = RepeatedRandom(
        kind="repeated-random",
        seed=0,
        period=shape.period,
        bos=0,
        first_token=1,
        last_token=shape.vocabulary - 1,
        discovery=2,
        reference=max(17, shape.prompts),
    )
    drawn = [p for p in draw_prompts(recipe) if p.split == "reference"]
    return lay_out(model, drawn[: shape.prompts], seed=0)


def with_sources(bench: Bench, chosen: Sequence[int]) -> Bench:
    """Perturb some of the sources alone."""
    sources = list(chosen)
    repeated, control = (
        replace(
            probing,
            positions=probing.positions[:, sources],
            tangents=probing.tangents[:, sources],
        )
        for probing in (bench.repeated, bench.control)
    )
    readouts = Readouts(bench.readouts.weights[:, :, sources])
    return replace(bench, repeated=repeated, control=control, readouts=readouts)

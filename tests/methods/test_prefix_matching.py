from dataclasses import replace

import numpy as np

from bench.methods.attention.prefix_matching import prefix_matching_score
from bench.methods.context import TaskContext


def test_equals_loops_over_attentions(tiny_context: TaskContext) -> None:
    """The best head's attention from copy sites to sources, one head a block."""
    ctx = tiny_context
    attentions = ctx.model(ctx.prompts.clean, output_attentions=True).attentions
    found = prefix_matching_score(ctx)
    assert found.per_prompt is not None

    for block, pattern in enumerate(attentions):
        reads = np.zeros((3, 2))
        for p in range(3):
            pairs = list(zip(ctx.prompts.sites[p], ctx.prompts.sources[p], strict=True))
            for head in range(2):
                read = [float(pattern[p, head, site, source]) for site, source in pairs]
                reads[p, head] = sum(read) / len(read)
        best = int(np.argmax(reads.mean(axis=0)))
        assert reads[:, best].min() > 0.01
        np.testing.assert_allclose(
            found.per_prompt[:, 2 * block], reads[:, best], rtol=1e-4
        )
        assert not found.per_prompt[:, 2 * block + 1].any()


def test_is_a_share_of_attention(tiny_context: TaskContext) -> None:
    """A score lies between 0 and 1; MLP sections have none."""
    values = prefix_matching_score(tiny_context).values

    assert (values >= 0).all()
    assert (values <= 1).all()
    assert values[1::2].tolist() == [0, 0]


def test_uniform_attention(linear_context: TaskContext) -> None:
    """Uniform attention from site i gives 1 / (i + 1) to every source."""
    found = prefix_matching_score(linear_context).values
    expected = sum(1 / (site + 1) for site in range(9, 16)) / 7

    np.testing.assert_allclose(found, [expected, 0, expected, 0], rtol=1e-5)


def test_swapping_sources_and_sites_matters(tiny_context: TaskContext) -> None:
    """Attention is causal: read the other way round there is none."""
    prompts = tiny_context.prompts
    turned = replace(prompts, sources=prompts.sites, sites=prompts.sources)

    found = prefix_matching_score(replace(tiny_context, prompts=turned))

    assert found.values.tolist() == [0, 0, 0, 0]

"""Methods by gradients, with those that the backward hooks of TransformerLens see.

A write's gradient is that of ``hook_attn_out`` or ``hook_mlp_out``. What a section
reads is at ``ln1.hook_in`` or ``ln2.hook_in``: the bridge puts these points inside the
norm, so that a gradient there has come through this reader alone.
"""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from bench.methods.gradients import attribution_patching, eap
from bench.methods.gradients.gradient import gradient_x_activation
from bench.methods.gradients.hisp import hisp
from tests.oracles.lens_models import (
    ARCHITECTURES,
    BLOCKS,
    SECTIONS,
    Lens,
    Run,
    check,
    check_apart,
    columns,
    make_lens,
    read_point,
    write_point,
)

WRITES = [write_point(section) for section in SECTIONS]
READS = [read_point(reader) for reader in range(len(SECTIONS) + 1)]

lens = pytest.fixture(scope="module", params=ARCHITECTURES)(make_lens)


def first_order(lens: Lens, at: Run, *, offset: int = 0) -> np.ndarray:
    """Multiply changes of writes by gradients, those of another section if asked."""
    gradients = at.gradients(WRITES)
    scores: list[torch.Tensor] = []
    for section in SECTIONS:
        change = lens.clean.writes[section] - lens.corrupt.writes[section]
        slope = gradients[(section + offset) % len(SECTIONS)]
        scores.append((change * slope).sum(dim=(1, 2)))
    return columns(scores)


def edges(lens: Lens, readers: Sequence[str] = READS) -> np.ndarray:
    """Score every edge on every prompt; [P, writers, readers].

    Writers are the embeddings, then the sections; readers the sections, then the final
    norm.
    """
    clean, corrupt = lens.clean, lens.corrupt
    gradients = corrupt.gradients(readers)
    changes = [clean.embeddings - corrupt.embeddings]
    changes += [w - v for w, v in zip(clean.writes, corrupt.writes, strict=True)]
    scores = np.zeros((len(lens.prompts), len(changes), len(readers)))
    for writer, change in enumerate(changes):
        for reader in range(writer, len(readers)):
            product = (change * gradients[reader]).sum(dim=(1, 2))
            scores[:, writer, reader] = product.numpy()
    return scores


def absolute(scores: np.ndarray) -> np.ndarray:
    """Turn every edge's scores so that their mean over prompts is positive."""
    return np.where(scores.mean(axis=0) < 0, -scores, scores)


def test_attribution_patching(lens: Lens) -> None:
    """Attribution patching is change times gradient at the corrupt run."""
    check(
        lens.found(attribution_patching.attribution_patching),
        first_order(lens, lens.corrupt),
    )


def test_attribution_patching_noising(lens: Lens) -> None:
    """Its noising direction is change times gradient at the clean run."""
    check(lens.found(attribution_patching.noising), first_order(lens, lens.clean))


def test_eap_layer_in(lens: Lens) -> None:
    """A section's score is the sum over the edges into it.

    Reader gradients are taken at ``ln1.hook_in``, ``ln2.hook_in`` and
    ``ln_final.hook_in``.
    """
    check(lens.found(eap.layer_in), edges(lens).sum(axis=1)[:, :-1])


def test_eap_layer_in_absolute(lens: Lens) -> None:
    """A section's score is the sum of the absolute scores of the edges into it."""
    expected = absolute(edges(lens)).sum(axis=1)[:, :-1]
    assert expected.mean(axis=0).min() > 0

    check(lens.found(eap.layer_in_absolute), expected)


def test_eap_layer_out_absolute(lens: Lens) -> None:
    """A section's score is the sum of the absolute scores of the edges out of it."""
    expected = absolute(edges(lens)).sum(axis=2)[:, 1:]
    assert expected.mean(axis=0).min() > 0

    check(lens.found(eap.layer_out_absolute), expected)


def test_gradient_x_activation(lens: Lens) -> None:
    """The score is the cached state times its gradient at the copy sites.

    The state between attention and MLP acts through the MLP's norm, where the bridge
    has a hook point of it, and through the block's output, to which it is added. The
    last state gives 0: the final norm undoes its scaling.
    """
    after = [f"blocks.{block}.hook_resid_post" for block in range(BLOCKS)]
    reads = [read_point(2 * block + 1) for block in range(BLOCKS)]
    slopes = lens.clean.gradients([*after, *reads])
    scores: list[torch.Tensor] = []
    for block in range(BLOCKS):
        post, read = slopes[block], slopes[BLOCKS + block]
        for section, slope in ((2 * block, read + post), (2 * block + 1, post)):
            products = (lens.clean.states[section] * slope).sum(dim=2)
            scores.append(products.gather(1, lens.prompts.sites).sum(dim=1))

    found = lens.found(gradient_x_activation)

    check(found[:, :-1], columns(scores[:-1]))
    assert np.abs(found[:, -1]).max() < 1e-5


def test_hisp(lens: Lens) -> None:
    """The score sums each head's absolute output times gradient, at ``hook_z``."""
    points = [f"blocks.{block}.attn.hook_z" for block in range(BLOCKS)]
    scores: list[torch.Tensor] = []
    for point, slope in zip(points, lens.clean.gradients(points), strict=True):
        heads = lens.clean.cache[point]
        assert heads.dim() == 4  # prompts, positions, heads, width
        by_head = (heads * slope).sum(dim=(1, 3))
        scores.append(by_head.abs().sum(dim=1))
    found = lens.found(hisp)

    check(found[:, ::2], columns(scores))
    assert not found[:, 1::2].any()


def test_neighbouring_gradient_is_noticed(lens: Lens) -> None:
    """Gradients of the section after are another answer."""
    moved = first_order(lens, lens.corrupt, offset=1)

    check_apart(lens.found(attribution_patching.attribution_patching), moved)


@pytest.mark.parametrize("sign", [1, -1])
def test_swapped_runs_are_noticed(lens: Lens, sign: int) -> None:
    """Gradients at the clean run are another answer, whichever way the change goes."""
    swapped = sign * first_order(lens, lens.clean)

    check_apart(lens.found(attribution_patching.attribution_patching), swapped)


def test_whole_gradient_is_noticed(lens: Lens) -> None:
    """For an edge, the gradient through all later readers is another answer."""
    whole = edges(lens, [*WRITES, read_point(len(SECTIONS))])

    check_apart(lens.found(eap.layer_in), whole.sum(axis=1)[:, :-1])

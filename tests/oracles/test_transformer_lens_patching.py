"""Patching and ablation, by the forward hooks of TransformerLens."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.ablation.mean import mean_ablation
from bench.methods.ablation.resample import resample_ablation
from bench.methods.ablation.zero import zero_ablation
from bench.methods.patching import activation_patching, write_patching
from tests.oracles.lens_models import (
    ARCHITECTURES,
    SECTIONS,
    Lens,
    Run,
    check,
    check_apart,
    columns,
    make_lens,
    put,
    put_at,
    put_embeddings,
    replace_write,
    state_point,
)

lens = pytest.fixture(scope="module", params=ARCHITECTURES)(make_lens)


def patched(lens: Lens, into: Run, values: list[Tensor], where: Tensor) -> np.ndarray:
    """Measure the behaviour with the state after each section replaced at positions."""
    return columns([lens.edited(into.ids, put(s, values[s], where)) for s in SECTIONS])


def written(lens: Lens, into: Run, values: list[Tensor]) -> np.ndarray:
    """Measure the behaviour with each section's write replaced everywhere."""
    return columns(
        [lens.edited(into.ids, replace_write(s, values[s])) for s in SECTIONS]
    )


def noised(lens: Lens) -> np.ndarray:
    """Measure what corrupt states at the copy sites destroy."""
    values = patched(lens, lens.clean, lens.corrupt.states, lens.prompts.sites)
    return (lens.clean.behaviour - values) / lens.gap


def test_bridge_is_the_model(lens: Lens) -> None:
    """The bridge's logits are those that transformers computes."""
    logits = lens.bridge(lens.prompts.clean)
    expected = lens.ctx.model(lens.prompts.clean).logits

    assert float(expected.abs().max()) > 0.5
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


def test_denoising(lens: Lens) -> None:
    """Clean states at the copy sites restore what TransformerLens says they do."""
    values = patched(lens, lens.corrupt, lens.clean.states, lens.prompts.sites)
    expected = (values - lens.corrupt.behaviour) / lens.gap

    check(lens.found(activation_patching.denoising), expected)


def test_noising(lens: Lens) -> None:
    """Corrupt states at the copy sites destroy what TransformerLens says they do."""
    check(lens.found(activation_patching.noising), noised(lens))


def test_sources_denoising(lens: Lens) -> None:
    """What no longer hangs on clean states at sources is the same by its hooks."""
    where = lens.prompts.sources
    start = put_embeddings(lens.clean.embeddings, where)
    at_embeddings = columns([lens.edited(lens.corrupt.ids, start)])
    values = patched(lens, lens.corrupt, lens.clean.states, where)

    check(
        lens.found(activation_patching.sources_denoising),
        (at_embeddings - values) / lens.gap,
    )


def test_sources_noising(lens: Lens) -> None:
    """What no longer hangs on corrupt states at sources is the same by its hooks."""
    where = lens.prompts.sources
    start = put_embeddings(lens.corrupt.embeddings, where)
    at_embeddings = columns([lens.edited(lens.clean.ids, start)])
    values = patched(lens, lens.clean, lens.corrupt.states, where)

    check(
        lens.found(activation_patching.sources_noising),
        (values - at_embeddings) / lens.gap,
    )


def test_write_denoising(lens: Lens) -> None:
    """One clean write in the corrupt run restores what TransformerLens says it does."""
    values = written(lens, lens.corrupt, lens.clean.writes)

    check(
        lens.found(write_patching.denoising),
        (values - lens.corrupt.behaviour) / lens.gap,
    )


def test_write_noising(lens: Lens) -> None:
    """One corrupt write in the clean run destroys what TransformerLens says it does."""
    values = written(lens, lens.clean, lens.corrupt.writes)

    check(
        lens.found(write_patching.noising), (lens.clean.behaviour - values) / lens.gap
    )


def test_zero_ablation(lens: Lens) -> None:
    """Without a write the behaviour drops as much as under a hook that zeroes it."""
    zeros = [torch.zeros_like(write) for write in lens.clean.writes]
    values = written(lens, lens.clean, zeros)

    check(lens.found(zero_ablation), lens.clean.behaviour - values)


def test_mean_ablation(lens: Lens) -> None:
    """The mean is that of the other prompts' cached writes, position by position."""
    means: list[Tensor] = []
    for write in lens.clean.writes:
        others = [
            torch.stack([write[j] for j in range(len(write)) if j != i]).mean(dim=0)
            for i in range(len(write))
        ]
        means.append(torch.stack(others))
    values = written(lens, lens.clean, means)

    check(lens.found(mean_ablation), lens.clean.behaviour - values)


def test_resample_ablation(lens: Lens) -> None:
    """Each prompt is given the cached write of the one before it, round the batch."""
    others = [
        torch.stack([write[i - 1] for i in range(len(write))])
        for write in lens.clean.writes
    ]
    values = written(lens, lens.clean, others)

    check(lens.found(resample_ablation), lens.clean.behaviour - values)


def test_neighbouring_state_is_noticed(lens: Lens) -> None:
    """Clean states of the section after, put after this one, are another answer."""
    later = [*lens.clean.states[1:], lens.clean.embeddings]
    values = patched(lens, lens.corrupt, later, lens.prompts.sites)
    moved = (values - lens.corrupt.behaviour) / lens.gap

    check_apart(lens.found(activation_patching.denoising), moved)


def test_swapped_runs_are_noticed(lens: Lens) -> None:
    """Noising is no answer to denoising.

    But for the last block: once its attention is done, nothing moves between positions,
    and both directions have the whole effect.
    """
    found, swapped = lens.found(activation_patching.denoising), noised(lens)

    check_apart(found[:, :-2], swapped[:, :-2])


def test_swapped_writes_are_noticed(lens: Lens) -> None:
    """Noising writes is no answer to denoising them."""
    values = written(lens, lens.clean, lens.corrupt.writes)
    swapped = (lens.clean.behaviour - values) / lens.gap

    check_apart(lens.found(write_patching.denoising), swapped)


def test_patching_what_the_norm_reads_is_noticed(lens: Lens) -> None:
    """A state between attention and MLP that only the MLP sees is another answer."""
    attention = SECTIONS[::2]
    values = [
        lens.edited(
            lens.corrupt.ids,
            [
                (
                    state_point(section),
                    partial(put_at, lens.clean.states[section], lens.prompts.sites),
                )
            ],
        )
        for section in attention
    ]
    read_alone = (columns(values) - lens.corrupt.behaviour) / lens.gap

    check_apart(lens.found(activation_patching.denoising)[:, ::2], read_alone)

"""Runs that begin at the first changed place equal whole runs, everywhere."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.models.architectures.registry import KNOWN
from bench.models.counting import count_operations
from bench.models.edits import (
    Edit,
    patch_state,
    patch_write,
    replace_state,
    replace_write,
)
from bench.models.rerun import rerun
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.models.trace import Trace, join_traces
from tests.contracts.random_models import random_subject

SECTIONS = range(6)
ROWS, LENGTH, WIDTH = 3, 11, 16


@pytest.fixture(scope="module", params=sorted(KNOWN))
def subject(request: pytest.FixtureRequest) -> SubjectModel:
    """A random model of three blocks."""
    return random_subject(request.param)


@pytest.fixture(scope="module")
def ids() -> Tensor:
    """Three rows of eleven tokens."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 40, (ROWS, LENGTH), generator=generator)


@pytest.fixture(scope="module")
def value() -> Tensor:
    """Something else to write."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(ROWS, LENGTH, WIDTH, generator=generator)


def mask_from(first: int) -> Tensor:
    """Positions that differ between the rows, the first row's first at ``first``."""
    mask = torch.zeros(ROWS, LENGTH, 1)
    for row in range(ROWS):
        mask[row, min(first + row, LENGTH - 1) :: 2] = 1.0
    return mask


def check(
    subject: SubjectModel, ids: Tensor, edits: dict[int, Edit], base: Trace
) -> None:
    """Compare with a whole run of transformers' own logits."""
    expected = run(subject, ids, embeddings=base.embeddings, edits=edits).logits
    found = subject.unembed(rerun(subject, ids, edits, base=base))
    assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not found.allclose(base.logits, atol=1e-2)


@pytest.mark.parametrize("keep_past", [True, False])
@pytest.mark.parametrize("section", SECTIONS)
def test_every_edit_of_every_section(
    subject: SubjectModel, ids: Tensor, value: Tensor, section: int, keep_past: bool
) -> None:
    """Edits of all positions and of some, with and without what a base run kept."""
    base = run(subject, ids, keep_past=keep_past)
    assert bool(base.past.blocks) == keep_past

    for edit in (
        replace_write(value),
        replace_state(value),
        replace_write(value[:1, :1]),
        patch_write(value, mask_from(0)),
        patch_write(value, mask_from(6)),
        patch_state(value, mask_from(3)),
        patch_state(value[:1], mask_from(10)),
        lambda write, residual: 2 * write - residual,
    ):
        check(subject, ids, {section: edit}, base)


def mixed(write: Tensor, _residual: Tensor) -> Tensor:
    """Let every position read all others."""
    return write + write.mean(dim=1, keepdim=True)


@pytest.mark.parametrize("keep_past", [True, False])
@pytest.mark.parametrize("section", SECTIONS)
def test_positions_that_nobody_reads(
    subject: SubjectModel, ids: Tensor, value: Tensor, section: int, keep_past: bool
) -> None:
    """From a position on nothing is left out, wherever edits begin."""
    base = run(subject, ids, keep_past=keep_past)
    for edit in (replace_write(value), patch_state(value, mask_from(3)), mixed):
        for edits in ({section: edit}, {section: edit, 5: mixed}):
            every = rerun(subject, ids, edits, base=base)
            for first in (2, 7, 10):
                found = rerun(subject, ids, edits, base=base, sites_from=first)
                assert found.shape == every.shape
                assert_close(found[:, first:], every[:, first:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.float32])
def test_masks_of_other_numbers(
    subject: SubjectModel, ids: Tensor, value: Tensor, kind: torch.dtype
) -> None:
    """Whatever is not 0 is in a mask, from its first position on."""
    mask = mask_from(6)
    mask[:, 4] = 0.5 if kind is torch.float32 else 1.0
    edit = patch_state(value, mask.to(kind))

    assert edit.first == 4
    check(subject, ids, {1: edit}, run(subject, ids, keep_past=True))


def test_several_edits(subject: SubjectModel, ids: Tensor, value: Tensor) -> None:
    """The first in depth and the first in position need not be the same edit."""
    base = run(subject, ids, keep_past=True)
    late, early = patch_state(value, mask_from(8)), patch_write(-value, mask_from(4))

    check(subject, ids, {1: late, 4: early}, base)
    check(subject, ids, {5: late, 2: early, 3: late}, base)
    check(subject, ids, {0: late, 1: early}, base)
    check(subject, ids, {2: late, 3: replace_write(value)}, base)


def test_from_other_embeddings(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """What a base run began with is kept, its keys and values too."""
    base = run(subject, ids, embeddings=value, keep_past=True)

    check(subject, ids, {2: patch_state(2 * value.flip(0), mask_from(5))}, base)


def test_bases_of_some_rows_and_joined(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """A base trace can be taken apart and put together."""
    base = run(subject, ids, keep_past=True)
    joined = join_traces([base.rows(slice(0, 2)), base.rows(slice(2, 3))])

    check(subject, ids, {1: patch_state(value, mask_from(5))}, joined)


def test_a_base_that_went_on_from_another(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """Blocks that did not run have the keys and values of the run before."""
    first = run(subject, ids, keep_past=True)
    edits: dict[int, Edit] = {3: replace_write(value)}
    base = run(subject, ids, edits=edits, base=first, keep_past=True)
    later: dict[int, Edit] = {5: patch_write(-value, mask_from(4))}

    expected = run(subject, ids, edits=edits | later).logits
    found = subject.unembed(rerun(subject, ids, later, base=base))
    assert len(base.past.blocks) == len(subject.blocks)
    assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_base_of_an_unknown_past_keeps_none(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """Keys and values of some blocks alone would be taken for those of others."""
    first = run(subject, ids)
    base = run(
        subject, ids, edits={3: replace_write(value)}, base=first, keep_past=True
    )

    assert not base.past.blocks


def test_the_base_stays_as_it_is(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """Runs go on from a base's keys and values without adding to them."""
    base = run(subject, ids, keep_past=True)
    edits: dict[int, Edit] = {2: patch_state(value, mask_from(5))}

    once, again = (rerun(subject, ids, edits, base=base) for _ in range(2))

    assert once.equal(again)
    assert all(key.shape[2] == LENGTH for key, _ in base.past.blocks)


def test_gradients_are_those_of_a_whole_run(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """A rerun can be differentiated with respect to what an edit holds."""
    base = run(subject, ids, keep_past=True)
    start = value.clone().requires_grad_()
    whole = run(subject, ids, edits={1: replace_state(start)}).normed
    short = rerun(subject, ids, {1: replace_state(start)}, base=base)

    expected, found = (
        torch.autograd.grad(normed.pow(3).sum(), start)[0] for normed in (whole, short)
    )
    assert expected.abs().max() > 0.1
    assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_wrong_edits_are_refused(subject: SubjectModel, ids: Tensor) -> None:
    """A section that is not there, and a write of another shape, are said."""
    base = run(subject, ids)

    with pytest.raises(ValueError, match=r"edits name sections \[6\].* 0 to 5"):
        rerun(subject, ids, {6: lambda write, _residual: write}, base=base)
    with pytest.raises(ValueError, match=r"section 2 returned \[3, 11\]"):
        rerun(subject, ids, {2: lambda write, _residual: write[..., 0]}, base=base)


def test_what_cannot_change_is_not_computed(value: Tensor, ids: Tensor) -> None:
    """Half the positions of the last of three blocks: a sixth of the operations."""
    subject = random_subject("llama")
    base = run(subject, ids, keep_past=True)
    whole = count_operations(lambda: run(subject, ids))

    def share(section: int, first: int, sites_from: int = 0) -> float:
        edits: dict[int, Edit] = {section: patch_state(value, mask_from(first))}

        def work() -> Tensor:
            return rerun(subject, ids, edits, base=base, sites_from=sites_from)

        return count_operations(work) / whole

    assert share(5, 0) == 0
    assert share(4, 0) == pytest.approx(1 / 3, rel=1e-6)
    assert share(3, 0) == pytest.approx(1 / 3, rel=1e-6)
    assert share(0, 0) == pytest.approx(1, rel=1e-6)
    assert share(0, 6) == pytest.approx(5 / 11, rel=0.05)
    assert share(4, 6) == pytest.approx(5 / 11 / 3, rel=0.05)
    # of a position: four maps of attention, three of the MLP, scores and values
    mlp, block = 3 * 16 * 32, 4 * 16 * 16 + 3 * 16 * 32 + 2 * 16 * LENGTH
    left = 1 - 7 / LENGTH * mlp / block
    assert share(4, 0, sites_from=7) == pytest.approx(left / 3, rel=1e-6)
    assert share(5, 0, sites_from=7) == 0


@pytest.mark.parametrize("at_once", [None, 2])
def test_centred_logits_need_no_other_logit(
    subject: SubjectModel, ids: Tensor, at_once: int | None
) -> None:
    """They are a token's logit minus the mean over the vocabulary."""
    normed = run(subject, ids[:at_once]).normed
    tokens = (3 * ids[:at_once] + 1) % 40
    logits = subject.module(ids[:at_once]).logits

    own = logits.gather(2, tokens[..., None])[..., 0]
    found = subject.centred_logits(normed, tokens)
    assert_close(found, own - logits.mean(dim=2), rtol=1e-4, atol=1e-4)
    assert own.std() > 0.1


def test_centred_logits_of_models_with_a_bias(ids: Tensor) -> None:
    """A bias of the unembedding counts, though no architecture here has one."""
    subject = random_subject("llama")
    bias = torch.nn.Parameter(torch.arange(40.0), requires_grad=False)
    subject.module.lm_head.bias = bias
    logits = subject.module(ids).logits

    found = subject.centred_logits(run(subject, ids).normed, ids)
    expected = logits.gather(2, ids[..., None])[..., 0] - logits.mean(dim=2)
    assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_centred_logits_follow_the_weights(ids: Tensor) -> None:
    """Weights that are written to behind torch's back have another mean row."""
    subject = random_subject("llama")
    normed = run(subject, ids).normed
    before = subject.centred_logits(normed, ids)
    subject.unembedding.data[:20] += 1.0
    logits = subject.unembed(normed)
    changed = logits.gather(2, ids[..., None])[..., 0] - logits.mean(dim=2)

    assert_close(subject.centred_logits(normed, ids), changed, rtol=1e-4, atol=1e-4)
    assert not changed.allclose(before, atol=0.1)
    subject.unembedding.data[:20] -= 1.0
    assert_close(subject.centred_logits(normed, ids), before, rtol=1e-4, atol=1e-4)

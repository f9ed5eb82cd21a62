import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bench.models.behaviour import (
    PromptBatch,
    centred_logit,
    half_losses,
    to_batch,
)
from bench.tasks.prompts import Prompt


@pytest.fixture
def logits() -> torch.Tensor:
    """Random logits for the three prompts."""
    return 3 * torch.randn(3, 17, 40, generator=torch.Generator().manual_seed(0))


def test_batch_holds_the_prompts(
    tiny_batch: PromptBatch, few_prompts: tuple[Prompt, ...]
) -> None:
    """Ids, sources and sites are those of the prompts, in order."""
    assert len(tiny_batch) == 3
    for row, prompt in enumerate(few_prompts):
        assert tuple(tiny_batch.clean[row].tolist()) == prompt.input_ids
        assert tuple(tiny_batch.corrupt[row].tolist()) == prompt.corrupt_ids
        assert tuple(tiny_batch.control[row].tolist()) == prompt.control_ids
        assert tiny_batch.sources[row].tolist() == list(range(2, 9))
        assert tiny_batch.sites[row].tolist() == list(range(9, 16))


def test_targets_are_the_sources_tokens(
    tiny_batch: PromptBatch, few_prompts: tuple[Prompt, ...]
) -> None:
    """What a copy site must predict is the source's token, which follows next."""
    for row, prompt in enumerate(few_prompts):
        expected = [prompt.input_ids[probe.source] for probe in prompt.probes]
        following = [prompt.input_ids[probe.site + 1] for probe in prompt.probes]
        assert tiny_batch.targets[row].tolist() == expected == following


def test_site_mask_marks_the_sites(tiny_batch: PromptBatch) -> None:
    """The mask is 1 at the seven copy sites and 0 elsewhere."""
    assert tiny_batch.site_mask.shape == (3, 17, 1)
    for row in range(3):
        marked = tiny_batch.site_mask[row, :, 0].nonzero().flatten().tolist()
        assert marked == list(range(9, 16))
    assert tiny_batch.site_mask.sum() == 21


def test_first_prompts_of_a_batch(
    tiny_batch: PromptBatch, few_prompts: tuple[Prompt, ...]
) -> None:
    """The first prompts of a batch are the batch of the first prompts."""
    few, expected = tiny_batch.first(2), to_batch(few_prompts[:2], device="cpu")

    for field in ("clean", "corrupt", "control", "sources", "sites"):
        assert getattr(few, field).equal(getattr(expected, field))


def test_centred_logit_by_loop(
    tiny_batch: PromptBatch, few_prompts: tuple[Prompt, ...], logits: torch.Tensor
) -> None:
    """The behaviour equals a loop over prompts and probes in float64."""
    values = logits.double().numpy()
    expected = [
        np.mean(
            [
                values[row, b.site, prompt.input_ids[b.source]]
                - values[row, b.site].mean()
                for b in prompt.probes
            ]
        )
        for row, prompt in enumerate(few_prompts)
    ]

    np.testing.assert_allclose(centred_logit(logits, tiny_batch), expected, rtol=1e-5)


def test_centred_logit_ignores_an_offset(
    tiny_batch: PromptBatch, logits: torch.Tensor
) -> None:
    """Adding a number to all logits of a position changes nothing."""
    offset = torch.randn(3, 17, 1, generator=torch.Generator().manual_seed(1))

    assert_close(
        centred_logit(logits + offset, tiny_batch),
        centred_logit(logits, tiny_batch),
        rtol=1e-4,
        atol=1e-5,
    )


def test_centred_logit_is_differentiable(
    tiny_batch: PromptBatch, logits: torch.Tensor
) -> None:
    """Its gradient is (indicator of the target - 1 / vocabulary) / number of sites."""
    logits.requires_grad_()
    centred_logit(logits, tiny_batch).sum().backward()

    expected = torch.zeros(3, 17, 40)
    for row in range(3):
        for site, target in zip(
            tiny_batch.sites[row], tiny_batch.targets[row], strict=True
        ):
            expected[row, site] = -1 / 40 / 7
            expected[row, site, target] += 1 / 7
    assert_close(logits.grad, expected)


def test_half_losses_by_loop(
    tiny_batch: PromptBatch, few_prompts: tuple[Prompt, ...], logits: torch.Tensor
) -> None:
    """Losses at the first and second occurrence equal loops in float64."""
    values = logits.double().numpy()
    log_p = values - np.log(np.exp(values).sum(axis=-1, keepdims=True))
    first, second = half_losses(logits, tiny_batch)

    for row, prompt in enumerate(few_prompts):
        tokens = [(b, prompt.input_ids[b.source]) for b in prompt.probes]
        before = [-log_p[row, b.source - 1, token] for b, token in tokens]
        after = [-log_p[row, b.site, token] for b, token in tokens]
        assert float(first[row]) == pytest.approx(np.mean(before), rel=1e-5)
        assert float(second[row]) == pytest.approx(np.mean(after), rel=1e-5)
    assert not first.allclose(second, atol=0.1)


def test_half_losses_of_uniform_logits(tiny_batch: PromptBatch) -> None:
    """A model that knows nothing loses the logarithm of its vocabulary."""
    for losses in half_losses(torch.zeros(3, 17, 40), tiny_batch):
        assert_close(losses, torch.full((3,), np.log(40)), rtol=1e-5, atol=0)

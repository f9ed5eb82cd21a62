"""What every architecture must hold; a new one is checked as soon as it is listed."""

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from bench.errors import UserError
from bench.models.architectures.registry import KNOWN, find_architecture
from bench.models.edits import patch_state, patch_write, replace_write
from bench.models.linear_response import linear_response
from bench.models.loading import untrained_like
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.models.weights import load_folder
from tests.contracts.random_models import random_subject

assert_close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-4)

SECTIONS = range(6)


@pytest.fixture(scope="module", params=sorted(KNOWN))
def subject(request: pytest.FixtureRequest) -> SubjectModel:
    """A random model of three blocks whose every parameter matters."""
    return random_subject(request.param)


@pytest.fixture(scope="module")
def ids() -> Tensor:
    """Two rows of eleven tokens."""
    return torch.randint(0, 40, (2, 11), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def value() -> Tensor:
    """Something else to write."""
    return torch.randn(2, 11, 16, generator=torch.Generator().manual_seed(1))


def plain_inputs(model: SubjectModel, module: nn.Module, ids: Tensor) -> Tensor:
    """Return what enters a module in a plain forward pass."""
    seen: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    model.module(ids)
    handle.remove()
    return seen[0]


def n_hooks(model: SubjectModel) -> int:
    """Count the hooks on all modules."""
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks)
        for m in model.module.modules()
    )


def test_small_model_is_not_trivial(subject: SubjectModel, ids: Tensor) -> None:
    """Every write is large and every head's attention is far from uniform."""
    trace = run(subject, ids)
    patterns = subject.module(ids, output_attentions=True).attentions

    assert all(write.norm(dim=-1).min() > 0.05 for write in trace.writes)
    assert all(pattern[:, :, -1].amax() > 2 / 11 for pattern in patterns)


def test_sections_are_two_a_block(subject: SubjectModel) -> None:
    """Three blocks have six sections, attention first, each its own module."""
    assert subject.n_sections == len(SECTIONS)
    assert subject.section_names == (
        "attn 0", "mlp 0", "attn 1", "mlp 1", "attn 2", "mlp 2",
    )  # fmt: skip
    assert len(set(subject.section_modules)) == len(SECTIONS)
    assert subject.unembedding.shape == (40, 16)
    assert subject.dtype == torch.float32
    assert subject.device.type == "cpu"


def test_writes_sum_to_the_residual(subject: SubjectModel, ids: Tensor) -> None:
    """Embeddings plus all writes are what enters the final norm in a plain run."""
    trace = run(subject, ids)
    total = trace.embeddings + torch.stack(trace.writes).sum(dim=0)

    entering = plain_inputs(subject, subject.final_norm, ids)
    assert_close(total, entering, rtol=1e-5, atol=1e-5)
    assert_close(trace.states[-1], entering, rtol=1e-5, atol=1e-5)


WRONG_PLACES = {
    "gpt2": {"attention_write": "ln_2", "mlp_write": "ln_1"},
    "llama": {"attention_write": "self_attn.q_proj", "mlp_write": "input_layernorm"},
    "gemma2": {"attention_write": "self_attn.o_proj", "mlp_write": "mlp.down_proj"},
    "gpt_neox": {
        "attention_write": "mlp.dense_4h_to_h",
        "mlp_write": "input_layernorm",
    },
    "qwen2": {"attention_write": "mlp.down_proj", "mlp_write": "input_layernorm"},
    "qwen3": {"attention_write": "self_attn.v_proj", "mlp_write": "self_attn.o_proj"},
}
"""For each architecture, places a newcomer might take for those of the writes."""


@pytest.mark.parametrize("place", ["attention_write", "mlp_write"])
def test_a_wrong_place_is_noticed(
    subject: SubjectModel, ids: Tensor, place: str
) -> None:
    """The contract fails for an architecture that reads a write somewhere else."""
    architecture = subject.architecture
    wrong = replace(
        architecture, **{place: WRONG_PLACES[architecture.model_type][place]}
    )

    with pytest.raises(AssertionError):
        test_writes_sum_to_the_residual(SubjectModel(subject.module, wrong), ids)


def test_states_are_what_enters_the_blocks(subject: SubjectModel, ids: Tensor) -> None:
    """Point 2b is what enters block b in a plain run."""
    points = run(subject, ids).points

    assert points.shape == (7, 2, 11, 16)
    for number, block in enumerate(subject.blocks):
        entering = plain_inputs(subject, block, ids)
        assert_close(points[2 * number], entering, rtol=1e-5, atol=1e-5)


def test_run_gives_the_models_logits(subject: SubjectModel, ids: Tensor) -> None:
    """Reading along does not change what the model computes."""
    assert_close(run(subject, ids).logits, subject.module(ids).logits)


def test_logits_follow_from_the_last_point(subject: SubjectModel, ids: Tensor) -> None:
    """The final norm and the unembedding turn the last point into the logits."""
    trace = run(subject, ids)

    logits = subject.read_out(trace.states[-1])
    assert_close(logits, trace.logits, rtol=1e-4, atol=1e-4)


def test_frozen_norm_is_the_norm(subject: SubjectModel, ids: Tensor) -> None:
    """With its own statistic the frozen norm is the norm, up to a constant bias."""
    residual = run(subject, ids).states[-1]
    frozen = subject.architecture.frozen_norm(subject.final_norm, residual, residual)

    bias = subject.final_norm(residual) - frozen
    assert_close(bias, bias[:1, :1].expand_as(bias), rtol=1e-4, atol=1e-4)


def test_frozen_norm_is_linear(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """Parts that sum to the residual have frozen norms that sum to its own."""
    residual = run(subject, ids).states[-1]

    def frozen(part: Tensor) -> Tensor:
        return subject.architecture.frozen_norm(subject.final_norm, residual, part)

    assert_close(
        frozen(value) + frozen(residual - value),
        frozen(residual),
        rtol=1e-4,
        atol=1e-4,
    )
    assert_close(frozen(3 * value), 3 * frozen(value), rtol=1e-4, atol=1e-4)


def test_embeddings_are_what_enters_block_0(subject: SubjectModel, ids: Tensor) -> None:
    """``embed`` gives residual point 0, and running from it changes nothing."""
    embedded = subject.embed(ids)

    assert_close(embedded, plain_inputs(subject, subject.blocks[0], ids))
    other_ids = ids.flip(1)
    from_embeddings = run(subject, other_ids, embeddings=embedded)
    assert_close(from_embeddings.logits, subject.module(ids).logits)


@pytest.mark.parametrize("section", SECTIONS)
def test_patching_with_own_values_changes_nothing(
    subject: SubjectModel, ids: Tensor, section: int
) -> None:
    """A state or a write put in its own place leaves every point where it was."""
    plain = run(subject, ids)
    mask = torch.ones(2, 11, 1)
    edits = (
        patch_state(plain.states[section], mask),
        patch_write(plain.writes[section], mask),
        replace_write(plain.writes[section]),
    )

    for edit in edits:
        edited = run(subject, ids, edits={section: edit})
        assert_close(edited.points, plain.points, rtol=1e-5, atol=1e-5)
        assert_close(edited.logits, plain.logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("section", SECTIONS)
def test_replacing_a_write_is_a_plain_hook(
    subject: SubjectModel, ids: Tensor, value: Tensor, section: int
) -> None:
    """Replacing a write equals a hook that replaces the module's output."""
    module = subject.section_modules[section]
    handle = module.register_forward_hook(lambda _m, _i, _o: value)
    expected = subject.module(ids).logits
    handle.remove()

    found = run(subject, ids, edits={section: replace_write(value)})

    assert_close(found.logits, expected)
    assert_close(found.writes[section], value)
    assert not found.logits.allclose(subject.module(ids).logits, atol=0.01)


@pytest.mark.parametrize("section", SECTIONS)
def test_replacing_with_zero_is_removing_the_weights(
    subject: SubjectModel, ids: Tensor, section: int
) -> None:
    """A section that writes zero equals one whose module has zero weights."""
    module = copy.deepcopy(subject.module)
    altered = SubjectModel(module, subject.architecture)
    # the norms that write in Gemma 2 store their scale less 1
    zero = -1.0 if subject.architecture.model_type == "gemma2" else 0.0
    for parameter in altered.section_modules[section].parameters():
        parameter.fill_(zero)

    found = run(subject, ids, edits={section: replace_write(torch.zeros(2, 11, 16))})

    assert_close(found.logits, module(ids).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("section", SECTIONS)
def test_patched_state_holds_where_the_mask_is(
    subject: SubjectModel, ids: Tensor, value: Tensor, section: int
) -> None:
    """After a patch the residual is the value at the mask and untouched elsewhere."""
    mask = torch.zeros(2, 11, 1)
    mask[0, 4] = mask[1, 7] = 1.0
    plain = run(subject, ids).points[section + 1]

    found = run(subject, ids, edits={section: patch_state(value, mask)})

    expected = torch.where(mask.bool(), value, plain)
    assert_close(found.points[section + 1], expected, rtol=1e-5, atol=1e-5)


def test_edit_sees_the_residual_before_the_section(
    subject: SubjectModel, ids: Tensor
) -> None:
    """An edit is given the section's write and the point before it."""
    plain = run(subject, ids)
    given: list[tuple[Tensor, Tensor]] = []

    def look(write: Tensor, residual: Tensor) -> Tensor:
        given.append((write, residual))
        return write

    run(subject, ids, edits={3: look})

    assert_close(given[0][0], plain.writes[3])
    assert_close(given[0][1], plain.points[3])


def test_batching_changes_nothing(subject: SubjectModel, ids: Tensor) -> None:
    """Rows run together equal rows run alone."""
    together = run(subject, ids)

    for row in range(2):
        alone = run(subject, ids[row : row + 1])
        assert_close(together.points[:, row], alone.points[:, 0], rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing(subject: SubjectModel, ids: Tensor) -> None:
    """Tokens appended on the right leave every point and logit before them alone."""
    padded = torch.cat([ids, torch.zeros(2, 5, dtype=ids.dtype)], dim=1)
    plain, longer = run(subject, ids), run(subject, padded)

    length = ids.shape[1]
    assert_close(longer.points[:, :, :length], plain.points, rtol=1e-4, atol=1e-5)
    assert_close(longer.logits[:, :length], plain.logits, rtol=1e-4, atol=1e-4)


def test_model_is_causal(subject: SubjectModel, ids: Tensor) -> None:
    """A later token changes no earlier residual."""
    later = ids.clone()
    later[:, 7] = (later[:, 7] + 1) % 40
    before, after = run(subject, ids).points, run(subject, later).points

    assert_close(before[:, :, :7], after[:, :, :7], rtol=1e-5, atol=1e-6)
    assert (before[-1, :, 7:] - after[-1, :, 7:]).norm(dim=-1).min() > 1e-3


def test_hooks_are_gone_after_a_run(subject: SubjectModel, ids: Tensor) -> None:
    """A run, an embedding and a failed edit leave no hook behind."""
    before = n_hooks(subject)

    def fail(_write: Tensor, _residual: Tensor) -> Tensor:
        raise RuntimeError("an edit that fails")

    run(subject, ids)
    subject.embed(ids)
    with pytest.raises(RuntimeError, match="an edit that fails"):
        run(subject, ids, edits={2: fail})

    assert n_hooks(subject) == before
    assert run(subject, ids).points.isfinite().all()


def test_linear_response_is_double_backward(
    subject: SubjectModel, ids: Tensor, value: Tensor
) -> None:
    """Forward-mode derivatives equal reverse mode applied twice to a plain model."""
    embeddings = subject.embed(ids)

    def last_point(start: Tensor) -> Tensor:
        seen: list[Tensor] = []
        handles = [
            subject.blocks[0].register_forward_pre_hook(lambda _m, i: (start, *i[1:])),
            subject.final_norm.register_forward_pre_hook(
                lambda _m, i: seen.append(i[0])
            ),
        ]
        subject.module(ids)
        for handle in handles:
            handle.remove()
        return seen[0]

    _, expected = torch.autograd.functional.jvp(last_point, embeddings, value)
    found = linear_response(subject, ids, embeddings=embeddings, tangent=value)

    assert_close(found[0], value)
    assert_close(found[-1], cast(Tensor, expected), rtol=1e-3, atol=1e-3)


def test_untrained_model_has_the_same_shape(subject: SubjectModel) -> None:
    """A fresh model of the architecture has the same parameters in name and shape."""

    def shapes(model: SubjectModel) -> Iterator[tuple[str, torch.Size]]:
        yield from ((n, p.shape) for n, p in model.module.named_parameters())

    assert dict(shapes(untrained_like(subject, seed=0))) == dict(shapes(subject))


def test_saved_model_is_loaded_whole(
    subject: SubjectModel, ids: Tensor, tmp_path: Path
) -> None:
    """A saved model is read again without a missing key, tied weights included."""
    subject.module.save_pretrained(tmp_path)

    loaded = load_folder(tmp_path)

    assert_close(loaded(ids).logits, subject.module(ids).logits)


def test_unknown_architecture_is_refused() -> None:
    """An unknown model type is answered with the known ones and what to do."""
    known = re.escape(", ".join(sorted(KNOWN)))

    with pytest.raises(
        UserError,
        match=rf"Models of type 'perceptron' are not known\. Known: {known}\. To add",
    ):
        find_architecture("perceptron")


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_architecture_is_found_by_its_type(name: str) -> None:
    """The registry's keys are the architectures' own names."""
    assert find_architecture(name) is KNOWN[name]
    assert KNOWN[name].model_type == name

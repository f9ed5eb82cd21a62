from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.models.subject import SubjectModel
from bench.perturbation.direction import draw_directions
from bench.perturbation.response import Probing, Response
from bench.tasks.prompts import Prompt
from tests.perturbation.whole import whole_response

FIELDS = ("relative", "raw", "gain", "additive")
CPU = torch.device("cpu")


@pytest.fixture
def replacement(tiny_model: SubjectModel) -> Tensor:
    """Something else to write, for each of the three prompts."""
    return torch.randn(3, 17, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("section", [None, 0, 1, 2, 3])
def test_response_equals_a_loop_over_sources(
    tiny_model: SubjectModel,
    few_prompts: tuple[Prompt, ...],
    probing: Probing,
    replacement: Tensor,
    naive_response: Callable,
    section: int | None,
) -> None:
    """All fields equal those of plain runs that perturb one source at a time."""
    strength = 0.05  # large, so that rounding is far below the tolerance
    replaced = None if section is None else {section: replacement}
    found = whole_response(tiny_model, probing, strength=strength, replaced=replaced)
    directions = draw_directions(few_prompts, seed=0, device=CPU)

    for p in range(2):
        for j in range(0, directions.positions.shape[1], 3):
            naive = naive_response(
                tiny_model,
                probing.ids[p],
                source=int(directions.positions[p, j]),
                other=int(directions.other_tokens[p, j]),
                strength=strength,
                replaced={} if section is None else {section: replacement[p]},
            )
            for field in FIELDS:
                expected = getattr(naive, field)
                actual = getattr(found, field)[p, j].double()
                scale = float(expected.abs().max())
                assert scale > 0.03
                assert_close(actual, expected, rtol=1e-4, atol=1e-4 * scale)


def test_replacement_changes_the_response(
    tiny_model: SubjectModel, probing: Probing, replacement: Tensor
) -> None:
    """A replaced write is in force: the response differs, the section adds nothing."""
    plain = whole_response(tiny_model, probing, strength=0.01)
    replaced = whole_response(
        tiny_model, probing, strength=0.01, replaced={2: replacement}
    )

    assert (plain.relative - replaced.relative).abs().max() > 0.1
    assert_close(
        replaced.change[:, :, 3], replaced.change[:, :, 2], rtol=1e-4, atol=1e-4
    )
    assert not plain.residual.allclose(replaced.residual)


def test_exact_response_is_the_limit_of_small_strengths(
    tiny_model: SubjectModel, probing: Probing, replacement: Tensor
) -> None:
    """The finite difference tends to the exact response, linearly in the strength."""
    for replaced in (None, {1: replacement}):
        exact = whole_response(
            tiny_model, probing, strength=None, replaced=replaced
        ).relative
        gaps = [
            float(
                (
                    whole_response(
                        tiny_model, probing, strength=strength, replaced=replaced
                    ).relative
                    - exact
                )
                .abs()
                .max()
            )
            for strength in (1e-1, 1e-2, 1e-3)
        ]
        assert gaps[2] < 0.01 * float(exact.max())
        assert gaps[1] < gaps[0] / 4
        assert gaps[2] < gaps[1] / 4


@pytest.mark.parametrize("strength", [None, 0.01])
def test_response_starts_at_one_at_the_source(
    tiny_model: SubjectModel, probing: Probing, strength: float | None
) -> None:
    """At point 0 the response is 1 at the source and 0 everywhere else."""
    found = whole_response(tiny_model, probing, strength=strength)
    expected = torch.zeros(3, probing.n_sources, 17)
    expected.scatter_(2, probing.positions[..., None], 1.0)
    assert_close(found.relative[:, :, 0], expected, rtol=1e-4, atol=1e-5)
    assert_close(found.raw[:, :, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strength", [None, 0.01])
def test_nothing_moves_before_the_source(
    tiny_model: SubjectModel, probing: Probing, strength: float | None
) -> None:
    """A causal model cannot respond at positions before the perturbed one."""
    found = whole_response(tiny_model, probing, strength=strength)

    for p in range(len(probing)):
        for j in range(probing.n_sources):
            source = int(probing.positions[p, j])
            assert found.relative[p, j, :, :source].abs().max() < 1e-3
            assert found.relative[p, j, -1, source:].min() > 1e-3


def test_fields_hang_together(tiny_model: SubjectModel, probing: Probing) -> None:
    """Additive parts sum to the final response, gains to the growth of the change."""
    found = whole_response(tiny_model, probing, strength=None)
    away = torch.ones(found.relative[:, :, :1].shape)
    away.scatter_(3, probing.positions[:, :, None, None], 0.0)

    total = found.additive.sum(dim=2, keepdim=True)
    assert_close(total * away, found.relative[:, :, -1:] * away, rtol=1e-4, atol=1e-5)
    assert_close(
        (found.gain * found.residual[:, :, 1:]).sum(dim=2),
        found.size[:, :, -1] - found.size[:, :, 0],
        rtol=1e-4,
        atol=1e-4,
    )


def test_fields_hand_worked() -> None:
    """One prompt, source and site; residuals of norm 2 and 5, changes 3 and 4 + 3."""
    change = torch.tensor([[3.0, 0.0], [3.0, 4.0]]).reshape(1, 1, 2, 1, 2)
    response = Response(
        change=change,
        residual=torch.tensor([2.0, 10.0]).reshape(1, 1, 2, 1),
        perturbation=torch.tensor(0.5).reshape(1, 1, 1, 1),
    )

    assert response.size.flatten().tolist() == [3.0, 5.0]
    assert response.relative.flatten().tolist() == [1.5, 0.5]
    assert response.raw.flatten().tolist() == [6.0, 10.0]
    assert response.gain.item() == pytest.approx((5 - 3) / 10)
    # the write (0, 4) along (3, 4): 16 / 25 of the final response 0.5
    assert response.additive.item() == pytest.approx(16 / 25 * 0.5)


def test_rows_of_a_probing(probing: Probing) -> None:
    """Taking rows takes the same prompts of everything."""
    rows = probing.rows(slice(1, 3))

    assert len(rows) == 2
    assert rows.ids.equal(probing.ids[1:])
    assert rows.embeddings.equal(probing.embeddings[1:])
    assert rows.tangents.equal(probing.tangents[1:])

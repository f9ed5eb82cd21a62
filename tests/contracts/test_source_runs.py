"""The engine's runs equal whole runs, on every architecture."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.models.architectures.registry import KNOWN
from bench.models.subject import SubjectModel
from bench.perturbation import source_runs
from bench.perturbation.differences import difference_at
from bench.perturbation.response import Probing, Response
from bench.perturbation.source_runs import Group, SourceRuns
from tests.contracts.random_models import random_subject
from tests.perturbation.whole import whole_response

STRENGTH = 0.05
"""Large, so that rounding is far below the tolerance."""
LENGTH, WIDTH, N_PROMPTS = 11, 16, 3
GROUP = 4
"""Sources of a group."""


@pytest.fixture(scope="module", params=sorted(KNOWN))
def subject(request: pytest.FixtureRequest) -> SubjectModel:
    """A random model of three blocks."""
    return random_subject(request.param)


def make_probing(
    subject: SubjectModel, *, n_sources: int, first: int, seed: int
) -> Probing:
    """Draw prompts with sources of their own, from a position on."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 40, (N_PROMPTS, LENGTH), generator=generator)
    drawn = [
        torch.randperm(LENGTH - first, generator=generator)[:n_sources].sort().values
        for _ in range(N_PROMPTS)
    ]
    tangents = torch.randn(N_PROMPTS, n_sources, WIDTH, generator=generator)
    return Probing(ids, subject.embed(ids), first + torch.stack(drawn), tangents)


def responses(runs: SourceRuns, strength: float | None) -> Iterator[tuple]:
    """Return each group and its response."""
    for group in runs.groups:
        yield group, runs.respond(group, difference_at(strength))


def check(
    found: Response, whole: Response, group: Group, *, sites_from: int = 0
) -> None:
    """Compare a group's response with that of whole runs."""
    before = slice(None, group.start)
    after = slice(max(group.start, sites_from), None)
    expected = whole.change[:, group.sources, :, after]
    scale = float(whole.change.abs().max())
    assert scale > 0.1
    assert_close(found.change, expected, rtol=1e-3, atol=1e-4 * scale)
    assert whole.change[:, group.sources, :, before].abs().sum() <= 1e-3 * scale
    assert_close(found.residual, whole.residual[..., after], rtol=1e-4, atol=1e-4)
    assert_close(found.perturbation, whole.perturbation[:, group.sources])


@pytest.mark.parametrize("strength", [STRENGTH, None])
@pytest.mark.parametrize(
    ("n_sources", "first", "seed"), [(1, 5, 0), (4, 2, 1), (7, 0, 2), (11, 0, 3)]
)
def test_responses_equal_whole_runs(
    subject: SubjectModel, strength: float | None, n_sources: int, first: int, seed: int
) -> None:
    """Runs from the sources on find what whole runs find, at every residual point."""
    probing = make_probing(subject, n_sources=n_sources, first=first, seed=seed)
    whole = whole_response(subject, probing, strength=strength)
    found = list(responses(SourceRuns(subject, probing, GROUP), strength))

    for group, response in found:
        check(response, whole, group)
    covered = [j for group, _ in found for j in range(n_sources)[group.sources]]
    assert covered == list(range(n_sources))


@pytest.mark.parametrize("strength", [STRENGTH, None])
@pytest.mark.parametrize("section", range(6))
@pytest.mark.parametrize("sites_from", [0, 4, LENGTH - 1])
def test_ablated_responses_equal_whole_runs(
    subject: SubjectModel, strength: float | None, section: int, sites_from: int
) -> None:
    """So do runs from the ablated section on, at sites of the last residual point."""
    probing = make_probing(subject, n_sources=6, first=0, seed=section)
    generator = torch.Generator().manual_seed(section)
    write = torch.randn(N_PROMPTS, LENGTH, WIDTH, generator=generator)
    difference = difference_at(strength)
    runs = SourceRuns(subject, probing, GROUP)
    ablation = runs.ablate(section, write, last_start=runs.groups[-1].start)
    whole = whole_response(
        subject, probing, strength=strength, replaced={section: write}
    )
    last = Response(
        whole.change[:, :, -1:], whole.residual[:, :, -1:], whole.perturbation
    )

    for group in runs.groups:
        (found,) = runs.respond_under(
            [ablation], group, difference, sites_from=sites_from
        )
        check(found, last, group, sites_from=sites_from)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_group_size_changes_nothing(size: int) -> None:
    """One source a batch, some, or all: the same responses."""
    subject = random_subject("gemma2")
    probing = make_probing(subject, n_sources=7, first=1, seed=0)
    whole = whole_response(subject, probing, strength=STRENGTH)
    found = list(responses(SourceRuns(subject, probing, size), STRENGTH))

    assert len(found) == -(-7 // size)
    for group, response in found:
        check(response, whole, group)


def test_one_clean_run_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources and strengths share it, and what runs write to its past is theirs."""
    subject = random_subject("llama")
    probing = make_probing(subject, n_sources=4, first=2, seed=0)
    rows: list[int] = []
    original = source_runs.run_from

    def spied(model: SubjectModel, ids: Tensor, **options: object) -> list[Tensor]:
        rows.append(len(ids))
        return original(model, ids, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(source_runs, "run_from", spied)
    runs = SourceRuns(subject, probing, GROUP)
    for strength in (0.1, STRENGTH):
        list(responses(runs, strength))

    assert rows == [N_PROMPTS, 4 * N_PROMPTS, 4 * N_PROMPTS]
    assert {keys.shape[2] for keys, _ in runs.clean.past.blocks} == {LENGTH}


@pytest.mark.parametrize(("section", "blocks"), [(2, [1, 2]), (3, [2]), (5, [])])
def test_a_run_under_ablation_skips_all_before(section: int, blocks: list[int]) -> None:
    """Neither the prompts nor the sources run through what cannot differ."""
    subject = random_subject("gpt2")
    probing = make_probing(subject, n_sources=2, first=2, seed=0)
    runs = SourceRuns(subject, probing, GROUP)
    difference = difference_at(STRENGTH)
    (group,) = runs.groups
    assert runs.clean.points
    ran: list[int] = []
    for number, block in enumerate(subject.blocks):
        block.register_forward_pre_hook(lambda *_, n=number: ran.append(n))
    write = torch.zeros(N_PROMPTS, LENGTH, WIDTH)
    ablation = runs.ablate(section, write, last_start=group.start)
    assert ran == blocks

    ran.clear()
    list(runs.respond_under(2 * [ablation], group, difference, sites_from=0))
    every_block_once = [0, 1, 2]
    assert ran == every_block_once + 2 * blocks

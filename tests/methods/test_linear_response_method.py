import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.linear_response import linear_response as module
from bench.methods.linear_response.linear_response import composition, gain
from bench.models.behaviour import to_batch
from bench.models.planted.build import build_planted
from bench.tasks.drawing import draw_prompts
from bench.tasks.planted import PlantedRecipe, draw_placement
from tests.methods.naive_llama import Change, NaiveTask, deviation, instead

SMALL = 1e-5
"""Half the step of the finite differences."""


Probe = tuple[int, Tensor]
"""The number of a source, and how each prompt's is pushed, [P, d]."""


def drawn(count: int, *, seed: int = 0) -> list[Probe]:
    """Draw sources of seven, and directions for three prompts, as the method does."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(7, generator=generator)[:count].tolist()
    pushes = torch.randn((count, 3, 16), generator=generator)
    pushes = pushes / pushes.norm(dim=-1, keepdim=True)
    return list(zip(chosen, pushes.double(), strict=True))


def response(
    task: NaiveTask,
    kind: str,
    p: int,
    probe: Probe,
    changes: dict[int, Change] | None = None,
) -> tuple[Tensor, Tensor]:
    """Push a source a little both ways; return responses and the residual's lengths."""
    start = task.start(kind, p)
    step = torch.zeros_like(start)
    source = task.sources[p][probe[0]]
    step[source] = SMALL * start[source].norm() * probe[1][p]
    ends = [
        task.llama.run(start + sign * step, changes=changes).points for sign in (1, -1)
    ]
    moved = [(a - b).norm(dim=-1) / (2 * SMALL) for a, b in zip(*ends, strict=True)]
    points = task.llama.run(start, changes=changes).points
    return torch.stack(moved), torch.stack(points).norm(dim=-1)


def excess(
    task: NaiveTask, p: int, values: Tensor, probe: int, *, near: int = 2
) -> float:
    """Subtract from the copy site's value the mean over sites that are not near it."""
    own = task.sites[p][probe]
    far = [s for s in task.sites[p] if not own <= s <= own + near]
    assert 0 < len(far) < 7
    return float(values[own]) - float(np.mean([float(values[s]) for s in far]))


def gain_by_loop(
    ctx: TaskContext, *, probes: list[Probe], control: bool = True, near: int = 2
) -> np.ndarray:
    """Measure the gain by finite differences."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        for kind, sign in (("clean", 1), ("control", -1 if control else 0)):
            for probe in probes:
                lengths, sizes = response(task, kind, p, probe)
                for s in range(task.n_sections):
                    grown = (lengths[s + 1] - lengths[s]) / sizes[s + 1]
                    part = excess(task, p, grown, probe[0], near=near)
                    values[p, s] += sign * part / len(probes)
    return values


def composition_by_loop(ctx: TaskContext, probe: Probe) -> np.ndarray:
    """Measure the loss of the final response by finite differences."""
    task = NaiveTask(ctx)
    writes = [task.run("clean", p).writes for p in task.all]

    def final(p: int, changes: dict[int, Change]) -> float:
        lengths, sizes = response(task, "clean", p, probe, changes)
        return excess(task, p, lengths[-1] / sizes[-1], probe[0])

    intact = [final(p, {}) for p in task.all]
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        others = [q for q in task.all if q != p]
        for s in range(task.n_sections):
            # position by position, from the prompts that are not this one
            mean = torch.stack([writes[q][s] for q in others]).mean(dim=0)
            values[p, s] = intact[p] - final(p, {s: instead(mean)})
    return values


def test_gain_equals_finite_differences(tiny_context: TaskContext) -> None:
    """Every section's growth of the response, on repeated less control prompts."""
    expected = gain_by_loop(tiny_context, probes=drawn(4))

    assert np.abs(expected).max(axis=0).min() > 1e-3
    assert deviation(gain(tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize(
    "spoilt",
    [
        {"probes": drawn(1)},
        {"probes": [(probe, push.flip(1)) for probe, push in drawn(4)]},
        {"probes": drawn(4, seed=2)},
        {"probes": drawn(4), "control": False},
        {"probes": drawn(4), "near": 1},
    ],
    ids=[
        "one-source",
        "other-directions",
        "other-sources",
        "no-control",
        "nearer-sites",
    ],
)
def test_every_part_of_the_gain_matters(
    tiny_context: TaskContext, spoilt: dict
) -> None:
    """Other sources, no control or other neighbours give other values."""
    expected = gain_by_loop(tiny_context, **spoilt)

    assert deviation(gain(tiny_context).per_prompt, expected) > 0.01


def test_composition_equals_finite_differences(tiny_context: TaskContext) -> None:
    """The loss of the final response, with each write replaced by others' mean."""
    ctx = tiny_context
    expected = composition_by_loop(ctx, drawn(1)[0])

    assert np.abs(expected).max(axis=0).min() > 0.01
    assert deviation(composition(ctx).per_prompt, expected) < 1e-4


def test_source_of_the_composition_matters(tiny_context: TaskContext) -> None:
    """Another source's copy site loses something else."""
    ctx = tiny_context
    expected = composition_by_loop(ctx, (drawn(2)[1][0], drawn(1)[0][1]))

    assert deviation(composition(ctx).per_prompt, expected) > 0.01


def test_finds_a_planted_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gain lies on the induction head, composition on the previous-token head too."""
    recipe = PlantedRecipe(seed=4)
    subject = build_planted(recipe, architecture="llama", blocks=4)
    placement = draw_placement(recipe, blocks=4)
    prompts = draw_prompts(recipe.prompts(discovery=8, reference=17))[:8]
    monkeypatch.setattr(module, "SOURCES", 2)
    ctx = TaskContext(
        subject=subject,
        prompts=to_batch(prompts, device="cpu"),
        generator=torch.Generator().manual_seed(0),
    )
    truth = placement.truth(8)
    gained, composed = gain(ctx).values, composition(ctx).values
    circuit = {placement.previous, *placement.induction}

    assert np.abs(gained / gained.sum() - truth["emergence"]).max() < 0.1
    assert set(np.argsort(-composed)[:2]) == circuit
    assert np.corrcoef(composed, truth["composition"])[0, 1] > 0.95
